"""What optimizers of one's own use that are written as Keras's guide says: variables that `build`
makes, and assignments in `update_step`."""

from nnlite import initializers, ops
from nnlite.engine.recording import unrecorded
from nnlite.engine.tensor import Variable
from nnlite.errors import memory_for


class OwnVariables:
    """Base: makes variables for an optimizer, and assigns to them.

    Attributes
    ----------
    _added : list of Variable
        In the order in which they were made.
    """

    @unrecorded
    def add_variable(self, shape, initializer="zeros", dtype=None, name=None):
        """Make a variable of this optimizer; it is in `variables` and in files.

        Parameters
        ----------
        shape : tuple of int
        initializer : str, Initializer or function, default 'zeros'
        dtype : {'float32', 'float64', 'int32'}, default `floatx()`
        name : str, optional

        Returns
        -------
        Variable
        """
        name = name or "variable"
        with memory_for(f"{type(self).__name__}: {name!r}", shape, dtype or "float32"):
            values = initializers.get(initializer)(shape, dtype=dtype)
            made = Variable(values, False, name, dtype)
        self._added.append(made)
        return made

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """Make a variable of a weight's shape and precision.

        Parameters
        ----------
        reference_variable : Variable
        name : str, default 'var'
        initializer : str, Initializer or function, default 'zeros'

        Returns
        -------
        Variable
        """
        v = reference_variable
        return self.add_variable(v.shape, initializer, v.dtype, f"{v.name}/{name or 'var'}")

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """Make a variable for each weight, or one of each of several names.

        A weight with `overwrite_with_gradient` needs none: None stands in its place.

        Parameters
        ----------
        trainable_variables : list of Variable
        name : str, or list of str
        initializer : str, Initializer, function, or list of them, default 'zeros'

        Returns
        -------
        list of Variable or None, or a tuple of such lists
            In the order of the weights.
        """
        names = [name] if isinstance(name, str) else list(name)
        kinds = list(initializer) if isinstance(initializer, (list, tuple)) else [initializer]
        kinds = kinds * len(names) if len(kinds) == 1 else kinds
        if len(kinds) != len(names):
            raise ValueError(
                f"{type(self).__name__}: expected an initializer for each of the names {names}, "
                f"got {initializer!r}"
            )
        made = [
            [
                None if v.overwrite_with_gradient else self.add_variable_from_reference(v, *of)
                for of in zip(names, kinds)
            ]
            for v in trainable_variables
        ]
        by_name = tuple(list(found) for found in zip(*made)) if made else ([],) * len(names)
        return by_name[0] if isinstance(name, str) else by_name

    def _get_variable_index(self, variable):
        """The place of a weight among those that the optimizer was built with."""
        return list(self._slots).index(id(variable))

    def assign(self, variable, value):
        """Set a variable to a value, in a step.

        Parameters
        ----------
        variable : Variable
        value : tensor
        """
        ops.assign(variable, value)

    def assign_add(self, variable, value):
        """Add a value to a variable, in a step.

        Parameters
        ----------
        variable : Variable
        value : tensor
        """
        ops.assign(variable, variable + value)

    def assign_sub(self, variable, value):
        """Subtract a value from a variable, in a step.

        Parameters
        ----------
        variable : Variable
        value : tensor
        """
        ops.assign(variable, variable - value)
