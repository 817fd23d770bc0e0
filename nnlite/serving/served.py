"""A file as a service asks it: what it takes and gives, how a request's values become rows, and
what it predicts for rows of several requests."""

import math
import time

import numpy as np

from nnlite.layers import TableEncoding
from nnlite.layers.tracking import first_layer, keeps_states
from nnlite.saving.model_files import MODEL_ENDINGS, load_model
from nnlite.saving.paths import check_there, format_of
from nnlite.serving.refusal import Refused
from nnlite.serving.tensors import TensorSpec, check_filled, datatype_of, from_json
from nnlite.tree import flatten, like

_DATATYPES = {"float32": "FP32", "float64": "FP64", "int32": "INT32", "string": "BYTES"}
_LARGEST = float(np.finfo(np.float32).max)


def load(path):
    """What a file holds, ready to predict; nothing in the file is executed.

    Parameters
    ----------
    path : str or path
        Of a model or an estimator.

    Returns
    -------
    ServedModel or ServedEstimator
    """
    path, file_format = format_of(path, MODEL_ENDINGS)
    check_there(path)
    read_estimator = getattr(file_format, "read_estimator", None)
    if read_estimator is None or read_estimator(path) is None:
        return ServedModel(load_model(path, compile=False))
    try:
        from nnlite.estimators import files, served
    except ImportError as error:
        raise ImportError(
            f"{path}: estimators need scikit-learn ({error}): pip install scikit-learn"
        ) from None
    return ServedEstimator(served.Predictor(files.load(path)))


class Served:
    """The base of both.

    Attributes
    ----------
    inputs, outputs : list of TensorSpec
    details : dict
        What else is told about it.
    seconds_a_row : float
        That a run of one row took.
    """

    details = {}
    takes_rows = False  # without names, where there are several inputs
    seconds_a_row = math.inf

    def _warm_up(self, rows):
        """Predict something, so that the first request need not wait; gives what comes."""
        for _ in range(3):
            began = time.perf_counter()
            found = self.run(rows)
            self.seconds_a_row = min(self.seconds_a_row, time.perf_counter() - began)
        return found

    def _check_names(self, given):
        if given.keys() != self._names:
            raise Refused(
                400, f"inputs: expected {', '.join(self._names)}, got {', '.join(given) or 'none'}"
            )


class ServedModel(Served):
    """A Model.

    Parameters
    ----------
    model : Model
        Of which the inputs are known, without states that go from batch to batch.
    """

    def __init__(self, model):
        if not model.built or model.inputs is None:
            raise ValueError(f"model {model.name!r}: expected one that knows its inputs")
        if keeps_states(model):
            raise ValueError(
                f"model {model.name!r}: expected layers without stateful=True: requests would go "
                "on from each other's states"
            )
        self.model = model
        self._reads_gaps = first_layer(TableEncoding, model) is not None
        self.inputs = _specs(model.input, model.inputs)
        self.outputs = _specs(model.output, model.outputs)
        self._names = {spec.name: None for spec in self.inputs}.keys()
        one_row = {s.name: _zeros((1, *(max(n, 1) for n in s.shape[1:])), s) for s in self.inputs}
        try:
            self._warm_up(self.read(one_row))
        except (Refused, TypeError, ValueError):  # as of images that are too small
            pass

    def read(self, given):
        """The arrays of a request, checked.

        Parameters
        ----------
        given : dict of str to array, or to lists of JSON
        """
        self._check_names(given)
        arrays = []
        for spec in self.inputs:
            values = given[spec.name]
            values = values if isinstance(values, np.ndarray) else from_json(spec.name, values)
            array = spec.checked(values)
            if spec.datatype == "BYTES":
                check_filled(spec.name, [*map(len, array.flat)])
            if array.dtype.kind == "f" and not self._reads_gaps:
                largest = float(np.abs(array).max())
                if not largest <= _LARGEST:  # NaN is not
                    raise Refused(
                        400,
                        f"input {spec.name!r}: expected finite values that float32 holds, got NaN, "
                        "infinity or more than 3.4e38",
                    )
            if array.dtype == np.int64 and spec.datatype[:2] == "FP":
                array = array.astype(np.float64)  # of JSON, where 1 is 1.0
            arrays.append(array)
        if len({len(array) for array in arrays}) > 1:
            counts = ", ".join(f"{s.name} {len(a)}" for s, a in zip(self.inputs, arrays))
            raise Refused(400, f"inputs: expected as many rows of each, got {counts}")
        return arrays

    def run(self, arrays):
        """The outputs, a list, for arrays that `read` gave, of one request or of several."""
        given = self.model.input
        if isinstance(given, dict):
            x = dict(zip(given, arrays))
        else:
            x = like(given, arrays) if isinstance(given, (list, tuple)) else arrays[0]
        return flatten(self.model.predict(x))


def _specs(structure, symbols):
    """The TensorSpec of each symbol; a dict names them, else the layers do."""
    names = list(structure) if isinstance(structure, dict) else [s.name for s in symbols]
    unique = [n if names.count(n) == 1 else f"{n}_{i}" for i, n in enumerate(names)]
    shapes = [tuple(-1 if n is None else n for n in s.shape) for s in symbols]
    return [
        TensorSpec(name, _DATATYPES[s.dtype], shape)
        for name, s, shape in zip(unique, symbols, shapes)
    ]


def _is_null(column):
    return column.dtype.kind == "f" and bool(np.isnan(column).all())


def _zeros(shape, spec):
    return np.full(shape, "", object) if spec.datatype == "BYTES" else np.zeros(shape, int)


class ServedEstimator(Served):
    """A fitted estimator.

    Parameters
    ----------
    predictor : estimators.served.Predictor
    """

    takes_rows = True

    def __init__(self, predictor):
        self._predictor = predictor
        row_shape = predictor.row_shape
        if predictor.columns is None:
            kind = "INT64" if predictor.takes_tokens else "FP64"
            self.inputs = [TensorSpec("X", kind, (-1, *row_shape))]
        else:
            kinds = {"numbers": "FP64", "strings": "BYTES", "values": None}
            columns = predictor.columns.items()
            self.inputs = [TensorSpec(name, kinds[kind], (-1,)) for name, kind in columns]
        self._names = {spec.name: None for spec in self.inputs}.keys()
        self._x_is_a_column = predictor.columns is not None and [*predictor.columns] == ["X"]
        first = self._warm_up(self._rows(np.zeros((1, *(max(n, 1) for n in row_shape)))))
        self.outputs = [
            TensorSpec(name, datatype_of(y.dtype), (-1, *y.shape[1:]))
            for name, y in zip(predictor.gives, first)
        ]
        if predictor.classes is not None:
            self.details = {"classes": predictor.classes.tolist()}

    def read(self, given):
        """The rows of a request, checked; 'X' is whole rows, but where it names the only column.

        Parameters
        ----------
        given : dict of str to array, or to lists of JSON
        """
        if given.keys() == {"X"} and not self._x_is_a_column:
            return self._rows(self._whole(given["X"]))
        self._check_names(given)
        columns = {spec.name: self._column(spec, given[spec.name]) for spec in self.inputs}
        if len({len(column) for column in columns.values()}) > 1:
            raise Refused(400, "inputs: expected as many rows of each column")
        return self._rows(columns)

    def _whole(self, values):
        """Whole rows, in the form that the predictor takes."""
        if not isinstance(values, (list, np.ndarray)):
            raise Refused(400, "input 'X': expected a list of rows")
        if self._predictor.filled_to is not None:
            width = math.prod(self._predictor.row_shape[1:])
            lengths = [width * len(row) for row in values if hasattr(row, "__len__")]
            check_filled("X", lengths, width * self._predictor.filled_to)
        if self._predictor.takes_lists:
            return values
        values = values if isinstance(values, np.ndarray) else from_json("X", values)
        if values.dtype == object:
            raise Refused(400, "input 'X': expected a number in each place")
        return values

    def _rows(self, values):
        """What the model predicts from, for whole rows or for columns by name."""
        try:
            return [self._predictor.rows(values)]
        except (TypeError, ValueError) as error:
            raise Refused(400, str(error)) from None

    @staticmethod
    def _column(spec, values):
        column = values if isinstance(values, np.ndarray) else from_json(spec.name, values)
        if spec.datatype == "BYTES" and (column.dtype == object or _is_null(column)):  # gaps
            spec, column = spec._replace(datatype=None), np.where(column != column, None, column)
        return spec.checked(column)

    def run(self, arrays):
        """The outputs, a list, for rows that `read` gave, of one request or of several."""
        return self._predictor.predictions(*arrays)
