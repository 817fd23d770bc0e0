"""Layers of images, normalization and activation: what they compute, train and remember."""

import copy
import pickle

import numpy as np
import pytest
from layer_cases_images import ACTIVATIONS, CASES, normalized
from small_models import arrays_equal, data

import nnlite as keras
from nnlite import activations, config, layers, ops, optimizers, regularizers
from nnlite.autodiff import GradientTape
from nnlite.layers import BatchNormalization, Dense
from nnlite.tensor import Variable

ALIASES = {
    "MaxPool2D": "MaxPooling2D",
    "AvgPool2D": "AveragePooling2D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
}


@pytest.fixture(params=CASES)
def case(request):
    """A fresh layer, its input, and its reference."""
    keras.utils.set_random_seed(0)
    make, shape, reference = CASES[request.param]
    return make(), data(shape), reference


# What every layer has to do


def test_layer_computes_its_reference(case, isa, real):
    layer, x, reference = case
    result = layer(x)
    weights = [w.astype(float) for w in layer.get_weights()]
    unit = np.finfo(real).eps
    assert result.dtype == real
    expected = reference(x.astype(real).astype(float), weights)
    np.testing.assert_allclose(result.numpy(), expected, rtol=50 * unit, atol=10 * unit)


def test_config_round_trip_gives_an_equal_unbuilt_layer(case):
    layer, x, _ = case
    layer(x)
    copied = type(layer).from_config(layer.get_config())
    assert type(copied) is type(layer) and not copied.built and copied.weights == []
    assert config.frozen(copied) == config.frozen(layer)
    assert copied(x).shape == layer(x).shape


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copy_has_the_same_weights_and_bits(case, how):
    layer, x, _ = case
    before = layer(x).numpy()
    copied = pickle.loads(pickle.dumps(layer)) if how == "pickle" else copy.deepcopy(layer)
    assert arrays_equal(copied.get_weights(), layer.get_weights())
    assert np.array_equal(copied(x).numpy(), before)


def test_repr_rebuilds_the_layer(case):
    layer, _, _ = case
    assert config.frozen(eval(repr(layer), vars(layers))) == config.frozen(layer)


def test_layer_takes_images_of_integers(case):
    layer, x, _ = case
    whole = np.round(3 * x)
    assert np.array_equal(layer(whole.astype(np.int32)).numpy(), layer(whole).numpy())


def test_aliases_are_the_layers_themselves():
    for alias, name in ALIASES.items():
        assert getattr(layers, alias) is getattr(layers, name)


def image_model(**compiled):
    """One of everything that a model of images may have."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            layers.Input((6, 6, 3)),
            layers.GaussianNoise(0.1),
            layers.ZeroPadding2D(1),
            layers.BatchNormalization(),
            layers.MaxPooling2D(3, 2, "same"),
            layers.PReLU(shared_axes=(1, 2)),
            layers.UpSampling2D(2),
            layers.SpatialDropout2D(0.3),
            layers.AveragePooling2D(2),
            layers.LayerNormalization(),
            layers.Flatten(),
            Dense(8, activation="gelu"),
            layers.BatchNormalization(),
            layers.ELU(),
            Dense(4, activation="softmax"),
        ]
    )
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", **compiled)
    return model


def test_planned_training_is_eager_training_bitwise(real):
    def fitted(**compiled):
        model = image_model(**compiled)
        model.fit(data((70, 6, 6, 3)), np.arange(70) % 4, batch_size=32, epochs=2, verbose=0)
        return model

    with keras.config.precision(real):
        planned, eager = fitted(), fitted(run_eagerly=True)
        assert arrays_equal(planned.get_weights(), eager.get_weights())
        x = data((40, 6, 6, 3), seed=1)
        assert np.array_equal(planned.predict(x, verbose=0), eager.predict(x, verbose=0))


def test_prediction_of_some_images_is_some_of_the_predictions():
    model = image_model()
    x = data((50, 6, 6, 3))
    model.fit(x, np.arange(50) % 4, verbose=0)
    whole = model.predict(x, verbose=0)
    for rows in (slice(0, 1), slice(7, 20), slice(49, 50)):
        assert np.array_equal(model.predict(x[rows], verbose=0), whole[rows])


# Batch normalization


def test_weights_are_gamma_beta_mean_variance_in_the_order_of_keras():
    layer = BatchNormalization()
    layer(data((4, 5)))
    names = [v.name.split("/")[-1] for v in layer.weights]
    assert names == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [v.name.split("/")[-1] for v in layer.trainable_weights] == names[:2]
    assert [v.name.split("/")[-1] for v in layer.non_trainable_weights] == names[2:]
    assert [w.tolist() for w in layer.get_weights()] == [[1] * 5, [0] * 5, [0] * 5, [1] * 5]


@pytest.mark.parametrize("shape", [(50, 5), (8, 4, 5), (3, 4, 6, 5), (2, 2, 3, 4, 5)])
def test_training_normalizes_by_the_batch_and_moves_the_averages(shape, isa, real):
    layer = BatchNormalization(momentum=0.9)
    x = data(shape) * 3 + 2
    axes = tuple(range(len(shape) - 1))
    mean, variance = np.zeros(5), np.ones(5)
    for step in range(3):
        y = layer(x + step, training=True).numpy()
        unit = np.finfo(real).eps
        np.testing.assert_allclose(y, normalized(x, axes), rtol=50 * unit, atol=50 * unit)
        mean = mean * 0.9 + (x + step).mean(axes) * 0.1
        variance = variance * 0.9 + x.var(axes) * 0.1  # the biased one
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=50 * unit)
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=50 * unit)


def test_layer_that_is_not_trainable_uses_its_averages_and_keeps_them():
    layer = BatchNormalization()
    x = data((50, 5)) * 3 + 2
    layer(x, training=True)
    layer.trainable = False
    before = layer.get_weights()
    frozen = layer(x, training=True).numpy()
    assert arrays_equal(layer.get_weights(), before)
    assert np.array_equal(frozen, layer(x).numpy())
    assert layer.trainable_weights == []


def test_frozen_layer_inside_of_a_model_is_not_changed_by_fit():
    model = keras.Sequential([layers.Input((5,)), BatchNormalization(), Dense(1)])
    x = data((64, 5)) + 3
    model.compile("sgd", "mse")
    model.fit(x, x[:, :1], verbose=0)
    frozen, kernel = model.layers[0], model.layers[1].kernel.numpy()
    frozen.trainable = False
    model.compile("sgd", "mse")
    before = frozen.get_weights()
    model.fit(x, x[:, :1], verbose=0)
    assert arrays_equal(frozen.get_weights(), before)
    assert not np.array_equal(model.layers[1].kernel.numpy(), kernel)


def test_inference_is_one_multiply_add_of_the_folded_weights(isa, real):
    layer = BatchNormalization(gamma_initializer="uniform", beta_initializer="uniform")
    x = data((200, 7)) * 3 + 2
    layer(x, training=True)
    gamma, beta, mean, variance = (w.astype(float) for w in layer.get_weights())
    scale = gamma / np.sqrt(variance + 0.001)
    y = layer(x).numpy()
    size = np.abs(x * scale) + np.abs(mean * scale) + np.abs(beta)
    off = np.abs(y - (x * scale + (beta - mean * scale)))
    assert (off <= 6 * np.finfo(real).eps * size).all()


def test_gradients_of_a_model_with_normalization_are_the_numerical_ones():
    with keras.config.precision("float64"):
        inner = [BatchNormalization(), layers.LayerNormalization(), Dense(3), BatchNormalization()]
        x, t = data((9, 4)), data((9, 3), seed=1)

        def loss(inputs):
            for layer in inner:
                inputs = layer(inputs, training=True)
            return ops.sum(ops.square(inputs - t) * data((9, 3), seed=2))

        v = Variable(x)
        loss(v)
        sources = [v, *(w for layer in inner for w in layer.trainable_weights)]
        with GradientTape() as tape:
            target = loss(v)
        for source, gradient in zip(sources, tape.gradient(target, sources)):
            direction = data(source.shape, seed=5)
            start, around = source.numpy(), []
            for sign in (1, -1):
                source.assign(start + sign * 1e-5 * direction)
                around.append(loss(v).item())
            source.assign(start)
            numerical = (around[0] - around[1]) / 2e-5
            assert abs((gradient.numpy() * direction).sum() - numerical) < 1e-6 * (
                1 + abs(numerical)
            )


def test_regularizers_of_gamma_and_beta_are_in_the_loss():
    layer = BatchNormalization(gamma_regularizer=regularizers.L2(0.5), beta_regularizer="l1")
    layer(data((4, 3)))
    assert [penalty.item() for penalty in layer.losses] == [1.5, 0.0]


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: BatchNormalization(axis=1), (2, 3, 4, 5), r"axis -1, the channels, got 1"),
        (lambda: BatchNormalization(momentum=1.5), (2, 3), r"momentum in \[0, 1\], got 1.5"),
        (lambda: BatchNormalization(epsilon=-1.0), (2, 3), r"epsilon of at least 0, got -1.0"),
        (lambda: BatchNormalization(), (3,), r"at least 2 dimensions"),
        (lambda: layers.LayerNormalization(axis=(1, 2)), (2, 3, 4), r"axis -1, the channels"),
        (lambda: layers.MaxPooling2D(3), (1, 2, 2, 1), r"at least 3 x 3 pixels"),
        (lambda: layers.MaxPooling2D(2), (4, 4, 1), r"\(N, height, width, channels\)"),
        (lambda: layers.MaxPooling2D(padding=1), (1, 4, 4, 1), r"'valid' or 'same', got 1"),
        (lambda: layers.MaxPooling2D(data_format="channels_first"), (1, 4, 4, 1), r"channels_last"),
        (lambda: layers.GlobalMaxPooling2D(), (4, 4), r"\(N, height, width, channels\)"),
        (lambda: layers.SpatialDropout2D(1.0), (1, 4, 4, 1), r"rate in \[0, 1\), got 1.0"),
        (lambda: layers.SpatialDropout2D(0.5), (4, 4), r"\(N, height, width, channels\)"),
        (lambda: layers.GaussianNoise(-0.5), (4, 4), r"stddev of at least 0, got -0.5"),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), (1, 4, 4, 1), r"padding to be an int"),
        (lambda: layers.ZeroPadding2D(-1), (1, 4, 4, 1), r"padding to be an int"),
        (lambda: layers.UpSampling2D(0), (1, 4, 4, 1), r"size to be a positive integer"),
        (lambda: layers.UpSampling2D(interpolation="bilinear"), (1, 4, 4, 1), r"'nearest', got"),
        (lambda: layers.LeakyReLU(-0.1), (2, 3), r"negative_slope .* at least 0, got -0.1"),
        (lambda: layers.ELU(None), (2, 3), r"alpha .* at least 0, got None"),
        (lambda: layers.ReLU(max_value=-1), (2, 3), r"max_value .* at least 0, got -1"),
        (lambda: layers.PReLU(shared_axes=(0,)), (2, 3), r"shared_axes from 1 to 1"),
        (lambda: layers.Softmax(axis=4), (2, 3), r"axis within 2 dimensions"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_the_layer(make, shape, message):
    layer = make()
    with pytest.raises(ValueError, match=message) as error:
        layer(np.zeros(shape))
    assert repr(layer.name) in str(error.value)


# Noise


def test_noise_has_the_deviation_asked_for_and_only_in_training():
    layer = layers.GaussianNoise(0.5, seed=1)
    x = data((300, 100))
    noise = layer(x, training=True).numpy() - x
    assert abs(noise.std() - 0.5) < 0.01 and abs(noise.mean()) < 0.01
    assert np.array_equal(layer(x).numpy(), x.astype("float32"))
    again = layer(x, training=True).numpy() - x
    assert abs(np.corrcoef(noise.ravel(), again.ravel())[0, 1]) < 0.03
    twin = layers.GaussianNoise(0.5, seed=1)
    assert np.array_equal(twin(x, training=True).numpy() - x, noise)


def test_spatial_dropout_drops_whole_channels_of_a_sample():
    layer = layers.SpatialDropout2D(0.25, seed=1)
    y = layer(np.ones((100, 3, 4, 50)), training=True).numpy()
    assert (y == y[:, :1, :1]).all()
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.75)}
    assert abs((y[:, 0, 0] == 0).mean() - 0.25) < 0.03


# Activations by name


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_by_name_is_the_function_of_keras(name, real):
    x = 2 * data((7, 9))
    tolerance = 1e-5 if real == "float32" else 1e-13
    got = activations.get(name)(x).numpy()
    np.testing.assert_allclose(got, ACTIVATIONS[name](x), rtol=tolerance, atol=tolerance)
    layer = Dense(9, activation=name)
    layer(x)
    layer.set_weights([np.eye(9), np.zeros(9)])
    np.testing.assert_allclose(
        layer(x).numpy(), ACTIVATIONS[name](x), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dense_layer_with_the_activation_learns(name):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((4,)), Dense(8, activation=name), Dense(1)])
    model.compile(optimizers.SGD(0.01), "mse")
    x = data((64, 4))
    first, *_, last = model.fit(x, x[:, :1], epochs=20, verbose=0).history["loss"]
    assert last < 0.9 * first
