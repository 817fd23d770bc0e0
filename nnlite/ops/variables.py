"""Assignments to Variables: at once, or as steps of what a trace records."""

import functools

from nnlite.engine.dispatch import OPS, Op, apply, left_out, traces, tracing
from nnlite.engine.tensor import Variable
from nnlite.ops.elementwise import add, subtract
from nnlite.ops.operands import operands


def _infer_assign(target, x):
    if target != x:
        raise ValueError(f"assign: expected shape {target}, got {x}")
    return []


Op("assign", infer=_infer_assign, outputs=(), writes=(0,))


def assign(variable, value):
    """Overwrite a Variable; inside of a model this becomes a step of its computation.

    Parameters
    ----------
    variable : Variable
    value : tensor of the same shape
    """
    apply(OPS["assign"], operands(variable, value), {})


def _or_recorded(method, value_of):
    """A method of Variable that a trace records as the assignment of `value_of(variable, value)`,
    and that does nothing where a `when` block is left out."""

    @functools.wraps(method)
    def assigned(self, value):
        if not tracing():
            return self if left_out() else method(self, value)
        if self.dtype == "int32":
            if all(trace.shapes_only for trace in traces()):
                return self
            raise TypeError(  # as C assigns real numbers only
                f"Variable {self.name!r}: expected one of floats to assign to in a step that is "
                "compiled, got one of int32; make it of floats, or compile with run_eagerly=True"
            )
        assign(self, value_of(self, value))
        self.is_state = True
        return self

    return assigned


Variable.assign = _or_recorded(Variable.assign, lambda variable, value: value)
Variable.assign_add = _or_recorded(Variable.assign_add, add)
Variable.assign_sub = _or_recorded(Variable.assign_sub, subtract)
