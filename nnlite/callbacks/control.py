"""Callbacks that stop a training or change its learning rate."""

import inspect
import math

from nnlite.callbacks.callback import Callback
from nnlite.callbacks.monitor import VERBOSE, Monitor
from nnlite.checks import is_number
from nnlite.terminal import write


class EarlyStopping(Monitor):
    """Stops the training when a monitored value no longer improves.

    Parameters
    ----------
    monitor : str, default 'val_loss'
        The entry of the logs to watch.
    min_delta : float, default 0
        An improvement is a change by more than this.
    patience : int, default 0
        Number of epochs without improvement after which training stops.
    verbose : int, default 0
        1 prints a line when training stops.
    mode : {'auto', 'min', 'max'}, default 'auto'
        Whether lower or higher values are better; 'auto' asks the metric that is watched, whatever
        its name (`Metric.higher_is_better`). Of losses lower values are.
    baseline : float, optional
        Patience is only renewed by values that are better than this.
    restore_best_weights : bool, default False
        Whether to restore the weights of the best epoch at the end.
    start_from_epoch : int, default 0
        The first epoch, from 0, whose value counts.

    Raises
    ------
    ValueError
        If a setting is out of range. In `fit`, if the logs have no entry `monitor`, or if `mode` is
        'auto' and nothing says which of its values are better.

    Examples
    --------
    >>> from nnlite import callbacks
    >>> callbacks.EarlyStopping(monitor="loss", patience=3)
    EarlyStopping(monitor='loss', patience=3)
    """

    _ends_when_interrupted = True

    _legal = {
        "baseline": "(-inf, inf)",
        "restore_best_weights": "bool",
        "start_from_epoch": "[0, inf]",
    }
    _state = "wait", "best", "stopped_epoch", "best_epoch", "best_weights"

    def __init__(
        self,
        monitor="val_loss",
        min_delta=0,
        patience=0,
        verbose=0,
        mode="auto",
        baseline=None,
        restore_best_weights=False,
        start_from_epoch=0,
    ):
        self.monitor, self.min_delta, self.patience = monitor, min_delta, patience
        self.verbose, self.mode, self.baseline = verbose, mode, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self._check_given()

    def on_train_begin(self, logs=None):
        super().on_train_begin()
        self.wait, self.best = 0, None
        self.stopped_epoch, self.best_epoch, self.best_weights = 0, 0, None

    def on_epoch_end(self, epoch, logs=None):
        value = self._value(logs or {})
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self._improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._improves(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.stopped_epoch and self.verbose:
            write(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                write(f"Restoring the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(Monitor):
    """Lowers the learning rate when a monitored value no longer improves.

    It adds the `learning_rate` of each epoch to the logs.

    Parameters
    ----------
    monitor : str, default 'val_loss'
        The entry of the logs to watch.
    factor : float in [0, 1), default 0.1
        Factor by which the learning rate is multiplied.
    patience : int, default 10
        Number of epochs without improvement after which the learning rate is lowered.
    verbose : int, default 0
        1 prints a line at each change.
    mode : {'auto', 'min', 'max'}, default 'auto'
        Whether lower or higher values are better; 'auto' asks the metric that is watched, whatever
        its name (`Metric.higher_is_better`). Of losses lower values are.
    min_delta : float, default 1e-4
        An improvement is a change by more than this.
    cooldown : int, default 0
        Number of epochs after a change in which patience is not counted.
    min_lr : float, default 0.0
        Lower limit of the learning rate.

    Raises
    ------
    ValueError
        If a setting is out of range. In `fit`, if the logs have no entry `monitor`, or if `mode` is
        'auto' and nothing says which of its values are better.

    Examples
    --------
    >>> from nnlite import callbacks
    >>> callbacks.ReduceLROnPlateau(factor=0.5, patience=3, min_lr=1e-5)
    ReduceLROnPlateau(factor=0.5, patience=3, min_lr=1e-05)
    """

    _legal = {"factor": "[0, 1)", "cooldown": "[0, inf]", "min_lr": "[0, inf)"}
    _state = "wait", "best", "cooldown_counter"

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
    ):
        self.monitor, self.factor, self.patience, self.verbose = monitor, factor, patience, verbose
        self.mode, self.min_delta, self.cooldown, self.min_lr = mode, min_delta, cooldown, min_lr
        self._check_given()

    def on_train_begin(self, logs=None):
        super().on_train_begin()
        self.wait, self.best = 0, None
        self.cooldown_counter = 0

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        logs.update(rates_of(self.model.optimizer))
        value = self._value(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._improves(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._lower(epoch)

    def _lower(self, epoch):
        for optimizer in self.model.optimizer._rates().values():
            rate = float(optimizer.learning_rate)
            # The optimizer rounds min_lr to the model's precision.
            if rate > self.min_lr * (1 + 1e-6):
                optimizer.learning_rate = lower = max(rate * self.factor, float(self.min_lr))
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose:
                    write(
                        f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {lower}."
                    )


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    It adds the `learning_rate` of each epoch to the logs.

    Parameters
    ----------
    schedule : function of (epoch, learning_rate) or of (epoch)
        Takes the number of the epoch, from 0, and the current learning rate; returns the new one.
    verbose : int, default 0
        1 prints a line at each epoch.

    Examples
    --------
    >>> import nnlite
    >>> halved = nnlite.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    >>> model = nnlite.Sequential([nnlite.layers.Dense(1, input_shape=(2,))])
    >>> model.compile(nnlite.optimizers.SGD(0.5), "mse")
    >>> history = model.fit([[1, 2]], [3], epochs=2, verbose=0, callbacks=halved)
    >>> history.history["learning_rate"]
    [0.25, 0.125]
    """

    _legal = {"verbose": VERBOSE}

    def __init__(self, schedule, verbose=0):
        self.schedule, self.verbose = schedule, verbose
        self._check_given()
        if not callable(schedule):
            raise TypeError(
                "LearningRateScheduler: schedule: expected a function of (epoch, "
                f"learning_rate), got {schedule!r}"
            )

    def on_epoch_begin(self, epoch, logs=None):
        for optimizer in self.model.optimizer._rates().values():
            now = [float(optimizer.learning_rate)] if _takes_two(self.schedule) else []
            rate = self.schedule(epoch, *now)
            if not is_number(rate):
                raise ValueError(
                    f"LearningRateScheduler: expected the schedule to return a number, got {rate!r}"
                )
            optimizer.learning_rate = float(rate)
            if self.verbose:
                write(
                    f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}."
                )

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs.update(rates_of(self.model.optimizer))


def rates_of(optimizer):
    """The learning rates of an optimizer, by their names in logs: 'learning_rate', or with the name
    of each of several optimizers."""
    return {name: float(inner.learning_rate) for name, inner in optimizer._rates().items()}


class TerminateOnNaN(Callback):
    """Stops the training when the loss is NaN or infinite.

    It checks several times a second and after every epoch, not after every batch.

    Parameters
    ----------
    raise_error : bool, default False
        Whether to raise RuntimeError instead.

    Examples
    --------
    >>> from nnlite import callbacks
    >>> callbacks.TerminateOnNaN()
    TerminateOnNaN()
    """

    _legal = {"raise_error": "bool"}

    def __init__(self, raise_error=False):
        self.raise_error = raise_error
        self._check_given()

    def on_progress(self, done, logs=None):
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"TerminateOnNaN: the loss became {loss} by batch {done - 1}")
        write(f"Batch {done - 1}: Invalid loss, terminating training")
        self.model.stop_training = True


def _takes_two(function):
    """Whether a function can be called with two arguments."""
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a C function without a signature
        pass
    return True
