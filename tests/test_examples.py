"""Every example runs as it stands, on a cut of its data, and some say what they have learned."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
from few_images import RUN, save_images
from few_sequences import save_sequences
from few_tables import save_tables

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


# Of examples that need no data: how their figures begin, and between what they must lie.
LEARNED = {
    "distillation": {"the teacher, ": (0.95, 1), "small network": (0.8, 0.93), "taught": (0.94, 1)},
    "gan": {"radius": (0.93, 1.07), "the emptiest eighth": (0.04, 0.125)},
    "three_inputs": {"all three": (0.94, 1), "those of image": (0, 0.6), "of ink": (0.5, 0.97)},
    "training_loop": {"the best accuracy is": (0.95, 1)},
    "variational_autoencoder": {"->": (15, 26), "from their two numbers": (0.6, 1)},
    "wgan_gp": {"slope": (0.8, 1.2), "axis 0": (0, 0.15), "axis 1": (0, 0.1)},
}


@pytest.fixture(scope="module")
def few_images(tmp_path_factory):
    return save_images(tmp_path_factory.mktemp("data") / "few.npz")


@pytest.fixture(scope="module")
def few_others(tmp_path_factory):
    """A folder with the sequences and the tables."""
    return save_tables(save_sequences(tmp_path_factory.mktemp("others")))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_example_runs_and_says_something(path, few_images, few_others, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-W",
            "error::RuntimeWarning",
            "-c",
            RUN,
            str(few_images),
            str(path),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **os.environ,
            "MPLBACKEND": "Agg",
            "NNLITE_DATA": str(few_others),
            "OMP_NUM_THREADS": "1",  # each core has tests of its own
        },
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    for words, (least, most) in LEARNED.get(path.stem, {}).items():
        figure = float(re.search(rf"{words}.*?(\d+\.\d+)", done.stdout)[1])
        assert least <= figure <= most, (words, figure)


def test_examples_without_their_data_say_where_to_put_it(tmp_path):
    names = ["adult", "char_model", "forecast", "japanese_vowels", "sentiment"]
    code = """
import runpy, sys
for path in sys.argv[1:]:
    try:
        runpy.run_path(path)
    except SystemExit as end:
        print(end)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *(EXAMPLES / f"{name}.py" for name in names)],
        capture_output=True,
        text=True,
        env={**os.environ, "NNLITE_DATA": str(tmp_path)},
    )
    said = done.stdout.splitlines()
    assert len(said) == len(names), done.stderr
    assert all(f"There is no {tmp_path}" in line and "set NNLITE_DATA" in line for line in said)


def test_examples_are_short():
    lines = {p.name: len(p.read_text().splitlines()) for p in EXAMPLES.glob("*.py")}
    assert lines and max(lines.values()) < 70, lines
