"""Ops that work element by element take a short way where nothing has to be converted, refused or
recorded. It gives the same bits; all else goes the long way."""

import itertools

import numpy as np
import pytest
from all_ops import OPS
from kernels import ISAS
from nnlite.engine._engine import MAX_NDIM

import nnlite
from nnlite import ops
from nnlite.engine import dispatch
from nnlite.engine.dispatch import at_once, when
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import REALS, Tensor, Variable
from nnlite.ops.activation import KINDS
from nnlite.ops.operands import operands

UNARY = "negative exp expm1 log log1p erf sqrt square sign floor cos sin abs".split()
BINARY = (
    "add subtract multiply divide power maximum minimum squared_difference equal greater "
    "greater_equal"
).split()
SHAPES = [(), (1,), (0,), (3,), (2, 3), (2, 1), (4, 1, 3), (2, 0), (1,) * MAX_NDIM]


def broadcasting(first, second):
    try:
        np.broadcast_shapes(first, second)
    except ValueError:
        return False
    return True


PAIRS = [pair for pair in itertools.product(SHAPES, SHAPES) if broadcasting(*pair)]


def drawn(shape, real, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(real)


def the_long_way(op, values, attrs):
    return dispatch.apply(op, operands(*values), attrs)[0]


def compared(op, values, **attrs):
    """The result, which is the same both ways."""
    short, long = at_once(op, values, op.c_attrs(attrs)), the_long_way(op, values, attrs)
    assert type(short) is Tensor and (short.shape, short.dtype) == (long.shape, long.dtype)
    assert short._data.dtype == short.dtype and short._data.flags.c_contiguous
    assert short._data.tobytes() == long._data.tobytes()
    return short


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("isa", ISAS)
def test_both_ways_give_the_same_bits(isa, real):
    dispatch.use_isa(isa)
    try:
        with nnlite.config.precision(real):
            for name, shape in itertools.product(UNARY, SHAPES):
                compared(OPS[name], (drawn(shape, real),))
            for name, (one, two) in itertools.product(BINARY, PAIRS):
                compared(OPS[name], (drawn(one, real), drawn(two, real, 1)))
            for (one, two), three in itertools.product(PAIRS[::7], ((), (2, 3))):
                if broadcasting(np.broadcast_shapes(one, two), three):
                    values = [drawn(s, real, n) for n, s in enumerate((one, two, three))]
                    condition = np.asarray(values[0] > 0, real)
                    compared(OPS["where"], (condition, *values[1:]))
            for kind in KINDS.values():
                compared(OPS["activation"], (drawn((2, 3), real),), kind=kind, alpha=0.25)
    finally:
        dispatch.use_isa()


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("number", [2, -0.0, 0.1, 2**53, -(2**53), float("nan"), 1e-45, 16777217])
def test_numbers_are_rounded_to_the_precision_of_the_tensor(number, real):
    x = nnlite.convert_to_tensor(drawn((2, 3), real), dtype=real)
    compared(OPS["add"], (x, number))
    compared(OPS["multiply"], (number, x))
    compared(OPS["where"], (x, number, 1))


def test_a_tape_that_has_ended_is_no_hindrance():
    x = nnlite.convert_to_tensor(ROWS)
    with nnlite.GradientTape():
        assert at_once(OPS["exp"], (x,)) is None
    assert type(at_once(OPS["exp"], (x,))) is Tensor


def test_the_first_tensor_says_the_precision_else_floatx():
    double = drawn((2, 3), "float64")
    assert at_once(OPS["exp"], (double,)) is None
    assert ops.exp(double).dtype == "float32"
    x = nnlite.convert_to_tensor(double, dtype="float64")
    assert compared(OPS["add"], (double, x)).dtype == "float64"
    assert compared(OPS["add"], (Variable(double, dtype="float64"), 1)).dtype == "float64"


ROWS = drawn((4, 6), "float32")
SINGLE = np.dtype("float32").newbyteorder(">")
LONG_WAY = {
    "integers": (np.arange(4), np.arange(4)),
    "an int32 tensor": (nnlite.convert_to_tensor([1, 2]), 1.0),
    "truth values": (True, ROWS),
    "numbers alone": (1.0, 2.0),
    "a number beyond float32": (ROWS, 1e300),
    "infinity": (ROWS, float("inf")),
    "a large integer": (ROWS, 2**60 + 1),
    "a list": ([1.0, 2.0], 1.0),
    "another byte order": (ROWS.astype(SINGLE), 1.0),
    "columns": (ROWS.T, 1.0),
    "every second": (ROWS[:, ::2], 1.0),
    "another precision": (ROWS.astype("float64"), ROWS),
    "many": (np.zeros(dispatch.MIN_PARALLEL_WORK_EAGER, "float32"), 1.0),
    "a number of NumPy": (ROWS, np.float32(2)),
}


@pytest.mark.parametrize("values", LONG_WAY.values(), ids=LONG_WAY)
def test_what_is_converted_or_shared_among_threads_goes_the_long_way(values):
    assert at_once(OPS["subtract"], values) is None
    with np.errstate(over="ignore"):
        expected = np.subtract(*[np.asarray(v, "float32") for v in values])
        np.testing.assert_array_equal(ops.subtract(*values).numpy(), expected)


def test_what_is_refused_is_refused_as_ever():
    for values, message in {
        (3, 2): "shapes that broadcast together",
        (1,) * (MAX_NDIM + 1): f"at most {MAX_NDIM} dimensions",
    }.items():
        two = ROWS[: values[0], 0].copy(), np.zeros(values, "float32")
        assert at_once(OPS["add"], two) is None
        with pytest.raises(ValueError, match=message):
            ops.add(*two)
    masked = np.ma.masked_array(ROWS, ROWS > 0)
    assert at_once(OPS["exp"], (masked,)) is None
    with pytest.raises(ValueError, match="masked"):
        ops.exp(masked)


def test_what_is_recorded_or_left_out_goes_the_long_way():
    x = nnlite.convert_to_tensor(ROWS)
    with Recording() as tape:
        assert at_once(OPS["exp"], (x,)) is None
        ops.exp(x)
    assert [call.op.name for call in tape.calls] == ["exp"]
    with when(nnlite.convert_to_tensor([0])):
        assert at_once(OPS["exp"], (x,)) is None
        assert ops.exp(x)._data is None
    assert at_once(OPS["exp"], (x,)) is not None
    assert at_once(OPS["exp"], (Tensor((2,), "float32"),)) is None  # kept from a trace


def test_results_share_no_memory_with_operands():
    x = nnlite.convert_to_tensor(ROWS)
    assert not np.shares_memory(ops.multiply(x, 1.0)._data, x._data)
