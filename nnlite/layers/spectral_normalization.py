"""A layer around another one that keeps the largest singular value of its kernel at 1."""

from nnlite import ops
from nnlite.checks import positive_int
from nnlite.initializers import TruncatedNormal
from nnlite.layers import settings
from nnlite.layers.wrappers import Wrapper


class SpectralNormalization(Wrapper):
    """A layer whose kernel is divided by its largest singular value at each step of training.

    The kernel counts as a matrix (..., last axis). The value is estimated by power iteration, which
    goes on from where it ended in the step before.

    T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida: "Spectral normalization for generative adversarial
    networks", ICLR 2018.

    Parameters
    ----------
    layer : Layer
        With a weight `kernel` or `embeddings`, such as `Dense`, `Conv2D` or `Embedding`.
    power_iterations : int of at least 1, default 1
        The number of iterations in each step.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Raises
    ------
    ValueError
        When it is built: if the layer has no such weight.

    Notes
    -----
    Input and output are those of the layer. Weights: the kernel, vector_u (1, F), others of the
    layer. The division changes the kernel itself, as in Keras, and gradients do not take it into
    account; a kernel of zeros stays.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite
    >>> layer = nnlite.layers.SpectralNormalization(nnlite.layers.Dense(3), power_iterations=30)
    >>> y = layer(nnlite.ones((2, 4)), training=True)
    >>> round(float(np.linalg.norm(layer.layer.kernel.numpy(), 2)), 3)
    1.0
    """

    _legal = {"power_iterations": positive_int}
    _takes = settings.BATCH

    def __init__(self, layer, power_iterations=1, **kwargs):
        super().__init__(layer, **kwargs)
        self.power_iterations, self.kernel = power_iterations, None

    @property
    def _reads_integers(self):
        return getattr(self.layer, "_reads_integers", False)

    def build(self, input_shape):
        super().build(input_shape)
        kernel = getattr(self.layer, "kernel", None)
        self.kernel = getattr(self.layer, "embeddings", None) if kernel is None else kernel
        if self.kernel is None:
            raise ValueError(
                f"layer: expected one with a kernel or embeddings, such as Dense(4), got "
                f"{self.layer!r}"
            )
        initializer = TruncatedNormal(stddev=0.02)
        shape = (1, self.kernel.shape[-1])
        self.vector_u = self.add_weight(shape, initializer, trainable=False, name="vector_u")

    def _own_weights(self):
        """The kernel, then vector_u: Keras's order."""
        return sorted(super()._own_weights(), key=lambda v: v is not self.kernel)

    def call(self, inputs, training=False):
        if training:
            self._normalize()
        return self.layer(inputs)

    def _normalize(self):
        matrix = ops.reshape(self.kernel, (-1, self.kernel.shape[-1]))
        u = self.vector_u
        for _ in range(int(self.power_iterations)):
            v = _of_length_1(ops.matmul(u, ops.transpose(matrix)))
            u = _of_length_1(ops.matmul(v, matrix))
        largest = ops.sum(ops.matmul(v, matrix) * u)
        zero = ops.equal(ops.max(ops.abs(matrix)), 0.0)
        ops.assign(self.vector_u, ops.where(zero, self.vector_u, u))
        kernel = matrix / ops.where(zero, 1.0, largest)
        ops.assign(self.kernel, ops.reshape(kernel, self.kernel.shape))


def _of_length_1(x):
    return x / ops.sqrt(ops.maximum(ops.sum(ops.square(x)), 1e-12))
