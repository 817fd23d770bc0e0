"""The gradient of max pooling is zero except at the maxima: the rules of what precedes the pooling
may use its sparse form, and must give the same gradients as the dense form."""

import numpy as np
import pytest

import nnlite as keras
from nnlite import config, layers, ops
from nnlite.engine.recording import Recording

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 9, 8, 2))


def gradients(between, pool, strides, activation, padding):
    """The gradients of a convolution's images and weights, through an activation and a pooling."""
    with config.precision("float64"):
        keras.utils.set_random_seed(1)
        conv = layers.Conv2D(3, 2, activation=activation, bias_initializer="normal")
        x = keras.constant(X)
        with keras.GradientTape() as tape:
            y = between(conv(x))
            loss = ops.sum(ops.square(ops.max_pool2d(y, pool, strides, padding)))
        return [g.numpy() for g in tape.gradient(loss, [x, *conv.trainable_weights])]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "leaky_relu", "linear"])
@pytest.mark.parametrize("pool, strides", [(2, 2), (3, 2), (2, 3), (3, 1)])
def test_sparse_and_dense_form_give_the_same_gradients(pool, strides, activation, padding):
    sparse = gradients(lambda y: y, pool, strides, activation, padding)
    # After a sum the gradient keeps its sparse form, but its source is not the convolution's
    # output. A product gives a dense gradient.
    other_source = gradients(lambda y: y + 0.0, pool, strides, activation, padding)
    dense = gradients(lambda y: y * 1.0, pool, strides, activation, padding)
    for a, b, c in zip(sparse, other_source, dense):
        np.testing.assert_allclose(a, c, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(b, c, rtol=1e-12, atol=1e-12)


def test_a_training_step_uses_the_sparse_form():
    model = keras.Sequential(
        [layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)), layers.MaxPooling2D(2)]
    )
    model.compile("sgd", "mse")
    sizes = []
    with Recording(executing=False) as trace:
        model.train_step((keras.ones((5, 8, 8, 1)), keras.ones((5, 3, 3, 4))))
    for call in trace.calls:
        if call.op.name == "activation_gradient":
            sizes.append(call.outputs[0].shape)
    assert (5, 3, 3, 4) in sizes
