"""Recurrent layers in NumPy: step by step, as their formulas say, with every option."""

import numpy as np

ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "hard_sigmoid": lambda z: np.clip((z + 3) / 6, 0, 1),
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(-1, keepdims=True),
}


def simple_rnn(x, states, w, act, rec, reset_after, drop):
    """One step: the new states, of which the first is the output."""
    kernel, recurrent, bias = w
    return [act(x @ kernel + (states[0] * drop) @ recurrent + bias)]


def lstm(x, states, w, act, rec, reset_after, drop):
    """One step, of the gates i and f, the candidate, and the gate o."""
    (kernel, recurrent, bias), (h, c) = w, states
    i, f, g, o = np.split(x @ kernel + (h * drop) @ recurrent + bias, 4, axis=1)
    c = rec(f) * c + rec(i) * act(g)
    return [rec(o) * act(c), c]


def gru(x, states, w, act, rec, reset_after, drop):
    """One step, of the update gate, the reset gate and the candidate."""
    (kernel, recurrent, bias), (h,) = w, states
    one, two = bias if np.ndim(bias) == 2 else (bias, 0.0)
    kept, u = h * drop, h.shape[1]
    z = x @ kernel + one
    if reset_after:
        m = kept @ recurrent + two
        gates = rec(z[:, : 2 * u] + m[:, : 2 * u])
        g = act(z[:, 2 * u :] + gates[:, u:] * m[:, 2 * u :])
    else:
        gates = rec(z[:, : 2 * u] + kept @ recurrent[:, : 2 * u])
        g = act(z[:, 2 * u :] + (gates[:, u:] * kept) @ recurrent[:, 2 * u :])
    return [gates[:, :u] * h + (1 - gates[:, :u]) * g]


STEPS = {"SimpleRNN": simple_rnn, "LSTM": lstm, "GRU": gru}


def of(kind, x, weights, states=None, mask=None, drop_x=1.0, drop=1.0, **options):
    """What a recurrent layer returns, a list: the output, then the states if they are wanted."""
    get = options.get
    act = ACTIVATIONS[get("activation", "tanh")]
    rec = ACTIVATIONS[get("recurrent_activation", "sigmoid")]
    weights = [*weights, 0.0][:3]
    n, t, u = *x.shape[:2], weights[1].shape[0]
    states = states or [np.zeros((n, u))] * (1 + (kind == "LSTM"))
    mask = np.ones((n, t), bool) if mask is None else np.asarray(mask) != 0
    outputs, y = [], np.zeros((n, u))
    for s in range(t)[:: -1 if get("go_backwards") else 1]:
        on = mask[:, s, None]
        after = STEPS[kind](
            x[:, s] * drop_x, states, weights, act, rec, get("reset_after", True), drop
        )
        y = np.where(on, after[0], y)
        states = [np.where(on, new, old) for new, old in zip(after, states)]
        outputs.append(np.where(on, y, 0) if get("zero_output_for_mask") else y)
    result = np.stack(outputs, axis=1) if get("return_sequences") else outputs[-1]
    return [result, *states] if get("return_state") else [result]


def convolved(x, w, stride=1, same=False):
    """The convolution of sequences, images or volumes (N, ..., C) with filters (..., C, F)."""
    size, rank = w.shape[:-2], w.ndim - 2
    if same:
        x = np.pad(x, [(0, 0), *(((k - 1) // 2, k // 2) for k in size), (0, 0)])
    axes = tuple(range(1, rank + 1))
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axes)
    windows = windows[(slice(None), *[slice(None, None, stride)] * rank)]
    return np.tensordot(windows, w, [(*range(rank + 2, 2 * rank + 2), rank + 1), range(rank + 1)])


def conv_lstm(x, weights, strides=1, padding="valid", **options):
    """What a ConvLSTM layer returns, with its channels last."""
    (kernel, recurrent, bias), rec = weights, ACTIVATIONS["sigmoid"]
    outputs, h, c = [], None, 0.0
    for s in range(x.shape[1])[:: -1 if options.get("go_backwards") else 1]:
        z = convolved(x[:, s], kernel, strides, padding == "same") + bias
        if h is not None:
            z = z + convolved(h, recurrent, same=True)
        i, f, g, o = np.split(z, 4, axis=-1)
        c = rec(f) * c + rec(i) * np.tanh(g)
        h = rec(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1) if options.get("return_sequences") else h
