"""Rules of recurrent layers. A layer computes the products of its inputs step by step and keeps the
states that somebody reads, so that its memory does not grow with the steps."""

import numpy as np

from nnlite.engine.dispatch import OPS, Call
from nnlite.engine.passes import readers_of
from nnlite.exporting.c.products import bias_of, kernel_of, kind_of
from nnlite.exporting.program import is_constant
from nnlite.exporting.quantization import Affine


def step_by_step(calls, outputs):
    """The calls, where recurrent ones have the product of their inputs in them, in the attribute
    `product`, and give the last step alone where nobody reads another: `last` is true then. Those
    whose kernels are integers read integers as they are."""
    readers = readers_of(calls, outputs)
    made, found = {}, {}  # calls by the id of their first output, and by their own
    for call in calls:
        if call.op.name in RULES:
            before = made.get(id(call.inputs[0]))
            if before is not None and _is_product(before) and readers[id(call.inputs[0])] == 1:
                del found[id(before)]
                call = _reading(call, before.inputs[0], product=before)
            before = made.get(id(call.inputs[0]))
            if before is not None and before.op.name == "dequantize" and "product" in call.attrs:
                readers[id(call.inputs[0])] -= 1
                if not readers[id(call.inputs[0])]:
                    del found[id(before)]
                call = _reading(call, before.inputs[0])
        elif call.op.name == "slice" and readers[id(call.inputs[0])] == 1:
            before = made.get(id(call.inputs[0]))
            if before is not None and before.op.name in RULES and _is_last(before, call):
                del found[id(before)]
                attrs, results = (
                    {**before.attrs, "last": True},
                    [*call.outputs, *before.outputs[1:]],
                )
                call = Call(before.op, before.inputs, results, attrs, before.scope)
        found[id(call)] = made[id(call.outputs[0])] = call
    return list(found.values())


def _reading(call, x, **attrs):
    """The call with another first input, and more attributes."""
    inputs, attrs = [x, *call.inputs[1:]], {**call.attrs, **attrs}
    return Call(call.op, inputs, call.outputs, attrs, call.scope)


def _is_product(call):
    constant = all(is_constant(t) for t in call.inputs[1:])
    return call.op is OPS["linear"] and constant and call.attrs["kind"] == 0


def _is_last(call, part):
    """Whether a slice is the step that is computed last."""
    n, steps, units = call.outputs[0].shape
    begin = [part.attrs[f"begin_{d}"] for d in range(3)]
    last = 0 if call.attrs["reverse"] else steps - 1
    return part.outputs[0].shape == (n, 1, units) and begin == [0, last, 0]


def _kernel(source, call, columns, role):
    """The fields of a kernel: its values, the scales of its rows, and how many columns it has."""
    if not is_hybrid(call):
        return kernel_of(source, call, (1, 0), role), 0, columns
    found = source.integers.quantization.kernel(call.attrs["of"])
    values = source.constant(np.ascontiguousarray(found.values.T), role, call)
    return values, source.constant(found.scales, "scales", call), columns


def _recurrence(source, call, units):
    """The structure of a layer, and its inputs."""
    a, (_, steps, inputs) = call.attrs, call.inputs[0].shape
    kernel = bias = None
    if "product" in a:
        kernel, bias = (
            _kernel(source, a["product"], inputs, "kernel"),
            bias_of(source, a["product"]),
        )
    affine = source.integers.affines[id(call.inputs[0])] if _reads_integers(call) else Affine(1.0)
    numbers = "integer" if is_hybrid(call) else "real"
    inputs_are = "integer" if _reads_integers(call) else "real"
    of = source.structure(
        "recurrence",
        call,
        "recurrence",
        steps=steps,
        inputs=inputs,
        units=units,
        reverse=int(a["reverse"]),
        keeps=int("last" not in a),
        kind=kind_of(source, a["kind"]),
        recurrent_kind=kind_of(source, a["recurrent_kind"]),
        alpha=float(a["alpha"]),
        recurrent_alpha=float(a["recurrent_alpha"]),
        input=kernel or (0, 0, 0),
        recurrent=_kernel(source, call, units, "recurrent_kernel"),
        bias=bias or 0,
        scale=affine.scale,
        zero=affine.zero,
        step_of=f"{inputs_are}_step_of",
        factors_of=f"{numbers}_factors_of",
        add_products=f"{numbers}_add_products",
    )
    return of, call.inputs[0]


def _room(source, call):
    """The scratch of a call, and the parts of it for the numbers of a step and for integers."""
    gates, (own, of_step, integers) = source.scratch(call), _scratch(call)
    numbers = f"{gates} + {own}" if of_step else None
    return gates, numbers, f"(int8_t *)({gates} + {own + of_step})" if integers else None


def _reads_integers(call):
    return call.inputs[0].dtype == "int8"


def is_hybrid(call):
    """Whether a call is one of `Quantization.is_hybrid`; it is in the attribute `of` then."""
    return "of" in call.attrs


def _optional(call, required):
    """The mask and what the state is multiplied by, each or None."""
    given = iter(call.inputs[required:])
    return [next(given) if call.attrs[name] else None for name in ("mask", "drop")]


def _simple_rnn(source, call):
    (_, w, h, *_), (y, *_) = call.inputs, call.outputs
    given = *_recurrence(source, call, w.shape[0]), h, *_optional(call, 3)
    source.each(call, "simple_rnn", *given, y, *_room(source, call))


def _lstm(source, call):
    (_, w, h, c, *_), (y, cells, *_) = call.inputs, call.outputs
    units, (gates, *room) = w.shape[0], _room(source, call)
    # Only the last cell is kept where nobody reads the others.
    kept = source.is_used(cells)
    place, step = (cells, units) if kept else (f"{gates} + {4 * units}", 0)
    given = *_recurrence(source, call, units), h, c, *_optional(call, 4)
    source.each(call, "lstm", *given, y, place, step, gates, *room)


def _gru(source, call):
    (_, w, b, h, *_), (y, *_) = call.inputs, call.outputs
    given = *_recurrence(source, call, w.shape[0]), b, h, *_optional(call, 4)
    source.each(call, "gru", *given, y, *_room(source, call))


def _scratch(call):
    """How many numbers of float32 a call needs beside its outputs: its own, those of a step that it
    reads in integers, and room for the integers that it multiplies."""
    units, inputs = call.inputs[1].shape[0], call.inputs[0].shape[2]
    own = {"gru": 3, "lstm": 5, "simple_rnn": 1}[call.op.name] * units
    integers = -(-(inputs + units) // 4) if is_hybrid(call) else 0
    return own, inputs if _reads_integers(call) else 0, integers


RULES = {"gru": _gru, "lstm": _lstm, "simple_rnn": _simple_rnn}
SCRATCH = dict.fromkeys(RULES, lambda call: sum(_scratch(call)))
