"""The picture that `nnlite demo` writes: curves, a search, and misclassified images."""

import io

import numpy as np

from nnlite.visualization.curves import (
    HEADING_HEIGHT,
    ROW_HEIGHT,
    new_figure,
    plot_history,
    plot_misread,
    plot_search,
    rows_needed,
)
from nnlite.visualization.diagram import Diagram

WIDTH, CURVES_HEIGHT, SEARCH_HEIGHT, MODEL_HEIGHT = 10, 3.4, 2.8, 1.0  # inches


def _draw_model(model, ax):
    """Draw the layers of a model from left to right."""
    from matplotlib.image import imread

    drawing = Diagram(model, "LR", activation=True, shapes=True).drawing
    ax.imshow(imread(io.BytesIO(drawing.image("png", 200))))
    ax.set_axis_off()


def demo_report(path, histories, images, labels, predictions, title, search=None):
    """Write the picture of `nnlite demo`: curves, a search, and misclassified images.

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
    rows = rows_needed(np.count_nonzero(np.asarray(labels) != np.asarray(predictions)), 4, 8)
    heights = [CURVES_HEIGHT] * len(histories) + [SEARCH_HEIGHT + MODEL_HEIGHT] * (
        search is not None
    )
    heights += [HEADING_HEIGHT + ROW_HEIGHT * rows]
    figure = new_figure((WIDTH, sum(heights)))
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    figure.suptitle(title, fontsize=14, fontweight="bold")
    parts = iter(figure.subfigures(len(heights), 1, height_ratios=heights, hspace=0.04))
    for name, history in histories.items():
        part = next(parts)
        part.suptitle(name, x=0.01, ha="left", fontsize=11, fontweight="bold")
        for ax in plot_history(history, part.subplots(1, 2 if "accuracy" in history else 1)):
            ax.set_title(ax.get_title(loc="left"), loc="left", fontsize=10)
    if search is not None:
        _draw_search(next(parts), *search)
    plot_misread(images, labels, predictions, next(parts))
    figure.savefig(path, format="png")


def _draw_search(part, name, search, model):
    """Draw the scores of a search, and the best architecture below."""
    part.suptitle(name, x=0.01, ha="left", fontsize=11, fontweight="bold")
    upper, lower = part.subfigures(2, 1, height_ratios=[SEARCH_HEIGHT, MODEL_HEIGHT])
    plot_search(search, upper.subplots()).set_title("", loc="left")
    _draw_model(model, lower.add_axes((0.01, 0, 0.98, 1)))
