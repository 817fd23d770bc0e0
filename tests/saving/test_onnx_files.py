"""Weights of ONNX files: what a node does with them says what they are."""

import os
import random

import numpy as np
import pytest
from mutations import changed_bytes

import nnlite
from nnlite import layers
from nnlite.saving import load_arrays

onnx = pytest.importorskip("onnx")
FILES = int(os.environ.get("NNLITE_FUZZ", 100))  # by hand: 5,000
RNG = np.random.default_rng(0)


def node(kind, inputs, output, **settings):
    return onnx.helper.make_node(kind, inputs, [output], name=f"{kind}_{output}", **settings)


def saved(path, nodes, arrays, shape, result):
    """Write a graph from 'x' to 'y'."""
    real = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [onnx.helper.make_tensor_value_info("x", real, shape)],
        [onnx.helper.make_tensor_value_info("y", real, result)],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def rand(*shape):
    return RNG.normal(size=shape).astype("f4")


def computed(path, x):
    """What the graph gives, by another runtime."""
    runtime = pytest.importorskip("onnxruntime")
    return runtime.InferenceSession(path).run(None, {"x": x})[0]


def images(path, last=False):
    """A convolutional net; with `last` its flattened images have the channels last."""
    arrays = {
        "conv.weight": rand(4, 2, 3, 3),
        "c": rand(4),
        **dict(zip(("scale", "shift", "mean"), rand(3, 4))),
        "variance": rand(4) ** 2,
        "onnx::PRelu_3": rand(4, 1, 1),
        "m": rand(36, 5),
        "v": rand(5),
        "fc.weight": rand(3, 5),
        "fc.bias": rand(3),
    }
    nodes = [
        node("Conv", ["x", "conv.weight", "c"], "a"),
        node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], "b", epsilon=1e-3),
        node("PRelu", ["b", "onnx::PRelu_3"], "d"),
        *([node("Transpose", ["d"], "t", perm=[0, 2, 3, 1])] if last else []),
        node("Flatten", ["t" if last else "d"], "e"),
        node("MatMul", ["e", "m"], "f"),
        node("Add", ["v", "f"], "g"),
        node("Gemm", ["g", "fc.weight", "fc.bias"], "y", transB=1),
    ]
    return saved(path, nodes, arrays, ["n", 2, 5, 5], ["n", 3])


def image_net():
    return nnlite.Sequential(
        [
            layers.Conv2D(4, 3, input_shape=(5, 5, 2)),
            layers.BatchNormalization(),
            layers.PReLU(shared_axes=[1, 2]),
            layers.Flatten(),
            layers.Dense(5),
            layers.Dense(3),
        ]
    )


def test_a_convolutional_net_computes_the_same(tmp_path):
    path, model, x = images(tmp_path / "a.onnx"), image_net(), rand(3, 2, 5, 5)
    model.load_weights(path)
    expected = computed(path, x)
    np.testing.assert_allclose(model.predict(x.transpose(0, 2, 3, 1)), expected, rtol=1e-4)
    found = load_arrays(path)
    assert np.array_equal(found["fc.weight"], model.layers[-1].kernel.numpy().T)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_nets_compute_the_same(kind, tmp_path):
    gates = {"LSTM": 4, "GRU": 3}[kind]
    arrays = {"w": rand(2, gates * 2, 3), "r": rand(2, gates * 2, 2), "b": rand(2, gates * 4)}
    settings = {"hidden_size": 2, "direction": "bidirectional"}
    settings |= {"linear_before_reset": 1} if kind == "GRU" else {}
    nodes = [
        node("Transpose", ["x"], "t", perm=[1, 0, 2]),
        node(kind, ["t", "w", "r", "b"], "h", **settings),
        node("Transpose", ["h"], "y", perm=[2, 0, 1, 3]),
    ]
    path = saved(tmp_path / "a.onnx", nodes, arrays, ["n", 4, 3], ["n", 4, 2, 2])
    layer = getattr(layers, kind)(2, return_sequences=True)
    model = nnlite.Sequential([layers.Bidirectional(layer, input_shape=(4, 3))])
    model.load_weights(path)
    x = rand(3, 4, 3)
    expected = computed(path, x).reshape(3, 4, 4)
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-4, atol=1e-6)


def test_flattened_images_with_their_channels_last_are_refused(tmp_path):
    path = images(tmp_path / "a.onnx", last=True)
    with pytest.raises(ValueError, match=r"a\.onnx: node 'MatMul_f': expected flattened images"):
        image_net().load_weights(path)


def test_other_settings_and_files_are_refused(tmp_path):
    weights = {"w": rand(2, 3), "b": rand(2)}
    scaled = [node("Gemm", ["x", "w", "b"], "y", transB=1, alpha=0.5)]
    path = saved(tmp_path / "a.onnx", scaled, weights, ["n", 3], ["n", 2])
    model = nnlite.Sequential([layers.Dense(2, input_shape=(3,))])
    with pytest.raises(ValueError, match=r"a\.onnx: node 'Gemm_y' .*as a layer has them"):
        model.load_weights(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.onnx: expected a whole \.onnx file"):
        model.load_weights(path)


def test_numbers_in_other_files_are_refused(tmp_path):
    model = onnx.load(images(tmp_path / "a.onnx"))
    onnx.save(model, tmp_path / "b.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(ValueError, match=r"b\.onnx: .*expected numbers in the file itself"):
        load_arrays(tmp_path / "b.onnx")


def test_changed_files_are_read_or_refused(tmp_path):
    path, rng, refused = images(tmp_path / "a.onnx"), random.Random(0), 0
    whole, model = path.read_bytes(), image_net()
    for i in range(FILES):
        path.write_bytes(changed_bytes(whole, rng))
        try:
            model.load_weights(path)
        except ValueError as error:
            assert str(path) in str(error), i
            refused += 1
    assert FILES / 10 < refused < FILES
