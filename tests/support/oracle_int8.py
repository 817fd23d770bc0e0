"""A quantized program in NumPy's integers, as TensorFlow Lite defines its ops: what files with
8-bit integers must give.

Functions of one number, softmax and sums are computed in float64 and rounded once; writers that
compute them otherwise may be one step away."""

import numpy as np
from kernels import ORACLE

from nnlite.exporting.program import is_constant
from nnlite.exporting.quantization import LEAST, MOST, multiplier_of
from nnlite.ops.activation import KINDS


def rescaled(x, multiplier, shift):
    """The integers x * multiplier * 2^(shift - 31), as 32-bit hardware rounds them: the product to
    its upper 32 bits, halves up; then by the shift, halves away from 0."""
    x = np.asarray(x, np.int64) << max(shift, 0)
    assert np.abs(x).max(initial=0) < 2**31
    high, bits = (x * multiplier + 2**30) >> 31, max(-shift, 0)
    rest, half = high & ((1 << bits) - 1), ((1 << bits) - 1) >> 1
    return (high >> bits) + (rest > half + (high < 0))


def run(quantization, arrays):
    """The tensors of a Quantization for one row of each input, by their ids: int8 where an integer
    call writes them, else real numbers."""
    program, values = quantization.program, {}
    values.update((id(t), a) for t, a in zip(program.inputs, arrays))
    for call in program.calls:
        if quantization.form(call):
            made = [integers(quantization, call, values)]
        else:
            inputs = [_real(quantization, t, values) for t in call.inputs]
            if quantization.is_hybrid(call):
                inputs[1] = HybridKernel(quantization.kernel(call))
            made = ORACLE[call.op.name](inputs, call.attrs)
        values.update((id(t), a) for t, a in zip(call.outputs, made))
    return values


class HybridKernel:
    """What `x @ kernel` rounds x for: each row to 127 steps of its largest number."""

    __array_ufunc__ = None  # NumPy leaves the product to it

    def __init__(self, kernel):
        self.kernel = kernel

    def __rmatmul__(self, x):
        scales = np.abs(x).max(-1, keepdims=True) / 127
        steps = _rounded(x / np.where(scales > 0, scales, 1))
        return steps @ self.kernel.values.astype(int) * scales * self.kernel.scales


def outputs(quantization, arrays):
    """The outputs of the program for one row, as real numbers."""
    values = run(quantization, arrays)
    return [_real(quantization, t, values) for t in quantization.program.outputs]


def _real(quantization, t, values):
    """A tensor as a float call reads it."""
    x = t.numpy() if is_constant(t) else values[id(t)]
    return quantization.of(t).values(x) if x.dtype == np.int8 else x


def integers(quantization, call, values):
    """The int8 result of an integer call; `values` as `run` returns them."""
    name, form, (y,) = call.op.name, quantization.form(call), call.outputs
    x = [_read(quantization, call, i, values) for i in range(len(call.inputs))]
    affines = [quantization.read(call, i) for i in range(len(x))]
    scales, target = [a.scale for a in affines if a], quantization.of(y)
    if form == "kernel":
        made = _kernel(quantization, call, x[0])
    elif form == "scaled":
        made = x[0]
    elif name in ("add", "subtract"):
        made = _sum(x[0], x[1] if name == "add" else -x[1], scales, target.scale)
    elif name == "multiply":
        made = rescaled(x[0] * x[1], *multiplier_of(scales[0] * scales[1] / target.scale))
    elif name == "activation" and call.attrs["kind"] in (KINDS["relu"], KINDS["leaky_relu"]):
        slope = call.attrs["alpha"] if call.attrs["kind"] == KINDS["leaky_relu"] else 0.0
        ratio = scales[0] / target.scale
        below = rescaled(x[0], *multiplier_of(slope * ratio)) if slope else 0
        made = np.where(x[0] < 0, below, rescaled(x[0], *multiplier_of(ratio)))
    elif name == "average_pool2d":
        made = _rounded(ORACLE[name]([x[0].astype(np.float64)], call.attrs)[0])
    elif name == "gather":
        made = x[0][x[1]].reshape(y.shape)
    elif form == "moved":
        (made,) = ORACLE[name](x, call.attrs)
    else:
        real = ORACLE[name]([v * s for v, s in zip(x, scales)], call.attrs)[0]
        made = _rounded(real / target.scale)
    return np.clip(made + target.zero, LEAST, MOST).astype(np.int8)


def _read(quantization, call, i, values):
    """An input of an integer call as integers above its zero."""
    x, affine = call.inputs[i], quantization.read(call, i)
    q = x.numpy() if is_constant(x) else values[id(x)]
    if affine is None:
        return q
    before = quantization.of(x) if q.dtype == np.int8 else None
    if before is None:
        q = affine.integers(q)
    elif before != affine:
        factor = multiplier_of(before.scale / affine.scale)
        q = np.clip(rescaled(q.astype(int) - before.zero, *factor) + affine.zero, LEAST, MOST)
    return q.astype(np.int64) - affine.zero


def _kernel(quantization, call, x):
    kernel = quantization.kernel(call)
    weights = [a.astype(np.float64) for a in (kernel.values, kernel.bias) if a is not None]
    bare = {**call.attrs, "kind": 0} if call.attrs else {}
    sums = ORACLE[call.op.name]([x.astype(np.float64), *weights], bare)[0].astype(np.int64)
    factors = quantization.multipliers(call, kernel)
    made = np.stack([rescaled(sums[..., c], *factor) for c, factor in enumerate(factors)], -1)
    if call.attrs.get("kind"):
        made = np.maximum(made, 0)
    if call.attrs.get("kind") == KINDS["capped_relu"]:
        most = call.attrs["alpha"] / quantization.of(call.outputs[0]).scale
        made = np.minimum(made, _rounded(most))
    return made


def _sum(a, b, scales, target):
    """Both in 20 more bits of the larger scale."""
    larger = 2 * max(scales)
    a, b = (rescaled(x << 20, *multiplier_of(s / larger)) for x, s in zip((a, b), scales))
    return rescaled(a + b, *multiplier_of(larger / (2**20 * target)))


def _rounded(x):
    """To the nearest integer; halves away from 0."""
    return (np.sign(x) * np.floor(np.abs(x) + 0.5)).astype(np.int64)
