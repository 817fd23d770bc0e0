"""The functions of `ops.image` by their definitions, in plain NumPy.

That the ops below them, `warp` and `resample`, equal their oracles is in `test_ops.py`.
"""

import colorsys

import numpy as np
import pytest
from samples import normal, rng

import nnlite
from nnlite import ops

image = ops.image
SIZES = [(5, 7), (20, 34), (9, 5), (4, 9), (9, 11), (1, 30)]


def sinc(d, radius):
    """Lanczos's kernel."""
    return np.where(d < radius, np.sinc(d) * np.sinc(d / radius), 0)


def keys(d):
    """The cubic kernel with the slope -1/2, by its two polynomials."""
    inner = 1.5 * d**3 - 2.5 * d**2 + 1
    return np.where(d < 1, inner, np.where(d < 2, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2, 0))


KERNELS = {
    "bilinear": lambda d: np.maximum(0, 1 - d),
    "bicubic": keys,
    "lanczos3": lambda d: sinc(d, 3),
    "lanczos5": lambda d: sinc(d, 5),
}


def matrix(n, m, interpolation, antialias):
    """The weights of n entries in each of m, as a full matrix."""
    at, entry = (np.arange(m)[:, None] + 0.5) * n / m, np.arange(n) + 0.5
    if interpolation == "nearest":
        return (np.floor(at) == np.floor(entry)) * 1.0
    if interpolation == "area":
        low, high = at - n / m / 2, at + n / m / 2
        weights = np.clip(np.minimum(entry + 0.5, high) - np.maximum(entry - 0.5, low), 0, 1)
    else:
        wide = max(1, n / m) if antialias else 1
        weights = KERNELS[interpolation](abs(at - entry) / wide)
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("interpolation", [*KERNELS, "nearest", "area"])
def test_resize_is_a_product_with_a_matrix_along_each_axis(interpolation, antialias, real):
    x = normal(2, 9, 11, 3).astype(real)
    for size in SIZES:
        down, across = (matrix(n, m, interpolation, antialias) for n, m in zip((9, 11), size))
        want = np.einsum("ih,jw,nhwc->nijc", down, across, x.astype(float))
        y = image.resize(x, size, interpolation, antialias).numpy()
        assert np.abs(y - want).max() < 40 * np.finfo(real).eps * np.abs(x).max()


def test_resize_takes_the_part_in_the_middle_or_adds_margins_in_proportion():
    x = normal(2, 8, 6, 3)
    part = image.resize(x, (2, 3), "area", crop_to_aspect_ratio=True)
    assert np.array_equal(part.numpy(), image.resize(x[:, 2:6], (2, 3), "area").numpy())
    around = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_values=5)
    padded = image.resize(x, (4, 4), pad_to_aspect_ratio=True, fill_value=5.0)
    assert np.array_equal(padded.numpy(), image.resize(around, (4, 4)).numpy())


def test_single_images_and_channels_first_are_taken():
    x = normal(2, 8, 6, 3)
    y = image.resize(x, (3, 4)).numpy()
    assert np.array_equal(image.resize(x[1], (3, 4)).numpy(), y[1])
    first = image.resize(x.transpose(0, 3, 1, 2), (3, 4), data_format="channels_first").numpy()
    assert np.array_equal(first.transpose(0, 2, 3, 1), y)


def test_affine_transform_moves_in_the_direction_of_keras():
    x = normal(1, 4, 5, 2)
    moves = {"constant": 7.0, "nearest": x[:, :, :1], "reflect": x[:, :, :1], "wrap": x[:, :, -1:]}
    for mode, edge in moves.items():
        y = image.affine_transform(x, [1, 0, -1, 0, 1, 0, 0, 0], "bilinear", mode, 7.0).numpy()
        want = np.concatenate([np.broadcast_to(edge, (1, 4, 1, 2)), x[:, :, :-1]], 2)
        assert np.array_equal(y, want.astype("f4"))


def test_perspective_transform_brings_points_to_points(double):
    random = rng("points")
    corners = np.array([[0.0, 0], [30, 0], [0, 20], [30, 20]])
    places = np.stack(np.meshgrid(np.arange(31.0), np.arange(21.0)), axis=-1)[None]
    for _ in range(20):
        inner = corners * [0.5, 0.5] + [8, 5] + random.normal(0, 1.5, (4, 2))
        y = image.perspective_transform(places, inner, corners, fill_value=-1).numpy()[0]
        for (x0, y0), point in zip(corners.astype(int), inner):
            assert np.abs(y[y0, x0] - point).max() < 1e-9
    # A line stays a line.
    a, b, c = y[10, 3], y[10, 15], y[10, 27]
    assert abs(np.linalg.det([b - a, c - a])) < 1e-9


def test_colors_are_those_of_the_standard_library(real):
    random = rng("colors")
    x = np.concatenate([random.uniform(0, 1, (50, 3)), random.integers(0, 3, (50, 3)) / 2])
    x = x.reshape(1, 10, 10, 3).astype(real)
    hsv, rgb = image.rgb_to_hsv(x).numpy(), image.hsv_to_rgb(x).numpy()
    for i, j in np.ndindex(10, 10):
        want = np.array(colorsys.rgb_to_hsv(*x[0, i, j].astype(float)))
        assert np.abs((hsv[0, i, j] - want + 0.5) % 1 - 0.5)[0] < 8 * np.finfo(real).eps
        assert np.abs(hsv[0, i, j] - want)[1:].max() < 4 * np.finfo(real).eps
        want = colorsys.hsv_to_rgb(*x[0, i, j].astype(float))
        assert np.abs(rgb[0, i, j] - want).max() < 12 * np.finfo(real).eps
    grey = image.rgb_to_grayscale(x).numpy()[..., 0]
    assert np.abs(grey - x @ [0.2989, 0.587, 0.114]).max() < 4 * np.finfo(real).eps
    assert np.array_equal(image.rgb_to_grayscale(x[..., :1]).numpy(), x[..., :1])


def test_gaussian_blur_is_a_sum_over_neighbours(double):
    x = normal(1, 6, 7, 2)
    rows, columns = (
        np.exp(-0.5 * ((np.arange(n) - n // 2) / s) ** 2) for n, s in ((3, 0.7), (5, 1.5))
    )
    kernel = np.outer(rows / rows.sum(), columns / columns.sum())
    around, want = np.pad(x, ((0, 0), (1, 1), (2, 2), (0, 0))), np.zeros_like(x)
    for (i, j), weight in np.ndenumerate(kernel):
        want += weight * around[:, i : i + 6, j : j + 7]
    for sigma in ((0.7, 1.5), nnlite.constant([0.7, 1.5])):
        y = image.gaussian_blur(x, np.array([3, 5]), sigma).numpy()
        assert np.abs(y - want).max() < 1e-14


def test_patches_are_windows():
    x = normal(2, 6, 8, 3)
    y = image.extract_patches(x, (2, 3), strides=(2, 1)).numpy()
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 3), (1, 2))[:, ::2]
    assert np.array_equal(y, windows.transpose(0, 1, 2, 4, 5, 3).reshape(y.shape).astype("f4"))


def test_margins_are_two_of_three_numbers():
    x = normal(2, 6, 8, 3)
    around = np.pad(x, ((0, 0), (1, 3), (2, 0), (0, 0))).astype("f4")
    for given in (
        {"top_padding": 1, "bottom_padding": 3, "left_padding": 2, "right_padding": 0},
        {"top_padding": 1, "target_height": 10, "right_padding": 0, "target_width": 10},
        {"bottom_padding": 3, "target_height": 10, "left_padding": 2, "target_width": 10},
    ):
        assert np.array_equal(image.pad_images(x, **given).numpy(), around)
    back = image.crop_images(around, 1, 2, target_height=6, target_width=8)
    assert np.array_equal(back.numpy(), x.astype("f4"))
    for function in (image.pad_images, image.crop_images):
        with pytest.raises(ValueError, match=r"expected exactly two of top_.*, target_height, got"):
            function(x, 1, 2, 3, 4, target_height=9)
    with pytest.raises(ValueError, match="expected a padding of at least 0 for 6 pixels, got"):
        image.pad_images(x, 1, 2, target_height=5, target_width=12)
    with pytest.raises(ValueError, match="expected a cropping of at least 0 for 6 pixels, got"):
        image.crop_images(x, 4, 2, 4, 2)


SCIPY = {"constant": "grid-constant", "wrap": "grid-wrap"}


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
def test_map_coordinates_is_that_of_scipy(mode, order, double):
    ndimage = pytest.importorskip("scipy.ndimage")
    random = rng("places", mode)
    for shape in [(5,), (4, 7), (3, 1, 4)]:
        x = normal(*shape)
        at = random.uniform(-6, 12, (len(shape), 40))
        y = image.map_coordinates(x, at, order, mode, 0.7).numpy()
        want = ndimage.map_coordinates(x, at, order=order, mode=SCIPY.get(mode, mode), cval=0.7)
        assert np.abs(y - want).max() < 1e-12
    halves = image.map_coordinates(np.arange(4.0), [[0.5, 1.5, 2.5]], 0).numpy()
    assert np.array_equal(halves, [0, 2, 2])


X = np.zeros((2, 4, 5, 3))
REFUSED = [
    (lambda: image.resize(X[0, 0], (2, 2)), r"resize: expected images of .*got shape \(5, 3\)"),
    (lambda: image.resize(X, 3), r"size: expected \(height, width\), got 3"),
    (lambda: image.resize(X, (0, 3)), r"size: expected a positive integer, got 0"),
    (lambda: image.resize(X, (2, 3), "cubic"), r"interpolation: expected 'nearest', .*got 'cubic'"),
    (lambda: image.resize(X[:, :0], (2, 3)), r"expected entries along axis 1, got shape"),
    (lambda: image.resize(X, (2, 3), data_format="last"), r"data_format: expected 'channels_last'"),
    (lambda: image.affine_transform(X, np.ones((3, 8))), r"expected shape \(8,\) or \(2, 8\), got"),
    (lambda: image.affine_transform(X, np.ones(8), fill_mode="mirror"), r"fill_mode: expected 'co"),
    (lambda: image.perspective_transform(X, np.ones((4, 3)), np.ones((4, 2))), r"start_points: ex"),
    (
        lambda: image.map_coordinates(X, [[1.0]], 1),
        r"expected shape \(4, ...\) for inputs of shape",
    ),
    (lambda: image.map_coordinates(X, [[1.0]] * 4, 3), r"order: expected 0 or 1, got 3"),
    (lambda: image.gaussian_blur(X, 3, (0, 1)), r"sigma: expected a pair of positive numbers"),
    (lambda: image.rgb_to_hsv(X[..., :2]), r"expected images of 3 channels, got 2"),
    (lambda: image.rgb_to_grayscale(X[..., :2]), r"expected images of 1 or 3 channels, got 2"),
]


@pytest.mark.parametrize("function, message", REFUSED)
def test_what_does_not_fit_is_refused(function, message):
    with pytest.raises(ValueError, match=message):
        function()


def test_functions_are_parts_of_functional_models_and_their_files(tmp_path):
    inputs = nnlite.Input((8, 9, 3))
    y = image.resize(inputs, (6, 6), interpolation="bicubic", antialias=True)
    y = image.rgb_to_hsv(image.gaussian_blur(y, kernel_size=(3, 3), sigma=(1.0, 2.0)))
    y = image.crop_images(y, 1, 1, target_height=4, target_width=4)
    model = nnlite.Model(inputs, image.rgb_to_grayscale(y))
    assert model.output_shape == (None, 4, 4, 1)
    x = rng("model").uniform(0, 1, (2, 8, 9, 3))
    want = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    again = nnlite.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(again.predict(x, verbose=0), want)
    assert "keras.src.ops.image" in model.to_json() and "RGBToHSV" in model.to_json()
