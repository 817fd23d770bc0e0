"""Keras's import paths: `nnlite.keras.layers` is the module `nnlite.layers`, and so on.

`sys.modules` has each module under this path, too, so that none is imported twice. What brings
scikit-learn or reads files has a file here, which is run when it is first asked for.
"""

import importlib
import pkgutil
import sys

import nnlite

__getattr__ = nnlite.__getattr__


def alias(name):
    """Make a module of nnlite, and those in it, known under `nnlite.keras.`.

    Parameters
    ----------
    name : str
        Of the module, behind `nnlite.`.
    """
    real = f"nnlite.{name}"
    module = importlib.import_module(real)
    for part in pkgutil.iter_modules(getattr(module, "__path__", ())):
        importlib.import_module(f"{real}.{part.name}")
    for path in [m for m in list(sys.modules) if m == real or m.startswith(f"{real}.")]:
        sys.modules[path.replace("nnlite.", "nnlite.keras.", 1)] = sys.modules[path]


for _name in """
    activations backend callbacks config constraints dtype_policies initializers layers losses
    metrics mixed_precision models nn ops optimizers random regularizers saving utils
""".split():
    alias(_name)
__all__ = [_name for _name in nnlite.__all__ if _name != "keras"]
globals().update((_name, vars(nnlite)[_name]) for _name in __all__ if _name in vars(nnlite))
