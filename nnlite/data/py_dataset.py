"""PyDataset: the base class of data sets that return batches by number."""

from nnlite.checks import check_setting
from nnlite.data.in_threads import in_order


class PyDataset:
    """Base class of data sets that return batches by number.

    A subclass defines `__len__` or `num_batches`, the number of batches, and
    `__getitem__(index)`, which returns x, (x, y) or (x, y, sample_weight). `fit` uses the batches
    of each epoch in a new random order unless `shuffle=False`, and prefetches one batch in a second
    thread. `Sequence` is another name of this class.

    Parameters
    ----------
    workers : int of at least 1, default 1
        How many threads fetch batches, which are used in their order. With more than one,
        `__getitem__` runs in several threads at once.
    use_multiprocessing
        Ignored, for Keras's signature: batches come from threads.
    max_queue_size : int of at least 1, default 10
        How many batches there may be ahead, with more than one worker.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite
    >>> class Multiples(nnlite.utils.PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.full((4, 1), index)
    ...         return x, 2 * x
    >>> model = nnlite.Sequential([nnlite.layers.Dense(1, "linear", False, "ones")])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(Multiples(), verbose=0)
    """

    workers, max_queue_size = 1, 10  # of a subclass whose constructor does not call this one

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
        check_setting("workers", workers, "int [1, inf)", type(self).__name__)
        check_setting("max_queue_size", max_queue_size, "int [1, inf)", type(self).__name__)
        self.workers, self.use_multiprocessing = workers, use_multiprocessing
        self.max_queue_size = max_queue_size

    @property
    def num_batches(self):
        """The number of batches, by default `len(self)`; None if there is no end of them."""
        return len(self)

    def __len__(self):
        if type(self).num_batches is not PyDataset.num_batches:
            return self.num_batches  # None is a TypeError of len, as without a length
        raise NotImplementedError(f"{type(self).__name__}: define __len__, the number of batches")

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__}: define __getitem__(index)")

    def _numbers(self, rng):
        """The numbers of all batches in random order."""
        return rng.permutation(self.num_batches)

    def on_epoch_begin(self):
        """Called before each epoch."""

    def on_epoch_end(self):
        """Called after each epoch."""


def in_random_order(batches, rng, count):
    """The numbers of all batches of an object in random order."""
    return batches._numbers(rng) if isinstance(batches, PyDataset) else rng.permutation(count)


def fetched(batches, numbers):
    """The batches of some numbers; the workers of a PyDataset fetch them ahead."""
    if isinstance(batches, PyDataset) and batches.workers > 1:
        get, limits = batches.__getitem__, (batches.workers, batches.max_queue_size)
        return in_order(lambda k: get(int(k)), numbers, *limits)
    return (batches[int(k)] for k in numbers)
