"""Plots of the trials of a tuner: the objective by trial, and over each hyperparameter."""

import numpy as np

from nnlite.visualization.canvas import format_of
from nnlite.visualization.curves import (
    TRAINING,
    VALIDATION,
    pyplot_figure,
    save_figure,
    style_axes,
)

COLUMNS = 3
SPREAD = 20  # a numeric range this many times as wide as its least value is drawn by powers of ten


def plot_trials(values, scores, rises, objective, path=None):
    """Plot the objective of each trial, and over each hyperparameter.

    Parameters
    ----------
    values : list of dict
        Of each trial name -> value.
    scores : list of float
    rises : bool
        Whether higher scores are better.
    objective : str
        What the scores are.
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
        If there is no trial, or for another ending of `path`.

    Examples
    --------
    >>> from nnlite.visualization.trials import plot_trials
    >>> axes = plot_trials([{"units": 32}, {"units": 64}], [0.8, 0.9], True, "val_accuracy")
    >>> [ax.get_xlabel() for ax in axes]
    ['trial', 'units']
    """
    file_format = None if path is None else format_of(path, "plot: path")
    scores = np.asarray(scores, float)
    if not len(scores):
        raise ValueError("plot: expected a search with a trial that is finished")
    names = [n for n in dict.fromkeys(n for v in values for n in v) if _varies(values, n)]
    columns = min(COLUMNS, 1 + len(names))
    rows = -(-(1 + len(names)) // columns)
    figure = pyplot_figure((4 * columns, 3.2 * rows))
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=True).ravel())
    for unused in axes[1 + len(names) :]:
        unused.remove()
    axes = axes[: 1 + len(names)]
    best = int(np.argmax(scores) if rises else np.argmin(scores))
    tried = np.arange(1, len(scores) + 1)
    _points(axes[0], tried, scores, best)
    axes[0].plot(tried, _best_so_far(scores, rises), color=TRAINING, drawstyle="steps-post")
    axes[0].set_xlabel("trial")
    _whole(axes[0])
    for ax, name in zip(axes[1:], names):
        there = [i for i, v in enumerate(values) if name in v]
        _over(ax, [values[i][name] for i in there])
        places = _places([values[i][name] for i in there])
        _points(ax, places, scores[there], there.index(best) if best in there else None)
        ax.set_xlabel(name)
    for ax in axes:
        style_axes(ax)
    for ax in axes[::columns]:
        ax.set_ylabel(objective)
    axes[0].set_title("Trials", loc="left", fontsize=11, fontweight="bold")
    if path is not None:
        save_figure(figure, path, file_format)
    return axes


def _best_so_far(scores, rises):
    return (np.fmax if rises else np.fmin).accumulate(scores)


def _varies(values, name):
    return len({v[name] for v in values if name in v}) > 1


def _points(ax, x, y, best):
    """The trials, the best one larger."""
    ax.plot(x, y, "o", color=VALIDATION, markersize=4)
    if best is not None:
        ax.plot([x[best]], [y[best]], "o", color=TRAINING, markersize=8)


def _is_numeric(column):
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in column)


def _places(column):
    """Where values stand on their axis: words side by side in the order of their names."""
    if _is_numeric(column):
        return np.asarray(column, float)
    words = sorted({str(v) for v in column})
    return np.asarray([words.index(str(v)) for v in column])


def _over(ax, column):
    """Set the scale of the axis of a hyperparameter."""
    if not _is_numeric(column):
        words = sorted({str(v) for v in column})
        ax.set_xticks(range(len(words)), words)
        ax.set_xlim(-0.5, len(words) - 0.5)
    elif min(column) > 0 and max(column) >= SPREAD * min(column):
        ax.set_xscale("log")
    elif all(isinstance(v, int) for v in column):
        _whole(ax)


def _whole(ax):
    """Have marks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
