"""Checks of the data: inputs, targets, and how they go with the loss and the metrics."""

import math

import numpy as np

from nnlite.data.sources import SparseSource, leaves
from nnlite.diagnosis.case import rms, some_row_numbers
from nnlite.diagnosis.finding import Finding
from nnlite.training import agreement

LARGE, SMALL = 30.0, 0.01  # of inputs: root mean squares beyond which weights fit badly
LARGE_TARGET = 100.0
COMPARED_ROWS, COMPARED_BYTES, FEW_ROWS = 100_000, 200e6, 10
COLUMNS_OF_TARGETS = 20  # of more, as those of an autoencoder, some may well be constant
CANNOT_LEARN = {
    "one-unit softmax",
    "logits taken as probabilities",
    "range of the targets",
    "targets and outputs",
}
SCALE = (
    "scale them: a StandardScaler, a Normalization layer that was adapted, or Rescaling(1 / 255) "
    "for pixels"
)


def unscaled_inputs(case):
    """The columns that the first products take are about as large as their weights expect."""
    for values, layer in case.inputs:
        columns = values.reshape(-1, values.shape[-1]).astype(np.float64)
        sizes = rms(columns, axis=0)
        worst = int(np.argmax(sizes))
        if sizes[worst] > LARGE:
            figure = (
                f"column {worst} of what it takes has a root mean square of {sizes[worst]:,.4g}, "
                f"{np.count_nonzero(sizes > LARGE)} of {len(sizes)} columns are above {LARGE:g}"
            )
        elif 0 < sizes[worst] < SMALL:
            figure = f"no column of what it takes has a root mean square above {sizes[worst]:.2g}"
        elif len(hidden := _hidden(columns)):
            figure = (
                f"column {hidden[0]} varies by {columns[:, hidden[0]].std():.2g} only, beside "
                f"others that vary by {np.median(columns.std(axis=0)):.2g}"
            )
        else:
            continue
        yield Finding("unscaled inputs", "warning", figure, _scale(case), layer or None)


def _hidden(columns):
    """The columns that vary far less than the others, though they are rarely 0."""
    deviation, used = columns.std(axis=0), np.mean(columns != 0, axis=0) > 0.5
    return np.flatnonzero((deviation > 0) & (deviation < 1e-3 * np.median(deviation)) & used)


def _scale(case):
    return SCALE if case.estimator is None else f"{SCALE}; or normalize=True of the estimator"


def unscaled_targets(case):
    """The targets of a regression are about as large as a network's first outputs."""
    for g, y, _, activation in case.outputs:
        if agreement.function_of(g.loss) not in agreement.REGRESSION or activation != "linear":
            continue
        size = rms(agreement.some_rows(y))
        if size > LARGE_TARGET:
            figure = f"y has a root mean square of {size:,.4g}, and the first outputs are about 1"
            cure = "scale y: a TransformedTargetRegressor with a StandardScaler, or NNRegressor"
            yield Finding("unscaled targets", "warning", figure, cure, g.name)


def loss_and_output(case):
    """The loss fits the output layer, the targets and the metrics."""
    for g, y, shape, activation in case.outputs:
        found = agreement.of_output(g.loss, (None, *y.shape[1:]), shape, activation)
        for fault in (*found, *agreement.of_targets(g, y, shape)):
            severity = "error" if fault.name in CANNOT_LEARN else "warning"
            yield Finding(fault.name, severity, fault.figure, fault.cure, g.name)


def refused_targets(case):
    """The losses take the targets."""
    if case.refused is not None:
        cure = "number the classes 0, 1, 2, ... as LabelEncoder does, and end with a unit for each"
        yield Finding("labels out of range", "error", case.refused, cure)


def constant_targets(case):
    """The targets vary."""
    for g, y, *_ in case.outputs:
        if len(y) < FEW_ROWS:
            continue
        rows = y.reshape(len(y), -1)
        constant = np.flatnonzero((rows == rows[:1]).all(axis=0))
        if not len(constant):
            continue
        if len(constant) == rows.shape[1]:
            figure = f"all {len(y):,} rows have the same target, {rows[0, 0]:.4g}"
            severity = "error"
        elif rows.shape[1] > COLUMNS_OF_TARGETS:
            continue
        else:
            figure = f"column {constant[0]} of y is {rows[0, constant[0]]:.4g} in every row"
            severity = "note"
        cure = "look at how y was made: a slice of sorted data, a wrong column, labels lost"
        yield Finding("constant targets", severity, figure, cure, g.name)


def duplicated_rows(case):
    """No row is both learned from and judged by."""
    x = leaves(case.sources[:1])
    if any(isinstance(s, SparseSource) for s in (*x, *(case.held_out or ()))):
        case.missed["duplicated rows"] = "X is sparse"
        return
    row_bytes = sum(s.array[:1].nbytes for s in x)
    most = int(min(COMPARED_ROWS, max(1, COMPARED_BYTES / row_bytes)))
    rows = some_row_numbers(case.rows, most)
    own = _hashes([s.array for s in x], rows)
    if case.held_out is not None:
        pairs = list(zip(case.held_out, x))
        held = [h.array.reshape(h.rows, *s.row_shape).astype(s.array.dtype) for h, s in pairs]
        theirs = _hashes(held, some_row_numbers(len(held[0]), most))
        shared = np.isin(theirs, own).sum()
        if shared > 0.01 * len(theirs):
            figure = (
                f"{shared:,} of {len(theirs):,} rows of validation_data are among those of X "
                f"({shared / len(theirs):.0%})"
            )
            cure = "drop duplicates before you split; rows that belong together go with GroupKFold"
            yield Finding("duplicated rows across the split", "error", figure, cure)
        return
    if _few_values([s.array for s in x], rows):
        case.missed["duplicated rows"] = (
            "X has few different values: equal rows are no sign of a copy"
        )
        return
    _, counts = np.unique(own, return_counts=True)
    copies = counts[counts > 1].sum()
    if copies > 0.02 * len(own):
        figure = (
            f"{copies:,} of {len(own):,} rows of X occur more than once ({copies / len(own):.0%}): "
            "any split has some on both sides"
        )
        cure = "drop duplicates before you split; rows that belong together go with GroupKFold"
        yield Finding("duplicated rows across the split", "warning", figure, cure)


def _hashes(arrays, rows):
    """A number for each row; equal rows have equal ones."""
    return np.array([hash(tuple(a[r].tobytes() for a in arrays)) for r in rows])


def _few_values(arrays, rows):
    """Whether columns have so few different values that rows are often equal by chance."""
    rows, bits = rows[:1000], 0.0
    for array in arrays:
        flat = array.reshape(len(array), -1)
        columns = np.unique(np.linspace(0, flat.shape[1] - 1, 200).astype(int))
        bits += sum(math.log2(len(np.unique(flat[rows, column]))) for column in columns)
    return bits < 2 * math.log2(max(2, len(rows))) + 4


def imbalanced_classes(case):
    """Accuracy is not high for a network that always gives the same class."""
    for g, y, shape, _ in case.outputs:
        names = [m.name for m in (*g.metrics, *g.weighted_metrics) if _counts_classes(m)]
        function = agreement.function_of(g.loss)
        one_hot = len(shape) == 2 and y.shape[1:] == shape[1:] and shape[1] > 1
        if one_hot and function in agreement.CATEGORICAL:
            labels = y.argmax(axis=1)
        else:
            labels = y.reshape(-1)
        if not names or function in agreement.REGRESSION or len(labels) != len(y):
            continue  # of several labels a row each has a share of its own
        values, counts = np.unique(labels, return_counts=True)
        share = counts.max() / len(labels)
        if share < 0.8 or len(values) < 2:
            continue
        figure = (
            f"{share:.1%} of the rows are of class {values[counts.argmax()]:.4g}: {names[0]!r} is "
            f"{share:.3f} for a network that always says so"
        )
        cure = (
            "judge by balanced accuracy, AUC or F1Score; class_weight makes rare classes count more"
        )
        yield Finding("class imbalance", "warning", figure, cure, g.name)


def _counts_classes(metric):
    return isinstance(metric, agreement.ACCURACIES) or "accuracy" in metric.name
