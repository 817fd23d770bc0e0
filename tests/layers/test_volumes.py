"""Layers of volumes, channels that come first, and SpectralNormalization, beside what every layer
does in `test_layers.py`."""

import cases_volumes
import numpy as np
import pytest
from cases_gradients import Smooth
from gradients import check_gradient
from teams import team_of

import nnlite
from nnlite import layers, ops
from nnlite.models import load_model

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 4, 3, 5, 2))
KERNEL, BACK, BIAS = (RNG.normal(size=s) for s in [(3, 2, 2, 2, 3), (3, 2, 2, 3, 2), 3])
GRADIENTS = {
    "conv": lambda v: ops.conv(v[0], v[1], 2, "same", bias=v[3], activation="tanh"),
    "conv dilated": lambda v: ops.conv(v[0], v[1], dilation_rate=(1, 2, 3), bias=v[3]),
    "conv_transpose": lambda v: ops.conv_transpose(v[0], v[2], 2, "same", (1, 0, 1), bias=v[3]),
    "max_pool": lambda v: ops.max_pool(v[0], (2, 2, 3), 1, "same"),
    "average_pool": lambda v: ops.average_pool(v[0], 3, 2, "same"),
    "adaptive_max_pool": lambda v: ops.adaptive_max_pool(v[0], (3, 2, 4)),
    "adaptive_average_pool": lambda v: ops.adaptive_average_pool(v[0], (3, 2, 4)),
    "pad_edges": lambda v: ops.pad_edges(v[0], ((1, -2), (2, 0), (0, -1))),
    "upsample": lambda v: ops.upsample(v[0], (2, 1, 3)),
    "conv, channels first": lambda v: ops.conv(
        v[0], np.ones((2, 1, 2, 4, 3)) * ops.sum(v[1]), data_format="channels_first"
    ),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_the_numerical_ones(name):
    smooth = Smooth([X, KERNEL, BACK, BIAS], wrt=(0, 1, 2, 3))
    check_gradient(lambda v: ops.sum(ops.square(GRADIENTS[name](v))), smooth)


@pytest.mark.parametrize("strides, apart", [(1, 1), (2, 1), (3, 1), (1, 2)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_transposed_convolution_is_the_transposed_matrix(strides, apart, padding):
    rng = np.random.default_rng(0)
    kernel, small = rng.normal(size=(3, 2, 4, 2, 3)), rng.normal(size=(2, 3, 4, 5, 3))
    window = {"strides": strides, "padding": padding, "dilation_rate": apart}
    with nnlite.config.precision("float64"):
        large = ops.conv_transpose(small, kernel, **window)
        other = rng.normal(size=large.shape)
        back = ops.conv(other, kernel, **window)
        assert back.shape == small.shape
        found, expected = ops.sum(large * other).item(), ops.sum(back * small).item()
    assert found == pytest.approx(expected, rel=1e-12)


def test_equal_maxima_give_the_gradient_to_the_first():
    x = nnlite.Variable(np.ones((1, 2, 2, 2, 1)))
    with nnlite.GradientTape() as tape:
        y = ops.sum(ops.max_pool(x, 2))
    assert tape.gradient(y, x).numpy().ravel().tolist() == [1.0] + [0.0] * 7


def test_nan_makes_the_windows_that_have_it_nan():
    x = np.ones((1, 5, 4, 4, 1), "float32")
    x[0, 4, 0, 0] = np.nan
    for y in (ops.conv(x, np.ones((3, 2, 2, 1, 1))), ops.max_pool(x, (3, 2, 2), 1)):
        wrong = np.isnan(y.numpy())
        assert wrong[0, 2, 0, 0, 0] and wrong.sum() == 1


def moved(x):
    """Channels from the end to the front."""
    return np.moveaxis(x, -1, 1)


@pytest.mark.parametrize("name", cases_volumes.OF_CHANNELS_FIRST)
def test_channels_first_is_the_same_layer_of_other_axes(name):
    settings, shape = cases_volumes.OF_CHANNELS_FIRST[name]
    last = getattr(layers, name)(**settings)
    first = getattr(layers, name)(data_format="channels_first", **settings)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    expected = last(x).numpy()
    first.build((None, *moved(x).shape[1:]))
    first.set_weights(last.get_weights())
    assert [w.shape for w in first.weights] == [w.shape for w in last.weights]
    found = first(moved(x)).numpy()
    expected = moved(expected) if expected.ndim > 2 else expected
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert first.compute_output_shape(moved(x).shape) == found.shape


def test_activation_over_an_axis_is_of_the_last_one_as_in_keras():
    layer = layers.Conv2D(4, 2, data_format="channels_first", activation="softmax")
    y = layer(np.ones((2, 3, 5, 6))).numpy()
    assert y.shape == (2, 4, 4, 5)
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-6)


def test_dropped_channels_may_come_first():
    layer = layers.SpatialDropout2D(0.5, data_format="channels_first", seed=1)
    y = layer(np.ones((2, 8, 3, 4)), training=True).numpy()
    assert (y == y[:, :, :1, :1]).all() and set(np.unique(y)) == {0.0, 2.0}


def test_masked_mean_of_steps_that_come_last():
    x, mask = RNG.normal(size=(2, 3, 4)), np.array([[1, 1, 0, 0], [0, 1, 1, 1]], bool)
    found = layers.GlobalAveragePooling1D(data_format="channels_first")(x, mask=mask).numpy()
    expected = [row[:, on].mean(1) for row, on in zip(x, mask)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def network(data_format=None):
    settings = {"data_format": data_format}
    return nnlite.Sequential(
        [
            layers.Input((2, 6, 8, 8) if data_format else (6, 8, 8, 2)),
            layers.Conv3D(4, 3, padding="same", activation="relu", **settings),
            layers.MaxPooling3D(2, **settings),
            layers.Conv3DTranspose(3, 2, 2, activation="elu", **settings),
            layers.AveragePooling3D(3, 2, "same", **settings),
            layers.Flatten(**settings),
            layers.Dense(3, "softmax"),
        ]
    )


def test_networks_of_volumes_train_the_same_with_channels_first_and_from_files(tmp_path):
    pytest.importorskip("h5py")
    x, y = RNG.normal(size=(24, 6, 8, 8, 2)).astype("float32"), RNG.integers(0, 3, 24)
    last, first = network(), network("channels_first")
    first.set_weights(last.get_weights())
    losses = []
    for model, inputs in ((last, x), (first, moved(x))):
        model.compile("adam", "sparse_categorical_crossentropy")
        fitted = model.fit(inputs, y, epochs=4, batch_size=8, shuffle=False, verbose=0)
        losses.append(fitted.history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
    first.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras").predict(moved(x), verbose=0)
    np.testing.assert_array_equal(again, first.predict(moved(x), verbose=0))


def test_training_has_the_same_bits_on_any_number_of_threads_and_eagerly():
    x, y = RNG.normal(size=(8, 6, 8, 8, 2)).astype("float32"), np.arange(8) % 3
    first = network().get_weights()

    def trained(**how):
        model = network()
        model.set_weights(first)
        model.compile("sgd", "sparse_categorical_crossentropy", **how)
        model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
        return model.get_weights()

    expected = trained(run_eagerly=True)
    for threads in (1, 2, 3):
        with team_of(threads):
            found = trained(n_threads=threads)
        assert all(map(np.array_equal, found, expected))


def test_spectral_normalization_brings_the_largest_singular_value_to_1():
    nnlite.utils.set_random_seed(0)
    layer = layers.SpectralNormalization(layers.Conv2D(4, 3), power_iterations=200)
    x = RNG.normal(size=(2, 5, 5, 3)).astype("float32")
    before = layer(x).numpy()
    kernel = layer.layer.kernel.numpy().reshape(-1, 4).astype("float64")
    np.testing.assert_array_equal(layer(x).numpy(), before)  # nothing changes but in training
    layer(x, training=True)
    after = layer.layer.kernel.numpy().reshape(-1, 4)
    np.testing.assert_allclose(after, kernel / np.linalg.norm(kernel, 2), rtol=1e-4)


def test_spectral_normalization_of_zeros_and_of_embeddings():
    nnlite.utils.set_random_seed(0)
    zeros = layers.SpectralNormalization(layers.Dense(2, kernel_initializer="zeros"))
    assert not zeros(np.ones((3, 4)), training=True).numpy().any()
    assert zeros.vector_u.numpy().any()
    embedding = layers.SpectralNormalization(layers.Embedding(5, 3), power_iterations=200)
    assert embedding(np.array([[0, 4]]), training=True).shape == (1, 2, 3)
    assert np.linalg.norm(embedding.layer.embeddings.numpy(), 2) == pytest.approx(1, rel=1e-2)


def test_spectral_normalization_is_part_of_training_and_of_files(tmp_path):
    pytest.importorskip("h5py")
    normalized = layers.SpectralNormalization(layers.Dense(4, "relu"), power_iterations=3)
    model = nnlite.Sequential([layers.Input((6,)), normalized, layers.Dense(1)])
    model.compile("sgd", "mse")
    x = RNG.normal(size=(32, 6))
    model.fit(x, x[:, 0], epochs=3, verbose=0)
    assert [w.name.split("/")[-1] for w in normalized.weights] == ["kernel", "vector_u", "bias"]
    assert len(normalized.trainable_weights) == 2
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
