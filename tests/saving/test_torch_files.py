"""Files of PyTorch: what comes back, what it is in a model, and what is refused."""

import os
import pickle
import random
import time
import warnings

import numpy as np
import pytest
from mutations import mutated
from torch_saved import OLDER, BFloat16, Called, Named, pickled, torch_file

import nnlite
from nnlite import layers
from nnlite.saving import load_arrays
from nnlite.saving.safetensors import write_arrays

FILES = int(os.environ.get("NNLITE_FUZZ", 100))  # by hand: 5,000 of each
RNG = np.random.default_rng(0)
FORMS = pytest.mark.parametrize("older", [False, True])


def rand(*shape):
    return RNG.normal(size=shape).astype("f4")


def saved(path, value, **form):
    path.write_bytes(torch_file(value, **form))
    return path


# Arrays


@FORMS
def test_all_types_and_views_come_back(older, tmp_path):
    whole = np.arange(24, dtype="f4").reshape(2, 3, 4)
    tensors = {
        kind: np.array([0, 1, 3]).astype(kind) for kind in "f2 f4 f8 i1 i2 i4 i8 u1 ?".split()
    }
    tensors |= {
        "whole": whole,
        "part": whole[1, :, 1:3],
        "turned": whole.transpose(2, 0, 1),
        "repeated": np.broadcast_to(whole[0, 0, :1], (5, 1)),
        "none": np.zeros((0, 3), "f4"),
        "number": np.array(7),
    }
    found = load_arrays(saved(tmp_path / "a.pth", tensors, older=older))
    assert [*found] == [*tensors]
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


def test_bfloat16_becomes_float32(tmp_path):
    halves = (np.array([1.5, -2.0, 3e38], "f4").view("u4") >> 16).astype("u2").view(BFloat16)
    found = load_arrays(saved(tmp_path / "a.bin", {"a": halves}))["a"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [1.5, -2.0, 3e38], rtol=2**-8)


@pytest.mark.parametrize("key", ["state_dict", "model", "anything"])
def test_a_state_dict_is_found_in_a_checkpoint(key, tmp_path):
    checkpoint = {"epoch": 3, key: {"fc.weight": rand(2, 3)}, "optimizer": {"lr": 1}}
    checkpoint |= {"random": rand(3)} if key != "anything" else {}
    assert [*load_arrays(saved(tmp_path / "a.pt", checkpoint))] == ["fc.weight"]


def test_pytorch_reads_what_is_tested_here_and_writes_what_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    values = {"a": rand(2, 3).T, "b": np.array([1, 2])}
    for older in (False, True):
        read = torch.load(saved(tmp_path / "a.pth", values, older=older), weights_only=True)
        assert all(np.array_equal(read[name], array) for name, array in values.items())
        form = {"_use_new_zipfile_serialization": not older}
        torch.save(
            {name: torch.tensor(array) for name, array in values.items()},
            tmp_path / "b.pth",
            **form,
        )
        read = load_arrays(tmp_path / "b.pth")
        assert all(np.array_equal(read[name], array) for name, array in values.items())


# Models, beside formulas in PyTorch's layout


def numbers(module, shapes):
    made = {f"{module}.{name}": rand(*shape) for name, shape in shapes.items()}
    if f"{module}.running_var" in made:
        made[f"{module}.running_var"] **= 2
        made[f"{module}.num_batches_tracked"] = np.array(5)
    return made


NORM = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (4,))
IMAGE = rand(2, 5, 5, 3)


def conv_weights():
    return (
        numbers("0", {"weight": (4, 3, 3, 3), "bias": (4,)})
        | numbers("1", NORM)
        | numbers("2", {"weight": (8, 1, 2, 2)})
        | numbers("4", {"weight": (2, 8 * 4), "bias": (2,)})
    )


def conv_net(names=("a", "b", "c", "d")):
    return nnlite.Sequential(
        [
            layers.Conv2D(4, 3, input_shape=(5, 5, 3), name=names[0]),
            layers.BatchNormalization(epsilon=1e-5, name=names[1]),
            layers.DepthwiseConv2D(2, depth_multiplier=2, use_bias=False, name=names[2]),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(2, name=names[3]),
        ]
    )


def correlated(x, kernel, groups=1):
    """What Conv2d of PyTorch computes, of images (N, C, H, W)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (2, 3))
    found = []
    for f, one in enumerate(kernel.astype("f8")):
        first = f * groups // len(kernel) * kernel.shape[1]
        found.append(np.einsum("nchwij,cij->nhw", windows[:, first : first + len(one)], one))
    return np.stack(found, axis=1)


def expected_of(tensors):
    """What the net of `conv_weights` computes in PyTorch."""
    t = {name: array.astype("f8") for name, array in tensors.items()}
    by_channel = {name: a[:, None, None] for name, a in t.items() if a.ndim == 1}
    x = correlated(IMAGE.transpose(0, 3, 1, 2), t["0.weight"]) + by_channel["0.bias"]
    deviation = np.sqrt(by_channel["1.running_var"] + 1e-5)
    x = (x - by_channel["1.running_mean"]) / deviation * by_channel["1.weight"]
    x = correlated(x + by_channel["1.bias"], t["2.weight"], groups=4)
    return x.reshape(len(x), -1) @ t["4.weight"].T + t["4.bias"]


@FORMS
def test_convolutions_and_what_follows_flatten_compute_the_same(older, tmp_path):
    tensors, model = conv_weights(), conv_net()
    model.load_weights(saved(tmp_path / "net.pth", tensors, older=older))
    np.testing.assert_allclose(model.predict(IMAGE), expected_of(tensors), rtol=1e-4, atol=1e-5)


def test_a_file_safetensors_of_pytorch_is_read_by_its_numbers(tmp_path):
    tensors, model = conv_weights(), conv_net()
    with open(tmp_path / "net.safetensors", "wb") as file:
        write_arrays(file, dict(sorted(tensors.items(), reverse=True)), {"format": "pt"})
    model.load_weights(tmp_path / "net.safetensors")
    np.testing.assert_allclose(model.predict(IMAGE), expected_of(tensors), rtol=1e-4, atol=1e-5)


def test_sequences_are_flattened_in_the_order_that_pytorch_has_there(tmp_path):
    """Behind a convolution the channels come first, behind a recurrent layer the steps."""
    weight = rand(2, 12)  # of 4 steps of 3 features
    for last, order in (
        ([layers.Conv1D(3, 1)], (0, 2, 1)),
        ([layers.Conv1D(3, 1), layers.ReLU(), layers.SpatialDropout1D(0.1)], (0, 2, 1)),
        ([layers.SimpleRNN(3, return_sequences=True)], (0, 1, 2)),
        ([layers.Dense(3), layers.SpatialDropout1D(0.1)], (0, 1, 2)),
        ([layers.Conv1D(3, 1), layers.Dense(3)], (0, 1, 2)),
        ([nnlite.Sequential([layers.MaxPooling1D(1)])], (0, 2, 1)),
    ):
        model = nnlite.Sequential([*last, layers.Flatten(), layers.Dense(2, use_bias=False)])
        model.build((None, 4, 3))
        model.layers[-1].name = "fc"
        path = saved(tmp_path / "a.pth", {"fc.weight": weight})
        model.load_weights(path, by_name=True)
        x = np.arange(12.0, dtype="f4").reshape(1, 4, 3)
        expected = x.transpose(order).reshape(1, 12) @ weight.T
        np.testing.assert_allclose(x.reshape(1, 12) @ model.layers[-1].kernel, expected, rtol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, w, end):
    h = c = np.zeros((len(x), 2))
    for t in range(x.shape[1])[:: -1 if end else 1]:
        gates = x[:, t] @ w[f"weight_ih_l0{end}"].T + w[f"bias_ih_l0{end}"]
        gates = gates + h @ w[f"weight_hh_l0{end}"].T + w[f"bias_hh_l0{end}"]
        i, f, g, o = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def gru(x, w):
    h = np.zeros((len(x), 2))
    for t in range(x.shape[1]):
        of_input = np.split(x[:, t] @ w["weight_ih_l0"].T + w["bias_ih_l0"], 3, axis=1)
        of_state = np.split(h @ w["weight_hh_l0"].T + w["bias_hh_l0"], 3, axis=1)
        r, z = (sigmoid(a + b) for a, b in zip(of_input[:2], of_state[:2]))
        h = (1 - z) * np.tanh(of_input[2] + r * of_state[2]) + z * h
    return h


def recurrent_weights(gates, ends):
    wide, shapes = 2 * gates, {}
    for end in ends:
        shapes |= {f"weight_ih_l0{end}": (wide, 3), f"weight_hh_l0{end}": (wide, 2)}
        shapes |= {f"bias_ih_l0{end}": (wide,), f"bias_hh_l0{end}": (wide,)}
    return {name: rand(*shape) for name, shape in shapes.items()}


def test_recurrent_layers_compute_the_same(tmp_path):
    x, both = rand(2, 4, 3), ("", "_reverse")
    tensors = recurrent_weights(4, both)
    model = nnlite.Sequential([layers.Bidirectional(layers.LSTM(2), input_shape=(4, 3))])
    model.load_weights(saved(tmp_path / "lstm.pth", {f"lstm.{k}": v for k, v in tensors.items()}))
    expected = np.concatenate([lstm(x, tensors, end) for end in both], axis=1)
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-4, atol=1e-6)
    tensors = recurrent_weights(3, [""])
    model = nnlite.Sequential([layers.GRU(2, input_shape=(4, 3))])
    model.load_weights(saved(tmp_path / "gru.pth", tensors))
    np.testing.assert_allclose(model.predict(x), gru(x, tensors), rtol=1e-4, atol=1e-6)


def test_names_of_layers_decide_where_they_are_names_of_modules(tmp_path):
    path = saved(tmp_path / "a.pth", {"b.0.weight": rand(3, 3), "a.weight": rand(3, 3)})
    model = nnlite.Sequential([layers.Dense(3, use_bias=False, name=n) for n in ("a", "b_0")])
    model.build((None, 3))
    model.load_weights(path)
    found = load_arrays(path)
    np.testing.assert_array_equal(model.layers[0].kernel, found["a.weight"].T)
    np.testing.assert_array_equal(model.layers[1].kernel, found["b.0.weight"].T)
    model.layers[0].name = "c"  # then the order decides, and the name of the other is a check
    with pytest.raises(ValueError, match=r"layer 'b_0' .* expected module 'b.0' at its place"):
        model.load_weights(path)
    model.load_weights(path, by_name=True)


def test_what_does_not_fit_is_listed_and_nothing_is_changed(tmp_path):
    tensors = conv_weights() | {"4.weight": rand(5, 32), "4.bias": rand(5), "5.weight": rand(2, 5)}
    path, model = saved(tmp_path / "net.pth", tensors), conv_net()
    before = model.get_weights()
    with pytest.raises(ValueError) as said:
        model.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before))
    for words in (
        str(path),
        "layer 'd' (Dense): expected weight (2, 32), bias (2,), got '4': weight (5, 32), bias (5,)",
        "no layer is left for '5'",
    ):
        assert words in str(said.value)
    with pytest.warns(UserWarning, match="as they were are 1 layers: layer 'd'"):
        model.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(model.layers[0].bias, tensors["0.bias"])
    np.testing.assert_array_equal(model.get_weights()[-1], before[-1])


def test_an_order_that_a_file_does_not_tell_is_asked_for(tmp_path):
    with open(tmp_path / "a.safetensors", "wb") as file:
        write_arrays(file, {"b.weight": rand(3, 3), "a.weight": rand(3, 3)}, {})
    model = nnlite.Sequential([layers.Dense(3, use_bias=False) for _ in range(2)])
    model.build((None, 3))
    with pytest.raises(ValueError, match=r"names that tell the order .*'a', 'b' with the same"):
        model.load_weights(tmp_path / "a.safetensors")


# What is refused


class Evil:
    def __reduce__(self):
        return os.system, ("touch harmed",)


def test_nothing_of_a_file_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in (Evil(), {"a": Evil()}, np.float64(1), nnlite.Sequential()):
        (tmp_path / "a.pth").write_bytes(b"".join(map(pickled, OLDER)) + pickle.dumps(value))
        with pytest.raises(ValueError, match=r"a\.pth: expected plain values.*(names|step)"):
            load_arrays(tmp_path / "a.pth")
    assert not (tmp_path / "harmed").exists()


CUT = torch_file({"a": np.arange(9.0)}, older=True)
REFUSED = {
    "nothing": (b"", "expected a file that PyTorch's save wrote"),
    "another": (b"hello, world", "expected a file that PyTorch's save wrote"),
    "a cut end": (CUT[:-8], "expected 9 numbers, got fewer"),
    "a cut archive": (torch_file({"a": np.arange(9.0)})[:-30], "expected a whole PyTorch file"),
    "no tensors": (torch_file({"a": 3}), "expected a state_dict, a dict of tensors, got none"),
    "several": (
        torch_file({"g": {"a": np.ones(2)}, "d": {"a": np.ones(2)}}),
        "got several, under 'g', 'd'",
    ),
    "a name": (
        torch_file({"a": Called((Named("os.system"), ("ls",)))}),
        "got a pickle that names os.system",
    ),
    "a tensor beyond its storage": (
        torch_file({"a": np.arange(9.0)}, older=True).replace(b"\x8a\x01\x09t(", b"\x8a\x01\x7ft("),
        "expected a tensor within its storage of 9 numbers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name, tmp_path):
    content, message = REFUSED[name]
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.pth: ") as said:
        load_arrays(tmp_path / "a.pth")
    assert message in str(said.value)


@pytest.mark.parametrize("form", ["now", "before 1.6", "safetensors"])
def test_changed_files_are_read_or_refused(form, tmp_path):
    tensors = conv_weights() | {"half": np.ones(3, "f2")}
    path = tmp_path / "a.pth"
    if form == "safetensors":
        path = tmp_path / "a.safetensors"
        with open(path, "wb") as file:
            write_arrays(file, tensors, {"format": "pt"})
    else:
        saved(path, {"model": tensors}, older=form != "now")
    whole, rng, refused = path.read_bytes(), random.Random(0), 0
    model = conv_net()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(FILES):
            path.write_bytes(mutated(whole, rng))
            began = time.process_time()
            try:
                model.load_weights(path)
            except ValueError as error:
                assert str(path) in str(error), i
                refused += 1
            assert time.process_time() - began < 1, i
    assert FILES / 4 < refused
