"""The settings that both estimators share: which values are legal, what they mean, and how each is
read and changed by its name."""

import inspect
import numbers
from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from nnlite import optimizers
from nnlite.callbacks import Callback, EarlyStopping
from nnlite.configurable import Configurable, clone
from nnlite.estimators import defaults
from nnlite.estimators.architecture import Stack
from nnlite.estimators.builder import builder_of
from nnlite.estimators.defaults import is_auto
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
from nnlite.layers.core import positive_int


def as_int(value):
    """A float without a fraction as an int, as searches may deliver it; anything else as it is."""
    floating = isinstance(value, (float, np.floating)) and value == value // 1
    return int(value) if floating else value


def _accepts(check, *args):
    """Whether a check does not raise."""
    try:
        check(*args)
    except (TypeError, ValueError):
        return False
    return True


def _is_seed(value):
    """Whether this is an int that scikit-learn takes; to make a RandomState of it takes long."""
    return isinstance(value, numbers.Integral) and 0 <= value < 2**32


def is_dict_of_weights(values):
    """Whether this is a dict of numbers of at least 0."""
    return isinstance(values, Mapping) and all(
        isinstance(v, numbers.Real) and 0 <= v < np.inf for v in values.values()
    )


# Name -> whether a value is legal, and what is; specs are checked as they are copied.
_PARAMETER_CONSTRAINTS = {
    "activation": (lambda v: not isinstance(v, type), "the name of an activation or a function"),
    "optimizer": (
        lambda v: not isinstance(v, type) or issubclass(v, optimizers.Optimizer),
        "the name of an optimizer or an Optimizer",
    ),
    "learning_rate": (
        lambda v: not isinstance(v, (type, Layer)),
        "None, a number in [0, inf) or a LearningRateSchedule",
    ),
    "normalize": (
        lambda v: is_auto(v) or isinstance(v, (bool, np.bool_)),
        "'auto', True or False",
    ),
    "schedule": (
        lambda v: v is None or is_auto(v) or (isinstance(v, str) and v == "cosine"),
        "'auto', 'cosine' or None",
    ),
    "batch_size": (
        lambda v: is_auto(v) or _accepts(positive_int, "", v),
        "'auto' or a positive integer",
    ),
    "epochs": (lambda v: _accepts(positive_int, "", v), "a positive integer"),
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
        lambda v: isinstance(v, str) and v in ("auto", "float32", "float64"),
        "'auto', 'float32' or 'float64'",
    ),
}

_PARAMETERS = """Parameters
    ----------
    layers : list of Layer, Layer, Stack, MLP, int, tuple of int, str or function, default None
        The hidden layers. In a list or Stack an entry is a Layer or (name, Layer); None and
        'passthrough' in the place of a Layer leave it out. A name, or that of its type and place,
        is that of a setting: `hidden`, `hidden__units`, `dropout_1__rate`.
        Sizes such as 64, (64, 32) or '64-32' make a multilayer perceptron with `activation`, None
        one of `hidden_layer_sizes`; they flatten images.
        A function `build(meta, depth=2)` returns any of these, or a compiled Model with its output
        layer; its keyword arguments are settings, `layers__depth`. `meta` has `sample_shape`,
        `n_features`, `n_outputs` and `task`; a function may do without it.
        Where the first layer says what a sample looks like (`input_shape`, `Input`), X may be rows
        of as many values: `Conv2D(32, 3, input_shape=(28, 28, 1))` takes rows of 784 pixels.
    hidden_layer_sizes : int, sequence of int or str such as '64-32', default (256,)
    activation : str or function, default 'relu'
    normalize : 'auto', True or False, default 'auto'
        A layer before the others brings each column of X to mean 0 and variance 1, by the
        statistics of the rows of `fit` (weighted; of the first `partial_fit`), and far-out values
        to at most 8: no scaler is needed. 'auto' does so for rows of numbers, not for images, nor
        before a layer that has a scale of its own (normalization, `Rescaling`, `Embedding`). True
        does it for all, images by channel. Of a sparse X only the scale is changed. A regressor
        also learns its targets at mean 0 and variance 1, in which unit its losses are; `predict`
        maps back. False does nothing of this, nor does 'auto' where a function makes the
        network; True is an error where it makes a compiled model.
    optimizer : str or Optimizer, default 'adam'
        Its settings can be searched, also those of a name: `optimizer__beta_1`.
    learning_rate : float or LearningRateSchedule, default None
        None is the optimizer's own, `optimizer__learning_rate`. Any other value is what that name
        reads, and is changed by it.
    schedule : 'auto', 'cosine' or None, default 'auto'
        'cosine' lets the learning rate fall to nearly 0, along half a cosine over the epochs; so
        does 'auto', unless the optimizer has a schedule or a callback sets the rate. None leaves it
        as it is, as `partial_fit` always does.
    batch_size : int or 'auto', default 'auto'
        'auto' is 64, or 256 for 10,000 rows and more; never more than there are rows.
    epochs : int, default 200
    early_stopping : 'auto', bool or EarlyStopping, default 'auto'
        True stops when the loss on held-out rows has not improved for 30 epochs, and keeps the best
        weights; 'auto' does so from 500 rows up, and where `fit` is given `X_val`. An
        EarlyStopping says it in detail; rows are held out if what it monitors begins with 'val_'.
        `early_stopping__patience` and the like make an EarlyStopping of True and of 'auto', and
        have no effect on False.
    validation_fraction : float in (0, 1), default 0.1
        The part of the rows held out, the same of each class where that is possible.
    scoring : str or function of (estimator, X, y), default None
        A scorer of scikit-learn, such as 'roc_auc', or a function as these are. It scores the
        held-out rows after each epoch, without weights, as 'val_score'; early stopping as True or
        'auto' then goes by it. Of no effect where no rows are held out.
    refit_full : bool, default False
        Whether, after early stopping on rows held out of X, a new network is trained on all of X
        for the best number of epochs. `history_` and what is read off it stay those of the first.
    warm_start : bool, default False
        Whether `fit` goes on from the weights that another `fit` reached, for `epochs` more, with a
        fresh optimizer if its settings were changed; X and y must have the same columns and labels.
    callbacks : Callback or list of Callback, default None
        `fit` uses copies. Entries can have names as those of `layers` do; without one they are
        `reduce_lr_on_plateau_1` and the like.
        Those of scikit-learn (from 1.9 on: `ProgressBar`, `ScoringMonitor`) go to `set_callbacks`
        instead, of the estimator or of a search around it; they see every epoch.
    random_state : int, RandomState or None, default None
        The same int gives the same bits, on any number of threads.
    verbose : {0, 1, 2}, default 0
        Silent, a progress bar for each epoch, or a line for each.
    n_threads : int, default None
        At most this many; None is as many as the work is worth.
    dtype : {'auto', 'float32', 'float64'}, default 'auto'
        Precision. 'auto' is float32, except that `fit` trains float64 data of at most 16,384 values
        in float64 if the network has at most 20,000 weights.
"""

_ATTRIBUTES = """model_ : Sequential
        The trained model.
    history_ : dict of str to list of float
        Figures of each epoch: 'loss', a classifier's 'accuracy', 'val_loss' of held-out rows, ...
    loss_curve_, validation_loss_curve_ : list of float
        The losses of `history_`; the latter is None where no rows were held out.
    loss_ : float
        The last of `loss_curve_`.
    n_iter_, best_epoch_ : int
        Epochs run, and which of them early stopping found best; without it the last.
    n_features_in_, feature_names_in_ : int and array of str
        Columns of the X that was fitted (of images their height, X.shape[1]), and their names if
        all are strings.
    dtype_ : dtype
        The precision that was chosen: float32 or float64.
"""

# Settings that hold specs: where there is none, a nested name has no effect.
_SPECS = ("layers", "optimizer", "learning_rate", "early_stopping", "callbacks")
_LISTS = ("layers", "callbacks")


class NestedParamsMixin(BaseEstimator):
    """An estimator of which every setting has a name, those of its specs too.

    A spec that was given is never changed, as others may share it: the estimator gets a copy.
    """

    def get_params(self, deep=True):
        """The settings by name.

        Parameters
        ----------
        deep : bool, default True
            Also the steps of `layers` and `callbacks` by their names, and the settings of
            specs as `hidden__units` and `optimizer__learning_rate`.
        """
        own = super().get_params(deep=False)
        if not deep:
            return own
        found = {}
        for name, value in own.items():
            for step, spec in steps_of(value, own) if name in _LISTS else ():
                if step is not None:
                    found[step] = spec
                    found.update((f"{step}__{k}", v) for k, v in deep_settings(spec).items())
            if not (name == "early_stopping" and is_auto(value)):  # stays 'auto' when set again
                settings = deep_settings(self._spec(name, value))
                found.update((f"{name}__{k}", v) for k, v in settings.items())
        found.update(own)
        virtual = self._virtual_params(own)
        values = [renamed(found, stored, name) for name, stored in virtual.items()]
        found = without(found, *virtual)
        for value in values:
            found.update(value)
        return without(found, "optimizer__lr")  # which can be set, but is not shown

    def _virtual_params(self, settings):
        """Which parameters hold the values of those that are only other names.

        `optimizer__lr` is Keras's older name of `optimizer__learning_rate`; both stand for
        `learning_rate` where that is set. Of several that are set at once the last counts.
        """
        apart = settings.get("learning_rate") is not None
        stored = "learning_rate" if apart else "optimizer__learning_rate"
        return {"optimizer__lr": stored, "optimizer__learning_rate": stored}

    def set_params(self, **params):
        """Change settings by name: whole ones first, then steps, then what is in them.

        The order of the names does not matter. Values are checked by `fit`. What is nested in a
        step that is None or 'passthrough' has no effect. Returns self.

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
        own, nested = group_nested(stored)
        try:
            for name in sorted(own, key=lambda name: name not in settings):
                if name in settings:
                    setattr(self, name, own[name])
                else:
                    self._set_step(name, own[name])
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
        return spec_of(name, value) if name in _SPECS or isinstance(value, Configurable) else None

    def _find(self, name):
        """(setting, place, step) of a step by its name."""
        settings = BaseEstimator.get_params(self, deep=False)
        for setting in _LISTS:
            for place, (step, spec) in enumerate(steps_of(settings.get(setting), settings)):
                if step == name:
                    return setting, place, spec
        raise ValueError(
            f"Invalid parameter {name!r} for estimator {type(self).__name__}. "
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

    # What fit makes of the settings

    def _check_settings(self):
        """Raise for any setting that is wrong, before any work."""
        settings = BaseEstimator.get_params(self, deep=False)
        for name, (is_legal, legal) in _PARAMETER_CONSTRAINTS.items():
            if name in settings and not is_legal(settings[name]):
                raise ValueError(f"{name}: expected {legal}, got {settings[name]!r}")
        self._builder().check()
        self._optimizer_spec()
        self._callbacks()
        lists = {name: settings[name] for name in _LISTS if steps_of(settings.get(name))}
        check_names(settings, lists)

    def _builder(self):
        """What makes the network that `layers` describes."""
        return builder_of(self.layers, self.activation, self.hidden_layer_sizes)

    def _optimizer_spec(self, given=None):
        """A fresh optimizer with this estimator's learning rate; `given` is a compiled Model's."""
        optimizer = clone(optimizers.get(self.optimizer) if given is None else given)
        if self.learning_rate is not None:
            optimizer = with_learning_rate(optimizer, self.learning_rate)
        optimizer._check()
        return optimizer

    def _callbacks(self):
        """Fresh copies of the callbacks."""
        given = [] if self.callbacks is None else self.callbacks
        given = [given] if isinstance(given, Callback) else given
        steps = [step for _, step in steps_of(given)]
        legal = isinstance(given, (list, tuple, Stack)) and len(steps) == len(
            given.layers if isinstance(given, Stack) else given
        )
        if not legal or not all(isinstance(s, Callback) or is_passthrough(s) for s in steps):
            raise TypeError(f"callbacks: expected Callback objects, got {self.callbacks!r}")
        return [clone(step) for step in steps if not is_passthrough(step)]

    def _stopping(self, rows):
        """A fresh EarlyStopping for a fit of this number of rows, or None."""
        return defaults.early_stopping(self.early_stopping, rows, self.scoring)


def optimizer_of(value):
    """The Optimizer that a name or a class stands for; None if there is none."""
    try:
        found = optimizers.get(value)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, optimizers.Optimizer) else None


def with_learning_rate(optimizer, learning_rate):
    """A copy of an optimizer with this rate, in place of the one of Keras's older name `lr` too."""
    rate = {"learning_rate": learning_rate, "lr": None}
    known = optimizer.get_params(deep=False)
    return clone(optimizer, **{name: value for name, value in rate.items() if name in known})


def inject_docs(cls):
    """Put what both estimators share into the class's docstring, and the settings that its
    constructor takes as `**settings` into the signature: scikit-learn reads them there."""
    found = {}
    for base in reversed(cls.__mro__[:-1]):
        if "__init__" in vars(base):
            found.update(inspect.signature(base.__init__).parameters)
    if "__init__" in vars(cls):
        named = [p for p in found.values() if p.kind != p.VAR_KEYWORD]
        cls.__init__.__signature__ = inspect.Signature(named)
    for mark, text in (("{parameters}\n", _PARAMETERS), ("{attributes}\n", _ATTRIBUTES)):
        cls.__doc__ = (cls.__doc__ or "").replace(mark, text)
    return cls
