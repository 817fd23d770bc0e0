"""The picture that `nnlite demo` writes: curves, a search, and what is misread as what."""

import io

import numpy as np

from nnlite.visualization.curves import (
    new_figure,
    plot_history,
    plot_misread,
    plot_search,
)
from nnlite.visualization.diagram import Diagram

WIDTH, CURVES_HEIGHT, SEARCH_HEIGHT, MISREAD_HEIGHT = 10, 3.0, 2.6, 4.4  # inches
LARGEST_MODEL = 2.0  # inches of height


def _model_height(drawing):
    """The height at which the drawing of a model is as wide as the picture, or lower."""
    return min(LARGEST_MODEL, 0.98 * WIDTH * drawing.height / drawing.width)


def _in_percent(axis):
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _draw_confusion(ax, labels, predictions):
    """Draw how many images of each label were read as which: those read right are pale."""
    names, codes = np.unique(np.concatenate([labels, predictions]), return_inverse=True)
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, tuple(codes.reshape(2, -1)), 1)
    wrong = counts * ~np.eye(len(names), dtype=bool)
    ax.imshow(wrong, cmap="Reds", vmin=0, vmax=max(2 * wrong.max(), 1))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            right = row == column
            color = "#6b7280" if right else "black"
            ax.text(column, row, f"{count}", ha="center", va="center", fontsize=7, color=color)
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set_color("#d1d5db")
    ax.set_xlabel("read as")
    ax.set_ylabel("label")
    ax.set_title("Labels and what they are read as", loc="left", fontsize=11, fontweight="bold")


def demo_report(path, histories, images, labels, predictions, title, search=None):
    """Write the picture of `nnlite demo`: curves, a search, and what is misread as what.

    Parameters
    ----------
    path : str, path or binary file
        File for the PNG.
    histories : dict of str to dict of str to list of float
        The histories of the networks by their names; each fills a row.
    images : array, shape (N, H, W)
    labels, predictions : array, shape (N,)
    title : str
    search : (str, search, Model), optional
        A heading, a fitted search, and a model with the best architecture found.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from nnlite.plotting import demo_report
    >>> picture = io.BytesIO()
    >>> histories = {"Network": {"loss": [0.9, 0.5]}}
    >>> demo_report(picture, histories, np.zeros((2, 8, 8)), [3, 5], [3, 6], "Two")
    >>> picture.getvalue()[1:4]
    b'PNG'
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    heights = [CURVES_HEIGHT] * len(histories)
    if search is not None:
        name, search, model = search
        drawing = Diagram(model, "LR", activation=True, shapes=True).drawing
        heights.append(SEARCH_HEIGHT + _model_height(drawing))
    heights.append(MISREAD_HEIGHT)
    figure = new_figure((WIDTH, sum(heights)))
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    figure.suptitle(title, fontsize=14, fontweight="bold")
    parts = iter(figure.subfigures(len(heights), 1, height_ratios=heights, hspace=0.04))
    for heading, history in histories.items():
        part = next(parts)
        part.suptitle(heading, x=0.01, ha="left", fontsize=11, fontweight="bold")
        for ax in plot_history(history, part.subplots(1, 2 if "accuracy" in history else 1)):
            ax.set_title(ax.get_title(loc="left"), loc="left", fontsize=10)
            if ax.get_ylabel() == "accuracy":
                _in_percent(ax.yaxis)
    if search is not None:
        _draw_search(next(parts), name, search, drawing)
    left, right = next(parts).subfigures(1, 2, width_ratios=[1, 1.3])
    _draw_confusion(left.subplots(), labels, predictions)
    plot_misread(images, labels, predictions, right, rows=3, columns=5)
    figure.savefig(path, format="png")


def _draw_search(part, name, search, drawing):
    """Draw the scores of a search, and the best architecture below."""
    from matplotlib.image import imread

    part.suptitle(name, x=0.01, ha="left", fontsize=11, fontweight="bold")
    heights = [SEARCH_HEIGHT, _model_height(drawing)]
    upper, lower = part.subfigures(2, 1, height_ratios=heights)
    ax = plot_search(search, upper.subplots())
    ax.set_title("", loc="left")
    ax.set_ylabel("mean accuracy")
    _in_percent(ax.yaxis)
    ax = lower.add_axes((0.01, 0, 0.98, 1))
    ax.imshow(imread(io.BytesIO(drawing.image("png", 200))))
    ax.set_axis_off()
