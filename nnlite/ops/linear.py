"""Matrix products: `linear` computes a Dense layer, `matmul` its gradients."""

import math

from numpy import broadcast_shapes

from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import Tensor
from nnlite.ops.activation import KINDS, activation_gradient
from nnlite.ops.operands import call, flag, number, operands
from nnlite.ops.reduce import sum_to
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


def _infer_batch_matmul(a, b, transpose_a, transpose_b):
    try:
        leading = broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        raise ValueError(
            f"matmul: expected leading axes that broadcast, got shapes {a} and {b}"
        ) from None
    return [(*leading, *_infer_matmul(a[-2:], b[-2:], transpose_a, transpose_b)[0])]


def _batch_matmul_work(inputs, outputs):
    a, b, (*leading, m, n) = *inputs, *outputs
    return math.prod(leading) * _matmul_work([a[-2:], b[-2:]], [(m, n)])


# autodiff.gradients sums a gradient over the axes that were broadcast.
Op(
    "batch_matmul",
    infer=_infer_batch_matmul,
    gradient=_matmul_gradient,
    attrs={"transpose_a": int, "transpose_b": int},
    work=_batch_matmul_work,
)


def matmul(x1, x2, transpose_a=False, transpose_b=False):
    """The product of two matrices, or of stacks of them: `x1 @ x2`.

    Parameters
    ----------
    x1 : tensor, shape (..., M, K), or (..., K, M) if `transpose_a`; a vector (K,) counts as one row
    x2 : tensor, shape (..., K, N), or (..., N, K) if `transpose_b`; a vector (K,) counts as one
        column
    transpose_a, transpose_b : bool, default False
        Whether to transpose each matrix of `x1`, or of `x2`, before the product.

    Returns
    -------
    Tensor, shape (..., M, N)
        The leading axes of both broadcast. Without the row, or the column, of a vector.

    Raises
    ------
    ValueError
        If the inner sizes differ, or the leading axes do not broadcast.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.matmul(ops.ones((5, 1, 2, 3)), ops.ones((4, 6, 3)), transpose_b=True).shape
    (5, 4, 2, 6)
    """
    x1, x2 = operands(x1, x2)
    attrs = {
        "transpose_a": flag("transpose_a", transpose_a),
        "transpose_b": flag("transpose_b", transpose_b),
    }
    if x1.ndim == x2.ndim == 2:
        return call("matmul", [x1, x2], **attrs)
    if x1.ndim == 1 and x2.ndim:
        y = matmul(reshape(x1, (1, -1)), x2, transpose_b=transpose_b)
        return reshape(y, (*y.shape[:-2], *y.shape[-1:]) if x2.ndim > 1 else ())
    if x2.ndim == 1 and x1.ndim:
        y = matmul(x1, reshape(x2, (-1, 1)), transpose_a=transpose_a)
        return reshape(y, y.shape[:-1])
    if min(x1.ndim, x2.ndim) < 2:
        raise ValueError(
            "matmul: expected inner sizes that agree, as of (..., M, K) and (..., K, N), "
            f"got shapes {x1.shape} and {x2.shape}"
        )
    if x2.ndim == 2 and not attrs["transpose_a"]:  # one product of all rows
        _infer_matmul(x1.shape[-2:], x2.shape, **attrs)
        rows = reshape(x1, (math.prod(x1.shape[:-1]), x1.shape[-1]))
        y = matmul(rows, x2, False, transpose_b)
        return reshape(y, (*x1.shape[:-1], y.shape[-1]))
    return call("batch_matmul", [x1, x2], **attrs)


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


def _infer_pack_kernel(w, *columns, groups, panel):
    panels = groups * -(-w[-1] // groups // panel)
    return [(*w[:-1], panels * panel), (w[-1],)][: 1 + (len(columns) == 3)]


PACK_KERNEL = Op(
    "pack_kernel",
    infer=_infer_pack_kernel,
    attrs={"groups": int, "panel": None},
    outputs=("real", "real"),
)
Op(
    "linear",
    infer=_infer_linear,
    gradient=_linear_gradient,
    work=_linear_work,
    attrs={"kind": int, "alpha": float},
    absorbs=("activation",),
    packs=(PACK_KERNEL, "linear_packed", 64),
)
Op(
    "linear_packed",
    infer=lambda x, packed, *b, features, **_: [(*x[:-1], features)],
    work=_linear_work,
    attrs={"kind": int, "alpha": float, "features": None},
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
    given = operands(*([x, kernel] if bias is None else [x, kernel, bias]))
    kind, alpha = KINDS[activation], number("alpha", alpha)
    if given[0].encoding is not None:
        _infer_linear(*(t.shape for t in given))
        y = given[0].encoding.product(*given[1:])
        return y if kind == 0 else call("activation", [y], kind=kind, alpha=alpha)
    return call("linear", given, kind=kind, alpha=alpha)
