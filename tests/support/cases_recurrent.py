"""Cases of the recurrent ops: one step, no steps, odd sizes, masks, reversed; and of layers of
convolutions and states, as in `cases_layers` and `test_layer_refusals`."""

import functools
import itertools

import numpy as np
import oracle_sequences
from samples import Case, normal, rng

from nnlite import layers
from nnlite.ops.activation import KINDS

SIZES = [  # samples, steps, units
    *((1, 1, 1), (2, 3, 5), (3, 5, 37), (17, 4, 16), (31, 2, 33), (5, 3, 130)),
    *((0, 3, 4), (3, 0, 4), (1, 9, 64), (2, 3, 300), (1, 2, 420)),
]
GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}


def attributes(mask=0, drop=0, reverse=0, kind="tanh", recurrent="sigmoid"):
    return {
        "kind": KINDS[kind],
        "alpha": 0.25,
        "recurrent_kind": KINDS[recurrent],
        "recurrent_alpha": 0.25,
        "reverse": reverse,
        "mask": mask,
        "drop": drop,
    }


def inputs_of(name, n, t, u, a):
    """Inputs of a forward op whose states stay of the size of 1."""
    wide = GATES[name] * u
    found = [normal(n, t, wide), normal(u, wide, seed=1) / max(1, u) ** 0.5]
    if name == "gru":
        found.append(normal(wide, seed=2))
    found += [normal(n, u, seed=3 + k) / 2 for k in range(1 + (name == "lstm"))]
    if a["mask"]:
        found.append((rng("mask", n, t).random((n, t)) < 0.6).astype(float))
    if a["drop"]:
        found.append((rng("drop", n, u).random((n, u)) < 0.7) / 0.7)
    return found


def variants():
    """Sizes with the options taking turns, then every option at one size, other activations."""
    options = itertools.cycle(itertools.product((0, 1), repeat=3))
    found = [(size, attributes(*o)) for size, o in zip(SIZES, options)]
    found += [((4, 3, 9), attributes(*o)) for o in itertools.product((0, 1), repeat=3)]
    found += [((4, 3, 9), attributes(kind=k, recurrent="hard_sigmoid")) for k in ("relu", "elu")]
    found += [((1, 4, 190), attributes(mask)) for mask in (0, 1)]  # threads share the units
    return found


def gradient_inputs(name, forward, a, oracle):
    """Inputs of a gradient op, from those of the forward op and what it gives."""
    outputs = oracle[name](forward, a)
    h = outputs[0]
    dh, dc = normal(*h.shape, seed=7), normal(*h.shape, seed=8)
    required = {"lstm": 4, "gru": 4, "simple_rnn": 3}[name]
    rest = forward[required:]
    if name == "lstm":
        return [dh, dc, outputs[2], outputs[1], forward[3], forward[1], *rest]
    if name == "gru":
        return [dh, outputs[1], h, forward[3], forward[1], *rest]
    return [dh, h, forward[1], *rest]


def scale(name):
    """The largest sum of the absolute terms of a product with the recurrent kernel: of states and
    gates whose size is 1, or of gradients that are as large as those which come in."""
    at = {"lstm": 1, "lstm_gradient": 5, "gru": 1, "gru_gradient": 4, "simple_rnn": 1}.get(name, 2)
    axis = int(name.endswith("_gradient"))

    def of(inputs, want):
        largest = max(np.abs(x).max(initial=0) for x in inputs[: 1 if axis == 0 else 2])
        terms = np.abs(inputs[at]).sum(axis=axis).max(initial=0)
        return (np.array((1 + largest) * (1 + terms)),) * 4

    return of


def cases(oracle):
    """`CASES` of all recurrent ops; `oracle` is `oracle.ORACLE`."""
    found = {}
    for name in GATES:
        gradient = f"{name}_gradient"
        found[name], found[gradient] = [], []
        for (n, t, u), a in variants():
            forward = inputs_of(name, n, t, u, a)
            found[name].append(Case(forward, a, scale(name)))
            inputs = gradient_inputs(name, forward, a, oracle)
            found[gradient].append(Case(inputs, a, scale(gradient)))
            if t:  # the same, where only the step that was computed last has a gradient
                outside = 1 + (name == "lstm")
                last = [d[:, 0] for d in inputs[:outside]]
                found[gradient].append(Case([*last, *inputs[outside:]], a, scale(gradient)))
    return found


ULP = dict.fromkeys((*GATES, *(f"{name}_gradient" for name in GATES)), 4)
ONCE_ONLY = {name: f"{name}_gradient" for name in GATES}


def smooth(make):
    """Where the gradient rules are compared with differences; `make` is `Smooth`."""
    found = {}
    for name in GATES:
        found[name] = []
        for options in itertools.product((0, 1), repeat=3):
            a = attributes(*options)
            inputs = inputs_of(name, 2, 3, 4, a)
            smooth_in = tuple(range(len(inputs) - a["mask"] - a["drop"]))
            found[name].append(make(inputs, a, smooth_in))
    return found


def refused(kind):
    """What a recurrent layer refuses."""
    make = functools.partial(getattr(layers, kind), 2)
    return [
        (make, None, (4, 3), r"sequences of shape \(N, T, features\), got shape \(None, 3\)"),
        (make, (4, 2, 3), (4, 3), r"sequences of shape \(N, T, features\), got shape \(4, 3\)"),
        (make, (4, 2, 3), (4, 2, 5), r"3 features on its last axis, got shape \(4, 2, 5\)"),
        (make, None, (4, 0, 3), r"at least one step, got shape \(4, 0, 3\)"),
    ]


STEPS = {1: (6,), 2: (4, 5), 3: (3, 4, 2)}  # what a step is, by its number of axes


def conv_lstm(rank, *more, **options):
    """A case of a ConvLSTM layer; `more` is 'first' where its channels come first."""

    def reference(x, w):
        x = np.moveaxis(x, 2, -1) if more else x
        y = oracle_sequences.conv_lstm(x, w, **options)
        return np.moveaxis(y, -1, 1) if more else y

    kind = getattr(layers, f"ConvLSTM{rank}D")
    given = {"data_format": "channels_first"} if more else {}
    sizes = (3, *STEPS[rank]) if more else (*STEPS[rank], 3)
    return (
        lambda: kind(2, 2, bias_initializer="uniform", **given, **options),
        (2, 3, *sizes),
        reference,
    )


CASES = {
    "ConvLSTM1D": conv_lstm(1),
    "ConvLSTM1D backwards": conv_lstm(1, go_backwards=True, return_sequences=True),
    "ConvLSTM2D": conv_lstm(2, padding="same", return_sequences=True),
    "ConvLSTM2D of channels that come first": conv_lstm(2, "first", strides=2),
    "ConvLSTM3D": conv_lstm(3, padding="same"),
}


def refused_by_conv_lstm(rank, words):
    """What a ConvLSTM layer refuses."""
    make = functools.partial(getattr(layers, f"ConvLSTM{rank}D"), 2, kernel_size=2)
    x = (2, 3, *STEPS[rank], 3)
    return [
        (make, None, x[:-1], rf"sequences of {words}, channels\), got shape \(None, 3, "),
        (make, x, (2, 3, *(n + 1 for n in x[2:-1]), 3), r"steps of shape .* got shape \(2, 3, "),
        (make, x, (*x[:-1], 4), r"steps of shape .* got shape \(2, 3, "),
        (make, x, (2, 0, *x[2:]), r"at least one step, got shape \(2, 0, "),
    ]


SHAPES = {
    "ConvLSTM1D": refused_by_conv_lstm(1, r"sequences of shape \(N, T, steps"),
    "ConvLSTM2D": refused_by_conv_lstm(2, r"images of shape \(N, T, height, width"),
    "ConvLSTM3D": refused_by_conv_lstm(3, r"volumes of shape \(N, T, depth, height, width"),
    **{kind: refused(kind) for kind in ("SimpleRNN", "LSTM", "GRU")},
    "RNN": [
        (lambda: layers.RNN(layers.GRUCell(2)), None, (4, 3), r"\(N, T, features\), got"),
        (lambda: layers.RNN(layers.GRUCell(2)), (4, 2, 3), (4, 2, 5), "3 features on its last"),
    ],
}
