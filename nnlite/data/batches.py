"""Batches: `make_batches` is the one place where they are made, of arrays in memory or of anything
that yields them.

Both kinds give an epoch as `BatchRange`s: runs of batches that C can do one after the other."""

import contextlib
import itertools
from dataclasses import dataclass

import numpy as np

from nnlite.config import next_seed
from nnlite.data.kinds import yields_batches, yields_samples
from nnlite.data.packing import unpack_x_y_sample_weight
from nnlite.data.prefetch import PATIENCE, Prefetch
from nnlite.data.py_dataset import PyDataset, fetched, in_random_order
from nnlite.data.slices import Slices, are_read_by_slices, of_samples
from nnlite.data.sources import apply_class_weight, input_alone, leaves, sources_of
from nnlite.errors import prefixed


def make_batches(
    model,
    data,
    size,
    name="x",
    class_weight=None,
    finite=True,
    inputs_only=False,
    numbers=None,
):
    """The batches of some data, for which the model is built, and against which it is checked.

    Parameters
    ----------
    model : Model
    data : tuple
        (x, y, sample_weight): arrays, Sources, lists or dicts of them, or None; or what yields
        batches and twice None.
    size : int or None
        Rows of a batch of arrays; None: all of them.
    name : str
        Of the data, for messages.
    class_weight : dict, optional
    finite : bool, default True
        Whether NaN and infinity are errors.
    inputs_only : bool, default False
        Whether only the x of a batch is looked at, as for predictions.
    numbers : int array, optional
        Which rows of arrays to take, in order; by default all.

    Returns
    -------
    ArrayBatches or IterableBatches

    Raises
    ------
    TypeError, ValueError
        If the data are not numbers, do not fit together or do not fit the model.
    """

    def read(item):
        return make_sources(model, item[: 1 if inputs_only else 3], class_weight, finite)

    if yields_samples(data[0]):
        data = (of_samples(data[0], size), *data[1:])
    elif are_read_by_slices(data):
        data = Slices(_sources_for(model, input_alone(model, data[0]), *data[1:]), size), None, None
    elif not yields_batches(data[0]):
        sources = read(data)
        model._prepare_for(*sources)
        return ArrayBatches(sources, size, numbers)
    for what, given in zip(("y", "sample_weight"), data[1:]):
        if given is not None:
            raise ValueError(
                f"{what}: expected None beside batches, which bring their own, got "
                f"{type(given).__name__}"
            )
    batches = IterableBatches(
        data[0],
        name,
        lambda item: read(unpack_x_y_sample_weight(item)),
        lambda sources: model._prepare_for(*sources),
    )
    if not model.built and not inputs_only:
        model._prepare_for(*batches.first())
    return batches


def make_sources(model, data, class_weight=None, finite=True):
    """(x, y, sample_weight) as Sources for a model; see `make_batches`."""
    sources = _sources_for(model, model._looked_up(data[0]), *data[1:])
    sources = apply_class_weight(sources, class_weight)
    for s in leaves(sources) if finite else ():
        s.check_finite(model._precision)
    return sources


def _sources_for(model, *data):
    return sources_of(
        *data,
        multi_input=model._multi_input(),
        integer=model._integer_inputs(),
        output_shape=model._output_shape,
    )


@dataclass
class BatchRange:
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

    def slice(self, first, count):
        """`count` of the batches from batch `first` on."""
        start = self.start + first * self.size
        return BatchRange(self.sources, start, self.size, count, self.index)


class ArrayBatches:
    """Batches of rows of arrays.

    Parameters
    ----------
    sources : tuple
        (x, y, sample_weight) of Sources.
    size : int or None
        Rows of a batch, the last of a pass may have fewer; None: all rows.
    numbers : int array, optional
        Rows to gather, in order; by default all are read as they lie.

    Attributes
    ----------
    steps : int
        Batches of one pass over all rows.
    """

    name, single_pass, renews = "x", False, False

    def __init__(self, sources, size, numbers=None):
        self.sources, self.rng = sources, None
        self.numbers = None if numbers is None else np.asarray(numbers, np.int32)
        self.rows = leaves(sources)[0].rows if numbers is None else len(numbers)
        self.size = self.rows if size is None else min(size, self.rows)
        self.steps = -(-self.rows // self.size)
        self._at, self._index = 0, None
        self._before = None  # the state of `rng` when the pass under way began

    def shuffled(self):
        """Take the rows of each pass in a new random order from now on; returns self."""
        self.rng = _generator()
        return self

    def all(self):
        """All rows as one batch."""
        return BatchRange(self.sources, 0, self.rows, 1, self.numbers)

    def get_state(self):
        """Where these batches are, between two epochs: a dict of numbers and strings. The order of
        rows is not part of it: `set_state` draws it again."""
        return {
            "of": _described(self, rows=self.rows, batch_size=self.size, steps=self.steps),
            "rng": self._before if self._at else _state_of(self.rng),
            "at": self._at,
        }

    def set_state(self, state):
        """Go on from there.

        Parameters
        ----------
        state : dict
            As `get_state` returned it for such batches.
        """
        if self.rng is not None:
            self.rng.bit_generator.state = state["rng"]
        self._at = range(self.steps)[state["at"]]
        if self._at:
            self._begin()

    def epoch(self, steps=None, restart=False, skip=0):
        """The next batches.

        Parameters
        ----------
        steps : int, optional
            How many; by default those of one pass. A pass that ends before is followed by
            another one.
        restart : bool, default False
            Whether a new pass begins, and ends after all rows at the latest.
        skip : int, default 0
            How many of them to leave out, the first ones.

        Yields
        ------
        BatchRange
        """
        if restart or steps is None:
            self._at = 0
        left, full = steps or self.steps, self.rows // self.size
        left = min(left, self.steps) if restart else left
        while left:
            if self._at == 0:
                self._begin()
            start = self._at * self.size
            if self._at < full:
                count, size = min(left, full - self._at), self.size
            else:
                count, size = 1, self.rows - start
            left_out = min(skip, count)
            skip -= left_out
            if left_out < count:
                batch_range = BatchRange(self.sources, start, size, count, self._index)
                yield batch_range.slice(left_out, count - left_out)
            self._at = (self._at + count) % self.steps
            left -= count

    def close(self):
        """Do nothing: arrays need not be closed."""

    def _begin(self):
        self._before = _state_of(self.rng)
        self._index = self._order()

    def _order(self):
        """The rows of a pass; None if they are read as they lie."""
        if self.rng is None:
            return self.numbers
        rows = np.arange(self.rows, dtype=np.int32) if self.numbers is None else self.numbers
        return self.rng.permutation(rows)


class IterableBatches:
    """Batches that an object yields: x, (x, y) or (x, y, sample_weight) each.

    Parameters
    ----------
    batches : iterable, or object with `__getitem__` and `__len__`
        One that has both gives its batches by number, in any order; of another with `__len__` that
        many are one pass. `on_epoch_begin` and `on_epoch_end` are called around each pass if there
        are such methods.
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
    single_pass : bool
        Whether only one pass can be made: an iterator of unknown length.
    renews : bool
        Whether a pass may follow the one before within an epoch: of an iterator, which decides
        itself where it ends.
    random_access : bool
        Whether batches are asked for by number.
    endless : bool
        Whether there is a batch for every number.
    """

    def __init__(self, batches, name, read, check):
        self.batches, self.name, self.rng = batches, name, None
        self.read, self.check = read, check
        self.random_access = hasattr(batches, "__getitem__") and hasattr(batches, "__len__")
        try:
            self.steps = batches.num_batches if isinstance(batches, PyDataset) else len(batches)
        except TypeError:
            self.steps = None
        self.endless = self.steps is None and self.random_access
        if self.steps == 0:
            raise ValueError(f"{name}: expected at least one batch, got none")
        self.renews = hasattr(batches, "__next__")
        self.single_pass = self.steps is None and hasattr(batches, "__next__")
        self._pass = None  # what is left of the pass that is under way
        self._iterator = None  # the one that it reads
        self._thread = None  # the one that reads it ahead
        self._closed = False
        self._done = 0  # batches of it
        self._first = []  # the item that `first` took, which the pass begins with
        self._once = self.renews and not self.random_access  # whether what it gave is gone
        self._before = None  # the state of `rng` when the pass under way began
        self._numbers = None  # of its batches, if they are asked for by number
        self._passes = self._taken = 0  # passes that ended, and batches of all of them

    def shuffled(self):
        """Take batches that can be asked for by number in a new random order in each pass; returns
        self."""
        if self.random_access:
            self.rng = _generator()
        return self

    def first(self):
        """The sources of the first batch, which is not lost."""
        if self.random_access:
            return self._read(0, self.batches[0])
        if not self._first:
            self._first = list(itertools.islice(iter(self.batches), 1))
        if not self._first:
            raise ValueError(f"{self.name}: expected at least one batch, got none")
        return self._read(0, self._first[0])

    def get_state(self):
        """Where these batches are, between two epochs: a dict of numbers and strings."""
        under_way = self._pass is not None
        return {
            "of": _described(self, steps=self.steps),
            "rng": self._before if under_way else _state_of(self.rng),
            "at": self._done if under_way else None,
            "passes": self._passes,
            "taken": self._taken,
        }

    def set_state(self, state):
        """Go on from there, with an object that nothing was taken of. What can be gone through
        only once is gone through again; others hear of as many passes as there were.

        Parameters
        ----------
        state : dict
            As `get_state` returned it for such batches.
        """
        self._passes, self._taken = state["passes"], state["taken"]
        for _ in range(self._passes):
            _call(self.batches, "on_epoch_begin")
            _call(self.batches, "on_epoch_end")
        if self.rng is not None:
            self.rng.bit_generator.state = state["rng"]
        if self._once and self._taken:
            _take(itertools.chain(self._first, self.batches), self._taken)
            self._first = []
        if state["at"] is not None:
            self._begin()
            self._done = state["at"] if self._once else self._skip(state["at"])

    def _skip(self, count):
        """Leave out batches of the pass, unfetched if they have numbers: how many there were."""
        return _take(self._pass if self._numbers is None else self._numbers, count)

    def epoch(self, steps=None, restart=False, skip=0):
        """The next batches, each a BatchRange of its own.

        Parameters
        ----------
        steps : int, optional
            How many; by default those of one pass. A pass that began in an earlier epoch is
            followed by another one.
        restart : bool, default False
            Whether a new pass begins, where that is possible, and no other follows it.
        skip : int, default 0
            How many of them to leave out, the first ones.

        Yields
        ------
        BatchRange
        """
        if self.endless and steps is None:
            raise ValueError(
                f"{self.name}: expected a number of steps to take (steps_per_epoch, steps, "
                "validation_steps), as there is no end of batches: num_batches is None"
            )
        if (restart or steps is None) and not self.single_pass:
            self._pass = None
        while steps is None or steps > 0:
            if self._pass is None:
                self._begin()
            most = [n for n in (steps, self.steps and self.steps - self._done) if n is not None]
            most = min(most, default=None)
            is_new = self._done == 0
            seen = self._skip(skip if most is None else min(skip, most)) if skip else 0
            skip -= seen
            items = itertools.islice(self._pass, None if most is None else most - seen)
            with self._reading(items, self._done + seen) as read:
                for sources in read:
                    seen += 1
                    self.check(sources)
                    yield BatchRange(sources, 0, leaves(sources)[0].rows, 1)
            self._done += seen
            self._taken += seen
            if steps is not None:
                steps -= seen
            if steps != 0 or self._done == self.steps:
                self._end()
            if steps is None or restart or (is_new and not (self.renews and seen)):
                return

    @contextlib.contextmanager
    def _reading(self, items, start):
        """Sources of some items of the pass, the first of a number, read ahead by a second thread
        until the block ends."""
        reader = Prefetch(
            (self._read(start + k, x) for k, x in enumerate(items)), self._close_if_told
        )
        try:
            self._thread = reader.thread
            reader.start()
            yield reader
        except GeneratorExit:  # no more are needed; an iterator of the caller's own may be used on
            self._closed |= self._iterator is not self.batches
            raise
        except BaseException:
            self._closed = True
            raise
        finally:
            reader.stop(PATIENCE if self._closed else None)
            if not reader.thread.is_alive():
                self._thread = None

    def close(self):
        """Close the iterator that is read, as nobody goes on with it after an error.

        The thread that reads it does so, if it is at it, when the item has come.
        """
        self._closed = True
        if self._thread is None:
            self._close_if_told()

    def _close_if_told(self):
        if self._closed and hasattr(self._iterator, "close"):
            self._iterator.close()

    def _begin(self):
        _call(self.batches, "on_epoch_begin")
        self._done, self._closed, self._before = 0, False, _state_of(self.rng)
        if self.random_access:
            numbers = itertools.count() if self.endless else range(self.steps)
            if self.rng is not None and not self.endless:
                numbers = in_random_order(self.batches, self.rng, self.steps)
            self._numbers = iter(numbers)
            self._pass = self._iterator = fetched(self.batches, self._numbers)
        else:
            self._pass = self._iterator = iter(self.batches)
            if self._iterator is self.batches:
                self._pass = itertools.chain(self._first, self._pass)
            self._first = []

    def _end(self):
        self._pass = None
        self._passes += 1
        _call(self.batches, "on_epoch_end")

    def _read(self, number, item):
        with prefixed(f"batch {number} of {self.name}: "):
            return self.read(item)


@contextlib.contextmanager
def passing(batches, steps=None, restart=False, skip=0):
    """The ranges of an epoch for a `with` block; an error in it closes what yields the batches."""
    with contextlib.closing(batches.epoch(steps, restart, skip)) as ranges:
        try:
            yield ranges
        except BaseException:
            batches.close()
            raise


def _call(batches, method):
    if hasattr(batches, method):
        getattr(batches, method)()


def _described(batches, **sizes):
    """What batches must have in common for the state of some to be that of others."""
    return {"kind": type(batches).__name__, "shuffle": batches.rng is not None, **sizes}


def _state_of(rng):
    return None if rng is None else rng.bit_generator.state


def _take(items, count):
    """Take some items off an iterator: how many there were."""
    return sum(1 for _ in itertools.islice(items, count))


def _generator():
    return np.random.Generator(np.random.Philox(next_seed()))
