"""Pooling, normalization, activations, normal numbers: what is special about each.

That kernels equal their oracles, on any number of threads, and rules the numerical gradients, is
tested for all ops at once by `test_ops.py` and `test_autodiff.py`.
"""

import numpy as np
import pytest
import threadpoolctl
from cases_gradients import Smooth
from cases_images import pools
from gradients import check_gradient
from kernels import run, same_bits, ulp_off
from oracle_activations import ACTIVATIONS, SLOPES, normal_cdf
from samples import Case, normal, rng, sweep

import nnlite
from nnlite import ops
from nnlite.autodiff import GradientTape, gradients
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable
from nnlite.ops.activation import KINDS

# --- functions composed of several ops


def test_composed_functions_have_numerical_gradients(double):
    x = normal(2, 3, 4, 5)
    for function in [
        lambda v: ops.sum(ops.square(ops.upsample2d(v[0], (2, 3)))),
        lambda v: ops.sum(ops.square(ops.pad2d(v[0], ((1, -1), (-2, 3))))),
        lambda v: ops.sum(ops.square(ops.softmax(v[0], axis=1))),
        lambda v: ops.sum(ops.square(ops.log_softmax(v[0], axis=-2))),
        lambda v: ops.sum(ops.square(ops.relu(v[0], 0.3, 1.7, 0.2))),
        lambda v: ops.sum(ops.square(ops.relu(v[0], -0.3))),
        lambda v: ops.sum(ops.square(ops.var(v[0], axis=(0, 2)))),
        lambda v: ops.sum(ops.std(v[0], axis=-1, keepdims=True)),
    ]:
        check_gradient(function, Smooth([x]))


# --- activations


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_slope_is_right_at_every_output_that_an_activation_can_have(kind, isa, real):
    (y,), _ = run(
        "activation", Case([sweep(real)], {"kind": KINDS[kind], "alpha": 0.25}), isa, real
    )
    y = np.where(np.abs(y) < np.finfo(real).tiny, 0, y)[np.isfinite(y)]
    dy = normal(*y.shape).astype(real)
    (dx,), _ = run(
        "activation_gradient", Case([dy, y], {"kind": KINDS[kind], "alpha": 0.25}), isa, real
    )
    slope = SLOPES[kind](y.astype(np.float64), 0.25)
    scale = np.abs(dy) * np.maximum(slope, 0.25)
    assert ulp_off(dx, dy.astype(np.float64) * slope, scale, real).max() <= 4


def test_relu_is_that_of_keras_for_all_of_its_settings(real):
    x = np.linspace(-3, 9, 49)
    for slope in (0.0, 0.1, -0.5):
        for top in (None, 6.0, 2.5):
            for threshold in (0.0, 1.0, -1.0):
                want = x * (x > threshold)
                want = want if top is None else np.clip(want, 0, top)
                if not (top is None and threshold < 0):
                    want = want if threshold else np.maximum(want, 0)
                want = want - slope * np.maximum(threshold - x, 0)
                got = ops.relu(x, slope, top, threshold).numpy()
                np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_gelu_keeps_its_small_tail(isa, real):
    x = np.array([-1.0, -3.0, -6.0, -9.0, -12.0])
    want = x * normal_cdf(x)
    got = ops.gelu(x, approximate=False).numpy()
    assert (np.abs(got / want - 1) < 8 * np.finfo(real).eps).all()


def test_elu_with_alpha_below_0_is_an_error():
    with pytest.raises(ValueError, match="elu: alpha: expected"):
        ops.elu([1.0], -1.0)


def test_softmax_along_another_axis_is_that_of_the_transposed(real):
    x = normal(3, 4, 5)
    for axis in (0, 1, -2, -3):
        e = np.exp(x - x.max(axis, keepdims=True))
        want = e / e.sum(axis, keepdims=True)
        np.testing.assert_allclose(ops.softmax(x, axis).numpy(), want, rtol=1e-5)
        np.testing.assert_allclose(ops.log_softmax(x, axis).numpy(), np.log(want), rtol=1e-4)
    assert ops.softmax(x, 2).logits is not None and ops.softmax(x, 0).logits is None
    with pytest.raises(ValueError, match="axis"):
        ops.softmax(x, 3)


# --- pooling


@pytest.mark.parametrize("function", [ops.max_pool2d, ops.average_pool2d])
def test_pooling_has_the_sizes_of_keras(function):
    for shape, a in pools():
        window, stride = (a["pool_h"], a["pool_w"]), (a["stride_h"], a["stride_w"])
        fits = shape[1] >= window[0] and shape[2] >= window[1]
        for padding in ["valid"] * fits + ["same"]:
            want = [
                -(-(n - p + 1) // s) if padding == "valid" else -(-n // s)
                for n, p, s in zip(shape[1:3], window, stride)
            ]
            assert function(np.zeros(shape), window, stride, padding).shape == (
                shape[0],
                *want,
                shape[3],
            )


@pytest.mark.parametrize("function", [ops.max_pool2d, ops.average_pool2d])
def test_bad_pooling_is_an_error_that_says_what_was_expected(function):
    x = np.zeros((1, 4, 5, 2))
    for args, message in [
        ((x, 5), "at least 5 x 5 pixels"),
        ((x, (2, 6)), "at least 2 x 6 pixels"),
        ((x, 0), "pool_size"),
        ((x, (1, 2, 3)), "pool_size"),
        ((x, 1.5), "pool_size"),
        ((x, "2"), "pool_size"),
        ((x, 2, 0), "strides"),
        ((x, 2, None, "full"), "'valid' or 'same', got 'full'"),
        ((x[0], 2), "shape .4, 5, 2."),
    ]:
        with pytest.raises(ValueError, match=message):
            function(*args)


def test_window_of_equal_values_gives_its_gradient_to_the_first(isa, real):
    x = Variable(np.ones((1, 4, 4, 3)), dtype=real)
    with GradientTape(persistent=True) as tape:
        y, z = ops.max_pool2d(x, 2), ops.max_pool2d(x, 3, 1)
    first = np.zeros((4, 4))
    first[::2, ::2] = 1
    assert (tape.gradient(y, x).numpy()[0] == first[..., None]).all()
    first = np.zeros((4, 4))
    first[:2, :2] = 1
    assert (tape.gradient(z, x).numpy()[0] == first[..., None]).all()


def test_upsampling_repeats_pixels_and_its_gradient_sums_them(isa, real):
    x = Variable(normal(2, 3, 4, 5), dtype=real)
    with GradientTape() as tape:
        y = ops.upsample2d(x, (2, 3))
    assert same_bits(y.numpy(), x.numpy().repeat(2, axis=1).repeat(3, axis=2))
    assert (tape.gradient(y, x).numpy() == 6).all()


# --- normalization


def test_batch_statistics_lose_nothing_to_a_large_mean(isa, real):
    noise = rng("noise").standard_normal((5000, 3)).astype(real)
    for offset in (0.0, 1e3, -1e5):
        x = noise + np.array([offset, 1.0, 0.0], real)
        _, mean, variance = ops.batch_norm(x, np.ones(3, real), np.zeros(3, real))
        exact = x.astype(np.longdouble)
        unit = np.finfo(real).eps
        np.testing.assert_allclose(mean.numpy(), exact.mean(0), rtol=unit, atol=4 * unit)
        np.testing.assert_allclose(variance.numpy(), exact.var(0), rtol=4 * unit)


def test_batch_statistics_lose_little_to_first_rows_unlike_the_others(isa, real):
    noise = rng("outliers").standard_normal((5000, 3))
    for count in (1, 8, 21, 168):  # 21 * 3 channels are a wide row, 8 of which are looked at first
        x = noise.astype(real)
        x[:count] += 1000
        _, mean, variance = ops.batch_norm(x, np.ones(3, real), np.zeros(3, real))
        exact = x.astype(np.longdouble)
        unit = np.finfo(real).eps
        np.testing.assert_allclose(mean.numpy(), exact.mean(0), rtol=0, atol=1000 * unit)
        np.testing.assert_allclose(variance.numpy(), exact.var(0), rtol=32 * unit)


def test_result_of_batch_norm_has_mean_0_and_variance_1(isa, real):
    x = (normal(300, 40) * 3 + 1).astype(real)
    y, _, _ = ops.batch_norm(x, np.ones(40), np.zeros(40), 0.0)
    y = y.numpy().astype(np.float64)
    assert np.abs(y.mean(0)).max() < 4 * np.finfo(real).eps
    assert np.abs(y.var(0) - 1).max() < 20 * np.finfo(real).eps


def test_statistics_of_no_rows_are_nan_and_nothing_else_happens(isa, real):
    y, mean, variance = ops.batch_norm(np.zeros((0, 3)), np.ones(3), np.zeros(3))
    assert y.shape == (0, 3) and np.isnan(mean.numpy()).all() and np.isnan(variance.numpy()).all()


def test_nan_in_one_channel_stays_in_it(isa, real):
    x = normal(70, 5)
    x[33, 2] = np.nan
    y, mean, variance = (t.numpy() for t in ops.batch_norm(x, np.ones(5), np.zeros(5)))
    for values in (mean, variance, y.mean(0)):
        assert np.isnan(values).tolist() == [False, False, True, False, False]


def test_row_of_a_layer_norm_does_not_depend_on_its_neighbours(isa, real):
    x = normal(40, 37).astype(real)
    gamma, beta = normal(37, seed=1).astype(real), normal(37, seed=2).astype(real)
    whole = ops.layer_norm(x, gamma, beta).numpy()
    assert same_bits(
        ops.layer_norm(x[3:20], gamma, beta).numpy(), np.ascontiguousarray(whole[3:20])
    )


def test_bad_shapes_are_errors_that_name_them():
    x = np.ones((4, 3))
    for function in (
        lambda: ops.batch_norm(x, np.ones(2), np.ones(3)),
        lambda: ops.layer_norm(x, np.ones(3), np.ones((3, 1))),
        lambda: ops.scale_shift(x, np.ones(3), 1.0),
        lambda: ops.batch_norm(x[0], np.ones(3), np.ones(3)),
        lambda: ops.moving_update(Variable(np.ones(3)), np.ones(4), 0.9),
        lambda: ops.pad2d(x, ((1, 1), (1, 1))),
        lambda: ops.pad2d(np.ones((1, 2, 2, 1)), ((-3, 0), (0, 0))),
        lambda: ops.random_normal(Tensor((3,), "int32", np.zeros(3, np.int32)), (2,)),
    ):
        with pytest.raises(ValueError, match="expected"):
            function()


def test_moving_update_writes_its_variable_in_a_plan(real):
    moving, batch = Variable(np.zeros(3), dtype=real), Tensor((3,), real)
    with Recording(executing=False) as trace:
        ops.moving_update(moving, batch, 0.9)
    values = np.array([1.0, 2.0, -3.0], real)
    Plan(trace, [batch], [], real).run([(values, 0, 0)], runs=2)
    np.testing.assert_allclose(moving.numpy(), values * 0.19, rtol=1e-6)


def test_planned_gradients_have_the_same_bits_on_any_number_of_threads(real):
    shape, weight = (16, 14, 14, 24), [Variable(normal(24, seed=k), dtype=real) for k in range(4)]
    x, results = Tensor(shape, real), []
    with Recording(executing=False) as trace:
        y, mean, variance = ops.batch_norm(x, *weight[:2])
        y = ops.layer_norm(ops.average_pool2d(ops.max_pool2d(ops.gelu(y), 2), 3, 2), *weight[2:])
        sources = [x, *weight]
        results = [y, mean, variance, *gradients(trace, ops.sum(ops.square(y)), sources)]
    plan = Plan(trace, [x], results, real)
    values, found = normal(*shape).astype(real), []
    for threads in (1, 2, 3):
        with threadpoolctl.threadpool_limits(threads, user_api="openmp"):
            outputs = [np.empty(t.shape, real) for t in results]
            plan.run([(a, 0, 0) for a in (values, *outputs)], threads=threads)
        found.append(outputs)
    for outputs in found[1:]:
        assert all(map(same_bits, found[0], outputs))


# --- normal numbers


def test_normal_numbers_are_normal(isa, real):
    state = nnlite.ops.random.seed_state(11)
    z = ops.random_normal(ops.random_key(state), (256_000,), real).numpy().astype(np.float64)
    counts = np.histogram(normal_cdf(z), 256, (0, 1))[0]
    assert 150 < ((counts - 1000.0) ** 2 / 1000).sum() < 380  # chi squared, 255 degrees of freedom
    moments = [z.mean(), z.var() - 1, (z**3).mean(), (z**4).mean() - 3]
    spread = np.sqrt(np.array([1, 2, 15, 96]) / z.size)
    assert (np.abs(moments) < 4 * spread).all()
    assert np.isfinite(z).all() and 4 < np.abs(z).max() < 7
    half = 32 if real == "float32" else 16
    pairs = z.reshape(-1, 2, half)
    assert abs(np.corrcoef(pairs[:, 0].ravel(), pairs[:, 1].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.01
