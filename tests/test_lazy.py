"""Imports of a block `lazy.imports` wait until they are used."""

import importlib
import subprocess
import sys
import threading

import pytest

import nnlite
from nnlite import lazy, names

SOURCE = """
from nnlite import lazy, names

with lazy.imports(__name__):
    import colorsys
    import xml.dom

    from later_source import taken as renamed
    from later_source import other

__getattr__ = names.of(__name__)
own = 1


def hue():
    return colorsys.rgb_to_hsv(0, 1, 0)


def node():
    return xml.dom.Node
"""


@pytest.fixture
def later(tmp_path, monkeypatch):
    """A module of which all imports wait."""
    (tmp_path / "later_user.py").write_text(SOURCE)
    (tmp_path / "later_source.py").write_text("taken, other = [1], [2]\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("later_user", "later_source", "colorsys"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("later_user")
    for name in ("later_user", "later_source"):
        sys.modules.pop(name, None)


def test_a_name_is_imported_when_it_is_asked_for_and_once(later):
    assert "later_source" not in sys.modules and "renamed" not in vars(later)
    assert {"renamed", "other", "own"} <= {*dir(later)}
    assert later.renamed == [1] and later.renamed is sys.modules["later_source"].taken
    assert "renamed" in vars(later) and "other" not in vars(later)
    from later_user import other

    assert other == [2]
    with pytest.raises(AttributeError, match="no attribute 'renamd'; did you mean 'renamed'"):
        assert later.renamd


def test_a_module_is_imported_when_its_attribute_is_used(later):
    assert "colorsys" not in sys.modules
    assert later.hue()[1:] == (1, 1)
    assert later.colorsys is sys.modules["colorsys"]
    assert later.node().ELEMENT_NODE == 1


def test_python_imports_as_ever_after_a_block_that_fails():
    before = __import__
    with pytest.raises(ZeroDivisionError), lazy.imports(__name__):
        raise ZeroDivisionError
    assert __import__ is before


def test_other_modules_import_at_once_while_a_block_runs(tmp_path, monkeypatch):
    (tmp_path / "at_once.py").write_text("import colorsys\nhue = colorsys.rgb_to_hsv\n")
    monkeypatch.syspath_prepend(tmp_path)
    with lazy.imports(__name__):
        assert importlib.import_module("at_once").hue(0, 1, 0)[1:] == (1, 1)
    sys.modules.pop("at_once")


def test_blocks_of_two_threads_take_turns():
    before, done = __import__, []

    def other():
        with lazy.imports("nnlite.layers"):
            done.append(__import__)

    thread = threading.Thread(target=other)
    with lazy.imports(__name__):
        thread.start()
        thread.join(0.05)
        assert not done
    thread.join()
    assert done != [before] and __import__ is before


def test_what_is_missing_in_the_source_says_so(later):
    del sys.modules["later_user"].__getattr__
    later.__getattr__ = names.of("later_user")
    importlib.import_module("later_source").__dict__.pop("other")
    with pytest.raises(AttributeError, match="other"):
        assert later.other


def test_objects_are_a_mapping_that_imports_what_is_read():
    objects = lazy.Objects({"rate": "nnlite.schedules.CosineDecay"})
    assert "rate" in objects and "other" not in objects and [*objects] == ["rate"]
    assert objects["rate"] is nnlite.schedules.CosineDecay and objects.get("other") is None


DENSE_ALONE = """
import sys
import threading

import nnlite

model = nnlite.Sequential([nnlite.Input((20,)), nnlite.layers.Dense(64), nnlite.layers.Dense(1)])
assert model.predict(nnlite.ones((40, 20)).numpy(), verbose=0).shape == (40, 1)
print("nnlite.ops.convolution" in sys.modules)
"""


def test_a_dense_net_predicts_where_no_convolution_was_imported():
    done = subprocess.run([sys.executable, "-P", "-c", DENSE_ALONE], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
