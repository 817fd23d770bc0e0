"""The check of an exported file: it computes rows, which `predict` computes, too."""

from dataclasses import replace

import numpy as np

from nnlite.checks import check_setting
from nnlite.engine.tensor import as_numbers
from nnlite.exporting.program import with_lengths
from nnlite.tree import flatten

ROWS = 100


def rows_of(computation, samples):
    """The rows that a user gave, as a list of arrays, one for each input.

    Raises
    ------
    TypeError
        If they are no numbers.
    ValueError
        If there are none, or they are not such as the model takes.
    """
    try:
        arrays = [as_numbers(a) for a in (computation.arrays or flatten)(samples)]
    except (TypeError, ValueError) as error:
        error.args = (f"export: samples: {str(error).removeprefix('Tensor: ')}",)
        raise
    expected = [shape for _, shape, _ in computation.inputs]
    fits = len(arrays) == len(expected) and all(
        a.ndim == len(shape) + 1 and all(m in (None, n) for n, m in zip(a.shape[1:], shape))
        for a, shape in zip(arrays, expected)
    )
    rows = {len(a) for a in arrays if a.ndim}
    if not fits or len(rows) != 1 or 0 in rows:
        wanted = ", ".join(f"{name!r} {('N', *shape)}" for name, shape, _ in computation.inputs)
        got = ", ".join(str(a.shape) for a in arrays)
        raise ValueError(
            f"export: samples: expected at least one row, the same number for each input, of "
            f"shapes {wanted}, got {got}".replace("'N'", "N")
        )
    return arrays


def with_length(computation, length):
    """The Computation with a length in place of each that is not known."""
    if length is None:
        return computation
    check_setting("length", length, "int [1, inf)", "export")
    made = with_lengths(computation, [length])
    if made.inputs != computation.inputs:
        made.samples = None  # they are of another length
    made.rows = computation.rows and rows_of(replace(made, arrays=None), computation.rows)
    return made


def codes_of(computation, labels):
    """The numbers of the classes of the rows that a user gave.

    Raises
    ------
    ValueError
        If there is not one label for each row.
    """
    labels = np.asarray(labels).reshape(-1)
    rows = 0 if computation.rows is None else len(computation.rows[0])
    if len(labels) != rows:
        raise ValueError(
            f"export: labels: expected one for each of {rows} samples, got {len(labels)}"
        )
    if computation.classes is None:
        return labels
    found = {label: code for code, label in enumerate(np.asarray(computation.classes).tolist())}
    return np.array([found.get(label, -1) for label in labels.tolist()])


def compared(report, run, codes=None):
    """Run an exported file, and write into its report how far its outputs are from `predict`'s, of
    the rows that the user gave, or `ROWS` random ones.

    Parameters
    ----------
    report : Report
    run : function of (Report, list of arrays)
        Gives the runtime's name and a list of outputs; raises an ImportError if there is none.
    codes : array, optional
        The number of each row's class.
    """
    computation = report.program.of
    arrays = computation.rows or samples_of(report.program, ROWS)
    dtypes = report.dtypes or [t.dtype for t in report.program.inputs]
    arrays = [np.ascontiguousarray(a, dtype) for a, dtype in zip(arrays, dtypes)]
    try:
        report.runtime, outputs = run(report, arrays)
    except ImportError as error:
        report.unchecked = str(error)
        return
    expected = computation.predict(*arrays)
    report.rows = len(arrays[0])
    report.largest_difference = max(map(difference, outputs, expected))
    if codes is not None:
        report.accuracies = tuple(_accuracy(y[0], codes) for y in (expected, outputs))


def _accuracy(outputs, codes):
    """The share of rows whose largest output, or whose only one if it is above 1/2, is theirs."""
    outputs = np.asarray(outputs).reshape(len(codes), -1)
    found = outputs.argmax(1) if outputs.shape[1] > 1 else outputs[:, 0] > 0.5
    return float(np.mean(found == codes))


def difference(outputs, expected):
    """The largest difference of two arrays, over the largest absolute value expected if that is
    above 1. NaN agrees with NaN, and infinity with itself."""
    outputs, expected = np.asarray(outputs, np.float64), np.asarray(expected, np.float64)
    if outputs.shape != expected.shape:
        raise AssertionError(
            f"export: the file gives outputs of shape {outputs.shape} where predict gives "
            f"{expected.shape}: please report this"
        )
    same = (outputs == expected) | (np.isnan(outputs) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(outputs - expected))
    finite = np.abs(expected[np.isfinite(expected)])
    return float(np.nan_to_num(apart.max(initial=0), nan=np.inf) / max(1.0, finite.max(initial=0)))


def samples_of(program, rows):
    """Random rows of each input: what the object says they look like, else numbers of mean 0 and
    deviation 1, or tokens that the layers which read them know."""
    if program.of.samples is not None:
        return program.of.samples(rows)
    generator = np.random.default_rng(0)
    return [_random(generator, (rows, *x.shape[1:]), _tokens(program, x)) for x in program.inputs]


def _random(generator, shape, tokens):
    if tokens is None:
        return generator.standard_normal(shape)
    return generator.integers(0, tokens, shape, np.int32)


def _tokens(program, x):
    """How many tokens are known to everything that looks the values of an input up; None where they
    are real numbers."""
    same, known = {id(x)}, [2**15] if x.dtype == "int32" else []
    for call in program.calls:
        passes = call.op.view or call.op.name in ("floor", "where", "cast")
        if passes and any(id(t) in same for t in call.inputs):
            same.add(id(call.outputs[0]))
        elif call.op.name == "gather" and id(call.inputs[-1]) in same:
            known.append(call.attrs["rows"])
    return min(known, default=None)
