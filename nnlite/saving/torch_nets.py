"""Nets of PyTorch known by the names of their modules: the order of these, and nets of torchvision
that go by the name of a net of Keras and compute something else."""

import re

# A tensor of torchvision's, a layer of Keras's net, and what differs. The weights would fit.
_DIFFERENT = [
    (
        "features.18.1.running_var",
        "block_16_project_BN",
        "MobileNetV2 of torchvision pads images on both sides and normalizes with epsilon=1e-5; "
        "Keras's pads on the right and below, with epsilon=1e-3",
    ),
    (
        "features.4.block.2.fc1.weight",
        "expanded_conv_1_expand",
        "MobileNetV3 of torchvision pads images on both sides; Keras's pads on the right and below",
    ),
    (
        "layer4.1.bn2.running_var",
        "conv5_block1_1_conv",
        "ResNet of torchvision has the stride of a block in its 3 x 3 convolution, and no biases "
        "there; Keras's has it in the first 1 x 1",
    ),
    (
        "Mixed_7c.branch_pool.bn.running_var",
        "mixed10",
        "Inception of torchvision counts the zeros around images in its average poolings; "
        "Keras's does not",
    ),
]

# The modules of a block in the order in which it uses them.
_DENSE_BLOCK = ["norm1", "conv1", "norm2", "conv2"]
_LITE_BLOCK = ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"]


def _densenet(*sizes):
    """The modules of a DenseNet of torchvision, by the number of layers in each block."""
    yield from ("features.conv0", "features.norm0")
    for block, size in enumerate(sizes, start=1):
        for layer in range(1, size + 1):
            inside = f"features.denseblock{block}.denselayer{layer}"
            yield from (f"{inside}.{name}" for name in _DENSE_BLOCK)
        if block < len(sizes):
            yield from (f"features.transition{block}.{name}" for name in ("norm", "conv"))
    yield from ("features.norm5", "classifier")


def _efficientnet_lite(blocks):
    """The modules of an EfficientNet-Lite; its first block does not expand."""
    yield from ("_conv_stem", "_bn0")
    for block in range(blocks):
        names = _LITE_BLOCK[2:] if block == 0 else _LITE_BLOCK
        yield from (f"_blocks.{block}.{name}" for name in names)
    yield from ("_conv_head", "_bn1", "_fc")


_ORDERS = [
    *([*_densenet(6, 12, *last)] for last in ((24, 16), (32, 32), (48, 32))),  # 121, 169, 201
    [*_efficientnet_lite(16)],  # Lite0
]


def refuse_others(model, arrays):
    """Raise a ValueError if tensors are of a net of torchvision and a model is Keras's other one.

    Parameters
    ----------
    model : Model
    arrays : dict of str to array
    """
    for tensor, layer, reason in _DIFFERENT:
        if tensor in arrays and _has(model, layer):
            raise ValueError(f"expected weights of this net, got those of another: {reason}")


def _has(model, name):
    return any(
        layer.name == name or (layer._is_model and _has(layer, name)) for layer in model.layers
    )


def known_order(names):
    """The names of a net's modules in the order in which the net uses them; None if no net that is
    known here has these.

    Parameters
    ----------
    names : iterable of str
    """
    found = {*names}
    return next((order for order in _ORDERS if found == {*order}), None)


def counted(name):
    """What names are sorted by so that 'block.10' comes after 'block.9'.

    Parameters
    ----------
    name : str
    """
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in _parts(name)]


def skeleton(name):
    """A name without its numbers, and without what tells the directions of a recurrent layer apart.

    Parameters
    ----------
    name : str
    """
    return tuple("" if part.isdigit() else part for part in _parts(name.removesuffix("_reverse")))


def _parts(name):
    return re.split(r"(\d{1,9})", name)
