"""KerasClassifier and KerasRegressor: a function that makes a compiled model, as an estimator.

The arguments of that function are settings of the estimator, which a search can change by name.
Everything else is as in `NNClassifier` and `NNRegressor`, with two exceptions: the defaults are
Keras's, and the model is trained as it was compiled, on targets in the form that its loss expects.
"""

import inspect

import numpy as np
from sklearn.base import is_classifier

from nnlite import config, losses, names, optimizers
from nnlite.configurable import clone
from nnlite.errors import did_you_mean, prefixed
from nnlite.estimators import NNClassifier, NNRegressor
from nnlite.estimators.builder import Builder
from nnlite.estimators.compiled_model import check_outputs
from nnlite.estimators.docstrings import inject_docs
from nnlite.estimators.nested_params import settings_of
from nnlite.estimators.targets import Binary, Multilabel, OneHot
from nnlite.layers import Layer
from nnlite.models.model import Model
from nnlite.wrappers.predictions import PredictionsMixin

__all__ = ["KerasClassifier", "KerasRegressor"]

__getattr__ = names.of(__name__)

# Prefixes of arguments: `model__units` is the same as `units`, an argument of the function.
MODEL, OPTIMIZER = "model__", "optimizer__"


class ModelBuilder(Builder):
    """Calls a function that returns a whole model.

    Parameters
    ----------
    function : function
        Returns the model.
    arguments : function
        Returns the keyword arguments for `function`. It is called when they are needed.
    """

    decides_scale = True

    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments

    def check(self):
        """Raise an error if there is no function, or no value for one of its arguments."""
        if not callable(self.function) or isinstance(self.function, Layer):
            raise TypeError(
                f"build_fn: expected a function that returns a model, got {self.function!r}; "
                "NNClassifier and NNRegressor take layers, SKLearnClassifier and "
                "SKLearnRegressor a compiled model"
            )
        self.arguments()

    def build(self, meta):
        """The model that the function returns, compiled or not."""
        made = self.function(**self.arguments())
        if not isinstance(made, Model):
            raise TypeError(f"build_fn: expected it to return a model, got {made!r}")
        return made


@inject_docs
class _KerasEstimator(PredictionsMixin):
    """A function that makes a model, as an estimator.

    Parameters
    ----------
    build_fn : function
        Returns a model, compiled or not. It is called with the settings of the estimator that it
        has arguments for. Two arguments have a meaning: `meta` is a dict of what `fit` learned
        about the data (`n_features_in_`, `X_shape_`, `n_outputs_`, `target_type_`, and of a
        classifier `classes_`, `n_classes_`), `compile_kwargs` is a dict of `optimizer`, `loss` and
        `metrics`.
    model : function, optional
        The same as `build_fn`, under SciKeras's name.
    optimizer, loss, metrics : optional
        As in `Model.compile`, for a model that is not compiled; by default 'rmsprop', a loss that
        suits the targets, and no metrics. The optimizer replaces that of a compiled model.
    batch_size : int or 'auto', default 32
        The number of rows in a batch; 'auto' is as in `NNClassifier`.
    epochs : int, default 1
        The number of epochs of a `fit`.
    validation_split : float in [0, 1), default 0.0
        The part of the rows, taken from their end, on which each epoch is evaluated.
    shuffle : bool, default True
        Whether each epoch has the rows in a new random order.
    early_stopping, validation_fraction, scoring, refit_full, warm_start, callbacks, random_state, \
verbose, n_threads, dtype, class_weight
        As in `NNClassifier`, but without early stopping by default. `class_weight` is for
        classifiers only.
    **arguments
        Arguments of the function, as `name` or `model__name`, and settings of the optimizer, as
        `optimizer__name`.

    Attributes
    ----------
    model_ : Model
        The trained model.
    history_ : dict of str to list of float
        The metrics of each epoch.
    n_iter_ : int
        The number of epochs that were run. All other attributes are as in `NNClassifier`.
    """

    _warns_of_few_epochs = False  # as Keras

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
        early_stopping=False,
        validation_fraction=0.1,
        scoring=None,
        refit_full=False,
        warm_start=False,
        callbacks=None,
        random_state=None,
        verbose=0,
        n_threads=None,
        dtype="auto",
        class_weight=None,
        **arguments,
    ):
        settings = {k: v for k, v in locals().items() if k not in ("self", "arguments")}
        vars(self).update(settings, **arguments)

    # Settings

    @classmethod
    def _get_param_names(cls):
        """The arguments of the constructors of this class and of its subclasses."""
        ours = cls.__mro__[: cls.__mro__.index(_KerasEstimator) + 1]
        found = [inspect.signature(c.__init__).parameters for c in ours if "__init__" in vars(c)]
        named = (p for parameters in found for p in parameters.values())
        return sorted({p.name for p in named if p.kind is not p.VAR_KEYWORD} - {"self"})

    def _arguments(self, prefix=""):
        """The settings with a prefix that no constructor names, without the prefix."""
        named = self._get_param_names()
        return {
            name.removeprefix(prefix): value
            for name, value in vars(self).items()
            if not (name in named or name[0] == "_" or _is_learned(name))
            and name.startswith(prefix)
        }

    @property
    def _function(self):
        return self.model if self.build_fn is None else self.build_fn

    def _parameters(self):
        """The arguments of the function by name, each an inspect.Parameter."""
        try:
            return inspect.signature(self._function).parameters
        except (TypeError, ValueError):  # no function
            return {}

    def _takes(self, name):
        """Whether this is an argument of the function or a setting of the optimizer."""
        known, argument = self._parameters(), name.removeprefix(MODEL)
        any_other = "__" not in argument and any(p.kind is p.VAR_KEYWORD for p in known.values())
        return argument in known or any_other or name.startswith(OPTIMIZER)

    def get_params(self, deep=True):
        """The settings by name, with the arguments of the function.

        Parameters
        ----------
        deep : bool, default True
            Whether to add the settings of specs, and the defaults of the function's arguments.

        Returns
        -------
        dict of str to object
        """
        defaults = self._defaults() if deep else {}
        return {**defaults, **super().get_params(deep), **self._arguments()}

    def _defaults(self):
        """The defaults of the function's arguments."""
        return {
            p.name: p.default
            for p in self._parameters().values()
            if p.default is not p.empty and MODEL + p.name not in vars(self)
        }

    def _virtual_params(self, settings):
        """An empty dict: settings of the optimizer are stored under the names they were given."""
        return {}

    def _set_step(self, name, value):
        if self._takes(name):
            setattr(self, name, value)
        else:
            super()._set_step(name, value)

    def _set_nested(self, name, inner):
        taken = {k: v for k, v in inner.items() if self._takes(f"{name}__{k}")}
        vars(self).update((f"{name}__{k}", v) for k, v in taken.items())
        if others := {k: v for k, v in inner.items() if k not in taken}:
            super()._set_nested(name, others)

    def _check_settings(self):
        super()._check_settings()
        if self.class_weight is not None and not is_classifier(self):
            raise ValueError(
                f"class_weight: expected None for a regressor, got {self.class_weight!r}"
            )
        for name in self._arguments():
            if not self._takes(name):
                raise ValueError(
                    f"{name}: no setting, nor an argument of build_fn, whose arguments are "
                    f"{', '.join(self._parameters()) or 'none'}"
                )

    # Training

    def fit(self, X, y, sample_weight=None, validation_data=None, **settings):
        """Call the function for a model and train the model.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As in `NNClassifier.fit`.
        validation_data : tuple (X_val, y_val) or (X_val, y_val, sample_weight_val), optional
            Validation data, evaluated after each epoch; they take the place of rows held out of X.
        **settings
            `epochs`, `batch_size`, `callbacks` and other settings, for this call only.

        Returns
        -------
        self
        """
        if unknown := settings.keys() - {*self._get_param_names()}:
            raise TypeError(
                f"fit: unknown argument {', '.join(sorted(unknown))}; it takes settings by name"
                f"{did_you_mean(min(unknown), self._get_param_names())}"
            )
        if validation_data is not None and not (
            isinstance(validation_data, (tuple, list)) and len(validation_data) in (2, 3)
        ):
            raise TypeError(
                "validation_data: expected (X_val, y_val) or (X_val, y_val, sample_weight_val), "
                f"got {type(validation_data).__name__}"
            )
        before = {name: getattr(self, name) for name in settings}
        vars(self).update(settings)
        try:
            return super().fit(X, y, sample_weight, *(validation_data or ()))
        finally:
            vars(self).update(before)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags

    def _seed(self):
        """A seed; without a `random_state` it follows from `keras.utils.set_random_seed`."""
        return super()._seed() if self.random_state is not None else config.next_seed() % 2**31

    def _resolve_auto(self, name):
        """None: the function decides, and its arguments may have the names of such settings."""

    def _holds_out(self, stopping):
        return self.validation_split > 0 or super()._holds_out(stopping)

    def _split(self, data, seed):
        if not self.validation_split:
            return super()._split(data, seed)
        kept = int(data.rows * (1 - self.validation_split))
        if not 0 < kept < data.rows:
            raise ValueError(
                f"validation_split: expected some of {data.rows} rows and not all, got "
                f"{self.validation_split}"
            )
        return np.split(np.arange(data.rows), [kept])

    def _shuffled(self, batches):
        return super()._shuffled(batches) if self.shuffle else batches

    def _learn_target(self, y, classes=None):
        super()._learn_target(y, classes)
        self.X_shape_ = (len(y), *self._sample_shape)

    def _builder(self):
        return ModelBuilder(self._function, self._call_arguments)

    def _call_arguments(self):
        """The arguments of the function: settings, and what follows from the data."""
        named, settings = self._get_param_names(), vars(self)
        found = {name: value for name, value in self._arguments().items() if "__" not in name}
        found.update(self._arguments(MODEL))
        for name, p in self._parameters().items():
            if name in found or p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                continue
            if name == "meta":
                found[name] = {k: v for k, v in settings.items() if _is_learned(k)}
            elif name == "compile_kwargs":
                found[name] = self._compile_arguments()
            elif name in named and not (settings[name] is None and p.default is not None):
                found[name] = settings[name]
            elif p.default is p.empty:
                raise ValueError(
                    f"{name}: expected a value for this argument of build_fn, as in "
                    f"{type(self).__name__}(build_fn, {name}=...)"
                )
        return found

    def _compile_arguments(self):
        """The arguments of `Model.compile` for a model that the function does not compile."""
        optimizer = self._optimizer_spec("rmsprop")
        return {"optimizer": optimizer, "loss": self.loss, "metrics": self.metrics}

    def _optimizer_spec(self, of_model=None):
        chosen = of_model if self.optimizer is None else self.optimizer
        if chosen is None:  # the optimizer of a model that is not made yet
            return None
        with prefixed("optimizer: "):
            optimizer = clone(optimizers.get(chosen), **self._arguments(OPTIMIZER))
        optimizer._check()
        return optimizer

    def _check_outputs(self, model, meta):
        check_outputs(model, meta, "build_fn")

    def _compile(self, model):
        """Compile the model as it was, but with this estimator's optimizer and a weighted mean."""
        if model.optimizer is None:
            how = self._compile_arguments()
            if self.loss is None:
                two = isinstance(self._target, Binary) and model.output_shape[-1] > 1
                how["loss"] = "sparse_categorical_crossentropy" if two else self._target.loss()
        else:
            how = {**model._compiled, "optimizer": self._optimizer_spec(model.optimizer)}
        if isinstance(how["loss"], str) or callable(how["loss"]):
            loss = losses.as_loss(how["loss"])
            if settings_of(loss).get("reduction") in ("sum_over_batch_size", "mean"):
                how["loss"] = clone(loss, reduction="mean_with_sample_weight")
        threads = self.n_threads or model.n_threads
        model.compile(**how, run_eagerly=model.run_eagerly, n_threads=threads)


def _is_learned(name):
    """Whether this is the name of an attribute that `fit` learned."""
    return name[0] != "_" and name[-1] == "_"


class KerasClassifier(_KerasEstimator, NNClassifier):
    """A function that makes a compiled Keras model, as a classifier.

    Labels may be of any type. They are encoded in the form that the model's loss expects: class
    numbers for a sparse loss, columns of 0 and 1 for any other loss. y may also be columns of 0
    and 1 itself; if each of its rows has a single 1, `predict` returns such rows.

    Parameters
    ----------
    build_fn : function
        Returns a model; its arguments are settings of the estimator. See `KerasRegressor`.
    model, optimizer, loss, metrics, batch_size, epochs, validation_split, shuffle
        See `KerasRegressor`.
    early_stopping, validation_fraction, scoring, refit_full, warm_start, callbacks, random_state, \
verbose, n_threads, dtype, class_weight
        As in `NNClassifier`, but without early stopping by default.
    **arguments
        See `KerasRegressor`.

    Attributes
    ----------
    classes_ : array
        The labels, sorted; if y is a matrix of labels, the indices of its columns.

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

    def _learn_target(self, y, classes=None):
        super()._learn_target(y, classes)
        self.n_classes_, self.n_outputs_ = len(self.classes_), 1
        if isinstance(self._target, Multilabel) and (y.sum(axis=1) == 1).all():
            self._target = OneHot(y)
        self.target_type_ = self._target.target_type

    def _check_outputs(self, model, meta):
        """Allow more outputs than labels: labels need not begin at 0."""
        if meta.task == "multilabel" or model.output_shape[-1] <= self.n_classes_:
            super()._check_outputs(model, meta)

    def _targets_for_loss(self, model, target):
        """Class numbers for a loss with 'sparse' in its name, else columns of 0 and 1."""
        width = model.output_shape[-1]
        if isinstance(self._target, Multilabel) or width == 1:
            return target
        target = target.reshape(-1).astype(np.int32)
        sparse = "sparse" in f"{type(model.loss).__name__} {model.loss}".lower()
        return target if sparse else np.eye(width, dtype=model._precision)[target]

    def _set_model(self, model):
        super()._set_model(model)
        self._from_logits = self._from_logits or model.output_shape[-1] > self.n_classes_

    def predict_proba(self, X, **options):
        """Predict the probability of each class, as `NNClassifier.predict_proba`.

        Parameters
        ----------
        X : array-like
            As for `fit`.
        **options
            `batch_size`, `verbose` and others of `Model.predict`.

        Returns
        -------
        array, shape (n_samples, n_classes)
        """
        self._check_options("predict_proba", options)
        return self._target.probabilities(self._outputs(X, **options))

    def _logits_of(self, rows, **options):
        """The logits of the labels that occur in y, without those of other outputs."""
        return super()._logits_of(rows, **options)[:, : self.n_classes_]


class KerasRegressor(_KerasEstimator, NNRegressor):
    __doc__ = (
        _KerasEstimator.__doc__.replace("as an estimator", "as a regressor")
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

    def _learn_target(self, y, classes=None):
        super()._learn_target(y, classes)
        self.target_type_ = self._target.target_type
