"""Chains of convolutions that are one op: ops/convolution_chain.py."""

from functools import partial

import numpy as np
import pytest
import samples
from teams import team_of

from nnlite import config, layers, ops
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable
from nnlite.models import Model, Sequential
from nnlite.ops import convolution_chain as chains
from nnlite.ops.activation import KINDS

# x, channels of the depthwise convolution, (KH, KW, M), strides, padding, dilation, filters. Some
# take several turns, of rows in pairs or of single ones; some kernels are larger than the images.
SHAPES = [
    ((1, 1, 1, 1), 1, (1, 1, 1), 1, "valid", 1, 1),
    ((0, 6, 6, 3), 4, (3, 3, 1), 1, "same", 1, 2),
    ((2, 9, 9, 5), 33, (3, 3, 1), 1, "same", 1, 7),
    ((3, 2, 3, 2), 5, (5, 7, 3), 1, "same", 1, 20),
    ((2, 14, 15, 4), 40, (3, 3, 1), 2, "same", 1, 33),
    ((1, 12, 11, 3), 16, (3, 3, 1), 1, "same", 3, 9),
    ((2, 13, 9, 6), 20, (2, 3, 2), (3, 2), "valid", 1, 40),
    ((1, 40, 40, 7), 70, (5, 5, 1), 1, "same", 1, 12),
    ((2, 30, 60, 3), 48, (3, 3, 1), (2, 1), "same", 1, 5),
    ((1, 5, 4, 2), 3000, (3, 3, 1), 1, "same", 1, 3),
]
PARTS = ["widen depthwise", "depthwise narrow", "widen depthwise narrow"]


@pytest.fixture
def all_joined(monkeypatch):
    """Chains of any size are one op."""
    monkeypatch.setattr(chains, "LEAST_BETWEEN", 0)
    monkeypatch.setattr(chains, "LARGEST_KERNEL", 1 << 30)


def values(shape, seed, real):
    """A Variable of small numbers."""
    return Variable(samples.normal(*shape, seed=seed) / 4, dtype=real)


def convolutions(x, parts, shape, number, real):
    """The convolutions, each with another activation; every second shape has biases."""
    (*_, C), channels, (KH, KW, M), strides, padding, dilation, F = shape
    biased, kinds = number % 2, list(KINDS)
    last = C if "widen" not in parts else channels

    def bias(features, seed):
        return values((features,), seed, real) if biased else None

    if "widen" in parts:
        kernel = values((1, 1, C, channels), 1, real)
        x = ops.conv2d(x, kernel, bias(channels, 2), activation="capped_relu", alpha=6.0)
    kernel = values((KH, KW, last, M), 3, real)
    x = ops.depthwise_conv2d(
        x, kernel, bias(last * M, 4), strides, padding, dilation, kinds[number % len(kinds)], 0.2
    )
    if "narrow" in parts:
        kernel = values((1, 1, last * M, F), 5, real)
        x = ops.conv2d(x, kernel, bias(F, 6), activation=kinds[(number + 3) % len(kinds)])
    return x


def planned(function, shape, real, isa=None, folds=True):
    """The names of the ops of a plan of a function of images, and what it gives."""
    x = Tensor(shape, real)
    with config.precision(real), Recording(executing=False) as trace:
        y = function(x)
    plan = Plan(trace, [x], [y], real, folds=folds, isa=isa)
    out = np.full(y.shape, np.nan, real)
    plan.run([(samples.normal(*shape).astype(real), 0, 0), (out, 0, 0)])
    return [c.op.name for c in plan.calls], out


@pytest.mark.parametrize("parts", PARTS)
def test_bits_are_those_of_the_single_convolutions(parts, isa, real, all_joined, monkeypatch):
    for number, shape in enumerate(SHAPES):
        function = partial(convolutions, parts=parts.split(), shape=shape, number=number, real=real)
        results = {}
        for threads in (1, 2, 3):
            with team_of(threads):
                names, results[threads] = planned(function, shape[0], real, isa)
            assert names == ["conv2d_chain"]
        with monkeypatch.context() as m:
            m.setattr(chains, "CHAINS", ())
            names, want = planned(function, shape[0], real, isa)
        assert "conv2d_chain" not in names
        assert all(np.array_equal(y, want, equal_nan=True) for y in results.values()), shape


def block(filters=3, **settings):
    """Images of 8 channels, widened, convolved by channel and narrowed; with normalizations."""
    with config.seeded(3):
        model = Sequential(
            [
                layers.Input((20, 20, 8)),
                layers.Conv2D(24, 1, use_bias=False),
                layers.BatchNormalization(),
                layers.ReLU(6.0),
                layers.DepthwiseConv2D(3, use_bias=False, **{"padding": "same", **settings}),
                layers.BatchNormalization(),
                layers.ReLU(6.0),
                layers.Conv2D(filters, 1),
                layers.BatchNormalization(),
            ]
        )
    rng = np.random.default_rng(4)
    for v in model.weights:
        v.assign(v.numpy() + rng.uniform(0, 0.5, v.shape))
    return model


def steps_of(model):
    """The names of the convolutions of all plans of a model."""
    names = [c.op.name for s in model._step_cache.steps.values() for c in s.plan.calls]
    return [name for name in names if "conv2d" in name]


X = samples.normal(5, 20, 20, 8)


@pytest.mark.parametrize("settings", [{}, {"strides": 2}, {"padding": "valid"}])
def test_layers_with_normalizations_predict_the_same_as_one(settings, all_joined, monkeypatch):
    model = block(**settings)
    found = model.predict(X)
    assert steps_of(model) == ["conv2d_chain"]
    assert all(np.array_equal(model.predict(X[i : i + 1]), found[i : i + 1]) for i in range(5))
    monkeypatch.setattr(chains, "CHAINS", ())
    assert np.array_equal(block(**settings).predict(X), found)
    assert np.allclose(model.predict(X, fold=False), found, atol=1e-4)


def test_new_weights_are_used(all_joined):
    model = block()
    model.predict(X)
    assert "conv2d_chain" in steps_of(model)
    for v in model.weights:
        v.assign(v.numpy() * 1.25)
    assert np.allclose(model.predict(X), model.predict(X, fold=False), rtol=1e-4, atol=1e-4)


def test_a_separable_convolution_is_one(all_joined):
    model = Sequential([layers.Input((9, 9, 4)), layers.SeparableConv2D(6, 3)])
    found = model.predict(X[:, :9, :9, :4])
    assert steps_of(model) == ["conv2d_chain"]
    assert np.allclose(found, model.predict(X[:, :9, :9, :4], fold=False), atol=1e-5)


def test_what_something_else_reads_is_stored(all_joined):
    x = layers.Input((12, 12, 8))
    wide = layers.Conv2D(16, 1)(x)
    y = layers.DepthwiseConv2D(3, padding="same")(wide)
    model = Model(x, [layers.Conv2D(8, 1)(y), wide])
    model.predict(X[:, :12, :12])
    assert steps_of(model).count("conv2d_chain") == 1
    assert "conv2d_packed" in steps_of(model) or "conv2d" in steps_of(model)


@pytest.mark.parametrize(
    "between",
    [
        lambda x: ops.conv2d(x, np.ones((1, 1, 4, 4), "f"), strides=2),
        lambda x: ops.conv2d(x, np.ones((1, 1, 2, 4), "f"), groups=2),
        lambda x: ops.conv2d(x, np.ones((2, 1, 4, 4), "f"), padding="same"),
    ],
)
def test_convolutions_of_other_than_single_pixels_stay_apart(between, all_joined):
    def function(x):
        return ops.depthwise_conv2d(between(x), np.ones((3, 3, 4, 1), "f"))

    names, _ = planned(function, (2, 10, 10, 4), "float32")
    assert "depthwise_conv2d" in names and "conv2d_chain" not in names


def test_small_images_and_large_kernels_stay_apart():
    def names(side, channels):
        model = Sequential([layers.Input((side, side, channels))])
        model.add(layers.SeparableConv2D(channels, 3, padding="same"))
        model.predict(np.zeros((1, side, side, channels), "f"))
        return steps_of(model)

    assert set(names(56, 64)) == {"conv2d_chain"}
    assert "conv2d_chain" not in names(14, 64)
    assert "conv2d_chain" not in names(24, 400)


def test_images_that_are_overwritten_meanwhile_are_convolved_as_they_were(all_joined):
    x, kept = Tensor((1, 8, 8, 4), "float32"), Variable(np.ones((1, 8, 8, 4), "float32"))
    w, v = samples.normal(3, 3, 4, 1), samples.normal(1, 1, 4, 5)
    with Recording(executing=False) as trace:
        y = ops.depthwise_conv2d(kept, w)
        ops.assign(kept, x)
        result = ops.conv2d(y, v)
    plan = Plan(trace, [x], [result], folds=True)
    out, image = np.empty(result.shape, "float32"), samples.normal(1, 8, 8, 4).astype("float32")
    for before in (kept.numpy().copy(), image):
        plan.run([(image, 0, 0), (out, 0, 0)])
        want = ops.conv2d(ops.depthwise_conv2d(before, w), v)
        assert np.allclose(out, want, rtol=1e-5, atol=1e-5)


def test_frozen_layers_of_a_training_are_chains(all_joined):
    base = block()
    base.trainable = False
    model = Sequential([base, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.train_on_batch(X, np.ones((5, 1)))
    assert "conv2d_chain" in steps_of(model)
    base.trainable = True
    model.compile("sgd", "mse")
    model.train_on_batch(X, np.ones((5, 1)))
    (step,) = [s for s in model._step_cache.steps.values()][-1:]
    assert "conv2d_chain" not in [c.op.name for c in step.plan.calls]


def test_an_infinity_reaches_no_other_image(all_joined):
    model = block()
    want = model.predict(X)
    assert "conv2d_chain" in steps_of(model)
    x = X.copy()
    x[1, 3, 3, 3] = np.inf
    found = model.predict(x)
    others = [0, 2, 3, 4]
    assert np.array_equal(found[others], want[others])
