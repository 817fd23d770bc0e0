"""What CIFAR-10 and CIFAR-100 share: an archive of pickled images of 32 x 32 pixels."""

import tarfile

import numpy as np

from nnlite.datasets.files import located, uint8_array, unpickled
from nnlite.download import DamagedFile

ORIGIN = "https://www.cs.toronto.edu/~kriz/"


def read_parts(folder, name, sha256, members, label):
    """Images and labels of some members of an archive.

    Parameters
    ----------
    folder : str
        Where it is in the folder that NNLITE_DATA names.
    name, sha256 : str
        Of the archive.
    members : list of list of str
        The members of each part.
    label : str
        The name of the labels.

    Returns
    -------
    list of (uint8 array of shape (N, 32, 32, 3), array of shape (N, 1))

    Raises
    ------
    OSError
        If the archive can neither be found nor downloaded, or is another file.
    """
    path = located(name, folder, name, sha256, origin=ORIGIN)
    wanted = {member for part in members for member in part}
    try:
        with tarfile.open(path) as archive:  # from its beginning to its end: it is compressed
            found = {
                entry.name: _batch(archive.extractfile(entry), label)
                for entry in archive
                if entry.name in wanted
            }
        parts = [[found[member] for member in part] for part in members]
    except Exception as error:  # a damaged pickle raises almost anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DamagedFile(
            f"{path}: expected an archive of {', '.join(sorted(wanted))}: images of 3 x 32 x 32 "
            f"bytes and their {label}; got one with: {error!r}"
        ) from None
    return [tuple(map(np.concatenate, zip(*part))) for part in parts]


def _batch(file, label):
    """The images and labels of a pickled dict, whose keys are those of Python 2."""
    content = unpickled(file)
    images, labels = uint8_array(content[b"data"]), np.array(content[label.encode()])
    if labels.dtype.kind != "i" or labels.shape != images.shape[:1] or labels.min() < 0:
        raise ValueError(f"{len(images)} images and labels {labels.dtype} {labels.shape}")
    images = images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels[:, None]
