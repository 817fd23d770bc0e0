"""SKLearnClassifier, SKLearnRegressor and SKLearnTransformer: a compiled Model with scikit-learn's
methods, as Keras 3 has them.

Their `fit` is the Model's own, with its arguments. NNClassifier and KerasClassifier do more: early
stopping, scaling, settings that a search can change.
"""

import copy
from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from nnlite.configurable import clone
from nnlite.models.model import Model

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


class _AroundModel(BaseEstimator):
    """A compiled Model, or a function that makes one, with scikit-learn's methods.

    Parameters
    ----------
    model : Model or function
        A compiled model, of which each `fit` trains a fresh copy; or a function of `X`, `y` and
        `model_kwargs` that returns a compiled model. Targets that it gets have two axes.
    warm_start : bool, default False
        Whether `fit` trains the given model itself, from the weights it has.
    model_kwargs : dict, optional
        Further arguments of the function.
    fit_kwargs : dict, optional
        Arguments of `Model.fit`, such as `epochs`.

    Attributes
    ----------
    model_ : Model
        The trained model.
    history_ : History
        What `Model.fit` returned.
    """

    def __init__(self, model, warm_start=False, model_kwargs=None, fit_kwargs=None):
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_clone__(self):
        """A copy without what was learned; the model is shared unless `fit` would change it."""
        shared = isinstance(self.model, Model) and not self.warm_start
        model = self.model if shared else copy.deepcopy(self.model)
        return type(self)(model, self.warm_start, *copy.deepcopy(self._how()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        tags.target_tags.multi_output = not isinstance(self, ClassifierMixin)
        return tags

    def _how(self):
        return self.model_kwargs, self.fit_kwargs

    def fit(self, X, y, **kwargs):
        """Train the model.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        **kwargs
            Of `Model.fit`; they take precedence over `fit_kwargs`.

        Returns
        -------
        self
        """
        for name in ("model_kwargs", "fit_kwargs"):
            if not isinstance(getattr(self, name), (Mapping, type(None))):
                raise TypeError(
                    f"{name}: expected a dict of arguments or None, got {getattr(self, name)!r}"
                )
        numeric = not isinstance(self, ClassifierMixin)
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=numeric)
        self._one_dimensional = y.ndim == 1
        y = self._encoded(y)
        model = self._compiled_model(X, y)
        self.history_ = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def _compiled_model(self, X, y):
        """The model to train."""
        model = self.model
        if isinstance(model, Model):
            if model.optimizer is not None and not self.warm_start:
                compiled = clone(model._compiled)
                model = clone(model)
                model.compile(**compiled)
        elif callable(model):
            model = model(X=X, y=y, **(self.model_kwargs or {}))
        if not isinstance(model, Model) or model.optimizer is None or model.loss is None:
            raise ValueError(
                "model: expected a model compiled with an optimizer and a loss, or a function of X "
                f"and y that returns one, got {model!r}"
            )
        return model

    def _encoded(self, y):
        """Targets as the model learns them."""
        return y.reshape(len(y), -1)

    def _outputs(self, X):
        check_is_fitted(self)
        outputs = self.model_._predict(validate_data(self, X, reset=False))
        return outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs

    def predict(self, X):
        """Predict numbers, float64, in the shape that y had in `fit`.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        """
        outputs = self._outputs(X).astype(np.float64)
        return outputs[:, 0] if self._one_dimensional and outputs.shape[1:] == (1,) else outputs


class SKLearnClassifier(ClassifierMixin, _AroundModel):
    """A compiled Model, or a function that makes one, as a classifier.

    Targets become one column of 0 and 1 for each class.

    Parameters
    ----------
    model : Model or function
        A compiled model, of which each `fit` trains a fresh copy; or a function of `X`, `y` and
        `model_kwargs` that returns a compiled model. It gets y as columns of 0 and 1.
    warm_start : bool, default False
        Whether `fit` trains the given model itself, from the weights it has.
    model_kwargs : dict, optional
        Further arguments of the function.
    fit_kwargs : dict, optional
        Arguments of `Model.fit`, such as `epochs`.

    Attributes
    ----------
    classes_ : array
        The labels, sorted.
    model_, history_
        The trained model, and what `Model.fit` returned.

    Examples
    --------
    >>> import nnlite as keras
    >>> from nnlite.wrappers import SKLearnClassifier
    >>> from sklearn.datasets import load_iris
    >>> def make_model(X, y, units):
    ...     model = keras.Sequential([
    ...         keras.layers.Dense(units, "relu", input_shape=X.shape[1:]),
    ...         keras.layers.Dense(y.shape[1], "softmax")])
    ...     model.compile(keras.optimizers.Adam(0.05), "categorical_crossentropy")
    ...     return model
    >>> X, y = load_iris(return_X_y=True)
    >>> keras.utils.set_random_seed(0)
    >>> classifier = SKLearnClassifier(make_model, model_kwargs={"units": 16})
    >>> classifier.fit(X, y, epochs=30, verbose=0).score(X, y) > 0.9
    True
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def _encoded(self, y):
        y = column_or_1d(y, warn=True) if y.shape[1:] == (1,) else y
        check_classification_targets(y)
        if (kind := type_of_target(y)) not in ("binary", "multiclass"):
            raise ValueError(f"y: expected one label per sample (binary, multiclass), got {kind}")
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least 2 classes, got one class: {self.classes_}")
        return np.eye(len(self.classes_))[codes]

    def _compiled_model(self, X, y):
        model = super()._compiled_model(X, y)
        shape = getattr(model, "output_shape", None)  # of a model that is built
        outputs = shape[-1] if isinstance(shape, tuple) else None
        if outputs not in (None, y.shape[1]):
            raise ValueError(
                f"model: expected {y.shape[1]} outputs, one for each class, got {outputs}; "
                "KerasClassifier takes models of one output for two classes"
            )
        return model

    def decision_function(self, X):
        """The outputs of the model.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        """
        return self._outputs(X)

    def predict(self, X):
        """Predict the label with the largest output.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        """
        best = self._outputs(X).argmax(axis=1)
        return self.classes_[best]


class SKLearnRegressor(RegressorMixin, _AroundModel):
    __doc__ = _AroundModel.__doc__.replace("with scikit-learn's methods", "as a regressor")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


class SKLearnTransformer(TransformerMixin, _AroundModel):
    __doc__ = _AroundModel.__doc__.replace(
        "with scikit-learn's methods", "as a transformer: its outputs are the new columns"
    )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def transform(self, X):
        """The outputs of the model.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        """
        return self._outputs(X)
