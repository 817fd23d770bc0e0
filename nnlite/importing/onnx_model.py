"""A model of an ONNX file: layers where nodes have weights as layers have them, and `OnnxNodes`.

The one idea: what a node makes becomes a symbol of the model where its first axis is that of the
rows. Where it is another, as behind a Transpose of steps to the front, the nodes wait, and are
computed by one layer with the first node behind them that has rows first again."""

from dataclasses import dataclass

import numpy as np

from nnlite import config, layers
from nnlite.importing.onnx_description import described
from nnlite.importing.onnx_nodes import (
    OnnxNodes,
    computed,
    described_array,
    described_node,
    refuse_unknown,
    traced,
)
from nnlite.importing.onnx_windows import margins
from nnlite.models import Model

# A number of rows that no other size is, and another: sizes that differ depend on it.
_ROWS = 4_093


def import_onnx(filepath):
    """A model that computes what an ONNX file says.

    Convolutions, dense layers, normalizations and embeddings are layers of nnlite with the file's
    weights; other nodes are `OnnxNodes`, whose arrays of real numbers are weights, too. So the
    model can be trained, and cut off as others. Nothing in the file is executed.

    Parameters
    ----------
    filepath : str or path
        Files that `export` writes, and others of ONNX's own operators for networks. Inputs may have
        any number of rows, but otherwise sizes that are known.

    Returns
    -------
    Model
        Its inputs are called as in the file. Outputs that are texts are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        Without the package onnx.
    ValueError
        If the file is not whole, its numbers lie in other files, or it has an operator that nnlite
        does not know: names it.

    Examples
    --------
    >>> import nnlite
    >>> model = nnlite.Sequential([nnlite.layers.Input((4,)), nnlite.layers.Dense(3)])
    >>> report = nnlite.export(model, "small.onnx", verbose=False)
    >>> nnlite.import_onnx("small.onnx").output_shape
    (None, 3)
    """
    try:
        graph = described(filepath)
        refuse_unknown(graph)
        return _Builder(graph).model()
    except ValueError as error:
        error.args = (f"import_onnx: {filepath}: {error}",)
        raise
    except (AttributeError, LookupError, RuntimeError, TypeError) as error:  # of parts left out
        raise ValueError(
            f"import_onnx: {filepath}: expected a whole graph, got one where {error}"
        ) from None


@dataclass
class Waiting:
    """What nodes make of symbols, that is not computed yet: its first axis is not that of rows.

    Attributes
    ----------
    nodes : list of Node
    symbols : dict of str to Symbol
    constants : dict of str to array
    """

    nodes: list
    symbols: dict
    constants: dict


class _Builder:
    """Makes a model of a Graph, node by node.

    Attributes
    ----------
    values : dict of str to array, Symbol or Waiting
        What is known of each name.
    inputs : dict of str to Symbol
    followers : dict of str to list of Node
        Who reads each name.
    done : set of int
        The ids of nodes that a layer of another has taken in.
    batch : int or None
        The number of rows that the file tells.
    """

    def __init__(self, graph):
        self.graph, self.values = graph, dict(graph.constants)
        self.real = "float64" if _is_double(graph) else "float32"
        batches = {shape[0] for shape, _ in graph.inputs.values() if shape}
        self.batch = batches.pop() if len(batches) == 1 else None
        self.inputs, self.followers, self.done = {}, {}, set()
        for node in graph.nodes:
            for name in filter(None, _names_of(node)):
                self.followers.setdefault(name, []).append(node)

    def model(self):
        with config.precision(self.real):
            for name, (shape, dtype) in self.graph.inputs.items():
                kind = "int32" if dtype.startswith(("int", "uint")) else self.real
                self.inputs[name] = layers.Input(shape[1:], dtype=kind, name=_legal(name))
            self.values.update(self.inputs)
            for node in self.graph.nodes:
                if id(node) not in self.done:
                    self._add(node)
            outputs = [self._output(name) for name in self.graph.outputs]
            outputs = [y for y in outputs if y is not None]
            inputs = list(self.inputs.values())
            if not inputs or not outputs:
                raise ValueError("expected a graph with an input and an output of numbers")
            return Model(
                inputs[0] if len(inputs) == 1 else inputs,
                outputs[0] if len(outputs) == 1 else outputs,
            )

    def _output(self, name):
        value = self.values.get(name)
        if isinstance(value, np.ndarray) or isinstance(value, Waiting):
            raise ValueError(
                f"output {name!r}: expected a row for each row of the input, got another"
            )
        return value

    def _add(self, node):
        given = [self.values.get(name) if name else None for name in node.inputs]
        if any(name and self.values.get(name) is None for name in node.inputs) or any(
            isinstance(x, np.ndarray) and x.dtype.kind not in "biuf" for x in given
        ):
            return  # it is made of texts
        if all(x is None or isinstance(x, np.ndarray) for x in given):
            values = {name: x for name, x in zip(node.inputs, given) if name}
            made = computed([node], values, node.outputs, self.graph.version, None)
            self.values.update(zip(node.outputs, map(np.asarray, made)))
            return
        layer = _NATURAL.get(node.op)
        y = layer(self, node, *given) if layer else None
        if y is None:
            for name in node.outputs:
                if name not in self.followers and name not in self.graph.outputs:
                    continue  # nobody reads it
                self.values[name] = self._computed(node, given, name)
        else:
            self.values[node.outputs[0]] = y

    def _computed(self, node, given, output):
        """A symbol of a layer that computes a node and those that wait for it, or what waits."""
        nodes, symbols, constants = [], {}, {}
        for name, x in zip(_names_of(node), [*given, *map(self.values.get, _outer(node))]):
            if isinstance(x, Waiting):
                nodes += [n for n in x.nodes if not any(n is m for m in nodes)]
                symbols |= x.symbols
                constants |= x.constants
            elif isinstance(x, np.ndarray):
                constants[name] = x
            elif x is not None:
                symbols[name] = x
        nodes.append(node)
        kinds = {name: ((_ROWS, *x.shape[1:]), x.dtype) for name, x in symbols.items()}
        y, calls = traced(nodes, kinds, constants, output, self.graph.version, self.batch)
        if any(map(_is_across_rows, calls)):
            raise ValueError(
                f"node of {output!r} ({node.op}): expected rows that are computed each by itself, "
                "got a sum, an extreme or the like over all rows"
            )
        if y.shape[:1] != (_ROWS,) or any(n and n % _ROWS == 0 for n in y.shape[1:]):
            return Waiting(nodes, symbols, constants)
        weights = {n: a for n, a in constants.items() if a.dtype.kind == "f" and a.size > 1}
        layer = OnnxNodes(
            [described_node(n) for n in nodes],
            list(symbols),
            output,
            {n: described_array(a) for n, a in constants.items() if n not in weights},
            {n: list(a.shape) for n, a in weights.items()},
            self.graph.version,
            self.batch,
            name=_legal(output),
        )
        found = layer(list(symbols.values()) if len(symbols) > 1 else next(iter(symbols.values())))
        layer.set_weights([*weights.values()])
        return found

    def called(self, layer, x, *weights):
        """A symbol of a layer, with weights as it has them."""
        y = layer(x)
        layer.set_weights(weights)
        return y

    def only_follower(self, name, op):
        """The node that alone reads a value, if it is of an operator; else None."""
        found = self.followers.get(name, [])
        alone = len(found) == 1 and name not in self.graph.outputs
        return found[0] if alone and found[0].op == op else None


def _is_across_rows(call):
    """Whether an op computes over an axis that has the rows in it."""
    a, size = call.attrs, 0
    if "reduced" in a:
        size = a["reduced"]
    elif call.op.name in ("softmax", "log_softmax", "layer_norm", "top_k"):
        size = call.inputs[0].shape[-1]
    elif call.op.name in ("linear", "matmul", "batch_matmul"):
        size = call.inputs[0].shape[-2 if a.get("transpose_a") else -1]
    return size > 0 and size % _ROWS == 0


def _names_of(node):
    return [*node.inputs, *_outer(node)]


def _outer(node):
    """The names that the body of a loop reads outside of it."""
    found = []
    for body in node.settings.values():
        if hasattr(body, "nodes"):
            inside = {
                *body.inputs,
                *body.constants,
                *(o for n in body.nodes for o in n.outputs),
                "",
            }
            found += [n for each in body.nodes for n in _names_of(each) if n not in inside]
    return list(dict.fromkeys(found))


def _is_double(graph):
    return any(dtype == "float64" for _, dtype in graph.inputs.values()) and not any(
        a.dtype == np.float32 for a in graph.constants.values()
    )


def _legal(name):
    """A name of a layer: without what stands in paths of weights."""
    return name.replace("/", ".").replace(":", "_")


def _is_symbol(x):
    return x is not None and not isinstance(x, (np.ndarray, Waiting))


def _are_arrays(*given):
    return all(isinstance(x, np.ndarray) for x in given)


# --- nodes that are layers


_CONVOLUTIONS = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
_DEPTHWISE = {1: layers.DepthwiseConv1D, 2: layers.DepthwiseConv2D}


def _conv(builder, node, x, w, *bias):
    if not _is_symbol(x) or not _are_arrays(w, *bias) or None in x.shape[2:]:
        return None
    settings, rank, groups = node.settings, w.ndim - 2, node.settings.get("group", 1)
    if rank not in _CONVOLUTIONS:
        return None
    strides = settings.get("strides", [1] * rank)
    apart = settings.get("dilations", [1] * rank)
    pairs, reach = margins(node, x.shape[2:], w.shape[2:]), zip(w.shape[2:], apart)
    halves = [((k - 1) * d // 2, (k - 1) * d - (k - 1) * d // 2) for k, d in reach]
    same = max(strides) == 1 and pairs == halves
    if not same and any(max(pair) for pair in pairs):
        x = _margins_layer(pairs, node)(x)
    window = {
        "strides": tuple(strides),
        "dilation_rate": tuple(apart),
        "padding": "same" if same else "valid",
        "data_format": "channels_first",
        "use_bias": bool(bias),
        "name": _legal(node.outputs[0]),
    }
    kernel = np.moveaxis(w, (0, 1), (-1, -2))
    activation, last = _activation_behind(builder, node)
    window["activation"] = activation
    if groups == x.shape[1] and w.shape[1] == 1 and groups > 1 and rank in _DEPTHWISE:
        kernel = kernel.reshape(*w.shape[2:], groups, -1)
        made = _DEPTHWISE[rank](w.shape[2:], depth_multiplier=kernel.shape[-1], **window)
    else:
        made = _CONVOLUTIONS[rank](w.shape[0], w.shape[2:], groups=groups, **window)
    y = builder.called(made, x, kernel, *bias)
    if last is not None:
        builder.done.add(id(last))
        builder.values[last.outputs[0]] = y
    return y


def _activation_behind(builder, node):
    """The activation of a layer that the next node computes, and that node; else None twice."""
    relu = builder.only_follower(node.outputs[0], "Relu")
    if relu is not None:
        return "relu", relu
    clip = builder.only_follower(node.outputs[0], "Clip")
    limits = [builder.graph.constants.get(name) for name in clip.inputs[1:]] if clip else []
    if len(limits) == 2 and _are_arrays(*limits) and [float(v) for v in limits] == [0, 6]:
        return "relu6", clip
    return None, None


def _margins_layer(pairs, node):
    kinds = {1: layers.ZeroPadding1D, 2: layers.ZeroPadding2D, 3: layers.ZeroPadding3D}
    padding = pairs[0] if len(pairs) == 1 else tuple(pairs)
    name = f"{_legal(node.outputs[0])}_margins"
    return kinds[len(pairs)](padding, data_format="channels_first", name=name)


def _pad(builder, node, x, *given):
    """Zeros around images."""
    pads, value, axes = [*given, None, None, None][:3]
    pads, value = node.settings.get("pads", pads), node.settings.get("value", value)
    if not _is_symbol(x) or axes is not None or node.settings.get("mode", "constant") != "constant":
        return None
    rank = len(x.shape) - 2
    if pads is None or not 1 <= rank <= 3 or (value is not None and np.any(np.asarray(value) != 0)):
        return None
    pairs = np.asarray(pads).reshape(2, -1).T.tolist()
    if pairs[:2] != [[0, 0], [0, 0]] or np.min(pairs) < 0 or x.dtype == "int32":
        return None
    return _margins_layer([tuple(pair) for pair in pairs[2:]], node)(x)


def _gemm(builder, node, x, w, *bias):
    settings = node.settings
    plain = settings.get("alpha", 1.0) == settings.get("beta", 1.0) == 1
    if not _is_symbol(x) or not _are_arrays(w, *bias) or settings.get("transA") or not plain:
        return None
    w = w.T if settings.get("transB") else w
    if bias and bias[0].shape != (w.shape[1],):
        return None
    made = layers.Dense(w.shape[1], use_bias=bool(bias), name=_legal(node.outputs[0]))
    return builder.called(made, x, w, *bias)


def _matmul(builder, node, x, w):
    """With the vector that the next node adds."""
    if not _is_symbol(x) or not _are_arrays(w) or w.ndim != 2 or len(x.shape) < 2:
        return None
    after = builder.only_follower(node.outputs[0], "Add")
    bias = [builder.values.get(n) for n in after.inputs if n != node.outputs[0]] if after else []
    if not (len(bias) == 1 and _are_arrays(*bias) and bias[0].shape == (w.shape[1],)):
        after, bias = None, []
    made = layers.Dense(w.shape[1], use_bias=bool(bias), name=_legal(node.outputs[0]))
    y = builder.called(made, x, w, *bias)
    if after is not None:
        builder.done.add(id(after))
        builder.values[after.outputs[0]] = y
    return y


def _batch_normalization(builder, node, x, *vectors):
    if not _is_symbol(x) or not _are_arrays(*vectors):
        return None
    epsilon, name = node.settings.get("epsilon", 1e-5), _legal(node.outputs[0])
    momentum = node.settings.get("momentum", 0.9)
    made = layers.BatchNormalization(1, epsilon=epsilon, momentum=momentum, name=name)
    return builder.called(made, x, *vectors)


def _gather(builder, node, x, index):
    """Rows of a matrix by numbers that the model computes."""
    if not _is_symbol(index) or not _are_arrays(x) or x.ndim != 2 or node.settings.get("axis"):
        return None
    if x.dtype.kind != "f" or len(index.shape) < 2:
        return None
    made = layers.Embedding(*x.shape, name=_legal(node.outputs[0]))
    return builder.called(made, index, x)


def _passed_on(builder, node, x, *_):
    return x if _is_symbol(x) else None


_NATURAL = {
    "BatchNormalization": _batch_normalization,
    "Conv": _conv,
    "Dropout": _passed_on,
    "Gather": _gather,
    "Gemm": _gemm,
    "Identity": _passed_on,
    "MatMul": _matmul,
    "Pad": _pad,
}
