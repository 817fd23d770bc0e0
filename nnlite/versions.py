"""Versions of packages, and the engine in use, for bug reports."""

import importlib.metadata
import platform

from nnlite.engine import _engine, dispatch
from nnlite.terminal import write

__version__ = importlib.metadata.version("nnlite")


def version():
    """The version of nnlite, as a string."""
    return __version__


def show_versions():
    """Print package versions, the engine in use, the engines of this build, and the threads.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.show_versions()  # doctest: +ELLIPSIS
    nnlite ...
    """
    write(f"nnlite          {__version__}")
    write(f"python          {platform.python_version()} ({platform.platform()})")
    for package in ("numpy", "scikit-learn", "scipy", "scikit-optimize", "matplotlib", "tqdm"):
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        write(f"{package:<15} {found}")
    in_use = dispatch.engine("float32").isa
    runnable = list(dict.fromkeys(e.isa for e in _engine.engines()))
    built = ", ".join(_engine.built_isas())
    write(f"engine          {in_use} (this CPU runs {', '.join(runnable)}; built: {built})")
    write("precisions      float32, float64")
    write(f"threads         {_engine.max_threads()}")
