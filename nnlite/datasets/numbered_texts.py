"""What IMDB and Reuters share: how their files, which are Keras's, are read, and words
that are left out."""

import json
import zipfile
from pathlib import Path

import numpy as np

from nnlite.checks import check_setting, positive_int
from nnlite.datasets.files import unpickled
from nnlite.download import DamagedFile


def read_words(path):
    """The dict from words to numbers in a file of JSON."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except ValueError as error:
        raise DamagedFile(f"{path}: expected JSON, got {error}") from None


def read_archive(path, rows, labels):
    """Arrays of an `.npz` archive.

    Parameters
    ----------
    path : path
    rows, labels : tuple of str
        The arrays whose entries are lists of integers, and the arrays of integers.

    Returns
    -------
    list of lists and arrays
        Rows and labels that belong together, one after the other.

    Raises
    ------
    DamagedFile
        If it is anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = []
            for name, label in zip(rows, labels):
                with archive.open(f"{name}.npy") as file:
                    found.append(_lists(file))
                with archive.open(f"{label}.npy") as file:
                    found.append(np.lib.format.read_array(file, allow_pickle=False))
                if found[-1].shape != (len(found[-2]),) or found[-1].dtype.kind not in "iu":
                    raise ValueError(f"{found[-1].dtype} {found[-1].shape} as {label}")
            return found
    except OSError:
        raise
    except Exception as error:  # a damaged pickle raises almost anything
        names = ", ".join((*rows, *labels))
        raise DamagedFile(
            f"{path}: expected an .npz archive of {names}: lists of integers and their labels; "
            f"got one with: {error}"
        ) from None


def _lists(file):
    """The lists of integers in the file of an array of objects."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, _, dtype = read[version](file)
    if dtype.kind != "O":
        raise ValueError(f"{dtype} {shape}")
    state = getattr(unpickled(file), "state", None)
    rows = state[-1] if isinstance(state, tuple) and state else None
    if not isinstance(rows, list) or shape != (len(rows),):
        raise ValueError("no array of one dimension")
    kinds = {type(row) for row in rows} - {list} or {type(n) for row in rows for n in row} - {int}
    if kinds:
        raise ValueError(f"entries of type {', '.join(kind.__name__ for kind in kinds)}")
    return rows


def check_words(num_words, skip_top, maxlen, seed, index_from):
    """Raise a ValueError unless these settings of `load_data` are legal."""
    for name, value in (("num_words", num_words), ("maxlen", maxlen)):
        if value is not None:
            positive_int(name, value)
    check_setting("skip_top", skip_top, "int [0, inf)")
    check_setting("seed", seed, f"int [0, {2**32 - 1}]")
    check_setting("index_from", index_from, "int [0, inf)")


def chosen(rows, labels, rng, maxlen, start_char, index_from):
    """Rows and labels in random order, words counted from `index_from`, without long rows."""
    order = np.arange(len(rows))
    rng.shuffle(order)
    start = [] if start_char is None else [start_char]
    rows = [start + [n + index_from for n in rows[k]] for k in order]
    labels = labels[order]
    if maxlen is not None:
        short = np.array([len(row) < maxlen for row in rows], bool)
        rows, labels = [row for row, keep in zip(rows, short) if keep], labels[short]
        if not rows:
            raise ValueError(
                f"maxlen: expected more than the words of the shortest text, got {maxlen}"
            )
    return rows, labels


def as_array(rows, num_words, skip_top, oov_char):
    """An array of lists, in which `oov_char` stands for words that are too frequent or too rare."""
    last = np.inf if num_words is None else num_words
    if oov_char is None:
        rows = [[n for n in row if skip_top <= n < last] for row in rows]
    elif skip_top or num_words is not None:
        rows = [[n if skip_top <= n < last else oov_char for n in row] for row in rows]
    array = np.empty(len(rows), object)
    for k, row in enumerate(rows):  # as one, lists of one length would be a table
        array[k] = row
    return array
