"""The rows that benchmarks train on: MNIST where it is there, else noise of the same shape; noise
of any shape; made-up sentences."""

import functools
import gzip
import os
from pathlib import Path

import numpy as np

FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def folder():
    """Where MNIST's files are, or None."""
    place = Path(os.environ.get("NNLITE_DATA", ".")) / "mnist"
    return place if all((place / name).is_file() for name in FILES) else None


def name():
    """What the rows are, for the tables."""
    if folder():
        return "MNIST"
    return "noise of MNIST's shape, as NNLITE_DATA names no folder that holds mnist/"


def _read_idx(path):
    content = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(content, ">i4", content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


@functools.lru_cache(maxsize=1)
def mnist(row_shape):
    """(x_train, y_train), (x_test, y_test): float32 rows of this shape in [0, 1], int32 labels.

    Read once in a process, whoever asks.
    """
    place = folder()
    if place:
        arrays = [_read_idx(place / file) for file in FILES]
    else:
        rng = np.random.default_rng(0)
        arrays = [
            part
            for n in (60_000, 10_000)
            for part in (
                rng.integers(0, 256, (n, 28, 28), np.uint8),
                rng.integers(0, 10, n, np.uint8),
            )
        ]
    images = [a.reshape(-1, *row_shape) / np.float32(255) for a in arrays[::2]]
    labels = [a.astype(np.int32) for a in arrays[1::2]]
    return (images[0], labels[0]), (images[1], labels[1])


def noise(row_shape, count):
    """The same, of this many rows that have no meaning, for measures of time alone."""
    rng = np.random.default_rng(0)
    rows = rng.random((count, *row_shape), np.float32), rng.integers(0, 10, count, np.int32)
    return rows, rows


def tokens(vocabulary, length, count):
    """The same, of `count` rows of token ids [length], and of as many to be tested on.

    Three tenths of a row's ids are of the ten that stand for its class, so that a net can learn it.
    """
    rng = np.random.default_rng(0)

    def drawn(count):
        y = rng.integers(0, 10, count, np.int32)
        ids = rng.integers(0, vocabulary, (count, length), np.int32)
        own = y[:, None] * 10 + ids % 10
        return np.where(rng.random((count, length)) < 0.3, own, ids), y

    return drawn(count), drawn(1000)
