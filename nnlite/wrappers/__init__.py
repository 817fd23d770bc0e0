"""Keras models behind scikit-learn's contract: those of Keras 3 here, those of Keras 2 in
`wrappers.scikit_learn`."""

from nnlite import names
from nnlite.wrappers import scikit_learn
from nnlite.wrappers.around_models import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer", "scikit_learn"]

__getattr__ = names.of(__name__)
