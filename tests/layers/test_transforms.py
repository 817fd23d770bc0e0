"""What ImageDataGenerator does to images at random: the warp, the parameters, what is drawn."""

import numpy as np
import pytest
from samples import normal, rng

import nnlite
from nnlite import ops
from nnlite.autodiff import GradientTape
from nnlite.ops.warp import FILL_MODES
from nnlite.preprocessing import transforms
from nnlite.preprocessing.image import ImageDataGenerator

EVERYTHING = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 20,
    "zoom_range": (0.7, 1.3),
    "channel_shift_range": 20,
    "brightness_range": (0.5, 1.5),
    "horizontal_flip": True,
    "vertical_flip": True,
}


def grey(*shape, seed=0):
    """Images of grey levels."""
    return rng("grey", shape, seed).integers(0, 256, shape).astype(np.uint8)


# --- the warp


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mode", FILL_MODES)
def test_affine_transform_is_that_of_scipy_for_each_channel(mode, order, isa, real):
    ndimage = pytest.importorskip("scipy.ndimage")
    random = rng("scipy", mode, order)
    for shape in [(4, 9, 14, 3), (4, 14, 9, 1), (4, 2, 70, 2), (4, 1, 5, 1)]:
        x = normal(*shape).astype(real)
        anything = random.standard_normal((4, 6)) * [1, 1, 9, 1, 1, 9]
        for m in (anything, np.round(2 * anything) / 2, np.round(anything)):
            y = ops.affine_transform(x, m, mode, 0.5, order).numpy()
            for n, c in np.ndindex(4, shape[3]):
                line = m[n].reshape(2, 3)
                want = ndimage.affine_transform(
                    x[n, ..., c], line[:, :2], line[:, 2], order=order, mode=mode, cval=0.5
                )
                assert np.abs(y[n, ..., c] - want).max() <= 8 * np.finfo(real).eps * np.abs(x).max()


def test_affine_transform_refuses_what_does_not_fit():
    x, m = np.zeros((2, 4, 4, 1)), np.tile([1.0, 0, 0, 0, 1, 0], (2, 1))
    for match, given in {
        r"expected matrices of shape \(2, 6\).*got \(1, 6\)": (x, m[:1]),
        "expected finite matrices": (x, m * np.nan),
        "fill_mode: expected one of 'constant'.*got 'mirror'": (x, m, "mirror"),
        "order: expected 0 .*got 3": (x, m, "nearest", 0.0, 3),
        r"expected images of shape \(N, .*got shape \(4, 4, 1\)": (x[0], m),
    }.items():
        with pytest.raises(ValueError, match=match):
            ops.affine_transform(*given)


def test_affine_transform_has_no_gradient_and_says_so():
    x = nnlite.Variable(np.zeros((1, 2, 2, 1)))
    with GradientTape() as tape:
        y = ops.sum(ops.affine_transform(x, [[1.0, 0, 0, 0, 1, 0]]))
    with pytest.raises(NotImplementedError, match="affine_transform: there is no gradient"):
        tape.gradient(y, x)


# --- what the parameters do


def composed(p, height, width):
    """The matrix of the centered product, one factor after the other."""
    theta, shear = np.deg2rad(p["theta"]), np.deg2rad(p["shear"])
    centre = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    turn = np.array(
        [[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]]
    )
    shift = np.array([[1, 0, p["tx"]], [0, 1, p["ty"]], [0, 0, 1]])
    lean = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    zoom, flip = np.diag([p["zx"], p["zy"], 1]), np.eye(3)
    if p["flip_horizontal"]:
        flip = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ flip
    if p["flip_vertical"]:
        flip = np.array([[1, 0, 0], [0, -1, height - 1], [0, 0, 1]]) @ flip
    m = centre @ turn @ shift @ lean @ zoom @ np.linalg.inv(centre) @ flip
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    return (swap @ m @ swap)[:2].reshape(6)


def test_matrix_is_rotation_shift_shear_zoom_about_the_centre_and_flips():
    datagen = ImageDataGenerator(**EVERYTHING)
    for seed in range(20):
        p = datagen.get_random_transform((11, 24, 3), seed)
        one = {name: None if v is None else np.array([v]) for name, v in p.items()}
        got = transforms.matrices(one, 11, 24)[0]
        np.testing.assert_allclose(got, composed(p, 11, 24), rtol=0, atol=1e-13)


def test_shifts_move_along_their_own_side():
    x = np.zeros((5, 9, 1), "float32")
    x[2, 4] = 1
    for setting, place in {"width_shift_range": 1, "height_shift_range": 0}.items():
        datagen = ImageDataGenerator(**{setting: [2]}, fill_mode="constant")
        seen = {tuple(np.argwhere(datagen.random_transform(x, s)[..., 0])[0]) for s in range(20)}
        before, after = [2, 4], [2, 4]
        before[place] -= 2
        after[place] += 2
        assert seen == {tuple(before), tuple(after)}


def test_half_a_turn_is_both_flips_of_any_rectangle():
    x = grey(7, 12, 3).astype("float32")
    datagen = ImageDataGenerator()
    turned = datagen.apply_transform(x, {"theta": 180})
    flipped = datagen.apply_transform(x, {"flip_horizontal": True, "flip_vertical": True})
    np.testing.assert_allclose(turned, x[::-1, ::-1], atol=1e-3)
    assert np.array_equal(flipped, x[::-1, ::-1])
    assert np.array_equal(datagen.apply_transform(x, {"flip_horizontal": True}), x[:, ::-1])
    assert np.array_equal(datagen.apply_transform(x, {"flip_vertical": 1}), x[::-1])
    assert np.array_equal(datagen.apply_transform(x, {}), x)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mode", FILL_MODES)
def test_apply_transform_is_that_of_keras_on_squares(mode, order):
    keras_image = pytest.importorskip("keras.src.legacy.preprocessing.image", exc_type=ImportError)
    pytest.importorskip("scipy")
    settings = {"fill_mode": mode, "cval": 30.0, "interpolation_order": order}
    ours, theirs = ImageDataGenerator(**settings), keras_image.ImageDataGenerator(**settings)
    drawn = ImageDataGenerator(**{**EVERYTHING, "brightness_range": None})
    for seed, channels in enumerate((1, 3, 4) * 4):
        x = grey(15, 15, channels, seed=seed).astype("float32")
        p = drawn.get_random_transform(x.shape, seed)
        np.testing.assert_allclose(
            ours.apply_transform(x, p), theirs.apply_transform(x, p), atol=2e-4
        )


@pytest.mark.parametrize("low, high", [(0, 255), (-80, 200), (-300, 900)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_brightness_is_that_of_keras_but_for_whole_grey_levels(channels, low, high):
    keras_image = pytest.importorskip("keras.src.legacy.preprocessing.image", exc_type=ImportError)
    pytest.importorskip("PIL")
    x = rng("bright", low).uniform(low, high, (9, 9, channels)).astype("float32")
    level = 1 if low == 0 else (x.max() - x.min()) / 255
    for factor in (0.0, 0.4, 1.0, 1.7):
        p = {"brightness": factor}
        ours = ImageDataGenerator().apply_transform(x, p)
        theirs = keras_image.ImageDataGenerator().apply_transform(x, p)
        if channels == 4:
            assert np.array_equal(ours[..., 3], x[..., 3])
        assert np.abs(ours - theirs).max() <= (1 + factor) * level * 1.001


def test_brightness_multiplies_and_leaves_images_in_the_unit_range_usable():
    x = rng("unit").uniform(0, 1, (5, 5, 1)).astype("float32")
    brighter = ImageDataGenerator().apply_transform(x, {"brightness": 0.5})
    np.testing.assert_allclose(brighter, x / 2, rtol=1e-6)
    x = np.array([[[10.0], [200.0]]], "float32")
    brighter = ImageDataGenerator().apply_transform(x, {"brightness": 1.5})
    assert brighter.ravel().tolist() == [15, 255]


def test_channel_shift_stays_within_the_image():
    x = np.array([[[10.0, 20, 30], [40, 50, 60]]], "float32")
    shifted = ImageDataGenerator().apply_transform(x, {"channel_shift_intensity": 15})
    assert shifted.ravel().tolist() == [25, 35, 45, 55, 60, 60]


# --- what is drawn


def drawn(name, shape=(20, 50, 3), n=4000, **settings):
    """Values of one parameter."""
    u = transforms.uniform(7, 0, 0, n)
    return transforms.parameters(ImageDataGenerator(**settings), u, *shape[:2])[name]


@pytest.mark.parametrize(
    "name, settings, low, high",
    [
        ("theta", {"rotation_range": 25}, -25, 25),
        ("shear", {"shear_range": 5}, -5, 5),
        ("tx", {"width_shift_range": 0.1}, -5, 5),
        ("ty", {"height_shift_range": 0.1}, -2, 2),
        ("tx", {"width_shift_range": 3.5}, -3.5, 3.5),
        ("zx", {"zoom_range": 0.2}, 0.8, 1.2),
        ("zy", {"zoom_range": [0.5, 1.0]}, 0.5, 1),
        ("channel_shift_intensity", {"channel_shift_range": 9}, -9, 9),
        ("brightness", {"brightness_range": (0.5, 2)}, 0.5, 2),
    ],
)
def test_ranges_are_filled_evenly(name, settings, low, high):
    values = np.sort(drawn(name, **settings))
    even = np.linspace(low, high, len(values))
    assert values[0] >= low and values[-1] <= high
    assert np.abs(values - even).max() < 0.03 * (high - low)  # Kolmogorov, Smirnov: 1.9 / sqrt(n)


@pytest.mark.parametrize(
    "amount, want",
    [
        (3, {-2, -1, 0, 1, 2}),
        (1, {0}),
        ([4, 7], {-7, -4, 4, 7}),
        (np.array([0.1, 0.5]), {-25, -5, 5, 25}),
        ([0.5, 2], {-2, -0.5, 0.5, 2}),
        (0, {0}),
        (0.0, {0}),
    ],
)
def test_shift_by_whole_pixels_or_by_choice(amount, want):
    values, counts = np.unique(drawn("tx", width_shift_range=amount), return_counts=True)
    assert set(values) == want
    assert len(want) < 4 or counts.min() > 0.5 * counts.max() - (0 in want) * counts.max()


def test_half_of_the_images_are_flipped_and_without_settings_none_is_changed():
    assert abs(drawn("flip_horizontal", horizontal_flip=True).mean() - 0.5) < 0.03
    both = drawn("flip_horizontal", horizontal_flip=True) & drawn(
        "flip_vertical", vertical_flip=True
    )
    assert abs(both.mean() - 0.25) < 0.03
    p = ImageDataGenerator().get_random_transform((4, 4, 1))
    assert p == transforms.DEFAULTS
    x = grey(6, 8, 8, 1)
    assert np.array_equal(ImageDataGenerator().flow(x, shuffle=False)[0], x)


def test_zooms_of_width_and_height_and_all_else_are_independent():
    u = transforms.uniform(3, 0, 0, 4000)
    p = transforms.parameters(ImageDataGenerator(**EVERYTHING), u, 10, 10)
    correlation = np.corrcoef(np.stack([v.astype(float) for v in p.values()]))
    assert np.abs(correlation - np.eye(10)).max() < 0.06
