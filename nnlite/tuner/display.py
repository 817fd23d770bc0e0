"""What a search prints: a table and a bar for each trial."""

from nnlite.progress import ProgressBar
from nnlite.terminal import write

WIDTH = 18  # of a column


def table(values, best):
    """The values of a trial beside those of the best one so far.

    Parameters
    ----------
    values : dict
        Name -> value.
    best : dict or None

    Examples
    --------
    >>> print(table({"units": 64}, None))
    Value             |Best Value So Far |Hyperparameter
    64                |?                 |units
    """
    rows = [("Value", "Best Value So Far", "Hyperparameter")]
    for name, value in values.items():
        known = "?" if best is None else _shown(best.get(name))
        rows.append((_shown(value), known, name))
    return "\n".join(f"{a:<{WIDTH}}|{b:<{WIDTH}}|{c}" for a, b, c in rows)


def _shown(value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    text = f"{value:.5g}" if number else str(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."


class Display:
    """What a search prints.

    Parameters
    ----------
    verbose : {0, 1, 2}
        0: nothing. 1: a table and a bar for each trial. 2: a table, and what `fit` prints.
    total : int or None
        The number of trials.
    objective : str
    """

    def __init__(self, verbose, total, objective):
        self.verbose, self.total, self.objective, self._bar = verbose, total, objective, None

    def begin(self, trial, best, epochs):
        """Show what is tried.

        Parameters
        ----------
        trial, best : Trial
            `best` is None as long as there is none.
        epochs : int
            Of all executions; 0: there is no bar.
        """
        if not self.verbose:
            return
        title = f"Trial {trial.number + 1}" + (f"/{self.total}" if self.total else "")
        write(f"\n{title}")
        values = trial.hyperparameters.values
        known = None if best is None else best.hyperparameters.values
        write(table(values, known) if values else "default configuration")
        if self.verbose == 1 and epochs:
            self._bar = ProgressBar(epochs, title, unit="epoch")

    def advance(self, done, logs):
        """Show how far the trial is.

        Parameters
        ----------
        done : int
            Epochs of all executions so far.
        logs : dict
        """
        if self._bar is not None:
            value = {self.objective: logs[self.objective]} if self.objective in logs else {}
            self._bar.update(done, value)

    def close(self):
        """End the line of the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def end(self, trial, best):
        """Show what came of a trial.

        Parameters
        ----------
        trial, best : Trial
        """
        self.close()
        if not self.verbose:
            return
        if trial.score is None:
            *_, last = trial.message.strip().splitlines()
            write(f"Trial {trial.number + 1} failed: {last}")
            return
        stopped = ", stopped early" if trial.stopped_early else ""
        write(f"{self.objective}: {trial.score:.5g} in {trial.seconds:.1f} s{stopped}")
        write(f"Best {self.objective} so far: {best.score:.5g} (trial {best.number + 1})")
