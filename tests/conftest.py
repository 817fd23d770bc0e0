"""What all tests share.

They test the installed package: the bare source folder has no compiled engine.
"""

import os
import pathlib
import signal
import sys

_root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [p for p in sys.path if os.path.abspath(p or os.getcwd()) != _root]

# Tests run on all cores at once: threads of NumPy's products would wait for each other. It is read
# when NumPy is imported, also by the processes that tests start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

from nnlite import config
from nnlite.engine import (
    _engine,
    dispatch,
)

ISAS = list(dict.fromkeys(e.isa for e in _engine.engines()))


@pytest.fixture(params=ISAS)
def isa(request):
    """Each instruction set that this CPU runs, in turn."""
    dispatch.use_isa(request.param)
    yield request.param
    dispatch.use_isa()


@pytest.fixture(params=["float32", "float64"])
def real(request):
    """Each precision, as `floatx()`."""
    with config.precision(request.param):
        yield request.param


@pytest.fixture
def double():
    """Everything in float64."""
    with config.precision("float64"):
        yield


@pytest.fixture
def heeding_ctrl_c():
    """As in a terminal; what a shell runs in the background is told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# Quick tests come first, so that a fault shows early. Tests that take minutes come last.
STAGES = [
    "architecture",
    "ops",
    "layers",
    "training",
    "visualization",
    "engine",
    "estimators",
    "serving",
]
SLOW = ["sanitizers", "datasets", "tutorials", "examples", "demo"]  # tests/test_NAME.py
_seconds = {}


def _stage(path):
    """The name of the stage that a test file belongs to, and its place among the stages."""
    folder, name = path.parent.name, path.stem.removeprefix("test_")
    if name in SLOW:
        return len(STAGES) + SLOW.index(name), name
    stage = folder if folder in STAGES else "architecture"
    return STAGES.index(stage), stage


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: _stage(item.path)[0])


def pytest_runtest_logreport(report):
    stage = _stage(pathlib.Path(report.fspath))
    _seconds[stage] = _seconds.get(stage, 0.0) + report.duration


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("seconds of each stage")
    for (_, name), seconds in sorted(_seconds.items()):
        terminalreporter.write_line(f"{seconds:7.1f}  {name}")
