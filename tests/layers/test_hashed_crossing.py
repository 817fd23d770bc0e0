"""HashedCrossing: bins of several categories together, alone and in models."""

import numpy as np
import pytest

import nnlite
from nnlite import layers

WORDS = np.array(["A", "B", "A", "a longer word", ""])
NUMBERS = np.array([101, 101, -1, 2**40, 0])
# Of Keras's HashedCrossing(1000) of both, and of the words twice.
BINS, OF_WORDS = [891, 754, 16, 326, 600], [228, 688, 228, 806, 373]


@pytest.mark.parametrize("of", [list, tuple, lambda x: [v.tolist() for v in x]])
def test_bins_are_keras(of):
    layer = layers.HashedCrossing(1000)
    result = layer(of([WORDS, NUMBERS]))
    assert result.dtype == "int32" and result.numpy().tolist() == BINS
    assert layer([WORDS[:, None], NUMBERS[:, None]]).numpy().ravel().tolist() == BINS
    assert layer(["A", 101]).item() == BINS[0] and layer(["A", 101]).shape == ()
    assert layer([WORDS, WORDS]).numpy().tolist() == OF_WORDS
    assert (layer([WORDS, NUMBERS, NUMBERS]).numpy() != BINS).any()


def test_vectors_of_bins():
    numbers = layers.HashedCrossing(7)([WORDS, NUMBERS]).numpy()
    layer = layers.HashedCrossing(7, output_mode="one_hot")
    for shape in ((5,), (5, 1)):
        result = layer([WORDS.reshape(shape), NUMBERS.reshape(shape)])
        assert result.dtype == "float32" and layer.compute_output_shape([shape, shape]) == (5, 7)
        np.testing.assert_array_equal(result.numpy(), np.eye(7)[numbers])
    assert layer([WORDS[0], NUMBERS[0]]).shape == (7,)
    again = layers.HashedCrossing.from_config(layer.get_config())
    np.testing.assert_array_equal(again([WORDS, NUMBERS]).numpy(), np.eye(7)[numbers])


def network(of):
    word = of.Input((1,), dtype="string", name="word")
    number = of.Input((1,), dtype="int64", name="number")
    size = of.Input((2,), name="size")
    crossed = of.layers.HashedCrossing(num_bins=9, output_mode="one_hot")([word, number])
    joined = of.layers.Concatenate()([crossed, size])
    return of.Model({"word": word, "number": number, "size": size}, of.layers.Dense(1)(joined))


def test_a_model_of_crossed_columns_is_trained_and_saved(tmp_path):
    x = {"word": WORDS[:, None], "number": NUMBERS, "size": np.ones((5, 2), np.float32)}
    model = network(nnlite)
    model.compile("adam", "mse")
    first, last = (
        model.fit(x, np.arange(5.0), verbose=0, epochs=30).history["loss"][k] for k in (0, -1)
    )
    assert last < first
    model.save(tmp_path / "m.safetensors")
    again = nnlite.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_keras_reads_files_and_gives_the_same(tmp_path):
    keras = pytest.importorskip("keras", exc_type=ImportError)
    tf = pytest.importorskip("tensorflow", exc_type=ImportError)
    found = keras.layers.HashedCrossing(1000)((WORDS, NUMBERS))
    assert np.asarray(found).tolist() == BINS
    assert np.asarray(keras.layers.HashedCrossing(1000)((WORDS, WORDS))).tolist() == OF_WORDS
    x = {"word": WORDS[:, None], "number": NUMBERS[:, None], "size": np.ones((5, 2), np.float32)}
    model = network(nnlite)
    model.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    expected = theirs({key: tf.constant(values) for key, values in x.items()}).numpy()
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)
    theirs.save(tmp_path / "theirs.keras")
    again = nnlite.models.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)


NUMBER = layers.Input((1,))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: layers.HashedCrossing(0), "num_bins: expected a positive integer, got 0"),
        (
            lambda: layers.HashedCrossing(2, "count"),
            "output_mode: expected 'int' or 'one_hot', got",
        ),
        (lambda: layers.HashedCrossing(2, dtype="float32"), "dtype: expected one of integers"),
        (
            lambda: layers.HashedCrossing(2)(WORDS),
            "expected a list of at least two inputs, got arr",
        ),
        (lambda: layers.HashedCrossing(2)([WORDS]), "expected a list of at least two inputs, got"),
        (lambda: layers.HashedCrossing(2)(NUMBER), r"at least two inputs, got shape \(None, 1\)"),
        (
            lambda: layers.HashedCrossing(2)([WORDS, [0.5]]),
            "integers or strings, got an array of f",
        ),
        (
            lambda: layers.HashedCrossing(2)([WORDS, [1]]),
            r"of one shape, .* got shapes \(5,\), \(1,",
        ),
        (
            lambda: layers.HashedCrossing(2)([[[1, 2]], [[1, 2]]]),
            r"of one shape, .* \(1, 2\), \(1,",
        ),
        (
            lambda: nnlite.Model(
                NUMBER, layers.HashedCrossing(2)([layers.Dense(1)(NUMBER), NUMBER])
            ),
            "layer 'hashed_crossing': expected inputs of the model, or the result of",
        ),
    ],
)
def test_what_is_no_crossing_is_refused(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "HashedCrossing" in str(error.value) or "hashed_crossing" in str(error.value)
