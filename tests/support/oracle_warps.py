"""Transformed and resized images in plain NumPy, as in `oracle.py`."""

import numpy as np

from nnlite.ops.warp import FILL_CODES

FILL_NAMES = {code: name for name, code in FILL_CODES.items()}


def pixels_at(at, n, fill, smooth):
    """The weights of n pixels at a coordinate; what is missing to 1 is the weight of the value
    beyond the border."""
    weights = np.zeros(n)
    if fill == "constant" and not 0 <= at <= n - 1:
        return weights
    if fill == "blend":
        if smooth:
            return np.maximum(0, 1 - abs(at - np.arange(n)))
        nearest = int(np.sign(at) * np.floor(abs(at) + 0.5))
        weights[nearest : nearest + 1] = nearest >= 0
        return weights
    if fill == "reflect":
        at %= 2 * n
        at = at if at < n else 2 * n - 1 - at
    elif fill == "wrap" and n > 1:
        at = at + (n - 1) * (int(-at / (n - 1)) + 1) if at < 0 else at
        at = at - (n - 1) * int(at / (n - 1)) if at > n - 1 else at
    elif fill == "tile":
        above = at > 0
        at %= n
        at = 0 if above and at > n - 1 else at
    at = min(max(at, 0), n - 1)
    if smooth:
        return np.maximum(0, 1 - abs(at - np.arange(n)))
    weights[int(np.floor(at + 0.5))] = 1
    return weights


def places(m, i, j):
    """Row and column that pixel (i, j) of a result reads."""
    m = np.asarray(m, np.float64)
    depth = 1 + m[7] * i + m[6] * j
    return (m[5] + m[4] * i + m[3] * j) / depth, (m[2] + m[1] * i + m[0] * j) / depth


def each_pixel(maps, size, sides, a):
    """(image, row, column, weights of rows, weights of columns) of each pixel of a result."""
    fill = FILL_NAMES[a["mode"]]
    for n, i, j in np.ndindex(len(maps), *size):
        at = places(maps[n], i, j)
        yield n, i, j, *(pixels_at(c, s, fill, a["smooth"]) for c, s in zip(at, sides))


def warp(x, maps, a):
    """Each pixel as a sum over all of the image."""
    y = np.zeros((len(x), *a["size"], x.shape[3]), x.dtype)
    for n, i, j, down, across in each_pixel(maps, a["size"], x.shape[1:3], a):
        weights = down[:, None] * across
        y[n, i, j] = (weights[..., None] * x[n]).sum((0, 1)) + a["cval"] * (1 - weights.sum())
    return y


def warp_gradient(dy, maps, a):
    """The transpose of the sums of `warp`."""
    dx = np.zeros((len(dy), *a["size"], dy.shape[3]), dy.dtype)
    for n, i, j, down, across in each_pixel(maps, dy.shape[1:3], a["size"], a):
        dx[n] += (down[:, None] * across)[..., None] * dy[n, i, j]
    return dx


def resample(x, first, weights):
    """Weighted sums of neighbours along the middle axis."""
    y = np.zeros((x.shape[0], len(first), x.shape[2]), x.dtype)
    for i, (f, w) in enumerate(zip(first, weights)):
        y[:, i] = (w[:, None] * x[:, f : f + len(w)]).sum(1)
    return y


def equalize(x, bins):
    """Each image and channel by itself, with NumPy's histogram of whole numbers."""
    y = x.copy()
    for n, c in np.ndindex(x.shape[0], x.shape[2]):
        at = np.clip(np.nan_to_num(x[n, :, c] * (bins - 1) / 255), 0, bins - 1).astype(int)
        count = np.bincount(at, minlength=bins)
        if np.count_nonzero(count) > 1:
            first = count[count > 0][0]
            y[n, :, c] = np.rint((count.cumsum() - first) * 255 / (len(at) - first))[at]
    return y


def clahe(x, down, across, limit):
    """Tables of tiles with NumPy's histogram, and a mean of four of them for each pixel."""
    y = np.zeros(x.shape)
    n, c = x.shape[0], x.shape[3]
    if not x.size:
        return y
    sides = [(side, min(side, tiles)) for side, tiles in zip(x.shape[1:3], (down, across))]
    size = [-(-side // tiles) for side, tiles in sides]
    wide = [(0, k * tiles - side) for k, (side, tiles) in zip(size, sides)]
    places = [tile_places(side, k, tiles) for k, (side, tiles) in zip(size, sides)]
    level = np.clip(np.nan_to_num(x), 0, 255).astype(int)
    for i, k in np.ndindex(n, c):
        around = np.pad(level[i, ..., k], wide, mode="symmetric")
        tiles = around.reshape(sides[0][1], size[0], sides[1][1], size[1]).swapaxes(1, 2)
        tables = np.apply_along_axis(
            clahe_table, 2, tiles.reshape(*tiles.shape[:2], size[0] * size[1]), limit
        )
        for share_down, at_down in places[0]:
            for share_across, at_across in places[1]:
                tile = tables[at_down[:, None], at_across, level[i, ..., k]]
                y[i, ..., k] += share_down[:, None] * share_across * tile
    return y


def clahe_table(levels, limit):
    """What each level becomes among those of a tile."""
    count = np.bincount(levels, minlength=256).astype(float)
    if limit:
        most = limit * levels.size / 256
        rest = np.maximum(count - most, 0).sum()
        count = np.minimum(count, most) + rest / 256
    total = count.cumsum()
    return np.clip((total - total[0]) * 255 / ((levels.size - total[0]) or 1), 0, 255)


def tile_places(side, size, tiles):
    """The tiles before and behind each pixel, each as (shares, numbers)."""
    at = (np.arange(side) - size / 2) / size
    low = np.floor(at).astype(int)
    return [
        (1 - (at - low), np.maximum(low, 0)),
        (at - low, np.minimum(low + 1, tiles - 1)),
    ]


ORACLE = {
    "clahe": lambda x, a: [clahe(x[0], a["tiles_down"], a["tiles_across"], a["limit"])],
    "warp": lambda x, a: [warp(*x, a)],
    "warp_gradient": lambda x, a: [warp_gradient(*x, a)],
    "equalize": lambda x, a: [equalize(x[0], a["bins"])],
    "resample": lambda x, a: [resample(*x)],
}
