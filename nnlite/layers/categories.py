"""Categories of numbers as vectors, and numbers as bins."""

import numpy as np

from nnlite import config, ops
from nnlite.checks import check_choice, positive_int
from nnlite.engine.tensor import Tensor
from nnlite.layers import settings
from nnlite.layers.host import encoded_shape
from nnlite.layers.layer import Layer
from nnlite.layers.vocabulary import FORMER_NAMES, not_supported

BAGS = ("one_hot", "multi_hot", "count")


def _bags(name, value):
    """Raise a ValueError unless a setting is a way to encode categories."""
    check_choice(name, FORMER_NAMES.get(value, value) if isinstance(value, str) else value, BAGS)


def _encoded(numbers, mode, depth, weights=None):
    """Categories of an int32 tensor as vectors: `host.encoded` in ops."""
    if mode == "int":
        return numbers
    shape = numbers.shape
    if mode == "one_hot":
        return ops.one_hot(numbers[..., 0] if len(shape) > 1 and shape[-1] == 1 else numbers, depth)
    vectors = ops.one_hot(numbers, depth)
    if weights is not None:
        vectors = vectors * ops.expand_dims(weights, -1)
    if not shape:
        return vectors
    return (ops.max if mode == "multi_hot" else ops.sum)(vectors, axis=min(1, len(shape) - 1))


class CategoryEncoding(Layer):
    """Categories, integers in [0, num_tokens), as vectors.

    Parameters
    ----------
    num_tokens : int
        V, the number of categories.
    output_mode : {'multi_hot', 'one_hot', 'count'}, default 'multi_hot'
        One vector for a sample, with 1 at its categories; a vector for each category; one vector
        for a sample, with how often each category is there.
    sparse : {False}
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (..., T) of integers. Output of 'one_hot' (..., T, V), without an axis T of 1; of the
    others (..., V). Of real numbers. `call(inputs, count_weights)` of 'count' takes, for each
    category, what is added up in place of 1.

    Raises
    ------
    ValueError
        If a setting is out of its range, or a category is.

    Examples
    --------
    >>> from nnlite import layers
    >>> layers.CategoryEncoding(num_tokens=4)([[0, 1], [3, 3]]).numpy()
    array([[1., 1., 0., 0.],
           [0., 0., 0., 1.]], dtype=float32)
    """

    _takes = settings.ANY_TENSOR
    _reads_integers = True
    _legal = {"num_tokens": positive_int, "output_mode": _bags, "sparse": not_supported}

    def __init__(self, num_tokens=None, output_mode="multi_hot", sparse=False, **kwargs):
        super().__init__(**kwargs)
        if num_tokens is None:
            raise ValueError(
                "CategoryEncoding: num_tokens: expected a positive integer, got None; "
                "IntegerLookup learns how many there are"
            )
        self.num_tokens, self.sparse = int(num_tokens), sparse
        self.output_mode = FORMER_NAMES.get(output_mode, output_mode)

    def call(self, inputs, count_weights=None):
        """The vectors.

        Parameters
        ----------
        inputs : tensor of integers
        count_weights : tensor, optional
            What is added up in place of 1 for each category, of the shape of inputs, beside
            output_mode 'count'.
        """
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"count_weights: expected None unless output_mode is 'count', got them beside "
                f"{self.output_mode!r}"
            )
        if inputs._data is not None:
            given = inputs.numpy()
            wrong = (given < 0) | (given >= self.num_tokens) | (given % 1 != 0)
            if wrong.any():
                place = tuple(map(int, np.argwhere(wrong)[0]))
                raise ValueError(
                    f"inputs: expected categories, integers in [0, {self.num_tokens}), got "
                    f"{given[place]} at position {place}"
                )
        return _encoded(ops.cast(inputs, "int32"), self.output_mode, self.num_tokens, count_weights)

    def compute_output_shape(self, input_shape):
        """The shape of the result; that of one sample has no batch.

        Parameters
        ----------
        input_shape : tuple
        """
        return encoded_shape(tuple(input_shape), self.output_mode, lambda: self.num_tokens)


class Discretization(Layer):
    """Numbers as the bins that they lie in.

    Parameters
    ----------
    bin_boundaries : list of float, optional
        Where bins end, in rising order: b boundaries make b + 1 bins, of which the first and the
        last have no end. A boundary belongs to the bin above. Instead of `adapt`.
    num_bins : int, optional
        How many bins `adapt` makes, each with about as many numbers.
    epsilon : float in (0, 1], default 0.01
        The error of a boundary that `adapt` may make, as a share of the numbers.
    output_mode : {'int', 'one_hot', 'multi_hot', 'count'}, default 'int'
        The number of the bin, or as of `CategoryEncoding`.
    sparse : {False}
    dtype : ignored
    name : str, optional
    **kwargs
        Of `Layer`: input_shape.

    Notes
    -----
    Input (...) of numbers. Output of 'int' the same shape, of int32; of the others as of
    `CategoryEncoding`. NaN lies in the last bin.

    Raises
    ------
    ValueError
        If a setting is out of its range, or not one of `bin_boundaries` and `num_bins` is given.

    Examples
    --------
    >>> from nnlite import layers
    >>> layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])([[-1.5, 1.0, 3.4, 0.5]]).numpy()
    array([[0, 2, 3, 1]], dtype=int32)
    """

    _takes = settings.ANY_TENSOR
    _legal = {
        "bin_boundaries": settings.numbers_of,
        "num_bins": positive_int,
        "epsilon": "(0, 1]",
        "output_mode": ("int", *BAGS),
        "sparse": not_supported,
    }

    def __init__(
        self,
        bin_boundaries=None,
        num_bins=None,
        epsilon=0.01,
        output_mode="int",
        sparse=False,
        dtype=None,
        name=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                "Discretization: expected either bin_boundaries or num_bins, got "
                f"bin_boundaries={bin_boundaries!r}, num_bins={num_bins!r}"
            )
        self.num_bins, self.epsilon = num_bins and int(num_bins), epsilon
        self.output_mode, self.sparse = output_mode, sparse
        self._take(bin_boundaries)
        self.reset_state()

    def _take(self, boundaries):
        """Become a layer of these boundaries."""
        if boundaries is not None:
            boundaries = np.asarray(boundaries, float)
            if boundaries.ndim != 1 or (np.diff(boundaries) < 0).any():
                raise ValueError(
                    "Discretization: bin_boundaries: expected numbers in rising order, got "
                    f"{boundaries.tolist()!r:.100}"
                )
            boundaries = boundaries.tolist()
        self.bin_boundaries = boundaries

    def adapt(self, data, steps=None):
        """Make `num_bins` bins with about as many of the numbers of some data in each.

        Boundaries are quantiles of a summary: sorted values with the number that each stands for.
        Summaries of batches are merged. M. Greenwald, S. Khanna: "Space-efficient online
        computation of quantile summaries", SIGMOD 2001.

        Parameters
        ----------
        data : array, or what yields batches of them
        steps : int, optional
            The most batches to take.

        Raises
        ------
        ValueError
            If the constructor was given boundaries, or there are no data.
        """
        self.reset_state()
        batches = [data] if hasattr(data, "shape") else data
        for i, batch in enumerate(batches):
            if steps is not None and i >= steps:
                break
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data):
        """Take the numbers of a batch into account.

        Parameters
        ----------
        data : array or list
        """
        if self.num_bins is None:
            raise ValueError(
                f"layer {self.name!r}: adapt is for a layer with num_bins, not with bin_boundaries"
            )
        data = data.numpy() if isinstance(data, Tensor) else np.asarray(data)
        if data.dtype.kind not in "biuf":
            raise TypeError(f"adapt: expected numbers, got an array of {data.dtype}")
        values = np.sort(data.astype(np.float32).reshape(-1))
        if not len(values):
            return
        # Of every `weight` values in a row the last stands for all.
        weight = max(len(values) * self.epsilon, 1)
        kept = values[int(weight - 1) :: int(weight)]
        summary = np.concatenate(
            [self.summary, [kept, np.full(len(kept), weight, np.float32)]], axis=1
        )
        summary = summary[:, np.argsort(summary[0], kind="stable")]
        self.summary = _thinned(summary, self.epsilon)

    def finalize_state(self):
        """Make the boundaries of what was taken into account."""
        if self.num_bins is None:
            return
        if not self.summary.size:
            raise ValueError(f"layer {self.name!r}: adapt: expected numbers, got none")
        self._take(_thinned(self.summary, 1 / self.num_bins)[0, :-1])

    def reset_state(self):
        """Forget what was taken into account."""
        self.summary = np.zeros((2, 0), np.float32)

    def call(self, inputs):
        if self.bin_boundaries is None:
            raise ValueError(
                "bin_boundaries: expected them before a call: give them to the constructor, or "
                "call adapt"
            )
        x = ops.cast(inputs, config.floatx()) if inputs.dtype == "int32" else inputs
        numbers = ops.zeros_like(x)
        if self.bin_boundaries:
            # NaN is not below any boundary.
            below = ops.less(ops.expand_dims(x, -1), np.asarray(self.bin_boundaries))
            numbers = ops.sum(1.0 - below, axis=-1)
        return _encoded(ops.cast(numbers, "int32"), self.output_mode, self._depth())

    def _depth(self):
        return self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1

    def compute_output_shape(self, input_shape):
        """The shape of the result.

        Parameters
        ----------
        input_shape : tuple
        """
        return encoded_shape(tuple(input_shape), self.output_mode, self._depth)

    def get_config(self):
        """The constructor's arguments as a dict, with the boundaries that `adapt` found.

        Returns
        -------
        dict
        """
        return {**super().get_config(), "bin_boundaries": self.bin_boundaries}

    @classmethod
    def from_config(cls, config):
        """Make the layer that a config describes.

        Parameters
        ----------
        config : dict
        """
        learned = config.get("num_bins") is not None
        layer = cls(**{**config, "bin_boundaries": None} if learned else config)
        if learned:
            layer._take(config.get("bin_boundaries"))
        return layer


def _thinned(summary, epsilon):
    """A summary (values, weights) with about 1 / epsilon values, interpolated between its own."""
    if summary.shape[1] * epsilon < 1:
        return summary.astype(np.float32)
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    total = np.cumsum(summary[1])
    values = np.interp(shares, total / total[-1], summary[0])
    total = np.interp(shares, total / total[-1], total)
    return np.stack([values, np.diff(total, prepend=0)]).astype(np.float32)
