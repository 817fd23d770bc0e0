"""What the settings of layers may be: checks of (name, value) for a class's `_legal`, beside those
of `nnlite.checks`. The constructors of layers apply them."""

import contextlib
import math
import numbers

import numpy as np

from nnlite import activations, constraints, initializers, regularizers
from nnlite.checks import LARGEST_SIZE, axes, check_choice, is_number, positive_int
from nnlite.config import REALS, floatx
from nnlite.engine.tensor import Tensor
from nnlite.ops.windows import check_padding

# What a layer `_takes`.
ANY_TENSOR = (0, math.inf, "one tensor")
BATCH = (1, math.inf, "one tensor with the batch as its first axis")
ROWS = (2, math.inf, "an input of at least 2 dimensions")

AT_LEAST_0 = "[0, inf]"


def activation(name, value):
    """Raise an error unless a setting is an activation or its name."""
    _find(activations, name, value)


def initializer(name, value):
    """Raise an error unless a setting is an initializer or its name."""
    _find(initializers, name, value)


def regularizer(name, value):
    """Raise an error unless a setting is a regularizer or its name."""
    _find(regularizers, name, value)


def _find(module, name, value):
    if value is None:
        raise TypeError(f"{name}: expected a name, an object or a function, got None")
    try:
        module.get(value)
    except (TypeError, ValueError) as error:
        error.args = (f"{name}: {error}",)
        raise


_NOT_REAL = ("bool", "int", "uint", "str", "string")


def precision(name, value):
    """Raise a ValueError if a setting is a precision that nnlite does not have, such as
    'mixed_float16'; layers of integers and of texts say others."""
    named = _named(value)
    if named not in (None, *REALS) and named.rstrip("0123456789") not in _NOT_REAL:
        raise ValueError(
            f"{name}: expected 'float32' or 'float64', got {value!r}; a model computes "
            "and keeps its weights in one of them"
        )


def check_precision(dtype):
    """Raise a ValueError if a layer is built in another precision than it was told.

    Parameters
    ----------
    dtype : str, type, DTypePolicy or None
        What its constructor was given.
    """
    named = _named(dtype)
    if named in REALS and named != floatx():
        raise ValueError(
            f"dtype: expected {floatx()!r}, in which the model computes, got {named!r}; "
            f"nnlite.config.set_floatx({named!r}) makes it that of models from then on"
        )


def _named(dtype):
    """The name of a dtype, which may be a string, a type or a policy: NumPy's name, if it has one.
    None of 'float', which is the model's precision, and of anything else."""
    named = getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype)
    if not isinstance(named, str) or named == "float":
        return None
    with contextlib.suppress(TypeError):  # of 'mixed_float16', which is none
        named = np.dtype(named).name
    return named


def padding(name, value):
    """Raise a ValueError unless a setting is 'valid' or 'same', in small or capital letters."""
    check_padding(value)


def causal_padding(name, value):
    """Raise a ValueError unless a setting is 'valid', 'same' or 'causal'."""
    check_padding(value, ("valid", "same", "causal"))


def constraint(name, value):
    """Raise an error unless a setting is a constraint or its name."""
    _find(constraints, name, value)


def function(name, value):
    """Raise a TypeError unless a setting can be called."""
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name}: expected a function, got {value!r}")


def tensor_or_function(name, value):
    """Raise an error unless a setting is a tensor, an array of numbers or a function."""
    truths = isinstance(value, np.ndarray) and value.dtype.kind == "b"
    if not truths and not isinstance(value, Tensor) and not callable(value):
        numbers_of(name, value)


def by_name(name, value):
    """Raise a TypeError unless a setting is a dict with names as keys."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"{name}: expected a dict with names as keys, got {value!r}")


def shapes_or_function(name, value):
    """Raise an error unless a setting is a shape, a list or dict of them, or a function."""
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, (tuple, list, dict)) and any(isinstance(n, (tuple, list)) for n in parts):
        for shape in parts:
            shapes_or_function(name, shape)
    elif isinstance(value, (tuple, list)):
        input_shape(name, value)
    elif not callable(value):
        raise TypeError(f"{name}: expected a shape, several of them or a function, got {value!r}")


def of_weights(*names):
    """The checks of the `_initializer`, `_regularizer` and `_constraint` of some weights."""
    kinds = {"initializer": initializer, "regularizer": regularizer, "constraint": constraint}
    return {f"{name}_{kind}": check for name in names for kind, check in kinds.items()}


def axes_or_none(name, value):
    """Raise an error unless a setting is an axis, several, none, or None."""
    none = value is None or (isinstance(value, (list, tuple)) and not value)
    return () if none else axes(name, value)


def axes_within(name, value, ndim):
    """The axes of a setting for inputs of `ndim` dimensions, as sorted numbers of at least 0."""
    given = axes(name, value)
    found = sorted({axis % ndim for axis in given if -ndim <= axis < ndim})
    if len(found) != len(given):
        raise ValueError(f"{name}: expected axes of {ndim} dimensions, each once, got {value!r}")
    return found


def axes_of_samples(axis, shape):
    """The axes of the setting `axis`, none of them the batch, as sorted numbers of at least 1."""
    found = axes_within("axis", axis, len(shape))
    if 0 in found:
        raise ValueError(f"expected axis without the batch, axis 0, got {axis!r}")
    if any(shape[d] is None for d in found):
        raise ValueError(f"expected known sizes along axis {axis!r}, got shape {shape}")
    return found


def groups(name, value):
    """Raise a ValueError unless a setting is a number of groups, or -1."""
    if not _is_int(value) or value != -1:
        positive_int(name, value)


def copies(name, value):
    """Raise a TypeError, as Keras does, unless a setting is a whole number, and a ValueError unless
    it is positive."""
    if not is_number(value) or value % 1:
        raise TypeError(f"{name}: expected a positive integer, got {value!r}")
    positive_int(name, value)


def permutation(name, value):
    """Raise a ValueError unless a setting is 1, 2, ... in any order; returns it as a tuple."""
    order = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(map(_is_int, order)) or sorted(order) != list(range(1, len(order) + 1)):
        raise ValueError(f"{name}: expected a permutation of 1, 2, ..., got {value!r}")
    return order


def noise_shape(name, value):
    """Raise a ValueError unless a setting is the shape of noise; returns it as a tuple."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not given or not all(n is None or (_is_int(n) and n >= 1) for n in given):
        raise ValueError(f"{name}: expected positive integers or None, got {value!r}")
    return given


def numbers_of(name, value):
    """Raise a ValueError unless a setting is finite numbers; returns them as a float64 array."""
    try:
        found = np.asarray(value)
    except ValueError:  # of rows of different lengths
        found = np.asarray(None)
    if found.dtype.kind not in "iuf" or np.ma.is_masked(value) or not np.isfinite(found).all():
        raise ValueError(f"{name}: expected numbers, got {value!r}")
    return found.astype(np.float64)


def sizes(name, value):
    """Raise a ValueError unless a setting is sizes of at least 0, of which one may be -1; returns
    them as a tuple."""
    given = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if not all(_is_int(n) and n >= -1 for n in given) or given.count(-1) > 1:
        raise ValueError(
            f"{name}: expected integers of at least 0, or -1 for one of them, got {value!r}"
        )
    if max(given, default=0) > LARGEST_SIZE:
        raise ValueError(f"{name}: expected sizes below 2**31, got {value!r}")
    return tuple(int(n) for n in given)


def entries(name, value):
    """Raise a ValueError unless a setting is a list of integers of at least 0."""
    if not isinstance(value, (list, tuple)) or not all(
        _is_int(n) and 0 <= n <= LARGEST_SIZE for n in value
    ):
        raise ValueError(f"{name}: expected a list of integers of at least 0, got {value!r}")


def input_shape(name, value):
    """Raise a ValueError unless a setting is the shape of inputs, or one size; returns it as a
    tuple. A size may be None; there is at least that of the batch in `batch_shape`."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    known = [n for n in given if n is not None]
    if (value is None or (name == "batch_shape" and not given)) or not all(
        _is_int(n) and 0 < n <= LARGEST_SIZE for n in known
    ):
        raise ValueError(
            f"{name}: expected a tuple of positive integers, or None for any size, got {value!r}"
        )
    return tuple(n if n is None else int(n) for n in given)


def margins(name, value, rank=2):
    """((top, bottom), (left, right)) from an int, a pair of int or a pair of pairs; of volumes, of
    rank 3, three pairs from an int, three or three pairs; of sequences, of rank 1, ((before,
    after),) from an int or a pair."""
    edges = value if isinstance(value, (tuple, list)) else (value,) * max(rank, 2)
    edges = [edges] if rank == 1 else edges
    sides = [n if isinstance(n, (tuple, list)) else (n, n) for n in edges]
    if [len(side) for side in sides] != [2] * rank or not all(
        _is_int(n) and 0 <= n <= LARGEST_SIZE for side in sides for n in side
    ):
        several = {
            1: "or a pair of them",
            2: "a pair of them or a pair of pairs",
            3: "three of them or three pairs",
        }[rank]
        raise ValueError(f"{name}: expected an int of at least 0, {several}, got {value!r}")
    return tuple((int(a), int(b)) for a, b in sides)


def ends(name, value):
    """((before, after),) from an int or a pair of int."""
    return margins(name, value, 1)


def margins_of_volumes(name, value):
    """Three (before, after) from an int, three or three pairs."""
    return margins(name, value, 3)


def data_format(name, value):
    """Raise a ValueError unless a setting is an order of axes, or None."""
    if value is not None:
        check_choice(name, value, ("channels_last", "channels_first"))


def no_bounding_boxes(name, value):
    """Raise a ValueError unless a setting is None."""
    if value is not None:
        raise ValueError(f"{name}: bounding boxes are not supported: expected None, got {value!r}")


def value_range(name, value):
    """Raise a ValueError unless a setting is two different numbers; returns them in order."""
    given = list(value) if isinstance(value, (tuple, list)) else []
    if len(given) != 2 or not all(is_number(v, "(-inf, inf)") for v in given):
        raise ValueError(f"{name}: expected two numbers, got {value!r}")
    if given[0] == given[1]:
        raise ValueError(f"{name}: expected two different numbers, got {value!r}")
    return tuple(sorted(float(v) for v in given))


def limits(value, least=-math.inf):
    """The limits of a factor that is drawn: two numbers in order; for a number f, -|f| and |f|.

    Parameters
    ----------
    value : float, or two
    least : float, optional
        The first limit for one number, if that is more.
    """
    if isinstance(value, (tuple, list)):
        low, high = sorted(map(float, value))
        return low, high
    return max(-abs(float(value)), least), abs(float(value))


def limits_in(interval, of_pairs=None):
    """A check that a setting is a number in an interval or a pair of numbers in that, or in another
    one: Keras writes what it made of a number."""

    def check(name, value):
        pair = isinstance(value, (tuple, list))
        given, within = (value, of_pairs or interval) if pair else ([value], interval)
        if (pair and len(given) != 2) or not all(is_number(v, within) for v in given):
            raise ValueError(f"{name}: expected a number in {interval} or two, got {value!r}")

    return check


def bits(name, value):
    """Raise a ValueError unless a setting is a number of bits of a byte, or two."""
    given = value if isinstance(value, (tuple, list)) else [value]
    fits = len(given) == 2 or given is not value
    if not fits or not all(is_number(v, "[1, 8]") and v % 1 == 0 for v in given):
        raise ValueError(f"{name}: expected an integer in [1, 8] or two, got {value!r}")


def odd_sizes(name, value):
    """Raise a ValueError unless a setting is an odd size, or two."""
    given = value if isinstance(value, (tuple, list)) else [value, value]
    if len(given) != 2 or not all(is_number(v, "[1, 1023]") and v % 2 == 1 for v in given):
        raise ValueError(f"{name}: expected an odd integer in [1, 1023] or two, got {value!r}")


def value_or_color(name, value):
    """Raise a ValueError unless a setting is a number, three numbers or None."""
    given = value if isinstance(value, (tuple, list)) else [value]
    fits = value is None or len(given) == 3 or given is not value
    if not fits or not all(v is None or is_number(v, "(-inf, inf)") for v in given):
        raise ValueError(f"{name}: expected a number or three, got {value!r}")


def _is_int(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
