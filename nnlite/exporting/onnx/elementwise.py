"""Rules of ONNX for what works element by element: arithmetic, comparisons, activations."""

import numpy as np

from nnlite.ops.activation import GATES, KINDS

# Beyond this the result of isru is its limit, and the square is finite.
_FAR = 1e9


def _elementwise(make):
    """A rule from a function of (graph, names of operands, attributes)."""

    def rule(graph, call, *given):
        shape = call.outputs[0].shape
        return graph.elementwise(lambda *x: make(graph, x, call.attrs), shape, *given)

    return rule


def _node(op_type):
    return _elementwise(lambda graph, x, attrs: graph.add(op_type, x))


def _condition(op_type):
    return _elementwise(lambda graph, x, attrs: graph.real_of(graph.add(op_type, x)))


def _square(graph, x, attrs=None):
    return graph.add("Mul", [x[0], x[0]])


def _squared_difference(graph, x, attrs):
    return _square(graph, [graph.add("Sub", x)])


def _scale_shift(graph, x, attrs):
    return graph.add("Add", [graph.add("Mul", x[:2]), x[2]])


def _expm1(graph, x, attrs):
    """tanh(x / 2) (e^x + 1), which loses nothing of a small x."""
    half = graph.add("Tanh", [graph.add("Mul", [x[0], graph.number(0.5)])])
    return graph.add("Mul", [half, graph.add("Add", [graph.add("Exp", x), graph.number(1)])])


def _log1p(graph, x, attrs):
    return graph.add("Log", [graph.add("Add", [x[0], graph.number(1)])])


def _where(graph, x, attrs):
    return graph.add("Where", [graph.truth_of(x[0]), *x[1:]])


def _cast(graph, x, attrs):
    return graph.cast(x[0], np.int32 if attrs["to_int"] else graph.real)


# --- activations: functions of (graph, name, alpha)


def _of_node(op_type, **attributes):
    return lambda graph, x, alpha: graph.add(op_type, [x], **attributes)


def _of_alpha(op_type):
    return lambda graph, x, alpha: graph.add(op_type, [x], alpha=alpha)


def _capped_relu(graph, x, alpha):
    return graph.add("Clip", [x, graph.number(0), graph.number(alpha)])


def _isru(graph, x, alpha):
    near = graph.add("Mul", [x, graph.number(1 / alpha)])
    near = graph.add("Clip", [near, graph.number(-_FAR), graph.number(_FAR)])
    root = graph.add("Sqrt", [graph.add("Add", [_square(graph, [near]), graph.number(1)])])
    return graph.add("Mul", [graph.add("Div", [near, root]), graph.number(alpha)])


def _softplus(graph, x, alpha):
    """max(x, 0) + log(1 + exp(-|x|)), as exp(x) may overflow."""
    far = graph.add("Exp", [graph.add("Neg", [graph.add("Abs", [x])])])
    near = graph.add("Log", [graph.add("Add", [far, graph.number(1)])])
    return graph.add("Add", [graph.add("Relu", [x]), near])


def _in_double(single, double):
    """For float64 another formula, of nodes that runtimes have in double precision."""
    return lambda graph, x, alpha: (single if graph.real == np.float32 else double)(graph, x, alpha)


def _exponential(scale, alpha):
    """scale * x above 0, scale * alpha * (e^x - 1) below."""

    def make(graph, x, given):
        low = graph.add("Exp", [graph.add("Min", [x, graph.number(0)])])
        low = graph.add("Sub", [low, graph.number(1)])
        factor = scale * (given if alpha is None else alpha)
        low = graph.add("Mul", [low, graph.number(factor)])
        high = graph.add("Mul", [graph.add("Relu", [x]), graph.number(scale)])
        return graph.add("Add", [high, low])

    return make


def _softsign(graph, x, alpha):
    below = graph.add("Add", [graph.add("Abs", [x]), graph.number(1)])
    return graph.add("Div", [x, below])


def _hard_sigmoid(graph, x, alpha):
    y = graph.add("Mul", [graph.add("Add", [x, graph.number(3)]), graph.number(1 / 6)])
    return graph.add("Clip", [y, graph.number(0), graph.number(1)])


def _leaky_relu(graph, x, alpha):
    negative = graph.add("Less", [x, graph.number(0)])
    return graph.add("Where", [negative, graph.add("Mul", [x, graph.number(alpha)]), x])


_SELU = 1.0507009873554805, 1.6732632423543772
_ACTIVATIONS = {
    "linear": lambda graph, x, alpha: x,
    "relu": _of_node("Relu"),
    "leaky_relu": _in_double(_of_alpha("LeakyRelu"), _leaky_relu),
    "sigmoid": _of_node("Sigmoid"),
    "tanh": _of_node("Tanh"),
    "capped_relu": _capped_relu,
    "elu": _in_double(_of_alpha("Elu"), _exponential(1.0, None)),
    "selu": _in_double(_of_node("Selu", gamma=_SELU[0], alpha=_SELU[1]), _exponential(*_SELU)),
    "softplus": _softplus,
    "softsign": _in_double(_of_node("Softsign"), _softsign),
    "hard_sigmoid": _in_double(_of_node("HardSigmoid", alpha=1 / 6, beta=0.5), _hard_sigmoid),
    "isru": _isru,
}
_OF_KIND = {number: _ACTIVATIONS[name] for name, number in KINDS.items()}


def activated(graph, name, kind, alpha):
    """The name of an activation of something; `kind` is its number in `KINDS`."""
    return _OF_KIND[kind](graph, name, alpha)


def _gelu(graph, x):
    inside = graph.add("Mul", [x, graph.number(np.sqrt(0.5))])
    inside = graph.add("Erf", [inside])
    half = graph.add("Mul", [x, graph.number(0.5)])
    return graph.add("Mul", [half, graph.add("Add", [inside, graph.number(1)])])


def _gelu_tanh(graph, x):
    cube = graph.add("Mul", [_square(graph, [x]), graph.number(0.044715)])
    factor = graph.add("Add", [cube, graph.number(1)])
    inside = graph.add("Mul", [graph.add("Mul", [x, factor]), graph.number(np.sqrt(2 / np.pi))])
    half = graph.add("Mul", [x, graph.number(0.5)])
    above = graph.add("Add", [graph.add("Tanh", [inside]), graph.number(1)])
    return graph.add("Mul", [half, above])


def _times(make):
    """x times an activation of x."""
    return lambda graph, x: graph.add("Mul", [x, make(graph, x, 0.0)])


_GATED = {
    "silu": _times(_ACTIVATIONS["sigmoid"]),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "mish": _times(lambda graph, x, alpha: graph.add("Tanh", [_softplus(graph, x, alpha)])),
    "hard_silu": _times(_ACTIVATIONS["hard_sigmoid"]),
}
_OF_GATE = {number: _GATED[name] for name, number in GATES.items()}

RULES = {
    "abs": _node("Abs"),
    "activation": _elementwise(lambda graph, x, attrs: activated(graph, x[0], **attrs)),
    "add": _node("Add"),
    "cast": _elementwise(_cast),
    "cos": _node("Cos"),
    "divide": _node("Div"),
    "equal": _condition("Equal"),
    "erf": _node("Erf"),
    "exp": _node("Exp"),
    "expm1": _elementwise(_expm1),
    "floor": _node("Floor"),
    "gated_activation": _elementwise(lambda graph, x, attrs: _OF_GATE[attrs["gate"]](graph, x[0])),
    "greater": _condition("Greater"),
    "greater_equal": _condition("GreaterOrEqual"),
    "log": _node("Log"),
    "log1p": _elementwise(_log1p),
    "maximum": _node("Max"),
    "minimum": _node("Min"),
    "multiply": _node("Mul"),
    "negative": _node("Neg"),
    "power": _node("Pow"),
    "scale_shift": _elementwise(_scale_shift),
    "sign": _node("Sign"),
    "sin": _node("Sin"),
    "sqrt": _node("Sqrt"),
    "square": _elementwise(_square),
    "squared_difference": _elementwise(_squared_difference),
    "subtract": _node("Sub"),
    "where": _elementwise(_where),
}
