"""ONNX files become models that compute the same."""

import pathlib
import subprocess
import sys

import cases_layers
import models_built
import models_random
import models_random_sequences
import numpy as np
import pytest

import nnlite
from nnlite import NNClassifier, applications, layers
from nnlite.exporting.pipelines import computation_of
from nnlite.exporting.program import program_of
from nnlite.tree import flatten

onnx = pytest.importorskip("onnx")
DATA = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"
helper = onnx.helper
REFUSED = {"IntegerLookup", "Hashing", "ContrastLimitedAdaptiveHistogramEqualization"}
CASES = {name: case for name, case in cases_layers.CASES.items() if name not in REFUSED}


def scattered(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.dtype != "int32":
            weight.assign(weight.numpy() + rng.uniform(0, 0.3, weight.shape))
    return model


def and_back(model, folder):
    """What is imported of the model's file."""
    nnlite.export(model, folder / "x.onnx", verify=False, verbose=False)
    return nnlite.import_onnx(folder / "x.onnx")


def assert_same(model, again, x, tolerance=1e-5):
    for y, expected in zip(flatten(again.predict(x)), flatten(model.predict(x))):
        assert y.shape == expected.shape
        largest = np.abs(expected).max(initial=1)
        np.testing.assert_allclose(y / largest, expected / largest, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", CASES)
def test_a_layer_and_back(name, tmp_path):
    make, x, _ = CASES[name]
    x = np.random.default_rng(1).normal(size=x) if isinstance(x, tuple) else np.asarray(x)
    dtype = "int32" if x.dtype.kind in "iu" else "float32"
    x = np.concatenate([x, x[:1]]).astype(dtype)
    model = scattered(nnlite.Sequential([layers.Input(x.shape[1:], dtype=dtype), make()]))
    assert_same(model, and_back(model, tmp_path), x)


@pytest.mark.parametrize("seeds", [range(n, n + 10) for n in range(0, 40, 10)])
def test_random_models_and_back(seeds, tmp_path):
    for seed in seeds:
        nnlite.utils.set_random_seed(seed)
        spec = models_random.spec(seed)
        model = scattered(models_built.built(spec, nnlite))
        x, _ = models_built.data_for(spec)
        arrays = [x[s.name] for s in model.inputs] if isinstance(x, dict) else flatten(x)
        again = and_back(model, tmp_path)
        expected = flatten(model.predict(x))
        found = again.predict(arrays if len(arrays) > 1 else arrays[0])
        for y, z in zip(flatten(found), expected):
            np.testing.assert_allclose(y, z, atol=1e-4 * max(1, np.abs(z).max()))


@pytest.mark.parametrize("seed", range(10))
def test_random_models_of_sequences_and_back(seed, tmp_path):
    nnlite.utils.set_random_seed(seed)
    model, _, stateful = models_random_sequences.network(seed, nnlite)
    if not stateful:
        x, _ = models_random_sequences.data_for(seed, model)
        assert_same(scattered(model), and_back(model, tmp_path), x.astype(np.float32), 1e-4)


def small_net():
    return nnlite.Sequential(
        [
            layers.Input((9, 8, 3)),
            layers.Conv2D(4, 3, strides=2, activation="relu"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def test_weights_are_those_of_layers_and_train(tmp_path):
    model = scattered(small_net())
    again = and_back(model, tmp_path)
    kinds = [type(layer).__name__ for layer in again.layers]
    assert {"Conv2D", "DepthwiseConv2D", "Dense"} <= {*kinds}
    assert again.count_params() == model.count_params() - 16 + 8  # a scale and a shift are left
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 9, 8, 3)).astype(np.float32), rng.integers(0, 2, 16)
    again.compile("adam", nnlite.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = again.fit(x, y, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_an_imported_model_is_saved_and_cut_off(tmp_path):
    model = scattered(small_net())
    again = and_back(model, tmp_path)
    x = np.random.default_rng(0).normal(size=(3, 9, 8, 3)).astype(np.float32)
    again.save(tmp_path / "again.safetensors")
    np.save(tmp_path / "x.npy", x)
    code = (
        "import numpy, nnlite; x = numpy.load('x.npy');"
        "numpy.save('y.npy', nnlite.models.load_model('again.safetensors').predict(x))"
    )
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True)
    assert np.array_equal(np.load(tmp_path / "y.npy"), again.predict(x))
    base = nnlite.Model(again.inputs, again.layers[-2].output)
    assert base.predict(x).shape == (3, 4 * 4 * 3)


def test_a_net_of_images_and_back(tmp_path):
    nnlite.utils.set_random_seed(0)
    model = applications.MobileNetV2(
        alpha=0.35, input_shape=(64, 64, 3), weights=None, include_top=False
    )
    again = and_back(model, tmp_path)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    y, expected = again.predict(x), model.predict(x)
    assert np.abs(y - expected).max() < 1e-4 * np.abs(expected).max()


def test_an_estimator_gives_probabilities(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    model = NNClassifier(epochs=1, random_state=0).fit(X, np.array(["a", "b"])[(X[:, 0] > 0) * 1])
    nnlite.export(model, tmp_path / "x.onnx", verbose=False)
    found = nnlite.import_onnx(tmp_path / "x.onnx").predict(X)
    np.testing.assert_allclose(found, model.predict_proba(X), atol=1e-5)


# --- what others wrote

NOT_OF_ROWS = {
    "test_MaxPool1d_stride_padding_dilation": "dilations",
    "test_MaxPool2d_stride_padding_dilation": "dilations",
    "test_PoissonNLLLLoss_no_reduce": "broadcast",
    "test_operator_add_broadcast": "broadcast",
    "test_operator_add_size1_right_broadcast": "broadcast",
    "test_operator_addmm": "inner sizes",
    "test_operator_chunk": "a row for each row",
    "test_operator_index": "a row for each row",
    "test_operator_mm": "inner sizes",
    "test_operator_non_float_params": "broadcast",
    "test_operator_params": "broadcast",
}
BY_PYTORCH = [p for p in sorted(DATA.glob("pytorch-*/*")) if "singleton" not in p.name]


def tensors(folder, kind):
    found = []
    for path in sorted((folder / "test_data_set_0").glob(f"{kind}_*.pb")):
        tensor = onnx.TensorProto()
        tensor.ParseFromString(path.read_bytes())
        found.append(onnx.numpy_helper.to_array(tensor))
    return found


@pytest.mark.parametrize("folder", BY_PYTORCH, ids=lambda folder: folder.name)
def test_files_of_pytorch(folder):
    if folder.name in NOT_OF_ROWS:
        with pytest.raises(ValueError, match=NOT_OF_ROWS[folder.name]):
            nnlite.import_onnx(folder / "model.onnx")
        return
    x, expected = tensors(folder, "input"), tensors(folder, "output")
    found = nnlite.import_onnx(folder / "model.onnx").predict(x if len(x) > 1 else x[0])
    for y, z in zip(flatten(found), expected):
        np.testing.assert_allclose(y, z, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["shufflenet", "squeezenet", "inception_v1"])
def test_nets_of_images_that_onnx_brings(name):
    path = DATA / "light" / f"light_{name}.onnx"
    if not path.exists():
        pytest.skip("this version of the package onnx does not bring it")
    model = nnlite.import_onnx(path)
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-4, atol=1e-6)


def test_images_are_moved_once_whatever_is_between_convolutions(tmp_path):
    inputs = layers.Input((9, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="silu")(inputs)
    y = layers.DepthwiseConv2D(3)(layers.ZeroPadding2D(((0, 2), (1, 1)))(x))
    y = layers.ReLU()(layers.Add()([x, y]))
    model = scattered(nnlite.Model(inputs, layers.Conv2D(2, 2)(y)))
    again = and_back(model, tmp_path)
    assert_same(model, again, np.random.default_rng(0).normal(size=(3, 9, 8, 3)))
    *inner, last, _ = [call.op.name for call in program_of(computation_of(again)).calls]
    assert last == "transpose" and "transpose" not in inner  # those of the result


@pytest.mark.parametrize("version", [10, 17])
def test_zeros_around_images_are_a_layer(version, tmp_path):
    pads, x = [0, 0, 1, 0, 0, 0, 2, 3], np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    image = helper.make_tensor_value_info("x", 1, ["N", 3, 4, 5])
    if version < 11:
        node, constants = helper.make_node("Pad", ["x"], ["y"], pads=pads), []
    else:
        node = helper.make_node("Pad", ["x", "p"], ["y"])
        constants = [onnx.numpy_helper.from_array(np.array(pads), "p")]
    path = written(tmp_path / "x.onnx", [node], constants, [image], version=version)
    model = nnlite.import_onnx(path)
    assert [type(layer).__name__ for layer in model.layers][1:] == ["ZeroPadding2D"]
    expected = np.pad(x.astype(np.float32), [(0, 0), (0, 0), (1, 2), (0, 3)])
    np.testing.assert_array_equal(model.predict(x), expected)


# --- what is refused


def _floats(name):
    return helper.make_tensor_value_info(name, 1, None)


def written(path, nodes, constants=(), inputs=None, outputs=None, version=17):
    inputs = inputs or [helper.make_tensor_value_info("x", 1, ["N", 3])]
    outputs = outputs or [_floats("y")]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(constants))
    opset = helper.make_opsetid("", version)
    path.write_bytes(helper.make_model(graph, opset_imports=[opset]).SerializeToString())
    return path


def test_operators_that_are_not_known_are_named(tmp_path):
    path = written(tmp_path / "x.onnx", [helper.make_node("Det", ["x"], ["y"])])
    with pytest.raises(ValueError, match=r"x\.onnx: .*Det"):
        nnlite.import_onnx(path)
    node = helper.make_node("Relu", ["x"], ["y"], domain="com.mine")
    with pytest.raises(ValueError, match=r"com\.mine"):
        nnlite.import_onnx(written(tmp_path / "x.onnx", [node]))


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("Softmax", ["x"], ["y"], axis=0)],
        [
            helper.make_node("ReduceMean", ["x"], ["m"], axes=[0]),
            helper.make_node("Sub", ["x", "m"], ["y"]),
        ],
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
            helper.make_node("MatMul", ["x", "t"], ["alike"]),
            helper.make_node("MatMul", ["alike", "x"], ["y"]),
        ],
    ],
    ids=["softmax", "mean", "products"],
)
def test_what_is_computed_over_all_rows_is_refused(nodes, tmp_path):
    """The rows of a file are one batch; those of `predict` come in many."""
    with pytest.raises(ValueError, match=r"node of '.'.*rows that are computed each by itself"):
        nnlite.import_onnx(written(tmp_path / "x.onnx", nodes))


def test_the_last_of_equal_entries_is_refused(tmp_path):
    node = helper.make_node("ArgMax", ["x"], ["y"], axis=1, select_last_index=1)
    with pytest.raises(ValueError, match=r"node of 'y'.*select_last_index"):
        nnlite.import_onnx(written(tmp_path / "x.onnx", [node]))


@pytest.mark.parametrize("kind", [2, 6])  # uint8 and int32
def test_a_quotient_of_integers_is_its_whole_part(kind, tmp_path):
    inputs = [helper.make_tensor_value_info("x", kind, ["N", 3])]
    two = onnx.numpy_helper.from_array(np.array([2], np.int32), "two")
    node = helper.make_node("Div", ["x", "two"], ["y"])
    model = nnlite.import_onnx(written(tmp_path / "x.onnx", [node], [two], inputs, version=17))
    x = np.array([[7, 8, 1], [-7 if kind == 6 else 3, 0, 5]], np.int32)
    np.testing.assert_array_equal(model.predict(x), np.trunc(x / 2))


@pytest.mark.parametrize("axis", [1, 2, -1, -2])
def test_a_matrix_of_rows_counts_negative_axes_from_the_end(axis, tmp_path):
    inputs = [helper.make_tensor_value_info("x", 1, ["N", 3, 2])]
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"], axis=axis),
        helper.make_node("Reshape", ["f", "shape"], ["y"]),
    ]
    shape = onnx.numpy_helper.from_array(np.array([-1, 6]), "shape")
    path = written(tmp_path / "x.onnx", nodes, [shape], inputs)
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    np.testing.assert_array_equal(nnlite.import_onnx(path).predict(x), x.reshape(2, 6))
    if axis == -2:
        path = written(tmp_path / "x.onnx", nodes[:1], (), inputs, [_floats("f")])
        assert nnlite.import_onnx(path).output_shape == (None, 6)


def test_numbers_in_other_files_are_not_read(tmp_path):
    tensor = onnx.numpy_helper.from_array(np.ones((3, 2), np.float32), "w")
    (tmp_path / "secret").write_bytes(bytes(24))
    onnx.external_data_helper.set_external_data(tensor, "secret")
    tensor.ClearField("raw_data")
    path = written(tmp_path / "x.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], [tensor])
    with pytest.raises(ValueError, match="link to another"):
        nnlite.import_onnx(path)


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("Relu", ["nowhere"], ["y"])],
        [helper.make_node("Add", ["x"], ["y"])],
        [helper.make_node("Reshape", ["x", "x"], ["y"])],
        [helper.make_node("Transpose", ["x"], ["y"], perm=[5, 7])],
        [helper.make_node("Conv", ["x", "x"], ["y"])],
        [helper.make_node("Add", ["y", "x"], ["y"])],
        [
            helper.make_node("Constant", [], ["n"], value_ints=[2**40]),
            helper.make_node("ConstantOfShape", ["n"], ["big"]),
            helper.make_node("Add", ["x", "big"], ["y"]),
        ],
    ],
)
def test_broken_graphs_are_refused(nodes, tmp_path):
    with pytest.raises(ValueError, match=r"x\.onnx"):
        nnlite.import_onnx(written(tmp_path / "x.onnx", nodes))


def test_files_that_are_cut_off_are_refused(tmp_path):
    nnlite.export(small_net(), tmp_path / "x.onnx", verify=False, verbose=False)
    content = (tmp_path / "x.onnx").read_bytes()
    for n in range(0, len(content), len(content) // 25):
        (tmp_path / "x.onnx").write_bytes(content[:n])
        with pytest.raises(ValueError, match=r"x\.onnx"):
            nnlite.import_onnx(tmp_path / "x.onnx")
    with pytest.raises(FileNotFoundError):
        nnlite.import_onnx(tmp_path / "none.onnx")


def test_files_with_wrong_bytes_are_refused_or_read(tmp_path):
    nnlite.export(small_net(), tmp_path / "x.onnx", verify=False, verbose=False)
    content = np.frombuffer((tmp_path / "x.onnx").read_bytes(), np.uint8)
    rng, refused = np.random.default_rng(0), 0
    for _ in range(60):
        changed = content.copy()
        changed[rng.integers(len(content), size=3)] = rng.integers(256, size=3)
        (tmp_path / "x.onnx").write_bytes(changed.tobytes())
        try:
            nnlite.import_onnx(tmp_path / "x.onnx")
        except ValueError as error:
            refused += "x.onnx" in str(error)
    assert refused
