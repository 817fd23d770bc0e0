"""Rules of what is one expression of elements, and of parts of tensors: loops."""

import math

import numpy as np

from nnlite.exporting.c.literals import number
from nnlite.exporting.c.loops import strides_of
from nnlite.exporting.c.products import kind_of, known
from nnlite.exporting.constants import mean_of
from nnlite.exporting.program import is_constant
from nnlite.ops.activation import GATES

EXPRESSIONS = {
    "abs": "absolute({a})",
    "add": "{a} + {b}",
    "broadcast_to": "{a}",
    "cos": "sine_of({a}, 1)",
    "divide": "{a} / {b}",
    "equal": "(float)({a} == {b})",
    "erf": "erf_of({a})",
    "exp": "exp_of({a})",
    "expm1": "exp_minus_1_of({a})",
    "floor": "floor_of({a})",
    "greater": "(float)({a} > {b})",
    "greater_equal": "(float)({a} >= {b})",
    "log": "log_of({a})",
    "log1p": "log_1_plus_of({a})",
    "maximum": "maximum_of({a}, {b})",
    "minimum": "minimum_of({a}, {b})",
    "multiply": "{a} * {b}",
    "negative": "-{a}",
    "power": "power_of({a}, {b})",
    "scale_shift": "{a} * {b} + {c}",
    "sign": "sign_of({a})",
    "sin": "sine_of({a}, 0)",
    "sqrt": "sqrt_of({a})",
    "square": "{a} * {a}",
    "squared_difference": "({a} - {b}) * ({a} - {b})",
    "subtract": "{a} - {b}",
    "where": "{a} != 0 ? {b} : {c}",
}
_GATES = {
    number: (
        name,
        {"gelu": "normal_below", "hard_silu": "hard_sigmoid_of"}.get(name, f"{name}_gate"),
    )
    for name, number in GATES.items()
}


def written_out(source, call, expression, name=None):
    """Loops over the result; a constant of one element is written into the expression."""
    (y, *_) = call.outputs
    operands = {}
    for letter, t in zip("abc", call.inputs):
        if is_constant(t) and t.size == 1:
            text = number(t.numpy().item(), t.dtype)
            text = f"({text})" if "/" in text or text[0] == "-" else text
            expression = expression.replace(f"{{{letter}}}", text)
        elif f"{{{letter}}}" in expression:
            operands[letter] = (t, t.dtype, strides_of(y.shape, t.shape), 0)
    whole = strides_of(y.shape)
    source.loop(call, name or call.op.name, y.shape, operands, (y, whole, 0), expression)


def _elementwise(source, call):
    written_out(source, call, EXPRESSIONS[call.op.name])


def _activation(source, call):
    kind = kind_of(source, call.attrs["kind"])
    alpha = source.real(call.attrs["alpha"])
    written_out(source, call, f"activated({{a}}, {kind}, {alpha})", kind.lower())


def _gated_activation(source, call):
    name, gate = _GATES[call.attrs["gate"]]
    written_out(source, call, f"gated({{a}}, {gate}({{a}}))", name)


def _cast(source, call):
    to_int = call.outputs[0].dtype == "int32" and call.inputs[0].dtype != "int32"
    from_int = call.inputs[0].dtype == "int32" and call.outputs[0].dtype != "int32"
    text = "int32_of({a})" if to_int else "(float){a}" if from_int else "{a}"
    written_out(source, call, text)


def _transpose(source, call):
    (x,), (y,) = call.inputs, call.outputs
    steps = strides_of(x.shape)
    permuted = [steps[axis] for axis in call.attrs["axes"]]
    given = {"a": (x, x.dtype, permuted, 0)}
    source.loop(call, "transpose", y.shape, given, (y, strides_of(y.shape), 0), "{a}")


def _slice(source, call):
    (x,), (y,), a = call.inputs, call.outputs, call.attrs
    begins, steps = ([a[f"{what}_{d}"] for d in range(x.ndim)] for what in ("begin", "step"))
    strides = strides_of(x.shape)
    offset = sum(begin * stride for begin, stride in zip(begins, strides))
    strides = [step * stride for step, stride in zip(steps, strides)]
    given = {"a": (x, x.dtype, strides, offset)}
    source.loop(call, "slice", y.shape, given, (y, strides_of(y.shape), 0), "{a}")


def _concatenate(source, call):
    (y,), axis, at = call.outputs, call.attrs["axis"], 0
    whole = strides_of(y.shape)
    step = math.prod(y.shape[axis + 1 :])
    for x in call.inputs:
        given = {"a": (x, x.dtype, strides_of(x.shape), 0)}
        source.loop(call, "place", x.shape, given, (y, whole, at * step), "{a}")
        at += x.shape[axis]


def _standardize(source, call):
    x, (y,) = call.inputs[0], call.outputs
    *_, deviation = (known(call, i, "a scale") for i in (1, 2, 3))
    mean, deviation = mean_of(call).ravel(), deviation.astype(np.float64).ravel()
    columns = strides_of(y.shape, call.inputs[1].shape[-1:])
    given = {
        "a": (x, x.dtype, strides_of(y.shape, x.shape), 0),
        "b": (source.constant(mean, "mean", call), "float64", columns, 0),
        "c": (source.constant(deviation, "deviation", call), "float64", columns, 0),
    }
    inverse = call.attrs["inverse"]
    text = "(double){a} * {c} + {b}" if inverse else "((double){a} - {b}) / {c}"
    source.loop(
        call, "standardize", y.shape, given, (y, strides_of(y.shape), 0), f"(float)({text})"
    )


RULES = {
    **dict.fromkeys(EXPRESSIONS, _elementwise),
    "activation": _activation,
    "cast": _cast,
    "concatenate": _concatenate,
    "gated_activation": _gated_activation,
    "slice": _slice,
    "standardize": _standardize,
    "transpose": _transpose,
}
