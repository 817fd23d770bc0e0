"""What optimizers are tested with: cases of their ops as in `cases.py`, and `SETTINGS` of all."""

import numpy as np
from oracle_optimizers import (
    adadelta,
    adafactor,
    adagrad,
    adam,
    adamax,
    ftrl,
    lamb,
    lion,
    muon,
    nadam,
    rmsprop,
    schedule_free_adamw,
    sgd,
)
from samples import LENGTHS, Case, labels, normal

from nnlite.optimizers import (
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lamb,
    Lion,
    Muon,
    Nadam,
    RMSprop,
    ScheduleFreeAdamW,
)

BETAS = {"beta_1": 0.9, "beta_2": 0.999}
RMS = {"rho": 0.9, "epsilon": 1e-7}
FTRL = {"power": -0.5, "l1": 0.0, "l2": 0.0, "shrinkage": 0.0, "beta": 0.0}
STEPS = [np.array(t, np.int32) for t in (1, 2, 1000)]


def scale(x, y):
    """The sum of what went in, for a result may be a difference of it."""
    return sum(np.abs(v) for v in x if v.shape == x[0].shape) + 1e-3


def with_scale_of_ftrl(x, y):
    """z is a difference of numbers over the learning rate, p a quotient of them."""
    p, s, z, g, lr = x
    of_z = np.abs(z) + np.abs(g) + np.sqrt(s + g * g) / lr * np.abs(p)
    return of_z * lr / np.sqrt(s + g * g + 1e-3), s, of_z


def updates(slots, attrs, numbers=((),)):
    """Parameters, slots and gradients of odd sizes, with each of `attrs` and of `numbers`.

    A slot is signed ('m'), at least 0 ('v'), or of a pair with v so that v - a^2 > 0 ('a').
    """
    found = []
    for shape in [(n,) for n in LENGTHS] + [(3, 7)]:
        p, g, m = normal(*shape), normal(*shape, seed=1), normal(*shape, seed=2)
        a, v = normal(*shape, seed=4) / 2, np.abs(normal(*shape, seed=3))
        made = {"m": m, "v": v + a * a * ("a" in slots), "a": a}
        again = {**made, "v": np.abs(normal(*shape, seed=5))}  # a second slot of the kind
        arrays = [(again if slots[:k].count(s) else made)[s] for k, s in enumerate(slots)]
        found += [
            Case([p, *arrays, g, np.array(0.01), *more], each, scale=scale)
            for each in attrs
            for more in numbers
        ]
    return found


def ftrls():
    """Both forms of the power, and every strength."""
    all_of_it = {"power": -0.3, "l1": 0.5, "l2": 0.1, "shrinkage": 0.2, "beta": 0.01}
    cases = updates("vm", [FTRL, {**all_of_it, "power": -0.5}, all_of_it])
    for case in cases:
        case.scale = with_scale_of_ftrl
    return cases


def scale_of_direction(x, y):
    """The average of gradients may be a difference of what went in."""
    most = np.abs(x[0]) + np.abs(x[2])
    average = 0.9 * x[0] + 0.1 * x[2]
    return most * np.abs(y / average), most, np.abs(x[1]) + x[2] ** 2


def directions():
    """Averages, gradients and numbers of steps."""
    return [
        Case(
            [normal(n), np.abs(normal(n, seed=1)), normal(n, seed=2), t],
            ADAM[0],
            scale=scale_of_direction,
        )
        for n in LENGTHS
        for t in STEPS
    ]


COUNTED = [[t] for t in STEPS]
ADAM = [{**BETAS, "epsilon": 1e-7}]
CASES = {
    "increment": [Case([np.array(n, np.int32)]) for n in (0, -1, 41)],
    "assign_integers": [
        Case([labels(s, 2**31 - 1), labels(x, 2**31 - 1, 1)], {"keep": keep, "sign": sign})
        for s, x, keep, sign in [
            (1, 1, 1, 1),
            ((3, 4), (3, 4), 0, 1),
            (65, 65, 1, -1),
            (500, 1, 1, 1),
        ]
    ],
    "count_steps": [
        Case([np.array(n, np.int32), np.array(9, np.int32)], {"every": every, "add": add})
        for n in (0, 2, 7)
        for every in (2, 3)
        for add in (0, 1)
    ],
    "lamb_direction": directions(),
    "schedule_free_update": updates("mv", [{**ADAM[0], "warmup": w} for w in (0.0, 10.0)], COUNTED),
    "decay_weights": [Case([normal(n), np.array(0.01)], {"decay": 0.3}) for n in LENGTHS],
    "sgd_update": updates("", [{}]),
    "momentum_update": updates("m", [{"momentum": 0.9, "nesterov": n} for n in (0, 1)]),
    "rmsprop_update": updates("v", [RMS]),
    "rmsprop_momentum_update": updates("vm", [{**RMS, "momentum": 0.5}]),
    "rmsprop_centered_update": updates("va", [RMS]),
    "rmsprop_centered_momentum_update": updates("vma", [{**RMS, "momentum": 0.5}]),
    "adagrad_update": updates("v", [{"epsilon": 1e-7}]),
    "adadelta_update": updates("vv", [RMS]),
    "adam_update": updates("mv", ADAM, COUNTED),
    "amsgrad_update": updates("mvv", ADAM, COUNTED),
    "adamax_update": updates("mv", ADAM, COUNTED),
    "nadam_update": updates(
        "mv", ADAM, [[t, np.array(b)] for t, b in zip(STEPS, (1.0, 0.468, 0.0))]
    ),
    "nadam_advance": [Case([np.array(b), t], {"beta_1": 0.9}) for b in (1.0, 0.468) for t in STEPS],
    "lion_update": updates("m", [BETAS]),
    "ftrl_update": ftrls(),
}

ULP = {
    "increment": 0,
    "assign_integers": 0,
    "count_steps": 0,
    "lamb_direction": 4,
    "schedule_free_update": 3,
    "sgd_update": 1,
    "decay_weights": 1,
    "nadam_advance": 1,
    "adam_update": 1,
    "amsgrad_update": 1,
    "momentum_update": 2,
    "rmsprop_update": 2,
    "rmsprop_momentum_update": 2,
    "rmsprop_centered_update": 2,
    "rmsprop_centered_momentum_update": 2,
    "adagrad_update": 2,
    "adadelta_update": 2,
    "adamax_update": 2,
    "nadam_update": 2,
    "lion_update": 2,
    "ftrl_update": 6,
}

RULES = {
    SGD: sgd,
    RMSprop: rmsprop,
    Adagrad: adagrad,
    Adadelta: adadelta,
    Adam: adam,
    AdamW: adam,
    Adamax: adamax,
    Nadam: nadam,
    Lion: lion,
    Ftrl: ftrl,
    Lamb: lamb,
    ScheduleFreeAdamW: schedule_free_adamw,
    Adafactor: adafactor,
    Muon: muon,
}
OTHER_BETAS = {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9}
SETTINGS = [
    (SGD, {}),
    (SGD, {"learning_rate": 0.3}),
    (SGD, {"learning_rate": 0.1, "momentum": 0.9}),
    (SGD, {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    (SGD, {"learning_rate": 0.1, "nesterov": True}),
    (SGD, {"learning_rate": 0.1, "clipvalue": 0.2, "weight_decay": 0.3}),
    (SGD, {"learning_rate": 0.1, "momentum": 0.9, "clipnorm": 0.5}),
    (RMSprop, {}),
    (RMSprop, {"learning_rate": 0.05, "rho": 0.5, "epsilon": 0.01}),
    (RMSprop, {"learning_rate": 0.05, "momentum": 0.8}),
    (RMSprop, {"learning_rate": 0.05, "centered": True}),
    (RMSprop, {"learning_rate": 0.05, "momentum": 0.8, "centered": True, "rho": 0.7}),
    (Adagrad, {}),
    (Adagrad, {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": 0.01}),
    (Adadelta, {}),
    (Adadelta, {"learning_rate": 1.0, "rho": 0.8, "epsilon": 0.01}),
    (Adam, {}),
    (Adam, {**OTHER_BETAS, "epsilon": 0.01}),
    (Adam, {"learning_rate": 0.1, "beta_1": 0.0}),
    (Adam, {**OTHER_BETAS, "amsgrad": True}),
    (Adam, {"learning_rate": 0.1, "weight_decay": 0.1, "global_clipnorm": 0.7}),
    (AdamW, {}),
    (AdamW, {"learning_rate": 0.1, "weight_decay": 0.5, "amsgrad": True, "clipnorm": 0.1}),
    (Adamax, {}),
    (Adamax, {**OTHER_BETAS, "epsilon": 0.01}),
    (Nadam, {}),
    (Nadam, {**OTHER_BETAS, "epsilon": 0.01, "weight_decay": 0.2}),
    (Lion, {}),
    (Lion, {**OTHER_BETAS, "weight_decay": 0.2}),
    (Lamb, {"learning_rate": 0.1}),
    (Lamb, {**OTHER_BETAS, "epsilon": 0.01, "weight_decay": 0.2}),
    (ScheduleFreeAdamW, {}),
    (ScheduleFreeAdamW, {**OTHER_BETAS, "epsilon": 0.01, "warmup_steps": 3}),
    (Adafactor, {}),
    (Adafactor, {"learning_rate": 0.9, "beta_2_decay": -0.3, "clip_threshold": 0.5}),
    (Adafactor, {"learning_rate": 0.1, "epsilon_1": 0.01, "epsilon_2": 2.0, "weight_decay": 0.1}),
    (Muon, {}),
    (Muon, {"learning_rate": 0.1, "nesterov": False, "momentum": 0.5, "rms_rate": None}),
    (Muon, {"learning_rate": 0.1, "ns_steps": 2, "muon_a": 2.0, "adam_lr_ratio": 0.5}),
    (Ftrl, {"learning_rate": 0.1}),
    (
        Ftrl,
        {
            "learning_rate": 0.1,
            "learning_rate_power": -0.3,
            "initial_accumulator_value": 0.3,
            "l1_regularization_strength": 0.2,
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.05,
            "beta": 0.02,
        },
    ),
]
