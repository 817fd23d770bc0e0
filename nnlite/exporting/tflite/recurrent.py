"""Rules of recurrent ops: the steps of a sequence, one after the other."""

import numpy as np

from nnlite.exporting.program import is_constant
from nnlite.exporting.tflite.elementwise import activated


class Steps:
    """What the steps of a call share."""

    def __init__(self, graph, call):
        self.graph, self.call = graph, call
        self.kernel = graph.real_kernel(call, lambda w: w.T)
        self.zero = None  # the number of a state that is all zeros

    def split(self, x, parts):
        """x in equal parts of its last axis."""
        n, width = self.graph.shape(x)
        given = [self.graph.constant(np.int32(1)), x]
        shape = (n, width // parts)
        return self.graph.add("SPLIT", given, shape, outputs=parts, NumSplits=parts)

    def product(self, h, *bias):
        """h times the recurrent kernel, plus a bias; None where both are 0."""
        if h == self.zero:
            return bias[0] if bias else None
        shape = (self.graph.shape(h)[0], self.graph.shape(self.kernel)[0])
        return self.graph.add("FULLY_CONNECTED", [h, self.kernel, *bias], shape)

    def plus(self, x, y):
        return x if y is None else self.graph.add("ADD", [x, y])

    def times(self, x, y):
        return self.graph.add("MUL", [x, y])

    def activation(self, x):
        return activated(self.graph, x, self.call.attrs["kind"], self.call.attrs["alpha"])

    def gate(self, x):
        a = self.call.attrs
        return activated(self.graph, x, a["recurrent_kind"], a["recurrent_alpha"])


def _simple_rnn(steps, x, h):
    return [steps.activation(steps.plus(x, steps.product(h)))]


def _lstm(steps, x, h, c):
    i, f, g, o = steps.split(steps.plus(x, steps.product(h)), 4)
    kept, new = steps.times(steps.gate(f), c), steps.times(steps.gate(i), steps.activation(g))
    c = steps.plus(kept, new)
    return [steps.times(steps.gate(o), steps.activation(c)), c]


def _gru(steps, x, h):
    """Of x for the update gate, the reset gate and the candidate."""
    product = steps.product(h, steps.graph.read(steps.call, 2))
    if len(steps.graph.shape(product)) == 1:
        product = steps.graph.reshape(product, (1, *steps.graph.shape(product)))
    (of_update, of_reset, of_new), (update, reset, new) = steps.split(x, 3), steps.split(product, 3)
    update = steps.gate(steps.plus(of_update, update))
    reset = steps.gate(steps.plus(of_reset, reset))
    new = steps.activation(steps.plus(of_new, steps.times(reset, new)))
    return [steps.plus(new, steps.times(update, steps.graph.add("SUB", [h, new])))]


def _over_steps(step, first):
    """The rule of an op: `step` gives the new states, the call's inputs from `first` on are the
    states before the first step."""

    def rule(graph, call):
        a, given = call.attrs, len(call.inputs) - call.attrs["mask"] - call.attrs["drop"]
        if a["drop"] or not is_constant(call.inputs[1]):
            raise ValueError(
                f"export: layer {call.scope!r}: expected a recurrent kernel that is constant, and "
                "no dropout"
            )
        count, steps = call.inputs[0].shape[1], Steps(graph, call)
        x = _unpacked(graph, graph.read(call, 0), count)
        seen = _seen(graph, call, given, count) if a["mask"] else None
        states = [graph.read(call, i) for i in range(first, given)]
        if is_constant(call.inputs[first]) and not call.inputs[first].numpy().any():
            steps.zero = states[0]
        kept = [[None] * count for _ in call.outputs]
        for t in range(count)[:: -1 if a["reverse"] else 1]:
            new = step(steps, x[t], *states)
            if seen:
                new = [graph.add("SELECT_V2", [seen[t], n, s]) for n, s in zip(new, states)]
            states = new
            for each, state in zip(kept, states):
                each[t] = state
        return [
            graph.add("PACK", each, y.shape, ValuesCount=count, Axis=1)
            for each, y in zip(kept, call.outputs)
        ]

    return rule


def _unpacked(graph, x, count):
    """The steps of sequences."""
    n, _, *rest = graph.shape(x)
    made = graph.add("UNPACK", [x], (n, *rest), like=x, outputs=count, Num=count, Axis=1)
    return [made] if count == 1 else made


def _seen(graph, call, i, count):
    """Truth values (N, 1) of each step."""
    n = call.inputs[i].shape[0]
    mask = graph.truth(call.inputs[i])
    mask = graph.reshape(mask, (n, count, 1), (graph.growing is not None, False, False))
    return _unpacked(graph, mask, count)


RULES = {
    "gru": _over_steps(_gru, 3),
    "lstm": _over_steps(_lstm, 2),
    "simple_rnn": _over_steps(_simple_rnn, 2),
}
