"""CIFAR-10, 60,000 small photographs in ten classes."""

import numpy as np

from nnlite.datasets.cifar import read_parts

__all__ = ["load_data"]

SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
TRAINING = [f"cifar-10-batches-py/data_batch_{k}" for k in range(1, 6)]
TESTING = ["cifar-10-batches-py/test_batch"]


def load_data():
    """Load the images and labels of CIFAR-10.

    The file `cifar-10-python.tar.gz` is read from the first place that has it: the folder `cifar10`
    in the folder that the environment variable NNLITE_DATA names; the cache, `nnlite/datasets` in
    XDG_CACHE_HOME (by default `~/.cache`); its authors' page, from which it goes to the cache (170
    MB). Nothing of it is run.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : arrays of uint8
        Images of shapes (50000, 32, 32, 3) and (10000, 32, 32, 3), values in [0, 255]; labels of
        shapes (50000, 1) and (10000, 1): 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog,
        6 frog, 7 horse, 8 ship, 9 truck.

    Raises
    ------
    OSError
        If the file can neither be found nor downloaded, or is not CIFAR-10's.

    References
    ----------
    A. Krizhevsky: Learning multiple layers of features from tiny images, 2009.

    Examples
    --------
    >>> from nnlite.datasets import cifar10
    >>> (x_train, y_train), (x_test, y_test) = cifar10.load_data()  # doctest: +SKIP
    >>> x_train.shape, y_train.shape  # doctest: +SKIP
    ((50000, 32, 32, 3), (50000, 1))
    """
    parts = read_parts("cifar10", "cifar-10-python.tar.gz", SHA256, [TRAINING, TESTING], "labels")
    training, testing = ((x, y.astype(np.uint8)) for x, y in parts)
    return training, testing
