"""PaddingMask: the steps behind the end of a sequence do not count."""

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.embedding import Masking
from nnlite.layers.layer import Layer


class PaddingMask(Layer):
    """Steps that fill up sequences become 0 and do not count in what follows: NaN, -1 of tokens.

    The estimators put it before networks that read sequences of different lengths.

    Parameters
    ----------
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T) of tokens, or (N, T, C) of numbers; output the same, with a mask (N, T). A step of
    which a feature is NaN does not count. `Masking` marks steps by a number that may be among the
    data; this layer does not. Keras has no such layer: `.keras` files tell it the same by
    operations and a `Masking`; of tokens Keras keeps only the mask of `mask_zero=True`.

    Examples
    --------
    >>> import nnlite
    >>> y = nnlite.layers.PaddingMask()([[[1.0, 2.0], [float("nan")] * 2]])
    >>> y.numpy().tolist(), y.mask.numpy().tolist()
    ([[[1.0, 2.0], [0.0, 0.0]]], [[1.0, 0.0]])
    """

    _takes = settings.ROWS

    def compute_mask(self, inputs, previous_mask=None):
        real = _real(inputs)
        if real.ndim > 2:
            real = ops.all(real, axis=tuple(range(2, real.ndim)))
        return real if previous_mask is None else ops.logical_and(real, previous_mask)

    def call(self, inputs):
        real = _real(inputs)
        if inputs.ndim > 2:
            real = ops.all(real, axis=tuple(range(2, inputs.ndim)), keepdims=True)
        kept = ops.where(real, inputs, 0.0)
        return ops.cast(kept, "int32") if inputs.dtype == "int32" else kept

    def _in_keras(self, inputs):
        """The same by what Keras has, on symbols."""
        if len(inputs.shape) == 2:
            return ops.maximum(inputs, 0)
        real = ops.all(ops.equal(inputs, inputs), axis=-1, keepdims=True)
        return Masking(_SELDOM, name=self.name)(ops.where(real, inputs, _SELDOM))


_SELDOM = -1e30  # a value that data seldom have


def _real(inputs):
    """Which numbers are data: tokens are not negative, and NaN is not equal to itself."""
    return ops.greater_equal(inputs, 0) if inputs.ndim == 2 else ops.equal(inputs, inputs)
