"""Layers that make several values of each number of a table, and that weigh values: a network
learns more of them."""

import heapq
import math

import numpy as np

from nnlite import initializers, ops
from nnlite.checks import positive_int
from nnlite.configurable import clone
from nnlite.engine.tensor import Tensor
from nnlite.layers import settings
from nnlite.layers.einsum_dense import EinsumDense
from nnlite.layers.layer import Layer
from nnlite.layers.preprocessing import Normalization
from nnlite.ops.numeric_encoding import boundaries_of, scaled

_BELOW_ALL = -1e30  # where bins begin
_TIE = 1e-9  # of all rows: what is nearer to a quantile is at it, however sums are rounded
_SMALLEST = 1 / 8  # of an equal share of the rows: what a bin by the target holds at least


class PiecewiseLinearEncoding(Layer):
    """How far each number is through each of its column's bins, from 0 to 1.

    A column with the boundaries b_0 < b_1 < ... < b_T has T bins. Bin t gives
    min(max((x - b_(t-1)) / (b_t - b_(t-1)), 0), 1): 0 below it, 1 above. What is linear in these
    values is piecewise linear in x. Y. Gorishniy, I. Rubachev, A. Babenko: "On embeddings for
    numerical features in tabular deep learning", NeurIPS 2022, arXiv 2203.05556.

    Parameters
    ----------
    bins : int, default 8
        How many bins `adapt` makes of a column at most.
    boundaries : list of F lists of float, optional
        Instead of `adapt`: for each column its boundaries in rising order, two or more, or none.
    keep : bool, default True
        Whether the result begins with x itself. `adapt` makes no bin of a column then of which
        one would be all: it says the same.
    scale : float, default 1.0
        What the values of bins are multiplied by. With less, a network follows x itself more, and
        its bins less.
    by : {'quantiles', 'target'}, optional
        What `adapt` learns bins from; by default a target if it is given one, else quantiles.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (..., F), output (..., F + T), or (..., T) without `keep`, with T the number of bins of
    all columns. NaN gives 0 in each bin. No weights: the config holds the boundaries. Keras has no
    such layer: `.keras` files tell it the same by others.

    While training, a `Dense` that reads it, or a `LearnedScaling` of it, costs as much as for two
    values of each number, however many bins there are.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite import layers
    >>> layer = layers.PiecewiseLinearEncoding(bins=2)
    >>> layer.adapt(np.array([[0.0], [1.0], [2.0], [6.0], [8.0]]))
    >>> layer([[1.0], [5.0]]).numpy()
    array([[1. , 0.5, 0. ],
           [5. , 1. , 0.5]], dtype=float32)
    """

    _takes = settings.ROWS
    _legal = {
        "bins": positive_int,
        "boundaries": boundaries_of,
        "keep": "bool",
        "scale": "(0, inf)",
        "by": (None, "quantiles", "target"),
    }

    def __init__(self, bins=8, boundaries=None, keep=True, scale=1.0, by=None, **kwargs):
        super().__init__(**kwargs)
        self.bins, self.keep, self.scale, self.by = bins, keep, scale, by
        self._take(boundaries)

    def _take(self, boundaries):
        """Become a layer of these boundaries."""
        if boundaries is not None:
            boundaries = [b.tolist() for b in boundaries_of("boundaries", boundaries)]
        self.boundaries = boundaries

    def adapt(self, data, y=None, sample_weight=None):
        """Learn the boundaries of each column. Earlier calls have no effect on the result.

        Boundaries are values of the column. Without `y` each bin holds about as many rows, where no
        value counts for more than a bin; a column of few values gets them all. With `y`, unless
        `by` says quantiles, bins are the leaves of a regression tree of the column alone, grown
        where the squared error of `y` falls most. NaN does not count. L. Breiman, J. H. Friedman,
        R. A. Olshen, C. J. Stone:
        "Classification and regression trees", 1984.

        Parameters
        ----------
        data : array, shape (..., F), or list of such arrays
        y : array, shape (N,) or (N, K), optional
            Numbers that the bins shall tell apart, one or several for each row: targets, or classes
            as `to_categorical` gives them.
        sample_weight : array, shape (N,), optional
            A row of weight 2 counts as two rows.

        Raises
        ------
        ValueError, TypeError
            If there are no data, or they are no finite numbers, or lengths differ, or there is no
            `y` for `by="target"`.
        """
        if y is None and self.by == "target":
            raise ValueError("y: expected targets for by='target', got None")
        rows = _rows_of(data)
        weight = _for_each("sample_weight", sample_weight, len(rows), np.ones(len(rows)))
        weight = weight.reshape(-1)
        if (weight < 0).any() or weight.shape != (len(rows),):
            raise ValueError(
                f"sample_weight: expected numbers of at least 0, one for each row, got {weight}"
            )
        targets = _for_each("y", y, len(rows), None)
        bins = positive_int("bins", self.bins)
        least = 3 if self.keep else 2
        found = []
        for column in rows.T:
            there = (weight > 0) & ~np.isnan(column)
            part = column[there], weight[there], bins
            by_target = targets is not None and self.by != "quantiles" and there.any()
            edges = _leaves(*part, targets[there]) if by_target else _quantiles(*part)
            found.append(edges if len(edges) >= least else [])
        self._take(found)

    def build(self, input_shape):
        if self.boundaries is None:
            raise ValueError(
                "boundaries: expected them before a call: give them to the constructor, or call "
                "adapt"
            )

    def call(self, inputs):
        _check_columns(len(self.boundaries), inputs.shape)
        return ops.piecewise_linear_encoding(inputs, self.boundaries, self.keep, self.scale)

    def _in_keras(self, inputs):
        """The same by what Keras has, on symbols."""
        bins = [np.stack([b[:-1], np.diff(b)]) if b else np.zeros((2, 0)) for b in self.boundaries]
        columns = np.repeat(np.arange(len(bins)), [b.shape[1] for b in bins])
        if not len(columns):
            return inputs
        lower, width = np.concatenate(bins, axis=1)
        x = ops.take(inputs, columns.tolist(), axis=-1)
        x = ops.where(ops.equal(x, x), x, _BELOW_ALL)
        scaling = Normalization(mean=lower.tolist(), variance=(width**2).tolist(), name=self.name)
        encoded = ops.multiply(ops.clip(scaling(x), 0.0, 1.0), float(self.scale))
        return ops.concatenate([inputs, encoded], -1) if self.keep else encoded

    @property
    def sources(self):
        """The column that each entry of the result is made of.

        Returns
        -------
        array of int
        """
        bins = [max(0, len(edges) - 1) for edges in self.boundaries]
        columns = np.arange(len(bins))
        return np.concatenate([columns[: len(bins) * self.keep], np.repeat(columns, bins)])

    def get_config(self):
        """The constructor's arguments as a dict, with the boundaries that `adapt` found.

        Returns
        -------
        dict
        """
        return {**super().get_config(), "boundaries": self.boundaries}


class PeriodicEmbedding(Layer):
    """Linear functions of cosines of each number, learned for each column.

    Of a number x of a column: h = cos(2 pi w x + b), with K frequencies w and phases b, then
    v h + c, with U outputs ("PBLD"). D. Holzmueller, L. Grinsztajn, I. Steinwart: "Better by
    default: strong pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024,
    arXiv 2407.04491.

    Parameters
    ----------
    frequencies : int, default 16
        K, the number of cosines of a column.
    outputs : int, default 3
        U, the number of values that they become.
    deviation : float in (0, inf), default 0.1
        The standard deviation of the first frequencies, in periods for a unit of x: columns should
        have a deviation of about 1.
    keep : bool, default True
        Whether the result begins with x itself.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (..., F), output (..., F + F U), or (..., F U) without `keep`; the values of a column
    stand together. Weights: of the waves, kernel and bias (F, K), which are w and b; of their sums,
    kernel (F, K, U) and bias (F, U). First w is normal with mean 0, b uniform between -pi and pi,
    and the others between -1 / sqrt(K) and 1 / sqrt(K). Keras has no such layer: `.keras` files
    tell it the same by others.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.PeriodicEmbedding()(nnlite.ones((2, 5))).shape
    (2, 20)
    """

    _takes = settings.ROWS
    _legal = {
        "frequencies": positive_int,
        "outputs": positive_int,
        "deviation": "(0, inf)",
        "keep": "bool",
    }

    def __init__(self, frequencies=16, outputs=3, deviation=0.1, keep=True, **kwargs):
        super().__init__(**kwargs)
        self.frequencies, self.outputs = frequencies, outputs
        self.deviation, self.keep = deviation, keep

    def build(self, input_shape):
        F, K = input_shape[-1], positive_int("frequencies", self.frequencies)
        uniform = initializers.RandomUniform(-1 / math.sqrt(K), 1 / math.sqrt(K))
        self.waves = EinsumDense(
            "...f,fk->...fk",
            (F, K),
            bias_axes="fk",
            kernel_initializer=initializers.RandomNormal(stddev=self.deviation),
            bias_initializer=initializers.RandomUniform(-math.pi, math.pi),
            name="waves",
        )
        self.sums = EinsumDense(
            "...fk,fku->...fu",
            (F, positive_int("outputs", self.outputs)),
            bias_axes="fu",
            kernel_initializer=uniform,
            bias_initializer=clone(uniform),
            name="sums",
        )
        self.waves.build(input_shape)
        self.sums.build((*input_shape, K))

    def call(self, inputs):
        _check_columns(self.sums.bias.shape[0], inputs.shape)
        sums = self.sums(ops.cos(self.waves(inputs * (2 * math.pi))))
        found = ops.reshape(sums, (-1, *inputs.shape[1:-1], math.prod(sums.shape[-2:])))
        return ops.concatenate([inputs, found], -1) if self.keep else found

    _in_keras = call

    @property
    def sources(self):
        """The column that each entry of the result is made of, of a layer that was built.

        Returns
        -------
        array of int
        """
        columns = np.arange(self.waves.bias.shape[0])
        return np.concatenate(
            [columns[: len(columns) * self.keep], np.repeat(columns, int(self.outputs))]
        )


class LearnedScaling(Layer):
    """Multiplies each column by a number of its own that is learned, at first 1.

    In front of a `Dense` it chooses columns: those that say nothing become small before the many
    weights that read them learn their noise by heart. D. Holzmueller, L. Grinsztajn, I. Steinwart:
    "Better by default: strong pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024,
    section 3 ("scaling layer").

    Parameters
    ----------
    rate : float in (0, inf), default 60.0
        How many times as fast as other weights the numbers are learned. The weight is the number
        divided by `rate`, so an optimizer whose steps do not depend on the size of gradients, such
        as `Adam`, moves the number by `rate` times its learning rate.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (..., F), output the same. Weight: of the scales, kernel (F,). Keras has no such layer:
    `.keras` files tell it the same by a product and an `EinsumDense`.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite
    >>> layer = nnlite.layers.LearnedScaling(rate=10.0)
    >>> layer([[1.0, 2.0]]).numpy()
    array([[1., 2.]], dtype=float32)
    >>> layer.set_weights([np.array([0.2, 0.0])])
    >>> layer([[1.0, 2.0]]).numpy()
    array([[2., 0.]], dtype=float32)
    """

    _takes = settings.ROWS
    _legal = {"rate": "(0, inf)"}

    def __init__(self, rate=60.0, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def build(self, input_shape):
        first = initializers.Constant(1 / self.rate)
        self.scales = EinsumDense(
            "...f,f->...f", (input_shape[-1],), kernel_initializer=first, name="scales"
        )
        self.scales.build(input_shape)

    def call(self, inputs):
        _check_columns(self.scales.kernel.shape[0], inputs.shape)
        return scaled(inputs, ops.multiply(self.scales.kernel, self.rate))

    def _in_keras(self, inputs):
        """The same by what Keras has, on symbols."""
        return self.scales(ops.multiply(inputs, self.rate))


def _check_columns(known, shape):
    if shape[-1] != known:
        raise ValueError(f"expected an input of {known} columns on its last axis, got {shape}")


def _rows_of(data):
    """The rows of data as a float64 array (N, F)."""
    parts = [data] if hasattr(data, "shape") else list(data)
    parts = [p.numpy() if isinstance(p, Tensor) else np.asarray(p) for p in parts]
    for part in parts:
        if part.dtype.kind not in "biuf" or not part.ndim or np.isinf(part).any():
            raise TypeError(
                "adapt: expected arrays of finite numbers or NaN, got shape "
                f"{part.shape} of {part.dtype}"
            )
    rows = [np.asarray(p, np.float64).reshape(-1, p.shape[-1]) for p in parts]
    if not sum(map(len, rows)):
        raise ValueError("adapt: expected data, got none")
    return np.concatenate(rows)


def _for_each(name, values, n, default):
    """What was given for each of n rows as a float64 array (n, ...), checked; else the default."""
    if values is None:
        return default
    truths = np.asarray(values).dtype == bool
    values = settings.numbers_of(name, np.asarray(values, float) if truths else values)
    if not values.ndim or len(values) != n:
        raise ValueError(f"{name}: expected one for each of {n} rows, got shape {values.shape}")
    return values.reshape(n, -1)


def _quantiles(values, weight, bins):
    """The boundaries of bins of about equal weight, where no value weighs more than a bin."""
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) <= bins + 1:
        return distinct
    share = _limited(np.bincount(place, weight), bins)
    upto = np.cumsum(share)
    levels = upto[-1] * (np.arange(1, bins) / bins - _TIE)
    place = np.searchsorted((upto - share / 2)[1:], levels) + 1
    inner = distinct[np.minimum(place, len(distinct) - 2)]
    return np.unique([distinct[0], *inner, distinct[-1]])


def _limited(share, bins):
    """Shares of which none is larger than the others leave to one of `bins` equal bins."""
    heaviest, total = np.sort(share)[::-1], share.sum()
    for k in range(bins):
        if heaviest[k] * (bins - k) <= total:
            break
        total -= heaviest[k]
    return np.minimum(share, total / (bins - k))


def _leaves(values, weight, bins, y):
    """The boundaries of the leaves of a tree, which are split best first."""
    order = np.argsort(values, kind="stable")
    values, weight = values[order], weight[order]
    upto = np.concatenate([[0.0], np.cumsum(weight)])
    y = (y[order] - np.average(y, axis=0, weights=weight)) * weight[:, None]
    sums = np.concatenate([np.zeros((1, y.shape[1])), np.cumsum(y, axis=0)])
    smallest = _SMALLEST * upto[-1] / bins

    def best(begin, end):
        """(-gain, where, begin, end) of the best split of these rows."""
        at = np.arange(begin + 1, end)
        left, right = upto[at] - upto[begin], upto[end] - upto[at]
        allowed = (values[at - 1] < values[at]) & (np.minimum(left, right) >= smallest)
        if not allowed.any():
            return (0.0, 0, begin, end)
        at, left, right = at[allowed], left[allowed], right[allowed]
        explained = ((sums[at] - sums[begin]) ** 2).sum(1) / left
        explained += ((sums[end] - sums[at]) ** 2).sum(1) / right
        whole = ((sums[end] - sums[begin]) ** 2).sum() / (upto[end] - upto[begin])
        k = int(explained.argmax())
        return (whole - explained[k], int(at[k]), begin, end)

    leaves, cuts = [best(0, len(values))], []
    while leaves and len(cuts) < bins - 1:
        gain, at, begin, end = heapq.heappop(leaves)
        if gain >= 0:
            break
        cuts.append(values[at])
        heapq.heappush(leaves, best(begin, at))
        heapq.heappush(leaves, best(at, end))
    return np.unique([values[0], *cuts, values[-1]])
