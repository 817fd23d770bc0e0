"""Initializers: bounds, moments, seeds, names. Regularizers: values, part in loss and gradient."""

import copy
import math
import pickle

import numpy as np
import pytest
import scipy.signal

import nnlite as keras
from nnlite import initializers, layers, regularizers

SHAPE = (300, 200)
N = SHAPE[0] * SHAPE[1]
CUT = 0.87962566103423978  # the deviation of a unit normal cut at two


def glorot(kind):
    return math.sqrt(2 / (SHAPE[0] + SHAPE[1])) * (math.sqrt(3) if kind == "bound" else 1)


# name: (arguments, mean, standard deviation, largest distance from the mean or None)
CASES = {
    "Constant": ({"value": 0.5}, 0.5, 0.0, 0.0),
    "Zeros": ({}, 0.0, 0.0, 0.0),
    "Ones": ({}, 1.0, 0.0, 0.0),
    "RandomNormal": ({"mean": 0.2, "stddev": 0.3}, 0.2, 0.3, None),
    "RandomUniform": ({"minval": -1.0, "maxval": 3.0}, 1.0, 4 / math.sqrt(12), 2.0),
    "TruncatedNormal": ({"mean": 0.2, "stddev": 0.3}, 0.2, 0.3 * CUT, 0.6),
    "VarianceScaling": ({"scale": 3.0}, 0.0, 0.1, 0.2 / CUT),
    "GlorotUniform": ({}, 0.0, glorot("deviation"), glorot("bound")),
    "GlorotNormal": ({}, 0.0, glorot("deviation"), 2 * glorot("deviation") / CUT),
    "HeUniform": ({}, 0.0, math.sqrt(2 / 300), math.sqrt(6 / 300)),
    "HeNormal": ({}, 0.0, math.sqrt(2 / 300), 2 * math.sqrt(2 / 300) / CUT),
    "LecunUniform": ({}, 0.0, math.sqrt(1 / 300), math.sqrt(3 / 300)),
    "LecunNormal": ({}, 0.0, math.sqrt(1 / 300), 2 * math.sqrt(1 / 300) / CUT),
    "FanInUniform": ({}, 0.0, math.sqrt(1 / 900), math.sqrt(1 / 300)),
    "Orthogonal": ({"gain": 3.0}, 0.0, 3.0 / math.sqrt(300), None),
    "Identity": ({"gain": 0.5}, 0.5 / 300, 0.5 * math.sqrt(1 / 300 - 1 / 300**2), None),
}
RANDOM = [name for name, case in CASES.items() if case[2] and name != "Identity"]


def make(name, **more):
    return getattr(initializers, name)(**CASES[name][0], **more)


def test_every_initializer_has_a_case():
    assert {cls.__name__ for cls in initializers._BY_NAME.values()} == {*CASES, "STFT"}


@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
def test_kernels_of_signals_are_parts_of_fourier_transforms_of_a_window(scaling, real):
    window = np.arange(1.0, 7.0)
    norm = {"density": np.linalg.norm(window), "spectrum": window.sum(), None: 1}[scaling]
    expected = np.fft.rfft(np.diag(window / norm), 8)  # of each sample alone
    for side, part in (("real", expected.real), ("imag", expected.imag)):
        kernel = initializers.get("stft").from_config(
            {"side": side, "window": window.tolist(), "scaling": scaling}
        )((6, 1, 5))
        assert kernel.dtype == real
        np.testing.assert_allclose(kernel.numpy()[:, 0], part, atol=4 * np.finfo(real).eps)
    cosines = "boxcar hann hamming blackman nuttall blackmanharris flattop"
    for name in (*cosines.split(), *"bartlett barthann bohman lanczos tukey".split()):
        for periodic in (True, False):
            kernel = initializers.STFT("real", name, None, periodic)((6, 1, 5)).numpy()
            wanted = scipy.signal.get_window(name, 6, periodic)
            np.testing.assert_allclose(kernel[:, 0, 0], wanted, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_mean_deviation_and_bounds(name, real):
    _, mean, deviation, bound = CASES[name]
    values = make(name)(SHAPE, seed=1).numpy()
    assert values.dtype == real and values.shape == SHAPE
    # Five standard errors; that of a variance is at most that of a normal one.
    assert values.mean() == pytest.approx(mean, abs=5 * deviation / math.sqrt(N) + 1e-6)
    assert values.std() == pytest.approx(deviation, rel=5 / math.sqrt(2 * N), abs=1e-6)
    if bound is not None:
        farthest = np.abs(values.astype(float) - mean).max()
        assert farthest <= bound * (1 + 1e-6)
        assert farthest >= 0.98 * bound


@pytest.mark.parametrize("mode, n", [("fan_in", 300), ("fan_out", 200), ("fan_avg", 250)])
@pytest.mark.parametrize("distribution", ["truncated_normal", "untruncated_normal", "uniform"])
def test_variance_scaling_has_variance_scale_over_n(mode, n, distribution):
    values = initializers.VarianceScaling(2.0, mode, distribution, seed=3)(SHAPE).numpy()
    assert values.var() == pytest.approx(2.0 / n, rel=5 * math.sqrt(2 / N))
    if distribution == "untruncated_normal":
        assert np.abs(values).max() > 2.5 * math.sqrt(2.0 / n)


@pytest.mark.parametrize(
    "shape, fans",
    [
        ((), (1, 1)),
        ((7,), (7, 7)),
        ((7, 3), (7, 3)),
        ((5, 4, 7, 3), (140, 60)),
        ((5, 7, 3), (35, 15)),
        ((3, 3, 16, 1), (144, 9)),  # of a depthwise convolution
        ((1, 1, 16, 8), (16, 8)),
    ],
)
def test_fans_count_the_receptive_field(shape, fans):
    assert initializers.compute_fans(shape) == fans


@pytest.mark.parametrize("shape", [(300, 200), (5, 5, 12, 200), (3, 3, 200, 5), (1, 60000)])
@pytest.mark.parametrize("name", [n for n in RANDOM if n != "Orthogonal"])
def test_values_have_the_distribution_that_the_name_says(name, shape):
    """Kolmogorov and Smirnov's test; fans are those of the shape."""
    stats = pytest.importorskip("scipy.stats")
    fan_in, fan_out = initializers.compute_fans(shape)
    scale = {"Glorot": 2 / (fan_in + fan_out), "He": 2 / fan_in, "Lecun": 1 / fan_in}
    variance = scale.get(name.removesuffix("Normal").removesuffix("Uniform"))
    if name in ("RandomNormal", "TruncatedNormal"):
        mean, spread = 0.2, 0.3
    elif name == "VarianceScaling":
        mean, spread = 0.0, math.sqrt(3 / fan_in) / CUT
    elif variance is not None and name.endswith("Normal"):
        mean, spread = 0.0, math.sqrt(variance) / CUT
    if name == "RandomNormal":
        expected = stats.norm(mean, spread)
    elif name.endswith("Uniform"):
        limit = 1 / math.sqrt(fan_in) if name == "FanInUniform" else None
        limit = math.sqrt(3 * variance) if variance else limit
        low, high = (-1.0, 3.0) if name == "RandomUniform" else (-limit, limit)
        expected = stats.uniform(low, high - low)
    else:
        expected = stats.truncnorm(-2, 2, mean, spread)
    values = make(name)(shape, dtype="float64", seed=5).numpy().ravel()
    assert stats.kstest(values, expected.cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (3, 3, 4, 8), (2, 2, 3, 30), (5, 1)])
def test_orthogonal_rows_or_columns_are_orthonormal_times_the_gain(shape):
    w = initializers.Orthogonal(2.0, seed=1)(shape, dtype="float64").numpy().reshape(-1, shape[-1])
    products = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(products, 4 * np.eye(len(products)), atol=1e-13)


def test_orthogonal_matrices_are_all_equally_likely():
    """No sign or place is preferred: without the fixed signs, the first entry would be."""
    first = [initializers.Orthogonal(seed=s)((3, 3)).numpy() for s in range(2000)]
    mean, square = np.mean(first, axis=0), np.mean(np.square(first), axis=0)
    assert np.abs(mean).max() < 5 * math.sqrt(1 / 3 / 2000)
    np.testing.assert_allclose(square, 1 / 3, atol=0.035)


def test_fan_in_uniform_is_what_a_linear_layer_of_pytorch_begins_with():
    values = initializers.FanInUniform(seed=1)((16, 4000)).numpy()
    assert 0.249 < np.abs(values).max() <= 0.25
    layer = layers.Conv2D(50, 3, kernel_initializer="fan_in_uniform")
    layer(np.ones((1, 5, 5, 4)))
    assert 0.98 / 6 < np.abs(layer.get_weights()[0]).max() <= 1 / 6


@pytest.mark.parametrize("name", RANDOM)
def test_same_seed_same_bits_and_another_seed_others(name):
    a, b, other = (make(name, seed=s)((4, 5)).numpy() for s in (7, 7, 8))
    assert np.array_equal(a, b) and not np.array_equal(a, other)


@pytest.mark.parametrize("name", RANDOM)
def test_instance_repeats_itself_even_without_a_seed_and_in_a_copy(name):
    instance = make(name)
    first = instance((4, 5)).numpy()
    assert np.array_equal(instance((4, 5)).numpy(), first)
    assert np.array_equal(pickle.loads(pickle.dumps(instance))((4, 5)).numpy(), first)
    assert np.array_equal(copy.deepcopy(instance)((4, 5)).numpy(), first)


@pytest.mark.parametrize("name", RANDOM)
def test_instances_without_seeds_differ_and_follow_set_random_seed(name):
    def two():
        keras.utils.set_random_seed(3)
        return make(name)((4, 5)).numpy(), make(name)((4, 5)).numpy()

    a, b = two()
    assert not np.array_equal(a, b)
    again = two()
    assert np.array_equal(again[0], a) and np.array_equal(again[1], b)


def test_float64_draws_are_the_float32_draws_before_rounding():
    a = initializers.HeNormal(seed=1)((4, 5), dtype="float32").numpy()
    b = initializers.HeNormal(seed=1)((4, 5), dtype="float64").numpy()
    assert b.dtype == "float64" and np.array_equal(a, b.astype("float32"))


def test_constant_takes_an_array():
    values = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(initializers.Constant(values)((2, 3)).numpy(), values)


@pytest.mark.parametrize("name", CASES)
def test_found_in_camel_case_snake_case_and_as_a_lower_case_factory(name):
    snake = keras.configurable.snake_case(name)
    cls = getattr(initializers, name)
    assert type(initializers.get(name)) is type(initializers.get(snake)) is cls
    assert type(getattr(initializers, snake)()) is cls
    assert getattr(initializers, snake)()((9, 1)).shape == (9, 1)


@pytest.mark.parametrize(
    "alias, name",
    [
        ("zero", "Zeros"),
        ("one", "Ones"),
        ("normal", "RandomNormal"),
        ("uniform", "RandomUniform"),
        ("OrthogonalInitializer", "Orthogonal"),
        ("IdentityInitializer", "Identity"),
    ],
)
def test_keras_aliases(alias, name):
    assert initializers.get(alias) == getattr(initializers, name)()
    assert getattr(initializers, alias) is getattr(initializers, name)


def test_class_is_as_good_as_its_name():
    assert initializers.get(initializers.HeNormal) == initializers.HeNormal()


def test_function_of_a_shape_is_an_initializer():
    def counted(shape, dtype=None):
        return np.arange(math.prod(shape), dtype=dtype).reshape(shape)

    layer = layers.Dense(3, kernel_initializer=counted)
    layer(np.ones((1, 2)))
    assert np.array_equal(layer.get_weights()[0], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("name", CASES)
def test_config_round_trip(name):
    instance = make(name)
    again = type(instance).from_config(instance.get_config())
    assert again == instance and eval(repr(instance), vars(initializers)) == instance


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: initializers.get("nope"),
            ValueError,
            r"unknown initializer 'nope'; known: constant, ",
        ),
        (
            lambda: initializers.get(3),
            TypeError,
            r"expected an initializer, its name or a function, got 3",
        ),
        (
            lambda: initializers.VarianceScaling(mode="fan"),
            ValueError,
            r"VarianceScaling: mode: expected 'fan_in', .* got 'fan'",
        ),
        (
            lambda: initializers.VarianceScaling(scale=0),
            ValueError,
            r"scale: expected a number in \(0, inf\), got 0",
        ),
        (
            lambda: initializers.VarianceScaling(distribution="x"),
            ValueError,
            r"distribution: expected 'truncated_normal', .*'x'",
        ),
        (lambda: initializers.Orthogonal()((3,)), ValueError, r"2 dimensions, got shape \(3,\)"),
        (lambda: initializers.STFT("left"), ValueError, r"side: expected 'real' or 'imag', got"),
        (lambda: initializers.STFT()((3, 3)), ValueError, r"shape \(T, 1, F\), got shape \(3, 3\)"),
        (
            lambda: initializers.STFT()((2, 1, 2)),
            ValueError,
            "not all are 0, got 'hann' of length 2",
        ),
        (lambda: initializers.STFT(window=[1.0])((2, 1, 2)), ValueError, r"\(2,\), got shape \(1,"),
        (lambda: initializers.Identity()((3, 3, 1)), ValueError, r"2 dimensions, .* \(3, 3, 1\)"),
        (
            lambda: initializers.RandomNormal(0, -1),
            ValueError,
            r"stddev: expected a number in \[0, inf\), got -1",
        ),
        (lambda: initializers.RandomUniform(2, 1), ValueError, r"maxval: .* 2, got 1"),
        (
            lambda: initializers.TruncatedNormal("a"),
            ValueError,
            r"mean: expected a number in \(-inf, inf\), got 'a'",
        ),
        (lambda: initializers.HeNormal(seed=-1), ValueError, r"HeNormal: seed: .* -1"),
        (lambda: initializers.Constant([1, 2])((3,)), ValueError, r"shape \(3,\), got \[1, 2\]"),
        (
            lambda: initializers.Initializer()((2, 2)),
            TypeError,
            r"an initializer must define values",
        ),
    ],
)
def test_error_names_what_was_expected_and_what_came(call, error, message):
    with pytest.raises(error, match=message):
        call()


# Regularizers

W = np.array([[1.0, -2.0], [0.0, 3.0]])
PENALTIES = [
    (regularizers.L1(0.1), 0.6, 0.1 * np.sign(W)),
    (regularizers.L1(l1=0.1), 0.6, 0.1 * np.sign(W)),
    (regularizers.L2(0.1), 1.4, 0.2 * W),
    (regularizers.L2(l2=np.float32(0.1)), 1.4, 0.2 * W),
    (regularizers.L1L2(0.1, 0.2), 0.6 + 2.8, 0.1 * np.sign(W) + 0.4 * W),
    (regularizers.L1L2(), 0.0, None),
    (regularizers.l1(0.01), 0.06, 0.01 * np.sign(W)),
    (regularizers.l2(0.01), 0.14, 0.02 * W),
    (regularizers.l1_l2(l1=0.5), 3.0, 0.5 * np.sign(W)),
    (regularizers.get("l1"), 0.06, 0.01 * np.sign(W)),
    (regularizers.get("l2"), 0.14, 0.02 * W),
    (regularizers.get("L2"), 0.14, 0.02 * W),
    (regularizers.get("l1_l2"), 0.0, None),
]


@pytest.mark.parametrize("regularizer, value, gradient", PENALTIES)
def test_penalty_and_its_gradient(regularizer, value, gradient, real):
    v = keras.Variable(W)
    with keras.GradientTape() as tape:
        penalty = regularizer(v)
    assert penalty.shape == () and penalty.item() == pytest.approx(value, rel=1e-6)
    found = tape.gradient(penalty, v)
    if gradient is None:
        assert found is None
    else:
        np.testing.assert_allclose(found.numpy(), gradient, rtol=1e-6)


def test_defaults_are_those_of_keras():
    assert regularizers.L1().l1 == regularizers.L2().l2 == 0.01
    assert (regularizers.L1L2().l1, regularizers.L1L2().l2) == (0.0, 0.0)


@pytest.mark.parametrize("rate", [-0.1, "much", None, math.nan, math.inf, True])
@pytest.mark.parametrize("name, cls", [("l1", regularizers.L1), ("l2", regularizers.L2)])
def test_rate_that_is_no_number_of_at_least_0_is_named(name, cls, rate):
    with pytest.raises(
        ValueError, match=rf"{cls.__name__}: {name}: expected a number in \[0, inf\), got "
    ):
        cls(rate)


@pytest.mark.parametrize("regularizer", [r for r, _, _ in PENALTIES])
def test_regularizer_round_trips_through_config_and_pickle(regularizer):
    assert type(regularizer).from_config(regularizer.get_config()) == regularizer
    assert pickle.loads(pickle.dumps(regularizer)) == regularizer


def regularized_model(regularizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Dense(
                3, "tanh", kernel_regularizer=regularizer, bias_regularizer="l2", input_shape=(2,)
            ),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mse"])
    return model


def penalties(model, l1, l2):
    kernel, bias = (w.astype(float) for w in model.layers[0].get_weights())
    return l1 * np.abs(kernel).sum() + l2 * (kernel**2).sum() + 0.01 * (bias**2).sum()


def test_reported_loss_has_the_penalties_and_metrics_have_not():
    model = regularized_model(regularizers.L1L2(0.03, 0.05))
    x, y = np.random.default_rng(0).normal(size=(2, 10, 2))
    before = penalties(model, 0.03, 0.05)
    logs = model.train_on_batch(x, y[:, :1], return_dict=True)
    assert logs["loss"] - logs["mse"] == pytest.approx(before, rel=1e-5)
    loss, mse = model.evaluate(x, y[:, :1])
    assert loss - mse == pytest.approx(penalties(model, 0.03, 0.05), rel=1e-5)
    assert [p.item() for p in model.losses] == pytest.approx(
        [
            penalties(model, 0.03, 0.05) - (0.01 * model.get_weights()[1] ** 2).sum(),
            (0.01 * model.get_weights()[1] ** 2).sum(),
        ],
        rel=1e-5,
        abs=1e-9,
    )


def test_training_step_differs_by_the_gradient_of_the_penalty():
    x, y = np.random.default_rng(0).normal(size=(2, 10, 2))
    plain, regularized = regularized_model(None), regularized_model(regularizers.L1L2(0.03, 0.05))
    kernel = plain.get_weights()[0].astype(float)
    for model in (plain, regularized):
        model.train_on_batch(x, y[:, :1])
    moved = regularized.get_weights()[0].astype(float) - plain.get_weights()[0]
    np.testing.assert_allclose(
        moved, -0.1 * (0.03 * np.sign(kernel) + 0.1 * kernel), rtol=1e-3, atol=1e-6
    )


def test_weights_that_are_not_trained_are_not_penalized():
    model = regularized_model("l2")
    model.layers[0].trainable = False
    assert model.losses == []


def test_function_of_ones_own_is_a_regularizer():
    model = regularized_model(lambda w: 2.0 * keras.ops.sum(keras.ops.abs(w) ** 3.0))
    kernel = model.get_weights()[0].astype(float)
    assert model.losses[0].item() == pytest.approx(2 * (np.abs(kernel) ** 3).sum(), rel=1e-5)


def test_unknown_regularizer_is_named_and_none_stays_none():
    with pytest.raises(ValueError, match=r"unknown regularizer 'nope'; known: l1"):
        regularizers.get("nope")
    assert regularizers.get(None) is None


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (257, 130)])
def test_values_drawn_in_blocks_are_those_drawn_at_once(shape, real):
    def rng():
        return np.random.Generator(np.random.Philox(7))

    uniform = initializers.RandomUniform(-0.3, 0.7)(shape, seed=7).numpy()
    assert uniform.tobytes() == rng().uniform(-0.3, 0.7, shape).astype(real).tobytes()
    generator = rng()
    normal = generator.standard_normal(shape)
    while (far := np.abs(normal) > 2).any():
        normal = np.asarray(normal)
        normal[far] = generator.standard_normal(int(far.sum()))
    drawn = initializers.TruncatedNormal(stddev=0.3)(shape, seed=7).numpy()
    assert drawn.tobytes() == (0.0 + normal * 0.3).astype(real).tobytes()


def test_a_subclass_of_a_uniform_initializer_has_its_own_values():
    class Halves(initializers.RandomUniform):
        def values(self, shape, rng):
            return np.full(shape, 0.5)

    assert (Halves()((3, 2)).numpy() == 0.5).all()


def test_fans_follow_from_axes_where_they_are_given():
    shape = (8, 4, 16)
    assert initializers.compute_fans(shape, [0], [1, 2]) == (8, 64)
    assert initializers.compute_fans(shape, [0, 1], [-1]) == (32, 16)
    drawn = initializers.HeNormal(3, input_axes=[0], output_axes=[1, 2])((8, 40, 160)).numpy()
    assert drawn.std() == pytest.approx(np.sqrt(2 / 8), rel=0.02)
    config = initializers.GlorotUniform(3, [0], [1, 2]).get_config()
    assert config == {"seed": 3, "input_axes": [0], "output_axes": [1, 2]}
    assert initializers.GlorotUniform(3).get_config() == {"seed": 3}
    with pytest.raises(ValueError, match=r"expected axes of \(8, 4\), got 2"):
        initializers.VarianceScaling(input_axes=[0], output_axes=[2])((8, 4))


def test_a_seed_generator_gives_other_values_at_each_call():
    def draws():
        initializer = initializers.HeNormal(seed=keras.random.SeedGenerator(3))
        return [initializer((4, 5)).numpy() for _ in range(2)]

    (a, b), again = draws(), draws()
    assert not np.isclose(a, b).any()
    np.testing.assert_array_equal([a, b], again)
    drawn = initializers.Orthogonal(seed=keras.random.SeedGenerator(7))
    layer = layers.Dense.from_config(layers.Dense(3, kernel_initializer=drawn).get_config())
    assert layer.kernel_initializer.seed.seed == 7
