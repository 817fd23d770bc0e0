"""Estimators as files: settings, what `fit` learned, and the model; no pickle.

The one idea: whatever stands in `vars(estimator)` is a setting, or follows from the model
(`_set_model`), or was learned, but for what belongs to this process. So no list of names can forget
one."""

import contextlib
import copy
import importlib
import importlib.metadata
import io
import json
from pathlib import Path

from nnlite.atomic_write import replacing
from nnlite.errors import prefixed
from nnlite.estimators import columns, targets
from nnlite.registry import custom_object_scope, get_registered_object
from nnlite.saving import keras_file, safetensors
from nnlite.saving.description import parsed
from nnlite.saving.paths import format_of, refuse_older
from nnlite.saving.values import described, revived
from nnlite.serialization import described_place

ENDINGS = {".keras": keras_file, ".safetensors": safetensors}
_CLASSES = {
    "KerasClassifier": "nnlite.wrappers.scikit_learn",
    "KerasRegressor": "nnlite.wrappers.scikit_learn",
    "NNClassifier": "nnlite.estimators",
    "NNRegressor": "nnlite.estimators",
}
OF_THE_PROCESS = ("callbacks_",)  # what a callback holds need not be data: an open file, a lambda
_TARGETS = ("Binary", "ContinuousTarget", "Multiclass", "Multilabel", "OneHot")


def save(estimator, filepath, overwrite, include_optimizer):
    """Write an estimator; `NNClassifier.save` says how."""
    path, file_format = format_of(filepath, ENDINGS)
    refuse_older(path, overwrite)
    _write(estimator, file_format, replacing(path), include_optimizer)


def as_bytes(estimator):
    """The content of the file of an estimator."""
    content = io.BytesIO()
    _write(estimator, safetensors, contextlib.nullcontext(content))
    return content.getvalue()


def _write(estimator, file_format, opened, include_optimizer=True):
    text = json.dumps(_data_of(estimator), allow_nan=False)
    parsed(text, f"what {type(estimator).__name__} is made of")  # or nobody could read it
    with opened as file, prefixed("model_: "):
        file_format.write(file, getattr(estimator, "model_", None), include_optimizer, text)


def load(filepath, custom_objects=None):
    """Read an estimator that `save` wrote.

    Nothing in the file is executed. What it may name are classes and functions that nnlite makes
    public, that are registered, or that are given here.

    Parameters
    ----------
    filepath : str or path
        Its ending says the format: '.keras' or '.safetensors'.
    custom_objects : dict of str to class or function, optional
        Classes and functions of one's own by name.

    Returns
    -------
    NNClassifier or NNRegressor
        It predicts, and trains on, with the same bits as the one that was saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If the format needs a package that is not installed.
    ValueError
        If the file is not whole, or is not that of an estimator.

    Examples
    --------
    >>> import nnlite
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
    >>> classifier = nnlite.NNClassifier(epochs=5, random_state=0).fit(X, y)
    >>> classifier.save("classifier.safetensors")
    >>> again = nnlite.load("classifier.safetensors")
    >>> bool((again.predict_proba(X) == classifier.predict_proba(X)).all())
    True
    """
    path, file_format = format_of(filepath, ENDINGS)
    if not path.exists():
        raise FileNotFoundError(f"filepath: expected a file, got {filepath}, which is not there")
    with custom_object_scope(custom_objects), prefixed(f"{filepath}: "):
        data = _data_in(path, file_format)
        found = _class_of(data)
        estimator = found.__new__(found)
        _fill(estimator, data, path, file_format)
        return estimator


def holds_estimator(filepath):
    """Whether a file is one that the `save` of an estimator wrote.

    Parameters
    ----------
    filepath : str or path
    """
    path = Path(filepath)
    file_format = ENDINGS.get(path.suffix.lower())
    with prefixed(f"{filepath}: "):
        return file_format is not None and file_format.read_estimator(path) is not None


def fill_from_bytes(estimator, content):
    """Make an estimator, of which there are no attributes yet, what `as_bytes` had been given."""
    file = io.BytesIO(content)
    data = _data_in(file, safetensors)
    if _class_of(data) is not type(estimator):
        raise ValueError(f"expected a {type(estimator).__name__}, got {data['class']!r:.100}")
    _fill(estimator, data, file, safetensors)


def _data_of(estimator):
    """What an estimator is made of beside its model, as data that JSON holds."""
    settings = estimator.get_params(deep=False)
    left_out = {*settings, *OF_THE_PROCESS}
    learned = {key: value for key, value in vars(estimator).items() if key not in left_out}
    data = {
        "nnlite": importlib.metadata.version("nnlite"),
        "class": described_place(type(estimator)),
        "settings": _all_described(settings),
    }
    if "_target" in learned:
        target = learned.pop("_target")
        with prefixed("y: "):
            data["target"] = [type(target).__name__, described(vars(target))]
    if learned.get("_columns") is not None:
        data["columns"] = described(learned.pop("_columns").vocabularies)
    if "_metadata_request" in learned:
        data["requests"] = described(learned.pop("_metadata_request")._serialize())
    if "model_" in learned:
        data["n_threads"] = described(learned["model_"].n_threads)
        probe = copy.copy(estimator)
        probe._set_model(learned.pop("model_"))
        learned = {key: v for key, v in learned.items() if vars(probe)[key] is v}
    return {**data, "learned": _all_described(learned)}


def _all_described(values):
    found = {}
    for name, value in values.items():
        with prefixed(f"{name}: "):
            try:
                found[name] = described(value)
            except RecursionError:
                raise TypeError(
                    f"expected a value that does not hold itself, got {type(value).__name__}"
                ) from None
    return found


def _data_in(file, file_format):
    text = file_format.read_estimator(file)
    if text is None:
        raise ValueError(
            "expected a file that an estimator's save wrote, got another; load_model reads models"
        )
    return parsed(text, "nnlite.json")


def _class_of(data):
    """The class that a file names."""
    place = data.get("class")
    place = place if isinstance(place, dict) else {}
    for name in (place.get("registered_name"), place.get("class_name")):
        if not isinstance(name, str):
            continue
        if (found := get_registered_object(name)) is not None:
            return found
        if name in _CLASSES and str(place.get("module")).startswith("nnlite."):
            return getattr(importlib.import_module(_CLASSES[name]), name)
    raise ValueError(
        f"expected one of {', '.join(_CLASSES)}, or a class that register_keras_serializable or "
        f"custom_objects makes known, got {place!r:.200}"
    )


def _fill(estimator, data, file, file_format):
    """Set all attributes of an estimator."""
    try:
        estimator.__init__(**_all_revived(data["settings"]))
        own = _all_revived(data["learned"])
        if "target" in data:
            name, state = data["target"]
            if name not in _TARGETS:
                raise ValueError(f"target: expected one of {', '.join(_TARGETS)}, got {name!r}")
            kind = getattr(targets, name)
            own["_target"] = kind.__new__(kind)
            vars(own["_target"]).update(revived(state))
        if "columns" in data:
            own["_columns"] = columns.Columns(revived(data["columns"]))
        if "requests" in data:
            own["_metadata_request"] = _requests(estimator, revived(data["requests"]))
        vars(estimator).update(own)
        if "n_threads" in data:
            model = file_format.read(file, True)
            model.n_threads = revived(data["n_threads"])
            estimator._set_model(model)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"expected what an estimator is made of, got what does not fit: "
            f"{type(error).__name__}: {error}"
        ) from error


def _all_revived(data):
    found = {}
    for name, value in data.items():
        with prefixed(f"{name}: "):
            found[name] = revived(value)
    return found


def _requests(estimator, wanted):
    """scikit-learn's record of the metadata that methods ask for."""
    made = estimator._get_metadata_request()
    for method, parameters in wanted.items():
        for parameter, alias in parameters.items():
            getattr(made, method).add_request(param=parameter, alias=alias)
    return made
