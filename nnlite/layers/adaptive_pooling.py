"""Layers that pool to a size, whatever that of their input is."""

from nnlite import ops
from nnlite.layers.spatial import Images, Sequences, SpatialLayer, Volumes


class _AdaptivePooling(SpatialLayer):
    """Base of the layers that take one value from each window, of a given number of them."""

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.output_size = output_size

    def call(self, inputs):
        return self._pool(inputs, self.output_size, self.data_format)


class _AdaptiveAveragePooling(_AdaptivePooling):
    _pool = staticmethod(ops.adaptive_average_pool)


class _AdaptiveMaxPooling(_AdaptivePooling):
    _pool = staticmethod(ops.adaptive_max_pool)


class AdaptiveAveragePooling1D(Sequences, _AdaptiveAveragePooling):
    """The mean of each of a given number of windows of a sequence.

    Parameters
    ----------
    output_size : int
        The number of windows.
        Of m along an axis of size n, window i holds the entries from floor(i n / m) to
        ceil((i + 1) n / m), the last one not included.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, output_size, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AdaptiveAveragePooling1D(4)(nnlite.ones((2, 7, 3))).shape
    (2, 4, 3)
    """


class AdaptiveAveragePooling2D(Images, _AdaptiveAveragePooling):
    """The mean of each of a given number of windows of an image.

    Parameters
    ----------
    output_size : int or (int, int)
        The numbers of windows along height and width.
        Of m along an axis of size n, window i holds the entries from floor(i n / m) to
        ceil((i + 1) n / m), the last one not included.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, *output_size, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AdaptiveAveragePooling2D(4)(nnlite.ones((2, 7, 9, 3))).shape
    (2, 4, 4, 3)
    """


class AdaptiveAveragePooling3D(Volumes, _AdaptiveAveragePooling):
    """The mean of each of a given number of windows of a volume.

    Parameters
    ----------
    output_size : int or (int, int, int)
        The numbers of windows along depth, height and width.
        Of m along an axis of size n, window i holds the entries from floor(i n / m) to
        ceil((i + 1) n / m), the last one not included.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output (N, *output_size, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AdaptiveAveragePooling3D(4)(nnlite.ones((2, 5, 7, 9, 3))).shape
    (2, 4, 4, 4, 3)
    """


class AdaptiveMaxPooling1D(Sequences, _AdaptiveMaxPooling):
    """The largest value of each of a given number of windows of a sequence.

    Parameters
    ----------
    output_size : int
        The number of windows.
        Of m along an axis of size n, window i holds the entries from floor(i n / m) to
        ceil((i + 1) n / m), the last one not included.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, output_size, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AdaptiveMaxPooling1D(4)(nnlite.ones((2, 7, 3))).shape
    (2, 4, 3)
    """


class AdaptiveMaxPooling2D(Images, _AdaptiveMaxPooling):
    """The largest value of each of a given number of windows of an image.

    Parameters
    ----------
    output_size : int or (int, int)
        The numbers of windows along height and width.
        Of m along an axis of size n, window i holds the entries from floor(i n / m) to
        ceil((i + 1) n / m), the last one not included.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, *output_size, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AdaptiveMaxPooling2D(4)(nnlite.ones((2, 7, 9, 3))).shape
    (2, 4, 4, 3)
    """


class AdaptiveMaxPooling3D(Volumes, _AdaptiveMaxPooling):
    """The largest value of each of a given number of windows of a volume.

    Parameters
    ----------
    output_size : int or (int, int, int)
        The numbers of windows along depth, height and width.
        Of m along an axis of size n, window i holds the entries from floor(i n / m) to
        ceil((i + 1) n / m), the last one not included.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output (N, *output_size, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AdaptiveMaxPooling3D(4)(nnlite.ones((2, 5, 7, 9, 3))).shape
    (2, 4, 4, 4, 3)
    """
