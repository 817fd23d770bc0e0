"""The picture of a Diagnosis: what each layer gives, and the gradient that reaches it."""

import numpy as np

from nnlite.diagnosis.case import rms
from nnlite.visualization.canvas import format_of
from nnlite.visualization.curves import (
    TRAINING,
    VALIDATION,
    WRONG,
    new_figure,
    save_figure,
)

WIDTH, TOP, LAYER_HEIGHT, MOST_LAYERS = 10, 1.5, 0.42, 60  # inches; layers that are drawn
LABEL = 26  # characters of a layer's name


def plot_layers(title, readings, findings, path=None):
    """Draw the outputs and gradients of layers, from the first at the top to the last; see
    `Diagnosis.plot`.

    Parameters
    ----------
    title : str
    readings : list of LayerReading
    findings : list of Finding
        The layers that they are about are marked.
    path : str or path, optional

    Returns
    -------
    Figure
    """
    file_format = None if path is None else format_of(path, "plot: path")
    shown = [r for r in readings if r.output is not None][:MOST_LAYERS]
    figure = new_figure((WIDTH, TOP + LAYER_HEIGHT * max(3, len(shown))))
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    left, right = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(shown))
    _draw_outputs(left, shown, places)
    _draw_gradients(right, shown, places)
    left.set_yticks(places, [_label(r.name) for r in shown])
    left.set_ylim(len(shown) - 0.4, -0.6)
    marked = {f.layer for f in findings}
    for r, text in zip(shown, left.get_yticklabels()):
        if r.name in marked:
            text.set_color(WRONG)
            text.set_fontweight("bold")
    for ax in (left, right):
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="y", color="#e5e7eb", linewidth=0.8)
        ax.set_axisbelow(True)
    if path is not None:
        save_figure(figure, path, file_format)
    return figure


def _label(name):
    return name if len(name) <= LABEL else "..." + name[3 - LABEL :]


def _draw_outputs(ax, readings, places):
    """The middle 90 % and the median of what each layer gives, and the share of zeros."""
    with np.errstate(all="ignore"):
        parts = [np.percentile(r.output, (5, 50, 95)) for r in readings]
    for place, (low, middle, high), r in zip(places, parts, readings):
        if not np.isfinite((low, high)).all():
            ax.text(0, place, "not finite", color=WRONG, va="center", fontsize=9)
            continue
        ax.plot(
            (low, high),
            (place, place),
            color=TRAINING,
            linewidth=7,
            alpha=0.35,
            solid_capstyle="butt",
        )
        ax.plot(middle, place, "|", color=TRAINING, markersize=11, markeredgewidth=2)
        zeros = np.mean(r.output == 0)
        if zeros >= 0.01:
            ax.annotate(
                f"{zeros:.0%} zeros",
                (high, place),
                (6, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color="#57606a",
            )
    ax.margins(x=0.18)
    known = [p for p in parts if np.isfinite(p).all()]
    widest = max((np.abs(p).max() for p in known), default=1.0)
    typical = np.median([p[2] - p[0] for p in known]) if known else 1.0
    if widest > 50 * max(typical, 1e-9):
        ax.set_xscale("symlog", linthresh=10.0 ** np.ceil(np.log10(max(typical, 1e-6))))
    ax.set_title("Outputs", loc="left", fontsize=11, fontweight="bold")
    ax.set_xlabel("median and middle 90 %")


def _draw_gradients(ax, readings, places):
    """The root mean square of the gradients of each layer's outputs and weights."""
    for name, color, marker, of in (
        ("of the outputs", TRAINING, "o", _of_outputs),
        ("of the weights", VALIDATION, "s", _of_weights),
    ):
        sizes = np.array([of(r) for r in readings], float)
        known = np.isfinite(sizes) & (sizes > 0)
        if known.any():
            ax.plot(
                sizes[known],
                places[known],
                marker,
                color=color,
                linestyle="-",
                label=name,
                linewidth=1,
                markersize=5,
            )
    ax.set_title("Gradients", loc="left", fontsize=11, fontweight="bold")
    ax.set_xlabel("root mean square")
    if ax.lines:
        ax.set_xscale("log")
        ax.grid(axis="x", color="#f0f1f3", linewidth=0.8)
        ax.legend(frameon=False, fontsize=9)
    else:
        ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", color="#57606a")
        ax.set_xticks([])


def _of_outputs(reading):
    return np.nan if reading.gradient is None else rms(reading.gradient)


def _of_weights(reading):
    known = [gradient.ravel() for _, gradient in reading.weights if gradient is not None]
    return rms(np.concatenate(known)) if known else np.nan
