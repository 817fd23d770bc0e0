"""Whole nets of images as ONNX files."""

import collections

import numpy as np
import pytest

import nnlite
from nnlite import applications

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

NETS = {
    "MobileNetV2": lambda: applications.MobileNetV2(
        alpha=0.35, input_shape=(96, 96, 3), weights=None, include_top=False
    ),
    "MobileNetV2 of any size": lambda: applications.MobileNetV2(
        alpha=0.35, input_shape=(None, None, 3), weights=None, include_top=False
    ),
    "EfficientNetB0": lambda: applications.EfficientNetB0(
        weights=None, input_shape=(64, 64, 3), include_top=False, pooling="avg"
    ),
    "DenseNet121": lambda: applications.DenseNet121(
        weights=None, input_shape=(64, 64, 3), include_top=False, pooling="max"
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_a_net_is_computed_as_predict_does(name, tmp_path):
    nnlite.utils.set_random_seed(0)
    model = NETS[name]()
    x = np.random.default_rng(0).uniform(-1, 1, (2, 96 if "Mobile" in name else 64, 96, 3))
    x = np.ascontiguousarray(x[:, :, : x.shape[1]], np.float32)
    nnlite.export(model, tmp_path / "x.onnx", verify=False, verbose=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "x.onnx"))
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    expected = model.predict(x)
    assert np.abs(y - expected).max() < 1e-4 * np.abs(expected).max()
    nodes = collections.Counter(node.op_type for node in onnx.load(tmp_path / "x.onnx").graph.node)
    assert nodes["Transpose"] == 1 + (len(model.output_shape) == 4)
    assert nodes["Conv"] == sum("Conv2D" in type(layer).__name__ for layer in model.layers)
