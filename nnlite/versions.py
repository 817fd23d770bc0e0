"""Versions of packages, and the engine in use, for bug reports."""

import importlib.metadata
import platform

from nnlite.engine import _engine, dispatch

__version__ = importlib.metadata.version("nnlite")


def show_versions():
    """Print package versions, the engine in use, the engines of this build, and the threads.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.show_versions()  # doctest: +ELLIPSIS
    nnlite ...
    """
    print(f"nnlite          {__version__}")
    print(f"python          {platform.python_version()} ({platform.platform()})")
    for package in ("numpy", "scikit-learn", "scipy", "scikit-optimize", "matplotlib", "tqdm"):
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        print(f"{package:<15} {found}")
    in_use = dispatch.engine("float32").isa
    runnable = list(dict.fromkeys(e.isa for e in _engine.engines()))
    built = ", ".join(_engine.built_isas())
    print(f"engine          {in_use} (this CPU runs {', '.join(runnable)}; built: {built})")
    print("precisions      float32, float64")
    print(f"threads         {_engine.max_threads()}")
