"""Datasets of the windows of a series."""

import itertools

import numpy as np

from nnlite.checks import check_choice, check_setting, positive_int
from nnlite.config import next_seed
from nnlite.data.dataset import Dataset
from nnlite.data.sources import array_of


def timeseries_dataset_from_array(
    data,
    targets,
    sequence_length,
    sequence_stride=1,
    sampling_rate=1,
    batch_size=128,
    shuffle=False,
    seed=None,
    start_index=None,
    end_index=None,
    format="tf",
):
    """A dataset of the windows of a series, each with a target.

    Parameters
    ----------
    data : array-like, shape (steps, ...)
    targets : array-like, shape (windows, ...), or None
        `targets[i]` belongs to the window that begins at step i, also with `start_index`. None:
        windows alone.
    sequence_length : int
        Steps of a window.
    sequence_stride : int, default 1
        Steps between the beginnings of two windows.
    sampling_rate : int, default 1
        A window has every so manieth step.
    batch_size : int or None, default 128
        Windows of a batch; the last one may have fewer. None: single windows.
    shuffle : bool, default False
        Whether each pass has another order.
    seed : int, optional
        Of the order. By default one follows from `utils.set_random_seed`.
    start_index, end_index : int, optional
        The first step that is used, and the one after the last.
    format : {'tf', 'grain'}, default 'tf'
        Ignored.

    Returns
    -------
    Dataset
        Of (windows, targets), or of windows. The array is read where it is.

    Raises
    ------
    ValueError
        For settings out of range, or if there is no window.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.utils import timeseries_dataset_from_array
    >>> series = np.arange(6)
    >>> for x, y in timeseries_dataset_from_array(series, series[3:], 3, batch_size=2):
    ...     print(x.numpy().tolist(), y.numpy().tolist())
    [[0, 1, 2], [1, 2, 3]] [3, 4]
    [[2, 3, 4]] [5]
    """
    check_choice("format", format, ("tf", "grain"))
    data = array_of(data, "data")
    targets = None if targets is None else array_of(targets, "targets")
    for name, array in (("data", data), ("targets", targets)):
        if array is not None and array.ndim == 0:
            raise ValueError(f"{name}: expected an array with steps, got {array}")
    length = positive_int("sequence_length", sequence_length)
    stride = positive_int("sequence_stride", sequence_stride)
    rate = positive_int("sampling_rate", sampling_rate)
    size = None if batch_size is None else positive_int("batch_size", batch_size)
    start, end = 0 if start_index is None else start_index, end_index
    check_setting("start_index", start, f"int [0, {len(data)})")
    end = len(data) if end is None else end
    check_setting("end_index", end, f"int [{int(start) + 1}, {len(data)}]")
    if seed is not None:
        check_setting("seed", seed, "int [0, inf)")
    start, last = int(start), int(end) - (length - 1) * rate
    if targets is not None:
        last = min(last, len(targets))
    starts = np.arange(start, last, stride)
    if not len(starts):
        raise ValueError(
            f"sequence_length: expected at least one window in {int(end) - start} steps"
            f"{'' if targets is None else f' and {len(targets)} targets'}, got {length} steps of "
            f"every {rate}"
        )
    steps = np.arange(length) * rate
    first = next_seed() if shuffle and seed is None else seed
    passes = itertools.count()

    def element(rows):
        windows = data[np.add.outer(rows, steps)]
        return windows if targets is None else (windows, targets[rows])

    def elements():
        order = starts
        if shuffle:
            rng = np.random.Generator(np.random.Philox([int(first), next(passes)]))
            order = rng.permutation(starts)
        if size is None:
            return map(element, order)
        return (element(order[at : at + size]) for at in range(0, len(order), size))

    return Dataset(elements, len(starts) if size is None else -(-len(starts) // size))
