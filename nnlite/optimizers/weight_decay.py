"""Weight decay of optimizers, and the weights that it leaves alone."""

import re

from nnlite import ops
from nnlite.optimizers.gradients import list_of


class Decaying:
    """Base: what makes weights smaller before each step.

    Attributes
    ----------
    _undecayed : list of (list of Variable, list of str)
        The weights without decay, and the patterns of names of such.
    """

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Choose weights that `weight_decay` leaves alone; before the first step.

        Parameters
        ----------
        var_list : list of Variable, optional
        var_names : list of str, optional
            Regular expressions; one that is found in the name of a weight excludes it.

        Raises
        ------
        ValueError
            After the first step.
        """
        excluded = [
            [] if given is None else list_of("exclude_from_weight_decay", name, given)
            for name, given in (("var_list", var_list), ("var_names", var_names))
        ]
        if self.built:
            raise ValueError(
                f"{type(self).__name__}: expected exclude_from_weight_decay before the first step"
            )
        self._undecayed = excluded

    def _decays(self, variable):
        variables, names = self._undecayed
        found = any(v is variable for v in variables)
        return not (found or any(re.search(name, variable.name) for name in names))

    def _decay_of(self, variable):
        """The weight decay of a variable, or None."""
        return self.weight_decay if self._decays(variable) else None

    def _apply_weight_decay(self, variables, rate=None):
        """Make variables smaller; `rate` is the learning rate of this step."""
        for v in variables:
            if decay := self._decay_of(v):
                ops.decay_weights(v, self.learning_rate if rate is None else rate, decay)
