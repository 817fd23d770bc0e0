"""Batches of randomly transformed images, from arrays that are read in place."""

import numbers
import os
import warnings

import numpy as np

from nnlite import config
from nnlite.checks import check_choice, positive_int
from nnlite.data.images import pillow, save_img
from nnlite.data.sources import ArraySource
from nnlite.engine.tensor import convert_to_tensor
from nnlite.preprocessing import transforms


def image_source(x):
    """A checked Source of images (N, H, W, C), which are read in place."""
    if isinstance(x, (tuple, list)) and len({np.shape(image) for image in x}) > 1:
        raise ValueError(
            "x: expected one array of images (N, height, width, channels), got a "
            f"{type(x).__name__} of arrays of different shapes"
        )
    source = ArraySource(x, "x")
    if source.array.ndim != 4:
        raise ValueError(
            "x: expected images of shape (N, height, width, channels), got shape "
            f"{source.array.shape}; for grey ones without channels, x[..., np.newaxis]"
        )
    if source.array.size == 0:
        raise ValueError(f"x: expected at least one image, got shape {source.array.shape}")
    if source.array.shape[3] not in (1, 3, 4):
        warnings.warn(
            f"x: expected 1, 3 or 4 channels on the last axis, got shape {source.array.shape}",
            stacklevel=4,
        )
    source.check_finite()
    return source


@config.isolated
def read_rows(source, rows, real):
    """A copy of some rows of a source, in the precision `real`."""
    index, count = convert_to_tensor(np.asarray(rows, np.int32)), len(rows)
    with config.precision(real):
        memory = source.placeholders(index, count)
        memory[0]._data = source.array
        return source.read(memory, index, count).numpy()


def resolve_seed(seed):
    """The checked seed; for None the next one of nnlite."""
    if seed is None:
        return config.next_seed()
    if not isinstance(seed, numbers.Integral) or isinstance(seed, bool) or not 0 <= seed < 2**64:
        raise ValueError(f"seed: expected an integer of at least 0, got {seed!r}")
    return int(seed)


def _check_rows(values, name, n):
    """y or sample_weight as a checked array with one row for each of n images."""
    if values is None:
        return None
    values = np.asarray(values)
    if values.ndim == 0 or len(values) != n:
        raise ValueError(f"{name}: expected {n} rows, one for each image, got shape {values.shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name}: expected finite values, got NaN or infinity")
    return values


class ImageIterator:
    """Batches of randomly transformed images: what those from arrays and from files share.

    Parameters
    ----------
    n : int
        Number of images.
    image_data_generator, batch_size, shuffle, seed, save_to_dir, save_prefix, save_format
        As for `NumpyArrayIterator`.
    """

    def __init__(
        self,
        n,
        image_data_generator,
        batch_size,
        shuffle,
        seed,
        save_to_dir,
        save_prefix,
        save_format,
    ):
        self.n, self.image_data_generator = n, image_data_generator
        self.batch_size = positive_int("batch_size", batch_size)
        self.shuffle, self.seed = bool(shuffle), resolve_seed(seed)
        self.epoch = self.batch_index = 0
        self._order = None
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        if save_to_dir is not None:
            pillow()

    def _images(self, rows):
        """New arrays of some images, in the precision of the generator."""
        raise NotImplementedError

    def _beside(self, rows, x):
        """What is beside a batch x of some images: a tuple of y and sample_weight, if any."""
        raise NotImplementedError

    def __len__(self):
        return -(-self.n // self.batch_size)

    def __getitem__(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError(f"batch {index}: expected a number below {len(self)}")
        first = index % len(self) * self.batch_size
        rows = self._rows()[first : first + self.batch_size]
        u = transforms.uniform(self.seed, self.epoch, first, len(rows))
        x = self.image_data_generator.batch(self._images(rows), u)
        if self.save_to_dir is not None:
            self._save(x, rows)
        beside = self._beside(rows, x)
        return (x, *beside) if beside else x

    def _rows(self):
        """The row numbers of the images in the order of the current epoch."""
        if self._order is None or self._order[0] != self.epoch:
            rows = np.arange(self.n)
            if self.shuffle:
                rows = transforms.permutation(self.seed, self.epoch, self.n)
            self._order = self.epoch, rows
        return self._order[1]

    def __iter__(self):
        return self

    def __next__(self):
        batch = self[self.batch_index]
        self.batch_index += 1
        if self.batch_index == len(self):
            self.on_epoch_end()
        return batch

    def next(self):
        """The next batch, as Keras 2 had it."""
        return next(self)

    def on_epoch_end(self):
        """Begin the next epoch, with a new order and new transformations."""
        self.epoch += 1
        self.batch_index = 0

    def reset(self):
        """Restart the current epoch."""
        self.batch_index = 0

    def _save(self, images, rows):
        """Write each image to a file, with its minimum as black and its maximum as white."""
        for image, row in zip(images, rows):
            name = f"{self.save_prefix}_{row}_{self.epoch}.{self.save_format}"
            save_img(os.path.join(self.save_to_dir, name), image)


class NumpyArrayIterator(ImageIterator):
    """Batches of images, by number or in an endless iteration; made by `ImageDataGenerator.flow`.

    ``iterator[i]`` is batch i of the current epoch, the same at each call. After the last batch of
    an epoch, `next` begins another one, with a new order and new transformations.

    Parameters
    ----------
    x, y, batch_size, shuffle, sample_weight, seed
        As for `ImageDataGenerator.flow`; `shuffle` is False by default.
    image_data_generator : ImageDataGenerator
        Its settings determine transformations and normalization.
    save_to_dir, save_prefix, save_format, subset, ignore_class_split
        As for `ImageDataGenerator.flow`.

    Attributes
    ----------
    n : int
        Number of images.
    epoch : int
        Number of the current epoch, from 0.
    """

    def __init__(
        self,
        x,
        y,
        image_data_generator,
        batch_size=32,
        shuffle=False,
        sample_weight=None,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        subset=None,
        ignore_class_split=False,
    ):
        image_data_generator.check()
        x = image_source(x).array
        y = _check_rows(y, "y", len(x))
        sample_weight = _check_rows(sample_weight, "sample_weight", len(x))
        if sample_weight is not None and y is None:
            raise ValueError("sample_weight: expected y beside it, got None")
        rows = subset_slice(image_data_generator, subset, len(x))
        if rows.start == 0 or rows.stop == 0:
            raise ValueError(
                f"subset: validation_split={image_data_generator.validation_split} of {len(x)} "
                "images leaves none for validation"
            )
        if subset is not None and y is not None and not ignore_class_split:
            _check_classes(y, rows)
        self.x, self.y, self.sample_weight = (
            None if a is None else a[rows] for a in (x, y, sample_weight)
        )
        self._source = ArraySource(self.x, "x")
        super().__init__(
            len(self.x),
            image_data_generator,
            batch_size,
            shuffle,
            seed,
            save_to_dir,
            save_prefix,
            save_format,
        )

    def _images(self, rows):
        return read_rows(self._source, rows, self.image_data_generator.real())

    def _beside(self, rows, x):
        return tuple(a[rows] for a in (self.y, self.sample_weight) if a is not None)


def subset_slice(generator, subset, n):
    """The slice of n images that are a subset; the first images are for validation."""
    if subset is None:
        return slice(None)
    check_choice("subset", subset, ("training", "validation"))
    at = int(n * generator.validation_split)
    return slice(at) if subset == "validation" else slice(at, None)


def _check_classes(y, rows):
    """Raise ValueError unless both subsets have the same values of y."""
    outside = np.ones(len(y), bool)
    outside[rows] = False
    if not np.array_equal(np.unique(y[rows]), np.unique(y[outside])):
        raise ValueError(
            "subset: expected the same classes in both parts of the data; shuffle x and y, or pass "
            "ignore_class_split=True"
        )
