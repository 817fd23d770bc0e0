"""A cell's steps one after another, for cells that no op runs; the states before the first."""

from nnlite import config, ops
from nnlite.tree import flatten


def through_steps(step, x, states, mask=None, reverse=False):
    """The output of each step of sequences, and the states after the last one.

    Parameters
    ----------
    step : function
        Of the input (N, ...) and a list of states; returns the output and a list of new states.
    x : Tensor, shape (N, T, ...)
    states : list of Tensor
    mask : Tensor, shape (N, T), optional
        At a step where it is 0 the states and the output stay; before the first other step the
        output is 0.
    reverse : bool, default False
        Whether the last step comes first.

    Returns
    -------
    outputs : Tensor, shape (N, T, ...)
    states : list of Tensor
    """
    steps = range(x.shape[1])
    outputs, before = [None] * x.shape[1], None
    for t in reversed(steps) if reverse else steps:
        y, after = step(x[:, t], states)
        if mask is not None:
            on = mask[:, t]
            before = ops.zeros_like(y) if before is None else before
            y = _where(on, y, before)
            after = [_where(on, new, old) for new, old in zip(after, states)]
        states = list(after)
        outputs[t] = before = y
    return ops.stack(outputs, axis=1), states


def _where(on, new, old):
    """For each sample one of two tensors."""
    return ops.where(ops.reshape(on, (on.shape[0], *[1] * (new.ndim - 1))), new, old)


def zero_states(cell, batch_size):
    """Zeros for the states of a cell, a list.

    Parameters
    ----------
    cell : Layer
    batch_size : int
    """
    return [ops.zeros((batch_size, int(n)), config.floatx()) for n in flatten(cell.state_size)]
