"""Scikit-learn's contract around a Model: `NNClassifier` and `NNRegressor`.

Constructors store, `fit` validates and builds, a trailing underscore means learned. Layer specs are settings:
`fit` builds copies, the ones that were given are never touched.
"""

import numbers

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from nnlite import config, losses, optimizers, training
from nnlite.callbacks import Callback, EarlyStopping
from nnlite.config import Configurable
from nnlite.layers import Dense, Layer
from nnlite.layers.core import positive_int
from nnlite.model import Sequential

# Small float64 data are trained in float64: what scikit-learn's own MLP does, and what its checks of
# sample weights need. Past these sizes float32 is twice as fast and no less good.
FLOAT64_VALUES = 16_384
FLOAT64_WEIGHTS = 20_000
EARLY_STOPPING_ROWS = 500


class _NeuralNetwork(BaseEstimator):
    """What classifier and regressor share."""

    def __init__(self, layers=None, *, hidden_layer_sizes=(100,), activation="relu", optimizer="adam",
                 learning_rate=None, batch_size="auto", epochs=200, early_stopping="auto",
                 validation_fraction=0.1, callbacks=None, random_state=None, verbose=0, n_threads=None,
                 dtype="auto"):
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

    def fit(self, X, y, sample_weight=None):
        """Train from scratch.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
            Finite numbers; float32, float64, integers and uint8 are read in place.
        y : array-like, shape (n_samples,)
            Labels of any kind for a classifier; numbers for a regressor, which also takes (n_samples, n_outputs).
        sample_weight : array-like, shape (n_samples,), optional
            At least 0 each, not all 0. The loss is divided by their sum.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If data or a setting is wrong; the message names it and says what was expected.
        """
        X, y, weight = self._validated(X, y, sample_weight, reset=True)
        epochs, stopping = positive_int("epochs", self.epochs), self._stopping(len(X))
        batch = self._batch(len(X))
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31))
        target = self._encoded(y, reset=True)
        model = self._model(X, target, seed)
        held_out = None
        if stopping is not None:
            X, target, weight, held_out = self._hold_out(X, target, weight, seed)
        callbacks = [c.changed() for c in self._callbacks()] + ([stopping] if stopping else [])
        with config.precision(model.real), config.seeded(seed + 1):
            history = training.fit(
                model, training.sources_of(X, target, weight), held_out, epochs, min(batch, len(X)), True,
                callbacks, int(self.verbose),
            )
        self.model_, self.dtype_ = model, np.dtype(model.real)
        self._learned(history.history)
        best = stopping.best_epoch + 1 if stopping is not None else self.n_iter_
        self.best_epoch_ = best
        return self

    def _learned(self, history):
        self.history_ = history
        self.loss_curve_ = history["loss"]
        self.validation_loss_curve_ = history.get("val_loss")
        self.n_iter_ = len(self.loss_curve_)
        self.loss_ = self.loss_curve_[-1]

    def _partial_fit(self, X, y, sample_weight):
        """One pass over the rows, going on from the weights there are."""
        first = not hasattr(self, "model_")
        X, y, weight = self._validated(X, y, sample_weight, reset=first)
        target = self._encoded(y, reset=False)
        seed = int(check_random_state(self.random_state).randint(2**31)) + (0 if first else self.n_iter_)
        if first:
            self.model_ = self._model(X, target, seed, streaming=True)
            self.dtype_ = np.dtype(self.model_.real)
        with config.precision(self.model_.real), config.seeded(seed + 1):
            history = training.fit(
                self.model_, training.sources_of(X, target, weight), None, 1,
                min(self._batch(len(X)), len(X)), True, [], int(self.verbose),
            ).history
        if not first:
            history = {k: self.history_[k] + v for k, v in history.items()}
        self._learned(history)
        return self

    def _validated(self, X, y, sample_weight, reset):
        """X and y checked by scikit-learn's rules; weights as float64 or None."""
        X, y = validate_data(
            self, X, y, reset=reset, dtype="numeric", order="C", multi_output=True, y_numeric=self._y_numeric,
            ensure_min_samples=1,
        )
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            if not weight.sum() > 0:
                raise ValueError("sample_weight: expected at least one weight above zero, all are zero")
        return X, y, weight

    def _layer_specs(self):
        """The hidden layers as a list of specs."""
        if self.layers is None:
            sizes = self.hidden_layer_sizes
            sizes = [sizes] if isinstance(sizes, numbers.Number) else list(sizes)
            return [Dense(positive_int("hidden_layer_sizes", n), self.activation) for n in sizes]
        specs = [self.layers] if isinstance(self.layers, Layer) else self.layers
        if isinstance(specs, (str, bytes)) or not hasattr(specs, "__iter__"):
            raise TypeError(f"layers: expected a list of layers, got {self.layers!r}")
        specs = [spec for spec in specs if spec is not None]
        for spec in specs:
            if not isinstance(spec, Layer):
                raise TypeError(f"layers: expected layers such as Dense(64), got {spec!r}")
        return [spec.changed() for spec in specs]

    def _optimizer_spec(self):
        """A fresh optimizer with this estimator's learning rate."""
        optimizer = optimizers.get(self.optimizer).changed()
        if self.learning_rate is not None:
            optimizer = optimizer.changed(learning_rate=self.learning_rate, lr=None)
        optimizer._check()
        return optimizer

    def _model(self, X, target, seed, streaming=False):
        """The model, built and compiled, in the precision that the data and its size ask for."""
        if self.dtype not in ("auto", "float32", "float64"):
            raise ValueError(f"dtype: expected 'auto', 'float32' or 'float64', got {self.dtype!r}")
        small = X.dtype == np.float64 and X.size <= FLOAT64_VALUES and not streaming
        real = ("float64" if small else "float32") if self.dtype == "auto" else self.dtype
        model = self._built(X, target, seed, real)
        if self.dtype == "auto" and small and model.count_params() > FLOAT64_WEIGHTS:
            model = self._built(X, target, seed, "float32")
        loss = self._loss()
        loss.reduction = "mean_with_sample_weight"
        n_threads = None if self.n_threads is None else positive_int("n_threads", self.n_threads)
        model.compile(self._optimizer_spec(), loss, weighted_metrics=self._metric_names(), n_threads=n_threads)
        return model

    def _built(self, X, target, seed, real):
        with config.precision(real), config.seeded(seed):
            model = Sequential([*self._layer_specs(), self._output_layer(target)])
            model.build((None, *X.shape[1:]))
        return model

    def _batch(self, rows):
        if isinstance(self.batch_size, str) and self.batch_size == "auto":
            return min(200, rows)
        return positive_int("batch_size", self.batch_size)

    def _stopping(self, rows):
        """A fresh EarlyStopping, or None."""
        given = self.early_stopping
        if isinstance(given, EarlyStopping):
            return given.changed()
        if isinstance(given, str) and given == "auto":
            given = rows >= EARLY_STOPPING_ROWS
        if not isinstance(given, (bool, np.bool_)):
            raise ValueError(f"early_stopping: expected 'auto', True, False or an EarlyStopping, got {given!r}")
        return EarlyStopping(patience=10, restore_best_weights=True) if given else None

    def _callbacks(self):
        given = [] if self.callbacks is None else self.callbacks
        given = [given] if isinstance(given, Callback) else list(given)
        for c in given:
            if not isinstance(c, Configurable):
                raise TypeError(f"callbacks: expected Callback objects, got {c!r}")
        return given

    def _hold_out(self, X, target, weight, seed):
        """Training rows and, as sources, the part kept for early stopping."""
        fraction = self.validation_fraction
        if not isinstance(fraction, numbers.Real) or not 0 < fraction < 1:
            raise ValueError(f"validation_fraction: expected a number in (0, 1), got {fraction!r}")
        rows = np.arange(len(X))
        try:
            kept, held = train_test_split(
                rows, test_size=fraction, random_state=seed, stratify=self._strata(target))
        except ValueError:  # a class with a single row cannot be stratified
            kept, held = train_test_split(rows, test_size=fraction, random_state=seed)
        part = [None if a is None else a[held] for a in (X, target, weight)]
        return X[kept], target[kept], None if weight is None else weight[kept], training.sources_of(*part)

    def _outputs(self, X):
        """The model's outputs for checked rows."""
        check_is_fitted(self, "model_")
        X = validate_data(self, X, reset=False, dtype="numeric", order="C")
        return self.model_.predict(X)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")


class NNClassifier(ClassifierMixin, _NeuralNetwork):
    """A neural network that classifies.

    The output layer is added: one sigmoid unit for two classes, a softmax for more.

    Parameters
    ----------
    layers : list of Layer, optional
        The hidden layers, as specs: `fit` builds copies. None makes a multilayer perceptron of
        `hidden_layer_sizes` and `activation`.
    hidden_layer_sizes : int or tuple of int, default (100,)
    activation : str or function, default 'relu'
    optimizer : str or Optimizer, default 'adam'
    learning_rate : float, optional
        None is the optimizer's own.
    batch_size : int or 'auto', default 'auto'
        'auto' is min(200, n_samples).
    epochs : int, default 200
    early_stopping : 'auto', bool or EarlyStopping, default 'auto'
        Stop when the loss on held-out rows has not improved for 10 epochs, and keep the best weights.
        'auto' does so from 500 rows up.
    validation_fraction : float in (0, 1), default 0.1
        The part of the rows held out for early stopping, stratified by class.
    callbacks : Callback or list of them, optional
    random_state : int, RandomState or None
        The same int gives the same bits, on any number of threads.
    verbose : {0, 1, 2}, default 0
        Silent, a progress bar for each epoch, or a line for each.
    n_threads : int, optional
        At most this many; by default as many as the work is worth.
    dtype : {'auto', 'float32', 'float64'}, default 'auto'
        The precision of training. 'auto' is float32, except that float64 data of at most 16,384 values with
        at most 20,000 weights are trained in float64.

    Attributes
    ----------
    classes_ : array of the labels
    model_ : Sequential
    history_ : dict of str to list of float
    loss_curve_, validation_loss_curve_ : list of float
        The latter is None without early stopping.
    n_iter_, best_epoch_ : int
    n_features_in_ : int
    dtype_ : dtype

    Examples
    --------
    >>> from nnlite import NNClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> NNClassifier(random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """

    _y_numeric = False

    def _encoded(self, y, reset):
        """Class numbers of labels."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if y.ndim != 1:
            raise ValueError(f"y: expected one label per sample, got shape {y.shape}; multilabel targets are not supported")
        if reset:
            self.classes_ = np.unique(y)
            if len(self.classes_) < 2:
                raise ValueError(f"y: expected at least 2 classes, got 1 class: {self.classes_[0]!r}")
        codes = np.searchsorted(self.classes_, y)
        codes[codes == len(self.classes_)] = 0
        if not (self.classes_[codes] == y).all():
            unknown = np.setdiff1d(y, self.classes_)
            raise ValueError(f"y: expected labels of {self.classes_!r}, got {unknown[0]!r}")
        return codes.astype(np.int32) if len(self.classes_) > 2 else codes.astype(np.float32)[:, None]

    def _strata(self, target):
        return target

    def _output_layer(self, target):
        if len(self.classes_) == 2:
            return Dense(1, "sigmoid", name="output")
        return Dense(len(self.classes_), "softmax", name="output")

    def _loss(self):
        return losses.get("binary_crossentropy" if len(self.classes_) == 2 else "sparse_categorical_crossentropy")

    def _metric_names(self):
        return ["accuracy"]

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """One pass over more rows.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array-like, optional
            Every label that may ever come; required at the first call.

        Returns
        -------
        self
        """
        if not hasattr(self, "model_"):
            if classes is None:
                raise ValueError("partial_fit: classes is required at the first call")
            self.classes_ = np.unique(classes)
            if len(self.classes_) < 2:
                raise ValueError("partial_fit: expected at least 2 classes, got 1 class")
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"partial_fit: classes={classes!r} differ from those of the first call, {self.classes_!r}")
        return self._partial_fit(X, y, sample_weight)

    def predict_proba(self, X):
        """The probability of each class, array of shape (n_samples, n_classes)."""
        p = self._outputs(X)
        return np.hstack([1 - p, p]) if len(self.classes_) == 2 else p

    def predict_log_proba(self, X):
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X):
        """The most probable label of each row."""
        p = self._outputs(X)
        codes = (p[:, 0] > 0.5).astype(int) if len(self.classes_) == 2 else p.argmax(axis=1)
        return self.classes_[codes]


class NNRegressor(RegressorMixin, _NeuralNetwork):
    """A neural network that predicts numbers.

    Parameters are those of `NNClassifier`; the output layer is linear, the loss the mean squared error.

    Attributes
    ----------
    model_, history_, loss_curve_, validation_loss_curve_, n_iter_, best_epoch_, n_features_in_, dtype_
        As for `NNClassifier`.

    Examples
    --------
    >>> from nnlite import NNRegressor
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(200, 5, random_state=0)
    >>> NNRegressor(random_state=0, learning_rate=0.05).fit(X, y).score(X, y) > 0.9
    True
    """

    _y_numeric = True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _encoded(self, y, reset):
        """Targets as a matrix."""
        if reset:
            self._one_output = y.ndim == 1
        target = y.reshape(len(y), -1)
        return target if target.dtype.kind == "f" else target.astype(np.float64)

    def _strata(self, target):
        return None

    def _output_layer(self, target):
        return Dense(target.shape[1], name="output")

    def _loss(self):
        return losses.MeanSquaredError()

    def _metric_names(self):
        return None

    def partial_fit(self, X, y, sample_weight=None):
        """One pass over more rows; parameters as for `fit`."""
        if not hasattr(self, "model_"):
            self._one_output = np.ndim(y) == 1
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
        """The predicted value of each row, shape (n_samples,) or (n_samples, n_outputs)."""
        values = self._outputs(X)
        return values[:, 0] if self._one_output else values
