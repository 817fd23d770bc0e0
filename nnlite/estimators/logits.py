"""Outputs of a model as scores: its logits, and finite in every row."""

import warnings

import numpy as np

from nnlite import warn
from nnlite.models.model import Model

LARGEST_OUTPUT = 1e16  # squares of errors of more overflow float32 when they are summed


class Logits(Model):
    """What goes into the last activation of a model, a softmax or sigmoid; its outputs if there is
    none of these.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model):
        super().__init__()
        self.model, self._real = model, model._precision

    def call(self, inputs):
        outputs = self.model(inputs, training=False)
        return outputs if outputs.logits is None else outputs.logits[1]


def finite(outputs, instead):
    """Outputs that can be scored: `instead` in a row that overflowed, with a RuntimeWarning, as
    when the training diverged. No score is NaN or infinite then, which would end a search."""
    if np.abs(outputs).max(initial=0) <= LARGEST_OUTPUT:  # which is not so where one is NaN
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
