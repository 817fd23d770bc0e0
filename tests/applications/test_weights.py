"""Weights of networks: where their files are looked for, which are taken, and what is refused."""

import json
import shutil

import numpy as np
import pytest

import nnlite
from nnlite import applications, layers
from nnlite.applications import files, imagenet_utils
from nnlite.applications.mobilenet import MobileNet

SMALL = {"alpha": 0.25, "input_shape": (128, 128, 3)}
FILE, WITHOUT_TOP = "mobilenet_2_5_128_tf.h5", "mobilenet_2_5_128_tf_no_top.h5"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A network with random weights, and a folder with them in each format."""
    folder = tmp_path_factory.mktemp("weights")
    with nnlite.config.seeded(1):
        model = MobileNet(weights=None, **SMALL)
    for name in ("a.h5", "a.weights.h5", "a.keras", "a.safetensors"):
        if name in ("a.h5", "a.weights.h5"):
            model.save_weights(folder / name)
        else:
            model.save(folder / name)
    nnlite.Model(model.input, model.layers[-6].output).save_weights(folder / WITHOUT_TOP)
    shutil.copy(folder / "a.h5", folder / FILE)
    return model, folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The folders where files are looked for, and no network."""

    def offline(*_):
        raise OSError("no network here")
        yield

    monkeypatch.setattr("nnlite.download.blocks", offline)
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path


def same(model, other):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights()))


@pytest.mark.parametrize("ending", [".h5", ".weights.h5", ".keras", ".safetensors"])
def test_weights_are_read_from_a_file_of_each_format(made, ending):
    pytest.importorskip("h5py")
    model, folder = made
    assert same(MobileNet(weights=folder / f"a{ending}", **SMALL), model)


@pytest.mark.parametrize("place", ["data", "data/models", "keras/models", "cache/nnlite/models"])
def test_published_files_are_found_on_this_machine(made, places, place):
    model, folder = made
    (places / place).mkdir(parents=True)
    shutil.copy(folder / FILE, places / place)
    shutil.copy(folder / WITHOUT_TOP, places / place)
    assert same(MobileNet(**SMALL), model)
    base = MobileNet(include_top=False, **SMALL)
    assert same(base, model) and base.output_shape == (None, 4, 4, 256)


def test_without_the_file_and_without_network_it_is_said_where_to_put_it(places):
    with pytest.raises(OSError) as caught:
        MobileNet(**SMALL)
    for words in (FILE, "no network here", str(places / "cache/nnlite/models"), "NNLITE_DATA"):
        assert words in str(caught.value)


def test_a_file_in_a_cache_counts_only_with_its_hash(places):
    (places / "keras/models").mkdir(parents=True)
    name = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    (places / "keras/models" / name).write_bytes(b"another")
    with pytest.raises(OSError, match=f"{name}: expected a file with the md5 6d6bbae143d832"):
        applications.VGG16(include_top=False)


def test_what_is_downloaded_is_kept_under_its_published_name(places, monkeypatch):
    asked = []

    def blocks(url, label, longest=None):
        asked.append(url)
        yield b"content"

    monkeypatch.setattr("nnlite.download.blocks", blocks)
    file = files.in_storage("nasnet", "nasnet_mobile.h5", stored_as="NASNet-mobile.h5")
    path = files.located(file)
    assert path == str(places / "cache/nnlite/models/nasnet_mobile.h5") == files.located(file)
    assert [url.rpartition("/")[2] for url in asked] == ["NASNet-mobile.h5"]


REFUSED = {
    "of another network": ({}, r"expected 55 layers with weights, got 2"),
    "cut off": ({}, r"expected a whole HDF5 file"),
    "with another number of classes": ({"classes": 7}, r"expected shape \(1, 1, 256, 7\)"),
    "with the top": ({"include_top": False}, r"without its top .*expected 54 layers"),
    "without the top": ({}, r"with its top: .*expected 55 layers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_does_not_fit_is_refused(made, tmp_path, name):
    _, folder = made
    path = folder / (WITHOUT_TOP if name == "without the top" else FILE)
    if name == "of another network":
        path = tmp_path / "other.h5"
        nnlite.Sequential([layers.Dense(2, input_shape=(2,)), layers.Dense(2)]).save_weights(path)
    elif name == "cut off":
        content, path = path.read_bytes(), tmp_path / "cut.h5"
        path.write_bytes(content[: len(content) // 2])
    settings, words = REFUSED[name]
    with pytest.raises(ValueError, match=f"^weights: .*{words}"):
        MobileNet(weights=path, **{**SMALL, **settings})


def test_layers_before_the_network_keep_their_weights(made):
    model, folder = made
    grey, colours = layers.Input((128, 128, 1)), layers.Conv2D(3, 1, name="colours")
    x = colours(grey)
    kept = colours.get_weights()[0].copy()
    base = MobileNet(alpha=0.25, input_tensor=x, include_top=False, weights=folder / WITHOUT_TOP)
    assert base.input_shape == (None, 128, 128, 1) and base.layers[1] is colours
    assert np.array_equal(colours.get_weights()[0], kept)
    first = base.get_layer("conv1").get_weights()[0]
    assert np.array_equal(first, model.get_layer("conv1").get_weights()[0])


def test_names_of_classes_are_found_as_weights_are(places):
    (places / "data/models").mkdir(parents=True)
    index = {str(i): [f"n{i:08d}", f"thing {i}"] for i in range(1000)}
    (places / "data/models/imagenet_class_index.json").write_text(json.dumps(index))
    scores = np.zeros((2, 1000), "float32")
    scores[0, [3, 900]] = 0.7, 0.3
    scores[1, 999] = 1
    best, other = applications.vgg16.decode_predictions(scores, top=2)
    assert best == [
        ("n00000003", "thing 3", scores[0, 3]),
        ("n00000900", "thing 900", scores[0, 900]),
    ]
    assert other[0] == ("n00000999", "thing 999", 1.0) and len(other) == 2
    with pytest.raises(ValueError, match=r"preds: expected scores of shape \(N, 1000\), got \(3,"):
        applications.vgg16.decode_predictions(np.zeros((3, 10)))


def test_a_damaged_list_of_classes_is_named(places):
    (places / "data").mkdir()
    (places / "data/imagenet_class_index.json").write_text('{"0": ["a", "b"]}')
    with pytest.raises(OSError, match=r"class_index.json: expected JSON of 1000 classes"):
        imagenet_utils.decode_predictions(np.zeros((1, 1000)))
