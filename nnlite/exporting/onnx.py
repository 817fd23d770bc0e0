"""ONNX files, which onnxruntime and many others run. The files beside have a rule for each op."""

import numpy as np

from nnlite.atomic_write import replacing
from nnlite.checks import check_choice
from nnlite.exporting import (
    onnx_elementwise,
    onnx_images,
    onnx_products,
    onnx_recurrent,
    onnx_shapes,
)
from nnlite.exporting.onnx_graph import Graph
from nnlite.exporting.program import ANY_BATCH, program_of, refuse_unknown
from nnlite.exporting.report import Report
from nnlite.saving.onnx_file import require_onnx

OPSET, IR_VERSION = 17, 8
RULES = {
    **onnx_elementwise.RULES,
    **onnx_images.RULES,
    **onnx_products.RULES,
    **onnx_recurrent.RULES,
    **onnx_shapes.RULES,
}


def write(computation, path, dtype=None):
    """Write a Computation.

    Parameters
    ----------
    computation : Computation
    path : Path
    dtype : {'float32', 'float64'}, optional
        Of the inputs of real numbers; by default the model's precision. What scales columns reads
        the numbers of 'float64' before they are rounded.

    Returns
    -------
    Report
    """
    model, program = model_of(computation, dtype)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    dtypes = [_dtype_of(tensor, dtype) for tensor in program.inputs]
    return Report(path, program, dtypes=dtypes)


def model_of(computation, dtype=None):
    """The ModelProto of a Computation, and its Program."""
    onnx = require_onnx()
    if dtype is not None:
        check_choice("dtype", dtype, ("float32", "float64"))
    program = program_of(computation, ANY_BATCH)
    refuse_unknown(program, RULES, "ONNX")
    graph, names = Graph(onnx, program), [name for name, *_ in computation.inputs]
    for tensor, name in zip(program.inputs, names):
        graph.take(tensor, name)
        if _dtype_of(tensor, dtype) != tensor.dtype:
            graph.exact[id(tensor)] = name
            graph.take(tensor, graph.cast(name, tensor.dtype))
    for call in program.calls:
        graph.scope = call.scope
        made = RULES[call.op.name](graph, call, *map(graph.name_of, call.inputs))
        for tensor, name in zip(call.outputs, [made] if isinstance(made, str) else made):
            graph.take(tensor, name)
    graph.scope = ""
    outputs = [
        _info(onnx, name, tensor.dtype, program, tensor.shape)
        for tensor, name in zip(program.outputs, computation.outputs)
    ]
    for tensor, name in zip(program.outputs, computation.outputs):
        graph.nodes.append(onnx.helper.make_node("Identity", [graph.name_of(tensor)], [name]))
    if computation.classes is not None:
        outputs.insert(0, _labelled(graph, computation))
    nodes, constants = graph.reachable([output.name for output in outputs])
    inputs = [
        _info(onnx, name, _dtype_of(tensor, dtype), program, tensor.shape)
        for tensor, name in zip(program.inputs, names)
    ]
    made = onnx.helper.make_graph(nodes, computation.name, inputs, outputs, constants)
    model = onnx.helper.make_model(
        made,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="nnlite",
    )
    onnx.checker.check_model(model, full_check=True)
    return model, program


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
    named = graph.constant(classes)
    graph.nodes.append(onnx.helper.make_node("Gather", [named, place], ["label"]))
    kind = onnx.helper.np_dtype_to_tensor_dtype(classes.dtype)
    return onnx.helper.make_tensor_value_info("label", kind, ["N"])


def _info(onnx, name, dtype, program, shape):
    """What a file says of an input or output: an axis of any length has a name."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    sizes = [
        "N" if n == program.batch else f"{name}_{i}" if program.is_open(n) else n
        for i, n in enumerate(shape)
    ]
    return onnx.helper.make_tensor_value_info(name, kind, sizes)


def run(report, arrays):
    """The runtime's name and the outputs of a file for arrays."""
    try:
        import onnxruntime
    except ImportError:
        raise ImportError("onnxruntime is not installed") from None
    path, outputs = str(report.path), report.program.of.outputs
    feeds = {name: a for (name, *_), a in zip(report.program.of.inputs, arrays)}
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return f"onnxruntime {onnxruntime.__version__}", session.run(outputs, feeds)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        # It has convolutions, pooling and others in float32 only.
        from onnx.reference import ReferenceEvaluator

        return "onnx's reference evaluator", ReferenceEvaluator(path).run(outputs, feeds)
