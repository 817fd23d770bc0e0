"""The base of all layers of images. Images are always (N, H, W, C)."""

from nnlite.layers import settings
from nnlite.layers.layer import Layer


class ImageLayer(Layer):
    """A layer whose input has four axes.

    Parameters
    ----------
    data_format : {'channels_last'}, optional
        The only order of axes that is supported.
    **kwargs
        Of `Layer`.
    """

    _legal = {"data_format": settings.DATA_FORMAT}
    _takes = (4, 4, "images of shape (N, height, width, channels)")

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format
