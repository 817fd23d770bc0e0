"""Models of several inputs and outputs: data, losses, metrics and figures of each."""

import os

import numpy as np
import pytest
from small_models import arrays_equal, trained

import nnlite as keras
from nnlite import layers, losses, metrics

N = 30
RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.normal(size=(N, 3)).astype("float32"), RNG.normal(size=(N, 2)).astype("float32")
KIND, SIZE = RNG.integers(0, 4, N), RNG.normal(size=(N, 2)).astype("float32")
WEIGHT = RNG.random(N)


def wired(inputs=list, outputs=list):
    """Two inputs, two outputs, in lists or dicts."""
    keras.utils.set_random_seed(0)
    left, right = keras.Input((3,), name="left"), keras.Input((2,), name="right")
    both = layers.Dense(6, activation="tanh")(layers.concatenate([left, right]))
    kind, size = layers.Dense(4, "softmax", name="kind")(both), layers.Dense(2, name="size")(both)
    shapes = {
        list: lambda a, b, *names: [a, b],
        dict: lambda a, b, *names: dict(zip(names, (a, b))),
    }
    return keras.Model(
        shapes[inputs](left, right, "left", "right"), shapes[outputs](kind, size, "kind", "size")
    )


LOSSES = ["sparse_categorical_crossentropy", "mse"]
METRICS = [["accuracy"], ["mse"]]


def compiled(model=None, **settings):
    model = wired() if model is None else model
    model.compile(**{"optimizer": "sgd", "loss": LOSSES, "metrics": METRICS, **settings})
    return model


def by_hand(model, weight=None):
    """(mean loss of kind, of size, accuracy of kind)."""
    kind, size = model.predict([LEFT, RIGHT])
    weight = np.ones(N) if weight is None else weight
    chosen = -np.log(kind[np.arange(N), KIND])
    return (
        (weight * chosen).mean(),
        (weight * ((size - SIZE) ** 2).mean(axis=1)).mean(),
        (kind.argmax(axis=1) == KIND).mean(),
    )


def test_figures_are_the_formulas_in_keras_order():
    model = compiled(loss_weights=[1, 0.25])
    logs = model.evaluate([LEFT, RIGHT], [KIND, SIZE], batch_size=7, return_dict=True)
    kind, size, accuracy = by_hand(model)
    assert list(logs) == ["loss", "kind_loss", "size_loss", "kind_accuracy", "size_mse"]
    assert list(logs.values()) == pytest.approx(
        [kind + size / 4, kind, size, accuracy, size], rel=1e-5
    )
    assert model.evaluate([LEFT, RIGHT], [KIND, SIZE], batch_size=7) == list(logs.values())
    assert len(model.metrics) == 5


def test_weights_of_samples_may_be_one_for_all_outputs_or_one_for_each():
    model = compiled(metrics=None, weighted_metrics=METRICS)
    kind, size, _ = by_hand(model, WEIGHT)
    _, unweighted, _ = by_hand(model)
    for weight, expected in ((WEIGHT, size), ([WEIGHT, np.ones(N)], unweighted)):
        logs = model.evaluate(
            [LEFT, RIGHT], [KIND, SIZE], sample_weight=weight, return_dict=True, batch_size=N
        )
        assert list(logs)[3:] == ["kind_accuracy", "size_mse"]
        assert logs["kind_loss"] == pytest.approx(kind, rel=1e-5)
        assert logs["size_loss"] == pytest.approx(expected, rel=1e-5)


SETTINGS = {
    "lists": (list, list, LOSSES, [1, 0.5], METRICS),
    "by name": (
        list,
        list,
        {"size": "mse", "kind": losses.SparseCategoricalCrossentropy()},
        {"size": 0.5, "kind": 1},
        {"size": metrics.MeanSquaredError(name="mse"), "kind": "accuracy"},
    ),
    "dicts": (dict, dict, dict(zip(["kind", "size"], LOSSES)), [1, 0.5], METRICS),
    "dicts and lists": (dict, dict, LOSSES, {"kind": 1, "size": 0.5}, METRICS),
}
XS = {list: [LEFT, RIGHT], dict: {"right": RIGHT, "left": LEFT}}
YS = {list: [KIND, SIZE], dict: {"size": SIZE, "kind": KIND}}


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_lists_and_dicts_train_alike(name, eager):
    inputs, outputs, loss, loss_weights, measured = SETTINGS[name]
    results = []
    for settings in (
        {},
        {"model": wired(inputs, outputs), "loss": loss, "metrics": measured, "run_eagerly": eager},
    ):
        model = compiled(**{**settings, "loss_weights": loss_weights if settings else [1, 0.5]})
        x, y = (XS[inputs], YS[outputs]) if settings else (XS[list], YS[list])
        given = {"epochs": 2, "batch_size": 8, "validation_split": 0.2, "sample_weight": WEIGHT}
        history = trained(model, x, y, **given).history
        results.append((model.get_weights(), history, model.predict(x)))
    assert arrays_equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]
    found = results[1][2]
    assert type(found) is outputs
    found = list(found.values()) if outputs is dict else found
    assert arrays_equal(results[0][2], found)


def test_batches_of_several_arrays_from_a_generator_train_as_the_arrays_do():
    def batches():
        for k in range(0, N, 8):
            rows = slice(k, k + 8)
            yield [LEFT[rows], RIGHT[rows]], {"kind": KIND[rows], "size": SIZE[rows]}, WEIGHT[rows]

    a, b = compiled(), compiled()
    by_arrays = a.fit(
        XS[list], YS[list], batch_size=8, shuffle=False, sample_weight=WEIGHT, verbose=0
    )
    by_batches = b.fit(batches(), verbose=0)
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert by_arrays.history == by_batches.history
    assert arrays_equal(a.predict(XS[list]), b.predict(batches()))
    assert a.train_on_batch(XS[list], YS[dict]) == b.train_on_batch(XS[dict], YS[list])
    assert a.test_on_batch(XS[list], YS[dict]) == b.test_on_batch(XS[dict], YS[list])


def test_one_loss_does_for_all_outputs_and_an_output_may_have_none():
    model = compiled(loss="mse", metrics=None)
    targets = [np.eye(4)[KIND], SIZE]
    logs = model.evaluate(XS[list], targets, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["kind_loss"] + logs["size_loss"], rel=1e-6)
    model = compiled(loss=[None, "mse"], metrics=None)
    before = model.get_layer("kind").get_weights()
    history = model.fit(XS[list], YS[list], verbose=0).history
    assert list(history) == ["loss"]
    assert arrays_equal(before, model.get_layer("kind").get_weights())
    assert history["loss"][0] > compiled(model, loss=[None, "mse"]).evaluate(XS[list], YS[list])[0]


def test_the_loss_of_an_output_may_be_a_list_of_one():
    plain = compiled().evaluate(XS[list], YS[list])
    kind, size = LOSSES
    for outputs, loss in ((list, [kind, [size]]), (dict, {"kind": [kind], "size": (size,)})):
        model = compiled(wired(outputs=outputs), loss=loss)
        assert model.evaluate(XS[list], YS[outputs]) == plain
    keras.utils.set_random_seed(0)
    alone = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="out")])
    alone.compile("sgd", loss={"out": ["mse"]})
    error = np.mean((alone.predict(LEFT) - SIZE) ** 2)
    assert alone.evaluate(LEFT, SIZE) == pytest.approx(error, rel=1e-5)


def test_a_dict_of_outputs_may_have_losses_for_some():
    model = compiled(
        wired(outputs=dict), loss={"size": "mse"}, loss_weights={"size": 3}, metrics=None
    )
    error = np.mean((model.predict(XS[list])["size"] - SIZE) ** 2)
    for y in (YS[dict], {"size": SIZE}):
        assert model.evaluate(XS[list], y) == pytest.approx(3 * error, rel=1e-5)
    for loss in ({"size": "mse", "sizes": "mse"}, {}):
        with pytest.raises(ValueError, match="loss: expected the outputs kind, size as keys"):
            compiled(model, loss=loss)


def test_a_dict_within_a_dict_of_outputs_may_have_losses_for_some():
    a = keras.Input((3,))
    one, two, three = (layers.Dense(2)(a) for _ in range(3))
    model = keras.Model(a, {"first": {"one": one, "two": two}, "pair": [two, three]})
    model.compile("sgd", loss={"first": {"two": "mse"}}, metrics={"first": {"one": "mae"}})
    y = {"first": {"one": SIZE, "two": -SIZE}, "pair": [SIZE, SIZE]}
    logs, found = model.evaluate(LEFT, y, return_dict=True), model.predict(LEFT)["first"]
    assert list(logs) == ["loss", "first/one_mae"]
    expected = [np.mean((found["two"] + SIZE) ** 2), np.mean(np.abs(found["one"] - SIZE))]
    assert list(logs.values()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [list, dict])
def test_subclass_with_several_outputs_is_known_from_its_first_batch(kind):
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.kind, self.size = layers.Dense(4, "softmax"), layers.Dense(2)

        def call(self, inputs):
            both = layers.concatenate(inputs)
            found = [self.kind(both), self.size(both)]
            return found if kind is list else dict(zip(("kind", "size"), found))

    keras.utils.set_random_seed(0)
    model = compiled(Two())
    history = model.fit(XS[list], YS[kind], epochs=2, verbose=0).history
    names = ["output_1", "output_2"] if kind is list else ["kind", "size"]
    assert list(history) == [
        "loss",
        *(f"{name}_loss" for name in names),
        f"{names[0]}_accuracy",
        f"{names[1]}_mse",
    ]
    assert history["loss"][1] < history["loss"][0]


def test_the_only_output_in_a_list_is_as_an_output_alone():
    keras.utils.set_random_seed(0)
    a = keras.Input((3,))
    dense = layers.Dense(2)
    alone, listed = keras.Model(a, dense(a)), keras.Model([a], [dense(a)])
    logs = []
    for model, x, y in ((alone, LEFT, SIZE), (listed, [LEFT], [SIZE]), (listed, LEFT, SIZE)):
        model.compile("sgd", ["mse"], metrics=["mse"])
        logs.append(model.evaluate(x, y, return_dict=True))
    assert logs[0] == logs[1] == logs[2] and list(logs[0]) == ["loss", "mse"]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"loss": ["mse"] * 3}, "loss: expected a list of one entry for each of the outputs kind"),
        ({"loss": {"kind": "mse"}}, "loss: expected the outputs kind, size as keys, got kind"),
        (
            {"loss": ["mse", {"a": "mse"}]},
            "loss: expected a loss, .* of the output 'size'",
        ),
        ({"loss": {"a": "mse", "b": "mse"}}, "expected the outputs kind, size as keys, got a, b"),
        (
            {"metrics": ["accuracy"]},
            "metrics: expected a list of one entry for each of the outputs",
        ),
        ({"loss_weights": 0.5}, "loss_weights: expected a list of one entry for each"),
        ({"loss_weights": {"kinds": 1}}, "loss_weights: expected the outputs kind, size as keys"),
    ],
)
def test_settings_that_do_not_fit_the_outputs_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        compiled(**settings)


@pytest.mark.parametrize(
    "x, y, given, message",
    [
        ([LEFT, RIGHT], KIND, {}, "y: expected one entry for each of the outputs kind, size, got "),
        ([LEFT, RIGHT], [KIND], {}, "y: expected one entry for each .* got 1 entries"),
        (
            [LEFT, RIGHT],
            {"kind": KIND, "x": SIZE},
            {},
            "y: expected entries for the outputs kind, size, got kind, x",
        ),
        ([LEFT, RIGHT], [KIND + 9, SIZE], {}, r"y: expected labels in \[0, 4\)"),
        ([LEFT, RIGHT[:9]], [KIND, SIZE], {}, r"x\[1\]: expected 30 samples, as many as x has"),
        ([LEFT, RIGHT], [KIND, SIZE[:9]], {}, r"y\[1\]: expected 30 samples, as many as x has"),
        ([LEFT, RIGHT * np.nan], [KIND, SIZE], {}, r"x\[1\]: expected finite values"),
        ([LEFT, RIGHT], [KIND, SIZE], {"class_weight": {0: 2}}, "class_weight: expected the targ"),
        (
            [LEFT, RIGHT],
            [KIND, SIZE],
            {"sample_weight": [WEIGHT] * 3},
            "sample_weight: expected one entry for each of the outputs kind, size, got 3 entries",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused_before_any_work(x, y, given, message):
    model = compiled()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0, **given)
    assert arrays_equal(before, model.get_weights())


def test_training_equals_kerass(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"))
    peer = pytest.importorskip("keras", exc_type=ImportError)
    left, right = peer.Input((3,), name="left"), peer.Input((2,), name="right")
    both = peer.layers.Dense(6, activation="tanh")(peer.layers.concatenate([left, right]))
    outputs = [
        peer.layers.Dense(4, "softmax", name="kind")(both),
        peer.layers.Dense(2, name="size")(both),
    ]
    theirs, ours = peer.Model([left, right], outputs), wired()
    theirs.set_weights(ours.get_weights())
    results = []
    for model in (ours, theirs):
        compiled(model, loss_weights=[1, 0.5], weighted_metrics=[None, ["mse"]])
        data = {"sample_weight": [WEIGHT, WEIGHT[::-1].copy()], "validation_split": 0.2}
        history = model.fit(
            XS[list], YS[list], epochs=3, batch_size=8, shuffle=False, verbose=0, **data
        ).history
        results.append((history, model.get_weights(), model.evaluate(*XS_YS, verbose=0)))
    (a, weights, figures), (b, their_weights, their_figures) = results
    assert sorted(a) == sorted(b)
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=2e-5)
    np.testing.assert_allclose(figures, their_figures, rtol=2e-5)
    for w, v in zip(weights, their_weights):
        np.testing.assert_allclose(w, v, rtol=1e-4, atol=1e-6)


XS_YS = (XS[list], YS[list])


def test_metrics_in_the_place_of_loss_weights_are_an_error_that_says_so():
    model = keras.Sequential([layers.Dense(1, input_shape=(2,))])
    with pytest.raises(TypeError, match=r"loss_weights: expected a number.*metrics=\["):
        model.compile("sgd", "mse", ["mae"])


def nested(kind):
    """A model whose outputs are nested, and data for it."""
    inputs = keras.Input((3,))
    first, second = layers.Dense(2, name="first")(inputs), layers.Dense(1, name="second")(inputs)
    third = layers.Dense(4, "softmax", name="third")(inputs)
    if kind is dict:
        model = keras.Model(inputs, {"a": {"x": first, "y": second}, "b": third})
        return model, lambda x, y, b: {"a": {"x": x, "y": y}, "b": b}
    return keras.Model(inputs, [[first, second], third]), lambda x, y, b: ((x, y), b)


@pytest.mark.parametrize("kind", [dict, list])
def test_losses_and_targets_may_be_nested_as_the_outputs_are(kind):
    model, like = nested(kind)
    losses = like("mse", "mae", "sparse_categorical_crossentropy")
    model.compile("sgd", losses, like(1.0, 2.0, 3.0), metrics=like(["mae"], None, ["accuracy"]))
    y = like(SIZE, SIZE[:, :1], KIND)
    logs = model.evaluate(LEFT, y, return_dict=True)
    names = ["a/x", "a/y", "b"] if kind is dict else ["first", "second", "third"]
    assert list(logs) == [
        "loss",
        *(f"{name}_loss" for name in names),
        f"{names[0]}_mae",
        f"{names[2]}_accuracy",
    ]
    found = model.predict(LEFT)
    x_, y_, b_ = (*found["a"].values(), found["b"]) if kind is dict else (*found[0], found[1])
    expected = [
        np.mean((x_ - SIZE) ** 2),
        np.mean(abs(y_ - SIZE[:, :1])),
        -np.mean(np.log(b_[np.arange(len(KIND)), KIND])),
    ]
    np.testing.assert_allclose([logs[f"{n}_loss"] for n in names], expected, rtol=1e-5)
    assert logs["loss"] == pytest.approx(np.dot([1, 2, 3], expected), rel=1e-5)
    history = model.fit(LEFT, y, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    flat = model.evaluate(LEFT, [SIZE, SIZE[:, :1], KIND], return_dict=True)
    assert flat == model.evaluate(LEFT, y, return_dict=True)


def test_targets_may_be_given_only_for_outputs_that_have_a_loss_or_a_metric():
    inputs = keras.Input((3,))
    outputs = [layers.Dense(2, name=name)(inputs) for name in ("a", "b", "c")]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", ["mse", None, None], metrics=[None, None, "mae"])
    whole = model.evaluate(LEFT, [SIZE, SIZE, SIZE])
    assert model.evaluate(LEFT, (SIZE, SIZE)) == whole
    assert model.evaluate(LEFT, {"a": SIZE, "c": SIZE}) == whole
    assert model.evaluate(LEFT, [SIZE, None, SIZE]) == whole
    with pytest.raises(ValueError, match="y: expected entries for the outputs a, b, c, got a"):
        model.fit(LEFT, {"a": SIZE}, verbose=0)
    with pytest.raises(ValueError, match=r"y: .*targets for the metric 'mae' of the output 'c'"):
        model.fit(LEFT, [SIZE, None, None], verbose=0)
    model.compile("sgd", ["mse", None, None])
    assert model.evaluate(LEFT, SIZE) == pytest.approx(whole[0])
    model, _ = nested(dict)
    model.compile("sgd", {"a": {"x": "mse", "y": None}, "b": None})
    expected = np.mean((model.predict(LEFT)["a"]["x"] - SIZE) ** 2)
    assert model.evaluate(LEFT, {"a": {"x": SIZE}}) == pytest.approx(expected, rel=1e-5)


def test_the_only_target_may_come_in_a_tuple_or_under_the_name_of_its_output():
    model = keras.Sequential([layers.Dense(2, input_shape=(3,), name="out")])
    model.compile("sgd", {"out": "mse"}, {"out": 2.0}, metrics={"out": ["mae"]})
    alone = model.evaluate(LEFT, SIZE)
    assert alone[0] == pytest.approx(2 * np.mean((model.predict(LEFT) - SIZE) ** 2), rel=1e-5)
    assert model.evaluate(LEFT, (SIZE,)) == model.evaluate(LEFT, {"out": SIZE}) == alone
    assert model.evaluate([(LEFT, (SIZE,))].__iter__()) == alone


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize(
    "what, settings",
    [
        ("loss", {"loss": {"nonsense": "mse"}}),
        ("loss_weights", {"loss_weights": {"nonsense": 5.0}}),
        ("metrics", {"metrics": {"nonsense": ["mae"]}}),
        ("y", {}),
    ],
)
def test_a_name_that_no_output_has_is_an_error_also_for_a_single_output(what, settings, built):
    model = keras.Sequential([layers.Dense(2, **({"input_shape": (3,)} if built else {}))])
    message = f"{what}: expected the output 'dense' as the only key, got 'nonsense'"
    with pytest.raises(ValueError, match=message):
        model.compile("sgd", **{"loss": "mse", **settings})
        model.fit(LEFT, {"nonsense": SIZE} if what == "y" else SIZE, verbose=0)
