"""Random ops: a key determines a stream of Philox random numbers.

The same key gives the same numbers again. The gradient of dropout is therefore dropout with the
same key: no mask is stored, and results do not depend on the number of threads.
"""

import numpy as np

from nnlite.checks import check_shape
from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import REALS, Variable, dtype_of
from nnlite.ops.operands import call, key_of, number, operands


def _check_key(name, key, shape):
    if key != (4,):
        raise ValueError(f"{name}: expected a key of shape (4,), got {key}")
    return [shape]


Op(
    "random_key",
    infer=lambda state: _check_key("random_key", state, state),
    outputs=("int32",),
    writes=(0,),
    gradient="none",
)


def seed_state(seed):
    """The Variable from which `random_key` makes keys, for a 64-bit seed."""
    words = np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF, 0, 0], np.uint32)
    return Variable(words.view(np.int32), trainable=False, name="seed_state", dtype="int32")


def is_seed_state(variable):
    """Whether a Variable is one that `seed_state` made."""
    return variable.name == "seed_state" and variable.dtype == "int32"


def random_key(state):
    """The next key of a state, which determines the numbers of one random op.

    Parameters
    ----------
    state : Variable
        Made by `nnlite.ops.random.seed_state(seed)`; it advances to the next key.

    Returns
    -------
    int32 Tensor, shape (4,)
    """
    return call("random_key", [key_of("state", state)])


Op(
    "random_uniform",
    infer=lambda key, shape, **_: _check_key("random_uniform", key, shape),
    attrs={"shape": None, "dtype": None},
    gradient="none",
)


def random_uniform(key, shape, dtype=None):
    """Uniform random numbers in [0, 1).

    Parameters
    ----------
    key : int32 Tensor, shape (4,)
        Made by `random_key`.
    shape : tuple of int
    dtype : {'float32', 'float64'}, default `floatx()`
    """
    attrs = {"shape": check_shape("shape", shape), "dtype": dtype_of(dtype, REALS)}
    return call("random_uniform", [key_of("key", key)], **attrs)


Op(
    "random_normal",
    infer=lambda key, shape, **_: _check_key("random_normal", key, shape),
    attrs={"shape": None, "dtype": None},
    gradient="none",
)


def random_normal(key, shape, dtype=None):
    """Normal random numbers of mean 0 and standard deviation 1.

    Parameters
    ----------
    key : int32 Tensor, shape (4,)
        Made by `random_key`.
    shape : tuple of int
    dtype : {'float32', 'float64'}, default `floatx()`
    """
    attrs = {"shape": check_shape("shape", shape), "dtype": dtype_of(dtype, REALS)}
    return call("random_normal", [key_of("key", key)], **attrs)


def _infer_dropout(x, key, rate):
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: rate: expected a number in [0, 1), got {rate}")
    return _check_key("dropout", key, x)


Op(
    "dropout",
    infer=_infer_dropout,
    attrs={"rate": float},
    gradient=lambda c, dy, need: [dropout(dy, c.inputs[1], c.attrs["rate"]), None],
    in_place=(0,),
)


def dropout(x, key, rate):
    """0 with probability `rate`, else x / (1 - rate), for each element (Srivastava et al., 2014).

    Parameters
    ----------
    x : tensor
    key : int32 Tensor, shape (4,)
        Made by `random_key`.
    rate : float in [0, 1)
    """
    return call("dropout", [*operands(x), key_of("key", key)], rate=number("rate", rate))
