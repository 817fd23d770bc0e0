"""Initializers without randomness: constants and the identity matrix."""

import numpy as np

from nnlite.engine.tensor import as_array
from nnlite.initializers.initializer import Initializer


class Constant(Initializer):
    """One value for all elements, or a given array.

    Parameters
    ----------
    value : float or array, default 0.0
        An array must broadcast to the shape of the weight.

    Examples
    --------
    >>> from nnlite import initializers
    >>> initializers.Constant(0.5)((2,)).numpy()
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value=0.0):
        try:
            as_array(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"Constant: value: expected a number or an array, got {value!r}"
            ) from None
        self.value = value

    def values(self, shape, rng):
        try:
            return np.broadcast_to(np.asarray(self.value, np.float64), shape)
        except (TypeError, ValueError):
            raise ValueError(
                f"Constant: expected a value that broadcasts to shape {shape}, got {self.value!r}"
            ) from None


class Zeros(Initializer):
    """All values 0."""

    def values(self, shape, rng):
        return np.zeros(shape)


class Ones(Initializer):
    """All values 1."""

    def values(self, shape, rng):
        return np.ones(shape)


class Identity(Initializer):
    """The identity matrix times a gain.

    Parameters
    ----------
    gain : float, default 1.0
        The value on the diagonal.

    Examples
    --------
    >>> from nnlite import initializers
    >>> initializers.Identity(2.0)((2, 3)).numpy()
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain=1.0):
        self.gain = gain
        self._check_given()

    def values(self, shape, rng):
        if len(shape) != 2:
            raise ValueError(f"Identity: expected a weight of 2 dimensions, got shape {shape}")
        return self._number("gain") * np.eye(*shape)
