"""Rescaling and Normalization: exact statistics of whatever data, in whatever parts."""

import copy
import pickle

import numpy as np
import pytest
from small_models import arrays_equal, data

import nnlite as keras
from nnlite import layers
from nnlite.layers import Dense, Normalization, Rescaling

X = data((50, 4, 3)) * [1.0, 5.0, 0.1] + [0.0, -3.0, 10.0]


def adapted(x=X, **settings):
    layer = Normalization(**settings)
    layer.adapt(x)
    return layer


@pytest.mark.parametrize("axis", [-1, 1, 2, (1, 2), (2, 1), [-2], None, ()])
def test_data_have_mean_0_and_variance_1_afterwards_on_the_axes_kept(axis, real):
    y = adapted(axis=axis)(X).numpy()
    kept = () if axis is None else np.atleast_1d(axis) % 3
    over = tuple(d for d in range(3) if d not in kept)
    tolerance = 2e-5 if real == "float32" else 1e-12
    np.testing.assert_allclose(y.mean(over), 0, atol=tolerance)
    np.testing.assert_allclose(y.var(over), 1, atol=tolerance)
    expected = (X - X.mean(over, keepdims=True)) / X.std(over, keepdims=True)
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)


def test_statistics_are_those_of_all_the_data_however_they_come_in_parts(real):
    whole = adapted()
    some = np.split(X, [1, 1, 7, 40])  # one of them empty
    for parts in (some, iter(some), (keras.convert_to_tensor(p, "float64") for p in some)):
        layer = adapted(parts)
        for a, b in zip(layer.get_weights(), whole.get_weights(), strict=True):
            unit = np.finfo(real).eps
            np.testing.assert_allclose(a, b, rtol=4 * unit, atol=4 * unit)


def test_large_array_is_read_in_parts(monkeypatch):
    monkeypatch.setattr(layers.preprocessing, "_AT_ONCE", 30)  # two rows
    for a, b in zip(adapted().get_weights(), [X.mean((0, 1)), X.var((0, 1)), 0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_large_mean_and_bytes_cost_no_accuracy():
    year = 2000 + np.array([[0.0], [1.0], [2.0], [5.0]])
    assert adapted(year).adapt_variance.item() == pytest.approx(3.5, rel=1e-7)
    mean = adapted(np.full((300_000, 1), 16_777_217.0) + np.arange(300_000)[:, None] % 2)
    assert mean.adapt_variance.item() == 0.25
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3)).astype(np.uint8)
    layer = adapted(pixels)
    np.testing.assert_allclose(layer.adapt_mean.numpy(), pixels.mean((0, 1, 2)), rtol=1e-7)
    assert layer(pixels).dtype == "float32" and abs(layer(pixels).numpy().std() - 1) < 1e-5


def test_adapting_again_forgets_what_was_before():
    layer = adapted()
    layer.adapt(X * 2 + 1)
    assert arrays_equal(layer.get_weights(), adapted(X * 2 + 1).get_weights())


def test_weights_are_mean_variance_and_count_and_none_is_trained():
    layer = adapted()
    names = [(v.name.split("/")[-1], v.shape, v.dtype) for v in layer.weights]
    assert names == [
        ("mean", (3,), "float32"),
        ("variance", (3,), "float32"),
        ("count", (), "int32"),
    ]
    assert layer.trainable_weights == [] and layer.count_params() == 7
    assert layer.mean.shape == layer.variance.shape == (1, 1, 3)
    assert Normalization(mean=0.0, variance=1.0).weights == []
    assert Normalization().mean is None


def test_inverse_takes_back_what_the_layer_does():
    y = adapted()(X)
    np.testing.assert_allclose(adapted(invert=True)(y).numpy(), X, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        Normalization(mean=2.0, variance=9.0, invert=True)([[1.0]]).numpy(), [[5.0]]
    )


def test_column_that_does_not_vary_gives_0_and_nothing_is_infinite():
    layer = adapted(np.array([[1.0, 7.0], [3.0, 7.0]]))
    assert layer([[1.0, 7.0]]).numpy().tolist() == [[-1.0, 0.0]]
    assert np.isfinite(layer([[1.0, 8.0]]).numpy()).all()


def test_one_mean_for_everything_fits_vectors_and_columns():
    powers = np.array([1.0, 2.0, 3.0])
    layer = adapted(powers, axis=None)
    assert layer(powers).shape == (3,)
    model = keras.Sequential([layer, Dense(1)])
    assert model.predict(powers[:, None], verbose=0).shape == (3, 1)


def test_model_normalizes_while_training_and_otherwise_and_leaves_the_statistics_alone():
    layer = adapted(X[:, 0])
    model = keras.Sequential([layers.Input((3,)), layer, Dense(1)])
    before = layer.get_weights()
    model.compile("sgd", "mse")
    planned = model.fit(X[:, 0], X[:, 0, :1], epochs=3, verbose=0).history["loss"]
    assert planned[-1] < planned[0] and arrays_equal(layer.get_weights(), before)
    predicted = model.predict(X[:, 0], verbose=0)
    layer.adapt(X[:, 1])  # the plan made before reads the new numbers
    assert not np.allclose(model.predict(X[:, 0], verbose=0), predicted)


class Parts(keras.utils.PyDataset):
    """X in five batches."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[index * 10 : (index + 1) * 10]


class Pairs(Parts):
    def __getitem__(self, index):
        return super().__getitem__(index), np.ones(10)


@pytest.mark.parametrize(
    "given", [Parts(), Pairs(), map(Pairs().__getitem__, range(5)), [*X.reshape(5, 10, 4, 3)]]
)
def test_batches_of_a_data_set_or_a_generator_give_the_statistics_of_all_rows(given):
    layer, whole = adapted(given), adapted()
    np.testing.assert_allclose(layer.mean.numpy(), whole.mean.numpy(), rtol=1e-6)
    np.testing.assert_allclose(layer.variance.numpy(), whole.variance.numpy(), rtol=1e-6)


def test_axes_that_count_from_the_end_fit_inputs_with_more_axes_before():
    layer = adapted()
    np.testing.assert_array_equal(layer(X[None]).numpy()[0], layer(X).numpy())
    with pytest.raises(ValueError, match=r"shape \(None, 4, None\), got shape \(1, 50, 4, 3\)"):
        adapted(axis=1)(X[None])


@pytest.mark.parametrize("how", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copy_of_an_adapted_layer_is_adapted(how):
    layer = adapted()
    assert np.array_equal(how(layer)(X).numpy(), layer(X).numpy())


@pytest.mark.parametrize(
    "layer, given, error, message",
    [
        (Normalization(), [], ValueError, r"'normalization': adapt: expected data, got none"),
        (Normalization(), np.zeros((0, 3)), ValueError, r"adapt: expected data, got none"),
        (Normalization(mean=0, variance=1), X, ValueError, r"adapt is for a layer without mean"),
        (Normalization(), np.array([["a"]]), TypeError, r"arrays of numbers, got shape \(1, 1\)"),
        (Normalization(), 5, TypeError, r"expected an array or an iterable of arrays, got 5"),
        (Normalization(), np.ma.masked_less(X, 0), ValueError, r"masked ones; .*array.filled"),
        (Normalization(), [X, X[:, :, :2]], ValueError, r"\(None, None, 3\), got .*\(50, 4, 2\)"),
    ],
)
def test_data_that_cannot_be_are_refused(layer, given, error, message):
    with pytest.raises(error, match=message):
        layer.adapt(given)


def test_rescaling_computes_on_bytes_and_in_a_plan():
    pixels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    layer = Rescaling(1 / 127.5, offset=-1)
    expected = pixels / 127.5 - 1
    np.testing.assert_allclose(layer(pixels).numpy(), expected, atol=1e-6)
    model = keras.Sequential([layers.Input((8, 8, 1)), layer])
    np.testing.assert_allclose(model.predict(pixels, verbose=0), expected, atol=1e-6)
    assert model.count_params() == 0


def test_rescaling_takes_a_number_for_each_channel():
    y = Rescaling(np.array([1.0, 2.0]), [0, 1])(np.ones((2, 3, 2))).numpy()
    assert (y == [1.0, 3.0]).all()
