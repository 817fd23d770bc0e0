"""TensorFlow Lite files, which phones, boards and microcontrollers run: in float32, with kernels in
float16, or in 8-bit integers."""

import numpy as np

from nnlite.atomic_write import write_whole
from nnlite.checks import check_choice
from nnlite.engine.passes import readers_of
from nnlite.exporting.checking import with_length
from nnlite.exporting.program import (
    activations_apart,
    is_constant,
    program_of,
    refuse_unknown,
)
from nnlite.exporting.quantization import FUSED, Affine, Quantization, typical_rows
from nnlite.exporting.report import Report
from nnlite.exporting.tflite import elementwise, labels, products, recurrent, shapes, windows
from nnlite.exporting.tflite.flat import Generated, packed
from nnlite.exporting.tflite.graph import Graph

# By an op's name: a function of a Graph and a call that adds operators; it gives the number of the
# result, or a list of several.
RULES = elementwise.RULES | products.RULES | recurrent.RULES | shapes.RULES | windows.RULES
# Ops that take a constant of one row for any batch, as they broadcast.
_BROADCASTING = elementwise.BROADCASTING | recurrent.RULES.keys()
# Operators that are told the number of rows.
_OF_ONE_ROW = {"conv2d_gradient_input"}
_OTHER_BATCH = 3


def write(computation, path, quantize=None, interface="float32", length=None):
    """Write a Computation; gives the Report.

    Parameters
    ----------
    computation : Computation
    path : Path
    quantize : {None, 'float16', 'int8'}
        The numbers of kernels, or of everything that can be computed in integers.
    interface : {'float32', 'int8'}
        The numbers of inputs and outputs; 'int8' needs `quantize='int8'`.
    length : int, optional
        Of axes whose length the model leaves open.
    """
    check_choice("quantize", quantize, [None, "float16", "int8"], "export")
    known = ["float32", "int8"] if quantize == "int8" else ["float32"]
    check_choice("interface", interface, known, "export")
    schema, computation = Generated(), with_length(computation, length)
    program = activations_apart(program_of(computation), FUSED)
    refuse_unknown(program, RULES, "TensorFlow Lite")
    growing, quantization = _growing(program), None
    if quantize == "int8":
        quantization = Quantization(program, typical_rows(computation))
        program = quantization.program
    graph = Graph(program, growing, quantization, half=quantize == "float16")
    affines = {}
    if interface == "int8":
        affines = {id(t): quantization.of_edge(t) for t in (*program.inputs, *program.outputs)}
    graph.take_inputs(affines)
    _write_calls(graph)
    outputs = []
    for name, tensor in zip(computation.outputs, program.outputs):
        taken = {x for _, x in outputs}
        outputs.append((name, _output(graph, tensor, affines.get(id(tensor)), taken)))
    table = graph.table(outputs, f"{computation.name}, by nnlite", labels.metadata(computation))
    contents = packed(schema, table, b"TFL3") + labels.archive(computation)
    write_whole(path, contents)
    report = Report(path, program)
    if quantization:
        report.figures["in integers"] = quantization.share
    if growing is None:
        report.figures["batch"] = "one row"
    return report


def run(report, arrays):
    """The runtime's name and the outputs of a file for arrays."""
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError:
        raise ImportError("ai-edge-litert is not installed") from None
    import ai_edge_litert

    interpreter = Interpreter(
        str(report.path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    arrays = [_as_written(a, detail) for a, detail in zip(arrays, inputs)]
    rows = len(arrays[0])
    step = rows if "batch" not in report.figures else 1
    for detail, array in zip(inputs, arrays):
        interpreter.resize_tensor_input(detail["index"], (step, *array.shape[1:]))
    interpreter.allocate_tensors()
    found = []
    for n in range(0, rows, step):
        for detail, array in zip(inputs, arrays):
            interpreter.set_tensor(detail["index"], array[n : n + step])
        interpreter.invoke()
        found.append([_as_real(interpreter.get_tensor(d["index"]), d) for d in outputs])
    name = f"ai-edge-litert {ai_edge_litert.__version__}"
    return name, [np.concatenate(parts) for parts in zip(*found)]


def _as_written(array, detail):
    """An array in the type of an input."""
    if detail["dtype"] == np.int8:
        return Affine(*detail["quantization"]).integers(array)
    return np.ascontiguousarray(array, detail["dtype"])


def _as_real(array, detail):
    return Affine(*detail["quantization"]).values(array) if array.dtype == np.int8 else array


def _growing(program):
    """Which axes of each tensor grow with the batch, by its id; None if a model of one row cannot
    be one of more."""
    other = activations_apart(program_of(program.of, _OTHER_BATCH), FUSED)
    names = [c.op.name for c in program.calls]
    if names != [c.op.name for c in other.calls] or _OF_ONE_ROW & {*names}:
        return None
    if any(is_constant(t) for t in program.outputs):
        return None
    pairs = list(zip(program.inputs, other.inputs))
    for call, twin in zip(program.calls, other.calls):
        for t, u in zip(call.inputs, twin.inputs):
            if is_constant(t) and not _fits_any_batch(call, t, u):
                return None
        pairs += zip(call.outputs, twin.outputs)
    growing = {id(t): tuple(n != m for n, m in zip(t.shape, u.shape)) for t, u in pairs}
    return growing if all(sum(axes) < 2 for axes in growing.values()) else None


def _fits_any_batch(call, t, u):
    """Whether a constant that a call reads stands for those of more rows, such as `u` of
    `_OTHER_BATCH`."""
    one, more = t._data, u._data
    if t is u:
        return True
    if call.op.name == "gather" and one.shape != more.shape:  # of each row the same entries
        entries = np.arange(_OTHER_BATCH)[:, None] * call.inputs[0].shape[0] + one
        return np.array_equal(entries.reshape(-1), more)
    if one.shape != more.shape and call.op.name not in _BROADCASTING:
        return False
    return np.array_equal(np.broadcast_to(one, more.shape), more)


def _write_calls(graph):
    """Add the operators of all calls. A mean is a sum and a quotient here, one operator there."""
    calls, quantization = graph.program.calls, graph.quantization
    means = _means(graph.program)
    sums = {id(call) for call in means.values()}
    for call in calls:
        if id(call) in sums:
            continue
        graph.scope = call.scope
        graph.affine = quantization.of(call.outputs[0]) if graph.form(call) else None
        if id(call) in means:
            made = _mean(graph, call, means[id(call)])
        else:
            made = RULES[call.op.name](graph, call)
        for tensor, x in zip(call.outputs, made if isinstance(made, list) else [made]):
            graph.take(tensor, x)
    graph.affine = None


def _means(program):
    """The sums whose quotient by their length alone is read, by the id of that quotient's call."""
    readers = readers_of(program.calls, program.outputs)
    sums, found = {}, {}
    for call in program.calls:
        before = sums.get(id(call.inputs[0])) if call.inputs else None
        if call.op.name == "reduce_sum" and readers[id(call.outputs[0])] == 1:
            sums[id(call.outputs[0])] = call
        elif call.op.name == "divide" and before is not None and is_constant(call.inputs[1]):
            count = call.inputs[1].numpy()
            if count.size == 1 and count == before.attrs["reduced"]:
                found[id(call)] = before
    return found


def _mean(graph, call, summed):
    affine = graph.quantization.read(summed, 0) if graph.form(summed) else None
    x = graph.place(summed.inputs[0], affine)
    return graph.reshape_as(shapes.along(graph, "MEAN", x, summed), call.outputs[0])


def _output(graph, tensor, affine, taken):
    """The number of an output, which an operator makes, and which is no other output."""
    x = graph.place(tensor, affine)
    known = x < len(graph.program.inputs) or graph.entries[x].data is not None
    if known or x in taken:
        grows = graph.grows(tensor)
        wanted = [-1 if g else n for n, g in zip(tensor.shape, grows)]
        target = graph.constant(np.array(wanted, np.int32))
        x = graph.add("RESHAPE", [x, target], tensor.shape, like=x)
    return x
