"""Axes of unknown length: models that say None, and what they do with data of any length."""

import pickle

import numpy as np
import pytest

import nnlite
from nnlite import layers, ops
from nnlite.engine.lengths import Length, open_shape
from nnlite.layers import GRU, LSTM, Conv2D, Dense, Embedding, Flatten, Input, MaxPooling2D

RNG = np.random.default_rng(3)


def tokens(rows, length):
    return RNG.integers(1, 20, (rows, length))


def functional(length):
    tokens = Input((length,), dtype="int32")
    states = LSTM(4, return_sequences=True)(Embedding(20, 3, mask_zero=True)(tokens))
    return nnlite.Model(tokens, Dense(2)(ops.max(states, axis=1)))


def sequential(length):
    parts = [Embedding(20, 3, mask_zero=True), LSTM(4), Dense(2)]
    return nnlite.Sequential([Input((length,), dtype="int32"), *parts])


class Subclassed(nnlite.Model):
    def __init__(self):
        super().__init__()
        self.embedding, self.rnn, self.head = Embedding(20, 3), GRU(4), Dense(2)

    def call(self, x):
        return self.head(self.rnn(self.embedding(x)))


def subclassed(length):
    model = Subclassed()
    model.build((None, length))
    return model


KINDS = pytest.mark.parametrize("kind", [functional, sequential, subclassed])


@KINDS
def test_a_model_of_any_length_learns_and_predicts_like_one_of_that_length(kind):
    any_length = kind(None)
    any_length.compile("adam", "mse")
    for length in (5, 1, 9):
        x, y = tokens(12, length), RNG.random((12, 2))
        fixed = kind(length)
        fixed.set_weights(any_length.get_weights())
        fixed.compile("adam", "mse")
        any_length.compile("adam", "mse")
        for model in (any_length, fixed):
            model.fit(x, y, batch_size=5, epochs=2, shuffle=False, verbose=0)
        for a, b in zip(any_length.get_weights(), fixed.get_weights()):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(any_length.predict(x), fixed.predict(x))
        np.testing.assert_array_equal(any_length(x).numpy(), any_length.predict(x))


@KINDS
def test_batches_of_a_generator_may_differ_in_length(kind):
    model = kind(None)
    model.compile("sgd", "mse")
    before = model.get_weights()

    def batches():
        for length in (4, 7, 4, 2):
            yield tokens(3, length), np.ones((3, 2))

    history = model.fit(batches(), verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert any((a != b).any() for a, b in zip(before, model.get_weights()))
    assert model.predict((x for x, _ in batches()), verbose=0).shape == (12, 2)


def test_results_of_different_lengths_are_not_joined():
    model = nnlite.Sequential([Input((None, 3)), LSTM(2, return_sequences=True)])
    with pytest.raises(ValueError, match=r"predict: .*\(2, 4, 2\) and \(2, 6, 2\).* one by one"):
        model.predict((np.ones((2, t, 3)) for t in (4, 6)), verbose=0)


def test_shapes_are_none_where_they_depend_on_an_unknown_length(capsys):
    x = Input((None, None, 3))
    assert x.shape == (None, None, None, 3)
    y = MaxPooling2D()(Conv2D(4, 3, strides=2)(x))
    assert y.shape == (None, None, None, 4)
    assert ops.mean(y, axis=(1, 2)).shape == (None, 4)
    assert ops.transpose(y, (0, 3, 1, 2))[:, :, 0].shape == (None, 4, None)
    assert (y * 2 + 1)[:, :5].shape == (None, 5, None, 4)
    model = nnlite.Model(x, y)
    model.predict(np.ones((2, 20, 31, 3)), verbose=0)
    assert model.output_shape == (None, None, None, 4)
    model.summary()
    assert capsys.readouterr().out.count("(None, None, None, 4)") == 2
    assert pickle.loads(pickle.dumps(model)).input_shape == (None, None, None, 3)


def test_a_subclassed_model_shows_none_in_its_layers(capsys):
    model = subclassed(None)
    model.summary()
    assert "(None, None, 3)" in capsys.readouterr().out
    assert model.input_shape == (None, None) and model.output_shape == (None, 2)


def test_windows_may_be_as_long_as_those_of_sound():
    x = Input((None, 1))
    for size in (300, 5000, 65536):
        assert layers.Conv1D(2, size)(x).shape == (None, None, 2)
    model = nnlite.Sequential([x, layers.STFTSpectrogram(frame_length=512), LSTM(2)])
    assert model.predict(np.ones((2, 1000, 1)), verbose=0).shape == (2, 2)
    assert layers.MelSpectrogram()(Input((None,))).shape == (None, 128, None)


def test_build_is_told_of_an_unknown_length():
    given = []

    class Bias(layers.Layer):
        def build(self, input_shape):
            given.append(input_shape)
            self.bias = self.add_weight((input_shape[-1],), "zeros", name="bias")

        def call(self, x):
            return x + self.bias

    Bias()(Input((None, 4)))
    assert given == [(None, None, 4)]


def test_an_input_that_only_suits_short_sequences_finds_a_length():
    class Positions(layers.Layer):
        def build(self, input_shape):
            self.table = self.add_weight((20, input_shape[-1]), name="table")

        def call(self, x):
            return x + self.table[: x.shape[1]]

    assert Positions()(Input((None, 4))).shape == (None, None, 4)


@pytest.mark.parametrize("first", [Flatten(), layers.Permute((2, 1))])
def test_a_weight_of_unknown_size_is_refused(first):
    head = Dense(3)
    with pytest.raises(ValueError, match=r"Dense.*\(None, 3\) of 'kernel'.*shape of the model's"):
        head(first(Input((None, 4))))
    assert not head.built


def test_a_weight_whose_size_depends_on_the_length_is_refused_wherever_it_is():
    class Around(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Dense(3)

        def call(self, x):
            return self.inner(ops.transpose(x[:, 1:], (0, 2, 1)))

    layer = Around()
    with pytest.raises(ValueError, match=r"not known, as in .*\(None, None, 4\).*63 features"):
        layer(Input((None, 4)))
    assert not layer.built and not layer.inner.built


def test_targets_of_any_length_are_compared_with_outputs():
    model = nnlite.Sequential([Input((None, 3)), LSTM(5, return_sequences=True)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(np.ones((4, 6, 3)), np.ones((4, 6)), verbose=0)
    with pytest.raises(ValueError, match=r"labels of shape \(4, 7\)"):
        model.fit(np.ones((4, 7, 3)), np.ones((4, 6)), verbose=0)


def test_another_rank_or_number_of_features_is_refused():
    model = nnlite.Model(x := Input((None, 3), name="steps"), LSTM(2)(x))
    for shape in [(2, 5, 4), (2, 3)]:
        with pytest.raises(ValueError, match=r"'steps' of shape \(N, None, 3\)"):
            model.predict(np.ones(shape), verbose=0)


def test_lengths_stay_marked_through_arithmetic():
    shape = (Length(64) + 1, 2 * Length(64), Length(64) // 2, 65 - Length(64), -Length(3), 5)
    assert open_shape(shape) == (None, None, None, None, None, 5)
    assert shape == (65, 128, 32, 1, -3, 5)


def test_a_shape_of_known_sizes_says_which_length_fits():
    tokens = Input((None,))
    for target, expected in (((3, 5), (3, 5)), ((7, -1), (7, None)), ((-1,), (None,))):
        assert layers.Reshape(target)(tokens).shape == (None, *expected)
    assert ops.reshape(tokens, (-1, 3, 5)).shape == (None, 3, 5)
    model = nnlite.Model(tokens, Dense(2)(layers.Reshape((3, 5))(tokens)))
    model.compile("sgd", "mse")
    x, y = RNG.random((8, 15)).astype("float32"), RNG.random((8, 3, 2))
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()
    fixed = x.reshape(8, 3, 5) @ model.get_weights()[0] + model.get_weights()[1]
    np.testing.assert_allclose(model.predict(x), fixed, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"fit target_shape \(3, 5\), got shape \(14,\)"):
        model.predict(x[:, :14])
    with pytest.raises(ValueError, match="sizes that are known"):
        Dense(2)(layers.Reshape((7, -1))(tokens))
