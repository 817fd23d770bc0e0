"""A dataset in two parts."""

import numpy as np

from nnlite.checks import check_setting, is_number
from nnlite.config import next_seed
from nnlite.data.dataset import Dataset


def split_dataset(
    dataset, left_size=None, right_size=None, shuffle=False, seed=None, preferred_backend=None
):
    """Two datasets of the elements of one, such as for training and for testing.

    Parameters
    ----------
    dataset : Dataset, array, or tuple or list of arrays
        Of arrays, each row is an element. A Dataset is gone through once and kept in memory; of one
        of batches, whole batches are the elements.
    left_size, right_size : float in (0, 1), or int, optional
        A share, or a number of elements; None: the rest of the other. At least one is needed.
    shuffle : bool, default False
        Whether elements are drawn at random.
    seed : int, optional
        Of these draws. By default one follows from `utils.set_random_seed`.
    preferred_backend : str, optional
        Ignored.

    Returns
    -------
    left, right : Dataset

    Raises
    ------
    ValueError
        If a part would be empty, or both have more elements than there are.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.utils import split_dataset
    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), [int(x) for x in right]
    (8, [8, 9])
    """
    if isinstance(dataset, list) and dataset and np.ndim(dataset[0]):
        dataset = tuple(dataset)
    if not isinstance(dataset, Dataset):
        dataset = Dataset.from_tensor_slices(dataset)
    elements = list(dataset.as_numpy_iterator())
    left, right = _sizes(left_size, right_size, len(elements))
    order = np.arange(len(elements))
    if shuffle:
        if seed is not None:
            check_setting("seed", seed, "int [0, inf)")
        order = np.random.default_rng(next_seed() if seed is None else int(seed)).permutation(order)

    def part(numbers):
        return Dataset(lambda: (elements[k] for k in numbers), len(numbers))

    return part(order[:left]), part(order[left : left + right])


def _sizes(left, right, total):
    """Both sizes as numbers of elements."""
    if left is None and right is None:
        raise ValueError("left_size: expected it or right_size, got None for both")
    sizes = []
    for name, size in (("left_size", left), ("right_size", right)):
        whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
        if size is not None and not is_number(size, f"[1, {total})" if whole else "(0, 1)"):
            raise ValueError(
                f"{name}: expected a share in (0, 1) or an integer in [1, {total}), got {size!r}"
            )
        sizes.append(size if size is None or whole else round(size * total))
    left, right = sizes
    left, right = total - right if left is None else left, total - left if right is None else right
    if min(left, right) < 1 or left + right > total:
        raise ValueError(
            f"left_size: expected two parts with elements of the {total}, got {left} and {right}"
        )
    return int(left), int(right)
