"""ModelCheckpoint: a callback that saves the model, or its weights, during a training."""

import os
import string
import warnings

import numpy as np

from nnlite.callbacks.monitor import Monitor
from nnlite.callbacks.pace import Pace, legal_pace
from nnlite.errors import did_you_mean
from nnlite.saving.model_files import MODEL_ENDINGS, OF_WEIGHTS_ALONE
from nnlite.saving.weights_files import WEIGHTS_ENDINGS
from nnlite.terminal import write
from nnlite.warn import levels_to_the_caller


class ModelCheckpoint(Monitor):
    """Saves the model, or its weights, after every epoch or every `save_freq` batches.

    Parameters
    ----------
    filepath : str or path
        The file. The numbers of the epoch and of the batch, from 1, and entries of the logs may
        stand in it: '{epoch:02d}-{val_loss:.2f}.keras'. It ends as `Model.save` says, or that of
        weights alone as `Model.save_weights` says. Folders that are missing are made.
    monitor : str, default 'val_loss'
        The entry of the logs to watch with `save_best_only`.
    verbose : int, default 0
        1 prints what is saved and why.
    save_best_only : bool, default False
        Whether to save only what is better than all before, also in earlier trainings with this
        callback. Epochs without validation are passed over if others have one. Without an entry
        `monitor` in the logs there is a warning, and everything is saved.
    save_weights_only : bool, default False
        Whether to call `Model.save_weights` instead of `Model.save`.
    mode : {'auto', 'min', 'max'}, default 'auto'
        Whether lower or higher values are better; 'auto' asks the metric that is watched, whatever
        its name (`Metric.higher_is_better`). Of losses lower values are.
    save_freq : 'epoch' or int of at least 1, default 'epoch'
        After how many batches to save, counted over all epochs; there are no values of validation
        then.
    initial_value_threshold : float, optional
        With `save_best_only`, what the first value must be better than.

    Attributes
    ----------
    best : float or None
        The best value so far.

    Raises
    ------
    ValueError
        If a setting is out of range. In `fit`, if `filepath` has a name that is not in the logs, or
        if `mode` is 'auto' and nothing says which values are better.

    Examples
    --------
    >>> from nnlite import callbacks
    >>> callbacks.ModelCheckpoint("{epoch:02d}-{val_loss:.2f}.keras", save_best_only=True)
    ModelCheckpoint(filepath='{epoch:02d}-{val_loss:.2f}.keras', save_best_only=True)
    """

    _of_one_fit = True

    _legal = {
        "save_best_only": "bool",
        "save_weights_only": "bool",
        "save_freq": legal_pace("epoch"),
        "initial_value_threshold": "(-inf, inf)",
    }
    _state = "best", "_pace", "_warned"
    _epoch = 0

    def __init__(
        self,
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        save_weights_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
    ):
        self.monitor, self.verbose, self.mode = monitor, verbose, mode
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq, self.initial_value_threshold = save_freq, initial_value_threshold
        self._check_given()
        self.filepath = self._checked(filepath)
        self.best, self._pace, self._warned = initial_value_threshold, Pace(save_freq), False

    def _checked(self, filepath):
        """The path as a string."""
        path = os.fspath(filepath) if isinstance(filepath, os.PathLike) else filepath
        of_weights, endings = "", MODEL_ENDINGS
        if self.save_weights_only:
            of_weights, endings = " of weights", WEIGHTS_ENDINGS
        expected = f"the path of a file{of_weights} that ends with {' or '.join(endings)}"
        if not isinstance(path, str) or not path.endswith(tuple(endings)):
            raise self._error("filepath", expected, filepath)
        if not self.save_weights_only and path.endswith(OF_WEIGHTS_ALONE):
            raise self._error("filepath", f"{expected}, or save_weights_only=True", filepath)
        try:
            fields = [name for _, name, _, _ in string.Formatter().parse(path) if name is not None]
        except ValueError as error:  # a single brace
            raise self._error("filepath", f"names in braces ({error})", filepath) from None
        if any(not name or name.isdigit() for name in fields):
            raise self._error("filepath", "names in braces, such as {epoch}", filepath)
        return path

    def on_train_begin(self, logs=None):
        self._warned = False
        if self.save_best_only:
            super().on_train_begin()
        if "{" not in self.filepath:
            _make_room(self.filepath)  # an error before any work, if it cannot be

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._pace.begin_epoch()

    def on_train_batch_end(self, batch, logs=None):
        if self._pace.is_due(batch):
            self._save({"batch": batch + 1}, logs or {})

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._save({}, logs or {})

    def wants_batches(self, kind="train"):
        return self.save_freq != "epoch" and super().wants_batches(kind)

    def _save(self, numbers, logs):
        """Save, if it is to be; `numbers` holds that of the batch, if one has ended."""
        path = self._path({**logs, "epoch": self._epoch + 1, **numbers})
        if self.save_best_only and not self._is_best(path, logs, between=bool(numbers)):
            return
        if not self.save_best_only:
            self._say(f"saving model to {path}")
        _make_room(path)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)
        self._say(f"finished saving model to {path}")

    def _path(self, known):
        """The path of a file, with values in the place of names."""
        try:
            return self.filepath.format(**known)
        except KeyError as error:
            (name,) = error.args
            raise self._error(
                "filepath", f"names among {', '.join(known)}{did_you_mean(name, known)}", name
            ) from None
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise self._error(
                "filepath", f"formats that suit the values ({error})", self.filepath
            ) from None

    def _is_best(self, path, logs, between):
        """Whether the monitored value is better than all before, or cannot say."""
        if self.monitor in logs and np.ndim(logs[self.monitor]) == 0:
            value = self._value(logs)
            better, before = self._improves(value, self.best), _shown(self.best)
            if better:
                self._say(
                    f"{self.monitor} improved from {before} to {value:.5f}, saving model to {path}"
                )
                self.best = value
            else:
                self._say(f"{self.monitor} did not improve from {before}")
            return better
        if not between and self._comes_later(logs):
            return False
        if not self._warned:
            self._warned = True
            reason = (
                f"monitor {self.monitor!r} has several values"
                if self.monitor in logs
                else self._absent(logs)
            )
            warnings.warn(
                f"ModelCheckpoint: {reason}; as nothing says what is best, everything is saved",
                stacklevel=levels_to_the_caller(),
            )
        return True

    def _say(self, what):
        if self.verbose:
            write(f"\nEpoch {self._epoch + 1}: {what}")


def _make_room(path):
    """Make the folders for a file."""
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"ModelCheckpoint: filepath: expected the path of a file, got the folder {path!r}"
        )
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)


def _shown(value):
    return "None" if value is None else f"{value:.5f}"
