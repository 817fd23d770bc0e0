"""Convolutions and gradients with a quarter of the multiplications: `shortcut` of their rows."""

import contextlib

import numpy as np
import pytest
import samples
from teams import team_of

from nnlite import GradientTape, config, layers, losses
from nnlite.data.batches import make_batches
from nnlite.engine.dispatch import quickest
from nnlite.engine.tensor import Tensor
from nnlite.models import Sequential
from nnlite.ops.convolution import OPS, window_attributes

# 4 patches of an image, the fewest with which Winograd's algorithm is used; 3 are too few.
SIZE, TOO_SMALL = (7, 8), (4, 12)
QUICK = {f"conv2d_winograd{of}" for of in ("", "_gradient_input", "_gradient_kernel")}


@contextlib.contextmanager
def plain_convolutions():
    """Winograd's algorithm is off."""
    config.disable_winograd()
    try:
        yield
    finally:
        config.enable_winograd()


def network(size=SIZE, real="float32", **settings):
    """A convolution of 3 x 3, and a normalization with statistics of its own behind it."""
    settings = {"filters": 32, "kernel_size": 3, "padding": "same", **settings}
    with config.precision(real), config.seeded(5):
        model = Sequential([layers.Input((*size, 16)), layers.Conv2D(**settings)])
        model.add(layers.BatchNormalization())
        model.add(layers.Activation("relu"))
    rng = np.random.default_rng(6)
    for v in model.layers[-2].weights:
        v.assign(rng.uniform(0.5, 2.0, v.shape))
    return model


def images(n=5, size=SIZE):
    """Made-up images."""
    return samples.normal(n, *size, 16)


def steps_of(model):
    """The names of the ops of all plans of a model."""
    return [c.op.name for s in model._step_cache.steps.values() for c in s.plan.calls]


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("real, near", [("float32", 1e-5), ("float64", 1e-14)])
def test_predictions_are_near_those_of_plain_convolutions(real, near, fold, isa):
    x = images().astype(real)
    with plain_convolutions():
        model = network(real=real)
        plain = model.predict(x, fold=fold)
        assert "conv2d_winograd" not in steps_of(model)
    model = network(real=real)
    short = model.predict(x, fold=fold)
    assert ("conv2d_winograd" in steps_of(model)) == (isa != "generic")
    assert np.abs(short - plain).max() < near * np.abs(plain).max()
    assert np.array_equal(short, plain) == (isa == "generic")


def test_bits_are_those_of_the_layer_called_at_once():
    model, x = network(), images()
    assert np.array_equal(model.predict(x, fold=False), model(x).numpy())
    assert "conv2d_winograd" in steps_of(model)


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
        ((52, 52), {"strides": 2}),
        (SIZE, {"dilation_rate": 2}),
        (SIZE, {"groups": 2}),
        (SIZE, {"filters": 24}),
        ((2, 64), {}),  # half of what 16 patches give lies outside
    ],
)
def test_other_convolutions_stay_as_they_are(size, settings):
    model = network(size, **settings)
    model.predict(images(1, size))
    assert "conv2d_winograd" not in steps_of(model)


def taken(of, x, kernel, **more):
    """Whether a shortcut is taken for images and a kernel of these shapes, padded by 'same'."""
    shapes = {"x": x, "w": kernel, "y": (*x[:3], kernel[3])}
    given, made = {
        "": ("xw", "y"),
        "_gradient_input": ("yw", "x"),
        "_gradient_kernel": ("xy", "w"),
    }[of]
    attrs = {**window_attributes("conv2d", x, kernel, 1, "same", 1), "groups": 1, **more}
    tensors = [[Tensor(shapes[s], "float32") for s in names] for names in (given, made)]
    return quickest(OPS[f"conv2d{of}"], *tensors, attrs, "avx2").name in QUICK


def test_many_channels_need_more_patches():
    assert not taken("", (8, 16, 24, 144), (3, 3, 144, 16))
    assert taken("", (8, 20, 20, 144), (3, 3, 144, 16))
    assert taken("", (8, 8, 8, 128), (3, 3, 128, 512))


def test_gradients_count_the_patches_of_all_images():
    small = ((4, 4, 4, 16), (3, 3, 16, 16))
    assert not taken("", *small)
    assert taken("_gradient_kernel", *small)
    assert taken("_gradient_input", *small, sparse=1)
    assert not taken("_gradient_input", *small, sparse=0)  # of an image alone, in conv2d_transpose


def test_new_weights_are_used():
    model, x = network(), images(1)
    before = model.predict(x)
    for v in model.layers[0].weights:
        v.assign(-v.numpy())
    after = model.predict(x)
    other = network()
    other.set_weights(model.get_weights())
    assert "conv2d_winograd" in steps_of(model)
    assert np.array_equal(after, other.predict(x)) and not np.array_equal(after, before)


def classifier(seed=5, **compiled):
    """Two convolutions, and a dense layer behind them."""
    with config.seeded(seed):
        same = {"filters": 32, "kernel_size": 3, "padding": "same", "activation": "relu"}
        model = Sequential(
            [layers.Input((*SIZE, 16)), layers.Conv2D(**same), layers.Conv2D(**same)]
        )
        model.add(layers.GlobalAveragePooling2D())
        model.add(layers.Dense(1))
    model.compile(**{"optimizer": "sgd", "loss": "mse", **compiled})
    return model


def gradients(model, x):
    """Those of all weights, computed at once."""
    with GradientTape() as tape:
        loss = losses.MeanSquaredError()(np.ones((len(x), 1), "float32"), model(x))
    return [g.numpy() for g in tape.gradient(loss, model.trainable_variables)]


def test_training_takes_them_for_gradients_too():
    model = classifier()
    batches = make_batches(model, (images(2), np.ones((2, 1)), None), 2)
    step = model._step_cache.step(model, "train", next(iter(batches.epoch())))
    assert {c.op.name for c in step.plan.calls} >= QUICK


def test_gradients_are_near_those_of_plain_convolutions():
    model, x = classifier(), images()
    short = gradients(model, x)
    with plain_convolutions():
        plain = gradients(model, x)
    assert not np.array_equal(short[0], plain[0])
    for a, b in zip(short, plain):
        assert np.abs(a - b).max() <= 1e-5 * np.abs(b).max()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_training_gives_the_bits_of_a_tape_on_any_number_of_threads(threads):
    x, y = images(4), np.ones((4, 1), "float32")
    want, found = classifier(), classifier()
    want.optimizer.apply_gradients(zip(gradients(want, x), want.trainable_variables))
    with team_of(threads):
        found.n_threads = threads
        found.fit(x, y, batch_size=4, epochs=1, shuffle=False, verbose=0)
    for a, b in zip(found.get_weights(), want.get_weights()):
        assert np.array_equal(a, b)


def test_steps_follow_the_setting():
    x, y = images(4), np.ones((4, 1))

    def results(model):
        losses = model.evaluate(x, y, verbose=0), model.train_on_batch(x, y)
        model.fit(x, y, epochs=1, shuffle=False, verbose=0)
        return [*losses, *model.get_weights(), model.predict(x), model.predict(x)]

    model = classifier()
    before = model.get_weights()
    short = results(model)
    assert QUICK.issubset(steps_of(model))
    model.set_weights(before)
    with plain_convolutions():
        plain, alone = results(model), results(classifier())
    assert all(map(np.array_equal, plain, alone))
    assert not any(map(np.array_equal, plain[2:], short[2:]))
    model.set_weights(before)
    assert all(map(np.array_equal, results(model), short))


def test_an_infinity_reaches_no_other_image():
    model, x = network(), images(2)
    want = model.predict(x)
    x[0, 3, 3, 3] = np.inf
    found = model.predict(x)
    assert "conv2d_winograd" in steps_of(model)
    assert not np.isfinite(found[0]).all() and np.array_equal(found[1], want[1])
