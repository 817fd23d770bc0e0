"""Scikit-learn's contract around a Model: `NNClassifier` and `NNRegressor`.

Constructors store, `fit` validates and builds, a trailing underscore means learned. Specs (layers,
optimizer, callbacks) are settings: what was given is never built or changed, `fit` works on copies.
"""

import math
import warnings

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from nnlite import config, losses, samples, training
from nnlite.architecture import check_outputs, compiled_loss, meta_of
from nnlite.batches import ArrayBatches
from nnlite.callbacks import History
from nnlite.data import sources_of
from nnlite.estimator_settings import Searchable, documented, is_auto, whole
from nnlite.layers import Dense
from nnlite.model import Model
from nnlite.sequential import Sequential

# Small float64 data are trained in float64: what scikit-learn's own MLP does, and what its checks
# of sample weights need. Past these sizes float32 is twice as fast and no less good.
FLOAT64_VALUES = 16_384
FLOAT64_WEIGHTS = 20_000
LARGEST_OUTPUT = 1e16  # squares of errors of more overflow float32 when they are summed


class _NeuralNetwork(Searchable):
    """What classifier and regressor share."""

    def __init__(
        self,
        layers=None,
        *,
        hidden_layer_sizes=(100,),
        activation="relu",
        optimizer="adam",
        learning_rate=None,
        batch_size="auto",
        epochs=200,
        early_stopping="auto",
        validation_fraction=0.1,
        callbacks=None,
        random_state=None,
        verbose=0,
        n_threads=None,
        dtype="auto",
    ):
        self.layers = layers
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose
        self.n_threads = n_threads
        self.dtype = dtype

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X, y, sample_weight=None):
        """Train from scratch.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features) or (n_samples, height, width, channels)
            Finite numbers; float32, float64, integers and uint8 are read in place, as the values
            they are: pixels are not scaled. Where the first layer has an `input_shape`, rows of as
            many values are read in that shape, and so are images without an axis for their one
            channel.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            Labels of any kind for a classifier; numbers for a regressor, also several each.
        sample_weight : array-like, shape (n_samples,), optional
            At least 0, not all 0. The loss is divided by their sum; rows of weight 0 are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a setting or the data are wrong; the message names it and says what was expected.
        KeyboardInterrupt
            At Ctrl-C; the estimator is fitted then, with the weights reached so far.
        """
        self._check_settings()
        X, y = self._validated(X, y, reset=True)
        self._learn_target(y)
        X, *target = _with_weights(X, self._encoded(y), sample_weight)
        rows, seed, held_out = len(X), self._seed(), None
        model = self._model(X, seed, small_in_float64=True)
        data = samples.arranged(X, model.input_shape[1:]), *target
        stopping = self._stopping(rows)
        if stopping is not None and str(stopping.monitor).startswith("val_"):
            data, held_out = self._hold_out(data, seed)
        self._train(model, seed + 1, data, 0, int(self.epochs), held_out, stopping)
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """One pass over the rows, going on from the weights there are."""
        self._check_settings()
        if self._stopping(0) is not None:
            raise ValueError(
                "early_stopping: expected 'auto' or False for partial_fit, got "
                f"{self.early_stopping!r}"
            )
        first = not hasattr(self, "model_")
        X, y = self._validated(X, y, reset=first)
        if first:
            self._learn_target(y if classes is None else classes)
        X, *target = _with_weights(X, self._encoded(y), sample_weight)
        passes, seed = 0 if first else self.n_iter_, self._seed()
        model = self._model(X, seed) if first else self.model_
        data = samples.arranged(X, model.input_shape[1:]), *target
        self._train(model, seed + 1 + passes, data, passes, passes + 1)
        return self

    def _train(self, model, seed, data, passes, epochs, held_out=None, stopping=None):
        """Run the epochs after the first `passes`; keep what was learned, at Ctrl-C too."""
        if self.layers is not None and not passes:
            samples.warn_of_channels_first(data[0])
        history = History()
        if passes:
            history.history = {k: list(v) for k, v in self.history_.items() if k[:4] != "val_"}
        callbacks = [*self._callbacks(), *([] if stopping is None else [stopping]), history]
        batch = min(200 if is_auto(self.batch_size) else int(self.batch_size), len(data[0]))
        try:
            with config.precision(model.real), config.seeded(seed):
                training.fit(
                    model,
                    ArrayBatches(sources_of(*data), batch).shuffled(),
                    None if held_out is None else ArrayBatches(held_out, batch),
                    epochs,
                    callbacks,
                    int(self.verbose),
                    passes,
                )
        except KeyboardInterrupt:
            self._keep(model, history.history, stopping)
            raise
        self._keep(model, history.history, stopping)

    def _keep(self, model, history, stopping):
        """What was learned."""
        self.model_, self.dtype_, self.history_ = model, np.dtype(model.real), history
        self.loss_curve_ = history.get("loss", [])
        self.validation_loss_curve_ = history.get("val_loss")
        self.n_iter_ = self.best_epoch_ = len(self.loss_curve_)
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        if stopping is not None and self.n_iter_:
            self.best_epoch_ = stopping.best_epoch + 1

    def _seed(self):
        return int(check_random_state(whole(self.random_state)).randint(2**31))

    def _validated(self, X, y, reset):
        """X and y, checked by scikit-learn's rules; samples may have any shape."""
        X = samples.stacked(X)
        samples.check_lengths(X, y)
        if not reset:
            samples.check_as_fitted(X, self._sample_shape)
        X, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            dtype="numeric",
            allow_nd=True,
            multi_output=True,
            y_numeric=not is_classifier(self),
        )
        self._sample_shape = X.shape[1:]
        if not isinstance(y, np.ndarray):
            raise TypeError(f"y: expected a dense array, got {type(y).__name__}; use its toarray()")
        return X, y

    def _hold_out(self, data, seed):
        """The rows to train on, and those kept for early stopping, as sources."""
        rows, fraction = len(data[0]), self.validation_fraction
        if math.ceil(rows * fraction) >= rows:
            raise ValueError(f"validation_fraction: {fraction} of {rows} rows leaves none to train")
        options = {"test_size": fraction, "random_state": seed}
        strata = data[1].reshape(-1) if is_classifier(self) else None
        try:
            parts = train_test_split(np.arange(rows), stratify=strata, **options)
        except ValueError:  # a class with too few rows to be in both parts
            parts = train_test_split(np.arange(rows), **options)
        kept, held = ([None if a is None else a[part] for a in data] for part in parts)
        return kept, sources_of(*held)

    def _model(self, X, seed, small_in_float64=False):
        """The model, built and compiled, in the precision that the data and its size ask for."""
        small = small_in_float64 and X.dtype.str[1:] == "f8" and X.size <= FLOAT64_VALUES
        real = ("float64" if small else "float32") if self.dtype == "auto" else self.dtype
        model = self._built(X, seed, real)
        if self.dtype == "auto" and small and model.count_params() > FLOAT64_WEIGHTS:
            model = self._built(X, seed, "float32")
        model.compile(
            self._optimizer_spec(model.optimizer),
            self._loss() if model.optimizer is None else compiled_loss(model, self._loss()),
            weighted_metrics=self._metrics,
            n_threads=self.n_threads,
        )
        return model

    def _built(self, X, seed, real):
        with config.precision(real), config.seeded(seed):
            output = self._output_layer()
            meta = meta_of(X.shape[1:], output)
            hidden = self._layer_specs(meta)
            try:
                compiled = isinstance(hidden, Model)
                model = hidden if compiled else Sequential([*hidden, output])
                model.build((None, *X.shape[1:]))
            except ValueError as error:
                error.args = (f"{error}{samples.advice(error, X)}",)
                raise
        if len(model.output_shape) != 2:
            last = model.layers[-2].output_shape if hidden else (None, *X.shape[1:])
            raise ValueError(
                f"layers: expected the last to give one row per sample, got shape {last}; "
                "end with Flatten()"
            )
        if compiled:
            check_outputs(model, meta)
        return model

    def _outputs(self, X):
        """The model's outputs for the rows of X."""
        check_is_fitted(self)
        X = samples.stacked(X)
        samples.check_as_fitted(X, self._sample_shape)
        X = validate_data(self, X, reset=False, dtype="numeric", allow_nd=True)
        outputs = self.model_.predict(samples.arranged(X, self.model_.input_shape[1:]))
        return _finite(outputs, 1 / max(2, outputs.shape[1]) if is_classifier(self) else 0)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")


def _finite(outputs, instead):
    """Outputs that can be scored: `instead` in a row that overflowed, with a RuntimeWarning, as
    when the training diverged. No score is NaN or infinite then, which would end a search."""
    if np.abs(outputs).max(initial=0) <= LARGEST_OUTPUT:  # which is not so where one is NaN
        return outputs
    outputs = outputs.copy()
    rows = ~(np.abs(outputs) <= LARGEST_OUTPUT).all(axis=1)
    outputs[rows] = instead
    warnings.warn(
        f"{rows.sum()} of {len(rows)} predictions are too large, infinite or NaN, as the "
        f"training diverged, and are replaced by {instead:.3g}; a smaller learning rate may help",
        RuntimeWarning,
        stacklevel=training.levels_to_the_caller(),
    )
    return outputs


def _with_weights(X, target, sample_weight):
    """X, target and weights; without rows of weight 0, as a batch of them has a loss of 0 / 0."""
    if sample_weight is None:
        return X, target, None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("sample_weight: expected at least one non-zero weight, all are zero")
    weight = weight / weight.max()
    kept = weight > 0
    return (X, target, weight) if kept.all() else (X[kept], target[kept], weight[kept])


@documented
class NNClassifier(ClassifierMixin, _NeuralNetwork):
    """A neural network that classifies.

    The output layer is added: one sigmoid unit for two classes, a softmax for more.

    {parameters}
    Attributes
    ----------
    classes_ : array
        The labels, sorted.
    {attributes}
    Examples
    --------
    >>> from nnlite import NNClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> NNClassifier(random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """

    _metrics = ("accuracy",)

    def _learn_target(self, y):
        self.classes_ = np.unique(_labels(y))
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least 2 classes, got 1 class: {self.classes_[0]!r}")

    def _encoded(self, y):
        """Class numbers of labels: int32, or for two classes a real column."""
        y = _labels(y)
        try:
            codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
            unknown = y[self.classes_[codes] != y]
        except TypeError:  # of a kind that cannot be compared
            unknown = y
        if len(unknown):
            raise ValueError(f"y: expected labels of {self.classes_!r}, got {unknown[0]!r}")
        return codes.astype(np.int32) if len(self.classes_) > 2 else codes[:, None].astype(float)

    def _output_layer(self):
        if len(self.classes_) == 2:
            return Dense(1, "sigmoid")
        return Dense(len(self.classes_), "softmax")

    def _loss(self):
        binary = len(self.classes_) == 2
        loss = losses.BinaryCrossentropy if binary else losses.SparseCategoricalCrossentropy
        return loss(reduction="mean_with_sample_weight")

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """One pass over more rows. With dtype='auto' a first call trains in float32.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array-like, optional
            Every label that may ever come; required at the first call.
        """
        classes = None if classes is None else np.unique(column_or_1d(classes))
        if not hasattr(self, "model_"):
            if classes is None:
                raise ValueError("classes: expected all labels at the first partial_fit, got None")
        elif classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(f"classes: expected {self.classes_!r} as before, got {classes!r}")
        return self._partial_fit(X, y, sample_weight, classes)

    def predict_proba(self, X):
        """The probability of each class of `classes_`, an array of shape (n_samples, n_classes)."""
        p = self._outputs(X)
        return np.hstack([1 - p, p]) if p.shape[1] == 1 else p

    def predict_log_proba(self, X):
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X):
        """The most probable label of each row, an array of shape (n_samples,)."""
        p = self._outputs(X)
        codes = (p[:, 0] > 0.5).astype(int) if p.shape[1] == 1 else p.argmax(axis=1)
        return self.classes_[codes]


def _labels(y):
    """Labels as a vector."""
    y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
    check_classification_targets(y)
    if y.ndim != 1:
        raise ValueError(
            f"y: expected one label per sample (no multilabel), got shape {y.shape}; if they are "
            "one-hot: y.argmax(axis=1)"
        )
    return y


@documented
class NNRegressor(RegressorMixin, _NeuralNetwork):
    """A neural network that predicts numbers, one or several for each row.

    The output layer is added and linear, the loss is the mean squared error.

    {parameters}
    Attributes
    ----------
    n_outputs_ : int
        Numbers predicted for each row.
    {attributes}
    Examples
    --------
    >>> from nnlite import NNRegressor
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(200, 5, random_state=0)
    >>> NNRegressor(random_state=0, learning_rate=0.05).fit(X, y).score(X, y) > 0.9
    True
    """

    _metrics = None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _learn_target(self, y):
        self.n_outputs_ = math.prod(y.shape[1:])
        self._one_dimensional = y.ndim == 1

    def _encoded(self, y):
        """Targets as a matrix of floats."""
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y: expected numbers, got values of type {y.dtype}")
        target = y.reshape(len(y), -1)
        if target.shape[1] != self.n_outputs_:
            raise ValueError(f"y: expected {self.n_outputs_} columns again, got shape {y.shape}")
        return target if target.dtype.kind == "f" else target.astype(np.float64)

    def _output_layer(self):
        return Dense(self.n_outputs_)

    def _loss(self):
        return losses.MeanSquaredError(reduction="mean_with_sample_weight")

    def partial_fit(self, X, y, sample_weight=None):
        """One pass over more rows; see `fit`. With dtype='auto' a first call trains in float32."""
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
        """The predicted values, (n_samples,) or (n_samples, n_outputs) as y was in `fit`."""
        values = self._outputs(X)
        return values[:, 0] if self._one_dimensional else values
