"""The base of all layers of images. Images are always (N, H, W, C)."""

from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.ops.windows import check_images


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

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format

    def build(self, input_shape):
        check_images(input_shape)
