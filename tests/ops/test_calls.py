"""Ops as users call them: NumPy's values in float64, numerical gradients, the same bits at once,
traced and in a functional model; and Keras's values, where it is installed."""

import importlib.util
import os

import numpy as np
import pytest
from cases_calls import CALLS, Draws
from cases_gradients import Smooth
from gradients import check_gradient

import nnlite
from nnlite import ops
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor
from nnlite.ops.slicing import copied
from nnlite.tree import flatten, map_structure

NAMES = sorted(CALLS)


def calls(name):
    """Each way to call an op, with arguments that are drawn."""
    for k, call in enumerate(CALLS[name]):
        yield call, call.make(Draws([k, len(name)]))


def real_places(args):
    """The numbers of those leaves of the arguments that are real arrays."""
    leaves = flatten(args)
    return [k for k, x in enumerate(leaves) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]


def with_leaves(args, leaves):
    """Arguments like these, with other values in place of the real arrays."""
    replaced = dict(zip(real_places(args), leaves))
    numbered = iter(range(len(flatten(args))))
    kinds = (np.ndarray, int, float, str, np.generic, type(None))

    def leaf(x):
        k = next(numbered)
        return replaced.get(k, x)

    return map_structure(leaf, args, kinds)


def arrays(result):
    return [np.asarray(y) for y in flatten(result)]


def close(result, expected, tolerance):
    got, wanted = arrays(result), arrays(expected)
    assert len(got) == len(wanted)
    for y, right in zip(got, wanted):
        assert y.shape == right.shape
        size = np.abs(right[np.isfinite(right)]).max(initial=1.0) if right.size else 1.0
        np.testing.assert_allclose(y, right, rtol=tolerance, atol=tolerance * size)


# The families of which every function must be called here.
FAMILIES = """angles axes counting creation cumulative diagonals einsum fourier logarithms norms
order places products rounding stft""".split()


def test_every_function_of_these_families_is_called_here():
    homes = {name: getattr(ops, name).__wrapped__.__module__ for name in ops.__all__}
    wanted = {name for name, home in homes.items() if home.rpartition(".")[2] in FAMILIES}
    assert wanted <= set(CALLS) <= set(ops.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_numpys(name, double):
    for call, args in calls(name):
        reference = call.reference or getattr(np, name)
        with np.errstate(all="ignore"):
            expected = reference(*args, **call.kwargs)
        close(getattr(ops, name)(*args, **call.kwargs), expected, 1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_numerical_ones(name, double):
    for call, args in calls(name):
        found = [flatten(args)[k] for k in real_places(args)]
        if not call.smooth or not found or not min(x.size for x in found):
            continue

        def total(tensors, call=call, args=args):
            result = flatten(getattr(ops, name)(*with_leaves(args, tensors), **call.kwargs))
            weights = Draws(3)
            return sum(
                (ops.sum(y * weights(*y.shape)) for y in result if y.dtype == "float64"),
                ops.zeros(()),
            )

        check_gradient(total, Smooth(found, wrt=tuple(range(len(found)))))


def traced(function, leaves):
    """What a plan gives of a function of arrays."""
    feeds = [Tensor(x.shape, "int32" if x.dtype.kind == "i" else "float32") for x in leaves]
    with Recording(executing=False) as trace:
        # A copy: what is but a view of a feed has no memory of its own.
        results = [copied(y) for y in flatten(function(feeds))]
    written = [np.zeros(y.shape, y.dtype) for y in results]
    plan = Plan(trace, feeds, results)
    memory = [np.ascontiguousarray(x, f.dtype) for x, f in zip(leaves, feeds)]
    plan.run([(m, 0, 0) for m in (*memory, *written)])
    return written


def of_arrays(name, call, args):
    """The op as a function of all the arrays among its arguments, and these."""
    leaves = flatten(args)
    places = [k for k, x in enumerate(leaves) if isinstance(x, np.ndarray)]
    kinds = (np.ndarray, int, float, str, type(None))

    def function(given):
        replaced, numbered = dict(zip(places, given)), iter(range(len(leaves)))

        def leaf(x):
            return replaced.get(next(numbered), x)

        return getattr(ops, name)(*map_structure(leaf, args, kinds), **call.kwargs)

    return function, [
        leaves[k].astype("int32" if leaves[k].dtype.kind == "i" else "float32") for k in places
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_and_a_functional_model_and_its_description_give_the_same_bits(name):
    for call, args in calls(name):
        function, leaves = of_arrays(name, call, args)
        if call.known or not leaves:
            continue
        at_once = arrays(function([nnlite.convert_to_tensor(x) for x in leaves]))
        for y, planned in zip(at_once, traced(function, leaves), strict=True):
            np.testing.assert_array_equal(planned, y)
        if not all(x.size and x.ndim for x in leaves):
            continue
        inputs = [nnlite.Input(batch_shape=x.shape, dtype=str(x.dtype)) for x in leaves]
        symbols = function(inputs)
        model = nnlite.Model(inputs, symbols)
        data = leaves if len(leaves) > 1 else leaves[0]
        found, again = arrays(model(data)), nnlite.models.model_from_json(model.to_json())
        for y, symbol, other in zip(at_once, flatten(symbols), found, strict=True):
            assert symbol.shape == y.shape
            np.testing.assert_array_equal(other, y)
        for y, other in zip(at_once, arrays(again(data)), strict=True):
            np.testing.assert_array_equal(other, y)


@pytest.mark.parametrize("place", [3, -4])
def test_places_out_of_range_are_never_those_of_a_neighbour(place):
    x, places = np.ones((2, 3), np.float32), np.array([[0], [place]], np.int32)

    def entries(args):
        return ops.take_along_axis(*args, 1)

    with pytest.raises(ValueError, match="indices: expected numbers in"):
        entries([x, places])
    with pytest.raises(ValueError, match="the label or index at position 1 is out of range"):
        traced(entries, [x, places])
    rows = np.array([[1, 0], [0, place]], np.int32)
    with pytest.raises(ValueError, match="indices: expected numbers in"):
        ops.scatter(rows, x[0, :2], x.shape)
    (y,) = traced(lambda args: ops.scatter(*args, x.shape), [rows, x[0, :2]])
    assert y.tolist() == [[0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("fft_length", lambda n: ops.rfft([1.0, 2.0], n)),
        ("fft_length", lambda n: ops.irfft(([1.0, 2.0], [0.0, 0.0]), n)),
        ("num_segments", lambda n: ops.segment_sum([1.0], [0], n)),
        ("minlength", lambda n: ops.bincount([1], minlength=n)),
        ("length", lambda n: ops.istft(([[1.0]], [[0.0]]), 1, 1, 1, n)),
        ("num_samples", lambda n: nnlite.random.categorical([[0.0, 1.0]], n)),
    ],
)
def test_one_size_is_no_shape(name, call):
    with pytest.raises(TypeError, match=rf"{name}: expected an integer, got \(3, 4\)"):
        call((3, 4))


def test_counts_are_exact_beyond_what_float32_counts():
    many = np.zeros(2**24 + 3, np.int32)
    assert ops.bincount(many).numpy().tolist() == [many.size]


@pytest.mark.skipif(not importlib.util.find_spec("keras"), reason="Keras is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_values_of_random_calls_are_keras(name, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "numpy"))
    import keras

    ways = [call for call in CALLS[name] if call.keras]
    function = getattr(keras.ops, name)
    for k in range(50 if ways else 0):
        call = ways[k % len(ways)]
        args = call.make(Draws([k, 7]))
        leaves = [flatten(args)[i].astype("float32") for i in real_places(args)]
        args = with_leaves(args, leaves)
        expected = [np.asarray(y) for y in flatten(function(*args, **call.kwargs))]
        close(getattr(ops, name)(*args, **call.kwargs), expected, 2e-5)
