"""What all tests share.

They test the installed package: the bare source folder has no compiled engine.
"""

import os
import sys

_root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [p for p in sys.path if os.path.abspath(p or os.getcwd()) != _root]

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
