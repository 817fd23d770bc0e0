"""Moving averages of weights, written in ops and so part of a training plan."""

from nnlite import ops


def update_average(average, variable, iterations, momentum):
    """Take a step into account: average = momentum * average + (1 - momentum) * variable.

    Parameters
    ----------
    average, variable : Variable
    iterations : int32 Variable
        The number of steps with this one. At the first the average becomes the variable.
    momentum : float
    """
    step = ops.operands(variable, iterations)[1]
    kept = momentum * ops.greater(step, 1.0)
    ops.assign(average, kept * average + (1.0 - kept) * variable)


def overwrite(variable, average, iterations, frequency):
    """Overwrite a variable by its average at every step that is a multiple of `frequency`.

    Parameters
    ----------
    variable, average : Variable
    iterations : int32 Variable
    frequency : int
    """
    step, every = ops.operands(variable, iterations)[1], float(frequency)
    due = ops.equal(step - every * ops.floor(step / every), 0.0)
    ops.assign(variable, ops.where(due, average, variable))
