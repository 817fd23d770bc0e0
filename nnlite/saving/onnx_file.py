"""ONNX files: the weights of their nodes, in the order in which the nodes run, under the names that
PyTorch has for them. The package onnx reads them.

Exporters fold and rename weights, but what a node does with one is always told. So a Conv, Gemm or
LSTM is a module, whatever its weights are called."""

from pathlib import Path

import numpy as np

_PASSED = {"Flatten", "Reshape", "Squeeze", "Identity", "Dropout", "Relu", "Clip", "Tanh"}
_PASSED |= {"Sigmoid", "LeakyRelu", "Elu", "BatchNormalization", "Softmax", "Gelu"}
_UNCHANGED = {"Identity", "Unsqueeze"}
_NORM = ("weight", "bias", "running_mean", "running_var")
_PLAIN = {
    "Conv": ("weight", "bias"),
    "ConvTranspose": ("weight", "bias"),
    "BatchNormalization": _NORM,
    "LayerNormalization": ("weight", "bias"),
}
# Where the gates of ONNX stand in PyTorch.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}


def require_onnx():
    """The package onnx.

    Raises
    ------
    ImportError
        If it is not installed: says what to install.
    """
    try:
        import onnx
    except ImportError:
        raise ImportError('files .onnx need the package onnx: pip install "nnlite[onnx]"') from None
    return onnx


def read_arrays(path):
    """The initializers in a file, by their names there.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    ImportError
        Without the package onnx.
    ValueError
        If the file is not whole, or its numbers lie in other files.
    """
    return _arrays(model_in(path).graph)


def read_modules(path):
    """The weights of the nodes, named as PyTorch names those of modules.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    ImportError, ValueError
        As `read_arrays`; also if a node uses weights as no layer does.
    """
    graph = model_in(path).graph
    try:
        return _Nodes(graph, _arrays(graph)).weights()
    except (AttributeError, IndexError, KeyError, TypeError) as error:  # nodes without their inputs
        raise ValueError(f"expected a whole graph, got one where {error}") from None


def model_in(path):
    """The ModelProto in a file.

    Raises
    ------
    ImportError
        Without the package onnx.
    ValueError
        If the file is not whole.
    """
    model = require_onnx().ModelProto()
    try:
        model.ParseFromString(Path(path).read_bytes())
    except Exception as error:  # of protobuf, which may be absent where onnx is
        if isinstance(error, OSError):
            raise
        raise ValueError(f"expected a whole .onnx file, got one where {error}") from None
    if not model.graph.node:
        raise ValueError("expected a whole .onnx file, got one without nodes")
    for node in model.graph.node:
        for name in (node.name, node.op_type, *node.input, *node.output):
            if not isinstance(name, str):  # protobuf gives bytes where they are no text
                raise ValueError(f"expected names of nodes, got {name!r:.50}")
    return model


def _arrays(graph):
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and len(node.output) == 1:
            for attribute in node.attribute:
                if attribute.name == "value":
                    tensors[node.output[0]] = attribute.t
    arrays = {name: array_of(name, tensor) for name, tensor in tensors.items()}
    return {name: array for name, array in arrays.items() if array.dtype.kind in "biuf"}


def array_of(name, tensor):
    """The values of a TensorProto.

    Raises
    ------
    ValueError
        If they are not there as many as it says, or lie in another file.
    """
    onnx = require_onnx()
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise ValueError(f"{name!r}: expected numbers in the file itself, got a link to another")
    try:
        array = onnx.numpy_helper.to_array(tensor)
    except Exception as error:
        raise ValueError(f"{name!r}: expected {tuple(tensor.dims)} numbers, got {error}") from None
    return array.astype("f4") if array.dtype.name == "bfloat16" else array


class _Nodes:
    """The nodes of a graph, and the arrays that they use."""

    def __init__(self, graph, arrays):
        self.arrays, self.nodes = arrays, graph.node
        self.maker = {output: node for node in graph.node for output in node.output}

    def weights(self):
        found = {}
        for i, node in enumerate(self.nodes):
            made = self._of(node)
            if made:
                name = self._name(node, i, found)
                found |= {f"{name}.{key}": array for key, array in made.items()}
        return found

    def _name(self, node, number, found):
        """What the exporter called the module, if the weight is still called after it."""
        weight = next((name for name in node.input if name in self.arrays), "")
        module = weight.removesuffix(".weight")
        if module == weight or f"{module}.weight" in found:
            module = (node.name or f"{node.op_type}_{number}").replace(".", "_")
        return module

    def _of(self, node):
        """The weights of a node by PyTorch's names; empty if it has none."""
        kind, given = node.op_type, [self._value(name) for name in node.input]
        if kind in _PLAIN and len(given) > 1 and given[1] is not None:
            if any(array is None for array in given[1:]):
                raise _unlike(node)
            return dict(zip(_PLAIN[kind], given[1:]))
        if kind in ("Gemm", "MatMul") and len(given) > 1 and _axes(given[1]) == 2:
            return self._dense(node, *given[1:])
        if kind == "PRelu" and _axes(given[-1]) is not None:
            return {"weight": given[-1].reshape(-1)}
        if kind == "Gather" and _axes(given[0]) == 2:
            return {"weight": given[0]}
        if kind in _GATES and len(given) > 2:
            return self._recurrent(node, *given[1:4])
        return {}

    def _value(self, name):
        """An array, also one that nodes pass on with other axes; None if it is computed."""
        node = self.maker.get(name)
        if name not in self.arrays and node is not None and node.op_type in _UNCHANGED:
            return self.arrays.get(node.input[0])
        return self.arrays.get(name)

    def _dense(self, node, weight, bias=None):
        settings = _settings(node)
        plain = {"alpha": 1.0, "beta": 1.0, "transA": 0}
        if any(settings.get(key, value) != value for key, value in plain.items()):
            raise _unlike(node)
        self._check_order(node)
        if node.op_type == "MatMul":
            bias = self._added(node)
        made = {"weight": weight if settings.get("transB") else weight.T}
        return made if bias is None else made | {"bias": bias.reshape(-1)}

    def _added(self, node):
        """The vector that the next node adds to a matrix product."""
        for other in self.nodes:
            if node.output[0] in other.input:
                if other.op_type == "Add":
                    vectors = [self.arrays[n] for n in other.input if n in self.arrays]
                    return next((v for v in vectors if v.ndim == 1), None)
        return None

    def _check_order(self, node):
        """Raise a ValueError where flattened images have their channels last: PyTorch's never do,
        and the rows of the weights would be in another order."""
        before = self.maker.get(node.input[0])
        seen = 0
        while before is not None and before.op_type in _PASSED and seen < len(self.nodes):
            before, seen = self.maker.get(before.input[0]), seen + 1
        if seen and before is not None and before.op_type == "Transpose":
            raise ValueError(
                f"node {node.name!r}: expected flattened images with the channels first, as "
                "PyTorch exports them, got a Transpose before"
            )

    def _recurrent(self, node, kernel, recurrent, bias=None):
        kind, settings = node.op_type, _settings(node)
        before = settings.get("linear_before_reset", 0)
        if kernel is None or recurrent is None or _axes(kernel) != 3 or _axes(recurrent) != 3:
            raise _unlike(node)
        if kind == "GRU" and not before:
            raise ValueError(
                f"node {node.name!r}: expected a GRU with linear_before_reset=1, got another"
            )
        gates, made = _GATES[kind], {}

        def ordered(a):
            pieces = np.split(a, len(gates))
            return np.concatenate([pieces[i] for i in gates])

        for i, end in enumerate(("l0", "l0_reverse")[: len(kernel)]):
            made |= {f"weight_ih_{end}": ordered(kernel[i])}
            made |= {f"weight_hh_{end}": ordered(recurrent[i])}
            if bias is not None:
                of_input, of_state = np.split(bias[i], 2)
                made |= {f"bias_ih_{end}": ordered(of_input), f"bias_hh_{end}": ordered(of_state)}
        return made


def _axes(array):
    return None if array is None else array.ndim


def _settings(node):
    return {a.name: a.i if a.type == 2 else a.f for a in node.attribute if a.type in (1, 2)}


def _unlike(node):
    return ValueError(
        f"node {node.name!r} ({node.op_type}): expected weights as a layer has them, got others"
    )
