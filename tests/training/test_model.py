"""Model and Sequential: building, evaluating, predicting, copies, precision."""

import copy
import pickle

import numpy as np
import pytest
from small_models import LABELS, D, L, N, TwoLayers, X, Y, arrays_equal, classifier, trained

import nnlite as keras
from nnlite import config, layers, optimizers
from nnlite.training import step_cache

# Building


def test_list_and_add_build_the_same_model():
    a = classifier()
    keras.utils.set_random_seed(0)
    b = keras.Sequential()
    b.add(layers.Dense(8, activation="relu", input_shape=(D,)))
    b.add(layers.Dropout(0.0))
    b.add(layers.Dense(L, activation="softmax"))
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert np.array_equal(a.predict(X), b.predict(X))


@pytest.mark.parametrize(
    "build",
    [
        lambda m: m.build((None, D)),
        lambda m: m(X),
        lambda m: m.predict(X),
        lambda m: m.evaluate(X, LABELS),
        lambda m: m.fit(X, LABELS, verbose=0),
        lambda m: m.train_on_batch(X, LABELS),
    ],
)
def test_model_without_an_input_shape_is_built_by_its_first_use(build):
    model = keras.Sequential([layers.Dense(8), layers.Dense(L, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert not model.built and model.weights == []
    build(model)
    assert model.built and model.output_shape == (None, L) and model.input_shape == (None, D)
    assert [w.shape for w in model.get_weights()] == [(D, 8), (8,), (8, L), (L,)]


def test_a_sequential_that_is_built_is_not_built_for_samples_of_another_shape():
    model = keras.Sequential([keras.Input((D,), batch_size=3), layers.Dense(L)])
    before = model.get_weights()
    model.build((None, D))  # again: nothing happens
    for shape in ((3, D + 1), (None, D, 1), [(None, D)]):
        with pytest.raises(ValueError, match=rf"input_shape: expected \(3, {D}\), which the model"):
            model.build(shape)
    assert arrays_equal(before, model.get_weights())


def test_deferred_build_gives_the_bits_of_an_immediate_one():
    def make(**kwargs):
        keras.utils.set_random_seed(0)
        return keras.Sequential([layers.Dense(8, **kwargs), layers.Dense(L)])

    a, b = make(input_shape=(D,)), make()
    b.build((None, D))
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_subclassed_model_is_built_by_a_call_and_tracks_its_layers():
    model = TwoLayers()
    assert model(X).shape == (N, 1)
    assert [x.name for x in model.layers] == ["dense", "dense_1"]
    assert [w.shape for w in model.get_weights()] == [(D, 4), (4,), (4, 1), (1,)]
    model.build((None, D))  # again: nothing happens
    assert len(model.weights) == 4


def test_subclassed_model_trains_like_the_same_sequential():
    a = TwoLayers()
    b = keras.Sequential([layers.Dense(4, activation="tanh"), layers.Dense(1)])
    for model in (a, b):
        keras.utils.set_random_seed(0)
        model.compile("adam", "mse")
        model.build((None, D))
        trained(model, X, Y, epochs=2)
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert np.array_equal(a.predict(X), b.predict(X))


def test_layer_added_after_fit_keeps_weights_and_compiled_state():
    model = classifier(optimizer=optimizers.SGD(0.1, momentum=0.9))
    trained(model, X, LABELS)
    before, steps = model.get_weights(), int(model.optimizer.iterations)
    model.pop()
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(L, activation="softmax"))
    assert arrays_equal(model.get_weights()[:2], before[:2])
    trained(model, X, LABELS)
    assert int(model.optimizer.iterations) == 2 * steps
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_pop_returns_the_last_layer_and_the_model_ends_before_it():
    model = classifier()
    last = model.layers[-1]
    assert model.pop() is last
    assert model.output_shape == (None, 8) and model.predict(X).shape == (N, 8)
    while model.layers:
        model.pop()
    with pytest.raises(IndexError, match="no layer to pop"):
        model.pop()
    model.add(layers.Dense(2))  # and starts again with any input
    assert model(X[:, :4]).shape == (N, 2)


def test_layer_that_does_not_fit_is_not_added():
    model = keras.Sequential([layers.Dense(5, input_shape=(D,))])
    with pytest.raises(ValueError, match=r"layer 'reshape' \(Reshape\)"):
        model.add(layers.Reshape((2, 2)))
    assert len(model.layers) == 1 and model.predict(X).shape == (N, 5)
    empty = keras.Sequential()
    with pytest.raises(ValueError, match="units"):
        empty.add(layers.Dense(-1, input_shape=(D,)))
    assert empty.layers == [] and not empty.built


def test_add_refuses_what_is_no_layer_and_a_layer_twice():
    model = keras.Sequential([layers.Dense(1)])
    with pytest.raises(TypeError, match=r"Sequential.add: expected a layer, got 'dense'"):
        model.add("dense")
    with pytest.raises(ValueError, match=r"layer 'dense' is in the model already"):
        model.add(model.layers[0])


def test_sequential_without_layers_says_so():
    model = keras.Sequential()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="at least one layer"):
        model.fit(X, Y, verbose=0)


def test_get_layer_finds_by_name_or_place():
    model = classifier()
    assert model.get_layer("dense_1") is model.get_layer(index=2) is model.layers[2]
    for wrong, error, message in [
        (("dens",), ValueError, "no layer 'dens'; did you mean 'dense'.*3 layers: dense, dropout"),
        ((None, 7), ValueError, "no index 7; the model has 3 layers: dense, dropout, dense_1"),
        ((None, -4), ValueError, "no index -4"),
        ((None, "1"), TypeError, "index: expected an integer, got '1'"),
        (("dense", 1), ValueError, "expected a name or an index, got 'dense' and 1"),
        ((), ValueError, "expected a name or an index"),
    ]:
        with pytest.raises(error, match=f"get_layer: {message}"):
            model.get_layer(*wrong)


def test_sequential_config_has_every_layer_and_gives_a_fresh_model():
    model = classifier()
    model.add(layers.Activation("tanh"))
    again = keras.Sequential.from_config(model.get_config())
    assert [x.name for x in again.layers] == [x.name for x in model.layers]
    plain = ("units", "activation", "rate", "kernel_initializer")
    for a, b in zip(again.layers, model.layers, strict=True):
        assert type(a) is type(b)
        assert all(a.get_config().get(k) == b.get_config().get(k) for k in plain)
    assert again.count_params() == model.count_params()
    assert not any(a is b for a in again.layers for b in model.layers)
    assert not np.array_equal(again.get_weights()[0], model.get_weights()[0])
    assert "Dense(units=8, activation='relu', input_shape=(6,))" in repr(model)


# evaluate, predict, *_on_batch


@pytest.mark.parametrize("batch_size", [None, 1, 7, 50, 1000])
def test_evaluate_is_the_loss_and_accuracy_of_all_rows_whatever_the_batch(batch_size):
    model = classifier(metrics=["accuracy"])
    p = model.predict(X).astype(float)
    loss, accuracy = model.evaluate(X, LABELS, batch_size=batch_size)
    assert loss == pytest.approx(-np.log(p[np.arange(N), LABELS]).mean(), rel=1e-5)
    assert accuracy == pytest.approx((p.argmax(1) == LABELS).mean(), rel=1e-12)


def test_evaluate_returns_one_number_a_list_or_a_dict_and_changes_nothing():
    model, plain = classifier(metrics=["accuracy"]), classifier()
    before = model.get_weights()
    assert type(plain.evaluate(X, LABELS)) is float
    values = model.evaluate(X, LABELS)
    assert type(values) is list and len(values) == 2 and all(type(v) is float for v in values)
    assert model.evaluate(X, LABELS, return_dict=True) == dict(zip(["loss", "accuracy"], values))
    assert arrays_equal(model.get_weights(), before)


def test_predict_is_the_call_in_inference_mode():
    model = classifier(dropout=0.5)
    assert np.array_equal(model.predict(X), model(X).numpy())
    assert not np.array_equal(model.predict(X), model(X, training=True).numpy())
    assert model.predict(X).dtype == np.float32 and model.predict(X).shape == (N, L)


@pytest.mark.parametrize("rows", [1, 2, 3, 255, 256, 257, 700])
def test_predictions_of_a_subset_are_bitwise_the_subset_of_the_predictions(rows):
    x = np.random.default_rng(1).normal(size=(700, D)).astype("float32")
    model = classifier()
    full = model.predict(x)
    assert np.array_equal(model.predict(x[:rows]), full[:rows])
    assert np.array_equal(model.predict(x[-rows:], batch_size=3), full[-rows:])
    assert np.array_equal(model.predict_on_batch(x[:rows]), full[:rows])


def test_what_an_earlier_prediction_found_out_is_used_only_where_it_holds():
    x = np.random.default_rng(1).normal(size=(4, D)).astype("float32")
    model = classifier()
    first = model.predict(x)
    again = model.predict(x)
    assert again is not first and np.array_equal(again, first)
    alike = {
        "the other order in memory": np.asfortranarray(x),
        "every second row": np.repeat(x, 2, axis=0)[::2],
        "float64": x.astype("float64"),
        "the other order of bytes": x.astype(">f4"),
        "a list": x.tolist(),
    }
    for name, rows in alike.items():
        for _ in range(2):
            assert np.array_equal(model.predict(rows), first), name
    for wider in range(step_cache.PLANS_KEPT + 1):  # as many ways to lie in memory are not all kept
        row = np.zeros((2, D + wider), "float32")[:1, :D]
        row[:] = x[:1]
        assert np.array_equal(model.predict(row), first[:1])
    assert len(model._step_cache.steps) <= step_cache.PLANS_KEPT
    model.layers[-1].kernel.assign(-model.layers[-1].kernel.numpy())
    assert not np.array_equal(model.predict(x), first)
    model.layers[0].activation = "tanh"
    assert np.array_equal(model.predict(x), model(x).numpy())
    model.compile("sgd", "mse", run_eagerly=True)
    assert np.array_equal(model.predict(x), model(x).numpy())


def test_a_fit_and_a_prediction_ask_for_no_attribute_that_is_not_there(monkeypatch):
    """Words for the error would take longer than a prediction."""
    asked = []
    monkeypatch.setattr(keras.Model, "_no_attribute", lambda model, name: asked.append(name))
    model = classifier()
    model.fit(X, LABELS, validation_split=0.2, verbose=0)
    model.evaluate(X, LABELS, verbose=0)
    model.predict(X[:7], verbose=0)
    assert asked == []


def test_predict_needs_no_compile():
    model = keras.Sequential([layers.Dense(2)])
    assert model.predict(X).shape == (N, 2)


def test_train_on_batch_is_one_step_and_reports_the_loss_before_it():
    a, b = classifier(metrics=["accuracy"]), classifier(metrics=["accuracy"])
    for _ in range(2):  # figures start afresh each time
        before = a.evaluate(X, LABELS, batch_size=N)
        assert a.train_on_batch(X, LABELS) == pytest.approx(before, rel=1e-6)
        b.fit(X, LABELS, batch_size=N, shuffle=False, verbose=0)
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert list(a.train_on_batch(X, LABELS, return_dict=True)) == ["loss", "accuracy"]


def test_train_on_batch_takes_weights():
    a, b = classifier(), classifier()
    weight = np.array([2.0, 1.0, 1.0])[LABELS]
    assert a.train_on_batch(X, LABELS, sample_weight=weight) == b.train_on_batch(
        X, LABELS, class_weight={0: 2.0}
    )
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_test_on_batch_is_evaluate():
    model = classifier(metrics=["accuracy"])
    assert model.test_on_batch(X, LABELS) == model.evaluate(X, LABELS, batch_size=N)


# Copies and precision


def test_float64_model_computes_in_float64():
    with config.precision("float64"):
        model = classifier(optimizer=optimizers.SGD(0.5), metrics=["accuracy"])
    trained(model, X, LABELS, epochs=3, validation_split=0.2)  # outside of the block, too
    assert model.predict(X).dtype == np.float64
    assert all(w.dtype == np.float64 for w in model.get_weights())
    w1, b1, w2, b2 = model.get_weights()
    z = np.maximum(X.astype(float) @ w1 + b1, 0) @ w2 + b2
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict(X), p, rtol=1e-13)
    expected = -np.log(p[np.arange(N), LABELS]).mean()
    assert model.evaluate(X, LABELS)[0] == pytest.approx(expected, rel=1e-13)


def test_models_of_both_precisions_live_side_by_side():
    with config.precision("float64"):
        double = classifier()
    single = classifier()
    for model in (double, single):
        trained(model, X, LABELS, epochs=2)
    assert double.predict(X).dtype == np.float64 and single.predict(X).dtype == np.float32
    np.testing.assert_allclose(double.predict(X), single.predict(X), rtol=1e-4)


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copied_model_predicts_and_trains_the_same_bits(how):
    model = classifier(optimizer="adam", dropout=0.3, metrics=["accuracy"])
    trained(model, X, LABELS)
    model.predict(X)  # leaves a plan behind, which is no part of a copy
    copied = pickle.loads(pickle.dumps(model)) if how == "pickle" else copy.deepcopy(model)
    assert np.array_equal(copied.predict(X), model.predict(X))
    assert copied.evaluate(X, LABELS) == model.evaluate(X, LABELS)
    for m in (model, copied):
        trained(m, X, LABELS)
    assert arrays_equal(copied.get_weights(), model.get_weights())
