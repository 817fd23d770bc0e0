"""Cases of layers of images whose factors leave nothing to chance, as in `cases_layers.py`, and
what they refuse."""

import numpy as np

from nnlite import layers

SQUARES = (2, 6, 6, 3)


def halved(x):
    """Means of 2 x 2 pixels."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


CASES = {
    "Resizing": (lambda: layers.Resizing(3, 3), SQUARES, lambda x, w: halved(x)),
    "Resizing by areas, cropped": (
        lambda: layers.Resizing(2, 3, "area", crop_to_aspect_ratio=True),
        SQUARES,
        lambda x, w: halved(x[:, 1:5]),
    ),
    "Resizing padded": (
        lambda: layers.Resizing(3, 4, pad_to_aspect_ratio=True, fill_value=2.0),
        SQUARES,
        lambda x, w: halved(np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_values=2)),
    ),
    "CenterCrop": (lambda: layers.CenterCrop(3, 2), SQUARES, lambda x, w: x[:, 1:4, 2:4]),
    "RandomCrop": (lambda: layers.RandomCrop(6, 6), SQUARES, lambda x, w: x),
    "RandomFlip": (
        lambda: layers.RandomFlip(),
        np.array([[1.0, 2, 1], [3, 4, 3], [1, 2, 1]]).reshape(1, 3, 3, 1),
        lambda x, w: x,
    ),
    "RandomRotation": (
        lambda: layers.RandomRotation((0.5, 0.5), interpolation="nearest"),
        SQUARES,
        lambda x, w: x[:, ::-1, ::-1],
    ),
    "RandomZoom": (
        lambda: layers.RandomZoom((-0.8, -0.8), 0.0),
        SQUARES,
        lambda x, w: np.stack(
            [x[:, 2] * (3 - at) + x[:, 3] * (at - 2) for at in 2.0 + 0.2 * np.arange(6)], 1
        ),
    ),
    "RandomTranslation": (
        lambda: layers.RandomTranslation((0.5, 0.5), (-0.25, -0.25), "constant", fill_value=3.0),
        SQUARES,
        lambda x, w: np.pad(
            np.concatenate([(x[:, :, 1:-1] + x[:, :, 2:]) / 2, (x[:, :, -1:] + 3) / 2], 2),
            ((0, 0), (3, 0), (0, 1), (0, 0)),
            constant_values=3,
        )[:, :6],
    ),
    "RandomShear": (lambda: layers.RandomShear(0.0, 0.0), SQUARES, lambda x, w: x),
    "RandomPerspective": (lambda: layers.RandomPerspective(0.0), SQUARES, lambda x, w: x),
}

_IMAGES = r"\(N, height, width, channels\), or one without N, got shape \(2, 8\)"
SHAPES = {
    name: [(make, None, (2, 8), _IMAGES)] for name, (make, _, _) in CASES.items() if " " not in name
}
SETTINGS = [
    (lambda: layers.Resizing(0, 3), r"height: expected a positive integer, got 0"),
    (lambda: layers.Resizing(3, 3, "linear"), r"interpolation: expected 'nearest', .*got 'linear'"),
    (lambda: layers.Resizing(3, 3, fill_mode="wrap"), r"fill_mode: expected 'constant', got 'wr"),
    (
        lambda: layers.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
        r"expected crop_to_aspect_ratio or pad_to_aspect_ratio, or none of them, got both",
    ),
    (
        lambda: layers.CenterCrop(3, 3, bounding_box_format="xyxy"),
        r"bounding_box_format: bounding boxes are not supported: expected None, got 'xyxy'",
    ),
    (lambda: layers.CenterCrop(3, 3, "channels"), r"data_format: expected 'channels_last' or"),
    (lambda: layers.RandomFlip("both"), r"mode: expected 'horizontal', .*got 'both'"),
    (lambda: layers.RandomFlip(seed=0.5), r"seed: expected an integer, got 0.5"),
    (lambda: layers.RandomRotation(1.5), r"factor: expected a number in \[-1, 1\] or two, got 1.5"),
    (lambda: layers.RandomRotation((0, 1, 2)), r"factor: expected .* or two, got \(0, 1, 2\)"),
    (lambda: layers.RandomZoom(-1.0), r"height_factor: expected a number in \(-1, 1\] or two, got"),
    (lambda: layers.RandomZoom(0.1, fill_mode="mirror"), r"fill_mode: expected 'const.*'mirror'"),
    (lambda: layers.RandomShear(-0.5), r"x_factor: expected a number in \[0, 1\] or two, got -0.5"),
    (lambda: layers.RandomPerspective(scale=2), r"scale: expected a number in \[0, 1\], got 2"),
]
