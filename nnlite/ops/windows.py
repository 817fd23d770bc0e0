"""Helpers of convolution and pooling: pairs of sizes, and the number of windows along an axis."""

from nnlite.checks import LARGEST_SIZE, is_number


def pair(name, value):
    """(height, width) from an integer of at least 1 or two of them; integral floats count."""
    both = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2 or not all(is_number(v, "[1, inf)") and not v % 1 for v in both):
        raise ValueError(
            f"expected {name} to be a positive integer or a pair of them, got {value!r}"
        )
    if max(both) > LARGEST_SIZE:
        raise ValueError(f"expected {name} to be less than 2**31, got {value!r}")
    return int(both[0]), int(both[1])


def check_padding(padding):
    """`padding` in lower case; ValueError unless it is 'valid' or 'same'."""
    lower = padding.lower() if isinstance(padding, str) else padding
    if lower not in ("valid", "same"):
        raise ValueError(f"expected padding 'valid' or 'same', got {padding!r}")
    return lower


def check_images(shape):
    """Raise ValueError unless `shape` is a shape of images, (N, H, W, C)."""
    if len(shape) != 4:
        raise ValueError(
            f"expected images of shape (N, height, width, channels), got shape {shape}"
        )


def windows_along(size, window, stride, padding, dilation=1):
    """(number of windows, padding before the image) along one axis of `size` pixels.

    If the padding is odd, its larger half comes after the image.
    """
    covered = (window - 1) * dilation + 1
    if padding == "valid":
        return (size - covered) // stride + 1, 0
    count = -(-size // stride)
    return count, max((count - 1) * stride + covered - size, 0) // 2
