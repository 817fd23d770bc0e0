"""IMDB and Reuters come from Keras's files, of which nothing is run, as Keras gives them."""

import hashlib
import json
import os
import urllib.request

import numpy as np
import pytest

from nnlite import download
from nnlite.datasets import imdb, reuters

ROWS = [[1, 2, 30], [4], [5, 6, 7, 8], [9, 1], [2, 2, 2]]


def objects(rows):
    array = np.empty(len(rows), object)
    for k, row in enumerate(rows):
        array[k] = row
    return array


def saved(path, rows=ROWS, **more):
    """A file like imdb.npz and reuters.npz in one."""
    labels = np.arange(len(rows))
    arrays = dict(x=objects(rows), y=labels, x_train=objects(rows), y_train=labels)
    np.savez(path, **arrays, **{"x_test": objects(rows[:3]), "y_test": labels[:3], **more})
    return path


@pytest.fixture(autouse=True)
def nothing(monkeypatch, tmp_path):
    """An empty cache, no NNLITE_DATA, and no network."""

    def refuse(url, timeout=None):
        raise OSError("no network")

    monkeypatch.delenv("NNLITE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.fixture
def path(tmp_path):
    return saved(tmp_path / "texts.npz")


def original(row, start=(1,), index_from=3):
    """What a row of ROWS becomes."""
    return [*start, *(n + index_from for n in row)]


def by_label(rows, labels):
    return {int(label): row for row, label in zip(rows, labels)}


def test_words_are_numbered_and_rows_keep_their_labels(path):
    (x, y), (x_test, y_test) = imdb.load_data(path)
    assert by_label(x, y) == {k: original(row) for k, row in enumerate(ROWS)}
    assert by_label(x_test, y_test) == {k: original(row) for k, row in enumerate(ROWS[:3])}
    assert x.dtype == object and type(x[0]) is list and y.dtype.kind == "i"
    assert y.tolist() != sorted(y) and y.tolist() == imdb.load_data(path)[0][1].tolist()
    assert y.tolist() != imdb.load_data(path, seed=1)[0][1].tolist()


@pytest.mark.parametrize(
    ("settings", "row"),
    [
        ({}, [1, 4, 5, 33]),
        ({"num_words": 33}, [1, 4, 5, 2]),
        ({"num_words": 33, "oov_char": None}, [1, 4, 5]),
        ({"skip_top": 5}, [2, 2, 5, 33]),
        ({"start_char": None, "index_from": 0}, [1, 2, 30]),
        ({"start_char": 7, "oov_char": 9, "skip_top": 8, "index_from": 4}, [9, 9, 9, 34]),
    ],
)
@pytest.mark.parametrize("data", [imdb, reuters])
def test_settings(data, settings, row, path):
    (x, y), (x_test, y_test) = data.load_data(path, **settings)
    assert {**by_label(x_test, y_test), **by_label(x, y)}[0] == row


def test_long_rows_are_left_out_and_equal_ones_stay_lists(path):
    (x, y), _ = imdb.load_data(path, maxlen=4)
    assert sorted(y) == [1, 3] and x.shape == (2,)
    (x, y), _ = reuters.load_data(path, maxlen=3, test_split=0)
    assert x.shape == (1,) and x.tolist() == [[1, 7]]
    with pytest.raises(ValueError, match="maxlen: expected more than"):
        imdb.load_data(path, maxlen=1)


def test_share_for_testing(path):
    (x, _), (x_test, _) = reuters.load_data(path, test_split=0.4)
    assert (len(x), len(x_test)) == (3, 2)
    assert len(reuters.get_label_names()) == 46 and len(set(reuters.get_label_names())) == 46


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([[1], Evil()], "it names (posix|nt).system"),
        ([[1], [Evil()]], "it names (posix|nt).system"),
        ([[1], [1.5]], "entries of type float"),
        ([[1], (2,)], "entries of type tuple"),
        ([[1], [True]], "entries of type bool"),
        ([[1], np.zeros(2)], "entries of type _Dummy"),
    ],
)
def test_nothing_of_a_file_is_run(content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(
        "texts.npz",
        x_train=objects(content),
        y_train=np.arange(2),
        x_test=objects(content),
        y_test=np.arange(2),
    )
    with pytest.raises(download.DamagedFile, match=message):
        imdb.load_data(tmp_path / "texts.npz")
    assert not os.path.exists("evil")


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(b"garbage"),
        lambda p: p.write_bytes(p.read_bytes()[:-200]),
        lambda p: np.savez(p, x=objects(ROWS)),
        lambda p: np.savez(p, x=objects(ROWS), y=np.arange(4)),
        lambda p: np.savez(p, x=objects(ROWS), y=np.zeros(5)),
        lambda p: np.savez(p, x=np.zeros((5, 2)), y=np.arange(5)),
        lambda p: np.savez(p, x=objects(ROWS).reshape(5, 1), y=np.arange(5)),
    ],
)
def test_damaged_file_is_named(damage, path):
    damage(path)
    with pytest.raises(download.DamagedFile, match=r"texts\.npz: expected an \.npz archive of"):
        reuters.load_data(path)


def test_a_file_in_nnlite_data_and_in_the_caches_is_found(path, tmp_path, monkeypatch):
    content = path.read_bytes()
    monkeypatch.setattr(imdb, "SHA256", hashlib.sha256(content).hexdigest())
    for folder in ("keras/datasets", "cache/nnlite/datasets", "data/imdb"):
        place = tmp_path / folder
        place.mkdir(parents=True)
        (place / "imdb.npz").write_bytes(content)
        monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "data"))
        assert len(imdb.load_data()[0][0]) == 5
        if folder != "data/imdb":
            (place / "imdb.npz").unlink()
    (tmp_path / "data" / "imdb" / "imdb.npz").write_bytes(b"other")
    with pytest.raises(OSError, match="unset NNLITE_DATA"):
        imdb.load_data()


@pytest.mark.parametrize("data", [imdb, reuters])
def test_numbers_of_words(data, tmp_path, monkeypatch):
    (tmp_path / "words.json").write_text(json.dumps({"the": 1, "naïve": 2}))
    assert data.get_word_index(tmp_path / "words.json") == {"the": 1, "naïve": 2}
    (tmp_path / "words.json").write_text("{")
    with pytest.raises(OSError, match=r"words\.json: expected JSON"):
        data.get_word_index(tmp_path / "words.json")


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (imdb.load_data, "imdb.npz"),
        (imdb.get_word_index, "imdb_word_index.json"),
        (reuters.load_data, "reuters.npz"),
        (reuters.get_word_index, "reuters_word_index.json"),
    ],
)
def test_offline_error_says_what_to_do(load, name, tmp_path):
    with pytest.raises(OSError, match=f"{name} is not on this machine") as caught:
        load()
    text = str(caught.value)
    assert f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{name}" in text
    assert f"folder {tmp_path / 'cache' / 'nnlite' / 'datasets'}, or set NNLITE_DATA" in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_words": 0}, "num_words: expected a positive integer, got 0"),
        ({"maxlen": 2.5}, "maxlen: expected a positive integer, got 2.5"),
        ({"skip_top": -1}, r"skip_top: expected an integer in \[0, inf\), got -1"),
        ({"seed": -1}, r"seed: expected an integer in \[0, 4294967295\], got -1"),
        ({"test_split": 1.5}, r"test_split: expected a number in \[0, 1\], got 1.5"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_file_is_looked_for(settings, message):
    with pytest.raises(ValueError, match=message):
        reuters.load_data(**settings)


def test_the_same_as_keras(path, monkeypatch):
    keras = pytest.importorskip("keras")
    for name, data in (("imdb", imdb), ("reuters", reuters)):
        theirs = getattr(keras.datasets, name)
        monkeypatch.setattr(theirs.load_data.__module__ + ".get_file", lambda **settings: path)
        for settings in (
            {"num_words": 10},
            {"num_words": 10, "skip_top": 5, "maxlen": 4, "seed": 3},
            {"num_words": 10, "oov_char": None, "start_char": None, "index_from": 0},
        ):
            for ours, other in zip(data.load_data(path, **settings), theirs.load_data(**settings)):
                assert ours[0].tolist() == other[0].tolist()
                assert ours[1].tolist() == other[1].tolist()
