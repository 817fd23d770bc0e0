"""Networks are those of Keras: the same arguments, layers, weights and outputs."""

import inspect

import numpy as np
import pytest

from nnlite import applications, models

keras = pytest.importorskip("keras")

# The smallest of each family, and its images.
NETWORKS = {
    "VGG16": 32,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "DenseNet121": 32,
    "Xception": 71,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "EfficientNetB0": 32,
    "NASNetMobile": 32,
    "ConvNeXtTiny": 32,
}


def arguments(function):
    return [(p.name, p.default) for p in inspect.signature(function).parameters.values()]


def random_weights(model, rng):
    """Weights of which the size of activations neither grows nor shrinks from layer to layer."""
    depthwise = {id(v) for layer in model._flatten_layers() for v in depthwise_of(layer)}
    for variable, values in zip(model.weights, model.get_weights()):
        if values.ndim > 1:
            fan = np.prod(values.shape[:2] if id(variable) in depthwise else values.shape[:-1])
            yield rng.normal(0, np.sqrt(2 / fan), values.shape)
        else:
            yield values + rng.uniform(-0.2, 0.2, values.shape) * (values.size > 3)


def depthwise_of(layer):
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return [layer.kernel]
    return [layer.depthwise_kernel] if isinstance(layer, keras.layers.SeparableConv2D) else []


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_weights_and_outputs_are_those_of_keras(name):
    keras.backend.clear_session()
    theirs, ours = getattr(keras.applications, name), getattr(applications, name)
    assert arguments(ours) == arguments(theirs)
    size = NETWORKS[name]
    settings = {"weights": None, "input_shape": (size, size, 3), "classifier_activation": None}
    theirs, ours = theirs(**settings), ours(**settings)
    assert ours.name == theirs.name
    for get in (lambda layer: layer.name, lambda layer: type(layer).__name__):
        assert [get(x) for x in ours.layers[1:]] == [get(x) for x in theirs.layers[1:]]
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    assert len(ours.trainable_weights) == len(theirs.trainable_weights)
    rng = np.random.default_rng(0)
    weights = [w.astype("float32") for w in random_weights(theirs, rng)]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    low, high = (0, 255) if name[:3] in ("Eff", "Con") or "V3S" in name else (-1, 1)
    x = rng.uniform(low, high, (2, size, size, 3)).astype("float32")
    expected = np.asarray(theirs(x, training=False))
    found = ours.predict(x, verbose=0)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["MobileNetV3Small", "ConvNeXtTiny"])
@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
def test_files_go_both_ways(name, ending, tmp_path):
    settings = {"input_shape": (32, 32, 3), "classifier_activation": None}
    x = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    path = tmp_path / f"file.{ending}"
    for make, other, load in (
        (applications, keras.applications, keras.models.load_model),
        (keras.applications, applications, models.load_model),
    ):
        model = getattr(make, name)(weights=None, **settings)
        if ending == "keras":
            model.save(path)
            again = load(path)
        else:
            model.save_weights(path)
            again = getattr(other, name)(weights=path, **settings)
        expected, found = (m.predict(x, verbose=0) for m in (model, again))
        assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_pixels_are_scaled_as_in_keras():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3))
    for name in "convnext densenet efficientnet mobilenet resnet resnet_v2 vgg16 xception".split():
        ours, theirs = (
            getattr(of, name).preprocess_input(pixels.astype("float32"))
            for of in (applications, keras.applications)
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-5)
