"""The inputs on which slices and concatenations are compared with the oracle."""

from samples import Case, normal


def parts(gradient):
    """Begins, sizes and steps of slices of some shapes: whole, empty, one entry, backwards."""
    places = [
        ((), (), (), ()),
        ((7,), (2,), (3,), (1,)),
        ((7,), (6,), (4,), (-2,)),
        ((7,), (3,), (0,), (1,)),
        ((0, 3), (0, 1), (0, 2), (1, 1)),
        ((5, 17), (0, 0), (5, 17), (1, 1)),
        ((5, 17), (1, 0), (3, 17), (1, 1)),
        ((5, 17), (4, 3), (5, 9), (-1, 1)),
        ((5, 17), (0, 16), (2, 6), (3, -3)),
        ((3, 4, 5, 6), (0, 1, 0, 0), (3, 2, 5, 6), (1, 1, 1, 1)),
        ((3, 4, 5, 6), (2, 0, 3, 0), (1, 2, 2, 6), (1, 2, -2, 1)),
        ((2, 2, 2, 3, 2, 3), (1, 0, 1, 2, 0, 0), (1, 2, 1, 2, 2, 2), (1, 1, 1, -2, 1, 2)),
    ]
    found = []
    for whole, begin, size, step in places:
        padding = 6 - len(whole)
        attrs = {"int32": 0, "dtype": "real", "shape": whole if gradient else size}
        attrs.update({f"begin_{d}": b for d, b in enumerate(begin + (0,) * padding)})
        attrs.update({f"step_{d}": s for d, s in enumerate(step + (1,) * padding)})
        found.append(Case([normal(*(size if gradient else whole))], attrs))
    return found


def concatenations():
    shapes = [([(3,), (2,), (0,)], 0), ([(4, 3), (4, 1), (4, 16)], 1), ([(0, 3), (0, 2)], 1)]
    shapes += [([(2, 3, 4), (2, 2, 4)], 1), ([(2, 3), (5, 3), (1, 3)], 0), ([(3, 2)], 1)]
    return [
        Case([normal(*s, seed=k) for k, s in enumerate(group)], {"axis": axis})
        for group, axis in shapes
    ]


CASES = {
    "slice": parts(gradient=False),
    "slice_gradient": parts(gradient=True),
    "concatenate": concatenations(),
}
ULP = dict.fromkeys(CASES, 0)  # copies
