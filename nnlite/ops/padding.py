"""Margins of images: zeros around, or a part."""

from nnlite.checks import LARGEST_SIZE, is_number
from nnlite.engine.dispatch import Op
from nnlite.ops.image_batches import as_batch
from nnlite.ops.operands import call, operands
from nnlite.ops.windows import check_images


def _pad_gradient(c, dy, need):
    top, left = c.attrs["top"], c.attrs["left"]
    return [call("pad2d", [dy], top=-top, left=-left, size=c.inputs[0].shape[1:3])]


Op(
    "pad2d",
    infer=lambda x, size, **_: [(x[0], *size, x[3])],
    gradient=_pad_gradient,
    attrs={"top": int, "left": int, "size": None},
    by_sample=(0,),
)


def pad2d(x, padding):
    """Add zeros around each image.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    padding : ((top, bottom), (left, right)) of int
        Rows and columns to add; negative numbers remove them.

    Returns
    -------
    Tensor, shape (N, H + top + bottom, W + left + right, C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.pad2d(ops.ones((1, 1, 1, 1)), ((0, 1), (1, 0))).numpy().reshape(2, 2)
    array([[0., 1.],
           [0., 0.]], dtype=float32)
    """
    (x,) = operands(x)
    check_images(x.shape)
    rows = padding if isinstance(padding, (tuple, list)) and len(padding) == 2 else [padding]
    pairs = [(*p,) for p in rows if isinstance(p, (tuple, list)) and len(p) == 2]
    if len(pairs) != 2 or not all(is_number(n) and n % 1 == 0 for p in pairs for n in p):
        raise ValueError(
            f"padding: expected ((top, bottom), (left, right)), integers, got {padding!r}"
        )
    if any(abs(n) > LARGEST_SIZE for p in pairs for n in p):
        raise ValueError(f"padding: expected numbers below 2**31, got {padding!r}")
    (top, bottom), (left, right) = ((int(n) for n in p) for p in pairs)
    size = (x.shape[1] + top + bottom, x.shape[2] + left + right)
    if min(size) < 0:
        raise ValueError(
            f"expected something to be left of an image of shape {x.shape}, got padding {padding}"
        )
    return call("pad2d", [x], top=top, left=left, size=size)


_HEIGHT, _WIDTH = ("top", "bottom", "height"), ("left", "right", "width")


def pad_images(
    images,
    top_padding=None,
    left_padding=None,
    bottom_padding=None,
    right_padding=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Add zeros around images.

    Parameters
    ----------
    images : tensor, shape (N, H, W, C) or (H, W, C)
    top_padding, bottom_padding, target_height : int, optional
        Rows to add above and below, and rows of the result: two of the three.
    left_padding, right_padding, target_width : int, optional
        The same of columns.
    data_format : {'channels_last', 'channels_first'}, optional

    Returns
    -------
    Tensor, shape (N, target_height, target_width, C) or (target_height, target_width, C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.image.pad_images(ops.ones((2, 4, 4, 3)), 1, 1, target_height=8, target_width=9).shape
    (2, 8, 9, 3)
    """
    x, back = as_batch(images, data_format)
    margins = [
        _margins("padding", names, given, target, size)
        for names, given, target, size in (
            (_HEIGHT, (top_padding, bottom_padding), target_height, x.shape[1]),
            (_WIDTH, (left_padding, right_padding), target_width, x.shape[2]),
        )
    ]
    return back(pad2d(x, margins))


def crop_images(
    images,
    top_cropping=None,
    left_cropping=None,
    bottom_cropping=None,
    right_cropping=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Take a part of images.

    Parameters
    ----------
    images : tensor, shape (N, H, W, C) or (H, W, C)
    top_cropping, bottom_cropping, target_height : int, optional
        Rows to take off above and below, and rows of the result: two of the three.
    left_cropping, right_cropping, target_width : int, optional
        The same of columns.
    data_format : {'channels_last', 'channels_first'}, optional

    Returns
    -------
    Tensor, shape (N, target_height, target_width, C) or (target_height, target_width, C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.image.crop_images(ops.ones((2, 8, 9, 3)), 1, 1, target_height=4, target_width=4).shape
    (2, 4, 4, 3)
    """
    x, back = as_batch(images, data_format)
    rows, columns = (
        _margins("cropping", names, given, target, size)
        for names, given, target, size in (
            (
                ("top", "bottom", "height"),
                (top_cropping, bottom_cropping),
                target_height,
                x.shape[1],
            ),
            (("left", "right", "width"), (left_cropping, right_cropping), target_width, x.shape[2]),
        )
    )
    return back(pad2d(x, [[-n for n in side] for side in (rows, columns)]))


def _margins(what, names, given, target, size):
    """What is added or taken off before and after an axis of a size, from two of three numbers."""
    before, after, side = names
    numbers = {f"{before}_{what}": given[0], f"{after}_{what}": given[1], f"target_{side}": target}
    if sum(n is None for n in numbers.values()) != 1:
        raise ValueError(f"expected exactly two of {', '.join(numbers)}, got {numbers}")
    for name, n in numbers.items():
        if n is not None and (not is_number(n, f"[0, {LARGEST_SIZE}]") or n % 1):
            raise ValueError(f"{name}: expected an integer of at least 0, got {n!r}")
    sign = 1 if what == "padding" else -1
    first, last = (None if n is None else int(n) for n in given)
    rest = None if target is None else sign * (int(target) - size)
    first = rest - last if first is None else first
    last = rest - first if last is None else last
    if min(first, last) < 0 or size + sign * (first + last) < 0:
        raise ValueError(f"expected a {what} of at least 0 for {size} pixels, got {numbers}")
    return first, last
