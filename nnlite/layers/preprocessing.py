"""Layers that scale their input: by given numbers, or by statistics of the data."""

import math

import numpy as np

from nnlite import config, ops
from nnlite.checks import check_number
from nnlite.engine.tensor import Tensor, Variable, convert_to_tensor
from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.ops.rows import split

_AT_ONCE = 1 << 20  # the number of elements that `adapt` converts to float64 at a time
_LIMIT = 8.0  # the paper's limit of 3, for quantiles, costs accuracy on small tables


class Rescaling(Layer):
    """x * scale + offset, while training and otherwise.

    Parameters
    ----------
    scale : float, or list of C floats
        1 / 255 maps pixels in [0, 255] to [0, 1].
    offset : float, or list of C floats, default 0.0
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (..., C) of real numbers or integers, output of the same shape and of real numbers.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Rescaling(1 / 127.5, offset=-1)([[0, 255]]).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True
    _takes = settings.ANY_TENSOR
    _legal = {"scale": settings.numbers_of, "offset": settings.numbers_of}

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset

    def build(self, input_shape):
        for name in ("scale", "offset"):
            shape = settings.numbers_of(name, getattr(self, name)).shape
            if len(shape) > 1 or shape not in ((), (1,), input_shape[-1:]):
                raise ValueError(
                    f"{name}: expected a number or one for each entry of the last axis of "
                    f"shape {input_shape}, got shape {shape}"
                )

    def call(self, inputs):
        scale, offset = np.asarray(self.scale, float), np.asarray(self.offset, float)
        return ops.add(ops.multiply(inputs, scale), offset)


class Normalization(Layer):
    """(x - mean) / sqrt(variance), with the mean and variance of the training data.

    There are two ways to set them:

    - Call `adapt` on the data before training. Until then mean is 0 and variance is 1.
    - Give both to the constructor.

    A standard deviation below `epsilon()`, 1e-7, counts as `epsilon()`. The mean is taken off in
    float64: a model that begins with this layer reads arrays before they are rounded to float32, so
    what varies in columns far from 0, as timestamps, is kept. (An array that the layer itself is
    called on is rounded before.)

    Parameters
    ----------
    axis : int, tuple of int or None, default -1
        The axes whose entries, such as features or channels, have a mean and variance each. None:
        one mean and variance for all values.
    mean, variance : float or array, optional
        Instead of `adapt`: numbers, or arrays with the sizes of `axis`.
    invert : bool, default False
        Compute x * sqrt(variance) + mean instead, the inverse.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, ...), output the same. Weights, not trainable: mean and variance, with the sizes of
    `axis`, and count, an integer. There are none if mean and variance were given. Where rounding
    the mean to float32 matters, copies and `.keras` and `.weights.h5` files keep the rest of it;
    `get_weights` does not.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite
    >>> layer = nnlite.layers.Normalization()
    >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> layer([[3.0, 20.0]]).numpy()
    array([[1., 0.]], dtype=float32)
    """

    supports_masking = True
    _takes = settings.BATCH
    _legal = {
        "axis": settings.axes_or_none,
        "mean": settings.numbers_of,
        "variance": settings.numbers_of,
        "invert": "bool",
    }

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        self.axis, self.invert = axis, invert
        self.input_mean, self.input_variance = mean, variance
        if (mean is None) != (variance is None):
            raise ValueError(
                f"{type(self).__name__}: expected mean and variance together, or none of them, "
                f"got mean={mean!r}, variance={variance!r}"
            )
        if variance is not None and (np.asarray(variance) < 0).any():
            raise ValueError(
                f"{type(self).__name__}: variance: expected at least 0, got {variance!r}"
            )

    def get_config(self):
        """The constructor's arguments as a dict, from which `from_config` makes an equal object.

        Returns
        -------
        dict
            Mean and variance are numbers or lists, as in Keras.
        """
        return _listed(super().get_config())

    def _identity(self):
        return _listed(super()._identity())

    def build(self, input_shape):
        self._kept = self._axes(len(input_shape))
        kept_shape = tuple(input_shape[d] for d in self._kept)
        if None in kept_shape:
            raise ValueError(
                f"expected axis to keep other axes than the batch, got {self.axis!r} "
                f"(input shape {input_shape})"
            )
        # One mean for everything, of shape (), broadcasts to inputs of any number of axes.
        sizes = enumerate(input_shape) if self._kept else ()
        self._shape = tuple(n if d in self._kept else 1 for d, n in sizes)
        if self.input_mean is None and self.input_variance is None:
            self.adapt_mean = self.add_weight(kept_shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(
                kept_shape, "ones", trainable=False, name="variance"
            )
            # Unused. Keras saves a count too, so the lists of weights correspond.
            self.count = self.add_weight((), "zeros", "int32", trainable=False, name="count")
            rest = np.zeros(kept_shape)
        else:
            self._given_values = self._given_for(kept_shape)
            given = (v.reshape(kept_shape) for v in self._given_values)
            mean, deviation, rest = self._scale_of(*given)
            vars(self)["_scale"] = Variable(mean), Variable(deviation)
        # What the mean's precision does not hold of it. It is no weight, as Keras has none.
        vars(self)["_rest"] = Variable(rest, dtype=config.floatx())
        self.built = True

    def _axes(self, ndim):
        """The axes kept, as sorted numbers of at least 0."""
        given = settings.axes_or_none("axis", self.axis)
        return settings.axes_within("axis", self.axis, ndim) if given else []

    def _given_for(self, kept_shape):
        """The given mean and variance, in the shape that broadcasts to the input."""
        found = []
        for name, value in (("mean", self.input_mean), ("variance", self.input_variance)):
            values = settings.numbers_of(name, value)
            try:
                values = np.broadcast_to(values, kept_shape)
            except ValueError:
                raise ValueError(
                    f"{name}: expected values that fit the axes kept, of shape {kept_shape}, "
                    f"got shape {values.shape}"
                ) from None
            found.append(values.reshape(self._shape))
        return found

    def adapt(self, data):
        """Set mean and variance to those of data. Earlier calls have no effect on the result.

        Sums are in float64 and over chunks, so a large mean or many rows cost no accuracy. T. F.
        Chan, G. H. Golub, R. J. LeVeque: "Algorithms for computing the sample variance", The
        American Statistician 37 (1983).

        Parameters
        ----------
        data : array, shape (N, ...), PyDataset, or an iterable of such arrays
            An iterable is read once; it must end. Of a tuple (x, y), x is taken.

        Raises
        ------
        ValueError
            - if there are no data,
            - if shapes do not fit,
            - if mean and variance were given to the constructor.
        """
        if self.input_mean is not None or self.input_variance is not None:
            raise ValueError(
                f"layer {self.name!r}: adapt is for a layer without mean and variance of its own"
            )
        count, mean, squares = 0, 0.0, 0.0
        for part in _parts_of(data):
            if not self.built:
                self.build((None, *part.shape[1:]))
            self._check(part.shape)
            n, part_mean, part_squares = self._moments(part)
            if not n:
                continue
            # The sum of squares about the mean of both parts (Chan, Golub & LeVeque, 1983).
            off, count = part_mean - mean, count + n
            mean = mean + off * (n / count)
            squares = squares + part_squares + off**2 * (n * (count - n) / count)
        if not count:
            raise ValueError(f"layer {self.name!r}: adapt: expected data, got none")
        self.adapt_variance.assign(squares / count)
        rounded, rest = split(mean, self.adapt_mean.dtype)
        self.adapt_mean.assign(rounded)
        # Elsewhere the weights say all, so that copies of them give the same bits.
        matters = np.abs(rest) > 1e-3 * np.sqrt(squares / count)
        self._rest.assign(np.where(matters, rest, 0))

    def _moments(self, x):
        """(count, mean, sum of squares about the mean) for each entry of the axes kept."""
        over = tuple(d for d in range(x.ndim) if d not in self._kept)
        n = math.prod(x.shape[d] for d in over)
        if not n:
            return 0, 0.0, 0.0
        x = x.astype(np.float64)
        mean = x.mean(over, keepdims=True)
        return n, mean.squeeze(over), ((x - mean) ** 2).sum(over)

    def _check(self, shape, more_axes=False):
        """Raise a ValueError unless an input has the sizes that the layer was built for; it may
        have more axes before them, if the layer's count from the end."""
        expected = self._shape
        more_axes = more_axes and all(a < 0 for a in settings.axes_or_none("axis", self.axis))
        sizes = shape[max(len(shape) - len(expected), 0) :] if more_axes else shape
        if self._kept and (
            len(sizes) != len(expected) or any(sizes[d] != expected[d] for d in self._kept)
        ):
            shown = tuple(n if d in self._kept else None for d, n in enumerate(expected))
            raise ValueError(f"expected an input of shape {shown}, got shape {tuple(shape)}")

    def _values(self):
        """Mean and variance in the shape that broadcasts to the input."""
        if self.input_mean is not None:
            return self._given_values
        return [ops.reshape(v, self._shape) for v in (self.adapt_mean, self.adapt_variance)]

    @property
    def mean(self):
        """The mean, of a shape that broadcasts to the input; None before the layer is built."""
        return ops.operands(self._values()[0])[0] if self.built else None

    @property
    def variance(self):
        """The variance, of a shape that broadcasts to the input; None before the layer is built."""
        return ops.operands(self._values()[1])[0] if self.built else None

    def _least_deviation(self):
        return config.epsilon()

    def _scale_of(self, mean, variance):
        """Mean, deviation and what the model's precision does not hold of the mean."""
        mean, rest = split(mean, config.floatx())
        return mean, np.maximum(np.sqrt(variance), self._least_deviation()), rest

    def call(self, inputs):
        self._check(inputs.shape, more_axes=True)
        kept = [axis + inputs.ndim - len(self._shape) for axis in self._kept]
        order = [d for d in range(inputs.ndim) if d not in kept] + kept
        if order == sorted(order):
            return ops.standardize(inputs, *self._statistics(inputs.dtype), self.invert)
        inputs = ops.transpose(*ops.operands(inputs), order)
        outputs = ops.standardize(inputs, *self._statistics(inputs.dtype), self.invert)
        return ops.transpose(outputs, np.argsort(order).tolist())

    def _statistics(self, dtype):
        """Mean, deviation and what the mean's precision does not hold of it, for such inputs."""
        if self.input_mean is None:
            deviation = ops.maximum(ops.sqrt(self.adapt_variance), self._least_deviation())
            return self.adapt_mean, deviation, self._rest
        given = (*self._scale, self._rest)
        return [v if dtype == "int32" else convert_to_tensor(v, dtype) for v in given]

    def save_own_variables(self, store):
        """Put the weights where a file gets them from, the mean as exactly as it is known.

        Parameters
        ----------
        store : dict of str to array
        """
        super().save_own_variables(store)
        if self.built and self._rest._data.any() and "0" in store:
            store["0"] = store["0"] + self._rest.numpy().astype(np.float64)

    def load_own_variables(self, store):
        """Take the weights as `save_own_variables` put them.

        Parameters
        ----------
        store : dict of str to array
        """
        super().load_own_variables(store)
        if "0" in store:
            exact = store["0"] if store["0"].dtype == np.float64 else self.adapt_mean.numpy()
            self._rest.assign(split(exact, self.adapt_mean.dtype)[1])


class InputScaling(Normalization):
    """Standardises columns to y and limits them: y / sqrt(1 + (y / limit)^2).

    With the limit of 8 this is nearly y up to 3 and never exceeds +-8. A few outliers, or a column
    that is nearly constant, cannot dominate the other values. D. Holzmueller, L. Grinsztajn, I.
    Steinwart: "Better by default: strong pre-tuned MLPs and boosted trees on tabular data", NeurIPS
    2024, section 3 ("smooth clipping").

    Parameters
    ----------
    axis, mean, variance, invert, **kwargs
        As of `Normalization`; but columns may come in any unit, however small their variance is.
    categories : list of int, default ()
        Entries of the last axis that are the numbers of categories. They pass as they are.
    limit : float in (0, inf) or None, default 8.0
        None: there is no limit.

    Notes
    -----
    NaN passes. The estimators put it before the layers of tables. Keras has no such layer: `.keras`
    files tell it the same by a `Normalization` and four operations, five with categories.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.InputScaling(mean=[1.0], variance=[4.0])([[3.0], [1e9]]).numpy()
    array([[0.99227786],
           [8.        ]], dtype=float32)
    """

    _legal = {
        "categories": settings.entries,
        "limit": lambda name, value: value is None or check_number(name, value, "(0, inf)"),
    }

    def __init__(
        self,
        axis=-1,
        mean=None,
        variance=None,
        invert=False,
        categories=(),
        limit=_LIMIT,
        **kwargs,
    ):
        super().__init__(axis, mean, variance, invert, **kwargs)
        self.categories, self.limit = categories, limit

    def build(self, input_shape):
        super().build(input_shape)
        if max(self.categories, default=0) >= input_shape[-1]:
            raise ValueError(
                f"categories: expected entries of the last axis of shape {tuple(input_shape)}, got "
                f"{self.categories!r}"
            )

    def _least_deviation(self):
        return float(np.finfo(config.floatx()).tiny)  # tables come in any unit

    def call(self, inputs):
        outputs = super().call(inputs)
        outputs = outputs if self.limit is None else ops.isru(outputs, self.limit)
        return self._but_categories(inputs, outputs)

    def _but_categories(self, inputs, scaled):
        """What was scaled, with the categories of `inputs` in it."""
        if not self.categories:
            return scaled
        passes = np.isin(np.arange(inputs.shape[-1]), self.categories)
        return ops.where(passes, inputs, scaled)

    def _without_limit(self):
        self.limit = self._given["limit"] = None

    def _move(self, mean, variance):
        """Take another mean and variance in the place of those that were given. Plans go on: they
        read the values where these change."""
        given = {"mean": mean, "variance": variance}
        self._given.update(given)
        vars(self).update(input_mean=mean, input_variance=variance)
        self._given_values = self._given_for(mean.shape)
        with config.precision(self._rest.dtype):
            found = self._scale_of(mean, variance)
        for variable, values in zip((*self._scale, self._rest), found):
            variable.assign(values)

    def _in_keras(self, inputs):
        """The same by what Keras has, on symbols."""
        given = inputs
        settings = {k: v for k, v in self._given.items() if k not in ("categories", "limit")}
        if self.input_variance is not None:
            deviation = np.sqrt(np.asarray(self.input_variance, np.float64))
            small = (deviation > 0) & (deviation < config.epsilon())
            if self.axis == -1 and small.any():  # Keras divides by no less than epsilon
                unit = np.where(small, deviation, 1.0)
                inputs = ops.divide(inputs, unit)
                mean = np.asarray(self.input_mean) / unit
                settings |= {"mean": mean, "variance": (deviation / unit) ** 2}
        scaled = Normalization(**{**settings, "name": self.name})(inputs)
        if self.limit is not None:
            scaled = ops.divide(
                scaled, ops.sqrt(ops.add(ops.square(ops.divide(scaled, self.limit)), 1.0))
            )
        return self._but_categories(given, scaled)


def _listed(config):
    """Settings with lists in the place of arrays."""
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in config.items()}


def _batches_of(data):
    """The arrays in data: one, or those of batches."""
    if hasattr(data, "shape"):
        yield data
        return
    if hasattr(data, "__getitem__") and not hasattr(data, "__iter__"):  # a PyDataset, by number
        n = data.num_batches if hasattr(data, "num_batches") else len(data)
        if n is None:
            raise ValueError(f"adapt: expected data that end, got num_batches None of {data!r}")
        data = map(data.__getitem__, range(n))
    if isinstance(data, (str, bytes, dict)) or not hasattr(data, "__iter__"):
        raise TypeError(f"adapt: expected an array or an iterable of arrays, got {data!r}")
    for batch in data:
        of_pair = isinstance(batch, tuple) and any(hasattr(x, "shape") for x in batch)
        yield batch[0] if of_pair else batch


def _parts_of(data):
    """Chunks of about `_AT_ONCE` elements, from an array or batches."""
    for batch in _batches_of(data):
        if np.ma.is_masked(batch):
            raise ValueError(
                "adapt: expected values that are known, got a masked array with masked ones; take "
                "its rows without them, or fill them by array.filled(0)"
            )
        batch = batch.numpy() if isinstance(batch, Tensor) else np.asarray(batch)
        if batch.dtype.kind not in "biuf" or not batch.ndim:
            raise TypeError(
                f"adapt: expected arrays of numbers, got shape {batch.shape} of {batch.dtype}"
            )
        rows = max(1, _AT_ONCE // max(1, math.prod(batch.shape[1:])))
        for start in range(0, max(1, len(batch)), rows):
            yield batch[start : start + rows]
