"""Chains of convolutions that are one op: ops/convolution_chain.py."""

import numpy as np
import pytest
import samples
from cases_chains import PARTS, SHAPES, chain_plan, of_any_size, plan_of
from teams import team_of

from nnlite import config, layers, ops
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable
from nnlite.models import Model, Sequential
from nnlite.ops import convolution_chain as chains


@pytest.fixture
def all_joined():
    """Chains of any size are one op."""
    with of_any_size():
        yield


def planned(plan):
    """The names of the ops of a plan of a function of images, and what it gives."""
    (x,), (y,) = plan.feeds, plan.results
    out = np.full(y.shape, np.nan, y.dtype)
    plan.run([(samples.normal(*x.shape).astype(x.dtype), 0, 0), (out, 0, 0)])
    return [c.op.name for c in plan.calls], out


@pytest.mark.parametrize("parts", PARTS)
def test_bits_are_those_of_the_single_convolutions(parts, isa, real, all_joined, monkeypatch):
    for number, shape in enumerate(SHAPES):
        results = {}
        for threads in (1, 2, 3):
            with team_of(threads):
                names, results[threads] = planned(chain_plan(parts, number, real, isa))
            assert names == ["conv2d_chain"]
        with monkeypatch.context() as m:
            m.setattr(chains, "CHAINS", ())
            names, want = planned(chain_plan(parts, number, real, isa))
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

    names, _ = planned(plan_of(function, (2, 10, 10, 4), "float32"))
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
