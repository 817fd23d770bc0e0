"""Assignments to Variables: at once, or as steps of what a trace records."""

import functools
import math

from nnlite.engine.dispatch import OPS, Op, apply, left_out
from nnlite.engine.recording import tracing
from nnlite.engine.tensor import Tensor, Variable
from nnlite.ops.elementwise import add, subtract
from nnlite.ops.operands import cast, constant, operands
from nnlite.ops.shape import broadcast_to


def _infer_assign(target, x):
    if target != x:
        raise ValueError(f"assign: expected shape {target}, got {x}")
    return []


Op("assign", infer=_infer_assign, outputs=(), writes=(0,))


def _infer_integers(target, x, keep, sign):
    if target != x and not (keep and math.prod(x) == 1):
        raise ValueError(f"assign: expected shape {target}, got {x}")
    return []


# Real numbers would lose the last places of large integers.
Op(
    "assign_integers",
    infer=_infer_integers,
    attrs={"keep": int, "sign": int},
    outputs=(),
    writes=(0,),
)


def assign(variable, value):
    """Overwrite a Variable; inside of a model this becomes a step of its computation.

    Parameters
    ----------
    variable : Variable
    value : tensor of the same shape
    """
    if not isinstance(variable, Variable):
        raise TypeError(f"variable: expected a Variable, got {variable!r}")
    if variable.dtype == "int32":
        _assign_integers(variable, value, keep=0, sign=1)
    else:
        apply(OPS["assign"], operands(variable, value), {})


def _assign_integers(variable, value, keep, sign):
    """variable = keep variable + sign value."""
    x = cast(value, "int32") if isinstance(value, Tensor) else constant(value, "int32")
    if keep and x.size != 1 and x.shape != variable.shape:
        x = cast(broadcast_to(x, variable.shape), "int32")
    apply(OPS["assign_integers"], [variable, x], {"keep": keep, "sign": sign})


def _add(variable, value, sign):
    """Add the value times 1 or -1 to a Variable."""
    if variable.dtype == "int32":
        _assign_integers(variable, value, 1, sign)
    else:
        assign(variable, (add if sign == 1 else subtract)(variable, value))


def _or_recorded(method, recorded):
    """A method of Variable in whose place a trace records `recorded(variable, value)`, and that
    does nothing where a `when` block is left out."""

    @functools.wraps(method)
    def assigned(self, value):
        if not tracing():
            return self if left_out() else method(self, value)
        recorded(self, value)
        self.is_state = True
        return self

    return assigned


Variable.assign = _or_recorded(Variable.assign, assign)
Variable.assign_add = _or_recorded(Variable.assign_add, lambda v, value: _add(v, value, 1))
Variable.assign_sub = _or_recorded(Variable.assign_sub, lambda v, value: _add(v, value, -1))
