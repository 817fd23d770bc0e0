"""Layers that save more than their Variables, by `save_own_variables` and `save_assets`."""

import io
import re
import warnings
import zipfile

import models_saved
import numpy as np
import pytest
from models_saved import assert_equal

import nnlite
from nnlite import layers
from nnlite.models import load_model
from nnlite.saving import register_keras_serializable

h5py = pytest.importorskip("h5py")


def test_layer_of_ones_own_saves_arrays_and_files_as_in_keras(tmp_path):
    model, path = models_saved.saving_itself(), tmp_path / "m.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("assets/layers/saves_itself/inner/words.txt") == b"one two"
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            assert set(file["layers/saves_itself/vars"]) == {"0", "1", "counts"}
    again = load_model(path)
    assert_equal(again.get_weights(), model.get_weights())
    assert again.layers[1].words == "one two"
    assert_equal(again.layers[1].counts, np.arange(3.0))


@register_keras_serializable("tests")
class TakesTwice(layers.Dense):
    """A layer that reads in its own way what was written as of any layer."""

    def load_own_variables(self, store):
        super().load_own_variables({name: 2 * values for name, values in store.items()})


def test_layer_that_only_reads_in_its_own_way_is_asked(tmp_path):
    model = nnlite.Sequential([layers.Input((3,)), TakesTwice(2)])
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert_equal(again.get_weights(), [2 * w for w in model.get_weights()])
    store = {}
    model.layers[0].save_own_variables(store)
    with pytest.raises(ValueError, match="layer 'takes_twice': expected 2 arrays, got 0, 1, 2"):
        model.layers[0].load_own_variables({**store, "2": np.zeros(1)})


def backup(model, folder):
    model.compile("sgd", "mse")
    watch = [nnlite.callbacks.BackupAndRestore(folder)]
    x, y = np.ones((2, *model.input_shape[1:])), np.ones((2, 2))
    model.fit(x, y, verbose=0, epochs=3, callbacks=watch)


@pytest.mark.parametrize(
    ("where", "write"),
    {
        "a file .safetensors": lambda model, folder: model.save(folder / "m.safetensors"),
        "a file .h5": lambda model, folder: model.save_weights(folder / "m.h5"),
        "a backup": backup,
    }.items(),
)
def test_what_holds_variables_alone_names_the_layers_that_save_more(where, write, tmp_path):
    model = models_saved.saving_itself()
    model.add(models_saved.SavesItself(2, name="other"))
    with pytest.warns(UserWarning, match=re.escape(where)) as caught:
        write(model, tmp_path)
    assert len(caught) == 1
    assert "'saves_itself', 'other' saves by save_own_variables" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(models_saved.own_names()[0], tmp_path)  # whose arrays are its Variables
