"""Checks of settings that users give. The one idea: an interval is written as in mathematics, such
as '[0, 1)' or '(0, inf)', in the code and in the error message."""

import functools
import math
import numbers

import numpy as np

LARGEST_SIZE = 2**31 - 1  # of an axis, a window, a stride: C multiplies several of them
MOST_ELEMENTS = 2**36  # of a tensor


def is_number(value, interval=None):
    """Whether a value is a real number; bools are not.

    Parameters
    ----------
    value : anything
    interval : str, optional
        The number must also lie in this interval. NaN lies in none.
    """
    if value.__class__ not in (int, float):
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            return False
    if interval is None:
        return True
    low, high = _ends(interval)
    above = low <= value if interval[0] == "[" else low < value
    return above and (value <= high if interval[-1] == "]" else value < high)


@functools.cache
def _ends(interval):
    return tuple(map(float, interval[1:-1].split(",")))


def check_number(name, value, interval, owner=None, expected=None):
    """Raise a ValueError unless a setting is a number in an interval.

    Parameters
    ----------
    name : str
        The name of the setting.
    value : anything
    interval : str
        Such as '[0, 1)'.
    owner : str, optional
        The class or function that has the setting. Layers leave it out: they add their name.
    expected : str, optional
        What is expected, for the message; by default 'a number in ' and the interval.

    Examples
    --------
    >>> from nnlite.checks import check_number
    >>> check_number("rate", 1.5, "[0, 1)", owner="Dropout")
    Traceback (most recent call last):
    ValueError: Dropout: rate: expected a number in [0, 1), got 1.5
    """
    if not is_number(value, interval):
        prefix = f"{owner}: " if owner else ""
        raise ValueError(
            f"{prefix}{name}: expected {expected or f'a number in {interval}'}, got {value!r}"
        )


def positive_int(name, value):
    """A setting that is a positive integer, as an int; 3.0 and NumPy's integers count as integers.

    Parameters
    ----------
    name : str
        The name of the setting.
    value : anything

    Raises
    ------
    ValueError
        If the value is not a whole number of at least 1, or not below 2**31.
    """
    if not is_number(value, "[1, inf]") or value % 1:
        raise ValueError(f"{name}: expected a positive integer, got {value!r}")
    if value > LARGEST_SIZE:
        raise ValueError(f"{name}: expected a number below 2**31, got {value!r}")
    return int(value)


def axes(name, value):
    """A setting that is an axis or several, as a tuple of int.

    Parameters
    ----------
    name : str
        The name of the setting.
    value : anything

    Raises
    ------
    TypeError
        If it is neither an integer nor a sequence of at least one.
    """
    given = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if not given or not all(
        isinstance(axis, numbers.Integral) and not isinstance(axis, bool) for axis in given
    ):
        raise TypeError(f"{name}: expected an int or several of them, got {value!r}")
    return tuple(int(axis) for axis in given)


def check_shape(name, shape):
    """A shape that a user gives, an integer or several, as a tuple of int.

    Parameters
    ----------
    name : str
        The name of the argument.
    shape : anything

    Raises
    ------
    TypeError
        If it is neither an integer nor a sequence of integers.
    ValueError
        If a size is negative, or there are more elements than a tensor can have.
    """
    sizes = shape if isinstance(shape, (tuple, list)) else [shape]
    if not all(is_number(n) and n % 1 == 0 for n in sizes):
        raise TypeError(f"{name}: expected an integer or several, got {shape!r}")
    if any(not 0 <= n <= LARGEST_SIZE for n in sizes) or math.prod(sizes) > MOST_ELEMENTS:
        raise ValueError(f"{name}: expected sizes from 0 to 2**31 - 1, got {shape!r}")
    return tuple(n if isinstance(n, int) else int(n) for n in sizes)


def check_size(name, size):
    """One size that a user gives, as an int.

    Parameters
    ----------
    name : str
        The name of the argument.
    size : anything

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is negative, or not below 2**31.
    """
    if isinstance(size, (tuple, list)):
        raise TypeError(f"{name}: expected an integer, got {size!r}")
    return check_shape(name, size)[0]


def check_choice(name, value, choices, owner=None):
    """Raise a ValueError unless a setting is one of some values.

    Parameters
    ----------
    name : str
        The name of the setting.
    value : anything
    choices : sequence
    owner : str, optional
        The class or function that has the setting.

    Examples
    --------
    >>> check_choice("mode", "fan", ("fan_in", "fan_out"), owner="VarianceScaling")
    Traceback (most recent call last):
    ValueError: VarianceScaling: mode: expected 'fan_in' or 'fan_out', got 'fan'
    """
    if not any(type(value) is type(c) and value == c for c in choices):
        *most, last = map(repr, choices)
        words = f"{', '.join(most)} or {last}" if most else last
        prefix = f"{owner}: " if owner else ""
        raise ValueError(f"{prefix}{name}: expected {words}, got {value!r}")


def check_setting(name, value, legal, owner=None):
    """Raise a ValueError unless a setting is what a word says.

    Parameters
    ----------
    name : str
        The name of the setting.
    value : anything
    legal : str, tuple or function
        An interval, 'int', 'int' and an interval, 'bool', 'str', a tuple of the legal values, or a
        function of (name, value) that raises an error.
    owner : str, optional
        The class or function that has the setting.

    Examples
    --------
    >>> check_setting("k", 0, "int [1, inf)", owner="TopKCategoricalAccuracy")
    Traceback (most recent call last):
    ValueError: TopKCategoricalAccuracy: k: expected an integer in [1, inf), got 0
    """
    if callable(legal):
        try:
            legal(name, value)
        except (TypeError, ValueError) as error:
            error.args = (f"{owner}: {error}" if owner else str(error),)
            raise
    elif isinstance(legal, tuple):
        check_choice(name, value, legal, owner)
    elif legal[0] in "[(":
        check_number(name, value, legal, owner)
    elif not _is_legal(value, legal):
        kind, _, interval = legal.partition(" ")
        words = {"int": "an integer", "bool": "True or False", "str": "a string"}[kind]
        prefix = f"{owner}: " if owner else ""
        within = f" in {interval}" if interval else ""
        raise ValueError(f"{prefix}{name}: expected {words}{within}, got {value!r}")


def _is_legal(value, legal):
    if legal == "str":
        return isinstance(value, str)
    if legal == "bool":
        return type(value).__name__ in ("bool", "bool_")
    return is_number(value, legal[4:] or None) and value % 1 == 0


def refuse_masked(name, values):
    """Raise a ValueError if values of an array are masked: what lies behind the mask would be read.

    Parameters
    ----------
    name : str
        What the values are, for the message.
    values : anything

    Examples
    --------
    >>> import numpy as np
    >>> refuse_masked("x", np.ma.masked_equal([1.0, -9.0], -9.0))
    Traceback (most recent call last):
    ValueError: x: expected no masked values, got 1; fill them (x.filled(0)) or drop the rows
    """
    if values.__class__ is np.ndarray or not isinstance(values, np.ndarray):
        return
    masked = np.count_nonzero(getattr(values, "mask", False))
    if masked:
        raise ValueError(
            f"{name}: expected no masked values, got {masked}; fill them (x.filled(0)) or "
            "drop the rows"
        )
