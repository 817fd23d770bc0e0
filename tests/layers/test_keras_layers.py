"""Keras as the reference for layers of images, noise, normalization, for activations and
initializers, where it is installed: random models, same weights, several steps of training."""

import inspect
import os

import numpy as np
import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", exc_type=ImportError)

import nnlite  # noqa: E402
from nnlite import activations, initializers, layers  # noqa: E402

ROWS, CLASSES = 12, 3


def one_of(rng, *values):
    """A choice that keeps the values' types."""
    return values[int(rng.integers(len(values)))]


def convolution(rng):
    """Settings that all convolutions have; Keras takes strides or a dilation above 1, not both."""
    strides = one_of(rng, 1, 1, 2)
    return {
        "kernel_size": one_of(rng, 1, 2, 3, (2, 3), (3, 1)),
        "strides": strides,
        "padding": one_of(rng, "same", "same", "valid"),
        "dilation_rate": one_of(rng, 1, 2) if strides == 1 else 1,
        "activation": one_of(rng, None, "relu", "tanh", "gelu", "swish", "elu", "softplus"),
        "use_bias": bool(rng.random() < 0.8),
    }


def window(rng):
    """Settings of a pooling layer."""
    return {
        "pool_size": one_of(rng, 2, 3, (1, 2)),
        "strides": one_of(rng, None, 1, 2),
        "padding": one_of(rng, "same", "valid"),
    }


# Layers of images by class: random settings.
IMAGE_LAYERS = {
    "Conv2D": lambda rng: {"filters": one_of(rng, 2, 4, 6), **convolution(rng)},
    "DepthwiseConv2D": lambda rng: {
        "depth_multiplier": one_of(rng, 1, 2),
        **convolution(rng),
    },
    "SeparableConv2D": lambda rng: {
        "filters": one_of(rng, 2, 5),
        "depth_multiplier": one_of(rng, 1, 2),
        **convolution(rng),
    },
    "MaxPooling2D": window,
    "AveragePooling2D": window,
    "BatchNormalization": lambda rng: {
        "momentum": one_of(rng, 0.9, 0.5),
        "epsilon": one_of(rng, 1e-3, 1e-2),
        "center": bool(rng.random() < 0.8),
        "scale": bool(rng.random() < 0.8),
    },
    "LayerNormalization": lambda rng: {
        "center": bool(rng.random() < 0.8),
        "scale": bool(rng.random() < 0.8),
    },
    "UpSampling2D": lambda rng: {"size": one_of(rng, 2, (1, 3))},
    "ZeroPadding2D": lambda rng: {"padding": one_of(rng, 1, (2, 1), ((1, 0), (0, 2)))},
    "Cropping2D": lambda rng: {"cropping": one_of(rng, 1, ((1, 0), (0, 1)))},
    "ReLU": lambda rng: {
        "max_value": one_of(rng, None, 1.0),
        "negative_slope": one_of(rng, 0.0, 0.1),
        "threshold": one_of(rng, 0.0, 0.2),
    },
    "LeakyReLU": lambda rng: {"negative_slope": one_of(rng, 0.3, 0.1)},
    "ELU": lambda rng: {"alpha": one_of(rng, 1.0, 0.5)},
    "PReLU": lambda rng: {
        "alpha_initializer": "uniform",
        "shared_axes": one_of(rng, None, [1, 2]),
    },
    "Softmax": lambda rng: {},
    "Activation": lambda rng: {"activation": one_of(rng, "silu", "mish", "hard_tanh", "selu")},
    "Permute": lambda rng: {"dims": one_of(rng, (2, 1, 3), (1, 2, 3))},
    "Rescaling": lambda rng: {"scale": 0.7, "offset": one_of(rng, 0.0, -0.1)},
    "GaussianNoise": lambda rng: {"stddev": 0.0},
    "GaussianDropout": lambda rng: {"rate": 0.0},
    "AlphaDropout": lambda rng: {"rate": 0.0},
    "SpatialDropout2D": lambda rng: {"rate": 0.0},
}
ENDS = [
    [("GlobalAveragePooling2D", {})],
    [("GlobalMaxPooling2D", {"keepdims": True}), ("Flatten", {})],
    [("Flatten", {}), ("Dense", {"units": 5}), ("RepeatVector", {"n": 2}), ("Flatten", {})],
]


def random_specs(seed):
    """Names and arguments of layers that fit on each other; every class comes up within the seeds'
    first turn."""
    rng = np.random.default_rng(seed)
    names = list(IMAGE_LAYERS)
    specs, shape = [], (9, 8, 3)
    first = names[seed % len(names)]
    for name in [first, *(one_of(rng, *names) for _ in range(int(rng.integers(2, 6))))]:
        spec = name, IMAGE_LAYERS[name](rng)
        try:
            layer = getattr(layers, name)(**spec[1])
            y = layer(np.zeros((1, *shape)))
        except ValueError:  # the images are too small by now
            assert specs
            continue
        if y.size > 4000:
            continue
        specs.append(spec)
        shape = y.shape[1:]
    last = ("Dense", {"units": CLASSES, "activation": "softmax"})
    return specs, [*specs, *one_of(rng, *ENDS), last]


def twins(specs, shape=(9, 8, 3)):
    """The same model in Keras and in nnlite, with the same weights."""
    theirs = keras.Sequential(
        [keras.Input(shape), *(getattr(keras.layers, n)(**a) for n, a in specs)]
    )
    ours = nnlite.Sequential([nnlite.Input(shape), *(getattr(layers, n)(**a) for n, a in specs)])
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def settled(seed):
    """Twins with random weights, moving statistics and biases too, and data for them."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    theirs, ours = twins(random_specs(seed)[1])
    weights = [
        np.abs(w) + 0.1 * rng.random(w.shape)
        if "variance" in v.name or "gamma" in v.name
        else w + 0.1 * rng.normal(size=w.shape)
        for v, w in zip(ours.weights, ours.get_weights())
    ]
    for model in (theirs, ours):
        model.set_weights(weights)
    x = rng.normal(size=(ROWS, 9, 8, 3)).astype("float32")
    return theirs, ours, x, rng.integers(0, CLASSES, ROWS)


def close(ours, theirs, tolerance=2e-4):
    """Equal but for the rounding of float32 sums of this size."""
    for a, b in zip(ours, theirs, strict=True):
        scale = max(1.0, float(np.abs(b).max(initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance / 10 * scale)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("seed", range(2 * len(IMAGE_LAYERS)))
def test_random_models_agree_in_outputs_losses_and_weights_after_training(seed, optimizer):
    theirs, ours, x, y = settled(seed)
    names = [[v.name.split("/")[-1] for v in model.weights] for model in (theirs, ours)]
    assert names[0] == names[1]
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs(x), rtol=1e-4, atol=1e-5)
    # A large epsilon: gradients that are zero but for rounding must not decide Adam's direction.
    settings = {"learning_rate": 0.02, **({"epsilon": 0.1} if optimizer == "Adam" else {})}
    for model, package in ((theirs, keras), (ours, nnlite)):
        rule = getattr(package.optimizers, optimizer)(**settings)
        # Keras traces longer than it runs.
        model.compile(rule, "sparse_categorical_crossentropy", run_eagerly=package is keras)
    for step in range(4):
        rows = slice(0, ROWS) if step % 2 else slice(0, 7)
        a, b = (model.train_on_batch(x[rows], y[rows]) for model in (theirs, ours))
        assert np.ravel(b)[0] == pytest.approx(np.ravel(a)[0], rel=1e-3, abs=1e-5)
    close(ours.get_weights(), theirs.get_weights())
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs(x), rtol=2e-3, atol=2e-4)


def test_every_layer_of_images_comes_up():
    tried = {name for seed in range(2 * len(IMAGE_LAYERS)) for name, _ in random_specs(seed)[0]}
    assert tried == set(IMAGE_LAYERS)


ALONE = {
    "Normalization of channels": ("Normalization", {}, (5, 4, 3)),
    "Normalization of places": ("Normalization", {"axis": (1, 3)}, (5, 4, 3)),
    "Normalization as one": ("Normalization", {"axis": None}, (5, 4, 3)),
    "Normalization inverse": ("Normalization", {"invert": True}, (4,)),
    "Normalization given": ("Normalization", {"mean": [1.0, 2.0], "variance": [4.0, 9.0]}, (3, 2)),
    "grouped Conv2D": ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 2}, (6, 5, 4)),
    "Rescaling": ("Rescaling", {"scale": [1.0, 2.0, 3.0], "offset": 1.0}, (4, 4, 3)),
    "Permute": ("Permute", {"dims": (3, 1, 2)}, (4, 5, 6)),
}


@pytest.mark.parametrize("name, settings, shape", ALONE.values(), ids=ALONE)
def test_layer_alone_agrees(name, settings, shape):
    x = np.random.default_rng(0).normal(3.0, 2.0, (20, *shape)).astype("float32")
    theirs, ours = (getattr(p.layers, name)(**settings) for p in (keras, nnlite))
    if name == "Normalization" and "mean" not in settings:
        for layer in (theirs, ours):
            layer.adapt(x)
        close(ours.get_weights(), theirs.get_weights(), 1e-5)
        assert ours.mean.shape == theirs.mean.shape or settings.get("axis", 0) is None
    expected = np.asarray(theirs(x))
    if name != "Normalization":
        ours(x)
        ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(x).numpy(), expected, rtol=2e-5, atol=2e-5)


# Keras 3.15's sparsemax adds up all the partial sums where the paper has the last, and so gives
# rows that do not sum to 1.
@pytest.mark.parametrize("name", sorted(set(activations._BY_NAME) - {"threshold", "sparsemax"}))
def test_activation_of_every_name_agrees_in_value_and_gradient(name):
    tf = pytest.importorskip("tensorflow")
    x = np.concatenate(
        [np.random.default_rng(0).normal(size=(30, 8)) * 3, np.linspace(-40, 40, 80).reshape(10, 8)]
    ).astype("float32")
    weights = np.random.default_rng(1).normal(size=(40, 8)).astype("float32")
    theirs, ours = tf.Variable(x), nnlite.Variable(x)
    with tf.GradientTape() as tape:
        y = getattr(keras.activations, name)(theirs)
        total = tf.reduce_sum(y * weights[:, : y.shape[1]])
    expected = tape.gradient(total, theirs)
    with nnlite.GradientTape() as tape:
        z = activations.get(name)(ours)
        total = nnlite.ops.sum(z * weights[:, : z.shape[1]])
    np.testing.assert_allclose(z.numpy(), y, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(tape.gradient(total, ours).numpy(), expected, rtol=1e-4, atol=2e-5)


def test_all_names_of_keras_are_known():
    for module in ("activations", "initializers"):
        for name in dir(getattr(keras, module)):
            known = getattr(getattr(keras, module), name)
            apart = ("STFT", "STFTInitializer", "stft", "get", "serialize", "deserialize")
            if callable(known) and name not in (*apart, "Initializer") and name[0] != "_":
                assert getattr(nnlite, module).get(name) is not None


# Keras 3.15 cannot make its Constant from the bare name; STFT makes no random numbers.
OURS_ALONE = {"fan_in_uniform", "constant", "orthogonal_initializer", "identity_initializer"}
OURS_ALONE |= {"stft", "stft_initializer"}


@pytest.mark.parametrize(
    "name",
    sorted(set(initializers._BY_NAME) - OURS_ALONE),
)
def test_initializers_have_the_bounds_and_moments_of_keras(name):
    shape = (60, 50) if name == "identity" else (5, 4, 60, 50)
    ours = initializers.get(name)(shape, seed=1).numpy()
    theirs = np.asarray(keras.initializers.get(name)(shape))
    n, mean, deviation = ours.size, float(theirs.mean()), float(theirs.std())
    assert ours.dtype == theirs.dtype
    assert ours.mean() == pytest.approx(mean, abs=8 * deviation / n**0.5 + 1e-7)
    assert ours.std() == pytest.approx(deviation, rel=8 / n**0.5, abs=1e-7)
    if "normal" not in name and "orthogonal" not in name:
        assert np.abs(ours).max() == pytest.approx(float(np.abs(theirs).max()), rel=0.02)


CLASSES_OF_LAYERS = sorted({*IMAGE_LAYERS, "Normalization", "RepeatVector", "GlobalMaxPooling2D"})


@pytest.mark.parametrize("name", CLASSES_OF_LAYERS)
def test_shared_arguments_have_the_order_and_defaults_of_keras(name):
    theirs = {
        p.name: p.default
        for p in inspect.signature(getattr(keras.layers, name)).parameters.values()
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }
    ours = getattr(layers, name)._signature()
    assert set(theirs) & set(ours)
    for k in (k for k in theirs if k in ours and theirs[k] is not inspect.Parameter.empty):
        same = ours[k] == theirs[k] or str(ours[k]).lower() == str(theirs[k]).lower()
        assert same, (k, ours[k], theirs[k])
    positional = [
        p.name
        for p in inspect.signature(getattr(layers, name)).parameters.values()
        if p.kind == p.POSITIONAL_OR_KEYWORD
    ]
    assert positional and positional == [k for k in theirs if k in positional]
