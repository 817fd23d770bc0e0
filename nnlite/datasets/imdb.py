"""IMDB, 50,000 reviews of films, good or bad, as numbers of their words."""

import numpy as np

from nnlite.datasets.files import located
from nnlite.datasets.numbered_texts import (
    as_array,
    check_words,
    chosen,
    read_archive,
    read_words,
)

__all__ = ["get_word_index", "load_data"]

SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
MD5_OF_WORDS = "bfafd718b763782e994055a2d397834f"


def load_data(
    path="imdb.npz",
    num_words=None,
    skip_top=0,
    maxlen=None,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
):
    """Load the reviews of IMDB: 25,000 for training, 25,000 for testing, half of them good.

    The file `imdb.npz` is read from the first place that has it: the folder `imdb` in the folder
    that the environment variable NNLITE_DATA names; the cache, `nnlite/datasets` in XDG_CACHE_HOME
    (by default `~/.cache`), or Keras's; Keras's storage, from which it goes to the cache.

    Parameters
    ----------
    path : str or path, default 'imdb.npz'
        The absolute path of such a file, or its name in the cache.
    num_words : int, optional
        The first number of a word that is replaced by `oov_char`; by default none is. Frequent
        words have low numbers.
    skip_top : int, default 0
        The first number that is not replaced.
    maxlen : int, optional
        Reviews with as many words, or more, are left out.
    seed : int, default 113
        Of the order of the reviews.
    start_char : int or None, default 1
        What each review begins with.
    oov_char : int or None, default 2
        What stands for a word that is replaced; None: it is left out.
    index_from : int, default 3
        What is added to the number of each word. 0 is for padding.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Arrays of lists of int, and of labels: 1 for good.

    Raises
    ------
    ValueError
        For a setting out of range, or if `maxlen` leaves nothing.
    OSError
        If the file can neither be found nor downloaded, or is not IMDB's.

    References
    ----------
    A. Maas et al.: Learning word vectors for sentiment analysis, 2011.

    Examples
    --------
    >>> from nnlite.datasets import imdb
    >>> (x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=10_000)  # doctest: +SKIP
    >>> x_train[0][:5]  # doctest: +SKIP
    [1, 14, 22, 16, 43]
    """
    check_words(num_words, skip_top, maxlen, seed, index_from)
    x_train, y_train, x_test, y_test = read_archive(
        located(path, "imdb", "imdb.npz", SHA256), ("x_train", "x_test"), ("y_train", "y_test")
    )
    rng = np.random.RandomState(seed)
    parts = []
    for rows, labels in ((x_train, y_train), (x_test, y_test)):
        rows, labels = chosen(rows, labels, rng, maxlen, start_char, index_from)
        parts.append((as_array(rows, num_words, skip_top, oov_char), labels))
    return tuple(parts)


def get_word_index(path="imdb_word_index.json"):
    """The number of each word, from 1, before `index_from` is added.

    Parameters
    ----------
    path : str or path, default 'imdb_word_index.json'
        The absolute path of such a file, or its name in the cache. It is found as `imdb.npz` is.

    Returns
    -------
    dict of str to int

    Raises
    ------
    OSError
        If the file can neither be found nor downloaded, or is not IMDB's.

    Examples
    --------
    >>> from nnlite.datasets import imdb
    >>> imdb.get_word_index()["the"]  # doctest: +SKIP
    1
    """
    return read_words(located(path, "imdb", "imdb_word_index.json", MD5_OF_WORDS))
