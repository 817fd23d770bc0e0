"""Layers that look up strings and integers: numbers of tokens, vectors of them, vocabularies."""

import copy
import pickle
import re

import numpy as np
import pytest

import nnlite
from nnlite import layers
from nnlite.engine.lengths import fits
from nnlite.layers.fingerprints import farmhash64, siphash64

ABC = ["a", "b", "c"]
ROWS = [["a", "c", "c"], ["z", "", "b"]]


def lookup(**kwargs):
    return layers.StringLookup(**{"vocabulary": ABC, **kwargs})


def vectors(**kwargs):
    return layers.TextVectorization(**{"vocabulary": ABC, **kwargs})


# What is called, on what, and what it gives
RESULTS = {
    "unknown strings share number 0": (lookup, {}, ROWS, [[1, 3, 3], [0, 0, 2]]),
    "a mask comes first": (lookup, {"mask_token": ""}, ROWS, [[2, 4, 4], [1, 0, 3]]),
    "strings of several numbers": (
        lookup,
        {"num_oov_indices": 3},
        ["a", "x", "y", "w"],
        [3, *(farmhash64(s) % 3 for s in (b"x", b"y", b"w"))],
    ),
    "a salted hash": (
        lookup,
        {"num_oov_indices": 3, "salt": [1, 2]},
        ["x", "y"],
        [siphash64(b"x", [1, 2]) % 3, siphash64(b"y", [1, 2]) % 3],
    ),
    "one-hot": (lookup, {"output_mode": "one_hot"}, ["b", "z"], [[0, 0, 1, 0], [1, 0, 0, 0]]),
    "one-hot of columns": (lookup, {"output_mode": "one_hot"}, [["b"]], [[0, 0, 1, 0]]),
    "multi-hot": (lookup, {"output_mode": "multi_hot"}, ROWS, [[0, 1, 0, 1], [1, 0, 1, 0]]),
    "counts, of a former name": (
        lookup,
        {"output_mode": "binary"},
        ROWS,
        [[0, 1, 0, 1], [1, 0, 1, 0]],
    ),
    "counts": (lookup, {"output_mode": "count"}, ROWS, [[0, 1, 0, 2], [2, 0, 1, 0]]),
    "counts without the mask": (
        lookup,
        {"output_mode": "count", "mask_token": ""},
        ROWS,
        [[0, 1, 0, 2], [1, 0, 1, 0]],
    ),
    "counts of one sample": (lookup, {"output_mode": "count"}, ROWS[0], [0, 1, 0, 2]),
    "counts along the second of three axes": (
        lookup,
        {"output_mode": "count"},
        [[["a", "b"], ["a", "c"]]],
        [[[0, 2, 0, 0], [0, 0, 1, 1]]],
    ),
    "padded": (
        lookup,
        {"output_mode": "count", "max_tokens": 6, "pad_to_max_tokens": True},
        ROWS,
        [[0, 1, 0, 2, 0, 0], [2, 0, 1, 0, 0, 0]],
    ),
    "weighted, the first by the mean": (
        lookup,
        {"output_mode": "tf_idf", "idf_weights": [1.0, 2.0, 6.0]},
        ROWS,
        [[0, 1, 0, 12], [6, 0, 2, 0]],
    ),
    "weighted, the first given": (
        lookup,
        {"output_mode": "tf_idf", "vocabulary": ["[UNK]", *ABC], "idf_weights": [9.0, 1, 2, 6]},
        ROWS,
        [[0, 1, 0, 12], [18, 0, 2, 0]],
    ),
    "integers": (
        layers.IntegerLookup,
        {"vocabulary": [12, 36, 2**40], "num_oov_indices": 2},
        [[12, 2**40], [37, 1000]],
        [[2, 4], [1, 0]],
    ),
    "integers of whole numbers": (layers.IntegerLookup, {"vocabulary": [7, 8]}, [8.0, 9.0], [2, 0]),
    "integers by a hash": (
        layers.IntegerLookup,
        {"vocabulary": [1], "num_oov_indices": 4, "oov_method": "farmhash"},
        [100, 300, 700, 1100, 1700, 2000],
        [3, 3, 2, 2, 0, 1],
    ),
    "tokens of numbers": (
        layers.IntegerLookup,
        {"vocabulary": [12, 36], "invert": True},
        [[2, 0], [1, 9]],
        [[36, -1], [12, -1]],
    ),
    "texts": (vectors, {}, ["A, b! c?", "b z"], [[2, 3, 4], [3, 1, 0]]),
    "a column of texts": (vectors, {}, [["a b"], ["c"]], [[2, 3], [4, 0]]),
    "one text": (vectors, {}, "c a", [4, 2]),
    "bytes": (vectors, {}, np.array([b"a b", b"c"]), [[2, 3], [4, 0]]),
    "bytes of another encoding": (
        vectors,
        {"vocabulary": ["über", "café"], "encoding": "latin-1"},
        np.array(["café über".encode("latin-1"), b"cafe"]),
        [[3, 2], [1, 0]],
    ),
    "longer": (vectors, {"output_sequence_length": 4}, ["a", "b c"], [[2, 0, 0, 0], [3, 4, 0, 0]]),
    "shorter": (vectors, {"output_sequence_length": 1}, ["a b", "b c"], [[2], [3]]),
    "empty texts": (vectors, {}, ["", "  ", "!"], np.zeros((3, 0))),
    "no texts": (vectors, {"output_sequence_length": 2}, np.array([], str), np.zeros((0, 2))),
    "white space of ASCII": (vectors, {}, ["a\tb\n\x0bc\r "], [[2, 3, 4]]),
    "but no other": (vectors, {}, ["a\xa0b a\u3000b a"], [[1, 1, 2]]),
    "as it is": (vectors, {"standardize": None}, ["A b, c"], [[1, 1, 4]]),
    "small letters alone": (vectors, {"standardize": "lower"}, ["A b, c"], [[2, 1, 4]]),
    "punctuation alone": (
        vectors,
        {"standardize": "strip_punctuation"},
        ["A b, 'c'"],
        [[1, 3, 4]],
    ),
    "a function of texts": (
        vectors,
        {"standardize": lambda x: np.char.replace(x, "-", " ")},
        ["a-b", "c"],
        [[2, 3], [4, 0]],
    ),
    "characters": (
        vectors,
        {"split": "character", "vocabulary": ["你", "好", "a"]},
        ["你好a", "好!吗"],
        [[2, 3, 4], [3, 1, 0]],
    ),
    "letters with accents keep their case": (
        vectors,
        {"vocabulary": ["École", "école"]},
        ["École éCOLE"],
        [[2, 3]],
    ),
    "tokens of a function": (
        vectors,
        {"split": lambda x: [t.split("|") for t in x], "standardize": None},
        ["a|c", "b"],
        [[2, 4], [3, 0]],
    ),
    "tokens": (vectors, {"split": None}, [["a", "B"], ["z", ""]], [[2, 3], [1, 0]]),
    "up to bigrams": (
        vectors,
        {"ngrams": 2, "vocabulary": ["a", "a b", "b"]},
        ["a b a", "a"],
        [[2, 4, 2, 3, 1], [2, 0, 0, 0, 0]],
    ),
    "bigrams alone": (
        vectors,
        {"ngrams": (2,), "vocabulary": ["b a", "a b"]},
        ["a b a", "a"],
        [[3, 2], [0, 0]],
    ),
    "bags of words": (
        vectors,
        {"output_mode": "count"},
        ["a a b", "", "x"],
        [[0, 2, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]],
    ),
    "a bag of one text": (vectors, {"output_mode": "multi_hot"}, "a a b", [0, 1, 1, 0]),
    "weights of bigrams": (
        vectors,
        {"output_mode": "tf_idf", "idf_weights": [1, 2, 3], "max_tokens": 5}
        | {"pad_to_max_tokens": True, "ngrams": 2},
        ["a c c", "b"],
        [[4, 1, 0, 6, 0], [0, 0, 2, 0, 0]],
    ),
    "bins of a hash": (
        layers.Hashing,
        {"num_bins": 3, "mask_value": ""},
        [["A"], ["B"], [""], ["C"], ["D"]],
        [[1], [1], [0], [2], [2]],
    ),
    "bins of SipHash": (
        layers.Hashing,
        {"num_bins": 3, "salt": [133, 137]},
        ["A", "B", "C", "D", "E"],
        [1, 2, 1, 0, 2],
    ),
    "bins of numbers as text": (
        layers.Hashing,
        {"num_bins": 9},
        [3.7, 12],
        [farmhash64(b"3") % 9, farmhash64(b"12") % 9],
    ),
    "the bins of boundaries": (
        layers.Discretization,
        {"bin_boundaries": [0.0, 1.0]},
        [[-1.0, 0.0, 0.5], [1.0, np.inf, np.nan]],
        [[0, 1, 1], [2, 2, 2]],
    ),
    "bins of integers": (layers.Discretization, {"bin_boundaries": [0.5]}, [0, 1], [0, 1]),
    "bags of bins": (
        layers.Discretization,
        {"bin_boundaries": [0.0], "output_mode": "count"},
        [[-1.0, 2.0, 3.0]],
        [[1, 2]],
    ),
    "categories": (
        layers.CategoryEncoding,
        {"num_tokens": 3},
        [[0, 2], [1, 1]],
        [[1, 0, 1], [0, 1, 0]],
    ),
    "categories of one sample": (layers.CategoryEncoding, {"num_tokens": 3}, [0, 2], [1, 0, 1]),
    "one category": (
        layers.CategoryEncoding,
        {"num_tokens": 3, "output_mode": "one_hot"},
        [[2], [0]],
        [[0, 0, 1], [1, 0, 0]],
    ),
}


@pytest.mark.parametrize("what", RESULTS)
def test_layer_gives(what):
    cls, kwargs, inputs, expected = RESULTS[what]
    layer = cls(**kwargs)
    result = layer(inputs)
    mode = kwargs.get("output_mode", "int" if cls is not layers.CategoryEncoding else "bags")
    assert result.dtype == ("int32" if mode == "int" else "float32")
    np.testing.assert_array_equal(result.numpy(), expected)
    assert fits(result.shape, layer.compute_output_shape(np.shape(inputs)))
    copied = copy.deepcopy(layer)
    assert np.array_equal(copied(inputs).numpy(), result.numpy())
    if not any(map(callable, kwargs.values())):
        copied = pickle.loads(pickle.dumps(layer))
        assert np.array_equal(copied(inputs).numpy(), result.numpy())
        again = type(layer).from_config(layer.get_config())
        assert np.array_equal(again(inputs).numpy(), result.numpy())


def test_bins_and_strings_are_those_of_every_length():
    words = ["", "a", "word", "longer word", "x" * 20, "y" * 50, "z" * 64, "w" * 65, "q" * 200]
    words.append("你好")
    # Of Keras's Hashing(10**6), without a salt and with one.
    fast = [397263, 363939, 554880, 359655, 857348, 487699, 990872, 267776, 757425, 790313]
    keyed = [450900, 841354, 109134, 42738, 526071, 314241, 560383, 934351, 678207, 107292]
    assert layers.Hashing(10**6)(words).numpy().tolist() == fast
    assert layers.Hashing(10**6, salt=[133, 137])(words).numpy().tolist() == keyed


def test_inverse_gives_strings_as_an_array_of_objects():
    result = lookup(invert=True, mask_token="")([[2, 0], [1, 9]])
    assert result.dtype == object and result.tolist() == [["a", ""], ["[UNK]", "[UNK]"]]
    assert lookup(invert=True, oov_token="?")(np.array([0, 3])).tolist() == ["?", "c"]


# Vocabularies that are learned


TEXTS = ["b a", "b c a", "b !"]
LEARNED = {
    "the most frequent first, then the greatest": ({}, ["", "[UNK]", "b", "a", "c"]),
    "at most max_tokens": ({"max_tokens": 4}, ["", "[UNK]", "b", "a"]),
    "no padding in vectors": ({"output_mode": "count"}, ["[UNK]", "b", "a", "c"]),
    "n-grams": ({"ngrams": (2,), "max_tokens": 4}, ["", "[UNK]", "c a", "b c"]),
    "characters": ({"split": "character", "max_tokens": 5}, ["", "[UNK]", " ", "b", "a"]),
}


@pytest.mark.parametrize("what", LEARNED)
@pytest.mark.parametrize("data", ["list", "array", "column", "bytes", "batches"])
def test_vocabulary_is_learned(what, data):
    kwargs, expected = LEARNED[what]
    texts = {
        "list": TEXTS,
        "array": np.array(TEXTS),
        "column": np.array(TEXTS, object)[:, None],
        "bytes": np.array(TEXTS).astype("S"),
        "batches": iter([TEXTS[:2], np.array(TEXTS[2:])]),
    }[data]
    layer = layers.TextVectorization(**kwargs)
    layer.adapt(["other", "texts"])
    layer = layer if kwargs.get("output_mode") != "count" else layers.TextVectorization(**kwargs)
    layer.adapt(texts)
    assert layer.get_vocabulary() == expected and layer.vocabulary_size() == len(expected)
    special = 1 if kwargs.get("output_mode") else 2
    assert layer.get_vocabulary(include_special_tokens=False) == expected[special:]


def test_columns_of_pandas_are_texts():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": TEXTS})
    layer = layers.TextVectorization()
    layer.adapt(frame["text"])
    assert layer.get_vocabulary()[2:] == ["b", "a", "c"]
    assert layer(frame["text"]).numpy().tolist() == layer(frame[["text"]]).numpy().tolist()
    with pytest.raises(TypeError, match=r"expected strings, got nan at position \(1,\)"):
        layer(pandas.Series(["a", np.nan], dtype=object))


def test_steps_are_the_batches_that_adapt_takes():
    layer = layers.StringLookup()
    layer.adapt(([word] for word in "abc"), steps=2)
    assert layer.get_vocabulary() == ["[UNK]", "b", "a"]


def test_weights_are_learned_of_the_documents_that_a_token_is_in():
    documents = [["a", "a", "b"], ["a", "b", "c"], ["a", "d", "d"]]
    layer = layers.StringLookup(output_mode="tf_idf", max_tokens=4)
    layer.adapt(documents)
    assert layer.get_vocabulary() == ["[UNK]", "a", "d", "b"]
    idf = np.log(1 + 3 / (1 + np.array([3, 1, 2])))
    expected = [[0, 2, 0, 1], [1, 1, 0, 1], [0, 1, 2, 0]] * np.append(idf.mean(), idf)
    np.testing.assert_allclose(layer(documents).numpy(), expected, rtol=1e-6)
    texts = layers.TextVectorization(output_mode="tf_idf", max_tokens=4)
    texts.adapt([" ".join(words) for words in documents])
    np.testing.assert_allclose(texts(["a a b", "a b c", "a d d"]).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("num_bins, epsilon", [(4, 0.01), (10, 0.01), (3, 0.1), (1, 0.01)])
def test_bins_that_are_learned_have_equal_shares(num_bins, epsilon):
    values = np.random.default_rng(0).normal(size=(500, 4)) ** 3
    layer = layers.Discretization(num_bins=num_bins, epsilon=epsilon)
    with pytest.raises(ValueError, match="bin_boundaries: expected them before a call"):
        layer(values)
    layer.adapt(values)
    shares = np.bincount(layer(values).numpy().ravel(), minlength=num_bins) / values.size
    np.testing.assert_allclose(shares, 1 / num_bins, atol=2 * epsilon)
    layer.adapt(values[k::5] for k in range(5))
    shares = np.bincount(layer(values).numpy().ravel(), minlength=num_bins) / values.size
    np.testing.assert_allclose(shares, 1 / num_bins, atol=3 * epsilon)
    copied = layers.Discretization.from_config(layer.get_config())
    assert copied.bin_boundaries == layer.bin_boundaries


def test_vocabulary_of_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("foo\nbär\n你\n\n", encoding="utf-8")
    for given in (path, str(path)):
        layer = layers.TextVectorization(vocabulary=given)
        assert layer.get_vocabulary() == ["", "[UNK]", "foo", "bär", "你"]
    assert layer.get_config()["vocabulary"] is None
    path.write_text("5\r\n-7\r\n")
    assert layers.IntegerLookup(vocabulary=path).get_vocabulary() == [-1, 5, -7]
    with pytest.raises(ValueError, match="expected a list in a config, got the path"):
        layers.StringLookup.from_config({"vocabulary": str(path)})


def test_bytes_that_are_no_text_keep_their_numbers(tmp_path):
    given = np.array([b"\xff a", b"\xfe \xff"])
    layer = layers.TextVectorization()
    layer.adapt(given)
    assert layer(given).numpy().tolist() == [[2, 4], [3, 2]]
    other = layers.TextVectorization(vocabulary=layer.get_vocabulary())
    assert np.array_equal(other(given), layer(given))
    layer.save_assets(tmp_path)
    other = layers.TextVectorization()
    other.load_assets(tmp_path)
    assert np.array_equal(other(given), layer(given))


def test_vocabulary_of_another_layer_may_have_special_tokens():
    learned = layers.TextVectorization()
    learned.adapt(TEXTS)
    other = layers.TextVectorization(vocabulary=learned.get_vocabulary())
    assert other.get_vocabulary() == learned.get_vocabulary()
    inverse = layers.StringLookup(vocabulary=learned.get_vocabulary(), mask_token="", invert=True)
    assert inverse(learned(["b c x"])).tolist() == [["b", "c", "[UNK]"]]


# What is refused

CALLS = [
    (lambda: layers.StringLookup(max_tokens=1), "max_tokens: expected an integer in"),
    (lambda: layers.StringLookup(num_oov_indices=-1), "num_oov_indices: expected an integer in"),
    (lambda: layers.StringLookup(output_mode="hot"), "output_mode: expected 'int', 'one_hot'"),
    (lambda: layers.StringLookup(pad_to_max_tokens=True), "max_tokens: expected a number beside"),
    (lambda: lookup(invert=True, output_mode="count"), "output_mode: expected 'int' beside"),
    (lambda: layers.StringLookup(idf_weights=[1.0]), "idf_weights: expected None unless"),
    (lambda: lookup(output_mode="tf_idf"), "idf_weights: expected an array beside a vocabulary"),
    (lambda: layers.StringLookup(sparse=True), "sparse: expected False"),
    (lambda: layers.StringLookup(salt=[1, 2, 3]), "salt: expected an integer or two"),
    (lambda: layers.StringLookup(encoding="utf-99"), "encoding: expected an encoding such as"),
    (
        lambda: lookup(encoding="ascii")(np.array([b"a", b"\xe9"])),
        r"expected strings in ascii, got b'\\xe9' at position \(1,\)",
    ),
    (lambda: layers.StringLookup(mask_token=0), "mask_token: expected a string or None, got 0"),
    (lambda: layers.IntegerLookup(mask_token=""), "mask_token: expected an integer of 64"),
    (lambda: layers.IntegerLookup(salt=1), "salt: expected None without oov_method 'farmhash'"),
    (lambda: layers.IntegerLookup(vocabulary_dtype="int32"), "vocabulary_dtype: expected 'int64'"),
    (lambda: lookup(vocabulary=["a", "b", "a"]), r"repeated ones: \['a'\]"),
    (lambda: lookup(vocabulary=[]), "vocabulary: expected a list of tokens"),
    (lambda: lookup(vocabulary=[["a"]]), "vocabulary: expected a list of tokens"),
    (lambda: lookup(vocabulary=["a", 3]), "vocabulary: expected strings, got 3"),
    (lambda: layers.IntegerLookup(vocabulary=[1.5]), "vocabulary: expected integers"),
    (lambda: vectors(vocabulary=slice(3)), "vocabulary: expected strings, got slice"),
    (lambda: lookup(vocabulary="nowhere.txt"), "expected the path of a text file"),
    (lambda: lookup(max_tokens=3), "expected at most max_tokens=3 tokens .*, got 4"),
    (
        lambda: lookup(vocabulary=["a", ""], mask_token=""),
        "mask_token='' only at the start",
    ),
    (lambda: lookup(vocabulary=["a", "[UNK]"], invert=True), r"expected oov_token='\[UNK\]' only"),
    (
        lambda: lookup(output_mode="tf_idf", idf_weights=[1.0, 2.0]),
        "idf_weights: expected 3 numbers, one for each token",
    ),
    (lambda: lookup().set_vocabulary(ABC, [1, 2, 3]), "idf_weights: expected None without"),
    (lambda: lookup().adapt(["a"]), "adapt is for a layer without a vocabulary"),
    (lambda: lookup(num_oov_indices=0)(["a", "x"]), r"num_oov_indices=0, got \['x'\]"),
    (lambda: lookup()([1, 2]), "inputs: expected strings, got 1 at position"),
    (lambda: lookup()([["a"], ["b", "c"]]), r"inputs: expected strings, got \['a'\]"),
    (lambda: lookup(invert=True)(["a"]), "inputs: expected integers"),
    (lambda: layers.IntegerLookup(vocabulary=[1])([1.5]), "expected integers, got fractions"),
    (lambda: layers.IntegerLookup(vocabulary=[1])(["a"]), "inputs: expected integers"),
    (lambda: layers.TextVectorization(standardize="upper"), "standardize: expected 'lower_and"),
    (lambda: layers.TextVectorization(split="word"), "split: expected 'whitespace'"),
    (lambda: layers.TextVectorization(ngrams=0), "ngrams: expected a positive integer, got 0"),
    (lambda: layers.TextVectorization(ragged=True), "ragged: expected False"),
    (
        lambda: layers.TextVectorization(output_mode="count", output_sequence_length=3),
        "output_sequence_length: expected None unless output_mode is 'int', got 3",
    ),
    (lambda: vectors()([["a", "b"]]), r"expected texts of shape \(N,\) or \(N, 1\)"),
    (lambda: vectors()([None]), r"expected strings, got None at position \(0,\)"),
    (lambda: vectors(split=lambda x: [["a"]])(["a", "b"]), "split: expected a list of tokens"),
    (lambda: vectors(standardize=lambda x: x[:1])(["a", "b"]), "standardize: expected texts"),
    (lambda: layers.Hashing(0), "num_bins: expected a positive integer, got 0"),
    (lambda: layers.Hashing(2, dtype="float32"), "dtype: expected one of integers"),
    (lambda: layers.Hashing(2)([None]), "expected strings, got None"),
    (lambda: layers.CategoryEncoding(), "num_tokens: expected a positive integer, got None"),
    (lambda: layers.CategoryEncoding(3)([[0, 3]]), r"in \[0, 3\), got 3 at position \(0, 1\)"),
    (lambda: layers.CategoryEncoding(3)([[-1]]), r"in \[0, 3\), got -1 at position \(0, 0\)"),
    (
        lambda: layers.CategoryEncoding(3)([[1]], count_weights=[[1.0]]),
        "count_weights: expected None unless output_mode is 'count'",
    ),
    (lambda: layers.Discretization(), "expected either bin_boundaries or num_bins"),
    (lambda: layers.Discretization([1.0], 2), "expected either bin_boundaries or num_bins"),
    (lambda: layers.Discretization([1.0, 0.0]), "bin_boundaries: expected numbers in rising order"),
    (lambda: layers.Discretization([1.0]).adapt(np.ones(3)), "adapt is for a layer with num_bins"),
    (lambda: layers.Discretization(num_bins=2).adapt(np.array([])), "expected numbers, got none"),
]


@pytest.mark.parametrize("call, message", CALLS)
def test_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message) as error:
        call()
    assert re.match(r"layer '\w+'|\w+: ", str(error.value))


@pytest.mark.parametrize("mode", ["int", "count", "tf_idf"])
def test_a_call_needs_a_vocabulary(mode):
    text = layers.TextVectorization(output_mode=mode)
    copied = layers.TextVectorization(output_mode=mode)
    copied.adapt(["a"])
    for layer in (text, type(copied).from_config(copied.get_config())):
        with pytest.raises(RuntimeError, match="vocabulary: expected one before a call"):
            layer(["a"])
    with pytest.raises(RuntimeError, match="vocabulary: expected one before a call"):
        layers.IntegerLookup(invert=True)([1])
    text.adapt([""])
    assert text(["a"]).numpy().tolist() == {"int": [[1]], "count": [[1]], "tf_idf": [[0]]}[mode]


def test_vectors_keep_their_size():
    layer = layers.TextVectorization(output_mode="count")
    layer.adapt(["a b"])
    layer.adapt(["c d"])
    assert layer.get_vocabulary() == ["[UNK]", "d", "c"]
    with pytest.raises(RuntimeError, match=r"expected 3 tokens .*, got 4"):
        layer.adapt(["a b c"])
    assert layer(["d"]).numpy().tolist() == [[0, 1, 0]]


def test_weights_of_counts_are_added_up():
    layer = layers.CategoryEncoding(3, output_mode="count")
    weights = np.array([[0.5, 0.25], [1.0, 2.0]])
    result = layer([[0, 0], [1, 2]], count_weights=weights)
    assert result.numpy().tolist() == [[0.75, 0, 0], [0, 1, 2]]


def test_double_precision_is_that_of_the_vectors():
    with nnlite.config.precision("float64"):
        layer = layers.TextVectorization(output_mode="tf_idf")
        layer.adapt(TEXTS)
        assert layer(TEXTS).dtype == "float64"


@pytest.mark.parametrize("kind", [layers.StringLookup, layers.IntegerLookup])
def test_what_is_no_vocabulary_is_named_so(kind):
    for wrong in (slice(None), [None], {1: 2}, object()):
        with pytest.raises((TypeError, ValueError), match="vocabulary: "):
            kind(vocabulary=wrong)
