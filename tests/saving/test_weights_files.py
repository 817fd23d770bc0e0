"""Files of weights: what comes back from each layout, what does not fit, what is refused."""

import os
import shutil
import sys

import models_saved
import numpy as np
import pytest
from models_saved import assert_equal, golden_file, state

import nnlite
from nnlite import layers
from nnlite.models import load_model
from nnlite.saving import hdf5
from nnlite.saving.weights_files import WEIGHTS_ENDINGS

h5py = pytest.importorskip("h5py")
H5 = [ending for ending in WEIGHTS_ENDINGS if ending.endswith(("h5", "hdf5"))]


def zeroed(model):
    """The model with weights, and values of its optimizer, of zeros."""
    for variable in (*model.weights, *model.optimizer.variables):
        variable.assign(np.zeros(variable.shape))
    return model


def net(units=4, names=("one", "two", "three"), seed=0):
    nnlite.utils.set_random_seed(seed)
    one, two, three = names
    model = nnlite.Sequential(
        [
            layers.Dense(units, "relu", input_shape=(3,), name=one),
            layers.BatchNormalization(name=two),
            layers.Dense(2, name=three),
        ]
    )
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("make", models_saved.MODELS)
@pytest.mark.parametrize("ending", H5)
def test_weights_come_back_with_the_same_bits(make, ending, tmp_path):
    model, x, y = make()
    model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    path = tmp_path / f"model{ending}"
    model.save_weights(path)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    if ending == ".weights.h5":
        zeroed(again)
    else:
        again.set_weights([np.zeros_like(w) for w in again.get_weights()])
    again.load_weights(path)
    models_saved.assert_goes_on_alike([model, again], x, y)


@pytest.mark.parametrize("name", ["attention", "branches", "cnn", "dicts", "frozen_base", "tokens"])
def test_weights_that_keras_saved_take_its_next_step(name):
    model = zeroed(load_model(golden_file(f"{name}.keras")))
    model.load_weights(golden_file(f"{name}.weights.h5"))
    models_saved.assert_golden(model, name)


@pytest.mark.parametrize("name", ["attention", "branches", "cnn", "frozen_base", "tokens"])
@pytest.mark.parametrize("by_name", [False, True])
def test_weights_of_a_whole_model_are_read(name, by_name):
    expected = load_model(golden_file(f"{name}.keras"))
    files = [f"{name}.h5"] if by_name else [f"{name}.h5", f"{name}.keras"]
    for file in files:
        model = zeroed(load_model(golden_file(f"{name}.keras")))
        model.load_weights(golden_file(file), by_name=by_name)
        assert_equal(model.get_weights(), expected.get_weights())


def test_content_says_the_layout_not_the_name(tmp_path):
    model = net()
    model.save_weights(tmp_path / "tree.weights.h5")
    model.save_weights(tmp_path / "older.h5")
    shutil.copy(tmp_path / "tree.weights.h5", tmp_path / "renamed.h5")
    shutil.copy(tmp_path / "older.h5", tmp_path / "renamed.weights.h5")
    for name in ("renamed.h5", "renamed.weights.h5"):
        again = zeroed(net(seed=1))
        again.load_weights(tmp_path / name)
        assert_equal(again.get_weights(), model.get_weights())


def test_optimizer_that_is_not_built_stays_as_it_was_compiled_with_a_warning(tmp_path):
    model = net()
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    again = net(seed=1)
    with pytest.warns(UserWarning, match=r"optimizer is not read: it is not built; call"):
        again.load_weights(tmp_path / "m.weights.h5")
    assert not again.optimizer.built
    assert_equal(again.get_weights(), model.get_weights())
    again.optimizer.build(again.trainable_weights)
    again.load_weights(tmp_path / "m.weights.h5")
    assert_equal(state(again), state(model))
    other = net(seed=1)
    other.compile(nnlite.optimizers.SGD(momentum=0.9), "mse")
    other.optimizer.build(other.trainable_weights)
    with pytest.warns(UserWarning, match="not read: expected 8 values, got 14"):
        other.load_weights(tmp_path / "m.weights.h5")
    assert not other.optimizer.iterations.item()


def test_weights_of_a_model_that_was_not_compiled_leave_an_optimizer_alone(tmp_path):
    bare = nnlite.Sequential([layers.Dense(2, input_shape=(3,))])
    bare.save_weights(tmp_path / "m.weights.h5")
    model = nnlite.Sequential([layers.Dense(2, input_shape=(3,))])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.load_weights(tmp_path / "m.weights.h5")
    assert model.optimizer.iterations.item() == 1
    assert_equal(model.get_weights(), bare.get_weights())


# What does not fit


def refused(model, path, words, **settings):
    before = model.get_weights()
    with pytest.raises(ValueError, match=words) as caught:
        model.load_weights(path, **settings)
    assert str(path) in str(caught.value)
    assert_equal(model.get_weights(), before)


@pytest.mark.parametrize(
    "ending, where",
    [
        (".weights.h5", r"layers/dense/vars/0: expected shape \(3, 5\), which 'one/kernel' has"),
        (".h5", r"one/one/kernel: expected shape \(3, 5\), which 'one/kernel' has, got \(3, 4\)"),
    ],
)
def test_other_shapes_are_refused_and_no_weight_is_changed(ending, where, tmp_path):
    net().save_weights(tmp_path / f"m{ending}")
    wider = net(5, seed=1)
    refused(wider, tmp_path / f"m{ending}", where)
    with h5py.File(tmp_path / f"m{ending}", "a") as file:
        path = "layers/dense_1/vars/1" if ending == ".weights.h5" else "three/three/bias"
        del file[path]
        file[path] = np.ones(7, "float32")
    refused(net(seed=1), tmp_path / f"m{ending}", r"expected shape \(2,\), which 'three/bias' has")
    with h5py.File(tmp_path / f"m{ending}", "a") as file:
        del file[path]
    refused(net(seed=1), tmp_path / f"m{ending}", "expected the values of 'three/bias', got none")


def test_mismatch_can_be_skipped_layer_by_layer(tmp_path):
    for ending in H5:
        path = tmp_path / f"m{ending}"
        model = net()
        model.save_weights(path)
        wider = net(5, seed=1)
        before = wider.get_weights()
        with pytest.warns(UserWarning, match=r"are 3 layers: 'one' \(.*'two' \(.*'three' \("):
            wider.load_weights(path, skip_mismatch=True)
        assert_equal(wider.get_weights(), before)
        with h5py.File(path, "a") as file:
            kernel = "layers/dense/vars/0" if ending == ".weights.h5" else "one/one/kernel"
            del file[kernel]
            file[kernel] = np.ones((9, 9), "float32")
        again = net(seed=1)
        with pytest.warns(UserWarning, match=r"are 1 layers: 'one' \(.*got \(9, 9\)\)$"):
            again.load_weights(path, skip_mismatch=True)
        assert_equal(again.get_weights()[:2], net(seed=1).get_weights()[:2])
        assert_equal(again.get_weights()[2:], model.get_weights()[2:])


def test_layers_by_name(tmp_path):
    model = net()
    model.save_weights(tmp_path / "m.h5")
    other = net(names=("three", "two", "new"), seed=1)
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"three/three/kernel: expected shape \(3, 4\)"):
        other.load_weights(tmp_path / "m.h5", by_name=True)
    assert_equal(other.get_weights(), before)
    with pytest.warns(UserWarning, match="are 1 layers: 'three'"):
        other.load_weights(tmp_path / "m.h5", by_name=True, skip_mismatch=True)
    assert_equal(other.get_weights()[:2], before[:2])
    assert_equal(other.get_weights()[2:6], model.get_weights()[2:6])
    assert_equal(other.get_weights()[6:], before[6:])
    more = nnlite.Sequential(
        [layers.Dense(4, input_shape=(3,), name="new"), *net(seed=1).layers[1:], layers.Dense(5)]
    )
    more.load_weights(tmp_path / "m.h5", by_name=True)
    assert_equal(more.get_weights()[2:8], model.get_weights()[2:])
    for name in ("m.weights.h5", "m.keras"):
        (model.save if name == "m.keras" else model.save_weights)(tmp_path / name)
        refused(model, tmp_path / name, "by_name: expected a file", by_name=True)


def test_layers_without_weights_do_not_count(tmp_path):
    model = net()
    model.save_weights(tmp_path / "m.h5")
    one, two, three = net(seed=1).layers
    longer = nnlite.Sequential([one, layers.Dropout(0.1), two, layers.Activation("tanh"), three])
    longer.load_weights(tmp_path / "m.h5")
    assert_equal(longer.get_weights(), model.get_weights())
    shorter = nnlite.Sequential([layers.Dense(4, input_shape=(3,))])
    refused(shorter, tmp_path / "m.h5", "expected 1 layers with weights, got 3: one, two, three")


def test_weights_of_float64_and_of_float16_are_read(tmp_path):
    model = net()
    model.save_weights(tmp_path / "m.h5")
    for dtype in ("float16", "float64", ">f4"):
        with h5py.File(tmp_path / "m.h5", "a") as file:
            kernel = file["three/three/kernel"][()].astype(dtype)
            del file["three/three/kernel"]
            file["three/three/kernel"] = kernel
        again = net(seed=1)
        again.load_weights(tmp_path / "m.h5")
        assert_equal(again.get_weights()[-2], kernel.astype("float32"))


def test_compressed_weights_that_are_broken_change_nothing(tmp_path):
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        for path, values in zip(
            [f"layers/{layer}/vars/{i}" for layer in ("dense", "dense_1") for i in (0, 1)],
            [np.ones((3, 400)), np.ones(400), np.ones((400, 2)), np.ones(2)],
        ):
            file.create_dataset(path, data=values, compression="gzip")
        chunk = file["layers/dense_1/vars/0"].id.get_chunk_info(0)
    model = nnlite.Sequential([layers.Dense(400, input_shape=(3,)), layers.Dense(2)])
    before = model.get_weights()
    with open(tmp_path / "m.weights.h5", "r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(bytes(chunk.size))
    refused(model, tmp_path / "m.weights.h5", "expected a whole HDF5 file")
    assert_equal(model.get_weights(), before)


# What is refused


def test_model_that_is_not_built_is_refused(tmp_path):
    model = nnlite.Sequential([layers.Dense(1)])
    with pytest.raises(ValueError, match="no weights to save: build the model first"):
        model.save_weights(tmp_path / "m.weights.h5")
    net().save_weights(tmp_path / "n.weights.h5")
    with pytest.raises(ValueError, match="no weights to load into: build the model first"):
        model.load_weights(tmp_path / "n.weights.h5")
    assert os.listdir(tmp_path) == ["n.weights.h5"]


def test_wrong_names_and_files_are_refused(tmp_path):
    model = net()
    with pytest.raises(ValueError, match=r"filepath: expected a name that ends in \.weights\.h5"):
        model.save_weights(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"name that ends in .* or \.keras.*, got m\.pkl"):
        model.load_weights("m.pkl")
    with pytest.raises(TypeError, match="filepath: expected a path, got 3"):
        model.load_weights(3)
    with pytest.raises(FileNotFoundError, match="which is not there"):
        model.load_weights(tmp_path / "m.h5")
    with pytest.raises(ValueError, match=r"of a whole model, got .*: save_weights writes it"):
        model.save(tmp_path / "m.weights.h5")
    model.save_weights(tmp_path / "m.h5")
    before = (tmp_path / "m.h5").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=False"):
        net(seed=1).save_weights(tmp_path / "m.h5", overwrite=False)
    assert (tmp_path / "m.h5").read_bytes() == before
    with pytest.raises(ValueError, match=r"expected a whole model.*got weights alone: make the mo"):
        load_model(tmp_path / "m.h5")


def test_without_h5py_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    for ending in H5:
        with pytest.raises(ImportError, match=r'pip install "nnlite\[files\]"'):
            net().save_weights(tmp_path / f"m{ending}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", H5)
def test_file_cut_anywhere_is_refused(ending, tmp_path):
    net().save_weights(tmp_path / f"m{ending}")
    whole = (tmp_path / f"m{ending}").read_bytes()
    for size in np.random.default_rng(0).integers(0, len(whole), 30):
        (tmp_path / f"cut{ending}").write_bytes(whole[:size])
        refused(net(seed=1), tmp_path / f"cut{ending}", "expected a whole HDF5 file")


@pytest.mark.parametrize(
    "ending, path", [(".weights.h5", "layers/dense/vars/0"), (".h5", "one/one/kernel")]
)
def test_links_are_not_followed(ending, path, tmp_path):
    file_path = tmp_path / f"m{ending}"
    for link in (h5py.ExternalLink("other.h5", "x"), h5py.SoftLink("/layers"), None):
        net().save_weights(file_path)
        (tmp_path / "secret.bin").write_bytes(bytes(48))
        with h5py.File(file_path, "a") as file:
            del file[path]
            if link is not None:
                file[path] = link
            else:
                outside = [(str(tmp_path / "secret.bin"), 0, 48)]
                file.create_dataset(path, (3, 4), "f4", external=outside)
        words = "in the file, got one at" if link is not None else "expected numbers in this file"
        refused(net(seed=1), file_path, words)


def test_attributes_that_are_no_names_are_refused(tmp_path):
    for value in (3, np.ones(2), "one", np.array([b"one", b"none", b"three"])):
        net().save_weights(tmp_path / "m.h5")
        with h5py.File(tmp_path / "m.h5", "a") as file:
            file.attrs["layer_names"] = value
        words = "expected a list of names|expected text|expected 3 layers with weights, got 2"
        refused(net(seed=1), tmp_path / "m.h5", words)


def test_long_lists_of_names_are_written_in_pieces_and_read(tmp_path):
    names = [f"layer_{i}" for i in range(4500)]
    with h5py.File(tmp_path / "m.h5", "w") as file:
        hdf5.write_names(file, "layer_names", names)
        assert "layer_names" not in file.attrs and hdf5.has_names(file, "layer_names")
        assert hdf5.names_in(file, "layer_names", "") == names
        one = file.create_group("as Keras 2 does")
        for i, piece in enumerate(np.array_split(np.array(names, "S"), 2)):
            one.attrs[f"layer_names{i}"] = piece
        assert hdf5.names_in(one, "layer_names", "") == names
        hdf5.write_names(one, "weight_names", [])
        assert hdf5.names_in(one, "weight_names", "") == []


def test_attribute_that_asks_for_much_memory_is_not_read(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w", libver="latest") as file:
        file.attrs["layer_names"] = np.zeros(200_000, "i1")
    refused(net(seed=1), tmp_path / "m.h5", "expected at most 100000 entries and 64 MB, got 200000")


def test_broken_heap_of_names_is_refused_at_once(tmp_path):
    """HDF5 itself goes round in one for ever."""
    net().save_weights(tmp_path / "m.h5")
    whole = (tmp_path / "m.h5").read_bytes()
    heap = whole.index(b"GCOL")
    for at, value in ((16, 0), (8, 2**62), (24, 2**40)):  # a first entry that is free; sizes
        broken = bytearray(whole)
        broken[heap + at : heap + at + 2] = b"\0\0"
        broken[heap + at : heap + at + 8] = value.to_bytes(8, "little")
        if at == 16:
            broken[heap + 24 : heap + 32] = bytes(8)
        (tmp_path / "broken.h5").write_bytes(broken)
        refused(net(seed=1), tmp_path / "broken.h5", "expected a whole HDF5 file")


@pytest.mark.parametrize("ending", [".weights.h5", ".h5"])
def test_changed_bytes_are_refused_or_change_only_values(ending, tmp_path):
    net().save_weights(tmp_path / f"m{ending}")
    whole, model = (tmp_path / f"m{ending}").read_bytes(), net(seed=1)
    before, refusals = model.get_weights(), 0
    for i in range(150):
        rng, changed = np.random.default_rng(i), bytearray(whole)
        at = int(rng.integers(len(whole)))
        changed[at : at + 4] = [bytes(4), rng.bytes(4), b"\xff" * 4][i % 3]
        (tmp_path / f"changed{ending}").write_bytes(changed)
        try:
            model.load_weights(tmp_path / f"changed{ending}")
        except ValueError:
            refusals += 1
            assert_equal(model.get_weights(), before)
        model.set_weights(before)
    assert refusals > 10


# Keras itself


@pytest.mark.parametrize("make", models_saved.OF_KERAS)
def test_keras_reads_the_weights_that_nnlite_saved(make, tmp_path):
    keras = pytest.importorskip("keras")
    model, x, y = make()
    model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    expected = model.predict(x, verbose=0)
    for ending in H5:
        theirs = keras.models.load_model(tmp_path / "model.keras")
        values = [np.asarray(v) for v in theirs.weights]
        theirs.set_weights([np.zeros_like(v) for v in values])
        model.save_weights(tmp_path / f"m{ending}")
        theirs.load_weights(tmp_path / f"m{ending}")
        assert_equal([np.asarray(v) for v in theirs.weights], values)
    theirs.save_weights(tmp_path / "back.weights.h5")
    again = zeroed(load_model(tmp_path / "model.keras"))
    again.load_weights(tmp_path / "back.weights.h5")
    assert_equal(again.predict(x, verbose=0), expected)
    assert_equal(state(again), state(model))
