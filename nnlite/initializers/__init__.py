"""Initializers: the initial values of weights. Each is called on a shape and returns a tensor.

Random initializers draw from NumPy's Philox generator: a seed gives the same values everywhere. An
instance returns the same values at each call, as in Keras. A layer uses another seed for each of
its weights."""

import numpy as np

from nnlite import configurable, identifiers, names
from nnlite.engine.tensor import Tensor
from nnlite.initializers.constants import Constant, Identity, Ones, Zeros
from nnlite.initializers.fourier import STFT
from nnlite.initializers.initializer import Initializer, compute_fans, draw
from nnlite.initializers.random import (
    FanInUniform,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)

__all__ = [
    "STFT",
    "Constant",
    "FanInUniform",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "compute_fans",
    "constant",
    "deserialize",
    "draw",
    "fan_in_uniform",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "identity_initializer",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "one",
    "ones",
    "orthogonal",
    "orthogonal_initializer",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zero",
    "zeros",
]

__getattr__ = names.of(__name__)

_CLASSES = (
    Constant,
    Zeros,
    Ones,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    LecunUniform,
    LecunNormal,
    FanInUniform,
    Orthogonal,
    Identity,
    STFT,
)
_BY_NAME = {configurable.snake_case(cls.__name__): cls for cls in _CLASSES} | {
    "zero": Zeros,
    "one": Ones,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "orthogonal_initializer": Orthogonal,
    "identity_initializer": Identity,
    "stft_initializer": STFT,
}
# Lower case as tutorials write it: `initializers.he_normal()`.
zeros = zero = Zeros
ones = one = Ones
random_normal = normal = RandomNormal
random_uniform = uniform = RandomUniform
constant, truncated_normal, variance_scaling = Constant, TruncatedNormal, VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
fan_in_uniform = FanInUniform
orthogonal = orthogonal_initializer = OrthogonalInitializer = Orthogonal
identity = identity_initializer = IdentityInitializer = Identity
stft = STFTInitializer = STFT


def get(identifier):
    """The initializer for an identifier.

    Parameters
    ----------
    identifier : str, dict, type, Initializer, callable, array or None
        - a name: 'he_normal', 'HeNormal', ...,
        - a dict of a 'class_name' and its 'config', or a subclass of Initializer,
        - an Initializer or any function `f(shape, dtype)`, which is returned itself,
        - an array or tensor: the values themselves,
        - None, which is returned itself.

    Returns
    -------
    Initializer, callable or None

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If the identifier is of another kind.
    """
    if isinstance(identifier, (np.ndarray, Tensor)):
        return Constant(np.array(identifier))
    return identifiers.find("initializer", identifier, _BY_NAME, callable)


serialize, deserialize = identifiers.as_dicts(__name__, "initializer", get, "HeNormal(seed=3)")
