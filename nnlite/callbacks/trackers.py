"""Callbacks that tell other programs of a training: Optuna, MLflow."""

import numpy as np

from nnlite.callbacks.callback import Callback
from nnlite.callbacks.monitor import Monitor, higher_is_better
from nnlite.checks import is_number


def _legal_name(name, value):
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a str, got {value!r}")


class OptunaPruning(Monitor):
    """Tells Optuna's trial a value after each epoch, and ends the training if its pruner says so.

    The trial ends by `optuna.TrialPruned`, which leaves `fit` and the objective function. The model
    keeps the weights of the last epoch.

    Parameters
    ----------
    trial : optuna.Trial
    monitor : str, default 'val_loss'
        The entry of the logs to tell. Epochs without validation are passed over if others have one.

    Raises
    ------
    TypeError
        If `trial` is no trial of Optuna.
    ValueError
        In `fit`, if there is no such entry, or if the study searches for low values where high ones
        are better, or the reverse.

    Examples
    --------
    >>> import nnlite, optuna  # doctest: +SKIP
    >>> def objective(trial):
    ...     model = build(trial.suggest_int("units", 8, 64))
    ...     pruning = nnlite.callbacks.OptunaPruning(trial, "val_accuracy")
    ...     history = model.fit(x, y, validation_split=0.2, callbacks=pruning)
    ...     return max(history.history["val_accuracy"])
    >>> study = optuna.create_study(direction="maximize")  # doctest: +SKIP
    >>> study.optimize(objective, n_trials=20)  # doctest: +SKIP
    """

    mode = "auto"
    _of_one_fit = True

    def __init__(self, trial, monitor="val_loss"):
        self.trial, self.monitor = trial, monitor
        self._check_given()
        if not all(hasattr(trial, name) for name in ("report", "should_prune")):
            raise TypeError(f"OptunaPruning: trial: expected a trial of Optuna, got {trial!r}")

    def _clone(self, **overrides):
        """Of the same trial: a copy of that would tell nobody."""
        return type(self)(**{**self._given, **overrides})

    def __deepcopy__(self, memo):
        return self._clone()

    def _learn_direction(self):
        study = getattr(self.trial, "study", None)
        rises = higher_is_better(self.model, self.monitor)
        if study is not None and rises not in (None, study.direction.name == "MAXIMIZE"):
            word = "maximizes" if rises is False else "minimizes"
            raise self._error(
                "monitor", f"an entry that a study which {word} searches for", self.monitor
            )
        self._rising = rises

    def on_epoch_end(self, epoch, logs=None):
        value = self._value(logs or {})
        if value is None:
            return
        self.trial.report(float(value), epoch)
        if self.trial.should_prune():
            import optuna

            raise optuna.TrialPruned(
                f"pruned after epoch {epoch + 1}, {self.monitor} = {value:.5g}"
            )


class MLflow(Callback):
    """Writes the settings of a training, and its logs after each epoch, to a run of MLflow.

    Settings are the epochs, the number of weights, the loss, the optimizer and its numbers. The run
    is the active one; if there is none, one begins and ends with the training. Settings that the
    run has already stay as they are.

    Parameters
    ----------
    run_name : str, optional
        Of a run that begins with the training.

    Raises
    ------
    ImportError
        When a training begins, if MLflow is not installed.

    Examples
    --------
    >>> import nnlite
    >>> tracking = nnlite.callbacks.MLflow(run_name="first")
    >>> model.fit(x, y, epochs=5, callbacks=tracking)  # doctest: +SKIP
    """

    _ends_when_interrupted = _of_one_fit = True
    _legal = {"run_name": _legal_name}
    _run_is_ours = False

    def __init__(self, run_name=None):
        self.run_name = run_name
        self._check_given()

    def on_train_begin(self, logs=None):
        mlflow = _mlflow()
        if self._run_is_ours:  # of a training that ended with an error
            mlflow.end_run("FAILED")
        self._run_is_ours = mlflow.active_run() is None
        run = mlflow.start_run(run_name=self.run_name) if self._run_is_ours else mlflow.active_run()
        known = mlflow.get_run(run.info.run_id).data.params
        settings = _settings(self.model, self.params or {})
        mlflow.log_params({name: value for name, value in settings.items() if name not in known})

    def on_epoch_end(self, epoch, logs=None):
        numbers = {name: float(v) for name, v in (logs or {}).items() if np.ndim(v) == 0}
        _mlflow().log_metrics(numbers, step=epoch)

    def on_train_end(self, logs=None):
        if self._run_is_ours:
            _mlflow().end_run()
            self._run_is_ours = False


def _settings(model, params):
    """The settings of a training by name."""
    optimizer = model.optimizer
    found = {
        "epochs": params.get("epochs"),
        "weights": model.count_params() if model.built else None,
    }
    found |= {"model": model.name, "loss": _named(model.loss), "optimizer": _named(optimizer)}
    for name, value in optimizer.get_config().items() if optimizer is not None else ():
        if name != "name":
            found[f"optimizer_{name}"] = value if is_number(value) else _named(value)
    return {name: value for name, value in found.items() if value is not None}


def _named(value):
    """A short name of a loss, an optimizer, a schedule, ...; of None None."""
    if value is None or isinstance(value, (str, bool)):
        return value
    return getattr(value, "__name__", None) or type(value).__name__


def _mlflow():
    try:
        import mlflow
    except ImportError as error:
        raise ImportError("callbacks.MLflow needs MLflow: pip install mlflow-skinny") from error
    return mlflow
