"""Texts as numbers of their words, under Keras 2's names."""

import collections
import hashlib
import json
import math

import numpy as np

from nnlite import names
from nnlite.checks import check_choice, check_setting, positive_int
from nnlite.errors import memory_for

__all__ = [
    "Tokenizer",
    "hashing_trick",
    "one_hot",
    "text_to_word_sequence",
    "tokenizer_from_json",
]

__getattr__ = names.of(__name__)

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
MODES = ("binary", "count", "tfidf", "freq")


def text_to_word_sequence(input_text, filters=FILTERS, lower=True, split=" "):
    """The words of a text.

    Parameters
    ----------
    input_text : str
    filters : str, default punctuation, tab and newline
        Characters that end a word.
    lower : bool, default True
        Whether words are made lower case.
    split : str, default ' '
        What stands between words.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from nnlite.preprocessing.text import text_to_word_sequence
    >>> text_to_word_sequence("No, no! It is not.")
    ['no', 'no', 'it', 'is', 'not']
    """
    check_setting("input_text", input_text, "str")
    if not isinstance(split, str) or not split:
        raise ValueError(f"split: expected a string of at least one character, got {split!r}")
    if lower:
        input_text = input_text.lower()
    words = input_text.translate(dict.fromkeys(map(ord, filters), split)).split(split)
    return [word for word in words if word]


def one_hot(input_text, n, filters=FILTERS, lower=True, split=" ", analyzer=None):
    """The words of a text as numbers that a hash function gives.

    Parameters
    ----------
    input_text : str
    n : int
        At least 2; numbers lie in [1, n). Two words may have the same.
    filters, lower, split
        As for `text_to_word_sequence`.
    analyzer : function, optional
        From a text to a list of words, in place of `text_to_word_sequence`.

    Returns
    -------
    list of int
        Another process gives the same ones.

    Examples
    --------
    >>> from nnlite.preprocessing.text import one_hot
    >>> one_hot("no it is not no", 50)
    [22, 26, 12, 36, 22]
    """
    return hashing_trick(input_text, n, None, filters, lower, split, analyzer)


def hashing_trick(
    text, n, hash_function=None, filters=FILTERS, lower=True, split=" ", analyzer=None
):
    """The words of a text as numbers that a hash function gives.

    Parameters
    ----------
    text : str
    n : int
        At least 2; numbers lie in [1, n). Two words may have the same.
    hash_function : function or 'md5', optional
        From a word to an integer; by default MD5. (Python's `hash` gives other numbers in each
        process.)
    filters, lower, split
        As for `text_to_word_sequence`.
    analyzer : function, optional
        From a text to a list of words, in place of `text_to_word_sequence`.

    Returns
    -------
    list of int

    Examples
    --------
    >>> from nnlite.preprocessing.text import hashing_trick
    >>> hashing_trick("no it is not no", 50, len)
    [3, 3, 3, 4, 3]
    """
    check_setting("n", n, "int [2, inf)")
    if hash_function is None or hash_function == "md5":
        hash_function = _md5
    elif not callable(hash_function):
        raise ValueError(f"hash_function: expected a function or 'md5', got {hash_function!r}")
    words = analyzer(text) if analyzer else text_to_word_sequence(text, filters, lower, split)
    return [hash_function(word) % (int(n) - 1) + 1 for word in words]


def _md5(word):
    return int.from_bytes(hashlib.md5(word.encode(), usedforsecurity=False).digest(), "big")


class Tokenizer:
    """Words as numbers by how frequent they are in some texts: 1 is the most frequent.

    0 is no word: `pad_sequences` fills up with it.

    Parameters
    ----------
    num_words : int, optional
        The first number that is left out: `num_words - 1` words are kept; by default all.
    filters : str, default punctuation, tab and newline
        Characters that end a word.
    lower : bool, default True
        Whether words are made lower case.
    split : str, default ' '
        What stands between words.
    char_level : bool, default False
        Whether each character is a word.
    oov_token : str, optional
        A word that stands for all others, with the number 1; by default they are left out.
    analyzer : function, optional
        From a text to a list of words. `filters`, `lower` and `split` are ignored then. JSON does
        not hold it.
    **kwargs
        `document_count`, as in `get_config`, and `nb_words`, an old name of `num_words`.

    Attributes
    ----------
    word_index, index_word : dict
        From words to their numbers, and back; all words, whatever `num_words` is.
    word_counts : OrderedDict
        How often each word occurred.
    word_docs, index_docs : dict
        In how many texts each word did, by words and by numbers.
    document_count : int
        Texts.

    Examples
    --------
    >>> from nnlite.preprocessing.text import Tokenizer
    >>> tokenizer = Tokenizer(oov_token="<OOV>")
    >>> tokenizer.fit_on_texts(["the cat sat", "the dog"])
    >>> tokenizer.word_index
    {'<OOV>': 1, 'the': 2, 'cat': 3, 'sat': 4, 'dog': 5}
    >>> tokenizer.texts_to_sequences(["The dog, the bird"])
    [[2, 5, 2, 1]]
    """

    def __init__(
        self,
        num_words=None,
        filters=FILTERS,
        lower=True,
        split=" ",
        char_level=False,
        oov_token=None,
        analyzer=None,
        **kwargs,
    ):
        num_words = kwargs.pop("nb_words", num_words)
        self.document_count = kwargs.pop("document_count", 0)
        if kwargs:
            raise TypeError(f"Tokenizer: unknown argument {next(iter(kwargs))!r}")
        self.num_words = None if num_words is None else positive_int("num_words", num_words)
        self.filters, self.lower, self.split = filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.word_counts = collections.OrderedDict()
        self.word_docs = collections.defaultdict(int)
        self.index_docs = collections.defaultdict(int)
        self.word_index, self.index_word = {}, {}

    def fit_on_texts(self, texts):
        """Count the words of some texts, beside those counted before, and number all by that.

        Parameters
        ----------
        texts : iterable of str, or of lists of str
            A list is a text whose words are known.
        """
        for words in self._texts_as_words(texts):
            self.document_count += 1
            for word, times in collections.Counter(words).items():
                self.word_counts[word] = self.word_counts.get(word, 0) + times
                self.word_docs[word] += 1
        ranked = sorted(self.word_counts, key=self.word_counts.get, reverse=True)
        first = [] if self.oov_token is None else [self.oov_token]
        ranked = [*first, *(word for word in ranked if word != self.oov_token)]
        self.word_index = {word: number for number, word in enumerate(ranked, 1)}
        self.index_word = dict(enumerate(ranked, 1))
        for word, times in self.word_docs.items():
            self.index_docs[self.word_index[word]] = times

    def fit_on_sequences(self, sequences):
        """Count in how many sequences each number occurs, for the mode 'tfidf'.

        Parameters
        ----------
        sequences : sequence of sequences of int
        """
        self.document_count += len(sequences)
        for sequence in sequences:
            for number in set(sequence):
                self.index_docs[number] += 1

    def texts_to_sequences(self, texts):
        """The numbers of the words of each text.

        Parameters
        ----------
        texts : iterable of str, or of lists of str

        Returns
        -------
        list of lists of int
        """
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts):
        """The same, one after the other.

        Parameters
        ----------
        texts : iterable of str, or of lists of str

        Yields
        ------
        list of int
        """
        other = self.word_index.get(self.oov_token)
        known = {word: n for word, n in self.word_index.items() if self._is_kept(n)}
        for words in self._texts_as_words(texts):
            numbers = (known.get(word, other) for word in words)
            yield [number for number in numbers if number is not None]

    def sequences_to_texts(self, sequences):
        """The words of numbers, with a space between them.

        Parameters
        ----------
        sequences : iterable of sequences of int

        Returns
        -------
        list of str
        """
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences):
        """The same, one after the other.

        Parameters
        ----------
        sequences : iterable of sequences of int

        Yields
        ------
        str
        """
        other = self.index_word.get(self.word_index.get(self.oov_token))
        known = {n: word for n, word in self.index_word.items() if self._is_kept(n)}
        for sequence in sequences:
            words = (known.get(number, other) for number in sequence)
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts, mode="binary"):
        """A row for each text, a column for each word.

        Parameters
        ----------
        texts : iterable of str, or of lists of str
        mode : {'binary', 'count', 'tfidf', 'freq'}, default 'binary'
            As for `sequences_to_matrix`.

        Returns
        -------
        array of float64, shape (texts, num_words)
        """
        check_choice("mode", mode, MODES)
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences, mode="binary"):
        """A row for each sequence, a column for each number.

        Parameters
        ----------
        sequences : sequence of sequences of int
        mode : {'binary', 'count', 'tfidf', 'freq'}, default 'binary'
            Whether a number occurs; how often, c; (1 + log c) log(1 + texts / (1 + texts with it));
            c by the length of the sequence.

        Returns
        -------
        array of float64, shape (sequences, num_words)
            Numbers from `num_words` on are left out; without `num_words` there is a column for
            each word, and column 0.
        """
        check_choice("mode", mode, MODES)
        columns = self.num_words or (len(self.word_index) + 1 if self.word_index else None)
        if columns is None:
            raise ValueError("num_words: expected a number, or a call of fit_on_texts before")
        if mode == "tfidf" and not self.document_count:
            raise ValueError("mode: expected a call of fit_on_texts before 'tfidf'")
        with memory_for("sequences_to_matrix", (len(sequences), columns), "float64"):
            matrix = np.zeros((len(sequences), columns))
        for row, sequence in zip(matrix, sequences):
            for number, times in collections.Counter(sequence).items():
                if number >= columns:
                    continue
                row[number] = self._value(mode, number, times, len(sequence))
        return matrix

    def get_config(self):
        """Settings, and what was counted as JSON."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            "word_counts": json.dumps(self.word_counts),
            "word_docs": json.dumps(self.word_docs),
            "index_docs": json.dumps(self.index_docs),
            "index_word": json.dumps(self.index_word),
            "word_index": json.dumps(self.word_index),
        }

    def to_json(self, **kwargs):
        """Everything but `analyzer` as JSON, which `tokenizer_from_json` reads, and Keras, too.

        Parameters
        ----------
        **kwargs
            For `json.dumps`.
        """
        config = {"class_name": type(self).__name__, "config": self.get_config()}
        return json.dumps(config, **kwargs)

    def _is_kept(self, number):
        return not self.num_words or number < self.num_words

    def _value(self, mode, number, times, length):
        if mode == "binary":
            return 1
        if mode == "count":
            return times
        if mode == "freq":
            return times / length
        texts = 1 + self.index_docs.get(number, 0)
        return (1 + math.log(times)) * math.log(1 + self.document_count / texts)

    def _texts_as_words(self, texts):
        """The words of each text; of one string, its characters are texts in Keras."""
        if isinstance(texts, (str, bytes)) and not self.char_level:
            raise ValueError(f"texts: expected a list of texts, got one: {texts[:40]!r}")
        for number, text in enumerate(texts):
            if not isinstance(text, (str, list, tuple)):
                raise ValueError(
                    f"texts: expected strings, or lists of words, got {text!r} as number {number}"
                )
            if self.char_level or not isinstance(text, str):
                yield _lowered(text) if self.lower else text
            elif self.analyzer is not None:
                yield self.analyzer(text)
            else:
                yield text_to_word_sequence(text, self.filters, self.lower, self.split)


def _lowered(text):
    return text.lower() if isinstance(text, str) else [word.lower() for word in text]


def tokenizer_from_json(json_string):
    """The Tokenizer of what its `to_json`, or that of Keras's, returned.

    Parameters
    ----------
    json_string : str

    Returns
    -------
    Tokenizer

    Raises
    ------
    ValueError
        If it is no JSON of a Tokenizer.

    Examples
    --------
    >>> from nnlite.preprocessing.text import Tokenizer, tokenizer_from_json
    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["a b a"])
    >>> tokenizer_from_json(tokenizer.to_json()).word_index
    {'a': 1, 'b': 2}
    """
    try:
        config = json.loads(json_string)["config"]
        counted = {
            name: json.loads(config.pop(name))
            for name in ("word_counts", "word_docs", "index_docs", "word_index", "index_word")
        }
        tokenizer = Tokenizer(**config)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"json_string: expected what to_json of a Tokenizer returned, got {json_string!r:.80} "
            f"({error})"
        ) from None
    tokenizer.word_counts.update(counted["word_counts"])
    tokenizer.word_docs.update(counted["word_docs"])
    tokenizer.index_docs.update((int(n), times) for n, times in counted["index_docs"].items())
    tokenizer.word_index.update(counted["word_index"])
    tokenizer.index_word.update((int(n), word) for n, word in counted["index_word"].items())
    return tokenizer
