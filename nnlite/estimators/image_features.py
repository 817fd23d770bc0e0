"""ImageFeatures: scikit-learn's contract around a network for images without its top."""

import contextlib
import os
import sys
import warnings

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from nnlite import applications, config, layers, warn
from nnlite.applications.network import take_weights
from nnlite.checks import check_choice, positive_int
from nnlite.data.images import load_img
from nnlite.data.in_threads import in_order
from nnlite.data.resizing import METHODS, check_size, resized
from nnlite.errors import did_you_mean
from nnlite.models.model import Model

_POOLINGS = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


class ImageFeatures(TransformerMixin, BaseEstimator):
    """Images as what a pretrained network sees in them: a transformer for pipelines.

    `fit` learns nothing: it makes the network and reads its weights.

    Parameters
    ----------
    network : str or Model, default 'MobileNetV2'
        A name of `nnlite.applications`; or a model, built, of images (N, height, width, channels).
    weights : str, path or None, default 'imagenet'
        Of a network that is named: as `nnlite.applications` takes it. A file may hold the top, too.
        None are random weights.
    layer : str, default 'auto'
        The layer whose result is the features: its name; 'auto' is the last one before the top, or
        the last one of a model of your own.
    pooling : {'avg', 'max', None}, default 'avg'
        The mean or the largest value of each channel over the image; None takes all values.
    batch_size : int, default 32
        How many images are in memory as the network takes them.
    image_size : int or (height, width), default 224
        To which images are brought. A model whose input has a size decides itself.
    crop_to_aspect_ratio : bool, default False
        Whether the middle of an image is cut out where its sides have another ratio. Else it is
        stretched.
    interpolation : str, default 'bilinear'
        How sizes are changed: 'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3' or others of
        `utils.image_dataset_from_directory`.
    preprocess : function, 'auto' or None, default 'auto'
        What a batch of pixels, float32 in [0, 255], passes before the network. 'auto' is the
        `preprocess_input` of a network that is named, and nothing for a model.
    random_state : int, optional
        Of random weights.

    Attributes
    ----------
    model_ : Model
        From images to features.
    layer_ : str
        The layer whose result they are.

    Notes
    -----
    In a search over the layer, `make_pipeline(..., memory=folder)` computes the features of each
    once. Cutting the network at a layer leaves out what comes after it.

    Examples
    --------
    >>> from nnlite import ImageFeatures
    >>> from sklearn.datasets import load_digits
    >>> images = load_digits().images[:4] * 16
    >>> features = ImageFeatures("MobileNetV2", weights=None, image_size=32, random_state=0)
    >>> features.fit_transform(images).shape
    (4, 1280)
    >>> features.get_feature_names_out()[:2]
    array(['out_relu_0', 'out_relu_1'], dtype=object)
    """

    def __init__(
        self,
        network="MobileNetV2",
        *,
        weights="imagenet",
        layer="auto",
        pooling="avg",
        batch_size=32,
        image_size=224,
        crop_to_aspect_ratio=False,
        interpolation="bilinear",
        preprocess="auto",
        random_state=None,
    ):
        self.network, self.weights, self.layer, self.pooling = network, weights, layer, pooling
        self.batch_size, self.image_size = batch_size, image_size
        self.crop_to_aspect_ratio, self.interpolation = crop_to_aspect_ratio, interpolation
        self.preprocess, self.random_state = preprocess, random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X, y=None):
        """Make the network.

        Parameters
        ----------
        X : array, shape (N, height, width) or (N, height, width, channels)
            Pixels in [0, 255]; or a list of images of different sizes; or a list, array or Series
            of paths, whose images Pillow reads.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a setting is out of its range, or X is no images.
        OSError
            If the weights are not found.
        """
        check_choice("pooling", self.pooling, [*_POOLINGS, None])
        check_choice("interpolation", self.interpolation, METHODS)
        check_choice("crop_to_aspect_ratio", self.crop_to_aspect_ratio, [False, True])
        positive_int("batch_size", self.batch_size)
        if self.preprocess not in ("auto", None) and not callable(self.preprocess):
            raise TypeError(
                f"preprocess: expected a function, 'auto' or None, got {self.preprocess!r}"
            )
        _images(X)
        size = check_size("image_size", self.image_size)
        network = self._network(size)
        given, output = network.input_shape, _output_of(network, self.layer)
        self.layer_ = network.layers[-1].name if self.layer == "auto" else self.layer
        self._size = tuple(n or own for n, own in zip(given[1:3], size))
        self._channels = given[3]
        if len(output.shape) == 4 and self.pooling is not None:
            output = _POOLINGS[self.pooling]()(output)
        elif len(output.shape) > 2:
            output = layers.Flatten()(output)
        self.model_ = Model(network.input, output)
        return self

    def transform(self, X):
        """The features of images.

        Parameters
        ----------
        X : array, list or Series
            As of `fit`.

        Returns
        -------
        array of float32, shape (N, F)

        Raises
        ------
        ValueError
            If X is no images.
        OSError
            If the image of a path cannot be read: says which.
        """
        check_is_fitted(self, "model_")
        images = _images(X)
        found, batch, largest = np.empty((len(images), self._width), "float32"), [], 0.0
        done = 0
        for image in in_order(self._as_input, images):
            batch.append(image)
            if len(batch) == self.batch_size or done + len(batch) == len(images):
                pixels = np.stack(batch)
                largest = max(largest, pixels.max())
                found[done : done + len(batch)] = self._features(pixels)
                done, batch = done + len(batch), []
        if 0 < largest <= 1 and self._preprocess() is not None:
            warnings.warn(
                f"X: expected pixels in [0, 255], got at most {largest:.3g}: multiply by 255",
                UserWarning,
                stacklevel=warn.levels_to_the_caller(),
            )
        return found

    def get_feature_names_out(self, input_features=None):
        """The names of the columns of what `transform` gives.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        array of str
            The name of the layer and a number.
        """
        check_is_fitted(self, "model_")
        return np.array([f"{self.layer_}_{i}" for i in range(self._width)], object)

    @property
    def _width(self):
        return self.model_.output_shape[-1]

    def _features(self, pixels):
        preprocess = self._preprocess()
        if preprocess is not None:
            pixels = preprocess(pixels)
        return self.model_._predict(pixels, self.batch_size)

    def _preprocess(self):
        """What a batch passes before the network, or None."""
        if self.preprocess != "auto":
            return self.preprocess
        if not isinstance(self.network, str):
            return None
        return sys.modules[_named(self.network).__module__].preprocess_input

    def _network(self, size):
        """The network without its top."""
        if isinstance(self.network, Model):
            if not self.network.built or len(self.network.input_shape) != 4:
                raise ValueError(
                    "network: expected a model that is built, of images (N, height, width, "
                    f"channels), got {self.network!r}"
                )
            return self.network
        make = _named(self.network)
        seed = self.random_state
        with contextlib.nullcontext() if seed is None else config.seeded(seed):
            return self._made(make, (*size, 3))

    def _made(self, make, shape):
        """A network without its top, of a file that may hold that, too."""
        try:
            return make(include_top=False, weights=self.weights, input_shape=shape)
        except ValueError:
            if self.weights in (None, "imagenet"):
                raise
        whole = make(weights=self.weights)
        body = make(include_top=False, weights=None, input_shape=shape)
        take_weights(body, whole)
        return body

    def _as_input(self, image):
        """An image as float32, in the size and with the channels that the network takes."""
        if isinstance(image, (str, os.PathLike)):
            image = load_img(image, "grayscale" if self._channels == 1 else "rgb")
        image = _with_channels(np.asarray(image), self._channels)
        fit = "crop" if self.crop_to_aspect_ratio else "stretch"
        return resized(image, self._size, self.interpolation, fit).astype("float32", copy=False)


def _named(name):
    """The function of a network."""
    known = [n for n in applications.__all__ if n[0].isupper()]
    if not isinstance(name, str):
        raise TypeError(f"network: expected a name of nnlite.applications or a Model, got {name!r}")
    if name not in known:
        raise ValueError(
            f"network: expected a name of nnlite.applications, got {name!r}"
            f"{did_you_mean(name, known)}"
        )
    return getattr(applications, name)


def _output_of(network, layer):
    """The symbol that a layer of a network gives."""
    if layer == "auto":
        return network.output
    if not isinstance(layer, str):
        raise TypeError(f"layer: expected the name of a layer or 'auto', got {layer!r}")
    names = [one.name for one in network.layers]
    if layer not in names:
        raise ValueError(
            f"layer: expected one of the {len(names)} layers of {network.name!r}, got {layer!r}"
            f"{did_you_mean(layer, names)}"
        )
    return network.get_layer(layer).output


def _images(X):
    """Images or paths, one after the other; says what is none."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(f"X: expected many images, got one path, {X!r:.100}: give it in a list")
    if hasattr(X, "iloc") or hasattr(X, "get_columns"):  # a Series, or a table of one column
        X = np.asarray(X)
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUT" and X.ndim == 2 and X.shape[1] == 1:
        X = X[:, 0]
    if not hasattr(X, "__len__"):
        X = [*X]
    if not len(X):
        raise ValueError("X: expected at least one image, got none")
    if isinstance(X, np.ndarray) and X.dtype.kind not in "OUT":
        if X.ndim not in (3, 4) or X.dtype.kind not in "biuf":
            raise ValueError(
                "X: expected images of shape (N, height, width) or (N, height, width, channels), "
                f"got {X.dtype} of shape {X.shape}"
            )
        return X
    for i, image in enumerate(X):
        array = None if isinstance(image, (str, os.PathLike)) else np.asarray(image)
        if array is not None and (array.ndim not in (2, 3) or array.dtype.kind not in "biuf"):
            raise ValueError(
                f"X: expected images (height, width, channels) or paths, got {array.dtype} of "
                f"shape {array.shape} at position {i}"
            )
    return X


def _with_channels(image, channels):
    """An image of shape (height, width, channels): grey ones are repeated, transparency is left
    out."""
    image = image[:, :, None] if image.ndim == 2 else image
    found = image.shape[2]
    if found in (2, 4) and channels in (1, 3):
        image, found = image[:, :, : found - 1], found - 1
    if found == channels:
        return image
    if found != 1:
        raise ValueError(f"X: expected images with {channels} channels, got {found}")
    return np.repeat(image, channels, axis=2)
