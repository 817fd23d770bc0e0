"""ONNX files, which onnxruntime and many others run. The files beside have a rule for each op."""

import numpy as np

from nnlite.atomic_write import replacing
from nnlite.checks import check_choice
from nnlite.engine.tensor import REALS
from nnlite.exporting.onnx import (
    elementwise,
    images,
    products,
    recurrent,
    shapes,
)
from nnlite.exporting.onnx.graph import Graph
from nnlite.exporting.program import ANY_BATCH, program_of, refuse_unknown
from nnlite.exporting.report import Report
from nnlite.saving.onnx_file import require_onnx

OPSET, IR_VERSION = 17, 8
RULES = {
    **elementwise.RULES,
    **images.RULES,
    **products.RULES,
    **recurrent.RULES,
    **shapes.RULES,
}
# What onnxruntime computes in float32 only.
_SINGLE = {"average_pool2d", "conv2d", "conv2d_gradient_input", "depthwise_conv2d"}


def write(computation, path, dtype=None, precision=None):
    """Write a Computation.

    Parameters
    ----------
    computation : Computation
    path : Path
    dtype : {'float32', 'float64'}, optional
        Of the inputs of real numbers; by default the model's precision. What scales columns reads
        the numbers of 'float64' before they are rounded.
    precision : {'float32', 'float64'}, optional
        Of what the file computes; by default the model's, but 'float32' where onnxruntime has
        nothing else: for convolutions and means of windows.

    Returns
    -------
    Report
    """
    model, program, notes = model_of(computation, dtype, precision)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    dtypes = [_dtype_of(tensor, dtype) for tensor in program.inputs]
    return Report(path, program, notes, dtypes=dtypes)


def model_of(computation, dtype=None, precision=None, opset=OPSET):
    """The ModelProto of a Computation, its Program, and what the report says."""
    onnx = require_onnx()
    for name, value in (("dtype", dtype), ("precision", precision)):
        if value is not None:
            check_choice(name, value, REALS)
    program = program_of(computation, ANY_BATCH)
    refuse_unknown(program, RULES, "ONNX")
    single = any(call.op.name in _SINGLE for call in program.calls)
    precision = precision or ("float32" if single else computation.precision)
    graph, names = Graph(onnx, program, precision, opset), [name for name, *_ in computation.inputs]
    if precision != computation.precision:
        graph.notes["precision"] = f"{precision}, that of the model is {computation.precision}"
    for tensor, name in zip(program.inputs, names):
        _take_input(graph, tensor, name, _dtype_of(tensor, dtype))
    for call in program.calls:
        graph.scope = call.scope
        made = RULES[call.op.name](graph, call, *map(graph.name_of, call.inputs))
        for tensor, name in zip(call.outputs, [made] if isinstance(made, str) else made):
            graph.take(tensor, name)
    graph.scope, outputs = "", []
    for tensor, name in zip(program.outputs, computation.outputs):
        graph.nodes.append(onnx.helper.make_node("Identity", [graph.name_of(tensor)], [name]))
        kind = "int32" if tensor.dtype == "int32" else precision
        outputs.append(_info(graph, name, kind, tensor.shape))
    if computation.classes is not None:
        outputs.insert(0, _labelled(graph, computation))
    nodes, constants = graph.reachable([output.name for output in outputs])
    inputs = [
        _info(graph, name, _dtype_of(tensor, dtype), tensor.shape)
        for tensor, name in zip(program.inputs, names)
    ]
    made = onnx.helper.make_graph(nodes, computation.name, inputs, outputs, constants)
    model = onnx.helper.make_model(
        made,
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        ir_version=IR_VERSION,
        producer_name="nnlite",
    )
    onnx.checker.check_model(model, full_check=True)
    return model, program, graph.notes


def _take_input(graph, tensor, name, dtype):
    """Say what an input is called, and what it is called where it is rounded."""
    graph.take(tensor, name)
    if dtype != "int32" and dtype != graph.real:
        graph.take(tensor, graph.cast(name, graph.real))
        if dtype == "float64":
            graph.exact[id(tensor)] = name


def _dtype_of(tensor, dtype):
    """The dtype of an input in the file."""
    return tensor.dtype if dtype is None or tensor.dtype == "int32" else dtype


def _labelled(graph, computation):
    """Add the output 'label': the class of the largest probability."""
    onnx, classes = graph.onnx, np.asarray(computation.classes)
    if classes.dtype.kind in "OU":
        classes = np.array([str(c) for c in classes], object)
    elif classes.dtype.kind in "iu":
        classes = classes.astype(np.int64)
    place = graph.add("ArgMax", [computation.outputs[0]], axis=1, keepdims=0)
    named = graph.constant(classes, exact=True)
    graph.nodes.append(onnx.helper.make_node("Gather", [named, place], ["label"]))
    kind = graph.kind_of(classes.dtype)
    return onnx.helper.make_tensor_value_info("label", kind, ["N"])


def _info(graph, name, dtype, shape):
    """What a file says of an input or output: an axis of any length has a name."""
    program = graph.program
    sizes = [
        "N" if n == program.batch else f"{name}_{axis}" if program.is_open(n) else n
        for axis, n in enumerate(shape)
    ]
    return graph.onnx.helper.make_tensor_value_info(name, graph.kind_of(dtype), sizes)


def run(report, arrays):
    """The runtime's name and the outputs of a file for arrays."""
    try:
        import onnxruntime
    except ImportError:
        raise ImportError("onnxruntime is not installed") from None
    path, outputs = str(report.path), report.program.of.outputs
    feeds = {name: a for (name, *_), a in zip(report.program.of.inputs, arrays)}
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return f"onnxruntime {onnxruntime.__version__}", session.run(outputs, feeds)
