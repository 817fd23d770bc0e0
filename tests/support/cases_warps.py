"""Cases of the ops in `oracle_warps.py`, as in `cases.py`, and points at which they are smooth."""

import itertools

import numpy as np
from oracle_warps import resample, warp_gradient
from samples import Case, normal, rng

from nnlite.ops.resampling import taps
from nnlite.ops.warp import FILL_CODES

IMAGES = [
    (0, 4, 4, 3), (2, 4, 4, 0), (3, 1, 1, 1), (1, 1, 9, 2), (1, 9, 6, 1), (2, 3, 5, 3),
    (1, 1, 70, 1), (1, 1, 129, 5),
]  # fmt: skip
IDENTITY = [1.0, 0, 0, 0, 1, 0, 0, 0]
# Coordinates of these maps have few digits, so they are exact in float32 and float64.
KINDS = ("same", "mirrored", "moved", "halves", "any", "deep")


def maps(n, kind, sides):
    """Whole pixels, half pixels, anything, also far outside, and with perspective."""
    m = np.tile(IDENTITY, (n, 1))
    random = rng("maps", n, kind)
    if kind == "mirrored":
        for row, flips in zip(m, random.integers(0, 2, (n, 2))):
            row[[0, 4]] = 1 - 2 * flips
            row[[5, 2]] = flips[::-1] * (np.array(sides) - 1)
    elif kind == "moved":
        m[:, [2, 5]] = random.integers(-9, 10, (n, 2))
    elif kind == "halves":
        m[:, :6] = random.integers(-6, 7, (n, 6)) / 2
    elif kind in ("any", "deep"):
        m[:, :6] = np.round(32 * random.standard_normal((n, 6)) * [1, 1, 8, 1, 1, 8]) / 32
    if kind == "deep":
        m[:, 6:] = random.integers(0, 2, (n, 2)) / 2
    return m


def _rounded(m):
    """How much more a place, a quotient of up to 16 pixels, is rounded than a value."""
    return 16 if np.asarray(m)[:, 6:].any() else 1


def _largest_pixel(inputs, result):
    return np.abs(inputs[0]).max(initial=0.75) * _rounded(inputs[1])


def warps():
    """All ways to go on beyond the border, of smooth and nearest pixels; of another size, too."""
    found = []
    for shape, kind, mode, smooth in itertools.product(IMAGES, KINDS, FILL_CODES.values(), (0, 1)):
        if (0 in shape or kind in ("same", "mirrored")) and mode != FILL_CODES["blend"]:
            continue  # the others do the same
        size = shape[1:3] if kind != "moved" else (max(shape[1] - 2, 1), shape[2] + 1)
        attrs = {"mode": mode, "smooth": smooth, "cval": 0.75, "size": size}
        inputs = [normal(*shape), maps(shape[0], kind, shape[1:3])]
        found.append(Case(inputs, attrs, _largest_pixel if smooth or kind == "deep" else None))
    return found


def warp_gradients():
    """Measured by the gradient of |dy|."""
    found = []
    for case in warps():
        x, m = case.inputs
        attrs = {**case.attrs, "size": x.shape[1:3]}
        dy = normal(len(x), *case.attrs["size"], x.shape[3], seed=1)
        found.append(
            Case(
                [dy, m],
                attrs,
                lambda i, y, a=attrs: 1 + warp_gradient(np.abs(i[0]), i[1], {**a, "cval": 0}),
            )
        )
    return found


AXES = [(1, 5), (7, 3), (3, 7), (8, 4), (30, 65)]
WAYS = [("nearest", False), ("bilinear", False), ("bicubic", True), ("area", False)]


def resamples():
    """One value beside another, pixels of three values, rows of many."""
    found = []
    for (n, m), way, back in itertools.product(AXES, WAYS, (False, True)):
        along = (n, m, *way, back)
        first, weights = taps(*along)
        for a, b in [(0, 3), (2, 1), (3, 3), (1, 130)]:
            inputs = [normal(a, m if back else n, b), first, weights]
            found.append(
                Case(
                    inputs,
                    {"along": along},
                    lambda i, y: resample(np.abs(i[0]), i[1], np.abs(i[2])) + 1e-30,
                )
            )
    return found


def equalizations():
    """Many values and few, beyond the range, one, and none."""
    whole = np.round(60 * normal(2, 70, 3) + 128)
    odd = np.array([0.0, -0.0, 255.0, 300.0, -300.0, np.nan, np.inf, -np.inf, 127.5, 1.0])
    return [
        Case([x], {"bins": bins})
        for bins in (2, 16, 256)
        for x in (
            whole,
            np.round(whole / 100),
            odd.reshape(1, 10, 1),
            np.full((1, 5, 2), 7.0),
            np.ones((2, 0, 3)),
            np.ones((0, 4, 3)),
        )
    ]


def tiled_equalizations():
    """Tiles that fill images, that reach beyond them, of one pixel, more than there are; values
    beyond the range; no image, no pixel."""
    x = np.round(60 * normal(2, 13, 18, 3) + 128)
    x[0, :2, :4, 0] = np.array([[-0.0, 255, 300, -300], [np.nan, np.inf, -np.inf, 127.5]])
    found = []
    for tiles, limit in itertools.product([(1, 1), (2, 3), (5, 4), (13, 40)], (0.0, 1.5, 40.0)):
        attrs = {"tiles_down": tiles[0], "tiles_across": tiles[1], "limit": limit}
        given = x, np.full((1, 4, 4, 1), 7.0), np.ones((0, 4, 3, 2)), np.ones((2, 3, 0, 1))
        found += [Case([images], attrs, lambda i, y: np.full(y.shape, 255.0)) for images in given]
    return found


CASES = {
    "clahe": tiled_equalizations(),
    "equalize": equalizations(),
    "warp": warps(),
    "warp_gradient": warp_gradients(),
    "resample": resamples(),
}
ULP = {"clahe": 2, "equalize": 0, "warp": 4, "warp_gradient": 32, "resample": 4}


def smooth(of):
    """Where gradients are compared with differences."""
    shape, size = (2, 4, 5, 2), (3, 6)
    ways = [(mode, smooth) for mode in FILL_CODES.values() for smooth in (0, 1)]
    attrs = [{"mode": m, "smooth": s, "cval": 0.0} for m, s in ways]
    kinds = ("mirrored", "halves", "any", "deep")
    chosen = [(a, maps(2, kind, shape[1:3])) for a in attrs for kind in kinds]
    return {
        "warp": [of([normal(*shape), m], {**a, "size": size}) for a, m in chosen],
        "warp_gradient": [
            of([normal(2, *size, 2), m], {**a, "size": shape[1:3]}) for a, m in chosen
        ],
        "resample": [
            of(
                [normal(2, 5 if back else 7, 3), *taps(7, 5, *way, back)],
                {"along": (7, 5, *way, back)},
            )
            for way, back in itertools.product(WAYS, (False, True))
        ],
    }
