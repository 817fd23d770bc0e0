"""Optuna behind a search. The one idea: before each question a new study is made of what the files
of the trials say, and a sampler of the seed and the trial's number. So a search that was killed
is told what one that was not is told."""

import contextlib
import warnings

import numpy as np

from nnlite.tuner.trial import COMPLETED


def optuna():
    """The package.

    Raises
    ------
    ImportError
        If it is not installed; the message says what to do.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError(
            'BayesianOptimization and Hyperband need Optuna: pip install "nnlite[tune]" '
            "(RandomSearch and GridSearch do not)"
        ) from error
    return optuna


@contextlib.contextmanager
def _quiet():
    """A block in which Optuna prints nothing."""
    logging = optuna().logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna().exceptions.ExperimentalWarning)
            yield
    finally:
        logging.set_verbosity(before)


def study(trials, space, objective, pruner=None):
    """A study of finished trials.

    Parameters
    ----------
    trials : iterable of Trial
    space : list of HyperParameter
    objective : Objective
    pruner : Optuna's, optional

    Returns
    -------
    optuna.Study
    """
    direction = "maximize" if objective.direction == "max" else "minimize"
    with _quiet():
        made = optuna().create_study(direction=direction, pruner=pruner, study_name="nnlite")
        for trial in trials:
            made.add_trial(_frozen(trial, space, objective.name))
    return made


def _frozen(trial, space, objective):
    """A trial as Optuna's."""
    state = optuna().trial.TrialState
    if trial.status != COMPLETED:
        return optuna().trial.create_trial(state=state.FAIL, system_attrs=trial.notes)
    params, distributions = {}, {}
    values = trial.hyperparameters.values
    for h in space:
        if h.name in values and h.is_active(values) and h.place_of(values[h.name]) is not None:
            params[_name(h)], distributions[_name(h)] = h.place_of(values[h.name]), _range(h)
    reported = trial.histories[0].get(objective, []) if trial.notes else []
    return optuna().trial.create_trial(
        state=state.PRUNED if trial.stopped_early else state.COMPLETE,
        value=trial.score,
        params=params,
        distributions=distributions,
        intermediate_values={step: value for step, value in enumerate(reported, 1)},
        system_attrs=trial.notes,
    )


def _name(h):
    """A name that no other hyperparameter has: those under other conditions may share theirs."""
    return f"{h.name} {h.conditions}" if h.conditions else h.name


def _range(h):
    """Where in its range a value of a hyperparameter may be, as Optuna says it."""
    if h.n_values is None:
        return optuna().distributions.FloatDistribution(0, 1)
    if h.ordered:
        return optuna().distributions.IntDistribution(0, h.n_values - 1)
    return optuna().distributions.CategoricalDistribution(range(h.n_values))


def suggested(asked, h):
    """The value of a hyperparameter that Optuna's trial suggests.

    Parameters
    ----------
    asked : optuna.Trial
    h : HyperParameter
    """
    with _quiet():
        if h.n_values is None:
            return h.value_at(asked.suggest_float(_name(h), 0, 1))
        if h.ordered:
            return h.value_at(asked.suggest_int(_name(h), 0, h.n_values - 1))
        return h.value_at(asked.suggest_categorical(_name(h), range(h.n_values)))


def tpe(seed):
    """The sampler that models where the better trials are.

    Parameters
    ----------
    seed : list of int
    """
    (number,) = np.random.SeedSequence(seed).generate_state(1)
    with _quiet():
        return optuna().samplers.TPESampler(
            seed=int(number),
            n_startup_trials=1,
            multivariate=True,
            group=True,
        )


def hyperband(max_epochs, factor):
    """The pruner that says whether a training goes on.

    Parameters
    ----------
    max_epochs, factor : int
    """
    with _quiet():
        return optuna().pruners.HyperbandPruner(
            min_resource=1, max_resource=max_epochs, reduction_factor=factor
        )


def notes_of(asked):
    """What the pruner remembers of a trial.

    Parameters
    ----------
    asked : optuna.Trial
    """
    return {"report": True, **asked.study.trials[asked.number].system_attrs}
