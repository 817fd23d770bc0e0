"""Pooling to a size: as many windows as are asked for, whatever the size of the input.

The one idea: windows are as equal as can be (`equal_windows`), along each axis by itself.
"""

import numpy as np

from nnlite.checks import check_choice
from nnlite.ops.operands import operands
from nnlite.ops.reduce import max as largest
from nnlite.ops.resampling import resampled
from nnlite.ops.rows import take
from nnlite.ops.windows import equal_windows, sizes


def _pooled(name, x, output_size, data_format, pool):
    """The result of `pool(x, axis, m)` for each axis that is neither batch nor channels."""
    if data_format is not None:
        check_choice("data_format", data_format, ["channels_last", "channels_first"], name)
    (x,) = operands(x)
    if not 3 <= x.ndim <= 5 or 0 in x.shape[1:]:
        raise ValueError(
            f"{name}: expected sequences, images or volumes, with the batch and channels as axes "
            f"of their own and none but the batch of size 0, got shape {x.shape}"
        )
    first = 2 if data_format == "channels_first" else 1
    for axis, m in enumerate(sizes("output_size", output_size, x.ndim - 2), first):
        if m != x.shape[axis]:
            x = pool(x, axis, m)
    return x


def adaptive_average_pool(inputs, output_size, data_format=None):
    """The means of windows, of which there are as many as are asked for.

    Of m along an axis of size n, window i holds the entries from floor(i n / m) to
    ceil((i + 1) n / m), the last one not included.

    Parameters
    ----------
    inputs : tensor, shape (N, T, C), (N, H, W, C) or (N, D, H, W, C)
    output_size : int, or one for each axis between the batch and the channels
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, T) and so on for 'channels_first', of the result, too.

    Returns
    -------
    Tensor, shape (N, *output_size, C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.adaptive_average_pool([[[1.0], [2.0], [6.0]]], 2).numpy().ravel()
    array([1.5, 4. ], dtype=float32)
    """

    def mean(x, axis, m):
        return resampled(x, axis, m, "windows")

    return _pooled("adaptive_average_pool", inputs, output_size, data_format, mean)


def adaptive_max_pool(inputs, output_size, data_format=None):
    """The maxima of windows, of which there are as many as are asked for.

    Equal maxima share the gradient.

    Parameters
    ----------
    inputs, output_size, data_format
        As for `adaptive_average_pool`.

    Returns
    -------
    Tensor, shape (N, *output_size, C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.adaptive_max_pool([[[1.0], [2.0], [6.0]]], 2).numpy().ravel()
    array([2., 6.], dtype=float32)
    """

    def maximum(x, axis, m):
        begin, end = equal_windows(x.shape[axis], m)
        entries = begin[:, None] + np.arange((end - begin).max())
        # The last entry of a shorter window stands in it twice.
        return largest(take(x, np.minimum(entries, end[:, None] - 1), axis), axis + 1)

    return _pooled("adaptive_max_pool", inputs, output_size, data_format, maximum)
