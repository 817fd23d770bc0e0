"""Gradients as optimizers take them: of their variable's shape and precision, and clipped."""

import inspect

import numpy as np

from nnlite import ops
from nnlite.engine.tensor import REALS, Tensor, Variable


def takes_one(function):
    """Whether a function can be called with one argument."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # a C function without a signature
        pass
    return True


def list_of(owner, name, given):
    """A list or other iterable as a list; `owner` and `name` are for errors."""
    if isinstance(given, (Tensor, str)) or not np.iterable(given):
        raise TypeError(f"{owner}: {name}: expected a list, got {given!r}")
    return list(given)


def pairs_of(grads_and_vars):
    """Pairs of gradient and Variable as a list."""
    pairs = list_of("apply_gradients", "grads_and_vars", grads_and_vars)
    if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        raise TypeError(
            f"apply_gradients: grads_and_vars: expected pairs (gradient, Variable), got {pairs!r}"
        )
    return pairs


def is_trainable(variable):
    """Whether this is a Variable of floats."""
    return isinstance(variable, Variable) and variable.dtype in REALS


def updatable(variable, grad):
    """Whether there is a gradient. Raises a TypeError if `variable` is not a float Variable."""
    if not is_trainable(variable):
        got = type(variable).__name__
        got = f"one of {variable.dtype}" if isinstance(variable, Variable) else got
        raise TypeError(f"apply_gradients: expected float Variables to update, got {got}")
    return grad is not None


def gradient_for(variable, grad):
    """The gradient as a tensor of the variable's shape and precision."""
    tensor = ops.operands(variable, grad)[1]
    if tensor.shape != variable.shape:
        raise ValueError(
            f"apply_gradients: expected a gradient of shape {variable.shape} for "
            f"{variable.name!r}, got {tensor.shape}"
        )
    return tensor


def unscaled(grads, variables, factor):
    """Gradients divided by the factor of the loss, but for those that take a variable's place."""
    return [g if v.overwrite_with_gradient else g / factor for g, v in zip(grads, variables)]


def left_to_update(grads, variables, accumulation_steps=None):
    """Put gradients in place of the variables that say so (`overwrite_with_gradient`).

    Parameters
    ----------
    grads : list of Tensor
    variables : list of Variable
    accumulation_steps : int, optional

    Returns
    -------
    list of Tensor, list of Variable
        The others.

    Raises
    ------
    ValueError
        If gradients are accumulated, where a sum of them would take the place.
    """
    left = [], []
    for grad, variable in zip(grads, variables):
        if not variable.overwrite_with_gradient:
            left[0].append(grad)
            left[1].append(variable)
        elif accumulation_steps:
            raise ValueError(
                f"gradient_accumulation_steps: expected None, as {variable.name!r} has "
                f"overwrite_with_gradient=True, got {accumulation_steps}"
            )
        else:
            ops.assign(variable, grad)
    return left


def norm_of(grads):
    """The Euclidean norm of all elements of the gradients."""
    total, *more = [ops.sum_squares(g) for g in grads]
    for square in more:
        total = total + square
    return ops.sqrt(total)


def limited(grads, norm):
    """The gradients, scaled down together so that the norm of all elements is at most `norm`."""
    scale = norm / ops.maximum(norm_of(grads), norm)
    return [g * scale for g in grads]
