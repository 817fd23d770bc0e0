"""A file is downloaded once, checked, written whole, and unpacked into its folder alone."""

import hashlib
import http.client
import io
import os
import tarfile
import urllib.error
import urllib.request
import zipfile

import pytest

from nnlite import download
from nnlite.utils import get_file

CONTENT = b"petals " * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
URL = "https://example.com/data/flowers.txt?version=2"


class Answer(io.BytesIO):
    """What an address answers; `fails` is raised after its last byte."""

    def __init__(self, content, fails=None):
        super().__init__(content)
        self.length, self.fails = len(content), fails

    def read(self, size):
        if block := super().read(size):
            return block
        if self.fails:
            raise self.fails
        return b""


@pytest.fixture(autouse=True)
def net(monkeypatch, tmp_path):
    """What is answered, by address, and a list of what was asked; an empty cache."""
    answers, asked = {}, []

    def urlopen(url, timeout=None):
        asked.append(url)
        if url not in answers:
            raise urllib.error.URLError("no network")
        content, fails = answers[url]
        return Answer(content, fails)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    answers[URL] = CONTENT, None
    return answers, asked


def listed(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) if folder.exists() else []


@pytest.mark.parametrize("settings", [{}, {"file_hash": SHA256}, {"md5_hash": MD5.upper()}])
def test_a_file_is_downloaded_once(settings, net, tmp_path):
    path = get_file(origin=URL, **settings)
    assert path == str(tmp_path / "cache" / "nnlite" / "datasets" / "flowers.txt")
    assert open(path, "rb").read() == CONTENT
    assert get_file(origin=URL, **settings) == path and len(net[1]) == 1
    get_file(origin=URL, force_download=True, **settings)
    assert len(net[1]) == 2
    assert listed(tmp_path / "cache" / "nnlite" / "datasets") == ["flowers.txt"]


def test_where_it_is_kept(tmp_path):
    assert get_file("f.txt", URL, cache_dir=tmp_path, cache_subdir="a") == f"{tmp_path}/a/f.txt"
    there = str(tmp_path / "b")
    assert get_file(origin=URL, cache_subdir=there) == os.path.join(there, "flowers.txt")


def test_a_file_of_keras_is_used_if_it_has_the_hash(net, tmp_path):
    file = tmp_path / "keras" / "datasets" / "flowers.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    assert get_file(origin=URL, file_hash=SHA256) == str(file) and net[1] == []
    file.write_bytes(b"other")
    assert get_file(origin=URL, file_hash=SHA256) != str(file)
    assert file.read_bytes() == b"other"


def test_damaged_file_is_downloaded_again(net, tmp_path):
    path = get_file(origin=URL)
    with open(path, "wb") as file:
        file.write(CONTENT[:100])
    assert open(get_file(origin=URL, file_hash=SHA256), "rb").read() == CONTENT
    assert len(net[1]) == 2


def test_what_does_not_have_the_hash_is_not_kept(net, tmp_path):
    net[0][URL] = b"<html>Please log in</html>", None
    with pytest.raises(download.DamagedFile, match=f"{SHA256}, got"):
        get_file(origin=URL, file_hash=SHA256)
    assert listed(tmp_path / "cache" / "nnlite" / "datasets") == []


@pytest.mark.parametrize(
    "fails",
    [ConnectionResetError(104, "reset"), TimeoutError("late"), http.client.IncompleteRead(b"")],
)
def test_broken_download_leaves_nothing_and_the_error_says_what_to_do(fails, net, tmp_path):
    net[0][URL] = CONTENT, fails
    with pytest.raises(OSError, match="could not be downloaded from https://example") as caught:
        get_file(origin=URL)
    folder = tmp_path / "cache" / "nnlite" / "datasets"
    assert f"Put the file into the folder {folder}" in str(caught.value)
    assert listed(folder) == []


def test_offline_error_says_address_name_and_place(tmp_path):
    with pytest.raises(OSError, match="no network") as caught:
        get_file("a.npz", "https://example.com/b.npz")
    for part in ("a.npz is not on", "https://example.com/b.npz", str(tmp_path / "cache")):
        assert part in str(caught.value)
    assert listed(tmp_path / "cache") == []


def zipped(name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "red")
    return packed.getvalue()


def tarred(name):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    return packed.getvalue()


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    ("fname", "settings", "folder"),
    [
        (None, {"extract": True}, "flowers.txt"),
        ("roses", {"extract": True}, "roses"),
        ("roses.tgz", {"extract": True}, "roses_extracted"),
        ("roses.tgz", {"extract": True, "archive_format": None}, None),
    ],
)
def test_archive_is_unpacked(pack, fname, settings, folder, net, tmp_path):
    net[0][URL] = pack("petals/rose.txt"), None
    path = get_file(fname, URL, **settings)
    if folder is not None:
        assert os.path.basename(path) == folder
        assert os.listdir(os.path.join(path, "petals")) == ["rose.txt"]
        assert get_file(fname, URL, **settings) == path and len(net[1]) == 1
    else:
        assert not os.path.exists(path)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archive_reaches_nothing_outside_of_its_folder(pack, net, tmp_path):
    net[0][URL] = pack("../../outside.txt"), None
    try:
        get_file("a", URL, extract=True)
    except tarfile.TarError:
        assert pack is tarred
    found = [name for name in listed(tmp_path) if name.endswith("outside.txt")]
    assert found in ([], ["cache/nnlite/datasets/a/outside.txt"])


def test_what_is_no_archive_is_said(net):
    with pytest.warns(UserWarning, match="expected an archive, tar or zip"):
        get_file("a", URL, extract=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "origin: expected the address of a file, got None"),
        ({"origin": "https://example.com/"}, "fname: expected the name of a file, .* got ''"),
        ({"origin": URL, "fname": "a/b"}, "fname: expected the name of a file, .* got 'a/b'"),
        ({"origin": URL, "hash_algorithm": "crc"}, "hash_algorithm: expected 'auto', 'sha256'"),
        ({"origin": URL, "archive_format": "rar"}, "archive_format: expected 'auto', 'tar', 'zip'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message, net):
    with pytest.raises(ValueError, match=message):
        get_file(**settings)
    assert net[1] == []
