"""Weights of samples as estimators take them: checked, multiplied by those of classes, the largest
1."""

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from nnlite import errors


def weights_of(X, sample_weight, factors=None):
    """The weights of the rows of X, of which the largest is 1; None if all are equal by default.

    Parameters
    ----------
    X : array
    sample_weight : array-like or None
    factors : function of weights, optional
        Gives each row's weight with that of its class; from None too.

    Raises
    ------
    ValueError
        If there is not one for each row, or one is negative or not finite, or all are 0.
    """
    weight = None
    if sample_weight is not None:
        with errors.prefixed("sample_weight: "):
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        weight = _of_largest_one("sample_weight", weight)
    if factors is not None:
        weight = _of_largest_one("class_weight", factors(weight))
    return weight


def _of_largest_one(name, weight):
    if not weight.any():
        raise ValueError(f"{name}: expected at least one non-zero weight, all are zero")
    return weight / weight.max()
