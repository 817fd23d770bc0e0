"""`export`: a model becomes a file, which is run and compared, by the writer of its format."""

import importlib
import inspect
import os
from pathlib import Path

from nnlite.exporting.checking import codes_of, compared, rows_of
from nnlite.exporting.pipelines import computation_of

# The module of each ending. It has `write(computation, path, **options)`, which gives a Report and
# writes the file, or leaves it in `contents` of the report; and `run(report, arrays)`, which gives
# the outputs or raises an ImportError where no runtime is at hand.
_WRITERS = {
    ".c": "nnlite.exporting.c",
    ".onnx": "nnlite.exporting.onnx",
    ".tflite": "nnlite.exporting.tflite",
}


def export(model, filepath, *, samples=None, labels=None, verify=True, verbose=True, **options):
    """Write a model as a file that is run without nnlite.

    What is written is the prediction alone: dropout is gone, normalizations are in the weights of
    the layers before them, and an estimator's scaling and its labels are in the file. If there is a
    runtime, it computes 100 rows, which are compared with those of `predict`.

    Parameters
    ----------
    model : Model, NNClassifier, NNRegressor or Pipeline
        A pipeline of scalers before an estimator of nnlite becomes one file, too.
    filepath : str or path
        Its ending says the format: '.onnx', '.tflite', or '.c', which has a header beside it.
    samples : array, or list or dict of arrays, or table, optional
        Rows of X, as `predict` takes them, to compare with; random ones by default. A format of
        8-bit integers needs rows such as the model will see, some hundred, to know the ranges of
        values.
    labels : array, optional
        The class of each of `samples`: then the report has the accuracies of `predict` and of the
        file.
    verify : bool, default True
        Whether the file is run after it was written.
    verbose : bool, default True
        Whether the report is printed.
    **options
        Of the format; 'docs/export.md' lists them. Of '.onnx': `dtype`, 'float32' or 'float64', of
        inputs that are real numbers, and `precision`, the same of what the file computes. Of
        '.tflite': `quantize`, None, 'float16' or 'int8'; `interface`, 'float32' or 'int8'; and
        `length`, an int. Of '.c': `quantize`, None or 'int8'; `name`, a str; and `length`.

    Returns
    -------
    Report
        What was written, how large it is, and how far its outputs are from those of `predict`.

    Raises
    ------
    ImportError
        If the format needs a package that is not installed: says which.
    TypeError
        If the object or an option is not one that can be exported, the path is none, or samples are
        no numbers.
    ValueError
        If no format has the ending, samples or labels do not fit, a weight is NaN, or the format
        cannot hold what a layer computes: names the layers. Nothing is written then.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> model = nnlite.Sequential([layers.Input((4,)), layers.Dense(3, "softmax")])
    >>> report = nnlite.export(model, "small.onnx", verbose=False)
    """
    if not isinstance(filepath, (str, os.PathLike)):
        raise TypeError(f"export: filepath: expected a str or a path, got {filepath!r}")
    path = Path(filepath)
    module = _WRITERS.get(path.suffix.lower())
    if module is None:
        raise ValueError(
            f"export: expected a file that ends in {', '.join(_WRITERS)}, got {str(filepath)!r}"
        )
    writer = importlib.import_module(module)
    known = [*inspect.signature(writer.write).parameters][2:]
    for name in options:
        if name not in known:
            raise TypeError(
                f"export: expected options of {path.suffix} among {', '.join(known)}, got {name!r}"
            )
    computation = computation_of(model)
    computation.rows = None if samples is None else rows_of(computation, samples)
    codes = None if labels is None else codes_of(computation, labels)
    report = writer.write(computation, path, **options)
    told = report.save(verbose)
    if verify:
        compared(report, writer.run, codes)
    if verbose:
        report.show(figures=not told)
    return report
