"""Convolutions: what is special about them, and their layers.

That kernels equal their oracles, on any number of threads, and rules the numerical gradients, is
tested for all ops at once by `test_ops.py` and `test_autodiff.py`.
"""

import cases_conv
import numpy as np
import pytest
from cases_conv import CASES
from kernels import run, same_bits
from oracle_conv import conv2d
from samples import Case, normal
from teams import team_of

import nnlite
from nnlite import layers, ops
from nnlite.engine.dispatch import OPS, apply
from nnlite.ops.convolution import window_attributes


@pytest.mark.parametrize("name", ["conv2d", "depthwise_conv2d", "conv2d_gradient_input"])
def test_image_does_not_depend_on_those_beside_it(name, isa, real):
    for case in CASES[name]:
        if case.attrs.get("sparse"):  # it is a gradient then, which may depend on them
            continue
        (whole,), _ = run(name, case, isa, real)
        images, *rest = case.arrays(real)
        for rows in (slice(0, 1), slice(1, 3), slice(None, None, 2)):
            some = np.ascontiguousarray(images[rows])
            a = {**case.attrs}
            if "shape" in a:
                a["shape"] = (len(some), *a["shape"][1:])
            (part,), _ = run(name, Case([some, *rest], a), isa, real)
            assert same_bits(part, np.ascontiguousarray(whole[rows])), case.attrs


def test_padding_contributes_zero_times_the_kernel(isa, real):
    """Whoever packs or copies: infinity in the kernel shows exactly where a tap meets a border."""
    w = np.ones((3, 3, 2, 20))
    w[0, 0, 0, 3] = np.inf
    y = ops.conv2d(np.ones((2, 5, 6, 2)), w, padding="same").numpy()
    border = np.zeros((5, 6), bool)
    border[0], border[:, 0] = True, True
    assert (np.isnan(y[..., 3]) == border).all()
    assert np.isfinite(np.delete(y, 3, axis=3)).all()


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("window, stride, dilation", [(1, 1, 1), (3, 2, 1), (4, 3, 1), (3, 1, 2)])
def test_output_sizes_are_those_of_keras(size, window, stride, dilation):
    covered = (window - 1) * dilation + 1
    x, w = np.ones((1, size, size, 1)), np.ones((window, window, 1, 1))
    y = ops.conv2d(x, w, strides=stride, padding="same", dilation_rate=dilation)
    assert y.shape[1] == -(-size // stride)
    if size >= covered:
        y = ops.conv2d(x, w, strides=stride, dilation_rate=dilation)
        assert y.shape[1] == (size - covered) // stride + 1
    else:
        with pytest.raises(ValueError, match=rf"at least {covered} x {covered} .*, got shape"):
            ops.conv2d(x, w, strides=stride, dilation_rate=dilation)


def test_same_puts_the_odd_zero_at_the_end():
    x = np.arange(1.0, 5.0).reshape(1, 1, 4, 1)
    y = ops.conv2d(x, np.array([1.0, 10.0]).reshape(1, 2, 1, 1), padding="same").numpy()
    assert y.ravel().tolist() == [21, 32, 43, 4]


def test_long_sum_of_a_kernel_gradient_stays_accurate(isa):
    x, dy = np.abs(normal(64, 26, 26, 1)) + 1, np.abs(normal(64, 26, 26, 8, seed=1)) + 1
    a = {
        "stride_h": 1,
        "stride_w": 1,
        "pad_top": 0,
        "pad_left": 0,
        "dilation_h": 1,
        "dilation_w": 1,
        "groups": 1,
        "shape": (1, 1, 1, 8),
        "with_bias": True,
    }
    (dw, db), _ = run("conv2d_gradient_kernel", Case([x, dy], a), isa, "float32")
    want = np.einsum("nhwc,nhwf->cf", x, dy)
    assert np.abs(dw[0, 0] / want - 1).max() < 2e-6
    assert np.abs(db / dy.sum(axis=(0, 1, 2)) - 1).max() < 2e-7


@pytest.mark.parametrize("trained", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("depthwise", [False, True])
def test_gradients_of_kernel_and_bias_are_the_same_alone_and_together(depthwise, trained):
    convolve = ops.depthwise_conv2d if depthwise else ops.conv2d
    x, w, b = (nnlite.Variable(normal(*s)) for s in [(2, 5, 6, 3), (3, 2, 3, 4), (12,)])
    b = b if depthwise else nnlite.Variable(normal(4))
    with nnlite.GradientTape(persistent=True) as tape:
        y = ops.square(convolve(x, w, b))
    want = tape.gradient(y, [w, b])
    some = [v for v, wanted in zip([w, b], trained) if wanted]
    got = tape.gradient(y, [x, *some])[1:]
    for g, e in zip(got, [e for e, wanted in zip(want, trained) if wanted]):
        np.testing.assert_allclose(g.numpy(), e.numpy(), rtol=1e-5)


def test_gradient_of_a_biass_gradient_alone_is_one():
    x, dy = nnlite.Variable(normal(2, 4, 4, 3)), nnlite.Variable(normal(2, 3, 3, 5))
    window = window_attributes("conv2d", x.shape, (2, 2, 3, 5), 1, "valid", 1)
    attrs = {**window, "groups": 1, "shape": (2, 2, 3, 5), "with_bias": True}
    with nnlite.GradientTape() as tape:
        _, db = apply(OPS["conv2d_gradient_kernel"], [x, dy], attrs)
    to_x, to_dy = tape.gradient(db, [x, dy])
    assert to_x is None and to_dy.shape == dy.shape and (to_dy.numpy() == 1).all()


def test_separable_is_depthwise_then_pointwise(real):
    x, d, p, b = normal(2, 7, 6, 3), normal(3, 2, 3, 2), normal(1, 1, 6, 5), normal(5)
    y = ops.separable_conv2d(x, d, p, b, strides=2, padding="same", activation="relu")
    each = ops.depthwise_conv2d(x, d, strides=2, padding="same")
    assert np.array_equal(y.numpy(), ops.conv2d(each, p, b, activation="relu").numpy())


@pytest.mark.parametrize(
    "message, function",
    {
        r"expected images of shape \(N, height": lambda: ops.conv2d(
            np.ones((3, 3)), np.ones((1,) * 4)
        ),
        "expected a kernel of 4 axes": lambda: ops.conv2d(np.ones((1,) * 4), np.ones((3, 3))),
        "of 2 channels .*got shape": lambda: ops.conv2d(
            np.ones((1, 3, 3, 3)), np.ones((1, 1, 2, 4))
        ),
        "bias of shape .4,., got": lambda: ops.conv2d(
            np.ones((1,) * 4), np.ones((1, 1, 1, 4)), np.ones(3)
        ),
        "padding: expected 'valid' or 'same' or 'causal', got 'full'": lambda: ops.conv2d(
            np.ones((1,) * 4), np.ones((1,) * 4), padding="full"
        ),
        "strides: expected .*, got 0": lambda: ops.conv2d(
            np.ones((1,) * 4), np.ones((1,) * 4), strides=0
        ),
        "dilation_rate: expected .*, got": lambda: ops.conv2d(
            np.ones((1,) * 4), np.ones((1,) * 4), dilation_rate=(1, 2, 3)
        ),
        "groups: expected a positive": lambda: ops.conv2d(
            np.ones((1,) * 4), np.ones((1,) * 4), groups=0
        ),
        "filters in 2 equal groups, got 3": lambda: ops.conv2d(
            np.ones((1, 2, 2, 4)), np.ones((1, 1, 2, 3)), groups=2
        ),
        "expected an activation of .*, got 'swish'": lambda: ops.conv2d(
            np.ones((1,) * 4), np.ones((1,) * 4), activation="swish"
        ),
        "expected images of shape": lambda: ops.depthwise_conv2d(
            np.ones((3, 3)), np.ones((1,) * 4)
        ),
        "images of 2 channels": lambda: ops.depthwise_conv2d(
            np.ones((1, 3, 3, 3)), np.ones((1, 1, 2, 4))
        ),
    }.items(),
)
def test_bad_operands_are_errors_that_say_what_was_expected(message, function):
    with pytest.raises(ValueError, match=message):
        function()


# --- layers

LAYERS = {
    "Conv2D": (lambda **k: layers.Conv2D(6, 3, **k), [(3, 3, 4, 6), (6,)]),
    "grouped Conv2D": (lambda **k: layers.Conv2D(6, (1, 2), groups=2, **k), [(1, 2, 2, 6), (6,)]),
    "DepthwiseConv2D": (
        lambda **k: layers.DepthwiseConv2D(3, depth_multiplier=2, **k),
        [(3, 3, 4, 2), (8,)],
    ),
    "SeparableConv2D": (
        lambda **k: layers.SeparableConv2D(6, 2, depth_multiplier=3, **k),
        [(2, 2, 4, 3), (1, 1, 12, 6), (6,)],
    ),
}


@pytest.mark.parametrize("make, shapes", LAYERS.values(), ids=LAYERS)
def test_layer_has_the_weights_of_keras(make, shapes):
    layer = make()
    layer(np.ones((2, 8, 9, 4)))
    assert [w.shape for w in layer.weights] == shapes
    *kernels, bias = layer.get_weights()
    assert not bias.any()
    for kernel in kernels:  # glorot_uniform
        window = kernel.shape[0] * kernel.shape[1]
        limit = np.sqrt(6 / (window * sum(kernel.shape[2:])))
        assert 0.5 * limit < np.abs(kernel).max() <= limit


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "softmax"])
@pytest.mark.parametrize("make, shapes", LAYERS.values(), ids=LAYERS)
def test_layer_computes_what_its_op_computes(make, shapes, activation, real):
    layer = make(strides=2, padding="same", activation=activation, bias_initializer="ones")
    x = normal(2, 7, 6, 4)
    y, weights = layer(x).numpy(), [w.numpy() for w in layer.weights]
    function = {"C": ops.conv2d, "D": ops.depthwise_conv2d, "S": ops.separable_conv2d}
    extra = {"groups": layer.groups} if hasattr(layer, "groups") else {}
    z = function[type(layer).__name__[0]](x, *weights, strides=2, padding="same", **extra)
    np.testing.assert_allclose(
        y, nnlite.activations.get(activation)(z).numpy(), rtol=1e-5, atol=1e-6
    )
    assert layer.output_shape == (None, *y.shape[1:])


def test_layer_without_bias_has_none():
    layer = layers.Conv2D(2, 3, use_bias=False)
    layer(np.ones((1, 4, 4, 1)))
    assert layer.bias is None and len(layer.weights) == 1


def test_conv2d_computes_the_convolution(real):
    layer = layers.Conv2D(5, (3, 2), strides=(2, 1), padding="same", dilation_rate=1)
    x = normal(2, 6, 7, 3)
    got = layer(x).numpy()
    a = cases_conv.window_attributes("conv2d", x.shape, (3, 2, 3, 5), (2, 1), "same", 1)
    want = conv2d(x, layer.get_weights()[0].astype(float), {**a, "groups": 1}, got.shape[1:3])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 1, 1, 4), (0, 6, 5, 4), (3, 2, 6, 4), (1, 9, 1, 4)])
@pytest.mark.parametrize("make, shapes", LAYERS.values(), ids=LAYERS)
def test_layer_bears_single_pixels_no_rows_and_images_smaller_than_its_window(make, shapes, shape):
    layer = make(strides=4, padding="same", bias_initializer="ones")
    x = nnlite.Variable(normal(*shape))
    with nnlite.GradientTape() as tape:
        y = layer(x)
        total = ops.sum(ops.square(y))
    assert y.shape == (shape[0], -(-shape[1] // 4), -(-shape[2] // 4), shapes[-1][0])
    dx, *dw = tape.gradient(total, [x, *layer.weights])
    assert dx.shape == shape and [d.shape for d in dw] == shapes
    assert all(np.isfinite(d.numpy()).all() for d in (dx, *dw))
    if not shape[0]:
        assert not any(d.numpy().any() for d in dw)


def test_pixels_that_no_window_meets_have_no_gradient():
    layer, x = layers.Conv2D(2, 2, strides=3), nnlite.Variable(normal(1, 7, 7, 1))
    with nnlite.GradientTape() as tape:
        y = layer(x)
    met = tape.gradient(y, x).numpy()[0, :, :, 0] != 0
    inside = np.array([True, True, False, True, True, False, False])
    assert np.array_equal(met, np.outer(inside, inside))


def test_other_names_are_the_layers_themselves():
    assert layers.Convolution2D is layers.Conv2D
    assert layers.SeparableConvolution2D is layers.SeparableConv2D


@pytest.mark.parametrize("threads", [1, 2])
def test_training_by_a_plan_equals_training_eagerly_bitwise(threads):
    """The rules that become part of a plan, with as many threads."""
    x, y = normal(40, 9, 9, 2), np.arange(40) % 3

    def trained(**how):
        nnlite.utils.set_random_seed(1)
        model = nnlite.Sequential(
            [
                layers.Conv2D(4, 3, activation="relu"),
                layers.DepthwiseConv2D(2, activation="tanh"),
                layers.SeparableConv2D(5, 2, strides=2, padding="same"),
                layers.Flatten(),
                layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile("sgd", "sparse_categorical_crossentropy", **how)
        model.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0)
        return model.get_weights()

    with team_of(threads):
        planned, eager = trained(n_threads=threads), trained(run_eagerly=True)
    assert all(same_bits(a, b) for a, b in zip(planned, eager))
