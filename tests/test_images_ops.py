"""Pooling, normalization, further activations, normal numbers: kernels, gradient rules, bits."""

import numpy as np
import pytest
import threadpoolctl
from cases_images import CASES, IN_PLACE, ONCE_ONLY, ULP, pools
from gradient_cases_images import GRADIENTS, OUTPUTS
from oracle_activations import ACTIVATIONS, SLOPES, normal_cdf
from oracle_images import ORACLE
from samples import LENGTHS, Case, normal, rng, sweep
from test_autodiff import check_gradient, double  # noqa: F401
from test_ops import ISAS, engine, run, same_bits, ulp_off

import nnlite
from nnlite import dispatch, ops
from nnlite.autodiff import GradientTape, gradients
from nnlite.dispatch import OPS
from nnlite.ops.activation import KINDS
from nnlite.plan import Plan
from nnlite.tensor import REALS, Tensor, Variable


def expected(name, case, real):
    """The oracle's results in a wider type, and a scale for each."""
    wide = np.longdouble if real == "float64" else np.float64
    with np.errstate(all="ignore"):
        inputs = [a if a.dtype.kind != "f" else a.astype(wide) for a in case.arrays(real)]
        want = ORACLE[name](inputs, case.attrs_for(real))
        scale = None if case.scale is None else case.scale(inputs, want[0])
    return want, scale if isinstance(scale, tuple) else [scale] * len(want)


def worst(name, case, isa, real):
    """The largest error of a call, in ulp of its scale."""
    results, _ = run(name, case, isa, real)
    want, scales = expected(name, case, real)
    assert [r.shape for r in results] == [w.shape for w in want]
    off = [ulp_off(r, w, s, real) for r, w, s in zip(results, want, scales)]
    return max((o.max() for o in off if o.size), default=0.0)


def test_tables_name_the_same_ops():
    assert set(ORACLE) == set(CASES) == set(ULP) <= set(OPS)
    differentiable = {name for name in CASES if callable(OPS[name].gradient)}
    assert set(GRADIENTS) == differentiable


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", CASES)
def test_kernel_equals_oracle(name, isa, real):
    for case in CASES[name]:
        shapes = [a.shape for a in case.arrays(real)]
        assert worst(name, case, isa, real) <= ULP[name], (shapes, case.attrs)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", CASES)
def test_result_does_not_depend_on_thread_count(name, real):
    for isa in ISAS:
        alone = [run(name, case, isa, real)[0] for case in CASES[name]]
        for threads in (2, 3):
            with threadpoolctl.threadpool_limits(threads, user_api="openmp"):
                for case, one in zip(CASES[name], alone):
                    many, _ = run(name, case, isa, real, threads=threads)
                    shapes = [a.shape for a in case.arrays(real)]
                    assert all(map(same_bits, one, many)), (isa, threads, shapes, case.attrs)


@pytest.mark.skipif(not {"avx2", "avx512"} <= set(ISAS), reason="this CPU does not run both")
@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", CASES)
def test_avx2_and_avx512_give_the_same_bits(name, real):
    for case in CASES[name]:
        a, b = (run(name, case, isa, real)[0] for isa in ("avx2", "avx512"))
        shapes = [x.shape for x in case.arrays(real)]
        assert all(map(same_bits, a, b)), (shapes, case.attrs)


@pytest.mark.parametrize("name", IN_PLACE)
def test_result_may_take_the_place_of_an_input(name, isa, real):
    op, e = OPS[name], engine(isa, real)
    for case in CASES[name]:
        (want,), _ = run(name, case, isa, real)
        for i in range(len(case.arrays(real))):
            inputs = case.arrays(real)
            e.call(e.op_ids[name], inputs, [inputs[i]], op.c_attrs(case.attrs_for(real)), 2)
            assert same_bits(inputs[i], want)


# --- gradient rules


def value(name, smooth, inputs):
    """The op's outputs projected to a scalar."""
    total = ops.zeros(())
    for k, y in enumerate(dispatch.apply(OPS[name], inputs, smooth.attrs)[: OUTPUTS.get(name, 1)]):
        total = total + ops.sum(y * rng("projection", k, y.shape).standard_normal(y.shape))
    return total


def first_gradient(name, smooth, inputs):
    """The gradients with respect to `wrt`, projected to a scalar."""
    with GradientTape() as tape:
        target = value(name, smooth, inputs)
    sources = [inputs[i] for i in smooth.wrt]
    total = ops.zeros(())
    for k, (g, x) in enumerate(zip(tape.gradient(target, sources), sources)):
        total = total + ops.sum(g * rng("second", k).standard_normal(x.shape))
    return total


@pytest.mark.parametrize("name", GRADIENTS)
def test_rule_is_the_numerical_gradient(name, double):  # noqa: F811
    for smooth in GRADIENTS[name]:
        check_gradient(lambda inputs, s=smooth: value(name, s, inputs), smooth)


@pytest.mark.parametrize("name", sorted(set(GRADIENTS) - set(ONCE_ONLY)))
def test_rule_of_the_rule_is_the_numerical_second_derivative(name, double):  # noqa: F811
    for smooth in GRADIENTS[name]:
        check_gradient(lambda inputs, s=smooth: first_gradient(name, s, inputs), smooth)


@pytest.mark.parametrize("name", sorted(ONCE_ONLY))
def test_second_derivative_of_a_fused_rule_names_it(name, double):  # noqa: F811
    smooth = GRADIENTS[name][0]
    with pytest.raises(NotImplementedError, match=ONCE_ONLY[name]):
        check_gradient(lambda inputs: first_gradient(name, smooth, inputs), smooth)


def test_composed_functions_have_numerical_gradients(double):  # noqa: F811
    x = normal(2, 3, 4, 5)
    for function in [
        lambda v: ops.sum(ops.square(ops.upsample2d(v[0], (2, 3)))),
        lambda v: ops.sum(ops.square(ops.pad2d(v[0], ((1, -1), (-2, 3))))),
        lambda v: ops.sum(ops.square(ops.softmax(v[0], axis=1))),
        lambda v: ops.sum(ops.square(ops.log_softmax(v[0], axis=-2))),
        lambda v: ops.sum(ops.square(ops.relu(v[0], 0.3, 1.7, 0.2))),
        lambda v: ops.sum(ops.square(ops.relu(v[0], -0.3))),
    ]:
        check_gradient(function, GRADIENTS["pad2d"][0].__class__([x]))


# --- the activations of KINDS: those that test_ops does not know


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activation_and_its_slope_equal_their_oracles(kind, isa, real):
    attrs = {"kind": KINDS[kind], "alpha": 0.25}
    for x in [sweep(real), *(normal(n).astype(real) for n in LENGTHS)]:
        (y,), _ = run("activation", Case([x], attrs), isa, real)
        with np.errstate(all="ignore"):
            want = ACTIVATIONS[kind](x.astype(np.float64), 0.25)
            if real == "float32":
                off = ulp_off(y, want, None, real)
            else:
                off = ulp_off(y, want, np.abs(want) * 2, real)  # NumPy rounds, too
        assert off.size == 0 or off.max() <= 3, (kind, x[off.argmax()], y[off.argmax()])
        good = np.where(np.abs(y) < np.finfo(real).tiny, 0, y)[np.isfinite(y)]
        dy = normal(*good.shape).astype(real)
        (dx,), _ = run("activation_gradient", Case([dy, good], attrs), isa, real)
        with np.errstate(all="ignore"):
            slope = SLOPES[kind](good.astype(np.float64), 0.25)
        scale = np.abs(dy) * np.maximum(slope, 0.25)
        off = ulp_off(dx, dy.astype(np.float64) * slope, scale, real)
        assert off.size == 0 or off.max() <= 4


@pytest.mark.parametrize("kind", ["elu", "selu", "softplus", "softsign", "sigmoid", "tanh"])
def test_second_derivative_of_an_activation_is_the_numerical_one(kind, double):  # noqa: F811
    x = normal(3, 5)
    smooth = GRADIENTS["pad2d"][0].__class__(
        [x + np.sign(x) * 0.1], {"kind": KINDS[kind], "alpha": 0.7}
    )
    check_gradient(lambda inputs: first_gradient("activation", smooth, inputs), smooth)


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
    got = ops.gelu(x).numpy()
    assert (np.abs(got / want - 1) < 8 * np.finfo(real).eps).all()


def test_elu_with_alpha_below_0_is_an_error():
    with pytest.raises(ValueError, match="elu: expected alpha"):
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
    with dispatch.Recording(executing=False) as trace:
        ops.moving_update(moving, batch, 0.9)
    values = np.array([1.0, 2.0, -3.0], real)
    Plan(trace, [batch], [], real).run([(values, 0, 0)], runs=2)
    np.testing.assert_allclose(moving.numpy(), values * 0.19, rtol=1e-6)


def test_planned_gradients_have_the_same_bits_on_any_number_of_threads(real):
    shape, weight = (16, 14, 14, 24), [Variable(normal(24, seed=k), dtype=real) for k in range(4)]
    x, results = Tensor(shape, real), []
    with dispatch.Recording(executing=False) as trace:
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
