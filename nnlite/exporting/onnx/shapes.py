"""Rules of ONNX for shapes: views, parts, rows by their numbers, sums and maxima along axes."""

import math

import numpy as np

from nnlite.exporting.constants import mean_of
from nnlite.exporting.program import is_constant

_BEYOND = 2**62


def _reshape(graph, call, x):
    (source,), (y,) = call.inputs, call.outputs
    if id(source) in graph.exact:
        exact = graph.exact[id(source)]
        graph.exact[id(y)] = graph.reshaped(exact, y.shape)
    return graph.reshaped(x, y.shape)


def _transpose(graph, call, x):
    return graph.transposed(x, call.attrs["axes"])


def _broadcast_to(graph, call, x):
    (tensor,), (y,) = call.inputs, call.outputs
    if tensor.shape == y.shape:
        return x
    # A size of 1 leaves an axis as it is.
    before = (0,) * (len(y.shape) - len(tensor.shape)) + tensor.shape
    shape = [1 if a == b else b for a, b in zip(before, y.shape)]
    return graph.add("Expand", [x, graph.shape_named(shape)])


def _slice(graph, call, x):
    attrs, twin = call.attrs, graph.program.twin_of(call)
    axes, ranges = [], []
    sizes = zip(call.inputs[0].shape, twin.inputs[0].shape, attrs["shape"], twin.attrs["shape"])
    for axis, (n, m, *kept) in enumerate(sizes):
        begins = [c.attrs[f"begin_{axis}"] for c in (call, twin)]
        step = attrs[f"step_{axis}"]
        if (n, m) != tuple(kept) or step != 1:
            ends = [begin + size * step for begin, size in zip(begins, kept)]
            if n % graph.program.batch == 0:
                raise _moves(call, "the number of rows")
            axes.append(axis)
            ranges.append((_placed(call, *begins, n, m), _placed(call, *ends, n, m), step))
    if not axes:
        return x
    turned = graph.turned(x)
    if turned:
        x, axes = turned[0], [turned[1][axis] for axis in axes]
    starts, ends, steps = zip(*ranges)
    y = graph.add("Slice", [x, *(graph.integers(*v) for v in (starts, ends, axes, steps))])
    return graph.turned_back(y, turned, call.outputs[0].shape)


def _placed(call, place, other, n, m):
    """A place along an axis of n entries that is `other` along one of m: counted from the end if it
    moves with it."""
    if place < 0 or (place >= n and other >= m):
        return -_BEYOND if place < 0 else _BEYOND
    if place == other:
        return place
    if n - place == m - other:
        return place - n
    raise _moves(call, "a length that is not known")


def _moves(call, what):
    return ValueError(
        f"export: layer {call.scope!r}: ONNX cannot hold a part whose place depends on {what}"
    )


def _concatenate(graph, call, *xs):
    axis, turned = call.attrs["axis"], [graph.turned(x) for x in xs]
    if all(turned) and len({axes for _, axes in turned}) == 1:
        y = graph.add("Concat", [source for source, _ in turned], axis=turned[0][1][axis])
        return graph.turned_back(y, turned[0], call.outputs[0].shape)
    return graph.add("Concat", xs, axis=axis)


def _gather(graph, call, source, index=None):
    if index is None:
        return source
    (rows, *_), numbers = call.inputs[0].shape, call.inputs[1]
    while not is_constant(numbers) and id(numbers) in graph.makers:
        maker = graph.makers[id(numbers)]
        if not maker.op.view:
            break
        (numbers,) = maker.inputs
    if is_constant(numbers) and graph.program.is_open(call.inputs[1].shape[0]):
        return _taken(graph, call, source, rows, numbers.numpy())
    return graph.add("Gather", [source, index], axis=0)


def _taken(graph, call, source, rows, numbers):
    """Rows at the same places in each part of as many rows as there are samples."""
    batch = graph.program.batch
    parts = numbers.reshape(batch, -1)
    entries = rows // batch
    places = parts - np.arange(batch)[:, None] * entries
    if rows % batch or (places != places[0]).any() or graph.program.is_open(entries):
        raise ValueError(
            f"export: layer {call.scope!r}: ONNX cannot hold rows whose numbers depend on the batch"
        )
    shape, taken = call.inputs[0].shape[1:], call.outputs[0].shape
    x = graph.reshaped(source, (batch, entries, *shape))
    y = graph.add("Gather", [x, graph.integers(*places[0])], axis=1)
    graph.shapes[y] = (batch, len(places[0]), *shape)
    return graph.reshaped(y, taken)


def _one_hot(graph, call, x):
    classes = graph.constant(np.arange(call.attrs["classes"], dtype=np.int32))
    each = graph.add("Unsqueeze", [x, graph.integers(-1)])
    return graph.real_of(graph.add("Equal", [each, classes]))


def _reduced(op_type):
    """A rule for what makes one entry of those along some axes."""

    def rule(graph, call, x):
        attrs, x = call.attrs, graph.unshaped(x)
        shape = graph.shapes[x]
        axes = _axes(shape, attrs["before"], attrs["reduced"])
        if axes is None or (len(axes) > 1 and op_type == "ArgMax"):  # which has one axis
            shape, axes = (attrs["before"], attrs["reduced"], attrs["after"]), [1]
            x = graph.reshaped(x, shape)
        kept = [d for d in range(len(shape)) if d not in axes]
        left = tuple(shape[d] for d in kept)
        turned = graph.turned(x)
        if turned and sorted(turned[1][d] for d in kept) == [turned[1][d] for d in kept]:
            x, axes = turned[0], sorted(turned[1][d] for d in axes)
        if op_type == "ArgMax":
            y = graph.cast(graph.add(op_type, [x], axis=axes[0], keepdims=0), np.int32)
        else:
            y = graph.reduced(op_type, x, axes)
        graph.shapes[y] = left
        return graph.reshaped(y, call.outputs[0].shape)

    return rule


def _cumsum(graph, call, x):
    attrs = call.attrs
    shape = tuple(attrs[name] for name in ("before", "reduced", "after"))
    y = graph.add("CumSum", [graph.reshaped(x, shape), graph.integers(1)], reverse=attrs["reverse"])
    graph.shapes[y] = shape
    return graph.reshaped(y, call.outputs[0].shape)


def _axes(shape, before, reduced):
    """The adjacent axes of a shape that have `reduced` entries, `before` of them before; None if
    there are none."""
    for first in range(len(shape) + 1):
        for last in range(first + 1, len(shape) + 1):
            if math.prod(shape[:first]) == before and math.prod(shape[first:last]) == reduced:
                return list(range(first, last))
    return None


def _over_all(op_type):
    return lambda graph, call, x: graph.add(op_type, [x], keepdims=0)


def _standardize(graph, call, x, mean, rest, deviation):
    """In float64, from the numbers as the file takes them, and rounded at the end."""
    center, deviation = mean_of(call), call.inputs[3].numpy().astype(np.float64)
    exact = graph.exact.get(id(call.inputs[0]))
    if exact is None and not call.attrs["inverse"]:
        _note_losses(graph, center, deviation)
    x, shape = exact or x, call.inputs[0].shape
    fits = shape[-center.ndim :] == center.shape
    if not fits:
        x = graph.reshaped(x, (-1, center.size))
        center, deviation = center.ravel(), deviation.ravel()
    x = graph.cast(x, np.float64)
    center, deviation = (graph.constant(a, exact=True) for a in (center, deviation))
    if call.attrs["inverse"]:
        y = graph.add("Add", [graph.add("Mul", [x, deviation]), center])
    else:
        y = graph.add("Div", [graph.add("Sub", [x, center]), deviation])
    y = graph.cast(y, graph.real)
    if fits:
        return y
    graph.shapes[y] = (-1, center.size)
    return graph.reshaped(y, shape)


def _note_losses(graph, center, deviation):
    """Say which columns are so far from 0 that rounding their numbers moves them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.abs(center) * np.finfo(graph.real).eps / np.abs(deviation)
    columns = np.flatnonzero(moved.ravel() > 1e-4)
    if columns.size:
        graph.notes["rounding"] = (
            f"inputs in {graph.real.name} lose what is small beside the mean of columns "
            f"{', '.join(map(str, columns[:10]))}{' ...' * (columns.size > 10)}: "
            "export with dtype='float64'"
        )


def _piecewise_linear_encoding(graph, call, x, lower, scale, bins):
    columns = np.repeat(np.arange(call.inputs[0].shape[-1]), call.inputs[3].numpy())
    each = graph.add("Gather", [x, graph.integers(*columns)], axis=-1)
    through = graph.add("Mul", [graph.add("Sub", [each, lower]), scale])
    within = graph.add("Clip", [through, graph.number(0), graph.number(1)])
    y = graph.add("Where", [graph.add("IsNaN", [through]), graph.number(0), within])
    return graph.add("Concat", [x, y], axis=-1) if call.attrs["keep"] else y


RULES = {
    "argmax": _reduced("ArgMax"),
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "cumsum": _cumsum,
    "gather": _gather,
    "one_hot": _one_hot,
    "piecewise_linear_encoding": _piecewise_linear_encoding,
    "reduce_max": _reduced("ReduceMax"),
    "reduce_sum": _reduced("ReduceSum"),
    "reshape": _reshape,
    "slice": _slice,
    "standardize": _standardize,
    "stop_gradient": lambda graph, call, x: x,
    "sum_abs": _over_all("ReduceL1"),
    "sum_squares": _over_all("ReduceSumSquare"),
    "transpose": _transpose,
}
