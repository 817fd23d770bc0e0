"""Fashion-MNIST, 70,000 images of clothes in ten classes, in MNIST's form."""

from pathlib import Path

from nnlite.datasets.files import idx_array, idx_content, located

__all__ = ["load_data"]

# name -> shape, MD5 of the packed file; in the order of Keras's result.
FILES = {
    "train-images-idx3-ubyte.gz": ((60_000, 28, 28), "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    "train-labels-idx1-ubyte.gz": ((60_000,), "25c81989df183df01b3e8a0aad5dffbe"),
    "t10k-images-idx3-ubyte.gz": ((10_000, 28, 28), "bef4ecab320f06d8554ea6380940ec79"),
    "t10k-labels-idx1-ubyte.gz": ((10_000,), "bb300cfdad3c16e7a12a480ee83cd310"),
}


def load_data():
    """Load the images and labels of Fashion-MNIST.

    Each of the four files (`train-images-idx3-ubyte.gz`, ...) is read from the first place that has
    it: the folder `fashion-mnist` in the folder that the environment variable NNLITE_DATA names;
    the cache, `nnlite/datasets/fashion-mnist` in XDG_CACHE_HOME (by default `~/.cache`), or
    Keras's; Keras's storage, from which it goes to the cache.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : arrays of uint8
        Images of shapes (60000, 28, 28) and (10000, 28, 28), values in [0, 255]; labels of shapes
        (60000,) and (10000,): 0 T-shirt or top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal,
        6 shirt, 7 sneaker, 8 bag, 9 ankle boot.

    Raises
    ------
    OSError
        If a file can neither be found nor downloaded, or is not Fashion-MNIST's.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms, 2017.

    Examples
    --------
    >>> from nnlite.datasets import fashion_mnist
    >>> (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()  # doctest: +SKIP
    >>> x_train.shape  # doctest: +SKIP
    (60000, 28, 28)
    """
    x_train, y_train, x_test, y_test = (_load(name, *what) for name, what in FILES.items())
    return (x_train, y_train), (x_test, y_test)


def _load(name, shape, md5):
    folder = "fashion-mnist"
    path = located(name, folder, name, md5, cache_subdir=f"datasets/{folder}")
    return idx_array(idx_content(Path(path).read_bytes(), shape, path), shape)
