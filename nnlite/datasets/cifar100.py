"""CIFAR-100, 60,000 small photographs in 100 classes, which are 20 kinds of five."""

from nnlite.checks import check_choice
from nnlite.datasets.cifar import read_parts

__all__ = ["load_data"]

SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(label_mode="fine"):
    """Load the images and labels of CIFAR-100.

    The file `cifar-100-python.tar.gz` is read from the first place that has it: the folder
    `cifar100` in the folder that the environment variable NNLITE_DATA names; the cache,
    `nnlite/datasets` in XDG_CACHE_HOME (by default `~/.cache`); its authors' page, from which it
    goes to the cache (169 MB). Nothing of it is run.

    Parameters
    ----------
    label_mode : {'fine', 'coarse'}, default 'fine'
        Whether the labels are those of 100 classes, or of 20 kinds.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images: uint8 of shapes (50000, 32, 32, 3) and (10000, 32, 32, 3), values in [0, 255].
        Labels: int64 of shapes (50000, 1) and (10000, 1).

    Raises
    ------
    OSError
        If the file can neither be found nor downloaded, or is not CIFAR-100's.
    ValueError
        For another `label_mode`.

    References
    ----------
    A. Krizhevsky: Learning multiple layers of features from tiny images, 2009.

    Examples
    --------
    >>> from nnlite.datasets import cifar100
    >>> (x_train, y_train), (x_test, y_test) = cifar100.load_data("coarse")  # doctest: +SKIP
    >>> y_train.max()  # doctest: +SKIP
    19
    """
    check_choice("label_mode", label_mode, ("fine", "coarse"))
    members = [["cifar-100-python/train"], ["cifar-100-python/test"]]
    name = "cifar-100-python.tar.gz"
    training, testing = read_parts("cifar100", name, SHA256, members, f"{label_mode}_labels")
    return training, testing
