"""Look-ups: the number of a string or an integer in a vocabulary, and the other way round."""

import itertools
import os
from collections import Counter

import numpy as np

from nnlite import config
from nnlite.errors import prefixed, reworded
from nnlite.layers.host import HostLayer, encoded, encoded_shape, integers_of
from nnlite.layers.vocabulary import (
    FILE,
    FORMER_NAMES,
    ONLY_IN_CONFIGS,
    Vocabulary,
    in_config,
    is_array,
    lines_of,
    not_supported,
    output_mode,
    refuse_path,
    salt_of,
    write_lines,
)

_OTHER = -2  # stands for the number of a token that is not in the vocabulary


class IndexLookup(HostLayer):
    """What `StringLookup` and `IntegerLookup` share: a vocabulary, learned or given.

    Parameters
    ----------
    max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, \
output_mode, sparse, pad_to_max_tokens, salt, **kwargs
        As of `StringLookup`.
    """

    _only_in_configs = ONLY_IN_CONFIGS
    _legal = {
        "max_tokens": "int [2, 2147483647]",
        "num_oov_indices": "int [0, 2147483647]",
        "invert": "bool",
        "output_mode": output_mode,
        "sparse": not_supported,
        "pad_to_max_tokens": "bool",
        "salt": salt_of,
    }

    def __init__(
        self,
        max_tokens,
        num_oov_indices,
        mask_token,
        oov_token,
        vocabulary,
        idf_weights,
        invert,
        output_mode,
        sparse,
        pad_to_max_tokens,
        salt,
        **kwargs,
    ):
        size, given = (kwargs.pop(name, None) for name in ONLY_IN_CONFIGS)
        self._frozen_size = None if vocabulary is not None else size
        super().__init__(**kwargs)
        self.max_tokens, self.num_oov_indices = max_tokens and int(max_tokens), int(num_oov_indices)
        self.mask_token, self.oov_token, self.invert = mask_token, oov_token, invert
        self.output_mode, self.sparse = FORMER_NAMES.get(output_mode, output_mode), sparse
        self.pad_to_max_tokens = pad_to_max_tokens
        self.salt = None if salt is None else salt_of("salt", salt)
        self._has_given_vocabulary = vocabulary is not None if given is None else given
        self._refuse_settings(vocabulary, idf_weights)
        self._know([], None, learned=False)
        self.reset_state()
        if vocabulary is not None:
            with prefixed(f"{type(self).__name__}: "):
                self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            self.idf_weights = np.asarray(idf_weights, config.floatx())

    def _refuse_settings(self, vocabulary, idf_weights):
        """Raise a ValueError for settings that do not go together."""
        mode, found = self.output_mode, None
        if self.pad_to_max_tokens and self.max_tokens is None:
            found = "max_tokens: expected a number beside pad_to_max_tokens=True, got None"
        elif self.invert and mode != "int":
            found = f"output_mode: expected 'int' beside invert=True, got {mode!r}"
        elif idf_weights is not None and mode != "tf_idf":
            found = f"idf_weights: expected None unless output_mode is 'tf_idf', got {mode!r}"
        elif mode == "tf_idf" and self._has_given_vocabulary and idf_weights is None:
            if vocabulary is not None:
                found = "idf_weights: expected an array beside a vocabulary and 'tf_idf', got None"
        if found:
            raise ValueError(f"{type(self).__name__}: {found}")

    # What a subclass says: tokens as keys of the table, and back.
    def _keys(self, inputs):
        """The keys of values, and the shape of these."""
        raise NotImplementedError

    def _token(self, key):
        """A token as users see it."""
        return key

    def _hashed(self, key):
        """A hash of a token that is not in the vocabulary, an int."""
        raise NotImplementedError

    def _parsed(self, lines):
        """The tokens of the lines of a file."""
        raise NotImplementedError

    @property
    def _oov_start(self):
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _token_start(self):
        return self._oov_start + self.num_oov_indices

    def _special_tokens(self):
        return [self.mask_token] * self._oov_start + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens=True):
        """The tokens, in the order of their numbers.

        Parameters
        ----------
        include_special_tokens : bool, default True
            Whether the mask and the tokens for what is not in the vocabulary stand before them; the
            place of a token is its number then.

        Returns
        -------
        list of str or int
        """
        tokens = [*map(self._token, self._vocabulary.tokens.tolist())]
        return [*self._special_tokens(), *tokens] if include_special_tokens else tokens

    def vocabulary_size(self):
        """The number of tokens, with the special ones.

        Returns
        -------
        int
        """
        return len(self._vocabulary.tokens) + self._token_start

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Take a vocabulary, in the place of the one there is.

        Parameters
        ----------
        vocabulary : list or array of tokens, or path of a text file
            Special tokens may stand before the others, in the order of `get_vocabulary`. A file has
            one token a line.
        idf_weights : array, optional
            One for each token, if `output_mode` is 'tf_idf'; else None. For special tokens that are
            left out it is the mean of the others.

        Raises
        ------
        ValueError
            For no tokens, more than `max_tokens`, one that is there twice, or a special token among
            the others.
        RuntimeError
            If it changes the size of the result of a layer that has a vocabulary.
        """
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            expected = "an array, of" if idf_weights is None else "None without"
            got = "None" if idf_weights is None else f"output_mode={self.output_mode!r}"
            raise ValueError(f"idf_weights: expected {expected} output_mode 'tf_idf', got {got}")
        if isinstance(vocabulary, (str, os.PathLike)):
            vocabulary = self._parsed(lines_of(vocabulary))
        with reworded(lambda words: words.replace("inputs: ", "vocabulary: ", 1)):
            keys, shape = self._keys(vocabulary)
        if not keys or len(shape) != 1:
            raise ValueError(f"vocabulary: expected a list of tokens, got {vocabulary!r:.100}")
        special, start = self._special_tokens(), self._token_start
        first = [*map(self._token, keys[:start])]
        has_special = first == special and start > 0
        tokens = keys[start:] if has_special else keys
        self._refuse_tokens(tokens)
        weights = None
        if idf_weights is not None:
            weights = np.asarray(idf_weights, config.floatx())
            if weights.shape != shape:
                raise ValueError(
                    f"idf_weights: expected {len(keys)} numbers, one for each token, got shape "
                    f"{weights.shape}"
                )
            weights = weights if has_special else self._padded(weights)
        self._take(tokens, weights)

    def _refuse_tokens(self, tokens):
        """Raise a ValueError for tokens that are no vocabulary."""
        if len(set(tokens)) < len(tokens):
            twice = [self._token(t) for t, n in Counter(tokens).items() if n > 1]
            raise ValueError(f"vocabulary: expected each token once, got repeated ones: {twice}")
        reserved = {
            "mask_token": self.mask_token,
            "oov_token": self.oov_token if self.invert else None,
        }
        for what, token in reserved.items():
            if token is not None and self._key(token) in tokens:
                raise ValueError(
                    f"vocabulary: expected {what}={token!r} only at the start, in this order: "
                    f"{self._special_tokens()}, or not at all, got it at another place"
                )
        size = len(tokens) + self._token_start
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"vocabulary: expected at most max_tokens={self.max_tokens} tokens with the "
                f"special ones, got {size}"
            )

    def _padded(self, weights):
        """Weights of tokens with the mean of them for special tokens before."""
        mean = weights.mean() if len(weights) else 0
        return np.concatenate([np.full(self._token_start, mean, weights.dtype), weights])

    def _take(self, tokens, weights):
        """Become the look-up of these tokens."""
        size = len(tokens) + self._token_start
        if self.output_mode != "int" and not self.pad_to_max_tokens:
            if self._frozen_size not in (None, size):
                raise RuntimeError(
                    f"layer {self.name!r}: vocabulary: expected {self._frozen_size} tokens with "
                    f"the special ones, as before: what follows was made for them, got {size}"
                )
        self._frozen_size = size
        self._know(tokens, weights)

    def _know(self, tokens, weights, learned=True):
        vocabulary = Vocabulary(tokens, self._token_start, learned)
        if self.mask_token is not None:
            mask = 0 if self.output_mode == "int" else -1
            vocabulary.numbers[self._key(self.mask_token)] = mask
        self._vocabulary, self.idf_weights = vocabulary, weights

    def _key(self, token):
        return self._keys([token])[0][0]

    def adapt(self, data, steps=None):
        """Learn the vocabulary: the most frequent tokens of some data, the most frequent first;
        of equally frequent ones the greatest first. Earlier calls have no effect on the result.

        Parameters
        ----------
        data : array, or list, or what yields batches of them
            For 'tf_idf' each row is a document.
        steps : int, optional
            The most batches to take.

        Raises
        ------
        ValueError
            If the constructor was given a vocabulary.
        """
        self.reset_state()
        if is_array(data):
            keys, shape = self._keys(data)
            self._count(keys, shape if len(shape) > 1 else (*shape, 1))
        else:
            for batch in itertools.islice(data, steps):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data):
        """Count the tokens of a batch.

        Parameters
        ----------
        data : array or list
            Of one axis it is one document.
        """
        keys, shape = self._keys(data)
        self._count(keys, shape if len(shape) > 1 else (1, len(keys)))

    def _count(self, keys, shape):
        length = len(keys) // shape[0] if shape[0] else 0
        self.count_documents(keys, [length] * shape[0])

    def count_documents(self, keys, lengths):
        """Count the tokens of some documents.

        Parameters
        ----------
        keys : list
            The tokens of all documents, one after the other.
        lengths : list of int
        """
        if self._has_given_vocabulary:
            raise ValueError(
                f"layer {self.name!r}: adapt is for a layer without a vocabulary of its own"
            )
        self._counts.update(keys)
        self._documents += len(lengths)
        if self.output_mode == "tf_idf":
            rest = iter(keys)
            for n in lengths:
                self._document_counts.update(set(itertools.islice(rest, n)))

    def finalize_state(self):
        """Make the vocabulary of what was counted."""
        for token in (self.mask_token, self.oov_token):
            if token is not None:
                self._counts.pop(self._key(token), None)
        most = None if self.max_tokens is None else max(0, self.max_tokens - self._token_start)
        ranked = sorted(self._counts.items(), key=lambda item: item[::-1], reverse=True)[:most]
        tokens, weights = [token for token, _ in ranked], None
        if self.output_mode == "tf_idf":
            found = np.array([self._document_counts[t] for t in tokens], float)
            weights = np.log(1 + self._documents / (1 + found)).astype(config.floatx())
            weights = self._padded(weights)
        self._take(tokens, weights)
        self.reset_state()

    def reset_state(self):
        """Forget what was counted."""
        self._documents = 0
        self.__dict__["_counts"], self.__dict__["_document_counts"] = Counter(), Counter()

    def _depth(self):
        size = self.max_tokens if self.pad_to_max_tokens else self._frozen_size
        if size is None:
            raise self._not_learned()
        return size

    def _not_learned(self):
        return RuntimeError(
            "vocabulary: expected one before a call: give it to the constructor, or call adapt"
        )

    def compute_output_shape(self, input_shape):
        """The shape of the result.

        Parameters
        ----------
        input_shape : tuple
        """
        return encoded_shape(tuple(input_shape), self.output_mode, self._depth)

    @property
    def _gives(self):
        return "int32" if self.output_mode == "int" else None

    def numbers_of(self, keys):
        """The number of each token.

        Parameters
        ----------
        keys : list

        Returns
        -------
        int array
            Of a token that is left out, the mask outside of 'int', -1.
        """
        if not self._vocabulary.learned:
            raise self._not_learned()
        found = map(self._vocabulary.numbers.get, keys, itertools.repeat(_OTHER))
        numbers = np.fromiter(found, np.int64, len(keys))
        others = np.flatnonzero(numbers == _OTHER)
        if self.num_oov_indices == 1:
            numbers[others] = self._oov_start
        elif self.num_oov_indices:
            hashed = [self._hashed(keys[i]) % self.num_oov_indices for i in others]
            numbers[others] = np.array(hashed, np.int64) + self._oov_start
        elif len(others):
            wrong = sorted({self._token(keys[i]) for i in others})
            raise ValueError(
                f"inputs: expected tokens of the vocabulary beside num_oov_indices=0, got {wrong}"
            )
        return numbers

    def encoded(self, numbers):
        """The result for the numbers of tokens.

        Parameters
        ----------
        numbers : int array
        """
        if self.output_mode == "int":
            return numbers.astype(np.int32)
        return encoded(numbers, self.output_mode, self._depth(), self.factors())

    def factors(self):
        """The weights by the number of a token, as many as the result has; None if counts are not
        weighted."""
        if self.output_mode != "tf_idf":
            return None
        if self.idf_weights is None:
            raise RuntimeError(
                "idf_weights: expected them before a call: call adapt or set_vocabulary"
            )
        weights = self.idf_weights
        return np.pad(weights, (0, max(0, self._depth() - len(weights))))

    def call(self, inputs):
        if self.invert:
            return self._inverted(inputs)
        keys, shape = self._keys(inputs)
        return self.encoded(self.numbers_of(keys).reshape(shape))

    def _inverted(self, inputs):
        """The tokens of numbers."""
        if not self._vocabulary.learned:
            raise self._not_learned()
        numbers, shape = integers_of(inputs)
        tokens = self.get_vocabulary()
        n = len(tokens)
        found = [tokens[i] if 0 <= i < n else self.oov_token for i in numbers]
        result = np.empty(len(found), object if self._gives == "string" else np.int64)
        result[:] = found
        return result.reshape(shape)

    def get_config(self):
        """The constructor's arguments as a dict, from which `from_config` makes an equal layer; a
        vocabulary of a file or of `adapt` is no part of it.

        Returns
        -------
        dict
        """
        return {**super().get_config(), **in_config(self, self)}

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
        return cls(**config)

    def save_own_variables(self, store):
        """Put the weights of tokens, if there are any, where a file gets them from.

        Parameters
        ----------
        store : dict of str to array
        """
        if self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store):
        """Take the weights of tokens.

        Parameters
        ----------
        store : dict of str to array
        """
        if self.output_mode == "tf_idf" and "idf_weights" in store:
            self.idf_weights = np.asarray(store["idf_weights"], config.floatx())

    def save_assets(self, folder):
        """Write the vocabulary, if the config does not say it.

        Parameters
        ----------
        folder : str
        """
        if in_config(self, self)["vocabulary"] is not None:
            return
        with prefixed(f"layer {self.name!r}: "):
            write_lines(os.path.join(folder, FILE), self.get_vocabulary())

    def load_assets(self, folder):
        """Read the vocabulary that `save_assets` wrote.

        Parameters
        ----------
        folder : str
        """
        if in_config(self, self)["vocabulary"] is not None:
            return
        tokens = self._parsed(lines_of(os.path.join(folder, FILE)))
        if len(tokens) > self._token_start:
            weights = self.idf_weights  # Keras pads them
            self.set_vocabulary(tokens, None if weights is None else weights[: len(tokens)])
