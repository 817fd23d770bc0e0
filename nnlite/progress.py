"""The progress bar of long work: tqdm's where it is installed, else one line of text that is rewritten."""

import sys
import time

try:
    from tqdm.auto import tqdm
except ImportError:
    tqdm = None


def shown(logs):
    """'loss: 0.1234 - accuracy: 0.9876'."""
    return " - ".join(f"{k}: {v:.4g}" if abs(v) < 1e-3 else f"{k}: {v:.4f}" for k, v in logs.items())


class ProgressBar:
    """A bar over `total` units of work.

    Parameters
    ----------
    total : int
    label : str
    unit : str, default 'step'
    """

    def __init__(self, total, label, unit="step"):
        self.total, self.label, self.unit = total, label, unit
        self.done, self.began, self._drawn = 0, time.perf_counter(), 0.0
        self._bar = None
        if tqdm is not None:
            self._bar = tqdm(total=total, desc=label, unit=unit, dynamic_ncols=True, leave=True)

    def update(self, done, logs):
        """Show that `done` units are finished."""
        if self._bar is not None:
            self._bar.set_postfix_str(shown(logs), refresh=False)
            self._bar.update(done - self._bar.n)
        elif time.perf_counter() - self._drawn > 0.1 and sys.stdout.isatty():
            self._draw(done, logs, end="")
            self._drawn = time.perf_counter()
        self.done = done

    def _draw(self, done, logs, end):
        filled = 20 * done // max(1, self.total)
        line = f"{self.label} [{'=' * filled}{'.' * (20 - filled)}] {done}/{self.total}"
        seconds = time.perf_counter() - self.began
        start = "\r" if sys.stdout.isatty() else ""
        print(f"{start}{line} - {seconds:.1f}s - {shown(logs)}", end=end, flush=True)

    def close(self, logs=None):
        """Finish the line with the last figures."""
        if self._bar is not None:
            if logs:
                self._bar.set_postfix_str(shown(logs), refresh=True)
            self._bar.close()
        else:
            self._draw(self.done, logs or {}, end="\n")
