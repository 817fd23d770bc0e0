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

        Columns are scaled by the statistics of all rows so far, as are a regressor's
        targets (T. Chan et al., "Algorithms for computing the sample variance", 1983). When
        these move, the weights of the first layer, if it is a `Dense`, and of the last one
        move with them: the network goes on computing the same function. (From fewer than 10
        rows a scale may be anything; then only the scale moves.) Without a bias in the
        first layer the mean stays, and in front of another layer the scale does. The scale
        that `fit` learned limits outliers, which is not made up for: a column's moves only
        when its mean is off by a deviation, or its deviation has doubled or halved.

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
        array of float64, shape (n_samples,) or (n_samples, n_outputs)
            In the shape that y had in `fit`. It is float64 whatever the network computes in:
            float32 would round away what varies in targets far from 0.
        """
        return self._as_predictions(self._outputs(X))

    def _as_predictions(self, outputs):
        return self._target.decode(outputs)
