"""PyDataset: the base class of data sets that return batches by number."""


class PyDataset:
    """Base class of data sets that return batches by number.

    A subclass defines `__len__` or `num_batches`, the number of batches, and
    `__getitem__(index)`, which returns x, (x, y) or (x, y, sample_weight). `fit` uses the batches
    of each epoch in a new random order unless `shuffle=False`, and prefetches one batch in a second
    thread. `Sequence` is another name of this class.

    Parameters
    ----------
    workers, use_multiprocessing, max_queue_size
        Ignored, for Keras's signature.

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

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
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

    def on_epoch_begin(self):
        """Called before each epoch."""

    def on_epoch_end(self):
        """Called after each epoch."""
