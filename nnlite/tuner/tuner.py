"""Tuner: a search, trial by trial, whose state is the files of its trials."""

import contextlib
import copy
import inspect
import os
import time
import traceback

from nnlite import config
from nnlite.callbacks.foreign import as_callbacks
from nnlite.checks import check_setting
from nnlite.errors import did_you_mean
from nnlite.models.model import Model
from nnlite.terminal import write
from nnlite.tuner.display import Display
from nnlite.tuner.hypermodel import HyperModel, as_hypermodel
from nnlite.tuner.hyperparameters import HyperParameters
from nnlite.tuner.objective import as_objective
from nnlite.tuner.project import Project
from nnlite.tuner.results import Recorder, SearchError, averaged, executions_of
from nnlite.tuner.trial import COMPLETED, FAILED, RUNNING, Trial

MOST_COLLISIONS = 20  # choices that were tried before, until a space counts as exhausted


class Tuner(Project):
    """Base of searches: it runs trials and keeps them; a subclass chooses their values.

    Everything is kept in the folder `directory/project_name`, which a new search of the same name
    goes on with: `trial_0000/trial.json`, written whole at the begin and the end of each trial, and
    beside it the weights of its best epoch.

    Parameters
    ----------
    hypermodel : function of hp, or HyperModel, optional
        It returns a compiled model, and asks hp for values. None if a subclass has a `run_trial` of
        its own.
    objective : str or Objective, optional
        What is searched for, as in the logs of `fit`: 'val_accuracy'. The model's metric of that
        name says whether it is to be high or low, whatever its name; of others an Objective. None:
        a `fit` or `run_trial` of one's own returns one number, which is to be low.
    max_trials : int, optional
        How many choices of values are tried at most, failed ones included; by default all that
        there are.
    seed : int, optional
        Of the values, and of nnlite's random numbers in each training: the search can be repeated,
        and one that was killed and goes on finds what one that was not does.
    hyperparameters : HyperParameters, optional
        Known before: they go before what the model asks for under the same name.
    tune_new_entries : bool, default True
        Whether what the model asks for beyond `hyperparameters` is searched; else it is the
        default.
    allow_new_entries : bool, default True
        Whether the model may ask for more than `hyperparameters` has.
    max_retries_per_trial : int, default 0
        How often a trial that fails is run again.
    max_consecutive_failed_trials : int, default 3
        After how many failed trials in a row the search ends with an error.
    executions_per_trial : int, default 1
        How often each choice is trained, from new weights; the mean counts.
    directory : str or path, default '.'
    project_name : str, default 'untitled_project'
    overwrite : bool, default False
        Whether trials that the folder has are removed at first.
    **unknown
        Any other argument is refused.

    Attributes
    ----------
    trials : dict of str to Trial
        By their numbers, '0000', '0001', ...
    objective : Objective
    hyperparameters : HyperParameters
        The search space as far as it is known.
    project_dir : path

    Raises
    ------
    TypeError, ValueError
        If a setting does not fit, nothing says which values of the objective are better, or the
        folder has a search for another objective. Also what building a first model raises.
    """

    _epochs = None  # of each training, where the search says it
    _given_verbose = None
    _shown = Display(0, None, "")  # what prints the trial under way

    def __init__(
        self,
        hypermodel=None,
        objective=None,
        max_trials=None,
        seed=None,
        hyperparameters=None,
        tune_new_entries=True,
        allow_new_entries=True,
        max_retries_per_trial=0,
        max_consecutive_failed_trials=3,
        executions_per_trial=1,
        directory=".",
        project_name="untitled_project",
        overwrite=False,
        **unknown,
    ):
        owner = type(self).__name__
        for name in unknown:
            meant = did_you_mean(name, _SETTINGS)
            raise TypeError(
                f"{owner}: unknown argument {name!r}; it takes {', '.join(_SETTINGS)}{meant}"
            )
        for name, value, legal in (
            ("max_retries_per_trial", max_retries_per_trial, "int [0, inf)"),
            ("max_consecutive_failed_trials", max_consecutive_failed_trials, "int [1, inf)"),
            ("executions_per_trial", executions_per_trial, "int [1, inf)"),
            ("max_trials", 1 if max_trials is None else max_trials, "int [1, inf)"),
            ("seed", 0 if seed is None else seed, "int [0, inf)"),
            ("overwrite", overwrite, "bool"),
            ("tune_new_entries", tune_new_entries, "bool"),
            ("allow_new_entries", allow_new_entries, "bool"),
        ):
            check_setting(name, value, legal, owner)
        project_name = "untitled_project" if project_name is None else project_name
        if not isinstance(project_name, str) or project_name in ("", ".", ".."):
            raise ValueError(f"{owner}: project_name: expected a name, got {project_name!r}")
        if hyperparameters is None and not (tune_new_entries and allow_new_entries):
            raise ValueError(
                f"{owner}: hyperparameters: expected the space, as new entries are not searched, "
                "got None"
            )
        self.hypermodel = as_hypermodel(hypermodel)
        if self.hypermodel is None and type(self).run_trial is Tuner.run_trial:
            raise TypeError(f"{owner}: hypermodel: expected a function of hp, got None")
        known = HyperParameters() if hyperparameters is None else hyperparameters
        self.hyperparameters = known.copy()
        self.tune_new_entries, self.allow_new_entries = tune_new_entries, allow_new_entries
        self.max_trials, self.seed = max_trials, seed
        self.max_retries_per_trial = int(max_retries_per_trial)
        self.max_consecutive_failed_trials = int(max_consecutive_failed_trials)
        self.executions_per_trial = int(executions_per_trial)
        objective = as_objective(objective, self._explore())
        super().__init__(directory or ".", project_name, objective, seed)
        if overwrite:
            self._remove()
        if self._exists():
            self.reload()
            write(f"Reloaded {len(self.trials)} trials of {self.project_dir}")
        elif seed is None:
            self._seed = config.next_seed()

    # The search space

    def _explore(self):
        """Learn the space by building models, until the blocks of all conditions were active;
        gives the first model."""
        if self.hypermodel is None:
            return None
        first, wanted, tried, active, waiting = None, {}, [], [], []
        while True:
            hp = self.hyperparameters.copy()
            hp.values.update(wanted)
            hp.ensure_active_values()
            with self._seeded():
                model = self.hypermodel._build(hp)
            first = model if first is None else first
            self._learn(hp)
            active += hp.active_scopes
            waiting += [c for c in hp.inactive_scopes if c not in waiting]
            asleep = [c for c in waiting if c not in active and c not in tried]
            if not asleep:
                return first
            tried.append(asleep[0])
            wanted = {name: self._possible(name, allowed) for name, allowed in asleep[0]}
            wanted = {} if None in wanted.values() else wanted

    def _possible(self, name, allowed):
        """The first of some values that a hyperparameter can have; else None."""
        same = [h for h in self.hyperparameters.space if h.name == name]
        return next((v for v in allowed if any(h.place_of(v) is not None for h in same)), None)

    def _learn(self, hp):
        """Add what a model asked for to the space."""
        new = [h for h in hp.space if self.hyperparameters._find(h) is None]
        if new and not self.allow_new_entries:
            names = ", ".join(repr(h.name) for h in new)
            raise SearchError(f"hyperparameters: expected all that the model asks for, not {names}")
        if self.tune_new_entries:
            self.hyperparameters.merge(new)

    def _seeded(self, *place):
        """A block whose random numbers follow from the seed and a place in the search."""
        if self.seed is None:
            return contextlib.nullcontext()
        return config.seeded([int(self.seed), *place])

    def get_space(self):
        """The search space as far as it is known, with defaults as values.

        Returns
        -------
        HyperParameters
            A copy.
        """
        return self.hyperparameters.copy()

    def search_space_summary(self, extended=False):
        """Print the search space.

        Parameters
        ----------
        extended : bool, default False
            Without effect, as in Keras Tuner.
        """
        space = self.hyperparameters.space
        write(f"Search space summary\nDefault search space size: {len(space)}")
        for h in space:
            settings = {name: v for name, v in h.get_config().items() if name != "name"}
            write(f"{h.name} ({type(h).__name__})\n{settings}")

    # Trials

    def search(self, *args, verbose="auto", **kwargs):
        """Try choices of values, train a model with each, and keep them.

        Ctrl-C ends the search; finished trials are kept, and another `search` runs the one under
        way again and goes on.

        Parameters
        ----------
        *args, **kwargs
            Those of the model's `fit`: x, y, epochs, validation_split or validation_data,
            callbacks, ... Each training gets copies of the callbacks; TensorBoard's writes to a
            folder of its own, 'log_dir/0000/execution0'.
        verbose : {'auto', 0, 1, 2}
            0 prints nothing, 1 ('auto', too) a table and a bar for each trial, 2 in place of the
            bar what `fit` prints. A `fit` of one's own gets `verbose` only if it is given here.

        Raises
        ------
        RuntimeError
            If too many trials in a row failed, or all; the last one's error is in the message.
        ValueError
            If a training does not have the objective.
        KeyboardInterrupt
            At Ctrl-C.
        """
        check_setting("verbose", verbose, ("auto", 0, 1, 2), type(self).__name__)
        as_callbacks(kwargs.get("callbacks"))  # an error before any work
        self._given_verbose = None if verbose == "auto" else verbose
        shown = Display(1 if verbose == "auto" else verbose, self.max_trials, self.objective.name)
        self.save()
        try:
            while (trial := self._next_trial()) is not None:
                self._run(trial, shown, args, kwargs)
        except KeyboardInterrupt:
            shown.close()
            if shown.verbose:
                done = len([t for t in self.trials.values() if t.status != RUNNING])
                write(f"\nInterrupted; {self.project_dir} keeps {done} trials. search() goes on.")
            raise
        if self.trials and not self._completed():
            raise self._all_failed()
        if shown.verbose and self.remaining_trials:
            write("\nNothing is left to try.")

    def _next_trial(self):
        """The trial that was begun and not ended, else a new one; None at the end of the search."""
        for trial in self.trials.values():
            if trial.status == RUNNING:
                return trial
        if self.max_trials is not None and len(self.trials) >= self.max_trials:
            return None
        number = 1 + max((t.number for t in self.trials.values()), default=-1)
        values = self._propose(number)
        if values is None:
            return None
        hp = self.hyperparameters.copy()
        hp.values = values
        trial = Trial(hp, f"{number:04d}")
        self.trials[trial.trial_id] = trial
        return trial

    def _propose(self, number):
        """The values of a new trial; None if there is nothing left to try."""
        raise NotImplementedError(f"{type(self).__name__}: expected a search such as RandomSearch")

    def _run(self, trial, shown, args, kwargs):
        """Run a trial to its end."""
        trial.save(self._folder(trial))
        epochs = self._epochs or kwargs.get("epochs", 1)
        total = self.executions_per_trial * epochs if isinstance(epochs, int) else 0
        loud = self._owns_fit() and self._given_verbose is None  # its bars are shown
        best = self.get_best_trials(1)
        shown.begin(trial, best[0] if best else None, 0 if loud else total)
        began, self._shown = time.perf_counter(), shown
        for _ in range(self.max_retries_per_trial + 1):
            trial.message = self._attempt(trial, args, kwargs)
            if trial.message is None:
                break
        trial.status = COMPLETED if trial.message is None else FAILED
        trial.seconds = time.perf_counter() - began
        self._learn(trial.hyperparameters)
        trial.save(self._folder(trial))
        best = self.get_best_trials(1)
        shown.end(trial, best[0] if best else None)
        if trial.status == FAILED and self._failures() >= self.max_consecutive_failed_trials:
            raise self._all_failed()

    def _all_failed(self):
        *_, last = self.trials.values()
        return RuntimeError(
            f"{type(self).__name__}: {self._failures()} trials in a row failed; the last one:\n"
            f"{last.message}"
        )

    def _attempt(self, trial, args, kwargs):
        """Run a trial once; gives the traceback of its error, or None."""
        trial.stopped_early, trial.notes = False, {}
        try:
            results = self.run_trial(trial, *args, **copy.copy(kwargs))
        except SearchError:
            raise
        except Exception:
            return traceback.format_exc()
        executions = executions_of(results, self.objective, "run_trial")
        trial.metrics = averaged([logs for logs, _, _ in executions])
        trial.best_step = round(sum(best for _, best, _ in executions) / len(executions))
        trial.histories = [history for _, _, history in executions]
        trial.score = trial.metrics[self.objective.name]
        if trial.score != trial.score:
            trial.score = None
            return f"{self.objective.name}: expected a number, got NaN in every epoch"
        return None

    def run_trial(self, trial, *args, **kwargs):
        """Train a model with the values of a trial. A subclass may do something else.

        Parameters
        ----------
        trial : Trial
            `trial.hyperparameters` has the values, and may be asked for more.
        *args, **kwargs
            Those of `search`.

        Returns
        -------
        History, dict, float or list of them
            As for `HyperModel.fit`.
        """
        hp, own_fit = trial.hyperparameters, self._owns_fit()
        given, epochs_done, results = kwargs.pop("callbacks", None), 0, []
        if not own_fit or self._given_verbose is not None:
            kwargs.setdefault("verbose", 2 if self._given_verbose == 2 else 0)
        if self._epochs is not None:
            kwargs["epochs"] = self._epochs

        def on_epoch(epoch, logs, value):
            nonlocal epochs_done
            epochs_done += 1
            self._shown.advance(epochs_done, logs)
            return not results and self._is_hopeless(trial, epoch, value)

        recorder = Recorder(self.objective, self._weights(trial), not own_fit, on_epoch)
        for execution in range(self.executions_per_trial):
            with self._seeded(trial.number, execution):
                model = self.hypermodel._build(hp)
                if not isinstance(model, Model):
                    raise SearchError(f"hypermodel: expected it to return a Model, got {model!r}")
                callbacks = [*_copied(given, trial.trial_id, execution), recorder]
                results.append(self.hypermodel.fit(hp, model, *args, callbacks=callbacks, **kwargs))
            trial.build_config = recorder.build_config
            if trial.stopped_early:
                break
        return results

    def _owns_fit(self):
        """Whether the user says how a model is trained."""
        own_trial = type(self).run_trial is not Tuner.run_trial
        return own_trial or type(self.hypermodel).fit is not HyperModel.fit

    def _is_hopeless(self, trial, epoch, value):
        """Whether to stop a training after an epoch; only of the first execution."""
        return False

    # Results

    def reload(self):
        """Read all trials again from their files, and learn from them what the space is.

        Raises
        ------
        ValueError
            If a file is not what was written, or the search is one for another objective.
        """
        super().reload()
        for trial in self.trials.values():
            self._learn(trial.hyperparameters)

    def get_best_models(self, num_models=1):
        """The models of the best trials, with the weights of their best epochs.

        Parameters
        ----------
        num_models : int, default 1
            The most.

        Returns
        -------
        list of Model

        Raises
        ------
        RuntimeError
            If no trial is finished.
        """
        best = self.get_best_trials(num_models)
        if not best:
            raise RuntimeError("get_best_models: expected a search with a trial that is finished")
        return [self.load_model(trial) for trial in best]

    def load_model(self, trial):
        """The model of a trial, with the weights of its best epoch.

        Parameters
        ----------
        trial : Trial

        Returns
        -------
        Model

        Raises
        ------
        FileNotFoundError
            If the trial kept no weights: its `fit` did not pass the `callbacks` on.
        """
        path = self._weights(trial)
        if not path.exists():
            raise FileNotFoundError(
                f"{path}: expected the weights of trial {trial.trial_id}; a `fit` of one's own "
                "must pass `callbacks` on to the model's"
            )
        with self._seeded(trial.number):
            model = self.hypermodel._build(trial.hyperparameters.copy())
        if trial.build_config is not None:
            model.build_from_config(trial.build_config)
        model.load_weights(path)
        return model


def _copied(callbacks, trial_id, execution):
    """Callbacks for one training, so that none goes on from another, with a folder of its own for
    the curves of TensorBoard."""
    try:
        copies = copy.deepcopy(as_callbacks(callbacks))
    except Exception as error:
        raise SearchError(
            f"callbacks: expected objects that can be copied for each training ({error})"
        ) from error
    for c in copies:
        if isinstance(getattr(c, "log_dir", None), str):
            c.log_dir = os.path.join(c.log_dir, trial_id, f"execution{execution}")
    return copies


_SETTINGS = [name for name in inspect.signature(Tuner).parameters if name != "unknown"]
