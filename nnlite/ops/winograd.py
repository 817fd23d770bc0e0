"""Where csrc/ops/conv/winograd.h can compute a convolution and its gradients, and is faster.

Of each: the shapes of inputs and outputs, and the attributes of the call."""

import math

# Pixels of a patch along an axis.
_SIDE = 4
# Fewer patches do not make up for the transformation of the kernel; of one that leaves the second
# cache, because it has more channels, more are needed.
_LEAST_PATCHES, _MORE_PATCHES, _CHANNELS = 4, 25, 128
# The least share of the pixels that patches give which lies in the images. A gradient of many
# patches makes up for more.
_LEAST_INSIDE, _LEAST_INSIDE_OF_GRADIENTS = 5 / 8, 1 / 2
# Channels and filters fill whole vectors of any instruction set.
_WHOLE_VECTORS = 16


def pays(inputs, outputs, attrs):
    """Of conv2d. The number of images does not count: their results depend on themselves only."""
    _, _, channels, _ = kernel = inputs[1]
    return _pays(outputs[0][1:], kernel, channels, _LEAST_INSIDE, attrs)


def pays_for_input(inputs, outputs, attrs):
    """Of the gradient of the images."""
    _, _, _, filters = kernel = inputs[1]
    images = inputs[0][0 if attrs["sparse"] else 1 :]  # `sparse`: images may depend on others
    return _pays(images, kernel, filters, _LEAST_INSIDE_OF_GRADIENTS, attrs)


def pays_for_kernel(inputs, outputs, attrs):
    """Of the gradient of the kernel."""
    kernel = outputs[0]
    return _pays(inputs[1], kernel, 0, _LEAST_INSIDE_OF_GRADIENTS, attrs)


def _pays(results, kernel, summed, least_inside, attrs):
    """Of the shape of y, without its samples if they do not count, and of the channels that are
    summed with a transformed kernel."""
    *images, height, width, _ = results
    *size, channels, filters = kernel
    patches = math.prod(images) * math.ceil(height / _SIDE) * math.ceil(width / _SIDE)
    return (
        size == [3, 3]
        and attrs["groups"] == 1
        and all(attrs[f"{step}_{axis}"] == 1 for step in ("stride", "dilation") for axis in "hw")
        and channels % _WHOLE_VECTORS == filters % _WHOLE_VECTORS == 0
        and patches >= (_LEAST_PATCHES if summed <= _CHANNELS else _MORE_PATCHES)
        and math.prod(results[:-1]) >= least_inside * patches * _SIDE**2
    )
