"""Layers of images, normalization and activation: what they compute, train and remember."""

import numpy as np
import pytest
from cases_layers import CASES, normalized
from small_models import arrays_equal, data

import nnlite as keras
from nnlite import layers, ops, optimizers, regularizers
from nnlite.autodiff import GradientTape
from nnlite.engine.tensor import Variable
from nnlite.layers import BatchNormalization, Dense

ALIASES = {
    "MaxPool{}D": "MaxPooling{}D",
    "AvgPool{}D": "AveragePooling{}D",
    "GlobalAvgPool{}D": "GlobalAveragePooling{}D",
    "GlobalMaxPool{}D": "GlobalMaxPooling{}D",
    "Convolution{}D": "Conv{}D",
    "Convolution{}DTranspose": "Conv{}DTranspose",
    "SeparableConvolution{}D": "SeparableConv{}D",
}


@pytest.fixture(params=[name for name in CASES if isinstance(CASES[name][1], tuple)])
def case(request):
    """A fresh layer, its input, and its reference."""
    keras.utils.set_random_seed(0)
    make, shape, reference = CASES[request.param]
    return make(), data(shape) if isinstance(shape, tuple) else shape, reference


# What every layer has to do


def test_layer_takes_images_of_integers(case):
    layer, x, _ = case
    whole = x if x.dtype.kind == "i" else np.round(3 * x)  # tokens are whole
    assert np.array_equal(layer(whole.astype(np.int32)).numpy(), layer(whole).numpy())


def test_aliases_are_the_layers_themselves():
    for alias, name in ALIASES.items():
        for rank in (1, 2):
            assert getattr(layers, alias.format(rank)) is getattr(layers, name.format(rank))


def image_model(**compiled):
    """One of everything that a model of images may have."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            layers.Input((6, 6, 3)),
            layers.Rescaling([0.5, 1.0, 2.0], 0.1),
            layers.Normalization(mean=0.1, variance=2.0),
            layers.GaussianNoise(0.1),
            layers.ZeroPadding2D(2),
            layers.Cropping2D(1),
            layers.GaussianDropout(0.2),
            layers.Permute((2, 1, 3)),
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
            layers.AlphaDropout(0.2),
            layers.RepeatVector(2),
            layers.Flatten(),
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


def test_what_is_between_the_layers_of_a_prediction_stays_in_a_cache():
    model = keras.Sequential(
        [layers.Conv2D(16, 3, input_shape=(64, 64, 3)), layers.GlobalAveragePooling2D()]
    )
    x = data((41, 64, 64, 3))
    y = model.predict(x)
    sizes = {step.batch: step.plan.arena_bytes for step in model._step_cache.steps.values()}
    assert sizes[min(sizes)] <= 2 << 20 < 2 * sizes[min(sizes)] and min(sizes) > 1
    assert np.array_equal(y, np.concatenate([model.predict(x[k : k + 1]) for k in range(41)]))


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


def test_gaussian_dropout_multiplies_with_numbers_of_mean_1_and_the_variance_of_dropout():
    y = layers.GaussianDropout(0.2, seed=1)(np.ones((300, 100)), training=True).numpy()
    assert abs(y.mean() - 1) < 0.015 and abs(y.var() - 0.25) < 0.01
    assert len(np.unique(y)) > 20000


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance_of_normal_numbers(rate):
    layer, x = layers.AlphaDropout(rate, seed=1), data((400, 300))
    y = layer(x, training=True).numpy()
    assert abs(y.mean()) < 0.01 and abs(y.var() - 1) < 0.02
    values, counts = np.unique(y, return_counts=True)
    assert abs(counts.max() / y.size - rate) < 0.005  # those that were dropped are all the same
    scale = ((1 - rate) * (1 + rate * 1.7580993408473769**2)) ** -0.5
    dropped = scale * (-1.7580993408473769 + 1.7580993408473769 * rate)
    assert values[counts.argmax()] == pytest.approx(dropped, rel=1e-6)


def test_one_draw_of_alpha_dropout_serves_the_axes_where_noise_shape_has_1():
    y = layers.AlphaDropout(0.5, (None, 1, 4), seed=1)(np.zeros((30, 5, 4)), training=True).numpy()
    assert (y == y[:, :1]).all() and len(np.unique(y)) == 2
    with pytest.raises(ValueError, match=r"noise_shape to fit inputs of shape \(30, 5, 4\), got"):
        layers.AlphaDropout(0.5, (30, 2, 4))(np.zeros((30, 5, 4)), training=True)


def test_values_share_a_draw_along_axes_of_size_1_of_noise_shape():
    layer = layers.Dropout(0.25, noise_shape=(None, 1, 50), seed=1)
    y = layer(np.ones((100, 3, 50)), training=True).numpy()
    assert (y == y[:, :1]).all() and set(np.unique(y)) == {0.0, np.float32(1 / 0.75)}
    assert abs((y[:, 0] == 0).mean() - 0.25) < 0.03
    with pytest.raises(ValueError, match=r"noise_shape to fit inputs of shape \(2, 3, 4\), got"):
        layer(np.ones((2, 3, 4)), training=True)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_batch_normalization_of_an_axis_is_that_of_the_last_one_moved_there(axis):
    x = np.random.default_rng(0).normal(2.0, 3.0, (4, 5, 6, 3)).astype("float32")
    moved = layers.BatchNormalization(axis=axis, momentum=0.5)
    plain = layers.BatchNormalization(momentum=0.5)
    y = moved(x, training=True).numpy()
    last = plain(np.moveaxis(x, axis, -1), training=True).numpy()
    assert np.array_equal(np.moveaxis(y, axis, -1), last)
    np.testing.assert_allclose(y.mean(tuple({0, 1, 2, 3} - {axis % 4})), 0, atol=1e-5)
    assert [w.shape for w in moved.weights] == [(x.shape[axis],)] * 4
    assert np.array_equal(moved.moving_variance.numpy(), plain.moving_variance.numpy())


def test_rows_of_zeros_have_gradients_through_unit_normalization():
    x = Variable(np.zeros((2, 3)))
    with GradientTape() as tape:
        y = ops.sum(layers.UnitNormalization()(x))
    assert np.isfinite(tape.gradient(y, x).numpy()).all()


@pytest.mark.parametrize("kind", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_interpolation_keeps_constants_and_mirrors_and_lines_inside_of_the_image(kind):
    up = layers.UpSampling2D((3, 2), interpolation=kind)
    assert np.allclose(up(np.full((1, 4, 5, 2), 7.0)).numpy(), 7.0, rtol=1e-6)
    x = np.random.default_rng(0).normal(size=(2, 12, 13, 3))
    y = up(x).numpy()
    np.testing.assert_allclose(up(x[:, ::-1]).numpy(), y[:, ::-1], atol=1e-5)
    line = np.broadcast_to(np.arange(24.0)[:, None, None], (1, 24, 2, 1))
    inside = up(line).numpy()[0, 15:-15, 0, 0]
    expected = (np.arange(72) + 0.5) / 3 - 0.5
    tolerance = 1e-5 if kind.startswith("bi") else 0.02  # windowed sines are near a line
    np.testing.assert_allclose(inside, expected[15:-15], atol=tolerance)


def test_cubic_interpolation_halfway_between_pixels_is_keyss():
    x = np.zeros((1, 1, 9, 1))
    x[0, 0, 4] = 1.0
    y = layers.UpSampling2D((1, 2), interpolation="bicubic")(x).numpy().ravel()
    t = np.array([-1.75, -1.25, -0.75, -0.25])
    near = 1.5 * abs(t) ** 3 - 2.5 * t**2 + 1
    far = -0.5 * abs(t) ** 3 + 2.5 * t**2 - 4 * abs(t) + 2
    half = np.where(abs(t) < 1, near, far)
    np.testing.assert_allclose(y[5:13], [*half, *half[::-1]], atol=1e-6)
    assert not y[:4].any() and not y[14:].any()


def test_spatial_dropout_drops_whole_channels_of_a_sample():
    layer = layers.SpatialDropout2D(0.25, seed=1)
    y = layer(np.ones((100, 3, 4, 50)), training=True).numpy()
    assert (y == y[:, :1, :1]).all()
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.75)}
    assert abs((y[:, 0, 0] == 0).mean() - 0.25) < 0.03
