"""What a network reads beside the numbers of a table: the setting `numeric_encoding`.

The encoding becomes a layer of the model, behind the one that scales; what it learns, it learns
from the scaled rows of `fit`; from their targets only of those that the network trains on.
"""

from functools import partial

import numpy as np

from nnlite import config
from nnlite.configurable import clone, frozen
from nnlite.estimators import defaults
from nnlite.estimators.defaults import is_auto
from nnlite.layers import (
    InputLayer,
    InputScaling,
    Layer,
    PeriodicEmbedding,
    PiecewiseLinearEncoding,
    TableEncoding,
)

# Quantiles are found from a sample of X: 2 MB of float64, but no fewer rows than these.
_VALUES, _ROWS = 1 << 18, 1 << 10

_LAYERS = {
    "auto": defaults.piecewise_encoding,
    "piecewise": defaults.piecewise_encoding,
    "target": partial(defaults.piecewise_encoding, by="target"),
    "periodic": PeriodicEmbedding,
}


def layer_of(value):
    """The layer that a value of `numeric_encoding` stands for; None if there is none."""
    if isinstance(value, str):
        return _LAYERS[value]() if value in _LAYERS else None
    return value if isinstance(value, Layer) else None


def is_legal(value):
    """Whether `numeric_encoding` may have this value."""
    return value is None or layer_of(value) is not None


def prepended(layers, data, numeric_encoding, target, networks):
    """The layers with one before them that encodes columns, if that is wanted.

    Parameters
    ----------
    layers : list of Layer
        The hidden layers, perhaps behind an InputScaling and a TableEncoding: this one gets the
        encoding of its numbers then.
    data : TrainingData
    numeric_encoding : 'auto', 'piecewise', 'target', 'periodic', Layer or None
    target : Target
        It encoded the targets.
    networks : int
        How many of them are trained.

    Raises
    ------
    ValueError
        If an encoding is asked for, and these are no rows of numbers that it could be learned of.
    """
    first = layers[0] if layers else None
    scaled = isinstance(first, InputScaling)
    begun = scaled or isinstance(first, InputLayer)
    front, hidden, numbers = layers[:begun], layers[begun:], slice(None)
    table = hidden[0] if hidden and isinstance(hidden[0], TableEncoding) else None
    if table is not None:
        hidden, numbers = hidden[1:], np.flatnonzero(np.array(table.sizes) == 0)
        if not len(numbers):
            return layers
    fits = data.X.ndim == 2 and not hasattr(data.X, "tocsr") and _of_rows(layers)
    if is_auto(numeric_encoding):
        wanted = fits and scaled and not data.is_chunk
        wanted = wanted and defaults.encodes(hidden, data.X.shape, networks)
        numeric_encoding = numeric_encoding if wanted else None
    if numeric_encoding is None:
        return layers
    if is_auto(numeric_encoding):
        encoding = defaults.piecewise_encoding(data.X.shape[0])
    else:
        encoding = clone(layer_of(numeric_encoding))
    learns = isinstance(encoding, PiecewiseLinearEncoding) and encoding.boundaries is None
    if not fits:
        refuse(numeric_encoding, f"X of shape {data.X.shape}, which is not dense rows")
    if learns:
        if data.is_chunk:
            refuse(numeric_encoding, "partial_fit, or boundaries")
        scaling = first if scaled else None
        learn = partial(_boundaries, encoding, data, scaling, numbers, target)
        # Targets that a network shall not see have no part in its bins, which it shares with none.
        shared = encoding.by != "target"
        key = ("bins", frozen([encoding, scaling]))
        encoding = clone(encoding, boundaries=data.once(key, learn) if shared else learn())
    if table is not None:
        encoding = clone(table, encoding=encoding)
    weighing = [defaults.learned_scaling(data.X.shape[0])] * isinstance(numeric_encoding, str)
    return [*front, encoding, *weighing, *hidden]


def _boundaries(encoding, data, scaling, columns, target):
    """The boundaries that an encoding learns from columns of numbers behind a scaling."""
    by_target = encoding.by == "target"
    rows = _some(data, data.numbers if by_target else None)
    X, weight = np.asarray(data.X[rows], np.float64), data.sample_weight
    with config.precision("float64"):
        X = X if scaling is None else np.asarray(clone(scaling)(X))
        y = target.as_numbers(data.target[rows]) if by_target else None
        encoding.adapt(X[:, columns], y, None if weight is None else weight[rows])
    return encoding.boundaries


def refuse(numeric_encoding, where):
    """Raise a ValueError if an encoding is asked for where there can be none."""
    if not (numeric_encoding is None or is_auto(numeric_encoding)):
        raise ValueError(
            f"numeric_encoding: expected 'auto' or None for {where}, got {numeric_encoding!r}"
        )


def _of_rows(layers):
    """Whether the shape that the first of these layers declares, if any, is that of a row."""
    shape = getattr(layers[0], "_given_input_shape", None) if layers else None
    return shape is None or np.ndim(shape) == 0 or len(shape) == 1


def _some(data, numbers):
    """Which rows of X to learn bins from: of those with the numbers, or of all, all or some at
    random."""
    most = max(_ROWS, _VALUES // data.X.shape[1])
    count = len(data.X) if numbers is None else len(numbers)
    if count <= most:
        return slice(None) if numbers is None else numbers
    some = np.sort(np.random.default_rng(0).choice(count, most, replace=False))
    return some if numbers is None else numbers[some]
