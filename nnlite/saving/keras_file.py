"""Keras's own format, `.keras`: a zip archive of a model's config as JSON and its state as HDF5.

nnlite puts beside Keras's keys what only it knows. Keras ignores that. Members of the archive are
read where they lie and by their names; nothing is unpacked."""

import contextlib
import json
import warnings
import zipfile

from nnlite import warn
from nnlite.saving import hdf5
from nnlite.saving.archive_members import (
    checked_member,
    member_to_fill,
    member_to_read,
    opened_archive,
)
from nnlite.saving.assets import load_assets, write_assets
from nnlite.saving.description import MOST_BYTES, description_of, model_of, parsed
from nnlite.saving.state import build_optimizer, load_state, save_state, state_of

_CONFIG, _WEIGHTS, _METADATA = "config.json", "model.weights.h5", "metadata.json"
_ESTIMATOR = "nnlite.json"
_FORMAT = "3.15.1"  # the version of Keras whose format this is


def write(path, model, include_optimizer=True, estimator=None):
    """Write a model.

    Parameters
    ----------
    path : str or path
        A temporary name.
    model : Model or None
        None for an estimator that is not fitted. One that is not built has a description alone, and
        a warning says so.
    include_optimizer : bool, default True
        Whether the state of the optimizer is part of it.
    estimator : str, optional
        What to keep beside it of the estimator whose model it is.
    """
    h5py = hdf5.require_h5py()
    if model is not None and not model.built:
        warnings.warn(
            f"model {model.name!r} has no weights yet: the file says what it is made of, and no "
            "more; build it first, by input_shape, by build or by a call on data, to save weights",
            UserWarning,
            stacklevel=warn.levels_to_the_caller(),
        )
    config = None if model is None else json.dumps(_config_of(model))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(_member(_METADATA), json.dumps({"keras_version": _FORMAT}))
        if estimator is not None:
            archive.writestr(_member(_ESTIMATOR), estimator)
        if model is None:
            return
        archive.writestr(_member(_CONFIG), config)
        with member_to_fill(archive, _member(_WEIGHTS)) as state, h5py.File(state, "w") as file:
            save_state(file, model._for_keras(), include_optimizer)
        write_assets(archive, state_of(model, optimizer=False)[1])


def _config_of(model):
    """The description of a model; of one with layers or an optimizer that Keras lacks, that of the
    model which Keras can make, and beside it the true one."""
    true, for_keras = description_of(model, unbuilt=True), model._for_keras()
    # Keras has no optimizer that takes whole batches.
    trains_in_keras = model.optimizer is None or not model.optimizer.whole_batches
    if for_keras is model and trains_in_keras:
        return true
    made = {**description_of(for_keras, unbuilt=True), "nnlite": {**true["nnlite"], "model": true}}
    if "compile_config" in true:
        made["compile_config"] = true["compile_config"] if trains_in_keras else None
    return made


def read_estimator(path):
    """What a file keeps of the estimator whose model it holds; None if it keeps nothing.

    Parameters
    ----------
    path : str or path
    """
    with opened_archive(path, ".keras") as archive:
        members = {info.filename: info for info in archive.infolist()}
        if _ESTIMATOR not in members:
            return None
        return _text(archive, members[_ESTIMATOR])


def read(path, compile):
    """The model that a file holds.

    Parameters
    ----------
    path : str or path
    compile : bool
        Whether to compile it as the file says.
    """
    hdf5.require_h5py()
    with opened_archive(path, ".keras") as archive:
        members = _members(archive)
        config = parsed(_text(archive, members[_CONFIG]), _CONFIG)
        own = config.get("nnlite")
        true = own.get("model") if isinstance(own, dict) else None
        room = members[_WEIGHTS].file_size
        model = model_of(true if isinstance(true, dict) else config, compile, room)
        with _state(archive, members[_WEIGHTS]) as state:
            build_optimizer(state, model)
            load_state(state, model._for_keras())
        load_assets(archive, state_of(model, optimizer=False)[1])
        return model


def read_weights(path, model, skip_mismatch=False, by_name=False):
    """Read the state of a model from a file that holds one made of the same layers.

    Parameters
    ----------
    path : str or path
    model : Model
        Built.
    skip_mismatch : bool, default False
        Whether layers that do not fit are left as they are.
    by_name : bool, default False
        Not of this format, which knows layers by their places.
    """
    if by_name:
        raise ValueError("by_name: expected a file '.h5' or '.hdf5', in which layers have names")
    hdf5.require_h5py()
    with (
        opened_archive(path, ".keras") as archive,
        _state(archive, _members(archive)[_WEIGHTS], check_first=True) as state,
    ):
        load_state(state, model._for_keras(), skip_mismatch)


@contextlib.contextmanager
def _state(archive, info, **when):
    """The open HDF5 file that is a member of an archive."""
    with member_to_read(archive, info, **when) as file, hdf5.reading(_WEIGHTS, file) as state:
        yield state


def _members(archive):
    """What stands in an archive, by name, after a look at the sizes."""
    members = {info.filename: info for info in archive.infolist()}
    for name in (_CONFIG, _WEIGHTS):
        if name not in members:
            raise ValueError(f"expected a member {name!r}, got {', '.join(members)}")
        checked_member(members[name])
    return members


def _text(archive, info):
    """The text of a member, which ends where it is longer than any that is taken."""
    with archive.open(checked_member(info)) as member:
        return member.read(MOST_BYTES + 1)


def _member(name):
    return zipfile.ZipInfo(name)  # without the time: the same model gives the same bytes
