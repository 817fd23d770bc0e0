"""Which parts of an image a prediction depends on: Grad-CAM, by gradients, and occlusion, by hiding
parts."""

import numpy as np

from nnlite import activations, config, ops
from nnlite.checks import positive_int
from nnlite.data.resizing import resized
from nnlite.errors import did_you_mean, reworded
from nnlite.inspection.gradients import asked_of
from nnlite.inspection.paths import Network
from nnlite.layers import Average, Softmax
from nnlite.layers.core import InputLayer

_PIXELS_AT_A_TIME = 8 * 224 * 224  # of images: the results of all layers are kept for gradients
_IMAGES_AT_A_TIME = 64  # with a hidden part


def grad_cam(model, images, layer=None, class_index=None):
    """Where a convolutional network sees a class.

    Each channel of a layer's result is weighted by the mean gradient of the class's score with
    respect to it; of their sum what speaks for the class is kept. The score is that before a last
    softmax or sigmoid. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra:
    "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017.

    Parameters
    ----------
    model : Model, NNClassifier, NNRegressor or another estimator of nnlite
        Built or fitted, of one output of shape (N, classes).
    images : array, shape (N, height, width, channels)
        As the model gets them.
    layer : str, optional
        The name of a layer that gives images, also of one in a model in the model; by default the
        last one of the model.
    class_index : int, label or array of them, shape (N,), optional
        The class, or that of each image: of an estimator its label, of a Model the number of an
        output. By default the most probable one.

    Returns
    -------
    array of float32, shape (N, height, width)
        At least 0, in the size of the images.

    Raises
    ------
    ValueError
        If there is no such layer or class, or the images do not fit.
    TypeError
        If `model` is none of these.

    Examples
    --------
    >>> import nnlite
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> conv = nnlite.layers.Conv2D(8, 3, activation="relu", input_shape=(8, 8, 1))
    >>> pool = nnlite.layers.GlobalAveragePooling2D()
    >>> classifier = nnlite.NNClassifier([conv, pool], epochs=2, random_state=0)
    >>> classifier = classifier.fit(digits.images[..., None], digits.target)
    >>> nnlite.explain.grad_cam(classifier, digits.images[:3, ..., None]).shape
    (3, 8, 8)
    """
    asked, x = _asked(model, images)
    network = Network(
        asked.model, _scores, lambda copy: [_layer_in(_bare(n), layer) for n in _networks(copy)]
    )
    chosen = _chosen(asked, x, class_index)
    found = np.empty(x.shape[:3], "float32")
    step = max(1, _PIXELS_AT_A_TIME // (x.shape[1] * x.shape[2]))
    with config.precision(asked.model._precision):
        for first in range(0, len(x), step):
            part = slice(first, first + step)
            points = network.points(x[part])
            gradients = network.gradients(points, chosen[part])
            maps = map(_map, points[1:], gradients[1:])
            found[part] = sum(resized(one, x.shape[1:3], "bilinear")[..., 0] for one in maps)
    return found


def _map(seen, gradient):
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * seen).sum(axis=3, keepdims=True), 0)


def occlusion(model, images, size=None, stride=None, class_index=None, fill=None):
    """How much less probable a class becomes where a part of an image is hidden.

    A square goes over the image. A pixel gets the mean fall of the prediction over the squares that
    hide it. M. Zeiler, R. Fergus: "Visualizing and understanding convolutional networks", ECCV
    2014.

    Parameters
    ----------
    model : Model, NNClassifier, NNRegressor or another estimator of nnlite
        Built or fitted, of one output of shape (N, classes).
    images : array, shape (N, height, width, channels)
        As the model gets them.
    size : int, optional
        Of the square, in pixels; by default a quarter of the shorter side.
    stride : int, optional
        How far it goes at once; by default half its size.
    class_index : int, label or array of them, shape (N,), optional
        As of `grad_cam`.
    fill : number or array of shape (channels,), optional
        What hides; by default the mean of each channel of the image.

    Returns
    -------
    array of float32, shape (N, height, width)
        Negative where hiding makes the class more probable.

    Raises
    ------
    ValueError
        If a setting is out of its range, or the images do not fit.
    TypeError
        If `model` is none of these.

    Examples
    --------
    >>> import nnlite
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> classifier = nnlite.NNClassifier(epochs=2, ensemble=1, random_state=0)
    >>> classifier = classifier.fit(digits.images[..., None], digits.target)
    >>> nnlite.explain.occlusion(classifier, digits.images[:2, ..., None], size=2).shape
    (2, 8, 8)
    """
    asked, x = _asked(model, images)
    height, width, channels = x.shape[1:]
    shorter = min(height, width)
    size = max(1, shorter // 4) if size is None else positive_int("size", size)
    if size > shorter:
        raise ValueError(f"size: expected at most {shorter}, the side of an image, got {size}")
    stride = max(1, size // 2) if stride is None else positive_int("stride", stride)
    if stride > size:
        raise ValueError(f"stride: expected at most size={size}, got {stride}: pixels are left out")
    fills = x.mean(axis=(1, 2)) if fill is None else _fills(fill, len(x), channels)
    chosen = _chosen(asked, x, class_index)
    places = [
        (top, left)
        for top in _starts(height, size, stride)
        for left in _starts(width, size, stride)
    ]
    found = np.empty(x.shape[:3], "float32")
    for i, image in enumerate(x):
        before = _predicted(asked, image[None])[0, chosen[i]]
        total, times = np.zeros((height, width)), np.zeros((height, width))
        for first in range(0, len(places), _IMAGES_AT_A_TIME):
            some = places[first : first + _IMAGES_AT_A_TIME]
            hidden = np.repeat(image[None], len(some), axis=0)
            for one, (top, left) in zip(hidden, some):
                one[top : top + size, left : left + size] = fills[i]
            after = _predicted(asked, hidden)[:, chosen[i]]
            for (top, left), value in zip(some, after):
                total[top : top + size, left : left + size] += before - value
                times[top : top + size, left : left + size] += 1
        found[i] = total / times
    return found


def _starts(length, size, stride):
    """Where squares begin along an axis; the last one ends with it."""
    return [*range(0, length - size, stride), length - size]


def _fills(fill, count, channels):
    fill = np.asarray(fill, np.float64)
    if fill.shape not in ((), (channels,)) or not np.isfinite(fill).all():
        raise ValueError(f"fill: expected a number or {channels} of them, got {fill.shape} of them")
    return np.broadcast_to(fill, (count, channels))


def _asked(model, images):
    """What is asked, and the images as the network gets them."""
    with reworded(lambda words: words.replace("estimator: ", "model: ", 1)):
        asked = asked_of(model)
    with reworded(lambda words: words.replace("X: ", "images: ", 1)):
        x = asked.rows(images)
    if x.ndim == 2 and asked.sample_shape is not None and len(asked.sample_shape) == 3:
        x = x.reshape(-1, *asked.sample_shape)
    if x.ndim != 4 or not len(x):
        raise ValueError(
            f"images: expected shape (N, height, width, channels), got {np.shape(images)}"
        )
    return asked, x


def _predicted(asked, x):
    """What is predicted for images: probabilities, or numbers; float64."""
    outputs = asked.model._predict(x.astype(asked.model._precision))
    with config.precision(asked.model._precision):
        return np.asarray(asked.outputs_of(ops.convert_to_tensor(outputs)), np.float64)


def _chosen(asked, x, class_index):
    with reworded(lambda words: words.replace("target: ", "class_index: ", 1)):
        return np.asarray(asked.chosen(class_index, _predicted(asked, x)))


def _scores(outputs):
    """A score for each class: of two of them, there is perhaps but one."""
    return ops.concatenate([-outputs, outputs], -1) if outputs.shape[-1] == 1 else outputs


_LAST = [activations.get(name) for name in ("softmax", "sigmoid")]


def _networks(model):
    """The networks whose mean a model is, as that of an ensemble; else the model itself."""
    networks = [layer for layer in model.layers if layer._is_model]
    return networks if networks and isinstance(model.layers[-1], Average) else [model]


def _bare(copy):
    """A copy of a model, whose last layer gives scores where it gave probabilities."""
    last = copy
    while last._is_model and last.layers:
        last = last.layers[-1]
    if getattr(last, "_function", None) in _LAST:
        last._function = activations.get("linear")
    elif isinstance(last, Softmax):
        vars(last)["call"] = lambda inputs, *args, **kwargs: inputs
    return copy


def _layer_in(model, name):
    """A layer that gives images: by its name, or the last one."""
    if name is not None:
        known = {layer.name: layer for layer in _layers_in(model)}
        if name not in known:
            raise ValueError(
                f"layer: expected the name of a layer of {model.name!r}, got {name!r}"
                f"{did_you_mean(name, known)}"
            )
        if not _gives_images(known[name]):
            raise ValueError(f"layer: expected one that gives images, got {name!r}")
        return known[name]
    for layers in (model.layers, [*_layers_in(model)]):  # of models in the model at last
        found = [layer for layer in layers if _gives_images(layer)]
        if found:
            return found[-1]
    raise ValueError(f"layer: expected a model with one that gives images, got {model.name!r}")


def _layers_in(model):
    for layer in model.layers:
        yield layer
        if layer._is_model:
            yield from _layers_in(layer)


def _gives_images(layer):
    shape = layer._output_shape
    images = isinstance(shape, tuple) and len(shape) == 4 and shape[1:3] != (1, 1)
    return images and not isinstance(layer, InputLayer)
