"""Blocks of transformers: attention, then two Dense layers, each around a residual connection."""

from functools import partial

from nnlite.checks import positive_int
from nnlite.configurable import clone
from nnlite.engine.symbolic import Symbol
from nnlite.errors import prefixed
from nnlite.layers import settings
from nnlite.layers.arguments import as_tensors
from nnlite.layers.building import as_shapes
from nnlite.layers.core import Dense
from nnlite.layers.layer import Layer
from nnlite.layers.masking import without_mask
from nnlite.layers.merging import Add
from nnlite.layers.multi_head_attention import MultiHeadAttention
from nnlite.layers.normalization import LayerNormalization
from nnlite.layers.outer import as_model
from nnlite.layers.preprocessing import Rescaling
from nnlite.layers.regularization import Dropout


class _Block(Layer):
    """Base: settings, and parts that a subclass puts together.

    Keras lacks these layers. Their `call` also runs on symbols, as calls of layers that it has.
    There masks go along with the symbols."""

    supports_masking = True
    _makes_parts = True
    _takes = (3, 3, "sequences of shape (N, T, features)")
    _legal = {
        "intermediate_dim": positive_int,
        "num_heads": positive_int,
        "dropout": "[0, 1)",
        "activation": settings.activation,
        "layer_norm_epsilon": settings.AT_LEAST_0,
        "kernel_initializer": settings.initializer,
        "bias_initializer": settings.initializer,
        "normalize_first": "bool",
    }

    def __init__(
        self,
        intermediate_dim,
        num_heads,
        dropout=0,
        activation="relu",
        layer_norm_epsilon=1e-05,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        normalize_first=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.intermediate_dim, self.num_heads = intermediate_dim, num_heads
        self.dropout, self.activation = dropout, activation
        self.layer_norm_epsilon, self.normalize_first = layer_norm_epsilon, normalize_first
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer

    def _for_keras(self, model=None):
        return as_model(self.call, partial(model, name=self.name))

    def _initializers(self):
        found = {"kernel_initializer": self.kernel_initializer}
        return clone({**found, "bias_initializer": self.bias_initializer})

    def _make_attention(self, kind, query, value):
        """Make an attention from a query to values of some shapes, and what stands around it."""
        n_heads, width = int(self.num_heads), query[-1]
        if width < n_heads:
            raise ValueError(
                f"expected at least one feature for each of num_heads={n_heads}, got {width}"
            )
        attention = MultiHeadAttention(
            n_heads,
            width // n_heads,
            dropout=self.dropout,
            name=f"{kind}_attention_layer",
            **self._initializers(),
        )
        attention.build(query, value)
        norm, dropout = self._around(f"{kind}_attention", query)
        return attention, norm, dropout

    def _make_feedforward(self, shape):
        """Make the two Dense layers, and what stands around them."""
        width = positive_int("intermediate_dim", self.intermediate_dim)
        inner = Dense(
            width, self.activation, name="feedforward_intermediate_dense", **self._initializers()
        )
        outer = Dense(shape[-1], name="feedforward_output_dense", **self._initializers())
        norm, dropout = self._around("feedforward", shape)
        inner.build(shape)
        outer.build((*shape[:-1], width))
        return norm, inner, outer, dropout

    def _around(self, name, shape):
        """A normalization and a dropout, for what has a name and a shape."""
        norm = LayerNormalization(epsilon=self.layer_norm_epsilon, name=f"{name}_layer_norm")
        dropout = Dropout(self.dropout, name=f"{name}_dropout")
        for layer in (norm, dropout):
            layer.build(shape)
        return norm, dropout

    def _residual(self, x, norm, dropout, function):
        """x plus a function of it, normalized after that, or before the function."""
        if self.normalize_first:
            return _sum(x, dropout(function(norm(x))))
        return norm(_sum(x, dropout(function(x))))

    def _feedforward(self, x):
        return self._residual(
            x,
            self._feedforward_layer_norm,
            self._feedforward_dropout,
            lambda y: self._feedforward_output_dense(self._feedforward_intermediate_dense(y)),
        )


def _check_sequences(name, shape):
    if len(shape) != 3:
        raise ValueError(f"{name}: expected sequences of shape (N, T, features), got shape {shape}")


def _padding(mask, x):
    """The mask of the steps of a tensor: as it was given, else as the tensor has it."""
    return x.mask if mask is None and not isinstance(x, Symbol) else mask


def _sum(x, y):
    """x + y. (Of symbols by a layer: operations drop masks in Keras.)"""
    return Add()([x, y]) if isinstance(x, Symbol) else x + y


def _alone(x):
    """A tensor without its mask, which `_padding` gives to those that need it."""
    return x if isinstance(x, Symbol) else without_mask(x)


def _for_attention(x):
    """What an attention is called on. (Of symbols a copy: Keras's takes the mask of it away.)"""
    return Rescaling(1.0)(x) if isinstance(x, Symbol) else without_mask(x)


class TransformerEncoder(_Block):
    """Attention of a sequence to itself, then two Dense layers at each step; both are added to what
    they are made of, and normalized.

    A. Vaswani et al.: "Attention is all you need", NIPS 2017. Arguments as in KerasHub.

    Parameters
    ----------
    intermediate_dim : int
        The units of the first Dense layer.
    num_heads : int
        Heads of the attention; each has C // num_heads features.
    dropout : float in [0, 1), default 0
        Of the weights of the attention and before both sums.
    activation : str or function, default 'relu'
        Of the first Dense layer.
    layer_norm_epsilon : float of at least 0, default 1e-05
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    normalize_first : bool, default False
        Whether what goes into attention and Dense layers is normalized, and not the sums.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T, C), output the same; `call` has the arguments.

    Keras has no such layer: `.keras` files tell it the same by others. (Masked steps, which nothing
    counts, have other values there.)

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> layers.TransformerEncoder(intermediate_dim=32, num_heads=2)(nnlite.ones((3, 5, 8))).shape
    (3, 5, 8)
    """

    def build(self, input_shape):
        (
            self._self_attention_layer,
            self._self_attention_layer_norm,
            self._self_attention_dropout,
        ) = self._make_attention("self", input_shape, input_shape)
        (
            self._feedforward_layer_norm,
            self._feedforward_intermediate_dense,
            self._feedforward_output_dense,
            self._feedforward_dropout,
        ) = self._make_feedforward(input_shape)

    def call(self, inputs, padding_mask=None, attention_mask=None, return_attention_scores=False):
        """Compute the block.

        Parameters
        ----------
        inputs : Tensor, shape (N, T, C)
        padding_mask : Tensor, shape (N, T), optional
            0 at steps that no step sees. By default the mask of the input.
        attention_mask : Tensor, shape (N, T, T), optional
            0 where a step does not see another.
        return_attention_scores : bool, default False
            Whether to return the weights of the attention (N, num_heads, T, T), too.

        Returns
        -------
        Tensor, shape (N, T, C), or tuple
        """
        masks = {"value_mask": _padding(padding_mask, inputs), "attention_mask": attention_mask}
        weights = []

        def attention(y):
            layer, y = self._self_attention_layer, _for_attention(y)
            if not return_attention_scores:
                return layer(y, y, **masks)
            y, found = layer(y, y, return_attention_scores=True, **masks)
            weights.append(found)
            return y

        x = self._residual(
            _alone(inputs),
            self._self_attention_layer_norm,
            self._self_attention_dropout,
            attention,
        )
        x = self._feedforward(x)
        return (x, *weights) if weights else x


class TransformerDecoder(_Block):
    """Attention of a sequence to its own earlier steps, attention to another sequence if there is
    one, then two Dense layers at each step; all are added to what they are made of, and normalized.

    A. Vaswani et al.: "Attention is all you need", NIPS 2017. Arguments as in KerasHub.

    Parameters
    ----------
    intermediate_dim : int
        The units of the first Dense layer.
    num_heads : int
        Heads of each attention; each has C // num_heads features.
    dropout : float in [0, 1), default 0
        Of the weights of attention and before all sums.
    activation : str or function, default 'relu'
        Of the first Dense layer.
    layer_norm_epsilon : float of at least 0, default 1e-05
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    normalize_first : bool, default False
        Whether what goes into attention and Dense layers is normalized, and not the sums.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Called on (decoder_sequence, encoder_sequence), or on the first alone, as in a language model;
    `call` has the arguments. The first call decides which.

    Keras has no such layer: `.keras` files tell it the same by others. (Masked steps, which nothing
    counts, have other values there.)

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> decoder = layers.TransformerDecoder(intermediate_dim=32, num_heads=2)
    >>> decoder(nnlite.ones((3, 5, 8)), nnlite.ones((3, 7, 6))).shape
    (3, 5, 8)
    """

    def _check_shapes(self, shapes):
        with prefixed("decoder_sequence: "):
            super()._check_shapes(shapes)

    def build(self, decoder_sequence_shape, encoder_sequence_shape=None):
        """Make the parts.

        Parameters
        ----------
        decoder_sequence_shape : tuple
        encoder_sequence_shape : tuple, optional
            None: there is no attention to another sequence.
        """
        shape = as_shapes(decoder_sequence_shape)
        _check_sequences("decoder_sequence", shape)
        (
            self._self_attention_layer,
            self._self_attention_layer_norm,
            self._self_attention_dropout,
        ) = self._make_attention("self", shape, shape)
        self._cross_attention_layer = None
        if encoder_sequence_shape is not None:
            other = as_shapes(encoder_sequence_shape)
            _check_sequences("encoder_sequence", other)
            (
                self._cross_attention_layer,
                self._cross_attention_layer_norm,
                self._cross_attention_dropout,
            ) = self._make_attention("cross", shape, other)
        (
            self._feedforward_layer_norm,
            self._feedforward_intermediate_dense,
            self._feedforward_output_dense,
            self._feedforward_dropout,
        ) = self._make_feedforward(shape)

    def compute_output_shape(self, decoder_sequence_shape, encoder_sequence_shape=None):
        """The shape of the result: that of the decoder's sequence.

        Parameters
        ----------
        decoder_sequence_shape : tuple
        encoder_sequence_shape : tuple, optional

        Returns
        -------
        tuple
        """
        return as_shapes(decoder_sequence_shape)

    def call(
        self,
        decoder_sequence,
        encoder_sequence=None,
        decoder_padding_mask=None,
        decoder_attention_mask=None,
        encoder_padding_mask=None,
        encoder_attention_mask=None,
        use_causal_mask=True,
    ):
        """Compute the block.

        Parameters
        ----------
        decoder_sequence : Tensor, shape (N, T, C)
        encoder_sequence : Tensor, shape (N, S, E), optional
        decoder_padding_mask, encoder_padding_mask : Tensor, shape (N, T) and (N, S), optional
            0 at steps that no step sees. By default the masks of the sequences.
        decoder_attention_mask, encoder_attention_mask : Tensor, optional
            Of shape (N, T, T) and (N, T, S): 0 where a step does not see another.
        use_causal_mask : bool, default True
            Whether steps of the decoder see only themselves and earlier ones of it.

        Returns
        -------
        Tensor, shape (N, T, C)
        """
        if (encoder_sequence is None) != (self._cross_attention_layer is None):
            expected = "none" if self._cross_attention_layer is None else "one"
            raise ValueError(f"encoder_sequence: expected {expected}, as in the first call")

        def to_itself(y):
            y = _for_attention(y)
            return self._self_attention_layer(
                y,
                y,
                value_mask=_padding(decoder_padding_mask, decoder_sequence),
                attention_mask=decoder_attention_mask,
                use_causal_mask=use_causal_mask,
            )

        def to_other(y):
            return self._cross_attention_layer(
                _for_attention(y),
                _for_attention(other),
                value_mask=_padding(encoder_padding_mask, other),
                attention_mask=encoder_attention_mask,
            )

        x = self._residual(
            _alone(decoder_sequence),
            self._self_attention_layer_norm,
            self._self_attention_dropout,
            to_itself,
        )
        if encoder_sequence is not None:
            other = encoder_sequence
            other = other if isinstance(other, Symbol) else as_tensors(other)
            _check_sequences("encoder_sequence", other.shape)
            x = self._residual(
                x, self._cross_attention_layer_norm, self._cross_attention_dropout, to_other
            )
        return self._feedforward(x)
