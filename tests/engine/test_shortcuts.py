"""Convolutions with a quarter of the multiplications: `take_shortcuts` in engine/constants.py."""

import numpy as np
import pytest
import samples
from teams import team_of

from nnlite import config, layers
from nnlite.data.batches import make_batches
from nnlite.models import Sequential

# 49 patches of an image, the fewest with which Winograd's algorithm is used; 36 have too few.
SIZE, TOO_SMALL = 25, 24


def network(size=SIZE, real="float32", **settings):
    """A convolution of 3 x 3, and a normalization with statistics of its own behind it."""
    settings = {"filters": 32, "kernel_size": 3, "padding": "same", **settings}
    with config.precision(real), config.seeded(5):
        model = Sequential([layers.Input((size, size, 16)), layers.Conv2D(**settings)])
        model.add(layers.BatchNormalization())
        model.add(layers.Activation("relu"))
    rng = np.random.default_rng(6)
    for v in model.layers[-2].weights:
        v.assign(rng.uniform(0.5, 2.0, v.shape))
    return model


def images(n=5, size=SIZE):
    """Made-up images."""
    return samples.normal(n, size, size, 16)


def steps_of(model):
    """The names of the ops of all plans of a model."""
    return [c.op.name for s in model._step_cache.steps.values() for c in s.plan.calls]


@pytest.mark.parametrize("real, near", [("float32", 1e-5), ("float64", 1e-14)])
def test_predictions_are_near_those_of_plain_convolutions(real, near, isa):
    model, x = network(real=real), images().astype(real)
    plain = model.predict(x, fold=False)
    assert "conv2d_winograd" not in steps_of(model)
    short = model.predict(x)
    assert ("conv2d_winograd" in steps_of(model)) == (isa != "generic")
    assert np.abs(short - plain).max() < near * np.abs(plain).max()
    assert np.array_equal(plain, model(x).numpy())


def test_bits_depend_neither_on_the_batch_nor_on_threads():
    model, x = network(), images()
    want = model.predict(x)
    assert "conv2d_winograd" in steps_of(model)
    for n in (1, 2, 4):
        assert np.array_equal(model.predict(x[:n]), want[:n])
    for threads in (1, 2, 3):
        with team_of(threads):
            other = network()
            other.n_threads = threads
            assert np.array_equal(other.predict(x), want)


def test_bits_are_the_same_where_a_thread_does_several_layers_for_a_few_images():
    same = {"filters": 16, "kernel_size": 3, "padding": "same"}
    model = Sequential([layers.Input((56, 56, 16)), *(layers.Conv2D(**same) for _ in range(3))])
    x = samples.normal(24, 56, 56, 16)
    with team_of(2):
        want = model.predict(x)
    stretches = [s for step in model._step_cache.steps.values() for s in step.plan.stretches]
    assert "conv2d_winograd" in [c.op.name for s in stretches for c in s.calls]
    for n in (0, 7, 23):
        assert np.array_equal(model.predict(x[n : n + 1]), want[n : n + 1])


@pytest.mark.parametrize(
    "size, settings",
    [
        (TOO_SMALL, {}),
        (SIZE, {"kernel_size": 5}),
        (SIZE, {"kernel_size": (3, 1)}),
        (52, {"strides": 2}),
        (SIZE + 2, {"dilation_rate": 2}),
        (SIZE, {"groups": 2}),
        (SIZE, {"filters": 24}),
    ],
)
def test_other_convolutions_stay_as_they_are(size, settings):
    model = network(size, **settings)
    model.predict(images(1, size))
    assert "conv2d_winograd" not in steps_of(model)


def test_new_weights_are_used():
    model, x = network(), images(1)
    model.predict(x)
    for v in model.layers[0].weights:
        v.assign(-v.numpy())
    plain = model.predict(x, fold=False)
    assert np.abs(model.predict(x) - plain).max() < 1e-5 * np.abs(plain).max()


def trained(trainable):
    """The ops of a step of training, with a convolution that is trained or frozen."""
    model = network()
    model.layers[0].trainable = trainable
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(1))
    model.compile("sgd", "mse")
    batches = make_batches(model, (images(2), np.ones((2, 1)), None), 2)
    step = model._step_cache.step(model, "train", next(iter(batches.epoch())))
    return [c.op.name for c in step.plan.calls]


def test_training_takes_shortcuts_in_frozen_layers_only():
    assert "conv2d_winograd" in trained(False)
    assert "conv2d_winograd" not in trained(True)


def test_an_infinity_reaches_no_other_image():
    model, x = network(), images(2)
    want = model.predict(x)
    x[0, 3, 3, 3] = np.inf
    found = model.predict(x)
    assert "conv2d_winograd" in steps_of(model)
    assert not np.isfinite(found[0]).all() and np.array_equal(found[1], want[1])
