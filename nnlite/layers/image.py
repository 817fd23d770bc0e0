"""What the layers of images have in common, and those that change the size of images.

The one idea: a layer draws what it does to each image of a batch, once, and then does it to images
and to whatever comes with them, masks of pixels and labels.
"""

from nnlite import ops
from nnlite.checks import positive_int
from nnlite.engine.tensor import Tensor
from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.ops.image import RESIZE_INTERPOLATIONS
from nnlite.ops.image_batches import as_batch

_KEYS = ("images", "labels", "segmentation_masks")


class ImageLayer(Layer):
    """Base of the layers of images (N, H, W, C), or one (H, W, C).

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    bounding_box_format : None
        Bounding boxes are not supported.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    A call takes images, or a dict of "images", "labels" and "segmentation_masks", which are changed
    alike. Values of any numbers become real numbers.
    """

    _legal = {
        "data_format": settings.data_format,
        "bounding_box_format": settings.no_bounding_boxes,
    }
    interpolation = "bilinear"

    def __init__(self, data_format=None, bounding_box_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format, self.bounding_box_format = data_format, bounding_box_format

    def call(self, inputs, training=True):
        if isinstance(inputs, dict):
            self._check_keys(inputs)
        elif not isinstance(inputs, Tensor):
            raise ValueError(
                f"expected images, one tensor or a dict of 'images', got {type(inputs).__name__}"
            )
        drawn = self.get_random_transformation(inputs, training)
        if not isinstance(inputs, dict):
            return self.transform_images(inputs, drawn, training)
        transforms = self.transform_images, self.transform_labels, self.transform_segmentation_masks
        return {
            key: transform(inputs[key], drawn, training)
            for key, transform in zip(_KEYS, transforms)
            if key in inputs
        }

    def _check_keys(self, inputs):
        if "images" not in inputs or not set(inputs) <= set(_KEYS):
            raise ValueError(
                "inputs: expected a dict of 'images' and perhaps "
                f"{', '.join(map(repr, _KEYS[1:]))}, got "
                f"{', '.join(map(repr, inputs)) or 'an empty one'} (bounding boxes are not "
                "supported)"
            )

    def get_random_transformation(self, data, training=True, seed=None):
        """What is done to each image: None, or what the layer draws.

        Parameters
        ----------
        data : tensor, or dict with "images"
        training : bool, default True
        seed : int, optional
            Draw by it; by default by the seed of the layer.

        Returns
        -------
        dict of Tensor, or None
        """
        return None

    def transform_images(self, images, transformation=None, training=True):
        """Images after what was drawn.

        Parameters
        ----------
        images : tensor
        transformation : dict of Tensor, or None
            From `get_random_transformation`.
        training : bool, default True
        """
        return self._changed(images, transformation, self.interpolation)

    def transform_labels(self, labels, transformation=None, training=True):
        """Labels of images after what was drawn: most layers return them as they are.

        Parameters
        ----------
        labels : tensor
        transformation : dict of Tensor, or None
            From `get_random_transformation`.
        training : bool, default True
        """
        return labels

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """Masks, images whose values are classes of pixels, after what was drawn.

        Parameters
        ----------
        segmentation_masks : tensor
        transformation : dict of Tensor, or None
            From `get_random_transformation`.
        training : bool, default True
        """
        return self._changed(segmentation_masks, transformation, "nearest")

    def _changed(self, images, drawn, interpolation):
        x, back = self._as_batch(images)
        return back(self._apply(x, drawn, interpolation))

    def _as_batch(self, images):
        return as_batch(images, self.data_format)

    def _draw(self, draws):
        """A dict of what is drawn for a batch of images.

        Parameters
        ----------
        draws : Draws
            The random numbers.
        """
        return {}

    def _apply(self, x, drawn, interpolation):
        """The layer's work.

        Parameters
        ----------
        x : Tensor, shape (N, H, W, C)
        drawn : dict of Tensor, or None
        interpolation : {'bilinear', 'nearest'}
            How places between pixels are read.
        """
        raise NotImplementedError


SIZE = {"height": positive_int, "width": positive_int}


class Resizing(ImageLayer):
    """Images of another height and width, while training and otherwise.

    Parameters
    ----------
    height, width : int
    interpolation : {'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3', 'lanczos5'}
        As for `ops.image.resize`; by default 'bilinear'.
    crop_to_aspect_ratio : bool, default False
        First take the largest part in the middle with the new proportions.
    pad_to_aspect_ratio : bool, default False
        First add margins of `fill_value`, to the new proportions.
    fill_mode : {'constant'}
    fill_value : float, default 0.0
    antialias : bool, default False
        Make means as wide as a new pixel where that is wider than an old one.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same with `height` and `width`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Resizing(4, 6)(nnlite.ones((2, 8, 8, 3))).shape
    (2, 4, 6, 3)
    """

    _legal = {
        **SIZE,
        "interpolation": RESIZE_INTERPOLATIONS,
        "crop_to_aspect_ratio": "bool",
        "pad_to_aspect_ratio": "bool",
        "antialias": "bool",
        "fill_mode": ("constant",),
        "fill_value": "(-inf, inf)",
    }

    def __init__(
        self,
        height,
        width,
        interpolation="bilinear",
        crop_to_aspect_ratio=False,
        pad_to_aspect_ratio=False,
        fill_mode="constant",
        fill_value=0.0,
        antialias=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height, self.width, self.interpolation = height, width, interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode, self.fill_value, self.antialias = fill_mode, fill_value, antialias
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                f"{type(self).__name__}: expected crop_to_aspect_ratio or pad_to_aspect_ratio, or "
                "none of them, got both"
            )

    def _apply(self, x, drawn, interpolation):
        return ops.image.resize(
            x,
            (self.height, self.width),
            interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_value=self.fill_value,
        )


class CenterCrop(ImageLayer):
    """The part in the middle of images, while training and otherwise.

    Images that are too small are enlarged first: then the largest part with the new proportions is
    resized.

    Parameters
    ----------
    height, width : int
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same with `height` and `width`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.CenterCrop(1, 2)([[[1.0], [2.0], [3.0], [4.0]]]).numpy().ravel()
    array([2., 3.], dtype=float32)
    """

    _legal = SIZE

    def __init__(self, height, width, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.height, self.width = height, width

    def _apply(self, x, drawn, interpolation):
        return part_of(x, self.height, self.width, interpolation)


def part_of(x, height, width, interpolation="bilinear"):
    """The part of images in their middle; of images that are too small, the largest part with these
    proportions, enlarged.

    Parameters
    ----------
    x : Tensor, shape (N, H, W, C)
    height, width : int
    interpolation : str, default 'bilinear'
    """
    top, left = x.shape[1] - height, x.shape[2] - width
    if top < 0 or left < 0:
        return ops.image.resize(x, (height, width), interpolation, crop_to_aspect_ratio=True)
    edges = [(-(n // 2), n // 2 - n) for n in (top, left)]
    return ops.pad2d(x, edges)
