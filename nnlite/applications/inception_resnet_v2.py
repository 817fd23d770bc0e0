"""InceptionResNetV2: blocks of branches, whose results are added to their input."""

from nnlite import layers, names
from nnlite.applications.files import of_tensorflow
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.inception_v3 import HALVES, STEM, chain
from nnlite.applications.network import network

__all__ = ["CustomScaleLayer", "InceptionResNetV2", "decode_predictions", "preprocess_input"]

HASHES = "d19885ff4a710c122648d3b5c3b684e4", "e693bd0210a403b3192acc6073ad2e96"

preprocess_input = preprocessing("tf")

# Branches, as `chain` takes them, of the blocks that are not added.
MIXED_5B = (
    [(96, 1)],
    [(48, 1), (64, 5)],
    [(64, 1), (96, 3), (96, 3)],
    ["mean", (64, 1)],
)
MIXED_6A = ([(384, 3, HALVES)], [(256, 1), (256, 3), (384, 3, HALVES)], ["halve"])
MIXED_7A = (
    [(256, 1), (384, 3, HALVES)],
    [(256, 1), (288, 3, HALVES)],
    [(256, 1), (288, 3), (320, 3, HALVES)],
    ["halve"],
)
# And of those that are.
BLOCK35 = ([(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)])
BLOCK17 = ([(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))])
BLOCK8 = ([(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))])


class CustomScaleLayer(layers.Layer):
    """The first of two tensors, plus a multiple of the second.

    Parameters
    ----------
    scale : float
        The factor of the second.
    **kwargs
        Of `Layer`: name.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs):
        return inputs[0] + inputs[1] * self.scale


def _body(x):
    x = chain(x, STEM)
    x = _joined(x, MIXED_5B, "mixed_5b")
    x = _added(x, BLOCK35, "block35", 10 * [0.17])
    x = _joined(x, MIXED_6A, "mixed_6a")
    x = _added(x, BLOCK17, "block17", 20 * [0.1])
    x = _joined(x, MIXED_7A, "mixed_7a")
    x = _added(x, BLOCK8, "block8", [*9 * [0.2], 1.0])
    x = layers.Conv2D(1536, 1, use_bias=False, padding="same", name="conv_7b")(x)
    x = layers.BatchNormalization(scale=False, name="conv_7b_bn")(x)
    return layers.Activation("relu", name="conv_7b_ac")(x)


def _joined(x, branches, name):
    return layers.Concatenate(name=name)([chain(x, steps) for steps in branches])


def _added(x, branches, name, scales):
    """Blocks of one kind; one with the scale 1 has no activation behind it."""
    for i, scale in enumerate(scales, 1):
        up = _joined(x, branches, f"{name}_{i}_mixed")
        up = layers.Conv2D(x.shape[-1], 1, padding="same", name=f"{name}_{i}_conv")(up)
        x = CustomScaleLayer(scale)([x, up])
        if scale < 1:
            x = layers.Activation("relu", name=f"{name}_{i}_ac")(x)
    return x


InceptionResNetV2 = network(
    "inception_resnet_v2.InceptionResNetV2",
    _body,
    published=lambda top: of_tensorflow(
        "inception_resnet_v2", "inception_resnet_v2", top, HASHES[top]
    ),
    name="inception_resnet_v2",
    size=299,
    least=75,
    summary="InceptionResNetV2: 40 blocks of branches that are added to their input.",
    source="C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi: Inception-v4, Inception-ResNet and the "
    "impact of residual connections on learning, 2016.",
)

__getattr__ = names.of(__name__)
