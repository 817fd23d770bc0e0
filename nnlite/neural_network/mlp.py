"""MLPClassifier and MLPRegressor: scikit-learn's perceptrons, computed by nnlite."""

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from nnlite.neural_network.base import BaseMLP, is_stochastic
from nnlite.neural_network.docstrings import inject_docs


def _accuracy(y, predicted, sample_weight):
    """scikit-learn's accuracy_score, of plain labels without its checks, which take long."""
    if isinstance(y, np.ndarray) and y.ndim == 1:
        return float(np.average(y == predicted, weights=sample_weight))
    return accuracy_score(y, predicted, sample_weight=sample_weight)


@inject_docs
class MLPClassifier(ClassifierMixin, BaseMLP):
    """scikit-learn's MLPClassifier, with its settings, random numbers and results, but faster.

    It minimises the log loss. For networks of other layers, scaled inputs and good defaults there
    is `nnlite.NNClassifier`.

    {parameters}
    Attributes
    ----------
    classes_ : array
        The labels, sorted.
    {attributes}
    Examples
    --------
    >>> from nnlite.neural_network import MLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(solver="lbfgs", alpha=1.0, tol=1e-2, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _validate_input(self, X, y, incremental, reset):
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._learn_labels(y)
        else:
            found = unique_labels(y)
            if self.warm_start and set(found) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes_}, `y` has {found}"
                )
            if not self.warm_start and len(np.setdiff1d(found, self.classes_)):
                raise ValueError(
                    "`y` has classes not in `self.classes_`. "
                    f"`self.classes_` has {self.classes_}. 'y' has {found}."
                )
        return X, self._label_binarizer.transform(y).astype(bool)

    def _learn_labels(self, y):
        self._label_binarizer = LabelBinarizer().fit(y)
        self.classes_ = self._label_binarizer.classes_

    def _out_activation(self):
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _target(self, y, network):
        if self.out_activation_ == "softmax":
            return y.argmax(axis=1).astype(np.int32)
        return super()._target(y, network)

    def _stratified_by(self, y):
        # The strings that scikit-learn would make of each row, one by one.
        return np.where(y[:, 0], "True", "False") if self.n_outputs_ == 1 else None

    def _decoded(self, outputs):
        """Labels from outputs, or from the binary targets."""
        outputs = outputs.ravel() if self.n_outputs_ == 1 else outputs
        return self._label_binarizer.inverse_transform(outputs)

    _score = staticmethod(_accuracy)

    @available_if(is_stochastic)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train for one epoch on more rows.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional
        classes : array-like, optional
            All labels that any call may contain; the first call requires them.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            If the solver is 'lbfgs'.
        """
        if _check_partial_fit_first_call(self, classes):
            self._learn_labels(y if type_of_target(y).startswith("multilabel") else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X):
        """Predict the most probable label of each row.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        array, shape (n_samples,) or (n_samples, n_labels)
        """
        check_is_fitted(self)
        return self._decoded(self._outputs(X))

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        array, shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        check_is_fitted(self)
        outputs = self._outputs(X)
        return outputs if self.n_outputs_ > 1 else np.hstack([1 - outputs, outputs])

    def predict_log_proba(self, X):
        """Predict the logarithm of `predict_proba`.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        array, shape (n_samples, n_classes)
        """
        return np.log(self.predict_proba(X))


@inject_docs
class MLPRegressor(RegressorMixin, BaseMLP):
    """scikit-learn's MLPRegressor, with its settings, random numbers and results, but faster.

    For networks of other layers, scaled inputs and targets and good defaults there is
    `nnlite.NNRegressor`.

    {parameters}
    loss : {'squared_error', 'poisson'}, default 'squared_error'
        Half of the squared error; or half of the Poisson deviance, with exp as the activation of
        the last layer, for numbers of at least 0.

    Attributes
    ----------
    {attributes}
    Examples
    --------
    >>> from nnlite.neural_network import MLPRegressor
    >>> X = [[0.0], [1.0], [2.0], [3.0]]
    >>> model = MLPRegressor(solver="lbfgs", random_state=0).fit(X, [1.0, 3.0, 5.0, 7.0])
    >>> model.score(X, [1.0, 3.0, 5.0, 7.0]) > 0.99
    True
    """

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
    ):
        super().__init__(
            hidden_layer_sizes,
            activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
        )
        self.loss = loss

    def _validate_input(self, X, y, incremental, reset):
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _out_activation(self):
        return "exp" if self.loss == "poisson" else "identity"

    def _stratified_by(self, y):
        return None

    def _decoded(self, outputs):
        """Outputs in the shape that y had."""
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    _score = staticmethod(r2_score)

    @available_if(is_stochastic)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on more rows.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            If the solver is 'lbfgs'.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X):
        """Predict the target of each row.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        array, shape (n_samples,) or (n_samples, n_outputs)
        """
        check_is_fitted(self)
        return self._decoded(self._outputs(X))
