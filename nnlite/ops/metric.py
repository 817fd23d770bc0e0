"""The ops of metrics: running sums and counts.

A running sum is a pair in a Variable: the sum and its rounding error; the value is the sum of both
in double precision. It does not lose precision over millions of batches, and counts stay exact
beyond 2^24, where float32 alone would stop counting.
"""

import math

from nnlite.engine.dispatch import OPS, Op, apply
from nnlite.ops.operands import operands


def _infer_accumulate(state, values, weights=None):
    if state != (4,):
        raise ValueError(f"accumulate: expected a state of shape (4,), got {state}")
    if weights is not None and weights != values:
        raise ValueError(f"accumulate: weights: expected shape {values}, got {weights}")
    return []


Op("accumulate", infer=_infer_accumulate, outputs=(), writes=(0,))


def accumulate(state, values, weights=None):
    """Add values to a running weighted sum and their weights to its count.

    Parameters
    ----------
    state : Variable, shape (4,)
        The sum, its rounding error, the count, its rounding error.
    values : tensor
    weights : tensor of the shape of `values`, optional
        By default 1 for each value.
    """
    inputs = [state, *operands(values)] if weights is None else [state, *operands(values, weights)]
    apply(OPS["accumulate"], inputs, {})


def _infer_products(sums, *factors):
    shape = (*factors[0][:1], *sums[:1])
    if len(sums) != 2 or sums[1] != 2:
        raise ValueError(f"accumulate_products: expected sums of shape (columns, 2), got {sums}")
    if any(f != shape for f in factors):
        raise ValueError(
            f"accumulate_products: expected factors of shape (rows, {sums[0]}), got {factors}"
        )
    return []


Op("accumulate_products", infer=_infer_products, outputs=(), writes=(0,))


def accumulate_products(sums, *factors):
    """Add the products of some factors, summed over rows in double, to each column's running sum.

    Parameters
    ----------
    sums : Variable, shape (C, 2)
        For each column a sum and its rounding error.
    *factors : tensors, shape (N, C)
        One to four of them.

    Examples
    --------
    >>> import nnlite
    >>> squares, x = nnlite.Variable(nnlite.zeros((1, 2))), [[3.0], [4.0]]
    >>> nnlite.ops.accumulate_products(squares, x, x)
    >>> squares.numpy().sum(axis=-1)
    array([25.], dtype=float32)
    """
    apply(OPS["accumulate_products"], operands(sums, *factors), {})


def _infer_counts(counts, thresholds, labels, scores, weights=None):
    if len(counts) != 4 or counts[3] != 2:
        raise ValueError(
            f"accumulate_counts: expected counts of shape (labels, bins, columns, 2), got {counts}"
        )
    if thresholds != (counts[1] - 1,):
        raise ValueError(
            f"accumulate_counts: expected {counts[1] - 1} thresholds, got shape {thresholds}"
        )
    shape = (*labels[:1], counts[2])
    if any(s not in (shape, None) for s in (labels, scores, weights)):
        raise ValueError(
            f"accumulate_counts: expected labels, scores and weights of shape (rows, {counts[2]}), "
            f"got {labels}, {scores} and {weights}"
        )
    return []


def _counts_work(inputs, outputs):
    return math.prod(inputs[0]) + math.prod(inputs[2]) * (4 + inputs[0][1].bit_length())


Op(
    "accumulate_counts",
    infer=_infer_counts,
    outputs=(),
    writes=(0,),
    work=_counts_work,
)


def accumulate_counts(counts, thresholds, labels, scores, weights=None):
    """Add a batch to running histograms of scores, one for each label.

    Parameters
    ----------
    counts : Variable, shape (R, B, C, 2)
        A count and its rounding error for each of R labels, B bins and C columns. A score is in
        bin b if it exceeds b of the thresholds.
    thresholds : tensor, shape (B - 1,)
        In ascending order.
    labels, scores : tensors, shape (N, C)
        Labels outside of [0, R) are ignored. A score of NaN exceeds no threshold.
    weights : tensor, shape (N, C), optional
        The weight of each score in its count, by default 1.

    Examples
    --------
    >>> import nnlite
    >>> counts = nnlite.Variable(nnlite.zeros((2, 2, 1, 2)))
    >>> labels, scores = [[0], [1], [1], [1]], [[0.7], [0.4], [0.6], [0.9]]
    >>> nnlite.ops.accumulate_counts(counts, [0.5], labels, scores)
    >>> counts.numpy().sum(axis=-1)[:, :, 0]  # a row for each label
    array([[0., 1.],
           [1., 2.]], dtype=float32)
    """
    given = [counts, thresholds, labels, scores] + ([] if weights is None else [weights])
    apply(OPS["accumulate_counts"], operands(*given), {})
