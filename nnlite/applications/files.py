"""Files that Keras publishes: where they are looked for, and how they come."""

import os
from pathlib import Path
from typing import NamedTuple

from nnlite.download import DamagedFile, get_file

STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications/"
FOLDER = "models"  # in Keras's cache and in nnlite's


class Published(NamedTuple):
    """A file that Keras publishes.

    Parameters
    ----------
    name : str
        Of the file, wherever it is kept.
    folder : str
        The address of the folder that has it.
    file_hash : str, optional
        SHA-256 or MD5. Without it, whatever comes is believed.
    stored_as : str, optional
        Its name in that folder, if it is another.
    """

    name: str
    folder: str
    file_hash: str | None = None
    stored_as: str | None = None


def in_storage(folder, name, file_hash=None, stored_as=None):
    """A file in the folder of a family, where Keras publishes most."""
    return Published(name, f"{STORAGE}{folder}/", file_hash, stored_as)


def of_tensorflow(folder, stem, include_top, file_hash):
    """A file of weights, with the name that most have.

    Parameters
    ----------
    folder, stem : str
        Where it is, and how its name begins.
    include_top : bool
    file_hash : str
    """
    top = "" if include_top else "_notop"
    name = f"{stem}_weights_tf_dim_ordering_tf_kernels{top}.h5"
    return in_storage(folder, name, file_hash)


def in_data_folder(name):
    """The path of a file in the folder that NNLITE_DATA names or in `models` there, or None.

    Parameters
    ----------
    name : str
    """
    given = os.environ.get("NNLITE_DATA")
    for folder in (given, Path(given, FOLDER)) if given else ():
        if (path := Path(folder, name)).is_file():
            return str(path)
    return None


def located(file):
    """The path of a published file, from the first place that has it.

    These are the folder that NNLITE_DATA names and `models` in it, whose files are believed; then
    nnlite's cache and Keras's, where the hash counts; then the network.

    Parameters
    ----------
    file : Published

    Raises
    ------
    OSError
        If no place has it. The message says where to put it.
    """
    if (path := in_data_folder(file.name)) is not None:
        return path
    try:
        return get_file(
            file.name,
            file.folder + (file.stored_as or file.name),
            file_hash=file.file_hash,
            cache_subdir=FOLDER,
        )
    except DamagedFile:
        raise
    except OSError as error:
        raise OSError(
            f"{error}, into {FOLDER} of Keras's folder ~/.keras, or into the folder that "
            "NNLITE_DATA names"
        ) from None
