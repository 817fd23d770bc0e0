"""What the ops of connectionist temporal classification are tested with."""

import numpy as np
from samples import Case, normal


def _rows(shape, labels, counts, times, seed=0):
    given = (labels, counts, times)
    return [2 * normal(*shape, seed=seed), *(np.array(a, np.int32) for a in given)]


GOOD = [
    (_rows((3, 5, 3), [[1, 2, 1], [2, 2, 0], [1, 0, 0]], [3, 2, 1], [5, 4, 2]), 0),
    (_rows((4, 4, 3), [[0, 1], [1, 1], [0, 7], [-1, 9]], [2, 2, 1, 0], [4, 3, 1, 4], 1), 2),
    (_rows((2, 3, 2), [[1, 1, 1], [1, 1, 0]], [3, 2], [3, 3], 2), 0),  # too many; just enough
    (_rows((3, 2, 1), [[0], [0], [0]], [0, 0, 0], [2, 1, 0], 3), 0),  # nothing but blanks
    (_rows((2, 3, 3), [[], []], [0, 0], [3, 2], 4), 1),
    (_rows((2, 0, 3), [[1], [1]], [0, 1], [0, 0], 4), 0),
    (_rows((0, 3, 3), np.zeros((0, 2)), [], [], 4), 1),
]
# With the place that is reported.
BAD = [
    (_rows((3, 3, 3), [[1, 2], [1, 3], [0, 1]], [2, 2, 1], [3, 3, 3]), 0, 3),
    (_rows((3, 3, 3), [[1, 2], [1, 2], [2, 1]], [2, 3, 1], [3, 3, 3]), 0, 2),
    (_rows((2, 3, 3), [[1, 2], [1, 2]], [2, 1], [3, 4]), 0, 2),
    (_rows((2, 3, 3), [[1, 2], [1, 2]], [-1, 1], [3, 3]), 0, 0),
]


def _cases(gradient):
    found = []
    for x, blank, *bad in [*GOOD, *BAD]:
        x = [*x, normal(len(x[0]), seed=7)] if gradient else x
        found.append(Case(x, {"mask_index": blank}, scale=_scale, bad=bad[0] if bad else None))
    return found


def _scale(x, want):
    """Losses and shares are sums of what has the size of the logits, times the gradient above."""
    return np.abs(want) + (1.0 if len(x) == 4 else np.abs(x[4])[:, None, None])


CASES = {"ctc_loss": _cases(False), "ctc_loss_gradient": _cases(True)}
ULP = {"ctc_loss": 8, "ctc_loss_gradient": 12}


def smooth(made):
    """Where the gradient is compared with differences."""
    return {"ctc_loss": [made(x, {"mask_index": blank}) for x, blank in GOOD[:2]]}
