"""The network of an MLPClassifier or MLPRegressor: Dense layers, with scikit-learn's loss."""

import math

import numpy as np

from nnlite import autodiff, config, ops
from nnlite.data.packing import unpack_x_y_sample_weight
from nnlite.layers import Dense
from nnlite.models.sequential import Sequential

ACTIVATIONS = {
    "identity": "linear",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "softmax": "softmax",
    "exp": "exponential",
}


class Network(Sequential):
    """Dense layers that minimise scikit-learn's loss: a sum over outputs, averaged over rows.

    The squares of the weights, times alpha / 2 and divided by the rows of the batch (the sum of
    their weights), are added. What is reported is clipped as scikit-learn's log loss is, and a
    squared error is a mean over outputs there; gradients are those of the sum.
    """

    @classmethod
    def of(cls, sizes, activation, out_activation, loss, alpha, least, dtype):
        """A network of these settings, whose weights are 0.

        Parameters
        ----------
        sizes : tuple of int
            Features, units of the hidden layers, outputs.
        activation, out_activation : str
            Of the hidden layers and of the last one, by scikit-learn's names.
        loss : {'log_loss', 'squared_error', 'poisson'}
        alpha : float
        least : float
            The probability at which the log loss that is reported is clipped.
        dtype : {'float32', 'float64'}
        """
        kinds = [*[activation] * (len(sizes) - 2), out_activation]
        network = cls(
            [
                Dense(units, ACTIVATIONS[kind], kernel_initializer="zeros")
                for units, kind in zip(sizes[1:], kinds)
            ]
        )
        network.settings = sizes, activation, out_activation, loss, alpha, least, dtype
        with config.precision(dtype):
            network.build((None, sizes[0]))
        return network

    @property
    def kernels(self):
        return [layer.kernel for layer in self.layers]

    @property
    def parameters(self):
        """All weights: the kernels, then the biases."""
        return [*self.kernels, *(layer.bias for layer in self.layers)]

    def train_step(self, data):
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        variables = self.parameters
        with autodiff.GradientTape() as tape:
            loss, reported = self._losses(y, self(x, training=True), sample_weight)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        self._loss_tracker.update_state(reported, ops.full_like(reported, x.shape[0]))
        return self.get_metrics_result()

    def _losses(self, y, outputs, sample_weight):
        """What is minimised, and what is reported."""
        *_, loss, alpha, least, dtype = self.settings
        if loss == "log_loss":
            kind, z = outputs.logits
            entropy = ops.softmax_cross_entropy if kind == "softmax" else ops.sigmoid_cross_entropy
            values = entropy(z, y)
            reported = ops.clip(values, -math.log1p(-least), -math.log(least))
        elif loss == "poisson":
            of_y = y * ops.log(ops.maximum(y, float(np.finfo(dtype).tiny))) - y
            values = reported = outputs - y * ops.log(outputs) + of_y
        else:
            values = ops.square(outputs - y) * 0.5
            reported = values / outputs.shape[1]
        rows = outputs.shape[0]
        if sample_weight is not None:
            rows, weight = ops.sum(sample_weight), ops.reshape(sample_weight, (-1, 1))
            weight = sample_weight if values.ndim == 1 else weight
            values, reported = values * weight, reported * weight
        total, reported = ops.sum(values), ops.sum(reported)
        if alpha:
            squares = sum(ops.sum(ops.square(w)) for w in self.kernels) * (alpha / 2)
            total, reported = total + squares, reported + squares
        return total / rows, reported / rows
