"""Models and estimators as a service over HTTP: `nnlite serve model.keras`.

It speaks the Open Inference Protocol and TensorFlow Serving's REST interface."""

import importlib.util

from nnlite import names

_NEEDED = ("httptools", "orjson", "prometheus_client", "uvicorn")
_missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
if _missing:
    raise ImportError(f'nnlite.serving needs {", ".join(_missing)}: pip install "nnlite[serve]"')

from nnlite.serving.app import make_app  # noqa: E402
from nnlite.serving.server import serve  # noqa: E402

__all__ = ["make_app", "serve"]

__getattr__ = names.of(__name__)
