"""Passes over a trace: calls are dropped, pairs are fused, results take the place of operands."""

import numpy as np
import pytest
import samples
from nnlite.engine._engine import ARENA
from small_models import arrays_equal
from teams import team_of

from nnlite import config, layers, ops
from nnlite.autodiff import gradients
from nnlite.engine.dispatch import OPS
from nnlite.engine.passes import drop_unneeded
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable
from nnlite.models import Sequential
from nnlite.ops.rows import SOURCE_CODES, gather


def planned(function, *shapes, folds=False):
    """The plan of a function of tensors, and what it gives for normal values."""
    feeds = [Tensor(shape, "float32") for shape in shapes]
    with Recording(executing=False) as trace:
        result = function(*feeds)
    plan = Plan(trace, feeds, [result], folds=folds)
    values = [samples.normal(*s, seed=k).astype("float32") for k, s in enumerate(shapes)]
    out = np.empty(result.shape, "float32")
    plan.run([(a, 0, 0) for a in (*values, out)], threads=2)
    with config.precision("float32"):
        expected = function(*(Tensor(a.shape, "float32", a) for a in values)).numpy()
    return plan, out, expected


def arena_blocks(plan):
    """How many pieces of the arena the operands of a plan have."""
    return len({id(b) for step in plan.operands for _, b in step if b.place == ARENA})


def chain(x):
    for _ in range(5):
        x = ops.tanh(x * 0.5)
    return x


def read_again(x):
    y = ops.tanh(x * 0.5)
    return ops.exp(y) + y * 2.0


def read_in_two_shapes(x):
    y = ops.tanh(x)
    return ops.add(y, ops.reshape(y, (1, 64)))  # each row of a matrix, and all of it


def broadcast(x, row):
    return ops.exp(ops.multiply(x * 2.0, ops.tanh(row)))


@pytest.mark.parametrize(
    "function, shapes, blocks",
    [
        (chain, [(40, 30)], 1),
        (read_again, [(40, 30)], 2),
        (broadcast, [(40, 30), (30,)], 2),
        (read_in_two_shapes, [(1, 64)], 1),
    ],
)
def test_a_result_takes_the_place_of_an_operand_that_is_read_for_the_last_time(
    function, shapes, blocks
):
    plan, out, expected = planned(function, *shapes)
    assert np.array_equal(out, expected, equal_nan=True)
    constants = [b for step in plan.operands for _, b in step if b.place == ARENA and b.size <= 8]
    assert arena_blocks(plan) - len({id(b) for b in constants}) == blocks


def test_an_operand_that_is_repeated_keeps_its_place():
    """A row that is added to each row of a matrix, and of which the matrix is made."""

    def outer(row):
        y = ops.tanh(row)
        return ops.add(ops.broadcast_to(y, (64, 64)), y)

    _, out, expected = planned(outer, (1, 64))
    assert np.array_equal(out, expected, equal_nan=True)


# With padding of its own, and strides; what cannot be left out: pixels taken off, and padded images
# that are read twice.
@pytest.mark.parametrize("kind", ["depthwise_conv2d", "conv2d"])
@pytest.mark.parametrize(
    "margins, twice, pads",
    [(((1, 2), (0, 3)), False, 0), (((1, -1), (0, 3)), False, 1), (((2, 1), (1, 1)), True, 1)],
)
def test_a_convolution_pads_its_images_itself(kind, margins, twice, pads, isa):
    w = samples.normal(3, 3, 5, 4)

    def function(x):
        y = ops.pad2d(x, margins)
        z = getattr(ops, kind)(y, w, strides=2, padding="same")
        return z + ops.sum(y) if twice else z

    plan, out, expected = planned(function, (2, 8, 9, 5), folds=True)
    assert [c.op.name for c in plan.calls].count("pad2d") == pads
    assert np.allclose(out, expected, rtol=1e-6, atol=1e-6)
    plan, *_ = planned(function, (2, 8, 9, 5))
    assert [c.op.name for c in plan.calls].count("pad2d") == 1


def test_images_that_are_overwritten_before_the_convolution_are_padded_as_they_were():
    x, kept = Tensor((2, 8, 9, 5), "float32"), Variable(np.ones((2, 8, 9, 5), "float32"))
    w, out = samples.normal(3, 3, 5, 4), np.empty((2, 8, 9, 4), "float32")
    with Recording(executing=False) as trace:
        padded = ops.pad2d(kept, ((1, 1), (1, 1)))
        ops.assign(kept, x)
        result = ops.conv2d(padded, w)
    images = [kept.numpy(), samples.normal(2, 8, 9, 5).astype("float32")]
    plan = Plan(trace, [x], [result], folds=True)
    for before in images:
        plan.run([(images[1], 0, 0), (out, 0, 0)])
        assert np.allclose(out, ops.conv2d(before, w, padding="same"), rtol=1e-6, atol=1e-6)


def test_calls_that_nobody_needs_are_dropped():
    x, v = Tensor((3,), "float32"), Variable(np.zeros(3, "float32"))
    with Recording(executing=False) as trace:
        ops.exp(x)
        ops.assign(v, ops.tanh(x))
        y = ops.sqrt(x)
    kept = drop_unneeded(trace.calls, [y])
    assert [c.op.name for c in trace.calls] == ["exp", "activation", "assign", "sqrt"]
    assert [c.op.name for c in kept] == ["activation", "assign", "sqrt"]


# Rows of the gradient in one micro-panel and in many; fewer than a tile; many blocks of k; columns
# in one block and in several; a batch of one row.
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "inputs, units, batch",
    [(30, 70, 16), (700, 130, 20), (2, 9, 8), (1, 300, 8), (50, 400, 500), (40, 5, 1)],
)
def test_a_fused_product_gives_what_two_steps_give(inputs, units, batch, threads):
    x, y = samples.normal(3 * batch, inputs), samples.normal(3 * batch, units, seed=1)

    def trained(**how):
        with config.seeded(1):
            hidden = layers.Dense(inputs + 1, "relu", input_shape=(inputs,))
            model = Sequential([hidden, layers.Dense(units)])
            model.compile("adam", "mse", **how)
            model.fit(x, y, epochs=2, batch_size=batch, shuffle=False, verbose=0)
            if not how:
                model.train_on_batch(x[:batch], y[:batch])
                (step,) = model._step_cache.steps.values()
                names = [c.op.name for c in step.plan.calls]
                after = {names[k + 1] for k, name in enumerate(names) if name == "matmul"}
                assert after == {"activation_gradient", "adam_update"}
            else:
                model.train_on_batch(x[:batch], y[:batch])
            return model.get_weights()

    with team_of(threads):
        assert arrays_equal(trained(), trained(run_eagerly=True))


# Rows of one number, of a tile's part, and longer than a tile; tokens that repeat, and one alone.
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "vocabulary, width, steps", [(3, 1, 7), (500, 20, 9), (11, 4500, 3), (70, 64, 1)]
)
def test_a_fused_gradient_of_an_embedding_gives_what_two_steps_give(
    vocabulary, width, steps, threads
):
    tokens = samples.rng("tokens", vocabulary).integers(0, vocabulary, (12, steps))
    y = samples.normal(12, 2)

    def trained(**how):
        with config.seeded(1):
            embedding = layers.Embedding(vocabulary, width, input_length=steps)
            model = Sequential([embedding, layers.Flatten(), layers.Dense(2)])
            model.compile("adam", "mse", **how)
            model.fit(tokens, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
            model.train_on_batch(tokens[:4], y[:4])
            if not how:
                (step,) = model._step_cache.steps.values()
                names = [c.op.name for c in step.plan.calls]
                assert names[names.index("scatter_add") + 1] == "adam_update"
            return model.get_weights()

    with team_of(threads):
        assert arrays_equal(trained(), trained(run_eagerly=True))


def test_what_only_a_gradient_reads_is_left_out_of_a_plan():
    def last(x, kernel):
        h, c = ops.lstm(x, kernel, ops.zeros((3, 4)), ops.zeros((3, 4)))
        return h[:, -1] + c[:, -1]

    plan, out, expected = planned(last, (3, 5, 16), (4, 16))
    (call,) = [c for c in plan.calls if c.op.name == "lstm"]
    assert len(call.outputs) == 2 < len(call.op.outputs)
    np.testing.assert_array_equal(out, expected)
    x, kernel = (Variable(samples.normal(*shape)) for shape in ((3, 5, 16), (4, 16)))
    with Recording(executing=False) as trace:
        loss = ops.sum(last(x, kernel))
        (gradient,) = gradients(trace, loss, [kernel])
    plan = Plan(trace, [], [gradient])
    (call,) = [c for c in plan.calls if c.op.name == "lstm"]
    assert len(call.outputs) == 4


def rows_scaled(x):
    return ops.standardize(ops.reshape(x, (4, 6)), np.full(6, 1e9), np.ones(6))


def rows_read_twice(x):
    return ops.standardize(x, np.full((3,), 1e9), np.ones(3)) + x * 0.0


def steps_scaled(x):
    return ops.standardize(ops.reshape(x, (8, 3)), np.full(3, 1e9), np.ones(3))


@pytest.mark.parametrize(
    "function, read, left",
    [
        (rows_scaled, True, ["standardize"]),
        (rows_read_twice, True, None),
        (steps_scaled, False, None),
    ],
)
def test_rows_are_scaled_before_they_are_rounded(function, read, left):
    rows = 1e9 + samples.normal(9, 2, 3)
    index, order = Tensor((4,), "int32"), np.array([3, 0, 8, 3], np.int32)
    source = Tensor((), "float32")
    with Recording(executing=False) as trace:
        x = gather(source, index, 4, (2, 3), "float32", SOURCE_CODES["float64"], 48, 9)
        result = function(x)
    plan, out = Plan(trace, [source, index], [result]), np.empty(result.shape, "float32")
    plan.run([(rows, 0, 0), (order, 0, 0), (out, 0, 0)])
    right = (rows[order] - 1e9).reshape(out.shape)
    assert np.allclose(out, right, rtol=1e-6) == read
    if left:
        assert [call.op.name for call in plan.calls] == left


def transposes(plan):
    return sum(call.op.name == "transpose" for call in plan.fusion.calls)


def back_and_forth(x, *orders):
    for order in orders:
        x = ops.transpose(x, order)
    return x * 2.0


@pytest.mark.parametrize(
    "orders, left",
    [
        ([(0, 2, 1), (0, 2, 1)], 0),
        ([(1, 2, 0), (2, 0, 1)], 0),
        ([(1, 2, 0), (1, 2, 0)], 2),  # not back where it was
        ([(1, 2, 0), (2, 0, 1), (1, 2, 0)], 1),
        ([(1, 2, 0), (0, 2, 1), (0, 2, 1), (2, 0, 1)], 0),
    ],
)
def test_a_transpose_and_its_inverse_are_left_out(orders, left):
    plan, out, expected = planned(lambda x: back_and_forth(x, *orders), (3, 4, 5))
    np.testing.assert_array_equal(out, expected)
    assert transposes(plan) == left


def test_a_result_that_was_transposed_twice_is_a_copy():
    _, out, expected = planned(lambda x: ops.transpose(ops.transpose(x)), (3, 4))
    np.testing.assert_array_equal(out, expected)


def test_a_variable_is_read_before_it_is_overwritten():
    x = Tensor((2, 2), "float32")
    v = Variable(np.arange(4.0).reshape(2, 2))
    with Recording(executing=False) as trace:
        before = ops.transpose(v)
        ops.assign(v, x)
        result = ops.transpose(before) + 0.0
    plan = Plan(trace, [x], [result])
    out = np.empty((2, 2), "float32")
    plan.run([(a, 0, 0) for a in (np.ones((2, 2), "float32"), out)], threads=1)
    assert out.ravel().tolist() == [0.0, 1.0, 2.0, 3.0]


T, BACK = (0, 3, 1, 2), (0, 2, 3, 1)


@pytest.mark.parametrize(
    "function, left",
    [
        (lambda t: ops.transpose(ops.relu(t) + 1.0, BACK), 0),
        (lambda t: ops.transpose(ops.relu(t) + t, BACK), 0),  # both operands are transposed
        (lambda t: ops.transpose(t * ops.max(t, (2, 3), keepdims=True), BACK), 2),
        (lambda t: ops.sum(ops.relu(t), -1), 1),  # needs it as it is, and so a transposition
        (lambda t: ops.relu(t) + ops.sum(t, -1, keepdims=True), 1),
        (lambda t: ops.transpose(t + ops.ones((4, 3, 3)), BACK), 2),
    ],
)
def test_what_works_element_by_element_is_done_before_transposes(function, left):
    plan, out, expected = planned(lambda x: function(ops.transpose(x, T)) + 0.0, (2, 3, 3, 4))
    np.testing.assert_array_equal(out, expected)
    assert transposes(plan) == left


def test_a_variable_is_transposed_before_it_is_overwritten():
    v = Variable(np.arange(4.0).reshape(2, 2))
    with Recording(executing=False) as trace:
        before = ops.transpose(v)
        ops.assign(v, ops.zeros((2, 2)))
        result = ops.transpose(ops.square(before)) + 0.0
    out = np.empty((2, 2), "float32")
    Plan(trace, [], [result]).run([(out, 0, 0)], threads=1)
    assert out.ravel().tolist() == [0.0, 1.0, 4.0, 9.0]


def test_layers_whose_channels_come_first_move_them_once_for_all():
    g = {"data_format": "channels_first"}
    chain = [
        layers.Conv2D(4, 3, activation="relu", **g),
        layers.BatchNormalization(axis=1),
        layers.MaxPooling2D(2, **g),
        layers.Conv2D(3, 2, **g),
    ]

    def network(x):
        for layer in chain[:3]:
            x = layer(x)
        return chain[3](ops.relu(x + layers.Activation("silu")(x)))

    network(np.zeros((1, 2, 9, 9)))
    plan, out, expected = planned(network, (2, 2, 9, 9))
    np.testing.assert_array_equal(out, expected)
    assert transposes(plan) == 2


def test_what_is_quickly_computed_is_computed_again_and_not_kept(monkeypatch):
    """The windows of volumes, which a gradient of a kernel reads after many other calls."""
    x, *kernels = (Tensor(s, "float32") for s in [(2, 6, 9, 9, 3)] + 3 * [(3, 3, 3, 3, 3)])
    values, found = [samples.normal(*t.shape).astype("float32") for t in (x, *kernels)], []
    with Recording(executing=False) as trace:
        y = x
        for kernel in kernels:
            y = ops.tanh(ops.conv(y, kernel, padding="same"))
        results = gradients(trace, ops.sum(y), kernels)
    for again in (True, False):
        monkeypatch.setattr(OPS["windows"], "again", again)
        plan = Plan(trace, [x, *kernels], results)
        out = [np.empty(t.shape, "float32") for t in results]
        plan.run([(a, 0, 0) for a in (*values, *out)], threads=2)
        windows = sum(call.op.name == "windows" for call in plan.calls)
        found.append((windows, plan.arena_bytes, out))
    (more, less_memory, a), (fewer, more_memory, b) = found
    assert (more, fewer) == (6, 3) and less_memory < 0.8 * more_memory
    assert all(map(np.array_equal, a, b))
