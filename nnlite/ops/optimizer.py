"""Updates of weights in place, each one op over one variable."""

import math

from nnlite.dispatch import OPS, Op, apply
from nnlite.ops.operands import operands


def _one_number(name, *shapes):
    for shape in shapes:
        if math.prod(shape) != 1:
            raise ValueError(f"{name}: expected a number, got shape {shape}")
    return []


Op("increment", infer=lambda counter: _one_number("increment", counter), outputs=(), writes=(0,))


def increment(counter):
    """Add 1 to an int32 Variable of one element."""
    apply(OPS["increment"], [counter], {})


def _same_shapes(param, *rest, count, name):
    for shape in rest[:count]:
        if shape != param:
            raise ValueError(
                f"{name}: expected a gradient of the variable's shape {param}, got {shape}"
            )
    return _one_number(name, *rest[count:])


Op(
    "sgd_update",
    infer=lambda p, g, lr: _same_shapes(p, g, lr, count=1, name="sgd_update"),
    outputs=(),
    writes=(0,),
)


def sgd_update(param, grad, learning_rate):
    """param -= learning_rate * grad."""
    apply(OPS["sgd_update"], operands(param, grad, learning_rate), {})


Op(
    "momentum_update",
    infer=lambda p, v, g, lr, **_: _same_shapes(p, v, g, lr, count=2, name="momentum_update"),
    attrs={"momentum": float, "nesterov": int},
    outputs=(),
    writes=(0, 1),
)


def momentum_update(param, velocity, grad, learning_rate, momentum, nesterov=False):
    """velocity = momentum * velocity - lr * grad; param += velocity (nesterov: momentum * velocity
    - lr * grad)."""
    apply(
        OPS["momentum_update"],
        operands(param, velocity, grad, learning_rate),
        {"momentum": float(momentum), "nesterov": int(nesterov)},
    )


Op(
    "adam_update",
    infer=lambda p, m, v, g, lr, t, **_: _same_shapes(
        p, m, v, g, lr, t, count=3, name="adam_update"
    ),
    attrs={"beta_1": float, "beta_2": float, "epsilon": float},
    outputs=(),
    writes=(0, 1, 2),
)


def adam_update(param, m, v, grad, learning_rate, step, beta_1, beta_2, epsilon):
    """One step of Adam (Kingma & Ba, 2015, the efficient form at the end of section 2).

    alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t); m += (g - m)(1 - beta_1); v += (g^2 - v)(1 -
    beta_2); param -= alpha * m / (sqrt(v) + epsilon), where t is the int32 `step`, counted from 1.
    """
    apply(
        OPS["adam_update"],
        [*operands(param, m, v, grad, learning_rate), step],
        {"beta_1": float(beta_1), "beta_2": float(beta_2), "epsilon": float(epsilon)},
    )
