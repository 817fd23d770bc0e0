"""Dropout: what it draws, when it acts, and whose `training` counts."""

import pickle

import numpy as np
import pytest
from small_models import arrays_equal, data

import nnlite as keras
from nnlite import ops
from nnlite.layers import Dropout


def test_dropout_zeroes_a_share_of_rate_and_scales_the_rest():
    y = Dropout(0.2, seed=1)(np.ones((1000, 100)), training=True).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1.25)}
    # 100,000 draws of probability 0.2: five standard deviations are 0.0063.
    assert abs((y == 0).mean() - 0.2) < 0.0064


@pytest.mark.parametrize("rate", [0, 0.3, 0.9])
def test_dropout_keeps_the_mean(rate):
    y = Dropout(rate, seed=1)(np.ones((1000, 100)), training=True).numpy()
    assert abs(y.mean() - 1) < 5 * np.sqrt(rate / (1 - rate) / y.size) + 1e-6


def test_dropout_does_nothing_outside_training():
    x = data((50, 20)).astype("float32")
    assert np.array_equal(Dropout(0.5)(x).numpy(), x)
    assert np.array_equal(Dropout(0.5)(x, training=False).numpy(), x)


def test_dropout_of_one_seed_repeats_bitwise_and_another_seed_differs():
    x = np.ones((40, 30))

    def draws(seed):
        layer = Dropout(0.4, seed=seed)
        return [layer(x, training=True).numpy() for _ in range(3)]

    assert arrays_equal(draws(3), draws(3))
    assert not np.array_equal(draws(3)[0], draws(4)[0])
    assert not np.array_equal(draws(3)[0], draws(3)[1])  # each call draws others


def test_dropout_without_a_seed_follows_set_random_seed():
    def draw():
        keras.utils.set_random_seed(5)
        return Dropout(0.4)(np.ones((40, 30)), training=True).numpy()

    assert np.array_equal(draw(), draw())


def test_two_dropouts_without_seeds_draw_differently():
    keras.utils.set_random_seed(5)
    x = np.ones((40, 30))
    assert not np.array_equal(
        Dropout(0.4)(x, training=True).numpy(), Dropout(0.4)(x, training=True).numpy()
    )


def test_dropout_copied_in_the_middle_goes_on_with_the_same_draws():
    x, layer = np.ones((40, 30)), Dropout(0.4, seed=1)
    layer(x, training=True)
    copied = pickle.loads(pickle.dumps(layer))
    assert np.array_equal(layer(x, training=True).numpy(), copied(x, training=True).numpy())


def test_dropout_gradient_passes_where_the_value_passed():
    x, layer = keras.Variable(np.ones((40, 30))), Dropout(0.25, seed=1)
    with keras.GradientTape() as tape:
        y = layer(x, training=True)
    assert np.array_equal(tape.gradient(y, x).numpy(), y.numpy())


def test_training_flag_reaches_dropout_through_nested_models():
    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.Sequential([keras.Sequential([Dropout(0.5, seed=1)])])

        def call(self, x):
            return self.inner(x)

    model, x = Outer(), np.ones((20, 20))
    assert (model(x, training=True).numpy() == 0).any()
    assert (model(x, training=False).numpy() == 1).all()
    assert (model(x).numpy() == 1).all()


def test_training_flag_of_an_inner_call_wins_and_does_not_leak():
    class Frozen(keras.Model):
        def __init__(self):
            super().__init__()
            self.off, self.on = Dropout(0.5, seed=1), Dropout(0.5, seed=2)

        def call(self, x):
            return ops.sum(self.off(x, training=False)) + 1000 * ops.sum(ops.equal(self.on(x), 0.0))

    x = np.ones((20, 20))
    total = Frozen()(x, training=True).item()
    assert total % 1000 == x.size and total > x.size


@pytest.mark.parametrize("rate", [-0.1, 1.5, "half", None, np.nan])
def test_bad_rate_names_the_layer_and_the_range(rate):
    with pytest.raises(ValueError, match=r"Dropout: rate: expected a number in \[0, 1\), got "):
        Dropout(rate)
