"""Moving averages of weights, written in ops and so part of a training plan."""

from nnlite import ops


class Averaging:
    """Base: keeps a moving average of each weight with `use_ema`.

    Attributes
    ----------
    use_ema, ema_momentum, ema_overwrite_frequency : bool, float, int or None
    _slots : dict
        Of the id of a weight to the weight and its slots by name, of which one is the average.
    """

    def _follow(self, variable, average, change):
        """Take a step into account: average = ema_momentum * average + (1 - ema_momentum) *
        variable. At every step that is a multiple of `ema_overwrite_frequency` the average becomes
        the variable's value.

        Parameters
        ----------
        variable, average : Variable
        change : Tensor
            The number of this step, or change of the weights. At the first the average is the
            variable.
        """
        kept = self.ema_momentum * ops.greater(change, 1.0)
        ops.assign(average, kept * average + (1.0 - kept) * variable)
        if self.ema_overwrite_frequency:
            every = float(self.ema_overwrite_frequency)
            due = ops.equal(change - every * ops.floor(change / every), 0.0)
            ops.assign(variable, ops.where(due, average, variable))

    def finalize_variable_values(self, trainable_variables):
        """With `use_ema`, overwrite weights by their moving averages, as `fit` does at its end.

        Parameters
        ----------
        trainable_variables : list of Variable
        """
        wanted = set(map(id, trainable_variables))
        for v, average in self._averages():
            if id(v) in wanted:
                v.assign(average)

    def _averages(self):
        """Pairs of a weight and its moving average."""
        slots = self._slots.values() if self.use_ema else ()
        return [
            (v, made["average"])
            for v, made in slots
            if "average" in made and not v.overwrite_with_gradient
        ]
