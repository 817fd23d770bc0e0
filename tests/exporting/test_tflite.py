"""TensorFlow Lite files, as ai-edge-litert runs them."""

import sys
import zipfile

import cases_layers
import models_built
import models_random
import numpy as np
import pytest
import tflite_run
from small_models import data

import nnlite
from nnlite import layers, ops
from nnlite.exporting.checking import difference
from nnlite.ops.warp import affine_transform

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert.interpreter")

# The layers whose predictions TensorFlow Lite cannot hold, and why.
REFUSED = {
    "ContrastLimitedAdaptiveHistogramEqualization": r"\(clahe\)",
    "Hashing": "begins with look-ups",
    "IntegerLookup": "begins with look-ups",
}


def exported(model, path, **options):
    return nnlite.export(model, path / "model.tflite", verbose=False, **options)


def model_of(layer, x):
    inputs = nnlite.Input(x.shape[1:], dtype="int32" if x.dtype.kind in "iu" else "float32")
    return nnlite.Model(inputs, layer(inputs))


@pytest.mark.parametrize("name", sorted(cases_layers.CASES))
def test_every_layer_is_written_or_refused(name, tmp_path):
    nnlite.utils.set_random_seed(0)
    make, shape, _ = cases_layers.CASES[name]
    x = data(shape) if isinstance(shape, tuple) else np.asarray(shape)
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            exported(model_of(make(), x), tmp_path)
        assert not list(tmp_path.iterdir())
        return
    model = model_of(make(), x)
    report = exported(model, tmp_path, samples=x)
    assert report.rows == len(x) and report.largest_difference < 1e-6
    # The same with the operators of the delegate that users have by default.
    (got,) = tflite_run.outputs_of(report.path, [x[:1]])
    assert difference(got, model.predict(x)[:1]) < 1e-5
    if any(
        call.op.name in ("linear", "conv2d", "depthwise_conv2d") for call in report.program.calls
    ):
        report = exported(model, tmp_path, samples=x, quantize="int8")
        assert report.largest_difference < 0.04 and report.figures["in integers"][:2] != "0 "


def test_inputs_and_outputs_keep_their_names_and_order(tmp_path):
    a, b = nnlite.Input((3,), name="a"), nnlite.Input((4,), name="b")
    c, d = layers.Dense(2, name="c")(a), layers.Dense(5, name="d")(b)
    joined = layers.Concatenate(name="e")([d, c])
    model = nnlite.Model([b, a], [joined, c, a, joined])
    x = [data((7, 4)), data((7, 3))]
    report = exported(model, tmp_path, samples=x)
    assert report.rows == 7 and report.largest_difference < 1e-6
    runner = interpreter_of(report).get_signature_runner("serving_default")
    assert set(runner.get_input_details()) == {"a", "b"}
    got = runner(**{"b": np.float32(x[0][:1]), "a": np.float32(x[1][:1])})
    np.testing.assert_allclose(got["e"], model.predict(x)[0][:1], atol=1e-6)


def interpreter_of(report):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(report.path))


def test_a_float64_model_becomes_one_of_float32(tmp_path):
    with nnlite.config.precision("float64"):
        model = nnlite.Sequential([layers.Input((3,)), layers.Dense(2, "tanh")])
    report = exported(model, tmp_path, samples=data((9, 3)))
    assert report.largest_difference < 1e-6


def test_kernels_of_float16_are_half_as_large(tmp_path):
    model = nnlite.Sequential([layers.Input((64,)), layers.Dense(256), layers.Dense(64)])
    sizes = {}
    for quantize in (None, "float16", "int8"):
        report = exported(model, tmp_path, samples=data((40, 64)), quantize=quantize)
        sizes[quantize] = report.path.stat().st_size
        assert report.largest_difference < {None: 1e-6, "float16": 1e-3, "int8": 0.03}[quantize]
    assert sizes["float16"] < 0.55 * sizes[None] and sizes["int8"] < 0.33 * sizes[None]


def test_numbers_that_float16_does_not_hold_stay_float32(tmp_path):
    model = nnlite.Sequential([layers.Input((16,)), layers.Dense(16)])
    model.set_weights([np.full((16, 16), 1e6), np.zeros(16)])
    report = exported(model, tmp_path, samples=data((9, 16)), quantize="float16")
    assert report.largest_difference < 1e-6


def test_a_classifier_brings_its_scaling_and_its_labels(tmp_path):
    X = data((200, 3)) * [1, 1e3, 1e-3] + [5, 1e4, 0]
    y = np.array(["low", "mid", "high"])[np.digitize(X[:, 1], [9.7e3, 1.03e4])]
    model = nnlite.NNClassifier(epochs=5, ensemble=1, random_state=0).fit(X, y)
    report = exported(model, tmp_path, samples=X, labels=y)
    assert report.largest_difference < 1e-5
    assert report.accuracies == (model.score(X, y), model.score(X, y))
    with zipfile.ZipFile(report.path) as archive:
        assert archive.read("labels.txt").decode().split("\n")[:3] == list(model.classes_)


def test_a_regressor_gives_numbers_in_their_unit(tmp_path):
    X = data((200, 3))
    model = nnlite.NNRegressor(epochs=5, ensemble=1, random_state=0).fit(X, X[:, 0] * 1e3)
    assert exported(model, tmp_path).largest_difference < 1e-5
    assert exported(model, tmp_path, quantize="int8").largest_difference < 0.03


def test_an_op_without_a_rule_is_refused_by_its_layer(tmp_path):
    class Turned(layers.Layer):
        def call(self, x):
            return affine_transform(x, np.tile([1.0, 0, 0, 0, 1, 0], (x.shape[0], 1)))

    model = nnlite.Sequential([layers.Input((4, 4, 1)), Turned(name="turned")])
    with pytest.raises(ValueError, match=r"'sequential[^']*\.turned' \(affine_transform\)"):
        exported(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_options_are_checked(tmp_path):
    model = nnlite.Sequential([layers.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"quantize.*int4"):
        exported(model, tmp_path, quantize="int4")
    with pytest.raises(ValueError, match="interface"):
        exported(model, tmp_path, interface="int8")
    assert not list(tmp_path.iterdir())


def test_without_the_packages_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite", None)
    model = nnlite.Sequential([layers.Input((3,)), layers.Dense(2)])
    with pytest.raises(ImportError, match=r"nnlite\[tflite\]"):
        exported(model, tmp_path)


def test_without_a_runtime_the_report_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    model = nnlite.Sequential([layers.Input((3,)), layers.Dense(2)])
    report = exported(model, tmp_path)
    assert report.runtime is None and "ai-edge-litert is not installed" in str(report)


def test_random_models_are_written(tmp_path):
    for seed in range(25):
        spec = models_random.spec(seed)
        x, _ = models_built.data_for(spec)
        nnlite.utils.set_random_seed(seed)
        report = exported(models_built.built(spec, nnlite), tmp_path, samples=x)
        assert report.largest_difference < 1e-5, seed


def test_axes_of_unknown_length_get_one(tmp_path):
    model = nnlite.Sequential([layers.Input((None, 3)), layers.Conv1D(4, 3), layers.LSTM(2)])
    with pytest.raises(ValueError, match="`length`"):
        exported(model, tmp_path)
    with pytest.raises(ValueError, match="length: expected an integer"):
        exported(model, tmp_path, length=0)
    with pytest.raises(ValueError, match=r"samples.*\(N, 9, 3\), got \(5, 8, 3\)"):
        exported(model, tmp_path, length=9, samples=data((5, 8, 3)))
    assert not list(tmp_path.iterdir())
    for samples in (None, data((5, 9, 3))):
        assert exported(model, tmp_path, length=9, samples=samples).largest_difference < 1e-6


def test_sequences_of_different_lengths_end_with_nan(tmp_path):
    X = [np.full((n % 3 + 1, 2), n / 9) for n in range(30)]
    model = nnlite.NNClassifier([layers.LSTM(4)], epochs=1, random_state=0).fit(X, [0, 1] * 15)
    report = exported(model, tmp_path, length=4)
    assert report.largest_difference < 1e-6
    padded = np.full((30, 4, 2), np.nan)
    for row, sequence in zip(padded, X):
        row[: len(sequence)] = sequence
    (got,) = tflite_run.outputs_of(report.path, [padded])
    np.testing.assert_allclose(got, model.predict_proba(X), atol=1e-6)


def test_entries_that_are_taken_of_each_row_are_those_of_any_number_of_rows(tmp_path):
    x = nnlite.Input((6, 2))
    model = nnlite.Model(x, ops.take(x, [5, 0, 3], axis=1))
    for quantize in (None, "int8"):
        report = exported(model, tmp_path, samples=data((7, 6, 2)), quantize=quantize)
        assert report.figures.get("batch") is None and report.largest_difference < 1e-6
