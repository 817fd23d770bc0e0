"""MultiHeadAttention: several attentions side by side, each on a projection of its own."""

import math

from nnlite import ops
from nnlite.checks import positive_int
from nnlite.config import next_seed
from nnlite.configurable import clone
from nnlite.layers import settings
from nnlite.layers.arguments import as_tensors
from nnlite.layers.attention import causal_mask
from nnlite.layers.building import as_shapes
from nnlite.layers.einsum_dense import EinsumDense
from nnlite.layers.layer import Layer
from nnlite.layers.masking import without_mask
from nnlite.ops.random import seed_state

_LETTERS = "abcdefgh"


class MultiHeadAttention(Layer):
    """Attention by dot products, several times side by side: each head sees projections of query,
    key and value of its own, and a last projection joins the heads.

    A. Vaswani et al.: "Attention is all you need", NIPS 2017.

    Parameters
    ----------
    num_heads : int
        H, at least 1.
    key_dim : int
        K, the size of a projected query or key.
    value_dim : int, optional
        V, the size of a projected value; by default `key_dim`.
    dropout : float in [0, 1), default 0.0
        Share of the weights of values that become 0 while training.
    use_bias : bool, default True
    output_shape : int or tuple of int, optional
        The shape of the result at each step; by default the size of the query's last axis.
    attention_axes : int or tuple of int, optional
        The axes over which attention goes; by default all but the first and the last.
    sliding_window : int, optional
        A query sees only keys that are fewer steps away.
    flash_attention : bool, optional
        Accepted for Keras's signature; the result is the same.
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    activity_regularizer : str, Regularizer or function, optional
        Of the result of each projection.
    kernel_constraint, bias_constraint : str or Constraint, optional
    use_gate : bool, default False
        Whether each head's result is multiplied by a sigmoid of a projection of the query (Z. Qiu
        et al., 2025: https://arxiv.org/abs/2505.06708).
    seed : int, optional
        Of the dropout; by default the next seed of the process.
    **kwargs
        Of `Layer`: name, trainable.

    Notes
    -----
    Called on (query, value): `call` has the arguments. Scores are divided by sqrt(K). The
    projections are the `EinsumDense` layers `query_dense`, `key_dense`, `value_dense` and
    `output_dense`, whose weights in this order are those of the layer: kernels (C, H, K), (C, H,
    K), (C, H, V) and (H, V, E), each before its bias. That of the gate stands before the value's.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.MultiHeadAttention(num_heads=2, key_dim=4)
    >>> x, y = nnlite.ones((2, 7, 16)), nnlite.ones((2, 5, 16))
    >>> layer(x, y).shape
    (2, 7, 16)
    >>> layer(x, x, use_causal_mask=True, return_attention_scores=True)[1].shape
    (2, 2, 7, 7)
    """

    supports_masking = True
    _makes_parts = True
    _legal = {
        "num_heads": positive_int,
        "key_dim": positive_int,
        "value_dim": positive_int,
        "dropout": "[0, 1)",
        "use_bias": "bool",
        "output_shape": settings.input_shape,
        "attention_axes": settings.axes,
        "sliding_window": positive_int,
        "flash_attention": "bool",
        "use_gate": "bool",
        "seed": "int",
        **settings.of_weights("kernel", "bias"),
    }

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        attention_axes=None,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads, self.key_dim = num_heads, key_dim
        self.value_dim = key_dim if value_dim is None else value_dim
        self.dropout, self.use_bias, self.use_gate, self.seed = dropout, use_bias, use_gate, seed
        self.attention_axes, self.sliding_window = attention_axes, sliding_window
        self.flash_attention = flash_attention
        self._shape_of_step = (
            settings.input_shape("output_shape", output_shape) if output_shape else None
        )
        self._of_parts = {
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }

    def build(self, query_shape, value_shape, key_shape=None):
        """Make the projections.

        Parameters
        ----------
        query_shape, value_shape : tuple
        key_shape : tuple, optional
            By default that of the value.
        """
        query, value = as_shapes(query_shape), as_shapes(value_shape)
        key = value if key_shape is None else as_shapes(key_shape)
        _check_shapes(query, value, key)
        self._axes = self._axes_of(query)
        n, k, v = (int(size) for size in (self.num_heads, self.key_dim, self.value_dim))
        self.query_dense = self._projection("query", query, (n, k))
        self.key_dense = self._projection("key", key, (n, k))
        if self.use_gate:
            self._gate_dense = self._projection("gate", query, (n, v), activation="sigmoid")
        self.value_dense = self._projection("value", value, (n, v))
        shape = self._shape_of_step or (query[-1],)
        heads = (*query[:-1], n, v)
        self.output_dense = self._projection("attention_output", heads, shape, n_summed=2)
        if self.dropout:
            self.seed_state = seed_state(next_seed() if self.seed is None else int(self.seed))

    def _axes_of(self, shape):
        """The axes over which attention goes, for a query of a shape."""
        if self.attention_axes is None:
            return list(range(1, len(shape) - 1))
        axes = settings.axes_within("attention_axes", self.attention_axes, len(shape))
        if axes[0] == 0 or axes[-1] == len(shape) - 1:
            raise ValueError(
                "expected attention_axes without the batch and the last axis, got "
                f"{self.attention_axes!r} for shape {shape}"
            )
        return axes

    def _projection(self, name, given, shape, n_summed=1, **more):
        """A Dense layer from the last axes of a shape to a shape, built."""
        n = len(given)
        letters = _LETTERS[:n] + "uvwxyz"[: len(shape)]
        kept, summed, new = letters[: n - n_summed], letters[n - n_summed : n], letters[n:]
        layer = EinsumDense(
            f"{kept}{summed},{summed}{new}->{kept}{new}",
            (*[None] * (len(kept) - 1), *shape),
            bias_axes=new if self.use_bias else None,
            name=name,
            **clone(self._of_parts),
            **more,
        )
        layer.build(given)
        return layer

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        """The shape of the result for query, value and key of some shapes.

        Parameters
        ----------
        query_shape, value_shape : tuple
        key_shape : tuple, optional
            By default that of the value.

        Returns
        -------
        tuple
        """
        query, value = as_shapes(query_shape), as_shapes(value_shape)
        _check_shapes(query, value, value if key_shape is None else as_shapes(key_shape))
        return (*query[:-1], *(self._shape_of_step or query[-1:]))

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        """Compute the weighted means of all heads, joined.

        Parameters
        ----------
        query : Tensor, shape (N, T, ...)
        value : Tensor, shape (N, S, ...)
        key : Tensor, shape (N, S, ...), optional
            By default the value.
        query_mask, value_mask, key_mask : Tensor, shape (N, T) or (N, S), optional
            0 at steps that do not count. By default the masks that the inputs have.
        attention_mask : Tensor, shape (T, S), (N, T, S) or (N, H, T, S), optional
            0 where a query does not see a key.
        return_attention_scores : bool, default False
            Whether to return the weights (N, H, T, S), too: (result, weights).
        training : bool, optional
        use_causal_mask : bool, default False
            Whether query t sees the keys 0 to t only.

        Returns
        -------
        Tensor, shape (N, T, ...), or tuple
            A query that sees no key gets the mean of all values, or, with dropout or weights, 0.
        """
        query, value = without_mask(query), without_mask(as_tensors(value))
        key = value if key is None else without_mask(as_tensors(key))
        _check_shapes(query.shape, value.shape, key.shape)
        self._check_batch(query.shape, value.shape)
        gate = self._gate_dense(query) if self.use_gate else None
        parts = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        sizes = tuple(math.prod(x.shape[d] for d in self._axes) for x in (query, value))
        if use_causal_mask and len(self._axes) != 1:
            raise ValueError(
                f"use_causal_mask: expected one axis of attention, got {tuple(self._axes)}"
            )
        given = [
            None if m is None else ops.expand_dims(_truth(m), axis)
            for m, axis in ((query_mask, -1), (value_mask, -2), (key_mask, -2))
        ]
        given.append(None if attention_mask is None else _truth(attention_mask))
        given.append(self._window(*sizes, query.dtype))
        mask = self._joined([m for m in given if m is not None], query.shape, value.shape)
        result, weights = self._attention(
            *map(self._flat, parts),
            mask,
            bool(use_causal_mask),
            self.dropout if training else 0.0,
            return_attention_scores,
        )
        result = self._as_before(result, query.shape)
        result = self.output_dense(result if gate is None else result * gate)
        if not return_attention_scores:
            return result
        shape = (*self._batch(query.shape), self.num_heads)
        lengths = (*(query.shape[d] for d in self._axes), *(value.shape[d] for d in self._axes))
        return result, ops.reshape(weights, (*shape, *lengths))

    def _check_batch(self, query, value):
        if len(query) != len(value) or self._batch(query) != self._batch(value):
            raise ValueError(
                "expected query and value that agree in the batch, and in all axes without "
                f"attention, got shapes {query} and {value}"
            )

    def _batch(self, shape):
        """The sizes of the axes without attention, but for the last one."""
        return tuple(shape[d] for d in range(len(shape) - 1) if d not in self._axes)

    def _order(self, ndim):
        """The axes of a projected tensor, with those of attention after the others."""
        batch = [d for d in range(ndim - 2) if d not in self._axes]
        return [*batch, *self._axes, ndim - 2, ndim - 1]

    def _flat(self, x):
        """A projected tensor as (N, T, H, K): the axes of attention are one, and so are others."""
        n_batch = x.ndim - 2 - len(self._axes)
        x = _transposed(x, self._order(x.ndim))
        shape = math.prod(x.shape[:n_batch]), math.prod(x.shape[n_batch:-2]), *x.shape[-2:]
        return ops.reshape(x, shape)

    def _as_before(self, x, query_shape):
        """What `_flat` undid, for a result."""
        order = self._order(len(query_shape) + 1)
        sizes = [query_shape[d] for d in order[:-2]]
        x = ops.reshape(x, (*sizes, *x.shape[-2:]))
        return _transposed(x, [order.index(d) for d in range(x.ndim)])

    def _window(self, n_queries, n_keys, dtype):
        """The mask (T, S) of the window; None without one."""
        if self.sliding_window is None:
            return None
        rows, columns = (ops.cast(list(range(n)), dtype) for n in (n_queries, n_keys))
        return ops.less(ops.abs(ops.expand_dims(rows, 1) - columns), float(self.sliding_window))

    def _joined(self, masks, query_shape, value_shape):
        """One mask (N, H, T, S) of several, in each of which sizes may be 1; None if there are
        none."""
        n, batch = len(self._axes), self._batch(query_shape)
        shapes = query_shape, value_shape
        lengths = tuple(shape[d] for shape in shapes for d in self._axes)
        joined = None
        for mask in masks:
            first = mask.shape[: -2 * n] if mask.ndim > 2 * n else ()
            first = (*first, *[1] * (len(batch) + 1 - len(first)))
            full = (*batch, self.num_heads, *lengths)
            shape = (*first, *mask.shape[-2 * n :])
            if len(shape) != len(full) or any(m not in (1, k) for m, k in zip(shape, full)):
                raise ValueError(
                    f"attention_mask: expected a shape that fits {full}, got {mask.shape}"
                )
            mask = ops.reshape(mask, (math.prod(first), *shape[-2 * n :]))
            if n > 1:
                mask = ops.broadcast_to(mask, (mask.shape[0], *lengths))
            t, s = math.prod(mask.shape[1 : n + 1]), math.prod(mask.shape[n + 1 :])
            if len(batch) > 1:
                mask = ops.reshape(mask, (*first, t, s))
                mask = ops.broadcast_to(mask, (*batch, *first[-1:], t, s))
            mask = ops.reshape(mask, (-1, first[-1], t, s))
            joined = mask if joined is None else ops.minimum(joined, mask)
        return joined

    def _attention(self, query, key, value, mask, is_causal, rate, with_weights):
        """The weighted means (N, T, H, V), and the weights (N, H, T, S) if they are asked for."""
        dropout_key = ops.random_key(self.seed_state) if rate else None
        scale = 1.0 / math.sqrt(self.key_dim)
        all_seen = mask
        if is_causal and (with_weights or mask is not None):
            seen = causal_mask(query.shape[1], key.shape[1], query.dtype)
            all_seen = seen if mask is None else ops.minimum(mask, seen)
        if not with_weights:
            result = ops.dot_product_attention(
                query,
                key,
                value,
                mask=mask,
                scale=scale,
                is_causal=is_causal,
                dropout_rate=rate,
                dropout_key=dropout_key,
            )
            if self.dropout and mask is not None:
                some = ops.max(all_seen, axis=-1, keepdims=True)
                result = result * ops.transpose(some, (0, 2, 1, 3))
            return result, None
        query, key, value = (ops.transpose(x, (0, 2, 1, 3)) for x in (query * scale, key, value))
        scores = ops.matmul(query, key, transpose_b=True)
        weights = ops.softmax(scores)
        if all_seen is not None:
            on = ops.broadcast_to(
                ops.reshape(all_seen, (*[1] * (4 - all_seen.ndim), *all_seen.shape)), scores.shape
            )
            weights = ops.where(on, ops.softmax(ops.where(on, scores, -1e30)), 0.0)
        kept = ops.dropout(weights, dropout_key, rate) if rate else weights
        return ops.transpose(ops.matmul(kept, value), (0, 2, 1, 3)), weights


def _check_shapes(query, value, key):
    if len(query) < 3 or len(value) < 3 or value[:-1] != key[:-1]:
        raise ValueError(
            "expected query, value and key of shapes (N, T, C), (N, S, C) and (N, S, C), of which "
            "the axes of value and key but the last must be equal, got shapes "
            f"{query}, {value} and {key}"
        )


def _truth(mask):
    return ops.cast(as_tensors(mask), "bool")


def _transposed(x, order):
    return x if order == list(range(x.ndim)) else ops.transpose(x, order)
