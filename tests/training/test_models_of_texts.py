"""Models that begin with look-ups: trained and asked on strings and integers, and as files."""

import pickle

import numpy as np
import pytest

import nnlite
from nnlite import layers
from nnlite.data import Dataset

TEXTS = ["good film", "very bad film", "good good", "awful bad", "nice", "a bad thing"] * 4
Y = np.array([1, 0, 1, 0, 1, 0] * 4)
FORMS = {
    "list": TEXTS,
    "array": np.array(TEXTS),
    "objects": np.array(TEXTS, object),
    "bytes": np.array(TEXTS).astype("S"),
    "column": np.array(TEXTS)[:, None],
}


def vectors(mode="int", **kwargs):
    length = {"output_sequence_length": 3} if mode == "int" else {}
    layer = layers.TextVectorization(output_mode=mode, **length, **kwargs)
    layer.adapt(TEXTS)
    return layer


def network(mode="int", start=(), built=True):
    nnlite.utils.set_random_seed(0)
    first = vectors(mode)
    body = [layers.Dense(4)]
    if mode == "int":
        body = [layers.Embedding(first.vocabulary_size(), 4, mask_zero=True), layers.LSTM(3)]
    model = nnlite.Sequential([*start, first, *body, layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    if built:
        model(TEXTS[:1])
    return model


def reference(mode="int"):
    """The same model without the look-up, and what it gives of the texts."""
    first, *others = network(mode).layers
    rest = nnlite.Sequential(others)
    rest.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return rest, first(TEXTS).numpy()


def trained(model, x, **kwargs):
    """What a training leaves: its history, its evaluation and its predictions, as bytes."""
    history = model.fit(x, Y, epochs=2, batch_size=5, verbose=0, shuffle=False, **kwargs).history
    values = [*history.values(), model.evaluate(x, Y, verbose=0), model.predict(x)]
    return [np.asarray(v).tobytes() for v in values]


@pytest.mark.parametrize("mode", ["int", "multi_hot", "count", "tf_idf"])
def test_training_has_the_bits_of_one_on_what_the_look_up_gives(mode):
    rest, numbers = reference(mode)
    expected = trained(rest, numbers)
    assert trained(network(mode, built=False), FORMS["array"]) == expected
    assert trained(network(mode, [nnlite.Input((1,), dtype="string")]), FORMS["list"]) == expected


@pytest.mark.parametrize("form", FORMS)
def test_texts_may_come_in_any_form(form):
    model = network()
    x = FORMS[form]
    expected = network().predict(TEXTS)
    assert np.array_equal(model.predict(x), expected)
    assert np.array_equal(model(x).numpy(), expected)
    assert np.array_equal(model.predict_on_batch(x[:3]), expected[:3])
    assert model.train_on_batch(x, Y) and model.test_on_batch(x, Y)


def test_texts_that_come_in_batches_have_the_same_bits():
    expected = trained(network(), FORMS["array"])[:2]

    def batches():
        yield from ((TEXTS[i : i + 5], Y[i : i + 5]) for i in range(0, len(TEXTS), 5))

    rows = Dataset.from_tensor_slices((TEXTS, Y)).batch(5)
    for made in (lambda: batches(), lambda: rows):
        model, losses = network(), []
        for _ in range(2):
            history = model.fit(made(), verbose=0, shuffle=False).history
            losses.append([history["loss"][0], history["accuracy"][0]])
        assert [np.array(v).tobytes() for v in zip(*losses)] == expected


def test_a_dataset_of_texts_is_looked_up_and_learned_from():
    rows = Dataset.from_tensor_slices((np.array(TEXTS), Y)).batch(5)
    layer = layers.TextVectorization(output_sequence_length=3)
    layer.adapt(rows.map(lambda x, y: x))
    assert layer.get_vocabulary() == vectors().get_vocabulary()
    mapped = [x.numpy() for x, y in rows.map(lambda x, y: (layer(x), y))]
    assert np.array_equal(np.concatenate(mapped), layer(TEXTS).numpy())


def test_steps_in_python_and_held_out_rows():
    weights = {"sample_weight": np.ones(24), "class_weight": {0: 2.0}, "validation_split": 0.25}
    fast, slow = network(), network()
    slow.compile("sgd", "binary_crossentropy", metrics=["accuracy"], run_eagerly=True)
    assert trained(fast, TEXTS, **weights) == trained(slow, TEXTS, **weights)
    history = fast.fit(TEXTS, Y, validation_data=(TEXTS, Y), verbose=0).history
    assert history["val_loss"] == [fast.evaluate(TEXTS, Y, verbose=0)[0]]


def mixed():
    """A model of a city, an age and a number of any size."""
    city = nnlite.Input((1,), dtype="string", name="city")
    age = nnlite.Input((1,), name="age")
    number = nnlite.Input((2,), dtype="int64", name="number")
    parts = [
        layers.StringLookup(vocabulary=["x", "y"], output_mode="one_hot")(city),
        layers.CategoryEncoding(4, "one_hot")(layers.StringLookup(vocabulary=list("xyz"))(city)),
        layers.Discretization([1.0, 2.0], output_mode="one_hot")(age),
        layers.IntegerLookup(vocabulary=[7, 2**40], output_mode="count")(number),
        layers.CategoryEncoding(5)(layers.Hashing(5)(number)),
        age,
    ]
    joined = layers.concatenate(parts)
    return nnlite.Model({"city": city, "age": age, "number": number}, joined)


def test_look_ups_and_numbers_in_one_model():
    model = mixed()
    x = {
        "city": np.array(["x", "q", "z"]),
        "age": np.array([0.5, 1.0, 9.0]),
        "number": np.array([[7, 2**40], [7, 7], [1, 2]]),
    }
    hashed = layers.Hashing(5)(x["number"]).numpy()
    expected = np.concatenate(
        [
            np.eye(3)[[1, 0, 0]],
            np.eye(4)[[1, 0, 3]],
            np.eye(3)[[0, 1, 2]],
            [[0, 1, 1], [0, 2, 0], [2, 0, 0]],
            (hashed[..., None] == np.arange(5)).any(1),
            x["age"][:, None],
        ],
        axis=1,
    )
    np.testing.assert_array_equal(model.predict(x), expected)
    np.testing.assert_array_equal(model(x).numpy(), expected)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict(x), expected)
    again = nnlite.Model.from_config(model.get_config())
    np.testing.assert_array_equal(again.predict([*x.values()]), expected)


def test_texts_of_any_length():
    first = layers.TextVectorization()
    first.adapt(TEXTS)
    embedding = layers.Embedding(first.vocabulary_size(), 4, mask_zero=True)
    model = nnlite.Sequential([first, embedding, layers.LSTM(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(TEXTS, Y, verbose=0)
    assert first.output_shape == (None, None) and model.output_shape == (None, 1)
    short, both = model.predict(["bad"]), model.predict(["bad", "a very bad bad bad film"])
    assert np.array_equal(short[0], both[0])


def test_models_inside_may_begin_with_look_ups():
    inner = network()
    expected = inner.predict(TEXTS)
    text = nnlite.Input((), dtype="string")
    for outer in (nnlite.Sequential([inner]), nnlite.Model(text, inner(text))):
        assert np.array_equal(outer.predict(TEXTS), expected)
        assert np.array_equal(outer(TEXTS).numpy(), expected)
    only = nnlite.Sequential([vectors()])
    both = nnlite.Sequential([only, *network().layers[1:]])
    assert np.array_equal(both.predict(TEXTS), expected)
    for model in (only, both, nnlite.Sequential([inner]), nnlite.Sequential([vectors()])):
        model.predict(TEXTS)
        assert model.inputs[0].dtype == "string"


def test_what_a_look_up_gives_may_be_the_output():
    model = nnlite.Sequential([nnlite.Input((1,), dtype="string"), vectors()])
    result = model.predict([["good thing"], ["bad"]])
    assert result.dtype == np.int32 and np.array_equal(result, vectors()(["good thing", "bad"]))
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize("mode", ["int", "tf_idf"])
@pytest.mark.parametrize("ending", ["keras", "safetensors", "h5", "weights.h5"])
def test_vocabulary_comes_back_from_files(mode, ending, tmp_path):
    pytest.importorskip("h5py")
    model = network(mode)
    expected = trained(model, FORMS["array"])[2:]
    path = tmp_path / f"model.{ending}"
    if ending == "weights.h5":
        model.save_weights(path)
        other = network(mode)
        other.optimizer.build(other.trainable_weights)
        other.load_weights(path)
    else:
        model.save(path)
        other = nnlite.models.load_model(path)
    values = [other.evaluate(TEXTS, Y, verbose=0), other.predict(TEXTS)]
    assert [np.asarray(v).tobytes() for v in values] == expected
    first, copied = model.layers[0], other.layers[0]
    assert copied.get_vocabulary() == first.get_vocabulary()
    copied.adapt([text.replace("bad", "sad") for text in TEXTS])  # it may be learned again
    assert "sad" in copied.get_vocabulary()


def test_summary_and_doctor_name_the_look_up(capsys):
    model = network()
    model.fit(TEXTS, Y, verbose=0)
    model.summary()
    assert "text_vectorization" in capsys.readouterr().out
    assert "text_vectorization" not in str(nnlite.doctor(model, TEXTS, Y))


REFUSED = [
    (lambda: network().predict([["a", "b"]]), "expected input 'input_layer' of shape"),
    (lambda: network().predict([1.0, 2.0]), "inputs: expected strings, got 1.0 at position"),
    (
        lambda: nnlite.Sequential([nnlite.Input((1,), dtype="string"), layers.Dense(3)]),
        "dense: expected numbers, got the strings of 'input_layer': TextVectorization",
    ),
    (
        lambda: nnlite.Sequential([layers.Dense(3), vectors()]).predict(np.ones((2, 3))),
        "'text_vectorization': expected inputs of the model, .*, got that of 'dense'",
    ),
    (
        lambda: nnlite.Model(
            number := nnlite.Input((3,), dtype="int32"),
            layers.StringLookup(vocabulary=["a"], invert=True)(number),
        ),
        "expected outputs that are numbers, got the strings of 'string_lookup'",
    ),
    (lambda: mixed().predict({"city": ["x"]}), "expected inputs named city, age, number"),
    (lambda: mixed().predict(np.array(["x"])), r"expected 3 inputs \(city, age, number\)"),
]


@pytest.mark.parametrize("call, message", REFUSED)
def test_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
