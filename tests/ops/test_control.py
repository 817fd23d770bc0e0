"""Branches and loops: at once as Python's, and the same in a trace and in a functional model."""

from collections import namedtuple

import numpy as np
import pytest
from test_calls import arrays, traced

import nnlite
from nnlite import gradcheck, ops

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def everywhere(function, x=X, symbolic=True):
    """What a function gives at once; a trace and a functional model must give the same."""
    found = arrays(function(nnlite.convert_to_tensor(x)))
    for y, other in zip(found, traced(lambda feeds: function(*feeds), [x]), strict=True):
        np.testing.assert_array_equal(other, y)
    if symbolic:
        inputs = nnlite.Input(batch_shape=x.shape)
        model = nnlite.Model(inputs, function(inputs))
        for y, other in zip(found, arrays(model(x)), strict=True):
            np.testing.assert_array_equal(other, y)
    return found if len(found) > 1 else found[0]


@pytest.mark.parametrize("limit", [-99.0, 99.0])
def test_cond_is_one_branch_or_a_selection(limit):
    y = everywhere(
        lambda x: ops.cond(ops.sum(x) > limit, lambda: {"a": x * 2.0}, lambda: {"a": x - 1.0}),
        symbolic=False,
    )
    np.testing.assert_array_equal(y, X * 2 if limit < 0 else X - 1)


def test_cond_selects_by_place_and_by_key_in_one_structure():
    def chosen(first, second):
        def function(feeds):
            found = ops.cond(ops.sum(feeds[0]) > 99, first, second)
            assert found["c"] is None
            return found["a"], found["b"]

        return traced(function, [X])

    first, second = {"a": X, "b": 3 * X, "c": None}, {"c": None, "b": X, "a": 2 * X}
    a, b = chosen(lambda: first, lambda: second)
    np.testing.assert_array_equal(a, 2 * X)
    np.testing.assert_array_equal(b, X)
    for first, second in (X, [X]), ([X], [X, X]), ({"a": X}, {"b": X}), (X, None):
        with pytest.raises(ValueError, match="cond: expected functions that return one structure"):
            chosen(lambda first=first: first, lambda second=second: second)


def test_cond_calls_only_the_branch_that_counts_where_it_is_known():
    called = []
    ops.cond(True, lambda: called.append("yes"), lambda: called.append("no"))
    ops.cond(nnlite.convert_to_tensor(0.0), lambda: called.append("yes"), lambda: None)
    assert called == ["yes"]


@pytest.mark.parametrize("number", [-3, 0, 1, 2, 9])
def test_switch_takes_the_nearest_branch(number):
    branches = [lambda x: x, lambda x: x * 2.0, lambda x: x * 3.0]
    y = everywhere(
        lambda x: ops.switch(ops.cast(0.0 * x[0, 0] + number, "int32"), branches, x),
        symbolic=False,
    )
    np.testing.assert_array_equal(y, X * (1 + min(max(number, 0), 2)))
    assert ops.switch(number, [lambda: "a", lambda: "b"]) == ("a" if number < 1 else "b")


def test_loops_of_known_length_are_written_out():
    y = everywhere(lambda x: ops.fori_loop(1, 4, lambda i, v: v * i, x))
    np.testing.assert_array_equal(y, X * 6)
    y = everywhere(
        lambda x: ops.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v + v), (0, x))[1]
    )
    np.testing.assert_array_equal(y, X * 8)


def test_while_loop_looks_at_values():
    x, calls = ops.while_loop(
        lambda x, n: x < 100, lambda x, n: (x * 3, n + 1), (ops.array(1.0), 0)
    )
    assert (x.item(), calls) == (243, 5)
    assert ops.while_loop(lambda x: x < 100, lambda x: x * 3, 1.0, maximum_iterations=2) == 9

    pair = namedtuple("Pair", "number double")
    found = ops.while_loop(lambda n, d: n < 3, lambda n, d: (n + 1, d + 2), pair(0, 0))
    assert found == pair(3, 6) and isinstance(found, pair)

    class Endless(nnlite.layers.Layer):
        def call(self, inputs):
            return ops.while_loop(lambda v: ops.sum(v) < 9, lambda v: v * 2, inputs)

    with pytest.raises(RuntimeError, match=r"while_loop: cond: .* no values here"):
        nnlite.Sequential([Endless()]).predict(X)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_hands_a_state_on(reverse):
    last, sums = everywhere(
        lambda x: ops.scan(lambda s, row: (s + row, {"sum": s + row}), 0.0, x, reverse=reverse)
    )
    rows = X[::-1] if reverse else X
    np.testing.assert_allclose(last, rows.sum(0), rtol=1e-5)
    want = rows.cumsum(0)
    np.testing.assert_allclose(sums, want[::-1] if reverse else want, rtol=1e-5)
    assert ops.scan(lambda s, _: (s + 2, None), 1, length=3) == (7, None)


@pytest.mark.parametrize("function", [ops.map, ops.vectorized_map])
def test_map_and_vectorized_map_stack_results(function):
    sums, twice = everywhere(lambda x: function(lambda row: (ops.sum(row), row * 2), x))
    np.testing.assert_allclose(sums, X.sum(1), rtol=1e-6)
    np.testing.assert_array_equal(twice, X * 2)
    pairs = ops.map(lambda pair: pair["a"] * pair["b"], {"a": X, "b": X[:, :1]})
    np.testing.assert_array_equal(pairs.numpy(), X * X[:, :1])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_associative_scan_combines_in_order(reverse, axis):
    matrices = np.random.default_rng(1).normal(size=(5, 2, 2)).astype("float32")
    if axis == 0:
        found = ops.associative_scan(ops.matmul, ops.array(matrices), reverse).numpy()
        products = [matrices[k] for k in (range(4, -1, -1) if reverse else range(5))]
        want = [products[0]]
        for m in products[1:]:
            want.append(want[-1] @ m)
        np.testing.assert_allclose(found, want[::-1] if reverse else want, rtol=1e-4, atol=1e-5)
    y = everywhere(lambda x: ops.associative_scan(ops.add, x, reverse, axis))
    want = np.flip(np.flip(X, axis).cumsum(axis), axis) if reverse else X.cumsum(axis)
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6)


def test_gradients_go_through_loops_and_branches():
    functions = [
        lambda x: ops.fori_loop(0, 3, lambda i, v: ops.tanh(v * 2.0), x),
        lambda x: ops.scan(lambda s, row: (s * row, s + row), 1.0, x),
        lambda x: ops.map(lambda row: row * ops.sum(row), x),
        lambda x: ops.associative_scan(ops.multiply, x, axis=1),
        lambda x: ops.cond(ops.sum(x) > 0, lambda: x * x, lambda: x * 3.0),
        lambda x: ops.while_loop(lambda v: ops.sum(v * v) < 99, lambda v: v * 1.5, x),
    ]
    for function in functions:
        assert max(gradcheck(function, X).values()) <= 1e-6


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: ops.cond(True, 1, 2), TypeError, "cond: true_fn: expected a function, got 1"),
        (lambda: ops.switch(0, []), ValueError, "switch: branches: expected a list of functions"),
        (lambda: ops.scan(3, 0, X), TypeError, "scan: f: expected a function, got 3"),
        (lambda: ops.scan(max, 0), ValueError, "scan: expected xs or length, got neither"),
        (
            lambda: ops.scan(max, 0, X, length=3),
            ValueError,
            "length: expected that of xs, 4, got 3",
        ),
        (lambda: ops.scan(max, 0, X, unroll=0), ValueError, "unroll: expected a positive integer"),
        (lambda: ops.map(max, X[:0]), ValueError, "map: xs: expected at least one entry"),
        (lambda: ops.map(max, [X, X[:2]]), ValueError, "first axes of one length, got {2, 4}"),
        (lambda: ops.associative_scan(max, [X, X[:2]]), ValueError, "axes 0 of one length"),
        (lambda: ops.associative_scan(max, []), ValueError, r"elems: expected tensors, got \[\]"),
    ],
)
def test_what_cannot_be_looped_over_is_said(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()
