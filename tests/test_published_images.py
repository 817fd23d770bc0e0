"""CIFAR and Fashion-MNIST come from files in the published form, of which nothing is run."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
import urllib.request

import numpy as np
import pytest

from nnlite import download
from nnlite.datasets import cifar10, cifar100, fashion_mnist

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    """The folder of NNLITE_DATA, an empty cache, and no network."""

    def refuse(url, timeout=None):
        raise OSError("no network")

    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tmp_path / "data"


def pickled(value):
    """A value as Python 2 and NumPy 1 pickled it: strings are bytes, arrays hold a string."""
    if isinstance(value, dict):
        return b"}(" + b"".join(pickled(k) + pickled(v) for k, v in value.items()) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(pickled, value)) + b"e"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, str):
        return b"U" + bytes([len(value)]) + value.encode()
    dtype = (
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    )
    shape = b"".join(map(pickled, value.shape)) + b"\x86"
    content = b"T" + struct.pack("<i", value.nbytes) + value.tobytes()
    start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
    return start + shape + dtype + b"K\x00tb" + b"\x89" + content + b"tb"


def batch(n, *labels, classes=10):
    numbers = {label: RNG.integers(0, classes, n).tolist() for label in labels}
    return {"batch_label": "x", **numbers, "data": RNG.integers(0, 256, (n, 3072), np.uint8)}


def images_of(part):
    """The images of a batch, pixel by pixel."""
    rows = part["data"]
    exact = np.empty((len(rows), 32, 32, 3), np.uint8)
    for colour in range(3):
        for y in range(32):
            exact[:, y, :, colour] = rows[:, 1024 * colour + 32 * y : 1024 * colour + 32 * y + 32]
    return exact


def archive(members):
    """A gzipped tar of pickles: name -> value, or the pickle itself."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, value in members.items():
            is_pickle = isinstance(value, bytes)
            content = value if is_pickle else b"\x80\x02" + pickled(value) + b"."
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def put(monkeypatch, module, path, content):
    """Write a file in place of the published one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(content).hexdigest())


def test_pickles_of_python_2_are_written_as_it_did():
    value = {"a": [1, -2], "data": np.arange(6, dtype=np.uint8).reshape(2, 3)}
    read = pickle.loads(b"\x80\x02" + pickled(value) + b".", encoding="bytes")
    assert read[b"a"] == [1, -2] and (read[b"data"] == value["data"]).all()


def ten():
    """The members of a small CIFAR-10."""
    names = [*(f"data_batch_{k}" for k in range(5, 0, -1)), "test_batch"]
    return {f"cifar-10-batches-py/{name}": batch(3, "labels") for name in names}


def test_cifar10_is_read_in_the_order_of_its_batches(data, monkeypatch):
    members = ten()
    put(
        monkeypatch,
        cifar10,
        data / "cifar10" / "cifar-10-python.tar.gz",
        archive({"cifar-10-batches-py/readme.html": b"no pickle", **members}),
    )
    (x, y), (x_test, y_test) = cifar10.load_data()
    parts = [members[f"cifar-10-batches-py/data_batch_{k}"] for k in range(1, 6)]
    assert (x == np.concatenate([images_of(part) for part in parts])).all()
    assert y.ravel().tolist() == [label for part in parts for label in part["labels"]]
    assert x.shape == (15, 32, 32, 3) and y.shape == (15, 1) and x.dtype == y.dtype == np.uint8
    assert (x_test == images_of(members["cifar-10-batches-py/test_batch"])).all()
    assert y_test.dtype == np.uint8 and x.flags.writeable and x.flags.c_contiguous


@pytest.mark.parametrize("mode", ["fine", "coarse"])
def test_cifar100_has_two_kinds_of_labels(mode, tmp_path, monkeypatch):
    members = {
        f"cifar-100-python/{name}": batch(n, "fine_labels", "coarse_labels", classes=100)
        for name, n in (("meta", 1), ("test", 2), ("train", 4))
    }
    place = tmp_path / "cache" / "nnlite" / "datasets" / "cifar-100-python.tar.gz"
    put(monkeypatch, cifar100, place, archive(members))
    (x, y), (x_test, y_test) = cifar100.load_data(mode)
    train, test = (members[f"cifar-100-python/{name}"] for name in ("train", "test"))
    assert (x == images_of(train)).all() and (x_test == images_of(test)).all()
    assert y.tolist() == [[n] for n in train[f"{mode}_labels"]] and y.dtype == np.int64
    assert y_test.shape == (2, 1)
    with pytest.raises(ValueError, match="label_mode: expected 'fine' or 'coarse', got 'all'"):
        cifar100.load_data("all")


EVIL = b"\x80\x02cposix\nsystem\nU\x0atouch evil\x85R."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (EVIL, "it names posix.system"),
        (b"\x80\x02", "EOFError|ran out"),
        ({"labels": [1, 2, 3]}, "KeyError"),
        ({**batch(3, "labels"), "labels": [1, 2]}, "3 images and labels int64"),
        ({**batch(3, "labels"), "labels": [1, 2, -3]}, "3 images and labels int64"),
        ({**batch(3, "labels"), "data": np.zeros((3, 30), np.uint8)}, "reshape"),
        ({**batch(3, "labels"), "data": [1, 2]}, "AttributeError"),
    ],
)
def test_nothing_of_an_archive_is_run_and_damage_is_named(
    change, message, data, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    members = {**ten(), "cifar-10-batches-py/data_batch_3": change}
    path = data / "cifar10" / "cifar-10-python.tar.gz"
    put(monkeypatch, cifar10, path, archive(members))
    with pytest.raises(download.DamagedFile, match=f"tar.gz: expected an archive of .*({message})"):
        cifar10.load_data()
    assert not os.path.exists("evil")


@pytest.mark.parametrize("damage", [lambda c: c[:-500], lambda c: b"garbage", lambda c: b""])
def test_what_is_no_whole_archive_is_named(damage, data, monkeypatch):
    content = damage(archive(ten()))
    put(monkeypatch, cifar10, data / "cifar10" / "cifar-10-python.tar.gz", content)
    with pytest.raises(download.DamagedFile, match="expected an archive of cifar-10"):
        cifar10.load_data()


def test_a_member_that_is_missing_is_named(data, monkeypatch):
    members = ten()
    del members["cifar-10-batches-py/test_batch"]
    put(monkeypatch, cifar10, data / "cifar10" / "cifar-10-python.tar.gz", archive(members))
    with pytest.raises(download.DamagedFile, match=r"KeyError.*test_batch"):
        cifar10.load_data()


def test_another_file_in_nnlite_data_is_named_and_left_alone(data):
    path = data / "cifar10" / "cifar-10-python.tar.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another")
    with pytest.raises(download.DamagedFile, match=r"sha256 6d958be.*unset NNLITE_DATA"):
        cifar10.load_data()
    assert path.read_bytes() == b"another"


@pytest.mark.parametrize(
    ("module", "name", "folder"),
    [
        (cifar10, "cifar-10-python.tar.gz", "cifar10"),
        (cifar100, "cifar-100-python.tar.gz", "cifar100"),
        (fashion_mnist, "train-images-idx3-ubyte.gz", "fashion-mnist"),
    ],
)
def test_offline_error_says_what_to_do(module, name, folder):
    with pytest.raises(
        OSError,
        match=f"{name} is not on this machine .*no network.* Put the file"
        f".*with {name} in its subfolder {folder}",
    ):
        module.load_data()


def idx(array):
    head = struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes())


def test_fashion_mnist_is_read_from_each_place(data, tmp_path, monkeypatch):
    arrays = [RNG.integers(0, 256, shape, np.uint8) for shape in ((6, 28, 28), 6, (2, 28, 28), 2)]
    known, files = {}, {}
    for name, array in zip(fashion_mnist.FILES, arrays):
        files[name] = idx(array)
        known[name] = (array.shape, hashlib.md5(files[name]).hexdigest())
    monkeypatch.setattr(fashion_mnist, "FILES", known)
    places = (
        "data/fashion-mnist",
        "cache/nnlite/datasets/fashion-mnist",
        "keras/datasets/fashion-mnist",
    )
    for place in places:
        (tmp_path / place).mkdir(parents=True)
        for name, content in files.items():
            (tmp_path / place / name).write_bytes(content)
        (x, y), (x_test, y_test) = fashion_mnist.load_data()
        assert all((a == b).all() for a, b in zip((x, y, x_test, y_test), arrays))
        assert x.flags.writeable
        for name in files:
            (tmp_path / place / name).unlink()
    with pytest.raises(OSError, match="not on this machine"):
        fashion_mnist.load_data()


def test_fashion_mnist_is_no_other_file_of_that_name(data, monkeypatch):
    name = "train-images-idx3-ubyte.gz"
    (data / "fashion-mnist").mkdir(parents=True)
    (data / "fashion-mnist" / name).write_bytes(idx(np.zeros((2, 28, 28), np.uint8)))
    with pytest.raises(download.DamagedFile, match=f"{name}: expected a file with the md5 8d4fb7"):
        fashion_mnist.load_data()
