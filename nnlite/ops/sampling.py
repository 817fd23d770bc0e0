"""Values of arrays of any number of axes between their entries."""

import itertools

from nnlite.checks import check_choice
from nnlite.ops.elementwise import clip, equal, floor, less, minimum, mod, where
from nnlite.ops.operands import cast, number, operands
from nnlite.ops.places import exact_places
from nnlite.ops.rows import take
from nnlite.ops.shape import reshape
from nnlite.ops.slicing import expand_dims

# From places of entries anywhere to entries of n. 'constant' reads one that does not count.
_PLACES = {
    "constant": lambda i, n: clip(i, 0.0, n - 1.0),
    "nearest": lambda i, n: clip(i, 0.0, n - 1.0),
    "wrap": lambda i, n: mod(i, float(n)),
    "mirror": lambda i, n: _there_and_back(i, 2.0 * (n - 1) or 1.0, 0.0),
    "reflect": lambda i, n: _there_and_back(i, 2.0 * n, 1.0),
}


def _there_and_back(i, period, edge):
    forth = mod(i, period)
    return minimum(forth, period - edge - forth)


def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0.0):
    """Values of an array at places between its entries.

    Parameters
    ----------
    inputs : tensor of n axes
    coordinates : tensor, shape (n, ...)
        The places, along each axis of `inputs`.
    order : {0, 1}
        0: the nearest entry; of two that are as near, the one with an even number. 1: means of the
        two neighbours along each axis, by their distances.
    fill_mode : {'constant', 'nearest', 'wrap', 'mirror', 'reflect'}
        The values beyond abcd: kkkk|abcd|kkkk with k = `fill_value`, aaaa|abcd|dddd,
        abcd|abcd|abcd, dcb|abcd|cba, or dcba|abcd|dcba.
    fill_value : float, default 0.0

    Returns
    -------
    Tensor
        Of the shape of `coordinates` without its first axis. There is a gradient to `inputs`, and
        for order 1 to the coordinates.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.image.map_coordinates([1.0, 2.0, 4.0], [[0.5, 1.5, 2.0]], order=1).numpy()
    array([1.5, 3. , 4. ], dtype=float32)
    """
    check_choice("order", order, (0, 1))
    check_choice("fill_mode", fill_mode, [*_PLACES])
    x, places = operands(inputs, coordinates)
    value = number("fill_value", fill_value)
    if places.ndim < 1 or places.shape[0] != x.ndim or not x.ndim:
        raise ValueError(
            f"coordinates: expected shape ({x.ndim}, ...) for inputs of shape {x.shape}, got shape "
            f"{places.shape}"
        )
    if not x.size:
        raise ValueError(f"inputs: expected at least one entry, got shape {x.shape}")
    exact_places("inputs", x.shape, x.dtype)
    found = rows_at(
        reshape(x, (-1, 1)), x.shape, [*places], order, fill_mode=fill_mode, fill_value=value
    )
    return reshape(found, places.shape[1:])


def rows_at(rows, shape, places, order, *, fill_mode, fill_value=0.0, first=0.0):
    """Rows of a matrix at places between them, as `map_coordinates` has it.

    Parameters
    ----------
    rows : Tensor, shape (count, width)
        Of arrays of rows, one after the other.
    shape : tuple of int
        Of each array.
    places : list of Tensor
        Along each axis of an array.
    order, fill_mode, fill_value
        Of `map_coordinates`.
    first : Tensor or float, default 0.0
        The number of the first row of the array that is read.

    Returns
    -------
    Tensor
        Of the shape of a tensor of `places`, and an axis of `width`.
    """
    corners = [_neighbours(place, order) for place in places]
    total = 0.0
    for corner in itertools.product(*corners):
        at, weight, inside = 0.0, 1.0, 1.0
        for (entry, share), n in zip(corner, shape):
            at = at * float(n) + _PLACES[fill_mode](entry, n)
            weight = share * weight
            inside = equal(clip(entry, 0.0, n - 1.0), entry) * inside
        found = take(rows, cast(first + at, "int32"), 0)
        if fill_mode == "constant":
            found = where(expand_dims(inside, -1), found, fill_value)
        total = found * (expand_dims(weight, -1) if order else 1.0) + total
    return total


def _neighbours(place, order):
    """The two entries of an axis beside a place, each as (entry, weight)."""
    low = floor(place)
    share = place - low
    if order:
        return [(low, 1.0 - share), (low + 1.0, share)]
    odd = mod(low, 2.0)
    up = where(equal(share, 0.5), odd, less(0.5, share))
    return [(low + up, 1.0)]
