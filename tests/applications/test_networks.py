"""Networks have the layers, names and numbers of weights that Keras publishes; arguments that
contradict each other are refused."""

import inspect
import pickle

import numpy as np
import pytest
from networks_published import PUBLISHED

import nnlite
from nnlite import applications, layers
from nnlite.applications import imagenet_utils
from nnlite.applications.network import halving_pad, of_eight
from nnlite.initializers.initializer import left_unset

# One of each kind of top.
SMALLEST = ["VGG16", "ConvNeXtTiny", "EfficientNetB0", "MobileNet", "MobileNetV2"]
SMALLEST += ["MobileNetV3Small", "NASNetMobile", "ResNet50", "Xception"]


def made(name, **settings):
    """A network whose weights are not drawn, which takes little time."""
    with left_unset():
        return getattr(applications, name)(weights=None, **settings)


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_and_names_are_those_that_keras_publishes(name):
    count, depth, without_top, first, last = PUBLISHED[name]
    model = made(name)
    assert (model.count_params(), len(model.layers)) == (count, depth)
    assert next(x.name for x in model.layers if x.weights) == first
    assert model.layers[-1].name == last and model.output_shape == (None, 1000)
    if name in SMALLEST:
        base = made(name, include_top=False)
        assert base.count_params() == without_top and len(base.output_shape) == 4


def test_each_network_has_its_figures():
    networks = {n for n in applications.__all__ if inspect.isfunction(getattr(applications, n))}
    assert networks == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_network_is_found_in_its_module(name):
    function = getattr(applications, name)
    module = inspect.getmodule(function)
    assert getattr(module, name) is function and function.__name__ == name
    assert module.decode_predictions is imagenet_utils.decode_predictions
    assert callable(module.preprocess_input)


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV3Small"])
@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_pooled_features_are_those_of_the_image_pooled(name, pooling):
    with nnlite.config.seeded(2):
        base = getattr(applications, name)(
            weights=None, include_top=False, input_shape=(48, 48, 3), pooling=pooling
        )
    kind = layers.GlobalAveragePooling2D if pooling == "avg" else layers.GlobalMaxPooling2D
    pool = next(layer for layer in base.layers[-2:] if isinstance(layer, kind))
    x = np.random.default_rng(0).normal(size=(2, 48, 48, 3)).astype("float32")
    before, after = nnlite.Model(base.input, [pool.input, pool.output]).predict(x, verbose=0)
    expected = before.mean((1, 2)) if pooling == "avg" else before.max((1, 2))
    np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-6)
    assert base.output_shape == (None, before.shape[-1])


REFUSED = {
    "classes": ("VGG16", {"classes": 10}, "classes: expected 1000 with weights='imagenet'"),
    "no classes": (
        "VGG16",
        {"weights": None, "classes": 0},
        "classes: expected a positive integer",
    ),
    "grey with weights": (
        "VGG16",
        {"include_top": False, "input_shape": (64, 64, 1)},
        r"3 channels with weights of ImageNet, got \(64, 64, 1\); a grey image has 3 equal ones",
    ),
    "another size with the top": (
        "ResNet50",
        {"input_shape": (64, 64, 3)},
        r"input_shape: expected \(224, 224, 3\) with weights='imagenet'",
    ),
    "no size with the top": (
        "VGG16",
        {"weights": None, "input_shape": (None, None, 3)},
        "expected sizes with include_top=True",
    ),
    "too small": (
        "Xception",
        {"weights": None, "input_shape": (70, 80, 3)},
        r"at least 71 x 71 pixels, got \(70, 80, 3\)",
    ),
    "no image": (
        "VGG16",
        {"weights": None, "input_shape": (32, 32)},
        "expected .height, width, ch",
    ),
    "pooling": ("VGG19", {"weights": None, "pooling": "mean"}, "pooling: expected None, 'avg'"),
    "activation": ("VGG16", {"classifier_activation": "relu"}, "expected 'softmax' or None with"),
    "width": ("MobileNet", {"alpha": 0.3}, "alpha: expected one of 0.25, 0.5, 0.75, 1.0 with"),
    "no width": ("MobileNetV2", {"weights": None, "alpha": 0}, r"number in \(0, inf\), got 0"),
    "multiplier": ("MobileNet", {"depth_multiplier": 2}, "depth_multiplier: expected 1 with"),
    "weights that are not there": (
        "VGG16",
        {"weights": "imagnet"},
        "weights: expected 'imagenet', None or the path of a file, got 'imagnet'",
    ),
    "an array as input": ("VGG16", {"input_tensor": np.zeros((1, 32, 32, 3))}, "expected a symbol"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_that_cannot_be_are_refused(name):
    network, settings, words = REFUSED[name]
    with pytest.raises((OSError, TypeError, ValueError), match=words):
        getattr(applications, network)(**settings)


def test_shapes_of_a_tensor_and_of_the_input_agree():
    with pytest.raises(ValueError, match=r"input_shape: expected that of input_tensor, \(40, 40"):
        made("VGG16", input_tensor=layers.Input((40, 40, 3)), input_shape=(32, 32, 3))
    base = made("VGG16", input_tensor=layers.Input((40, 40, 3)), include_top=False)
    assert base.input_shape == (None, 40, 40, 3)


def test_a_network_may_begin_with_what_several_inputs_make():
    one, other = layers.Input((32, 32, 3), name="one"), layers.Input((32, 32, 3), name="other")
    base = made("MobileNet", input_tensor=layers.add([one, other]), include_top=False)
    assert [symbol.name for symbol in base.inputs] == ["one", "other"]


def test_channels_that_no_image_has_are_warned_of():
    with pytest.warns(UserWarning, match=r"input_shape: expected 1 or 3 channels, got \(32, 32, 4"):
        made("VGG16", include_top=False, input_shape=(32, 32, 4))


def test_widths_and_heads_are_as_asked():
    half = made("MobileNetV2", alpha=0.5, classes=7, classifier_activation=None)
    assert half.name == "mobilenetv2_0.50_224" and half.output_shape == (None, 7)
    assert half.layers[-1].activation is None
    small = made("MobileNetV3Small", minimalistic=True, include_preprocessing=False, classes=7)
    assert not any(isinstance(x, (layers.Rescaling, layers.Multiply)) for x in small.layers)
    assert {x.kernel_size for x in small.layers if hasattr(x, "depth_multiplier")} == {3}
    assert small.input_shape == (None, None, None, 3)


def test_images_of_any_size_are_halved_as_those_of_one():
    settings = {"weights": None, "include_top": False}
    with nnlite.config.seeded(1):
        any_size = applications.NASNetMobile(**settings, input_shape=(None, None, 3))
    one_size = made("NASNetMobile", include_top=False, input_shape=(33, 33, 3))
    one_size.set_weights(any_size.get_weights())
    x = np.random.default_rng(0).normal(size=(1, 33, 33, 3)).astype("float32")
    expected = one_size.predict(x, verbose=0)
    np.testing.assert_allclose(any_size.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)


def test_padding_before_strides_of_two_keeps_the_last_pixel():
    for size, expected in ((8, (0, 1)), (9, (1, 1)), (None, (0, 1))):
        assert halving_pad(layers.Input((size, 9, 3)), 3) == (expected, (1, 1))


def test_channels_are_rounded_to_multiples_of_eight():
    assert [of_eight(n) for n in (1, 8, 11.2, 12, 33.6, 40)] == [8, 8, 16, 16, 32, 40]


# Pixels


PIXELS = np.random.default_rng(1).integers(0, 256, (2, 5, 4, 3))


def by_hand(mode):
    x = PIXELS.astype("float64")
    if mode == "tf":
        return x / 127.5 - 1
    if mode == "torch":
        return (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return x[..., ::-1] - [103.939, 116.779, 123.68]


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
@pytest.mark.parametrize("kind", ["array", "floats", "tensor", "symbol", "channels_first"])
def test_pixels_are_scaled_as_their_formula_says(mode, kind):
    expected, data_format = by_hand(mode), None
    if kind == "array":
        x = PIXELS.astype("uint8")
    elif kind == "channels_first":
        x, data_format = np.moveaxis(PIXELS, -1, 1), "channels_first"
    else:
        x = PIXELS.astype("float32")
        x = nnlite.convert_to_tensor(x) if kind == "tensor" else x
    if kind == "symbol":
        image = layers.Input((5, 4, 3))
        y = nnlite.Model(image, imagenet_utils.preprocess_input(image, mode=mode))(x)
    else:
        y = imagenet_utils.preprocess_input(x, data_format, mode)
    y = np.moveaxis(np.array(y), 1, -1) if data_format else np.array(y)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-4)


def test_floats_are_scaled_in_place_where_that_is_allowed():
    x = PIXELS.astype("float32")
    assert np.shares_memory(imagenet_utils.preprocess_input(x, mode="tf"), x)
    x = PIXELS.astype("float32")
    x.flags.writeable = False
    y = imagenet_utils.preprocess_input(x, mode="tf")
    np.testing.assert_allclose(y, by_hand("tf"), rtol=1e-5, atol=1e-6)
    assert np.array_equal(x, PIXELS)


def test_networks_that_scale_pixels_themselves_take_them_as_they_are():
    for module in ("efficientnet", "mobilenet_v3", "convnext"):
        assert getattr(applications, module).preprocess_input(PIXELS) is PIXELS
    modes = {"resnet": "caffe", "resnet50": "caffe", "resnet_v2": "tf", "densenet": "torch"}
    for module, mode in modes.items():
        one = getattr(applications, module).preprocess_input(PIXELS)
        assert np.array_equal(one, imagenet_utils.preprocess_input(PIXELS, mode=mode))


def test_the_scaling_of_a_network_can_be_pickled():
    for name in ("vgg16", "mobilenet_v2", "resnet"):
        function = getattr(applications, name).preprocess_input
        assert pickle.loads(pickle.dumps(function)) is function


def test_what_is_no_image_is_refused():
    with pytest.raises(ValueError, match=r"x: expected images of shape \(height, width, 3\)"):
        imagenet_utils.preprocess_input(np.zeros((4, 4, 1)))
    with pytest.raises(
        ValueError, match="preprocess_input: mode: expected 'caffe', 'tf', 'torch' or"
    ):
        imagenet_utils.preprocess_input(PIXELS, mode="keras")
