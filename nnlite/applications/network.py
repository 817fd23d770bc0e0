"""What all networks share: Keras's arguments and their checks, and how a body, a top and a file of
weights become a model.

The one idea: a network is a body, a function from a symbol of images to one of features, and a top,
a function from these to scores. `network` makes of both the function that users call; networks
with arguments of their own call `assembled`."""

import contextlib
import functools
import os
from pathlib import Path
from typing import NamedTuple

from nnlite import activations, layers, warn
from nnlite.applications.explained import explained
from nnlite.applications.files import located
from nnlite.checks import check_choice, positive_int
from nnlite.engine.symbolic import Symbol
from nnlite.errors import reworded
from nnlite.initializers.initializer import left_unset
from nnlite.models.model import Model


class Asked(NamedTuple):
    """The arguments that all networks have."""

    include_top: bool
    weights: object
    input_tensor: object
    input_shape: object
    pooling: object
    classes: int
    classifier_activation: object


def network(path, body, *, top=None, published, name=None, size=224, pools=None, **facts):
    """The function that makes a network that has no arguments but those of all.

    Parameters
    ----------
    path : str
        Module and name of the function, such as 'vgg16.VGG16'.
    body : function
        From a symbol of images to one of features.
    top : function, optional
        From features, a number of classes and an activation to scores; by default their mean over
        the image and one Dense layer.
    published : function of include_top
        Gives the file of its weights.
    name : str, optional
        Of models, by default; by default that of the function in lower case.
    size : int, default 224
        Of the images that it was trained on.
    pools : function, optional
        From features and `pooling` to the result, where there is no top; by default `pooled`.
    **facts
        Of `explained`.
    """
    default_name, least = name or path.rpartition(".")[2].lower(), facts.get("least", 32)

    def function(
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        name=default_name,
    ):
        asked = Asked(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
        )
        return assembled(
            asked,
            name,
            body,
            top or mean_and_dense,
            file=published(bool(include_top)),
            size=size,
            least=least,
            pools=pools,
        )

    return explained(path=path, size=size, **facts)(function)


def assembled(asked, name, body, top, *, size, file, least=32, static=True, pools=None):
    """A model of a body and a top, with its weights read.

    Parameters
    ----------
    asked : Asked
    name : str
        Of the model.
    body, top : functions
    size : int
    file : Published
        Its weights for ImageNet.
    least : int, default 32
        The smallest size of images.
    static : bool, default True
        Whether with its top it needs images of one size.
    pools : function, optional
        As in `network`.

    Raises
    ------
    OSError, ValueError
        If an argument is out of range, or the weights are not found or those of another network.
    """
    check(asked)
    shape = checked_shape(asked, size, least, static)
    path = file_of_weights(asked, file)
    with left_unset() if path is not None else contextlib.nullcontext():
        images = layers.Input(shape) if asked.input_tensor is None else asked.input_tensor
        x = body(images)
        if asked.include_top:
            x = top(x, positive_int("classes", asked.classes), asked.classifier_activation)
        else:
            x = (pools or pooled)(x, asked.pooling)
        model = Model(images, x, name=name)
    if path is not None:
        with reworded(functools.partial(_about, asked, model)):
            model.load_weights(path)
    sources = beginnings_of(images)
    return (
        model
        if sources[0] is images
        else Model(sources if len(sources) > 1 else sources[0], x, name=name)
    )


def take_weights(model, whole):
    """Copy the weights of a network to one without its top, by the names of layers.

    Parameters
    ----------
    model, whole : Model
    """
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(whole.get_layer(layer.name).get_weights())


def _about(asked, model, message):
    """What is said of a file whose weights are not those of a network."""
    top = "with its top" if asked.include_top else "without its top (include_top=False)"
    return f"weights: expected those of {model.name!r} {top}: {message}"


def check(asked):
    """Raise an error if the arguments of a network are out of range, or contradict each other."""
    if asked.weights is not None and not isinstance(asked.weights, (str, os.PathLike)):
        raise TypeError(f"weights: expected 'imagenet', None or a path, got {asked.weights!r}")
    if asked.weights not in (None, "imagenet") and not Path(asked.weights).exists():
        raise FileNotFoundError(
            f"weights: expected 'imagenet', None or the path of a file, got {asked.weights!r}, "
            "which is not there"
        )
    check_choice("pooling", asked.pooling, (None, "avg", "max"))
    positive_int("classes", asked.classes)
    if asked.weights == "imagenet" and asked.include_top and asked.classes != 1000:
        raise ValueError(
            "classes: expected 1000 with weights='imagenet' and include_top=True, "
            f"got {asked.classes!r}; include_top=False leaves the top to you"
        )
    if asked.include_top and asked.weights is not None:
        activation = activations.get(asked.classifier_activation)
        if activation not in (activations.get("softmax"), activations.get(None)):
            raise ValueError(
                "classifier_activation: expected 'softmax' or None with weights that were trained, "
                f"got {asked.classifier_activation!r}"
            )
    if asked.input_tensor is not None and not isinstance(asked.input_tensor, Symbol):
        raise TypeError(
            f"input_tensor: expected a symbol, as Input gives it, got {asked.input_tensor!r}"
        )


def checked_shape(asked, size, least, static=True):
    """The shape of an image, without the batch."""
    given, trained = asked.input_shape, asked.weights == "imagenet"
    if asked.input_tensor is not None:
        found = asked.input_tensor.shape[1:]
        if given is not None and not agree(tuple(given), found):
            raise ValueError(
                f"input_shape: expected that of input_tensor, {found}, got {tuple(given)}"
            )
        given = found
    if given is None:
        return (size, size, 3) if asked.include_top and static else (None, None, 3)
    if isinstance(given, (str, int)) or len(given) != 3:
        raise ValueError(f"input_shape: expected (height, width, channels), got {given!r}")
    shape = tuple(n if n is None else positive_int("input_shape", n) for n in given)
    *sizes, channels = shape
    if channels is None or (trained and asked.input_tensor is None and channels != 3):
        raise ValueError(
            f"input_shape: expected 3 channels{' with weights of ImageNet' * trained}, "
            f"got {shape}" + "; a grey image has 3 equal ones" * (channels == 1)
        )
    if channels not in (1, 3) and asked.input_tensor is None:
        warn.warn(f"input_shape: expected 1 or 3 channels, got {shape}")
    if asked.include_top and static:
        if trained and shape != (size, size, 3) and asked.input_tensor is None:
            raise ValueError(
                f"input_shape: expected {(size, size, 3)} with weights='imagenet' and "
                f"include_top=True, got {shape}"
            )
        if None in shape:
            raise ValueError(f"input_shape: expected sizes with include_top=True, got {shape}")
    if any(n is not None and n < least for n in sizes):
        raise ValueError(f"input_shape: expected at least {least} x {least} pixels, got {shape}")
    return shape


def agree(shape, other):
    """Whether two shapes may be one; None is any size."""
    pairs = zip(shape, other)
    return len(shape) == len(other) and all(None in pair or pair[0] == pair[1] for pair in pairs)


def file_of_weights(asked, file):
    """The path of the weights that were asked for, or None."""
    return located(file) if asked.weights == "imagenet" else asked.weights


def beginnings_of(symbol):
    """The inputs that a symbol depends on."""
    found, waiting, seen = [], [symbol], set()
    while waiting:
        symbol = waiting.pop()
        if symbol.node in seen:
            continue
        seen.add(symbol.node)
        if symbol.node.inputs:
            waiting += reversed(symbol.node.inputs)
        else:
            found.append(symbol)
    return found


# Tops


def mean_and_dense(x, classes, activation):
    """The mean over the image, and one Dense layer."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


def pooled(x, pooling, named=False):
    """Features as `pooling` says, where there is no top."""
    kinds = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    if pooling is None:
        return x
    return kinds[pooling](name=f"{pooling}_pool" if named else None)(x)


def pooled_by_name(x, pooling):
    """As `pooled`, by layers with names."""
    return pooled(x, pooling, named=True)


# What several bodies are made of


def halving_pad(x, kernel_size):
    """The padding before a convolution with strides 2 that treats an even size as TensorFlow's
    first networks did: one pixel less at the top and the left."""
    half = kernel_size // 2
    even = [1 if size is None else 1 - size % 2 for size in x.shape[1:3]]
    return tuple((half - e, half) for e in even)


def of_eight(channels, divisor=8):
    """A number of channels rounded to a multiple of 8, and not down by more than a tenth."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else int(rounded)
