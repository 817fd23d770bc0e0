"""Embedding: a vector for each token; Masking: steps that do not count."""

import numpy as np

from nnlite import ops
from nnlite.checks import positive_int
from nnlite.engine.dispatch import NO_PLACE
from nnlite.engine.tensor import convert_to_tensor
from nnlite.errors import prefixed
from nnlite.layers import settings
from nnlite.layers.layer import Layer


class Embedding(Layer):
    """A vector for each token.

    Parameters
    ----------
    input_dim : int
        V, the size of the vocabulary: tokens are integers in [0, V).
    output_dim : int
        U, the size of a vector.
    embeddings_initializer : str or Initializer, default 'uniform'
    embeddings_regularizer : str or Regularizer, optional
    embeddings_constraint : str or Constraint, optional
    mask_zero : bool, default False
        Whether token 0 is padding: the steps where it stands do not count in the layers that
        follow, and in the loss.
    weights : array, shape (V, U), or list of it, optional
        The first vectors, instead of those of the initializer. The layer is built at once then.
    input_length : int, optional
        T, the length of all sequences, as Keras 2 asked for it.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T) of integers, output (N, T, U); more axes go through. Weights: embeddings (V, U).
    A mask of the input stays (Keras drops it): steps count that it and `mask_zero` let count.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Embedding(100, 8)([[3, 1, 4]]).shape
    (1, 3, 8)
    """

    _takes = settings.BATCH
    _legal = {
        "input_dim": positive_int,
        "output_dim": positive_int,
        "mask_zero": "bool",
        "input_length": positive_int,
        **settings.of_weights("embeddings"),
    }
    _reads_integers = True

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        weights=None,
        input_length=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.input_dim, self.output_dim, self.mask_zero = input_dim, output_dim, mask_zero
        self.embeddings_initializer = embeddings_initializer
        self.embeddings_regularizer = embeddings_regularizer
        self.embeddings_constraint = embeddings_constraint
        self.input_length = input_length
        self._first_vectors = None if weights is None else self._vectors(weights)
        if input_length is not None and self._given_input_shape is None:
            self._given_input_shape = (int(input_length),)
        if weights is not None:  # they are there at once, as in Keras
            self.build()

    def build(self, input_shape=None):
        shape = (
            positive_int("input_dim", self.input_dim),
            positive_int("output_dim", self.output_dim),
        )
        self.embeddings = self.add_weight(
            shape,
            self.embeddings_initializer,
            name="embeddings",
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )
        if self._first_vectors is not None:
            self.embeddings.assign(self._first_vectors)

    def _vectors(self, weights):
        """The first vectors, that `weights` holds."""
        one = weights[0] if isinstance(weights, list) and len(weights) == 1 else weights
        with prefixed("Embedding: weights: "):
            shape = convert_to_tensor(one).shape
        if shape != (self.input_dim, self.output_dim):
            raise ValueError(
                "Embedding: weights: expected an array of shape "
                f"{(self.input_dim, self.output_dim)}, got shape {shape}"
            )
        return np.asarray(one)

    def get_config(self):
        """The constructor's arguments as a dict, without the first vectors.

        Returns
        -------
        dict
        """
        return {k: v for k, v in super().get_config().items() if k != "weights"}

    @property
    def supports_masking(self):
        """Whether the result has a mask of its own: `mask_zero`."""
        return bool(self.mask_zero)

    def compute_mask(self, inputs, previous_mask=None):
        if not self.mask_zero:
            return previous_mask
        mask = ops.not_equal(inputs, ops.zeros_like(inputs))
        return mask if previous_mask is None else ops.logical_and(mask, previous_mask)

    def call(self, inputs):
        return ops.take(self.embeddings, self._tokens(inputs), axis=0)

    def _tokens(self, inputs):
        """The input as int32; a ValueError for other values than tokens. Fractions that are not
        known yet, in a trace, become `NO_PLACE`, which C refuses as it does all others."""
        if inputs._data is not None:
            given = inputs.numpy()
            wrong = (given < 0) | (given >= self.input_dim) | (given != np.floor(given))
            wrong |= np.isnan(given)
            if wrong.any():
                place = tuple(int(i[0]) for i in np.nonzero(wrong))
                raise ValueError(
                    f"inputs: expected tokens, integers in [0, {self.input_dim}), got "
                    f"{given[place]} at position {place}"
                )
        elif inputs.dtype != "int32":
            whole = ops.equal(inputs, ops.floor(inputs))
            inputs = ops.where(whole, inputs, float(NO_PLACE))
        return ops.cast(inputs, "int32")


class ReversibleEmbedding(Embedding):
    """A vector for each token, and back: how much a vector is like that of each token.

    O. Press, L. Wolf: "Using the output embedding to improve language models", EACL 2017.

    Parameters
    ----------
    input_dim : int
        V, the size of the vocabulary: tokens are integers in [0, V).
    output_dim : int
        U, the size of a vector.
    tie_weights : bool, default True
        Whether the way back has the same weights, transposed.
    embeddings_initializer : str or Initializer, default 'uniform'
    embeddings_regularizer : str or Regularizer, optional
    embeddings_constraint : str or Constraint, optional
    mask_zero : bool, default False
        As of `Embedding`.
    reverse_dtype : str, optional
        The precision of the way back, which is that of the model.
    logit_soft_cap : float in (0, inf), optional
        The largest size of a result of the way back, which is tanh(y / cap) * cap then.
    **kwargs
        Of `Embedding`: weights, input_length; of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T) of integers, output (N, T, U). `call(inputs, reverse=True)` takes (N, T, U) and
    gives (N, T, V), with the mask of its input (Keras drops it). Weights: embeddings (V, U), and
    reverse_embeddings (U, V) without `tie_weights`.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.ReversibleEmbedding(100, 8)
    >>> y = layer([[3, 1, 4]])
    >>> layer(y, reverse=True).shape
    (1, 3, 100)
    """

    _legal = {
        **Embedding._legal,
        "tie_weights": "bool",
        "reverse_dtype": settings.precision,
        "logit_soft_cap": "(0, inf)",
    }

    def __init__(
        self,
        input_dim,
        output_dim,
        tie_weights=True,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        reverse_dtype=None,
        logit_soft_cap=None,
        **kwargs,
    ):
        self.tie_weights, self.logit_soft_cap = tie_weights, logit_soft_cap
        self.reverse_dtype = reverse_dtype
        super().__init__(  # may build
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **kwargs,
        )

    def build(self, input_shape=None):
        super().build(input_shape)
        settings.check_precision(self.reverse_dtype)
        self.reverse_embeddings = None
        if not self.tie_weights:
            shape = self.embeddings.shape[::-1]
            made = self.embeddings_initializer
            self.reverse_embeddings = self.add_weight(shape, made, name="reverse_embeddings")

    supports_masking = True

    def compute_mask(self, inputs, previous_mask=None):
        return None  # `call` knows whether there are tokens

    def call(self, inputs, reverse=False):
        """Vectors of tokens, or the way back.

        Parameters
        ----------
        inputs : Tensor, shape (N, T), or (N, T, U) for the way back
        reverse : bool, default False

        Returns
        -------
        Tensor, shape (N, T, U) or (N, T, V)
        """
        if not reverse:
            y = super().call(inputs)
            y.mask = super().compute_mask(inputs, inputs.mask)
            return y
        if inputs.shape[-1] != self.output_dim:
            raise ValueError(
                f"expected vectors of {self.output_dim} entries, got shape {inputs.shape}"
            )
        if self.tie_weights:
            y = ops.matmul(inputs, self.embeddings, transpose_b=True)
        else:
            y = ops.matmul(inputs, self.reverse_embeddings)
        cap = self.logit_soft_cap
        y = y if cap is None else ops.tanh(y / cap) * cap
        y.mask = inputs.mask
        return y

    def compute_output_shape(self, input_shape, reverse=False):
        """The shape of the result.

        Parameters
        ----------
        input_shape : tuple
        reverse : bool, default False
        """
        shape = tuple(input_shape)
        return (*shape[:-1], self.input_dim) if reverse else (*shape, self.output_dim)


class Masking(Layer):
    """Sequences of which the steps do not count where all features have one value.

    Parameters
    ----------
    mask_value : float, default 0.0
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output the same, with 0 at the steps that do not count. A step that a mask of
    the input leaves out does not count either (Keras forgets that mask).

    The mask goes on through layers that leave the steps as they are, also through attention and
    merging layers. It ends where a recurrent layer returns its last step alone, at
    `GlobalAveragePooling1D`, which leaves masked steps out, and at `Dot`. Functions of `nnlite.ops`
    and operators, such as x + y, drop it, as in Keras; `Add` keeps it. Every other layer, such as
    `Conv1D`, `Flatten` and `Reshape`, drops it with a warning.

    Examples
    --------
    >>> import nnlite
    >>> y = nnlite.layers.Masking(-1.0)([[[1.0, 2.0], [-1.0, -1.0]]])
    >>> y.mask.numpy()
    array([[1., 0.]], dtype=float32)
    """

    _takes = (3, 6, "sequences of shape (N, T, features)")
    _legal = {"mask_value": "(-inf, inf)"}
    supports_masking = True

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def compute_mask(self, inputs, previous_mask=None):
        mask = ops.any(ops.not_equal(inputs, float(self.mask_value)), axis=-1)
        return mask if previous_mask is None else ops.logical_and(mask, previous_mask)

    def call(self, inputs):
        on = ops.any(ops.not_equal(inputs, float(self.mask_value)), axis=-1, keepdims=True)
        return ops.where(on, inputs, 0.0)
