"""scikit-learn's own tests of its perceptrons pass, with their import replaced: they are collected
here from the installed package."""

import importlib.util
import pathlib

import pytest

ORIGINAL = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
OURS = ORIGINAL.replace("sklearn", "nnlite")


def _source():
    """Their source and its path; an empty one where the package comes without tests."""
    found = importlib.util.find_spec("sklearn.neural_network")
    path = pathlib.Path(found.origin).parent / "tests" / "test_mlp.py"
    source = path.read_text() if path.exists() else ""
    return (source if ORIGINAL in source else ""), str(path)


SOURCE, PATH = _source()
exec(compile(SOURCE.replace(ORIGINAL, OURS), PATH, "exec"))


@pytest.fixture
def global_random_seed():
    return 42


def test_these_are_the_tests_of_scikit_learn():
    if not SOURCE:
        pytest.skip("scikit-learn is installed without its tests")
    theirs = [name for name in globals() if name.startswith("test_")]
    assert len(theirs) > 40
    assert globals()["MLPClassifier"].__module__.startswith("nnlite.")
