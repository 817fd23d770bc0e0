"""Inputs and targets brought to scale inside the estimators: statistics, weights, what is left."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_iris, load_wine, make_regression

from nnlite import NNClassifier, NNRegressor, layers
from nnlite.callbacks import Callback, LearningRateScheduler
from nnlite.estimators import defaults, scaling
from nnlite.layers import BatchNormalization, Conv2D, Dense, Flatten, Normalization, Rescaling
from nnlite.models import Sequential
from nnlite.optimizers import Adam
from nnlite.optimizers.schedules import ExponentialDecay

RANDOM = np.random.RandomState(0)
WINE, KIND = load_wine(return_X_y=True)


def limited(z):
    """What smooth clipping makes of standardised values."""
    return z / np.sqrt(1 + (z / 8) ** 2)


@pytest.mark.parametrize("kind", [float, np.float32, np.int64, np.uint8])
@pytest.mark.parametrize("order", "CF")
def test_moments(kind, order):
    X = np.asarray(RANDOM.randint(0, 200, (40_000, 5)), dtype=kind, order=order)
    w = RANDOM.rand(len(X))
    for weight in (None, w):
        mean, deviation = scaling.moments(X, weight)
        expected = np.average(X.astype(float), axis=0, weights=weight)
        assert_allclose(mean, expected, rtol=1e-12)
        variance = np.average((X - expected) ** 2.0, axis=0, weights=weight)
        assert_allclose(deviation, np.sqrt(variance), rtol=1e-12)
    assert_array_equal(scaling.moments(X, w), scaling.moments(np.ascontiguousarray(X), w))


def test_a_weight_is_a_repetition():
    X, times = RANDOM.randn(50, 3), RANDOM.randint(1, 5, 50)
    weighted = scaling.moments(X, times / times.max())
    assert_allclose(weighted, scaling.moments(np.repeat(X, times, axis=0)), rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 5.0, 0.1, 1e20, 1e-300, -1e9 / 3])
def test_a_constant_column_becomes_zero(value):
    X = np.c_[np.full(1001, value), RANDOM.randn(1001)]
    _, deviation = scaling.moments(X, RANDOM.rand(1001))
    assert deviation[0] == 1 and 0.9 < deviation[1] < 1.1
    fitted = NNClassifier(epochs=3, random_state=0).fit(X, X[:, 1] > 0)
    assert np.isfinite(fitted.loss_)


def test_a_mean_far_from_zero_costs_no_digits():
    X = 1e9 + RANDOM.randn(1000, 1)
    assert_allclose(scaling.moments(X)[1], np.std(X - 1e9), rtol=1e-6)


def test_channels_of_images_and_columns_of_sparse_rows():
    images = RANDOM.rand(10, 4, 4, 3)
    assert_allclose(scaling.moments(images)[0], images.mean((0, 1, 2)), rtol=1e-12)
    rows = np.where(RANDOM.rand(20, 3) < 0.3, RANDOM.randn(20, 3), 0)
    rows[:, 2] = 0
    mean, largest = scaling.moments(csr_array(rows))
    assert not mean.any()
    assert_array_equal(largest, [*np.abs(rows[:, :2]).max(0), 1])


def test_the_layer_standardises_and_limits():
    fitted = NNClassifier(ensemble=1, epochs=1, random_state=0).fit(WINE, KIND)
    layer = fitted.model_.layers[0]
    z = (WINE - WINE.mean(0)) / WINE.std(0)
    assert_allclose(layer(WINE).numpy(), limited(z), rtol=1e-4, atol=1e-6)
    assert not layer.weights
    assert_allclose(layer(WINE * 1e30).numpy(), 8, rtol=1e-6)
    assert np.isfinite(fitted.predict_proba(WINE * 1e30)).all()


def test_units_of_columns_do_not_matter():
    factors = 2.0 ** RANDOM.randint(-20, 20, WINE.shape[1])
    one = NNClassifier(ensemble=1, random_state=0, dtype="float64").fit(WINE, KIND)
    other = NNClassifier(ensemble=1, random_state=0, dtype="float64").fit(WINE * factors, KIND)
    assert_allclose(other.predict_proba(WINE * factors), one.predict_proba(WINE), rtol=1e-6)
    assert one.score(WINE, KIND) > 0.97


def test_units_of_targets_do_not_matter():
    X, y = make_regression(150, 4, noise=1.0, random_state=0)
    settings = {"ensemble": 1, "random_state": 0, "epochs": 20}
    one = NNRegressor(**settings).fit(X, y)
    other = NNRegressor(**settings).fit(X, 1e6 + 1024 * y)
    assert_allclose(other.predict(X), 1e6 + 1024 * one.predict(X), rtol=1e-9)
    assert_allclose(other.loss_, one.loss_, rtol=1e-6)
    both = NNRegressor(**settings).fit(X, np.c_[y, np.full(150, 7.0)])
    assert_allclose(both.predict(X)[:, 1], 7, atol=0.5)


def normalized(estimator):
    return isinstance(estimator.model_.layers[0], scaling.InputScaling)


@pytest.mark.parametrize(
    "first",
    [
        Normalization(mean=0.0, variance=2.0),
        Rescaling(0.5),
        BatchNormalization(),
    ],
)
def test_auto_leaves_a_first_layer_with_a_scale_of_its_own(first):
    def fitted(**settings):
        layers = [first, Dense(4)]
        return NNClassifier(layers, epochs=1, random_state=0, **settings).fit(WINE, KIND)

    assert not normalized(fitted()) and not normalized(fitted(normalize=False))
    assert normalized(fitted(normalize=True)) and normalized(fitted(normalize=np.True_))


def test_auto_leaves_images_and_true_scales_their_channels():
    images = RANDOM.randint(0, 256, (30, 5, 5, 2)).astype(np.uint8)
    y = np.arange(30) % 2
    layers = [Conv2D(2, 3), Flatten()]
    plain = NNClassifier(layers, epochs=1).fit(images, y)
    assert not normalized(plain)
    assert not normalized(
        NNClassifier([Conv2D(2, 3, input_shape=(5, 5, 2)), Flatten()], epochs=1).fit(
            images.reshape(30, -1), y
        )
    )
    scaled = NNClassifier(layers, epochs=1, normalize=True).fit(images, y)
    assert_allclose(scaled.model_.layers[0].input_mean, images.mean((0, 1, 2)))


def test_settings_that_are_none():
    for value in (None, "yes", 2, -1.0, [True]):
        with pytest.raises(ValueError, match="normalize: expected 'auto', True or False, got"):
            NNClassifier(normalize=value).fit(WINE, KIND)


def test_false_is_the_network_alone():
    X, y = load_iris(return_X_y=True)
    fitted = NNRegressor(ensemble=1, normalize=False, epochs=1).fit(X, y)
    assert_array_equal(fitted.predict(X), fitted.model_.predict(X)[:, 0])
    assert len(fitted.model_.layers) == 3


def test_copies_predict_the_same_bits():
    fitted = NNRegressor(epochs=2, random_state=0).fit(WINE, KIND)
    same = pickle.loads(pickle.dumps(fitted))
    assert same.predict(WINE).tobytes() == fitted.predict(WINE).tobytes()
    assert_array_equal(fitted.predict(WINE[5:9]), fitted.predict(WINE)[5:9])


# The learning rate, batches and early stopping of the defaults


class Rates(Callback):
    """Remembers the learning rate of each epoch."""

    seen = []

    def on_epoch_end(self, epoch, logs=None):
        Rates.seen.append(float(self.model.optimizer.learning_rate))


def rates(callbacks=(), **settings):
    """The rates of 4 epochs, and the estimator."""
    Rates.seen = []
    settings = {"ensemble": 1, "epochs": 4, "random_state": 0, "dtype": "float64", **settings}
    return NNClassifier(callbacks=[*callbacks, Rates()], **settings).fit(WINE, KIND), Rates.seen


def test_the_rate_falls_along_half_a_cosine_and_is_itself_again_afterwards():
    falling = 0.01 * (1 + np.cos(np.pi * np.arange(4) / 4)) / 2
    for schedule in ("auto", "cosine"):
        fitted, seen = rates(schedule=schedule, learning_rate=0.01)
        assert_allclose(seen, falling, rtol=1e-12)
        assert float(fitted.model_.optimizer.learning_rate) == 0.01
    seen.clear()
    fitted.partial_fit(WINE, KIND)
    assert seen == [0.01]
    assert rates(schedule=None, learning_rate=0.01)[1] == [0.01] * 4


def test_auto_leaves_the_rate_to_those_who_set_it():
    own = LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    expected = 0.1 / np.arange(1, 5)
    assert_allclose(rates(callbacks=[own])[1], expected, rtol=1e-12)
    assert_allclose(rates(callbacks=[own], schedule="cosine")[1], expected, rtol=1e-12)
    scheduled = Adam(ExponentialDecay(0.1, 3, 0.5))
    steps = 3 * np.arange(1, 5)  # 178 rows
    assert_allclose(rates(optimizer=scheduled)[1], 0.1 * 0.5 ** (steps / 3), rtol=1e-6)
    with pytest.raises(ValueError, match="schedule: expected 'auto' or None, as the optimizer has"):
        rates(optimizer=scheduled, schedule="cosine")
    for value in ("linear", 1, False):
        with pytest.raises(ValueError, match="schedule: expected 'auto', 'cosine' or None, got"):
            rates(schedule=value)


def test_batches_and_early_stopping_by_the_number_of_rows():
    assert [defaults.batch_rows("auto", n) for n in (5, 64, 9999, 10_000)] == [5, 64, 64, 256]
    assert [defaults.batch_rows(100.0, n) for n in (99, 20_000)] == [99, 100]
    stopping = {n: NNClassifier()._stopping(n) for n in (499, 500)}
    assert stopping[499] is None and NNClassifier(early_stopping=False)._stopping(500) is None
    assert stopping[500] == NNClassifier(early_stopping=True)._stopping(5)
    assert stopping[500].restore_best_weights


# Tokens

IDS = RANDOM.randint(0, 20, (300, 8))
LARGE_FIRST = (IDS[:, 0] > 9).astype(int)
OF_TOKENS = {
    "Embedding": lambda: [layers.Embedding(20, 6, mask_zero=True), layers.SimpleRNN(8)],
    "behind Input": lambda: [layers.Input((8,)), layers.Embedding(20, 6), layers.SimpleRNN(8)],
    "behind integers": lambda: [
        layers.Input((8,), dtype="int32"),
        layers.Embedding(20, 6),
        Flatten(),
    ],
    "behind Identity": lambda: [layers.Identity(), layers.Embedding(20, 6), Flatten()],
    "in a model": lambda: [Sequential([layers.Embedding(20, 6), layers.SimpleRNN(8)])],
}


@pytest.mark.parametrize("name", OF_TOKENS)
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32])
def test_tokens_have_no_scale(name, kind):
    X = IDS.astype(kind)
    fitted = NNClassifier(OF_TOKENS[name](), epochs=40, random_state=0).fit(X, LARGE_FIRST)
    kinds = [type(layer).__name__ for layer in fitted.model_.layers]
    assert "InputScaling" not in kinds and kinds[-1] == "Dense"
    assert fitted.score(X, LARGE_FIRST) > 0.8
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert_array_equal(fitted.predict_proba(X[7:9]), fitted.predict_proba(X)[7:9])
    expected = r"X: expected tokens for layer 'embedding', integers in \[0, 20\)"
    with pytest.raises(ValueError, match=expected):
        fitted.predict(X + kind(19))
    with pytest.raises(ValueError, match=expected):
        fitted.predict(X + 0.5)


def test_tokens_are_not_scaled_when_that_is_asked_for():
    wanted = NNClassifier(OF_TOKENS["Embedding"](), normalize=True, epochs=1)
    with pytest.raises(ValueError, match="normalize: expected 'auto' or False, as tokens have no"):
        wanted.fit(IDS, LARGE_FIRST)


def test_a_scale_of_its_own_counts_behind_input_too():
    for first in (Normalization, Rescaling, BatchNormalization):
        start = first(0.1) if first is Rescaling else first()
        fitted = NNRegressor([layers.Input((8,)), start, Dense(4)], epochs=1).fit(IDS, IDS[:, 0])
        assert "InputScaling" not in [type(layer).__name__ for layer in fitted.model_.layers]


def test_sequences_of_numbers_are_learned():
    X = RANDOM.randn(400, 6, 2).astype("float32")
    y = X[:, :, 0].sum(1) > 0
    fitted = NNClassifier([layers.GRU(8)], epochs=40, random_state=0).fit(X[:300], y[:300])
    assert fitted.score(X[300:], y[300:]) > 0.8
