"""KerasClassifier and KerasRegressor: a function that makes a compiled model, as an estimator.

The arguments of that function are settings of the estimator: a search finds them by their names.
All else is `NNClassifier`'s and `NNRegressor`'s, but for Keras's defaults and for one rule: the
model is trained as it was compiled, on targets such as its loss takes.
"""

import inspect

import numpy as np
from sklearn.base import is_classifier

from nnlite import config, losses, optimizers
from nnlite.configurable import clone
from nnlite.estimators import NNClassifier, NNRegressor
from nnlite.estimators.builder import Builder
from nnlite.estimators.compiled_model import check_outputs
from nnlite.estimators.nested_params import settings_of
from nnlite.estimators.parameters import inject_docs
from nnlite.estimators.targets import Binary, Multilabel, OneHot
from nnlite.layers import Layer
from nnlite.models.model import Model

# A prefix says whose setting it is: `model__units` is the same argument as `units`.
MODEL, OPTIMIZER = "model__", "optimizer__"


class ModelBuilder(Builder):
    """Calls a function that returns a whole model.

    Parameters
    ----------
    function : function
    arguments : function
        Returns the arguments of the call by name; it is called as late as they are needed.
    """

    decides_scale = True

    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments

    def check(self):
        """Raise an error if there is no function, or no value for one of its arguments."""
        if not callable(self.function) or isinstance(self.function, Layer):
            raise TypeError(
                f"build_fn: expected a function that returns a model, got {self.function!r}; "
                "NNClassifier(layers=[...]) takes layers"
            )
        self.arguments()

    def build(self, meta):
        """The model that the function returns, compiled or not."""
        made = self.function(**self.arguments())
        if not isinstance(made, Model):
            raise TypeError(f"build_fn: expected it to return a model, got {made!r}")
        return made


@inject_docs
class _KerasEstimator:
    """A function that makes a model, as an estimator.

    Parameters
    ----------
    build_fn : function
        Returns a model, compiled or not. It is given those settings of the estimator that it has
        arguments for, and, where it asks for them, `meta` (a dict of what `fit` learned of the
        data: `n_features_in_`, `X_shape_`, `n_outputs_`, `target_type_` and a classifier's
        `classes_`, `n_classes_`) and `compile_kwargs` (`optimizer`, `loss`, `metrics`).
    model : function, optional
        The same, under SciKeras's name.
    optimizer, loss, metrics : optional
        As of `Model.compile`, for a model that comes uncompiled; by default 'rmsprop', a loss that
        fits the targets, and none. The optimizer takes the place of a compiled model's.
    batch_size : int or 'auto', default 32
    epochs : int, default 1
    validation_split : float in [0, 1), default 0.0
        The part of the rows, the last ones, that each epoch is evaluated on.
    shuffle : bool, default True
        Whether every epoch has the rows in another order.
    early_stopping, validation_fraction, scoring, refit_full, warm_start, callbacks, random_state, \
verbose, n_threads, dtype, class_weight
        As of `NNClassifier`, but no early stopping by default. `class_weight` is a classifier's.
    **arguments
        Arguments of the function, also as `model__name`; settings of the optimizer as
        `optimizer__name`.

    Attributes
    ----------
    model_ : Model
    history_ : dict of str to list of float
    n_iter_ : int
        Epochs run. There are all other attributes of `NNClassifier`, too.
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
        """Of the constructors of this class and of those that pass on what they do not name."""
        ours = cls.__mro__[: cls.__mro__.index(_KerasEstimator) + 1]
        found = [inspect.signature(c.__init__).parameters for c in ours if "__init__" in vars(c)]
        named = (p for parameters in found for p in parameters.values())
        return sorted({p.name for p in named if p.kind is not p.VAR_KEYWORD} - {"self"})

    def _arguments(self, prefix=""):
        """The settings that no constructor names and that have a prefix, without it."""
        own = self._get_param_names()
        return {
            name.removeprefix(prefix): value
            for name, value in vars(self).items()
            if not (name in own or name[0] == "_" or _is_learned(name)) and name.startswith(prefix)
        }

    @property
    def _function(self):
        return self.model if self.build_fn is None else self.build_fn

    def _parameters(self):
        """What the function takes: inspect.Parameter by name."""
        try:
            return inspect.signature(self._function).parameters
        except (TypeError, ValueError):  # no function
            return {}

    def _takes(self, name):
        """Whether this is an argument of the function or a setting of the optimizer."""
        known, plain = self._parameters(), name.removeprefix(MODEL)
        any_other = "__" not in plain and any(p.kind is p.VAR_KEYWORD for p in known.values())
        return plain in known or any_other or name.startswith(OPTIMIZER)

    def get_params(self, deep=True):
        """The settings by name, those in specs and the arguments of the function among them."""
        defaults = {
            p.name: p.default
            for p in self._parameters().values()
            if deep and p.default is not p.empty and MODEL + p.name not in vars(self)
        }
        return {**defaults, **super().get_params(deep), **self._arguments()}

    def _virtual_params(self, settings):
        """None: settings of the optimizer are kept apart from it, under any name."""
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
        """Make a model by the function and train it.

        Parameters
        ----------
        X, y, sample_weight
            As of `NNClassifier.fit`.
        validation_data : tuple (X_val, y_val) or (X_val, y_val, sample_weight_val), optional
        **settings
            `epochs`, `batch_size`, `callbacks` and others of the estimator, for this once.

        Returns
        -------
        self
        """
        if unknown := settings.keys() - {*self._get_param_names()}:
            raise TypeError(f"fit: no argument {', '.join(unknown)}; it takes settings by name")
        lasting = {name: getattr(self, name) for name in settings}
        vars(self).update(settings)
        try:
            return super().fit(X, y, sample_weight, *(validation_data or ()))
        finally:
            vars(self).update(lasting)

    def _seed(self):
        """By default what follows from `keras.utils.set_random_seed`, as for a model alone."""
        alone = self.random_state is None
        return config.next_seed() % 2**31 if alone else super()._seed()

    def _resolve_auto(self, name):
        """None: the function decides; its arguments may have the names of such settings."""

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
        own, settings = self._get_param_names(), vars(self)
        given = {name: value for name, value in self._arguments().items() if "__" not in name}
        given.update(self._arguments(MODEL))
        for name, p in self._parameters().items():
            if name in given or p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                continue
            if name == "meta":
                given[name] = {k: v for k, v in settings.items() if _is_learned(k)}
            elif name == "compile_kwargs":
                given[name] = self._compile_arguments()
            elif name in own and not (settings[name] is None and p.default is not None):
                given[name] = settings[name]
            elif p.default is p.empty:
                raise ValueError(
                    f"{name}: expected a value for this argument of build_fn, as in "
                    f"{type(self).__name__}(build_fn, {name}=...)"
                )
        return given

    def _compile_arguments(self):
        """How a model is compiled that the function leaves uncompiled."""
        optimizer = self._optimizer_spec("rmsprop")
        return {"optimizer": optimizer, "loss": self.loss, "metrics": self.metrics}

    def _optimizer_spec(self, given=None):
        chosen = given if self.optimizer is None else self.optimizer
        if chosen is None:  # that of a model which is not made yet
            return None
        optimizer = clone(optimizers.get(chosen), **self._arguments(OPTIMIZER))
        optimizer._check()
        return optimizer

    def _check_outputs(self, model, meta):
        check_outputs(model, meta, "build_fn")

    def _compile(self, model):
        """As it was, but with this estimator's optimizer, and by the weighted mean of the loss."""
        if model.optimizer is None:
            how = self._compile_arguments()
            if self.loss is None:
                two = isinstance(self._target, Binary) and model.output_shape[-1] > 1
                how["loss"] = "sparse_categorical_crossentropy" if two else self._target.loss()
        else:
            how = {**model._compiled, "optimizer": self._optimizer_spec(model.optimizer)}
        if isinstance(how["loss"], str) or callable(how["loss"]):
            loss = losses.get(how["loss"])
            if settings_of(loss).get("reduction") in ("sum_over_batch_size", "mean"):
                how["loss"] = clone(loss, reduction="mean_with_sample_weight")
        threads = self.n_threads or model.n_threads
        model.compile(**how, run_eagerly=model.run_eagerly, n_threads=threads)


def _is_learned(name):
    """Whether this is the name of something that `fit` learned."""
    return name[0] != "_" and name[-1] == "_"


class KerasClassifier(_KerasEstimator, NNClassifier):
    """A function that makes a compiled Keras model, as a classifier.

    Labels may be of any kind; they become what the model's loss takes: numbers of classes for a
    sparse one, columns of 0 and 1 for any other. y may be columns of 0 and 1 itself; where every
    row of it has a single 1, `predict` gives such rows.

    Parameters
    ----------
    build_fn : function
        Returns a model; its arguments are settings of the estimator. See `KerasRegressor`.
    epochs, batch_size, optimizer, callbacks, random_state, ...
        See `KerasRegressor`, too.

    Attributes
    ----------
    classes_ : array
        The labels, sorted; of a matrix of labels the numbers of its columns.

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
        """More outputs than labels are legal: labels need not begin at 0."""
        if meta.task == "multilabel" or model.output_shape[-1] <= self.n_classes_:
            super()._check_outputs(model, meta)

    def _targets_for_loss(self, model, target):
        """Columns of 0 and 1, but for a loss that is called sparse."""
        width = model.output_shape[-1]
        if isinstance(self._target, Multilabel) or width == 1:
            return target
        target = target.reshape(-1).astype(np.int32)
        sparse = "sparse" in f"{type(model.loss).__name__} {model.loss}".lower()
        return target if sparse else np.eye(width, dtype=model._precision)[target]

    def _set_model(self, model):
        super()._set_model(model)
        self._from_logits = self._from_logits or model.output_shape[-1] > self.n_classes_

    def _logits(self, X):
        """Of the labels that there are."""
        return super()._logits(X)[:, : self.n_classes_]


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
