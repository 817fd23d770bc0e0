"""Helpers of convolution and pooling: sizes by axis, the number of windows along an axis."""

import numpy as np

from nnlite.checks import LARGEST_SIZE, is_number


def sizes(name, value, rank, least=1):
    """A size for each of `rank` axes, from one or as many integers of at least `least`; integral
    floats count."""
    each = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if len(each) != rank or not all(is_number(v, f"[{least}, inf)") and not v % 1 for v in each):
        one = "a positive integer" if least else "an integer of at least 0"
        several = {2: " or a pair of them", 3: " or three of them"}.get(rank, "")
        raise ValueError(f"{name}: expected {one}{several}, got {value!r}")
    if max(each) > LARGEST_SIZE:
        raise ValueError(f"{name}: expected numbers below 2**31, got {value!r}")
    return tuple(int(v) for v in each)


def pair(name, value):
    """(height, width) from one or two integers."""
    return sizes(name, value, 2)


def check_padding(padding, known=("valid", "same")):
    """`padding` in lower case; ValueError unless it is one of those known."""
    lower = padding.lower() if isinstance(padding, str) else padding
    if not isinstance(lower, str) or lower not in known:
        raise ValueError(f"padding: expected {' or '.join(map(repr, known))}, got {padding!r}")
    return lower


def check_images(shape):
    """Raise ValueError unless `shape` is a shape of images, (N, H, W, C)."""
    if len(shape) != 4:
        raise ValueError(
            f"expected images of shape (N, height, width, channels), got shape {shape}"
        )


def equal_windows(n, m):
    """The begins and ends of m windows that together cover n entries, as equal as can be: they
    overlap where m does not divide n."""
    window = np.arange(m + 1)
    return window[:-1] * n // m, -(-window[1:] * n // m)


def equivalent_steps(size, window, stride, dilation=1):
    """A stride and a dilation that make the same windows over `size` pixels, and are small.

    Time and memory in C grow with both. A stride of the image's size makes one window, as any
    larger one does. A dilation of twice that size leaves no tap over the image but the one in the
    middle; larger ones of the same parity leave it in the same place.
    """
    stride = min(stride, max(size, 1))
    beyond = 2 * size + 2
    if window == 1:
        dilation = 1
    elif dilation > beyond:
        dilation = beyond + (dilation - beyond) % 2
    return stride, dilation


def windows_along(size, window, stride, padding, dilation=1):
    """(number of windows, padding before the image) along one axis of `size` pixels.

    If the padding is odd, its larger half comes after the image. That of 'causal' is all before it:
    a window ends where it stands.
    """
    covered = (window - 1) * dilation + 1
    if padding == "valid":
        return (size - covered) // stride + 1, 0
    count = -(-size // stride)
    if padding == "causal":
        return count, covered - 1
    return count, max((count - 1) * stride + covered - size, 0) // 2
