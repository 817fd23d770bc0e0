"""Files of the format `.keras`: what comes back, what Keras wrote and reads, what is refused."""

import io
import json
import os
import pathlib
import sys
import zipfile

import models_saved
import numpy as np
import pytest
from models_saved import assert_equal

import nnlite
from nnlite import layers
from nnlite.models import load_model
from nnlite.saving import register_keras_serializable
from nnlite.tree import flatten

h5py = pytest.importorskip("h5py")


@pytest.fixture(params=models_saved.MODELS, ids=lambda make: make.__name__)
def fitted(request):
    nnlite.utils.set_random_seed(1)
    model, x, y = request.param()
    model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    return model, x, y


def small():
    model = nnlite.Sequential([layers.Dense(2, input_shape=(3,)), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def test_loaded_model_predicts_and_goes_on_with_the_same_bits(fitted, tmp_path):
    model, x, y = fitted
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert type(again) is type(model) and again.name == model.name
    assert_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert_equal(again.get_weights(), model.get_weights())
    assert [v.name.split("/")[-1] for v in again.trainable_weights] == [
        v.name.split("/")[-1] for v in model.trainable_weights
    ]
    histories = []
    for m in (model, again):
        nnlite.utils.set_random_seed(2)
        histories.append(m.fit(x, y, batch_size=5, epochs=3, verbose=0).history)
    assert histories[0] == histories[1]
    assert_equal(again.get_weights(), model.get_weights())
    assert_equal(
        [v.numpy() for v in again.optimizer.variables],
        [v.numpy() for v in model.optimizer.variables],
    )


def test_same_model_gives_the_same_bytes(fitted, tmp_path):
    model, _, _ = fitted
    model.save(tmp_path / "one.keras")
    load_model(tmp_path / "one.keras").save(tmp_path / "two.keras")
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()


def test_model_of_float64_stays_one(tmp_path):
    with nnlite.config.precision("float64"):
        model = small()
        model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert again.weights[0].dtype == "float64"
    x = np.random.default_rng(0).random((4, 3))
    assert_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_draws_of_the_process_are_as_without_loading(tmp_path):
    small().save(tmp_path / "m.keras")
    found = []
    for load in (False, True):
        nnlite.utils.set_random_seed(7)
        if load:
            load_model(tmp_path / "m.keras")
        found.append(small().get_weights())
    assert_equal(*found)


GOLDEN = ["branches", "cnn", "dicts", "frozen_base", "tokens"]


@pytest.mark.parametrize("name", GOLDEN)
def test_model_that_keras_saved_predicts_and_takes_the_same_next_step(name):
    models_saved.assert_golden(load_model(models_saved.golden_file(f"{name}.keras")), name)


@pytest.mark.parametrize("make", models_saved.OF_KERAS)
def test_keras_loads_what_nnlite_saved(make, tmp_path):
    keras = pytest.importorskip("keras")
    model, x, y = make()
    model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    theirs = keras.models.load_model(tmp_path / "model.keras")
    expected = model.predict(x, verbose=0)
    found = theirs.predict(x, verbose=0)
    for one, other in zip(flatten(found), flatten(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for one, other in zip(theirs.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), other.numpy())
    theirs.save(tmp_path / "back.keras")
    again = load_model(tmp_path / "back.keras")
    assert_equal(again.predict(x, verbose=0), expected)


# What is refused


def refused(path, words, error=ValueError, **settings):
    with pytest.raises(error, match=words) as caught:
        load_model(path, **settings)
    assert str(path) in str(caught.value)


def changed(path, **members):
    """A copy of a file with other members; None leaves one out."""
    made = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            content = members.get(name.replace(".", "_"), old.read(name))
            if content is not None:
                new.writestr(name, content)
    return made


def with_config(path, change):
    """A copy of a file whose config was changed."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    change(config)
    return changed(path, config_json=json.dumps(config))


@pytest.fixture
def saved(tmp_path):
    small().save(tmp_path / "m.keras")
    return tmp_path / "m.keras"


def test_wrong_names_and_files_are_refused_with_the_reason(tmp_path):
    with pytest.raises(ValueError, match=r"filepath: expected a name that ends in \.keras or"):
        small().save(tmp_path / "model.xyz")
    with pytest.raises(TypeError, match="filepath: expected a path, got 3"):
        load_model(3)
    refused(tmp_path / "none.keras", "expected a file", FileNotFoundError)
    (tmp_path / "text.keras").write_text("no archive")
    refused(tmp_path / "text.keras", "expected a whole .keras file")
    with pytest.raises(ValueError, match="no weights to save: build the model first"):
        nnlite.Sequential([layers.Dense(1)]).save(tmp_path / "m.keras")
    assert os.listdir(tmp_path) == ["text.keras"]


def test_older_file_stays_whole_if_writing_fails(saved, monkeypatch):
    before = saved.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=False"):
        small().save(saved, overwrite=False)
    model = nnlite.Sequential([layers.Activation(lambda x: x + 1, input_shape=(2,))])
    with pytest.raises(TypeError, match=r"Activation: .*expected a function with a name"):
        model.save(saved)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*m\.keras"):
        small().save(saved)
    assert saved.read_bytes() == before and os.listdir(saved.parent) == [saved.name]


def test_without_h5py_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "nnlite\[files\]"'):
        small().save(tmp_path / "m.keras")
    assert os.listdir(tmp_path) == []


def test_missing_and_broken_members_are_refused(saved):
    refused(changed(saved, config_json=None), "expected a member 'config.json', got metadata.json")
    refused(changed(saved, model_weights_h5=None), "expected a member 'model.weights.h5'")
    refused(changed(saved, model_weights_h5=bytes(5000)), "whole HDF5 file")
    refused(changed(saved, config_json=b"{"), "config.json: expected JSON")
    refused(changed(saved, config_json=b"[1]"), "config.json: expected a dict")
    refused(changed(saved, config_json=b"[" * 10**6), "config.json: expected a config of at most")


def test_file_cut_anywhere_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    for size in np.random.default_rng(0).integers(0, len(whole), 50):
        (tmp_path / "cut.keras").write_bytes(whole[:size])
        refused(tmp_path / "cut.keras", "expected a whole .keras file")


def small_weights(path):
    return load_model(path).get_weights()[0].tobytes()


def test_a_changed_bit_of_the_weights_is_found(saved, tmp_path):
    whole = bytearray(saved.read_bytes())
    whole[whole.index(small_weights(saved))] ^= 1
    (tmp_path / "bit.keras").write_bytes(whole)
    refused(tmp_path / "bit.keras", "Bad CRC-32")


def test_classes_and_code_that_nobody_knows_are_refused(saved):
    def other(**entries):
        return lambda config: config["config"]["layers"][1].update(entries)

    refused(
        with_config(saved, other(class_name="Dance", module="keras.layers")), "'Dance': expected a"
    )
    refused(
        with_config(saved, other(class_name="system", module="os")), "'system': expected a class"
    )
    refused(with_config(saved, other(class_name="get_file", module="nnlite.utils")), "'get_file'")
    for name, module in (
        ("load_model", "keras.models"),
        ("get", "losses"),
        ("add", "keras.layers"),
    ):
        function = {"class_name": "function", "config": name, "module": f"keras.{module}"}
        settings = {"units": 2, "activation": function}
        refused(
            with_config(saved, other(config=settings)), f"'{name}': expected a class or function"
        )
    code = {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}}
    activation = {"units": 2, "activation": code}
    refused(with_config(saved, other(config=activation)), "never runs code from a file")
    refused(with_config(saved, other(config=activation)), "never runs code", safe_mode=False)


def test_more_weights_than_the_file_holds_are_refused_before_there_is_memory_for_them(saved):
    def large(config):
        config["config"]["layers"][1]["config"]["units"] = 10**9

    refused(with_config(saved, large), "expected no more weights than the file holds")


def test_weights_of_another_shape_and_missing_ones_are_refused(saved):
    def wider(config):
        config["config"]["layers"][2]["config"]["units"] = 2

    refused(with_config(saved, wider), r"layers/dense_1/vars/0: expected shape \(2, 2\)")

    def longer(config):
        config["config"]["layers"].append(config["config"]["layers"][2] | {"config": {"units": 1}})

    refused(with_config(saved, longer), "layers/dense_2/vars/0: expected the values of")


def test_links_out_of_the_file_are_not_followed(saved, tmp_path):
    with zipfile.ZipFile(saved) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    (tmp_path / "secret.bin").write_bytes(bytes(24))
    with h5py.File(content, "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink("other.h5", "x")
    refused(changed(saved, model_weights_h5=content.getvalue()), "expected no links in the file")
    with h5py.File(content, "a") as file:
        del file["layers/dense/vars/0"]
        file.create_dataset(
            "layers/dense/vars/0", (3, 2), "f4", external=[(str(tmp_path / "secret.bin"), 0, 24)]
        )
    refused(changed(saved, model_weights_h5=content.getvalue()), "expected numbers in this file")


def test_loaded_without_compiling_has_no_optimizer(saved):
    model = load_model(saved, compile=False)
    assert model.optimizer is None
    with pytest.raises(RuntimeError, match="compile"):
        model.fit(np.ones((2, 3)), np.ones((2, 1)))


@register_keras_serializable("tests")
class WithIdleWeights(layers.Layer):
    """A layer with a trainable weight that nothing depends on, before and after one in use."""

    def build(self, input_shape):
        self.idle = [self.add_weight((), "ones")]
        self.kernel = self.add_weight((input_shape[-1], 1))
        self.named = {"idle": self.add_weight((2,), "ones")}

    def call(self, x):
        return x @ self.kernel


@pytest.mark.filterwarnings("ignore:Adam. no gradient")
def test_optimizer_goes_on_where_some_weights_have_no_gradient(tmp_path):
    model = nnlite.Sequential([layers.Input((3,)), WithIdleWeights()])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).random((6, 3)).astype("float32")
    model.fit(x, x[:, :1], verbose=0)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert len(again.optimizer.variables) == 2 + 2 * 3  # as many as Keras has
    for m in (model, again):
        m.fit(x, x[:, :1], verbose=0)
    assert_equal(again.get_weights(), model.get_weights())
    assert again.optimizer.iterations.numpy() == 2


def test_files_of_layers_stay_in_their_folder_and_are_as_large_as_they_seem(tmp_path):
    models_saved.saving_itself().save(tmp_path / "m.keras")
    start = "assets/layers/saves_itself"
    for name in (f"{start}/../out.txt", f"{start}//etc/out.txt", f"{start}/a\\..\\out.txt"):
        path = changed(tmp_path / "m.keras")
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, b"x")
        refused(path, "expected a name within the folder of a layer")
    assert not pathlib.Path("/etc/out.txt").exists()
    path = changed(tmp_path / "m.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{start}/inner/words.txt/more", b"x")
    refused(path, "words.txt/more: expected a file within the folder of a layer")
    path = changed(tmp_path / "m.keras")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{start}/zeros", bytes(1 << 20))
    refused(path, r"zeros: expected at most 100 times the bytes")


@register_keras_serializable("tests")
class BuiltApart(layers.Layer):
    """A layer whose weights are made by what only its own build config says."""

    def fill(self, n):
        self.n, self.kernel = n, self.add_weight((n,), "uniform", name="kernel")

    def get_build_config(self):
        return {**super().get_build_config(), "n": self.n}

    def build_from_config(self, config):
        self.fill(config["n"])
        super().build_from_config(config)

    def call(self, x):
        return x * self.kernel[0]


def test_build_config_of_ones_own_layer_is_written_and_read(tmp_path):
    layer = BuiltApart()
    layer.fill(4)
    model = nnlite.Sequential([layers.Input((3,)), layer, layers.Dense(2)])
    assert layer.get_build_config() == {"input_shape": (None, 3), "n": 4}
    assert model.layers[1].get_build_config() == {"input_shape": (None, 3)}
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert_equal(again.get_weights(), model.get_weights())
    other = layers.Dense(2)
    assert other.get_build_config() is None
    other.build_from_config({"input_shape": [None, 5]})
    assert other.kernel.shape == (5, 2)


def test_a_list_that_contains_itself_is_gone_through_once(tmp_path):
    class Circular(nnlite.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.parts = [layers.Dense(2)]
            self.parts.append(self.parts)
            self.same = {"parts": self.parts}

        def call(self, x):
            return self.parts[0](x)

    model = Circular()
    x = np.ones((1, 3), "float32")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras", {"Circular": Circular})
    assert_equal(again.predict(x, verbose=0), expected)
