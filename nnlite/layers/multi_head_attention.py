"""MultiHeadAttention, and attention of heads in groups."""

from nnlite.checks import positive_int
from nnlite.layers import settings
from nnlite.layers.heads import Heads


class MultiHeadAttention(Heads):
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
    Called on (query, value): `call` has the arguments. Scores are divided by sqrt(K). The inputs
    keep their masks, which Keras 3.15 takes away from them.

    The projections are the `EinsumDense` layers `query_dense`, `key_dense`, `value_dense` and
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

    _legal = {
        "num_heads": positive_int,
        "key_dim": positive_int,
        "value_dim": positive_int,
        "output_shape": settings.input_shape,
        "attention_axes": settings.axes,
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
        self.value_dim = key_dim if value_dim is None else value_dim

    def _sizes(self):
        n = int(self.num_heads)
        return n, n, int(self.key_dim), int(self.value_dim)

    def _shape_of_step(self):
        given = self._given.get("output_shape")
        return settings.input_shape("output_shape", given) if given else None

    def _axes_of(self, shape):
        """The axes over which attention goes, for a query of a shape."""
        if self.attention_axes is None:
            return super()._axes_of(shape)
        axes = settings.axes_within("attention_axes", self.attention_axes, len(shape))
        if axes[0] == 0 or axes[-1] == len(shape) - 1:
            raise ValueError(
                "expected attention_axes without the batch and the last axis, got "
                f"{self.attention_axes!r} for shape {shape}"
            )
        return axes


class GroupQueryAttention(Heads):
    """Attention of several heads, of which groups share one projection of keys and values.

    J. Ainslie et al.: "GQA: training generalized multi-query transformer models from multi-head
    checkpoints", EMNLP 2023.

    Parameters
    ----------
    head_dim : int
        K, the size of a projected query, key or value.
    num_query_heads : int
        H, the number of projections of the query.
    num_key_value_heads : int
        G, the number of projections of key and value; it divides H.
    dropout : float in [0, 1), default 0.0
        Share of the weights of values that become 0 while training.
    use_bias : bool, default True
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
        As for `MultiHeadAttention`.
    seed : int, optional
        Of the dropout; by default the next seed of the process.
    **kwargs
        Of `Layer`: name, trainable.

    Notes
    -----
    Called on (query, value): `call` has the arguments. Weights, each kernel before its bias: those
    of the query (C, H, K), key (C, G, K), value (C, G, K) and result (H, K, C). That of the gate
    stands before the value's.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.GroupQueryAttention(4, num_query_heads=6, num_key_value_heads=2)
    >>> layer(nnlite.ones((2, 7, 16)), nnlite.ones((2, 5, 16))).shape
    (2, 7, 16)
    """

    _prefix = "_"
    _legal = {
        "head_dim": positive_int,
        "num_query_heads": positive_int,
        "num_key_value_heads": positive_int,
    }

    def __init__(
        self,
        head_dim,
        num_query_heads,
        num_key_value_heads,
        dropout=0.0,
        use_bias=True,
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
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                "GroupQueryAttention: num_key_value_heads: expected a divisor of "
                f"num_query_heads={num_query_heads}, got {num_key_value_heads}"
            )

    def _sizes(self):
        size = int(self.head_dim)
        return int(self.num_query_heads), int(self.num_key_value_heads), size, size

    def _axes_of(self, shape):
        if len(shape) != 3:
            raise ValueError(f"expected sequences of shape (N, T, features), got shape {shape}")
        return [1]
