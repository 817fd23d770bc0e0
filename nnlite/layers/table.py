"""TableEncoding: the columns of a table, numbers with gaps and categories, as what Dense reads."""

from functools import partial

import numpy as np

from nnlite import config, ops
from nnlite.checks import positive_int
from nnlite.layers import settings
from nnlite.layers.embedding import Embedding
from nnlite.layers.layer import Layer
from nnlite.layers.outer import LayerOfLayers
from nnlite.ops.numeric_encoding import joined


def _size(name, value):
    """Raise a ValueError unless a setting is an integer of at least 0."""
    settings.entries(name, [value])


def _layer_or_none(name, value):
    if value is not None and not isinstance(value, Layer):
        raise TypeError(f"{name}: expected a layer or None, got {value!r}")


class TableEncoding(LayerOfLayers):
    """The columns of a table as a network reads them: numbers without gaps, categories as vectors.

    - A gap in a column of numbers, NaN, becomes the column's center. Columns that are named in
      `gaps` get an indicator beside them: 1 where there is a gap, else 0.
    - A category is a whole number: 1, 2, ... for those that are known, 0 for any other. Two of
      them become one number: 1, -1, and 0 for any other. Up to `max_one_hot` become one number
      each: 1 for the category that it is, else 0.
    - Of more categories each has a vector of `embedding_dim` numbers that is learned. That of 0
      begins as zeros.

    Parameters
    ----------
    sizes : list of int
        For each column the number of known categories, or 0 of a column of numbers.
    gaps : list of int, default ()
        The columns of numbers that get an indicator.
    centers : float or list of float, default 0.0
        What takes the place of a gap: one number, or one for each column.
    max_one_hot : int, default 9
        Columns of more categories are embedded.
    embedding_dim : int, default 8
    encoding : Layer, optional
        Called on the numbers, of shape (N, columns of numbers), without gaps. The network reads its
        result in their place, such as `PiecewiseLinearEncoding`.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, C), output (N, F): the numbers, or what `encoding` gives; indicators; pairs of
    categories; categories one by one; vectors. `sources` says which column each entry is made of.
    The rule is that of D. Holzmueller, L. Grinsztajn, I. Steinwart: "Better by default: strong
    pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024. The estimators put it behind
    `InputScaling`. Keras has no such layer: `.keras` files tell it the same by operations and an
    `Embedding`.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.TableEncoding([0, 2, 3], gaps=[0])
    >>> layer([[1.5, 1, 3], [float("nan"), 2, 0]]).numpy()
    array([[ 1.5,  0. ,  1. ,  0. ,  0. ,  1. ],
           [ 0. ,  1. , -1. ,  0. ,  0. ,  0. ]], dtype=float32)
    """

    _takes = (2, 2, "rows of columns, of shape (N, columns)")
    _legal = {
        "sizes": settings.entries,
        "gaps": settings.entries,
        "centers": settings.numbers_of,
        "max_one_hot": _size,
        "embedding_dim": positive_int,
        "encoding": _layer_or_none,
    }

    def __init__(
        self,
        sizes,
        gaps=(),
        centers=0.0,
        max_one_hot=9,
        embedding_dim=8,
        encoding=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.sizes, self.gaps, self.centers = sizes, gaps, centers
        self.max_one_hot, self.embedding_dim, self.encoding = max_one_hot, embedding_dim, encoding
        sizes = np.array(sizes, int)
        self._numbers = np.flatnonzero(sizes == 0)
        self._pairs = np.flatnonzero(sizes == 2)
        self._embedded = np.flatnonzero(sizes > max(max_one_hot, 2))
        of_one_hot = (sizes == 1) | ((sizes > 2) & (sizes <= max_one_hot))
        # For each entry of the vectors of one-hot columns: its column, and the category it is for.
        self._one_hot = np.repeat(np.flatnonzero(of_one_hot), sizes[of_one_hot])
        self._categories = np.concatenate([np.arange(1, n + 1) for n in sizes[of_one_hot]] or [[]])
        if not len(sizes):
            raise ValueError("TableEncoding: sizes: expected one for each column, got none")
        if not set(gaps) <= set(self._numbers.tolist()):
            raise ValueError(
                "TableEncoding: gaps: expected columns of numbers, those with 0 in sizes="
                f"{self.sizes!r}, got {gaps!r}"
            )
        if np.shape(centers) not in ((), (len(sizes),)):
            raise ValueError(
                "TableEncoding: centers: expected a number or one for each column, as in sizes="
                f"{self.sizes!r}, got {centers!r}"
            )
        if len(self._embedded):
            counts = sizes[self._embedded] + 1
            self._firsts = np.cumsum(counts) - counts
            self.embedding = Embedding(int(counts.sum()), int(embedding_dim))

    def build(self, input_shape):
        if input_shape[-1] != len(self.sizes):
            raise ValueError(
                f"expected an input of {len(self.sizes)} columns, one for each of `sizes`, got "
                f"shape {tuple(input_shape)}"
            )
        if self.encoding is not None and len(self._numbers):
            self.encoding.build((input_shape[0], len(self._numbers)))
        if len(self._embedded):
            self.embedding.build((input_shape[0], len(self._embedded)))
            vectors = self.embedding.embeddings.numpy().copy()
            vectors[self._firsts] = 0
            self.embedding.embeddings.assign(vectors)

    def call(self, inputs):
        return self._read(inputs, _columns, self.encoding, joined)

    def _in_keras(self, inputs):
        """The same by what Keras has, on symbols."""
        encoding = self.encoding and self.encoding._for_keras()
        join = partial(ops.concatenate, axis=-1)
        return self._read(inputs, partial(ops.take, axis=-1), encoding, join)

    def _read(self, inputs, columns, encoding, join):
        """The result, of functions that give some columns of a table, what numbers become, and
        columns side by side."""
        parts = self._of_numbers(inputs, columns, encoding) if len(self._numbers) else []
        if len(self._pairs):
            category = columns(inputs, self._pairs)
            parts.append(ops.subtract(_is(category, 1.0), _is(category, 2.0)))
        if len(self._one_hot):
            parts.append(_is(columns(inputs, self._one_hot), self._categories))
        if len(self._embedded):
            tokens = ops.add(columns(inputs, self._embedded), self._firsts)
            width = len(self._embedded) * int(self.embedding_dim)
            parts.append(ops.reshape(self.embedding(tokens), (-1, width)))
        return parts[0] if len(parts) == 1 else join(parts)

    def _of_numbers(self, inputs, columns, encoding):
        """The numbers, or what `encoding` makes of them, and indicators of gaps."""
        given = columns(inputs, self._numbers)
        centers = np.broadcast_to(np.asarray(self.centers, float), len(self.sizes))
        numbers = ops.where(ops.equal(given, given), given, centers[self._numbers])
        parts = [numbers if encoding is None else encoding(numbers)]
        if len(self.gaps):
            gappy = columns(inputs, np.array(self.gaps, int))
            parts.append(ops.subtract(1.0, _is(gappy, gappy)))
        return parts

    @property
    def sources(self):
        """The column that each entry of the result is made of.

        Returns
        -------
        array of int, shape (F,)

        Raises
        ------
        AttributeError
            If an `encoding` does not say it of its own result.
        """
        of_numbers = self._numbers
        if self.encoding is not None and len(self._numbers):
            of_numbers = of_numbers[self.encoding.sources]
        vectors = np.repeat(self._embedded, int(self.embedding_dim))
        gaps = np.array(self.gaps, int)
        return np.concatenate([of_numbers, gaps, self._pairs, self._one_hot, vectors])

    def names_of(self, columns, categories):
        """What each entry of the result says.

        Parameters
        ----------
        columns : list of str
            The names of the columns.
        categories : list
            For each column the names of its categories, in order; anything of a column of numbers.

        Returns
        -------
        list of str
            'age' of a number, 'age is missing' of an indicator, 'sex: female, not male' of a pair,
            'city: Rome' of one category; with a number what an encoding or a vector says.
        """
        count = len(self._pairs) + len(self._one_hot) + len(self._embedded) * self.embedding_dim
        of_numbers = self.sources[: len(self.sources) - count - len(self.gaps)]
        found = numbered(columns, of_numbers)
        found += [f"{columns[i]} is missing" for i in self.gaps]
        for i in self._pairs:
            found.append(f"{columns[i]}: {categories[i][0]}, not {categories[i][1]}")
        for i, category in zip(self._one_hot, self._categories.astype(int)):
            known = category <= len(categories[i])
            found.append(f"{columns[i]}: {categories[i][category - 1]}" if known else columns[i])
        return found + numbered(columns, np.repeat(self._embedded, int(self.embedding_dim)), 1)


def numbered(names, sources, first=0):
    """For each source its name, and from the second on (or from the first, with 1) a number."""
    counts, found = {}, []
    for source in np.asarray(sources).tolist():
        count = counts[source] = counts.get(source, first - 1) + 1
        found.append(f"{names[source]} ({count})" if count else str(names[source]))
    return found


def _is(values, others):
    """1 where values are equal to others, else 0: Keras's comparisons are no numbers."""
    return ops.cast(ops.equal(values, others), config.floatx())


def _columns(inputs, numbers):
    """Some columns of a table. (Whole rows of a transposed one are gathered faster.)"""
    if np.array_equal(numbers, np.arange(inputs.shape[-1])):
        return inputs
    return ops.transpose(ops.take(ops.transpose(inputs), numbers, axis=0))
