"""Layers that make images larger without arithmetic."""

import numbers

from nnlite import ops
from nnlite.layers.layer import Layer
from nnlite.layers.pooling import check_data_format


def _margins(padding):
    """((top, bottom), (left, right)) from an int, a pair of int, or that itself."""
    both = padding if isinstance(padding, (tuple, list)) else (padding, padding)
    sides = [n if isinstance(n, (tuple, list)) else (n, n) for n in both]
    numbers_given = [n for side in sides for n in side]
    if (
        len(sides) != 2
        or len(numbers_given) != 4
        or any(len(side) != 2 for side in sides)
        or not all(isinstance(n, numbers.Integral) and n >= 0 for n in numbers_given)
    ):
        raise ValueError(
            "expected padding to be an int of at least 0, a pair of them or a pair of pairs, "
            f"got {padding!r}"
        )
    return tuple((int(a), int(b)) for a, b in sides)


class ZeroPadding2D(Layer):
    """Zeros around each image.

    Parameters
    ----------
    padding : int, pair of int, or ((top, bottom), (left, right)), default (1, 1)
        Rows above and below, columns to the left and to the right.
    data_format : {'channels_last'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, height, width, channels), output (N, height + top + bottom, width + left + right,
    channels).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.ZeroPadding2D(((1, 0), (2, 2)))(nnlite.ones((1, 5, 5, 3))).shape
    (1, 6, 9, 3)
    """

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.padding, self.data_format = padding, data_format

    def build(self, input_shape):
        check_data_format(self.data_format)
        self._sides = _margins(self.padding)

    def call(self, inputs):
        return ops.pad2d(inputs, self._sides)


class UpSampling2D(Layer):
    """Each pixel repeated.

    Parameters
    ----------
    size : int or pair of int, default (2, 2)
        How often, down and to the right.
    data_format : {'channels_last'}, optional
    interpolation : {'nearest'}, default 'nearest'
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, height, width, channels), output (N, height * size[0], width * size[1], channels).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.UpSampling2D(2)(nnlite.ones((1, 5, 5, 3))).shape
    (1, 10, 10, 3)
    """

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(**kwargs)
        self.size, self.data_format, self.interpolation = size, data_format, interpolation

    def build(self, input_shape):
        check_data_format(self.data_format)
        if self.interpolation != "nearest":
            raise ValueError(f"expected interpolation 'nearest', got {self.interpolation!r}")

    def call(self, inputs):
        return ops.upsample2d(inputs, self.size)
