"""Reuters, 11,228 newswires about 46 topics, as numbers of their words."""

import numpy as np

from nnlite.checks import check_setting
from nnlite.datasets.files import located
from nnlite.datasets.numbered_texts import (
    as_array,
    check_words,
    chosen,
    read_archive,
    read_words,
)

__all__ = ["get_label_names", "get_word_index", "load_data"]

SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
MD5_OF_WORDS = "4d44cc38712099c9e383dc6e5f11a921"

TOPICS = """
    cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship
    cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin
    strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem
    dlr gas silver wpi hog lead
"""


def load_data(
    path="reuters.npz",
    num_words=None,
    skip_top=0,
    maxlen=None,
    test_split=0.2,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
):
    """Load the newswires of Reuters.

    The file `reuters.npz` is read from the first place that has it: the folder `reuters` in the
    folder that the environment variable NNLITE_DATA names; the cache, `nnlite/datasets` in
    XDG_CACHE_HOME (by default `~/.cache`), or Keras's; Keras's storage, from which it goes to the
    cache.

    Parameters
    ----------
    path : str or path, default 'reuters.npz'
        The absolute path of such a file, or its name in the cache.
    num_words : int, optional
        The first number of a word that is replaced by `oov_char`; by default none is. Frequent
        words have low numbers.
    skip_top : int, default 0
        The first number that is not replaced.
    maxlen : int, optional
        Newswires with as many words, or more, are left out.
    test_split : float, default 0.2
        The share for testing, in [0, 1].
    seed : int, default 113
        Of the order of the newswires.
    start_char : int or None, default 1
        What each newswire begins with.
    oov_char : int or None, default 2
        What stands for a word that is replaced; None: it is left out.
    index_from : int, default 3
        What is added to the number of each word. 0 is for padding.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Arrays of lists of int, and of labels in [0, 46).

    Raises
    ------
    ValueError
        For a setting out of range, or if `maxlen` leaves nothing.
    OSError
        If the file can neither be found nor downloaded, or is not Reuters's.

    References
    ----------
    D. Lewis: Reuters-21578 text categorization collection, 1997.

    Examples
    --------
    >>> from nnlite.datasets import reuters
    >>> (x_train, y_train), (x_test, y_test) = reuters.load_data()  # doctest: +SKIP
    >>> len(x_train), len(x_test)  # doctest: +SKIP
    (8982, 2246)
    """
    check_words(num_words, skip_top, maxlen, seed, index_from)
    check_setting("test_split", test_split, "[0, 1]")
    rows, labels = read_archive(located(path, "reuters", "reuters.npz", SHA256), ("x",), ("y",))
    rng = np.random.RandomState(seed)
    rows, labels = chosen(rows, labels, rng, maxlen, start_char, index_from)
    x, at = as_array(rows, num_words, skip_top, oov_char), int(len(rows) * (1 - test_split))
    return (x[:at], labels[:at]), (x[at:], labels[at:])


def get_word_index(path="reuters_word_index.json"):
    """The number of each word, from 1, before `index_from` is added.

    Parameters
    ----------
    path : str or path, default 'reuters_word_index.json'
        The absolute path of such a file, or its name in the cache. It is found as `reuters.npz` is.

    Returns
    -------
    dict of str to int

    Raises
    ------
    OSError
        If the file can neither be found nor downloaded, or is not Reuters's.

    Examples
    --------
    >>> from nnlite.datasets import reuters
    >>> reuters.get_word_index()["the"]  # doctest: +SKIP
    1
    """
    return read_words(located(path, "reuters", "reuters_word_index.json", MD5_OF_WORDS))


def get_label_names():
    """The topics, in the order of their labels.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from nnlite.datasets import reuters
    >>> reuters.get_label_names()[:3]
    ('cocoa', 'grain', 'veg-oil')
    """
    return tuple(TOPICS.split())
