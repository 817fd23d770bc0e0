"""The rules of optimizers in plain NumPy, in Keras's form, and with them the oracles of their ops.

A rule takes (weights, gradient, state, step, settings) and gives the new weights.
"""

import numpy as np


def sgd(w, g, state, t, lr=0.01, momentum=0.0, nesterov=False):
    state["v"] = momentum * state.get("v", 0.0) - lr * g
    return w + momentum * state["v"] - lr * g if nesterov else w + state["v"]


def rmsprop(w, g, state, t, lr=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    state["v"] = rho * state.get("v", 0.0) + (1 - rho) * g * g
    state["a"] = rho * state.get("a", 0.0) + (1 - rho) * g
    variance = state["v"] - state["a"] ** 2 if centered else state["v"]
    state["m"] = momentum * state.get("m", 0.0) + lr * g / np.sqrt(variance + epsilon)
    return w - state["m"]


def adagrad(w, g, state, t, lr=0.001, initial_accumulator_value=0.1, epsilon=1e-7):
    state["s"] = state.get("s", initial_accumulator_value) + g * g
    return w - lr * g / np.sqrt(state["s"] + epsilon)


def adadelta(w, g, state, t, lr=0.001, rho=0.95, epsilon=1e-7):
    state["v"] = rho * state.get("v", 0.0) + (1 - rho) * g * g
    step = g * np.sqrt(state.get("d", 0.0) + epsilon) / np.sqrt(state["v"] + epsilon)
    state["d"] = rho * state.get("d", 0.0) + (1 - rho) * step * step
    return w - lr * step


def adam(w, g, state, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False):
    state["m"] = beta_1 * state.get("m", 0.0) + (1 - beta_1) * g
    state["v"] = beta_2 * state.get("v", 0.0) + (1 - beta_2) * g * g
    state["h"] = np.maximum(state.get("h", 0.0), state["v"])
    alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - alpha * state["m"] / (np.sqrt(state["h" if amsgrad else "v"]) + epsilon)


def adamax(w, g, state, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    state["m"] = beta_1 * state.get("m", 0.0) + (1 - beta_1) * g
    state["u"] = np.maximum(beta_2 * state.get("u", 0.0), np.abs(g))
    return w - lr * state["m"] / ((1 - beta_1**t) * (state["u"] + epsilon))


def nadam_momentum(beta_1, t):
    """The share of momentum at step t."""
    return beta_1 * (1 - 0.5 * 0.96**t)


def nadam(w, g, state, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    share, following = nadam_momentum(beta_1, t), nadam_momentum(beta_1, t + 1)
    state["product"] = state.get("product", 1.0) * share
    state["m"] = beta_1 * state.get("m", 0.0) + (1 - beta_1) * g
    state["v"] = beta_2 * state.get("v", 0.0) + (1 - beta_2) * g * g
    m_hat = following * state["m"] / (1 - state["product"] * following)
    m_hat = m_hat + (1 - share) * g / (1 - state["product"])
    return w - lr * m_hat / (np.sqrt(state["v"] / (1 - beta_2**t)) + epsilon)


def lamb_direction(g, state, t, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    state["m"] = beta_1 * state.get("m", 0.0) + (1 - beta_1) * g
    state["v"] = beta_2 * state.get("v", 0.0) + (1 - beta_2) * g * g
    return state["m"] / (1 - beta_1**t) / (np.sqrt(state["v"] / (1 - beta_2**t)) + epsilon)


def lamb(w, g, state, t, lr=0.001, **settings):
    u = lamb_direction(g, state, t, **settings)
    lengths = np.sqrt(np.sum(w * w)), np.sqrt(np.sum(u * u))
    return w - lr * (lengths[0] / lengths[1] if all(lengths) else 1.0) * u


def schedule_free(w, g, state, t, lr=0.0025, beta_1=0.9, beta_2=0.999, epsilon=1e-8, warmup=0):
    z = state.get("z", w)
    state["v"] = beta_2 * state.get("v", 0.0) + (1 - beta_2) * g * g
    x = (w - (1 - beta_1) * z) / beta_1
    rate = lr * min(t / warmup, 1.0) if warmup else lr
    z = state["z"] = z - rate * g / (np.sqrt(state["v"] / (1 - beta_2**t)) + epsilon)
    return (1 - beta_1) * z + beta_1 * ((1 - 1 / t) * x + z / t)


def schedule_free_adamw(w, g, state, t, warmup_steps=0, **settings):
    return schedule_free(w, g, state, t, warmup=warmup_steps, **settings)


def root_mean_square(x):
    return np.sqrt(np.mean(x * x))


def adafactor(
    w,
    g,
    state,
    t,
    lr=0.001,
    beta_2_decay=-0.8,
    epsilon_1=1e-30,
    epsilon_2=0.001,
    clip_threshold=1.0,
):
    rate, old = min(lr, 1 / np.sqrt(t)), 1 - t**beta_2_decay
    squares = g * g + epsilon_1
    if w.ndim > 1:
        for name, axis in (("r", -1), ("c", -2)):
            state[name] = old * state.get(name, 0.0) + (1 - old) * squares.mean(axis)
        r, c = state["r"], state["c"]
        v = (r / r.mean(-1, keepdims=True))[..., None] * c[..., None, :]
    else:
        v = state["v"] = old * state.get("v", 0.0) + (1 - old) * squares
    u = g / np.sqrt(v)
    size = max(epsilon_2, root_mean_square(w))
    return w - size * rate * u / max(1.0, root_mean_square(u) / clip_threshold)


def newton_schulz(x, steps, a, b, c):
    wide = x.T if x.shape[0] > x.shape[1] else x
    wide = wide / (np.sqrt(np.sum(wide**2)) + 1e-7)
    for _ in range(steps):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide.T if x.shape[0] > x.shape[1] else wide


def muon(
    w,
    g,
    state,
    t,
    lr=0.001,
    momentum=0.95,
    nesterov=True,
    ns_steps=5,
    rms_rate=0.2,
    muon_a=3.4445,
    muon_b=-4.7750,
    muon_c=2.0315,
    adam_lr_ratio=1,
    adam_beta_1=0.9,
    adam_beta_2=0.999,
    epsilon=1e-7,
):
    if w.ndim != 2:
        return adam(w, g, state, t, lr * adam_lr_ratio, adam_beta_1, adam_beta_2, epsilon)
    m = state["m"] = momentum * state.get("m", 0.0) + g
    u = newton_schulz(g + momentum * m if nesterov else m, ns_steps, muon_a, muon_b, muon_c)
    return w - lr * u * (1.0 if rms_rate is None else rms_rate * np.sqrt(max(w.shape)))


def lion(w, g, state, t, lr=0.001, beta_1=0.9, beta_2=0.99):
    m = state.get("m", np.zeros_like(w))
    state["m"] = beta_2 * m + (1 - beta_2) * g
    return w - lr * np.sign(beta_1 * m + (1 - beta_1) * g)


def ftrl(w, g, state, t, lr=0.001, initial_accumulator_value=0.1, beta=0.0, **strengths):
    power = -strengths.get("learning_rate_power", -0.5)
    l1, l2, shrinkage = (
        strengths.get(f"{name}_regularization_strength", 0.0)
        for name in ("l1", "l2", "l2_shrinkage")
    )
    old = state.get("s", initial_accumulator_value)
    new = state["s"] = old + g * g
    z = state.get("z", 0.0) + g + 2 * shrinkage * w - (new**power - old**power) / lr * w
    state["z"] = z
    return (np.clip(z, -l1, l1) - z) / (new**power / lr + 2 * l2 + beta / lr)


def by(rule, slots="", **fixed):
    """The oracle of an op, by a rule: `slots` are the names that they have in its state."""

    def oracle(x, attrs):
        p, *rest = x
        state, (g, lr, *more) = dict(zip(slots, rest)), rest[len(slots) :]
        if len(more) == 2:
            state["product"] = more[1]
        p = rule(p, g, state, float(more[0]) if more else None, lr=lr, **attrs, **fixed)
        return [p, *(state[name] for name in slots)]

    return oracle


STRENGTHS = {"l1": "l1", "l2": "l2", "shrinkage": "l2_shrinkage"}


def ftrl_update(x, attrs):
    """The op's names for the settings are shorter."""
    settings = {
        f"{STRENGTHS[k]}_regularization_strength": v for k, v in attrs.items() if k in STRENGTHS
    }
    settings |= {"learning_rate_power": attrs["power"], "beta": attrs["beta"]}
    return by(ftrl, "sz")(x, settings)


def lamb_direction_of(x, attrs):
    state = {"m": x[0], "v": x[1]}
    direction = lamb_direction(x[2], state, float(x[3]), **attrs)
    return [direction, state["m"], state["v"]]


def count_steps(x, attrs):
    steps, every = x[0] + attrs["add"], attrs["every"]
    return [steps % every == 0, steps, steps // every]


ORACLE = {
    "increment": lambda x, a: [x[0] + 1],
    "count_steps": count_steps,
    "lamb_direction": lamb_direction_of,
    "schedule_free_update": by(schedule_free, "zv"),
    "decay_weights": lambda x, a: [x[0] - x[0] * a["decay"] * x[1]],
    "sgd_update": by(sgd),
    "momentum_update": by(sgd, "v"),
    "rmsprop_update": by(rmsprop, "v"),
    "rmsprop_momentum_update": by(rmsprop, "vm"),
    "rmsprop_centered_update": by(rmsprop, "va", centered=True),
    "rmsprop_centered_momentum_update": by(rmsprop, "vma", centered=True),
    "adagrad_update": by(adagrad, "s"),
    "adadelta_update": by(adadelta, "vd"),
    "adam_update": by(adam, "mv"),
    "amsgrad_update": by(adam, "mvh", amsgrad=True),
    "adamax_update": by(adamax, "mu"),
    "nadam_update": by(nadam, "mv"),
    "nadam_advance": lambda x, a: [x[0] * nadam_momentum(a["beta_1"], float(x[1]))],
    "lion_update": by(lion, "m"),
    "ftrl_update": ftrl_update,
}
