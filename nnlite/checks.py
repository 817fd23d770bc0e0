"""Checks of numbers that users give. The one idea: an interval is written as in mathematics, such
as '[0, 1)' or '(0, inf)', in the code and in the error message."""

import numbers


def is_number(value, interval=None):
    """Whether a value is a real number; bools are not.

    Parameters
    ----------
    value : anything
    interval : str, optional
        The number must also lie in this interval. NaN lies in none.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    if interval is None:
        return True
    low, high = map(float, interval[1:-1].split(","))
    above = low <= value if interval[0] == "[" else low < value
    return above and (value <= high if interval[-1] == "]" else value < high)


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
        The words of the message after the name; by default 'in ' and the interval.

    Examples
    --------
    >>> from nnlite.checks import check_number
    >>> check_number("rate", 1.5, "[0, 1)", owner="Dropout")
    Traceback (most recent call last):
    ValueError: Dropout: expected rate in [0, 1), got 1.5
    """
    if not is_number(value, interval):
        prefix = f"{owner}: " if owner else ""
        raise ValueError(f"{prefix}expected {name} {expected or f'in {interval}'}, got {value!r}")


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
        If the value is not a whole number of at least 1 and below 2**31.
    """
    if not is_number(value, "[1, inf]") or value % 1:
        raise ValueError(f"expected {name} to be a positive integer, got {value!r}")
    if value >= 2**31:
        raise ValueError(f"expected {name} to be below 2**31, got {value!r}")
    return int(value)
