"""The tutorials run, on the first images of MNIST, or on scikit-learn's digits in its format."""

import gzip
import os
import pathlib
import re
import struct
import subprocess
import sys

import numpy as np
import pytest

TUTORIALS = pathlib.Path(__file__).parents[1] / "examples" / "tutorials"
SAID = {  # what must stand in the output: the numbers that Keras gives
    "deep_neural_networks": [
        r"CCE .*1\.1769",
        r"BCE .*0\.5108",
        r"MAE .*0\.5",
        r"Huber .*0\.18",
        r"SGD 0\.95",
        r"momentum 1\.0 0\.95 0\.85987",
        r"Adagrad 0\.91548",
        r"RMSprop 0\.68377",
        r"Adam 0\.90000",
        "epochs run: 4",
        "LeNet",
    ],
    "from_keras_to_tensorflow": ["MLP, test acc", "ReLU6, test acc", "CNN, test acc"],
    "layers_and_models": ["fives: recall"],
    "a_simple_network": ["Epoch 10/10"],
}


def images():
    """A few hundred images for training and for testing, and their labels."""
    try:
        from nnlite.datasets import mnist

        (x, y), (x_test, y_test) = mnist.load_data()
        return x[:500], y[:500], x_test[:200], y_test[:200]
    except OSError:
        digits = pytest.importorskip("sklearn.datasets").load_digits()
        x = np.kron(digits.images, np.ones((3, 3))).repeat(2, axis=0)[:700] * 255 / 16
        x, y = np.pad(x, ((0, 0), (2, 2), (2, 2))), digits.target.repeat(2)[:700]
        return x[:500], y[:500], x[500:], y[500:]


def write_idx(path, values):
    head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(head + values.astype(np.uint8).tobytes()))


@pytest.fixture(scope="module")
def few_images(tmp_path_factory):
    """A folder with a small MNIST."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "mnist").mkdir()
    x, y, x_test, y_test = images()
    for name, values in {
        "train-images-idx3-ubyte": x,
        "train-labels-idx1-ubyte": y,
        "t10k-images-idx3-ubyte": x_test,
        "t10k-labels-idx1-ubyte": y_test,
    }.items():
        write_idx(folder / "mnist" / f"{name}.gz", values)
    return folder


def test_every_tutorial_says_what_is_expected_of_it():
    assert {p.stem for p in TUTORIALS.glob("*.py")} == set(SAID)


@pytest.mark.parametrize("name", sorted(SAID))
def test_tutorial_runs(name, few_images, tmp_path):
    if name == "deep_neural_networks":
        pytest.importorskip("matplotlib")
    done = subprocess.run(
        [sys.executable, str(TUTORIALS / f"{name}.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "MPLBACKEND": "Agg", "NNLITE_DATA": str(few_images)},
    )
    assert done.returncode == 0, done.stderr
    for expected in SAID[name]:
        assert re.search(expected, done.stdout), f"{expected} in {done.stdout[-2000:]}"
