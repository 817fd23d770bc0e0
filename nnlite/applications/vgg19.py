"""VGG19: VGG16 with three more convolutions."""

from nnlite import names
from nnlite.applications.imagenet_utils import decode_predictions
from nnlite.applications.vgg16 import preprocess_input, vgg

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

VGG19 = vgg(
    "vgg19.VGG19",
    (2, 2, 4, 4, 4),
    ("253f8cb515780f3b799900260a226db6", "cbe5617147190e668d6c5d5026f83318"),
)

__getattr__ = names.of(__name__)
