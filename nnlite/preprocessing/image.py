"""Images made ready for training, a batch at a time: normalized, and changed at random so that no
epoch sees the same ones."""

import math
import numbers

import numpy as np

from nnlite import config
from nnlite.checks import positive_int
from nnlite.configurable import Configurable
from nnlite.data.sources import ArraySource
from nnlite.preprocessing import transforms
from nnlite.preprocessing.iterator import NumpyArrayIterator, images_of, read_rows, seed_of
from nnlite.preprocessing.parameter_checks import check

STATISTICS_ROWS = 1024  # images that `fit` looks at together


class ImageDataGenerator(Configurable):
    """Batches of images, turned, shifted, zoomed, flipped and normalized at random as they are
    asked for.

    Whatever is left at its default is not done. The numbers drawn for an image depend on the seed,
    the epoch and the image's position in it alone.

    Parameters
    ----------
    featurewise_center, featurewise_std_normalization : bool, default False
        Subtract the mean of each channel; divide by its standard deviation + 1e-6 (and subtract the
        mean). Both are those of the data given to `fit`.
    samplewise_center, samplewise_std_normalization : bool, default False
        The same with the mean and the deviation of all of an image's own values.
    zca_whitening : bool, default False
        Make the pixels of the data given to `fit` uncorrelated with as little change as possible
        (A. J. Bell, T. J. Sejnowski: "The independent components of natural scenes are edge
        filters", 1997); subtracts the mean, too, and takes the place of
        `featurewise_std_normalization`.
    zca_epsilon : float, default 1e-6
        Added to the singular values before dividing by them.
    rotation_range : float, default 0
        Turn by up to so many degrees either way.
    width_shift_range, height_shift_range : float, int or 1-D array-like, default 0
        Shift along the width, or the height. A float below 1: by up to this part of the side,
        either way; another float: by up to so many pixels; an int n: by a whole number of pixels in
        (-n, n); several numbers: by one of them, either way, all of them parts of the side if all
        are below 1.
    brightness_range : pair of float, optional
        Multiply by a factor from this range. Values are taken for grey levels and cut off at 255.
        Images with values outside of [0, 255] are stretched to it meanwhile. Grey levels are not
        rounded.
    shear_range : float, default 0
        Shear by up to so many degrees either way.
    zoom_range : float or pair of float, default 0
        How many times the image's width, and height, a result shows (below 1 it is nearer); each
        drawn from [lower, upper], which a single number z makes [1 - z, 1 + z].
    channel_shift_range : float, default 0
        Add up to this much, either way, within the image's least and largest value.
    fill_mode : {'nearest', 'constant', 'reflect', 'wrap'}, default 'nearest'
        What is outside of an image, see `ops.affine_transform`; `cval` (0) if constant.
    horizontal_flip, vertical_flip : bool, default False
        Whether half of the images are mirrored left to right, upside down.
    rescale : float, optional
        Multiply by this, after all random changes.
    preprocessing_function : callable, optional
        Called with each image, (height, width, channels), after all random changes and before
        `rescale`; returns one of the same shape.
    data_format : {None, 'channels_last'}
    validation_split : float in [0, 1), default 0
        The first part of the data, which `flow` gives for `subset='validation'`.
    interpolation_order : {1, 0}, default 1
        Between pixels, or the nearest pixel.
    dtype : {'float32', 'float64'}, default `floatx()`

    Attributes
    ----------
    mean, std : array of shape (1, 1, channels), or None
        Set by `fit`.
    zca_whitening_matrix : array of shape (D, D), D = height * width * channels, or None

    Raises
    ------
    ValueError
        For settings out of range: when they are first used, not before.

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
        """The lower and the upper end of `zoom_range`."""
        z = self.zoom_range
        return (1 - z, 1 + z) if isinstance(z, numbers.Real) else tuple(z)

    def real(self):
        """The precision of the batches."""
        return config.floatx() if self.dtype is None else np.dtype(self.dtype).name

    def check(self):
        """Raise ValueError for a setting that cannot be."""
        check(self)

    # --- one image

    def get_random_transform(self, img_shape, seed=None):
        """What could be done to an image.

        Parameters
        ----------
        img_shape : (height, width, channels)
        seed : int, optional
            By default one that `nnlite.utils.set_random_seed` decides.

        Returns
        -------
        dict
            'theta' and 'shear' in degrees; 'tx' and 'ty', from where in x (to the right) and y
            (down) pixels are taken; 'zx' and 'zy', over how much of the width and the height the
            result reaches; 'flip_horizontal', 'flip_vertical'; 'channel_shift_intensity' and
            'brightness', or None.
        """
        self.check()
        if len(img_shape) != 3:
            raise ValueError(
                f"expected the shape (height, width, channels) of one image, got {img_shape}"
            )
        u = transforms.uniform(seed_of(seed), 0, 0, 1)
        p = transforms.parameters(self, u, *img_shape[:2])
        return {name: None if v is None else v[0].item() for name, v in p.items()}

    def apply_transform(self, x, transform_parameters):
        """An image changed as said.

        Parameters
        ----------
        x : array, shape (height, width, channels)
        transform_parameters : dict
            As `get_random_transform` gives it; what is missing is not done.

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
        """An image, (height, width, channels), changed at random."""
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    def _transformed(self, images, p):
        return transforms.transform(
            images, p, self.fill_mode, float(self.cval), int(self.interpolation_order)
        )

    # --- normalization

    def standardize(self, x):
        """Images normalized as the settings say; nothing random.

        Parameters
        ----------
        x : array, shape (height, width, channels) or (N, height, width, channels)
            Changed in place if it is an array of floats, as in Keras.

        Returns
        -------
        array, shape of x

        Raises
        ------
        RuntimeError
            If `fit` was to be called before.
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
        """A batch of floats, changed in place where that is possible."""
        each = (1, 2, 3)
        if self.preprocessing_function is not None:
            x = self._preprocessed(x)
        if self.rescale:
            x *= self.rescale
        if (self.samplewise_center or self.samplewise_std_normalization) and x.size:
            x -= x.mean(each, keepdims=True)
        if self.samplewise_std_normalization and x.size:
            x /= x.std(each, keepdims=True) + 1e-6
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
        """Whether the mean of the data is subtracted."""
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
        """Learn the mean, the deviation and the whitening matrix, as far as the settings ask for
        them; without such settings nothing is learned.

        Images are rescaled first. They are read a part at a time: `x` is not copied.

        Parameters
        ----------
        x : array, shape (N, height, width, channels)
        augment : bool, default False
            Whether to learn from images changed at random.
        rounds : int, default 1
            How many times to go through the data, each time with other changes.
        seed : int, optional

        Raises
        ------
        ValueError
            For another number of dimensions, no images, or values that are not finite.
        """
        self.check()
        source = images_of(x)
        rounds = positive_int("rounds", rounds)
        if not self._centers():
            return
        seed, count = seed_of(seed), source.rows * (rounds if augment else 1)
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
        """The data that `fit` learns from; the same each time."""
        for epoch in range(max(rounds, 1)):
            for first in range(0, source.rows, STATISTICS_ROWS):
                rows = np.arange(first, min(first + STATISTICS_ROWS, source.rows))
                u = transforms.uniform(seed, epoch, first, len(rows)) if rounds else None
                yield self._read(source, rows, u, self.rescale)

    def _whitening(self, parts, mean, count):
        """V (sqrt(N) / (S + epsilon)) V^T, where U S V^T is the centered data: S and V are those of
        the triangle R of its QR decomposition as well, which is found a part at a time."""
        triangle = None
        for part in parts:
            rows = (part - mean).reshape(len(part), -1)
            rows = rows if triangle is None else np.vstack([triangle, rows])
            triangle = np.linalg.qr(rows, mode="r")
        _, s, vt = np.linalg.svd(triangle, full_matrices=False)
        return ((vt.T * (np.sqrt(count) / (s + self.zca_epsilon))) @ vt).astype(self.real())

    # --- batches

    def _read(self, source, rows, u, rescale=None):
        """Some images, multiplied, then changed at random by the numbers u unless they are None."""
        images = read_rows(source, rows, self.real())
        if rescale:
            images *= rescale
        if u is None:
            return images
        return self._transformed(images, transforms.parameters(self, u, *source.row_shape[:2]))

    def batch(self, source, rows, u):
        """Some images of a Source as training takes them, changed by the numbers u of
        `transforms.uniform`."""
        return self._standardized(self._read(source, rows, u))

    def flow(
        self,
        x,
        y=None,
        batch_size=32,
        shuffle=True,
        sample_weight=None,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        ignore_class_split=False,
        subset=None,
    ):
        """Batches without end, for `Model.fit` or a `for` loop that is left by `break`.

        Parameters
        ----------
        x : array, shape (N, height, width, channels)
            Floats, integers or uint8; read in place, only batches are converted.
        y : array, shape (N, ...), optional
        batch_size : int, default 32
            The last batch of an epoch may be smaller.
        shuffle : bool, default True
            Whether each epoch takes the images in an order of its own.
        sample_weight : array, shape (N,), optional
        seed : int, optional
            Decides everything, on any number of threads. By default one that
            `nnlite.utils.set_random_seed` decides.
        save_to_dir : str, optional
            A folder for pictures of every image of every batch, called
            PREFIX_ROW_EPOCH.FORMAT with `save_prefix` and `save_format`; needs Pillow.
        ignore_class_split : bool, default False
            Do not ask that both subsets have the same values in y.
        subset : {'training', 'validation'}, optional
            A part of the data: see `validation_split`.

        Returns
        -------
        NumpyArrayIterator
            Of x alone, (x, y) or (x, y, sample_weight).
        """
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            ignore_class_split=ignore_class_split,
        )
