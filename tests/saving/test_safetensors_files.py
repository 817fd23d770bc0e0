"""Files of the format `.safetensors`: what comes back, what the package of that name wrote and
reads, what is refused."""

import json
import os
import struct
import subprocess
import sys

import models_saved
import numpy as np
import pytest

import nnlite
from nnlite import layers
from nnlite.models import load_model
from nnlite.saving import safetensors
from nnlite.tree import flatten


@pytest.fixture(params=models_saved.MODELS, ids=lambda make: make.__name__)
def fitted(request):
    nnlite.utils.set_random_seed(1)
    model, x, y = request.param()
    model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    return model, x, y


def small(units=2):
    model = nnlite.Sequential([layers.Dense(units, input_shape=(3,)), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def assert_equal(a, b):
    for one, other in zip(flatten(a), flatten(b), strict=True):
        np.testing.assert_array_equal(one, other)


def test_loaded_model_predicts_and_goes_on_with_the_same_bits(fitted, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    model, x, y = fitted
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert type(again) is type(model) and again.name == model.name
    assert_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    histories = []
    for m in (model, again):
        nnlite.utils.set_random_seed(2)
        histories.append(m.fit(x, y, batch_size=5, epochs=3, verbose=0).history)
    assert histories[0] == histories[1]
    assert_equal(again.get_weights(), model.get_weights())
    slots = [[v.numpy() for v in m.optimizer.variables] for m in (again, model)]
    assert_equal(*slots)


def test_same_model_gives_the_same_bytes(fitted, tmp_path):
    fitted[0].save(tmp_path / "one.safetensors")
    load_model(tmp_path / "one.safetensors").save(tmp_path / "two.safetensors")
    one, two = (tmp_path / f"{name}.safetensors" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_without_its_optimizer_a_model_begins_anew(fitted, tmp_path):
    fitted[0].save(tmp_path / "m.safetensors", include_optimizer=False)
    again = load_model(tmp_path / "m.safetensors")
    assert type(again.optimizer) is type(fitted[0].optimizer) and not again.optimizer.built
    assert load_model(tmp_path / "m.safetensors", compile=False).optimizer is None


def test_model_of_float64_stays_one(tmp_path):
    with nnlite.config.precision("float64"):
        small().save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert again.weights[0].dtype == "float64"


def test_weights_alone_go_into_a_model_of_the_same_layers(tmp_path):
    path, model, other = tmp_path / "w.safetensors", small(), small()
    safetensors.write_weights(path, model)
    safetensors.read_weights(path, other)
    assert_equal(other.get_weights(), model.get_weights())
    with pytest.raises(ValueError, match=r"w\.safetensors: expected a model, got weights alone"):
        load_model(path)
    with pytest.raises(ValueError, match=r"layers\.dense\.vars\.0: expected shape \(3, 5\)"):
        safetensors.read_weights(path, small(5))


def test_layers_that_do_not_fit_are_left_if_that_is_wanted(tmp_path):
    path, model, other = tmp_path / "w.safetensors", small(), small(5)
    safetensors.write_weights(path, model)
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"layers\.dense\.vars\.0: expected shape \(3, 5\)"):
        safetensors.read_weights(path, other)
    with pytest.warns(UserWarning, match="layer 'dense(_1)?' is left as it is: layers"):
        safetensors.read_weights(path, other, skip_mismatch=True)
    assert_equal(other.get_weights(), before)
    with pytest.raises(ValueError, match="by_name: expected a file"):
        safetensors.read_weights(path, model, by_name=True)


def test_weights_of_a_whole_model_bring_the_state_of_an_optimizer_that_is_built(tmp_path):
    model, other = small(), small()
    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    model.save(tmp_path / "m.safetensors")
    safetensors.read_weights(tmp_path / "m.safetensors", other)
    assert_equal(other.get_weights(), model.get_weights())
    assert not other.optimizer.built
    other.optimizer.build(other.trainable_weights)
    safetensors.read_weights(tmp_path / "m.safetensors", other)
    assert_equal(*([v.numpy() for v in m.optimizer.variables] for m in (model, other)))


def test_package_reads_what_nnlite_wrote(fitted, tmp_path):
    package = pytest.importorskip("safetensors")
    fitted[0].save(tmp_path / "m.safetensors")
    with package.safe_open(tmp_path / "m.safetensors", "np") as file:
        assert file.metadata()["format"] == "nnlite"
        found = {name: file.get_tensor(name) for name in file.keys()}
    expected = {id(v): v.numpy() for v in (*fitted[0].weights, *fitted[0].optimizer.variables)}
    shapes = sorted((v.shape, str(v.dtype), v.tobytes()) for v in expected.values())
    got = [(v.shape, str(v.dtype), v.tobytes()) for n, v in found.items() if n[:6] != "nnlite"]
    assert sorted(got) == shapes


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int32", "uint8", "bool"])
def test_nnlite_reads_what_the_package_wrote(kind, tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    rng, model = np.random.default_rng(0), small()
    names = [f"layers.{layer}.vars.{i}" for layer in ("dense", "dense_1") for i in (0, 1)]
    values = [rng.normal(0, 4, w.shape).astype(kind) for w in model.get_weights()]
    arrays = dict(zip(names, values, strict=True)) | {"another": np.ones((2, 0), "int64")}
    numpy.save_file(arrays, tmp_path / "w.safetensors", {"by": "hand"})
    safetensors.read_weights(tmp_path / "w.safetensors", model)
    assert_equal(model.get_weights(), [v.astype("float32") for v in values])


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path):
    model = small()
    path = tmp_path / "w.safetensors"
    safetensors.write_weights(path, model)
    header, data = opened(path)
    wide = np.frombuffer(data, "<u4")
    data = (wide >> 16).astype("<u2").tobytes()
    for about in header.values():
        if "dtype" in about:
            about["dtype"] = "BF16"
            about["data_offsets"] = [n // 2 for n in about["data_offsets"]]
    path.write_bytes(closed(header, data))
    expected = [(w.view("u4") & 0xFFFF0000).view("f4") for w in model.get_weights()]
    safetensors.read_weights(path, model)
    assert_equal(model.get_weights(), expected)


# What is refused


def opened(path):
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def closed(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.fixture
def saved(tmp_path):
    small().save(tmp_path / "m.safetensors", include_optimizer=False)
    return tmp_path / "m.safetensors"


def refused(path, words):
    with pytest.raises(ValueError, match=words) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


KERNEL = "layers.dense.vars.0"
WRONG = {
    "unknown type": ({"dtype": "F8_E4M3"}, r"'layers\.dense\.vars\.0': expected a dtype of BOOL"),
    "type that is none": ({"dtype": ["F32"]}, "expected a dtype of BOOL"),
    "negative size": ({"shape": [-3, -2]}, "expected a shape of integers"),
    "size that is none": ({"shape": [3.0, 2]}, "expected a shape of integers"),
    "sizes that are too large": ({"shape": [1 << 62, 4]}, "expected 73786976294838206464 bytes"),
    "size without end": ({"shape": [1 << 63]}, "expected a shape of integers"),
    "too many axes": ({"shape": [1] * 65}, "expected a shape of integers"),
    "another size": ({"shape": [3, 3]}, "expected 36 bytes for F32 of shape"),
    "offsets that are none": ({"data_offsets": [0, None]}, "expected two data_offsets"),
    "three offsets": ({"data_offsets": [0, 12, 24]}, "expected two data_offsets"),
    "offsets that go back": ({"data_offsets": [24, 0]}, "expected 24 bytes for F32"),
    "overlap": ({"data_offsets": [4, 28]}, "expected bytes from 0 on, got 4|bytes from 24 on"),
    "outside": ({"data_offsets": [10000, 10024]}, "expected bytes from 0 on|from 24 on"),
}


@pytest.mark.parametrize("change", WRONG)
def test_wrong_entries_are_refused(saved, change):
    settings, words = WRONG[change]
    header, data = opened(saved)
    header[KERNEL] |= settings
    saved.write_bytes(closed(header, data))
    refused(saved, words)


def test_headers_that_are_none_are_refused(saved):
    header, data = opened(saved)
    saved.write_bytes(closed(header | {KERNEL: 3}, data))
    refused(saved, "expected a dtype of BOOL")
    saved.write_bytes(closed(header | {"__metadata__": {"a": 1}}, data))
    refused(saved, "__metadata__: expected a dict of strings")
    saved.write_bytes(closed(header, data + b"more"))
    refused(saved, "expected 44 bytes of arrays, got 48")
    twice = json.dumps(header)[:-1] + f', "{KERNEL}": {json.dumps(header[KERNEL])}}}'
    saved.write_bytes(closed(twice.encode(), data))
    refused(saved, "header: expected JSON, got a dict that has a key twice")
    for text, words in ((b"[]", "expected a dict"), (b"{", "JSON"), (b"[" * 10**6, "at most")):
        saved.write_bytes(closed(text, data))
        refused(saved, words)
    saved.write_bytes(struct.pack("<Q", 1 << 63) + b"{}")
    refused(saved, "expected a whole .safetensors file, got 10 bytes with a header of 92233")


def test_file_cut_anywhere_is_refused(saved):
    whole = saved.read_bytes()
    for size in [*range(12), *np.random.default_rng(0).integers(12, len(whole), 50)]:
        saved.write_bytes(whole[:size])
        refused(saved, "expected")


def test_missing_weights_and_more_than_there_are_are_refused(saved):
    header, data = opened(saved)
    other = {("x" if name == KERNEL else name): about for name, about in header.items()}
    saved.write_bytes(closed(other, data))
    refused(saved, r"layers\.dense\.vars\.0: expected the values of")
    strings = header["__metadata__"]
    strings["nnlite.model"] = strings["nnlite.model"].replace('"units": 2', '"units": 1000000000')
    saved.write_bytes(closed(header, data))
    refused(saved, "expected no more weights than the file holds")


def mutated(whole, rng):
    """The content of a file with a few changes, most of them in the header."""
    content, head = bytearray(whole), 8 + int.from_bytes(whole[:8], "little")
    for _ in range(rng.integers(1, 4)):
        at = rng.integers(head if rng.random() < 0.8 else len(whole))
        at, kind = min(at, len(content) - 1), rng.integers(5)
        if kind == 0:
            content[at] ^= 1 << rng.integers(8)
        elif kind == 1:
            content[at] = rng.integers(256)
        elif kind == 2:
            del content[at : at + rng.integers(1, 20)]
        elif kind == 3:
            content[at:at] = content[: rng.integers(1, 40)]
        else:
            content[at : at + 1] = rng.choice([b"null", b"-1", b"[]", b"1e999", b"NaN", b'"a"'])
    if rng.random() < 0.7:  # a header that has its length again
        length = max(0, head - 8 + len(content) - len(whole))
        content[:8] = length.to_bytes(8, "little")
    return bytes(content)


@pytest.mark.filterwarnings("ignore")
def test_a_changed_file_gives_a_model_or_says_what_is_wrong(saved):
    whole, rng, refusals = saved.read_bytes(), np.random.default_rng(1), 0
    for _ in range(2000):
        saved.write_bytes(mutated(whole, rng))
        try:
            load_model(saved)
        except ValueError as error:
            assert str(saved) in str(error)
            refusals += 1
    assert refusals > 1000


MEMORY = """
import resource, sys
import numpy as np
import nnlite
from nnlite import layers
path, size = sys.argv[1], 2500
if sys.argv[2] == "write":
    first = layers.Dense(size, input_shape=(size,))
    inner = nnlite.Sequential([layers.Dense(size), layers.Dense(size)])
    nnlite.Sequential([first, inner, layers.Dense(size)]).save(path)
else:
    nnlite.Sequential([layers.Dense(size, input_shape=(2,))]).save("small-" + path)
    nnlite.models.load_model("small-" + path)
    def most():
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
    before = most()
    model = nnlite.models.load_model(path)
    print(most() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's account of it")
@pytest.mark.parametrize("name", ["m.safetensors", "m.keras"])
def test_loading_takes_no_more_memory_than_the_weights(name, tmp_path):
    if name.endswith(".keras"):
        pytest.importorskip("h5py")

    def run(what):
        command = [sys.executable, "-P", "-c", MEMORY, name, what]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=tmp_path
        ).stdout

    run("write")
    assert int(run("read")) < 1.1 * (tmp_path / name).stat().st_size
