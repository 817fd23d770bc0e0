"""Folders of models: names, versions, what is new, changed, broken or gone."""

import os
import shutil
import threading

import numpy as np
import pytest

pytest.importorskip("uvicorn")
from service import application

import nnlite
from nnlite.layers import GRU, Dense


def constant(path, value):
    """A file of a model that gives one number."""
    model = nnlite.Sequential([Dense(1, bias_initializer="ones", input_shape=(2,))])
    model.set_weights([np.zeros((2, 1)), np.array([value])])
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    return path


def answer(ask, name):
    response = ask(f"/v1/models/{name}:predict", {"instances": [[1, 2]]})
    assert response.status == 200, response.body
    return response.json["predictions"][0][0]


def look(ask, times=2):
    """Look for changes: at the second time a file has settled."""
    for _ in range(times):
        ask.run(ask.app._refresh())


def test_files_and_folders_have_names_and_versions(tmp_path):
    constant(tmp_path / "a.safetensors", 1)
    constant(tmp_path / "b" / "1.safetensors", 2)
    constant(tmp_path / "b" / "0010" / "model.safetensors", 3)
    constant(tmp_path / "b" / "9.safetensors", 4)
    for hidden in (".a", "_a"):
        constant(tmp_path / f"{hidden}.safetensors", 5)
    for without_path in ("a#b.safetensors", "a:predict/1.safetensors", "c?/1.safetensors"):
        constant(tmp_path / without_path, 6)
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "empty").mkdir()
    with application(tmp_path) as ask:
        assert sorted(ask("/v1/models").json["models"]) == ["a", "b"]
        assert answer(ask, "a") == 1 and answer(ask, "b") == 3
        assert answer(ask, "b/versions/9") == 4 and answer(ask, "b/versions/1") == 2
        assert ask("/v2/models/b").json["versions"] == ["10", "9", "1"]


def test_the_command_line_may_name_files_and_folders(tmp_path):
    one = constant(tmp_path / "one.safetensors", 1)
    constant(tmp_path / "folder" / "2.safetensors", 2)
    with application(one, f"other={one}", f"versions={tmp_path / 'folder'}") as ask:
        assert answer(ask, "one") == answer(ask, "other") == 1
        assert answer(ask, "versions/versions/2") == 2


def test_what_is_new_changed_or_gone_is_seen(tmp_path):
    first = constant(tmp_path / "a.safetensors", 1)
    with application(tmp_path) as ask:
        constant(first, 2)
        constant(tmp_path / "b" / "1.safetensors", 3)
        look(ask, 1)
        assert answer(ask, "a") == 1  # it may still be written
        look(ask, 1)
        assert answer(ask, "a") == 2 and answer(ask, "b") == 3
        constant(tmp_path / "b" / "2.safetensors", 4)
        look(ask)
        assert answer(ask, "b") == 4 and answer(ask, "b/versions/1") == 3
        shutil.rmtree(tmp_path / "b")
        look(ask, 1)
        assert ask("/v1/models/b:predict", {"instances": [[1, 2]]}).status == 404
        assert answer(ask, "a") == 2


def test_a_file_that_grows_is_not_loaded(tmp_path):
    whole = constant(tmp_path / "elsewhere" / "a.safetensors", 1).read_bytes()
    folder = tmp_path / "models"
    folder.mkdir()
    with application(folder) as ask:
        for end in range(1, 4):
            (folder / "a.safetensors").write_bytes(whole[: len(whole) * end // 4])
            look(ask, 1)
            assert ask("/v1/models").json["models"] == []
        (folder / "a.safetensors").write_bytes(whole)
        look(ask)
        assert answer(ask, "a") == 1


def test_a_broken_file_keeps_nobody_from_serving(tmp_path):
    constant(tmp_path / "good.safetensors", 1)
    changing = constant(tmp_path / "changing.safetensors", 2)
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    stateful = nnlite.Sequential([GRU(2, stateful=True, batch_shape=(1, 3, 2))])
    stateful.save(tmp_path / "stateful.safetensors")
    with application(tmp_path) as ask:
        assert answer(ask, "good") == 1
        assert ask("/v2/models/broken/ready").status == 503
        for path in ("/v1/models/broken:predict", "/v2/models/broken/infer"):
            response = ask(path, {"instances": [[1, 2]]})
            assert response.status == 503 and "cannot be loaded" in response.json["error"]
        (status,) = ask("/v1/models/broken").json["model_version_status"]
        assert status["state"] == "END" and status["status"]["error_message"]
        states = {m["name"]: m["state"] for m in ask("/v2/repository/index", b"").json}
        assert states["good"] == "READY" and states["broken"] == "UNAVAILABLE"
        assert "stateful=True" in ask("/v2/models/stateful").json["error"]
        changing.write_bytes(b"broken now")
        constant(tmp_path / "broken.safetensors", 3)
        look(ask)
        assert answer(ask, "changing") == 2 and answer(ask, "broken") == 3
        assert ask("/v1/models/changing").json["model_version_status"][0]["status"]["error_message"]
        assert "broken" in ask("/docs").body.decode()


def test_a_version_that_is_broken_does_not_answer_for_the_others(tmp_path):
    constant(tmp_path / "a" / "1.safetensors", 1)
    (tmp_path / "a" / "2.safetensors").write_bytes(b"nothing")
    with application(tmp_path) as ask:
        assert answer(ask, "a") == 1
        assert ask("/v2/models/a/versions/2/ready").status == 503
        assert ask("/v2/models/a").json["versions"] == ["1"]


def test_of_two_files_of_one_name_the_first_is_served_and_the_log_says_so(tmp_path):
    constant(tmp_path / "a.safetensors", 1)
    constant(tmp_path / "a" / "1.safetensors", 2)
    with application(tmp_path) as ask:
        look(ask)
        assert answer(ask, "a") == 2
        (line,) = [line for line in ask.log if line["event"] == "ignored"]
        assert line["path"] == str(tmp_path / "a.safetensors")
        assert line["served"] == str(tmp_path / "a" / "1.safetensors")


def test_while_a_model_is_exchanged_everybody_is_answered(tmp_path):
    path = constant(tmp_path / "a.safetensors", 1)
    with application(path) as ask:
        found, ended = [], threading.Event()

        def client():
            while not ended.is_set():
                found.append(answer(ask, "a"))

        threads = [threading.Thread(target=client) for _ in range(3)]
        for thread in threads:
            thread.start()
        for value in range(2, 6):
            constant(path, value)
            look(ask)
        ended.set()
        for thread in threads:
            thread.join()
        assert answer(ask, "a") == 5 and set(found) <= {1, 2, 3, 4, 5}


def test_a_named_file_that_is_broken_ends_the_start(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match=r"a\.safetensors"), application(path):
        pass


def test_links_that_are_exchanged_are_new_models(tmp_path):
    for value in (1, 2):
        constant(tmp_path / f"{value}" / "a.safetensors", value)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "1")
    with application(link) as ask:
        assert answer(ask, "a") == 1
        (tmp_path / "new").symlink_to(tmp_path / "2")
        os.replace(tmp_path / "new", link)
        look(ask)
        assert answer(ask, "a") == 2


@pytest.mark.parametrize(
    "sources, error, words",
    [
        ([], ValueError, "at least one path"),
        ([3], ValueError, "at least one path"),
        (["{0}/nothing.keras"], FileNotFoundError, "which is not there"),
        (["{0}/notes.txt"], ValueError, "ends in .keras"),
        (["{0}/w.weights.h5"], ValueError, "ends in .keras"),
        (["{0}/a.safetensors", "a={0}/a.safetensors"], ValueError, "'a' twice"),
        (["a/b={0}/a.safetensors"], ValueError, "got 'a/b'"),
    ],
)
def test_wrong_sources_are_refused(tmp_path, sources, error, words):
    for name in ("notes.txt", "w.weights.h5", "a.safetensors"):
        (tmp_path / name).touch()
    given = [s.format(tmp_path) if isinstance(s, str) else s for s in sources]
    with pytest.raises(error, match=words):
        nnlite.serving.make_app(*given)


@pytest.mark.parametrize(
    "setting, value",
    [
        ("port", 70000), ("workers", 0), ("max_batch", 1.5), ("batch_wait", -1), ("max_queue", 0),
        ("max_body", 0), ("timeout", 0), ("timeout", float("nan")), ("reload", -1),
        ("access_log", 1), ("token", ""), ("token", "a\nb"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(tmp_path, setting, value):
    with pytest.raises(ValueError, match=setting):
        nnlite.serving.make_app(tmp_path, **{setting: value})
