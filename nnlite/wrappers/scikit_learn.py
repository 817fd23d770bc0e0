"""KerasClassifier and KerasRegressor: a function that makes a compiled model, as an estimator.

The arguments of that function are settings of the estimator: a search finds them by their names.
Everything else is what `Model.fit` does. `NNClassifier` needs no function, and does more.
"""

import contextlib
import inspect

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from nnlite import config, optimizers
from nnlite.callbacks import Callback
from nnlite.estimators import finite
from nnlite.layers.core import positive_int
from nnlite.model import Model

# A prefix says whose setting it is: `model__units` is the same argument as `units`.
MODEL, OPTIMIZER = "model__", "optimizer__"


class _KerasEstimator(BaseEstimator):
    """What both wrappers share.

    Parameters
    ----------
    build_fn : function
        Returns a model, compiled or not. It is given those settings of the estimator that it has
        arguments for, and, where it asks for them, `meta` (a dict: `n_features_in_`, `X_shape_`,
        `n_outputs_` and a classifier's `classes_`, `n_classes_`) and `compile_kwargs` (`optimizer`,
        `loss`, `metrics`).
    model : function, optional
        The same, under SciKeras's name.
    optimizer, loss, metrics : optional
        As of `Model.compile`, for a model that comes uncompiled; by default 'rmsprop', a loss that
        fits the targets, and none. The optimizer takes the place of a compiled model's.
    batch_size : int, default 32
    epochs : int, default 1
    validation_split : float in [0, 1), default 0.0
    shuffle : bool, default True
    callbacks : Callback or list of Callback, optional
        `fit` uses copies.
    class_weight : dict of label to weight, or 'balanced', optional
        Of a classifier.
    verbose : {0, 1, 2}, default 0
    random_state : int, RandomState or None, default None
        The same int gives the same bits.
    **arguments
        Arguments of the function, also as `model__name`; settings of the optimizer as
        `optimizer__name`.

    Attributes
    ----------
    model_ : Model
    history_ : dict of str to list of float
    n_iter_ : int
        Epochs run.
    """

    def __init__(
        self,
        build_fn=None,
        *,
        model=None,
        optimizer=None,
        loss=None,
        metrics=None,
        batch_size=32,
        epochs=1,
        validation_split=0.0,
        shuffle=True,
        callbacks=None,
        class_weight=None,
        verbose=0,
        random_state=None,
        **arguments,
    ):
        self.build_fn = build_fn
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.metrics = metrics
        self.batch_size = batch_size
        self.epochs = epochs
        self.validation_split = validation_split
        self.shuffle = shuffle
        self.callbacks = callbacks
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.__dict__.update(arguments)

    @classmethod
    def _get_param_names(cls):
        """Of all constructors: those of a subclass may pass on what they do not name."""
        names = inspect.signature(_KerasEstimator.__init__).parameters
        own = super()._get_param_names()
        return sorted({*own, *(n for n in names if n not in ("self", "arguments"))})

    def _arguments(self):
        """The settings that are not in the constructor's signature, as they were given."""
        own = self._get_param_names()
        return {
            name: value
            for name, value in vars(self).items()
            if name not in own and name[0] != "_" and name[-1] != "_"
        }

    def _defaults(self):
        """Name -> default of the function's arguments; Parameter.empty for one without.

        None in place of the dict if it takes any.
        """
        function = self.build_fn if self.build_fn is not None else self.model
        if not callable(function) or isinstance(function, Model):
            return {}
        parameters = inspect.signature(function).parameters.values()
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return None
        return {p.name: p.default for p in parameters if p.kind is not p.VAR_POSITIONAL}

    def get_params(self, deep=True):
        """The settings by name, the arguments of the function among them."""
        params = super().get_params(deep)
        for name, default in (self._defaults() or {}).items():
            if default is not inspect.Parameter.empty and MODEL + name not in vars(self):
                params.setdefault(name, default)
        return {**params, **self._arguments()}

    def set_params(self, **params):
        """Change settings by name; see the class for which there are. Returns self."""
        own = self._get_param_names()
        for name in own:
            if name in params:
                setattr(self, name, params[name])
        for name, value in params.items():
            if name not in own:
                self._check_known(name)
                setattr(self, name, value)
        return self

    def _check_known(self, name):
        """Raise unless a setting is an argument of the function, or the optimizer's."""
        known = self._defaults()
        if known is None or name.startswith(OPTIMIZER) or name.removeprefix(MODEL) in known:
            return
        names = sorted({*self._get_param_names(), *known})
        raise ValueError(
            f"{type(self).__name__}: no setting {name!r}; it has {', '.join(names)}, and the "
            "optimizer's as optimizer__name"
        )

    def fit(self, X, y, sample_weight=None, **fit_arguments):
        """Make a model by the function and train it.

        Parameters
        ----------
        X : array-like, shape (n_samples, ...)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional
        **fit_arguments
            As of `Model.fit`, for this once: `epochs`, `validation_data`, ...

        Returns
        -------
        self
        """
        for name in self._arguments():
            self._check_known(name)
        X, y = validate_data(
            self,
            X,
            y,
            dtype="numeric",
            allow_nd=True,
            multi_output=True,
            y_numeric=not is_classifier(self),
        )
        self._learn_target(y)
        sample_weight = self._weights(X, y, sample_weight)
        seed = self.random_state
        if seed is not None:
            seed = int(check_random_state(seed).randint(2**31))
        with contextlib.nullcontext() if seed is None else config.seeded(seed):
            model = self._built(X)
            self._fit_model(model, X, y, sample_weight, fit_arguments)
        return self

    def _fit_model(self, model, X, y, sample_weight, fit_arguments):
        callbacks = [] if self.callbacks is None else self.callbacks
        callbacks = [callbacks] if isinstance(callbacks, Callback) else callbacks
        settings = {
            "batch_size": positive_int("batch_size", self.batch_size or 32),
            "epochs": positive_int("epochs", self.epochs),
            "validation_split": self.validation_split,
            "shuffle": self.shuffle,
            "callbacks": [c.changed() for c in callbacks],
            "verbose": self.verbose,
            **fit_arguments,
        }
        held_out = settings.get("validation_data")
        if held_out is not None:
            x_val, y_val, *rest = held_out
            settings["validation_data"] = (x_val, self._encoded(np.asarray(y_val), model), *rest)
        history = model.fit(X, self._encoded(y, model), sample_weight=sample_weight, **settings)
        self.model_, self.history_ = model, history.history
        self.n_iter_ = len(self.history_["loss"])

    def _weights(self, X, y, sample_weight):
        """A weight for each row, or None where all are 1."""
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if self.class_weight is None or not is_classifier(self):
            return sample_weight
        by_class = compute_sample_weight(self.class_weight, y)
        return by_class if sample_weight is None else by_class * sample_weight

    def _built(self, X):
        """A fresh model, built for X and compiled."""
        function = self.build_fn if self.build_fn is not None else self.model
        if not callable(function) or isinstance(function, Model):
            raise TypeError(
                f"build_fn: expected a function that returns a model, got {function!r}"
                + ("; NNClassifier(layers=[...]) takes layers" if function is not None else "")
            )
        model = function(**self._given_to(function, X))
        if not isinstance(model, Model):
            raise TypeError(f"build_fn: expected it to return a model, got {model!r}")
        model.build((None, *X.shape[1:]))
        if model.optimizer is None:
            loss = self._default_loss(model) if self.loss is None else self.loss
            model.compile(self._optimizer(self.optimizer), loss, metrics=self.metrics)
        elif self.optimizer is not None or self._nested(OPTIMIZER):
            theirs = model.optimizer if self.optimizer is None else self.optimizer
            model.optimizer = self._optimizer(theirs)
        return model

    def _optimizer(self, given):
        """A fresh optimizer with the settings that the estimator has for it."""
        optimizer = optimizers.get("rmsprop" if given is None else given)
        return optimizer.changed(**self._nested(OPTIMIZER))

    def _nested(self, prefix):
        """The settings given with a prefix, without it."""
        given = self._arguments().items()
        return {k.removeprefix(prefix): v for k, v in given if k.startswith(prefix)}

    def _given_to(self, function, X):
        """The function's arguments: what was given, or follows from the data."""
        defaults = self._defaults()
        arguments = {k: v for k, v in self._arguments().items() if "__" not in k}
        arguments.update(self._nested(MODEL))
        if defaults is None:
            return arguments
        own = self._get_param_names()
        for name, default in defaults.items():
            if name in arguments:
                continue
            if name == "meta":
                about = {"n_features_in_": X.shape[1], "X_shape_": X.shape}
                arguments[name] = {**self._about_target(), **about}
            elif name == "compile_kwargs":
                arguments[name] = {
                    "optimizer": self._optimizer(self.optimizer),
                    "loss": self.loss,
                    "metrics": self.metrics,
                }
            elif name in own and not (getattr(self, name) is None and default is not None):
                arguments[name] = getattr(self, name)
            elif default is inspect.Parameter.empty:
                raise ValueError(
                    f"{name}: expected a value for this argument of {function.__name__}, as in "
                    f"{type(self).__name__}({function.__name__}, {name}=...)"
                )
        return arguments

    def _outputs(self, X):
        check_is_fitted(self, "model_")
        X = validate_data(self, X, reset=False, dtype="numeric", allow_nd=True)
        outputs = self.model_.predict(X)
        return finite(outputs, 1 / max(2, outputs.shape[1]) if is_classifier(self) else 0)


class KerasClassifier(ClassifierMixin, _KerasEstimator):
    """A function that makes a compiled Keras model, as a classifier.

    Labels may be of any kind; they become what the model's loss takes: numbers of classes for a
    sparse one, columns of 0 and 1 for any other. y may be columns of 0 and 1 itself.

    Parameters
    ----------
    build_fn : function
        Returns a model; its arguments are settings of the estimator. See `KerasRegressor`.
    epochs, batch_size, optimizer, callbacks, random_state, ...
        See `KerasRegressor`, too.

    Attributes
    ----------
    classes_ : array
        The labels, sorted.

    Examples
    --------
    >>> import nnlite as keras
    >>> from nnlite.wrappers.scikit_learn import KerasClassifier
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> def create_model(learning_rate, units=8):
    ...     model = keras.Sequential([
    ...         keras.layers.Dense(units, activation="relu", input_dim=4),
    ...         keras.layers.Dense(3, activation="softmax")])
    ...     model.compile(keras.optimizers.Adam(learning_rate), "categorical_crossentropy")
    ...     return model
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = KerasClassifier(create_model, epochs=20, random_state=0)
    >>> search = GridSearchCV(classifier, {"learning_rate": [0.01, 0.1], "batch_size": [16]})
    >>> bool(search.fit(X, y).best_score_ > 0.9)
    True
    """

    def _learn_target(self, y):
        check_classification_targets(y)
        self._columns = y.ndim == 2 and y.shape[1] > 1
        self.classes_ = np.arange(y.shape[1]) if self._columns else np.unique(y)
        self.n_classes_ = len(self.classes_)

    def _about_target(self):
        return {
            "classes_": self.classes_,
            "n_classes_": self.n_classes_,
            "n_outputs_": 1,
            "target_type_": (
                "multilabel-indicator"
                if self._columns
                else "binary"
                if self.n_classes_ == 2
                else "multiclass"
            ),
        }

    def _default_loss(self, model):
        if model.output_shape[-1] == 1 or (self._columns and not self._one_of_each(model)):
            return "binary_crossentropy"
        return "categorical_crossentropy" if self._columns else "sparse_categorical_crossentropy"

    def _one_of_each(self, model):
        """Whether the model's outputs for a row are the probabilities of one choice."""
        last = model.layers[-1]
        return "softmax" in str(getattr(last, "activation", last.name))

    def _encoded(self, y, model):
        """Labels as the model's loss takes them."""
        if self._columns:
            return y
        y, width = y.reshape(-1), model.output_shape[-1]
        if width < self.n_classes_ - (width == 1):
            raise ValueError(
                f"build_fn: expected a model of {self.n_classes_} outputs, one for each class of "
                f"y, got output shape {model.output_shape}"
            )
        codes = np.searchsorted(self.classes_, y).clip(max=self.n_classes_ - 1)
        if (unknown := y[self.classes_[codes] != y]).size:
            raise ValueError(f"y: expected labels of {self.classes_!r}, got {unknown[0]!r}")
        if width == 1:
            return codes[:, None].astype(np.float32)
        if "sparse" in (getattr(model.loss, "name", None) or str(model.loss)):
            return codes.astype(np.int32)
        return np.eye(width, dtype=np.float32)[codes]

    def predict_proba(self, X):
        """The probability of each class of `classes_`, an array of shape (n_samples, n_classes)."""
        p = self._outputs(X)
        if p.shape[1] == 1:
            p = np.hstack([1 - p, p])
        elif p.shape[1] > self.n_classes_:  # outputs that no label of y stands for
            p = p[:, : self.n_classes_]
            p = p / p.sum(axis=1, keepdims=True)
        return p

    def predict(self, X):
        """The most probable label of each row; columns of 0 and 1 where `fit` was given those."""
        p = self.predict_proba(X)
        if not self._columns:
            return self.classes_[p.argmax(axis=1)]
        if self._one_of_each(self.model_):
            return np.eye(self.n_classes_, dtype=int)[p.argmax(axis=1)]
        return (p > 0.5).astype(int)


class KerasRegressor(RegressorMixin, _KerasEstimator):
    __doc__ = (
        _KerasEstimator.__doc__.replace(
            "What both wrappers share.",
            "A function that makes a compiled Keras model, as a regressor.",
        )
        + """
    Examples
    --------
    >>> import nnlite as keras
    >>> from nnlite.wrappers.scikit_learn import KerasRegressor
    >>> from sklearn.datasets import make_regression
    >>> def create_model(units=16):
    ...     model = keras.Sequential([
    ...         keras.layers.Dense(units, activation="relu"), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.Adam(0.05), "mse")
    ...     return model
    >>> X, y = make_regression(200, 5, random_state=0)
    >>> regressor = KerasRegressor(create_model, units=32, epochs=50, random_state=0)
    >>> regressor.fit(X, y).score(X, y) > 0.9
    True
    """
    )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _learn_target(self, y):
        self._one_dimensional, self.n_outputs_ = y.ndim == 1, y[0].size

    def _about_target(self):
        return {"n_outputs_": self.n_outputs_, "target_type_": "continuous"}

    def _default_loss(self, model):
        return "mean_squared_error"

    def _encoded(self, y, model):
        return y.reshape(len(y), -1)

    def predict(self, X):
        """The predicted values, (n_samples,) or (n_samples, n_outputs) as y was in `fit`."""
        values = self._outputs(X)
        return values[:, 0] if self._one_dimensional else values
