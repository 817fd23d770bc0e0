"""ResNet50, where Keras has it, too: see `nnlite.applications.resnet`."""

from nnlite import names
from nnlite.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

__getattr__ = names.of(__name__)
