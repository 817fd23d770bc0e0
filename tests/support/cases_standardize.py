"""The inputs on which `standardize` is compared with the oracle."""

import numpy as np
from samples import Case, normal

from nnlite.ops.rows import SOURCE_CODES, split

PLAIN = {"code": SOURCE_CODES.get, "row_bytes": 0, "rows": 0, "inverse": 0}


def size_of_terms(inputs, result):
    """What errors of the inverse are measured by: it may cancel."""
    x, mean, _, deviation = inputs[:4]
    product = np.abs(x.reshape(-1, mean.size) * deviation.reshape(-1))
    return (product + np.abs(mean).reshape(-1)).reshape(result.shape)


def scales(columns, far=0.0):
    """Mean, rest and deviation for a precision: some rests are of other means."""
    mean = far + normal(columns, seed=1)

    def of(real):
        rounded, rest = split(mean, real)
        rest[::4] = rounded[::4]
        return [rounded, rest, 0.5 + np.abs(normal(columns, seed=2))]

    return of


def plain():
    """Tensors of odd shapes, few columns and many, of real numbers and integers; both ways."""
    found = []
    shapes = [((), 1), ((3,), 3), ((0, 3), 3), ((5, 1), 1), ((5, 7), 7), ((4, 5, 3), 3)]
    shapes += [
        ((3, 300), 1),
        ((3, 4, 90), 90),
        ((2, 130, 2), 260),
        ((3, 256), 256),
        ((4, 600), 600),
    ]
    for shape, columns in shapes:
        for inverse in (0, 1):
            attrs = {**PLAIN, "shape": shape, "inverse": inverse}
            x, of = normal(*shape), scales(columns, 5.0)
            found.append(
                Case(
                    lambda real, x=x, of=of: [x, *of(real)],
                    attrs,
                    scale=size_of_terms if inverse else None,
                )
            )
        whole = (40 * normal(*shape)).astype(np.int32)
        attrs = {**PLAIN, "code": SOURCE_CODES["int32"], "shape": shape}
        found.append(Case(lambda real, x=whole, of=of: [x, *of(real)], attrs))
    return found


def rows_of(source, of, index):
    """The inputs of a call that reads a source."""
    given = [] if index is None else [np.array(index, np.int32)]
    return lambda real: [source.view(np.uint8).reshape(-1), *of(real), *given]


def rows():
    """Rows of each element type far from 0, packed and spaced, with an index; good and bad."""
    found = []
    for kind in SOURCE_CODES:
        wide = kind in ("float64", "int64", "uint64")
        far = 1.7e12 if wide else 0.0
        source = (far + np.abs(20 * normal(13, 6))).astype(kind)
        if kind == "float64":
            source[2, :3] = np.nan, np.inf, -np.inf
        for width, columns, index, count in [
            (6, 3, None, 13),
            (4, 4, None, 13),
            (6, 6, [3, 0, 12, 12], 13),
            (1, 1, [5], 13),
            (6, 2, [], 13),
            (6, 6, [3, 12, -1, 4, 13], 12),
            (5, 5, None, 7),
        ]:
            n = 13 if index is None else len(index)
            attrs = {"code": SOURCE_CODES[kind], "row_bytes": 6 * source.itemsize, "rows": count}
            attrs |= {"inverse": 0, "shape": (n, width)}
            bad = 7 if count == 7 else 1 if count == 12 else None
            found.append(Case(rows_of(source, scales(columns, far), index), attrs, bad=bad))
    return found


CASES = {"standardize": plain() + rows()}
# A rounding of the difference and one of the quotient; the first may weigh twice.
ULP = {"standardize": 1.5}
