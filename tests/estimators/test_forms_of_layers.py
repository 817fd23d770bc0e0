"""What `layers=` of an estimator may be: lists, sizes, functions, compiled models."""

import functools
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from small_settings import (
    IMAGES,
    IRIS,
    KIND,
    build,
    classifier,
    compiled,
    units,
    without_meta,
)

import nnlite
from nnlite import MLP, NNRegressor, Stack, configurable
from nnlite.callbacks import EarlyStopping
from nnlite.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
)
from nnlite.losses import BinaryCrossentropy, SparseCategoricalCrossentropy
from nnlite.optimizers import SGD
from nnlite.regularizers import L2

# What layers= may be


@pytest.mark.parametrize(
    "layers, expected",
    [
        (64, [64]),
        (np.int64(7), [7]),
        (7.0, [7]),
        (np.float64(7), [7]),
        ("7", [7]),
        ("7-5", [7, 5]),
        (np.str_("7-5"), [7, 5]),
        ((7, 5), [7, 5]),
        ([7, 5.0], [7, 5]),
        (np.array([7, 5]), [7, 5]),
        (Stack(), []),
        (Stack(Dense(4), None, "passthrough", Dense(3)), [4, 3]),
        ([("a", Dense(4)), ("b", None), ("c", "passthrough"), Dense(5)], [4, 5]),
        (MLP((4, 3)), [4, 3]),
        (MLP("4-3"), [4, 3]),
        (MLP(5), [5]),
        (MLP(()), []),
        (MLP(depth=0), []),
        (MLP((4, 3), depth=1), [4]),
        (MLP((4, 3), depth=4.0), [4, 3, 3, 3]),
        (MLP((4, 3), width=6), [6, 6]),
        (MLP(depth=3, width=np.float64(2)), [2, 2, 2]),
        (MLP((), depth=2, width=5), [5, 5]),
        (build, [8, 8]),
        (functools.partial(build, depth=1, width=3), [3]),
        (without_meta, [8]),
        (lambda: None, []),
        (lambda: "5-4", [5, 4]),
        (lambda meta: MLP(meta.n_outputs), [3]),
        (lambda *, meta: meta.n_features, [4]),
        (lambda n=2, meta=None: (n, meta.n_features), [2, 4]),
        (lambda n=2, /, *, meta: (n, meta.n_features), [2, 4]),
        (lambda m, /: m.n_features, [4]),
        (functools.partial(lambda sizes, meta: (sizes, meta.n_outputs), 5), [5, 3]),
        (compiled, [6]),
        (lambda m: nnlite.Sequential([Dense(m.n_features)]), []),
    ],
)
def test_forms_of_layers(layers, expected):
    estimator = classifier(layers, activation="tanh")
    assert units(estimator) == expected
    if isinstance(layers, (str, int, float)):
        assert estimator.model_.layers[0].activation == "tanh"
    assert units(clone(estimator)) == expected


def test_hidden_layer_sizes_may_be_a_string():
    assert units(classifier(hidden_layer_sizes="7-5")) == [7, 5]


@pytest.mark.parametrize("layers", ["7-5", 7, MLP((7, 5)), MLP((7,), dropout=0.1), None])
def test_sizes_flatten_images(layers):
    fitted = classifier(layers).fit(IMAGES, KIND)
    assert isinstance(fitted.model_.layers[0], Flatten)
    assert fitted.predict(IMAGES).shape == (150,)


def test_an_mlp_of_all_its_parts():
    made = MLP((4, 3), "selu", dropout=0.5, batch_norm=True).layers()
    assert [type(x) for x in made] == [Dense, BatchNormalization, Activation, Dropout] * 2
    assert [x.activation for x in made[2::4]] == ["selu"] * 2
    assert MLP(width=4) == MLP(width=4) != MLP(width=5)


def test_stacks_are_equal_by_their_settings():
    one = Stack(Dense(4, kernel_regularizer=L2(0.1)))
    same = Stack(Dense(4, kernel_regularizer=L2()))
    assert one != same and one != [Dense(4)] and len({one, same}) == 2
    same = Stack(Dense(4.0, kernel_regularizer=L2(0.1)))
    assert one == same and hash(one) == hash(same)
    named = Stack(("hidden", Dense(4)))
    listed = Stack.from_config({"layers": [["hidden", Dense(4)]]})  # as JSON has it
    assert named == listed and hash(named) == hash(listed)
    assert Stack(Dense(4)) != Stack(("hidden", Dense(4))) != Stack(Dropout(0.4))
    assert not any(hasattr(one, name) for name in ("__len__", "__getitem__", "__array__"))
    assert np.array(one).item() is one
    assert pickle.loads(pickle.dumps(one)) == one == clone(one) and clone(one) is not one
    assert repr(Stack(Dense(4), None)) == "Stack(Dense(units=4), None)"


def test_layers_have_the_names_of_their_steps():
    fitted = classifier([("hidden", Dense(4)), Dense(3, name="own"), ("x", Dense(2, name="y"))])
    assert [x.name for x in fitted.fit(IRIS, KIND).model_.layers][:3] == ["hidden", "own", "y"]


# A compiled model


@pytest.mark.parametrize(
    "loss, outputs",
    [
        ("categorical_crossentropy", 3),
        ("sparse_categorical_crossentropy", 3),
    ],
)
def test_a_compiled_model_is_trained_as_it_was_compiled(loss, outputs):
    fitted = classifier(functools.partial(compiled, loss=loss), epochs=30).fit(IRIS, KIND)
    plain = classifier([Dense(6, "relu")], optimizer=SGD(0.5), epochs=30).fit(IRIS, KIND)
    assert_array_equal(fitted.predict_proba(IRIS), plain.predict_proba(IRIS))
    slow = classifier(compiled, learning_rate=0.0).fit(IRIS, KIND)
    assert len(set(slow.loss_curve_)) == 1


@pytest.mark.parametrize(
    "outputs, activation, loss",
    [
        (1, "sigmoid", "binary_crossentropy"),
        (2, "softmax", "categorical_crossentropy"),
        (2, "softmax", "sparse_categorical_crossentropy"),
    ],
)
def test_a_compiled_model_for_two_classes(outputs, activation, loss):
    def model(meta):
        assert meta.task == "binary" and meta.n_outputs == 1
        made = nnlite.Sequential([Dense(8, "relu"), Dense(outputs, activation)])
        made.compile("adam", loss)
        return made

    fitted = classifier(model, epochs=60, learning_rate=0.02).fit(IRIS, KIND == 0)
    assert fitted.score(IRIS, KIND == 0) > 0.95 and fitted.predict_proba(IRIS).shape == (150, 2)


@pytest.mark.parametrize(
    "loss, outputs",
    [
        (SparseCategoricalCrossentropy(from_logits=True), 3),
        (BinaryCrossentropy(True), 1),
    ],
)
def test_a_compiled_model_whose_outputs_are_logits(loss, outputs):
    def model(last):
        made = nnlite.Sequential([Dense(8, "relu"), Dense(outputs, last)])
        made.compile("adam", configurable.clone(loss, from_logits=last is None))
        return made

    y = KIND if outputs == 3 else KIND == 0
    settings = {"epochs": 40, "learning_rate": 0.02}
    fitted = classifier(lambda: model(None), **settings).fit(IRIS, y)
    same = classifier(lambda: model("softmax" if outputs == 3 else "sigmoid"), **settings)
    same.fit(IRIS, y)
    assert_allclose(fitted.predict_proba(IRIS), same.predict_proba(IRIS), rtol=1e-5, atol=1e-12)
    assert_allclose(fitted.decision_function(IRIS), same.decision_function(IRIS), rtol=1e-5)
    assert fitted.score(IRIS, y) == same.score(IRIS, y) > 0.9


def test_a_compiled_model_must_give_one_row_for_each_sample():
    def model():
        made = nnlite.Sequential([Conv2D(3, 3)])
        made.compile("adam", "categorical_crossentropy")
        return made

    with pytest.raises(ValueError, match=r"one row per sample, got shape \(None, 4, 4, 3\)"):
        classifier(model).fit(IMAGES, KIND)


def test_a_compiled_model_of_a_regression_keeps_its_loss():
    def model(meta):
        assert meta.task == "regression"
        made = nnlite.Sequential([Dense(8), Dense(meta.n_outputs)])
        made.compile("adam", "mae")
        return made

    fitted = NNRegressor(model, epochs=1, learning_rate=0.0, random_state=0)
    fitted.fit(IRIS, IRIS[:, :2])
    error = np.abs(fitted.predict(IRIS) - IRIS[:, :2]).mean()
    assert fitted.loss_ == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize(
    "layers, words",
    [
        (functools.partial(compiled, units=2), "compiled model with 3 outputs.*multiclass.*got 2"),
        (functools.partial(compiled, loss="mse"), "compiled with a cross-entropy, got MeanSq"),
        (lambda: build, "expected the function to return layers"),
        (lambda: [Dense(3), 4], "a list of layers such as Dense"),
        (MLP(depth=-1), "depth: expected a positive integer, got -1"),
        (MLP(width=0), "width: expected a positive integer, got 0"),
        (MLP("a"), "units: expected a positive integer, got 'a'"),
        (MLP(dropout=-0.1), r"dropout: expected a number in \[0, 1\), got -0.1"),
        (MLP(dropout="x"), r"dropout: expected a number in \[0, 1\), got 'x'"),
        (MLP(batch_norm="yes"), "batch_norm: expected True or False, got 'yes'"),
        (MLP(depth=2, units=()), "width= where depth= is given"),
        (Stack(3), "a list of layers such as Dense"),
        (Stack("relu"), "a list of layers such as"),
        (["64-32"], "a list of layers such as Dense"),
        ({}, "a list of layers such as Dense"),
        ([("epochs", Dense(3))], "none of the estimator's settings, got 'epochs'"),
        ([("a__b", Dense(3))], "without '__'.*got 'a__b'"),
        ([("", Dense(3))], "names of steps"),
        ([("a", Dense(3)), ("a", Dense(3))], "every step's name once, got 'a' twice"),
        ([("a", 3)], "a list of layers such as Dense"),
    ],
)
def test_wrong_layers_are_errors_of_fit(layers, words):
    estimator = clone(classifier(layers))
    estimator.get_params()
    with pytest.raises((ValueError, TypeError), match=words):
        estimator.fit(IRIS, KIND)


def test_a_name_of_a_layer_and_of_a_callback():
    both = classifier([("a", Dense(3))], callbacks=[("a", EarlyStopping("loss"))])
    with pytest.raises(ValueError, match="callbacks: expected every step's name once, got 'a' tw"):
        both.fit(IRIS, KIND)


def test_estimators_of_all_forms_are_shown():
    for layers in (Stack(("a", Dense(3)), None), MLP(), build, "3-4", [("a", None), Dense(3)]):
        assert "NNClassifier" in classifier(layers)._repr_html_()
        assert repr(layers).split("(")[0][:9] in repr(classifier(layers))
