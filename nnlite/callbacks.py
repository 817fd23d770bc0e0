"""Callbacks: what happens between epochs and batches of `fit`."""

import math
import numbers

from nnlite import progress
from nnlite.config import Configurable


class Callback(Configurable):
    """Base of all: override any of the `on_...` methods; `self.model` is the model that is being
    trained."""

    model = None
    params = None

    def set_model(self, model):
        """Called by `fit` before anything else."""
        self.model = model

    def set_params(self, *args, **params):
        """Settings of the training (epochs, steps) when `fit` calls it, those of the callback by
        name otherwise."""
        if args:
            self.params = args[0]
            return self
        return super().set_params(**params)

    def on_train_begin(self, logs=None):
        """Before the first epoch."""

    def on_train_end(self, logs=None):
        """After the last epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        """Before each epoch, counted from 0."""

    def on_epoch_end(self, epoch, logs=None):
        """After each epoch; `logs` holds its figures."""

    def on_train_batch_begin(self, batch, logs=None):
        """Before each batch. Overriding it makes `fit` return to Python between batches."""

    def on_train_batch_end(self, batch, logs=None):
        """After each batch. Overriding it makes `fit` return to Python between batches."""

    def wants_batches(self):
        """Whether a batch method was overridden."""
        return (
            type(self).on_train_batch_begin is not Callback.on_train_batch_begin
            or type(self).on_train_batch_end is not Callback.on_train_batch_end
        )


class History(Callback):
    """The figures of every epoch, as `fit` returns them.

    Attributes
    ----------
    history : dict of str to list of float
    epoch : list of int
    """

    def __init__(self):
        self.history, self.epoch = {}, []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)


class ProgbarLogger(Callback):
    """Shows a progress bar for each epoch, or with `verbose=2` a line."""

    def __init__(self, verbose=1):
        self.verbose, self._bar = verbose, None

    def on_epoch_begin(self, epoch, logs=None):
        if self.verbose == 1:
            label = f"Epoch {epoch + 1}/{self.params['epochs']}"
            self._bar = progress.ProgressBar(self.params["steps"], label)

    def show(self, done, logs):
        """Called by `fit` a few times a second."""
        if self._bar is not None:
            self._bar.update(done, logs)

    def on_epoch_end(self, epoch, logs=None):
        if self.verbose == 2:
            print(f"Epoch {epoch + 1}/{self.params['epochs']} - {progress.shown(logs)}", flush=True)
        elif self._bar is not None:
            self._bar.close(logs)
            self._bar = None

    def on_train_end(self, logs=None):
        if self._bar is not None:  # interrupted within an epoch
            self._bar.close()
            self._bar = None


class EarlyStopping(Callback):
    """Stops the training when a figure no longer improves.

    Parameters
    ----------
    monitor : str, default 'val_loss'
    min_delta : float, default 0
        An improvement is a change by more than this.
    patience : int, default 0
        Epochs without improvement after which training stops.
    verbose : int, default 0
    mode : {'auto', 'min', 'max'}, default 'auto'
        Whether less or more is better; 'auto' reads it off the name.
    baseline : float, optional
        A value that must be beaten.
    restore_best_weights : bool, default False
        Whether the weights of the best epoch are put back at the end.
    start_from_epoch : int, default 0

    Examples
    --------
    >>> from nnlite import callbacks
    >>> callbacks.EarlyStopping(monitor="loss", patience=3)
    EarlyStopping(monitor='loss', patience=3)
    """

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
        self.monitor, self.min_delta, self.patience, self.verbose = (
            monitor,
            min_delta,
            patience,
            verbose,
        )
        self.mode, self.baseline = mode, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch

    def _improves(self, value, than):
        rising = self.mode == "max" or (
            self.mode == "auto"
            and any(k in self.monitor for k in ("acc", "auc", "r2", "score", "precision", "recall"))
        )
        return value - abs(self.min_delta) > than if rising else value + abs(self.min_delta) < than

    def on_train_begin(self, logs=None):
        if self.mode not in ("auto", "min", "max"):
            raise ValueError(
                f"EarlyStopping: expected mode 'auto', 'min' or 'max', got {self.mode!r}"
            )
        if not isinstance(self.patience, numbers.Real) or not self.patience >= 0:
            raise ValueError(
                f"EarlyStopping: expected a patience of at least 0, got {self.patience!r}"
            )
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best, self.best_weights = None, None

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in (logs or {}):
            raise ValueError(
                f"EarlyStopping: monitor {self.monitor!r} is not among the figures "
                f"{', '.join(logs or {})}; "
                "a 'val_' figure needs validation_data or validation_split"
            )
        if epoch < self.start_from_epoch:
            return
        value = logs[self.monitor]
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        # NaN never improves, and anything improves on NaN or on nothing.
        nothing_yet = self.best is None or math.isnan(self.best)
        if not math.isnan(value) and (nothing_yet or self._improves(value, self.best)):
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
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)
