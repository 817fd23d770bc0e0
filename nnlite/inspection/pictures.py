"""Pictures of what predictions depend on: importances, attributions, partial dependence."""

from numbers import Integral

import numpy as np

from nnlite.checks import positive_int
from nnlite.estimators.frames import columns_of, kind_of
from nnlite.tree import flatten
from nnlite.visualization.canvas import format_of
from nnlite.visualization.curves import (
    TRAINING,
    VALIDATION,
    pyplot_figure,
    save_figure,
    style_axes,
)

__all__ = ["plot_dependence", "plot_importance", "plot_saliency"]

BAR_HEIGHT = 0.28  # inches


def plot_importance(importance, names=None, top=20, ax=None, path=None):
    """Draw how much each column matters, the largest first.

    Parameters
    ----------
    importance : Bunch, DataFrame, Series or array
        What `sklearn.inspection.permutation_importance` gives, drawn with its standard deviations;
        attributions of rows (n_samples, n_features), as `integrated_gradients` gives them, of which
        the mean size is drawn; or one number for each column, such as the attributions of one row,
        which may be negative.
    names : sequence of str, optional
        The names of the columns; by default those of a DataFrame or Series.
    top : int, default 20
        The most columns that are drawn.
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
        If these are no finite numbers, or there is not a name for each column.

    Examples
    --------
    >>> from nnlite.inspection import plot_importance
    >>> ax = plot_importance([0.1, -0.4, 0.2], names=["age", "bmi", "sex"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['bmi', 'sex', 'age']
    """
    file_format = None if path is None else format_of(path, "plot_importance: path")
    top = positive_int("top", top)
    names = names if names is not None else _names_of(importance)
    values, spread, label = _figures(importance)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            "importance: expected finite numbers, one for each column, or rows of them, got shape "
            f"{values.shape}"
        )
    names = [f"column {i}" for i in range(len(values))] if names is None else list(names)
    if len(names) != len(values):
        raise ValueError(f"names: expected {len(values)}, one for each column, got {len(names)}")
    order = np.argsort(-np.abs(values), kind="stable")[:top]
    if ax is None:
        ax = pyplot_figure((7, 1.1 + BAR_HEIGHT * len(order))).subplots()
    places = np.arange(len(order))
    colors = np.where(values[order] < 0, VALIDATION, TRAINING)
    errors = None if spread is None else spread[order]
    ax.barh(places, values[order], xerr=errors, color=colors, height=0.7, ecolor="#6b7280")
    ax.set_yticks(places, [str(names[i]) for i in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.axvline(0, color="#6b7280", linewidth=0.8)
    left_out = f", {len(order)} of {len(values)} columns" if len(order) < len(values) else ""
    ax.set_title(f"{label}{left_out}", loc="left", fontsize=11, fontweight="bold")
    style_axes(ax, "x")
    if path is not None:
        save_figure(ax.get_figure(root=True), path, file_format)
    return ax


def _figures(importance):
    """Numbers, their standard deviations or None, and what they are."""
    if hasattr(importance, "importances_mean"):
        mean, spread = importance.importances_mean, importance.importances_std
        return np.asarray(mean, float), np.asarray(spread, float), "Permutation importance"
    try:
        values = np.asarray(importance, float)
    except (TypeError, ValueError):
        raise TypeError(f"importance: expected numbers, got {importance!r:.100}") from None
    if values.ndim < 2:
        return values, None, "Attribution"
    return np.abs(values).mean(axis=0), None, "Mean size of attributions"


def _names_of(importance):
    """The names of columns that a DataFrame or Series has, or None."""
    found = getattr(importance, "columns", None)
    if found is None and hasattr(importance, "iloc"):
        found = importance.index
    return found


def plot_dependence(estimator, X, features, path=None, **options):
    """Draw how predictions depend on a column, the others being as they are in X.

    It is `sklearn.inspection.PartialDependenceDisplay.from_estimator` on a figure of its own. J.
    Friedman: "Greedy function approximation: a gradient boosting machine", Annals of Statistics
    29(5), 2001.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Fitted.
    X : array-like or DataFrame, shape (n_samples, n_features)
        Rows over which is averaged, of a DataFrame those without gaps in `features`.
    features : int, str, or list of int, str or pairs of them
        The columns, a plot for each; a pair of columns is a map.
    path : str or path, optional
        File to which the picture is also written: .png (default), .svg or .pdf.
    **options
        Of `PartialDependenceDisplay.from_estimator`: kind='both', target, categorical_features, by
        default the columns of a DataFrame that are no numbers, grid_resolution and others.

    Returns
    -------
    PartialDependenceDisplay
        Its `axes_` are the plots, its `figure_` is the picture.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import nnlite
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> regressor = nnlite.NNRegressor(random_state=0, epochs=5).fit(X, y)
    >>> shown = nnlite.inspection.plot_dependence(regressor, X, ["bmi", "age"], grid_resolution=5)
    >>> shown.axes_.shape
    (1, 2)
    """
    from sklearn.inspection import PartialDependenceDisplay

    file_format = None if path is None else format_of(path, "plot_dependence: path")
    features = [features] if isinstance(features, (str, Integral)) else features
    if hasattr(X, "iloc"):
        no_numbers = [name for name, c in columns_of(X) if kind_of(c) != "numbers"]
        options.setdefault("categorical_features", no_numbers or None)
        asked = flatten(list(features))
        names = [name for name in asked if name in X.columns]
        names += [X.columns[i] for i in asked if i not in names and i in range(X.shape[1])]
        X = X.dropna(subset=names)
    if options.get("ax") is None:
        columns = min(3, max(1, len(features)))
        rows = -(-len(features) // columns)
        options["ax"] = pyplot_figure((4.2 * columns, 3.4 * rows)).subplots()
        options.setdefault("n_cols", columns)
    if not isinstance(kind := options.get("kind", "average"), str) or kind == "both":
        options.setdefault("ice_lines_kw", {"color": "#9ca3af"})
    options.setdefault("pd_line_kw", {"color": TRAINING})
    shown = PartialDependenceDisplay.from_estimator(estimator, X, features, **options)
    for ax in filter(None, np.ravel(shown.axes_)):
        style_axes(ax)
    if path is not None:
        save_figure(shown.figure_, path, file_format)
    return shown


def plot_saliency(images, maps, titles=None, columns=4, figure=None, path=None):
    """Draw images, and over each what a prediction depends on.

    Parameters
    ----------
    images : array, shape (N, height, width) or (N, height, width, 1 or 3)
        The range of each becomes that from black to white.
    maps : array, shape (N, height, width)
        As `grad_cam` and `occlusion` give them: red is what speaks for the class, blue what speaks
        against it, each beside the largest value of its image.
    titles : list of str, optional
        One for each image; a title may have several lines.
    columns : int, default 4
        How many images stand in a row.
    figure : matplotlib Figure or SubFigure, optional
        By default a new one.
    path : str or path, optional
        File to which the picture is also written: .png (default), .svg or .pdf.

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
    >>> from nnlite.explain import plot_saliency
    >>> figure = plot_saliency(np.zeros((2, 8, 8)), np.ones((2, 8, 8)), ["a", "b"])
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['a', 'b']
    """
    file_format = None if path is None else format_of(path, "plot_saliency: path")
    images, maps = np.asarray(images, float), np.asarray(maps, float)
    images = images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images
    fits = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)
    if not fits or not len(images) or maps.shape != images.shape[:3]:
        raise ValueError(
            "plot_saliency: expected images (N, height, width) or (N, height, width, 3) and maps "
            f"(N, height, width), got shapes {images.shape} and {maps.shape}"
        )
    titles = [""] * len(images) if titles is None else list(titles)
    if len(titles) != len(images):
        raise ValueError(f"titles: expected {len(images)}, one for each image, got {len(titles)}")
    columns = min(positive_int("columns", columns), len(images))
    rows = -(-len(images) // columns)
    if figure is None:
        lines = 1 + max(title.count("\n") for title in titles)
        figure = pyplot_figure((2.6 * columns, (2.6 + 0.19 * lines) * rows))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, image, values, title in zip(grid, images, maps, titles):
        size = np.abs(values).max() or 1
        strength = np.abs(values) / size
        ax.imshow(_greyed(image, strength), cmap="gray", vmin=0, vmax=1)
        ax.imshow(values, cmap="bwr", vmin=-size, vmax=size, alpha=0.65 * strength)
        ax.set_title(title, fontsize=9, loc="left", pad=3)
    for ax in grid:
        ax.set_axis_off()
    for ax in grid[len(images) :]:
        ax.remove()
    if path is not None:
        save_figure(figure, path, file_format)
    return figure


def _greyed(image, strength):
    """An image from 0 to 1, grey where a map is drawn over it: red is not seen on red."""
    least, most = image.min(), image.max()
    image = (image - least) / ((most - least) or 1)
    if image.ndim == 2:
        return image
    grey = image.mean(axis=2, keepdims=True)
    return image + strength[..., None] * (grey - image)
