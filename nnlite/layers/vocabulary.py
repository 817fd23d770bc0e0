"""Vocabularies: tokens by number, what layers take as one, and the file that holds one."""

import contextlib
import contextvars
import itertools
import os

import numpy as np

from nnlite.checks import check_choice
from nnlite.engine.tensor import Tensor

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
FORMER_NAMES = {"binary": "multi_hot", "tf-idf": "tf_idf"}
FILE = "vocabulary.txt"
# What Keras's configs say beside the arguments of a constructor, which takes it without a word.
ONLY_IN_CONFIGS = ("vocabulary_size", "has_input_vocabulary")


def output_mode(name, value):
    """Raise a ValueError unless a setting is an output mode; returns it by its present name."""
    value = FORMER_NAMES.get(value, value) if isinstance(value, str) else value
    check_choice(name, value, MODES)
    return value


def salt_of(name, value):
    """Raise a ValueError unless a setting is a salt, an int or two; returns it as a list of two."""
    pair = list(value) if isinstance(value, (tuple, list)) else [value, value]
    if len(pair) != 2 or not all(isinstance(n, int) for n in pair):
        raise ValueError(f"{name}: expected an integer or two of them, got {value!r}")
    return pair


def not_supported(name, value):
    """Raise a ValueError unless a setting is False."""
    if value is not False:
        raise ValueError(f"{name}: expected False: tensors are dense here, got {value!r}")


class Vocabulary(dict):
    """The number of each token; that of another token is what a function says.

    Parameters
    ----------
    tokens : list of bytes or of int
    first : int
        The number of the first.
    other : function of a token
    """

    def __init__(self, tokens, first, other):
        super().__init__(zip(tokens, itertools.count(first)))
        self.tokens, self.other = np.empty(len(tokens), object), other
        self.tokens[:] = tokens

    def __missing__(self, token):
        return self.other(token)

    def __reduce__(self):
        return _vocabulary_of, (self.tokens.tolist(), dict(self), self.other)


def _vocabulary_of(tokens, numbers, other):
    found = Vocabulary(tokens, 0, other)
    found.update(numbers)
    return found


def is_array(data):
    """Whether data for `adapt` are one array, rather than batches.

    Parameters
    ----------
    data : anything
    """
    if isinstance(data, (list, tuple, str, bytes, np.ndarray, Tensor)) or hasattr(data, "shape"):
        return True
    if hasattr(data, "__array__"):
        return True
    if not hasattr(data, "__iter__"):
        raise TypeError(f"data: expected an array, a list or batches of them, got {data!r:.100}")
    return False


def refuse_path(cls, config):
    """Raise a ValueError for a config that names a file of a vocabulary.

    Parameters
    ----------
    cls : class of layer
    config : dict
    """
    if isinstance(config.get("vocabulary"), str):
        raise ValueError(
            f"{cls.__name__}: vocabulary: expected a list in a config, got the path "
            f"{config['vocabulary']!r}: a config may come from others, who have no business to "
            "name files here"
        )


_learned_too = contextvars.ContextVar("nnlite configs say learned vocabularies", default=False)


@contextlib.contextmanager
def learned_in_configs():
    """A `with` block in which configs say vocabularies that were learned, too: for files that have
    no place of their own for them."""
    token = _learned_too.set(True)
    try:
        yield
    finally:
        _learned_too.reset(token)


def in_config(layer, lookup):
    """What a config says of a vocabulary: what the constructor was given, unless that is a path.

    Parameters
    ----------
    layer : Layer
        Whose config it is.
    lookup : IndexLookup
        That has the vocabulary.

    Returns
    -------
    dict
    """
    found = {name: layer._given.get(name) for name in ("vocabulary", "idf_weights")}
    given = found["vocabulary"] is not None
    if isinstance(found["vocabulary"], (str, os.PathLike)):
        found["vocabulary"] = None
    more = {"vocabulary_size": lookup._frozen_size}
    if found["vocabulary"] is None and _learned_too.get() and len(lookup._vocabulary.tokens):
        found = {"vocabulary": lookup.get_vocabulary(), "idf_weights": lookup.idf_weights}
        more["has_input_vocabulary"] = given
    lists = {k: v if v is None else np.asarray(v).tolist() for k, v in found.items()}
    return {**lists, **more}


def lines_of(path):
    """The lines of a text file in UTF-8, without empty ones at the end.

    Parameters
    ----------
    path : str or path
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            lines = [line.removesuffix("\r") for line in file.read().split("\n")]
    except OSError as error:
        raise ValueError(
            f"vocabulary: expected the path of a text file, got {str(path)!r}: {error.strerror}"
        ) from None
    while lines and not lines[-1]:
        lines.pop()
    return lines


def write_lines(path, tokens):
    """Write one token a line.

    Parameters
    ----------
    path : str or path
    tokens : list of str or of int
    """
    lines = [str(token) for token in tokens]
    if any("\n" in line for line in lines):
        raise ValueError(
            "vocabulary: expected tokens without the end of a line, as a file has one token a line"
        )
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines))
