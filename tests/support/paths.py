"""Where the project and its tests lie, also for interpreters that a test starts."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pythonpath(test_file):
    """The PYTHONPATH with which a fresh interpreter finds what a test file imports."""
    return os.pathsep.join([str(Path(test_file).parent), str(Path(__file__).parent)])
