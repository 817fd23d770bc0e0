"""Hostile calls of the functions of `nnlite.ops` and `nnlite.activations`, made by a child process
that may crash.

A call has three good answers: it works, or it is refused by a ValueError, TypeError or RuntimeError
that nnlite raised itself and that names the function or an argument.
"""

import inspect
import json
import linecache
import random
import re
import sys
import time
import traceback
from pathlib import Path

import numpy as np

import nnlite
from nnlite import activations, ops
from nnlite.engine.tensor import Tensor

PACKAGE = str(Path(nnlite.__file__).parent)
SECONDS = 1.0  # of the CPU, that one call may take


def ragged():
    """A list of rows that differ in length."""
    return [[1.0, 2.0], [3.0]]


# What people pass by mistake, and what nobody would.
POOL = {
    "None": lambda: None,
    "text": lambda: "abc",
    "bytes": lambda: b"x",
    "huge": lambda: 2**62,
    "2**31": lambda: 2**31,
    "10**30": lambda: 10**30,
    "-1": lambda: -1,
    "0": lambda: 0,
    "-2**40": lambda: -(2**40),
    "half": lambda: 0.5,
    "2.0": lambda: 2.0,
    "true": lambda: True,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "1e308": lambda: 1e308,
    "[]": lambda: [],
    "()": lambda: (),
    "{}": lambda: {},
    "empty": lambda: np.zeros((0, 3)),
    "object": lambda: np.array([None, 1], object),
    "complex": lambda: np.ones((2, 3), complex),
    "1j": lambda: 1j,
    "masked": lambda: np.ma.masked_less(np.arange(6.0).reshape(2, 3), 3),
    "0-d": lambda: np.float32(1.5),
    "7-d": lambda: np.zeros((1,) * 7),
    "vector": lambda: np.arange(3.0),
    "images": lambda: np.ones((2, 4, 4, 3)),
    "integers": lambda: np.arange(6).reshape(2, 3),
    "int64": lambda: np.array([2**40]),
    "ragged": ragged,
    "texts": lambda: np.array(["a", "b"]),
    "dates": lambda: np.array(["2020-01-01"], "datetime64[D]"),
    "(2**31,)": lambda: (2**31,),
    "(2**62, 2)": lambda: (2**62, 2),
    "(-3, 2)": lambda: (-3, 2),
    "pair": lambda: (1, 2),
    "floats": lambda: (0.5, 1.5),
    "nested": lambda: [[[[[[[1.0]]]]]]],
    "function": lambda: len,
    "class": lambda: int,
    "...": lambda: ...,
    "slice": lambda: slice(1, 2),
    "symbol": lambda: nnlite.Input((3,)),
    "traced": lambda: Tensor((2, 3), "float32"),
    "variable": lambda: nnlite.Variable(np.ones((2, 3))),
}
# What the functions expect, by the names of their parameters.
IMAGES = {"conv2d", "depthwise_conv2d", "separable_conv2d", "max_pool2d", "average_pool2d", "pad2d"}
IMAGES |= {"upsample2d"}
KERNELS = {"conv2d": (3, 3, 3, 2), "depthwise_conv2d": (2, 2, 3, 2)}
SANE = {
    "kernel": lambda name: np.ones(KERNELS.get(name, (3, 2))),
    "depthwise_kernel": lambda name: np.ones((2, 2, 3, 2)),
    "pointwise_kernel": lambda name: np.ones((1, 1, 6, 2)),
    "images": lambda name: np.ones((2, 4, 4, 3)),
    "matrices": lambda name: [[1, 0, 0, 0, 1, 0]] * 2,
    "key": lambda name: nnlite.Variable([1, 2, 3, 4], dtype="int32"),
    "state": lambda name: nnlite.Variable([1, 2, 3, 4], dtype="int32"),
    "rate": lambda name: 0.5,
    "gamma": lambda name: np.ones(3),
    "beta": lambda name: np.zeros(3),
    "scale": lambda name: np.ones(3),
    "shift": lambda name: np.zeros(3),
    "shape": lambda name: (2, 3),
    "newshape": lambda name: (3, 2),
    "traced": lambda: Tensor((2, 3), "float32"),
    "variable": lambda name: nnlite.Variable(np.ones((2, 3))),
    "xs": lambda name: [np.ones((2, 3)), np.zeros((2, 3))],
    "indices_or_sections": lambda name: 2,
    "padding": lambda name: ((1, 0), (0, 1)) if name == "pad2d" else "same",
    "pool_size": lambda name: 2,
    "num_classes": lambda name: 3,
    "indices": lambda name: [0, 1],
    "k": lambda name: 2,
    "axis": lambda name: 0,
    "dtype": lambda name: "float32",
}


def sane(name, parameter):
    """A value that the function takes."""
    if parameter in SANE:
        return SANE[parameter](name)
    if name == "one_hot":
        return [0, 2]
    return np.ones((2, 4, 4, 3)) if name in IMAGES else np.ones((2, 3))


def a_call(rng):
    """A function, its arguments, and a text that says which they are."""
    module = rng.choice([ops, ops, ops, activations])
    name = rng.choice(module.__all__)
    function = getattr(module, name)
    given, shown = {}, []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty and rng.random() < 0.6:
            continue
        if rng.random() < 0.5:
            given[parameter.name] = sane(name, parameter.name)
        else:
            key = rng.choice(list(POOL))
            given[parameter.name] = POOL[key]()
            shown.append(f"{parameter.name}={key}")
    return name, function, given, f"{name}({', '.join(shown)})"


def is_own(error):
    """Whether a `raise` of nnlite made the error, and not an inner call that failed."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno)
    return last.filename.startswith(PACKAGE) and line.lstrip().startswith("raise ")


def names(message, name, given):
    """Whether a message names the function, one of its arguments, or an op that an activation is
    composed of."""
    inner = () if name in ops.__all__ else ("activation", "Tensor", *ops.__all__)
    return any(
        re.search(rf"(?<![A-Za-z]){word}(?![A-Za-z])", message) for word in (name, *given, *inner)
    )


def fault_of(name, function, given):
    """What is wrong with the answer of a call, or None."""
    began = time.process_time()
    try:
        function(**given)
    except (ValueError, TypeError, RuntimeError) as error:
        if not is_own(error):
            return f"an inner {type(error).__name__}: {error}"
        if not names(str(error), name, given):
            return f"names neither the function nor an argument: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if time.process_time() - began > SECONDS:
        return f"it took {time.process_time() - began:.1f} seconds"
    return None


def main(seed, calls):
    """Print a line of JSON before each call, and one after a fault."""
    rng = random.Random(seed)
    for _ in range(calls):
        name, function, given, shown = a_call(rng)
        print(json.dumps(["call", shown]), flush=True)
        fault = fault_of(name, function, given)
        if fault:
            print(json.dumps(["fault", shown, fault]), flush=True)


if __name__ == "__main__":
    np.seterr(all="ignore")
    main(int(sys.argv[1]), int(sys.argv[2]))
