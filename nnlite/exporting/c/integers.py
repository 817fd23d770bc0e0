"""Programs in 8-bit integers: calls whose tensors are int8, and the rules of those calls.

A call that runs in integers has int8 tensors in the places of real ones; between it and the others
are calls that convert. Functions of one number become tables."""

import math
from dataclasses import dataclass, replace

import numpy as np

from nnlite.engine.dispatch import OPS, Call, execute
from nnlite.engine.tensor import Tensor
from nnlite.exporting.c.elementwise import written_out
from nnlite.exporting.c.loops import strides_of
from nnlite.exporting.c.products import KERNEL_AXES, convolution, convolution_of, pooling
from nnlite.exporting.program import is_constant
from nnlite.exporting.quantization import LEAST, MOST, Quantization, multiplier_of
from nnlite.ops.activation import KINDS

# Calls that move values as they are, of any type.
_MOVES = {"broadcast_to", "concatenate", "gather", "reshape", "slice", "transpose"}


@dataclass
class IntegerOp:
    """An op of int8 tensors, in the place of an engine's op.

    Attributes
    ----------
    name : str
    in_place : list of (int, int)
        As that of `Op`.
    view : bool
    """

    name: str
    in_place: list
    view: bool = False


@dataclass
class Integers:
    """A program in 8-bit integers.

    Attributes
    ----------
    quantization : Quantization
    program : Program
        Its calls read and write int8 tensors where they run in integers.
    affines : dict of int to Affine
        Those of int8 tensors, by their ids.
    """

    quantization: Quantization
    program: object
    affines: dict


def in_integers(program, rows):
    """The Integers of a program of one row, with the ranges that rows of data give."""
    quantization = Quantization(program, rows)
    lowering = _Lowering(quantization)
    for call in quantization.program.calls:
        lowering.take(call)
    outputs = [lowering.real(t, "output") for t in program.outputs]
    made = replace(quantization.program, calls=lowering.calls, outputs=outputs)
    return Integers(quantization, made, lowering.affines)


class _Lowering:
    def __init__(self, quantization):
        self.quantization, self.calls, self.affines = quantization, [], {}
        self._stored, self._converted = {}, {}  # by the ids of tensors of the float program

    def take(self, call):
        """Add a call, and before it what converts its inputs."""
        q, form = self.quantization, self.quantization.form(call)
        if not form:
            inputs = [self.real(t, call.scope) for t in call.inputs]
            attrs = {**call.attrs, "of": call} if q.is_hybrid(call) else call.attrs
            self.calls.append(Call(call.op, inputs, call.outputs, attrs, call.scope))
            return
        y = self._tensor(call.outputs[0].shape, q.of(call.outputs[0]))
        self._stored[id(call.outputs[0])] = y
        count = 1 if form in ("kernel", "scaled") else len(call.inputs)
        inputs = [self.integers(call, i) for i in range(count)]
        attrs = {**call.attrs, "of": call}
        name = "scaled" if form == "scaled" else call.op.name
        op = call.op if name in _MOVES else IntegerOp(name, [], view=form == "scaled")
        self.calls.append(Call(op, inputs, [y], attrs, call.scope))

    def integers(self, call, i):
        """Input i of an integer call."""
        t, affine = call.inputs[i], self.quantization.read(call, i)
        if affine is None:
            return t
        if is_constant(t):
            return self._tensor(t.shape, affine, affine.integers(t.numpy()))
        x = self._stored.get(id(t), t)
        if self.affines.get(id(x)) == affine:
            return x
        name = "requantize" if id(x) in self.affines else "quantize"
        return self._convert(name, x, affine, call.scope)

    def real(self, t, scope):
        """A tensor as a float call reads it."""
        x = self._stored.get(id(t))
        return t if x is None else self._convert("dequantize", x, None, scope)

    def _convert(self, name, x, affine, scope):
        key = (id(x), affine)
        if key not in self._converted:
            y = self._tensor(x.shape, affine) if affine else Tensor(x.shape, "float32")
            self._converted[key] = y
            self.calls.append(Call(IntegerOp(name, []), [x], [y], {}, scope))
        return self._converted[key]

    def _tensor(self, shape, affine, values=None):
        t = Tensor(shape, "int8", values)
        self.affines[id(t)] = affine
        return t


# --- the rules; `source.integers` is the Integers


def _affine(source, t):
    return source.integers.affines[id(t)]


def _quantize(source, call):
    affine = _affine(source, call.outputs[0])
    scale = source.real(affine.scale)
    written_out(source, call, f"quantized({{a}}, {scale}, {affine.zero})", "quantize")


def _dequantize(source, call):
    affine = _affine(source, call.inputs[0])
    scale = source.real(affine.scale)
    written_out(source, call, f"(float)({{a}} - ({affine.zero})) * {scale}", "dequantize")


def _requantize(source, call):
    before, after = _affine(source, call.inputs[0]), _affine(source, call.outputs[0])
    multiplier, shift = multiplier_of(before.scale / after.scale)
    moved = f"rescaled({{a}} - ({before.zero}), {multiplier}, {shift}) + ({after.zero})"
    written_out(source, call, f"limited({moved}, -128, 127)", "requantize")


def _kernel(source, call, arrange):
    """The names of a kernel and of the structure that scales its sums."""
    of, q = call.attrs["of"], source.integers.quantization
    kernel, target = q.kernel(of), q.of(of.outputs[0])
    multipliers, shifts = np.array(q.multipliers(of, kernel)).T
    kind, least, most = of.attrs.get("kind", 0), LEAST, MOST
    if kind:
        least = target.zero
    if kind == KINDS["capped_relu"]:
        most = min(most, math.floor(of.attrs["alpha"] / target.scale + 0.5) + target.zero)
    bias = "0" if kernel.bias is None else source.constant(kernel.bias, "bias", call)
    scale = source.structure(
        "integer_scale",
        call,
        "scale",
        bias=bias,
        multiplier=source.constant(multipliers.astype(np.int32), "multiplier", call),
        shift=source.constant(shifts.astype(np.int8), "shift", call),
        zero=q.read(of, 0).zero,
        result_zero=target.zero,
        least=least,
        most=most,
    )
    return source.constant(np.ascontiguousarray(arrange(kernel.values)), "kernel", call), scale


def _linear(source, call):
    (x,), (y,), w = call.inputs, call.outputs, call.attrs["of"].inputs[1]
    kernel, scale = _kernel(source, call, lambda w: w.T)
    rows = math.prod(x.shape[:-1])
    source.do(call, "integer_linear", x, kernel, scale, y, rows, *w.shape)


def _conv2d(source, call):
    of, pool = call.attrs["of"], call.attrs.get("pool")
    (x,), (y,) = call.inputs, call.outputs
    kernel, scale = _kernel(source, call, lambda w: w.transpose(KERNEL_AXES[of.op.name]))
    shape = convolution_of(source, of, "LINEAR")
    if pool is None:
        source.each(call, "integer_conv2d", shape, scale, x, kernel, y)
    else:
        given = shape, pooling(source, pool), scale, x, kernel, y
        source.each(call, "integer_conv2d_max_pool2d", *given)


def scale_shift(source, call):
    """A convolution of windows of one pixel and one channel."""
    (x,), (y,) = call.inputs, call.outputs
    kernel, scale = _kernel(source, call, lambda w: w)
    channels = x.shape[-1]
    rows = x.size // channels
    window = {**dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)}
    window |= {"pad_top": 0, "pad_left": 0}
    images = (1, rows, 1, channels)
    shape = convolution(source, call, window, images, (1, 1), rows, 1, channels, channels)
    source.do(call, "integer_conv2d", shape, scale, x, kernel, y)


def _max_pool2d(source, call):
    source.each(call, "integer_max_pool2d", pooling(source, call), call.inputs[0], call.outputs[0])


def _average_pool2d(source, call):
    (x,), (y,) = call.inputs, call.outputs
    zero = _affine(source, y).zero
    source.each(call, "integer_average_pool2d", pooling(source, call), x, y, zero)


def _pair(source, call, first, second, result):
    """The structure of an op of two numbers: factors (multiplier, shift) of them and the result."""
    a, *b = (_affine(source, t).zero for t in call.inputs)
    return source.structure(
        "integer_pair",
        call,
        "scale",
        zero_a=a,
        multiplier_a=first[0],
        shift_a=first[1],
        zero_b=b[0] if b else 0,
        multiplier_b=second[0],
        shift_b=second[1],
        zero=_affine(source, call.outputs[0]).zero,
        multiplier=result[0],
        shift=result[1],
    )


def _scales(source, call):
    return [_affine(source, t).scale for t in (*call.inputs, *call.outputs)]


def _add(source, call):
    a, b, y = _scales(source, call)
    larger = 2 * max(a, b)
    factors = [multiplier_of(f) for f in (a / larger, b / larger, larger / (2**20 * y))]
    function = "integer_sum" if call.op.name == "add" else "integer_difference"
    written_out(
        source, call, f"{function}({_pair(source, call, *factors)}, {{a}}, {{b}})", function
    )


def _multiply(source, call):
    a, b, y = _scales(source, call)
    pair = _pair(source, call, (0, 0), (0, 0), multiplier_of(a * b / y))
    written_out(source, call, f"integer_product({pair}, {{a}}, {{b}})", "integer_product")


def _extreme(source, call):
    sign = ">" if call.op.name == "maximum" else "<"
    written_out(source, call, f"{{a}} {sign} {{b}} ? {{a}} : {{b}}", f"integer_{call.op.name}")


def _reduce_sum(source, call):
    sizes = [call.attrs[name] for name in ("before", "reduced", "after")]
    x, y = _scales(source, call)
    pair = _pair(source, call, (0, 0), (0, 0), multiplier_of(x / y))
    source.do(call, "integer_reduce_sum", *call.inputs, *call.outputs, *sizes, pair)


def _reduce_max(source, call):
    sizes = [call.attrs[name] for name in ("before", "reduced", "after")]
    source.do(call, "integer_reduce_max", *call.inputs, *call.outputs, *sizes)


def _softmax(source, call):
    (x,), (y,) = call.inputs, call.outputs
    powers = np.exp(-np.arange(256) * _affine(source, x).scale)
    table = source.constant(np.round(powers * 2**23).astype(np.int32), "powers", call)
    source.do(call, "integer_softmax", x, y, table, x.size // x.shape[-1], x.shape[-1])


def _pad2d(source, call):
    (x,), (y,), a = call.inputs, call.outputs, call.attrs
    sizes = *x.shape[1:], *y.shape[1:3], a["top"], a["left"], _affine(source, y).zero
    source.each(call, "integer_pad2d", x, y, *sizes)


def function(source, call):
    """A table with the result of each integer: what the engine computes of the numbers."""
    (x,), (y,) = call.inputs, call.outputs
    before, after = _affine(source, x), _affine(source, y)
    given = Tensor((256,), "float32", before.values(np.arange(LEAST, MOST + 1)))
    made = Tensor((256,), "float32")
    execute(OPS[call.op.name], [given], [made], call.attrs, "float32")
    steps = made.numpy().astype(np.float64) / after.scale
    rounded = np.sign(steps) * np.floor(np.abs(steps) + 0.5) + after.zero
    table = source.constant(np.clip(rounded, LEAST, MOST).astype(np.int8), "table", call)
    whole = strides_of(y.shape)
    operands = {"a": (x, "int8", whole, 0), "b": (table, "int8", [0] * y.ndim, 0)}
    source.loop(call, "look_up", y.shape, operands, (y, whole, 0), "b[{a} + 128]")


RULES = {
    "activation": function,
    "add": _add,
    "average_pool2d": _average_pool2d,
    "conv2d": _conv2d,
    "depthwise_conv2d": _conv2d,
    "dequantize": _dequantize,
    "gated_activation": function,
    "linear": _linear,
    "max_pool2d": _max_pool2d,
    "maximum": _extreme,
    "minimum": _extreme,
    "multiply": _multiply,
    "pad2d": _pad2d,
    "quantize": _quantize,
    "reduce_max": _reduce_max,
    "reduce_sum": _reduce_sum,
    "requantize": _requantize,
    "scale_shift": scale_shift,
    "softmax": _softmax,
    "subtract": _add,
}
