"""What convolutions and products take in of the calls behind them: `absorb` in engine/passes.py."""

import numpy as np
import pytest
import samples

from nnlite import config, layers, ops
from nnlite.engine.passes import Roots, absorb
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable
from nnlite.models import Model, Sequential

# Kernels as they are packed, of one channel (transposed), of groups; with strides and dilations.
CONVOLUTIONS = {
    "bias": (layers.Conv2D(37, 3, padding="same"), 5),
    "no bias": (layers.Conv2D(33, (1, 2), strides=2, use_bias=False), 3),
    "one channel": (layers.Conv2D(3, 3), 1),
    "groups": (layers.Conv2D(10, 2, groups=2, dilation_rate=2), 4),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), 19),
    "depthwise without bias": (layers.DepthwiseConv2D(2, strides=2, use_bias=False), 5),
    "separable": (layers.SeparableConv2D(6, 3), 7),
}


def normalized(layer, channels, real="float32"):
    """A model of the layer, BatchNormalization with statistics of its own, and ReLU; and images."""
    with config.precision(real), config.seeded(3):
        layer = type(layer).from_config(layer.get_config())
        model = Sequential(
            [layers.Input((17, 18, channels)), layer, layers.BatchNormalization(), layers.ReLU(2.0)]
        )
    rng = np.random.default_rng(4)
    for v in model.layers[1].weights:  # gamma, beta, moving mean, moving variance
        v.assign(rng.uniform(0.5, 2.0, v.shape))
    for v in layer.weights:
        v.assign(rng.normal(size=v.shape) / 4)
    return model, samples.normal(3, 17, 18, channels).astype(real)


def steps_of(model, fold):
    """The names of the ops that predict a batch."""
    (step,) = [s for key, s in model._step_cache.steps.items() if key[-1] is fold]
    return [c.op.name for c in step.plan.calls]


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("real, near", [("float32", 2e-6), ("float64", 1e-14)])
def test_a_convolution_takes_in_the_normalization_behind_it(name, real, near, isa):
    model, x = normalized(*CONVOLUTIONS[name], real)
    folded, plain = model.predict(x), model.predict(x, fold=False)
    assert "scale_shift" not in steps_of(model, True)
    assert "scale_shift" in steps_of(model, False)
    assert "activation" not in steps_of(model, True)
    assert np.array_equal(plain, model(x).numpy())
    assert not np.array_equal(folded, plain)
    assert np.abs(folded - plain).max() < near * 4
    for threads in (1, 2, 3):
        model.n_threads = threads
        assert np.array_equal(model.predict(x), folded)
    assert np.array_equal(model.predict(x[:1]), folded[:1])


def test_what_else_reads_a_convolution_keeps_it_as_it_is():
    x = layers.Input((6, 6, 3))
    y = layers.Conv2D(4, 3)(x)
    z = layers.BatchNormalization()(y)
    model = Model(x, [y, z])
    images = samples.normal(2, 6, 6, 3)
    for a, b in zip(model.predict(images), model(images)):
        assert np.array_equal(a, b.numpy())


def test_a_convolution_whose_weights_change_before_the_normalization_keeps_its_place():
    w = Variable(samples.normal(1, 1, 2, 2))
    x, s = Tensor((1, 3, 3, 2), "float32"), Tensor((2,), "float32")
    with Recording(executing=False) as trace:
        y = ops.conv2d(x, w)
        ops.assign(w, ops.multiply(w, 2.0))
        z = ops.scale_shift(y, s, s)
    names = [c.op.name for c in absorb(trace.calls, [z], Roots(trace.calls), folds=True)]
    assert "scale_shift" in names


def test_what_is_frozen_in_a_training_is_taken_in_and_evaluations_have_the_bits_of_eager_ones():
    def trained(**how):
        with config.seeded(5):
            x = samples.normal(20, 8, 8, 3)
            model = Sequential(
                [
                    layers.Conv2D(4, 3, input_shape=(8, 8, 3)),
                    layers.BatchNormalization(trainable=False),
                    layers.ReLU(),
                    layers.Flatten(),
                    layers.Dense(3, activation="softmax"),
                ]
            )
            model.compile("sgd", "sparse_categorical_crossentropy", **how)
            first = model.evaluate(x, np.arange(20) % 3, verbose=0)
            losses = [model.train_on_batch(x, np.arange(20) % 3) for _ in range(3)]
        if not how:
            (step,) = [s for key, s in model._step_cache.steps.items() if key[0] == "train"]
            assert "scale_shift" not in [c.op.name for c in step.plan.calls]
        return first, losses

    (first, planned), (same, eager) = trained(), trained(run_eagerly=True)
    assert first == same and planned[-1] < planned[0]
    assert np.allclose(planned, eager, rtol=1e-5)


def test_dense_takes_in_an_activation_with_the_same_bits():
    with config.seeded(1):
        model = Sequential([layers.Dense(9, input_shape=(5,)), layers.Activation("tanh")])
    x = samples.normal(7, 5)
    y = model.predict(x)
    assert np.array_equal(y, model(x).numpy())
    assert steps_of(model, True).count("activation") == 0
