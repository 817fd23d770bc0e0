"""scikit-learn's perceptrons, computed by nnlite: `from nnlite.neural_network import MLPClassifier`
takes the place of `from sklearn.neural_network import MLPClassifier`."""

from nnlite import names
from nnlite.neural_network.mlp import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]

__getattr__ = names.of(__name__)
