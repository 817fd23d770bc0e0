"""Encodings of positions: what tells attention where in a sequence a step stands."""

import numpy as np

from nnlite import config, ops
from nnlite.checks import positive_int
from nnlite.layers import settings
from nnlite.layers.embedding import Embedding
from nnlite.layers.layer import Layer


class _Positions(Layer):
    """Base: one vector for each position, whatever the sequences hold."""

    supports_masking = True
    _takes = (3, 6, "sequences of shape (N, T, features)")

    def _vectors(self, start, steps, n_features, dtype):
        """The vectors (T, C) of steps from `start` on."""
        raise NotImplementedError

    def call(self, inputs, start_index=0):
        """The vectors of the steps, as often as there are sequences.

        Parameters
        ----------
        inputs : Tensor, shape (N, T, C)
            Only its shape counts.
        start_index : int, default 0
            The position of the first step.

        Returns
        -------
        Tensor, shape (N, T, C)
        """
        if not isinstance(start_index, (int, np.integer)) or start_index < 0:
            raise ValueError(f"start_index: expected an int of at least 0, got {start_index!r}")
        (inputs,) = ops.operands(inputs)
        steps, n_features = inputs.shape[-2:]
        vectors = self._vectors(int(start_index), steps, n_features, inputs.dtype)
        return ops.broadcast_to(vectors, inputs.shape)

    def _in_keras(self, inputs, start_index=0):
        """The same by what Keras has, on symbols, if the sizes of samples are known."""
        if None in inputs.shape[1:]:
            return self(inputs, start_index=start_index)
        return self._known_in_keras(inputs, int(start_index))

    def _known_in_keras(self, inputs, start):
        raise NotImplementedError


class PositionEmbedding(_Positions):
    """A vector for each position, which is learned.

    J. Devlin, M.-W. Chang, K. Lee, K. Toutanova: "BERT: pre-training of deep bidirectional
    transformers for language understanding", NAACL 2019. Arguments as in KerasHub.

    Parameters
    ----------
    sequence_length : int
        The length of the longest sequences.
    initializer : str or Initializer, default 'glorot_uniform'
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T, C), such as vectors of tokens, with T at most `sequence_length`. Output (N, T, C):
    the vectors of positions alone, to be added to the input. Weights: embeddings (sequence_length,
    C). Keras has no such layer: where the length is known, `.keras` files tell it the same by an
    `Embedding`, without the mask.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> tokens = layers.Embedding(100, 8)([[3, 1, 4]])
    >>> (tokens + layers.PositionEmbedding(sequence_length=20)(tokens)).shape
    (1, 3, 8)
    """

    _legal = {"sequence_length": positive_int, "initializer": settings.initializer}

    def __init__(self, sequence_length, initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.sequence_length, self.initializer = sequence_length, initializer

    def build(self, input_shape):
        shape = positive_int("sequence_length", self.sequence_length), input_shape[-1]
        self.position_embeddings = self.add_weight(shape, self.initializer, name="embeddings")

    def _vectors(self, start, steps, n_features, dtype):
        longest, known = self.position_embeddings.shape
        if n_features != known:
            raise ValueError(f"expected {known} features, got {n_features}")
        if start + steps > longest:
            raise ValueError(
                f"expected at most {longest} steps, sequence_length, got {steps} from {start} on"
            )
        return self.position_embeddings[start : start + steps]

    def _known_in_keras(self, inputs, start):
        longest, n_features = self.position_embeddings.shape
        layer = Embedding(longest, n_features, name=self.name)
        layer.embeddings, layer.built = self.position_embeddings, True
        places = np.arange(start, start + inputs.shape[-2])
        return layer(ops.add(ops.max(ops.zeros_like(inputs), axis=-1), places))


class SinePositionEncoding(_Positions):
    """A vector for each position: sines and cosines of wavelengths from 2 pi to `max_wavelength`
    times that, in turn.

    A. Vaswani et al.: "Attention is all you need", NIPS 2017. Arguments as in KerasHub.

    Parameters
    ----------
    max_wavelength : float above 0, default 10000
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, T, C): the vectors of positions alone, to be added to the input.
    Keras has no such layer: where the length is known, `.keras` files tell it the same by
    operations, without the mask.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.SinePositionEncoding()(nnlite.ones((1, 3, 4))).numpy().round(2)
    array([[[ 0.  ,  1.  ,  0.  ,  1.  ],
            [ 0.84,  0.54,  0.01,  1.  ],
            [ 0.91, -0.42,  0.02,  1.  ]]], dtype=float32)
    """

    _legal = {"max_wavelength": "(0, inf)"}

    def __init__(self, max_wavelength=10000, **kwargs):
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength

    def _vectors(self, start, steps, n_features, dtype):
        features = np.arange(n_features)
        rates = float(self.max_wavelength) ** (-(features // 2 * 2) / n_features)
        angles = np.arange(start, start + steps)[:, None] * rates
        return ops.cast(np.where(features % 2, np.cos(angles), np.sin(angles)), dtype)

    def _known_in_keras(self, inputs, start):
        vectors = self._vectors(start, *inputs.shape[-2:], config.floatx())
        return ops.add(ops.zeros_like(inputs), vectors.numpy())
