"""`nnlite export` on the command line."""

import numpy as np
import pytest

import nnlite
from nnlite import NNClassifier, layers
from nnlite.__main__ import main

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def inputs_of(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [(i.name, i.type) for i in session.get_inputs()]


def saved_model(folder):
    model = nnlite.Sequential([layers.Input((4,), name="rows"), layers.Dense(2)])
    model.save(folder / "model.safetensors")
    return str(folder / "model.safetensors")


def saved_estimator(folder):
    X = np.random.default_rng(0).normal(size=(40, 3))
    NNClassifier(epochs=1, random_state=0).fit(X, X[:, 0] > 0).save(folder / "rows.safetensors")
    return str(folder / "rows.safetensors")


def test_a_model_is_exported_and_compared(tmp_path, capsys):
    assert main(["export", saved_model(tmp_path), str(tmp_path / "model.onnx")]) == 0
    assert inputs_of(tmp_path / "model.onnx") == [("rows", "tensor(float)")]
    assert "outputs differ from those of predict by" in capsys.readouterr().out


def test_an_estimator_with_options(tmp_path, capsys):
    command = ["export", saved_estimator(tmp_path), str(tmp_path / "rows.onnx"), "--no-verify"]
    assert main([*command, "--option", "dtype=float64"]) == 0
    assert inputs_of(tmp_path / "rows.onnx") == [("X", "tensor(double)")]
    assert "differ" not in capsys.readouterr().out


def test_samples_and_labels_are_files_of_numpy(tmp_path, capsys):
    pytest.importorskip("tflite")
    pytest.importorskip("ai_edge_litert")
    x = np.random.default_rng(0).normal(size=(30, 4))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.zeros(30, int))
    command = ["export", saved_model(tmp_path), str(tmp_path / "model.tflite")]
    files = ["--samples", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy")]
    assert main([*command, *files, "--option", "quantize=int8"]) == 0
    said = capsys.readouterr().out
    assert "1 of 1 steps" in said and "30 rows" in said and "accuracy" in said


@pytest.mark.parametrize(
    "source, target, options, said",
    [
        ("none.keras", "x.onnx", [], "none.keras"),
        ("broken.safetensors", "x.onnx", [], "broken.safetensors"),
        ("model.safetensors", "x.pdf", [], "ends in"),
        ("model.safetensors", "x.onnx", ["--option", "dtype=int8"], "dtype"),
        ("model.safetensors", "x.onnx", ["--samples", "none.npy"], "none.npy"),
        ("model.safetensors", "x.onnx", ["--samples", __file__], "expected a file that numpy.save"),
        ("model.safetensors", "x.onnx", ["--option", "colour=red"], "colour"),
    ],
)
def test_what_fails_is_said_in_one_line(source, target, options, said, tmp_path, capsys):
    saved_model(tmp_path)
    (tmp_path / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{")
    assert main(["export", str(tmp_path / source), str(tmp_path / target), *options]) == 1
    message = capsys.readouterr().err
    assert message.startswith("nnlite export: ") and said in message and "Traceback" not in message
    assert not list(tmp_path.glob("x.*"))


def test_options_have_a_name_and_a_value(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["export", "a.keras", "a.onnx", "--option", "dtype"])
    assert "expected NAME=VALUE" in capsys.readouterr().err
