"""Precisions as policies, limits of epochs and how progress is shown: names of `config`, `utils`,
`dtype_policies` and `mixed_precision`."""

import numpy as np
import pytest

import nnlite
from nnlite import config, keras, layers

X, Y = np.ones((40, 3), "float32"), np.ones((40, 1), "float32")


@pytest.fixture
def restored():
    yield
    config.set_floatx("float32")
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(None)
    config.enable_interactive_logging()


def model(**settings):
    model = nnlite.Sequential([layers.Dense(1, **settings)])
    model.compile("sgd", "mse")
    return model


# Precisions


@pytest.mark.parametrize(
    "set_policy",
    [
        lambda: keras.mixed_precision.set_global_policy("float64"),
        lambda: keras.config.set_dtype_policy(keras.DTypePolicy("float64")),
        lambda: config.set_floatx("float64"),
    ],
    ids=["mixed_precision", "config", "floatx"],
)
def test_a_policy_is_the_precision_of_what_follows(restored, set_policy):
    set_policy()
    layer = layers.Dense(2, dtype=keras.mixed_precision.global_policy())
    assert layer(X).dtype == layer.kernel.dtype == "float64"
    assert layer.dtype_policy == config.dtype_policy() == keras.DTypePolicy("float64")
    assert layer.get_config()["dtype"] == "float64"


OTHERS = "mixed_float16 mixed_bfloat16 float16 bfloat16 int8_from_float32 float8_from_float32"


@pytest.mark.parametrize("name", OTHERS.split())
def test_other_precisions_are_refused_and_what_there_is_is_named(name):
    words = f"expected 'float32' or 'float64', got '{name}'"
    with pytest.raises(ValueError, match=words):
        keras.mixed_precision.set_global_policy(name)
    with pytest.raises(ValueError, match=words):
        keras.DTypePolicy(name)
    with pytest.raises(ValueError, match=f"Dense: dtype: {words}"):
        layers.Dense(3, dtype=name)
    assert config.floatx() == "float32"


@pytest.mark.parametrize("name", ["half", "flaot32", "complex64"])
def test_a_layer_refuses_what_is_no_type_or_none_of_tensors(name):
    with pytest.raises(ValueError, match=f"Dense: dtype: expected 'float32' .* got '{name}'"):
        layers.Dense(3, dtype=name)


def test_a_layer_is_not_built_in_another_precision_than_it_was_told(restored):
    layer = layers.Dense(2, dtype="float64")
    with pytest.raises(ValueError, match=r"dtype: expected 'float32', .* got 'float64'; .*set_flo"):
        layer(X)
    assert not layer.built
    with pytest.raises(ValueError, match=r"dtype: expected 'float32', .* got 'float64'"):
        layers.Dense(2, dtype="double")(X)
    config.set_floatx("float64")
    assert layer(X).dtype == "float64"


@pytest.mark.parametrize("named", ["mixed_float16", "bfloat16"])
def test_what_others_computed_in_fewer_digits_is_computed_in_float32(named):
    policy = {"class_name": "DTypePolicy", "config": {"name": named}}
    for dtype in (named, policy, {**policy, "class_name": "Policy"}):
        config = {"class_name": "Dense", "config": {"units": 2, "dtype": dtype}}
        assert keras.layers.deserialize(config)(X).dtype == "float32"


def test_policies_are_dicts_as_keras_writes_them():
    made = keras.dtype_policies.serialize(keras.DTypePolicy("float64"))
    assert made == {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float64"},
        "registered_name": None,
    }
    assert keras.dtype_policies.deserialize(made) == keras.DTypePolicy("float64")
    assert hash(keras.DTypePolicy()) == hash(keras.DTypePolicy("float32"))


# Limits


def test_limits_hold_in_fit_evaluate_and_predict(restored):
    batches = []
    count = nnlite.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batches.append(batch),
        on_test_batch_end=lambda batch, logs: batches.append(batch),
    )
    config.set_max_epochs(2)
    config.set_max_steps_per_epoch(3)
    assert (config.max_epochs(), config.max_steps_per_epoch()) == (2, 3)
    net = model()
    assert len(net.fit(X, Y, 8, 4, verbose=0, callbacks=count).history["loss"]) == 2
    net.evaluate(X, Y, 8, verbose=0, callbacks=[count])
    assert batches == [0, 1, 2] * 3
    assert net.predict(X, 8).shape == (24, 1)
    predicted = net.predict(X)  # 40 rows: two batches of 32
    config.set_max_steps_per_epoch(1)
    np.testing.assert_array_equal(net.predict(X), predicted[:32])
    assert net.predict_on_batch(X).shape == (40, 1)
    for bad in (0, 1.5, True, "2"):
        with pytest.raises(ValueError, match="set_max_epochs: expected an integer of at least 1"):
            config.set_max_epochs(bad)


def test_an_estimator_predicts_all_rows_whatever_the_limit_is(restored):
    config.set_max_epochs(1)
    config.set_max_steps_per_epoch(1)
    rows, labels = np.random.default_rng(0).normal(size=(200, 3)), np.arange(200) % 2
    for estimator in (
        nnlite.NNClassifier(ensemble=1, random_state=0),
        nnlite.neural_network.MLPClassifier((4,), max_iter=1, tol=1e9),
    ):
        assert estimator.fit(rows, labels).predict_proba(rows).shape == (200, 2)


# Progress


def test_without_interactive_logging_epochs_are_lines_of_a_log(restored, capsys, caplog):
    keras.utils.disable_interactive_logging()
    assert not keras.config.is_interactive_logging_enabled()
    with caplog.at_level("INFO", logger="nnlite"):
        model().fit(X, Y, epochs=2)
    assert [r.getMessage()[:18] for r in caplog.records] == [
        "Epoch 1/2 - loss: ",
        "Epoch 2/2 - loss: ",
    ]
    assert capsys.readouterr().out == ""
    keras.utils.enable_interactive_logging()
    model().fit(X, Y)
    assert " 2/2 " in capsys.readouterr().out


def test_progbar_shows_means_and_what_is_to_stay_as_it_is(capsys):
    for verbose, stateful, stateless, expected in (
        (1, None, None, "a: 2.0000 - b: 3.0000"),
        (1, ["a"], None, "a: 4.0000 - b: 3.0000"),
        (2, None, ["a"], "a: 2.0000 - b: 6.0000"),
    ):
        bar = keras.utils.Progbar(3, 20, verbose, 0.1, stateful, stateless)
        bar.update(2, [("a", 1.0), ("b", [1.0, 2.0])])
        assert capsys.readouterr().out == ""  # no terminal: the last state alone
        bar.add(1, [("a", 4.0), ("b", np.float32(6.0))])
        out = capsys.readouterr().out
        assert "3/3" in out and out.endswith(f"{expected}\n")
    keras.utils.Progbar(None, verbose=0).update(1, finalize=True)
    keras.utils.Progbar(0).update(0, finalize=True)
    assert "steps" in capsys.readouterr().out


def test_progbar_refuses_two_lists():
    with pytest.raises(ValueError, match="one of stateful_metrics and stateless_metrics, got both"):
        keras.utils.Progbar(3, stateful_metrics=[], stateless_metrics=[])
    with pytest.raises(ValueError, match="Progbar: verbose: expected"):
        keras.utils.Progbar(3, verbose=7)


# Types


def test_names_of_types_are_keras_names():
    names = {
        np.uint8: "uint8",
        "float": "float32",
        int: "int32",
        np.dtype("f8"): "float64",
        bool: "bool",
        str: "string",
    }
    assert {t: keras.utils.standardize_dtype(t) for t in names} == names
    assert keras.backend.is_float_dtype("float64") and not keras.backend.is_float_dtype(int)
    assert keras.backend.is_int_dtype(np.uint8) and not keras.backend.is_int_dtype("float32")
    with pytest.raises(ValueError, match=r"dtype: expected a type of numbers, .* got 'flaot'"):
        keras.backend.standardize_dtype("flaot")


def test_symbols_are_keras_tensors():
    symbol = keras.Input((3,))
    assert isinstance(symbol, keras.KerasTensor) and keras.utils.is_keras_tensor(symbol)
    assert not keras.backend.is_keras_tensor(nnlite.ones(3))


def test_blocks_and_decorators_of_tensorflow_change_nothing():
    @nnlite.function(jit_compile=True)
    def doubled(x):
        with nnlite.name_scope("doubling"), nnlite.device("/CPU:0"):
            return 2 * x

    assert doubled(nnlite.ones(2)).numpy().tolist() == [2, 2]
    assert keras.version() == nnlite.__version__
