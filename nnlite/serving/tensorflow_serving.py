"""TensorFlow Serving's REST requests for predictions and their answers: rows ("instances") or
columns ("inputs"). Its rules: https://www.tensorflow.org/tfx/serving/api_rest."""

import orjson

from nnlite.serving.open_inference import json_object
from nnlite.serving.refusal import Refused, shown
from nnlite.serving.tensors import to_json

_SIGNATURES = (None, "", "serving_default")


def parsed(served, body):
    """What a request gives, and whether it has rows.

    Parameters
    ----------
    served : ServedModel or ServedEstimator
    body : bytes

    Returns
    -------
    dict of str to list, bool
    """
    request = json_object(body)
    if (signature := request.get("signature_name")) not in _SIGNATURES:
        raise Refused(400, f"signature_name: expected 'serving_default', got {shown(signature)}")
    rows, columns = request.get("instances"), request.get("inputs")
    if (rows is None) == (columns is None):
        raise Refused(400, "expected one of 'instances' and 'inputs'")
    if columns is not None:
        return (columns if isinstance(columns, dict) else _alone(served, columns)), False
    if not isinstance(rows, list) or not rows:
        raise Refused(400, "instances: expected a list of at least one row")
    if not isinstance(rows[0], dict):
        return _alone(served, rows), True
    names = rows[0].keys()
    if any(not isinstance(row, dict) or row.keys() != names for row in rows):
        raise Refused(400, "instances: expected objects with the same names, got others")
    return {name: [row[name] for row in rows] for name in names}, True


def _alone(served, values):
    """Values without a name: of the only input, or whole rows."""
    if len(served.inputs) == 1:
        return {served.inputs[0].name: values}
    if served.takes_rows:
        return {"X": values}
    names = ", ".join(spec.name for spec in served.inputs)
    raise Refused(400, f"expected an object with {names}, got values without names")


def answered(entry, by_rows, outputs):
    """The answer's body.

    Parameters
    ----------
    entry : Entry
        That predicted.
    by_rows : bool
    outputs : list of array
    """
    names = [spec.name for spec in entry.served.outputs]
    if len(names) == 1:
        found = to_json(outputs[0])
    elif by_rows:
        found = [dict(zip(names, row)) for row in zip(*(map(to_json_entry, y) for y in outputs))]
    else:
        found = {name: to_json(y) for name, y in zip(names, outputs)}
    answer = {"predictions" if by_rows else "outputs": found}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def to_json_entry(row):
    """One row's output, a number, a text or an array, as orjson writes it."""
    return to_json(row) if getattr(row, "ndim", 0) else getattr(row, "item", lambda: row)()


def status(entries):
    """What is told of the versions of a model.

    Parameters
    ----------
    entries : list of Entry
    """
    return {
        "model_version_status": [
            {
                "version": entry.version,
                "state": entry.state,
                "status": {
                    "error_code": "OK" if entry.error is None else "UNKNOWN",
                    "error_message": entry.error or "",
                },
            }
            for entry in entries
        ]
    }
