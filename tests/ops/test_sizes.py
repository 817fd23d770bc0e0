"""Sizes that C could not bear are refused in Python, and large steps cost no time and no memory."""

import time

import numpy as np
import pytest

import nnlite
from nnlite import layers, ops
from nnlite.engine import dispatch
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable

IMAGE = np.arange(32.0).reshape(1, 4, 4, 2) / 32
REFUSED = {
    "dilation_rate": lambda: layers.Conv2D(2, 9, dilation_rate=2**60, padding="same")(IMAGE),
    "strides": lambda: ops.conv2d(IMAGE, np.ones((3, 3, 2, 1)), strides=2**62),
    "pool_size": lambda: ops.max_pool2d(IMAGE, 2**31, padding="same"),
    "padding": lambda: ops.pad2d(IMAGE, ((2**62, -(2**62)), (0, 0))),
    "upsample2d|broadcast_to": lambda: ops.upsample2d(IMAGE, 2**30),
    "one_hot": lambda: ops.one_hot([1], 2**31),
    "shape": lambda: ops.zeros((2**20, 2**20)),
    "broadcast_to": lambda: ops.broadcast_to(1.0, (2**20, 2**20)),
    "split": lambda: ops.split(np.zeros((0, 2)), 2**40),
    "reshape": lambda: ops.reshape(np.zeros(6), (-3, -2)),
    "units": lambda: layers.Dense(2**31)(IMAGE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_size_beyond_int32_is_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        REFUSED[name]()


def gradients(function, *arrays):
    """The result of a function, and the gradients of the sum of its squares."""
    variables = [Variable(a) for a in arrays]
    with nnlite.GradientTape() as tape:
        y = function(*variables)
        loss = ops.sum(ops.square(y))
    return [t.numpy() for t in (y, *tape.gradient(loss, variables))]


def same_convolution(x, w, stride, dilation, multiplier=False):
    """A convolution with 'same' padding as sums over taps, in float64."""
    size, taps = x.shape[1:3], w.shape[:2]
    counts = [-(-n // stride) for n in size]
    before = [
        max((count - 1) * stride + (k - 1) * dilation + 1 - n, 0) // 2
        for count, k, n in zip(counts, taps, size)
    ]
    y = np.zeros((len(x), *counts, w.shape[3]))
    for i in range(counts[0]):
        for j in range(counts[1]):
            for a in range(taps[0]):
                for b in range(taps[1]):
                    h = i * stride + a * dilation - before[0]
                    v = j * stride + b * dilation - before[1]
                    if 0 <= h < size[0] and 0 <= v < size[1]:
                        y[:, i, j] += x[:, h, v] @ w[a, b]
    return y


@pytest.mark.parametrize("taps", [1, 2, 3, 4])
def test_large_dilation_gives_the_windows_that_it_means(taps):
    kernel = np.random.default_rng(taps).random((taps, taps, 2, 3))
    for stride in (1, 2, 3, 4, 5):
        for dilation in (7, 9, 10, 11, 12, 25, 26, 10**6, 10**6 + 1):
            y = ops.conv2d(IMAGE, kernel, None, stride, "same", dilation).numpy()
            want = same_convolution(IMAGE, kernel, stride, dilation)
            np.testing.assert_allclose(y, want, rtol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_large_stride_costs_no_time_and_gives_what_a_stride_of_the_images_size_gives(padding):
    kernel, each = np.ones((3, 3, 2, 2)), np.ones((3, 3, 2, 1))

    def results(strides):
        began = time.monotonic()
        found = [
            gradients(
                lambda x, w: ops.conv2d(x, w, strides=strides, padding=padding), IMAGE, kernel
            ),
            gradients(
                lambda x, w: ops.depthwise_conv2d(x, w, strides=strides, padding=padding),
                IMAGE,
                each,
            ),
            gradients(lambda x: ops.max_pool2d(x, 2, strides, padding), IMAGE),
            gradients(lambda x: ops.average_pool2d(x, 2, strides, padding), IMAGE),
        ]
        return found, time.monotonic() - began

    expected, _ = results(4)
    for strides in (2**26, 2**31 - 1):
        found, seconds = results(strides)
        assert seconds < 1  # 2 s and more where C steps through the stride
        for a, b in zip(found, expected):
            assert all(np.array_equal(one, other) for one, other in zip(a, b))


# --- operands of C calls


def test_call_of_fewer_operands_than_c_reads_is_refused():
    engine = dispatch.engine("float32")
    x = np.ones(3, np.float32)
    with pytest.raises(
        ValueError, match="add: expected at least 2 inputs and 1 outputs, got 1 and"
    ):
        engine.call(engine.op_ids["add"], [x], [x], (), 1)
    with pytest.raises(
        ValueError, match="exp: expected at least 1 inputs and 1 outputs, got 1 and"
    ):
        engine.call(engine.op_ids["exp"], [x], [], (), 1)


def test_run_of_a_plan_takes_as_many_feeds_as_it_has():
    x, y = Tensor((3,), "float32"), None
    with Recording(executing=False) as trace:
        y = ops.add(x, 1.0)
    plan = Plan(trace, [x], [y])
    memory, out = np.ones(3, np.float32), np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="expected 2 feeds, got 1"):
        plan.run([(memory, 0, 0)])
    plan.run([(memory, 0, 0), (out, 0, 0)])
    assert out.tolist() == [2.0, 2.0, 2.0]


# --- rows by their numbers


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("indices", [1, [0, 1, -1], [[1, 0], [0, 0]], []])
def test_take_gives_numpys_entries_and_its_gradient_adds_up_theirs(axis, indices, real):
    x = np.arange(6.0).reshape(2, 3)
    want = np.take(x, np.array(indices, int), axis)
    y, dx = gradients(lambda x: ops.take(x, indices, axis), x)
    assert y.dtype == real
    np.testing.assert_array_equal(y, want)
    counts = np.zeros(6)
    np.add.at(counts, np.take(np.arange(6).reshape(2, 3), np.array(indices, int), axis), 1)
    np.testing.assert_array_equal(dx, 2 * x * counts.reshape(2, 3))


def test_take_keeps_integers_and_refuses_other_numbers():
    x = np.array([[5, 6], [7, 2**31 - 1]])
    assert ops.take(x, [1], axis=1).numpy().tolist() == [[6], [2**31 - 1]]
    with pytest.raises(ValueError, match=r"take: indices: expected a number in \[-2, 2\) .* got 2"):
        ops.take(np.ones((2, 3)), [0, 2], axis=0)
    with pytest.raises(ValueError, match="expected integers"):
        ops.take(np.ones((2, 3)), [0.5])
    assert not hasattr(ops, "gather") and not hasattr(ops, "gather_csr")


def test_take_by_numbers_that_a_plan_computes_checks_them_in_c(real):
    x = np.arange(24.0).reshape(2, 3, 4)
    index, memory, out = Tensor((2, 2), "int32"), np.array([[2, 0], [1, 1]], np.int32), {}
    for axis, shape in {0: (2, 2, 3, 4), 1: (2, 2, 2, 4), 2: (2, 3, 2, 2)}.items():
        given = memory % x.shape[axis]
        with Recording(executing=False) as trace:
            y = ops.take(x, index, axis)
        plan, out = Plan(trace, [index], [y], real), np.zeros(shape, real)
        plan.run([(given, 0, 0), (out, 0, 0)])
        np.testing.assert_array_equal(out, np.take(x, given, axis))
        with pytest.raises(
            ValueError, match=r"gather: .* at position 1 is out of range \[0, [234]\)"
        ):
            plan.run([(np.array([[0, 4], [1, 1]], np.int32), 0, 0), (out, 0, 0)])


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_edited_sparse_matrix_is_refused_before_c_follows_it(kind):
    sparse = pytest.importorskip("scipy.sparse")
    model = nnlite.Sequential([layers.Dense(2)])
    good = sparse.random(6, 6, 0.5, kind, np.float32, random_state=0)
    model.predict(good, verbose=0)
    fitted = nnlite.NNRegressor((), epochs=1).fit(good, np.ones(6))
    for attribute, place, value in [
        ("indptr", -1, 10**6),
        ("indptr", 2, 10**6),
        ("indptr", 1, -5),
        ("indptr", 0, 3),
        ("indices", 1, 6),
        ("indices", 1, -1),
    ]:
        edited = good.copy()
        getattr(edited, attribute)[place] = value
        message = f"expected the {attribute} of a {kind.upper()} matrix"
        with pytest.raises(ValueError, match=f"x: {message}"):
            model.predict(edited, verbose=0)
        for function in (fitted.predict, lambda X: fitted.fit(X, np.ones(6))):
            with pytest.raises(ValueError, match=f"X: {message}"):
                function(edited)


def test_tensor_kept_from_a_trace_has_no_values_for_an_op_outside():
    kept = []
    with Recording(executing=False):
        kept.append(ops.add(Tensor((3,), "float32"), 1.0))
    for function in (ops.exp, lambda x: ops.add(1.0, x), lambda x: ops.reshape(x, (3, 1))):
        with pytest.raises(RuntimeError, match=r"Tensor of shape \(3,\): it has no values here"):
            function(kept[0])
