"""Models of TensorFlow.js: `model.json`, the config of Keras 2 and the names, types and shapes of
the weights, whose bytes are in files beside it, the shards.

Shards are read where the JSON says, but only in its own folder. Numbers of few bits, which stand
for real ones, become float32."""

import math
from pathlib import Path, PurePosixPath

import numpy as np

from nnlite.saving import legacy_config
from nnlite.saving.description import model_of, parsed
from nnlite.saving.filling import fill
from nnlite.saving.legacy_h5 import TOP, weights_by_layer

_TYPES = {"float32": "<f4", "int32": "<i4", "uint8": "u1", "uint16": "<u2", "bool": "?"}
_STORED = {"float16": "<f2", "uint8": "u1", "uint16": "<u2"}  # of fewer bits


def read(path, compile):
    """The model that a file describes.

    Parameters
    ----------
    path : str or path
        Of the JSON.
    compile : bool
        Whether to compile it as the file says.
    """
    content = _content(path)
    topology = content.get("modelTopology")
    if not isinstance(topology, dict):
        raise ValueError(
            "expected a model, got weights alone: load_weights of a model of the same layers reads "
            "them"
        )
    arrays = _arrays(path, content)
    description = legacy_config.modern(topology.get("model_config", topology))
    training = topology.get("training_config") if compile else None
    if isinstance(training, dict):
        description["compile_config"] = legacy_config.compile_config(training)
    model = model_of(description, compile, sum(a.nbytes for a in arrays.values()))
    _fill(model, arrays)
    return model


def read_weights(path, model, skip_mismatch=False, by_name=False):
    """Read the weights of a model.

    Parameters
    ----------
    path : str or path
        Of the JSON.
    model : Model
        Built.
    skip_mismatch : bool, default False
        Whether layers that do not fit are left as they are, with a warning.
    by_name : bool, default False
        Whether layers get what stands under their names, and others stay as they are.
    """
    _fill(model, read_arrays(path), skip_mismatch, by_name)


def read_arrays(path):
    """The weights in a file, by name.

    Parameters
    ----------
    path : str or path
        Of the JSON.

    Returns
    -------
    dict of str to array

    Raises
    ------
    ValueError
        If it is not whole, or of a graph model.
    """
    return _arrays(path, _content(path))


def _content(path):
    content = parsed(Path(path).read_bytes(), "JSON")
    form = content.get("format", "layers-model")
    topology = content.get("modelTopology")
    if form != "layers-model" or (isinstance(topology, dict) and "node" in topology):
        form = form if isinstance(form, str) and form != "layers-model" else "graph-model"
        raise ValueError(
            f"expected a layers-model of TensorFlow.js, got a {form:.30}: its graph of operations "
            "has no layers"
        )
    return content


def _arrays(path, content):
    manifest, found = content.get("weightsManifest"), {}
    if not isinstance(manifest, list):
        raise ValueError("weightsManifest: expected a list, got none")
    for group in manifest:
        group = group if isinstance(group, dict) else {}
        paths, entries = group.get("paths"), group.get("weights")
        if not isinstance(paths, list) or not isinstance(entries, list):
            raise ValueError("weightsManifest: expected paths and weights in each group")
        content, start = b"".join(_shard(path, name) for name in paths), 0
        for entry in entries:
            name, array, end = _entry(entry, content, start)
            if name in found:
                raise ValueError(f"{name!r}: expected each weight once, got it twice")
            found[name], start = array, end
        if start != len(content):
            raise ValueError(f"expected {start} bytes in {paths}, got {len(content)}")
    return found


def _shard(path, name):
    """The bytes of a shard, which lies beside the JSON or in a folder there."""
    place = PurePosixPath(name) if isinstance(name, str) and "\0" not in name else None
    if place is None or place.is_absolute() or ".." in place.parts or not place.parts:
        raise ValueError(f"paths: expected files beside it, got {name!r:.100}")
    file = Path(path).parent.joinpath(*place.parts)
    if not file.is_file():
        raise ValueError(f"expected the file {file.name} beside it, got none")
    return file.read_bytes()


def _entry(entry, content, start):
    """The name of a weight, its values, and where its bytes end."""
    entry = entry if isinstance(entry, dict) else {}
    name, shape, kind = (entry.get(key) for key in ("name", "shape", "dtype"))
    packed = entry.get("quantization")
    if not isinstance(name, str) or kind not in [*_TYPES]:
        raise ValueError(
            f"{name!r:.100}: expected a name and a dtype of {', '.join(_TYPES)}, got {kind!r:.30}"
        )
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 1 << 31 for n in shape):
        raise ValueError(f"{name!r}: expected a shape of integers, got {shape!r:.100}")
    stored, scale, least = np.dtype(_TYPES[kind]), None, 0.0
    if packed is not None:
        stored, scale, least = _packing(name, packed)
    count = math.prod(shape)
    end = start + count * stored.itemsize
    if end > len(content) or len(shape) > 32:
        raise ValueError(
            f"{name!r}: expected {count * stored.itemsize} bytes for shape {shape}, got "
            f"{len(content) - start}"
        )
    values = np.frombuffer(content, stored, count, start).reshape(shape)
    if packed is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            values = values.astype("f4")
            if scale is not None:
                values = values * np.float32(scale) + np.float32(least)
    return name, values, end


def _packing(name, packed):
    """How numbers of few bits are stored: their type, and what makes real ones of them."""
    kind = packed.get("dtype") if isinstance(packed, dict) else None
    if kind not in [*_STORED]:
        raise ValueError(f"{name!r}: expected a quantization of {', '.join(_STORED)}")
    if kind == "float16":
        return np.dtype(_STORED[kind]), None, 0.0
    numbers = packed.get("scale"), packed.get("min")
    if not all(type(n) in (int, float) and math.isfinite(n) and abs(n) < 1e38 for n in numbers):
        raise ValueError(f"{name!r}: expected a scale and a min, got {numbers!r:.100}")
    return np.dtype(_STORED[kind]), *numbers


def _fill(model, arrays, skip_mismatch=False, by_name=False):
    """Copy weights into those of a model: by layer where the names of layers are known, else in
    order."""
    ours = {name: weights for name, weights in weights_by_layer(model).items() if weights}
    ours[model.name] = ours.pop(TOP, [])
    theirs = {}
    for name, array in arrays.items():
        theirs.setdefault(name.partition("/")[0], []).append((name, array))
    ours = {name: weights for name, weights in ours.items() if weights}
    if by_name:
        ours = {name: weights for name, weights in ours.items() if name in theirs}
    elif ours.keys() != theirs.keys():
        # Those of a model in the model stand under the names of its layers.
        whole = [v for weights in ours.values() for v in weights]
        ours, theirs = {model.name: whole}, {model.name: [*arrays.items()]}
    parts = []
    for layer, weights in ours.items():
        stored = theirs[layer]
        if len(stored) != len(weights):
            raise ValueError(
                f"{layer!r}: expected {len(weights)} weights, got {len(stored)}: "
                f"{', '.join(name for name, _ in stored):.200}"
            )
        parts.append((layer, [(name, v, a) for (name, a), v in zip(stored, weights)]))
    fill(parts, skip_mismatch)
