"""The settings that both estimators share: which values are legal, and what they mean."""

import numbers

import numpy as np
from sklearn.utils import check_random_state

from nnlite.callbacks import EarlyStopping
from nnlite.layers.core import positive_int


def is_auto(value):
    """Whether a setting is the string 'auto'; arrays never are."""
    return isinstance(value, str) and value == "auto"


def _accepts(check, *args):
    """Whether a check does not raise."""
    try:
        check(*args)
    except ValueError:
        return False
    return True


def is_list_of(values, kinds):
    """Whether these are a list or tuple of objects of some classes."""
    return isinstance(values, (list, tuple)) and all(isinstance(v, kinds) for v in values)


# Name -> whether a value is legal, and what is; specs are checked as they are copied.
LEGAL = {
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
    "random_state": (
        lambda v: _accepts(check_random_state, v),
        "None, an integer in [0, 2**32) or a RandomState",
    ),
    "verbose": (lambda v: isinstance(v, numbers.Integral) and 0 <= v <= 2, "0, 1 or 2"),
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
    layers : Layer or list of Layer, default None
        The hidden layers; None entries are left out. None makes a multilayer perceptron of
        `hidden_layer_sizes` and `activation`, which mean nothing otherwise; it flattens images.
        Where the first layer says what a sample looks like (`input_shape`, `Input`), X may be rows
        of as many values: `Conv2D(32, 3, input_shape=(28, 28, 1))` takes rows of 784 pixels.
    hidden_layer_sizes : int or sequence of int, default (100,)
    activation : str or function, default 'relu'
    optimizer : str or Optimizer, default 'adam'
        An object's settings can be searched: `optimizer__learning_rate`.
    learning_rate : float, default None
        None is the optimizer's own.
    batch_size : int or 'auto', default 'auto'
        'auto' is min(200, n_samples).
    epochs : int, default 200
    early_stopping : 'auto', bool or EarlyStopping, default 'auto'
        True stops when the loss on held-out rows has not improved for 10 epochs, and keeps the best
        weights; 'auto' does so from 500 rows up. An EarlyStopping says it in detail; rows are held
        out if what it monitors begins with 'val_'.
    validation_fraction : float in (0, 1), default 0.1
        The part of the rows held out, the same of each class where that is possible.
    callbacks : Callback or list of Callback, default None
        `fit` uses copies.
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


def documented(cls):
    """Put what both estimators share into the class's docstring."""
    for mark, text in (("{parameters}\n", _PARAMETERS), ("{attributes}\n", _ATTRIBUTES)):
        cls.__doc__ = (cls.__doc__ or "").replace(mark, text)
    return cls
