"""Heads: what attentions of several heads share. Each head sees projections of query, key and value
of its own."""

import math

from nnlite import ops
from nnlite.checks import positive_int
from nnlite.config import next_seed
from nnlite.configurable import clone
from nnlite.layers import settings
from nnlite.layers.activation import Softmax
from nnlite.layers.arguments import as_tensors
from nnlite.layers.attention import OfSequences, causal_mask
from nnlite.layers.building import as_shapes
from nnlite.layers.einsum_dense import EinsumDense
from nnlite.layers.masking import without_mask
from nnlite.layers.recurrent_cells import keep_settings
from nnlite.ops.attention import for_each_head
from nnlite.ops.random import seed_state

_LETTERS = "abcdefgh"
_OF_WEIGHTS = settings.of_weights("kernel", "bias")


class Heads(OfSequences):
    """Base of attentions of several heads. A subclass says how many there are, and of which
    sizes."""

    supports_masking = True
    _makes_parts = True
    _takes = (3, math.inf, "sequences of shape (N, T, ..., features)")  # the query
    _legal = {
        "dropout": "[0, 1)",
        "use_bias": "bool",
        "sliding_window": positive_int,
        "flash_attention": "bool",
        "use_gate": "bool",
        "seed": "int",
        **_OF_WEIGHTS,
    }
    _prefix = ""  # of the attributes of projections, as Keras's files know them

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        keep_settings(self)

    def _sizes(self):
        """The heads of the query, those of key and value, the sizes of a key and of a value."""
        raise NotImplementedError

    def _shape_of_step(self):
        """The shape of the result at each step; None: that of the query."""

    def _axes_of(self, shape):
        """The axes over which attention goes, for a query of a shape."""
        return list(range(1, len(shape) - 1))

    def build(self, query_shape, value_shape=None, key_shape=None):
        """Make the projections.

        Parameters
        ----------
        query_shape : tuple
        value_shape : tuple, optional
            By default that of the query.
        key_shape : tuple, optional
            By default that of the value.
        """
        query, value, key = _shapes(query_shape, value_shape, key_shape)
        self._axes = self._axes_of(query)
        n, m, k, v = self._sizes()
        self._make("query_dense", "query", query, (n, k))
        self._make("key_dense", "key", key, (m, k))
        if self.use_gate:
            self._gate_dense = self._projection("gate", query, (n, v), activation="sigmoid")
        self._make("value_dense", "value", value, (m, v))
        heads, shape = (*query[:-1], n, v), self._shape_of_step() or query[-1:]
        self._make("output_dense", "attention_output", heads, shape, n_summed=2)
        if self.dropout:
            self.seed_state = seed_state(next_seed() if self.seed is None else int(self.seed))

    def _make(self, attribute, *args, **kwargs):
        """Make a projection, an attribute by the name that Keras's files know."""
        setattr(self, self._prefix + attribute, self._projection(*args, **kwargs))

    def _part(self, attribute):
        return getattr(self, self._prefix + attribute)

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
            **clone({name: getattr(self, name) for name in _OF_WEIGHTS}),
            activity_regularizer=clone(self._given.get("activity_regularizer")),
            **more,
        )
        layer.build(given)
        return layer

    def get_build_config(self):
        """None, as the calls of a model build the layer; Keras's `build` asks for several shapes.

        Returns
        -------
        None
        """

    def _is_of_one(self, query, value=None, *args, **kwargs):
        return value is None and type(self).call is Heads.call

    def _of_two(self, query, *args, **kwargs):
        one = self._is_of_one(query, *args, **kwargs)
        return self(query, query, **kwargs) if one else self(query, *args, **kwargs)

    def compute_output_shape(self, query_shape, value_shape=None, key_shape=None):
        """The shape of the result for query, value and key of some shapes.

        Parameters
        ----------
        query_shape : tuple
        value_shape : tuple, optional
            By default that of the query.
        key_shape : tuple, optional
            By default that of the value.

        Returns
        -------
        tuple
        """
        query, _, _ = _shapes(query_shape, value_shape, key_shape)
        return (*query[:-1], *(self._shape_of_step() or query[-1:]))

    def call(
        self,
        query,
        value=None,
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
        value : Tensor, shape (N, S, ...), optional
            By default the query, with its mask: self-attention.
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
        if value is None:
            value, mask = query, query.mask
            query_mask = mask if query_mask is None else query_mask
            value_mask = mask if value_mask is None else value_mask
        query, value = without_mask(query), without_mask(as_tensors(value))
        key = value if key is None else without_mask(as_tensors(key))
        _check_shapes(query.shape, value.shape, key.shape)
        self._check_batch(query.shape, value.shape)
        gate = self._gate_dense(query) if self.use_gate else None
        parts = (
            self._part("query_dense")(query),
            self._part("key_dense")(key),
            self._part("value_dense")(value),
        )
        sizes = tuple(math.prod(x.shape[d] for d in self._axes) for x in (query, value))
        if use_causal_mask and len(self._axes) != 1:
            raise ValueError(
                f"use_causal_mask: expected one axis of attention, got {tuple(self._axes)}"
            )
        given = [
            None if m is None else ops.expand_dims(_of_steps(name, m, x), axis)
            for name, m, x, axis in (
                ("query_mask", query_mask, query, -1),
                ("value_mask", value_mask, value, -2),
                ("key_mask", key_mask, key, -2),
            )
        ]
        given.append(None if attention_mask is None else _truth(attention_mask, query))
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
        result = self._part("output_dense")(result if gate is None else result * gate)
        if not return_attention_scores:
            return result
        shape = (*self._batch(query.shape), self._sizes()[0])
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
            full = (*batch, self._sizes()[0], *lengths)
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
        scale = 1.0 / math.sqrt(query.shape[-1])
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
        key, value = (for_each_head(x, query.shape[2]) for x in (key, value))
        query, key, value = (ops.transpose(x, (0, 2, 1, 3)) for x in (query * scale, key, value))
        scores = ops.matmul(query, key, transpose_b=True)
        weights = Softmax().call(scores, all_seen)
        kept = ops.dropout(weights, dropout_key, rate) if rate else weights
        return ops.transpose(ops.matmul(kept, value), (0, 2, 1, 3)), weights


def _shapes(query, value, key):
    """The shapes of query, value and key, of which the last two may be None."""
    query = as_shapes(query)
    value = query if value is None else as_shapes(value)
    key = value if key is None else as_shapes(key)
    _check_shapes(query, value, key)
    return query, value, key


def _check_shapes(query, value, key):
    if len(query) < 3 or len(value) < 3 or value[:-1] != key[:-1]:
        raise ValueError(
            "expected query, value and key of shapes (N, T, C), (N, S, C) and (N, S, C), of which "
            "the axes of value and key but the last must be equal, got shapes "
            f"{query}, {value} and {key}"
        )


def _truth(mask, query):
    """A mask as 1 and 0 of the query's precision."""
    return ops.cast(ops.cast(as_tensors(mask), query.dtype), "bool")


def _of_steps(name, mask, x):
    """A mask of the steps of a tensor as 1 and 0; a ValueError if its shape does not fit."""
    mask = _truth(mask, x)
    if mask.ndim != x.ndim - 1 or any(m not in (1, n) for m, n in zip(mask.shape, x.shape)):
        raise ValueError(f"{name}: expected shape {x.shape[:-1]}, got {mask.shape}")
    return mask


def _transposed(x, order):
    return x if order == list(range(x.ndim)) else ops.transpose(x, order)
