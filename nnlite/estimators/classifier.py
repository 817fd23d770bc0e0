"""NNClassifier: scikit-learn's contract around a Model that classifies."""

from functools import partial

import numpy as np
from sklearn.base import ClassifierMixin

from nnlite.estimators import input_validation, sequences
from nnlite.estimators.base import BaseNeuralNetwork
from nnlite.estimators.docstrings import inject_docs
from nnlite.estimators.logits import Logits, finite
from nnlite.estimators.nested_params import settings_of
from nnlite.estimators.parameters import is_dict_of_weights
from nnlite.estimators.targets import labels_of, target_of_labels


@inject_docs
class NNClassifier(ClassifierMixin, BaseNeuralNetwork):
    """A neural network that classifies.

    The estimator adds the output layer: one sigmoid unit for two classes, a softmax for more
    classes, one sigmoid unit per column if y is a matrix of 0 and 1 (several labels per sample).

    {parameters}
    class_weight : dict of label to weight, 'balanced' or None, default None
        The factor for the weights of samples of a class; 1 for labels that are not in the dict.
        Labels in the dict that y does not have, as those of a rare class in a part of the rows, are
        unused if each label that y has is in the dict; otherwise they are an error. 'balanced'
        gives all classes the same sum of weights.

    Attributes
    ----------
    classes_ : array
        The labels, sorted; if y is a matrix of labels, the indices of its columns.
    {attributes}
    Examples
    --------
    >>> from nnlite import NNClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> NNClassifier(random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, layers=None, *, class_weight=None, **settings):
        super().__init__(layers, **settings)
        self.class_weight = class_weight

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _check_settings(self):
        super()._check_settings()
        value = self.class_weight
        balanced = isinstance(value, str) and value == "balanced"
        if not (value is None or balanced or is_dict_of_weights(value)):
            raise ValueError(
                "class_weight: expected None, 'balanced' or a dict of labels to weights of at "
                f"least 0, got {value!r}"
            )

    def _learn_target(self, y, classes=None):
        self._target = target_of_labels(y, classes)
        self.classes_ = self._target.classes

    def _class_factors(self, target):
        if self.class_weight is not None:
            return partial(self._target.class_weights, target, self.class_weight)

    def _set_model(self, model):
        super()._set_model(model)
        self._logits_model = Logits(model)
        self._from_logits = bool(settings_of(model.loss).get("from_logits"))

    def partial_fit(self, X, y, classes=None, sample_weight=None):
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
        classes : array-like, optional
            All labels that any call may contain. The first call requires them, unless y is a
            matrix with a column for each label.

        Returns
        -------
        self
        """
        classes = None if classes is None else labels_of(classes)
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight: expected None or a dict for partial_fit, which does not see all "
                f"rows, got {self.class_weight!r}"
            )
        if not hasattr(self, "model_"):
            if classes is None and (np.ndim(y) < 2 or np.shape(y)[1] < 2):
                raise ValueError("classes: expected all labels at the first partial_fit, got None")
        elif classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(f"classes: expected {self.classes_!r} as before, got {classes!r}")
        return self._partial_fit(X, y, sample_weight, classes)

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like
            As for `fit`.

        Returns
        -------
        array, shape (n_samples, n_classes)
            In the order of `classes_`. If y was a matrix of labels, the probability of each label.
        """
        outputs = self._outputs(X)
        return self._target.probabilities(outputs)

    def predict_log_proba(self, X):
        """Predict the logarithm of `predict_proba`; small probabilities are not rounded to 0.

        Parameters
        ----------
        X : array-like
            As for `fit`.

        Returns
        -------
        array, shape (n_samples, n_classes)
        """
        logits = self._logits(X)
        return self._target.log_probabilities(logits)

    def decision_function(self, X):
        """Compute the logits: the inputs of the last sigmoid or softmax.

        Parameters
        ----------
        X : array-like
            As for `fit`.

        Returns
        -------
        array, shape (n_samples,) or (n_samples, n_classes)
            The former for two classes: above 0 if the second is the more probable.
        """
        logits = self._logits(X)
        return self._target.decision(logits)

    def predict(self, X):
        """Predict the most probable label of each row.

        Parameters
        ----------
        X : array-like
            As for `fit`.

        Returns
        -------
        array, shape (n_samples,) or (n_samples, n_labels)
            The latter if y was a matrix of labels: 1 for each label of probability above 0.5.
        """
        outputs = self._outputs(X)
        return self._target.decode(outputs)

    def _outputs_of(self, rows, **options):
        """Probabilities, even if a compiled model's outputs are logits."""
        if getattr(self, "_from_logits", False):
            return np.exp(self._target.log_probabilities(self._logits_of(rows, **options)))
        return super()._outputs_of(rows, **options)

    def _as_predictions(self, outputs):
        return self._target.probabilities(outputs)

    def _logits(self, X, **options):
        return self._logits_of(input_validation.validate_X(self, X), **options)

    def _logits_of(self, rows, **options):
        return finite(sequences.predicted(self, self._logits_model, rows, **options), 0)
