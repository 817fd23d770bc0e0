"""Outputs of a model as scores: its logits, and finite in every row."""

import warnings

import numpy as np

from nnlite import warn
from nnlite.models.model import Model

LARGEST_OUTPUT = 1e16  # sums of squared errors of larger outputs overflow float32


class Logits(Model):
    """The inputs of a model's last activation, a softmax or sigmoid; else the model's outputs.

    Parameters
    ----------
    model : Model
        The model, which shares its weights with this one.
    """

    def __init__(self, model):
        super().__init__()
        self.model, self._real = model, model._precision

    def call(self, inputs):
        outputs = self.model(inputs, training=False)
        return outputs if outputs.logits is None else outputs.logits[1]


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
    warnings.warn(
        f"{rows.sum()} of {len(rows)} predictions are too large, infinite or NaN, as the "
        f"training diverged, and are replaced by {instead:.3g}; a smaller learning rate may help",
        RuntimeWarning,
        stacklevel=warn.levels_to_the_caller(),
    )
    return outputs
