"""Attention of one head: Luong's dot products and Bahdanau's sums of tanh."""

import math

from nnlite import ops, warn
from nnlite.config import next_seed
from nnlite.engine.symbolic import Symbol
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.layers.layer import Layer
from nnlite.ops.random import seed_state
from nnlite.tree import is_shape

_EXPECTED = "expected one tensor, [query, value] or [query, value, key]"
# What is added to the score of a key that does not count, as in Keras.
MASKED_SCORE = -1e9


class OfSequences(Layer):
    """Base: layers that take a query and a value, or one tensor that is both, of which Keras knows
    nothing. A subclass has `_is_of_one` and `_of_two`."""

    def _record_call(self, node):
        super()._record_call(node)
        if self._is_of_one(*node.args, **node.kwargs):
            self.__dict__["_has_taken_one"] = True

    @property
    def _in_keras(self):
        """If a model calls the layer on one tensor, a call that Keras knows: on two."""
        if "_has_taken_one" not in vars(self):
            raise AttributeError("_in_keras")
        return self._of_two

    def _is_of_one(self, *args, **kwargs):
        """Whether these arguments of a call on symbols are one sequence."""
        raise NotImplementedError

    def _of_two(self, *args, **kwargs):
        """A call on symbols, where one is given on it twice."""
        raise NotImplementedError


class _Attention(OfSequences):
    """Base: for each query a mean of values, weighted by the softmax of scores; a subclass has
    `_calculate_scores`."""

    supports_masking = True
    _takes = (2, math.inf, "sequences of shape (N, ..., T, features)")
    _legal = {"use_scale": "bool", "dropout": "[0, 1)", "seed": "int"}

    def __init__(self, use_scale=False, dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.use_scale, self.dropout, self.seed = use_scale, dropout, seed

    def build(self, input_shape):
        if is_shape(input_shape) and len(input_shape) == 2:
            self._warn_of_one_step(input_shape)
            input_shape = (*input_shape[:1], 1, *input_shape[1:])
        shapes = _query_value_key(input_shape, is_shape)
        _check_shapes(*shapes)
        if self.dropout:
            self.seed_state = seed_state(next_seed() if self.seed is None else int(self.seed))
        self._make_weights(shapes[0][-1])

    def _check_shapes(self, shapes):
        """Nothing: `build` and `call` look at all shapes of a list."""

    def _warn_of_one_step(self, shape):
        """Warn that attention does nothing to rows."""
        warn.warn(
            f"layer {self.name!r} ({type(self).__name__}): rows of shape {shape} are sequences of "
            "one step, which attention leaves as they are. It weighs the steps of a sequence "
            "(N, T, D): a recurrent layer before it keeps them with return_sequences=True",
            UserWarning,
        )

    def _make_weights(self, dim):
        """Make the weights for queries of `dim` features."""
        raise NotImplementedError

    def _check_features(self, shape):
        """Raise a ValueError unless the weights are for queries of a shape."""

    def _calculate_scores(self, query, key):
        """The scores (N, ..., Tq, Tv) of keys for queries."""
        raise NotImplementedError

    def _by_dot_products(self):
        """Whether the scores are dot products."""
        return False

    def _is_of_one(self, inputs, *args, **kwargs):
        one = isinstance(inputs, Symbol) and inputs.ndim > 2
        return one and type(self).call is _Attention.call

    def _of_two(self, inputs, *args, **kwargs):
        one = self._is_of_one(inputs)
        return self([inputs, inputs] if one else inputs, *args, **kwargs)

    def compute_mask(self, inputs, mask=None):
        """The mask of the result: that of the query.

        Parameters
        ----------
        inputs : Tensor or list of Tensor
        mask : Tensor, or list of Tensor or None, optional
            Of the inputs.

        Returns
        -------
        Tensor or None
        """
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        return None if mask is None else convert_to_tensor(mask)

    def call(
        self,
        inputs,
        mask=None,
        training=False,
        return_attention_scores=False,
        use_causal_mask=False,
    ):
        """Compute the weighted means.

        Parameters
        ----------
        inputs : Tensor, or list of Tensor
            [query, value] or [query, value, key], of shapes (N, ..., Tq, D), (N, ..., Tv, V) and
            (N, ..., Tv, D); by default the keys are the values. One tensor is all of them; rows
            (N, D) are sequences of one step then, and the result is (N, D).
        mask : list of Tensor or None, optional
            [query_mask, value_mask], (N, ..., Tq) and (N, ..., Tv): 0 where the result is to be 0,
            and at values that do not count. One mask for one tensor. By default those of the
            inputs.
        training : bool, default False
        return_attention_scores : bool, default False
            Whether to return the weights (N, ..., Tq, Tv), too: (result, weights).
        use_causal_mask : bool, default False
            Whether query t has the values 0 to t only.

        Returns
        -------
        Tensor, shape (N, ..., Tq, V), or tuple
        """
        if isinstance(inputs, Tensor) and inputs.ndim == 2:
            steps = ops.expand_dims(inputs, 1)
            found = self.call(steps, None, training, return_attention_scores, use_causal_mask)
            result, *weights = found if return_attention_scores else [found]
            result = ops.squeeze(result, 1)
            return (result, *weights) if return_attention_scores else result
        query, value, key = _query_value_key(inputs, lambda x: isinstance(x, Tensor))
        _check_shapes(query.shape, value.shape, key.shape)
        self._check_features(query.shape)
        query_mask, value_mask = _query_value(inputs, mask)
        query_mask = _checked_mask("query_mask", query_mask, query)
        value_mask = _checked_mask("value_mask", value_mask, value)
        bias = _bias(value_mask, use_causal_mask, query, value)
        rate = self.dropout if training else 0.0
        dropout_key = ops.random_key(self.seed_state) if rate else None
        weights = None
        if self._by_dot_products() and query.ndim == 3 and not return_attention_scores:
            result = self._at_once(query, value, key, bias, rate, dropout_key)
        else:
            scores = self._calculate_scores(query, key)
            weights = ops.softmax(scores if bias is None else scores + bias)
            weights = ops.dropout(weights, dropout_key, rate) if rate else weights
            result = ops.matmul(weights, value)
        if query_mask is not None:
            result = ops.where(ops.expand_dims(query_mask, -1), result, 0.0)
        return (result, weights) if return_attention_scores else result

    def _at_once(self, query, value, key, bias, rate, dropout_key):
        """The weighted means, without weights in memory."""
        query = query if self.scale is None else query * self.scale
        result = ops.dot_product_attention(
            *(ops.expand_dims(x, 2) for x in (query, key, value)),
            bias=bias if bias is None else ops.expand_dims(bias, 1),
            scale=1.0,
            dropout_rate=rate,
            dropout_key=dropout_key,
        )
        return ops.reshape(result, (*query.shape[:2], value.shape[-1]))


def _query_value_key(inputs, is_one):
    """Query, value and key, tensors or shapes, that inputs are."""
    given = [inputs, inputs] if is_one(inputs) else inputs
    if not isinstance(given, (list, tuple)) or not all(map(is_one, given)):
        raise ValueError(f"{_EXPECTED}, got {given!r}")
    if not 2 <= len(given) <= 3:
        raise ValueError(f"{_EXPECTED}, got {len(given)} of them")
    return (*given, given[1])[:3]


def _query_value(inputs, mask):
    """The masks of query and value, of which either may be None."""
    if mask is None or isinstance(inputs, Tensor):
        return mask, mask
    if not isinstance(mask, (list, tuple)) or not 2 <= len(mask) <= 3:
        raise ValueError(f"mask: expected [query_mask, value_mask], got {mask!r}")
    return mask[:2]


def _check_shapes(query, value, key):
    if len(query) < 3 or not len(query) == len(value) == len(key):
        raise ValueError(
            "expected query, value and key of shapes (N, ..., Tq, D), (N, ..., Tv, V) and "
            f"(N, ..., Tv, D), got {query}, {value} and {key}"
        )
    if query[:-2] != value[:-2] or value[:-1] != key[:-1] or query[-1] != key[-1]:
        raise ValueError(
            "expected query, value and key that agree in batch, steps and features, as of shapes "
            f"(N, Tq, D), (N, Tv, V) and (N, Tv, D), got {query}, {value} and {key}"
        )
    if value[-2] == 0:
        raise ValueError(f"expected at least one value, got shape {value}")


def _checked_mask(name, mask, x):
    """A mask for the steps of a tensor; a ValueError if its shape does not fit."""
    if mask is None:
        return None
    fits = all(m in (1, n) for m, n in zip(mask.shape, x.shape))
    if mask.ndim != x.ndim - 1 or not fits:
        raise ValueError(f"mask: expected {name} of shape {x.shape[:-1]}, got {mask.shape}")
    return ops.broadcast_to(mask, x.shape[:-1])


def _bias(value_mask, is_causal, query, value):
    """What is added to scores (N, ..., Tq, Tv) where a key does not count; None if all do."""
    on = None if value_mask is None else ops.expand_dims(value_mask, -2)
    if is_causal:
        seen = causal_mask(query.shape[-2], value.shape[-2], query.dtype)
        seen = ops.broadcast_to(seen, (*[1] * (query.ndim - 2), *seen.shape))
        on = seen if on is None else ops.minimum(on, seen)
    return None if on is None else ops.where(on, 0.0, MASKED_SCORE)


def causal_mask(n_queries, n_keys, dtype):
    """A mask (Tq, Tv) that lets query t have the keys 0 to t.

    Parameters
    ----------
    n_queries, n_keys : int
    dtype : {'float32', 'float64'}
    """
    rows, columns = (ops.cast(list(range(n)), dtype) for n in (n_queries, n_keys))
    return ops.greater_equal(ops.expand_dims(rows, 1), columns)


class Attention(_Attention):
    """Attention by dot products of queries and keys, which are not divided by anything.

    M.-T. Luong, H. Pham, C. D. Manning: "Effective approaches to attention-based neural machine
    translation", EMNLP 2015.

    Parameters
    ----------
    use_scale : bool, default False
        Whether the scores are multiplied by a weight; of 'concat', the sums in tanh.
    score_mode : {'dot', 'concat'}, default 'dot'
        The score of a query q and a key k: their dot product, or a weight times sum(tanh(q + k)).
    dropout : float in [0, 1), default 0.0
        Share of the weights of values that become 0 while training.
    seed : int, optional
        Of the dropout; by default the next seed of the process.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input [query, value] or [query, value, key]; `call` has the arguments. One tensor (N, T, D) is
    query, value and key: self-attention. A score gets -1e9 added where the value does not count.
    Weights: scale (), concat_score_weight ().

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> layers.Attention()([nnlite.ones((2, 3, 4)), nnlite.ones((2, 5, 4))]).shape
    (2, 3, 4)
    >>> model = nnlite.Sequential([layers.LSTM(8, return_sequences=True), layers.Attention()])
    >>> model(nnlite.ones((2, 7, 3))).shape
    (2, 7, 8)
    """

    _legal = {"score_mode": ("dot", "concat")}

    def __init__(self, use_scale=False, score_mode="dot", dropout=0.0, seed=None, **kwargs):
        super().__init__(use_scale, dropout, seed, **kwargs)
        self.score_mode = score_mode

    def _make_weights(self, dim):
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _by_dot_products(self):
        return self.score_mode == "dot"

    def _calculate_scores(self, query, key):
        if self.score_mode == "dot":
            scores = ops.matmul(query, key, transpose_b=True)
            return scores if self.scale is None else scores * self.scale
        sums = _sums(query, key)
        sums = sums if self.scale is None else self.scale * sums
        return self.concat_score_weight * ops.sum(ops.tanh(sums), axis=-1)


class AdditiveAttention(_Attention):
    """Attention by scores sum(scale * tanh(query + key)).

    D. Bahdanau, K. Cho, Y. Bengio: "Neural machine translation by jointly learning to align and
    translate", ICLR 2015. The matrices before the sum are Dense layers of one's own.

    Parameters
    ----------
    use_scale : bool, default True
        Whether `scale` is a weight, one number for each feature; else it is 1.
    dropout : float in [0, 1), default 0.0
        Share of the weights of values that become 0 while training.
    **kwargs
        seed of the dropout; of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input [query, value] or [query, value, key]; `call` has the arguments. One tensor (N, T, D) is
    query, value and key: self-attention. A score gets -1e9 added where the value does not count.
    Weights: scale (D,).

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.AdditiveAttention()
    >>> y, weights = layer([nnlite.ones((2, 3, 4)), nnlite.ones((2, 5, 4))],
    ...                    return_attention_scores=True)
    >>> y.shape, weights.shape
    ((2, 3, 4), (2, 3, 5))
    """

    def __init__(self, use_scale=True, dropout=0.0, **kwargs):
        super().__init__(use_scale, dropout, **kwargs)

    def _make_weights(self, dim):
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight((dim,), "glorot_uniform", name="scale")

    def _check_features(self, shape):
        if self.scale is not None and self.scale.shape != shape[-1:]:
            raise ValueError(f"expected queries of {self.scale.size} features, got {shape}")

    def _calculate_scores(self, query, key):
        parts = ops.tanh(_sums(query, key))
        return ops.sum(parts if self.scale is None else self.scale * parts, axis=-1)


def _sums(query, key):
    """The sum of each query with each key, (N, ..., Tq, Tv, D)."""
    return ops.expand_dims(query, -2) + ops.expand_dims(key, -3)


BahdanauAttention = AdditiveAttention
