"""Models and estimators as a service over HTTP: `nnlite serve model.keras`.

It speaks the Open Inference Protocol and TensorFlow Serving's REST interface."""

import importlib.util

from nnlite import names

try:
    from nnlite.serving.app import make_app
    from nnlite.serving.server import serve
except ModuleNotFoundError:
    needed = ("httptools", "orjson", "prometheus_client", "uvicorn")
    missing = ", ".join(name for name in needed if importlib.util.find_spec(name) is None)
    if not missing:
        raise
    raise ImportError(f'nnlite.serving needs {missing}: pip install "nnlite[serve]"') from None

__all__ = ["make_app", "serve"]

__getattr__ = names.of(__name__)
