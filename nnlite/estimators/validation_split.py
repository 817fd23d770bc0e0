"""Rows held out of an estimator's training: which ones, and a score of them after each epoch."""

import copy
import math

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from nnlite import errors
from nnlite.callbacks import Callback
from nnlite.estimators import input_validation


def split(rows, fraction, stratify_by, seed):
    """The numbers of the rows to train on, and of those held out.

    Parameters
    ----------
    rows : int
    fraction : float
        Of the rows, to be held out.
    stratify_by : array or None
        What is to be in both parts in the same proportions, where that is possible.
    seed : int
    """
    if math.ceil(rows * fraction) >= rows:
        raise ValueError(f"validation_fraction: {fraction} of {rows} rows leaves none to train")
    options = {"test_size": fraction, "random_state": seed}
    try:
        return train_test_split(np.arange(rows), stratify=stratify_by, **options)
    except ValueError:  # a class with too few rows to be in both parts
        return train_test_split(np.arange(rows), **options)


def validation_data(estimator, X_val, y_val, sample_weight_val):
    """The TrainingData that a fit was given to evaluate after each epoch; None if it has none."""
    named = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
    beside = " and ".join(name for name, value in named.items() if value is not None)
    if not beside:
        return None
    for name in ("X_val", "y_val"):
        if named[name] is None:
            raise ValueError(f"{name}: expected rows, as there is {beside}, got None")
    names = "X_val, y_val" + ", sample_weight_val" * (sample_weight_val is not None)
    with errors.prefixed(f"{names}: "):
        X, y = input_validation.validate_X_y(estimator, X_val, y_val, reset=False)
        return estimator._training_data(X, y, sample_weight_val)


class ScorerCallback(Callback):
    """Adds 'val_score', a scorer's figure for the held-out rows, to the figures of each epoch.

    Parameters
    ----------
    estimator : estimator
        Predicts with the model that is being trained.
    scoring : str or function of (estimator, X, y)
    data : TrainingData
        The held-out rows.
    """

    def __init__(self, estimator, scoring, data):
        self.scorer = check_scoring(estimator, scoring=scoring)
        self.estimator, self.X, self.y = copy.copy(estimator), data.X, data.y
        self.estimator.__dict__.pop("feature_names_in_", None)  # these rows are plain arrays

    def on_train_begin(self, logs=None):
        self.estimator._set_model(self.model)

    def on_epoch_end(self, epoch, logs=None):
        unsuited = (AttributeError, TypeError, ValueError)  # to targets such as these
        with errors.prefixed(f"scoring: {self.scorer!r} gave no number: ", unsuited):
            logs["val_score"] = float(self.scorer(self.estimator, self.X, self.y))
