"""StringLookup and IntegerLookup: categories as numbers."""

import numbers

from nnlite.layers.fingerprints import farmhash64, siphash64
from nnlite.layers.host import integers_of, strings_of
from nnlite.layers.index_lookup import IndexLookup

_METHODS = ("floormod", "farmhash")


def token_or_none(name, value):
    """Raise a TypeError unless a setting is a string or None."""
    if not isinstance(value, (str, type(None))):
        raise TypeError(f"{name}: expected a string or None, got {value!r}")


def integer_or_none(name, value):
    """Raise a TypeError unless a setting is an integer of 64 bits or None."""
    whole = isinstance(value, numbers.Integral) and -(2**63) <= value < 2**63
    if value is not None and not whole:
        raise TypeError(f"{name}: expected an integer of 64 bits or None, got {value!r}")


class StringLookup(IndexLookup):
    """The number of each string in a vocabulary.

    Parameters
    ----------
    max_tokens : int, optional
        The most tokens, special ones included, at least 2; by default any number.
    num_oov_indices : int, default 1
        How many numbers strings share that are not in the vocabulary: with more than one, a hash
        of the string says which; with 0 they are an error.
    mask_token : str, optional
        A string that stands for nothing: number 0 of 'int', left out of the others.
    oov_token : str, default '[UNK]'
        What stands in `get_vocabulary`, and is the result of `invert`, for strings that are not in
        the vocabulary.
    vocabulary : list or array of str, or path of a text file, optional
        Instead of `adapt`.
    idf_weights : array, optional
        Of each token of `vocabulary`, for 'tf_idf'.
    invert : bool, default False
        Give the strings of numbers instead.
    output_mode : {'int', 'one_hot', 'multi_hot', 'count', 'tf_idf'}, default 'int'
        The number of each string; a vector for each with 1 at its number; one vector for a sample,
        with 1 at the numbers of its strings, or how often each is there, or that times its weight.
    pad_to_max_tokens : bool, default False
        Whether these vectors have `max_tokens` entries, however many tokens there are.
    sparse : {False}
    encoding : str, default 'utf-8'
        How bytes of the data become strings of the vocabulary.
    name : str, optional
    salt : int or pair of int, optional
        A key of the hash.
    **kwargs
        Of `Layer`: trainable, dtype, input_shape.

    Notes
    -----
    Input (..., T) of str or bytes. Output of 'int' the same shape, of int32; of 'one_hot' (..., T,
    V), without an axis T of 1; of the others (..., V), of real numbers. It runs on the data, before
    a compiled step: called on them, or first in a model.

    Raises
    ------
    ValueError, TypeError
        If a setting is out of its range, or settings do not go together.

    Examples
    --------
    >>> from nnlite import layers
    >>> layer = layers.StringLookup(vocabulary=["a", "b", "c"])
    >>> layer([["a", "c"], ["d", "b"]]).numpy()
    array([[1, 3],
           [0, 2]], dtype=int32)
    >>> layers.StringLookup(vocabulary=["a", "b", "c"], invert=True)([1, 0, 3])
    array(['a', '[UNK]', 'c'], dtype=object)
    """

    _legal = {"mask_token": token_or_none, "oov_token": token_or_none, "encoding": "str"}

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token="[UNK]",
        vocabulary=None,
        idf_weights=None,
        invert=False,
        output_mode="int",
        pad_to_max_tokens=False,
        sparse=False,
        encoding="utf-8",
        name=None,
        salt=None,
        **kwargs,
    ):
        self.__dict__["encoding"] = encoding
        kwargs.pop("oov_method", None)  # Keras's configs say it, without effect
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            salt=salt,
            name=name,
            **kwargs,
        )

    @property
    def _reads(self):
        return "int32" if self.invert else "string"

    @property
    def _gives(self):
        return "string" if self.invert else super()._gives

    def _keys(self, inputs):
        return strings_of(inputs)

    def _token(self, key):
        return key.decode(self.encoding)

    def _hashed(self, key):
        return farmhash64(key) if self.salt is None else siphash64(key, self.salt)

    def _parsed(self, lines):
        return lines


class IntegerLookup(IndexLookup):
    """The number of each integer in a vocabulary.

    Parameters
    ----------
    max_tokens, num_oov_indices, vocabulary, idf_weights, invert, output_mode, sparse, \
pad_to_max_tokens
        As of `StringLookup`, of integers.
    mask_token : int, optional
        An integer that stands for nothing: number 0 of 'int', left out of the others.
    oov_token : int, default -1
        What stands in `get_vocabulary`, and is the result of `invert`, for integers that are not in
        the vocabulary.
    vocabulary_dtype : {'int64'}
    oov_method : {'floormod', 'farmhash'}, default 'floormod'
        Which of several `num_oov_indices` an integer gets: the remainder, or by a hash.
    salt : int or pair of int, optional
        A key of the hash.
    name : str, optional
    **kwargs
        Of `Layer`: trainable, dtype, input_shape.

    Notes
    -----
    As of `StringLookup`. Integers may be any of 64 bits, in a model, too.

    Raises
    ------
    ValueError, TypeError
        If a setting is out of its range, or settings do not go together.

    Examples
    --------
    >>> from nnlite import layers
    >>> layer = layers.IntegerLookup()
    >>> layer.adapt([[12, 1138, 42], [42, 1000, 36]])
    >>> layer.get_vocabulary()
    [-1, 42, 1138, 1000, 36, 12]
    >>> layer([[42, 7]]).numpy()
    array([[1, 0]], dtype=int32)
    """

    _reads = "int32"
    _legal = {
        "mask_token": integer_or_none,
        "oov_token": integer_or_none,
        "vocabulary_dtype": ("int64",),
        "oov_method": _METHODS,
    }

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token=-1,
        vocabulary=None,
        vocabulary_dtype="int64",
        idf_weights=None,
        invert=False,
        output_mode="int",
        sparse=False,
        pad_to_max_tokens=False,
        oov_method="floormod",
        salt=None,
        name=None,
        **kwargs,
    ):
        self.__dict__.update(vocabulary_dtype=vocabulary_dtype, oov_method=oov_method)
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            salt=salt,
            name=name,
            **kwargs,
        )
        if salt is not None and oov_method != "farmhash":
            raise ValueError(
                f"IntegerLookup: salt: expected None without oov_method 'farmhash', got {salt!r}"
            )

    def _keys(self, inputs):
        return integers_of(inputs)

    def _hashed(self, key):
        if self.oov_method == "floormod":
            return key
        text = b"%d" % key
        return farmhash64(text) if self.salt is None else siphash64(text, self.salt)

    def _parsed(self, lines):
        return [*map(int, lines)]
