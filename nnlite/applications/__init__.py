"""Networks for images under Keras's names, with the weights that Keras publishes for ImageNet."""

from nnlite import names
from nnlite.applications import imagenet_utils, mobilenet, mobilenet_v2, vgg16, vgg19
from nnlite.applications.mobilenet import MobileNet
from nnlite.applications.mobilenet_v2 import MobileNetV2
from nnlite.applications.vgg16 import VGG16
from nnlite.applications.vgg19 import VGG19

__all__ = [
    "VGG16",
    "VGG19",
    "MobileNet",
    "MobileNetV2",
    "imagenet_utils",
    "mobilenet",
    "mobilenet_v2",
    "vgg16",
    "vgg19",
]

__getattr__ = names.of(__name__)
