"""The table that `Model.summary` prints, as text and as HTML."""

import html
import re
import shutil
import textwrap
from itertools import pairwise

from nnlite.visualization.outline import HOW_TO_BUILD, Outline

# The ends of the columns as shares of the width, as in Keras.
PLAIN, CONNECTED = (0.45, 0.80, 1.0), (0.3, 0.56, 0.74, 1.0)
MIN_WIDTH = 4  # characters of a column
NO_BREAK_SPACE = "\u00a0"  # within a shape: lines break there only if they must


class Row:
    """The row of a layer or function, for all of its calls.

    Parameters
    ----------
    calls : list of Call
    depth : int
        Number of nested models that contain it.

    Attributes
    ----------
    name, kind, shape, params, connected, trainable : str
        The texts of the columns.
    """

    def __init__(self, calls, depth):
        self.first, self.depth = calls[0], depth
        self.name, self.kind = self.first.name, self.first.kind
        shapes = calls[-1].output_shapes
        self.shape = "?" if not shapes else str(shapes[0]) if len(shapes) == 1 else f"{shapes}"
        layer = self.first.layer
        self.params = f"{layer.count_params() if layer is not None else 0:,}"
        if layer is not None and not layer.built and not shapes:
            self.params += " (unbuilt)"
        taken = [f"{c.name}[{c.call_number}][{k}]" for call in calls for c, k in call.inputs]
        self.connected = ", ".join(taken) or "-"
        has_weights = layer is not None and layer.weights
        self.trainable = "-" if not has_weights else "Y" if layer.trainable else "N"


def rows_of(outline, expand_nested=False, layer_range=None, depth=0):
    """The rows of the table; with `expand_nested` also the rows of nested models."""
    groups = {}
    for call in outline.calls:
        groups.setdefault(id(call.layer or call), []).append(call)
    rows = []
    for calls in _within(list(groups.values()), layer_range):
        rows.append(Row(calls, depth))
        if expand_nested and calls[0].is_model:
            rows += rows_of(Outline(calls[0].layer), True, None, depth + 1)
    return rows


def _within(groups, layer_range):
    """The groups of calls between the two names in `layer_range`, which are regular expressions."""
    if layer_range is None:
        return groups
    pair = isinstance(layer_range, (tuple, list)) and len(layer_range) == 2
    if not pair or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"summary: expected layer_range (first, last), got {layer_range!r}")
    ends = []
    for name in layer_range:
        try:
            found = [k for k, calls in enumerate(groups) if re.match(name, calls[0].name)]
        except re.error as error:
            raise ValueError(
                f"summary: layer_range: expected names or regular expressions, got {name!r}: "
                f"{error}"
            ) from None
        if not found:
            names = ", ".join(calls[0].name for calls in groups)
            raise ValueError(f"summary: layer_range: no layer matches {name!r}; there are {names}")
        ends.append(found)
    first, last = sorted(ends)
    return groups[first[0] : last[-1] + 1]


def totals(model):
    """(label, number, bytes) of all, trainable, non-trainable and the optimizer's parameters."""
    trainable = model.trainable_weights
    others = model.non_trainable_weights
    optimizer = model.optimizer.variables if getattr(model.optimizer, "built", False) else []
    groups = [
        ("Total", [*trainable, *others, *optimizer]),
        ("Trainable", trainable),
        ("Non-trainable", others),
    ]
    if optimizer:
        groups.append(("Optimizer", optimizer))
    return [
        (what, sum(v.size for v in group), sum(v._data.nbytes for v in group))
        for what, group in groups
    ]


def summary(
    model,
    line_length=None,
    positions=None,
    expand_nested=False,
    show_trainable=False,
    layer_range=None,
):
    """The table of layers, output shapes and parameter counts as text; see `Model.summary`."""
    outline = Outline(model)
    chain = outline.is_chain or not outline.connected
    heads = ["Layer (type)", "Output Shape", "Param #"]
    aligned = [str.ljust, str.ljust, str.rjust]
    length, ends = (88, PLAIN) if chain else (108, CONNECTED)
    ends = ends if positions is None else positions
    if not chain:
        heads, aligned = [*heads, "Connected to"], [*aligned, str.ljust]
    if show_trainable:
        heads, aligned = [*heads, "Trainable"], [*aligned, str.center]
        length, ends = length + 12, [*(0.9 * end for end in ends), 1.0]
    if line_length is None:
        line_length = min(length, shutil.get_terminal_size().columns - 4)
    cells = [heads]
    for row in rows_of(outline, expand_nested, layer_range):
        indent = "   " * row.depth + "└ " if row.depth else ""
        line = [f"{indent}{row.name} ({row.kind})", row.shape, row.params]
        line += [] if chain else [row.connected]
        cells.append([*line, row.trainable] if show_trainable else line)
    heads[2] = heads[2].replace(" ", NO_BREAK_SPACE)
    for line in cells[1:]:
        line[1] = re.sub(r", (?=[^(]*\))", f",{NO_BREAK_SPACE}", line[1])
    widths = _widths(line_length, ends, cells)
    lines = [f'Model: "{model.name}"', *_table(cells, widths, aligned)]
    lines += [f" {what} params: {n:,} ({_bytes(size)})" for what, n, size in totals(model)]
    if not model.built:
        lines += textwrap.wrap(
            f"The model is not built yet: {HOW_TO_BUILD}.",
            line_length,
            initial_indent=" ",
            subsequent_indent=" ",
        )
    return "\n".join(lines)


def _widths(line_length, ends, rows):
    """The width of each column in characters: its share of the line.

    Columns with spare width give some to columns whose longest word does not fit.
    """
    columns = len(rows[0])
    if len(ends) != columns or list(ends) != sorted(ends) or not 0 < ends[0] <= ends[-1] <= 1:
        raise ValueError(
            f"summary: expected positions as {columns} rising shares of the width, got {ends}"
        )
    room = line_length - 3 * columns - 1
    edges = [0, *(round(end * room) for end in ends)]
    widths = [b - a for a, b in pairwise(edges)]
    if room < MIN_WIDTH * columns:
        raise ValueError(
            f"summary: expected a line_length with room for {columns} columns, got {line_length}"
        )
    while min(widths) < MIN_WIDTH:
        widths[widths.index(max(widths))] -= 1
        widths[widths.index(min(widths))] += 1
    needs = [max(_longest_word(row[k]) for row in rows) for k in range(columns)]
    while True:
        spare = [width - need for width, need in zip(widths, needs)]
        short = [k for k in range(columns) if spare[k] < 0]
        if not short or max(spare) <= 0:
            return widths
        widths[spare.index(max(spare))] -= 1
        widths[min(short, key=needs.__getitem__)] += 1


def _longest_word(text):
    indent = len(text) - len(text.lstrip(" └"))
    return indent + max(map(len, text[indent:].split(" ")))


def _table(rows, widths, aligned):
    """The lines of a table with a heading, as Keras draws it."""

    def rule(left, fill, middle, right):
        return left + middle.join(fill * (width + 2) for width in widths) + right

    def lines(cells, bar):
        parts = [_wrapped(cell, width) for cell, width in zip(cells, widths)]
        for k in range(max(map(len, parts))):
            texts = [part[k] if k < len(part) else "" for part in parts]
            padded = [align(t, width) for align, t, width in zip(aligned, texts, widths)]
            yield f"{bar} " + f" {bar} ".join(padded) + f" {bar}"

    heading, *rest = rows
    table = [rule("┏", "━", "┳", "┓"), *lines(heading, "┃"), rule("┡", "━", "╇", "┩")]
    for number, row in enumerate(rest):
        if number:
            table.append(rule("├", "─", "┼", "┤"))
        table += lines(row, "│")
    return [*table, rule("└", "─", "┴", "┘")]


def _wrapped(text, width):
    """The lines of a text, of at most `width` characters, broken at spaces if possible."""
    if _longest_word(text) > width:
        text = text.replace(NO_BREAK_SPACE, " ")
    indent = len(text) - len(text.lstrip(" └"))
    if indent >= width:
        text, indent = text[indent:], 0
    first, rest = text[:indent], text[indent:]
    lines = textwrap.wrap(
        rest, width, initial_indent=first, subsequent_indent=" " * indent, break_on_hyphens=False
    )
    return [line.replace(NO_BREAK_SPACE, " ") for line in lines]


def _bytes(n):
    for unit in ("B", "KB", "MB", "GB"):
        if n < 1024:
            return f"{n:.2f} {unit}"
        n /= 1024
    return f"{n:.2f} TB"


LINE = "1px solid rgba(128,128,128,0.35)"
CELL = f"padding:3px 12px;border-bottom:{LINE};text-align:"


def summary_html(model):
    """The summary as an HTML table for light and dark pages; see `Model._repr_html_`."""
    outline = Outline(model)
    chain = outline.is_chain or not outline.connected
    heads = ["Layer (type)", "Output Shape", "Param #", *([] if chain else ["Connected to"])]
    sides = ["left", "left", "right", "left"]
    lines = []
    for row in rows_of(outline):
        kind = f'<span style="opacity:0.7">({html.escape(row.kind)})</span>'
        cells = [f"{html.escape(row.name)} {kind}", row.shape, row.params]
        cells += [] if chain else [html.escape(row.connected)]
        lines.append(_html_row("td", cells, sides))
    counts = " · ".join(f"{what} params: {n:,} ({_bytes(size)})" for what, n, size in totals(model))
    unbuilt = "" if model.built else f"<div>The model is not built yet: {HOW_TO_BUILD}.</div>"
    return (
        f"<div><b>Model: {html.escape(model.name)}</b></div>"
        '<table style="border-collapse:collapse;margin:6px 0;background:transparent;color:inherit">'
        f"<thead>{_html_row('th', heads, sides)}</thead><tbody>{''.join(lines)}</tbody></table>"
        f'<div style="opacity:0.8">{counts}</div>{unbuilt}'
    )


def _html_row(tag, cells, sides):
    inside = "".join(
        f'<{tag} style="{CELL}{side}">{cell}</{tag}>' for cell, side in zip(cells, sides)
    )
    return f'<tr style="background:transparent">{inside}</tr>'
