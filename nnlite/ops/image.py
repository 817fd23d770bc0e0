"""Images (N, height, width, channels) made larger or smaller without arithmetic."""

from nnlite.dispatch import Op
from nnlite.ops.operands import call, operands
from nnlite.ops.pool import pair
from nnlite.ops.shape import broadcast_to, reshape


def _pad_gradient(c, dy, need):
    top, left = c.attrs["top"], c.attrs["left"]
    return [call("pad2d", [dy], top=-top, left=-left, size=c.inputs[0].shape[1:3])]


Op(
    "pad2d",
    infer=lambda x, size, **_: [(x[0], *size, x[3])],
    gradient=_pad_gradient,
    attrs={"top": int, "left": int, "size": None},
)


def _images(x):
    (x,) = operands(x)
    if x.ndim != 4:
        raise ValueError(
            f"expected images of shape (N, height, width, channels), got shape {x.shape}"
        )
    return x


def pad2d(x, padding):
    """Zeros around each image.

    Parameters
    ----------
    x : tensor, shape (N, height, width, channels)
    padding : ((top, bottom), (left, right))
        Rows and columns to add; negative numbers cut them off.

    Returns
    -------
    Tensor, shape (N, height + top + bottom, width + left + right, channels)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.pad2d(ops.ones((1, 1, 1, 1)), ((0, 1), (1, 0))).numpy().reshape(2, 2)
    array([[0., 1.],
           [0., 0.]], dtype=float32)
    """
    x = _images(x)
    (top, bottom), (left, right) = padding
    size = (x.shape[1] + top + bottom, x.shape[2] + left + right)
    if min(size) < 0:
        raise ValueError(
            f"expected something to be left of an image of shape {x.shape}, got padding {padding}"
        )
    return call("pad2d", [x], top=top, left=left, size=size)


def upsample2d(x, size=(2, 2)):
    """Each pixel repeated.

    Parameters
    ----------
    x : tensor, shape (N, height, width, channels)
    size : int or pair of int, default (2, 2)
        How often, down and to the right.

    Returns
    -------
    Tensor, shape (N, height * size[0], width * size[1], channels)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.upsample2d([[[[1.0], [2.0]]]], (1, 2)).numpy().ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """
    x = _images(x)
    down, right = pair(size, "size")
    n, height, width, channels = x.shape
    spread = broadcast_to(
        reshape(x, (n, height, 1, width, 1, channels)), (n, height, down, width, right, channels)
    )
    return reshape(spread, (n, height * down, width * right, channels))
