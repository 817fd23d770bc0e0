"""The settings that both estimators share: which values are legal, and how each is read and changed
under its name. (`docstrings.py` says what they mean.)"""

import numbers
from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from nnlite import optimizers
from nnlite.callbacks import EarlyStopping
from nnlite.callbacks.foreign import as_callbacks, is_callback
from nnlite.checks import positive_int
from nnlite.config import REALS
from nnlite.configurable import Configurable, clone
from nnlite.errors import prefixed
from nnlite.estimators import columns, defaults, encoding, words
from nnlite.estimators.architecture import Stack
from nnlite.estimators.builder import builder_of
from nnlite.estimators.defaults import is_auto
from nnlite.estimators.measured import check_metrics
from nnlite.estimators.nested_params import (
    clone_with_params,
    deep_settings,
    group_nested,
    is_passthrough,
    renamed,
    spec_of,
    without,
)
from nnlite.estimators.steps import check_names, steps_of, with_step
from nnlite.layers import Layer


def as_int(value):
    """An int for a float without a fraction, which searches may give; other values unchanged."""
    is_whole = isinstance(value, (float, np.floating)) and value == value // 1
    return int(value) if is_whole else value


def _accepts(check, *args):
    """Whether a check does not raise."""
    try:
        check(*args)
    except (TypeError, ValueError):
        return False
    return True


def _is_seed(value):
    """Whether this is an int that scikit-learn accepts. (To make a RandomState of it is slow.)"""
    return isinstance(value, numbers.Integral) and 0 <= value < 2**32


def is_dict_of_weights(values):
    """Whether this is a dict of numbers of at least 0."""
    return isinstance(values, Mapping) and all(
        isinstance(v, numbers.Real) and 0 <= v < np.inf for v in values.values()
    )


# Name -> whether a value is legal, and which values are. Specs are checked when they are copied.
_PARAMETER_CONSTRAINTS = {
    "activation": (lambda v: not isinstance(v, type), "the name of an activation or a function"),
    "optimizer": (
        lambda v: not isinstance(v, type) or issubclass(v, optimizers.Optimizer),
        "the name of an optimizer or an Optimizer",
    ),
    "learning_rate": (
        lambda v: not isinstance(v, (type, Layer, str)),
        "None, a number in [0, inf) or a LearningRateSchedule",
    ),
    "normalize": (
        lambda v: is_auto(v) or isinstance(v, (bool, np.bool_)),
        "'auto', True or False",
    ),
    "categorical_features": (
        columns.check_setting,
        "'from_dtype', None, or a mask, names or indices of columns",
    ),
    "numeric_encoding": (
        encoding.is_legal,
        "'auto', 'piecewise', 'target', 'periodic', a Layer or None",
    ),
    "ensemble": (
        lambda v: is_auto(v) or _accepts(positive_int, "", v),
        "'auto' or a positive integer",
    ),
    "preset": (
        lambda v: isinstance(v, str) and v in ("fast", "default", "best"),
        "'fast', 'default' or 'best'",
    ),
    "schedule": (
        lambda v: v is None or is_auto(v) or (isinstance(v, str) and v == "cosine"),
        "'auto', 'cosine' or None",
    ),
    "batch_size": (
        lambda v: is_auto(v) or _accepts(positive_int, "", v),
        "'auto' or a positive integer",
    ),
    "epochs": (
        lambda v: is_auto(v) or _accepts(positive_int, "", v),
        "'auto' or a positive integer",
    ),
    "shuffle": (lambda v: isinstance(v, (bool, np.bool_)), "True or False"),
    "early_stopping": (
        lambda v: is_auto(v) or isinstance(v, (bool, np.bool_, EarlyStopping)),
        "'auto', True, False or an EarlyStopping",
    ),
    "validation_fraction": (
        lambda v: isinstance(v, numbers.Real) and 0 < v < 1,
        "a number in (0, 1)",
    ),
    "validation_split": (
        lambda v: isinstance(v, numbers.Real) and 0 <= v < 1,
        "a number in [0, 1)",
    ),
    "scoring": (
        lambda v: v is None or isinstance(v, str) or callable(v),
        "None, the name of a scorer or a function of (estimator, X, y)",
    ),
    "refit_full": (lambda v: isinstance(v, (bool, np.bool_)), "True or False"),
    "warm_start": (lambda v: isinstance(v, (bool, np.bool_)), "True or False"),
    "random_state": (
        lambda v: _is_seed(as_int(v)) or _accepts(check_random_state, v),
        "None, an integer in [0, 2**32) or a RandomState",
    ),
    "verbose": (lambda v: isinstance(v, (numbers.Real, np.bool_)) and v in (0, 1, 2), "0, 1 or 2"),
    "n_threads": (
        lambda v: v is None or _accepts(positive_int, "", v),
        "None or a positive integer",
    ),
    "dtype": (
        lambda v: isinstance(v, str) and v in ("auto", *REALS),
        "'auto', 'float32' or 'float64'",
    ),
}

# Settings that may hold specs. A nested name has no effect if the setting holds none.
_SPECS = ("layers", "optimizer", "learning_rate", "early_stopping", "callbacks", "numeric_encoding")
_LISTS = ("layers", "callbacks")
_STAY_AUTO = ("early_stopping", "numeric_encoding")  # when settings are set again as they were
_OLD_NAME = "optimizer__lr"  # Keras's older name of optimizer__learning_rate


class NestedParamsMixin(BaseEstimator):
    """An estimator whose settings all have names, also the settings of its specs.

    A spec is never changed, because others may share it: the estimator gets a changed copy.
    """

    def get_params(self, deep=True):
        """The settings by name.

        Parameters
        ----------
        deep : bool, default True
            Whether to add the steps of `layers` and `callbacks` under their names, and the
            settings of specs as `hidden__units` and `optimizer__learning_rate`.

        Returns
        -------
        dict of str to object
        """
        settings = super().get_params(deep=False)
        if not deep:
            return settings
        found = {}
        for name, value in settings.items():
            for step, spec in steps_of(value, settings) if name in _LISTS else ():
                if step is not None:
                    found[step] = spec
                    found.update((f"{step}__{k}", v) for k, v in deep_settings(spec).items())
            if not (name in _STAY_AUTO and is_auto(value)):
                nested = deep_settings(self._spec(name, value))
                found.update((f"{name}__{k}", v) for k, v in nested.items())
        found.update(settings)
        found.pop(_OLD_NAME, None)  # it can be set, but is not shown
        for name, stored in self._virtual_params(settings).items():
            if name not in (stored, _OLD_NAME):
                found = without(found, name) | renamed(found, stored, name)
        return found

    def _virtual_params(self, settings):
        """Parameters that are only other names -> the parameter that holds the value.

        Both names of the optimizer's learning rate stand for `learning_rate` if that is not None.
        If several are set at once, the last of them counts.
        """
        is_apart = settings.get("learning_rate") is not None
        stored = "learning_rate" if is_apart else "optimizer__learning_rate"
        return {_OLD_NAME: stored, "optimizer__learning_rate": stored}

    def set_params(self, **params):
        """Change settings by name.

        Parameters
        ----------
        **params
            Settings by the names that `get_params` gives them. Their order does not matter: whole
            settings are changed first, then steps, then what is nested in them. A name that is
            nested in None or in 'passthrough' has no effect. `fit` checks the values.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no setting of a name; nothing is changed then.
        """
        before = dict(vars(self))
        settings = BaseEstimator.get_params(self, deep=False)
        virtual = self._virtual_params({**settings, **params})
        stored = without(params, *virtual)
        for name, place in virtual.items():
            stored.update(renamed(params, name, place))
        direct, nested = group_nested(stored)
        try:
            for name in sorted(direct, key=lambda name: name not in settings):
                if name in settings:
                    setattr(self, name, direct[name])
                else:
                    self._set_step(name, direct[name])
            for name, inner in nested.items():
                self._set_nested(name, inner)
        except ValueError:
            vars(self).clear()
            vars(self).update(before)
            raise
        return self

    def _spec(self, name, value):
        """The object with settings that a setting's value stands for, or None."""
        if name == "optimizer":
            found = optimizer_of(value)
            if found is not None and (rate := found.get_params(deep=False).get("lr")) is not None:
                found = with_learning_rate(found, rate)
            return found
        if name == "early_stopping":
            value = defaults.early_stopping_of(value)
        if name == "numeric_encoding":
            value = encoding.layer_of(value)
        return spec_of(name, value) if name in _SPECS or isinstance(value, Configurable) else None

    def _find(self, name):
        """The setting that has a step of this name, the index of the step in it, and the step."""
        settings = BaseEstimator.get_params(self, deep=False)
        for setting in _LISTS:
            for place, (step, spec) in enumerate(steps_of(settings.get(setting), settings)):
                if step == name:
                    return setting, place, spec
        raise ValueError(
            f"Invalid parameter {name!r} for estimator {type(self).__name__}"
            f"{words.meant_by(name, '...', ())}. "
            f"Valid parameters are: {', '.join(sorted(self.get_params()))}"
        )

    def _set_step(self, name, step):
        setting, place, _ = self._find(name)
        setattr(self, setting, with_step(getattr(self, setting), place, step, name))

    def _set_nested(self, name, inner):
        """Replace a spec by a copy with changed settings."""
        if name not in BaseEstimator.get_params(self, deep=False):
            setting, place, step = self._find(name)
            if not is_passthrough(step):
                changed = self._adjusted(name, step, step, inner)
                setattr(self, setting, with_step(getattr(self, setting), place, changed))
            return
        value = getattr(self, name)
        absent = is_passthrough(value) or (isinstance(value, (bool, np.bool_)) and not value)
        if not (absent and name in _SPECS):
            setattr(self, name, self._adjusted(name, value, self._spec(name, value), inner))

    def _adjusted(self, name, value, spec, inner):
        if not (isinstance(spec, Configurable) or callable(spec)):
            raise ValueError(
                f"Invalid parameter {f'{name}__{next(iter(inner))}'!r}: {name} is {value!r}, which "
                f"has no settings. Valid parameters are: {', '.join(sorted(self.get_params()))}"
            )
        return clone_with_params(spec, inner)

    # What `fit` makes from the settings

    def _check_settings(self):
        """Raise for any setting that is wrong, before any work."""
        settings = BaseEstimator.get_params(self, deep=False)
        for name, (is_legal, legal) in _PARAMETER_CONSTRAINTS.items():
            if name in settings and not is_legal(settings[name]):
                more = words.about_value(name, settings[name])
                raise ValueError(f"{name}: expected {legal}, got {settings[name]!r}{more}")
        self._builder().check()
        self._optimizer_spec()
        self._callbacks()
        check_metrics(settings.get("metrics"))
        lists = {name: settings[name] for name in _LISTS if steps_of(settings.get(name))}
        check_names(settings, lists)

    def _builder(self):
        """The builder of the network that `layers` describes."""
        activation = words.activation_of(self.activation)
        return builder_of(self.layers, activation, self.hidden_layer_sizes)

    def _optimizer_spec(self, of_model=None):
        """A fresh optimizer with this estimator's learning rate.

        A copy of `of_model`, the optimizer of a compiled Model, if there is one.
        """
        with prefixed("optimizer: "):
            optimizer = clone(optimizers.get(self.optimizer) if of_model is None else of_model)
        if optimizer is None:
            raise TypeError("optimizer: expected an optimizer or its name, got None")
        if self.learning_rate is not None and optimizer.whole_batches:
            raise ValueError(
                f"learning_rate: expected None, as {type(optimizer).__name__} searches for the "
                f"length of each step, got {self.learning_rate!r}"
            )
        if self.learning_rate is not None:
            optimizer = with_learning_rate(optimizer, self.learning_rate)
        optimizer._check()
        return optimizer

    def _callbacks(self):
        """Fresh copies of the callbacks."""
        callbacks = [] if self.callbacks is None else self.callbacks
        callbacks = [callbacks] if is_callback(callbacks) else callbacks
        steps = [step for _, step in steps_of(callbacks)]
        legal = isinstance(callbacks, (list, tuple, Stack)) and len(steps) == len(
            callbacks.layers if isinstance(callbacks, Stack) else callbacks
        )
        if not legal or not all(is_callback(s) or is_passthrough(s) for s in steps):
            raise TypeError(f"callbacks: expected Callback objects, got {self.callbacks!r}")
        return as_callbacks([clone(step) for step in steps if not is_passthrough(step)])

    def _stopping(self, rows, recipe=None):
        """A fresh EarlyStopping for a fit of this number of rows, or None.

        Of several networks the recipe is given.
        """
        return defaults.early_stopping(self.early_stopping, rows, self.scoring, recipe)


def optimizer_of(value):
    """The Optimizer that a value such as a name or a class stands for; None if there is none."""
    try:
        found = optimizers.get(value)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, optimizers.Optimizer) else None


def with_learning_rate(optimizer, learning_rate):
    """A copy of an optimizer with this rate; `lr`, Keras's older name of it, is set to None."""
    rate = {"learning_rate": learning_rate, "lr": None}
    known = optimizer.get_params(deep=False)
    return clone(optimizer, **{name: value for name, value in rate.items() if name in known})
