"""PaddingMask, and masks that reach layers which make one themselves."""

import numpy as np
import pytest

import nnlite
from nnlite import layers

ENDED = np.array([[[1.0, 2], [np.nan, 3], [np.nan, np.nan]], [[0, 0], [0, 1], [5, 6]]], "f4")
TOKENS = np.array([[3, 0, -1], [0, 5, 6]])


def mask_of(y):
    return y.mask.numpy().astype(bool).tolist()


def test_steps_of_nan_become_0_and_do_not_count():
    y = layers.PaddingMask()(ENDED)
    expected = [[[1, 2], [0, 0], [0, 0]], [[0, 0], [0, 1], [5, 6]]]
    np.testing.assert_array_equal(y.numpy(), expected)
    assert mask_of(y) == [[True, False, False], [True, True, True]]


@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_negative_tokens_become_0_and_do_not_count(kind):
    y = layers.PaddingMask()(nnlite.ops.cast(TOKENS, kind))
    assert y.dtype == kind and y.numpy().tolist() == [[3, 0, 0], [0, 5, 6]]
    assert mask_of(y) == [[True, True, False], [True, True, True]]


def test_a_mask_of_the_input_stays_where_a_layer_makes_its_own():
    tokens = layers.PaddingMask()(TOKENS)
    assert mask_of(layers.Embedding(9, 2)(tokens)) == mask_of(tokens)
    both = layers.Embedding(9, 2, mask_zero=True)(tokens)
    assert mask_of(both) == [[True, False, False], [False, True, True]]
    series = layers.PaddingMask()(ENDED)
    assert mask_of(layers.Masking(5)(series)) == mask_of(series)
    assert mask_of(layers.Masking(0)(series)) == [[True, False, False], [False, True, True]]
    assert mask_of(layers.PaddingMask()(series)) == mask_of(series)


@pytest.mark.parametrize("length", [3, None])
@pytest.mark.parametrize("kind", ["series", "tokens"])
def test_keras_reads_it_from_a_file(tmp_path, kind, length):
    keras = pytest.importorskip("keras")
    if kind == "series":
        x, first = ENDED, [layers.Input((length, 2)), layers.PaddingMask()]
    else:
        x = TOKENS.astype("int32")
        first = [layers.Input((length,), dtype="int32"), layers.PaddingMask()]
        first += [layers.Embedding(9, 2, mask_zero=True)]
    model = nnlite.Sequential([*first, layers.LSTM(3)])
    model.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras").predict(x, verbose=0)
    np.testing.assert_allclose(theirs, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    again = nnlite.models.load_model(tmp_path / "m.keras").predict(x, verbose=0)
    np.testing.assert_array_equal(again, model.predict(x, verbose=0))
