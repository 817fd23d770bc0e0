"""Every example runs as it stands; those on MNIST on its first images."""

import os
import pathlib
import subprocess
import sys

import pytest
from few_images import RUN, save_images

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def few_images(tmp_path_factory):
    return save_images(tmp_path_factory.mktemp("data") / "few.npz")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_example_runs_and_says_something(path, few_images, tmp_path):
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
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_examples_are_short():
    lines = {p.name: len(p.read_text().splitlines()) for p in EXAMPLES.glob("*.py")}
    assert lines and max(lines.values()) < 60, lines
