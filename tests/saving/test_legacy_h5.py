"""Whole models in files `.h5`: what comes back, what Keras 3 wrote and reads, what is refused."""

import inspect
import json
import os

import models_saved
import numpy as np
import pytest
from models_saved import assert_equal, golden_file, state

import nnlite
from nnlite import layers, losses, optimizers
from nnlite.configurable import snake_case
from nnlite.models import load_model
from nnlite.tree import flatten

h5py = pytest.importorskip("h5py")


@pytest.fixture(params=models_saved.MODELS, ids=lambda make: make.__name__)
def fitted(request):
    nnlite.utils.set_random_seed(1)
    model, x, y = request.param()
    model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    return model, x, y


@pytest.mark.parametrize("ending", [".h5", ".hdf5"])
def test_loaded_model_predicts_and_goes_on_with_the_same_bits(fitted, ending, tmp_path):
    model, x, y = fitted
    model.save(tmp_path / f"m{ending}")
    again = load_model(tmp_path / f"m{ending}")
    assert type(again) is type(model) and again.name == model.name
    assert_equal(state(again), state(model))
    models_saved.assert_goes_on_alike([model, again], x, y)


def test_same_model_gives_the_same_bytes(fitted, tmp_path):
    model, _, _ = fitted
    model.save(tmp_path / "one.h5")
    load_model(tmp_path / "one.h5").save(tmp_path / "two.h5")
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_model_of_float64_and_one_without_an_optimizer_come_back(tmp_path):
    with nnlite.config.precision("float64"):
        model = nnlite.Sequential([layers.Dense(2, input_shape=(3,))])
        model.compile(None, "mae")
        model.save(tmp_path / "m.h5")
    again = load_model(tmp_path / "m.h5")
    x = np.random.default_rng(0).random((4, 3))
    assert again.weights[0].dtype == "float64" and again.optimizer is None
    assert_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.evaluate(x, x[:, :2], verbose=0) == model.evaluate(x, x[:, :2], verbose=0)
    assert load_model(tmp_path / "m.h5", compile=False).loss is None
    bare = nnlite.Sequential([layers.Dense(2, input_shape=(3,))])
    bare.save(tmp_path / "bare.h5")
    assert_equal(load_model(tmp_path / "bare.h5").get_weights(), bare.get_weights())


def test_state_of_the_optimizer_can_be_left_out(tmp_path):
    model, x, y = models_saved.frozen_base()
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.h5", include_optimizer=False)
    again = load_model(tmp_path / "m.h5")
    assert isinstance(again.optimizer, optimizers.AdamW) and not again.optimizer.built


def test_long_configs_and_many_layers_come_back(tmp_path):
    model = nnlite.Sequential([layers.Dense(2, input_shape=(2,)) for _ in range(300)])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert len(file.attrs["model_config"]) > 100_000
    assert_equal(load_model(tmp_path / "m.h5").get_weights(), model.get_weights())


# What a model was compiled with

OF_OTHER_SHAPES = ("ctc", "categorical_generalized_cross_entropy")
NAMES = [name for name in losses._NAMES if snake_case(name) not in OF_OTHER_SHAPES]


@pytest.mark.parametrize("loss", NAMES)
def test_each_loss_by_name_comes_back_and_goes_on_with_the_same_bits(loss, tmp_path):
    labels = any(part in loss.lower() for part in ("sparse", "circle"))
    x = np.random.default_rng(0).random((12, 3)).astype("float32")
    y = np.arange(12) % 4 if labels else np.eye(4, dtype="float32")[np.arange(12) % 4]
    model = nnlite.Sequential([layers.Dense(4, "softmax", input_shape=(3,))])
    model.compile("adam", loss, metrics=["accuracy", "mse"])
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.h5")
    again = load_model(tmp_path / "m.h5")
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    models_saved.assert_goes_on_alike([model, again], x, y)
    with h5py.File(tmp_path / "m.h5") as file:
        training = json.loads(file.attrs["training_config"])
    written = {"loss", "metrics", "loss_weights", "weighted_metrics", "optimizer_config"}
    assert written <= training.keys()
    assert training["loss"] in losses.__all__, "Keras knows no short names here"


@pytest.mark.parametrize(
    "loss",
    [
        ["mse", losses.Huber(0.3)],
        {"one": "mape", "two": losses.MeanSquaredError(reduction="sum")},
        {"one": None, "two": "mae"},
    ],
)
def test_structures_of_losses_and_metrics_come_back(loss, tmp_path):
    start = layers.Input((3,))
    outputs = [layers.Dense(2, name="one")(start), layers.Dense(1, name="two")(start)]
    model = nnlite.Model(start, outputs)
    metrics = {"two": ["mae", nnlite.metrics.RootMeanSquaredError()]}
    model.compile("sgd", loss, metrics=metrics, weighted_metrics={"two": ["mse"]})
    x = np.random.default_rng(0).random((12, 3)).astype("float32")
    model.fit(x, [x[:, :2], x[:, :1]], verbose=0)
    model.save(tmp_path / "m.h5")
    again = load_model(tmp_path / "m.h5")
    models_saved.assert_goes_on_alike([model, again], x, [x[:, :2], x[:, :1]])


def double_error(y_true, y_pred):
    return nnlite.ops.mean(2 * nnlite.ops.abs(y_true - y_pred), axis=-1)


def test_functions_of_ones_own_come_back_under_the_names_they_are_given(tmp_path):
    x = np.random.default_rng(0).random((12, 3)).astype("float32")
    own = {"twice": double_error}
    with nnlite.saving.custom_object_scope(own):
        model = nnlite.Sequential([layers.Dense(3, input_shape=(3,))])
        model.compile("sgd", "twice")
        model.save(tmp_path / "m.h5")
    refused(tmp_path / "m.h5", "unknown loss 'twice'")
    again = load_model(tmp_path / "m.h5", custom_objects=own)
    models_saved.assert_goes_on_alike([model, again], x, x)
    model.compile("sgd", double_error)
    model.save(tmp_path / "m.h5")
    again = load_model(tmp_path / "m.h5", custom_objects={"double_error": double_error})
    models_saved.assert_goes_on_alike([model, again], x, x)


# What Keras 3 wrote


@pytest.mark.parametrize("name", ["attention", "branches", "cnn", "frozen_base", "tokens"])
def test_model_that_keras_saved_predicts_and_takes_the_same_next_step(name):
    models_saved.assert_golden(load_model(golden_file(f"{name}.h5")), name)


# Keras itself


@pytest.mark.parametrize("make", models_saved.OF_KERAS)
def test_keras_loads_what_nnlite_saved(make, tmp_path):
    keras = pytest.importorskip("keras")
    from keras.src.legacy.saving import legacy_h5_format

    model, x, y = make()
    model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    model.save(tmp_path / "model.h5")
    expected = model.predict(x, verbose=0)
    theirs = keras.models.load_model(tmp_path / "model.h5")
    found = theirs.predict(x, verbose=0)
    for one, other_one in zip(flatten(found), flatten(expected), strict=True):
        np.testing.assert_allclose(one, other_one, rtol=1e-4, atol=1e-5)
    # Keras builds the optimizer of a file `.h5` without weights, and leaves its state there.
    optimizer = type(theirs.optimizer).from_config(theirs.optimizer.get_config())
    optimizer.build(theirs.trainable_variables)
    with h5py.File(tmp_path / "model.h5") as file:
        optimizer.set_weights(
            [np.asarray(v) for v in legacy_h5_format.load_optimizer_weights_from_hdf5_group(file)]
        )
    for one, other_one in zip(optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), other_one.numpy())
    theirs.optimizer = optimizer
    theirs.save(tmp_path / "back.h5")
    again = load_model(tmp_path / "back.h5")
    assert_equal(again.predict(x, verbose=0), expected)
    assert_equal(state(again), state(model))


KERAS_HAS_NOT = ("quantile", "pinball")


def test_keras_loads_each_loss_by_name(tmp_path):
    keras = pytest.importorskip("keras")
    for loss in NAMES:
        if loss.lower() in KERAS_HAS_NOT:
            continue
        model = nnlite.Sequential([layers.Dense(4, "softmax", input_shape=(3,))])
        model.compile("adam", loss, metrics=["accuracy", "mse"])
        model.save(tmp_path / "m.h5")
        assert keras.models.load_model(tmp_path / "m.h5").compiled


# What is refused


def refused(path, words, **settings):
    with pytest.raises(ValueError, match=words) as caught:
        load_model(path, **settings)
    assert str(path) in str(caught.value)


@pytest.fixture
def saved(tmp_path):
    model = nnlite.Sequential([layers.Dense(2, input_shape=(3,)), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "m.h5")
    return tmp_path / "m.h5"


def with_config(path, change, attribute="model_config"):
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs[attribute])
        change(config)
        file.attrs[attribute] = json.dumps(config)


def test_file_cut_anywhere_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    for size in np.random.default_rng(0).integers(0, len(whole), 30):
        (tmp_path / "cut.h5").write_bytes(whole[:size])
        refused(tmp_path / "cut.h5", "expected a whole HDF5 file")


def test_configs_that_are_none_are_refused(saved):
    for text, words in (
        (None, "expected a whole model"),
        ("{", "model_config: expected JSON"),
        ("[1]", "model_config: expected a dict"),
        ("{}", "expected a layer, a dict with class_name and config"),
        ('{"class_name": "Model", "config": 3}', "config: expected a dict, got 3"),
        ('{"class_name": "Dense", "config": {"units": 2}}', "expected the config of a model"),
        ('{"class_name": "Model", "config": {"layers": [3]}}', "expected a layer, a dict"),
        (3, "model_config: expected text, got"),
        ("[" * 10**6, "expected a config of at most"),
    ):
        with h5py.File(saved, "a") as file:
            del file.attrs["model_config"]
            if text is not None:
                file.attrs["model_config"] = text
            else:
                file.attrs["other"] = 1
        refused(saved, words)
        with h5py.File(saved, "a") as file:
            file.attrs["model_config"] = ""


def test_classes_and_code_that_nobody_knows_are_refused(saved):
    def older(name, /, **config):
        def change(whole):
            whole["config"]["layers"][1] = {"class_name": name, "config": config}

        return change

    with_config(saved, older("Dance", name="d", trainable=True))
    refused(saved, "'Dance': expected a class")
    code = {"function_type": "lambda", "function": ["4wEA", None, None]}
    with_config(saved, older("Lambda", name="d", trainable=True, **code))
    refused(saved, "code of a lambda: nnlite never runs code from a file")
    with_config(saved, older("Dense", units=10**9, trainable=True))
    refused(saved, "expected no more weights than the file holds")


def test_layers_and_weights_that_do_not_fit_are_refused(saved):
    with_config(saved, lambda config: config["config"]["layers"].pop())
    refused(saved, "expected 1 layers with weights, got 2: dense, dense_1")


def test_links_are_not_followed(saved):
    with h5py.File(saved, "a") as file:
        del file["model_weights/dense"]
        file["model_weights/dense"] = h5py.ExternalLink("other.h5", "x")
    refused(saved, "expected no links in the file, got one at 'dense'")
    with h5py.File(saved, "a") as file:
        del file["model_weights"]
        file["model_weights"] = h5py.SoftLink("/optimizer_weights")
    refused(saved, "expected no links in the file, got one at 'model_weights'")


# The blocks of tutorials

BLOCKS = [
    """
model.save('my_model.h5')
new_model = tf.keras.models.load_model('my_model.h5')
predictions = new_model.predict(x_test)
import numpy as np
predicted_labels = np.argmax(predictions, axis=1)
""",
    """
model.save('my_model.h5')
from nnlite.keras.models import load_model
loaded_model = load_model('my_model.h5')
""",
    """
model.save('my_model.h5')
model = tf.keras.models.load_model("my_model.h5")
""",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_that_save_and_load_a_model_run(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, x, _ = models_saved.convnet()
    known = {"model": model, "tf": nnlite, "x_test": x}
    exec(inspect.cleandoc(block), known)
    loaded = known.get("new_model") or known.get("loaded_model") or known["model"]
    assert loaded is not model
    assert_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert os.listdir(tmp_path) == ["my_model.h5"]
