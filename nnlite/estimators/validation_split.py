"""Validation data of a fit: which rows are held out, and their score after each epoch."""

import copy
import math

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from nnlite import errors
from nnlite.callbacks import Callback
from nnlite.callbacks.monitor import Monitor
from nnlite.estimators import input_validation, sequences


def split(rows, fraction, stratify_by, seed):
    """The indices of the rows to train on, and of the rows held out.

    Parameters
    ----------
    rows : int
        The number of rows.
    fraction : float
        The part of the rows to hold out.
    stratify_by : array or None
        Labels that both parts are to contain in the same proportions, if possible.
    seed : int
        The seed of the choice.
    """
    if math.ceil(rows * fraction) >= rows:
        raise ValueError(f"validation_fraction: {fraction} of {rows} rows leaves none to train")
    options = {"test_size": fraction, "random_state": seed}
    try:
        return train_test_split(np.arange(rows), stratify=stratify_by, **options)
    except ValueError:  # a class has too few rows for both parts
        return train_test_split(np.arange(rows), **options)


def folds(rows, count, stratify_by, seed):
    """The number of the fold, from 0, that holds each row out.

    Folds are as large as each other, up to one row, and so are the parts of each class in them.

    Parameters
    ----------
    rows : int
    count : int
        The number of folds; there are no more than rows.
    stratify_by : array or None
        Labels.
    seed : int
        The seed of the choice.
    """
    order = np.random.RandomState(seed).permutation(rows)
    if stratify_by is not None:
        order = order[np.argsort(stratify_by[order], kind="stable")]
    found = np.empty(rows, np.intp)
    found[order] = np.arange(rows) % min(count, rows)
    return found


def validation_data(estimator, X_val, y_val, sample_weight_val):
    """The validation data that were passed to `fit`, as TrainingData; None if there are none."""
    named = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
    beside = " and ".join(name for name, value in named.items() if value is not None)
    if not beside:
        return None
    for name in ("X_val", "y_val"):
        if named[name] is None:
            raise ValueError(f"{name}: expected rows, as there is {beside}, got None")
    names = "X_val, y_val" + ", sample_weight_val" * (sample_weight_val is not None)
    with errors.prefixed(f"{names}: ", input_validation.FAILURES):
        X, y = input_validation.validate_X_y(estimator, X_val, y_val, reset=False)
        return estimator._training_data(X, y, sample_weight_val)


def say_that_scores_rise(callbacks):
    """Let the callbacks of a fit that watch 'val_score' with `mode='auto'` know what scikit-learn's
    scorers have in common: higher is better."""
    for c in callbacks:
        if isinstance(c, Monitor) and c.monitor == "val_score" and c.mode == "auto":
            c.mode = "max"


class ScorerCallback(Callback):
    """Adds 'val_score', the score of the validation data, to the logs of each epoch.

    Parameters
    ----------
    estimator : estimator
        A copy of it predicts with the model in training.
    scoring : str or function of (estimator, X, y)
        The scorer.
    data : TrainingData
        The validation data.
    """

    def __init__(self, estimator, scoring, data):
        self.scorer = check_scoring(estimator, scoring=scoring)
        data = data if data.numbers is None else data.take(data.numbers)
        self.estimator, self.X, self.y = copy.copy(estimator), data.X, data.y
        if estimator._ragged:
            self.X = sequences.lists_of(self.X)
        self.estimator.__dict__.pop("feature_names_in_", None)  # X is an array without names
        self.estimator._columns = None  # and without categories

    def on_train_begin(self, logs=None):
        self.estimator._set_model(self.model)

    def on_epoch_end(self, epoch, logs=None):
        unsuited = (
            AttributeError,
            TypeError,
            ValueError,
        )  # errors of a scorer that does not suit the targets
        with errors.prefixed(f"scoring: {self.scorer!r} gave no number: ", unsuited):
            logs["val_score"] = float(self.scorer(self.estimator, self.X, self.y))
