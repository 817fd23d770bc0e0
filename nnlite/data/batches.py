"""Where batches come from: arrays in memory, or anything that yields batches.

Both give an epoch as `Span`s: stretches of batches that C can run one after the other."""

import array
import collections.abc
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from nnlite.config import next_seed
from nnlite.data.sources import leaves


@dataclass
class Span:
    """`count` batches of `size` rows each, in memory.

    Attributes
    ----------
    sources : tuple
        (x, y, sample_weight) of Sources.
    start : int
        The first row, or entry of `index`.
    size, count : int
    index : int32 array, optional
        The order of rows; without it they are read as they lie.
    """

    sources: tuple
    start: int
    size: int
    count: int
    index: object = None

    def part(self, first, count):
        """`count` of the batches from batch `first` on."""
        return replace(self, start=self.start + first * self.size, count=count)


class ArrayBatches:
    """Batches of rows of arrays.

    Parameters
    ----------
    sources : tuple
        (x, y, sample_weight) of Sources.
    size : int
        Rows of a batch; the last one of a pass may have fewer.
    gathered : bool, default False
        Whether rows are gathered by number, rather than read as they lie.

    Attributes
    ----------
    steps : int
        Batches of one pass over all rows.
    """

    name, once = "x", False

    def __init__(self, sources, size, gathered=False):
        self.sources, self.gathered, self.rng = sources, gathered, None
        self.rows = leaves(sources)[0].rows
        self.size = min(size, self.rows)
        self.steps = -(-self.rows // self.size)
        self._at, self._index = 0, None

    def shuffled(self):
        """Take the rows of each pass in a new random order from now on; returns self."""
        self.gathered, self.rng = True, _generator()
        return self

    def epoch(self, steps=None, anew=False):
        """Spans of the next `steps` batches, of one pass by default; a pass that ends before is
        followed by another one. With `anew` a pass begins, and there is no other."""
        if anew or steps is None:
            self._at = 0
        left, full = steps or self.steps, self.rows // self.size
        left = min(left, self.steps) if anew else left
        while left:
            if self._at == 0:
                self._index = self._order() if self.gathered else None
            start = self._at * self.size
            if self._at < full:
                count, size = min(left, full - self._at), self.size
            else:
                count, size = 1, self.rows - start
            yield Span(self.sources, start, size, count, self._index)
            self._at = (self._at + count) % self.steps
            left -= count

    def _order(self):
        rows = np.arange(self.rows, dtype=np.int32)
        return rows if self.rng is None else self.rng.permutation(rows)


class StreamBatches:
    """Batches that an object yields: x, (x, y) or (x, y, sample_weight) each.

    Parameters
    ----------
    batches : iterable, or object with `__getitem__` and `__len__`
        One that has both is asked for its batches by number, in any order; of another with
        `__len__` so many are taken for a pass. `on_epoch_begin` and `on_epoch_end` are called
        around each pass if there are such methods.
    name : str
        For messages.
    read : function
        From one item to (x, y, sample_weight) of Sources.
    check : function
        Called with the sources of each batch before it is used, in the thread of the caller.

    Attributes
    ----------
    steps : int or None
        Batches of one pass; None if it is not known.
    once : bool
        Whether it can be gone through once only: an iterator of unknown length.
    """

    def __init__(self, batches, name, read, check):
        self.batches, self.name, self.rng = batches, name, None
        self.read, self.check = read, check
        self.by_number = hasattr(batches, "__getitem__") and hasattr(batches, "__len__")
        try:
            self.steps = len(batches)
        except TypeError:
            self.steps = None
        if self.steps == 0:
            raise ValueError(f"{name}: expected at least one batch, got none")
        self.once = self.steps is None and hasattr(batches, "__next__")
        self._iterator, self._peeked, self._done = None, [], 0

    def shuffled(self):
        """Take batches that can be asked for by number in a new random order in each pass; returns
        self."""
        if self.by_number:
            self.rng = _generator()
        return self

    def first(self):
        """The sources of the first batch, which is not lost."""
        if self.by_number:
            return self._read(0, self.batches[0])
        if not self._peeked:
            self._peeked = list(itertools.islice(iter(self.batches), 1))
        if not self._peeked:
            raise ValueError(f"{self.name}: expected at least one batch, got none")
        return self._read(0, self._peeked[0])

    def epoch(self, steps=None, anew=False):
        """Spans of the next `steps` batches, of one pass by default; a pass that ends before is
        followed by another one, if that has batches. With `anew` a pass begins, where it can, and
        there is no other."""
        if (anew or steps is None) and not self.once:
            self._iterator = None
        while steps is None or steps > 0:
            if self._iterator is None:
                self._begin()
            most = [n for n in (steps, self.steps and self.steps - self._done) if n is not None]
            items = itertools.islice(self._iterator, min(most, default=None))
            fresh, seen = self._done == 0, 0
            for sources in ahead(self._read(self._done + k, x) for k, x in enumerate(items)):
                seen += 1
                self.check(sources)
                yield Span(sources, 0, leaves(sources)[0].rows, 1)
            self._done += seen
            if steps is not None:
                steps -= seen
            if steps != 0 or self._done == self.steps:
                self._end()
            if steps is None or anew or (fresh and not seen):
                return

    def _begin(self):
        _call(self.batches, "on_epoch_begin")
        self._done = 0
        if self.by_number:
            numbers = range(self.steps) if self.rng is None else self.rng.permutation(self.steps)
            self._iterator = (self.batches[int(k)] for k in numbers)
        else:
            self._iterator = iter(self.batches)
            if self._iterator is self.batches:
                self._iterator = itertools.chain(self._peeked, self._iterator)
            self._peeked = []

    def _end(self):
        self._iterator = None
        _call(self.batches, "on_epoch_end")

    def _read(self, number, item):
        try:
            return self.read(item)
        except (ValueError, TypeError) as error:
            error.args = (f"batch {number} of {self.name}: {error}",)
            raise


def _call(batches, method):
    if hasattr(batches, method):
        getattr(batches, method)()


def ahead(items):
    """The items of an iterator, each fetched in a second thread while the one before is worked on.

    Never more than one is fetched ahead, and none after the end was seen; an exception comes out
    where its item would have.
    """
    end = object()
    with ThreadPoolExecutor(1, "nnlite-batches") as thread:
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item


def yields_batches(x):
    """Whether an object is no array but a source of batches."""
    if any(hasattr(x, name) for name in ("shape", "__array__", "__array_interface__")):
        return False
    if isinstance(x, (collections.abc.Sequence, collections.abc.Mapping, array.array)):
        return False
    return hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


def _generator():
    return np.random.Generator(np.random.Philox(next_seed()))
