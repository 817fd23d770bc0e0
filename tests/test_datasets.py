"""MNIST is found where it is, downloaded where it is not, and never believed unchecked."""

import contextlib
import gzip
import hashlib
import http.server
import os
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

from nnlite import download
from nnlite.datasets import mnist

GIVEN = os.environ.get("NNLITE_DATA", "")


def idx(array):
    """An array as an idx file."""
    head = struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    return head + array.tobytes()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """An empty cache, no NNLITE_DATA, and a network that refuses."""

    def refuse(url, timeout=None):
        raise urllib.error.URLError("no network")

    monkeypatch.delenv("NNLITE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tmp_path / "cache" / "nnlite" / "mnist"


@pytest.fixture
def small(monkeypatch):
    """A small data set under MNIST's names: name -> packed file."""
    rng = np.random.default_rng(0)
    files, known = {}, {}
    for name, shape in zip(mnist.FILES, ((6, 28, 28), (6,), (2, 28, 28), (2,))):
        content = idx(rng.integers(0, 256, shape, np.uint8))
        files[name] = gzip.compress(content)
        known[name] = (shape, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(mnist, "FILES", known)
    return files


@pytest.fixture
def server(small, monkeypatch):
    """A mirror behind a broken one; yields the list of paths asked of it, serving `small`."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            folder, name = self.path.strip("/").split("/")
            body = small[name] if folder == "good" else b"<html>not here</html>"
            self.send_response(200 if folder == "good" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    base = f"http://127.0.0.1:{httpd.server_port}/"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    monkeypatch.setattr(mnist, "MIRRORS", (base + "bad/", base + "good/"))
    monkeypatch.setattr(urllib.request, "urlopen", opener.open)
    yield asked
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def put(folder, files):
    """Write the files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, packed in files.items():
        (folder / name).write_bytes(packed)


def listed(folder):
    """What is in a folder, hidden files too."""
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def check_small():
    """Load, and check that every array is its file's."""
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    for array, (shape, sha256) in zip((x_train, y_train, x_test, y_test), mnist.FILES.values()):
        assert array.dtype == np.uint8 and array.shape == shape and array.flags.writeable
        assert hashlib.sha256(idx(array)).hexdigest() == sha256


@pytest.mark.skipif(
    not os.path.exists(os.path.join(GIVEN, "mnist", "train-images-idx3-ubyte.gz")),
    reason="NNLITE_DATA names no folder with MNIST in it",
)
def test_real_mnist_has_keras_shapes_and_labels(monkeypatch):
    monkeypatch.setenv("NNLITE_DATA", GIVEN)
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    assert x_train.shape == (60000, 28, 28) and y_train.shape == (60000,)
    assert x_test.shape == (10000, 28, 28) and y_test.shape == (10000,)
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9] and y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert x_train.max() == 255 and round(float(x_train.mean()), 2) == 33.32


def test_nnlite_data_is_used_before_the_cache(small, cache, monkeypatch, tmp_path):
    put(tmp_path / "given" / "mnist", small)
    put(cache, dict.fromkeys(small, b"garbage"))
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "given"))
    check_small()


def test_cache_is_used_where_nnlite_data_has_no_mnist(small, cache, monkeypatch, tmp_path):
    put(cache, small)
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "no such folder"))
    check_small()


def test_how_a_file_is_packed_does_not_matter(small, cache):
    put(cache, {name: gzip.compress(gzip.decompress(p), 1, mtime=1) for name, p in small.items()})
    check_small()


def test_relative_xdg_cache_home_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert download.cache_folder("mnist") == tmp_path / ".cache" / "nnlite" / "mnist"


def test_import_touches_no_network(tmp_path):
    code = "import socket as s; s.socket.connect = s.getaddrinfo = None; import nnlite.datasets"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


DAMAGE = {
    "garbage": (lambda c: b"garbage", "gzipped"),
    "empty": (lambda c: b"", "gzipped|begins with nothing"),
    "truncated gzip": (lambda c: gzip.compress(c)[:-20], "gzipped"),
    "wrong CRC": (lambda c: gzip.compress(c)[:-6] + b"\0\1\2\3\4\5", "gzipped"),
    "nothing packed": (lambda c: gzip.compress(b""), "begins with nothing"),
    "other magic": (lambda c: gzip.compress(b"\0\0\x0d" + c[3:]), "begins with 00000d"),
    "header only": (lambda c: gzip.compress(c[:6]), "dimensions"),
    "other dimensions": (lambda c: gzip.compress(c[:4] + b"\xff" + c[5:]), "dimensions"),
    "too short": (lambda c: gzip.compress(c[:-1]), "bytes when unpacked"),
    "too long": (lambda c: gzip.compress(c + bytes(10**7)), "got more"),
    "other content": (lambda c: gzip.compress(c[:-1] + bytes((c[-1] ^ 1,))), "SHA-256"),
}


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_file_in_nnlite_data_is_named_and_left_alone(
    damage, name, small, monkeypatch, tmp_path
):
    change, message = DAMAGE[damage]
    small[name] = damaged = change(gzip.decompress(small[name]))
    put(tmp_path / "mnist", small)
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
    with pytest.raises(OSError, match=message) as caught:
        mnist.load_data()
    assert str(tmp_path / "mnist" / name) in str(caught.value)
    assert "unset NNLITE_DATA" in str(caught.value)
    assert (tmp_path / "mnist" / name).read_bytes() == damaged


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_file_in_the_cache_is_downloaded_again(damage, small, cache, server):
    name = "t10k-images-idx3-ubyte.gz"
    put(cache, {**small, name: DAMAGE[damage][0](gzip.decompress(small[name]))})
    check_small()
    assert server == [f"/bad/{name}", f"/good/{name}"]
    assert (cache / name).read_bytes() == small[name] and listed(cache) == sorted(small)


def test_damaged_cache_without_a_network_is_an_error_that_says_both(small, cache):
    put(cache, {**small, "t10k-labels-idx1-ubyte.gz": b"garbage"})
    with pytest.raises(OSError, match=r"(?s)t10k-labels-idx1-ubyte\.gz: expected a.*no network"):
        mnist.load_data()


def test_download_takes_the_next_mirror_and_is_done_once(small, cache, server):
    check_small()
    assert server == [f"/{mirror}/{name}" for name in small for mirror in ("bad", "good")]
    assert listed(cache) == sorted(small)
    server.clear()
    check_small()
    assert server == []


def test_offline_error_says_what_to_do(cache):
    with pytest.raises(OSError, match="could not be downloaded") as caught:
        mnist.load_data()
    text = str(caught.value)
    assert all(name in text for name in mnist.FILES)
    assert f"into the folder {cache}" in text and "set NNLITE_DATA" in text
    assert all(mirror in text for mirror in mnist.MIRRORS) and "no network" in text
    assert listed(cache) == []


def test_download_has_a_timeout(monkeypatch):
    timeouts = []

    def wait(url, timeout=None):
        timeouts.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(urllib.request, "urlopen", wait)
    with pytest.raises(OSError, match="timed out"):
        mnist.load_data()
    assert timeouts == [10] * len(mnist.MIRRORS)


@pytest.mark.parametrize("body", [b"<html>Please log in</html>", bytes(10**6)])
def test_what_is_not_mnist_is_not_kept(body, small, cache, server):
    small.update(dict.fromkeys(small, body))
    with pytest.raises(OSError, match="expected"):
        mnist.load_data()
    assert listed(cache) == []


@pytest.mark.parametrize("error", [ConnectionResetError, KeyboardInterrupt])
def test_broken_download_leaves_nothing(error, small, cache, monkeypatch):
    class Answer:
        length, reads = 1000, 0

        def read(self, size):
            self.reads += 1
            if self.reads == 2:
                raise error("broken")
            return b"\x1f\x8b"

    monkeypatch.setattr(
        urllib.request, "urlopen", lambda url, timeout=None: contextlib.nullcontext(Answer())
    )
    with pytest.raises(OSError if error is ConnectionResetError else error):
        mnist.load_data()
    assert listed(cache) == []


def test_failed_rename_leaves_no_half_file(small, cache, server, monkeypatch):
    def fail(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        mnist.load_data()
    assert listed(cache) == []


def test_cache_that_cannot_be_written_is_a_warning(small, cache, server):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    with pytest.warns(RuntimeWarning, match=r"cannot be kept in .* XDG_CACHE_HOME"):
        check_small()


def archived(small):
    """The arrays of `small` under Keras's names."""
    return {
        key: np.frombuffer(gzip.decompress(packed), np.uint8)[-int(np.prod(shape)) :].reshape(shape)
        for key, packed, (shape, _) in zip(mnist.ARCHIVE_KEYS, small.values(), mnist.FILES.values())
    }


def test_absolute_path_of_a_keras_archive_is_read(small, tmp_path):
    np.savez_compressed(tmp_path / "mnist.npz", **archived(small))
    (x_train, y_train), (_, y_test) = mnist.load_data(tmp_path / "mnist.npz")
    expected = archived(small)
    np.testing.assert_array_equal(x_train, expected["x_train"])
    np.testing.assert_array_equal(y_train, expected["y_train"])
    np.testing.assert_array_equal(y_test, expected["y_test"])


def test_archive_that_does_not_fit_is_an_error(small, tmp_path):
    path = tmp_path / "mnist.npz"
    arrays = archived(small)
    np.savez(path, **{**arrays, "y_test": arrays["y_test"].astype(np.int64)})
    with pytest.raises(OSError, match="y_test: expected uint8"):
        mnist.load_data(path)
    np.savez(path, x_train=arrays["x_train"])
    with pytest.raises(OSError, match=r"expected an \.npz archive of x_train"):
        mnist.load_data(path)
    whole = path.read_bytes()
    for content in (b"", b"garbage", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(OSError, match=r"expected an \.npz archive of x_train"):
            mnist.load_data(path)
    with open(path, "wb") as out:
        np.save(out, np.zeros(3))
    with pytest.raises(OSError, match=r"expected an \.npz archive of x_train"):
        mnist.load_data(path)
