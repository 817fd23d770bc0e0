"""Normalization and random transformation of images, batch by batch (data augmentation)."""

import math
import numbers

import numpy as np

from nnlite import config, names
from nnlite.checks import positive_int
from nnlite.configurable import Configurable
from nnlite.data.images import array_to_img, img_to_array, load_img, save_img
from nnlite.data.resizing import smart_resize
from nnlite.data.sources import ArraySource
from nnlite.preprocessing import transforms
from nnlite.preprocessing.file_iterators import DataFrameIterator, DirectoryIterator
from nnlite.preprocessing.flows import Flows
from nnlite.preprocessing.iterator import NumpyArrayIterator, image_source, read_rows, resolve_seed
from nnlite.preprocessing.parameter_checks import check

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "NumpyArrayIterator",
    "array_to_img",
    "img_to_array",
    "load_img",
    "save_img",
    "smart_resize",
]

__getattr__ = names.of(__name__)

STATISTICS_ROWS = 1024  # images that `fit` processes together


class ImageDataGenerator(Flows, Configurable):
    """Makes batches of randomly transformed and normalized images.

    By default nothing is transformed or normalized. The random numbers of an image depend only on
    the seed, the epoch, and the position of the image in the epoch.

    Parameters
    ----------
    featurewise_center : bool, default False
        Whether to subtract the mean of each channel over the data given to `fit`.
    samplewise_center : bool, default False
        Whether to subtract the mean of each image.
    featurewise_std_normalization : bool, default False
        Whether to subtract the mean of each channel and to divide by its standard deviation + 1e-6,
        both over the data given to `fit`.
    samplewise_std_normalization : bool, default False
        Whether to subtract the mean of each image and to divide by its standard deviation + 1e-6.
    zca_whitening : bool, default False
        Whether to decorrelate the pixels with the least change of the images, by the data given to
        `fit` (A. J. Bell, T. J. Sejnowski: "The independent components of natural scenes are edge
        filters", 1997). The mean is subtracted too; `featurewise_std_normalization` is ignored.
    zca_epsilon : float, default 1e-6
        Added to the singular values before the division by them.
    rotation_range : float, default 0
        Rotation angles are in [-rotation_range, rotation_range], in degrees.
    width_shift_range, height_shift_range : float, int or sequence of float, default 0
        A float r below 1: shifts in [-r, r] times the width, or height. Another float: in [-r, r]
        pixels. An int n: by an integer of pixels in (-n, n). A sequence: by one of its numbers,
        with a random sign; in pixels, or as fractions if all are below 1.
    brightness_range : pair of float, optional
        The range of a factor for grey levels, which are then clipped to [0, 255] but not rounded.
        An image with values outside of [0, 255] is scaled to this range before and back after.
    shear_range : float, default 0
        Shear angles are in [-shear_range, shear_range], in degrees.
    zoom_range : float or pair of float, default 0
        The range [lower, upper] of two factors: a result shows that multiple of the image's width
        and height (below 1: magnified). A number z means [1 - z, 1 + z].
    channel_shift_range : float, default 0
        Offsets are in [-channel_shift_range, channel_shift_range]; the result is clipped to the
        minimum and maximum of the image.
    fill_mode : {'nearest', 'constant', 'reflect', 'wrap'}, default 'nearest'
        Values outside of an image, see `ops.affine_transform`.
    cval : float, default 0
        The value outside for `fill_mode='constant'`.
    horizontal_flip, vertical_flip : bool, default False
        Whether to mirror a random half of the images left to right, or upside down.
    rescale : float, optional
        Factor for all values, after the random transformations.
    preprocessing_function : callable, optional
        Takes and returns an image, (H, W, C), after the random transformations and before
        `rescale`.
    data_format : {None, 'channels_last'}
    validation_split : float in [0, 1), default 0
        Fraction of the data, the first images (in a folder of classes: of each class), that `flow`
        and its siblings return for `subset='validation'`.
    interpolation_order : {1, 0}, default 1
        1: bilinear interpolation. 0: the nearest pixel.
    dtype : {'float32', 'float64'}, default `floatx()`

    Attributes
    ----------
    mean, std : array of shape (1, 1, C), or None
        Set by `fit`.
    zca_whitening_matrix : array of shape (H * W * C, H * W * C), or None
        Set by `fit`.

    Raises
    ------
    ValueError
        For settings out of range, when they are first used.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.preprocessing.image import ImageDataGenerator
    >>> images = np.arange(48, dtype="uint8").reshape(3, 4, 4, 1)
    >>> datagen = ImageDataGenerator(rotation_range=10, zoom_range=0.1, rescale=1 / 255)
    >>> for x, y in datagen.flow(images, [0, 1, 2], batch_size=2, seed=0):
    ...     break
    >>> x.shape, x.dtype, y.shape
    ((2, 4, 4, 1), dtype('float32'), (2,))
    """

    def __init__(
        self,
        featurewise_center=False,
        samplewise_center=False,
        featurewise_std_normalization=False,
        samplewise_std_normalization=False,
        zca_whitening=False,
        zca_epsilon=1e-6,
        rotation_range=0,
        width_shift_range=0.0,
        height_shift_range=0.0,
        brightness_range=None,
        shear_range=0.0,
        zoom_range=0.0,
        channel_shift_range=0.0,
        fill_mode="nearest",
        cval=0.0,
        horizontal_flip=False,
        vertical_flip=False,
        rescale=None,
        preprocessing_function=None,
        data_format=None,
        validation_split=0.0,
        interpolation_order=1,
        dtype=None,
    ):
        vars(self).update(Configurable.get_config(self))
        self.mean = self.std = self.zca_whitening_matrix = None

    def zoom_limits(self):
        """The lower and the upper limit of `zoom_range`."""
        z = self.zoom_range
        return (1 - z, 1 + z) if isinstance(z, numbers.Real) else tuple(z)

    def real(self):
        """The precision of the batches."""
        return config.floatx() if self.dtype is None else np.dtype(self.dtype).name

    def check(self):
        """Raise ValueError for a setting out of range."""
        check(self)

    # --- transformations of one image

    def get_random_transform(self, img_shape, seed=None):
        """Draw the parameters of a random transformation.

        Parameters
        ----------
        img_shape : (H, W, C)
        seed : int, optional
            By default the next one that follows from `nnlite.utils.set_random_seed`.

        Returns
        -------
        dict
            * 'theta', 'shear': angles in degrees;
            * 'tx', 'ty': offsets in pixels, to the right and down, of the pixels that are read;
            * 'zx', 'zy': multiples of the width and the height that the result shows;
            * 'flip_horizontal', 'flip_vertical': bool;
            * 'channel_shift_intensity', 'brightness': float or None.
        """
        self.check()
        if len(img_shape) != 3:
            raise ValueError(
                f"expected the shape (height, width, channels) of one image, got {img_shape}"
            )
        u = transforms.uniform(resolve_seed(seed), 0, 0, 1)
        p = transforms.parameters(self, u, *img_shape[:2])
        return {name: None if v is None else v[0].item() for name, v in p.items()}

    def apply_transform(self, x, transform_parameters):
        """Transform an image.

        Parameters
        ----------
        x : array, shape (H, W, C)
        transform_parameters : dict
            As `get_random_transform` returns it; missing entries have no effect.

        Returns
        -------
        array, shape of x
        """
        self.check()
        unknown = set(transform_parameters) - set(transforms.DEFAULTS)
        if unknown:
            raise ValueError(
                f"transform_parameters: expected some of {', '.join(transforms.DEFAULTS)}, "
                f"got {', '.join(map(repr, sorted(unknown)))}"
            )
        x = np.asarray(x)
        if x.ndim != 3:
            raise ValueError(f"x: expected an image (height, width, channels), got shape {x.shape}")
        given = {**transforms.DEFAULTS, **transform_parameters}
        p = {name: None if v is None else np.array([v]) for name, v in given.items()}
        return self._transformed(read_rows(ArraySource(x[None], "x"), [0], self.real()), p)[0]

    def random_transform(self, x, seed=None):
        """Transform an image at random.

        Parameters
        ----------
        x : array, shape (H, W, C)
        seed : int, optional
            By default the next one that follows from `nnlite.utils.set_random_seed`.

        Returns
        -------
        array, shape of x
        """
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    def _transformed(self, images, p):
        return transforms.transform(
            images, p, self.fill_mode, float(self.cval), int(self.interpolation_order)
        )

    # --- normalization

    def standardize(self, x):
        """Normalize images by the settings, without random transformations.

        Parameters
        ----------
        x : array, shape (H, W, C) or (N, H, W, C)
            Overwritten if it is an array of floats, as in Keras.

        Returns
        -------
        array, shape of x

        Raises
        ------
        RuntimeError
            If the settings need statistics and `fit` was not called.
        """
        self.check()
        x = np.asarray(x)
        if x.dtype.kind != "f":
            x = x.astype(self.real())
        if x.ndim not in (3, 4):
            raise ValueError(
                "x: expected an image (height, width, channels) or a batch (N, height, width, "
                f"channels), got shape {x.shape}"
            )
        return self._standardized(x[None])[0] if x.ndim == 3 else self._standardized(x)

    def _standardized(self, x):
        """A normalized batch of floats; `x` may be overwritten."""
        axes = (1, 2, 3)
        if self.preprocessing_function is not None:
            x = self._preprocessed(x)
        if self.rescale:
            x *= self.rescale
        if (self.samplewise_center or self.samplewise_std_normalization) and x.size:
            x -= x.mean(axes, keepdims=True)
        if self.samplewise_std_normalization and x.size:
            x /= x.std(axes, keepdims=True) + 1e-6
        if self._centers():
            x -= self._learned("mean", x.shape)
        if self.zca_whitening:
            white = x.reshape(len(x), -1) @ self._learned("zca_whitening_matrix", x.shape)
            x[...] = white.reshape(x.shape)
        elif self.featurewise_std_normalization:
            x /= self._learned("std", x.shape) + 1e-6
        return x

    def _preprocessed(self, x):
        images = [np.asarray(self.preprocessing_function(image)) for image in x]
        for image in images:
            if image.shape != x.shape[1:]:
                raise ValueError(
                    "preprocessing_function: expected it to return images of shape "
                    f"{x.shape[1:]} as it gets, got {image.shape}"
                )
        return np.stack(images).astype(x.dtype) if images else x

    def _centers(self):
        """Whether a setting needs the mean of the data."""
        return self.featurewise_center or self.featurewise_std_normalization or self.zca_whitening

    def _learned(self, name, shape):
        value = getattr(self, name)
        if value is None:
            raise RuntimeError(
                f"ImageDataGenerator: its settings need the data's {name}; call fit(x) first"
            )
        value = np.asarray(value)
        expected = math.prod(shape[1:]) ** 2 if name == "zca_whitening_matrix" else shape[3]
        if value.size not in (1, expected):
            raise ValueError(
                f"x: expected images like those given to fit, whose {name} has shape "
                f"{value.shape}, got images of shape {shape[1:]}"
            )
        return value

    def fit(self, x, augment=False, rounds=1, seed=None):
        """Compute the mean, the standard deviation and the whitening matrix that the settings need.

        Images are rescaled first. They are read part by part: `x` is not copied.

        Parameters
        ----------
        x : array, shape (N, H, W, C)
        augment : bool, default False
            Whether to compute them from randomly transformed images.
        rounds : int, default 1
            Number of passes over the data, with different transformations, if `augment`.
        seed : int, optional
            By default the next one that follows from `nnlite.utils.set_random_seed`.

        Raises
        ------
        ValueError
            For another number of dimensions, no images, or values that are not finite.
        """
        self.check()
        source = image_source(x)
        rounds = positive_int("rounds", rounds)
        if not self._centers():
            return
        seed, count = resolve_seed(seed), source.rows * (rounds if augment else 1)
        pixels = count * math.prod(source.row_shape[:2])

        def parts():
            return self._parts(source, rounds if augment else 0, seed)

        mean = sum(part.sum((0, 1, 2), np.float64) for part in parts()) / pixels
        self.mean = mean.astype(self.real()).reshape(1, 1, -1)
        if self.zca_whitening:
            self.zca_whitening_matrix = self._whitening(parts(), mean, count)
        elif self.featurewise_std_normalization:
            squares = sum(((part - mean) ** 2).sum((0, 1, 2)) for part in parts())
            self.std = np.sqrt(squares / pixels).astype(self.real()).reshape(1, 1, -1)

    def _parts(self, source, rounds, seed):
        """The images that `fit` uses, part by part; the same at each call."""
        for epoch in range(max(rounds, 1)):
            for first in range(0, source.rows, STATISTICS_ROWS):
                rows = np.arange(first, min(first + STATISTICS_ROWS, source.rows))
                u = transforms.uniform(seed, epoch, first, len(rows)) if rounds else None
                yield self._read(source, rows, u, self.rescale)

    def _whitening(self, parts, mean, count):
        """V (sqrt(N) / (S + epsilon)) V^T, where U S V^T is the SVD of the centered data.

        S and V are also those of R in the QR decomposition of the data, computed part by part.
        """
        r = None
        for part in parts:
            rows = (part - mean).reshape(len(part), -1)
            rows = rows if r is None else np.vstack([r, rows])
            r = np.linalg.qr(rows, mode="r")
        _, s, vt = np.linalg.svd(r, full_matrices=False)
        return ((vt.T * (np.sqrt(count) / (s + self.zca_epsilon))) @ vt).astype(self.real())

    # --- batches

    def _read(self, source, rows, u, rescale=None):
        """Some images, rescaled, then transformed by the random numbers u unless they are None."""
        images = read_rows(source, rows, self.real())
        if rescale:
            images *= rescale
        return images if u is None else self._randomized(images, u)

    def _randomized(self, images, u):
        """Images transformed by random numbers."""
        return self._transformed(images, transforms.parameters(self, u, *images.shape[1:3]))

    def batch(self, images, u):
        """A batch of transformed and normalized images.

        Parameters
        ----------
        images : array of floats, shape (N, H, W, C)
            May be overwritten.
        u : array, shape (N, transforms.COLUMNS)
            Random numbers from `transforms.uniform`.

        Returns
        -------
        array, shape (N, H, W, C)
        """
        return self._standardized(self._randomized(images, u))
