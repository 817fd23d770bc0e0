"""Cases of layers of images whose factors leave nothing to chance, as in `cases_layers.py`, and
what they refuse."""

import numpy as np

from nnlite import layers

SQUARES = (2, 6, 6, 3)


def halved(x):
    """Means of 2 x 2 pixels."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def clipped(x, w):
    """In [-1, 1]."""
    return np.clip(x, -1, 1)


def least(x):
    """Of each image and channel."""
    return x.min((1, 2), keepdims=True)


def blurred(x, down, across):
    """Sums of neighbours, with weights of rows and of columns; zeros beyond the border."""
    a, b = len(down) // 2, len(across) // 2
    around = np.pad(x, ((0, 0), (a, a), (b, b), (0, 0)))
    _, h, w, _ = x.shape
    return sum(
        p * q * around[:, i : i + h, j : j + w]
        for i, p in enumerate(down)
        for j, q in enumerate(across)
    )


def bell(size, deviation=0.5 + 1e-6):
    """Weights of a normal distribution."""
    weights = np.exp(-0.5 * ((np.arange(size) - size // 2) / deviation) ** 2)
    return weights / weights.sum()


GREY = np.array([[0.2989], [0.587], [0.114]])
COLORS = np.random.default_rng(5).uniform(0.1, 0.9, SQUARES)
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
    "RandomBrightness": (
        lambda: layers.RandomBrightness((0.25, 0.25), (-4, 4)),
        SQUARES,
        lambda x, w: np.clip(x + 2, -4, 4),
    ),
    "RandomContrast": (lambda: layers.RandomContrast((0, 0), (-1, 1)), SQUARES, clipped),
    "RandomInvert": (
        lambda: layers.RandomInvert((1, 1), value_range=(-5, 3)),
        SQUARES,
        lambda x, w: 3 - x,
    ),
    "RandomPosterization": (
        lambda: layers.RandomPosterization(3, (-4, 4)),
        SQUARES,
        lambda x, w: np.floor((x + 4) * 255 / 8 / 32) * 32 * 8 / 255 - 4,
    ),
    "Solarization": (
        lambda: layers.Solarization((0.25, 0.25), (0.5, 0.5), (-8, 8)),
        SQUARES,
        lambda x, w: np.where(x + 4 < 0, x + 4, -x - 4),
    ),
    "AutoContrast": (
        lambda: layers.AutoContrast((0, 1)),
        SQUARES,
        lambda x, w: (x - least(x)) / (-least(-x) - least(x)),
    ),
    "Equalization": (
        lambda: layers.Equalization((0, 255), bins=256),
        np.array([[9.0, 9, 4, 200]]).reshape(1, 1, 4, 1),
        lambda x, w: np.array([[170.0, 170, 0, 255]]).reshape(1, 1, 4, 1),
    ),
    "ContrastLimitedAdaptiveHistogramEqualization": (
        lambda: layers.ContrastLimitedAdaptiveHistogramEqualization((0, 510), 0, (1, 1)),
        np.array([[18.0, 18, 8, 400]]).reshape(1, 1, 4, 1),
        lambda x, w: np.array([[382.5, 382.5, 127.5, 510]]).reshape(1, 1, 4, 1),
    ),
    "RandomGrayscale": (
        lambda: layers.RandomGrayscale(1.0),
        SQUARES,
        lambda x, w: np.repeat(x @ GREY, 3, axis=3),
    ),
    "RandomColorDegeneration": (
        lambda: layers.RandomColorDegeneration((0.25, 0.25), (-9, 9)),
        SQUARES,
        lambda x, w: 0.75 * x + 0.25 * (x @ GREY),
    ),
    "RandomHue": (
        lambda: layers.RandomHue((1, 1), (0, 1)),
        COLORS,
        lambda x, w: x.max(3, keepdims=True) + x.min(3, keepdims=True) - x,
    ),
    "RandomSaturation": (
        lambda: layers.RandomSaturation((0, 0), (0, 1)),
        COLORS,
        lambda x, w: np.repeat(x.max(3, keepdims=True), 3, axis=3),
    ),
    "RandomColorJitter": (
        lambda: layers.RandomColorJitter((0, 1), brightness_factor=(0.25, 0.25)),
        COLORS,
        lambda x, w: np.minimum(x + 0.25, 1),
    ),
    "RandomSharpness": (
        lambda: layers.RandomSharpness((1, 1), (-50, 50)),
        SQUARES,
        lambda x, w: 2 * x - (blurred(x, [1, 1, 1], [1, 1, 1]) + 4 * x) / 13,
    ),
    "RandomGaussianBlur": (
        lambda: layers.RandomGaussianBlur((1, 1), (3, 5), (0.5, 0.5), (-50, 50)),
        SQUARES,
        lambda x, w: blurred(x, bell(3), bell(5)),
    ),
    "RandomErasing": (
        lambda: layers.RandomErasing((1, 1), (1, 1), (1.0, 2.0, 3.0), (-9, 9)),
        SQUARES,
        lambda x, w: np.broadcast_to([1.0, 2, 3], x.shape),
    ),
    "MixUp": (lambda: layers.MixUp(0.5), np.repeat(COLORS[:1], 3, axis=0), lambda x, w: x),
    "CutMix": (lambda: layers.CutMix(0.5), np.repeat(COLORS[:1], 3, axis=0), lambda x, w: x),
    "RandAugment": (lambda: layers.RandAugment(num_ops=0), SQUARES, lambda x, w: x),
    # In a range that is no wider than the rounding of other cases.
    "AugMix": (
        lambda: layers.AugMix((0, 1e-15), num_chains=2, chain_depth=1),
        np.zeros(SQUARES),
        lambda x, w: x,
    ),
    "RandomShear": (lambda: layers.RandomShear(0.0, 0.0), SQUARES, lambda x, w: x),
    "RandomPerspective": (lambda: layers.RandomPerspective(0.0), SQUARES, lambda x, w: x),
    "RandomElasticTransform": (
        lambda: layers.RandomElasticTransform(scale=0.0, value_range=(-1, 1)),
        SQUARES,
        clipped,
    ),
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
    (lambda: layers.RandomBrightness(0.5, (1, 1)), r"value_range: expected two different numbers"),
    (lambda: layers.RandomContrast(0.5, 255), r"value_range: expected two numbers, got 255"),
    (lambda: layers.RandomContrast(1.5), r"factor: expected a number in \[0, 1\] or two, got 1.5"),
    (lambda: layers.RandomPosterization(9), r"factor: expected an integer in \[1, 8\] or two, got"),
    (lambda: layers.RandomGaussianBlur(kernel_size=4), r"kernel_size: expected an odd integer .*4"),
    (lambda: layers.RandomErasing(fill_value=(1, 2)), r"fill_value: expected a number or three"),
    (lambda: layers.MixUp(0), r"alpha: expected a number in \(0, inf\), got 0"),
    (lambda: layers.AugMix(num_chains=0), r"num_chains: expected an integer in \[1, 100\], got 0"),
    (lambda: layers.RandomPerspective(scale=2), r"scale: expected a number in \[0, 1\], got 2"),
    (
        lambda: layers.RandomElasticTransform(scale=2),
        r"scale: expected a number in \[0, 1\] or two",
    ),
    (
        lambda: layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(0, 8)),
        r"tile_grid_size: expected a positive integer or a pair of them, got \(0, 8\)",
    ),
]
