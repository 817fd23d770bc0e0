"""Estimators: scikit-learn's contract around a Model."""

from nnlite import names
from nnlite.estimators.classifier import NNClassifier
from nnlite.estimators.files import load
from nnlite.estimators.image_features import ImageFeatures
from nnlite.estimators.regressor import NNRegressor
from nnlite.estimators.skl2onnx_converter import register_with_skl2onnx
from nnlite.estimators.text_vectorizer import TextVectorizer

__all__ = [
    "ImageFeatures",
    "NNClassifier",
    "NNRegressor",
    "TextVectorizer",
    "load",
    "register_with_skl2onnx",
]

__getattr__ = names.of(__name__)
