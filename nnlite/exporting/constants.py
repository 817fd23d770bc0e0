"""Constants that several formats make of a call: what an operator of theirs reads where nnlite has
an op of its own."""

import numpy as np

# What the logits of keys become that a query does not see, as csrc/ops/attention.c has it.
MASKED_LOGIT = -0.7 * 3.38953e38


def resampling_matrix(call):
    """The matrix (entries after, entries before) of a `resample`, whose bands of weights the call
    has."""
    first, bands = (t.numpy() for t in call.inputs[1:])
    matrix = np.zeros((len(bands), call.inputs[0].shape[1]), bands.dtype)
    rows, places = np.arange(len(bands))[:, None], first[:, None] + np.arange(bands.shape[1])
    matrix[rows, places] = bands
    return matrix


def mean_of(call):
    """The float64 mean of a `standardize`, which holds it as a rounded number and the rest. Where
    the two are not parts of one number, the rounded one."""
    mean, rest = (t.numpy() for t in call.inputs[1:3])
    with np.errstate(invalid="ignore", over="ignore"):
        whole = mean.astype(np.float64) + rest
        return np.where(whole.astype(mean.dtype) == mean, whole, mean)
