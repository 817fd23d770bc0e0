"""Triton's own client finds the Open Inference Protocol as it expects it."""

import numpy as np
import pytest

pytest.importorskip("uvicorn")
from service import Service

import nnlite
from nnlite.layers import Dense

triton = pytest.importorskip("tritonclient.http")
X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    nnlite.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("models")
    model = nnlite.Sequential([Dense(8, "relu", input_shape=(4,)), Dense(2, name="out")])
    model.save(folder / "net.safetensors")
    classifier = nnlite.NNClassifier(epochs=1, ensemble=1).fit(X, ["no", "yes", "no"])
    classifier.save(folder / "labels.safetensors")
    with Service(folder) as service:
        client = triton.InferenceServerClient(f"127.0.0.1:{service.port}")
        yield client, model, classifier
        client.close()


def test_health_and_metadata(made):
    client = made[0]
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("net") and client.is_model_ready("net", "1")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "nnlite"
    assert client.get_model_metadata("net")["outputs"] == [
        {"name": "out", "datatype": "FP32", "shape": [-1, 2]}
    ]
    names = {model["name"] for model in client.get_model_repository_index()}
    assert names == {"net", "labels"}


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("asked", [False, True])
def test_predictions_in_json_and_in_bytes(made, given, asked):
    client, model, _ = made
    (name,) = [spec["name"] for spec in client.get_model_metadata("net")["inputs"]]
    tensor = triton.InferInput(name, list(X.shape), "FP32")
    tensor.set_data_from_numpy(X, binary_data=given)
    output = triton.InferRequestedOutput("out", binary_data=asked)
    found = client.infer("net", [tensor], outputs=[output], request_id="5")
    assert np.array_equal(found.as_numpy("out"), model.predict(X))
    assert found.get_response()["id"] == "5"
    assert np.array_equal(client.infer("net", [tensor]).as_numpy("out"), model.predict(X))


def test_labels_are_strings(made):
    client, _, classifier = made
    tensor = triton.InferInput("X", list(X.shape), "FP32")
    tensor.set_data_from_numpy(X)
    found = client.infer("labels", [tensor])
    labels = [label.decode() for label in found.as_numpy("label")]
    assert labels == classifier.predict(X).tolist()
    assert np.array_equal(found.as_numpy("probabilities"), classifier.predict_proba(X))


def test_errors_have_their_message(made):
    tensor = triton.InferInput("other", list(X.shape), "FP32")
    tensor.set_data_from_numpy(X)
    with pytest.raises(triton.InferenceServerException, match="inputs: expected"):
        made[0].infer("net", [tensor])
