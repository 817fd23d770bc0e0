"""Integrated gradients: how much of a prediction each column of a row brings about."""

import warnings

import numpy as np
from sklearn.utils.validation import check_is_fitted

from nnlite import ops, warn
from nnlite.checks import positive_int
from nnlite.estimators import input_validation
from nnlite.estimators.base import BaseNeuralNetwork
from nnlite.estimators.nested_params import settings_of
from nnlite.estimators.targets import Binary, ContinuousTarget, Multilabel
from nnlite.inspection.paths import Network, attributions
from nnlite.layers import InputScaling
from nnlite.models.model import Model

# Rows whose attributions miss the difference that they add up to by more than GOOD of their size
# are integrated again by twice as many values, until these are MANY; a miss of BAD is said.
GOOD, BAD, MANY = 1e-3, 0.05, 1024


def integrated_gradients(estimator, X, baseline=None, target=None, steps=64):
    """How much each column of each row brings about of what is predicted for it.

    With f, what the network predicts, the attribution of column j in a row x is (x_j - b_j) times
    the mean of df/dx_j on the straight path from a baseline b to x. The attributions of a row add
    up to f(x) - f(b). M. Sundararajan, A. Taly, Q. Yan: "Axiomatic attribution for deep networks",
    ICML 2017.

    Parameters
    ----------
    estimator : NNClassifier, NNRegressor, KerasClassifier, KerasRegressor, Pipeline or Model
        Fitted. Of a pipeline the last step is asked, about the columns that it gets; of a search
        the best estimator.
    X : array-like or DataFrame, shape (n_samples, n_features) or that of images
    baseline : array-like or DataFrame, or number, optional
        One row, or one for each row of X. By default the means of the columns in `fit`, and no
        category at all, where the network scales its inputs itself; otherwise 0.
    target : label, int or array of them, optional
        What f is, or what it is for each row. Of a classifier a label: f is its probability; by
        default the second of two classes, and of more classes, or labels, the one that is the most
        probable for the row. Of other networks the number of an output, by default the only one;
        of a Model of several the largest one in the row.
    steps : int, default 64
        How many gradients are taken on each path, in pieces of a Gauss-Legendre rule. Rows whose
        sum misses f(x) - f(b) by more than 0.1 % of their size are done again with more of them.

    Returns
    -------
    array of float64 or DataFrame, of the shape of X
        The attributions, in the unit of f. A DataFrame has the columns and rows of X. A category
        has one number, whatever vector the network reads.

    Raises
    ------
    ValueError
        If there is no such target, the baseline has another shape, or X is tokens or sequences of
        different lengths.
    TypeError
        If `estimator` is none of these.

    Warns
    -----
    UserWarning
        If the attributions of a row miss f(x) - f(b) by more than 5 % of their size.

    Examples
    --------
    >>> import nnlite
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> regressor = nnlite.NNRegressor(random_state=0, epochs=20).fit(X, y)
    >>> parts = nnlite.inspection.integrated_gradients(regressor, X[:5])
    >>> parts.abs().mean().idxmax()
    'bmi'
    """
    steps = positive_int("steps", steps)
    estimator, X, baseline, shown = _last_step(estimator, X, _as_rows(baseline, X))
    asked = asked_of(estimator)
    x = asked.rows(X)
    begin = asked.baseline(baseline, x)
    network = Network(asked.model, asked.outputs_of)
    ends, begins = network(x), network(begin)
    chosen = asked.chosen(target, ends)
    each = np.arange(len(x))
    difference = (ends - begins)[each, chosen]
    noise = 1e-5 * np.abs(np.stack([ends, begins])).max(initial=0)  # of float32
    found = attributions(network, x, begin, chosen, steps)
    while steps < MANY:
        rows = np.flatnonzero(_missed(found, difference) > GOOD * _size(found) + noise)
        if not len(rows):
            break
        steps *= 2
        found[rows] = attributions(network, x[rows], begin[rows], chosen[rows], steps)
    wrong = _missed(found, difference) > BAD * _size(found) + 10 * noise
    if wrong.any():
        warnings.warn(
            f"integrated_gradients: the attributions of {wrong.sum()} of {len(x)} rows miss "
            f"f(x) - f(baseline) by more than {BAD:.0%} of their size; larger steps than {steps} "
            "may do better",
            UserWarning,
            stacklevel=warn.levels_to_the_caller(),
        )
    scale = asked.scale()[chosen].reshape(-1, *[1] * (x.ndim - 1))
    return _like((found * scale).reshape(len(x), *asked.sample_shape), shown)


def _missed(found, difference):
    return np.abs(found.reshape(len(found), -1).sum(axis=1) - difference)


def _size(found):
    return np.abs(found.reshape(len(found), -1)).sum(axis=1)


def _as_rows(baseline, X):
    """A baseline for the columns of a DataFrame of pandas as a DataFrame, too."""
    if np.ndim(baseline) == 0 or not hasattr(X, "iloc") or hasattr(baseline, "columns"):
        return baseline
    if hasattr(baseline, "index") and hasattr(baseline, "iloc"):  # a Series
        baseline = [baseline[name] for name in X.columns]
    return type(X)(np.atleast_2d(baseline), columns=X.columns)


def _last_step(estimator, X, baseline):
    """The estimator that predicts, what it gets of X and the baseline, and X with the names of
    columns."""
    shown = X
    while hasattr(estimator, "best_estimator_") or hasattr(estimator, "named_steps"):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
            continue
        before = estimator[:-1]
        if len(before):
            X = before.transform(X)
            shown = _named(before, X, shown)
            if np.ndim(baseline):
                baseline = before.transform([baseline] if np.ndim(baseline) == 1 else baseline)
        estimator = estimator[-1]
    return estimator, X, baseline, shown


def _named(steps, X, given):
    """What steps made of a DataFrame of pandas, again as one, if it is an array and they name its
    columns."""
    if not hasattr(given, "iloc") or hasattr(X, "columns") or hasattr(X, "tocsr"):
        return X
    try:
        names = steps.get_feature_names_out(given.columns)
    except (AttributeError, ValueError):
        return X
    return type(given)(X, index=given.index, columns=names)


def _like(values, X):
    """Attributions as X is: a DataFrame with its columns and rows, else an array."""
    if hasattr(X, "iloc"):
        return type(X)(values, index=X.index, columns=X.columns)
    if hasattr(X, "get_columns"):
        return type(X)(values, schema=list(X.columns))
    return values


def asked_of(estimator):
    """What can be asked of an estimator or a Model.

    Parameters
    ----------
    estimator : NNClassifier, NNRegressor, KerasClassifier, KerasRegressor or Model
        Fitted or built.

    Raises
    ------
    TypeError
        If it is none of these.
    """
    if isinstance(estimator, BaseNeuralNetwork):
        check_is_fitted(estimator)
        return _OfEstimator(estimator)
    if isinstance(estimator, Model):
        return _OfModel(estimator)
    raise TypeError(
        "estimator: expected a fitted estimator of nnlite, a Pipeline that ends with one, or a "
        f"Model, got {estimator!r}"
    )


class _OfModel:
    """What is asked of a Model: its output of a number."""

    def __init__(self, model):
        if not model.built or isinstance(model.output_shape, (list, dict)):
            raise ValueError(
                f"estimator: expected a Model that is built and has one output, got {model!r}"
            )
        self.model, self.count = model, model.output_shape[-1]
        self.sample_shape = None

    def rows(self, X):
        """X as the network gets it, float64."""
        x = self._checked(X)
        if self.sample_shape is None:
            self.sample_shape = x.shape[1:]
        if x.dtype.kind not in "biuf" or x.ndim < 2:
            raise ValueError(f"X: expected rows of numbers, got {x.dtype} of shape {x.shape}")
        return x.astype(np.float64)

    def _checked(self, X):
        return np.asarray(X)

    def baseline(self, given, x):
        """A row for each of x."""
        if given is None:
            return np.broadcast_to(self._means(x.shape[1:]), x.shape)
        if isinstance(given, str):
            raise TypeError(
                f"baseline: expected numbers, got {given!r}; target= says of which label"
            )
        if np.ndim(given) == 0:
            return np.full(x.shape, float(given))
        one = np.ndim(given) == len(self.sample_shape)
        rows = self.rows(np.asarray(given)[None] if one else given)
        if rows.shape[1:] != x.shape[1:] or len(rows) not in (1, len(x)):
            raise ValueError(
                f"baseline: expected a number, one row or {len(x)} rows like those of X, got shape "
                f"{np.shape(given)}"
            )
        return np.broadcast_to(rows, x.shape)

    def _means(self, shape):
        scaling = _scaling_in(self.model)
        mean = 0.0 if scaling is None or scaling.input_mean is None else scaling.input_mean
        mean = np.asarray(mean, np.float64)
        return mean.reshape(shape) if mean.size == np.prod(shape) else mean

    def outputs_of(self, outputs):
        return outputs

    def scale(self):
        """What each output is multiplied by to be in the unit of f."""
        return np.ones(self.count)

    def chosen(self, target, outputs):
        """The number of an output for each row."""
        if target is None:
            return self._by_default(outputs)
        wanted = np.broadcast_to(np.asarray(target), len(outputs))
        numbers = self._numbers_of(wanted)
        if numbers is None:
            raise ValueError(f"target: expected {self._legal()}, got {target!r}")
        return numbers

    def _by_default(self, outputs):
        return outputs.argmax(axis=1)

    def _numbers_of(self, wanted):
        legal = wanted.dtype.kind in "iu" and np.all((wanted >= 0) & (wanted < self.count))
        return wanted.astype(np.intp) if legal else None

    def _legal(self):
        return f"the number of an output, from 0 to {self.count - 1}, or one for each row"


class _OfEstimator(_OfModel):
    """What is asked of an estimator: the probability of a label, or a number in the unit of y."""

    def __init__(self, estimator):
        super().__init__(estimator.model_)
        if estimator._ragged or estimator._vocabulary is not None:
            raise ValueError(
                "X: expected numbers in arrays, got a network of tokens, or of sequences of "
                "different lengths"
            )
        self.estimator, self.task = estimator, estimator._target
        self.sample_shape = estimator._sample_shape
        self.from_logits = bool(settings_of(self.model.loss).get("from_logits"))
        if not isinstance(self.task, ContinuousTarget):
            self.count = len(estimator.classes_)

    def _checked(self, X):
        rows = input_validation.validate_X(self.estimator, X)
        return rows.toarray() if hasattr(rows, "toarray") else rows

    def outputs_of(self, outputs):
        if isinstance(self.task, ContinuousTarget):
            return outputs
        if isinstance(self.task, Multilabel) or outputs.shape[-1] == 1:
            p = ops.sigmoid(outputs) if self.from_logits else outputs
            return p if isinstance(self.task, Multilabel) else ops.concatenate([1.0 - p, p], -1)
        outputs = outputs[:, : self.count]  # of labels that occur
        if self.from_logits:
            return ops.softmax(outputs)
        return ops.divide(outputs, ops.sum(outputs, axis=-1, keepdims=True))

    def scale(self):
        if not isinstance(self.task, ContinuousTarget):
            return super().scale()
        unit = 2.0**20  # so that a large mean costs no digits
        decoded = [self.task.decode(np.full((1, self.count), value)) for value in (unit, 0.0)]
        return np.ravel(decoded[0] - decoded[1]) / unit

    def _by_default(self, outputs):
        if isinstance(self.task, Binary):
            return np.ones(len(outputs), np.intp)
        if isinstance(self.task, ContinuousTarget) and self.count > 1:
            raise ValueError(f"target: expected {self._legal()}, got None")
        return super()._by_default(outputs)

    def _numbers_of(self, wanted):
        if isinstance(self.task, ContinuousTarget):
            return super()._numbers_of(wanted)
        labels = self.estimator.classes_.tolist()
        found = [labels.index(label) if label in labels else None for label in wanted.tolist()]
        return None if None in found else np.array(found, np.intp)

    def _legal(self):
        if isinstance(self.task, ContinuousTarget):
            return super()._legal()
        return f"one of {self.estimator.classes_.tolist()}, or one for each row"


def _scaling_in(model):
    """The first InputScaling in a model, or None."""
    for layer in model._sublayers:
        found = layer if isinstance(layer, InputScaling) else _scaling_in(layer)
        if found is not None:
            return found
    return None
