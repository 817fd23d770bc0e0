"""Checks of numbers that users give: what counts as a number, intervals, messages."""

import math
from fractions import Fraction

import numpy as np
import pytest

from nnlite.checks import check_number, is_number, positive_int

NUMBERS = [0, -1.5, Fraction(1, 3), np.float32(2), np.int64(3), math.inf]
NO_NUMBERS = [True, np.True_, None, "1", [1], 1j]


@pytest.mark.parametrize("value", NUMBERS)
def test_real_numbers_of_python_and_numpy_are_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_bools_strings_and_complex_numbers_are_no_numbers(value):
    assert not is_number(value)


@pytest.mark.parametrize(
    "interval, ends",
    [("[0, 1]", (True, True)), ("[0, 1)", (True, False)), ("(0, 1]", (False, True))],
)
def test_brackets_say_whether_an_end_belongs_to_the_interval(interval, ends):
    assert (is_number(0, interval), is_number(1, interval)) == ends
    assert is_number(0.5, interval) and not is_number(-0.1, interval)


def test_infinity_lies_in_closed_intervals_only_and_nan_in_none():
    assert is_number(math.inf, "[0, inf]") and not is_number(math.inf, "[0, inf)")
    assert not is_number(math.nan, "[-inf, inf]")


@pytest.mark.parametrize(
    "keywords, message",
    [
        ({}, r"^rate: expected a number in \[0, 1\), got 2$"),
        ({"owner": "Dropout"}, r"^Dropout: rate: expected a number in \[0, 1\), got 2$"),
        ({"expected": "a number below 1"}, r"^rate: expected a number below 1, got 2$"),
    ],
)
def test_message_names_the_setting_the_interval_and_the_value(keywords, message):
    check_number("rate", 0.5, "[0, 1)", **keywords)
    with pytest.raises(ValueError, match=message):
        check_number("rate", 2, "[0, 1)", **keywords)


@pytest.mark.parametrize("value", [3, 3.0, np.int32(3), np.float64(3)])
def test_whole_numbers_of_any_type_become_int(value):
    assert positive_int("n", value) == 3 and type(positive_int("n", value)) is int


@pytest.mark.parametrize("value", [0, -1, 2.5, math.inf, math.nan, *NO_NUMBERS], ids=repr)
def test_positive_int_refuses_what_is_not_a_positive_integer(value):
    with pytest.raises(ValueError, match="n: expected a positive integer, got "):
        positive_int("n", value)
