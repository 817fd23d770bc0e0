"""Random ops. A key names a stream of Philox numbers; who has the key can draw the same ones again.

So dropout's gradient is dropout with the same key, nothing is stored, and bits do not depend on
threads.
"""

import numpy as np

from nnlite import config
from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import Variable
from nnlite.ops.operands import call, operands


def _with_key(name, key, shape):
    if key != (4,):
        raise ValueError(f"{name}: expected a key of shape (4,), got {key}")
    return [shape]


Op(
    "random_key",
    infer=lambda state: _with_key("random_key", state, state),
    outputs=("int32",),
    writes=(0,),
    gradient="none",
)


def seed_state(seed):
    """The Variable from which `random_key` draws, for a 64-bit seed."""
    words = np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF, 0, 0], np.uint32)
    return Variable(words.view(np.int32), trainable=False, name="seed_state", dtype="int32")


def random_key(state):
    """A fresh key, int32 of shape (4,); `state`, made by `seed_state`, moves on."""
    return call("random_key", [state])


Op(
    "random_uniform",
    infer=lambda key, shape, **_: _with_key("random_uniform", key, shape),
    attrs={"shape": None, "dtype": None},
    gradient="none",
)


def random_uniform(key, shape, dtype=None):
    """Uniform numbers in [0, 1)."""
    return call("random_uniform", [key], shape=tuple(shape), dtype=dtype or config.floatx())


Op(
    "random_normal",
    infer=lambda key, shape, **_: _with_key("random_normal", key, shape),
    attrs={"shape": None, "dtype": None},
    gradient="none",
)


def random_normal(key, shape, dtype=None):
    """Normal numbers of mean 0 and standard deviation 1."""
    return call("random_normal", [key], shape=tuple(shape), dtype=dtype or config.floatx())


def _infer_dropout(x, key, rate):
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: expected rate in [0, 1), got {rate}")
    return _with_key("dropout", key, x)


Op(
    "dropout",
    infer=_infer_dropout,
    attrs={"rate": float},
    gradient=lambda c, dy, need: [dropout(dy, c.inputs[1], c.attrs["rate"]), None],
)


def dropout(x, key, rate):
    """Each element 0 with probability `rate`, else x / (1 - rate) (Srivastava et al., 2014)."""
    return call("dropout", [*operands(x), key], rate=float(rate))
