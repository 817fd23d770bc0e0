"""Pixels as networks trained on ImageNet take them, and the names of its classes."""

import functools
import json
import sys

import numpy as np

from nnlite import config, names, ops
from nnlite.applications.files import Published, located
from nnlite.checks import check_choice, positive_int
from nnlite.download import DamagedFile
from nnlite.engine.symbolic import Symbol
from nnlite.engine.tensor import Tensor

__all__ = ["decode_predictions", "preprocess_input"]

CLASSES = Published(
    "imagenet_class_index.json",
    "https://storage.googleapis.com/download.tensorflow.org/data/",
    "c2c37ea517e94d9795004a39431a14cb",
)

# How channels become what a network takes: (pixels / divisor - mean) / stddev. Of "caffe" the
# channels are blue, green, red, of the others red, green, blue.
MODES = {
    "caffe": (1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    "tf": (127.5, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
    "torch": (255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "lite": (1.0, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
}
_IN_WORDS = {
    "caffe": "from red, green, blue to blue, green, red, minus the mean of each over ImageNet",
    "tf": "to [-1, 1]",
    "torch": "to [0, 1], minus the mean of each channel over ImageNet, by its standard deviation",
    "lite": "minus 127, by 128",
    None: "not at all: the network scales them itself",
}


def preprocess_input(x, data_format=None, mode="caffe"):
    """Scale pixels to what a network takes.

    Parameters
    ----------
    x : array, tensor or symbol of shape (height, width, 3) or (N, height, width, 3)
        Pixels in [0, 255]. An array of floats is changed in place, as Keras does.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are; by default last.
    mode : {'caffe', 'tf', 'torch', 'lite'}, default 'caffe'
        'caffe': from red, green, blue to blue, green, red, minus the mean of each over ImageNet;
        'tf': to [-1, 1]; 'torch': to [0, 1], minus the mean, by the standard deviation; 'lite':
        minus 127, by 128.

    Returns
    -------
    array, tensor or symbol
        In the precision of x; of integers in that of nnlite.

    Raises
    ------
    ValueError
        If there are not 3 channels, or for another word than those above.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.applications import imagenet_utils
    >>> imagenet_utils.preprocess_input(np.full((2, 2, 3), 255), mode="tf")[0, 0]
    array([1., 1., 1.], dtype=float32)
    """
    check_choice("mode", mode, [*MODES], "preprocess_input")
    data_format = data_format or "channels_last"
    check_choice("data_format", data_format, ["channels_last", "channels_first"])
    if not isinstance(x, (Tensor, Symbol)):
        x = np.asarray(x)
        if not np.issubdtype(x.dtype, np.floating):
            x = x.astype(config.floatx())
    axis = -1 if data_format == "channels_last" else -3
    if len(x.shape) not in (3, 4) or x.shape[axis] != 3:
        where = "(height, width, 3)" if axis == -1 else "(3, height, width)"
        raise ValueError(f"x: expected images of shape {where}, or many of them, got {x.shape}")
    divisor, mean, stddev = MODES[mode]
    mean, stddev = (np.array(v).reshape((3,) + (1,) * (-1 - axis)) for v in (mean, stddev))
    if isinstance(x, np.ndarray):
        x = x if x.flags.writeable else x.copy()
        x = np.flip(x, axis) if mode == "caffe" else x
        x /= divisor
        x -= mean
        x /= stddev
        return x
    if mode == "caffe":
        x = ops.flip(x, axis=len(x.shape) + axis)
    precision = config.floatx()
    return (x / divisor - mean.astype(precision)) / stddev.astype(precision)


def preprocessing(mode):
    """The `preprocess_input` of networks of one mode.

    Parameters
    ----------
    mode : {'caffe', 'tf', 'torch', 'lite'} or None
        None: they take pixels as they are.
    """

    def function(x, data_format=None):
        return x if mode is None else preprocess_input(x, data_format, mode)

    function.__name__ = function.__qualname__ = "preprocess_input"
    function.__module__ = sys._getframe(1).f_globals["__name__"]  # a pickle finds it there
    function.__doc__ = f"""Scale pixels to what this network takes: {_IN_WORDS[mode]}.

    Parameters
    ----------
    x : array, tensor or symbol of shape (height, width, 3) or (N, height, width, 3)
        Pixels in [0, 255].{"" if mode is None else " An array of floats is changed in place."}
    data_format : {{'channels_last', 'channels_first'}}, optional
        Where the channels are; by default last.

    Returns
    -------
    array, tensor or symbol
    """
    return function


@functools.cache
def _class_index(path):
    """[identifier, name] of each class."""
    try:
        with open(path, encoding="utf-8") as file:
            index = json.load(file)
        return [tuple(map(str, index[str(i)])) for i in range(1000)]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(
            f"{path}: expected JSON of 1000 classes, got {type(error).__name__}: {error}"
        ) from None


def decode_predictions(preds, top=5):
    """The most probable classes of ImageNet.

    Their names are in the file `imagenet_class_index.json`, which is found as the weights of
    networks are: in NNLITE_DATA, in Keras's cache, in nnlite's, or downloaded once.

    Parameters
    ----------
    preds : array or tensor of shape (N, 1000)
        What a network with its top predicts.
    top : int, default 5
        How many classes of each image.

    Returns
    -------
    list of lists of (identifier, name, score)
        The best first.

    Raises
    ------
    ValueError
        For another shape.
    OSError
        If the file with the names can neither be found nor downloaded.

    Examples
    --------
    >>> from nnlite.applications.vgg16 import decode_predictions
    >>> decode_predictions(model.predict(images), top=1)  # doctest: +SKIP
    [[('n11939491', 'daisy', 0.998)]]
    """
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != 1000:
        raise ValueError(f"preds: expected scores of shape (N, 1000), got {preds.shape}")
    top = min(positive_int("top", top), 1000)
    classes = _class_index(located(CLASSES))
    best = np.argsort(-preds, axis=1, kind="stable")[:, :top]
    return [[(*classes[i], row[i]) for i in found] for row, found in zip(preds, best)]


__getattr__ = names.of(__name__)
