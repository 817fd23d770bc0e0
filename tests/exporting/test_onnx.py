"""ONNX files: what onnxruntime computes of them is what `predict` does, for every layer."""

import cases_layers
import models_built
import models_random
import models_random_sequences
import numpy as np
import pytest
from all_ops import OPS

import nnlite
from nnlite import layers, ops
from nnlite.exporting.onnx import RULES
from nnlite.tree import flatten

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

BASIC = {
    "Dense": (lambda: layers.Dense(3, "tanh"), (4, 5)),
    "Dense of three axes": (lambda: layers.Dense(3), (2, 4, 5)),
    "Activation": (lambda: layers.Activation("relu"), (4, 5)),
    "Dropout": (lambda: layers.Dropout(0.5), (4, 5)),
    "Lambda": (lambda: layers.Lambda(lambda x: x[:, ::-1] * 2), (4, 5)),
    "Flatten": (lambda: layers.Flatten(), (4, 5, 2)),
    "Reshape": (lambda: layers.Reshape((2, -1)), (4, 6)),
}
CASES = BASIC | {name: (make, x) for name, (make, x, _) in cases_layers.CASES.items()}
OF_HOSTS = "begins with look-ups"
# Layers that are refused, and why.
REFUSED = {
    "ContrastLimitedAdaptiveHistogramEqualization": r"\(clahe\)",
    "IntegerLookup": OF_HOSTS,
    "Hashing": OF_HOSTS,
}
MADE_WITHOUT = {"Layer", "InputLayer", *cases_layers.MERGED, "Dot", *cases_layers.CELLS}
MADE_WITHOUT |= {*cases_layers.OF_STRINGS, "InputSpec", "Wrapper"}


def compared(model, x, path, tolerance=1e-5, **options):
    """The outputs of a file for x; fails where they are not those of predict."""
    report = nnlite.export(model, path, samples=x, verbose=False, **options)
    assert report.rows == len(flatten(x)[0])
    assert report.largest_difference <= tolerance
    return report


def session_of(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def outputs_of(path, *arrays):
    session = session_of(path)
    return session.run(None, {i.name: x for i, x in zip(session.get_inputs(), arrays)})


def operators_in(path):
    return [node.op_type for node in onnx.load(path).graph.node]


def scattered(model):
    """The model with weights that are not those of its initializers, such as zeros."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.dtype != "int32":
            weight.assign(weight.numpy() + rng.uniform(0, 0.3, weight.shape))
    return model


def case_of(name, real):
    """The model of a case and what it reads."""
    make, x = CASES[name]
    x = np.random.default_rng(1).normal(size=x) if isinstance(x, tuple) else np.asarray(x)
    dtype = "int32" if x.dtype.kind in "iu" else real
    x = np.concatenate([x, x, x[:1]]).astype(dtype)
    return nnlite.Sequential([layers.Input(x.shape[1:], dtype=dtype), make()]), x


def test_every_layer_has_a_case():
    named = [getattr(layers, name) for name in layers.__all__]
    public = {layer.__name__ for layer in named if isinstance(layer, type)}
    assert public - {name.split()[0] for name in CASES} - MADE_WITHOUT == set()


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_computed_as_predict_does_or_refused(name, tmp_path):
    model, x = case_of(name, "float32")
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            nnlite.export(model, tmp_path / "x.onnx")
        assert not list(tmp_path.iterdir())
    else:
        compared(scattered(model), x, tmp_path / "x.onnx")
        # With no rows, onnxruntime's own LSTM and GRU end the process.
        none = [] if {"LSTM", "GRU"} & {*operators_in(tmp_path / "x.onnx")} else [0]
        for rows in (*none, 1):
            (y,) = outputs_of(tmp_path / "x.onnx", x[:rows])
            assert y.shape == (rows, *model.output_shape[1:])


@pytest.mark.parametrize("name", sorted({*CASES} - {*REFUSED}))
def test_a_layer_in_float64(double, name, tmp_path):
    model, x = case_of(name, "float64")
    report = compared(scattered(model), x, tmp_path / "x.onnx")
    assert report.largest_difference <= 1e-12 or "precision" in report.figures


@pytest.mark.parametrize("activation", cases_layers.ACTIVATIONS)
def test_activations(activation, tmp_path):
    model = nnlite.Sequential([layers.Input((6,)), layers.Activation(activation)])
    x = np.linspace(-9, 9, 60, dtype=np.float32).reshape(10, 6)
    compared(model, x, tmp_path / "x.onnx")


def test_a_size_may_be_a_multiple_of_the_number_of_rows_that_stands_for_any(tmp_path):
    model = nnlite.Sequential([layers.Input((3,)), layers.Dense(2 * 4093), layers.Dense(2)])
    compared(model, np.random.default_rng(0).normal(size=(9, 3)), tmp_path / "x.onnx")


@pytest.mark.parametrize("merge", [*cases_layers.MERGED, "Dot"])
def test_merging_layers(merge, tmp_path):
    a, b = layers.Input((5,)), layers.Input((5,))
    settings = {"axes": 1} if merge == "Dot" else {}
    model = nnlite.Model([a, b], getattr(layers, merge)(**settings)([a, b]))
    x = np.random.default_rng(0).normal(size=(2, 9, 5)).astype(np.float32)
    compared(model, [*x], tmp_path / "x.onnx")


@pytest.mark.parametrize("seeds", [range(n, n + 10) for n in range(0, 100, 10)])
def test_random_models(seeds, tmp_path):
    for seed in seeds:
        nnlite.utils.set_random_seed(seed)
        spec = models_random.spec(seed)
        model = scattered(models_built.built(spec, nnlite))
        x, _ = models_built.data_for(spec)
        arrays = [x[s.name] for s in model.inputs] if isinstance(x, dict) else x
        compared(model, arrays, tmp_path / "x.onnx", 1e-4)


@pytest.mark.parametrize("seed", range(30))
def test_random_models_of_sequences(seed, tmp_path):
    nnlite.utils.set_random_seed(seed)
    model, _, stateful = models_random_sequences.network(seed, nnlite)
    x, _ = models_random_sequences.data_for(seed, model)
    if any(getattr(layer, "stateful", False) for layer in model.layers):
        assert stateful
        with pytest.raises(ValueError, match="changes its state"):
            nnlite.export(model, tmp_path / "x.onnx")
    else:
        compared(scattered(model), x.astype(np.float32), tmp_path / "x.onnx", 1e-4)


# --- images


def image_net():
    x = layers.Input((12, 12, 3))
    y = layers.Conv2D(4, 3, padding="same", activation="gelu")(x)
    y = layers.BatchNormalization()(y)
    z = layers.Add()([y, layers.DepthwiseConv2D(3, padding="same", activation="relu")(y)])
    z = layers.Multiply()([z, layers.GlobalAveragePooling2D(keepdims=True)(z)])
    z = layers.MaxPooling2D(2)(layers.Concatenate()([z, y]))
    z = layers.ZeroPadding2D(1)(layers.PReLU(shared_axes=[1, 2])(z))
    return nnlite.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(z)))


def test_channels_are_moved_once_for_a_chain_of_layers(tmp_path):
    model = scattered(image_net())
    x = np.random.default_rng(0).normal(size=(5, 12, 12, 3)).astype(np.float32)
    compared(model, x, tmp_path / "x.onnx")
    assert operators_in(tmp_path / "x.onnx").count("Transpose") == 1


def test_sequences_are_images_once_for_a_chain_of_layers(tmp_path):
    model = nnlite.Sequential(
        [
            layers.Input((20, 3)),
            layers.Conv1D(4, 3, activation="gelu"),
            layers.Conv1D(4, 3, dilation_rate=2, padding="causal"),
            layers.MaxPooling1D(2),
            layers.GlobalMaxPooling1D(),
        ]
    )
    x = np.random.default_rng(0).normal(size=(5, 20, 3)).astype(np.float32)
    compared(model, x, tmp_path / "x.onnx")
    assert operators_in(tmp_path / "x.onnx").count("Transpose") == 1


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_any_number_of_rows(rows, tmp_path):
    model = scattered(image_net())
    nnlite.export(model, tmp_path / "x.onnx", verbose=False)
    x = np.random.default_rng(0).normal(size=(rows, 12, 12, 3)).astype(np.float32)
    (y,) = outputs_of(tmp_path / "x.onnx", x)
    np.testing.assert_allclose(y, model.predict(x) if rows else y, rtol=1e-4, atol=1e-5)
    assert y.shape == (rows, 2)


def test_recurrent_layers_are_operators_of_onnx(tmp_path):
    model = nnlite.Sequential(
        [
            layers.Input((6, 3)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(3, return_sequences=True),
            layers.SimpleRNN(5, "relu"),
        ]
    )
    x = np.random.default_rng(0).normal(size=(7, 6, 3)).astype(np.float32)
    compared(scattered(model), x, tmp_path / "x.onnx")
    found = operators_in(tmp_path / "x.onnx")
    assert [op for op in found if op in ("LSTM", "GRU", "RNN")] == ["LSTM", "LSTM", "GRU", "RNN"]
    assert "Scan" not in found and "MatMul" not in found


def test_masks_hold_in_the_file(tmp_path):
    model = nnlite.Sequential(
        [
            layers.Input((6,)),
            layers.Embedding(9, 4, mask_zero=True),
            layers.LSTM(3),
            layers.Dense(2),
        ]
    )
    x = np.array([[1, 2, 0, 4, 0, 0], [0, 0, 1, 0, 5, 8], [0] * 6], np.float32)
    compared(scattered(model), x, tmp_path / "x.onnx")


# --- lengths that are not known


def any_length(*parts, shape=(None, 3)):
    return scattered(nnlite.Sequential([layers.Input(shape), *parts]))


OF_ANY_LENGTH = {
    "Conv1D": lambda: any_length(layers.Conv1D(4, 3), layers.MaxPooling1D(2), layers.Dense(2)),
    "same": lambda: any_length(
        layers.Conv1D(4, 3, padding="same", strides=2), layers.GlobalMaxPooling1D()
    ),
    "means": lambda: any_length(
        *(layers.AveragePooling1D(2, padding="same") for _ in range(2)), layers.GlobalMaxPooling1D()
    ),
    "maxima": lambda: any_length(
        layers.MaxPooling1D(2),
        layers.MaxPooling1D(2),
        layers.Conv1D(2, 2, strides=2, padding="same"),
    ),
    "enlarged": lambda: any_length(
        layers.Conv1DTranspose(3, 3, strides=2, padding="same"), layers.Cropping1D((1, 2))
    ),
    "causal": lambda: any_length(layers.Conv1D(4, 3, padding="causal", dilation_rate=2)),
    "mean": lambda: any_length(layers.GlobalAveragePooling1D()),
    "LSTM": lambda: any_length(layers.LSTM(4, return_sequences=True), layers.GRU(3)),
    "backwards": lambda: any_length(layers.Bidirectional(layers.LSTM(4))),
    "masked": lambda: any_length(layers.Masking(), layers.LSTM(4)),
    "attention": lambda: any_length(layers.TransformerEncoder(8, 1)),
    "images": lambda: any_length(
        layers.Conv2D(4, 3, padding="same", strides=2),
        layers.BatchNormalization(),
        layers.UpSampling2D(),
        layers.GlobalAveragePooling2D(),
        shape=(None, None, 3),
    ),
    "flipped": lambda: any_length(layers.Lambda(lambda x: x[:, ::-1] + x[:, -1:])),
    "parts": lambda: any_length(layers.Lambda(lambda x: x[:, 1:] - x[:, :-1])),
}


@pytest.mark.parametrize("name", OF_ANY_LENGTH)
def test_any_length(name, tmp_path):
    model, rng = OF_ANY_LENGTH[name](), np.random.default_rng(0)
    nnlite.export(model, tmp_path / "x.onnx", verify=False, verbose=False)
    for n, lengths in ((1, (9, 8)), (3, (5, 6)), (2, (16, 20)), (1, (11, 7))):
        shape = n, *lengths[: len(model.input_shape) - 2], 3
        x = rng.normal(size=shape).astype(np.float32)
        (y,) = outputs_of(tmp_path / "x.onnx", x)
        np.testing.assert_allclose(y, model.predict(x), rtol=1e-4, atol=1e-5)


def test_windows_whose_padding_no_length_tells_are_refused(tmp_path):
    model = any_length(layers.UpSampling1D(2), layers.MaxPooling1D(2))
    with pytest.raises(ValueError, match="depends on a length that is not known"):
        nnlite.export(model, tmp_path / "x.onnx")


def test_what_depends_on_a_length_as_onnx_cannot_hold_it_is_refused(tmp_path):
    model = any_length(layers.SinePositionEncoding())
    with pytest.raises(ValueError, match=r"sine_position_encoding.*length that is not known"):
        nnlite.export(model, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


# --- what is refused, and what is in the file


def test_rules_are_for_ops_that_exist():
    assert {*RULES} <= {*OPS}


def test_random_numbers_are_refused_by_the_name_of_their_layer(tmp_path):
    class Noisy(layers.Layer):
        def build(self, shape):
            self.state = nnlite.ops.random.seed_state(3)

        def call(self, x):
            return nnlite.ops.dropout(x, nnlite.ops.random.random_key(self.state), 0.5)

    model = nnlite.Sequential([layers.Input((4,)), Noisy(name="noisy")])
    with pytest.raises(ValueError, match=r"noisy.*changes its state"):
        nnlite.export(model, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_what_onnx_cannot_hold_is_refused_by_the_name_of_its_layer(tmp_path):
    moved = [1.0, 0, 0.5, 0, 1, 0, 0, 0]
    turned = layers.Lambda(lambda x: ops.image.affine_transform(x, moved), name="moved")
    model = nnlite.Sequential([layers.Input((4, 4, 1)), layers.Conv2D(2, 3), turned])
    with pytest.raises(ValueError, match=r"ONNX cannot hold.*moved' \(warp\).*Nothing was written"):
        nnlite.export(model, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_models_with_a_call_of_ones_own(tmp_path):
    class Twice(nnlite.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3, "tanh")

        def call(self, x):
            return self.dense(x) + ops.sum(self.dense(2 * x), axis=1, keepdims=True)

    model, x = Twice(), np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    model(x)
    compared(model, x, tmp_path / "x.onnx")


def test_a_file_says_what_it_takes(tmp_path):
    model = nnlite.Sequential([layers.Input((4,), name="rows"), layers.Dense(2, name="scores")])
    nnlite.export(model, tmp_path / "x.onnx", verbose=False)
    (x,), (y,) = (f(session_of(tmp_path / "x.onnx")) for f in (_inputs, _outputs))
    assert (x.name, x.type, x.shape) == ("rows", "tensor(float)", ["N", 4])
    assert (y.name, y.shape) == ("scores", ["N", 2])
    saved = onnx.load(tmp_path / "x.onnx")
    assert saved.ir_version <= 10 and saved.opset_import[0].version == 17
    with pytest.raises(ValueError, match="dtype"):
        nnlite.export(model, tmp_path / "y.onnx", dtype="float16")


def _inputs(session):
    return session.get_inputs()


def _outputs(session):
    return session.get_outputs()
