"""Callbacks that store, show or write the logs of a training."""

import os
from collections.abc import Iterable

import numpy as np

from nnlite import lazy, progress, terminal, visualization
from nnlite.callbacks.callback import Callback

with lazy.imports(__name__):
    import csv


class History(Callback):
    """Stores the logs of every epoch; `fit` returns it.

    Attributes
    ----------
    history : dict of str to list of float
        The values of each entry of the logs, one for each epoch.
    epoch : list of int
        The numbers of the epochs, from 0.
    """

    _state = "history", "epoch"

    def __init__(self):
        self.history, self.epoch = {}, []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)

    def plot(self, path=None):
        """Plot every entry of the logs over the epochs; see `nnlite.plotting.plot_history`.

        Parameters
        ----------
        path : str or path, optional
            File to which the picture is also written: .png, .svg or .pdf.

        Returns
        -------
        list of Axes
        """
        return visualization.plot_history(self, path=path)


class ProgbarLogger(Callback):
    """Shows the progress of a training.

    Parameters
    ----------
    verbose : {1, 2}, default 1
        1: a progress bar for each epoch. 2: a line after each epoch.
    """

    _ends_when_interrupted = True

    _legal = {"verbose": (1, 2)}

    def __init__(self, verbose=1):
        self.verbose, self._bar = verbose, None
        self._check_given()

    def on_epoch_begin(self, epoch, logs=None):
        if self.verbose == 1:
            label = f"Epoch {epoch + 1}/{self.params['epochs']}"
            self._bar = progress.ProgressBar(self.params["steps"] or 0, label)

    def on_progress(self, done, logs=None):
        if self._bar is not None:
            self._bar.update(done, logs)

    def on_epoch_end(self, epoch, logs=None):
        if self.verbose == 2:
            label = f"Epoch {epoch + 1}/{self.params['epochs']}"
            terminal.write(f"{label} - {progress.format_logs(logs or {})}")
        elif self._bar is not None:
            self._bar.close(logs)
            self._bar = None

    def on_train_end(self, logs=None):
        if self._bar is not None:  # interrupted within an epoch
            self._bar.close()
            self._bar = None


class CSVLogger(Callback):
    """Writes the logs of each epoch to a CSV file.

    Columns are the epoch, from 0, and the entries of the logs in alphabetical order. Each line is
    written at the end of its epoch, so an interrupted training loses none.

    Parameters
    ----------
    filename : str or path
    separator : str, default ','
        One character.
    append : bool, default False
        Whether to add lines to an existing file; otherwise it is overwritten.

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

    _of_one_fit = True

    _legal = {"append": "bool"}
    _state = ("_keys",)

    def __init__(self, filename, separator=",", append=False):
        self.filename, self.separator, self.append = filename, separator, append
        self._keys, self._cut = None, None
        self._check_given()
        if not isinstance(filename, (str, os.PathLike)) or not os.fspath(filename):
            raise TypeError(f"CSVLogger: filename: expected a path, got {filename!r}")
        if not isinstance(separator, str) or len(separator) != 1 or separator in '\r\n"':
            raise ValueError(f"CSVLogger: separator: expected one character, got {separator!r}")

    def on_train_begin(self, logs=None):
        self._keys, self._cut = None, None if self.append else 0
        # The file is opened for each line: an interrupted training leaves no open file.
        with open(self.filename, "a", encoding="utf-8"):
            pass

    def get_state(self):
        return {**super().get_state(), "size": os.path.getsize(self.filename)}

    def set_state(self, state):
        super().set_state(state)
        self._cut = state["size"]

    def on_epoch_begin(self, epoch, logs=None):
        self._cut_off()

    def _cut_off(self):
        """Remove the lines of an earlier training, or those of epochs that come again: not before
        an epoch begins, as then it is known which."""
        if self._cut is not None and os.path.getsize(self.filename) > self._cut:
            os.truncate(self.filename, self._cut)
        self._cut = None

    def on_epoch_end(self, epoch, logs=None):
        self._cut_off()
        logs = logs or {}
        begun = os.path.getsize(self.filename) > 0
        with open(self.filename, "a", newline="", encoding="utf-8") as file:
            if self._keys is None:
                self._keys = sorted(logs)
                if not any(key.startswith("val_") for key in self._keys):
                    # The first epoch may have no validation.
                    if (self.params or {}).get("do_validation", True):
                        self._keys += [f"val_{key}" for key in self._keys]
            writer = csv.writer(file, delimiter=self.separator, lineterminator="\n")
            if not begun:
                writer.writerow(["epoch", *self._keys])
            writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self._keys)])


def _cell(value):
    """A value as it is written; an array becomes a list in quotes."""
    if isinstance(value, str) or not isinstance(value, Iterable) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
