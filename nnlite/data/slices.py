"""Arrays that lie in a file, HDF5's or zarr's, and single samples: read batch by batch, never the
whole."""

import itertools
from collections.abc import Mapping

import numpy as np

from nnlite.data.kinds import is_read_by_slices
from nnlite.data.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from nnlite.data.py_dataset import PyDataset
from nnlite.data.sliced_source import SlicedSource
from nnlite.data.source import Source
from nnlite.data.sources import leaves
from nnlite.tree import like, map_structure

BLOCK_BYTES = 16 << 20  # of rows that are read together, to be shuffled
BLOCK_BATCHES = 64  # the most batches of a block
RUN = 32  # rows that stay together, of an array without chunks


class Slices(PyDataset):
    """Batches of rows of Sources that are read by slices.

    In order a batch is one slice. In random order short runs of rows, such as the chunks of a file,
    come in random order; several of them are a block, whose rows are shuffled in memory.

    Parameters
    ----------
    sources : tuple
        (x, y, sample_weight) of Sources.
    size : int or None
        Rows of a batch; None: 32.
    """

    def __init__(self, sources, size):
        super().__init__()
        self.sources, self.size = sources, size or 32
        self.rows = leaves(sources)[0].rows
        row = sum(s.bytes_of_row for s in leaves(sources) if isinstance(s, SlicedSource))
        most = max(self.size, min(BLOCK_BATCHES * self.size, BLOCK_BYTES // max(1, row)))
        chunks = [s.chunk for s in leaves(sources) if isinstance(s, SlicedSource) and s.chunk]
        self.run = min(max(chunks, default=RUN), most)
        self.block = most // self.run * self.run
        self.runs = self.seed = None  # the order of runs; in order there is none
        self._read = None, None  # the block that was read last, by number

    def __len__(self):
        return -(-self.rows // self.size)

    def __getitem__(self, index):
        start = index * self.size
        stop = min(start + self.size, self.rows)
        if self.runs is None:
            return pack_x_y_sample_weight(*self._values(slice(start, stop)))
        blocks = range(start // self.block, (stop - 1) // self.block + 1)
        parts = []
        for number in blocks:
            first = number * self.block
            rows = slice(max(start - first, 0), min(stop - first, self.block))
            parts.append(map_structure(lambda a, r=rows: a[r], self._block(number), np.ndarray))
        if len(parts) == 1:
            return pack_x_y_sample_weight(*parts[0])
        return pack_x_y_sample_weight(*_together(parts))

    def _numbers(self, rng):
        whole = self.rows // self.run
        self.runs = rng.permutation(whole)
        self.seed, self._read = int(rng.integers(2**63)), (None, None)
        return range(len(self))

    def _block(self, number):
        """The rows of a block in random order, as (x, y, sample_weight) of arrays."""
        if self._read[0] != number:
            self._read = None, None  # not two at once in memory
            first, stop = number * self.block, min((number + 1) * self.block, self.rows)
            runs = self.runs[first // self.run : stop // self.run]
            starts = [int(run) * self.run for run in runs]
            pieces = [slice(at, at + self.run) for at in sorted(starts)]
            if rest := stop - first - len(pieces) * self.run:  # the last rows are less than a run
                pieces.append(slice(self.rows - rest, self.rows))
            order = np.random.Generator(np.random.Philox(self.seed + number))
            order = order.permutation(stop - first)
            block = _together([self._values(piece) for piece in pieces])
            self._read = number, map_structure(lambda a: a[order], block, np.ndarray)
        return self._read[1]

    def _values(self, rows):
        return map_structure(lambda s: s.values(rows), self.sources, Source)


def are_read_by_slices(data):
    """Whether an array among (x, y, sample_weight), or in lists and dicts of such, is read by
    slices."""
    for part in data:
        several = isinstance(part, (list, tuple)) and len(part) > 0
        if isinstance(part, Mapping):
            part = [*part.values()]
        elif not several or not (hasattr(part[0], "shape") or isinstance(part[0], Source)):
            part = [part]
        if any(isinstance(array, SlicedSource) or is_read_by_slices(array) for array in part):
            return True
    return False


def of_samples(dataset, size):
    """What yields batches of the samples of a Dataset of PyTorch.

    Parameters
    ----------
    dataset : Dataset or IterableDataset
    size : int or None
        Samples of a batch; None: 32.
    """
    if hasattr(dataset, "__iter__"):
        return Stream(dataset, size or 32)
    return Samples(dataset, size or 32)


class Samples(PyDataset):
    """Batches of samples that are asked for by number."""

    def __init__(self, dataset, size):
        super().__init__()
        self.dataset, self.size, self.order = dataset, size, None

    def __len__(self):
        return -(-len(self.dataset) // self.size)

    def __getitem__(self, index):
        numbers = range(index * self.size, min((index + 1) * self.size, len(self.dataset)))
        if self.order is not None:
            numbers = self.order[numbers.start : numbers.stop]
        return _stacked([self.dataset[int(k)] for k in numbers])

    def _numbers(self, rng):
        self.order = rng.permutation(len(self.dataset))
        return range(len(self))


class Stream:
    """Batches of samples that come one after the other."""

    def __init__(self, dataset, size):
        self.dataset, self.size = dataset, size

    def __iter__(self):
        samples = iter(self.dataset)
        while batch := list(itertools.islice(samples, self.size)):
            yield _stacked(batch)


def _together(parts):
    """Structures of arrays as one, with the rows of all."""
    return _each(np.concatenate, parts)


def _stacked(samples):
    """(x, y) of samples as (x, y) of arrays."""
    samples = [unpack_x_y_sample_weight(sample) for sample in samples]
    stacked = _each(lambda values: np.stack([np.asarray(v) for v in values]), samples)
    return pack_x_y_sample_weight(*stacked)


def _each(function, structures):
    """One structure like several, with function(what they have in a place) in each place."""
    first = structures[0]
    if isinstance(first, dict):
        return {key: _each(function, [s[key] for s in structures]) for key in first}
    if isinstance(first, (list, tuple)):
        return like(first, [_each(function, entries) for entries in zip(*structures)])
    return None if first is None else function(structures)
