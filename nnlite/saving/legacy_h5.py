"""The older format of whole models, `.h5`: an HDF5 file with the config in attributes and the
weights by the names of layers, as Keras 1 and 2 wrote it and Keras 3 still does.

What nnlite writes has each layer's config in Keras 3's form, which Keras 3 reads there, too. The
state that only nnlite has stands in a group beside the layers."""

import itertools
import json
import os
import re

from nnlite.configurable import unique_name
from nnlite.layers.vocabulary import learned_in_configs
from nnlite.saving import hdf5, legacy_config, legacy_optimizer
from nnlite.saving.description import description_of, model_of, parsed
from nnlite.saving.filling import fill
from nnlite.saving.own_state import warn_of_own_state
from nnlite.saving.state import OWN, state_of

_WEIGHTS, _OPTIMIZER = "model_weights", "optimizer_weights"
_LAYERS, _NAMES = "layer_names", "weight_names"
TOP = "top_level_model_weights"  # what belongs to the model itself
_WRITER = {"backend": "nnlite", "keras_version": "3.15.1"}
_MOST_PACKED = 100  # times: no file is packed closer


def write(path, model, include_optimizer=True):
    """Write a model.

    Parameters
    ----------
    path : str or path
        A temporary name.
    model : Model
    include_optimizer : bool, default True
        Whether the state of the optimizer is part of it.
    """
    h5py = hdf5.require_h5py()
    with learned_in_configs():
        description = description_of(model)
    compiled = description.pop("compile_config", None)
    attributes = {**_WRITER, "model_config": json.dumps(description)}
    if compiled is not None:
        attributes["training_config"] = json.dumps(legacy_config.training_config(compiled))
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
        names = _write_weights(file.create_group(_WEIGHTS), model)
        if include_optimizer and model.optimizer is not None and model.optimizer.built:
            legacy_optimizer.write(file.create_group(_OPTIMIZER), model.optimizer, names)


def write_weights(path, model):
    """Write the weights of a model.

    Parameters
    ----------
    path : str or path
        A temporary name.
    model : Model
        Built.
    """
    h5py = hdf5.require_h5py()
    with h5py.File(path, "w") as file:
        _write_weights(file, model)


def _write_weights(group, model):
    """Write the weights; the name of each, by its id."""
    paths, names = {}, {}
    for layer in (*model.layers, model):
        _add_paths(layer, "", paths)
    group.attrs.update(_WRITER)
    hdf5.write_names(group, _LAYERS, [layer.name for layer in model.layers])
    for name, weights in weights_by_layer(model).items():
        taken = {}
        for variable in weights:
            names[id(variable)] = path = unique_name(paths[id(variable)], taken)
            taken[path] = variable._data
        made = group.require_group(name)
        hdf5.write_names(made, _NAMES, list(taken))
        hdf5.write_arrays(made, taken)
    own, parts = state_of(model, optimizer=False)
    warn_of_own_state(parts, "a file .h5")
    hdf5.write_arrays(
        group, {path: v._data for path, v in own.items() if path.startswith(f"{OWN}/")}
    )
    return names


def _add_paths(layer, outer, paths):
    """Name each weight of a layer, by its id: 'model/dense/kernel'. Layers may have got other names
    than they had when they made their weights."""
    path = f"{outer}{layer.name}/"
    for variable in layer._own_weights():
        paths.setdefault(id(variable), path + variable.name.rpartition("/")[2])
    for inner in layer._sublayers:
        _add_paths(inner, path, paths)


def weights_by_layer(model):
    """The weights of each layer, in the order of these formats: what training changes comes first.

    Parameters
    ----------
    model : Model
        Built.

    Returns
    -------
    dict of str to list of Variable
        By the name of the layer; under `TOP` those of the model itself.
    """
    found = {layer.name: _in_order(layer._all_weights()) for layer in model.layers}
    found[TOP] = _in_order([(v, v.trainable) for v in model._own_weights()])
    return found


def _in_order(weights):
    return [v for v, _ in sorted(weights, key=lambda entry: not entry[1])]


def read(path, compile):
    """The model that a file holds.

    Parameters
    ----------
    path : str or path
    compile : bool
        Whether to compile it as the file says.
    """
    with hdf5.reading(path) as file:
        text, weights = hdf5.text_in(file, "model_config"), weights_group(file)
        if text is None or weights is None:
            raise ValueError(
                f"expected a whole model, with its model_config and {_WEIGHTS}, got "
                + ("weights alone: make the model and call load_weights" if weights else "neither")
            )
        description = legacy_config.modern(parsed(text, "model_config"))
        training = hdf5.text_in(file, "training_config") if compile else None
        if training is not None:
            training = legacy_config.compile_config(parsed(training, "training_config"))
        description["compile_config"] = training
        model = model_of(description, compile, _MOST_PACKED * os.path.getsize(path))
        pairs = _pairs(weights, model, whole=True)
        fill([*_parts(pairs), *_own_parts(weights, model)])
        optimizer = hdf5.found_group(file, _OPTIMIZER)
        if optimizer is not None and model.optimizer is not None:
            trained = {id(v) for v in model.trainable_weights}
            order = [
                (name, v)
                for _, (_, names), found in pairs
                for name, v in zip(names, found)
                if id(v) in trained
            ]
            if _is_before_2_0_6(weights):
                order = sorted(order, key=lambda entry: entry[0])
            legacy_optimizer.read(optimizer, model, [v for _, v in order])
        return model


def _is_before_2_0_6(group):
    """Whether optimizers had their weights in the order of names."""
    version = hdf5.text_in(group, "keras_version") or "3"
    return [int(n) for n in re.findall(r"\d+", version)[:3]] < [2, 0, 6]


def weights_group(file):
    """Where a file has weights by the names of layers; None if it has none.

    Parameters
    ----------
    file : h5py.Group
    """
    for group in (file, hdf5.found_group(file, _WEIGHTS)):
        if group is not None and hdf5.has_names(group, _LAYERS):
            return group
    return None


def load_weights(group, model, skip_mismatch=False, by_name=False):
    """Read weights into a model.

    Parameters
    ----------
    group : h5py.Group
        As `weights_group` gives it.
    model : Model
        Built.
    skip_mismatch, by_name : bool, default False

    Raises
    ------
    ValueError
        If a weight is missing or has another shape. Nothing is changed then.
    """
    pairs = _named_pairs(group, model) if by_name else _pairs(group, model)
    own = () if by_name else _own_parts(group, model)
    fill([*_parts(pairs), *own], skip_mismatch)


def _pairs(group, model, whole=False):
    """(name of a layer, where it stands in the file, its weights) of all that have weights: the
    model itself, then layers in the order of the file.

    The k-th layer with weights in the file is the k-th of the model; where the model is made of the
    config beside the weights (`whole`), it is that of the same name.
    """
    ours = weights_by_layer(model)
    top = ours.pop(TOP)
    ours = {name: weights for name, weights in ours.items() if weights}
    theirs = {name: stored for name, stored in _stored(group).items() if stored[1]}
    if len(ours) != len(theirs):
        raise ValueError(
            f"expected {len(ours)} layers with weights, got {len(theirs)}: {', '.join(theirs):.200}"
        )
    by_name = whole and ours.keys() == theirs.keys()
    pairs = [
        (name, stored, ours[name if by_name else own])
        for (name, stored), own in zip(theirs.items(), ours)
    ]
    found = hdf5.found_group(group, TOP)
    if top or found is not None:
        pairs.insert(0, (model.name, _names_of(group, TOP), top))
    return pairs


def _named_pairs(group, model):
    """As `_pairs`, of the layers whose names are in the file."""
    ours = weights_by_layer(model)
    stored = _stored(group)
    if hdf5.found_group(group, TOP) is not None:
        stored[TOP] = _names_of(group, TOP)
    return [(name, found, ours[name]) for name, found in stored.items() if name in ours]


def _stored(group):
    """(group, names of its weights) of each layer in the file."""
    return {name: _names_of(group, name) for name in hdf5.names_in(group, _LAYERS, "file")}


def _names_of(group, name):
    found = hdf5.found_group(group, name)
    return found, [] if found is None else hdf5.names_in(found, _NAMES, name)


def _parts(pairs):
    """What `fill` takes."""
    for name, (group, names), weights in pairs:
        entries = itertools.zip_longest(names, weights)
        yield (
            name,
            [(f"{name}/{n}", v, hdf5.found_dataset(group, n) if n else None) for n, v in entries],
        )


def _own_parts(group, model):
    """What `fill` takes, of the state that only nnlite has."""
    for path, variable in state_of(model, optimizer=False)[0].items():
        if path.startswith(f"{OWN}/"):
            dataset = hdf5.found_dataset(group, path)
            if dataset is not None:
                yield path, [(path, variable, dataset)]
