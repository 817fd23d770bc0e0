"""Keras, where it is installed, as the reference for layers of sequences, volumes and
transposed convolutions: same names, results, shapes, and weights after steps of training."""

import inspect
import os

import numpy as np
import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", exc_type=ImportError)

import models_random_series  # noqa: E402
from models_random import Choice  # noqa: E402

import nnlite  # noqa: E402
from nnlite import layers  # noqa: E402

SERIES, VOLUMES = models_random_series.SERIES, models_random_series.VOLUMES
TABLE = {**SERIES, **models_random_series.IMAGES, **VOLUMES}


def made(package, value):
    """A setting, with the regularizer that a dict stands for."""
    if isinstance(value, dict):
        return package.regularizers.L2(value["l2"])
    return value


def network(package, name, settings, shape):
    settings = {key: made(package, value) for key, value in settings.items()}
    return package.Sequential(
        [
            package.Input(shape),
            getattr(package.layers, name)(**settings),
            package.layers.Flatten(),
            package.layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("name", TABLE)
def test_layer_agrees_before_and_after_training(name):
    for seed in range(4):
        c, rng = Choice(seed), np.random.default_rng(seed)
        of_images = (4, 6, 5, 2) if name in VOLUMES else (5, 4, 2)
        shape = (c.of(8, 9), c.of(1, 2, 4)) if name in SERIES else of_images
        settings = TABLE[name](c, list(shape))
        theirs, ours = (network(p, name, settings, shape) for p in (keras, nnlite))
        assert ours.output_shape == theirs.output_shape
        assert ours.layers[0].output_shape == theirs.layers[0].output.shape
        weights = [w + 0.1 * rng.normal(size=w.shape) for w in theirs.get_weights()]
        names = [[v.name.split("/")[-1] for v in model.weights] for model in (theirs, ours)]
        assert names[0] == names[1]
        x, y = rng.normal(size=(9, *shape)).astype("float32"), rng.integers(0, 3, 9)
        for model, package in ((theirs, keras), (ours, nnlite)):
            model.set_weights(weights)
            model.compile(
                package.optimizers.SGD(0.05),
                "sparse_categorical_crossentropy",
                run_eagerly=package is keras,
            )
        for _ in range(2):
            np.testing.assert_allclose(ours(x).numpy(), theirs(x), rtol=2e-4, atol=2e-5)
            a, b = (np.ravel(model.train_on_batch(x, y))[0] for model in (theirs, ours))
            assert b == pytest.approx(a, rel=1e-4)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", [*TABLE, "Lambda"])
def test_arguments_have_the_order_and_defaults_of_keras(name):
    theirs = {
        p.name: p.default
        for p in inspect.signature(getattr(keras.layers, name)).parameters.values()
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }
    ours = getattr(layers, name)._signature()
    assert theirs.keys() <= ours.keys()
    given = {k: v for k, v in theirs.items() if v is not inspect.Parameter.empty}
    assert {k: ours[k] for k in given} == given
    positional = [
        p.name
        for p in inspect.signature(getattr(layers, name)).parameters.values()
        if p.kind == p.POSITIONAL_OR_KEYWORD
    ]
    assert positional == [*theirs][: len(positional)]


def test_masked_mean_and_its_gradient_agree():
    tf = pytest.importorskip("tensorflow")
    x = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
    on = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]], bool)
    theirs, ours = tf.Variable(x), nnlite.Variable(x)
    with tf.GradientTape() as tape:
        y = keras.layers.GlobalAveragePooling1D()(theirs, mask=tf.constant(on))
        total = tf.reduce_sum(y**2)
    expected = tape.gradient(total, theirs)
    with nnlite.GradientTape() as tape:
        z = layers.GlobalAveragePooling1D()(ours, mask=on)
        total = nnlite.ops.sum(z**2)
    np.testing.assert_allclose(z.numpy(), y, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(total, ours).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("data_format", [None, "channels_first"])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_files_of_networks_of_volumes_go_both_ways(data_format, ending, tmp_path):
    given = {"data_format": data_format}

    def network(package):
        kinds = package.layers
        return package.Sequential(
            [
                package.Input((2, 6, 8, 8) if data_format else (6, 8, 8, 2)),
                kinds.Conv3D(4, 3, padding="same", activation="relu", **given),
                kinds.MaxPooling3D(2, **given),
                kinds.Conv3DTranspose(3, 2, 2, **given),
                kinds.AdaptiveMaxPooling3D((2, 3, 2), **given),
                kinds.ZeroPadding3D(1, **given),
                kinds.SpatialDropout3D(0.5, **given),
                kinds.UpSampling3D(2, **given),
                kinds.Flatten(**given),
                kinds.Dense(3),
            ]
        )

    x = np.random.default_rng(0).normal(size=(3, 2, 6, 8, 8)).astype("float32")
    x = x if data_format else np.moveaxis(x, 1, -1)
    for package, other in ((keras, nnlite), (nnlite, keras)):
        model = network(package)
        model.save(tmp_path / f"m.{ending}")
        again = other.models.load_model(tmp_path / f"m.{ending}")
        expected = model.predict(x, verbose=0)
        np.testing.assert_allclose(again.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


def test_spectral_normalization_trains_as_in_keras():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 6, 6, 3)).astype("float32"), rng.normal(size=(8, 2))
    models = [
        package.Sequential(
            [
                package.Input((6, 6, 3)),
                package.layers.SpectralNormalization(package.layers.Conv2D(4, 3)),
                package.layers.Flatten(),
                package.layers.SpectralNormalization(package.layers.Dense(2), 2),
            ]
        )
        for package in (keras, nnlite)
    ]
    theirs, ours = models
    ours.set_weights(theirs.get_weights())
    for model, package in zip(models, (keras, nnlite)):
        model.compile(package.optimizers.SGD(0.05), "mse")
    for _ in range(3):
        losses = [np.ravel(model.train_on_batch(x, y))[0] for model in models]
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
