"""What Keras keeps under `keras.utils`: one-hot targets, seeds, pictures of models."""

import numpy as np

from nnlite.config import set_random_seed
from nnlite.data import unpack_x_y_sample_weight
from nnlite.pictures import plot_model

__all__ = [
    "PyDataset",
    "Sequence",
    "plot_model",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


class PyDataset:
    """Base of data that give their batches by number: define `__len__`, the number of batches, and
    `__getitem__(index)`, which returns x, (x, y) or (x, y, sample_weight).

    `fit` takes the batches of each epoch in a new random order unless `shuffle=False`, and fetches
    one ahead in a second thread. `Sequence` is another name of this class.

    Parameters
    ----------
    workers, use_multiprocessing, max_queue_size
        Kept for Keras's signature, and ignored.

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

    def __len__(self):
        raise NotImplementedError(f"{type(self).__name__}: define __len__, the number of batches")

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__}: define __getitem__(index)")

    def on_epoch_begin(self):
        """Called before each pass over the batches."""

    def on_epoch_end(self):
        """Called after each pass over the batches."""


Sequence = PyDataset


def to_categorical(x, num_classes=None):
    """One-hot rows from integer labels.

    Parameters
    ----------
    x : integer array, shape (N,), (N, 1) or (...)
        Labels in [0, num_classes).
    num_classes : int, optional
        By default the largest label + 1.

    Returns
    -------
    array of float64, shape (N, num_classes) or (..., num_classes)

    Raises
    ------
    ValueError
        For labels that are no integers or out of range.

    Examples
    --------
    >>> from nnlite import utils
    >>> utils.to_categorical([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    labels = np.asarray(x)
    if labels.size and not np.array_equal(labels, labels.astype(np.int64)):
        raise ValueError("to_categorical: expected integer labels")
    labels = labels.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    classes = (
        int(labels.max()) + 1 if num_classes is None and labels.size else int(num_classes or 0)
    )
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        bad = labels.min() if labels.min() < 0 else labels.max()
        raise ValueError(f"to_categorical: expected labels in [0, {classes}), got {bad}")
    rows = np.zeros((labels.size, classes))
    rows[np.arange(labels.size), labels.reshape(-1)] = 1.0
    return rows.reshape(*labels.shape, classes)
