"""What cases are made of: `Case`, values that are random but always the same, whole domains."""

from dataclasses import dataclass, field

import numpy as np

EDGES = (0, 1, 5, 6, 7, 13, 14, 15, 16, 17, 29, 33)
LENGTHS = (0, 1, 15, 16, 17, 63, 64, 65, 1000)
BROADCASTS = [
    ((), ()),
    ((3,), ()),
    ((), (5, 7)),
    ((0,), (1,)),
    ((5, 1), (1, 7)),
    ((4, 5), (5,)),
    ((17, 33), (17, 1)),
    ((2, 3, 4), (3, 1)),
    ((1, 17, 1), (3, 1, 33)),
    ((2, 1, 3, 1, 2, 1), (1, 4, 1, 2, 1, 3)),
    ((3, 0, 2), (1, 1, 2)),
    ((1000,), (1000,)),
    ((64, 33), (64, 33)),
    ((300, 40), (40,)),
    ((1, 1), (9, 130)),
]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e30, -1e30, 1e-30, np.inf, -np.inf, np.nan]


def rng(*what):
    """Random numbers that follow from what they are for."""
    return np.random.default_rng([sum(map(ord, str(w))) for w in what])


def normal(*shape, seed=0):
    """Normal values of a shape."""
    return np.asarray(rng("normal", seed, shape).standard_normal(shape))


def labels(n, classes, seed=0):
    """Labels in [0, classes)."""
    return rng("labels", seed).integers(0, classes, n).astype(np.int32)


def sweep(real, largest=np.inf):
    """Values over all exponents and both signs, 0, infinity and NaN; none beyond `largest`."""
    if real == "float32":
        values = np.arange(0, 2**32, 40009, dtype=np.uint64).astype(np.uint32).view(np.float32)
    else:
        values = rng("bits").integers(0, 2**64, 60000, dtype=np.uint64).view(np.float64)
    info = np.finfo(real)
    ends = [info.max, -info.max, info.tiny, -info.tiny, *SPECIAL]
    usual = rng("usual").uniform(-30, 30, 20000)
    wide = rng("wide").uniform(-800, 800, 20000)
    with np.errstate(invalid="ignore"):
        values = np.concatenate([values, ends, usual, wide, usual / 1000, wide / 8]).astype(real)
    return values[~(np.abs(values) > largest)]


@dataclass
class Case:
    """One call of an op.

    Attributes
    ----------
    inputs : list of arrays, or function of 'float32' / 'float64' that gives it
        Real ones are converted to the precision tested, integers stay.
    attrs : dict
        A `dtype` of 'real' stands for the precision tested; a function is called on it.
    scale : function of the inputs and the result, optional
        What an error is measured by, in ulp; by default the result itself.
    bad : int, optional
        The position of the lowest bad index.
    """

    inputs: object
    attrs: dict = field(default_factory=dict)
    scale: object = None
    bad: object = None

    def arrays(self, real):
        """The inputs for a precision."""
        given = self.inputs(real) if callable(self.inputs) else self.inputs
        return [a if a.dtype.kind != "f" else a.astype(real) for a in map(np.asarray, given)]

    def attrs_for(self, real):
        """The attributes for a precision."""
        attrs = {k: v(real) if callable(v) else v for k, v in self.attrs.items()}
        return {k: real if k == "dtype" and v == "real" else v for k, v in attrs.items()}
