"""EfficientNetLite0: EfficientNetB0 without what weighs channels and without swish, for phones.

Keras does not have it. Its layers have the names that those of EfficientNetB0 have."""

import functools

from nnlite import names
from nnlite.applications.efficientnet import blocks, top
from nnlite.applications.explained import explained
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import Asked, assembled, pooled_by_name

__all__ = ["EfficientNetLite0", "decode_predictions", "preprocess_input"]

preprocess_input = preprocessing("lite")


@explained(
    summary="EfficientNetLite0: 16 blocks that widen, filter each channel, and narrow again.",
    source="M. Tan, Q. Le: EfficientNet: Rethinking model scaling for convolutional neural "
    "networks, 2019.",
    size=224,
    weights_is="""None or path, default None
    None: random ones. A path: of a file '.h5', '.weights.h5', '.keras' or '.safetensors'. Keras
    publishes none.""",
)
def EfficientNetLite0(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetlite0",
):
    if weights == "imagenet":
        raise ValueError("weights: expected None or a path, got 'imagenet': Keras publishes none")
    asked = Asked(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    body = functools.partial(blocks, width=1.0, depth=1.0, activation="relu6", weighs=False)
    return assembled(
        asked,
        name,
        body,
        functools.partial(top, dropout=0.2),
        size=224,
        file=None,
        pools=pooled_by_name,
    )


__getattr__ = names.of(__name__)
