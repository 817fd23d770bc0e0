"""Update rules of optimizers: each is one op that overwrites one variable.

The arguments of a rule are the Variable `param`, its slots (Variables of the same shape that
persist from step to step), the gradient, the learning rate, and for some rules the int32 `step`,
counted from 1. Formulas, including the place of each epsilon, are Keras's. csrc/ops/optimizer.c
names the papers.
"""

import inspect
import math

from nnlite.engine.dispatch import OPS, Op, apply
from nnlite.engine.tensor import Tensor
from nnlite.ops.operands import call, operands


def _check_scalars(name, *shapes):
    for shape in shapes:
        if math.prod(shape) != 1:
            raise ValueError(f"{name}: expected a number, got shape {shape}")
    return []


Op("increment", infer=lambda counter: _check_scalars("increment", counter), outputs=(), writes=(0,))


def increment(counter):
    """Add 1 to an int32 Variable of one element."""
    apply(OPS["increment"], [counter], {})


Op(
    "count_steps",
    infer=lambda *counters, **_: [*_check_scalars("count_steps", *counters), ()],
    attrs={"every": int, "add": int},
    outputs=("int32",),
    writes=(0, 1),
    gradient="none",
)


def count_steps(steps: Tensor, updates: Tensor, every, add=1):
    """Count steps, of which every `every`-th changes weights.

    Parameters
    ----------
    steps : int32 Variable of one element
        Increased by `add`.
    updates : int32 Variable of one element
        Becomes steps // every.
    every : int of at least 1
    add : {0, 1}

    Returns
    -------
    int32 Tensor, shape ()
        Whether `every` divides the number of steps.
    """
    return call("count_steps", [steps, updates], every=int(every), add=int(add))


def _infer_lamb(m, v, grad, step, **_):
    if not m == v == grad:
        raise ValueError(f"lamb_direction: expected arrays of one shape, got {m}, {v}, {grad}")
    _check_scalars("lamb_direction", step)
    return [m]


Op(
    "lamb_direction",
    infer=_infer_lamb,
    attrs={"beta_1": float, "beta_2": float, "epsilon": float},
    writes=(0, 1),
    in_place=(2,),
)


def lamb_direction(m: Tensor, v: Tensor, grad, step, beta_1, beta_2, epsilon):
    """The averages m and v as in `adam_update`; returns m / (1 - beta_1^step) / (sqrt(v / (1 -
    beta_2^step)) + epsilon)."""
    tensors = operands(m, v, grad)
    numbers = {"beta_1": float(beta_1), "beta_2": float(beta_2), "epsilon": float(epsilon)}
    return call("lamb_direction", [*tensors, step], **numbers)


def _update_rule(name, formula, slots=(), numbers=("learning_rate",), attrs=None, gradient=True):
    """Register an op that overwrites `param` and its slots; return the function that calls it.

    Parameters
    ----------
    name : str
    formula : str
        The docstring of the function.
    slots : tuple of str
    numbers : tuple of str
        Inputs of one element; `step` is int32.
    attrs : dict of str to type
    gradient : bool
        Whether the gradient is an input.
    """
    arrays = ("param", *slots, *(("grad",) if gradient else ()))
    inputs, attrs = (*arrays, *numbers), attrs or {}

    def infer(param, *rest, **_):
        for what, shape in zip(arrays[1:], rest):
            if shape != param:
                what = "gradient" if what == "grad" else what
                raise ValueError(
                    f"{name}: expected a {what} of the variable's shape {param}, got {shape}"
                )
        return _check_scalars(name, *rest[len(arrays) - 1 :])

    writes = tuple(range(1 + len(slots)))
    fused_input = len(writes) if gradient else None
    Op(name, infer=infer, attrs=attrs, outputs=(), writes=writes, fused_input=fused_input)
    parameter = inspect.Parameter
    signature = inspect.Signature(
        [parameter(what, parameter.POSITIONAL_OR_KEYWORD) for what in (*inputs, *attrs)]
    )

    def function(*args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments
        reals = [what for what in inputs if what != "step"]
        tensors = dict(zip(reals, operands(*(given[what] for what in reals))))
        apply(
            OPS[name],
            [tensors[what] if what in tensors else given[what] for what in inputs],
            {what: kind(given[what]) for what, kind in attrs.items()},
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__, function.__signature__ = formula, signature
    return function


_WITH_STEP = ("learning_rate", "step")
_BETAS = {"beta_1": float, "beta_2": float}
_ADAM = {**_BETAS, "epsilon": float}

decay_weights = _update_rule(
    "decay_weights",
    "param -= learning_rate * decay * param.",
    attrs={"decay": float},
    gradient=False,
)
sgd_update = _update_rule("sgd_update", "param -= learning_rate * grad.")
momentum_update = _update_rule(
    "momentum_update",
    "velocity = momentum * velocity - learning_rate * grad; param += velocity (nesterov: momentum "
    "* velocity - learning_rate * grad).",
    slots=("velocity",),
    attrs={"momentum": float, "nesterov": int},
)


def _rmsprop(kind, *slots):
    momentum = {"momentum": float} if "m" in slots else {}
    return _update_rule(
        f"rmsprop_{kind}update",
        "v += (grad^2 - v)(1 - rho); variance = v, less the square of the average gradient if "
        "centered; step = learning_rate * grad / sqrt(variance + epsilon), with momentum the "
        "running m = momentum * m + step; param -= step.",
        slots=("v", *slots),
        attrs={"rho": float, "epsilon": float, **momentum},
    )


rmsprop_update = _rmsprop("")
rmsprop_momentum_update = _rmsprop("momentum_", "m")
rmsprop_centered_update = _rmsprop("centered_", "average")
rmsprop_centered_momentum_update = _rmsprop("centered_momentum_", "m", "average")
adagrad_update = _update_rule(
    "adagrad_update",
    "accumulator += grad^2; param -= learning_rate * grad / sqrt(accumulator + epsilon).",
    slots=("accumulator",),
    attrs={"epsilon": float},
)
adadelta_update = _update_rule(
    "adadelta_update",
    "v += (grad^2 - v)(1 - rho); step = grad * sqrt(d + epsilon) / sqrt(v + epsilon); d += (step^2 "
    "- d)(1 - rho); param -= learning_rate * step.",
    slots=("v", "d"),
    attrs={"rho": float, "epsilon": float},
)
adam_update = _update_rule(
    "adam_update",
    "m += (grad - m)(1 - beta_1); v += (grad^2 - v)(1 - beta_2); param -= alpha * m / (sqrt(v) + "
    "epsilon), alpha = learning_rate * sqrt(1 - beta_2^step) / (1 - beta_1^step).",
    slots=("m", "v"),
    numbers=_WITH_STEP,
    attrs=_ADAM,
)
amsgrad_update = _update_rule(
    "amsgrad_update",
    "As `adam_update`, with `top`, the largest v so far, in place of v.",
    slots=("m", "v", "top"),
    numbers=_WITH_STEP,
    attrs=_ADAM,
)
adamax_update = _update_rule(
    "adamax_update",
    "m += (grad - m)(1 - beta_1); u = max(beta_2 * u, |grad|); param -= learning_rate / (1 - "
    "beta_1^step) * m / (u + epsilon).",
    slots=("m", "u"),
    numbers=_WITH_STEP,
    attrs=_ADAM,
)
nadam_update = _update_rule(
    "nadam_update",
    "Adam with Nesterov's momentum. The momentum of step t is b(t) = beta_1 (1 - 0.96^t / 2); "
    "`product` is b(1) ... b(step - 1), which `nadam_advance` updates.",
    slots=("m", "v"),
    numbers=(*_WITH_STEP, "product"),
    attrs=_ADAM,
)
lion_update = _update_rule(
    "lion_update",
    "param -= learning_rate * sign(m + (grad - m)(1 - beta_1)); m += (grad - m)(1 - beta_2).",
    slots=("m",),
    attrs=_BETAS,
)
ftrl_update = _update_rule(
    "ftrl_update",
    "s' = accumulator + grad^2; linear += grad + 2 shrinkage * param - (s'^-power - "
    "accumulator^-power) / learning_rate * param; param = (clip(linear, -l1, l1) - linear) / "
    "(s'^-power / learning_rate + 2 l2 + beta / learning_rate).",
    slots=("accumulator", "linear"),
    attrs=dict.fromkeys(("power", "l1", "l2", "shrinkage", "beta"), float),
)

schedule_free_update = _update_rule(
    "schedule_free_update",
    "v += (grad^2 - v)(1 - beta_2); x = (param - (1 - beta_1) z) / beta_1; z -= learning_rate * "
    "min(step / warmup, 1) * grad / (sqrt(v / (1 - beta_2^step)) + epsilon); x += (z - x) / step; "
    "param = (1 - beta_1) z + beta_1 x.",
    slots=("z", "v"),
    numbers=_WITH_STEP,
    attrs={**_ADAM, "warmup": float},
)

Op(
    "nadam_advance",
    infer=lambda product, step, **_: _check_scalars("nadam_advance", product, step),
    attrs={"beta_1": float},
    outputs=(),
    writes=(0,),
)


def nadam_advance(product: Tensor, step, beta_1):
    """Multiply `product` by the momentum of this step, after the updates of the step."""
    apply(OPS["nadam_advance"], [product, step], {"beta_1": float(beta_1)})
