"""Rules of ONNX for recurrent layers: its own operators, and a Scan over the steps for what they do
not have, such as masks."""

import numpy as np

from nnlite.exporting.onnx.elementwise import activated
from nnlite.exporting.program import is_constant
from nnlite.ops.activation import KINDS

# What ONNX calls activations in its operators, with what they take.
_NAMED = {
    "linear": ("Affine", 1.0, 0.0),
    "relu": ("Relu", 0.0, 0.0),
    "sigmoid": ("Sigmoid", 0.0, 0.0),
    "tanh": ("Tanh", 0.0, 0.0),
    "softsign": ("Softsign", 0.0, 0.0),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
}
_NAMED = {KINDS[name]: activation for name, activation in _NAMED.items()}
# The place in ONNX of each gate: input, output, forget, candidate; update, reset, candidate.
_ORDER = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "simple_rnn": (0,)}
_OPERATOR = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}


def _recurrent(graph, call, *given):
    name, attrs = call.op.name, call.attrs
    kinds = {attrs["kind"], *([attrs["recurrent_kind"]] if name != "simple_rnn" else [])}
    weights = call.inputs[1:3] if name == "gru" else call.inputs[1:2]
    whole = all(graph.readers[id(y)] == 0 for y in call.outputs[1:])
    if (
        whole
        and kinds <= {*_NAMED}
        and not attrs["mask"]
        and not attrs["drop"]
        and graph.real == np.float32
        and all(map(is_constant, weights))
    ):
        return _operator(graph, call, given[0], given[len(weights) + 1 :])
    return _scan(graph, call, *given)


def _operator(graph, call, x, states):
    name, attrs, order = call.op.name, call.attrs, _ORDER[call.op.name]
    recurrent, *bias = (t.numpy() for t in call.inputs[1 : -len(states)])
    units = len(recurrent)
    source, kernel, first = _input_of(graph, call, x)
    second = bias[0] if bias else np.zeros_like(first)
    weights = [_gates(kernel.T, order), _gates(recurrent.T, order)]
    both = np.concatenate([_gates(first, order), _gates(second, order)])
    given = [graph.transposed(source, (1, 0, 2))]
    given += [graph.constant(w[None]) for w in (*weights, both)]
    if not all(is_constant(t) and not t.numpy().any() for t in call.inputs[-len(states) :]):
        one = graph.integers(0)
        given += ["", *(graph.add("Unsqueeze", [state, one]) for state in states)]
    kinds = [attrs["recurrent_kind"]] * (len(order) > 1)
    kinds += [attrs["kind"]] * (1 + (name == "lstm"))
    named, alphas, betas = zip(*(_NAMED[kind] for kind in kinds))
    settings = {"linear_before_reset": 1} if name == "gru" else {}
    y = graph.add(
        _OPERATOR[name],
        given,
        hidden_size=units,
        direction="reverse" if attrs["reverse"] else "forward",
        activations=named,
        activation_alpha=alphas,
        activation_beta=betas,
        **settings,
    )
    y = graph.add("Squeeze", [y, graph.integers(1)])
    n, steps, _ = call.outputs[0].shape
    graph.shapes[y] = steps, n, units
    return graph.transposed(y, (1, 0, 2))


def _input_of(graph, call, x):
    """The name of what a recurrent layer reads, its kernel and its bias: those of the product in
    front of it, or the identity."""
    maker = graph.makers.get(id(call.inputs[0]))
    if maker is not None and maker.op.name == "linear" and maker.attrs["kind"] == 0:
        if all(is_constant(t) for t in maker.inputs[1:]):
            kernel, *bias = (t.numpy() for t in maker.inputs[1:])
            bias = bias[0] if bias else np.zeros(kernel.shape[1], kernel.dtype)
            return graph.name_of(maker.inputs[0]), kernel, bias
    size = call.inputs[0].shape[-1]
    return x, np.eye(size, dtype=graph.real), np.zeros(size, graph.real)


def _gates(weights, order):
    """The rows of weights with their gates in another order."""
    parts = np.split(weights, len(order))
    return np.ascontiguousarray(np.concatenate([parts[i] for i in order]))


# --- step by step


def _scan(graph, call, x, kernel, *given):
    """A Scan: its body computes one step, of the states before and a row of the input."""
    name, attrs, given = call.op.name, call.attrs, list(given)
    bias = given.pop(0) if name == "gru" else None
    states = [given.pop(0) for _ in range(2 if name == "lstm" else 1)]
    mask = given.pop(0) if attrs["mask"] else None
    drop = given.pop(0) if attrs["drop"] else None
    scanned = [x] if mask is None else [x, mask]
    body = graph.branch()
    before = [body.unused(f"{call.scope}/state") for _ in states]
    at = [body.unused(f"{call.scope}/step") for _ in scanned]
    h = before[0] if drop is None else body.add("Mul", [before[0], drop])
    after = _STEPS[name](body, attrs, at[0], kernel, bias, h, before)
    if mask is not None:
        seen = body.add("Unsqueeze", [body.truth_of(at[1]), body.integers(-1)])
        after = [body.add("Where", [seen, new, old]) for new, old in zip(after, before)]
    copies = [body.add("Identity", [y]) for y in after]
    helper = graph.onnx.helper
    kind = graph.kind_of(graph.real)
    inputs, outputs = (
        [helper.make_tensor_value_info(n, kind, None) for n in names]
        for names in ([*before, *at], [*after, *copies])
    )
    made = helper.make_graph(body.nodes, f"{call.scope}/step", inputs, outputs)
    direction = [attrs["reverse"]]
    ys = graph.add(
        "Scan",
        [*states, *scanned],
        outputs=2 * len(states),
        body=made,
        num_scan_inputs=len(scanned),
        scan_input_axes=[1] * len(scanned),
        scan_input_directions=direction * len(scanned),
        scan_output_axes=[1] * len(states),
        scan_output_directions=direction * len(states),
    )
    return ys[len(states) :]


def _kinds(attrs):
    return [
        lambda graph, x, kind=attrs[f"{which}kind"], alpha=attrs[f"{which}alpha"]: activated(
            graph, x, kind, alpha
        )
        for which in ("", "recurrent_")
    ]


def _lstm_step(graph, attrs, x, kernel, bias, h, before):
    act, gate = _kinds(attrs)
    sums = graph.add("Add", [x, graph.add("MatMul", [h, kernel])])
    i, f, g, o = graph.split(sums, 4)
    kept = graph.add("Mul", [gate(graph, f), before[1]])
    c = graph.add("Add", [kept, graph.add("Mul", [gate(graph, i), act(graph, g)])])
    return [graph.add("Mul", [gate(graph, o), act(graph, c)]), c]


def _gru_step(graph, attrs, x, kernel, bias, h, before):
    act, gate = _kinds(attrs)
    product = graph.add("Add", [graph.add("MatMul", [h, kernel]), bias])
    of_x = graph.split(x, 3)
    of_h = graph.split(product, 3)
    update, reset = (gate(graph, graph.add("Add", [a, b])) for a, b in zip(of_x[:2], of_h))
    candidate = graph.add("Add", [of_x[2], graph.add("Mul", [reset, of_h[2]])])
    candidate = act(graph, candidate)
    apart = graph.add("Sub", [before[0], candidate])
    return [graph.add("Add", [candidate, graph.add("Mul", [update, apart])])]


def _simple_rnn_step(graph, attrs, x, kernel, bias, h, before):
    act, _ = _kinds(attrs)
    return [act(graph, graph.add("Add", [x, graph.add("MatMul", [h, kernel])]))]


_STEPS = {"lstm": _lstm_step, "gru": _gru_step, "simple_rnn": _simple_rnn_step}
RULES = dict.fromkeys(_STEPS, _recurrent)
