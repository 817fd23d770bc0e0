"""The tutorials run, on the first images of MNIST, or on scikit-learn's digits in their place."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
from few_images import RUN, save_images

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
    "from_keras_to_tensorflow": [
        "MLP, test acc",
        "ReLU6, test acc",
        r"Best val_accuracy so far: 0\.\d+ \(trial [1-5]\)",
        "Tuner, test acc",
        "CNN, test acc",
    ],
    "layers_and_models": [
        "attention over the steps",
        r"best of the grid: .*'learning_rate': 0\.0",
        "five or more: recall",
    ],
    "a_simple_network": ["Epoch 10/10"],
}


@pytest.fixture(scope="module")
def few_images(tmp_path_factory):
    return save_images(tmp_path_factory.mktemp("data") / "few.npz")


def test_every_tutorial_says_what_is_expected_of_it():
    assert {p.stem for p in TUTORIALS.glob("*.py")} == set(SAID)


@pytest.mark.parametrize("name", sorted(SAID))
def test_tutorial_runs(name, few_images, tmp_path):
    if name == "deep_neural_networks":
        pytest.importorskip("matplotlib")
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN, str(few_images), str(TUTORIALS / f"{name}.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr
    for expected in SAID[name]:
        assert re.search(expected, done.stdout), f"{expected} in {done.stdout[-2000:]}"
