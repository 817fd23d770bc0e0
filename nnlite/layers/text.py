"""TextVectorization: texts as numbers of their words.

A text is bytes in UTF-8 on its way: bytes are stripped of punctuation, put in small letters and
split as Keras does it, letters and spaces of ASCII alone, by one call of C for each text."""

import itertools

import numpy as np

from nnlite.checks import check_choice, positive_int
from nnlite.errors import reworded
from nnlite.layers.host import (
    HostLayer,
    bags_of,
    encoded,
    encoded_shape,
    sequences_of,
    string_of,
    strings_of,
)
from nnlite.layers.lookup import StringLookup, encoding_of
from nnlite.layers.vocabulary import (
    ONLY_IN_CONFIGS,
    in_config,
    is_array,
    not_supported,
    output_mode,
    refuse_path,
)
from nnlite.serialization import made_from

STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
SPLIT = ("whitespace", "character")
_PUNCTUATION = b"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"


def standardize(name, value):
    """Raise a ValueError unless a setting is a way to standardize, a function or None."""
    if value is not None and not callable(value):
        check_choice(name, value, STANDARDIZE)


def split(name, value):
    """Raise a ValueError unless a setting is a way to split, a function or None."""
    if value is not None and not callable(value):
        check_choice(name, value, SPLIT)


def ngrams(name, value):
    """Raise a ValueError unless a setting is a number, several, or None; returns the lengths."""
    if value is None:
        return None
    if isinstance(value, (tuple, list)):
        return tuple(positive_int(name, n) for n in value)
    return tuple(range(1, positive_int(name, value) + 1))


class TextVectorization(HostLayer):
    """Texts as the numbers of their words, in a vocabulary that `adapt` learns.

    Each text is standardized and split into tokens, of which n-grams may be made. Tokens are looked
    up.

    Parameters
    ----------
    max_tokens : int, optional
        The most tokens of the vocabulary, special ones included, at least 2; by default any number.
    standardize : str or function, default 'lower_and_strip_punctuation'
        Or 'lower', 'strip_punctuation' or None. Of letters A to Z and the punctuation of ASCII. A
        function takes an array of str and gives one of the same shape, as `numpy.char.lower` does.
    split : str or function, default 'whitespace'
        Or 'character', as for Chinese, or None: each string is a token. A function takes an array
        of str, shape (N,), and gives a list of tokens for each.
    ngrams : int or tuple of int, optional
        Tokens that stand in a row, joined by a space, are tokens, too: 1 to `ngrams` of them, or as
        many as a tuple lists. By default only single ones.
    output_mode : {'int', 'multi_hot', 'count', 'tf_idf'}, default 'int'
        The numbers of the tokens, in order, 0 after the last; one vector for a text, with 1 at the
        numbers of its tokens, or how often each is there, or that times its weight.
    output_sequence_length : int, optional
        T: longer sequences of 'int' are cut, shorter ones padded. By default T is that of the
        longest text of a call.
    pad_to_max_tokens : bool, default False
        Whether vectors have `max_tokens` entries, however many tokens there are.
    vocabulary : list or array of str, or path of a text file, optional
        Instead of `adapt`.
    idf_weights : array, optional
        Of each token of `vocabulary`, for 'tf_idf'.
    sparse, ragged : {False}
    encoding : str, default 'utf-8'
        Of texts that are bytes.
    name : str, optional
    **kwargs
        Of `Layer`: trainable, dtype, input_shape.

    Notes
    -----
    Input (N,) or (N, 1) of str or bytes. Output (N, T) of int32, or (N, V) of real numbers. Of
    'int' token 0 is '', the padding, and 1 is '[UNK]', any that the vocabulary lacks; of vectors 0
    is '[UNK]'. An `Embedding(V, U, mask_zero=True)` after it makes the mask. It runs on the texts,
    before a compiled step: called on them, or first in a model.

    Raises
    ------
    ValueError, TypeError
        If a setting is out of its range, or settings do not go together.

    Examples
    --------
    >>> from nnlite import layers
    >>> layer = layers.TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'baz', 'bar', 'foo', 'boom', 'bada']
    >>> layer(["Foo, qux bar!", "qux baz"]).numpy()
    array([[4, 1, 3, 0],
           [1, 2, 0, 0]], dtype=int32)
    """

    _reads = "string"
    _only_in_configs = ONLY_IN_CONFIGS
    _legal = {
        "max_tokens": "int [2, 2147483647]",
        "standardize": standardize,
        "split": split,
        "ngrams": ngrams,
        "output_mode": output_mode,
        "output_sequence_length": positive_int,
        "sparse": not_supported,
        "ragged": not_supported,
        "encoding": encoding_of,
    }

    def __init__(
        self,
        max_tokens=None,
        standardize="lower_and_strip_punctuation",
        split="whitespace",
        ngrams=None,
        output_mode="int",
        output_sequence_length=None,
        pad_to_max_tokens=False,
        vocabulary=None,
        idf_weights=None,
        sparse=False,
        ragged=False,
        encoding="utf-8",
        name=None,
        **kwargs,
    ):
        size, given = (kwargs.pop(name, None) for name in ONLY_IN_CONFIGS)
        super().__init__(name=name, **kwargs)
        self.standardize, self.split, self.encoding = standardize, split, encoding
        length = output_sequence_length and int(output_sequence_length)
        self.ngrams, self.output_sequence_length = ngrams, length
        with reworded(lambda words: words.replace("StringLookup", "TextVectorization", 1)):
            self._lookup_layer = StringLookup(
                max_tokens=max_tokens,
                mask_token="",
                vocabulary=vocabulary,
                idf_weights=idf_weights,
                output_mode=output_mode,
                pad_to_max_tokens=pad_to_max_tokens,
                sparse=sparse,
                encoding=encoding,
                vocabulary_size=size,
                has_input_vocabulary=given,
            )
        self.output_mode = self._lookup_layer.output_mode
        if output_sequence_length is not None and self.output_mode != "int":
            raise ValueError(
                "TextVectorization: output_sequence_length: expected None unless output_mode is "
                f"'int', got {output_sequence_length!r} beside {self.output_mode!r}"
            )

    @property
    def _sublayers(self):
        return []  # the look-up inside has nothing of its own to train, draw or report

    @property
    def max_tokens(self):
        """The most tokens of the vocabulary, or None."""
        return self._lookup_layer.max_tokens

    @property
    def _gives(self):
        return self._lookup_layer._gives

    def adapt(self, data, batch_size=None, steps=None):
        """Learn the vocabulary: the most frequent tokens of some texts, the most frequent first; of
        equally frequent ones the greatest first. Earlier calls have no effect on the result.

        Parameters
        ----------
        data : array or list of str or bytes, or what yields batches of them
        batch_size : ignored
        steps : int, optional
            The most batches to take.

        Raises
        ------
        ValueError
            If the constructor was given a vocabulary.
        """
        self.reset_state()
        for batch in [data] if is_array(data) else itertools.islice(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data):
        """Count the tokens of some texts.

        Parameters
        ----------
        data : array or list of str or bytes
        """
        tokens, lengths, _ = self._tokens(data)
        self._lookup_layer.count_documents(tokens, lengths)

    def finalize_state(self):
        """Make the vocabulary of what was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self):
        """Forget what was counted."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens=True):
        """The tokens, in the order of their numbers.

        Parameters
        ----------
        include_special_tokens : bool, default True
            Whether the padding '' (of 'int') and '[UNK]' stand before them; the place of a token is
            its number then.

        Returns
        -------
        list of str
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self):
        """The number of tokens, with the special ones: the input_dim of an `Embedding`.

        Returns
        -------
        int
        """
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Take a vocabulary, in the place of the one there is; as of `StringLookup`.

        Parameters
        ----------
        vocabulary : list or array of str, or path of a text file
        idf_weights : array, optional
        """
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    def _tokens(self, inputs):
        """(tokens, how many each text has, the shape of the texts); the tokens of all texts stand
        one after the other."""
        texts, shape = self._standardized(inputs)
        if self.split is None:
            rows = [texts[i : i + shape[-1]] for i in range(0, len(texts), shape[-1] or 1)]
            return self._joined(rows, shape[:-1])
        if len(shape) > 1:
            if shape[-1] != 1:
                raise ValueError(
                    "inputs: expected texts of shape (N,) or (N, 1), or split=None, got shape "
                    f"{shape}"
                )
            shape = shape[:-1]
        if self.split == "whitespace":
            rows = [text.split() for text in texts]
        elif self.split == "character":
            decoded = (text.decode("utf-8", "replace") for text in texts)
            rows = [[c.encode() for c in text] for text in decoded]
        else:
            given = self.split(_as_array(texts, (len(texts),)))
            rows = [strings_of(row if hasattr(row, "shape") else [*row])[0] for row in given]
            if len(rows) != len(texts):
                raise ValueError(
                    f"split: expected a list of tokens for each of {len(texts)} texts, got "
                    f"{len(rows)}"
                )
        return self._joined(rows, shape)

    def _standardized(self, inputs):
        """Texts as bytes, and their shape."""
        texts, shape = strings_of(inputs, self.encoding)
        if callable(self.standardize):
            texts, found = strings_of(self.standardize(_as_array(texts, shape)))
            if found != shape:
                raise ValueError(f"standardize: expected texts of shape {shape}, got {found}")
        elif self.standardize is not None:
            dropped = _PUNCTUATION if "strip" in self.standardize else b""
            if "lower" in self.standardize:
                texts = [text.translate(None, dropped).lower() for text in texts]
            else:
                texts = [text.translate(None, dropped) for text in texts]
        return texts, shape or ((1,) if self.split is None else ())

    def _joined(self, rows, shape):
        if self.ngrams is not None:
            lengths = ngrams("ngrams", self.ngrams)
            rows = [_ngrams_of(row, lengths) for row in rows]
        return [*itertools.chain.from_iterable(rows)], [*map(len, rows)], shape

    def call(self, inputs):
        lookup = self._lookup_layer
        tokens, lengths, shape = self._tokens(inputs)
        numbers, lengths = lookup.numbers_of(tokens), np.array(lengths, int)
        depth = None if self.output_mode == "int" else lookup._depth()
        if self.output_mode in ("int", "one_hot"):
            padding = 0 if self.output_mode == "int" else 1
            rows = sequences_of(numbers + padding, lengths, self.output_sequence_length) - padding
            rows = rows.reshape(*shape, rows.shape[1])
            return rows if padding == 0 else encoded(rows, "one_hot", depth)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        bags = bags_of(rows, numbers, len(lengths), self.output_mode, depth, lookup.factors())
        return bags if len(shape) == 1 else bags.toarray().reshape(*shape, depth)

    def compute_output_shape(self, input_shape):
        """The shape of the result.

        Parameters
        ----------
        input_shape : tuple
        """
        shape = tuple(input_shape)
        if self.split is not None:
            shape = (*(shape[:-1] if len(shape) > 1 else shape), None)
        if self.output_mode == "int":
            length = self.output_sequence_length
            return shape if length is None else (*shape[:-1], length)
        return encoded_shape(shape, self.output_mode, self._lookup_layer._depth)

    def get_config(self):
        """The constructor's arguments as a dict, from which `from_config` makes an equal layer; a
        vocabulary of a file or of `adapt` is no part of it.

        Returns
        -------
        dict
        """
        return {**super().get_config(), **in_config(self, self._lookup_layer)}

    @classmethod
    def from_config(cls, config):
        """Make the layer that a config describes.

        Parameters
        ----------
        config : dict

        Raises
        ------
        ValueError
            If it names a file: a vocabulary is part of it, or of the file of a model.
        """
        refuse_path(cls, config)
        config = {k: made_from(v) if isinstance(v, dict) else v for k, v in config.items()}
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        return cls(**config)

    def save_own_variables(self, store):
        """Put the weights of tokens, if there are any, where a file gets them from.

        Parameters
        ----------
        store : dict of str to array
        """
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store):
        """Take the weights of tokens.

        Parameters
        ----------
        store : dict of str to array
        """
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, folder):
        """Write the vocabulary, if the config does not say it.

        Parameters
        ----------
        folder : str
        """
        self._lookup_layer.save_assets(folder)

    def load_assets(self, folder):
        """Read the vocabulary that `save_assets` wrote.

        Parameters
        ----------
        folder : str
        """
        self._lookup_layer.load_assets(folder)


def _as_array(texts, shape):
    """Texts as functions of users take them."""
    return np.array([*map(string_of, texts)], str).reshape(shape)


def _ngrams_of(tokens, lengths):
    """The n-grams of the tokens of a text: those of the first length, then of the next."""
    found = []
    for n in lengths:
        if n == 1:
            found += tokens
        else:
            found += map(b" ".join, zip(*(tokens[i:] for i in range(n))))
    return found
