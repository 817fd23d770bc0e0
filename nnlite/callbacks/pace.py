"""When a callback does something: after every epoch, or after every n batches."""

import math

from nnlite.callbacks.stateful import Stateful
from nnlite.checks import is_number


def legal_pace(*words):
    """The check of a setting that is one of some words or a number of batches.

    Parameters
    ----------
    *words : str
    """

    def check(name, value):
        if isinstance(value, str) and value in words:
            return
        if not is_number(value, "[1, inf)") or value % 1:
            expected = ", ".join(map(repr, words))
            raise ValueError(
                f"{name}: expected {expected} or an integer of at least 1, got {value!r}"
            )

    return check


class Pace(Stateful):
    """Counts the batches of a training, and says when `every` more have passed.

    Parameters
    ----------
    every : int, 'batch' or 'epoch'
        How many; with 'epoch' it is never time after a batch.

    Attributes
    ----------
    total : int
        The batches so far, of all epochs.
    """

    _state = "total", "_since", "_last"

    def __init__(self, every):
        self.every, self.total = {"batch": 1, "epoch": math.inf}.get(every, every), 0
        self._since, self._last = 0, -1

    def begin_epoch(self):
        """The next batch is number 0 again."""
        self._last = -1

    def is_due(self, batch):
        """Whether it is time, after a batch or a group of batches.

        Parameters
        ----------
        batch : int
            The number of the last batch in its epoch, from 0.
        """
        new, self._last = batch - self._last, batch
        self.total += new
        self._since += new
        if self._since < self.every:
            return False
        self._since = 0
        return True
