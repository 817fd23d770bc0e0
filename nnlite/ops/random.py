"""Random ops. A key names a stream of Philox numbers; who has the key can draw the same ones again.

So dropout's gradient is dropout with the same key, nothing is stored, and bits do not depend on threads.
"""

import numpy as np

from nnlite import config
from nnlite.dispatch import Op
from nnlite.ops.operands import call, operands
from nnlite.tensor import Variable

Op("random_key", infer=lambda state: [state], outputs=("int32",), writes=(0,), gradient="none")


def seed_state(seed):
    """The Variable from which `random_key` draws, for a 64-bit seed."""
    words = np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF, 0, 0], np.uint32)
    return Variable(words.view(np.int32), trainable=False, name="seed_state", dtype="int32")


def random_key(state):
    """A fresh key, int32 of shape (4,); `state`, made by `seed_state`, moves on."""
    return call("random_key", [state])


Op("random_uniform", infer=lambda key, shape, **_: [shape], attrs={"shape": None, "dtype": None},
   gradient="none")


def random_uniform(key, shape, dtype=None):
    """Uniform numbers in [0, 1)."""
    return call("random_uniform", [key], shape=tuple(shape), dtype=dtype or config.floatx())


Op("dropout", infer=lambda x, key, rate: [x], attrs={"rate": float},
   gradient=lambda c, dy, need: [dropout(dy, c.inputs[1], c.attrs["rate"]), None])


def dropout(x, key, rate):
    """Each element 0 with probability `rate`, else x / (1 - rate) (Srivastava et al., 2014, inverted)."""
    return call("dropout", [*operands(x), key], rate=float(rate))
