"""Tokenizer and its functions number words as Keras 2 does, and say what is wrong."""

import json
import math

import numpy as np
import pytest

from nnlite.preprocessing import text
from nnlite.preprocessing.text import Tokenizer, text_to_word_sequence, tokenizer_from_json

TEXTS = ["The cat sat on the mat.", "A dog, a CAT!", "the end"]


def fitted(*args, texts=TEXTS, **kwargs):
    tokenizer = Tokenizer(*args, **kwargs)
    tokenizer.fit_on_texts(texts)
    return tokenizer


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("A-b, c\td\n!e",), ["a", "b", "c", "d", "e"]),
        (("Über größe 中文 naïve",), ["über", "größe", "中文", "naïve"]),
        (("A b", "", False), ["A", "b"]),
        (("one::two,three", ",", True, "::"), ["one", "two", "three"]),
        (("don't",), ["don't"]),
        (("",), []),
    ],
)
def test_words_of_a_text(given, words):
    assert text_to_word_sequence(*given) == words


def test_frequent_words_have_low_numbers_and_first_seen_ones_go_first():
    tokenizer = fitted()
    assert tokenizer.word_index == dict(zip("the cat a sat on mat dog end".split(), range(1, 9)))
    assert tokenizer.index_word == {n: w for w, n in tokenizer.word_index.items()}
    assert list(tokenizer.word_counts.items())[:2] == [("the", 3), ("cat", 2)]
    assert tokenizer.document_count == 3
    assert (tokenizer.word_docs["the"], tokenizer.index_docs[1], tokenizer.index_docs[8]) == (
        2,
        2,
        1,
    )


def test_fit_goes_on_counting():
    tokenizer = fitted()
    tokenizer.fit_on_texts(["mat mat mat"])
    assert tokenizer.word_index["mat"] == 1 and tokenizer.document_count == 4


@pytest.mark.parametrize(
    ("settings", "sequences", "texts"),
    [
        ({}, [[1, 7, 1], [2, 4]], ["the dog the", "cat sat"]),
        ({"num_words": 3}, [[1, 1], [2]], ["the the", "cat"]),
        ({"oov_token": "?"}, [[2, 8, 1, 2], [3, 5]], ["the dog ? the", "cat sat"]),
        (
            {"oov_token": "?", "num_words": 4},
            [[2, 1, 1, 2], [3, 1]],
            ["the ? ? the", "cat ?"],
        ),
    ],
)
def test_texts_become_numbers_and_numbers_texts(settings, sequences, texts):
    tokenizer = fitted(**settings)
    assert tokenizer.texts_to_sequences(["The dog bites the!", ["Cat", "sat"]]) == sequences
    assert tokenizer.sequences_to_texts(sequences) == texts


def test_characters_are_words_of_their_own_and_one_text_stands_for_its_characters():
    tokenizer = fitted(char_level=True, texts="Hello")
    assert tokenizer.word_index == {"l": 1, "h": 2, "e": 3, "o": 4}
    assert tokenizer.document_count == 5
    assert tokenizer.texts_to_sequences(["lo!"]) == [[1, 4]]


def test_analyzer_takes_the_place_of_the_filters():
    tokenizer = fitted(analyzer=lambda t: t.split("a"), texts=["xaYax"])
    assert tokenizer.word_index == {"x": 1, "Y": 2}
    assert text.one_hot("aXb", 9, analyzer=list) == text.one_hot("a X b", 9, lower=False)


def test_matrix_of_each_mode():
    tokenizer = fitted(num_words=4)
    sequences = [[1, 1, 2, 7], [], [3]]
    rows = {
        "binary": [0, 1, 1, 0],
        "count": [0, 2, 1, 0],
        "freq": [0, 2 / 4, 1 / 4, 0],
        "tfidf": [0, (1 + math.log(2)) * math.log(1 + 3 / 3), math.log(1 + 3 / 3), 0],
    }
    for mode, row in rows.items():
        matrix = tokenizer.sequences_to_matrix(sequences, mode)
        np.testing.assert_allclose(matrix[0], row, rtol=1e-15)
        assert matrix.shape == (3, 4) and not matrix[1].any() and matrix[2, 3]
    np.testing.assert_array_equal(
        fitted().texts_to_matrix(["the the bird"], "count"), [[0, 2, *[0] * 7]]
    )


def test_sequences_can_be_counted_without_texts():
    tokenizer = Tokenizer(num_words=3)
    tokenizer.fit_on_sequences([[1, 1], [1, 2]])
    matrix = tokenizer.sequences_to_matrix([[2]], "tfidf")
    np.testing.assert_allclose(matrix, [[0, 0, math.log(1 + 2 / 2)]])


def test_json_brings_everything_back():
    tokenizer = fitted(num_words=5, oov_token="?", lower=False)
    copy = tokenizer_from_json(tokenizer.to_json(indent=1))
    assert vars(copy) == vars(tokenizer)
    assert json.loads(tokenizer.to_json())["class_name"] == "Tokenizer"
    copy.fit_on_texts(["new"])
    assert copy.document_count == 4


def test_hash_is_the_same_in_every_process_and_in_keras():
    assert text.one_hot("no it is not no", 50) == [22, 26, 12, 36, 22]
    assert text.hashing_trick("no it", 50, "md5") == [22, 26]
    assert text.hashing_trick("no it", 50, len) == [3, 3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fitted(texts="one text"), "texts: expected a list of texts, got one: 'one text'"),
        (lambda: fitted(texts=["a", None]), "texts: .* got None as number 1"),
        (lambda: Tokenizer(num_words=0), "num_words: expected a positive integer, got 0"),
        (lambda: fitted().texts_to_matrix([""], "bin"), "mode: expected 'binary', .* got 'bin'"),
        (lambda: Tokenizer().texts_to_matrix(["a"]), "num_words: expected a number, or a call of"),
        (lambda: Tokenizer(9).sequences_to_matrix([[1]], "tfidf"), "mode: expected a call of fit"),
        (lambda: text.one_hot("a", 1), r"n: expected an integer in \[2, inf\), got 1"),
        (lambda: text.hashing_trick("a", 9, "sha"), "hash_function: expected a function or 'md5'"),
        (lambda: text_to_word_sequence(b"a"), "input_text: expected a string, got b'a'"),
        (lambda: text_to_word_sequence("a", split=""), "split: expected a string of at least one"),
        (lambda: tokenizer_from_json('{"a": 1}'), "json_string: expected what to_json of a Tok"),
        (lambda: tokenizer_from_json("["), "json_string: expected what to_json of a Tokenizer"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_unknown_setting_is_refused_and_an_old_one_is_known():
    with pytest.raises(TypeError, match="unknown argument 'size'"):
        Tokenizer(size=3)
    assert Tokenizer(nb_words=3).num_words == 3


def test_the_same_as_keras():
    keras = pytest.importorskip("keras.src.legacy.preprocessing.text")
    rng = np.random.default_rng(0)
    words = [f"W{n}" for n in rng.integers(0, 40, 400) ** 2 // 40]
    texts = [" ,".join(words[k : k + 8]) + "!" for k in range(0, 400, 8)]
    for settings in ({}, {"num_words": 9}, {"num_words": 9, "oov_token": "?"}, {"char_level": 1}):
        ours, theirs = Tokenizer(**settings), keras.Tokenizer(**settings)
        for tokenizer in (ours, theirs):
            tokenizer.fit_on_texts(texts[:40])
        sequences = ours.texts_to_sequences(texts)
        assert sequences == theirs.texts_to_sequences(texts)
        assert ours.sequences_to_texts(sequences) == theirs.sequences_to_texts(sequences)
        for mode in text.MODES:
            np.testing.assert_allclose(
                ours.texts_to_matrix(texts, mode), theirs.texts_to_matrix(texts, mode), rtol=1e-15
            )
        assert vars(tokenizer_from_json(theirs.to_json())) == vars(ours)
        assert keras.tokenizer_from_json(ours.to_json()).word_index == theirs.word_index
    assert text.hashing_trick("a b c", 99) == keras.hashing_trick("a b c", 99, "md5")
