"""What an ONNX file says, as plain data: nodes, constants, inputs, outputs."""

from dataclasses import dataclass

import numpy as np

from nnlite.saving.onnx_file import array_of, model_in, require_onnx


@dataclass
class Node:
    """A node: what it computes, of what, and how.

    Attributes
    ----------
    op : str
    inputs, outputs : list of str
        Names; '' where an optional one is left out.
    settings : dict
        Numbers, strings and lists of them; `Graph` for the body of a loop.
    """

    op: str
    inputs: list
    outputs: list
    settings: dict


@dataclass
class Graph:
    """Nodes in their order, the constants that they read, and the names of inputs and outputs.

    Attributes
    ----------
    nodes : list of Node
    constants : dict of str to array
    inputs : dict of str to (tuple, dtype)
        Shapes with None for sizes that are not known.
    outputs : list of str
    version : int
        Of the operators.
    """

    nodes: list
    constants: dict
    inputs: dict
    outputs: list
    version: int = 0


def described(path):
    """The Graph of a file.

    Raises
    ------
    ImportError
        Without the package onnx.
    ValueError
        If the file is not whole, its numbers lie in other files, or it has operators that are not
        ONNX's own.
    """
    model = model_in(path)
    versions = {o.domain: o.version for o in model.opset_import}
    made = _graph(model.graph)
    made.version = versions.get("", versions.get("ai.onnx", 1))
    return made


def _graph(graph):
    constants = {t.name: array_of(t.name, t) for t in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise ValueError(
                f"node {node.name!r}: expected an operator of ONNX, got "
                f"{node.domain}.{node.op_type}"
            )
        settings = {a.name: _setting(a) for a in node.attribute}
        if node.op_type == "Constant":
            constants[node.output[0]] = _constant(settings)
        else:
            nodes.append(Node(node.op_type, list(node.input), list(node.output), settings))
    inputs = {i.name: _kind(i) for i in graph.input if i.name not in constants}
    return Graph(nodes, constants, inputs, [o.name for o in graph.output])


def _setting(attribute):
    onnx = require_onnx()
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return array_of(attribute.name, value)
    if isinstance(value, onnx.GraphProto):
        return _graph(value)
    if isinstance(value, (int, float)):
        return value
    return [v.decode() if isinstance(v, bytes) else v for v in value]


def _constant(settings):
    ((name, value),) = settings.items()
    dtypes = {"value_float": "f4", "value_floats": "f4", "value_int": "i8", "value_ints": "i8"}
    return np.asarray(value, dtypes.get(name))


def _kind(info):
    """The shape and the dtype of an input."""
    onnx, kind = require_onnx(), info.type.tensor_type
    shape = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    return tuple(shape), onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
