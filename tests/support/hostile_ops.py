"""Hostile calls of the functions of `nnlite.ops` and `nnlite.activations`."""

import inspect

import numpy as np
from hostile import ROWS, Call, some_of

import nnlite
from nnlite import activations, ops

CALLS = 2000
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
    "shape": lambda name: (ROWS, 3),
    "newshape": lambda name: (3, ROWS),
    "variable": lambda name: nnlite.Variable(np.ones((ROWS, 3))),
    "xs": lambda name: [np.ones((ROWS, 3)), np.zeros((ROWS, 3))],
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
    return np.ones((2, 4, 4, 3)) if name in IMAGES else np.ones((ROWS, 3))


def a_call(rng):
    """A function on arguments each of which may be hostile."""
    module = activations if rng.random() < 0.25 else ops
    name = rng.choice(module.__all__)
    function = getattr(module, name)
    given, shown, hostile = {}, [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty and rng.random() < 0.6:
            continue
        if rng.random() < 0.5:
            given[parameter.name] = sane(name, parameter.name)
        else:
            ((label, given[parameter.name]),) = some_of(rng, 1)
            shown.append(f"{parameter.name}={label}")
            hostile.append(given[parameter.name])
    # An activation is composed of ops, which may refuse in its place.
    inner = () if module is ops else ("activation", "Tensor", *ops.__all__)
    words = (name, *given, *inner)
    return Call(f"{name}({', '.join(shown)})", words, lambda: function(**given), hostile)


def calls(rng):
    return (a_call(rng) for _ in range(CALLS))
