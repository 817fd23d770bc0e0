"""The valid settings of an ImageDataGenerator."""

import math
import numbers

import numpy as np

from nnlite.engine.tensor import REALS
from nnlite.ops.warp import FILL_MODES


def _is_number(value):
    """Whether a value is a finite real number."""
    is_real = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    return is_real and math.isfinite(value)


def _is_amount(value):
    return _is_number(value) and value >= 0


def _is_range(value):
    return (
        isinstance(value, (tuple, list, np.ndarray))
        and len(value) == 2
        and all(map(_is_number, value))
        and 0 <= value[0] <= value[1]
    )


def _is_real(value):
    try:
        return value is None or np.dtype(value).name in REALS
    except TypeError:
        return False


def _is_shift(value):
    if isinstance(value, (tuple, list, np.ndarray)):
        return len(value) > 0 and np.ndim(value) == 1 and all(map(_is_number, value))
    return _is_amount(value)


_AMOUNT = (_is_amount, "a number of at least 0")
_SHIFT = (_is_shift, "a number of at least 0 or a list of numbers")

_RULES = {
    "zca_epsilon": _AMOUNT,
    "rotation_range": _AMOUNT,
    "width_shift_range": _SHIFT,
    "height_shift_range": _SHIFT,
    "brightness_range": (
        lambda v: v is None or _is_range(v),
        "(lower, upper) with 0 <= lower <= upper",
    ),
    "shear_range": _AMOUNT,
    "zoom_range": (
        lambda v: (_is_amount(v) and v <= 1) or _is_range(v),
        "a number in [0, 1] or (lower, upper) with 0 <= lower <= upper",
    ),
    "channel_shift_range": _AMOUNT,
    "fill_mode": (
        lambda v: isinstance(v, str) and v in FILL_MODES,
        f"one of {', '.join(map(repr, FILL_MODES))}",
    ),
    "cval": (_is_number, "a number"),
    "rescale": (lambda v: v is None or _is_number(v), "a number or None"),
    "preprocessing_function": (lambda v: v is None or callable(v), "a function or None"),
    "data_format": (lambda v: v in (None, "channels_last"), "'channels_last'"),
    "validation_split": (lambda v: _is_amount(v) and v < 1, "a number in [0, 1)"),
    "interpolation_order": (
        lambda v: _is_number(v) and v in (0, 1),
        "0 (nearest pixel) or 1 (bilinear)",
    ),
    "dtype": (_is_real, f"one of {', '.join(REALS)} or None"),
}


def check(generator):
    """Raise ValueError for the first setting of an ImageDataGenerator that is invalid."""
    for name, (allowed, expected) in _RULES.items():
        value = getattr(generator, name)
        if not allowed(value):
            raise ValueError(f"ImageDataGenerator: {name}: expected {expected}, got {value!r}")
