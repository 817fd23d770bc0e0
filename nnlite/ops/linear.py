"""Matrix products: `linear` computes a Dense layer, `matmul` its gradients."""

import math

from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import Tensor
from nnlite.ops.activation import KINDS, activation_gradient
from nnlite.ops.elementwise import multiply
from nnlite.ops.operands import call, flag, number, operands
from nnlite.ops.reduce import sum, sum_to
from nnlite.ops.shape import reshape


def _infer_matmul(a, b, transpose_a, transpose_b):
    if len(a) != 2 or len(b) != 2:
        raise ValueError(f"matmul: expected two matrices, got shapes {a} and {b}")
    (m, k), (k2, n) = (a[::-1] if transpose_a else a), (b[::-1] if transpose_b else b)
    if k != k2:
        raise ValueError(
            f"matmul: expected inner sizes that agree, got {k} and {k2} (shapes {a} and {b})"
        )
    return [(m, n)]


def _matmul_gradient(c, dy, need):
    a, b = c.inputs
    ta, tb = bool(c.attrs["transpose_a"]), bool(c.attrs["transpose_b"])
    da = db = None
    if need[0]:
        da = matmul(b, dy, tb, True) if ta else matmul(dy, b, False, not tb)
    if need[1]:
        db = matmul(dy, a, True, ta) if tb else matmul(a, dy, not ta, False)
    return [da, db]


def _matmul_work(inputs, outputs):
    (a, b), (c,) = inputs, outputs
    return round(math.sqrt(math.prod(a) * math.prod(b) * math.prod(c)))  # M K, K N and M N


Op(
    "matmul",
    infer=_infer_matmul,
    gradient=_matmul_gradient,
    attrs={"transpose_a": int, "transpose_b": int},
    work=_matmul_work,
    fuses="producer",
)


def matmul(x1, x2, transpose_a=False, transpose_b=False):
    """The product of two matrices, or of stacks of them: `x1 @ x2`.

    Parameters
    ----------
    x1 : tensor, shape (..., M, K), or (K, M) if `transpose_a`; a vector (K,) counts as one row
    x2 : tensor, shape (..., K, N), or (N, K) if `transpose_b`; a vector (K,) counts as one column
    transpose_a, transpose_b : bool, default False
        Whether to transpose `x1`, or `x2`, before the product.

    Returns
    -------
    Tensor, shape (..., M, N)
        Without the row, or the column, of a vector.
    """
    x1, x2 = operands(x1, x2)
    if x1.ndim == x2.ndim == 2:
        attrs = {
            "transpose_a": flag("transpose_a", transpose_a),
            "transpose_b": flag("transpose_b", transpose_b),
        }
        return call("matmul", [x1, x2], **attrs)
    if flag("transpose_a", transpose_a) or flag("transpose_b", transpose_b):
        raise ValueError(
            f"matmul: expected two matrices to transpose, got shapes {x1.shape} and {x2.shape}"
        )
    if x1.ndim == 1 and x2.ndim:
        y = matmul(reshape(x1, (1, -1)), x2)
        return reshape(y, (*y.shape[:-2], *y.shape[-1:]) if x2.ndim > 1 else ())
    if x2.ndim == 1 and x1.ndim:
        y = matmul(x1, reshape(x2, (-1, 1)))
        return reshape(y, y.shape[:-1])
    if min(x1.ndim, x2.ndim) < 2 or x1.shape[-1] != x2.shape[-2]:
        raise ValueError(
            "matmul: expected inner sizes that agree, as of (..., M, K) and (..., K, N), "
            f"got shapes {x1.shape} and {x2.shape}"
        )
    if x2.ndim == 2:
        return linear(x1, x2)
    rows, columns = reshape(x1, (*x1.shape, 1)), reshape(x2, (*x2.shape[:-2], 1, *x2.shape[-2:]))
    return sum(multiply(rows, columns), axis=-2)


Tensor.__matmul__ = lambda self, other: matmul(self, other)
Tensor.__rmatmul__ = lambda self, other: matmul(other, self)


def _infer_linear(x, w, b=None, **_):
    if len(x) < 2:
        raise ValueError(
            f"expected an input of at least 2 dimensions (rows, features), got shape {x}"
        )
    if len(w) != 2:
        raise ValueError(f"expected a kernel of 2 axes, got shape {w}")
    if x[-1] != w[0]:
        raise ValueError(f"expected an input of {w[0]} features on its last axis, got shape {x}")
    if b is not None and b != (w[1],):
        raise ValueError(f"expected a bias of shape {(w[1],)}, got {b}")
    return [(*x[:-1], w[1])]


def _linear_gradient(c, dy, need):
    (x, w, *_), (y,) = c.inputs, c.outputs
    dz = activation_gradient(dy, y, **c.attrs)
    rows, dz2 = reshape(x, (-1, w.shape[0])), reshape(dz, (-1, w.shape[1]))
    dx = reshape(matmul(dz2, w, transpose_b=True), x.shape) if need[0] else None
    dw = matmul(rows, dz2, transpose_a=True) if need[1] else None
    db = [sum_to(dz2, w.shape[1:]) if need[2] else None] if len(need) == 3 else []
    return [dx, dw, *db]


def _linear_work(inputs, outputs):
    return math.prod(inputs[0]) * inputs[1][1]


Op(
    "linear",
    infer=_infer_linear,
    gradient=_linear_gradient,
    work=_linear_work,
    attrs={"kind": int, "alpha": float},
)


def linear(x, kernel, bias=None, activation="linear", alpha=0.0):
    """activation(x @ kernel + bias), in one pass over the result.

    Parameters
    ----------
    x : tensor, shape (..., C), at least 2 dimensions
    kernel : tensor, shape (C, U)
    bias : tensor of shape (U,), optional
    activation : str, default 'linear'
        As for `conv2d`.
    alpha : float, default 0.0
        Parameter of the activation, e.g. the slope of 'leaky_relu' below 0.

    Returns
    -------
    Tensor, shape (..., U)
    """
    if not isinstance(activation, str) or activation not in KINDS:
        raise ValueError(
            f"linear: expected an activation of {', '.join(KINDS)}, got {activation!r}"
        )
    given = [x, kernel] if bias is None else [x, kernel, bias]
    kind, alpha = KINDS[activation], number("alpha", alpha)
    return call("linear", operands(*given), kind=kind, alpha=alpha)
