"""Numbers of a table as several values each, of which a network learns more easily."""

import numpy as np

from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import as_numbers
from nnlite.ops.elementwise import greater, multiply, where
from nnlite.ops.linear import linear
from nnlite.ops.operands import call, constant, flag, number, operands


def _infer(x, lower, scale, bins, *, keep):
    kept = bins[0] if keep else 0
    return [(*x[:-1], kept + lower[0])]


def _gradient(c, dy, need):
    """The slope of each bin that x lies in, summed over the bins of its column."""
    x, lower, scale, bins = c.inputs
    F, kept = x.shape[-1], c.outputs[0].shape[-1] - lower.shape[0]
    y, dbins = c.outputs[0][..., kept:], dy[..., kept:]
    inside = multiply(greater(y, 0.0), greater(1.0, y))
    slopes = where(inside, multiply(dbins, scale), 0.0)
    of_column = np.repeat(np.eye(F), bins.numpy(), axis=0)
    dx = linear(slopes, of_column)
    return [dx + dy[..., :F] if kept else dx, None, None, None]


Op("piecewise_linear_encoding", infer=_infer, gradient=_gradient, attrs={"keep": int})


def boundaries_of(name, value):
    """The boundaries of each column as float64 arrays.

    Raises
    ------
    ValueError
        Unless each is numbers in rising order: two or more of them, or none.
    """
    try:
        found = [np.asarray(as_numbers(column), np.float64) for column in value]
    except (TypeError, ValueError):
        found = None
    if not found or not all(
        b.ndim == 1 and len(b) != 1 and np.isfinite(b).all() and (np.diff(b) > 0).all()
        for b in found
    ):
        raise ValueError(
            f"{name}: expected for each column two or more finite numbers in rising order, or "
            f"none, got {value!r:.200}"
        )
    return found


def piecewise_linear_encoding(x, boundaries, keep=False, scale=1.0):
    """How far each number is through each of its column's bins, from 0 to 1.

    A column with the boundaries b_0 < b_1 < ... < b_T has T bins. Bin t gives
    min(max((x - b_(t-1)) / (b_t - b_(t-1)), 0), 1): 0 below it, 1 above. NaN gives 0 in each.
    Y. Gorishniy, I. Rubachev, A. Babenko: "On embeddings for numerical features in tabular deep
    learning", NeurIPS 2022, arXiv 2203.05556.

    Parameters
    ----------
    x : tensor, shape (..., F)
    boundaries : list of F sequences of float
        For each column its boundaries in rising order: two or more, or none.
    keep : bool, default False
        Whether the result begins with x itself.
    scale : float, default 1.0
        What the values of bins are multiplied by.

    Returns
    -------
    Tensor, shape (..., T), or (..., F + T) with `keep`
        T is the number of bins of all columns. Those of a column stand together.

    Raises
    ------
    ValueError
        If there are not boundaries for each column, or they do not rise.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.piecewise_linear_encoding([[1.5], [3.0]], [[0.0, 1.0, 2.0, 4.0]]).numpy()
    array([[1. , 0.5, 0. ],
           [1. , 1. , 0.5]], dtype=float32)
    """
    found = boundaries_of("boundaries", boundaries)
    (x,) = operands(x)
    if not x.shape or x.shape[-1] != len(found):
        raise ValueError(
            f"boundaries: expected those of each column of shape {x.shape}, got those of "
            f"{len(found)} columns"
        )
    lower = np.concatenate([b[:-1] for b in found])
    with np.errstate(over="ignore"):
        slopes = np.concatenate([1 / np.diff(b) for b in found])
    bins = np.array([max(len(b) - 1, 0) for b in found])
    given = [*operands(x, lower, slopes), constant(bins, "int32")]
    kept, scale = flag("keep", keep), number("scale", scale)
    y = call("piecewise_linear_encoding", given, keep=kept)
    if scale == 1:
        return y
    return multiply(y, np.repeat([1.0, scale], [kept * len(found), len(lower)]))
