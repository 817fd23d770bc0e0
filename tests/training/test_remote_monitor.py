"""RemoteMonitor posts the logs of each epoch."""

import json
import sys
import types

import numpy as np
import pytest

import nnlite as keras
from nnlite import callbacks, layers


class NotReached(Exception):
    pass


@pytest.fixture
def posted(monkeypatch):
    """What is posted, in the place of the package requests."""
    calls = []

    def post(url, data=None, json=None, headers=None):
        if url.startswith("http://nowhere"):
            raise NotReached
        calls.append((url, data, json, headers))

    errors = types.SimpleNamespace(RequestException=NotReached)
    monkeypatch.setitem(
        sys.modules, "requests", types.SimpleNamespace(post=post, exceptions=errors)
    )
    return calls


def fitted(**settings):
    model = keras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    monitor = callbacks.RemoteMonitor(**settings)
    return model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=monitor)


def test_each_epoch_is_posted_as_json_or_in_a_form(posted):
    losses = fitted(send_as_json=True, headers={"a": "b"}).history["loss"]
    address = "http://localhost:9000/publish/epoch/end/"
    assert posted == [
        (address, None, {"epoch": k, "loss": loss}, {"a": "b"}) for k, loss in enumerate(losses)
    ]
    posted.clear()
    fitted(root="http://here", path="/x", field="logs")
    assert [call[0] for call in posted] == ["http://here/x"] * 2
    assert json.loads(posted[1][1]["logs"])["epoch"] == 1


def test_arrays_become_numbers_and_lists(posted):
    logs = {"a": np.float32(0.5), "b": np.ones(1), "c": np.ones((1, 2))}
    callbacks.RemoteMonitor(send_as_json=True).on_epoch_end(3, logs)
    assert posted[0][2] == {"epoch": 3, "a": 0.5, "b": 1.0, "c": [[1.0, 1.0]]}


def test_a_server_that_is_not_there_is_a_warning_and_the_training_goes_on(posted):
    with pytest.warns(UserWarning, match="Could not reach RemoteMonitor root server at http://now"):
        assert len(fitted(root="http://nowhere").history["loss"]) == 2


def test_without_requests_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(ImportError, match="RemoteMonitor needs requests: pip install requests"):
        fitted()
