"""Every parameter of everything public is explained where a user looks for it: in the docstring."""

import importlib
import inspect
import re
import types

import pytest
from paths import ROOT

from nnlite.configurable import Configurable

NETWORKS = [
    f"nnlite.applications.{name}"
    for name in (
        "convnext densenet efficientnet efficientnet_lite efficientnet_v2 imagenet_utils "
        "inception_resnet_v2 inception_v3 mobilenet mobilenet_v2 mobilenet_v3 nasnet resnet "
        "resnet50 resnet_v2 vgg16 vgg19 xception"
    ).split()
]
PUBLIC = [
    "nnlite",
    *NETWORKS,
    *(
        f"nnlite.{name}"
        for name in (
            "activations applications architecture backend callbacks constraints data "
            "datasets.imdb datasets.mnist datasets.reuters diagnosis dtype_policies estimators "
            "explain initializers inspection layers losses math metrics mixed_precision models "
            "neural_network nn ops "
            "ops.image optimizers optimizers.schedules plotting preprocessing.image "
            "preprocessing.sequence preprocessing.text random regularizers schedules "
            "tensorflow_names tuner utils wrappers wrappers.scikit_learn"
        ).split()
    ),
]

# Modules that stand in the `__all__` of another.
MODULES_IN_ALL = {
    *NETWORKS,
    "nnlite.datasets.imdb",
    "nnlite.datasets.mnist",
    "nnlite.datasets.reuters",
    "nnlite.optimizers.schedules",
    "nnlite.preprocessing.image",
    "nnlite.preprocessing.sequence",
    "nnlite.preprocessing.text",
    "nnlite.wrappers.scikit_learn",
}


def explained(docstring):
    """What the Parameters section of a numpydoc docstring says of each name."""
    docstring = inspect.cleandoc(docstring or "")
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", docstring, re.M | re.S)
    known, names = {}, []
    for line in section[1].splitlines() if section else ():
        if re.match(r"\S", line):
            names = [name.strip(" *") for name in line.split(" : ")[0].split(",")]
        for name in names:
            known[name] = f"{known.get(name, '')}\n{line}"
    return known


def explained_of_class(cls):
    """What a class's docstring explains; `**kwargs` that are "Of `Base`" are explained there."""
    known = explained(inspect.getdoc(cls))
    further = known.get("kwargs", "") + known.get("options", "")
    for base in cls.__mro__[1:]:
        if f"`{base.__name__}`" in further:
            known = explained_of_class(base) | known
    return known


def unexplained(owner, function, known):
    """Parameters of a function that are not among those explained."""
    names = [n for n in inspect.signature(function).parameters if n not in ("self", "cls")]
    return [f"{owner}: {name}" for name in names if name[0] != "_" and name not in known]


def is_ours(value):
    return (getattr(value, "__module__", None) or "").startswith("nnlite")


def missing_in(module):
    """Each parameter of a public function, class or method that is not explained.

    A method is reported once, for the class that defines it.
    """
    missing = []
    for name in getattr(module, "__all__", [n for n in vars(module) if n[0] != "_"]):
        value = getattr(module, name)
        if not is_ours(value):
            continue
        name = getattr(value, "__name__", name)  # of an alias, the first name
        if inspect.isclass(value):
            # A Configurable's `__new__` takes any arguments: its `__init__` says which.
            constructor = value.__init__ if issubclass(value, Configurable) else value
            if constructor is not object.__init__:
                missing += unexplained(name, constructor, explained_of_class(value))
            for method, function in inspect.getmembers(value, inspect.isroutine):
                if method[0] != "_" and is_ours(function):
                    owner = getattr(function, "__qualname__", f"{name}.{method}")
                    missing += unexplained(owner, function, explained(inspect.getdoc(function)))
        elif inspect.isroutine(value):
            missing += unexplained(name, value, explained(inspect.getdoc(value)))
    return list(dict.fromkeys(missing))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_parameter_of_what_is_public_is_explained(name):
    missing = missing_in(importlib.import_module(name))
    assert not missing, "\n".join(missing)


def sort_key(name):
    """Constants, then classes, then functions; letters decide within each, and numbers."""
    parts = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    return (0 if name.isupper() else 1 if name.lstrip("_")[0].isupper() else 2, parts)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_modules_list_their_public_names(name):
    module = importlib.import_module(name)
    listed = module.__all__
    assert len(set(listed)) == len(listed)
    assert list(listed) == sorted(listed, key=sort_key)
    modules = {n for n in listed if isinstance(getattr(module, n), types.ModuleType)}
    assert name == "nnlite" or {f"{name}.{n}" for n in modules} <= MODULES_IN_ALL


def test_no_list_of_public_names_is_made_by_dir():
    files = (ROOT / "nnlite").rglob("*.py")
    assert not [p.name for p in files if re.search(r"__all__.*\bdir\(", p.read_text())]
