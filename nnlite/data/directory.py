"""Datasets of files whose folders are their classes."""

import os

import numpy as np

from nnlite.checks import check_choice, check_setting, is_number, positive_int
from nnlite.config import next_seed
from nnlite.data import images
from nnlite.data.dataset import Dataset
from nnlite.data.in_threads import in_order
from nnlite.data.resizing import METHODS, check_size
from nnlite.terminal import write
from nnlite.warn import warn

LABEL_MODES = ("int", "categorical", "binary", None)
SUBSETS = ("training", "validation", "both", None)
ERRORS = ("raise", "skip")
MOST_LISTED = 50  # files that a warning names


def text_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    batch_size=32,
    max_length=None,
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    follow_links=False,
    format="tf",
    verbose=True,
    errors="raise",
):
    """A dataset of the texts in a folder, whose folders are their classes.

    A file is read when its batch comes. Files end in `.txt` and hold UTF-8.

    Parameters
    ----------
    directory : path
        A folder with a folder for each class; these may hold further ones.
    labels : 'inferred', list of int or None, default 'inferred'
        Numbers of classes, in the order of `class_names`; or one for each file in the order of
        their paths, whatever their folders; or None: texts alone.
    label_mode : {'int', 'categorical', 'binary'} or None, default 'int'
        Labels as int32; as one-hot rows of float32; as float32 of shape (1,); or none.
    class_names : list of str, optional
        Some of the folders, in the order of their numbers; by default all, sorted.
    batch_size : int or None, default 32
        None: single texts.
    max_length : int, optional
        Characters of a text at most; the others are cut off.
    shuffle : bool, default True
        Whether each pass has another order.
    seed : int, optional
        Of the order, and of the split. By default one follows from `utils.set_random_seed`.
    validation_split : float, optional
        The share for validation, in (0, 1).
    subset : {'training', 'validation', 'both'}, optional
        Which part; beside `validation_split`. 'both': two datasets.
    follow_links : bool, default False
        Whether folders that are links are gone into.
    format : {'tf', 'grain'}, default 'tf'
        With 'grain' each pass has the same order, as in Keras; nothing else changes.
    verbose : bool, default True
        Whether the number of files is written.
    errors : {'raise', 'skip'}, default 'raise'
        What becomes of files that are no UTF-8. 'raise': an error when their batch comes. 'skip':
        all files are read once before, and one warning lists those that are left out.

    Returns
    -------
    Dataset, or two of them
        Of (texts, labels): an array of str and a tensor. It has the attributes `class_names` and
        `file_paths`.

    Raises
    ------
    ValueError
        If there are no files, or for settings that do not fit them or each other.

    Examples
    --------
    >>> import pathlib
    >>> from nnlite.utils import text_dataset_from_directory
    >>> for name in ("bad", "good"):
    ...     pathlib.Path("films", name).mkdir(parents=True)
    ...     size = pathlib.Path("films", name, "one.txt").write_text(f"a {name} film")
    >>> data = text_dataset_from_directory("films", shuffle=False)
    Found 2 files belonging to 2 classes.
    >>> for texts, labels in data:
    ...     print(texts.tolist(), labels.numpy().tolist())
    ['a bad film', 'a good film'] [0, 1]
    """
    max_length = None if max_length is None else positive_int("max_length", max_length)
    return _dataset(
        lambda path: np.array(_text(path)[:max_length], object),
        (".txt",),
        directory,
        labels,
        label_mode,
        class_names,
        batch_size,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        format,
        verbose,
        errors,
    )


def image_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    color_mode="rgb",
    batch_size=32,
    image_size=(256, 256),
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    interpolation="bilinear",
    follow_links=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    data_format=None,
    format="tf",
    verbose=True,
    errors="raise",
):
    """A dataset of the images in a folder, whose folders are their classes.

    A file is read when its batch comes, by several threads, a few images ahead of the training:
    there may be more than memory holds. Files end in `.bmp`, `.gif`, `.jpeg`, `.jpg` or `.png`. As
    `load_img` it turns photographs upright (Keras does not) and takes the first picture of an
    animation; of 16 bits it keeps the upper 8.

    Parameters
    ----------
    directory, labels, label_mode, class_names
        As for `text_dataset_from_directory`.
    color_mode : {'rgb', 'rgba', 'grayscale'}, default 'rgb'
        Images have 3, 4 or 1 channels. Transparency is left out where there is no channel for it.
    batch_size : int or None, default 32
        None: single images.
    image_size : int or (height, width), default (256, 256)
    shuffle, seed, validation_split, subset
        As for `text_dataset_from_directory`. The same seed gives the parts that Keras has.
    interpolation : str, default 'bilinear'
        How the size is changed: 'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3', 'lanczos5',
        'gaussian' or 'mitchellcubic', as TensorFlow does it without antialiasing. 'area' is the
        best for what becomes much smaller.
    follow_links : bool, default False
        Whether folders that are links are gone into.
    crop_to_aspect_ratio, pad_to_aspect_ratio : bool, default False
        By default images are stretched to the new size. Or the middle is cut out; or zeros are put
        around the whole image.
    data_format : {None, 'channels_last', 'channels_first'}, default None
        None is 'channels_last', which the layers of nnlite take.
    format : {'tf', 'grain'}, default 'tf'
        With 'grain' each pass has the same order, as in Keras; nothing else changes.
    verbose : bool, default True
        Whether the number of files is written.
    errors : {'raise', 'skip'}, default 'raise'
        What becomes of files that are no images or damaged. 'raise': an error when their batch
        comes. 'skip': all files are read once before, and one warning lists those that are left
        out.

    Returns
    -------
    Dataset, or two of them
        Of (images, labels): tensors of float32, with values in [0, 255]. It has the attributes
        `class_names` and `file_paths`.

    Raises
    ------
    ImportError
        Without Pillow.
    ValueError
        If there are no files, or for settings that do not fit them or each other.
    DamagedFile
        An OSError, in a pass: if a file is no image.

    Examples
    --------
    >>> import numpy as np, pathlib
    >>> from nnlite.utils import image_dataset_from_directory, save_img
    >>> for name, grey in (("day", 255.0), ("night", 0.0)):
    ...     pathlib.Path("sky", name).mkdir(parents=True)
    ...     save_img(pathlib.Path("sky", name, "1.png"), np.full((9, 9, 1), grey), scale=False)
    >>> data = image_dataset_from_directory("sky", image_size=(8, 8), shuffle=False)
    Found 2 files belonging to 2 classes.
    >>> for images, labels in data:
    ...     print(images.shape, images.numpy().max((1, 2, 3)).tolist(), labels.numpy().tolist())
    (2, 8, 8, 3) [255.0, 0.0] [0, 1]
    """
    check_choice("color_mode", color_mode, [*images.MODES])
    check_choice("data_format", data_format, images.DATA_FORMATS)
    check_choice("interpolation", interpolation, METHODS)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("pad_to_aspect_ratio: expected False beside crop_to_aspect_ratio=True")
    fit = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"
    size = check_size("image_size", image_size)
    images.pillow()
    return _dataset(
        lambda path: images.read_image(path, color_mode, size, interpolation, fit, data_format),
        images.ENDINGS,
        directory,
        labels,
        label_mode,
        class_names,
        batch_size,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        format,
        verbose,
        errors,
    )


def _dataset(
    read,
    endings,
    directory,
    labels,
    label_mode,
    class_names,
    batch_size,
    shuffle,
    seed,
    validation_split,
    subset,
    follow_links,
    format,
    verbose,
    errors,
):
    """A dataset of what is read of the files in a folder, or two of them."""
    check_choice("label_mode", label_mode, LABEL_MODES)
    check_choice("format", format, ("tf", "grain"))
    check_choice("errors", errors, ERRORS)
    batch_size = None if batch_size is None else positive_int("batch_size", batch_size)
    if label_mode is None:
        labels = None
    _check_split(validation_split, subset, shuffle, seed)
    paths, labels, class_names = labelled_files(
        directory, labels, endings, class_names, follow_links
    )
    if label_mode == "binary" and labels is not None and len(class_names) != 2:
        raise ValueError(f"label_mode: expected 2 classes for 'binary', got {class_names}")
    if errors == "skip":
        good = readable(paths, read)
        paths, labels = [paths[k] for k in good], None if labels is None else labels[good]
    if not paths:
        kinds = " or ".join(f"*{ending}" for ending in endings)
        hint = "" if class_names != [] else "; it has no folders of classes: pass labels=None"
        raise ValueError(f"directory: expected files {kinds}, got none in {directory}{hint}")
    if verbose:
        of = "" if labels is None else f" belonging to {len(class_names)} classes"
        write(f"Found {len(paths)} files{of}.")
    seed = next_seed() % 2**32 if seed is None else int(seed)
    order = np.arange(len(paths))
    if shuffle:  # as Keras, for the same parts
        np.random.RandomState(seed).shuffle(order)
    at = len(paths) - int(len(paths) * (validation_split or 0))
    parts = {"training": order[:at], "validation": order[at:], None: order}
    targets = None if labels is None else _targets(labels, label_mode, len(class_names))

    def element(number):
        value = read(paths[number])
        return value if targets is None else (value, targets[number])

    def dataset(part):
        if not len(parts[part]):
            raise ValueError(
                f"validation_split: expected files for {part}, got none of {len(paths)}"
            )
        if verbose and part is not None:
            write(f"Using {len(parts[part])} files for {part}.")
        numbers = Dataset.from_tensor_slices(parts[part])
        if shuffle and not (part == "validation" and subset == "both"):
            numbers = numbers.shuffle(len(parts[part]), seed, format == "tf")
        data = Dataset(lambda: in_order(element, numbers.as_numpy_iterator()), len(numbers))
        if batch_size is not None:
            data = data.batch(batch_size)
        data.class_names, data.file_paths = class_names, [paths[k] for k in parts[part]]
        return data

    if subset == "both":
        return dataset("training"), dataset("validation")
    return dataset(subset)


def readable(paths, read):
    """The numbers of the files that can be read; one warning lists the others.

    Parameters
    ----------
    paths : list of str
    read : function of str
        Raises an OSError or ValueError for a file that it cannot read.

    Returns
    -------
    int array
    """

    def fault(path):
        try:
            read(path)
        except (OSError, ValueError) as error:
            return str(error)

    faults = [*in_order(fault, paths)]
    found = [text for text in faults if text is not None]
    if found:
        warn(f"{len(found)} of {len(paths)} files cannot be read and are left out:{listed(found)}")
    return np.array([k for k, text in enumerate(faults) if text is None], np.intp)


def listed(texts):
    """Texts of a warning, one a line; the last one counts what would be too many."""
    more = [f"and {len(texts) - MOST_LISTED} more"] if len(texts) > MOST_LISTED else []
    return "".join(f"\n  {text}" for text in [*texts[:MOST_LISTED], *more])


def labelled_files(directory, labels, endings, class_names=None, follow_links=False):
    """The files of a folder with the numbers of their classes.

    Parameters
    ----------
    directory : path
    labels : 'inferred', list of int or None
    endings : tuple of str
        Of the names of files, in lower case.
    class_names : list of str, optional
    follow_links : bool, default False

    Returns
    -------
    paths : list of str
    labels : array of int32, or None
    class_names : list of str, or None
    """
    directory = os.fspath(directory)
    if not os.path.isdir(directory):
        raise ValueError(f"directory: expected a folder, got {directory!r}")
    if isinstance(labels, str) and labels == "inferred":
        found = sorted(
            entry.name
            for entry in os.scandir(directory)
            if entry.is_dir() and not entry.name.startswith(".")
        )
        if class_names is not None and not set(class_names) <= set(found):
            raise ValueError(f"class_names: expected some of {found}, got {class_names}")
        class_names = found if class_names is None else list(class_names)
        files = [_files(os.path.join(directory, n), endings, follow_links) for n in class_names]
        labels = np.repeat(np.arange(len(files), dtype=np.int32), [len(f) for f in files])
        return [path for group in files for path in group], labels, class_names
    if class_names is not None:
        raise ValueError("class_names: expected None unless labels='inferred', got a list")
    paths = _files(directory, endings, follow_links)
    if labels is None:
        return paths, None, None
    if not isinstance(labels, (list, tuple, np.ndarray)):
        raise ValueError(
            f"labels: expected 'inferred', None or a list with one for each file, got {labels!r}"
        )
    if len(labels) != len(paths):
        raise ValueError(
            f"labels: expected one for each of the {len(paths)} files in {directory}, got "
            f"{len(labels)}"
        )
    for label in labels:
        check_setting("labels", label, "int [0, inf)")
    return paths, np.array(labels, np.int32), [str(label) for label in sorted(set(labels))]


def _files(folder, endings, follow_links):
    """The paths of all files in a folder and those within, sorted."""
    return [
        os.path.join(root, name)
        for root, _, names in sorted(os.walk(folder, followlinks=follow_links))
        for name in sorted(names)
        if name.lower().endswith(endings)
    ]


def _check_split(validation_split, subset, shuffle, seed):
    check_choice("subset", subset, SUBSETS)
    if validation_split is not None and not is_number(validation_split, "(0, 1)"):
        raise ValueError(f"validation_split: expected a number in (0, 1), got {validation_split!r}")
    if (validation_split is None) != (subset is None):
        raise ValueError("validation_split: expected it beside subset, and None without")
    if seed is not None:
        check_setting("seed", seed, f"int [0, {2**32 - 1}]")
    elif subset in ("training", "validation") and shuffle:
        raise ValueError("seed: expected a number, so that training and validation do not overlap")


def _targets(labels, mode, classes):
    """The labels as a loss takes them."""
    if mode == "binary":
        return labels[:, None].astype(np.float32)
    if mode == "categorical":
        if labels.max(initial=0) >= classes:
            raise ValueError(f"labels: expected labels in [0, {classes}), got {labels.max()}")
        return np.eye(classes, dtype=np.float32)[labels]
    return labels


def _text(path):
    with open(path, "rb") as file:
        content = file.read()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8, got {error}") from None
