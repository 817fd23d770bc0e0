"""Kinds of hyperparameters: which values each may have.

The one idea: a kind says where in its range a value is, by one number: of a finite range the
place among `n_values` values, of a continuous one the position in [0, 1]. Searches choose such
numbers and know nothing else of a kind.
"""

import math

import numpy as np

from nnlite.checks import check_choice, is_number
from nnlite.configurable import Configurable

GRID_POINTS = 10  # of a continuous range, as in Keras Tuner
_DIGITS = 12  # a multiple of a step such as 0.1 is written as that


class HyperParameter(Configurable):
    """Base of the kinds: a name, a default, and when the hyperparameter is there at all."""

    name, default, conditions, ordered, n_values = None, None, (), True, None

    def is_active(self, values):
        """Whether every hyperparameter that this one depends on has one of the values for it.

        Parameters
        ----------
        values : dict
            Name -> value.
        """
        return are_met(self.conditions, values)

    def random(self, rng):
        """A value from anywhere in the range.

        Parameters
        ----------
        rng : numpy.random.Generator
        """
        n = self.n_values
        return self.value_at(rng.random() if n is None else int(rng.integers(n)))

    def grid(self):
        """All values, or as many evenly spread ones as a grid has of a continuous range."""
        n = self.n_values
        places = range(n) if n else [(i + 0.5) / GRID_POINTS for i in range(GRID_POINTS)]
        return list(dict.fromkeys(map(self.value_at, places)))

    def _error(self, argument, expected, got, kind=ValueError):
        return kind(
            f"{type(self).__name__} {self.name!r}: {argument}: expected {expected}, got {got!r}"
        )


def are_met(conditions, values):
    """Whether values fulfil conditions.

    Parameters
    ----------
    conditions : list of (str, list)
        The name of a hyperparameter, and the values that it may have.
    values : dict
        Name -> value.
    """
    return all(name in values and values[name] in allowed for name, allowed in conditions)


class Choice(HyperParameter):
    """One of some values.

    Parameters
    ----------
    name : str
    values : list of str, int, float, bool or None
    ordered : bool, optional
        Whether neighbours in the list are alike; by default if all are numbers.
    default : one of the values, optional
        By default the first.
    conditions : list of (str, list), optional

    Raises
    ------
    TypeError
        If a value is nothing that a file of JSON holds.
    ValueError
        If there are no values, the default is not one of them, or `ordered` values are no numbers.
    """

    def __init__(self, name, values, ordered=None, default=None, conditions=()):
        self.name, self.conditions = name, conditions
        if isinstance(values, str) or not np.iterable(values):
            raise self._error("values", "a list", values, TypeError)
        self.values = [plain(v) for v in values]
        for value in self.values:
            if not isinstance(value, (str, int, float, bool, type(None))):
                expected = "str, int, float, bool or None (of others, names for them)"
                raise self._error("values", expected, value, TypeError)
        if not self.values:
            raise self._error("values", "at least one", values)
        numeric = all(is_number(v) for v in self.values)
        if ordered and not numeric:
            raise self._error("ordered", "False, as not all values are numbers", ordered)
        self.ordered = numeric if ordered is None else bool(ordered)
        self.default = self.values[0] if default is None else plain(default)
        if self.default not in self.values:
            raise self._error("default", f"one of {self.values}", default)
        self.n_values = len(self.values)

    def value_at(self, place):
        """The value at a place."""
        return self.values[place]

    def place_of(self, value):
        """The place of a value; None if it has none."""
        return self.values.index(value) if value in self.values else None


class Boolean(Choice):
    """False or True.

    Parameters
    ----------
    name : str
    default : bool, default False
    conditions : list of (str, list), optional
    """

    def __init__(self, name, default=False, conditions=()):
        super().__init__(name, [False, True], False, default, conditions)


class Fixed(Choice):
    """A value that is not searched.

    Parameters
    ----------
    name : str
    value : str, int, float, bool or None
    conditions : list of (str, list), optional
    """

    def __init__(self, name, value, conditions=()):
        super().__init__(name, [value], False, value, conditions)


class Numerical(HyperParameter):
    """A number in a range.

    Parameters
    ----------
    name : str
    min_value, max_value : number
        Both may be taken.
    step : number, optional
        What is between two neighbours: a difference if `sampling` is 'linear', else a factor.
        By default any number may be taken.
    sampling : {'linear', 'log', 'reverse_log'}, default 'linear'
        Which numbers are near each other: equal differences, equal quotients, or equal quotients of
        the distances from above, so that most lie near `max_value`.
    default : number, optional
        By default `min_value`.
    conditions : list of (str, list), optional

    Raises
    ------
    ValueError
        If the range is empty, the default is outside of it, or the step or sampling do not fit.
    """

    def __init__(
        self, name, min_value, max_value, step=None, sampling="linear", default=None, conditions=()
    ):
        self.name, self.conditions = name, conditions
        self.min_value = self._number("min_value", min_value)
        self.max_value = self._number("max_value", max_value)
        self.sampling = sampling.lower() if isinstance(sampling, str) else sampling or "linear"
        words = ("linear", "log", "reverse_log")
        check_choice("sampling", self.sampling, words, f"{type(self).__name__} {name!r}")
        linear = self.sampling == "linear"
        if self.max_value < self.min_value:
            raise self._error("max_value", f"at least min_value, {min_value}", max_value)
        if not linear and self.min_value <= 0:
            expected = f"more than 0 with sampling={self.sampling!r}"
            raise self._error("min_value", expected, min_value)
        self.step = self._step if step is None and linear else step
        if self.step is not None:
            self.step = self._number("step", self.step)
            if self.step <= (0 if linear else 1):
                raise self._error("step", "more than 0" if linear else "more than 1", step)
        self.default = self.min_value if default is None else self._number("default", default)
        if not self.min_value <= self.default <= self.max_value:
            expected = f"a number in [{self.min_value}, {self.max_value}]"
            raise self._error("default", expected, default)
        self.n_values = None if self.step is None else self._count()

    def _count(self):
        if self.sampling == "linear":
            return int((self.max_value - self.min_value) / self.step + 1e-8) + 1
        return int(math.log(self.max_value / self.min_value, self.step) + 1e-8) + 1

    def value_at(self, place):
        """The value at a place, or at a position in [0, 1]."""
        low, high = self.min_value, self.max_value + (self._width if self.step is None else 0)
        if self.sampling == "linear":
            value = low + place * (high - low if self.step is None else self.step)
        else:
            growth = high / low if self.step is None else self.step
            value = low * growth ** (place if self.sampling == "log" or self.step else 1 - place)
            value = value if self.sampling == "log" else high + low - value
        return min(max(self._as_value(value), self.min_value), self.max_value)

    def place_of(self, value):
        """The place of a value, or its position in [0, 1]; None if it has none."""
        if not is_number(value) or not self.min_value <= value <= self.max_value:
            return None
        low, high = self.min_value, self.max_value + (self._width if self.step is None else 0)
        middle = value + (self._width / 2 if self.step is None else 0)
        if self.step is None:
            return self._position(middle, low, high)
        if self.sampling == "linear":
            place = round((value - low) / self.step)
        else:
            measured = value if self.sampling == "log" else high + low - value
            place = round(math.log(measured / low, self.step))
        fits = 0 <= place < self.n_values and math.isclose(self.value_at(place), value)
        return place if fits else None

    def _position(self, value, low, high):
        if high == low:
            return 0.5
        if self.sampling == "linear":
            return (value - low) / (high - low)
        if self.sampling == "log":
            return math.log(value / low) / math.log(high / low)
        return 1 - math.log((high + low - value) / low) / math.log(high / low)


class Int(Numerical):
    """A whole number in a range.

    Parameters
    ----------
    **kwargs
        Of `Numerical`, as whole numbers; `step` is 1 by default if `sampling` is 'linear'.
    """

    _step, _width = 1, 1  # each number stands for the reals up to the next

    def _number(self, argument, value):
        if not is_number(value) or value % 1:
            raise self._error(argument, "a whole number", value)
        return int(value)

    def _as_value(self, value):
        return math.floor(value + 1e-9)


class Float(Numerical):
    """A number in a range.

    Parameters
    ----------
    **kwargs
        Of `Numerical`.
    """

    _step, _width = None, 0

    def _number(self, argument, value):
        if not is_number(value, "(-inf, inf)"):
            raise self._error(argument, "a finite number", value)
        return float(value)

    def _as_value(self, value):
        return float(f"{value:.{_DIGITS}g}") if self.step is not None else float(value)


def plain(value):
    """A value without NumPy, which JSON would not hold; lists of them, too.

    Parameters
    ----------
    value : anything
    """
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


KINDS = {kind.__name__: kind for kind in (Boolean, Choice, Fixed, Float, Int)}
