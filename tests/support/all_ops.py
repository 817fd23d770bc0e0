"""The rows of all ops. A family is imported when a function of it is first used; here all are."""

import importlib
import pkgutil

from nnlite import ops
from nnlite.engine.dispatch import OPS

for _family in pkgutil.iter_modules(ops.__path__, "nnlite.ops."):
    importlib.import_module(_family.name)

__all__ = ["OPS"]
