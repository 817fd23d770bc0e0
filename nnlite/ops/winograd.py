"""Where csrc/ops/conv/winograd.h can compute a convolution and its gradients, and is faster.

Of each: the shapes of inputs and outputs, and the attributes of the call."""

import math

# Pixels of a patch along an axis.
_SIDE = 4
# Fewer patches do not make up for the transformation of the kernel; of one that leaves the second
# cache, because it has more channels, more are needed.
_LEAST_PATCHES, _MORE_PATCHES, _CHANNELS = 4, 25, 128
# The least share of what patches give that a plain convolution computes, too: no pixels outside of
# the images, nor those of dx at a border without padding, where there is less to sum.
_LEAST_USE = 5 / 8
# Channels and filters fill whole vectors of any instruction set.
_WHOLE_VECTORS = 16


def pays(inputs, outputs, attrs):
    """Of conv2d. The number of images does not count: their results depend on themselves only."""
    images = outputs[0][1:]
    return _pays(images, images, inputs[1], attrs)


def pays_for_input(inputs, outputs, attrs):
    """Of the gradient of the images, which is a convolution of that of the results."""
    height, width, channels, filters = inputs[1]
    first = 0 if attrs["sparse"] else 1  # `sparse`: images may depend on others
    turned = (height, width, filters, channels)
    return _pays(outputs[0][first:], inputs[0][first:], turned, attrs)


def pays_for_kernel(inputs, outputs, attrs):
    """Of the gradient of the kernel."""
    return _pays(inputs[1], inputs[1], outputs[0], attrs)


def _pays(results, plain, kernel, attrs):
    *images, height, width, _ = results
    *size, channels, filters = kernel
    patches = math.prod(images) * math.ceil(height / _SIDE) * math.ceil(width / _SIDE)
    return (
        size == [3, 3]
        and attrs["groups"] == 1
        and all(attrs[f"{step}_{axis}"] == 1 for step in ("stride", "dilation") for axis in "hw")
        and channels % _WHOLE_VECTORS == filters % _WHOLE_VECTORS == 0
        and patches >= (_LEAST_PATCHES if channels <= _CHANNELS else _MORE_PATCHES)
        and math.prod(plain[:-1]) >= _LEAST_USE * patches * _SIDE**2
    )
