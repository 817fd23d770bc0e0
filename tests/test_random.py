"""Random numbers by their distributions, seeds, and in models."""

import numpy as np
import pytest

import nnlite
from nnlite import random
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording

N = 20_000


# (function of a seed, mean, variance)
DISTRIBUTIONS = {
    "normal": (lambda s: random.normal((N,), 2.0, 3.0, seed=s), 2.0, 9.0),
    "uniform": (lambda s: random.uniform((N,), -1.0, 3.0, seed=s), 1.0, 16 / 12),
    "truncated_normal": (
        lambda s: random.truncated_normal((N,), 1.0, 2.0, seed=s),
        1.0,
        4 * 0.7737,
    ),
    "gamma": (lambda s: random.gamma((N,), 2.5, seed=s), 2.5, 2.5),
    "small gamma": (lambda s: random.gamma((N,), 0.3, seed=s), 0.3, 0.3),
    "beta": (lambda s: random.beta((N,), 2.0, 3.0, seed=s), 0.4, 0.04),
    "binomial": (lambda s: random.binomial((N,), 10, 0.3, seed=s), 3.0, 2.1),
    "randint": (lambda s: random.randint((N,), -3, 7, seed=s), 1.5, 99 / 12),
    "large randint": (
        lambda s: random.randint((N,), 0, 2**31 - 1, seed=s),
        2.0**30,
        (2.0**31) ** 2 / 12,
    ),
    "categorical": (
        lambda s: random.categorical(np.log([[0.2, 0.3, 0.5]]), N, seed=s),
        1.3,
        0.3 + 2.0 - 1.69,
    ),
    "dropout": (lambda s: random.dropout(np.ones(N), 0.2, seed=s), 1.0, 0.25),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_numbers_have_the_mean_and_variance_of_their_distribution(name, real):
    draw, mean, variance = DISTRIBUTIONS[name]
    values = draw(7).numpy().astype(float).ravel()
    error = 5 * np.sqrt(variance / N)
    assert abs(values.mean() - mean) < error
    assert values.var() == pytest.approx(variance, rel=0.08)
    assert values.size == N and np.isfinite(values).all()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_seed_gives_the_same_numbers_and_a_generator_others(name):
    draw = DISTRIBUTIONS[name][0]
    seeded = [draw(3).numpy() for _ in range(2)]
    assert np.array_equal(*seeded) and not np.array_equal(seeded[0], draw(4).numpy())
    one, other = random.SeedGenerator(3), random.SeedGenerator(3)
    first, second = draw(one).numpy(), draw(one).numpy()
    assert np.array_equal(first, seeded[0]) and not np.array_equal(first, second)
    assert np.array_equal(draw(other).numpy(), first)
    nnlite.utils.set_random_seed(5)
    any_seed = draw(None).numpy()
    nnlite.utils.set_random_seed(5)
    assert np.array_equal(draw(None).numpy(), any_seed)


@pytest.mark.parametrize("name", sorted(set(DISTRIBUTIONS) - {"binomial", "large randint"}))
def test_each_run_of_a_plan_draws_what_python_draws(name, real):
    draw = DISTRIBUTIONS[name][0]
    seed = random.SeedGenerator(3)
    with Recording(executing=False) as trace:
        result = draw(seed)
    plan, found = Plan(trace, results=[result], real=real), []
    for _ in range(2):
        out = np.empty(result.shape, result.dtype)
        plan.run([(out, 0, 0)])
        found.append(out)
    eager = random.SeedGenerator(3)
    for values in found:
        assert np.array_equal(values, draw(eager).numpy())


def test_limits_hold():
    values = random.truncated_normal((N,), 5.0, 2.0, seed=0).numpy()
    assert values.min() >= 1.0 and values.max() <= 9.0
    values = random.randint((N,), -2, 2, seed=0).numpy()
    assert values.dtype == np.int32 and sorted({*values.tolist()}) == [-2, -1, 0, 1]
    wide = random.beta((N, 2), [[7.0, 0.5]], [[1.0, 0.5]], seed=0).numpy()
    assert wide.shape == (N, 2) and 0 <= wide.min() and wide.max() <= 1
    np.testing.assert_allclose(wide.mean(0), [7 / 8, 0.5], atol=0.01)


def test_shuffle_moves_whole_slices():
    x = np.arange(60).reshape(5, 4, 3)
    for axis in (0, 1, -1):
        y = random.shuffle(x, axis, seed=1).numpy()
        first = np.take(y, 0, axis)
        assert any(np.array_equal(first, np.take(x, k, axis)) for k in range(x.shape[axis]))
        assert np.array_equal(np.sort(y, axis), x)
    assert not np.array_equal(random.shuffle(x, seed=1).numpy(), x)


def test_dropout_shares_draws_along_axes_of_size_1_and_has_a_gradient():
    v = nnlite.Variable(np.ones((4, 50, 3)))
    with nnlite.GradientTape() as tape:
        y = random.dropout(v, 0.5, noise_shape=(None, 50, 1), seed=0)
    values = y.numpy()
    assert (values == values[:, :, :1]).all() and set(values.ravel()) == {0.0, 2.0}
    assert np.array_equal(tape.gradient(y, v).numpy(), values)
    assert not random.dropout(v, 1.0).numpy().any()


def test_a_generator_is_made_again_of_its_config():
    seed = random.SeedGenerator(4, name="noise")
    made = nnlite.saving.serialize_keras_object(seed)
    assert made["module"] == "keras.random" and made["class_name"] == "SeedGenerator"
    again = nnlite.saving.deserialize_keras_object(made)
    assert again == seed and np.array_equal(again.next().numpy(), seed.next().numpy())
    assert not np.array_equal(seed.next().numpy(), seed.next().numpy())


class Noise(nnlite.layers.Layer):
    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = random.SeedGenerator(seed)

    def call(self, inputs):
        return inputs + random.gamma(inputs.shape, 2.0, seed=self.seed_generator)


def test_a_layer_of_ones_own_draws_anew_in_each_step():
    model = nnlite.Sequential([nnlite.Input((3,)), Noise(1)])
    some, others = (model.predict(np.zeros((4, 3)), verbose=0) for _ in range(2))
    assert not (some == others).any()


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda: random.SeedGenerator("a"), "SeedGenerator: seed: expected an integer, got 'a'"),
        (lambda: random.uniform((2,), seed=1.5), "seed: expected an integer, got 1.5"),
        (lambda: random.randint((2,), 3, 3), "randint: expected minval < maxval, got 3 and 3"),
        (lambda: random.randint((2,), 0, 9, "float32"), "randint: dtype: expected one of integers"),
        (lambda: random.uniform((2,), dtype="int32"), "dtype: expected one of float32, float64"),
        (lambda: random.categorical([1.0], 2), r"logits: expected shape \(N, classes\), got"),
        (lambda: random.gamma((2,), 0.0), "gamma: alpha: expected numbers above 0, got 0.0"),
        (lambda: random.gamma((2,), [1.0] * 3), r"gamma: alpha: expected a shape that fits \(2,\)"),
        (lambda: random.binomial((2,), 2, 1.5), "probabilities in .0, 1., got 2 and 1.5"),
        (lambda: random.dropout([1.0], 1.5), r"dropout: rate: expected a number in \[0, 1\]"),
        (lambda: random.dropout([1.0], 0.5, (2,)), "dropout: noise_shape: expected one that fits"),
        (lambda: random.shuffle([1, 2], axis=1), "axis: expected a number in"),
    ],
)
def test_what_cannot_be_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_what_cannot_be_traced_says_so():
    with Recording(executing=False), pytest.raises(RuntimeError, match="binomial: expected a call"):
        random.binomial((2,), 3, 0.5)
    with Recording(executing=False), pytest.raises(ValueError, match=r"numbers below 2\*\*24"):
        random.randint((2,), 0, 2**30)
