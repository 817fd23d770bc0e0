"""Cases of the ops that metrics are made of: running sums and counts, the largest of a row."""

import numpy as np
from samples import LENGTHS, SPECIAL, Case, labels, normal

ROWS = (0, 1, 17, 100)
COLUMNS = (1, 2, 16, 17, 40)


def accumulations():
    """Sums that lose nothing."""
    state = np.array([1e6, -0.02, 12.0, 0.0])
    return [
        Case([state, normal(n), np.abs(normal(n, seed=1))][: 2 + weighted])
        for n in LENGTHS
        for weighted in (0, 1)
    ] + [Case([state, normal(4, 5)])]


def products():
    """One to four factors; sums that are already large."""
    found = []
    for n in ROWS:
        for columns in (0, *COLUMNS):
            sums = np.stack([1e6 * normal(columns), 1e-3 * normal(columns, seed=1)], axis=1)
            factors = [normal(n, columns, seed=2 + k) for k in range(4)]

            def scale(inputs, want):  # of what is added
                added = np.abs(np.prod(np.stack(inputs[1:]), axis=0)).sum(axis=0)
                return np.abs(inputs[0]).sum(axis=1) + added

            found += [Case([sums, *factors[:k]], scale=scale) for k in (1, 2, 4)]
    return found


def counts():
    """Bins of all numbers, scores at thresholds and beyond, labels that are none."""
    found = []
    for n in ROWS:
        for columns in COLUMNS:
            for rows, thresholds in (
                (2, [0.5]),
                (2, [-np.inf, *np.arange(1, 199) / 199, np.inf]),
                (3, [0.0, 0.25, 0.25, 1.0]),
                (1, []),
            ):
                state = np.zeros((rows, len(thresholds) + 1, columns, 2))
                state[..., 0] = 2.0**24 * np.abs(normal(*state.shape[:-1])).round(1)
                label = labels(n * columns, rows + 1, seed=1).reshape(n, columns) * 1.0
                score = np.abs(normal(n, columns, seed=2)).round(2)
                weight = np.abs(normal(n, columns, seed=3))
                inputs = [state, np.array(thresholds), label, score, weight]
                found += [Case(inputs[:4]), Case(inputs)]
    special = np.array([SPECIAL, SPECIAL[::-1]]).T
    odd = np.array([[-1.0, 1.0], [np.nan, 2.0], [0.5, 1e30], *[[0.0, 1.0]] * 9])
    for label, score in ((np.ones((12, 2)), special), (odd, np.full((12, 2), 0.75))):
        found.append(Case([np.zeros((2, 3, 2, 2)), np.array([0.5, 1.0]), label, score]))
    return found


CASES = {
    "accumulate": accumulations(),
    "accumulate_products": products(),
    "accumulate_counts": counts(),
}
# Of a float64: two float32 hold 48 bits.
ULP = {"accumulate": 40, "accumulate_products": 40, "accumulate_counts": 40}
