"""ONNX files, which onnxruntime and many others run: a function for each op."""

import numpy as np

from nnlite.atomic_write import replacing
from nnlite.exporting.program import ANY_BATCH, is_constant, program_of, refuse_unknown
from nnlite.exporting.report import Report
from nnlite.ops.activation import KINDS
from nnlite.saving.onnx_file import require_onnx

OPSET, IR_VERSION = 17, 10


class Graph:
    """An ONNX graph that grows: nodes, constants, and the names of tensors."""

    def __init__(self, onnx, program):
        self.onnx, self.nodes, self.constants, self._names = onnx, [], {}, {}
        for tensor, (name, *_) in zip(program.inputs, program.of.inputs):
            self._names[id(tensor)] = name

    def name_of(self, tensor):
        """The name of a tensor; a constant becomes an initializer when it is first asked for."""
        name = self._names.get(id(tensor))
        if name is None:
            assert is_constant(tensor), (
                "the call that makes a tensor comes before those that read it"
            )
            name = self._names[id(tensor)] = self.constant(tensor.numpy())
        return name

    def constant(self, array):
        """The name of an initializer with these values."""
        name = f"c{len(self.constants)}"
        self.constants[name] = self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def add(self, op_type, inputs, outputs=1, **attributes):
        """Add a node; gives the name of its output, or a list of several."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(op_type, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def take(self, tensor, name):
        """Say that a tensor is what has a name."""
        self._names[id(tensor)] = name


def write(computation, path):
    """Write a Computation; gives the Report."""
    onnx = require_onnx()
    program = program_of(computation, ANY_BATCH)
    refuse_unknown(program, RULES, "ONNX")
    graph = Graph(onnx, program)
    for call in program.calls:
        x = [graph.name_of(t) for t in call.inputs]
        made = RULES[call.op.name](graph, call, *x)
        for tensor, name in zip(call.outputs, [made] if isinstance(made, str) else made):
            graph.take(tensor, name)
    outputs = []
    for tensor, name in zip(program.outputs, computation.outputs):
        made = graph.name_of(tensor)
        graph.nodes.append(onnx.helper.make_node("Identity", [made], [name]))
        outputs.append(_info(onnx, name, tensor))
    inputs = [_info(onnx, n, t) for t, (n, *_) in zip(program.inputs, computation.inputs)]
    made = onnx.helper.make_graph(
        graph.nodes, computation.name, inputs, outputs, list(graph.constants.values())
    )
    model = onnx.helper.make_model(
        made,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="nnlite",
    )
    onnx.checker.check_model(model, full_check=True)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    return Report(path, program)


def run(report, arrays):
    """The runtime's name and the outputs of a file for arrays."""
    try:
        import onnxruntime
    except ImportError:
        raise ImportError("onnxruntime is not installed") from None
    session = onnxruntime.InferenceSession(str(report.path), providers=["CPUExecutionProvider"])
    feeds = {i.name: a for i, a in zip(session.get_inputs(), arrays)}
    outputs = session.run(report.program.of.outputs, feeds)
    return f"onnxruntime {onnxruntime.__version__}", outputs


def _info(onnx, name, tensor):
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    shape = ["N" if i == 0 else n for i, n in enumerate(tensor.shape)]
    return onnx.helper.make_tensor_value_info(name, kind, shape)


# --- the functions of the ops


def _linear(graph, call, x, w, *bias):
    y = graph.add("MatMul", [x, w])
    y = graph.add("Add", [y, *bias]) if bias else y
    return _activated(graph, call, y)


def _activated(graph, call, x):
    kind = call.attrs["kind"]
    return x if kind == 0 else graph.add(_ACTIVATIONS[kind], [x])


def _scale_shift(graph, call, x, scale, shift):
    return graph.add("Add", [graph.add("Mul", [x, scale]), shift])


def _simple(op_type, **attributes):
    return lambda graph, call, *x: graph.add(op_type, list(x), **attributes)


_ACTIVATIONS = {KINDS["relu"]: "Relu", KINDS["sigmoid"]: "Sigmoid", KINDS["tanh"]: "Tanh"}
RULES = {
    "activation": _activated,
    "add": _simple("Add"),
    "linear": _linear,
    "multiply": _simple("Mul"),
    "scale_shift": _scale_shift,
    "softmax": _simple("Softmax", axis=-1),
    "subtract": _simple("Sub"),
}
