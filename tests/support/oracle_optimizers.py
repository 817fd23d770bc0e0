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


ORACLE = {
    "increment": lambda x, a: [x[0] + 1],
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
