"""Findings, and the Diagnosis that lists them: a table in the terminal, and in a notebook."""

import html
import sys
import textwrap
from dataclasses import dataclass

from nnlite import terminal
from nnlite.diagnosis.picture import plot_layers

SEVERITIES = ("error", "warning", "note")
WIDTH, NAMES = 100, 30  # columns of the table, and of its first column
COLORS = {"error": "#c62828", "warning": "#b45309", "note": "#57606a"}
CELL = "padding:4px 12px;text-align:left;vertical-align:top;border-bottom:1px solid "
LINE = "rgba(128,128,128,0.35)"


@dataclass(frozen=True)
class Finding:
    """Something that keeps a network from learning, or from being judged rightly.

    Parameters
    ----------
    name : str
        The kind of fault, such as 'dead units'.
    severity : {'error', 'warning', 'note'}
        The network cannot learn what it should; it learns worse than it could; worth knowing.
    figure : str
        What was measured.
    cure : str
        What to do.
    layer : str or None, default None
        The layer that it is about.
    """

    name: str
    severity: str
    figure: str
    cure: str
    layer: str = None


class Diagnosis:
    """What `doctor` found. Printing it shows a table, a notebook shows it as HTML.

    Parameters
    ----------
    title : str
        What was examined.
    findings : list of Finding
    examined : list of str
        The checks that were made.
    missed : dict of str to str
        The checks that could not be made, and why.
    layers : list of LayerReading
        What one batch showed of each layer.

    Attributes
    ----------
    findings : list of Finding
        The gravest first; empty if nothing is wrong.
    examined, missed
        As given.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite
    >>> model = nnlite.Sequential([nnlite.layers.Dense(1, activation="softmax")])
    >>> model.compile("adam", "binary_crossentropy")
    >>> rng = np.random.default_rng(0)
    >>> diagnosis = nnlite.doctor(model, rng.normal(size=(100, 4)), rng.integers(0, 2, 100))
    >>> diagnosis.findings[0].name
    'one-unit softmax'
    """

    def __init__(self, title, findings, examined, missed, layers):
        self.title = title
        self.findings = sorted(findings, key=lambda f: SEVERITIES.index(f.severity))
        self.examined, self.missed, self._layers = examined, missed, layers

    def __repr__(self):
        lines = [f"{self.title}: {self._count()}"]
        if self.findings:
            lines += _table(self.findings)
        for name, why in self.missed.items():
            lines += textwrap.wrap(f"not looked at: {name}: {why}", WIDTH, subsequent_indent="  ")
        # `print` would raise an error for a layer's name in characters that the output lacks.
        return terminal.plain("\n".join(lines), getattr(sys.stdout, "encoding", None) or "ascii")

    def _count(self):
        count = len(self.findings)
        if not count:
            return f"nothing found in {len(self.examined)} checks"
        return f"{count} finding{'' if count == 1 else 's'} in {len(self.examined)} checks"

    def _repr_html_(self):
        """The table as HTML, for light and dark pages."""
        rows = []
        for f in self.findings:
            layer = ""
            if f.layer:
                layer = f"<div style='opacity:0.7'>layer {html.escape(f.layer)}</div>"
            rows.append(
                "<tr style='background:transparent'>"
                f"<td style='{CELL}{LINE};color:{COLORS[f.severity]}'><b>{f.severity}</b></td>"
                f"<td style='{CELL}{LINE}'>{html.escape(f.name)}{layer}</td>"
                f"<td style='{CELL}{LINE}'>{html.escape(f.figure)}</td>"
                f"<td style='{CELL}{LINE}'>{html.escape(f.cure)}</td></tr>"
            )
        heads = "".join(
            f"<th style='{CELL}{LINE}'>{head}</th>" for head in ("", "finding", "figure", "cure")
        )
        table = (
            "<table style='border-collapse:collapse;margin:6px 0;background:transparent;"
            f"color:inherit'><thead><tr style='background:transparent'>{heads}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )
        missed = "".join(
            f"<div style='opacity:0.8'>not looked at: {html.escape(name)}: {html.escape(why)}</div>"
            for name, why in self.missed.items()
        )
        title = f"<div><b>{html.escape(self.title)}</b>: {self._count()}</div>"
        return f"<div>{title}{table if rows else ''}{missed}</div>"

    def plot(self, path=None):
        """Draw what each layer gives, and its gradient.

        Parameters
        ----------
        path : str or path, optional
            File to which the picture is also written: .png (default), .svg or .pdf.

        Returns
        -------
        Figure
            Of matplotlib; a notebook or `pyplot.show()` shows it.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return plot_layers(self.title, self._layers, self.findings, path)


def _table(findings):
    """The lines of the table, of characters that every terminal knows."""
    rule = f"+{'-' * (NAMES + 2)}+{'-' * (WIDTH - NAMES - 5)}+"
    lines = [rule]
    for f in findings:
        left = [f.severity, *_wrapped(f.name, NAMES)]
        left += _wrapped(f"layer {f.layer}", NAMES) if f.layer else []
        room = WIDTH - NAMES - 7
        right = [*_wrapped(f.figure, room), *_wrapped(f"-> {f.cure}", room, "   ")]
        for k in range(max(len(left), len(right))):
            cells = (part[k] if k < len(part) else "" for part in (left, right))
            lines.append("| {:{}} | {:{}} |".format(next(cells), NAMES, next(cells), room))
        lines.append(rule)
    return lines


def _wrapped(text, width, indent=""):
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
