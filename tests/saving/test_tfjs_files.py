"""Models of TensorFlow.js: what comes back of few bits, what is refused."""

import json
import os
import random
import warnings

import numpy as np
import pytest
from mutations import changed_bytes, changed_config

import nnlite
from nnlite import layers
from nnlite.models import load_model
from nnlite.saving import load_arrays
from nnlite.saving.legacy_h5 import weights_by_layer

FILES = int(os.environ.get("NNLITE_FUZZ", 100))  # by hand: 5,000


def net():
    images = layers.Input((6, 6, 2), name="images")
    x = layers.Conv2D(3, 3, activation="relu", name="conv")(images)
    x = layers.BatchNormalization(name="norm")(x)
    model = nnlite.Model(images, layers.Dense(2, name="out")(layers.Flatten()(x)))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) ** 2 for w in model.get_weights()])
    return model


def packed(values, kind):
    """The bytes of values, and how the manifest says that they are stored."""
    if kind in (None, "float16"):
        stored = values.astype(kind or "f4")
        return stored, stored.astype("f4"), {} if kind is None else {"dtype": kind}
    least, most = float(values.min()), float(values.max())
    scale = (most - least) / np.iinfo(kind).max or 1.0
    stored = np.round((values - least) / scale).astype(kind)
    means = stored.astype("f4") * np.float32(scale) + np.float32(least)
    return stored, means, {"dtype": kind, "scale": scale, "min": least}


def saved(folder, model, kind=None, shards=1, **changes):
    """Write a model; the weights that its numbers of few bits stand for."""
    entries, content, means = [], b"", {}
    for layer, weights in weights_by_layer(model).items():
        for variable in weights:
            name = f"{layer}/{variable.name.rpartition('/')[2]}"
            stored, means[name], how = packed(variable.numpy(), kind)
            entry = {"name": name, "shape": list(variable.shape), "dtype": "float32"}
            entries.append(entry | ({"quantization": how} if how else {}))
            content += stored.tobytes()
    names = [f"group1-shard{i + 1}of{shards}.bin" for i in range(shards)]
    for i, name in enumerate(names):
        part = slice(*(len(content) * n // shards for n in (i, i + 1)))
        (folder / name).write_bytes(content[part])
    made = {
        "format": "layers-model",
        "modelTopology": {"keras_version": "2.2.4", "model_config": json.loads(model.to_json())},
        "weightsManifest": [{"paths": names, "weights": entries}],
    }
    (folder / "model.json").write_text(json.dumps(made | changes))
    return means


@pytest.mark.parametrize("kind", [None, "uint8", "uint16", "float16"])
@pytest.mark.parametrize("shards", [1, 3])
def test_a_model_comes_back(kind, shards, tmp_path):
    model = net()
    means = saved(tmp_path, model, kind, shards)
    found = load_arrays(tmp_path / "model.json")
    assert found.keys() == means.keys()
    for name, values in means.items():
        np.testing.assert_array_equal(found[name], values)
    again, other = load_model(tmp_path / "model.json"), net()
    other.load_weights(tmp_path / "model.json")
    expected = [means[f"{v.name}"] for v in again.weights]
    for made in (again, other):
        for array, values in zip(made.get_weights(), expected):
            np.testing.assert_array_equal(array, values)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_a_config_of_keras_2_without_a_format_is_read(tmp_path):
    settings = {"name": "fc", "units": 2, "activation": "linear", "use_bias": True}
    config = [{"class_name": "Dense", "config": settings | {"batch_input_shape": [None, 3]}}]
    topology = {"class_name": "Sequential", "config": config, "keras_version": "tfjs-layers 4.2"}
    model = nnlite.Sequential([layers.Dense(2, input_shape=(3,), name="fc")])
    saved(tmp_path, model, modelTopology=topology)
    content = json.loads((tmp_path / "model.json").read_text())
    del content["format"]
    (tmp_path / "model.json").write_text(json.dumps(content))
    again = load_model(tmp_path / "model.json")
    assert np.array_equal(again.get_weights()[0], model.get_weights()[0])


def test_layers_get_weights_by_name(tmp_path):
    means = saved(tmp_path, net())
    model = nnlite.Sequential([layers.Dense(2, name="new"), layers.Dense(2, name="out")])
    model.build((None, 48))
    with pytest.raises(ValueError, match=r"model.json: .*expected 4 weights, got 8"):
        model.load_weights(tmp_path / "model.json")
    model = nnlite.Sequential([layers.Dense(48, name="new"), layers.Dense(2, name="out")])
    model.build((None, 5))
    model.load_weights(tmp_path / "model.json", by_name=True)
    assert np.array_equal(model.layers[1].kernel, means["out/kernel"])


def changed(**changes):
    return lambda folder: saved(folder, net(), **changes)


def without_a_shard(folder):
    saved(folder, net(), shards=2)
    (folder / "group1-shard2of2.bin").unlink()


def cut(folder):
    saved(folder, net())
    shard = folder / "group1-shard1of1.bin"
    shard.write_bytes(shard.read_bytes()[:-1])


REFUSED = [
    (changed(format="graph-model"), "expected a layers-model of TensorFlow.js, got a graph-model"),
    (changed(modelTopology={"node": []}), "got a graph-model"),
    (changed(modelTopology=None), "expected a model, got weights alone"),
    (changed(weightsManifest=[{"paths": ["../a"], "weights": []}]), "expected files beside it"),
    (changed(weightsManifest=[{"paths": ["/etc/passwd"], "weights": []}]), "files beside it"),
    (changed(weightsManifest=3), "weightsManifest: expected a list"),
    (without_a_shard, "expected the file group1-shard2of2.bin beside it"),
    (cut, "'out/bias': expected 8 bytes for shape [2], got 7"),
]


@pytest.mark.parametrize("save, message", REFUSED)
def test_is_refused(save, message, tmp_path):
    save(tmp_path)
    with pytest.raises(ValueError, match=r"model\.json: ") as said:
        load_model(tmp_path / "model.json")
    assert message in str(said.value)


def test_changed_files_are_read_or_refused(tmp_path):
    saved(tmp_path, net(), "uint8")
    rng, path, refused = random.Random(0), tmp_path / "model.json", 0
    whole = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(FILES):
            path.write_bytes((changed_bytes if i % 2 else changed_config)(whole, rng))
            try:
                load_model(path)
            except ValueError as error:
                assert str(path) in str(error), i
                refused += 1
    assert FILES / 4 < refused < FILES
