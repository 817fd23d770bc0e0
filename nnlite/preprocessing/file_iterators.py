"""Batches of randomly transformed images, from files that are read when their batch comes."""

import os

import numpy as np

from nnlite.checks import check_choice
from nnlite.data.directory import ERRORS, labelled_files, listed, readable
from nnlite.data.images import CHANNELS, PILLOW_INTERPOLATIONS, img_to_array, load_img, pillow
from nnlite.data.in_threads import in_order
from nnlite.data.resizing import check_size
from nnlite.preprocessing.iterator import ImageIterator, subset_slice
from nnlite.terminal import write
from nnlite.warn import warn

ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff")
OF_CLASSES = ("categorical", "binary", "sparse")  # modes in which y are classes
DIRECTORY_MODES = (*OF_CLASSES, "input", None)
FRAME_MODES = (*OF_CLASSES, "raw", "multi_output", "input", None)


class FileIterator(ImageIterator):
    """Batches of images of files.

    A subclass sets `class_mode` and `color_mode` by `_check`, then what beginning it needs, and
    calls `_begin`.

    Attributes
    ----------
    samples, n : int
        Number of images.
    filenames, filepaths : list of str
        As they were found, and with the folder before them.
    class_indices : dict of str to int
        The number of each class, if there are classes.
    classes : list
        The number of the class of each image, or a list of numbers.
    image_shape : (height, width, channels)
    epoch : int
        Number of the current epoch, from 0.
    """

    sample_weight = class_indices = None

    def _check(
        self, generator, target_size, color_mode, class_mode, modes, interpolation, keep, errors
    ):
        pillow()
        generator.check()
        check_choice("color_mode", color_mode, [*CHANNELS])
        check_choice("class_mode", class_mode, modes)
        check_choice("interpolation", interpolation, PILLOW_INTERPOLATIONS)
        check_choice("errors", errors, ERRORS)
        self.target_size = check_size("target_size", target_size)
        self.image_shape = (*self.target_size, CHANNELS[color_mode])
        self.color_mode, self.class_mode = color_mode, class_mode
        self.interpolation, self.keep_aspect_ratio = interpolation, keep
        self.image_data_generator = generator

    def _begin(self, filenames, folder, targets, *settings):
        """Take these files, and the targets of each, from now on.

        Parameters
        ----------
        filenames : list of str
        folder : path
            Before them.
        targets : list, array, list of arrays, or None
            Classes for those modes that have them.
        *settings
            Of `ImageIterator`, behind `image_data_generator`.
        """
        self.filenames, self.samples, self.labels = filenames, len(filenames), targets
        self.filepaths = [os.path.join(folder, name) for name in filenames]
        if self.class_indices is not None:
            self.classes, self.num_classes = targets, len(self.class_indices)
        if self.class_mode in OF_CLASSES:
            self.labels = self._numbered(targets)
        super().__init__(self.samples, self.image_data_generator, *settings)

    def _numbered(self, classes):
        """The classes as arrays that losses take."""
        real = self.image_data_generator.real()
        if self.class_mode != "categorical":
            return np.array(classes, real)
        rows = np.zeros((len(classes), self.num_classes), real)
        for row, numbers in zip(rows, classes):
            row[numbers] = 1
        return rows

    def _image(self, path):
        """The values of one file."""
        image = load_img(
            path, self.color_mode, self.target_size, self.interpolation, self.keep_aspect_ratio
        )
        return img_to_array(image, dtype=self.image_data_generator.real())

    def _images(self, rows):
        return np.stack([*in_order(self._image, [self.filepaths[row] for row in rows])])

    def _beside(self, rows, x):
        if self.class_mode is None:
            return ()
        if self.class_mode == "input":
            y = x.copy()
        elif self.class_mode == "multi_output":
            y = [column[rows] for column in self.labels]
        else:
            y = self.labels[rows]
        return (y,) if self.sample_weight is None else (y, self.sample_weight[rows])


def _check_two(class_mode, classes):
    if class_mode == "binary" and len(classes) > 2:
        raise ValueError(f"class_mode: expected two classes for 'binary', got {[*classes]}")


class DirectoryIterator(FileIterator):
    """Batches of the images in a folder; made by `ImageDataGenerator.flow_from_directory`.

    Parameters
    ----------
    directory, target_size, color_mode, classes, class_mode, batch_size, shuffle, seed
        As for `ImageDataGenerator.flow_from_directory`.
    image_data_generator : ImageDataGenerator
        Its settings determine transformations and normalization.
    save_to_dir, save_prefix, save_format, follow_links, subset, interpolation, keep_aspect_ratio
        As for `ImageDataGenerator.flow_from_directory`.
    errors : {'raise', 'skip'}, default 'raise'

    Attributes
    ----------
    class_indices : dict of str to int
        The number of each class.
    classes : list of int
        The number of the class of each image.
    filenames, filepaths : list of str
        As they are in the folder, and with the folder before them.
    samples, n : int
        Number of images.
    image_shape : (height, width, channels)
    epoch : int
        Number of the current epoch, from 0.
    """

    def __init__(
        self,
        directory,
        image_data_generator,
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        follow_links=False,
        subset=None,
        interpolation="nearest",
        keep_aspect_ratio=False,
        errors="raise",
    ):
        self._check(
            image_data_generator,
            target_size,
            color_mode,
            class_mode,
            DIRECTORY_MODES,
            interpolation,
            keep_aspect_ratio,
            errors,
        )
        paths, numbers, names = labelled_files(
            directory, "inferred", ENDINGS, classes or None, follow_links
        )
        _check_two(class_mode, names)
        if errors == "skip":
            good = readable(paths, self._image)
            paths, numbers = [paths[k] for k in good], numbers[good]
        chosen = []
        for number in range(len(names)):
            files = np.flatnonzero(numbers == number)
            chosen += files[subset_slice(image_data_generator, subset, len(files))].tolist()
        if not chosen:
            raise ValueError(
                f"directory: expected images in the folders of {directory}, got none"
                + ("" if subset is None else f" for {subset} of {len(paths)}")
            )
        self.directory, self.class_indices = directory, {name: k for k, name in enumerate(names)}
        write(f"Found {len(chosen)} images belonging to {len(names)} classes.")
        self._begin(
            [os.path.relpath(paths[k], directory) for k in chosen],
            directory,
            numbers[chosen],
            batch_size,
            shuffle,
            seed,
            save_to_dir,
            save_prefix,
            save_format,
        )


class DataFrameIterator(FileIterator):
    """Batches of images whose names are in a table; made by
    `ImageDataGenerator.flow_from_dataframe`.

    Parameters
    ----------
    dataframe, directory, x_col, y_col, weight_col, target_size, color_mode, classes, class_mode
        As for `ImageDataGenerator.flow_from_dataframe`.
    image_data_generator : ImageDataGenerator
        Its settings determine transformations and normalization.
    batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset, interpolation
        As for `ImageDataGenerator.flow_from_dataframe`.
    keep_aspect_ratio, validate_filenames, errors
        As for `ImageDataGenerator.flow_from_dataframe`.

    Attributes
    ----------
    class_indices : dict of str to int
        The number of each class, if there are classes.
    classes : list
        The number of the class of each image, or a list of numbers.
    filenames, filepaths : list of str
        As they are in the table, and with the folder before them.
    samples, n : int
        Number of images.
    image_shape : (height, width, channels)
    epoch : int
        Number of the current epoch, from 0.
    """

    def __init__(
        self,
        dataframe,
        directory=None,
        image_data_generator=None,
        x_col="filename",
        y_col="class",
        weight_col=None,
        target_size=(256, 256),
        color_mode="rgb",
        classes=None,
        class_mode="categorical",
        batch_size=32,
        shuffle=True,
        seed=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
        subset=None,
        interpolation="nearest",
        keep_aspect_ratio=False,
        validate_filenames=True,
        errors="raise",
    ):
        self._check(
            image_data_generator,
            target_size,
            color_mode,
            class_mode,
            FRAME_MODES,
            interpolation,
            keep_aspect_ratio,
            errors,
        )
        self.directory = directory = os.fspath(directory or "")
        names = _column(dataframe, "x_col", x_col)
        for name in names:
            if not isinstance(name, str):
                raise TypeError(f"x_col: expected names of files in {x_col!r}, got {name!r}")
        rows = np.arange(len(names))
        if validate_filenames:
            rows = _existing(names, directory)
        if errors == "skip":
            rows = rows[readable([os.path.join(directory, names[k]) for k in rows], self._image)]
        of = ""
        if class_mode in OF_CLASSES:
            labels = _column(dataframe, "y_col", y_col)
            found = _numbers([labels[k] for k in rows], classes, class_mode, y_col)
            numbers, self.class_indices = dict(zip(rows.tolist(), found[0])), found[1]
            rows = np.array([k for k in numbers if numbers[k] != []], np.intp)
            of = f" belonging to {len(self.class_indices)} classes"
        elif classes:
            warn(f"classes: not used with class_mode={class_mode!r}")
        rows = rows[subset_slice(image_data_generator, subset, len(rows))]
        if not len(rows):
            raise ValueError(f"dataframe: expected rows with images, got none of {len(names)}")
        kind = "validated" if validate_filenames else "non-validated"
        write(f"Found {len(rows)} {kind} image filenames{of}.")

        def values(argument, name):
            return np.array(_column(dataframe, argument, name))[rows]

        targets = None
        if class_mode in OF_CLASSES:
            targets = [numbers[k] for k in rows]
        elif class_mode == "raw" and isinstance(y_col, str):
            targets = values("y_col", y_col)
        elif class_mode == "raw":
            targets = np.stack([values("y_col", name) for name in y_col], axis=1)
        elif class_mode == "multi_output":
            if not isinstance(y_col, (list, tuple)):
                raise TypeError(f"y_col: expected a list of columns, got {y_col!r}")
            targets = [values("y_col", name) for name in y_col]
        if weight_col is not None:
            self.sample_weight = values("weight_col", weight_col)
            if self.sample_weight.dtype.kind not in "iufb":
                raise TypeError(f"weight_col: expected numbers in {weight_col!r}")
        self._begin(
            [names[k] for k in rows],
            directory,
            targets,
            batch_size,
            shuffle,
            seed,
            save_to_dir,
            save_prefix,
            save_format,
        )


def _column(frame, argument, name):
    """A column of a table as a list."""
    names = [*getattr(frame, "columns", frame)]
    if name not in names:
        raise ValueError(f"{argument}: expected one of the columns {names}, got {name!r}")
    return list(frame[name])


def _existing(names, folder):
    """The numbers of the names that are those of images in a folder; a warning lists the others."""
    good = [
        name.lower().endswith(ENDINGS) and os.path.isfile(os.path.join(folder, name))
        for name in names
    ]
    if not all(good):
        others = [name for name, is_good in zip(names, good) if not is_good]
        warn(
            f"{len(others)} of {len(names)} names are not those of images in {folder or os.curdir} "
            f"and are left out:{listed(others)}"
        )
    return np.flatnonzero(good)


def _numbers(column, classes, class_mode, name):
    """The number of the class of each row, or a list of numbers, which is empty where none is asked
    for; and the number of each class."""
    kinds = (str, list, tuple) if class_mode == "categorical" else str
    for value in column:
        if not isinstance(value, kinds):
            expected = "strings, or lists of them" if class_mode == "categorical" else "strings"
            raise TypeError(f"y_col: expected {expected} in {name!r}, got {value!r}")
    rows = [[value] if isinstance(value, str) else value for value in column]
    known = [*dict.fromkeys(classes or sorted({value for row in rows for value in row}))]
    _check_two(class_mode, known)
    indices = {value: k for k, value in enumerate(known)}
    numbers = [[indices[value] for value in row if value in indices] for row in rows]
    if all(isinstance(value, str) for value in column):
        numbers = [row[0] if row else row for row in numbers]
    return numbers, indices
