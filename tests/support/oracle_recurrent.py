"""The recurrent ops of `oracle.py`: step by step, as their formulas say."""

import numpy as np


def _optional(rest, attrs, n, t):
    """The mask and what h is multiplied by, or what leaves all as it is."""
    rest = list(rest)
    mask = rest.pop(0) if attrs["mask"] else np.ones((n, t))
    return mask != 0, rest.pop(0) if attrs["drop"] else 1.0


def _steps(t, attrs):
    return range(t)[::-1] if attrs["reverse"] else range(t)


def _of_all_steps(d, like, attrs):
    """Gradients of the states of all steps, from those of the last step that was computed."""
    if d.ndim == 3:
        return d
    found = np.zeros_like(like)
    found[:, list(_steps(like.shape[1], attrs))[-1]] = d
    return found


def make(activate, gradient):
    """The oracle of each op, of the activations and their gradients in `oracle.py`."""

    def act(x, a):
        return activate(x, a["kind"], a["alpha"])

    def rec(x, a):
        return activate(x, a["recurrent_kind"], a["recurrent_alpha"])

    def d_act(dy, y, a):
        return gradient(dy, y, a["kind"], a["alpha"])

    def d_rec(dy, y, a):
        return gradient(dy, y, a["recurrent_kind"], a["recurrent_alpha"])

    def lstm(inputs, a):
        z, kernel, h, c, *rest = inputs
        n, t, u = *z.shape[:2], h.shape[1]
        mask, drop = _optional(rest, a, n, t)
        hs, cs = np.zeros((n, t, u), z.dtype), np.zeros((n, t, u), z.dtype)
        gates, before = np.zeros_like(z), np.zeros((n, t, u), z.dtype)
        for s in _steps(t, a):
            before[:, s] = h * drop
            sums = z[:, s] + before[:, s] @ kernel
            i, f, g, o = (sums[:, k * u : (k + 1) * u] for k in range(4))
            i, f, g, o = rec(i, a), rec(f, a), act(g, a), rec(o, a)
            on = mask[:, s, None]
            gates[:, s] = np.where(on, np.concatenate([i, f, g, o], 1), sums)
            new = f * c + i * g
            h, c = np.where(on, o * act(new, a), h), np.where(on, new, c)
            hs[:, s], cs[:, s] = h, c
        return [hs, cs, gates, before]

    def lstm_gradient(inputs, a):
        dhs, dcs, gates, cs, first, kernel, *rest = inputs
        n, t, u = cs.shape
        dhs, dcs = (_of_all_steps(d, cs, a) for d in (dhs, dcs))
        mask, drop = _optional(rest, a, n, t)
        dz, dh, dc = np.zeros_like(gates), np.zeros_like(first), np.zeros_like(first)
        steps = list(_steps(t, a))
        for k in range(t)[::-1]:
            s, on = steps[k], mask[:, steps[k], None]
            c_before = cs[:, steps[k - 1]] if k else first
            i, f, g, o = (gates[:, s, j * u : (j + 1) * u] for j in range(4))
            total_h, total_c = dh + dhs[:, s], dc + dcs[:, s]
            y = act(cs[:, s], a)
            d = total_c + d_act(total_h * o, y, a)
            parts = [
                d_rec(d * g, i, a),
                d_rec(d * c_before, f, a),
                d_act(d * i, g, a),
                d_rec(total_h * y, o, a),
            ]
            dz[:, s] = np.where(on, np.concatenate(parts, 1), 0)
            dh = np.where(on, dz[:, s] @ kernel.T * drop, total_h)
            dc = np.where(on, d * f, total_c)
        return [dz, dh, dc]

    def gru(inputs, a):
        z, kernel, bias, h, *rest = inputs
        n, t, u = *z.shape[:2], h.shape[1]
        mask, drop = _optional(rest, a, n, t)
        hs, before = np.zeros((n, t, u), z.dtype), np.zeros((n, t, u), z.dtype)
        gates = np.zeros((n, t, 4 * u), z.dtype)
        for s in _steps(t, a):
            before[:, s] = h * drop
            m, x = before[:, s] @ kernel + bias, z[:, s]
            both = rec(x[:, : 2 * u] + m[:, : 2 * u], a)
            update, reset = both[:, :u], both[:, u:]
            g = act(x[:, 2 * u :] + reset * m[:, 2 * u :], a)
            on = mask[:, s, None]
            gates[:, s] = np.where(on, np.concatenate([both, g, m[:, 2 * u :]], 1), 0)
            h = np.where(on, update * h + (1 - update) * g, h)
            hs[:, s] = h
        return [hs, gates, before]

    def gru_gradient(inputs, a):
        dhs, gates, hs, first, kernel, *rest = inputs
        n, t, u = hs.shape
        dhs = _of_all_steps(dhs, hs, a)
        mask, drop = _optional(rest, a, n, t)
        dz, dm = np.zeros((2, n, t, 3 * u), dhs.dtype)
        dh, steps = np.zeros_like(first), list(_steps(t, a))
        for k in range(t)[::-1]:
            s, on = steps[k], mask[:, steps[k], None]
            h_before = hs[:, steps[k - 1]] if k else first
            update, reset, g, m = (gates[:, s, j * u : (j + 1) * u] for j in range(4))
            total = dh + dhs[:, s]
            d = d_act(total * (1 - update), g, a)
            du, dr = d_rec(total * (h_before - g), update, a), d_rec(d * m, reset, a)
            dz[:, s] = np.where(on, np.concatenate([du, dr, d], 1), 0)
            dm[:, s] = np.where(on, np.concatenate([du, dr, d * reset], 1), 0)
            dh = np.where(on, total * update + dm[:, s] @ kernel.T * drop, total)
        return [dz, dm, dh]

    def simple_rnn(inputs, a):
        z, kernel, h, *rest = inputs
        n, t, _ = z.shape
        mask, drop = _optional(rest, a, n, t)
        hs, before = np.zeros_like(z), np.zeros_like(z)
        for s in _steps(t, a):
            before[:, s] = h * drop
            h = np.where(mask[:, s, None], act(z[:, s] + before[:, s] @ kernel, a), h)
            hs[:, s] = h
        return [hs, before]

    def simple_rnn_gradient(inputs, a):
        dhs, hs, kernel, *rest = inputs
        n, t, u = hs.shape
        dhs = _of_all_steps(dhs, hs, a)
        mask, drop = _optional(rest, a, n, t)
        dz, dh = np.zeros_like(dhs), np.zeros((n, u), dhs.dtype)
        for s in list(_steps(t, a))[::-1]:
            on, total = mask[:, s, None], dh + dhs[:, s]
            dz[:, s] = np.where(on, d_act(total, hs[:, s], a), 0)
            dh = np.where(on, dz[:, s] @ kernel.T * drop, total)
        return [dz, dh]

    found = lstm, lstm_gradient, gru, gru_gradient, simple_rnn, simple_rnn_gradient
    return {rule.__name__: rule for rule in found}
