"""Dataset: TensorFlow's `tf.data.Dataset`, a chain of steps from arrays to batches.

The one idea: a dataset is a function that starts a new pass over its elements, and their number if
that is known. Elements are structures (tuples, dicts) of arrays; tensors are made of them where a
user's function, or a loop, sees them, but of strings."""

import itertools

import numpy as np

from nnlite.checks import check_setting, positive_int
from nnlite.config import next_seed
from nnlite.data.sources import array_of
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.tree import flatten, map_structure

LEAF = (np.ndarray, np.generic, Tensor)


class Dataset:
    """A series of elements that can be passed over again and again: a source of batches for `fit`.

    It is made by `from_tensor_slices`, `from_generator` or `range`; each method returns a new
    dataset. A loop over it yields tensors, and arrays of strings.

    Parameters
    ----------
    start : function
        Returns an iterator over the elements of a new pass.
    length : int or None
        Elements of a pass; None: unknown or without end.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite as tf
    >>> x, y = np.arange(10.0), np.arange(10) % 2
    >>> data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(10, seed=0).batch(4)
    >>> [len(labels) for rows, labels in data]
    [4, 4, 2]
    """

    def __init__(self, start, length=None):
        self._start, self._length = start, length

    def __iter__(self):
        return map(_tensors, self._start())

    def __len__(self):
        if self._length is None:
            raise TypeError("len(): the number of elements of this Dataset is not known")
        return self._length

    def __repr__(self):
        return f"<Dataset of {'unknown length' if self._length is None else self._length}>"

    # Where elements come from

    @staticmethod
    def from_tensor_slices(tensors):
        """A dataset of rows.

        Parameters
        ----------
        tensors : array-like, or tuple or dict of them
            All with the same number of rows; each element has one row of each.
        """
        arrays = _arrays(tensors, "tensors")
        shapes = [a.shape for a in flatten(arrays)]
        sizes = {shape[:1] for shape in shapes}
        if len(sizes) != 1 or () in sizes:
            raise ValueError(
                f"tensors: expected arrays with the same number of rows, got "
                f"{', '.join(f'shape {shape}' for shape in shapes) or 'none'}"
            )
        ((rows,),) = sizes
        return Dataset(
            lambda: (map_structure(lambda a, k=k: a[k], arrays, LEAF) for k in range(rows)), rows
        )

    @staticmethod
    def from_generator(generator, output_signature=None, output_types=None, output_shapes=None):
        """A dataset of what a generator yields.

        Parameters
        ----------
        generator : function
            Without arguments; it returns a new iterator for each pass.
        output_signature, output_types, output_shapes
            Ignored: elements have the types and shapes that they come with.
        """
        _check_function("generator", generator)

        def start():
            elements = generator()
            if not hasattr(elements, "__iter__"):
                raise TypeError(
                    f"generator: expected it to return an iterator, got {elements!r}; write yield "
                    "for return"
                )
            return map(_arrays, elements)

        return Dataset(start)

    @staticmethod
    def range(*limits):
        """A dataset of integers, as Python's `range` gives them.

        Parameters
        ----------
        *limits : int
            Stop; or start and stop; or start, stop and step.
        """
        if not 1 <= len(limits) <= 3:
            raise TypeError(f"limits: expected 1 to 3 integers, got {len(limits)}")
        for limit in limits:
            check_setting("limits", limit, "int")
        if limits[2:] == (0,):
            raise ValueError("limits: expected a step other than 0, got 0")
        numbers = np.arange(*map(int, limits))
        return Dataset(lambda: iter(numbers), len(numbers))

    @staticmethod
    def zip(*datasets):
        """A dataset of tuples of the elements of several ones, as long as the shortest.

        Parameters
        ----------
        *datasets : Dataset
            Or one tuple or list of them.
        """
        several = datasets
        if len(datasets) == 1 and isinstance(datasets[0], (tuple, list)):
            several = datasets[0]
        if not several or not all(isinstance(d, Dataset) for d in several):
            kinds = ", ".join(type(d).__name__ for d in several)
            raise TypeError(
                f"datasets: expected Datasets, got {kinds or 'none'}; from_tensor_slices makes one "
                "of arrays"
            )
        lengths = [d._length for d in several]
        shortest = None if None in lengths else min(lengths)
        return Dataset(lambda: zip(*(d._start() for d in several)), shortest)

    # What happens to them

    def map(self, map_func, num_parallel_calls=None):
        """The results of a function of each element.

        Parameters
        ----------
        map_func : function
            Takes the entries of an element, as tensors; returns the new element.
        num_parallel_calls : int, optional
            Ignored.
        """
        _check_function("map_func", map_func)
        return Dataset(lambda: (_arrays(_apply(map_func, e)) for e in self._start()), self._length)

    def filter(self, predicate):
        """The elements for which a function is true.

        Parameters
        ----------
        predicate : function
            Takes the entries of an element, as tensors.
        """
        _check_function("predicate", predicate)
        return Dataset(lambda: (e for e in self._start() if _apply(predicate, e)))

    def batch(self, batch_size, drop_remainder=False):
        """Batches of elements, stacked along a new first axis.

        Parameters
        ----------
        batch_size : int
        drop_remainder : bool, default False
            Whether the last batch is left out if it has fewer elements.
        """
        size, n = positive_int("batch_size", batch_size), self._length

        def start():
            elements = self._start()
            while group := list(itertools.islice(elements, size)):
                if len(group) == size or not drop_remainder:
                    yield _stacked(group)

        return Dataset(start, n and (n // size if drop_remainder else -(-n // size)))

    def unbatch(self):
        """The rows of batches, one after the other."""

        def start():
            for batch in self._start():
                arrays = flatten(batch)
                if not all(np.ndim(a) and len(a) == len(arrays[0]) for a in arrays):
                    shapes = ", ".join(f"shape {np.shape(a)}" for a in arrays)
                    raise ValueError(
                        f"unbatch: expected elements with the same number of rows, got {shapes}"
                    )
                for row in range(len(arrays[0])):
                    yield map_structure(lambda a, row=row: a[row], batch, LEAF)

        return Dataset(start)

    def shuffle(self, buffer_size, seed=None, reshuffle_each_iteration=True):
        """The elements in random order: each is drawn from a buffer that the next refills.

        Parameters
        ----------
        buffer_size : int
            The order is fully random if all elements have place in it.
        seed : int, optional
            At least 0. By default one follows from `utils.set_random_seed`.
        reshuffle_each_iteration : bool, default True
            Whether each pass has another order.
        """
        size = positive_int("buffer_size", buffer_size)
        if seed is not None:
            check_setting("seed", seed, "int [0, inf)")
        first = next_seed() if seed is None else int(seed)
        passes = itertools.count()

        def start():
            number = next(passes) if reshuffle_each_iteration else 0
            rng = np.random.Generator(np.random.Philox([first, number]))
            elements = self._start()
            buffer = list(itertools.islice(elements, size))
            rng.shuffle(buffer)
            for element in elements:
                at = rng.integers(len(buffer))
                yield buffer[at]
                buffer[at] = element
            yield from buffer

        return Dataset(start, self._length)

    def repeat(self, count=None):
        """The elements again and again.

        Parameters
        ----------
        count : int, optional
            How often; by default, or for -1, without end.
        """
        if (count := _count(-1 if count is None else count)) is None:
            return Dataset(lambda: _endless(self._start))
        return Dataset(
            lambda: itertools.chain.from_iterable(self._start() for _ in range(count)),
            self._length and self._length * count,
        )

    def take(self, count):
        """The first elements.

        Parameters
        ----------
        count : int
            How many; -1: all.
        """
        if (count := _count(count)) is None:
            return self
        length = None if self._length is None else min(count, self._length)
        return Dataset(lambda: itertools.islice(self._start(), count), length)

    def skip(self, count):
        """The elements after the first.

        Parameters
        ----------
        count : int
            How many are left out; -1: all.
        """
        if (count := _count(count)) is None:
            return self.take(0)
        length = None if self._length is None else max(self._length - count, 0)
        return Dataset(lambda: itertools.islice(self._start(), count, None), length)

    def enumerate(self, start=0):
        """Pairs of a number and an element.

        Parameters
        ----------
        start : int, default 0
            The first number.
        """
        check_setting("start", start, "int")
        return Dataset(lambda: enumerate(self._start(), start), self._length)

    def cache(self, filename=""):
        """The same elements, kept in memory after the first whole pass.

        Parameters
        ----------
        filename : str, optional
            Ignored.
        """
        kept = []

        def start():
            if kept:
                yield from kept[0]
                return
            seen = []
            for element in self._start():
                seen.append(element)
                yield element
            kept[:] = [seen]

        return Dataset(start, self._length)

    def prefetch(self, buffer_size):
        """The same dataset: `fit` fetches the next batch while it works on one.

        Parameters
        ----------
        buffer_size : int
            Ignored.
        """
        return self

    def cardinality(self):
        """The number of elements; -2 if it is not known."""
        return -2 if self._length is None else self._length

    def as_numpy_iterator(self):
        """An iterator over the elements as NumPy arrays."""
        return self._start()


def _check_function(name, value):
    if not callable(value):
        raise TypeError(f"{name}: expected a function, got {value!r}")


def _count(value):
    """A number of elements as an int; None for -1, which stands for all."""
    check_setting("count", value, "int [-1, inf)")
    return None if value == -1 else int(value)


def _arrays(structure, name="element"):
    """Arrays in place of tensors, lists and numbers. Tuples and dicts are structures, as in
    TensorFlow."""
    if isinstance(structure, tuple):
        return tuple(_arrays(value, name) for value in structure)
    if isinstance(structure, dict):
        return {key: _arrays(value, name) for key, value in structure.items()}
    if isinstance(structure, list) and _is_text(structure):
        return np.asarray(structure, object)  # where long strings do not make short ones long
    return array_of(structure, name)


def _tensors(element):
    """Tensors in place of arrays of numbers; strings, which no tensor holds, stay arrays."""
    return map_structure(lambda a: a if _is_text(a) else convert_to_tensor(a), element, LEAF)


def _is_text(value):
    """Whether an array, or the list that one is made of, has strings."""
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, np.ndarray) and value.dtype == object and value.size:
        return all(isinstance(entry, (str, bytes)) for entry in value.flat)
    return isinstance(value, (str, bytes)) or getattr(value, "dtype", np.dtype(int)).kind in "SU"


def _apply(function, element):
    """What a user's function returns for an element."""
    given = _tensors(element)
    return function(*given) if isinstance(given, tuple) else function(given)


def _stacked(elements):
    """One element whose arrays are those of several ones along a new first axis."""
    first = elements[0]
    if len(kinds := {_structure(e) for e in elements}) > 1:
        raise ValueError(
            f"batch: expected elements of one structure, got {' and '.join(sorted(kinds))}"
        )
    if isinstance(first, tuple):
        return tuple(map(_stacked, zip(*elements)))
    if isinstance(first, dict):
        return {key: _stacked([e[key] for e in elements]) for key in first}
    if len(shapes := {np.shape(e) for e in elements}) > 1:
        raise ValueError(f"batch: expected elements of one shape, got {sorted(shapes)}")
    return np.stack(elements).astype(object) if _is_text(first) else np.stack(elements)


def _structure(element):
    """What an element is, in words, without what is in it."""
    if isinstance(element, tuple):
        return f"a tuple of {len(element)}"
    if isinstance(element, dict):
        return f"a dict of {', '.join(sorted(map(str, element)))}"
    return "an array"


def _endless(start):
    """The elements of pass after pass, until one has none."""
    while True:
        empty = True
        for element in start():
            empty = False
            yield element
        if empty:
            return
