"""Chains of convolutions: what they are tested with, and the calls that plans make of them."""

from functools import partial
from unittest import mock

import numpy as np
from samples import Case, normal

from nnlite import config, ops
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable
from nnlite.ops import convolution_chain
from nnlite.ops.activation import KINDS

# x, channels of the depthwise convolution, (KH, KW, M), strides, padding, dilation, filters. Some
# take several turns, of rows in pairs or of single ones; some kernels are larger than the images.
SHAPES = [
    ((1, 1, 1, 1), 1, (1, 1, 1), 1, "valid", 1, 1),
    ((0, 6, 6, 3), 4, (3, 3, 1), 1, "same", 1, 2),
    ((2, 9, 9, 5), 33, (3, 3, 1), 1, "same", 1, 7),
    ((3, 2, 3, 2), 5, (5, 7, 3), 1, "same", 1, 20),
    ((2, 14, 15, 4), 40, (3, 3, 1), 2, "same", 1, 33),
    ((1, 12, 11, 3), 16, (3, 3, 1), 1, "same", 3, 9),
    ((2, 13, 9, 6), 20, (2, 3, 2), (3, 2), "valid", 1, 40),
    ((1, 40, 40, 7), 70, (5, 5, 1), 1, "same", 1, 12),
    ((2, 30, 60, 3), 48, (3, 3, 1), (2, 1), "same", 1, 5),
    ((1, 5, 4, 2), 3000, (3, 3, 1), 1, "same", 1, 3),
]
PARTS = ["widen depthwise", "depthwise narrow", "widen depthwise narrow"]


def of_any_size():
    """A block in which chains of any size are one op."""
    return mock.patch.multiple(convolution_chain, LEAST_BETWEEN=0, LARGEST_KERNEL=1 << 30)


def values(shape, seed, real):
    """A Variable of small numbers."""
    return Variable(normal(*shape, seed=seed) / 4, dtype=real)


def convolutions(x, parts, shape, number, real):
    """The convolutions, each with another activation; every second shape has biases."""
    (*_, C), channels, (KH, KW, M), strides, padding, dilation, F = shape
    biased, kinds = number % 2, list(KINDS)
    last = C if "widen" not in parts else channels

    def bias(features, seed):
        return values((features,), seed, real) if biased else None

    if "widen" in parts:
        kernel = values((1, 1, C, channels), 1, real)
        x = ops.conv2d(x, kernel, bias(channels, 2), activation="capped_relu", alpha=6.0)
    kernel = values((KH, KW, last, M), 3, real)
    x = ops.depthwise_conv2d(
        x, kernel, bias(last * M, 4), strides, padding, dilation, kinds[number % len(kinds)], 0.2
    )
    if "narrow" in parts:
        kernel = values((1, 1, last * M, F), 5, real)
        x = ops.conv2d(x, kernel, bias(F, 6), activation=kinds[(number + 3) % len(kinds)])
    return x


def chain_plan(parts, number, real, isa=None):
    """The plan of some convolutions of images of shape `number`."""
    shape = SHAPES[number]
    return plan_of(
        partial(convolutions, parts=parts.split(), shape=shape, number=number, real=real),
        shape[0],
        real,
        isa,
    )


def plan_of(function, shape, real, isa=None):
    """The plan of a function of images."""
    x = Tensor(shape, real)
    with config.precision(real), Recording(executing=False) as trace:
        y = function(x)
    return Plan(trace, [x], [y], real, folds=True, isa=isa)


def cases(isa, real):
    """Calls of "conv2d_chain" with kernels packed for an instruction set; all numbers are 0."""
    found = []
    with of_any_size():
        for parts in PARTS:
            for number in range(len(SHAPES)):
                (call,) = chain_plan(parts, number, real, isa).calls
                inputs = [np.zeros(t.shape) for t in call.inputs]
                found.append(Case(inputs, call.attrs))
    return found
