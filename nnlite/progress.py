"""Progress bars: by tqdm if it is installed, else as plain text.

A line fits the terminal: the values of the logs come first, then the bar, then the counts. If the
output is not a terminal (a file, a pipe), only the last state of each bar is written.
"""

import sys
import time

from nnlite import config, lazy
from nnlite.terminal import is_live, write

with lazy.imports(__name__):
    import shutil

BAR_WIDTH = 12  # columns
REDRAW_SECONDS = 0.1


def format_logs(logs):
    """The logs as text: 'loss: 0.1234 - accuracy: 0.9876'."""
    return " - ".join(f"{k}: {_format_value(v)}" for k, v in logs.items())


def _format_value(v):
    """A value as text: '0.9876', or '[0.9876 0.1234]' for an array; what a callback added may be
    anything."""
    if getattr(v, "ndim", 0):
        return f"[{' '.join(map(_format_value, v))}]"
    try:
        return f"{v:{'.4g' if abs(v) < 1e-3 else '.4f'}}"
    except (TypeError, ValueError):
        return str(v)


def format_amount(amount, unit):
    """An amount as text: '1875', or '9.9M' for the unit 'B' (bytes)."""
    for power, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if unit == "B" else ():
        if amount >= power:
            return f"{amount / power:.1f}{prefix}"
    return str(amount)


def line_format(label, total, logs, columns):
    """The most detailed format of a line, as tqdm's `bar_format`, that fits into `columns`.

    `total` and `logs` are texts.
    """
    brief = logs.replace(" - ", " ").replace(": ", " ")
    template, text = "{desc} {elapsed}", brief
    bar = f"{{desc}} {{bar:{BAR_WIDTH}}} "
    for longer_template, longer_text, size in (
        (bar + "{n_fmt}/{total_fmt} {elapsed}", logs, BAR_WIDTH + 2 * len(total) + 3),
        (bar + "{elapsed}", logs, BAR_WIDTH + 1),
        (bar + "{elapsed}", brief, BAR_WIDTH + 1),
    ):
        if len(label) + size + len(" 00:00 ") + len(longer_text) <= columns:
            template, text = longer_template, longer_text
            break
    text = text.replace("{", "{{").replace("}", "}}")
    return f"{template} {text}".rstrip()


class ProgressBar:
    """The progress of `total` units of work.

    Parameters
    ----------
    total : int
        0 if it is unknown.
    label : str
        Text before the bar.
    unit : str, default 'step'
        'B' means bytes, which are format_logs with the prefixes k, M and G.

    Examples
    --------
    >>> from nnlite.progress import ProgressBar
    >>> bar = ProgressBar(10, "Work")
    >>> bar.update(10)
    >>> bar.close({"loss": 0.5})  # doctest: +SKIP
    Work ============ 10/10 00:01 loss: 0.5000
    """

    def __init__(self, total, label, unit="step"):
        self.total, self.label, self.unit = total, label, unit
        self.done, self.start_time, self._drawn = 0, time.perf_counter(), 0.0
        interactive = config.is_interactive_logging_enabled()
        self._in_notebook = interactive and "ipykernel" in sys.modules
        self._bar = _tqdm(total, label, unit, self._in_notebook)
        self._live = is_live(sys.stdout)

    def update(self, done, logs=None):
        """Show that `done` units are finished, and the logs."""
        self.done = done
        if self._bar is not None:
            self._describe(logs or {})
            self._bar.update(done - self._bar.n)
        elif self._live and time.perf_counter() - self._drawn > REDRAW_SECONDS:
            columns = shutil.get_terminal_size().columns - 1
            write(f"\r{self._line(logs or {})[:columns]:<{columns}}", end="")
            self._drawn = time.perf_counter()

    def close(self, logs=None):
        """End the line, with the final logs."""
        if self._bar is not None:
            self._describe(logs or {})
            self._bar.close()
        else:
            start = "\r" if self._live else ""
            write(f"{start}{self._line(logs or {})}")

    def _describe(self, logs):
        """Set the text that tqdm writes around its bar."""
        if self._in_notebook:
            self._bar.set_postfix_str(format_logs(logs), refresh=False)
        else:
            columns = shutil.get_terminal_size().columns - 1
            total = format_amount(self.total, self.unit)
            self._bar.bar_format = line_format(self.label, total, format_logs(logs), columns)

    def _line(self, logs):
        """The whole line without tqdm."""
        columns = shutil.get_terminal_size().columns - 1 if self._live else 1000
        total = format_amount(self.total, self.unit) if self.total else "?"
        filled = BAR_WIDTH * min(self.done, self.total) // max(1, self.total)
        minutes, seconds = divmod(int(time.perf_counter() - self.start_time), 60)
        line = line_format(self.label, total, format_logs(logs), columns).format(
            desc=self.label,
            bar="=" * filled + "." * (BAR_WIDTH - filled),
            n_fmt=format_amount(self.done, self.unit),
            total_fmt=total,
            elapsed=f"{minutes:02}:{seconds:02}",
        )
        return f"{line:<{columns}}" if self._live else line


def _tqdm(total, label, unit, in_notebook):
    """tqdm's bar if it is installed and a terminal or notebook shows it, else None."""
    if not (in_notebook or is_live(sys.stderr)):
        return None
    try:
        if in_notebook:
            from tqdm.auto import tqdm
        else:
            from tqdm import tqdm
    except ImportError:
        return None

    class Bar(tqdm):
        monitor_interval = 0  # no monitor thread: it would disturb a fork

    return Bar(total=total or None, desc=label, unit=unit, unit_scale=unit == "B", leave=True)
