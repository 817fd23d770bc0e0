"""Callbacks that keep or show the figures of a training."""

import csv
import os
from collections.abc import Iterable

import numpy as np

from nnlite import progress
from nnlite.callbacks.callback import Callback
from nnlite.visualization.curves import plot_history


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

    def plot(self, path=None):
        """Draw every figure over the epochs; see `nnlite.plotting.plot_history`.

        Parameters
        ----------
        path : str or path, optional
            Where the picture is written, too: .png, .svg or .pdf.

        Returns
        -------
        list of Axes
        """
        return plot_history(self, path=path)


class ProgbarLogger(Callback):
    """Shows a progress bar for each epoch, or with `verbose=2` a line."""

    def __init__(self, verbose=1):
        self.verbose, self._bar = verbose, None

    def on_epoch_begin(self, epoch, logs=None):
        if self.verbose == 1:
            label = f"Epoch {epoch + 1}/{self.params['epochs']}"
            self._bar = progress.ProgressBar(self.params["steps"] or 0, label)

    def on_progress(self, done, logs=None):
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


class CSVLogger(Callback):
    """Writes a line for each epoch to a file: the epoch, counted from 0, then the figures by name.

    Every line is in the file when its epoch is over, whatever happens then.

    Parameters
    ----------
    filename : str or path
    separator : str, default ','
        One character.
    append : bool, default False
        Whether lines are added to a file that exists, rather than written in its place.

    Examples
    --------
    >>> import nnlite
    >>> model = nnlite.Sequential([nnlite.layers.Dense(1, "linear", False, "zeros")])
    >>> model.compile("sgd", "mse")
    >>> log = nnlite.callbacks.CSVLogger("training.csv")
    >>> _ = model.fit([[1.0]], [0.0], validation_data=([[1.0]], [2.0]), verbose=0, callbacks=log)
    >>> print(open("training.csv").read())
    epoch,loss,val_loss
    0,0.0,4.0
    <BLANKLINE>
    """

    def __init__(self, filename, separator=",", append=False):
        self.filename, self.separator, self.append = filename, separator, append
        self._keys = None

    def on_train_begin(self, logs=None):
        if not isinstance(self.separator, str) or len(self.separator) != 1:
            raise ValueError(
                f"CSVLogger: expected a separator of one character, got {self.separator!r}"
            )
        self._keys = None
        # Opened for each line: nothing is left open when a training is interrupted.
        with open(self.filename, "a" if self.append else "w", encoding="utf-8"):
            pass

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        begun = os.path.getsize(self.filename) > 0
        with open(self.filename, "a", newline="", encoding="utf-8") as file:
            if self._keys is None:
                self._keys = sorted(logs)
                if not any(key.startswith("val_") for key in self._keys):
                    # The first epoch may be one without validation.
                    if (self.params or {}).get("do_validation", True):
                        self._keys += [f"val_{key}" for key in self._keys]
            writer = csv.writer(file, delimiter=self.separator, lineterminator="\n")
            if not begun:
                writer.writerow(["epoch", *self._keys])
            writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self._keys)])


def _cell(value):
    """A figure as it is written; several of them as a list in quotes."""
    if isinstance(value, str) or not isinstance(value, Iterable) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
