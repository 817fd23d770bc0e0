"""Keras's Progbar: a progress bar for loops of one's own, which also averages what it shows."""

import numpy as np

from nnlite.checks import check_setting
from nnlite.progress import ProgressBar, format_logs
from nnlite.terminal import write


class Progbar:
    """The progress of a loop, with values such as losses behind it.

    A terminal or notebook shows each state; a file gets the last one.

    Parameters
    ----------
    target : int or None
        The number of steps; None if it is unknown.
    width : ignored
        Accepted for Keras's signature: a line fits the terminal.
    verbose : {0, 1, 2}, default 1
        Silent, a bar, or one line at the end.
    interval : float of at least 0, default 0.05
        Ignored: a bar is drawn ten times a second at most.
    stateful_metrics : list of str, optional
        Names of values that are shown as they are; the others as their mean over the steps.
    stateless_metrics : list of str, optional
        Names of values that are shown as their mean; the others as they are.
    unit_name : str, default 'step'
        What is counted.

    Raises
    ------
    ValueError
        If both lists are given, or `verbose` is none of 0, 1 and 2.

    Examples
    --------
    >>> from nnlite import utils
    >>> bar = utils.Progbar(2, verbose=2)
    >>> bar.add(1, [("loss", 0.5)])
    >>> bar.add(1, [("loss", 0.1)])
    2/2 - loss: 0.3000
    """

    def __init__(
        self,
        target,
        width=20,
        verbose=1,
        interval=0.05,
        stateful_metrics=None,
        stateless_metrics=None,
        unit_name="step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar: expected one of stateful_metrics and stateless_metrics, got both"
            )
        check_setting("verbose", verbose, (0, 1, 2), "Progbar")
        self.target, self.verbose, self.unit_name = target, verbose, unit_name
        self._as_they_are, self._averaged = stateful_metrics or (), stateless_metrics
        self._seen, self._sums, self._bar = 0, {}, None

    def update(self, current, values=None, finalize=None):
        """Show that `current` steps are done.

        Parameters
        ----------
        current : int
        values : list of (str, number or array), optional
            Names, and values of the steps since the last update; of an array its mean.
        finalize : bool, optional
            Whether this is the last update; by default if `current` has reached the target.
        """
        since = max(current - self._seen, 1)
        for name, value in values or ():
            value, averaged = float(np.mean(value)), self._averaged
            alone = name in self._as_they_are if averaged is None else name not in averaged
            total, count = (0.0, 0) if alone else self._sums.get(name, (0.0, 0))
            self._sums[name] = total + value * since, count + since
        self._seen = current
        last = bool(self.target is not None and current >= self.target)
        last = last if finalize is None else finalize
        logs = {name: total / count for name, (total, count) in self._sums.items()}
        if self.verbose == 2 and last:
            done = f"{current}/{self.target or '?'}"
            write(" - ".join(filter(None, [done, format_logs(logs)])))
        elif self.verbose == 1:
            if self._bar is None:
                self._bar = ProgressBar(self.target or 0, f"{self.unit_name}s")
            self._bar.update(current, logs)
            if last:
                self._bar.close(logs)

    def add(self, n, values=None):
        """Show that `n` more steps are done.

        Parameters
        ----------
        n : int
        values : list of (str, number or array), optional
            As of `update`.
        """
        self.update(self._seen + n, values)
