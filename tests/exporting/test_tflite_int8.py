"""TensorFlow Lite files in 8-bit integers: what ai-edge-litert gives, beside NumPy's integers."""

import models_built
import models_random
import nets_int8
import numpy as np
import oracle_int8
import pytest
import tflite_run
from few_sequences import japanese_vowels
from sklearn.datasets import load_digits

import nnlite
from nnlite import layers
from nnlite.exporting.checking import difference, rows_of
from nnlite.exporting.pipelines import computation_of
from nnlite.exporting.program import program_of
from nnlite.exporting.quantization import Quantization
from nnlite.preprocessing.sequence import pad_sequences

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert.interpreter")


@pytest.mark.parametrize("name", nets_int8.NETS)
def test_a_file_gives_the_integers_of_the_oracle(name, tmp_path):
    model, x = nets_int8.made(name)
    found = Quantization(program_of(computation_of(model)), [x])
    assert all(found.form(call) for call in found.program.calls)
    expected = np.concatenate([oracle_int8.outputs(found, [row[None]])[0] for row in x])
    step = found.of(found.program.outputs[0]).scale
    path = tmp_path / "model.tflite"
    nnlite.export(model, path, quantize="int8", samples=x, verify=False, verbose=False)
    for resolver in ("BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO"):
        (got,) = tflite_run.outputs_of(path, [x], resolver)
        steps = np.abs(got - expected) / step
        assert steps.max() < 2.1 and np.mean(steps > 0.5) < 0.2


@pytest.mark.parametrize("name", nets_int8.RECURRENT)
def test_recurrent_kernels_are_integers_whose_products_are_those_of_the_oracle(name, tmp_path):
    model, x = nets_int8.made(name)
    path = tmp_path / "model.tflite"
    nnlite.export(model, path, quantize="int8", samples=x, verify=False, verbose=False)
    found = Quantization(program_of(computation_of(model)), [x])
    expected = np.concatenate([oracle_int8.outputs(found, [row[None]])[0] for row in x])
    (got,) = tflite_run.outputs_of(path, [x], "BUILTIN_WITHOUT_DEFAULT_DELEGATES")
    apart = np.abs(got - expected)
    assert np.median(apart) < 1e-6 and apart.max() < 1e-2


def test_random_models_give_what_the_oracle_does(tmp_path):
    """Nearly all their outputs are equal; where an op rounds otherwise, a step may be the next."""
    path, exact = tmp_path / "model.tflite", []
    for seed in range(16):
        spec = models_random.spec(seed)
        x, _ = models_built.data_for(spec)
        nnlite.utils.set_random_seed(seed)
        model = models_built.built(spec, nnlite)
        computation = computation_of(model)
        rows = rows_of(computation, x)
        nnlite.export(model, path, quantize="int8", samples=x, verify=False, verbose=False)
        got = tflite_run.outputs_of(path, rows, "BUILTIN_WITHOUT_DEFAULT_DELEGATES")
        found = Quantization(program_of(computation), rows)
        each = [
            oracle_int8.outputs(found, [a[n : n + 1] for a in rows]) for n in range(len(rows[0]))
        ]
        expected = [np.concatenate(parts) for parts in zip(*each)]
        apart = max(map(difference, got, expected))
        assert apart < 0.02, seed
        assert max(map(difference, expected, computation.predict(*rows))) < 0.05, seed
        exact.append(apart < 1e-6)
    assert np.mean(exact) > 0.6


def digits():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return (X[order] / 16).reshape(-1, 8, 8, 1).astype(np.float32), y[order]


def convolutional_net(X, y):
    nnlite.utils.set_random_seed(0)
    model = nnlite.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, y, epochs=12, batch_size=32, verbose=0)
    return model


def test_the_accuracy_on_digits_stays_within_a_third_of_a_point(tmp_path):
    X, y = digits()
    model, path = convolutional_net(X[:1200], y[:1200]), tmp_path / "digits.tflite"
    report = nnlite.export(model, path, quantize="int8", samples=X[:100], verbose=False)
    assert report.figures["in integers"] == "6 of 6 steps, by the ranges of 100 rows"
    (got,) = tflite_run.outputs_of(path, [X[1200:]])
    accuracy = np.mean(got.argmax(1) == y[1200:])
    of_predict = np.mean(model.predict(X[1200:]).argmax(1) == y[1200:])
    assert of_predict > 0.94 and accuracy > of_predict - 0.0034


def test_the_accuracy_of_a_recurrent_net_stays_within_half_a_point(tmp_path):
    (X, y), (X_test, y_test) = japanese_vowels()
    X, X_test = (pad_sequences(x, 29, dtype="float32", padding="post") for x in (X, X_test))
    y, y_test = (labels.astype(int) - 1 for labels in (y, y_test))
    nnlite.utils.set_random_seed(0)
    model = nnlite.Sequential(
        [layers.Input((29, 12)), layers.Masking(), layers.LSTM(32), layers.Dense(9, "softmax")]
    )
    model.compile(nnlite.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(X, y, epochs=20, batch_size=16, verbose=0)
    options = {"samples": X, "verify": False, "verbose": False}
    path = nnlite.export(model, tmp_path / "vowels.tflite", quantize="int8", **options).path
    (got,) = tflite_run.outputs_of(path, [X_test])
    accuracy = np.mean(got.argmax(1) == y_test)
    of_predict = np.mean(model.predict(X_test).argmax(1) == y_test)
    assert of_predict > 0.93 and accuracy > of_predict - 0.005


def test_the_report_has_both_accuracies(tmp_path):
    X, y = digits()
    model = convolutional_net(X[:400], y[:400])
    report = nnlite.export(
        model,
        tmp_path / "m.tflite",
        quantize="int8",
        samples=X[:200],
        labels=y[:200],
        verbose=False,
    )
    ours = np.mean(model.predict(X[:200]).argmax(1) == y[:200])
    assert report.accuracies == (ours, pytest.approx(ours, abs=0.02))
    assert "accuracy" in str(report)
    with pytest.raises(ValueError, match="labels: expected one for each of 200 samples, got 3"):
        nnlite.export(model, tmp_path / "m.tflite", samples=X[:200], labels=y[:3], verbose=False)


def test_integers_need_samples(tmp_path):
    model = nnlite.Sequential([layers.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="samples: expected rows such as the model will see"):
        nnlite.export(model, tmp_path / "m.tflite", quantize="int8")
    assert not list(tmp_path.iterdir())


def test_a_file_can_be_in_integers_from_edge_to_edge(tmp_path):
    model, x = nets_int8.made("mean")
    path = tmp_path / "m.tflite"
    options = {"quantize": "int8", "samples": x, "verbose": False}
    wide = nnlite.export(model, path, **options)
    (real,) = tflite_run.outputs_of(path, [x])
    report = nnlite.export(model, path, interface="int8", **options)
    assert report.largest_difference == pytest.approx(wide.largest_difference, rel=1e-4)
    found = Quantization(program_of(computation_of(model)), [x])
    source, target = (found.of(t) for t in (*found.program.inputs, *found.program.outputs))
    (got,) = tflite_run.outputs_of(path, [source.integers(x)])
    assert got.dtype == np.int8 and np.allclose(target.values(got), real)


def test_a_table_with_categories_runs_in_integers_behind_its_encoding(tmp_path):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"a": [1.0, 2, 3, 4] * 10, "c": ["x", "y", "x", None] * 10})
    y = ["no", "yes", "no", "yes"] * 10
    model = nnlite.NNClassifier(ensemble=1, epochs=5, random_state=0).fit(X, y)
    path = tmp_path / "table.tflite"
    report = nnlite.export(model, path, quantize="int8", samples=X, labels=y, verbose=False)
    assert report.largest_difference < 0.02
    assert report.accuracies == (model.score(X, y), model.score(X, y))


def test_tokens_become_integers_by_their_embedding_and_files_have_the_same_bytes(tmp_path):
    parts = [layers.Embedding(50, 8), layers.Conv1D(16, 3, activation="relu")]
    parts += [layers.GlobalMaxPooling1D(), layers.Dense(2, "softmax")]
    model = nnlite.Sequential([layers.Input((12,), dtype="int32"), *parts])
    x, written = np.random.default_rng(0).integers(0, 50, (64, 12)), []
    for name in ("a.tflite", "b.tflite"):
        report = nnlite.export(model, tmp_path / name, quantize="int8", samples=x, verbose=False)
        written.append(report.path.read_bytes())
    # All but a reshape of the tokens.
    assert report.figures["in integers"] == "8 of 9 steps, by the ranges of 64 rows"
    assert report.largest_difference < 0.02 and written[0] == written[1]
