"""What callbacks that watch one entry of the logs share: its value, and which values are better."""

import math

import numpy as np

from nnlite import ops
from nnlite.callbacks.callback import Callback
from nnlite.errors import did_you_mean
from nnlite.metrics.metric import direction_of

VERBOSE = (0, 1, 2, False, True)


def higher_is_better(model, name):
    """Whether a higher value of an entry of the logs is better; None if nothing says so.

    The metric under that name says it. Its name says nothing, unless it is that of a loss: 'loss',
    or one that ends with '_loss'.

    Parameters
    ----------
    model : Model
    name : str
    """
    name = name.removeprefix("val_")
    known = direction_of(_metrics(model).get(name))
    if known is None and (name == "loss" or name.endswith("_loss")):
        return False
    return known


def _metrics(model):
    """The metrics of a model under the names that they have in its logs."""
    found = dict(getattr(model, "_named_metrics", dict)())
    for metric in getattr(model, "metrics", ()):
        found.setdefault(metric.name, metric)
    return found


class Monitor(Callback):
    """Base of callbacks that watch one entry of the logs.

    A subclass has the settings `monitor` and `mode`, and calls `_value` and `_improves`.
    """

    min_delta = 0
    _rising = None  # whether higher values are better, once it is known
    _legal = {
        "monitor": "str",
        "verbose": VERBOSE,
        "mode": ("auto", "min", "max"),
        "patience": "[0, inf]",
        "min_delta": "(-inf, inf)",
    }

    def on_train_begin(self, logs=None):
        self._rising = None
        if self.mode != "auto" or self.monitor.removeprefix("val_") in _metrics(self.model):
            self._learn_direction()

    def _learn_direction(self):
        if self._rising is None and self.mode == "auto":
            self._rising = higher_is_better(self.model, self.monitor)
        elif self._rising is None:
            self._rising = self.mode == "max"
        if self._rising is None:
            raise self._error(
                "mode",
                f"'min' or 'max', as nothing says which values of {self.monitor!r} are better (a "
                "metric of one's own says it by an attribute: higher_is_better = True, or False)",
                self.mode,
            )

    def _error(self, name, expected, got):
        return ValueError(f"{type(self).__name__}: {name}: expected {expected}, got {got!r}")

    @property
    def monitor_op(self):
        """`ops.greater` or `ops.less`, as values that are better are greater or less; None as long
        as this is not known."""
        return {True: ops.greater, False: ops.less}.get(self._rising)

    def _value(self, logs):
        """The monitored value; None if it is one of validation and this epoch has none."""
        if self.monitor in logs:
            value = logs[self.monitor]
            if np.ndim(value):
                raise self._error("monitor", f"one number under the name {self.monitor!r}", value)
            self._learn_direction()
            return value
        if self._comes_later(logs):
            return None
        raise ValueError(f"{type(self).__name__}: {self._absent(logs)}")

    def _comes_later(self, logs):
        """Whether the value is one of validation, which other epochs have and this one has not."""
        validates = (self.params or {}).get("do_validation", False)
        held_out = self.monitor.startswith("val_")
        return validates and held_out and not any(name.startswith("val_") for name in logs)

    def _absent(self, logs):
        """What is said of a value that is not in the logs."""
        return (
            f"monitor {self.monitor!r} is not among the logs {', '.join(logs)}; a 'val_' value "
            f"needs validation_data or validation_split{did_you_mean(self.monitor, logs)}"
        )

    def _improves(self, value, than):
        """Whether a value is better than another one by more than `min_delta`.

        NaN is never better; any other value is better than NaN and None.
        """
        if math.isnan(value):
            return False
        if than is None or math.isnan(than):
            return True
        margin = abs(self.min_delta)
        return value - margin > than if self._rising else value + margin < than
