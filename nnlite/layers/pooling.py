"""Pooling layers: one value from each window of an image, or from each channel."""

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.images import ImageLayer
from nnlite.ops.windows import pair


class _Pooling2D(ImageLayer):
    """Base of the layers that take one value from each window."""

    _legal = {"pool_size": pair, "strides": pair, "padding": settings.padding}

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.pool_size, self.strides, self.padding = pool_size, strides, padding

    def call(self, inputs):
        return self._pool(inputs, self.pool_size, self.strides, self.padding)


class MaxPooling2D(_Pooling2D):
    """The largest value of each window.

    Parameters
    ----------
    pool_size : int or (int, int), default (2, 2)
        Height and width of a window, in pixels.
    strides : int or (int, int), optional
        Distance of neighbouring windows, in pixels; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        - 'valid': windows lie within the image: (n - pool) // stride + 1 along an axis of size n.
        - 'same': ceil(n / stride) windows. Pixels outside the image are not counted.
    data_format : {'channels_last'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.MaxPooling2D(2)(nnlite.ones((1, 5, 5, 3))).shape
    (1, 2, 2, 3)
    """

    _pool = staticmethod(ops.max_pool2d)


class AveragePooling2D(_Pooling2D):
    """The mean of each window. Pixels outside the image are not counted.

    Parameters
    ----------
    pool_size : int or (int, int), default (2, 2)
        Height and width of a window, in pixels.
    strides : int or (int, int), optional
        Distance of neighbouring windows, in pixels; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        As for `MaxPooling2D`.
    data_format : {'channels_last'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AveragePooling2D(2, padding="same")(nnlite.ones((1, 5, 5, 3))).shape
    (1, 3, 3, 3)
    """

    _pool = staticmethod(ops.average_pool2d)


class _GlobalPooling2D(ImageLayer):
    """Base of the layers that take one value from each channel of an image."""

    _legal = {"keepdims": "bool"}

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims

    def call(self, inputs):
        return self._reduce(inputs, (1, 2), self.keepdims)


class GlobalAveragePooling2D(_GlobalPooling2D):
    """The mean of each channel of an image.

    Parameters
    ----------
    data_format : {'channels_last'}, optional
    keepdims : bool, default False
        Whether the result keeps the axes of height and width, with size 1.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, C), or (N, 1, 1, C) with `keepdims`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.GlobalAveragePooling2D()(nnlite.ones((2, 5, 5, 3))).shape
    (2, 3)
    """

    _reduce = staticmethod(ops.mean)


class GlobalMaxPooling2D(_GlobalPooling2D):
    """The largest value of each channel of an image.

    Parameters
    ----------
    data_format : {'channels_last'}, optional
    keepdims : bool, default False
        Whether the result keeps the axes of height and width, with size 1.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, C), or (N, 1, 1, C) with `keepdims`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.GlobalMaxPooling2D(keepdims=True)(nnlite.ones((2, 5, 5, 3))).shape
    (2, 1, 1, 3)
    """

    _reduce = staticmethod(ops.max)


MaxPool2D, AvgPool2D = MaxPooling2D, AveragePooling2D
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D
