"""Layers that pad, crop, repeat or reorder elements, without arithmetic."""

from nnlite import ops
from nnlite.checks import positive_int
from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.layers.spatial import Images, Sequences, SpatialLayer, Volumes
from nnlite.ops.resampling import INTERPOLATIONS
from nnlite.ops.windows import sizes


class _ZeroPadding(SpatialLayer):
    def __init__(self, padding, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.padding = padding

    def build(self, input_shape):
        self._sides = settings.margins("padding", self.padding, self.rank)

    def call(self, inputs):
        return ops.pad_edges(inputs, self._sides, self.data_format)


class ZeroPadding1D(Sequences, _ZeroPadding):
    """Add zeros before and after each sequence.

    Parameters
    ----------
    padding : int or (before, after), default 1
        The number of steps to add.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, before + T + after, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.ZeroPadding1D((1, 0))([[[2.0], [3.0]]]).numpy().ravel()
    array([0., 2., 3.], dtype=float32)
    """

    _legal = {"padding": settings.ends}

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding2D(Images, _ZeroPadding):
    """Add zeros around each image.

    Parameters
    ----------
    padding : int, (int, int), or ((top, bottom), (left, right)), default (1, 1)
        The number of rows to add above and below, and of columns to the left and to the right.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, H + top + bottom, W + left + right, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.ZeroPadding2D(((1, 0), (2, 2)))(nnlite.ones((1, 5, 5, 3))).shape
    (1, 6, 9, 3)
    """

    _legal = {"padding": settings.margins}

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding3D(Volumes, _ZeroPadding):
    """Add zeros around each volume.

    Parameters
    ----------
    padding : int, (int, int, int), or three (before, after), default ((1, 1), (1, 1), (1, 1))
        The number of slices, rows and columns to add at both ends, or before and after.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output the same with each axis as much longer as was added.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.ZeroPadding3D(((1, 0), (2, 2), (0, 0)))
    >>> layer(nnlite.ones((1, 5, 5, 5, 3))).shape
    (1, 6, 9, 5, 3)
    """

    _legal = {"padding": settings.margins_of_volumes}

    def __init__(self, padding=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(padding, data_format, **kwargs)


class _Cropping(Layer):
    def __init__(self, cropping, **kwargs):
        super().__init__(**kwargs)
        self.cropping = cropping

    def build(self, input_shape):
        self._sides = settings.margins("cropping", self.cropping, self.rank)

    def call(self, inputs):
        here = [inputs.shape[d] for d in self._other_axes]
        if any(n <= sum(cut) for n, cut in zip(here, self._sides)):
            raise ValueError(
                "expected inputs of which something is left after cropping "
                f"{self._sides}, got shape {inputs.shape}"
            )
        edges = tuple((-a, -b) for a, b in self._sides)
        return ops.pad_edges(inputs, edges, self.data_format)


class Cropping1D(Sequences, _Cropping):
    """Cut off steps at the ends of each sequence.

    Parameters
    ----------
    cropping : int or (before, after), default (1, 1)
        The number of steps to cut off.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, T - before - after, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Cropping1D((1, 0))([[[2.0], [3.0]]]).numpy().ravel()
    array([3.], dtype=float32)
    """

    _legal = {"cropping": settings.ends}

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(cropping, **kwargs)


class Cropping2D(Images, _Cropping, SpatialLayer):
    """Cut off rows and columns at the edges of each image.

    Parameters
    ----------
    cropping : int, (int, int), or ((top, bottom), (left, right)), default ((0, 0), (0, 0))
        The number of rows to cut off above and below, and of columns to the left and to the right.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, H - top - bottom, W - left - right, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Cropping2D(((1, 0), (2, 2)))(nnlite.ones((1, 5, 5, 3))).shape
    (1, 4, 1, 3)
    """

    _legal = {"cropping": settings.margins}

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(cropping, data_format=data_format, **kwargs)


class Cropping3D(Volumes, _Cropping, SpatialLayer):
    """Cut off slices, rows and columns at the edges of each volume.

    Parameters
    ----------
    cropping : int, (int, int, int), or three (before, after), default ((1, 1), (1, 1), (1, 1))
        The number of slices, rows and columns to cut off at both ends, or before and after.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output the same with each axis as much shorter as was cut off.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.Cropping3D(((1, 0), (2, 2), (0, 0)))
    >>> layer(nnlite.ones((1, 5, 5, 5, 3))).shape
    (1, 4, 1, 5, 3)
    """

    _legal = {"cropping": settings.margins_of_volumes}

    def __init__(self, cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(cropping, data_format=data_format, **kwargs)


class UpSampling1D(Sequences, Layer):
    """Lengthen sequences: repeat each step.

    Parameters
    ----------
    size : int, default 2
        The number of steps for each.
    **kwargs
        Of `Layer`: name, input_shape.

    Raises
    ------
    TypeError
        If size is no whole number.

    Notes
    -----
    Input (N, T, C), output (N, T * size, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.UpSampling1D(2)([[[2.0], [3.0]]]).numpy().ravel()
    array([2., 2., 3., 3.], dtype=float32)
    """

    _legal = {"size": settings.copies}

    def __init__(self, size=2, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs):
        return ops.upsample(inputs, [positive_int("size", self.size)])


class UpSampling2D(Images, SpatialLayer):
    """Enlarge images: repeat each row and each column, or interpolate between them.

    Parameters
    ----------
    size : int or (int, int), default (2, 2)
        The number of rows for each row, and of columns for each column.
    data_format : {'channels_last', 'channels_first'}, optional
    interpolation : {'nearest', 'bilinear', 'bicubic', 'lanczos3', 'lanczos5'}, default 'nearest'
        - 'nearest': copies.
        - the others: weighted means of pixels near the center of the new one, of up to 2, 4, 6 or
          10 along each axis. Pixels outside of the image do not count.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, H * size[0], W * size[1], C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.UpSampling2D(2)(nnlite.ones((1, 5, 5, 3))).shape
    (1, 10, 10, 3)
    """

    _legal = {"interpolation": tuple(INTERPOLATIONS)}

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(data_format, **kwargs)
        self.size, self.interpolation = size, interpolation

    def call(self, inputs):
        size = sizes("size", self.size, self.rank)
        return ops.upsample(inputs, size, self.interpolation, self.data_format)


class UpSampling3D(Volumes, SpatialLayer):
    """Enlarge volumes: repeat each slice, row and column.

    Parameters
    ----------
    size : int or (int, int, int), default (2, 2, 2)
        The number of slices for each slice, of rows for each row, and of columns for each column.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output (N, D * size[0], H * size[1], W * size[2], C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.UpSampling3D((1, 2, 3))(nnlite.ones((1, 5, 5, 5, 3))).shape
    (1, 5, 10, 15, 3)
    """

    def __init__(self, size=(2, 2, 2), data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.size = size

    def call(self, inputs):
        size = sizes("size", self.size, self.rank)
        return ops.upsample(inputs, size, data_format=self.data_format)


class Permute(Layer):
    """Reorder the axes of each sample.

    Parameters
    ----------
    dims : tuple of int
        The axes in the new order. Axis 1 is the first one after the batch: (2, 1) swaps two axes.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, ...), output (N, ...) with the same sizes in another order.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Permute((3, 1, 2))(nnlite.ones((2, 4, 5, 6))).shape
    (2, 6, 4, 5)
    """

    _legal = {"dims": settings.permutation}
    _takes = settings.BATCH

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        self.dims = dims

    def build(self, input_shape):
        self._order = settings.permutation("dims", self.dims)

    def call(self, inputs):
        if inputs.ndim != len(self._order) + 1:
            raise ValueError(
                f"expected samples of {len(self._order)} axes for dims {self._order}, "
                f"got shape {inputs.shape}"
            )
        return ops.transpose(inputs, (0, *self._order))


class RepeatVector(Layer):
    """Repeat each sample, a vector.

    Parameters
    ----------
    n : int
        T, the number of copies; at least 1.
    **kwargs
        Of `Layer`: name, input_shape.

    Raises
    ------
    TypeError
        If n is no whole number.

    Notes
    -----
    Input (N, C), output (N, T, C).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.RepeatVector(3)(nnlite.ones((2, 5))).shape
    (2, 3, 5)
    """

    _legal = {"n": settings.copies}
    _takes = (2, 2, "vectors (N, features)")

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        self.n = n

    def build(self, input_shape):
        self._times = positive_int("n", self.n)

    def call(self, inputs):
        return ops.broadcast_to(
            ops.expand_dims(inputs, 1), (inputs.shape[0], self._times, inputs.shape[1])
        )
