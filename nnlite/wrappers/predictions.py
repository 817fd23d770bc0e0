"""Predictions of KerasClassifier and KerasRegressor: they take the options of `Model.predict`, as
those of Keras 2 and SciKeras do."""

import inspect

from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import check_is_fitted

from nnlite.errors import did_you_mean
from nnlite.models.model import Model

OPTIONS = list(inspect.signature(Model.predict).parameters)[2:]


class PredictionsMixin:
    """An estimator whose predictions take the options of `Model.predict`."""

    def predict(self, X, **options):
        """Predict labels or numbers, as `NNClassifier.predict` and `NNRegressor.predict`.

        Parameters
        ----------
        X : array-like
            As for `fit`.
        **options
            `batch_size`, `verbose` and others of `Model.predict`.

        Returns
        -------
        array, shape (n_samples,) or (n_samples, n_outputs)
        """
        self._check_options("predict", options)
        return self._target.decode(self._outputs(X, **options))

    def score(self, X, y, sample_weight=None, **options):
        """The accuracy of a classifier, the R2 of a regressor.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As for `fit`.
        **options
            `batch_size`, `verbose` and others of `Model.predict`.

        Returns
        -------
        float
        """
        self._check_options("score", options)
        figure = accuracy_score if is_classifier(self) else r2_score
        return figure(y, self.predict(X, **options), sample_weight=sample_weight)

    def _check_options(self, method, options):
        """Raise unless options are arguments of `Model.predict`, and this was fitted."""
        check_is_fitted(self)
        for name in options.keys() - {*OPTIONS}:
            raise TypeError(
                f"{type(self).__name__}.{method}: unknown argument {name!r}; it takes "
                f"{', '.join(OPTIONS)}{did_you_mean(name, OPTIONS)}"
            )
