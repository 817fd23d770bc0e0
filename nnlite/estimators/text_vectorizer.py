"""TextVectorizer: scikit-learn's contract around a TextVectorization layer."""

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from nnlite.errors import reworded
from nnlite.layers.host import array_of, strings_of
from nnlite.layers.text import TextVectorization
from nnlite.layers.vocabulary import is_array


class TextVectorizer(TransformerMixin, BaseEstimator):
    """Texts as the numbers of their words, or as vectors of counts: a transformer for pipelines.

    `fit` learns the vocabulary, as `layers.TextVectorization` does.

    Parameters
    ----------
    max_tokens : int, optional
        The most tokens of the vocabulary, special ones included, at least 2; by default any number.
    standardize : str or function, default 'lower_and_strip_punctuation'
        Or 'lower', 'strip_punctuation' or None; a function takes an array of str and gives another.
    split : str or function, default 'whitespace'
        Or 'character', as for Chinese, or None: each text is a token. A function takes an array of
        str, shape (N,), and gives a list of tokens for each.
    ngrams : int or tuple of int, optional
        Tokens that stand in a row, joined by a space, are tokens, too: 1 to `ngrams` of them, or as
        many as a tuple lists. By default only single ones.
    output_mode : {'int', 'multi_hot', 'count', 'tf_idf'}, default 'int'
        The numbers of the tokens, in order, 0 after the last; one vector for a text, with 1 at the
        numbers of its tokens, or how often each is there, or that times its weight.
    output_sequence_length : int, optional
        T, the length of the sequences of 'int'; by default that of the longest text of `fit`.
    pad_to_max_tokens : bool, default False
        Whether vectors have `max_tokens` entries, however many tokens there are.
    vocabulary : list or array of str, or path of a text file, optional
        Instead of a learned one.
    idf_weights : array, optional
        Of each token of `vocabulary`, for 'tf_idf'.
    sparse : bool, default False
        Whether vectors are rows of a sparse matrix, which takes less memory.
    encoding : str, default 'utf-8'
        Of texts that are bytes.

    Attributes
    ----------
    layer_ : TextVectorization
        With the vocabulary, also for a model on texts: Sequential([layer_, ...]).
    vocabulary_ : list of str
        The tokens, in the order of their numbers.
    output_sequence_length_ : int or None
        T; None of vectors.

    Notes
    -----
    The vocabulary has '', the padding, as number 0 of 'int', and '[UNK]', any token that it lacks,
    next. An `Embedding(max_tokens, U, mask_zero=True)` takes the numbers.

    Examples
    --------
    >>> from nnlite import TextVectorizer
    >>> texts = ["foo bar", "bar baz", "baz bada boom"]
    >>> TextVectorizer().fit(texts).transform(["Foo, qux bar!", "baz"])
    array([[4, 1, 3],
           [2, 0, 0]], dtype=int32)
    >>> TextVectorizer(output_mode="count").fit(texts).get_feature_names_out()[:3]
    array(['[UNK]', 'baz', 'bar'], dtype=object)
    """

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
        encoding="utf-8",
    ):
        self.max_tokens, self.standardize, self.split = max_tokens, standardize, split
        self.ngrams, self.output_mode = ngrams, output_mode
        self.output_sequence_length = output_sequence_length
        self.pad_to_max_tokens = pad_to_max_tokens
        self.vocabulary, self.idf_weights = vocabulary, idf_weights
        self.sparse, self.encoding = sparse, encoding

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def fit(self, X, y=None):
        """Learn the vocabulary.

        Parameters
        ----------
        X : array-like of str or bytes, shape (N,) or (N, 1)
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a setting is out of its range, or if X is no array of texts, or has none.
        """
        self._learn(X)
        return self

    def fit_transform(self, X, y=None):
        """`fit` and `transform` of the same texts.

        Parameters
        ----------
        X : array-like of str or bytes, shape (N,) or (N, 1)
        y : ignored

        Returns
        -------
        array or sparse matrix
            As of `transform`.
        """
        return self._vectors(self._learn(X))

    def transform(self, X):
        """The numbers of the tokens, or vectors of counts.

        Parameters
        ----------
        X : array-like of str or bytes, shape (N,) or (N, 1)

        Returns
        -------
        array, shape (N, T) of int32, or (N, V) of float32
            Or a sparse matrix (N, V).
        """
        check_is_fitted(self, "layer_")
        return self._vectors(_texts(X))

    def get_feature_names_out(self, input_features=None):
        """The names of the columns of what `transform` gives.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        array of str
            'token0', 'token1', ... of 'int'; the tokens of vectors.
        """
        check_is_fitted(self, "layer_")
        if self.output_sequence_length_ is not None:
            names = [f"token{i}" for i in range(self.output_sequence_length_)]
        else:
            names = self.vocabulary_
            unused = self.max_tokens - len(names) if self.pad_to_max_tokens else 0
            names = [*names, *(f"unused{i}" for i in range(unused))]
        return np.array(names, object)

    def _learn(self, X):
        """The texts, whose vocabulary is known now."""
        if not isinstance(self.sparse, (bool, np.bool_)):
            raise ValueError(f"sparse: expected True or False, got {self.sparse!r}")
        settings = {name: value for name, value in self.get_params().items() if name != "sparse"}
        with reworded(lambda words: words.removeprefix("TextVectorization: ")):
            layer = TextVectorization(**settings)
        texts = _texts(X)
        if self.vocabulary is None:
            layer.adapt(texts)
            if not layer.get_vocabulary(include_special_tokens=False):
                raise ValueError(f"X: expected a text with a token, got {X[:5]!r:.100}")
        length = None
        if layer.output_mode == "int":
            length = layer.output_sequence_length or max(1, layer.looked_up(texts).shape[1])
            layer.output_sequence_length = length
        self.layer_, self.output_sequence_length_ = layer, length
        self.vocabulary_ = layer.get_vocabulary()
        return texts

    def _vectors(self, texts):
        result = self.layer_.looked_up(texts)
        if isinstance(result, np.ndarray):
            return result
        if not self.sparse:
            return result.toarray()
        return csr_matrix((result.data, result.indices, result.indptr), shape=result.shape)


def _texts(X):
    """Texts as an array (N, 1), at least one."""
    if isinstance(X, (str, bytes)) or not is_array(X):
        if isinstance(X, (str, bytes)):
            raise ValueError(f"X: expected an array or list of texts, got one text, {X!r:.100}")
        X = [*X]
    array = array_of(X, object)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 1):
        raise ValueError(
            f"X: expected texts in an array of shape (N,) or (N, 1), got shape {array.shape}"
        )
    if not len(array):
        raise ValueError("X: expected at least one text, got none")
    with reworded(lambda words: words.replace("inputs: ", "X: ", 1)):
        strings_of(array)  # says which is no text
    return array.reshape(-1, 1)
