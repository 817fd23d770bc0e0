"""Names of public modules: those imported when first used, and what a missing one is told.

The one idea: each public module has `__getattr__ = names.of(__name__)`. It answers only for names
that the module does not have.
"""

import importlib
import opcode
import sys
from importlib.machinery import PathFinder

from nnlite import lazy
from nnlite.errors import did_you_mean

# What Keras or TensorFlow have and nnlite does not, by module: the names, and what does instead. A
# name goes from here when it comes; `tests/test_names.py` looks.
COMING = {
    "nnlite": [
        (
            "io image strings",
            "utils.load_img reads images, utils.img_to_array makes arrays of them",
        ),
        (
            "compat Session placeholder global_variables_initializer",
            "as in TensorFlow 2, functions compute at once, and GradientTape gives gradients",
        ),
        ("gather", "x[3] and x[2:5] pick rows of tensors, NumPy picks others before"),
        (
            "distillation distribution legacy quantizers Function Operation Quantizer "
            "RematScope StatelessScope SymbolicScope remat",
            "docs/keras.md lists Keras's names, and what does instead",
        ),
        ("float16 bfloat16", "'float32' and 'float64' are the precisions"),
    ],
    "nnlite.models.Model": [
        (
            "to_yaml",
            "model.save('model.keras') writes a file, which Keras reads, too",
        ),
    ],
    "nnlite.datasets": [
        ("boston_housing california_housing", "sklearn.datasets.fetch_california_housing() has it"),
    ],
    "nnlite.tuner": [
        ("SklearnTuner", "GridSearchCV and the other searches of scikit-learn take estimators"),
        ("Oracle oracles synchronized", "a tuner is its own oracle; for_keras_tuner takes others"),
        ("HyperImageAugment HyperXception HyperResNet HyperEfficientNet applications", ""),
    ],
    "nnlite.utils": [
        ("model_to_dot", "plot_model draws a model without Graphviz"),
    ],
}


def of(module, more=None, made=None):
    """The `__getattr__` of a module: it imports what the module's `lazy.imports` put off, and the
    modules in it.

    Parameters
    ----------
    module : str
        Its `__name__`.
    more : str, optional
        A module whose public names are names of this one, too.
    made : function of (str, object), optional
        What it makes of a name and the object that was imported is what the module has.
    """

    def __getattr__(name):
        if name in lazy.promised(module):
            value = lazy.kept(module, name)
            if made is not None:
                value = made(name, value)
            setattr(sys.modules[module], name, value)
            return value
        if sys._getframe(1).f_code.co_name == "_handle_fromlist":  # perhaps a module within
            raise AttributeError(name)
        own = sys.modules[module]
        inner = f"{module}.{name}"
        if PathFinder.find_spec(inner, vars(own).get("__path__", ())) is not None:
            return importlib.import_module(inner)
        known = [*vars(own).get("__all__", vars(own)), *lazy.promised(module)]
        if more is not None and name[0] != "_":
            further = importlib.import_module(more)
            if name in further.__all__:
                return getattr(further, name)
            known += further.__all__
        message = _missing(module, name, known)
        # `from module import name` hides what an AttributeError says.
        raise (ImportError if _in_from_import() else AttributeError)(message)

    return __getattr__


def missing_attribute(model, name):
    """The AttributeError for an attribute that a Model does not have.

    Parameters
    ----------
    model : Model
    name : str
    """
    return AttributeError(_missing("nnlite.models.Model", name, dir(model)))


def _missing(owner, name, known):
    """What is said of a name that its owner does not have."""
    for names, instead in COMING.get(owner, ()):
        if name in names.split():
            return f"{owner} has no {name} yet{f'; {instead}' if instead else ''}"
    if name.startswith("_"):
        return f"{owner} has no attribute {name!r}"
    public = [other for other in known if other[:1] != "_"]
    return f"{owner} has no attribute {name!r}{did_you_mean(name, public)}"


def _in_from_import():
    """Whether the code that asks for a name is a `from ... import` statement."""
    frame = sys._getframe(2)
    return frame.f_code.co_code[frame.f_lasti] == opcode.opmap["IMPORT_FROM"]
