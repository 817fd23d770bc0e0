"""What the layers of sequences, of images and of volumes have in common.

The one idea: a layer is written once, for any number of axes; its class says of what it is, by
`Sequences`, `Images` or `Volumes` as its first base."""

from functools import partial

from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.ops.windows import sizes


def _of_windows(rank):
    """The checks of settings that are one integer, or one for each axis."""
    names = ("kernel_size", "strides", "dilation_rate", "pool_size", "size", "output_size")
    at_least_0 = partial(sizes, rank=rank, least=0)
    return {**dict.fromkeys(names, partial(sizes, rank=rank)), "output_padding": at_least_0}


def of_axes(kind, *axes, first=False, steps=()):
    """What layers `_takes`: the number of axes, and words for them; `steps` before the others."""
    names = [*steps, "channels", *axes] if first else [*steps, *axes, "channels"]
    return len(names) + 1, len(names) + 1, f"{kind} of shape (N, {', '.join(names)})"


class _WithChannels:
    """Base: where the channels are."""

    data_format = None  # last, but for a `SpatialLayer` that was told otherwise

    @property
    def _channels_axis(self):
        return 1 if self.data_format == "channels_first" else self.rank + 1

    @property
    def _other_axes(self):
        """The axes that are neither of the batch nor of the channels, as a tuple."""
        return tuple(d for d in range(1, self.rank + 2) if d != self._channels_axis)


class Sequences(_WithChannels):
    """Of layers that take (N, steps, channels)."""

    rank = 1  # the number of axes beside those of the batch and the channels
    _axes = ("sequences", "steps")
    _takes = of_axes(*_axes)
    _legal = _of_windows(rank)


class Images(_WithChannels):
    """Of layers that take (N, H, W, C)."""

    rank = 2
    _axes = ("images", "height", "width")
    _takes = of_axes(*_axes)
    _legal = _of_windows(rank)


class Volumes(_WithChannels):
    """Of layers that take (N, D, H, W, C)."""

    rank = 3
    _axes = ("volumes", "depth", "height", "width")
    _takes = of_axes(*_axes)
    _legal = _of_windows(rank)


class SpatialLayer(Layer):
    """A layer that is told where the channels are.

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels of the input and of the result are.
    **kwargs
        Of `Layer`.
    """

    _legal = {"data_format": settings.data_format}

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format
        if data_format == "channels_first":
            self._takes = of_axes(*self._axes, first=True)
