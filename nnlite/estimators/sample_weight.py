"""Sample weights of estimators: checked, multiplied by class weights, scaled to a maximum of 1."""

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from nnlite import errors
from nnlite.estimators.input_validation import FAILURES, in_plain_words


def weights_of(X, sample_weight, factors=None):
    """The weights of the rows of X, of which the largest is 1; None if there are no weights.

    Parameters
    ----------
    X : array
        The rows.
    sample_weight : array-like or None
        The weights that the user gave.
    factors : function of weights, optional
        Returns the weights (or None) multiplied by class weights.

    Raises
    ------
    ValueError
        If there is not one weight for each row, if a weight is negative or not finite, or if all
        weights are 0.
    """
    weight = None
    if sample_weight is not None:
        with errors.reworded(lambda m: f"sample_weight: {in_plain_words(m)}", FAILURES):
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if not (np.isfinite(weight) & (weight >= 0)).all():  # a single number is not checked
                raise ValueError(f"expected numbers of at least 0, got {sample_weight!r}")
        weight = _of_largest_one("sample_weight", weight)
    if factors is not None:
        weight = _of_largest_one("class_weight", factors(weight))
    return weight


def _of_largest_one(name, weight):
    if not weight.any():
        raise ValueError(f"{name}: expected at least one non-zero weight, all are zero")
    return weight / weight.max()
