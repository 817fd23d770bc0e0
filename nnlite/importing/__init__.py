"""Models of other formats: `import_onnx` and what reads the nodes of a file."""

from nnlite.importing.onnx_model import import_onnx
from nnlite.importing.onnx_nodes import OnnxNodes

__all__ = ["OnnxNodes", "import_onnx"]
