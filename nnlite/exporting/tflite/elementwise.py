"""Rules of ops that work element by element: arithmetic, comparisons, activations."""

import numpy as np

from nnlite.exporting.quantization import affine_of
from nnlite.ops.activation import GATES, KINDS

# A rule is a function of a Graph and a call; it adds operators and gives the number of the result.


def plain(op, **options):
    """The rule of an op that is one operator."""
    return lambda graph, call: graph.add(op, graph.reads(call), call.outputs[0].shape, **options)


def integer_or_real(op):
    """As `plain`, of an op that numbers of both kinds have."""

    def rule(graph, call):
        y = call.outputs[0]
        dtype = "int32" if y.dtype == "int32" else None
        return graph.add(op, graph.reads(call), y.shape, dtype)

    return rule


def compared(op):
    """The rule of a comparison, whose result is a tensor of truth values."""
    return lambda graph, call: graph.add(op, graph.reads(call), call.outputs[0].shape, "bool")


def _where(graph, call):
    _, a, b = (graph.read(call, i) for i in range(3))
    condition = graph.truth(call.inputs[0])
    return graph.add("SELECT_V2", [condition, a, b], call.outputs[0].shape, like=a)


def _cast(graph, call):
    (y,) = call.outputs
    dtype = "int32" if y.dtype == "int32" else "float32"
    return graph.add("CAST", graph.reads(call), y.shape, dtype)


def _multiplied(graph, call):
    """A product, or a quotient that in integers is a product with the reciprocal."""
    if call.op.name == "multiply":
        return integer_or_real("MUL")(graph, call)
    if not graph.form(call):
        return integer_or_real("DIV")(graph, call)
    factor = (1 / call.inputs[1].numpy()).astype(np.float32)
    affine = affine_of(factor.min(), factor.max())
    factor = graph.constant(affine.integers(factor), affine)
    return graph.add("MUL", [graph.read(call, 0), factor], call.outputs[0].shape)


def _activation(graph, call):
    return activated(graph, graph.read(call, 0), call.attrs["kind"], call.attrs["alpha"])


def activated(graph, x, kind, alpha=0.0):
    """x by the activation that has a number of `KINDS`."""
    name = _NAMES[kind]
    if name in _OPERATORS:
        return graph.add(_OPERATORS[name], [x])
    return {
        "linear": lambda: x,
        "leaky_relu": lambda: graph.add("LEAKY_RELU", [x], Alpha=float(alpha)),
        "capped_relu": lambda: _capped_relu(graph, x, alpha),
        "elu": lambda: _elu(graph, x, 1.0, alpha),
        "selu": lambda: _elu(graph, x, 1.0507009873554805, 1.7580993408473769),
        "softplus": lambda: _softplus(graph, x),
        "softsign": lambda: _softsign(graph, x),
        "hard_sigmoid": lambda: _hard_sigmoid(graph, x),
        "isru": lambda: _isru(graph, x, alpha),
    }[name]()


def _erf(graph, call):
    """2 gelu(w) / w - 1 for w = x sqrt(2), which is never quite 0."""
    x = _between(graph, graph.read(call, 0), -4, 4)
    w = graph.add("ADD", [graph.add("MUL", [x, _number(graph, 2**0.5)]), _number(graph, 1e-20)])
    above = graph.add("MUL", [graph.add("GELU", [w], Approximate=False), _number(graph, 2)])
    return graph.add("SUB", [graph.add("DIV", [above, w]), _number(graph, 1)])


def _expm1(graph, call):
    """tanh(x / 2) (e^x + 1), which loses nothing of a small x."""
    x = graph.read(call, 0)
    half = graph.add("TANH", [graph.add("MUL", [x, _number(graph, 0.5)])])
    return graph.add("MUL", [half, graph.add("ADD", [graph.add("EXP", [x]), _number(graph, 1)])])


def _log1p(graph, call):
    return graph.add("LOG", [graph.add("ADD", [graph.read(call, 0), _number(graph, 1)])])


def _gate(graph, call):
    (x,) = graph.reads(call)
    name = _GATE_NAMES[call.attrs["gate"]]
    if name == "hard_silu":
        return graph.add("HARD_SWISH", [x])
    if name.startswith("gelu"):
        return graph.add("GELU", [x], Approximate=name == "gelu_tanh")
    return graph.add("MUL", [x, graph.add("TANH", [_softplus(graph, x)])])


def _scale_shift(graph, call):
    """A normalization with fixed statistics: in integers a convolution of single pixels."""
    (y,) = call.outputs
    if not graph.form(call):
        x, scale, shift = graph.reads(call)
        return graph.add("ADD", [graph.add("MUL", [x, scale]), shift])
    x, channels = graph.read(call, 0), y.shape[-1]
    kernel = graph.kernel(call, lambda w: w.reshape(1, 1, 1, channels), axis=3)
    pixels = y.size // channels // y.shape[0]
    images = y.shape if y.ndim == 4 else (y.shape[0], 1, pixels, channels)
    x = graph.reshape(x, images, (*graph.grows(y)[:1], False, False, False))
    window = {"StrideW": 1, "StrideH": 1, "DepthMultiplier": 1, "Padding": 1}
    made = graph.add("DEPTHWISE_CONV_2D", [x, *kernel], images, **window)
    return graph.reshape_as(made, y)


def _standardize(graph, call):
    """The mean in two parts, as float32 does not hold all of one that is large."""
    x, mean, rest, deviation = graph.reads(call)[:4]
    (y,) = call.outputs
    if call.inputs[0].dtype == "int32":
        x = graph.add("CAST", [x], dtype="float32")
    columns = graph.shape(mean)
    if columns and graph.shape(x)[-len(columns) :] != columns:
        wide = (*y.shape[:1], -1, *columns)
        x = graph.reshape(x, np.empty(y.shape).reshape(wide).shape, (*graph.grows(y)[:1], False))
    if call.attrs["inverse"]:
        x = graph.add("ADD", [graph.add("MUL", [x, deviation]), mean])
        x = graph.add("ADD", [x, rest])
    else:
        x = graph.add("SUB", [graph.add("SUB", [x, mean]), rest])
        x = graph.add("DIV", [x, deviation])
    return graph.reshape_as(x, y)


def _piecewise_linear_encoding(graph, call):
    """Each column is repeated for its bins by a product with zeros and ones."""
    x, lower, scale, _ = graph.reads(call)
    bins = call.inputs[3].numpy()
    spread = np.repeat(np.eye(len(bins), dtype=np.float32), bins, axis=0)
    (y,) = call.outputs
    shape = (*y.shape[:-1], len(spread))
    wide = graph.add("FULLY_CONNECTED", [x, graph.constant(spread)], shape, KeepNumDims=True)
    through = graph.add("MUL", [graph.add("SUB", [wide, lower]), scale])
    through = _between(graph, through, 0.0, 1.0)
    if not call.attrs["keep"]:
        return through
    return graph.add("CONCATENATION", [x, through], y.shape, Axis=len(y.shape) - 1)


def _number(graph, value):
    return graph.constant(np.float32(value))


def _between(graph, x, low, high):
    x = graph.add("MAXIMUM", [x, _number(graph, low)])
    return graph.add("MINIMUM", [x, _number(graph, high)])


def _capped_relu(graph, x, alpha):
    if alpha == 6:
        return graph.add("RELU6", [x])
    if graph.affine:  # the range of the result ends there
        return graph.add("RELU", [x])
    return graph.add("MINIMUM", [graph.add("RELU", [x]), _number(graph, alpha)])


def _elu(graph, x, above, below):
    if above == below == 1:
        return graph.add("ELU", [x])
    positive = graph.add("MUL", [graph.add("RELU", [x]), _number(graph, above)])
    negative = graph.add("ELU", [graph.add("MINIMUM", [x, _number(graph, 0)])])
    return graph.add("ADD", [positive, graph.add("MUL", [negative, _number(graph, below)])])


def _softplus(graph, x):
    small = graph.add("EXP", [graph.add("NEG", [graph.add("ABS", [x])])])
    rest = graph.add("LOG", [graph.add("ADD", [small, _number(graph, 1)])])
    return graph.add("ADD", [graph.add("RELU", [x]), rest])


def _softsign(graph, x):
    below = graph.add("ADD", [graph.add("ABS", [x]), _number(graph, 1)])
    return graph.add("DIV", [x, below])


def _hard_sigmoid(graph, x):
    moved = graph.add("ADD", [graph.add("MUL", [x, _number(graph, 1 / 6)]), _number(graph, 0.5)])
    return _between(graph, moved, 0.0, 1.0)


def _isru(graph, x, limit):
    part = graph.add("SQUARE", [graph.add("MUL", [x, _number(graph, 1 / limit)])])
    root = graph.add("SQRT", [graph.add("ADD", [part, _number(graph, 1)])])
    return graph.add("DIV", [x, root])


_NAMES = {number: name for name, number in KINDS.items()}
_GATE_NAMES = {number: name for name, number in GATES.items()}
_OPERATORS = {"relu": "RELU", "sigmoid": "LOGISTIC", "tanh": "TANH"}
RULES = {
    "abs": plain("ABS"),
    "activation": _activation,
    "add": integer_or_real("ADD"),
    "cast": _cast,
    "cos": plain("COS"),
    "divide": _multiplied,
    "equal": compared("EQUAL"),
    "erf": _erf,
    "exp": plain("EXP"),
    "expm1": _expm1,
    "floor": plain("FLOOR"),
    "gated_activation": _gate,
    "greater": compared("GREATER"),
    "greater_equal": compared("GREATER_EQUAL"),
    "log": plain("LOG"),
    "log1p": _log1p,
    "maximum": integer_or_real("MAXIMUM"),
    "minimum": integer_or_real("MINIMUM"),
    "multiply": _multiplied,
    "negative": integer_or_real("NEG"),
    "piecewise_linear_encoding": _piecewise_linear_encoding,
    "power": integer_or_real("POW"),
    "scale_shift": _scale_shift,
    "sign": plain("SIGN"),
    "sin": plain("SIN"),
    "sqrt": plain("SQRT"),
    "square": plain("SQUARE"),
    "squared_difference": integer_or_real("SQUARED_DIFFERENCE"),
    "standardize": _standardize,
    "subtract": integer_or_real("SUB"),
    "where": _where,
}
BROADCASTING = RULES.keys() - {"cast", "standardize", "piecewise_linear_encoding"}
