"""Constraints: what a weight must be. An optimizer changes the weight accordingly after each of its
steps."""

from nnlite import config, identifiers, names, ops
from nnlite.checks import axes, check_number
from nnlite.configurable import Configurable
from nnlite.errors import prefixed
from nnlite.ops.shape import values_of

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]

__getattr__ = names.of(__name__)


class Constraint(Configurable):
    """Base of all constraints: a subclass defines `__call__(w)` with `nnlite.ops`.

    It gets the values of a weight, a tensor, and returns those that the weight becomes, of the same
    shape. The base returns the values unchanged.

    Examples
    --------
    >>> from nnlite import constraints, ops
    >>> class Limited(constraints.Constraint):
    ...     def __init__(self, limit=1.0):
    ...         self.limit = limit
    ...     def __call__(self, w):
    ...         return ops.clip(w, -self.limit, self.limit)
    >>> Limited(2.0)([1.0, -3.0]).numpy()
    array([ 1., -2.], dtype=float32)
    """

    def __call__(self, w):
        return ops.operands(w)[0]


def _axes_or_all(name, value):
    return None if value is None else axes(name, value)


class _Norms(Constraint):
    """Base of those that scale the vectors along some axes: what the settings may be."""

    _legal = {
        "min_value": "[0, inf)",
        "max_value": "[0, inf)",
        "rate": "[0, 1]",
        "axis": _axes_or_all,
    }

    def _check(self):
        """Raise an error if a setting, as it is now, is not legal."""
        self._check_given({name: getattr(self, name) for name in self._signature()})

    def _with_norms(self, w):
        """The weight as a tensor, and the lengths of its vectors."""
        self._check()
        (w,) = ops.operands(w)
        squares = ops.sum(ops.square(w), _axes_or_all("axis", self.axis), keepdims=True)
        return w, ops.sqrt(squares)


class MaxNorm(_Norms):
    """w * min(n, max_value) / (n + epsilon()), with n, the Euclidean length of a vector of w.

    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov: "Dropout: a simple way
    to prevent neural networks from overfitting", JMLR 15, 2014.

    Parameters
    ----------
    max_value : float of at least 0, default 2
        The greatest length.
    axis : int, tuple of int or None, default 0
        The axes along which a vector lies: 0 for the weights of each unit of Dense, (0, 1, 2) for
        each filter of Conv2D. None: the weight is one vector.

    Raises
    ------
    TypeError, ValueError
        If a setting is of another kind or out of range; when it is made or used.

    Examples
    --------
    >>> from nnlite import constraints, layers
    >>> constraints.MaxNorm(2.0)([[3.0, 0.3], [4.0, 0.4]]).numpy().round(3)
    array([[1.2, 0.3],
           [1.6, 0.4]], dtype=float32)
    >>> layer = layers.Dense(64, kernel_constraint=constraints.MaxNorm(3))
    """

    def __init__(self, max_value=2, axis=0):
        self.max_value, self.axis = max_value, axis
        self._check()

    def __call__(self, w):
        w, norms = self._with_norms(w)
        return w * (ops.minimum(norms, float(self.max_value)) / (norms + config.epsilon()))


class NonNeg(Constraint):
    """max(w, 0), element by element.

    Examples
    --------
    >>> from nnlite import constraints
    >>> constraints.NonNeg()([1.0, -3.0]).numpy()
    array([1., 0.], dtype=float32)
    """

    def __call__(self, w):
        return ops.maximum(w, 0.0)


class UnitNorm(_Norms):
    """w / (n + epsilon()), with n, the Euclidean length of a vector of w.

    Parameters
    ----------
    axis : int, tuple of int or None, default 0
        As for `MaxNorm`.

    Raises
    ------
    TypeError
        If `axis` is of another kind; when it is made or used.

    Examples
    --------
    >>> from nnlite import constraints
    >>> constraints.UnitNorm()([3.0, 4.0]).numpy().round(3)
    array([0.6, 0.8], dtype=float32)
    """

    def __init__(self, axis=0):
        self.axis = axis
        self._check()

    def __call__(self, w):
        w, norms = self._with_norms(w)
        return w / (norms + config.epsilon())


class MinMaxNorm(_Norms):
    """w * (rate * clip(n, min_value, max_value) + (1 - rate) * n) / (n + epsilon()), with n, the
    Euclidean length of a vector of w.

    Parameters
    ----------
    min_value : float of at least 0, default 0.0
        The least length; at most `max_value`. A vector of zeros stays one.
    max_value : float of at least 0, default 1.0
        The greatest length.
    rate : float in [0, 1], default 1.0
        How far a step moves a length that is out of the range towards it: 1 is all the way.
    axis : int, tuple of int or None, default 0
        As for `MaxNorm`.

    Raises
    ------
    TypeError, ValueError
        If a setting is of another kind or out of range; when it is made or used.

    Examples
    --------
    >>> from nnlite import constraints
    >>> constraints.MinMaxNorm(1.0, 2.0)([[3.0, 0.3], [4.0, 0.4]]).numpy().round(3)
    array([[1.2, 0.6],
           [1.6, 0.8]], dtype=float32)
    """

    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis
        self._check()

    def _check(self):
        super()._check()
        within = f"[0, {self.max_value}]"
        words = f"a number in {within}, as max_value={self.max_value!r}"
        check_number("min_value", self.min_value, within, type(self).__name__, words)

    def __call__(self, w):
        w, norms = self._with_norms(w)
        low, high, rate = float(self.min_value), float(self.max_value), float(self.rate)
        desired = rate * ops.clip(norms, low, high) + (1.0 - rate) * norms
        return w * (desired / (norms + config.epsilon()))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_BY_NAME = {
    "constraint": Constraint,
    "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
}


def get(identifier):
    """The constraint for an identifier.

    Parameters
    ----------
    identifier : str, dict, type, Constraint, callable or None
        - a name: 'max_norm', 'MaxNorm', 'min_max_norm', 'non_neg', 'unit_norm', ...,
        - a dict of a 'class_name' and its 'config', or a subclass of Constraint,
        - a Constraint or any function of a weight, which is returned itself,
        - None, for no constraint.

    Returns
    -------
    Constraint, callable or None

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If the identifier is of another kind.
    """
    return identifiers.find("constraint", identifier, _BY_NAME, callable)


serialize, deserialize = identifiers.as_dicts(__name__, "constraint", get, "MaxNorm(3.0)")


def impose(variables):
    """Change each variable that has a constraint to what that makes of it.

    Parameters
    ----------
    variables : list of Variable
    """
    for v in variables:
        if v.constraint is not None:
            with prefixed(f"constraint of {v.name!r}: "):
                if not callable(v.constraint):
                    raise TypeError(f"expected a function of the values, got {v.constraint!r}")
                ops.assign(v, v.constraint(values_of(v)))
