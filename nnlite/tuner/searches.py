"""The searches: how the values of the next trial are chosen."""

import json
import math

import numpy as np

from nnlite.checks import check_setting
from nnlite.tuner import studies
from nnlite.tuner.tuner import MOST_COLLISIONS, Tuner


def _filled(space, choose):
    """A value for each hyperparameter that the values of those before it make active."""
    values = {}
    for h in space:
        if h.name not in values and h.is_active(values):
            values[h.name] = choose(h)
    return values


class _Search(Tuner):
    """Base of searches that try no values twice."""

    def _key(self, values):
        """What two choices of the same values have in common."""
        known = {h.name for h in self.hyperparameters.space}
        return json.dumps({n: v for n, v in values.items() if n in known}, sort_keys=True)

    def _tried(self):
        return {self._key(t.hyperparameters.values) for t in self.trials.values()}

    def _random(self, number, tried):
        """Values that were not tried, each from anywhere in its range; None if too many that came
        up were."""
        rng = np.random.default_rng([int(self._seed), number])
        for _ in range(MOST_COLLISIONS):
            values = _filled(self.hyperparameters.space, lambda h: h.random(rng))
            if self._key(values) not in tried:
                return values
        return None


class RandomSearch(_Search):
    """Tries values from anywhere in the search space, each as likely as another.

    It ends before `max_trials` if everything that comes up was tried.

    Parameters
    ----------
    hypermodel, objective
        As for `Tuner`.
    max_trials : int, default 10
        How many choices of values are tried at most.
    seed : int, optional
        As for `Tuner`; the others, too.
    hyperparameters, tune_new_entries, allow_new_entries, max_retries_per_trial : optional
    max_consecutive_failed_trials : int, default 3
    **kwargs
        Of `Tuner`: executions_per_trial, directory, project_name, overwrite.

    References
    ----------
    Bergstra, Bengio: "Random search for hyper-parameter optimization", JMLR 13, 2012.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite as keras
    >>> from nnlite import tuner as kt
    >>> def build(hp):
    ...     units = hp.Int("units", min_value=4, max_value=32, step=4)
    ...     model = keras.Sequential([
    ...         keras.layers.Dense(units, "relu", input_shape=(2,)),
    ...         keras.layers.Dense(1),
    ...     ])
    ...     model.compile(keras.optimizers.Adam(hp.Choice("rate", [1e-2, 1e-3])), "mse")
    ...     return model
    >>> tuner = kt.RandomSearch(build, objective="val_loss", max_trials=3, seed=0, overwrite=True)
    >>> x = np.ones((20, 2), np.float32)
    >>> tuner.search(x, x[:, :1], epochs=2, validation_split=0.2, verbose=0)
    >>> len(tuner.trials), tuner.get_best_models()[0].built
    (3, True)
    """

    def __init__(
        self,
        hypermodel=None,
        objective=None,
        max_trials=10,
        seed=None,
        hyperparameters=None,
        tune_new_entries=True,
        allow_new_entries=True,
        max_retries_per_trial=0,
        max_consecutive_failed_trials=3,
        **kwargs,
    ):
        super().__init__(
            hypermodel,
            objective,
            max_trials,
            seed,
            hyperparameters,
            tune_new_entries,
            allow_new_entries,
            max_retries_per_trial,
            max_consecutive_failed_trials,
            **kwargs,
        )

    def _propose(self, number):
        return self._random(number, self._tried())


class GridSearch(_Search):
    """Tries all values with each other; of a continuous range ten, evenly spread.

    The last hyperparameter changes first.

    Parameters
    ----------
    hypermodel, objective
        As for `Tuner`.
    max_trials : int, optional
        By default all.
    seed : int, optional
        Of nnlite's random numbers in each training.
    hyperparameters, tune_new_entries, allow_new_entries, max_retries_per_trial : optional
    max_consecutive_failed_trials : int, default 3
    **kwargs
        Of `Tuner`: executions_per_trial, directory, project_name, overwrite.

    Examples
    --------
    >>> from nnlite import tuner as kt
    >>> class Parabola(kt.GridSearch):
    ...     def run_trial(self, trial):
    ...         return (trial.hyperparameters.Int("x", -3, 3) - 1) ** 2
    >>> tuner = Parabola(project_name="parabola", overwrite=True)
    >>> tuner.search(verbose=0)
    >>> len(tuner.trials), tuner.get_best_hyperparameters()[0].values
    (7, {'x': 1})
    """

    def _propose(self, number):
        tried = self._tried()
        return next(
            (v for v in _grid(self.hyperparameters.space) if self._key(v) not in tried), None
        )


def _grid(space, values=None):
    """Every choice of values."""
    values = {} if values is None else values
    asked = next((h for h in space if h.name not in values and h.is_active(values)), None)
    if asked is None:
        yield values
        return
    for value in asked.grid():
        yield from _grid(space, {**values, asked.name: value})


class BayesianOptimization(_Search):
    """Tries values that are likely to be better, as the finished trials tell.

    Optuna's TPE chooses them (pip install "nnlite[tune]"): it compares where the better and where
    the worse trials are dense, for all hyperparameters together.

    Parameters
    ----------
    hypermodel, objective
        As for `Tuner`.
    max_trials : int, default 10
        How many choices of values are tried at most.
    num_initial_points : int, optional
        After how many trials it begins; those before are random. By default three times as many
        as there are hyperparameters.
    alpha, beta : float
        Without effect: settings of the Gaussian process that Keras Tuner has in TPE's place.
    seed : int, optional
        As for `Tuner`; the others, too.
    hyperparameters, tune_new_entries, allow_new_entries, max_retries_per_trial : optional
    max_consecutive_failed_trials : int, default 3
    **kwargs
        Of `Tuner`: executions_per_trial, directory, project_name, overwrite.

    Raises
    ------
    ImportError
        If Optuna is not installed.

    References
    ----------
    Bergstra, Bardenet, Bengio, Kégl: "Algorithms for hyper-parameter optimization", NeurIPS 2011.
    Falkner, Klein, Hutter: "BOHB: robust and efficient hyperparameter optimization at scale",
    ICML 2018.

    Examples
    --------
    >>> from nnlite import tuner as kt
    >>> class Parabola(kt.BayesianOptimization):
    ...     def run_trial(self, trial):
    ...         return (trial.hyperparameters.Float("x", -3, 3) - 1) ** 2
    >>> tuner = Parabola(max_trials=20, project_name="bayes", overwrite=True)  # doctest: +SKIP
    >>> tuner.search(verbose=0)  # doctest: +SKIP
    """

    def __init__(
        self,
        hypermodel=None,
        objective=None,
        max_trials=10,
        num_initial_points=None,
        alpha=1e-4,
        beta=2.6,
        seed=None,
        hyperparameters=None,
        tune_new_entries=True,
        allow_new_entries=True,
        max_retries_per_trial=0,
        max_consecutive_failed_trials=3,
        **kwargs,
    ):
        if num_initial_points is not None:
            check_setting(
                "num_initial_points", num_initial_points, "int [1, inf)", "BayesianOptimization"
            )
        studies.optuna()  # an error before any work
        self.num_initial_points = num_initial_points
        super().__init__(
            hypermodel,
            objective,
            max_trials,
            seed,
            hyperparameters,
            tune_new_entries,
            allow_new_entries,
            max_retries_per_trial,
            max_consecutive_failed_trials,
            **kwargs,
        )

    def _propose(self, number):
        tried, space = self._tried(), self.hyperparameters.space
        first = self.num_initial_points or 3 * len({h.name for h in space if h.n_values != 1})
        if len(self.trials) >= max(1, first):
            study = studies.study(self.trials.values(), space, self.objective)
            study.sampler = studies.tpe([int(self._seed), number])
            asked = study.ask()
            values = _filled(space, lambda h: studies.suggested(asked, h))
            if self._key(values) not in tried:
                return values
        return self._random(number, tried)


class Hyperband(_Search):
    """Tries many random values for a few epochs each, and goes on with the better ones.

    Each training runs for `max_epochs`, unless its objective is, after 1, `factor`, `factor`**2,
    ... epochs, not among the best 1 / `factor` of those that came as far. Several brackets, which
    take turns, differ in after how many epochs they first look. Optuna's HyperbandPruner decides
    (pip install "nnlite[tune]"). A training that goes on is never begun again.

    Parameters
    ----------
    hypermodel, objective
        As for `Tuner`. The objective must be in the logs of `fit`.
    max_epochs : int, default 100
        Of a training that is not stopped; better too many, with an EarlyStopping.
    factor : int of at least 2, default 3
    hyperband_iterations : int, default 1
        How often to go through all brackets: each time about
        max_epochs * log(max_epochs, factor)**2 epochs.
    seed : int, optional
        As for `Tuner`; the others, too.
    hyperparameters, tune_new_entries, allow_new_entries, max_retries_per_trial : optional
    max_consecutive_failed_trials : int, default 3
    **kwargs
        Of `Tuner`: executions_per_trial, directory, project_name, overwrite.

    Raises
    ------
    ImportError
        If Optuna is not installed.

    References
    ----------
    Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: "Hyperband: a novel bandit-based approach to
    hyperparameter optimization", JMLR 18, 2018.
    Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar: "A system for massively
    parallel hyperparameter tuning", MLSys 2020.

    Examples
    --------
    >>> from nnlite import tuner as kt
    >>> tuner = kt.Hyperband(build, "val_loss", max_epochs=27)  # doctest: +SKIP
    >>> tuner.search(x, y, validation_split=0.2)  # doctest: +SKIP
    """

    def __init__(
        self,
        hypermodel=None,
        objective=None,
        max_epochs=100,
        factor=3,
        hyperband_iterations=1,
        seed=None,
        hyperparameters=None,
        tune_new_entries=True,
        allow_new_entries=True,
        max_retries_per_trial=0,
        max_consecutive_failed_trials=3,
        **kwargs,
    ):
        for name, value, legal in (
            ("max_epochs", max_epochs, "int [1, inf)"),
            ("factor", factor, "int [2, inf)"),
            ("hyperband_iterations", hyperband_iterations, "int [1, inf)"),
        ):
            check_setting(name, value, legal, "Hyperband")
        studies.optuna()
        self.max_epochs, self.factor = int(max_epochs), int(factor)
        self.hyperband_iterations = int(hyperband_iterations)
        self._epochs = self.max_epochs
        super().__init__(
            hypermodel,
            objective,
            self.hyperband_iterations * first_trials(self.max_epochs, self.factor),
            seed,
            hyperparameters,
            tune_new_entries,
            allow_new_entries,
            max_retries_per_trial,
            max_consecutive_failed_trials,
            **kwargs,
        )

    def _propose(self, number):
        return self._random(number, self._tried())

    def _is_hopeless(self, trial, epoch, value):
        if value is None:
            return False
        if not trial.notes:
            before = [t for t in self.trials.values() if t is not trial]
            pruner = studies.hyperband(self.max_epochs, self.factor)
            study = studies.study(before, (), self.objective, pruner)
            self._asked = study.ask()
        self._asked.report(value, epoch + 1)
        trial.stopped_early = self._asked.should_prune() and epoch + 1 < self.max_epochs
        trial.notes = studies.notes_of(self._asked)
        return trial.stopped_early


def first_trials(max_epochs, factor):
    """How many trials all brackets of Hyperband begin with.

    Parameters
    ----------
    max_epochs, factor : int

    Examples
    --------
    >>> first_trials(81, 3)
    143
    """
    last = math.floor(math.log(max_epochs, factor) + 1e-9)
    end = math.ceil(1 + math.log(max_epochs, factor) - 1e-9)
    return sum(math.ceil(end / (b + 1) * factor**b - 1e-9) for b in range(last + 1))
