"""Numbers of a table as several values each, of which a network learns more easily."""

import math
from typing import NamedTuple

import numpy as np

from nnlite import config
from nnlite.engine.dispatch import OPS, Op, apply
from nnlite.engine.tensor import Tensor, as_numbers
from nnlite.ops.elementwise import greater, multiply, where
from nnlite.ops.linear import linear, matmul
from nnlite.ops.operands import call, constant, flag, number, operands
from nnlite.ops.reduce import sum as sum_along
from nnlite.ops.reduce import sum_to
from nnlite.ops.shape import reshape
from nnlite.ops.slicing import concatenate


def _infer(x, lower, scale, bins, *, keep):
    kept = bins[0] if keep else 0
    return [(*x[:-1], kept + lower[0])]


def _through_encoding(x, scale, bins, y, dy):
    """The gradient with respect to x: the slope of each bin that x lies in, summed over the bins of
    its column."""
    F, kept = x.shape[-1], y.shape[-1] - scale.shape[0]
    y, dbins = y[..., kept:], dy[..., kept:]
    inside = multiply(greater(y, 0.0), greater(1.0, y))
    slopes = where(inside, multiply(dbins, scale), 0.0)
    of_column = np.repeat(np.eye(F), bins.numpy(), axis=0)
    dx = linear(slopes, of_column)
    return dx + dy[..., :F] if kept else dx


def _gradient(c, dy, need):
    x, _, scale, bins = c.inputs
    return [_through_encoding(x, scale, bins, c.outputs[0], dy), None, None, None]


Op("piecewise_linear_encoding", infer=_infer, gradient=_gradient, attrs={"keep": int})


def _infer_product(x, kernel, *_, keep):
    return [(*x[:-1], kernel[1])]


def _encoded(x, scale, lower, slopes, bins, keep):
    """What the product reads."""
    return multiply(call("piecewise_linear_encoding", [x, lower, slopes, bins], keep=keep), scale)


def _product(x, kernel, scale, lower, slopes, bins, bias=None, *, keep):
    return [linear(_encoded(x, scale, lower, slopes, bins, keep), kernel, bias)]


def _product_gradient(c, dy, need):
    x, kernel, scale, lower, slopes, bins, *bias = c.inputs
    dx, of_kernel = None, [None, None]
    if need[0]:
        e = call("piecewise_linear_encoding", [x, lower, slopes, bins], **c.attrs)
        de = multiply(matmul(dy, kernel, transpose_b=True), scale)
        dx = _through_encoding(x, slopes, bins, e, de)
    if need[1] or need[2]:
        given = [x, dy, kernel, scale, lower, slopes, bins]
        of_kernel = apply(OPS["encoded_linear_gradient"], given, c.attrs)
    return [dx, *of_kernel, None, None, None, *(sum_to(dy, b.shape) for b in bias)]


def _kernel_gradient(x, dy, kernel, scale, lower, slopes, bins, *, keep):
    e = call("piecewise_linear_encoding", [x, lower, slopes, bins], keep=keep)
    rows = reshape(e, (-1, kernel.shape[0])), reshape(dy, (-1, kernel.shape[1]))
    found = matmul(*rows, transpose_a=True)
    of_scale = sum_along(multiply(found, kernel), -1)
    return [multiply(found, reshape(scale, (-1, 1))), of_scale]


def _product_work(inputs, outputs):
    """Two rows of values for each number, which are summed from all rows of the kernel."""
    (*rows, columns), (bins, units) = inputs[0], inputs[1]
    return (2 * math.prod(rows) * columns + bins) * units


Op(
    "encoded_linear",
    infer=_infer_product,
    gradient=_product_gradient,
    attrs={"keep": int},
    work=_product_work,
    formula=_product,
)
Op(
    "encoded_linear_gradient",
    infer=lambda x, dy, kernel, *_, keep: [kernel, kernel[:1]],
    attrs={"keep": int},
    outputs=("real", "real"),
    work=lambda inputs, outputs: _product_work([inputs[0], inputs[2]], outputs),
    optional_outputs=1,
    formula=_kernel_gradient,
)


class Encoding(NamedTuple):
    """How numbers were encoded: what a product with the result is computed from (`linear`).

    Attributes
    ----------
    x : Tensor, shape (..., F)
        The numbers.
    bins : list of Tensor
        The lower ends and the slopes of all bins, and how many each column has.
    keep : int
        1: the result begins with x.
    scale : Tensor, shape (T,) or (F + T,)
        What the entries of the result were multiplied by.
    """

    x: Tensor
    bins: list
    keep: int
    scale: Tensor

    def scaled(self, scale):
        """Of the result times a number for each column."""
        return self._replace(scale=multiply(self.scale, scale))

    def product(self, kernel, bias=None):
        """The rows times a kernel, and a bias or None."""
        given = [self.x, kernel, self.scale, *self.bins, *([] if bias is None else [bias])]
        return call("encoded_linear", given, keep=self.keep)


class Joined(NamedTuple):
    """How encoded numbers, and other columns behind them, are read.

    Attributes
    ----------
    encoding : Encoding
    others : Tensor
    """

    encoding: Encoding
    others: Tensor

    def scaled(self, scale):
        """As of an Encoding."""
        count = self.encoding.scale.shape[0]
        parts = self.encoding.scaled(scale[:count]), multiply(self.others, scale[count:])
        return Joined(*parts)

    def product(self, kernel, bias=None):
        """As of an Encoding."""
        count = self.encoding.scale.shape[0]
        found = self.encoding.product(kernel[:count], bias)
        return found + linear(self.others, kernel[count:])


def scaled(x, scale):
    """x times a number for each column. What reads an encoding knows of it."""
    (scale,) = operands(scale)
    y = multiply(x, scale)
    y.encoding = x.encoding and x.encoding.scaled(scale)
    return y


def joined(parts):
    """Columns side by side, of which the first may be encoded numbers; a product knows of them."""
    y, encoding = concatenate(parts, axis=-1), parts[0].encoding
    if encoding is not None:
        others = parts[1] if len(parts) == 2 else concatenate(parts[1:], axis=-1)
        y.encoding = Joined(encoding, others)
    return y


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
    if config.by_bins():
        y.encoding = Encoding(given[0], given[1:], kept, *operands(np.ones(y.shape[-1])))
    if scale == 1:
        return y
    return scaled(y, np.repeat([1.0, scale], [kept * len(found), len(lower)]))
