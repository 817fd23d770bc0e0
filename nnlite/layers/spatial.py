"""What the layers of sequences and of images have in common. The channels are always last.

The one idea: a layer is written once, for any number of axes; its class says of what it is, by
`Sequences` or `Images` as its first base."""

from functools import partial

from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.ops.windows import sizes


def _of_windows(rank):
    """The checks of settings that are one integer, or one for each axis."""
    names = ("kernel_size", "strides", "dilation_rate", "pool_size", "size")
    at_least_0 = partial(sizes, rank=rank, least=0)
    return {**dict.fromkeys(names, partial(sizes, rank=rank)), "output_padding": at_least_0}


class Sequences:
    """Of layers that take (N, steps, channels)."""

    rank = 1  # the number of axes between the batch and the channels
    _takes = (3, 3, "sequences of shape (N, steps, channels)")
    _legal = _of_windows(rank)


class Images:
    """Of layers that take (N, H, W, C)."""

    rank = 2
    _takes = (4, 4, "images of shape (N, height, width, channels)")
    _legal = _of_windows(rank)


class SpatialLayer(Layer):
    """A layer that is told where the channels are.

    Parameters
    ----------
    data_format : {'channels_last'}, optional
        The only order of axes that is supported.
    **kwargs
        Of `Layer`.
    """

    _legal = {"data_format": settings.DATA_FORMAT}

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format
