"""Network architectures as values: `Stack`, `MLP` and sizes for `layers=`, `Meta` for functions.

They hold settings and no weights: `builder.py` makes fresh layers from them for each network."""

import dataclasses
import math
import numbers

import numpy as np

from nnlite import errors
from nnlite.checks import positive_int
from nnlite.configurable import Configurable, clone, frozen
from nnlite.layers import Activation, BatchNormalization, Dense, Dropout


class Stack:
    """A sequence of layers as one value, such as a search chooses among.

    Unlike a list, a Stack can be hashed and has no length or items, as scikit-optimize requires.
    Stacks of equal settings are equal.

    Parameters
    ----------
    *layers : Layer, (str, Layer), None or 'passthrough'
        The entries, as of a list; None and 'passthrough' stand for no layer.

    Examples
    --------
    >>> from nnlite import Stack
    >>> from nnlite.layers import Dense, Dropout
    >>> Stack(Dense(64), Dropout(0.2)) == Stack(Dense(64), Dropout(0.2))
    True
    """

    def __init__(self, *layers):
        self.layers = layers

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        return frozen(self.layers) == frozen(other.layers)

    def __hash__(self):  # of the kinds alone: a search asks for it tens of thousands of times
        return hash(tuple(type(layer) for layer in self.layers if isinstance(layer, Configurable)))

    def __repr__(self):
        return f"Stack({', '.join(map(repr, self.layers))})"

    def get_config(self):
        """The layers, as a dict.

        Returns
        -------
        dict
        """
        return {"layers": list(self.layers)}

    @classmethod
    def from_config(cls, config):
        """The Stack that a dict describes.

        Parameters
        ----------
        config : dict
            As `get_config` gives it.
        """
        return cls(*config["layers"])

    def __sklearn_clone__(self):
        """A copy with fresh layers."""
        return Stack(*clone(self.layers))


class MLP(Configurable):
    """A multilayer perceptron as one value, whose depth and width can be searched.

    Parameters
    ----------
    units : int, sequence of int or str such as '64-32', default (64, 32)
        The sizes of the hidden layers.
    activation : str or function, default 'relu'
        The activation of every hidden layer.
    dropout : float in [0, 1), default 0.0
        The rate of a Dropout behind each hidden layer; there is none if the rate is 0.
    batch_norm : bool, default False
        Whether BatchNormalization stands between each layer and its activation.
    depth : int of at least 0, optional
        The number of hidden layers. It takes the first `depth` sizes of `units`, and repeats the
        last of them if there are too few.
    width : int, optional
        The size of every hidden layer, in place of those of `units`.

    Examples
    --------
    >>> from nnlite import MLP
    >>> MLP("64-32", depth=3).layers()
    [Dense(units=64, activation='relu'), Dense(units=32, activation='relu'), \
Dense(units=32, activation='relu')]
    >>> MLP(width=16).sizes()
    [16, 16]
    """

    def __init__(
        self,
        units=(64, 32),
        activation="relu",
        dropout=0.0,
        batch_norm=False,
        depth=None,
        width=None,
    ):
        self.units, self.activation, self.dropout = units, activation, dropout
        self.batch_norm, self.depth, self.width = batch_norm, depth, width

    def sizes(self):
        """The sizes of the hidden layers; raises a ValueError if a setting is wrong."""
        sizes = sizes_of("units", self.units)
        if self.depth is not None:
            depth = 0 if _is_number(self.depth) and self.depth == 0 else self.depth
            depth = depth and positive_int("depth", depth)
            if depth > len(sizes) == 0 and self.width is None:
                raise ValueError("MLP: expected width= where depth= is given and units are none")
            sizes = (sizes + (sizes[-1:] or [1]) * depth)[:depth]
        if self.width is not None:
            sizes = [positive_int("width", self.width)] * len(sizes)
        return sizes

    def layers(self):
        """Fresh hidden layers; raises a ValueError if a setting is wrong."""
        for name, legal in (("dropout", _is_number), ("batch_norm", _is_bool)):
            if not legal(value := getattr(self, name)):
                expected = "a number in [0, 1)" if name == "dropout" else "True or False"
                raise ValueError(f"MLP: {name}: expected {expected}, got {value!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"MLP: dropout: expected a number in [0, 1), got {self.dropout!r}")
        found = []
        for units in self.sizes():
            if self.batch_norm:  # it has a bias itself
                found += [Dense(units, use_bias=False), BatchNormalization()]
                found += [Activation(self.activation)]
            else:
                found += [Dense(units, self.activation)]
            found += [Dropout(self.dropout)] * bool(self.dropout)
        return clone(found)


@dataclasses.dataclass(frozen=True)
class Meta:
    """What a function for `layers=` is told about the data.

    Parameters
    ----------
    sample_shape : tuple of int
        The shape of one sample of X. It begins with None if X is sequences of different lengths.
    n_outputs : int
        The units of the output layer: 1 for two classes; otherwise one for each class, label or
        target.
    task : {'binary', 'multiclass', 'multilabel', 'regression'}
        What the network learns.
    """

    sample_shape: tuple
    n_outputs: int
    task: str

    @property
    def n_features(self):
        """The number of values in one sample of X, or in one step if their number is not known."""
        return math.prod(n for n in self.sample_shape if n is not None)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _is_bool(value):
    return isinstance(value, (bool, np.bool_)) or (_is_number(value) and value in (0, 1))


def is_sizes(value):
    """Whether this is a number, a sequence of numbers, or a str with digits such as '64-32'."""
    if isinstance(value, str):
        return any(c.isdigit() for c in value)
    values = np.ravel(value).tolist() if isinstance(value, np.ndarray) else value
    values = values if isinstance(values, (list, tuple)) else [values]
    return bool(values) and all(_is_number(v) for v in values)


def sizes_of(name, value):
    """The sizes of hidden layers as a list of int.

    Parameters
    ----------
    name : str
        The name of the setting, for messages.
    value : int, sequence of int or str such as '64-32'
        The sizes.
    """
    parts = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, str):
        parts = [int(p) if p.strip().isdecimal() else value for p in value.split("-")]
    ordered = isinstance(parts, (list, tuple, range))
    with errors.reworded(lambda m: f"{m}; sizes are such as 64, (64, 32) or '64-32'", ValueError):
        return [positive_int(name, n) for n in (parts if ordered else [parts])]
