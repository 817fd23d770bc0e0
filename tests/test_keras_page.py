"""docs/keras.md says of every public name of Keras whether nnlite has it, and is right."""

import inspect
import types

import pytest
from keras_names import PAGE, corrected, misplaced, sections

TEXT = PAGE.read_text()


def test_each_name_stands_in_the_right_list():
    wrong = misplaced(TEXT)
    assert not wrong, f"python tests/support/keras_names.py moves {wrong}"


def test_no_name_stands_twice():
    for module, lists in sections(TEXT).items():
        names = [name for some in lists.values() for name in some]
        assert names and len(names) == len(set(names)), module


def test_a_name_in_the_wrong_list_is_found_and_moved():
    broken = TEXT.replace("`Dense`, ", "", 1).replace("`JaxLayer`", "`JaxLayer`, `Dense`", 1)
    assert misplaced(broken) == ["+ keras.layers.Dense"]
    assert not misplaced(corrected(broken)) and sections(corrected(broken)) == sections(TEXT)
    assert corrected(TEXT) == TEXT


def public(module, path, found):
    """Path -> whether it is a module, of everything that a module of Keras makes public."""
    for name, value in inspect.getmembers(module):
        inner = f"{path}.{name}"
        if (name.startswith("_") and name != "__version__") or inner == "keras.src":
            continue
        if not isinstance(value, types.ModuleType):
            found[inner] = False
        elif value.__name__.startswith("keras") and inner not in found:
            found[inner] = True
            public(value, inner, found)
    return found


def test_the_page_lists_every_public_name_of_keras():
    keras = pytest.importorskip("keras")
    if not keras.__version__.startswith("3.15."):
        pytest.skip(f"the page is that of Keras 3.15, not {keras.__version__}")
    known = {f"{m}.{name}" for m, ls in sections(TEXT).items() for ns in ls.values() for name in ns}
    assert known == {
        path for path, is_module in public(keras, "keras", {}).items() if not is_module
    }
