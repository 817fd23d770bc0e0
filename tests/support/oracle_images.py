"""The ops of images and normalization in plain NumPy, as in `oracle.py`."""

import numpy as np
from oracle import random_words
from oracle_activations import gated, gated_gradient

from nnlite.ops.warp import FILL_MODES


def log_softmax(x):
    """Over the last axis."""
    z = x - x.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def windows(shape, out_shape, a):
    """(image, output row, output column, rows, columns) of each window, cut to the image."""
    for n, oh, ow in np.ndindex(out_shape[:3]):
        top, left = oh * a["stride_h"] - a["pad_top"], ow * a["stride_w"] - a["pad_left"]
        rows = slice(max(top, 0), min(top + a["pool_h"], shape[1]))
        columns = slice(max(left, 0), min(left + a["pool_w"], shape[2]))
        yield n, oh, ow, rows, columns


def pool(x, a, function):
    """A function of each window's pixels, for each channel."""
    y = np.zeros((x.shape[0], *a["size"], x.shape[3]), x.dtype)
    for n, oh, ow, rows, columns in windows(x.shape, y.shape, a):
        y[n, oh, ow] = function(x[n, rows, columns], axis=(0, 1))
    return y


def max_pool_gradient(dy, x, y, a):
    """To the first of the largest pixels of each window."""
    dx = np.zeros_like(x)
    for n, oh, ow, rows, columns in windows(x.shape, dy.shape, a):
        for c in range(x.shape[3]):
            pixels = x[n, rows, columns, c]
            h, w = np.unravel_index(pixels.argmax(), pixels.shape)
            dx[n, rows.start + h, columns.start + w, c] += dy[n, oh, ow, c]
    return dx


def average_pool_gradient(dy, a):
    """Equal parts to the pixels of each window."""
    dx = np.zeros((dy.shape[0], *a["size"], dy.shape[3]), dy.dtype)
    for n, oh, ow, rows, columns in windows(dx.shape, dy.shape, a):
        dx[n, rows, columns] += dy[n, oh, ow] / dx[n, rows, columns, :1].size
    return dx


def pad2d(x, a):
    """Zeros around, or a part."""
    y = np.zeros((x.shape[0], *a["size"], x.shape[3]), x.dtype)
    for h, w in np.ndindex(a["size"]):
        i, j = h - a["top"], w - a["left"]
        if 0 <= i < x.shape[1] and 0 <= j < x.shape[2]:
            y[:, h, w] = x[:, i, j]
    return y


def beyond(at, n, mode):
    """The coordinate among pixels 0 ... n - 1 that stands for one anywhere, pixel by pixel."""
    if mode == "nearest" or n == 1:
        return min(max(at, 0), n - 1)
    if mode == "reflect":
        at %= 2 * n
        return min(max(at if at < n else 2 * n - 1 - at, 0), n - 1)
    if at < 0:  # ends in (0, n - 1], from the other side in [0, n - 1)
        return at + (n - 1) * (int(-at / (n - 1)) + 1)
    return at - (n - 1) * int(at / (n - 1)) if at > n - 1 else at


def warped_pixel(image, row, column, mode, smooth, cval):
    """The image between pixels, all channels."""
    sides = image.shape[:2]
    if mode == "constant":
        if not (0 <= row <= sides[0] - 1 and 0 <= column <= sides[1] - 1):
            return np.full(image.shape[2], cval, image.dtype)
    else:
        row, column = (beyond(at, n, mode) for at, n in zip((row, column), sides))
    if not smooth:
        return image[int(np.floor(row + 0.5)), int(np.floor(column + 0.5))]
    # The weight of a pixel falls to 0 at the next one.
    down, across = (
        np.maximum(0, 1 - abs(at - np.arange(n))) for at, n in zip((row, column), sides)
    )
    return (down[:, None, None] * across[:, None] * image).sum(axis=(0, 1))


def affine_transform(x, bits, a):
    """Each pixel by itself."""
    y = np.zeros_like(x)
    mode = {code: name for name, code in FILL_MODES.items()}[a["mode"]]
    for n, i, j in np.ndindex(x.shape[:3]):
        m = bits[n].view(np.float64)
        row, column = m[2] + m[0] * i + m[1] * j, m[5] + m[3] * i + m[4] * j
        y[n, i, j] = warped_pixel(x[n], row, column, mode, a["smooth"], a["cval"])
    return y


def batch_norm(x, gamma, beta, epsilon):
    """y, mean, biased variance."""
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    return [(x - mean) * gamma / np.sqrt(variance + epsilon) + beta, mean, variance]


def batch_norm_gradient(dy, x, gamma, mean, variance, epsilon):
    """dx, dgamma, dbeta."""
    axes, rows = tuple(range(x.ndim - 1)), x.size // max(x.shape[-1], 1)
    inv = 1 / np.sqrt(variance + epsilon)
    hat = (x - mean) * inv
    dbeta, dgamma = dy.sum(axes), (dy * hat).sum(axes)
    return [gamma * inv * (dy - dbeta / rows - hat * dgamma / rows), dgamma, dbeta]


def layer_norm(x, gamma, beta, epsilon):
    """y, mean, 1 / standard deviation."""
    mean, inv = x.mean(-1), 1 / np.sqrt(x.var(-1) + epsilon)
    return [(x - mean[..., None]) * inv[..., None] * gamma + beta, mean, inv]


def layer_norm_gradient(dy, x, gamma, mean, inv):
    """dx, dgamma, dbeta."""
    axes = tuple(range(x.ndim - 1))
    hat, g = (x - mean[..., None]) * inv[..., None], dy * gamma
    along = (g * hat).mean(-1, keepdims=True)
    dx = inv[..., None] * (g - g.mean(-1, keepdims=True) - hat * along)
    return [dx, (dy * hat).sum(axes), dy.sum(axes)]


def random_normal(key, attrs):
    """Box and Muller: cosines in the first half of each group of numbers, sines in the second."""
    n = int(np.prod(attrs["shape"]))
    single = attrs["dtype"] == "float32"
    group = 64 if single else 32
    words = random_words(key, -(-n // group) * 64).astype(np.uint64).reshape(-1, 4, 16)
    if single:
        words = words.reshape(-1, 2, 32)
        u = ((words[:, 0] >> 1).astype(np.float32) * np.float32(2.0**-31)).astype(np.float64)
        u = (u + 2.0**-32).astype(np.float32).astype(np.float64)
        v = (words[:, 1] >> 8) * 2.0**-24
    else:
        upper, lower = (
            words[:, k] >> np.uint64(s) for k, s in ((slice(0, 4, 2), 5), (slice(1, 4, 2), 6))
        )
        uniform = (upper * 2.0**26 + lower) * 2.0**-53
        u, v = 1 - uniform[:, 0], uniform[:, 1]
    radius, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v
    values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return values.reshape(-1)[:n].reshape(attrs["shape"])


def places(a, n, m, size):
    """Of windows along an axis of n: which of its entries stands in which place of which window."""
    for o, k in np.ndindex(m, size):
        i = o * a["stride"] + k * a["dilation"] - a["before"]
        if 0 <= i < n:
            yield o, k, i


def windows_along_axis(x, a):
    y = np.zeros((x.shape[0], a["count"], x.shape[2], a["size"]), x.dtype)
    for o, k, i in places(a, x.shape[1], a["count"], a["size"]):
        y[:, o, :, k] = x[:, i]
    return y


def windows_along_axis_gradient(dy, a):
    dx = np.zeros((dy.shape[0], a["length"], dy.shape[2]), dy.dtype)
    for o, k, i in places(a, a["length"], dy.shape[1], dy.shape[3]):
        dx[:, i] += dy[:, o, :, k]
    return dx


ORACLE = {
    "gated_activation": lambda x, a: [gated(x[0], a["gate"])],
    "gated_activation_gradient": lambda x, a: [gated_gradient(x[0], x[1], a["gate"])],
    "log_softmax": lambda x, a: [log_softmax(x[0])],
    "log_softmax_gradient": lambda x, a: [x[0] - np.exp(x[1]) * x[0].sum(axis=-1, keepdims=True)],
    "random_normal": lambda x, a: [random_normal(x[0], a)],
    "max_pool2d": lambda x, a: [pool(x[0], a, np.max)],
    "max_pool2d_gradient": lambda x, a: [max_pool_gradient(*x, a)],
    "average_pool2d": lambda x, a: [pool(x[0], a, np.mean)],
    "average_pool2d_gradient": lambda x, a: [average_pool_gradient(x[0], a)],
    "pad2d": lambda x, a: [pad2d(x[0], a)],
    "windows": lambda x, a: [windows_along_axis(x[0], a)],
    "windows_gradient": lambda x, a: [windows_along_axis_gradient(x[0], a)],
    "affine_transform": lambda x, a: [affine_transform(*x, a)],
    "batch_norm": lambda x, a: batch_norm(*x, **a),
    "batch_norm_gradient": lambda x, a: batch_norm_gradient(*x, **a),
    "scale_shift": lambda x, a: [x[0] * x[1] + x[2]],
    "moving_update": lambda x, a: [x[0] * a["momentum"] + x[1] * (1 - a["momentum"])],
    "layer_norm": lambda x, a: layer_norm(*x, **a),
    "layer_norm_gradient": lambda x, a: layer_norm_gradient(*x),
}
