"""Regularizers: a penalty on a weight, added to the loss."""

import numpy as np

from nnlite import identifiers, names, ops
from nnlite.configurable import Configurable

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]

__getattr__ = names.of(__name__)


class Regularizer(Configurable):
    """Base of all regularizers: a subclass defines `__call__(weight)`, a scalar tensor.

    Examples
    --------
    >>> from nnlite import ops, regularizers
    >>> class Largest(regularizers.Regularizer):
    ...     def __call__(self, weight):
    ...         return 0.5 * ops.max(ops.abs(weight))
    >>> Largest()([1.0, -3.0]).item()
    1.5
    """

    def __call__(self, weight):
        raise TypeError(f"{type(self).__name__}: a regularizer must define __call__(weight)")


class L1L2(Regularizer):
    """l1 * sum(|w|) + l2 * sum(w^2).

    Parameters
    ----------
    l1 : float of at least 0, default 0.0
    l2 : float of at least 0, default 0.0

    Examples
    --------
    >>> from nnlite import regularizers
    >>> regularizers.L1L2(l1=1.0, l2=0.5)([1.0, -2.0]).item()
    5.5
    """

    _legal = {"l1": "[0, inf)", "l2": "[0, inf)"}

    def __init__(self, l1=0.0, l2=0.0):
        self.l1, self.l2 = l1, l2
        self._check_given()

    def __call__(self, weight):
        self._check_given({"l1": self.l1, "l2": self.l2})
        l1, l2 = float(self.l1), float(self.l2)
        penalty = None
        if l1:
            penalty = l1 * ops.sum_abs(weight)
        if l2:
            square = l2 * ops.sum_squares(weight)
            penalty = square if penalty is None else penalty + square
        return ops.zeros(()) if penalty is None else penalty


class L1(L1L2):
    """l1 * sum(|w|).

    Parameters
    ----------
    l1 : float of at least 0, default 0.01
    """

    def __init__(self, l1=0.01):
        L1L2.__init__(self, l1, 0.0)


class L2(L1L2):
    """l2 * sum(w^2).

    Parameters
    ----------
    l2 : float of at least 0, default 0.01
    """

    def __init__(self, l2=0.01):
        L1L2.__init__(self, 0.0, l2)


class OrthogonalRegularizer(Regularizer):
    """factor * the mean of |cos| of the angles between any two rows, or columns, of a matrix: 0 if
    they are orthogonal.

    Parameters
    ----------
    factor : float of at least 0, default 0.01
    mode : {'rows', 'columns'}, default 'rows'

    Examples
    --------
    >>> from nnlite import regularizers
    >>> regularizers.OrthogonalRegularizer(1.0)([[1.0, 0.0], [0.0, 3.0]]).item()
    0.0
    """

    _legal = {"factor": "[0, inf)", "mode": ("rows", "columns")}

    def __init__(self, factor=0.01, mode="rows"):
        self.factor, self.mode = factor, mode
        self._check_given()

    def __call__(self, weight):
        (w,) = ops.operands(weight)
        if w.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer: expected a matrix, got shape {w.shape}")
        w = w if self.mode == "rows" else ops.transpose(w)
        lengths = ops.sqrt(ops.maximum(ops.sum(ops.square(w), axis=1, keepdims=True), 1e-12))
        w = w / lengths
        pairs = max(1, w.shape[0] * (w.shape[0] - 1) // 2)
        cosines = ops.abs(ops.matmul(w, w, transpose_b=True)) * (1.0 - np.eye(w.shape[0]))
        return float(self.factor) * 0.5 * ops.sum(cosines) / float(pairs)


l1, l2, l1_l2 = L1, L2, L1L2
orthogonal_regularizer = OrthogonalRegularizer
_BY_NAME = {
    "l1": L1,
    "l2": L2,
    "l1_l2": L1L2,
    "l1l2": L1L2,
    "orthogonal_regularizer": OrthogonalRegularizer,
}


def get(identifier):
    """The regularizer for an identifier.

    Parameters
    ----------
    identifier : str, dict, type, Regularizer, callable or None
        - a name: 'l1', 'l2', 'l1_l2', 'orthogonal_regularizer',
        - a dict of a 'class_name' and its 'config', or a subclass of Regularizer,
        - a Regularizer or any function of a weight, which is returned itself,
        - None, for no regularizer.

    Returns
    -------
    Regularizer, callable or None

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If the identifier is of another kind.
    """
    return identifiers.find("regularizer", identifier, _BY_NAME, callable)


serialize, deserialize = identifiers.as_dicts(__name__, "regularizer", get, "L2(0.5)")
