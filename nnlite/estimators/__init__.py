"""Estimators: scikit-learn's contract around a Model."""

from nnlite.estimators.classifier import NNClassifier
from nnlite.estimators.regressor import NNRegressor

__all__ = ["NNClassifier", "NNRegressor"]
