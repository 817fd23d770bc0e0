"""Moving averages of weights, written in ops and so part of a training plan."""

from nnlite import ops


def follow(average, variable, change, momentum, frequency):
    """Take a step into account: average = momentum * average + (1 - momentum) * variable. At every
    step that is a multiple of `frequency` the average becomes the variable's value.

    Parameters
    ----------
    average, variable : Variable
    change : Tensor
        The number of this step, or change of the weights. At the first the average is the variable.
    momentum : float
    frequency : int or None
    """
    kept = momentum * ops.greater(change, 1.0)
    ops.assign(average, kept * average + (1.0 - kept) * variable)
    if frequency:
        every = float(frequency)
        due = ops.equal(change - every * ops.floor(change / every), 0.0)
        ops.assign(variable, ops.where(due, average, variable))
