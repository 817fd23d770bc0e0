"""Outputs of a model as scores: its logits, and finite in every row."""

import numpy as np

from nnlite import config, ops, warn
from nnlite.layers import Average
from nnlite.models.model import Model

LARGEST_OUTPUT = 1e16  # sums of squared errors of larger outputs overflow float32


class Logits(Model):
    """The inputs of a model's last activation, a softmax or sigmoid; else the model's outputs.

    If the model ends with the mean of several such activations, the logits of that mean.

    Parameters
    ----------
    model : Model
        The model, which shares its weights with this one.
    """

    def __init__(self, model):
        super().__init__()
        self._real = model._precision
        last = model.layers[-1] if model._is_functional else None
        if isinstance(last, Average) and last.output is model.output:
            with config.precision(self._real):
                model = Model(model.input, last.input)
        self.model = model

    def call(self, inputs):
        outputs = self.model(inputs, training=False)
        if isinstance(outputs, list):
            return _logits_of_mean(outputs)
        return outputs if outputs.logits is None else outputs.logits[1]


def _logits_of_mean(outputs):
    """The logits of the mean of outputs; the mean if they have none."""
    kinds = {None if y.logits is None else y.logits[0] for y in outputs}
    if kinds == {"softmax"}:
        return _log_sum([ops.log_softmax(y.logits[1]) for y in outputs])
    if kinds == {"sigmoid"}:
        logits = [y.logits[1] for y in outputs]
        yes, no = ([-ops.softplus(sign * z) for z in logits] for sign in (-1.0, 1.0))
        return _log_sum(yes) - _log_sum(no)
    return sum(outputs) / len(outputs)


def _log_sum(logs):
    """The logarithm of the mean of what has these logarithms."""
    logs = ops.stack(logs)
    largest = ops.max(logs, axis=0, keepdims=True)
    mean = ops.mean(ops.exp(logs - largest), axis=0)
    return ops.log(mean) + ops.reshape(largest, mean.shape)


def finite(outputs, instead):
    """Outputs with `instead` in all rows that overflowed, which gives a RuntimeWarning.

    Rows overflow if the training diverged. They would give a score of NaN or infinity, which would
    end a search.
    """
    if np.abs(outputs).max(initial=0) <= LARGEST_OUTPUT:  # false if an output is NaN
        return outputs
    outputs = outputs.copy()
    rows = ~(np.abs(outputs) <= LARGEST_OUTPUT).all(axis=1)
    outputs[rows] = instead
    warn.warn(
        f"{rows.sum()} of {len(rows)} predictions are too large, infinite or NaN, as the "
        f"training diverged, and are replaced by {instead:.3g}; a smaller learning rate may help",
        RuntimeWarning,
    )
    return outputs
