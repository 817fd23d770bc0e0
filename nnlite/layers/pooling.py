"""Pooling layers: one value from each window, or from each channel, of sequences, images and
volumes."""

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.masking import steps_mask
from nnlite.layers.spatial import Images, Sequences, SpatialLayer, Volumes


class _Pooling(SpatialLayer):
    """Base of the layers that take one value from each window."""

    _legal = {"padding": settings.padding}

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.pool_size, self.strides, self.padding = pool_size, strides, padding

    def call(self, inputs):
        window = self.pool_size, self.strides, self.padding
        return self._pool(inputs, *window, data_format=self.data_format)


class _MaxPooling(_Pooling):
    _pool = staticmethod(ops.max_pool)


class _AveragePooling(_Pooling):
    _pool = staticmethod(ops.average_pool)


class _GlobalPooling(SpatialLayer):
    """Base of the layers that take one value from each channel."""

    _legal = {"keepdims": "bool"}

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims

    def call(self, inputs):
        x, back = ops.channels_last(type(self).__name__, inputs, self.data_format)
        y = self._reduce(x, tuple(range(1, self.rank + 1)), self.keepdims)
        return back(y) if self.keepdims else y


class _GlobalAveragePooling(_GlobalPooling):
    _reduce = staticmethod(ops.mean)


class _GlobalMaxPooling(_GlobalPooling):
    _reduce = staticmethod(ops.max)


class MaxPooling1D(Sequences, _MaxPooling):
    """The largest value of each window.

    Parameters
    ----------
    pool_size : int, default 2
        Length of a window, in steps.
    strides : int, optional
        Distance of neighbouring windows, in steps; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        - 'valid': windows lie within the sequence: (T - pool_size) // stride + 1 of them.
        - 'same': ceil(T / stride) windows. Nothing outside the sequence is counted.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, windows, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.MaxPooling1D(2)(nnlite.ones((1, 5, 3))).shape
    (1, 2, 3)
    """

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class MaxPooling2D(Images, _MaxPooling):
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
    data_format : {'channels_last', 'channels_first'}, optional
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

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class MaxPooling3D(Volumes, _MaxPooling):
    """The largest value of each window of volumes.

    Parameters
    ----------
    pool_size : int or (int, int, int), default (2, 2, 2)
        Depth, height and width of a window.
    strides : int or (int, int, int), optional
        Distance of neighbouring windows along each axis; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        As for `MaxPooling2D`.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output (N, OD, OH, OW, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.MaxPooling3D(2)(nnlite.ones((1, 5, 5, 8, 3))).shape
    (1, 2, 2, 4, 3)
    """

    def __init__(
        self, pool_size=(2, 2, 2), strides=None, padding="valid", data_format=None, **kwargs
    ):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling1D(Sequences, _AveragePooling):
    """The mean of each window. Nothing outside the sequence is counted.

    Parameters
    ----------
    pool_size : int, default 2
        Length of a window, in steps.
    strides : int, optional
        Distance of neighbouring windows, in steps; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        As for `MaxPooling1D`.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, windows, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AveragePooling1D(2, padding="same")(nnlite.ones((1, 5, 3))).shape
    (1, 3, 3)
    """

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling2D(Images, _AveragePooling):
    """The mean of each window. Pixels outside the image are not counted.

    Parameters
    ----------
    pool_size : int or (int, int), default (2, 2)
        Height and width of a window, in pixels.
    strides : int or (int, int), optional
        Distance of neighbouring windows, in pixels; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        As for `MaxPooling2D`.
    data_format : {'channels_last', 'channels_first'}, optional
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

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling3D(Volumes, _AveragePooling):
    """The mean of each window of volumes. Nothing outside the volume is counted.

    Parameters
    ----------
    pool_size : int or (int, int, int), default (2, 2, 2)
        Depth, height and width of a window.
    strides : int or (int, int, int), optional
        Distance of neighbouring windows along each axis; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        As for `MaxPooling2D`.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output (N, OD, OH, OW, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AveragePooling3D(2)(nnlite.ones((1, 5, 5, 8, 3))).shape
    (1, 2, 2, 4, 3)
    """

    def __init__(
        self, pool_size=(2, 2, 2), strides=None, padding="valid", data_format=None, **kwargs
    ):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class GlobalAveragePooling1D(Sequences, _GlobalAveragePooling):
    """The mean of each channel of a sequence, over the steps that count.

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}, optional
    keepdims : bool, default False
        Whether the result keeps the axis of steps, with size 1.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, C), or (N, 1, C) with `keepdims`. Of a sequence without
    a step that counts, the mean is NaN.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.GlobalAveragePooling1D()(nnlite.ones((2, 5, 3))).shape
    (2, 3)
    """

    supports_masking = True

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def call(self, inputs, mask=None):
        if mask is None:
            return super().call(inputs)
        steps = [n for d, n in enumerate(inputs.shape) if d != self._channels_axis]
        on = ops.expand_dims(steps_mask(mask, steps, inputs), self._channels_axis)
        total = ops.sum(ops.where(on, inputs, 0.0), self._other_axes, self.keepdims)
        return total / ops.sum(on, self._other_axes, self.keepdims)


class GlobalAveragePooling2D(Images, _GlobalAveragePooling):
    """The mean of each channel of an image.

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}, optional
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


class GlobalAveragePooling3D(Volumes, _GlobalAveragePooling):
    """The mean of each channel of a volume.

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}, optional
    keepdims : bool, default False
        Whether the result keeps the axes of depth, height and width, with size 1.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output (N, C), or (N, 1, 1, 1, C) with `keepdims`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.GlobalAveragePooling3D()(nnlite.ones((2, 5, 5, 5, 3))).shape
    (2, 3)
    """


class GlobalMaxPooling1D(Sequences, _GlobalMaxPooling):
    """The largest value of each channel of a sequence.

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}, optional
    keepdims : bool, default False
        Whether the result keeps the axis of steps, with size 1.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, C), or (N, 1, C) with `keepdims`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.GlobalMaxPooling1D(keepdims=True)(nnlite.ones((2, 5, 3))).shape
    (2, 1, 3)
    """


class GlobalMaxPooling2D(Images, _GlobalMaxPooling):
    """The largest value of each channel of an image.

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}, optional
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


class GlobalMaxPooling3D(Volumes, _GlobalMaxPooling):
    """The largest value of each channel of a volume.

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}, optional
    keepdims : bool, default False
        Whether the result keeps the axes of depth, height and width, with size 1.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output (N, C), or (N, 1, 1, 1, C) with `keepdims`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.GlobalMaxPooling3D(keepdims=True)(nnlite.ones((2, 5, 5, 5, 3))).shape
    (2, 1, 1, 1, 3)
    """


MaxPool1D, AvgPool1D = MaxPooling1D, AveragePooling1D
MaxPool2D, AvgPool2D = MaxPooling2D, AveragePooling2D
MaxPool3D, AvgPool3D = MaxPooling3D, AveragePooling3D
GlobalAvgPool1D, GlobalMaxPool1D = GlobalAveragePooling1D, GlobalMaxPooling1D
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D
GlobalAvgPool3D, GlobalMaxPool3D = GlobalAveragePooling3D, GlobalMaxPooling3D
