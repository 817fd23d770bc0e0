"""The base of all layers of images, which are (N, height, width, channels) always."""

from nnlite import config
from nnlite.layers.layer import Layer


class ImageLayer(Layer):
    """A layer whose input has four axes.

    Parameters
    ----------
    data_format : {'channels_last'}, optional
        The only order of axes that there is.
    **kwargs
        Of `Layer`.
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format

    def build(self, input_shape):
        known = config.image_data_format()
        if self.data_format not in (None, known):
            raise ValueError(f"expected data_format {known!r}, got {self.data_format!r}")
        self.check_images(input_shape)

    def check_images(self, shape):
        """Raise ValueError if that is no shape of images."""
        if len(shape) != 4:
            raise ValueError(f"expected images (N, height, width, channels), got shape {shape}")
