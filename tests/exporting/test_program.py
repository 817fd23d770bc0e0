"""The list of calls that writers start from."""

import re

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import nnlite
from nnlite import layers
from nnlite.exporting.checking import rows_of
from nnlite.exporting.pipelines import computation_of
from nnlite.exporting.program import ANY_BATCH, is_constant, program_of


def names_of(program):
    return [call.op.name for call in program.calls]


def image_model():
    model = nnlite.Sequential(
        [
            layers.Input((9, 9, 2)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(3, 3, activation="tanh"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(5),
            layers.BatchNormalization(),
            layers.Dense(2, "softmax"),
        ]
    )
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    return model


def test_a_program_is_folded():
    program = program_of(computation_of(image_model()))
    assert names_of(program) == ["conv2d", "conv2d", "reshape", "linear", "linear", "softmax"]
    assert all(is_constant(t) for call in program.calls for t in call.inputs[1:])


@pytest.mark.parametrize("exact", [True, False])
def test_a_program_computes_what_predict_does(exact):
    model, x = image_model(), np.random.default_rng(1).normal(size=(1, 9, 9, 2)).astype(np.float32)
    program = program_of(computation_of(model), exact=exact)
    (y,) = program.run(x)
    expected = model.predict(x)
    if exact:
        assert np.array_equal(y, expected)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_windows_of_volumes_are_written_by_their_formulas():
    volumes = [layers.Conv3D(3, (3, 2, 2), 2, "same"), layers.Conv3DTranspose(2, 3, 2, "same")]
    model = nnlite.Sequential([layers.Input((5, 4, 6, 2)), *volumes])
    x = np.random.default_rng(1).normal(size=(1, 5, 4, 6, 2)).astype(np.float32)
    program = program_of(computation_of(model))
    assert {*names_of(program)} >= {"conv2d", "conv2d_gradient_input"}
    assert not any(name.startswith("windows") for name in names_of(program))
    np.testing.assert_allclose(program.run(x)[0], model.predict(x), rtol=1e-5, atol=1e-6)


def test_shapes_of_any_batch_tell_which_axes_grow_with_it():
    model = nnlite.Sequential([layers.Input((4,)), layers.Dense(6), layers.Reshape((2, 3))])
    program = program_of(computation_of(model), ANY_BATCH)
    assert [c.outputs[0].shape[0] for c in program.calls] == [program.batch] * 2
    assert program.batch > 1


def test_no_size_of_a_model_is_taken_for_the_number_of_rows():
    units, vocabulary = 4093, 2 * 4091
    tokens = layers.Input((3,), dtype="int32")
    hidden = layers.Dense(units)(layers.Embedding(vocabulary, 2)(tokens))
    model = nnlite.Model(tokens, layers.GlobalAveragePooling1D()(hidden))
    program = program_of(computation_of(model), ANY_BATCH)
    assert program.is_open(program.batch) and not any(map(program.is_open, (units, vocabulary)))


def test_a_model_whose_sizes_are_multiples_of_all_numbers_of_rows_is_refused(monkeypatch):
    monkeypatch.setattr("nnlite.exporting.program._STAND_INS", (5, 7))
    model = nnlite.Sequential([layers.Input((10,)), layers.Dense(14)])
    with pytest.raises(ValueError, match="multiples of all: 5, 7"):
        program_of(computation_of(model), ANY_BATCH)


def test_a_layer_that_keeps_a_state_is_refused_by_name():
    model = nnlite.Sequential([layers.Input(batch_shape=(1, 4, 3)), layers.LSTM(2, stateful=True)])
    with pytest.raises(ValueError, match=r"lstm.*changes its state"):
        program_of(computation_of(model))


def test_what_cannot_be_exported_is_refused(tmp_path):
    with pytest.raises(TypeError, match="expected a Model, an estimator"):
        nnlite.export(object(), tmp_path / "x.onnx")
    with pytest.raises(ValueError, match=r"ends in .*\.onnx"):
        nnlite.export(image_model(), tmp_path / "x.pdf")
    with pytest.raises(Exception, match="not fitted"):
        nnlite.export(nnlite.NNClassifier(), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_not_built_is_refused_by_name(tmp_path):
    words = nnlite.Sequential([layers.TextVectorization(10), layers.Embedding(10, 2)], name="words")
    with pytest.raises(ValueError, match=r"'words' begins with look-ups.* a model of the layers"):
        nnlite.export(words, tmp_path / "x.onnx")
    early = nnlite.Sequential([layers.Dense(2)], name="early")
    with pytest.raises(ValueError, match="'early': expected a model whose input shape is known"):
        nnlite.export(early, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_the_error_for_a_model_of_texts_says_what_is_exported_instead(tmp_path):
    texts = np.array([["a great film"], ["a dull story"]], object)
    words = layers.TextVectorization(output_sequence_length=4)
    words.adapt(texts)
    text, other = nnlite.Input((1,), dtype="string"), nnlite.Input((3,))
    read = layers.LSTM(3)(layers.Embedding(10, 2, mask_zero=True)(words(text)))
    numbers, tokens = np.ones((2, 3), np.float32), words(texts)
    for inputs, output, given in (
        (text, read, texts),
        ([other, text], layers.Concatenate()([read, other]), [numbers, texts]),
    ):
        model = nnlite.Model(inputs, output)
        with pytest.raises(ValueError, match="begins with look-ups") as caught:
            nnlite.export(model, tmp_path / "x.c")
        expression = re.search(r"export (nnlite\.Model\(.*\)), which", str(caught.value))[1]
        rest = eval(expression, {"nnlite": nnlite, "model": model})
        behind = [tokens if s.dtype == "int32" else numbers for s in rest.inputs]
        behind = behind if len(behind) > 1 else tokens
        report = nnlite.export(rest, tmp_path / "x.c", samples=behind, verify=False, verbose=False)
        assert report.path.exists()
        np.testing.assert_array_equal(rest.predict(behind), model.predict(given))
    assert "story" in words.get_vocabulary()


def test_a_transformer_of_texts_is_refused_with_what_is_exported_instead(tmp_path):
    texts, y = ["a great film", "a dull story"] * 5, [1, 0] * 5
    network = nnlite.NNClassifier([layers.Embedding(9, 2), layers.GRU(2)], epochs=1, ensemble=1)
    pipeline = make_pipeline(nnlite.TextVectorizer(max_tokens=9), network).fit(texts, y)
    with pytest.raises(ValueError, match=r"step 'textvectorizer'.*pipeline\[-1\]"):
        nnlite.export(pipeline, tmp_path / "x.c")
    tokens = pipeline[:-1].transform(texts)
    report = nnlite.export(pipeline[-1], tmp_path / "x.c", samples=tokens, verify=False)
    assert report.path.exists()


def test_samples_are_rows_as_the_model_takes_them(tmp_path):
    a, b = nnlite.Input((3,)), nnlite.Input((2,))
    model = nnlite.Model({"u": a, "v": b}, layers.Concatenate()([a, b]))
    u, v = np.ones((5, 3)), np.ones((5, 2))
    found = rows_of(computation_of(model), {"v": v, "u": u})
    assert found[0] is u and found[1] is v
    single = computation_of(nnlite.Sequential([layers.Input((3,)), layers.Dense(2)]))
    assert all(rows_of(single, x)[0].shape == (5, 3) for x in (u, [u], u.tolist()))
    for wrong in (np.ones((0, 3)), np.ones((4, 5)), [u, v], np.ones(3)):
        with pytest.raises(ValueError, match=r"samples: expected .*\(N, 3\), got"):
            rows_of(single, wrong)


def test_labels_are_checked_before_anything_is_written(tmp_path):
    model, x = nnlite.Sequential([layers.Input((3,)), layers.Dense(2)]), np.ones((5, 3))
    for samples, labels in ((x, [0, 1]), (None, [0] * 100)):
        with pytest.raises(ValueError, match="labels: expected one for each of"):
            nnlite.export(model, tmp_path / "x.onnx", samples=samples, labels=labels)
    assert not list(tmp_path.iterdir())


def test_samples_of_an_estimator_may_be_a_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"a": [1.0, 2, 3, 4] * 5, "c": ["x", "y", "x", None] * 5})
    model = nnlite.NNClassifier(ensemble=1, epochs=1, random_state=0).fit(X, ["n", "y"] * 10)
    computation = computation_of(model)
    (rows,) = rows_of(computation, X)
    (probabilities,) = computation.predict(rows)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("suffix", ["onnx", "tflite", "c"])
def test_what_cannot_be_a_file_is_said_before_anything_is_written(suffix, tmp_path):
    model, path = (
        nnlite.Sequential([layers.Input((3,)), layers.Dense(2)], "net"),
        tmp_path / f"x.{suffix}",
    )
    with pytest.raises(TypeError, match="filepath: expected a str or a path, got 3"):
        nnlite.export(model, 3)
    with pytest.raises(TypeError, match="export: samples: expected numbers"):
        nnlite.export(model, path, samples=["a", "b"])
    kernel, bias = model.get_weights()
    kernel[1, 0] = np.nan
    model.set_weights([kernel, bias])
    with pytest.raises(ValueError, match=r"'net\.dense': .*NaN in one of shape \(3, 2\)"):
        nnlite.export(model, path)
    assert not list(tmp_path.iterdir())
