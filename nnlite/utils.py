"""The names of `keras.utils`; most functions are defined in other modules."""

import numpy as np

from nnlite import lazy, names
from nnlite.checks import check_setting
from nnlite.config import seed_draws
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.errors import memory_for

with lazy.imports(__name__):
    import random

    from nnlite.backend import clear_session, is_keras_tensor, standardize_dtype
    from nnlite.config import (
        disable_interactive_logging,
        enable_interactive_logging,
        is_interactive_logging_enabled,
    )
    from nnlite.data.directory import image_dataset_from_directory, text_dataset_from_directory
    from nnlite.data.images import array_to_img, img_to_array, load_img, save_img
    from nnlite.data.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
    from nnlite.data.py_dataset import PyDataset
    from nnlite.data.py_dataset import PyDataset as Sequence
    from nnlite.data.splitting import split_dataset
    from nnlite.data.timeseries import timeseries_dataset_from_array
    from nnlite.download import get_file
    from nnlite.preprocessing.sequence import pad_sequences
    from nnlite.progbar import Progbar
    from nnlite.registry import (
        CustomObjectScope,
        custom_object_scope,
        get_custom_objects,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
    )
    from nnlite.serialization import deserialize_keras_object, serialize_keras_object
    from nnlite.visualization import plot_model

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "load_img",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]

__getattr__ = names.of(__name__)


def set_random_seed(seed):
    """Make everything that draws random numbers from now on repeatable: in nnlite, in NumPy's
    global generator and in Python's `random`.

    Parameters
    ----------
    seed : int
        At least 0.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.utils.set_random_seed(7)
    """
    seed_draws(seed)
    np.random.seed(int(seed) % 2**32)  # noqa: NPY002, as users draw from it
    random.seed(int(seed))


def normalize(x, axis=-1, order=2):
    """Each vector divided by its norm; one of zeros stays.

    Parameters
    ----------
    x : array-like
    axis : int or None, default -1
        Along which the vectors lie; None: all of x is one.
    order : number, default 2
        Of the norm, more than 0; `numpy.inf` is the largest absolute value.

    Returns
    -------
    array, or for a tensor a tensor, of the shape of x

    Raises
    ------
    ValueError
        If `order` is not more than 0.

    Examples
    --------
    >>> from nnlite import utils
    >>> utils.normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    check_setting("order", order, "(0, inf]")
    values = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    norm = np.linalg.norm(values.ravel() if axis is None else values, order, axis, True)
    norm = np.where(norm == 0, 1, norm).astype(norm.dtype)
    return x / norm if isinstance(x, Tensor) else values / norm


def to_categorical(x, num_classes=None):
    """One-hot rows from integer labels.

    Parameters
    ----------
    x : integer array, shape (N,), (N, 1) or (...)
        Labels in [0, num_classes).
    num_classes : int, optional
        By default the largest label + 1.

    Returns
    -------
    array of float64, shape (N, num_classes) or (..., num_classes)
        For a tensor a tensor of `floatx()`.

    Raises
    ------
    ValueError
        For labels that are not integers or out of range.

    Examples
    --------
    >>> from nnlite import utils
    >>> utils.to_categorical([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    given = np.asarray(x)
    try:
        with np.errstate(invalid="ignore"):
            labels = given.astype(np.int64)
    except (TypeError, ValueError):  # text, or None
        labels = np.full(given.shape, -1)
    if not np.array_equal(labels, given):
        other = given[labels != given].flat[0]
        raise ValueError(f"to_categorical: x: expected integer labels, got {other!r}")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    classes = (
        int(labels.max()) + 1 if num_classes is None and labels.size else int(num_classes or 0)
    )
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        bad = labels.min() if labels.min() < 0 else labels.max()
        least = "of at least 0" if num_classes is None else f"in [0, {classes})"
        raise ValueError(f"to_categorical: x: expected labels {least}, got {bad}")
    with memory_for("to_categorical", (labels.size, classes), "float64"):
        rows = np.zeros((labels.size, classes))
    rows[np.arange(labels.size), labels.reshape(-1)] = 1.0
    rows = rows.reshape(*labels.shape, classes)
    return convert_to_tensor(rows) if isinstance(x, Tensor) else rows
