"""NNRegressor: scikit-learn's contract around a Model that predicts numbers."""

from sklearn.base import RegressorMixin

from nnlite.estimators.base import BaseNeuralNetwork
from nnlite.estimators.docstrings import inject_docs
from nnlite.estimators.targets import ContinuousTarget


@inject_docs
class NNRegressor(RegressorMixin, BaseNeuralNetwork):
    """A neural network that predicts one or several numbers for each row.

    The estimator adds a linear output layer; the loss is the mean squared error.

    {parameters}
    Attributes
    ----------
    n_outputs_ : int
        How many numbers are predicted for each row.
    {attributes}
    Examples
    --------
    >>> from nnlite import NNRegressor
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(200, 5, random_state=0)
    >>> NNRegressor(random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _learn_target(self, y, classes=None):
        self._target = ContinuousTarget(y)
        self.n_outputs_ = self._target.units

    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on more rows. With dtype='auto' the first call trains in float32.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As for `fit`.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
        """Predict the numbers of each row.

        Parameters
        ----------
        X : array-like
            As for `fit`.

        Returns
        -------
        array, shape (n_samples,) or (n_samples, n_outputs)
            In the shape that y had in `fit`.
        """
        return self._as_predictions(self._outputs(X))

    def _as_predictions(self, outputs):
        return self._target.decode(outputs)
