"""Plots of a training (curves, misclassified images) and of a search (scores).

Matplotlib is imported when something is drawn. pyplot is used only by `plot_history` and
`plot_search`, and only if the user imported it or a notebook runs. Otherwise its state does not
change, and any thread may draw.
"""

import io
import sys
from collections.abc import Mapping

import numpy as np

from nnlite.atomic_write import write_whole
from nnlite.visualization.canvas import format_of

__all__ = ["plot_history", "plot_misread", "plot_search"]

TRAINING, VALIDATION, WRONG = "#1f6feb", "#e8710a", "#c62828"
VALIDATION_PREFIX = "val_"
FIGURE_STYLE = {"dpi": 110, "layout": "constrained", "facecolor": "white"}
HEADING_HEIGHT, ROW_HEIGHT = 0.6, 1.45  # inches, of misread images


def new_figure(size):
    """A figure that pyplot does not manage."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install matplotlib") from error
    figure = Figure(size, **FIGURE_STYLE)
    FigureCanvasAgg(figure)
    return figure


def pyplot_figure(size):
    """A figure of pyplot if the user imported it or a notebook runs, else one without a window."""
    if "matplotlib.pyplot" not in sys.modules and "ipykernel" not in sys.modules:
        return new_figure(size)
    try:
        from matplotlib import pyplot
    except ImportError:
        return new_figure(size)  # raises an error that names matplotlib
    return pyplot.figure(figsize=size, **FIGURE_STYLE)


def _label(name):
    """'mean_squared_error' -> 'Mean squared error'."""
    label = name.replace("_", " ")
    return label[:1].upper() + label[1:]


def _curve(ax, history, key, first):
    """Plot one entry of the history over the epochs, which are numbered from `first`."""
    from matplotlib.ticker import MaxNLocator

    last, has_validation = first, VALIDATION_PREFIX + key in history
    for prefix, name, color in (
        ("", "training", TRAINING),
        (VALIDATION_PREFIX, "validation", VALIDATION),
    ):
        values = history.get(prefix + key)
        if values is not None and len(values):
            epochs = np.arange(first, first + len(values))
            last = max(last, epochs[-1])
            marker = "o" if len(values) <= 30 else None
            ax.plot(epochs, values, color=color, label=name, marker=marker, markersize=4)
    ax.set_title(f"{_label(key)} per epoch", loc="left", fontsize=11, fontweight="bold")
    ax.set_xlabel("epoch")
    ax.set_xlim(first - 0.5, last + 0.5)
    ax.set_ylabel(_label(key).lower())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    style_axes(ax)
    if has_validation or key != "learning_rate":
        ax.legend(frameon=False)


def style_axes(ax, lines="y"):
    """Hide the upper and right border and show grid lines, horizontal ones for 'y'."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis=lines, color="#e5e7eb", linewidth=0.8)
    ax.set_axisbelow(True)


def _keys(history):
    """The entries of the history to plot, without the prefix 'val_'; the loss comes first."""
    names = ["loss"]
    for key, values in history.items():
        name = key.removeprefix(VALIDATION_PREFIX)
        try:
            np.asarray(values, float).reshape(len(values))
        except (TypeError, ValueError):
            continue  # not one number for each epoch
        if name not in names:
            names.append(name)
    return names


def plot_history(history, ax=None, path=None):
    """Plot the loss, the metrics and other logs of a training over its epochs.

    Parameters
    ----------
    history : History or dict of str to list of float
        The result of `Model.fit`, or an estimator's `history_`.
    ax : matplotlib Axes, or a sequence of them, optional
        Axes to draw on, one for each entry of the history, the loss first; further entries are not
        drawn. By default the axes of a new figure, which a notebook or `pyplot.show()` shows.
    path : str or path, optional
        File to which the picture is also written: .png (default), .svg or .pdf.

    Returns
    -------
    list of Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the history has no loss, or for another ending of `path`.

    Examples
    --------
    >>> from nnlite.plotting import plot_history
    >>> axes = plot_history({"loss": [0.9, 0.5], "val_loss": [0.8, 0.6]}, path="curves.png")
    >>> axes[0].get_xlabel()
    'epoch'
    """
    file_format = None if path is None else format_of(path, "plot_history: path")
    first = (getattr(history, "epoch", None) or [0])[0] + 1
    history = getattr(history, "history", history)
    if not isinstance(history, Mapping):
        raise TypeError(f"plot_history: history: expected what fit returns, got {history!r}")
    if "loss" not in history:
        found = ", ".join(history) or "an empty one"
        raise ValueError(f"plot_history: expected a history with a loss, got {found}")
    names = _keys(history)
    if ax is None:
        columns = 2 if len(names) == 4 else min(3, len(names))
        rows = -(-len(names) // columns)
        figure = pyplot_figure((5 * columns, 3.6 * rows))
        ax = figure.subplots(rows, columns, squeeze=False)
        for unused in ax.ravel()[len(names) :]:
            unused.remove()
    axes = list(np.ravel(ax))[: len(names)]
    for one, name in zip(axes, names):
        _curve(one, history, name, first)
    if path is not None:
        save_figure(axes[0].get_figure(root=True), path, file_format)
    return axes


def save_figure(figure, path, file_format):
    """Write a figure to a file, whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, format=file_format)
    write_whole(path, content.getvalue())


def plot_search(search, ax=None, path=None):
    """Plot the score of each setting that a search tried, in order, and the best score so far.

    Parameters
    ----------
    search : GridSearchCV, BayesSearchCV, ... or sequence of float
        A fitted search, or the scores.
    ax : matplotlib Axes, optional
        By default those of a new figure.
    path : str or path, optional
        File to which the picture is also written: .png (default), .svg or .pdf.

    Returns
    -------
    Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is no finite score, or for another ending of `path`.

    Examples
    --------
    >>> from nnlite.plotting import plot_search
    >>> ax = plot_search([0.5, 0.8, 0.7])
    >>> ax.get_lines()[-1].get_ydata().tolist()
    [0.5, 0.8, 0.8]
    """
    from matplotlib.ticker import MaxNLocator

    file_format = None if path is None else format_of(path, "plot_search: path")
    results = getattr(search, "cv_results_", None)
    scores = np.asarray(search if results is None else results["mean_test_score"], float)
    if scores.ndim != 1 or not np.isfinite(scores).any():
        raise ValueError(f"plot_search: expected scores of a fitted search, got {search!r}")
    ax = pyplot_figure((7, 3.6)).subplots() if ax is None else ax
    tried = np.arange(1, len(scores) + 1)
    best = np.fmax.accumulate(scores)
    lower_quartile = np.nanquantile(scores, 0.25)
    low = lower_quartile - max(best[-1] - lower_quartile, 1e-9)  # diverged settings score far lower
    worse = ~(scores >= low)
    ax.plot(
        tried[~worse], scores[~worse], "o", color=VALIDATION, markersize=4, label="setting tried"
    )
    if worse.any():
        ax.plot(
            tried[worse], np.full(worse.sum(), low), "v", color=WRONG, markersize=5, label="worse"
        )
    ax.plot(tried, best, color=TRAINING, drawstyle="steps-post", label="best so far")
    ax.set_title("Score of each setting", loc="left", fontsize=11, fontweight="bold")
    ax.set_xlabel("setting")
    ax.set_ylabel("mean score")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    style_axes(ax)
    ax.legend(frameon=False, loc="lower right")
    if path is not None:
        save_figure(ax.get_figure(root=True), path, file_format)
    return ax


def plot_misread(images, labels, predictions, figure=None, rows=4, columns=8):
    """Show the first misclassified images with their true and predicted labels.

    Parameters
    ----------
    images : array, shape (N, H, W)
    labels, predictions : array, shape (N,)
    figure : matplotlib Figure or SubFigure, optional
        Figure to draw on; by default a new one.
    rows, columns : int, default 4 and 8
        The largest number of rows, and the number of images in a row.

    Returns
    -------
    Figure or SubFigure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the arrays do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.plotting import plot_misread
    >>> figure = plot_misread(np.zeros((2, 8, 8)), [3, 5], [3, 6])
    >>> figure.axes[0].get_title()
    '5 read as 6'
    """
    images, labels, predictions = np.asarray(images), np.asarray(labels), np.asarray(predictions)
    if images.ndim != 3 or labels.shape != (len(images),) or predictions.shape != (len(images),):
        raise ValueError(
            "plot_misread: expected images (N, height, width), labels (N,) and predictions (N,), "
            f"got shapes {images.shape}, {labels.shape} and {predictions.shape}"
        )
    wrong = np.flatnonzero(labels != predictions)
    shown = wrong[: rows * columns]
    rows = rows_needed(len(shown), rows, columns)
    if figure is None:
        figure = new_figure((1.25 * columns, HEADING_HEIGHT + ROW_HEIGHT * rows))
    title = f"{len(wrong):,} of {len(images):,} misread"
    if len(shown) < len(wrong):
        title += f", the first {len(shown)}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, at in zip(grid, shown):
        ax.imshow(images[at], cmap="gray_r", interpolation="nearest")
        ax.set_title(f"{labels[at]} read as {predictions[at]}", fontsize=9, color=WRONG, pad=3)
    for ax in grid[: len(shown)]:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_color("#d1d5db")
    for ax in grid[len(shown) :]:
        ax.set_axis_off()
    return figure


def rows_needed(images, rows, columns):
    """The number of rows that `images` images fill: at least 1, at most `rows`."""
    return max(1, min(rows, -(-images // columns)))
