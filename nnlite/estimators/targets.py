"""The types of targets that estimators learn, one class each.

A class says how y is encoded, which output layer, loss and metrics a network needs for it, and how
outputs become predictions."""

import math
from collections.abc import Mapping

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from nnlite import errors, losses, metrics, ops
from nnlite.estimators.scaling import mean_and_deviation, observed
from nnlite.layers import Dense


class Target:
    """The base class of the types of targets.

    Attributes
    ----------
    units : int
        The units of the output layer.
    activation : str or None
        The activation of the output layer.
    fallback : float
        The value that replaces outputs that are not finite.
    target_type : str
        The name of the type in scikit-learn's `type_of_target` and in SciKeras.
    """

    activation = None
    fallback = 0.0

    def output_layer(self):
        """A fresh output layer."""
        return Dense(self.units, self.activation)

    def loss(self):
        """A fresh loss; it is the weighted mean over samples."""
        return self._loss(reduction="mean_with_sample_weight")

    def metrics(self):
        """The weighted metrics besides the loss, or None."""
        return None

    def stratify_by(self, encoded):
        """A vector by which to stratify a split; None if it is not stratified."""
        return None

    def as_numbers(self, encoded):
        """Encoded targets as numbers whose mean says something."""
        return encoded

    def learn_scale(self, encoded, weight):
        """Set the scale on which a network learns encoded targets."""

    def scaled(self, encoded):
        """Encoded targets on the scale that was learned."""
        return encoded

    def in_ops(self, outputs):
        """What `_as_predictions` of the estimator makes of outputs, in ops, always as a matrix."""
        return outputs


class ContinuousTarget(Target):
    """One or several numbers for each sample."""

    _loss, target_type = losses.MeanSquaredError, "continuous"

    def __init__(self, y):
        self.units, self.one_dimensional = math.prod(y.shape[1:]), y.ndim == 1
        self._scale = self._seen = None

    def encode(self, y):
        """Encode numbers as a matrix of floats."""
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y: expected numbers, got values of type {y.dtype}")
        target = y.reshape(len(y), -1)
        if target.shape[1] != self.units:
            raise ValueError(f"y: expected {self.units} columns again, got shape {y.shape}")
        return target if target.dtype.kind == "f" else target.astype(np.float64)

    def learn_scale(self, encoded, weight):
        self.take_scale(self.observed(encoded, weight))

    def observed(self, encoded, weight):
        """What is known of encoded targets, as `scaling.observed` gives it."""
        if (largest := float(np.abs(encoded).max())) > 1e150:
            raise ValueError(f"y: expected values whose squares are finite, got {largest:.3g}")
        return observed(encoded, weight)

    def take_scale(self, seen):
        """Set the scale by what was observed."""
        self._seen, self._scale = seen, mean_and_deviation(seen)

    def scaled(self, encoded):
        if self._scale is None:
            return encoded
        mean, deviation = self._scale
        return (encoded - mean) / deviation

    def decode(self, outputs):
        """Predictions from outputs, in the shape that y had and in float64: float32 would round
        away what varies in targets far from 0."""
        outputs = outputs.astype(np.float64)
        if self._scale is not None:
            mean, deviation = self._scale
            outputs = outputs * deviation + mean
        return outputs[:, 0] if self.one_dimensional else outputs

    def in_ops(self, outputs):
        if self._scale is None:
            return outputs
        mean, deviation = self._scale
        return ops.add(ops.multiply(outputs, deviation), mean)


class _Labels(Target):
    """One label for each sample.

    Attributes
    ----------
    classes : array
        The labels, sorted.
    """

    def __init__(self, classes):
        self.classes = classes

    def codes(self, y):
        """The index of each label in `classes`."""
        y = _column(y, warn=False)
        try:
            codes = np.searchsorted(self.classes, y).clip(max=len(self.classes) - 1)
            unknown = y[self.classes[codes] != y]
        except TypeError:  # labels of this type cannot be compared with the classes
            unknown = y
        if len(unknown):
            raise ValueError(f"y: expected labels of {self.classes}, got {unknown[0]!r}")
        return codes

    def metrics(self):
        return ["accuracy"]

    def stratify_by(self, encoded):
        return encoded.reshape(-1)

    def class_weights(self, encoded, class_weight, sample_weight):
        """The weight of each sample times the weight of its class.

        'balanced' gives each class the same sum of weights.
        """
        codes = encoded.reshape(-1).astype(np.intp)
        weight = np.ones(len(codes)) if sample_weight is None else sample_weight
        factors = np.ones(len(self.classes))
        if isinstance(class_weight, Mapping):
            named, absent = np.zeros(len(factors), bool), []
            for label, factor in class_weight.items():
                of_label = self.classes == label if np.ndim(label) == 0 else False
                if np.any(of_label):
                    named, factors[of_label] = named | of_label, factor
                else:
                    absent.append(label)
            if absent and not named.all():  # as LogisticRegression: perhaps a misspelt label
                raise ValueError(
                    f"class_weight: expected labels of {self.classes}, got {absent[0]!r} and no "
                    f"weight for {self.classes[~named][0]!r}"
                )
        else:
            sums = np.bincount(codes, weight, minlength=len(factors))
            np.divide(sums.sum(), sums * np.count_nonzero(sums), out=factors, where=sums > 0)
        return weight * factors[codes]


class Binary(_Labels):
    """Two classes: one sigmoid unit gives the probability of the second.

    A compiled model may also end with a softmax of two units.
    """

    units, activation, fallback = 1, "sigmoid", 0.5
    _loss, target_type = losses.BinaryCrossentropy, "binary"

    def encode(self, y):
        """Encode labels as a column of 0.0 and 1.0."""
        return self.codes(y)[:, None].astype(float)

    def decode(self, outputs):
        return self.classes[(self.probabilities(outputs)[:, 1] > 0.5).astype(int)]

    def probabilities(self, outputs):
        return outputs if outputs.shape[1] == 2 else np.hstack([1 - outputs, outputs])

    def in_ops(self, outputs):
        if outputs.shape[1] == 2:
            return outputs
        return ops.concatenate([ops.subtract(1.0, outputs), outputs], axis=-1)

    def log_probabilities(self, logits):
        decision = self.decision(logits)[:, None]
        return -np.logaddexp(0, np.hstack([decision, -decision]))

    def decision(self, logits):
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]


class Multiclass(_Labels):
    """More than two classes: a softmax with one unit for each."""

    activation = "softmax"
    _loss, target_type = losses.SparseCategoricalCrossentropy, "multiclass"

    @property
    def units(self):
        return len(self.classes)

    @property
    def fallback(self):
        return 1 / len(self.classes)

    def encode(self, y):
        """Encode labels as class numbers."""
        return self.codes(y).astype(np.int32)

    def as_numbers(self, encoded):
        return np.eye(self.units)[encoded]

    def decode(self, outputs):
        return self.classes[outputs.argmax(axis=1)]

    def probabilities(self, outputs):
        return outputs

    def log_probabilities(self, logits):
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def decision(self, logits):
        return logits


class OneHot(Multiclass):
    """One of several classes for each sample: each row of y has a single 1 among zeros.

    Attributes
    ----------
    classes : array
        The indices of the columns of y.
    """

    target_type = "multiclass-onehot"

    def __init__(self, y):
        super().__init__(np.arange(y.shape[1]))

    def codes(self, y):
        if y.shape[1:] != (self.units,) or not (np.sort(y)[:, -2:] == (0, 1)).all():
            raise ValueError(
                f"y: expected {self.units} columns of 0 and a single 1 again, got shape {y.shape}"
            )
        return y.argmax(axis=1)

    def decode(self, outputs):
        return np.eye(self.units, dtype=int)[outputs.argmax(axis=1)]


class Multilabel(Target):
    """Any number of labels for each sample, as a matrix of 0 and 1: one sigmoid unit per label.

    Attributes
    ----------
    classes : array
        The indices of the columns of y.
    """

    activation, fallback = "sigmoid", 0.5
    _loss, target_type = losses.BinaryCrossentropy, "multilabel-indicator"

    def __init__(self, y):
        self.units = y.shape[1]
        self.classes = np.arange(self.units)

    def metrics(self):
        return [metrics.BinaryAccuracy(name="accuracy")]

    def encode(self, y):
        """Encode labels as a matrix of 0.0 and 1.0."""
        if y.ndim != 2 or y.shape[1] != self.units or not np.isin(y, (0, 1)).all():
            raise ValueError(
                f"y: expected {self.units} columns of 0 and 1, a row for each sample, got shape "
                f"{y.shape} with values {np.unique(y)[:5].tolist()}"
            )
        return y.astype(float)

    def decode(self, outputs):
        return (outputs > 0.5).astype(int)

    def probabilities(self, outputs):
        return outputs

    def log_probabilities(self, logits):
        return -np.logaddexp(0, -logits)

    def decision(self, logits):
        return logits

    def class_weights(self, encoded, class_weight, sample_weight):
        raise ValueError(
            "class_weight: expected None, as each sample may have several labels, got "
            f"{class_weight!r}"
        )


def target_of_labels(y, classes=None):
    """The Target for labels.

    Parameters
    ----------
    y : array
        The labels.
    classes : array, optional
        All labels that may occur, sorted; by default those in y.

    Raises
    ------
    ValueError
        If y has no labels, or labels of a single class.
    """
    if y.ndim == 2 and y.shape[1] > 1 and type_of_target(y, "y") == "multilabel-indicator":
        return Multilabel(y)
    labels = _column(y)
    if labels.dtype.kind not in "biuUS":  # integers and strings always are labels
        with errors.prefixed("y: "):
            check_classification_targets(labels)
    classes = np.unique(labels) if classes is None else classes
    if len(classes) < 2:
        count = f"{len(classes)} class{'' if len(classes) == 1 else 'es'}"
        raise ValueError(f"y: expected at least 2 classes, got {count}: {classes.tolist()}")
    return (Binary if len(classes) == 2 else Multiclass)(classes)


def labels_of(classes):
    """The labels of the argument `classes`, sorted."""
    try:
        return np.unique(column_or_1d(classes))
    except (TypeError, ValueError):
        raise ValueError(
            f"classes: expected a list of labels of one kind, got {classes!r}"
        ) from None


def _column(y, warn=True):
    """Labels as a vector; of a column with scikit-learn's warning, which is for where the labels
    are learned."""
    y = column_or_1d(y, warn=warn) if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1:
        with errors.prefixed("y: "):
            check_classification_targets(y)
        raise ValueError(
            "y: expected one label per sample, or a matrix of 0 and 1 with a column for each "
            f"label, got shape {y.shape}"
        )
    return y
