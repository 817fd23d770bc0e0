"""Look-up and text layers beside Keras's, of random settings and data; and files, both ways."""

import os

import numpy as np
import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", exc_type=ImportError)
tf = pytest.importorskip("tensorflow", exc_type=ImportError)
pytest.importorskip("h5py")

import nnlite  # noqa: E402
from nnlite import layers  # noqa: E402

WORDS = [
    "a",
    "b",
    "Ab",
    "a,b",
    "über",
    "Straße",
    "你好",
    "—",
    "x" * 70,
    "e\u0301",
    "'",
    "don't",
    "1",
]
SPACES = [" ", "  ", "\t", "\n", "\x0b", "\xa0", "\u3000", "\x1c"]


def texts(rng, count):
    """Random texts, some of them empty."""
    made = []
    for _ in range(count):
        words = rng.choice(WORDS, rng.integers(0, 8))
        made.append("".join(word + rng.choice(SPACES) for word in words))
    return made


def values(result):
    """A result as an array, with bytes as str."""
    found = np.asarray(result.numpy() if hasattr(result, "numpy") else result)
    return np.vectorize(lambda v: v.decode())(found) if found.dtype == object else found


def both(name, **kwargs):
    return getattr(layers, name)(**kwargs), getattr(keras.layers, name)(**kwargs)


def compared(ours, theirs, x):
    mine, given = ours(x), theirs(tf.constant(x))
    if isinstance(mine, np.ndarray):  # of strings
        assert mine.tolist() == values(given).tolist()
    else:
        np.testing.assert_allclose(mine.numpy(), values(given), rtol=1e-6)


@pytest.mark.parametrize("seed", range(60))
def test_text_vectorization(seed):
    rng = np.random.default_rng(seed)
    mode = str(rng.choice(["int", "multi_hot", "count", "tf_idf"]))
    most = [None, 4, 9, 30][rng.integers(4)]
    kwargs = {
        "output_mode": mode,
        "standardize": [None, "lower", "strip_punctuation", "lower_and_strip_punctuation"][
            rng.integers(4)
        ],
        "split": ["whitespace", "character"][rng.integers(2)],
        "ngrams": [None, 2, (1, 3), (2,)][rng.integers(4)],
        "max_tokens": most,
        "pad_to_max_tokens": bool(most and mode != "int" and rng.integers(2)),
    }
    if mode == "int":
        kwargs["output_sequence_length"] = [None, 1, 5, 40][rng.integers(4)]
    ours, theirs = both("TextVectorization", **kwargs)
    corpus = texts(rng, 30)
    ours.adapt(corpus)
    theirs.adapt(np.array(corpus))
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    compared(ours, theirs, texts(rng, 12))
    again = keras.layers.TextVectorization.from_config(ours.get_config())
    assert again.get_config().keys() == theirs.get_config().keys()


@pytest.mark.parametrize("seed", range(30))
def test_string_lookup(seed):
    rng = np.random.default_rng(seed)
    mode = str(rng.choice(["int", "one_hot", "multi_hot", "count", "tf_idf"]))
    kwargs = {
        "output_mode": mode,
        "num_oov_indices": int(rng.integers(1, 4)),
        "mask_token": [None, "", "a"][rng.integers(3)],
        "max_tokens": [None, 9][rng.integers(2)],
        "salt": [None, 3, [5, 6]][rng.integers(3)],
    }
    kwargs["pad_to_max_tokens"] = bool(kwargs["max_tokens"] and mode != "int" and rng.integers(2))
    ours, theirs = both("StringLookup", **kwargs)
    corpus = rng.choice(WORDS[:9], (6, 3)).tolist()
    ours.adapt(corpus)
    theirs.adapt(np.array(corpus))
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    x = rng.choice([*WORDS, "", "other", "new"], (4, int(rng.integers(1, 5)))).tolist()
    compared(ours, theirs, x)
    if mode == "int":
        known = {k: kwargs[k] for k in ("num_oov_indices", "mask_token")}
        known |= {"vocabulary": ours.get_vocabulary(), "invert": True}
        compared(*both("StringLookup", **known), rng.integers(0, 15, (3, 4)))


@pytest.mark.parametrize("seed", range(30))
def test_integer_lookup(seed):
    rng = np.random.default_rng(seed)
    mode = str(rng.choice(["int", "one_hot", "multi_hot", "count"]))
    kwargs = {
        "output_mode": mode,
        "num_oov_indices": int(rng.integers(1, 4)),
        "mask_token": [None, 0][rng.integers(2)],
        "oov_method": ["floormod", "farmhash"][rng.integers(2)],
        "max_tokens": [None, 9][rng.integers(2)],
    }
    ours, theirs = both("IntegerLookup", **kwargs)
    corpus = rng.integers(-5, 9, (6, 3))
    ours.adapt(corpus)
    theirs.adapt(corpus)
    assert ours.get_vocabulary() == [int(n) for n in theirs.get_vocabulary()]
    compared(ours, theirs, rng.integers(-(10**12), 10**12, (4, 3)))
    compared(ours, theirs, rng.integers(-9, 12, (4, 1)))


@pytest.mark.parametrize("seed", range(20))
def test_hashing_bins_and_categories(seed):
    rng = np.random.default_rng(seed)
    mode = str(rng.choice(["int", "one_hot", "multi_hot", "count"]))
    kwargs = {"output_mode": mode, "salt": [None, 7][rng.integers(2)]}
    hashed = both("Hashing", num_bins=5, mask_value=[None, "a"][rng.integers(2)], **kwargs)
    compared(*hashed, rng.choice(WORDS, (4, 3)).tolist())
    compared(*both("Hashing", num_bins=5, **kwargs), rng.integers(-99, 99, (4, 3)))
    x = (rng.normal(size=(40, 3)) ** 3).astype(np.float32)
    ours, theirs = both("Discretization", num_bins=int(rng.integers(2, 9)), output_mode=mode)
    ours.adapt(x)
    theirs.adapt(x)
    np.testing.assert_allclose(ours.bin_boundaries, theirs.bin_boundaries, rtol=1e-6)
    compared(ours, theirs, x)
    if mode != "int":
        pair = both("CategoryEncoding", num_tokens=6, output_mode=mode)
        compared(*pair, rng.integers(0, 6, (4, 3)))
        compared(*pair, rng.integers(0, 6, 4))


def model_of(of, mode, corpus):
    """A model of a text, an integer and two numbers."""
    text = of.Input((), dtype="string", name="text")
    number = of.Input((1,), dtype="int64", name="number")
    pair = of.Input((2,), name="pair")
    length = {"output_sequence_length": 5} if mode == "int" else {}
    first = of.layers.TextVectorization(output_mode=mode, max_tokens=9, **length)
    first.adapt(np.array(corpus))
    x = first(text)
    if mode == "int":
        x = of.layers.LSTM(3)(of.layers.Embedding(9, 4, mask_zero=True)(x))
    lookup = of.layers.IntegerLookup(vocabulary=[3, 9], num_oov_indices=2, output_mode="one_hot")
    bins = of.layers.Discretization(num_bins=3, output_mode="count")
    bins.adapt(np.arange(20.0))
    hashed = of.layers.CategoryEncoding(num_tokens=12)(of.layers.Hashing(num_bins=12)(number))
    x = of.layers.Concatenate()([x, lookup(number), bins(pair), hashed])
    return of.Model([text, number, pair], of.layers.Dense(1)(x))


@pytest.mark.parametrize("mode", ["int", "multi_hot", "count", "tf_idf"])
def test_files_go_both_ways(mode, tmp_path):
    rng = np.random.default_rng(0)
    corpus = texts(rng, 20)
    x = [np.array(corpus), rng.integers(0, 12, (20, 1)), rng.normal(size=(20, 2)).astype("f4")]
    path = tmp_path / "model.keras"

    def theirs(model):
        return model([tf.constant(corpus), tf.constant(x[1]), tf.constant(x[2])]).numpy()

    model = model_of(nnlite, mode, corpus)
    model.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(theirs(loaded), model.predict(x), rtol=1e-5, atol=1e-6)
    model = model_of(keras, mode, corpus)
    model.save(path)
    loaded = nnlite.models.load_model(path)
    np.testing.assert_allclose(loaded.predict(x), theirs(model), rtol=1e-5, atol=1e-6)
