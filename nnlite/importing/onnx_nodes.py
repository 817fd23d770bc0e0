"""A layer that computes nodes of an ONNX file, in ops."""

import math

import numpy as np

from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor
from nnlite.importing import onnx_functions, onnx_windows
from nnlite.importing.onnx_description import Graph, Node
from nnlite.layers.layer import Layer
from nnlite.ops.operands import constant
from nnlite.ops.slicing import stack
from nnlite.saving.onnx_file import require_onnx

# Of ops, and of the package onnx, for nodes that are not as they should be.
_FAILURES = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
_MOST_ELEMENTS = 2**28  # of an array that a file asks for with a few numbers
FUNCTIONS = {**onnx_functions.FUNCTIONS, **onnx_windows.FUNCTIONS}
_OF_SHAPES = {"Shape", "Size", "Scan"}
KNOWN = {*FUNCTIONS, *_OF_SHAPES}


def refuse_unknown(graph):
    """Raise a ValueError that names the operators of a Graph that are not known."""
    missing = {node.op for node in _all_nodes(graph)} - KNOWN - {"ConstantOfShape", "Range"}
    if missing:
        raise ValueError(f"expected operators that nnlite knows, got {', '.join(sorted(missing))}")


def _all_nodes(graph):
    for node in graph.nodes:
        yield node
        for setting in node.settings.values():
            if isinstance(setting, Graph):
                yield from _all_nodes(setting)


class Step:
    """A node where it is computed: with the version of the operators and the number of rows that
    the file tells."""

    def __init__(self, node, version, batch):
        self.op, self.settings, self.outputs = node.op, node.settings, node.outputs
        self.version, self.batch = version, batch


def computed(nodes, values, wanted, version, batch):
    """Compute nodes in their order.

    Parameters
    ----------
    nodes : list of Node
    values : dict of str to Tensor or array
        What is known; what the nodes make is added.
    wanted : list of str
    version : int
    batch : int or None
        The number of rows that shapes in the file tell, if they do.

    Returns
    -------
    list of Tensor or array
    """
    values[""] = None
    for node in nodes:
        given = [values[name] for name in node.inputs]
        try:
            made = _of_node(Step(node, version, batch), given, values)
        except (
            ArithmeticError,
            IndexError,
            KeyError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            name = node.outputs[0]
            raise ValueError(f"node of {name!r} ({node.op}): {error}") from None
        made = made if isinstance(made, (list, tuple)) else [made]
        values.update(zip(node.outputs, made))
    return [values[name] for name in wanted]


def _of_node(step, given, values):
    if step.op == "Shape":
        (x,), ends = given, (step.settings.get("start", 0), step.settings.get("end"))
        return np.array(x.shape[slice(*ends)], np.int64)
    if step.op == "Size":
        return np.array(given[0].size, np.int64)
    if step.op == "Scan":
        return _scan(step, given, values)
    if not any(isinstance(x, Tensor) for x in given):
        return _of_arrays(step, given)
    return FUNCTIONS[step.op](step, *given)


def _elements_of(step, given):
    """How many elements the result of a node has that may make many of few."""
    if step.op in ("ConstantOfShape", "Expand"):
        return math.prod(np.asarray(given[-1]).ravel().tolist())
    if step.op == "Tile":
        return given[0].size * math.prod(np.asarray(given[1]).ravel().tolist())
    if step.op == "Range":
        begin, end, apart = (float(np.asarray(x)) for x in given)
        return (end - begin) / apart
    return 0


def _of_arrays(step, given):
    """What a node makes of arrays, by the package onnx."""
    onnx = require_onnx()
    if _elements_of(step, given) > _MOST_ELEMENTS:
        raise ValueError(f"expected a result of at most {_MOST_ELEMENTS} elements")
    from onnx.reference import ReferenceEvaluator

    names = [f"x{i}" if x is not None else "" for i, x in enumerate(given)]
    settings = {
        key: onnx.numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v
        for key, v in step.settings.items()
    }
    node = onnx.helper.make_node(step.op, names, list(step.outputs), **settings)
    infos = [onnx.helper.make_tensor_value_info(n, 0, None) for n in names if n]
    outputs = [onnx.helper.make_tensor_value_info(n, 0, None) for n in step.outputs if n]
    graph = onnx.helper.make_graph([node], "node", infos, outputs)
    opset = onnx.helper.make_opsetid("", step.version)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    feeds = {name: x for name, x in zip(names, given) if name}
    return ReferenceEvaluator(model).run(None, feeds)


def _scan(step, given, values):
    """The body once for each step of a sequence."""
    settings, body = step.settings, step.settings["body"]
    scanned = settings["num_scan_inputs"]
    states, sequences = given[: len(given) - scanned], given[len(given) - scanned :]
    outputs = len(body.outputs) - len(states)
    axes = settings.get("scan_input_axes", [0] * scanned)
    back = settings.get("scan_input_directions", [0] * scanned)
    places = settings.get("scan_output_axes", [0] * outputs)
    turned = settings.get("scan_output_directions", [0] * outputs)
    length, made = sequences[0].shape[axes[0]], []
    for k in range(length):
        known = {**values, **body.constants}
        at = [
            x[(*[slice(None)] * axis, length - 1 - k if reverse else k)]
            for x, axis, reverse in zip(sequences, axes, back)
        ]
        known.update(zip(body.inputs, [*states, *at]))
        found = computed(body.nodes, known, body.outputs, step.version, step.batch)
        states = found[: len(states)]
        made.append(found[len(states) :])
    stacked = [
        stack(list(each[::-1] if reverse else each), axis)
        for each, axis, reverse in zip(zip(*made), places, turned)
    ]
    return [*states, *stacked]


class OnnxNodes(Layer):
    """Nodes of an ONNX file, computed in ops. `import_onnx` makes it.

    Parameters
    ----------
    nodes : list of dict
        `op`, `inputs`, `outputs`, `settings` of each node, in their order.
    inputs : list of str
        The names of what the layer is called on.
    output : str
        The name of what it gives.
    constants : dict of str to list, optional
        The dtype, the shape and the values of arrays that are no weights.
    arrays : dict of str to list, optional
        The shapes of arrays that are weights.
    version : int, default 17
        Of the operators.
    batch : int, optional
        The number of rows that shapes in the file tell.
    **kwargs
        Of `Layer`: name, trainable.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite.importing import OnnxNodes
    >>> node = {"op": "Relu", "inputs": ["x"], "outputs": ["y"], "settings": {}}
    >>> OnnxNodes([node], ["x"], "y")(nnlite.convert_to_tensor([[-1.0, 2.0]])).numpy()
    array([[0., 2.]], dtype=float32)
    """

    def __init__(
        self, nodes, inputs, output, constants=None, arrays=None, version=17, batch=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.nodes, self.inputs_read, self.output_made = nodes, inputs, output
        self.constants, self.arrays = constants or {}, arrays or {}
        self.version, self.batch = version, batch
        self._graph = [_node_of(node) for node in nodes]

    def get_config(self):
        """The settings, as data."""
        return {
            **super().get_config(),
            "nodes": self.nodes,
            "inputs": self.inputs_read,
            "output": self.output_made,
            "constants": self.constants,
            "arrays": self.arrays,
            "version": self.version,
            "batch": self.batch,
        }

    def build(self, input_shape):
        """Make a weight of each array."""
        self._weights_named = {
            name: self.add_weight(tuple(shape), "zeros", name=f"w{i}")
            for i, (name, shape) in enumerate(self.arrays.items())
        }
        super().build(input_shape)

    def call(self, inputs):
        given = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        values = {name: _array(value) for name, value in self.constants.items()}
        values.update(self._weights_named)
        values.update(zip(self.inputs_read, given))
        (y,) = computed(self._graph, values, [self.output_made], self.version, self.batch)
        return y if isinstance(y, Tensor) else constant(y, None)


def traced(nodes, shapes, values, output, version, batch):
    """The shape and dtype of what nodes make of inputs of some shapes and dtypes, and the calls of
    ops that make it."""
    known = {**values, **{name: Tensor(*kind) for name, kind in shapes.items()}}
    with Recording(executing=False, shapes_only=True) as trace:
        (y,) = computed(nodes, known, [output], version, batch)
    return y, trace.calls


def described_node(node):
    """A Node as plain data."""
    return {
        "op": node.op,
        "inputs": node.inputs,
        "outputs": node.outputs,
        "settings": {key: _plain(value) for key, value in node.settings.items()},
    }


def _plain(value):
    if isinstance(value, np.ndarray):
        return {"array": described_array(value)}
    if isinstance(value, Graph):
        return {
            "graph": {
                "nodes": [described_node(node) for node in value.nodes],
                "constants": {k: described_array(v) for k, v in value.constants.items()},
                "inputs": list(value.inputs),
                "outputs": value.outputs,
            }
        }
    return value


def described_array(value):
    """An array as plain data."""
    return [str(value.dtype), list(value.shape), value.ravel().tolist()]


def _array(described):
    dtype, shape, values = described
    return np.array(values, dtype).reshape(shape)


def _node_of(described):
    settings = {key: _setting(value) for key, value in described["settings"].items()}
    return Node(described["op"], described["inputs"], described["outputs"], settings)


def _setting(value):
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return _array(value["array"])
    body = value["graph"]
    nodes = [_node_of(node) for node in body["nodes"]]
    constants = {name: _array(v) for name, v in body["constants"].items()}
    return Graph(nodes, constants, dict.fromkeys(body["inputs"]), body["outputs"])


__all__ = ["KNOWN", "OnnxNodes", "computed"]
