"""What a training tells a search: its best epoch, its best weights, and how far it is."""

import math
from collections.abc import Mapping

import numpy as np

from nnlite.callbacks.loggers import History
from nnlite.callbacks.monitor import Monitor
from nnlite.checks import is_number
from nnlite.errors import did_you_mean


class SearchError(ValueError):
    """A mistake that every trial would repeat: it ends a search."""


class Recorder(Monitor):
    """Keeps the weights of the best epoch of all executions of a trial in a file, and tells how far
    they are.

    Parameters
    ----------
    objective : Objective
    path : path
        Of the weights.
    required : bool, default False
        Whether the objective must be among the logs.
    on_epoch : function of (epoch, logs, value), optional
        Called after each epoch; it ends the training by returning True.
    """

    def __init__(self, objective, path, required=False, on_epoch=None):
        self.objective, self.path, self.required = objective, path, required
        self.monitor, self.mode = objective.name, objective.direction
        self.on_epoch, self.best, self.build_config = on_epoch, None, None

    def on_epoch_end(self, epoch, logs=None):
        logs, value = logs or {}, None
        if self.objective.has_value(logs):
            value = float(self._value(logs))
        elif self.required and not self._comes_later(logs):
            raise absent(self.objective, logs)
        unknown = value is None and not self.required
        if unknown or (value is not None and self._improves(value, self.best)):
            self.best = value
            self.build_config = self.model.get_build_config() or _shapes(self.model)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.model.save_weights(self.path, overwrite=True)
        if self.on_epoch is not None and self.on_epoch(epoch, logs, value):
            self.model.stop_training = True


def _shapes(model):
    """The shapes of the data that a model was built for, where its own config says them."""
    shapes = getattr(model, "input_shape", None)
    return None if shapes is None else {"input_shape": shapes}


def absent(objective, logs):
    """The error about an objective that a training does not have.

    Parameters
    ----------
    objective : Objective
    logs : dict
    """
    held_out = objective.name.startswith("val_") and not any(n.startswith("val_") for n in logs)
    needs = "; a 'val_' value needs validation_data or validation_split" if held_out else ""
    return SearchError(
        f"objective: expected one of {', '.join(logs)}, got {objective.name!r}{needs}"
        f"{did_you_mean(objective.name, logs)}"
    )


def executions_of(results, objective, source):
    """What a trial returned, as a list of figures by name, one dict for each execution.

    Parameters
    ----------
    results : History, dict, float or list of them
    objective : Objective
    source : str
        The method that returned it, for messages.

    Returns
    -------
    list of (dict of str to float, int, dict of str to list)
        Of each execution the logs at the best epoch, that epoch, and the logs of all epochs.

    Raises
    ------
    SearchError
        If it is something else, or the objective is not in it.
    """
    if isinstance(results, list):
        if not results:
            raise SearchError(f"{source}: expected at least one result, got []")
        return [one for entry in results for one in executions_of(entry, objective, source)]
    if isinstance(results, History):
        return [_of_history(results.history, objective)]
    if isinstance(results, Mapping):
        if not objective.has_value(results):
            raise absent(objective, results)
        kept = {name: float(value) for name, value in results.items() if is_number(value)}
        return [(kept, 0, {name: [value] for name, value in kept.items()})]
    if is_number(results) or (isinstance(results, np.ndarray) and results.ndim == 0):
        value = float(results)
        return [({objective.name: value}, 0, {objective.name: [value]})]
    raise SearchError(
        f"{source}: expected it to return a History, a dict, a float or a list of them, "
        f"got {results!r}"
    )


def _of_history(history, objective):
    """The logs at the best epoch, that epoch, and all logs that are numbers."""
    if not objective.has_value(history):
        raise absent(objective, history)
    numbers = {
        name: [float(v) for v in values]
        for name, values in history.items()
        if all(np.ndim(v) == 0 for v in values)
    }
    values, best = numbers[objective.name], 0
    for epoch, value in enumerate(values):
        if math.isnan(values[best]) or objective.better_than(value, values[best]):
            best = epoch
    # Epochs without validation have no entry in some lists.
    logs = {n: v[best] for n, v in numbers.items() if len(v) == len(values)}
    return logs, best, numbers


def averaged(executions):
    """The mean of each figure over executions.

    Parameters
    ----------
    executions : list of dict of str to float
    """
    names = dict.fromkeys(name for logs in executions for name in logs)
    return {n: float(np.mean([logs[n] for logs in executions if n in logs])) for n in names}
