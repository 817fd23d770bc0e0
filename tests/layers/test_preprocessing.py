"""Batches of ImageDataGenerator: seeds, normalization, what is learned, what is refused."""

import pickle

import numpy as np
import pytest
import threadpoolctl
from samples import normal
from test_transforms import EVERYTHING, grey

import nnlite
from nnlite import layers
from nnlite.engine import dispatch
from nnlite.preprocessing import transforms
from nnlite.preprocessing.image import ImageDataGenerator
from nnlite.preprocessing.iterator import NumpyArrayIterator

# --- seeds


def bits(iterator, batches):
    """All that the next batches hold."""
    return b"".join(a.tobytes() for _ in range(batches) for a in next(iterator))


def flow(seed=5, n=70, **more):
    """Batches of 16."""
    datagen = ImageDataGenerator(**EVERYTHING, samplewise_std_normalization=True)
    return datagen.flow(grey(n, 13, 18, 3), np.arange(n), batch_size=16, seed=seed, **more)


def test_same_seed_same_bits_on_any_number_of_threads_and_isa():
    before = dispatch.engine("float32").isa
    found = {}
    try:
        for isa in {e.isa for e in dispatch._all_engines}:
            dispatch.use_isa(isa)
            for threads in (1, 2, 3):
                with threadpoolctl.threadpool_limits(threads, user_api="openmp"):
                    found.setdefault(isa, set()).add(bits(flow(), 11))
    finally:
        dispatch.use_isa(before)
    assert all(len(results) == 1 for results in found.values())
    assert len({next(iter(r)) for isa, r in found.items() if isa != "generic"}) <= 1
    assert bits(flow(), 11) != bits(flow(seed=6), 11)


def test_set_random_seed_rules_where_no_seed_is_given():
    def results():
        nnlite.utils.set_random_seed(3)
        datagen = ImageDataGenerator(**EVERYTHING)
        p = datagen.get_random_transform((8, 8, 1))
        return bits(flow(seed=None), 3), p

    assert results() == results()
    assert flow(seed=None).seed != flow(seed=None).seed


def test_images_of_a_position_do_not_depend_on_the_batch_size():
    x = grey(20, 9, 9, 1)
    datagen = ImageDataGenerator(**EVERYTHING)
    whole = datagen.flow(x, batch_size=20, shuffle=False, seed=1)[0]
    parts = datagen.flow(x, batch_size=7, shuffle=False, seed=1)
    assert np.array_equal(whole, np.concatenate([parts[i] for i in range(3)]))
    assert np.array_equal(whole[0], datagen.random_transform(x[0], seed=1))


def test_image_and_mask_of_one_seed_are_changed_alike():
    x = grey(12, 9, 9, 1)
    image = ImageDataGenerator(**EVERYTHING).flow(x, batch_size=5, seed=9)
    place = {k: v for k, v in EVERYTHING.items() if k not in ("brightness_range",)}
    place["channel_shift_range"] = 0
    mask = ImageDataGenerator(**place).flow(x, batch_size=5, seed=9)
    again = ImageDataGenerator(**place, rescale=2).flow(x, batch_size=5, seed=9)
    for _ in range(6):
        next(image)
        np.testing.assert_array_equal(2 * next(mask), next(again))
    u = transforms.uniform(9, 1, 0, 5)
    a, b = (transforms.parameters(g.image_data_generator, u, 9, 9) for g in (image, mask))
    assert all(np.array_equal(a[k], b[k]) for k in ("theta", "tx", "zy", "flip_vertical"))


# --- batches


def test_epoch_takes_each_image_once_in_an_order_of_its_own():
    x = grey(10, 4, 4, 1)
    x[:, 0, 0, 0] = np.arange(10)
    batches = ImageDataGenerator().flow(
        x, np.arange(10), batch_size=4, sample_weight=np.arange(10) / 10, seed=0
    )
    assert (len(batches), batches.n, batches.batch_size) == (3, 10, 4)
    orders = []
    for _ in range(3):
        epoch = [next(batches) for _ in range(len(batches))]
        assert [len(y) for _, y, _ in epoch] == [4, 4, 2]
        for images, y, weight in epoch:
            assert np.array_equal(images[:, 0, 0, 0], y) and np.array_equal(weight, y / 10)
            assert np.array_equal(images, x[y])
        orders.append(tuple(np.concatenate([y for _, y, _ in epoch])))
        assert sorted(orders[-1]) == list(range(10))
    assert len(set(orders)) == 3


def test_batch_by_number_is_that_of_the_current_epoch():
    batches, again = flow(), flow()
    first = [next(again) for _ in range(len(again))]
    for i in (3, 0, 0, -1):
        assert all(map(np.array_equal, batches[i], first[i]))
    batches.on_epoch_end()
    assert all(map(np.array_equal, batches[1], (next(again), next(again))[1]))
    assert not np.array_equal(batches[1][1], first[1][1])
    again.reset()
    assert all(map(np.array_equal, batches[0], next(again)))
    with pytest.raises(IndexError, match=r"batch 5: expected a number below 5"):
        batches[5]


def test_what_a_batch_consists_of():
    x, y, w = grey(4, 5, 5, 1), np.arange(4), np.ones(4)
    datagen = ImageDataGenerator()
    assert isinstance(next(datagen.flow(x)), np.ndarray)
    assert len(next(datagen.flow(x, y))) == 2
    assert len(next(datagen.flow(x, y, sample_weight=w))) == 3
    batches = datagen.flow(x, y)
    assert iter(batches) is batches and isinstance(batches, NumpyArrayIterator)
    assert next(batches)[0].dtype == np.float32
    assert next(ImageDataGenerator(dtype="float64").flow(x)).dtype == np.float64
    assert next(ImageDataGenerator(dtype=np.float64).flow(x)).dtype == np.float64


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64", "bool"])
def test_images_of_any_kind_are_read_in_place(dtype):
    x = grey(30, 9, 9, 3) // 2
    given = x.astype(dtype)
    want = given.astype("float32")
    datagen = ImageDataGenerator(**{**EVERYTHING, "brightness_range": None})
    batches = datagen.flow(given, seed=2)
    assert np.shares_memory(batches.x, given)
    assert np.array_equal(next(batches), next(datagen.flow(want, seed=2)))
    backwards = datagen.flow(given[::-1, :, ::-1], seed=2)
    assert np.array_equal(next(backwards), next(datagen.flow(want[::-1, :, ::-1].copy(), seed=2)))


def test_subsets_part_the_data_and_validation_comes_first():
    x, y = grey(10, 4, 4, 1), np.arange(10) % 2
    datagen = ImageDataGenerator(validation_split=0.25)
    parts = [datagen.flow(x, y, subset=s, shuffle=False) for s in ("validation", "training")]
    assert [p.n for p in parts] == [2, 8]
    assert np.array_equal(np.concatenate([p[0][0] for p in parts]), x)
    assert np.array_equal(np.concatenate([p[0][1] for p in parts]), y)
    with pytest.raises(ValueError, match="same classes in both parts"):
        datagen.flow(x, np.arange(10), subset="training")
    assert datagen.flow(x, np.arange(10), subset="training", ignore_class_split=True).n == 8
    with pytest.raises(ValueError, match="leaves none for validation"):
        ImageDataGenerator().flow(x, y, subset="validation")


def test_pictures_are_saved(tmp_path):
    image = pytest.importorskip("PIL.Image")
    x = grey(3, 6, 8, 3)
    batches = ImageDataGenerator().flow(x, save_to_dir=tmp_path, save_prefix="a", shuffle=False)
    next(batches)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a_0_0.png", "a_1_0.png", "a_2_0.png"]
    with image.open(tmp_path / "a_1_0.png") as picture:
        levels = x[1] - float(x[1].min())
        want = levels * 255 / levels.max()
        assert np.abs(np.asarray(picture) - want).max() <= 1


def test_batches_train_a_model():
    nnlite.utils.set_random_seed(0)
    x, y = grey(200, 8, 8, 1), np.arange(200) % 2
    x[y == 1, :4] //= 4
    model = nnlite.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    datagen = ImageDataGenerator(rotation_range=10, zoom_range=0.1, rescale=1 / 255)
    batches = datagen.flow(x, y, batch_size=50)
    for _ in range(40 * len(batches)):
        model.train_on_batch(*next(batches))
    assert model.evaluate(datagen.standardize(x.copy()), y)[1] > 0.95


# --- normalization


def test_samplewise_is_by_the_image_alone():
    x = normal(5, 6, 7, 3).astype("float32") * 9 + 4
    centered = ImageDataGenerator(samplewise_center=True).standardize(x.copy())
    np.testing.assert_allclose(centered.mean((1, 2, 3)), 0, atol=1e-5)
    normed = ImageDataGenerator(samplewise_std_normalization=True).standardize(x.copy())
    np.testing.assert_allclose(normed, centered / (x.std((1, 2, 3), keepdims=True) + 1e-6), 1e-5)
    one = ImageDataGenerator(samplewise_std_normalization=True).standardize(x[2].copy())
    assert np.array_equal(one, normed[2])


def test_order_is_function_rescale_samplewise_featurewise():
    def add_one(image):
        assert image.shape == (4, 4, 3)
        return image + 1

    x = grey(2000, 4, 4, 3)
    datagen = ImageDataGenerator(
        featurewise_std_normalization=True, samplewise_center=True, rescale=0.1,
        preprocessing_function=add_one,
    )  # fmt: skip
    datagen.fit(x)
    scaled = x * 0.1
    mean, std = scaled.mean((0, 1, 2)), scaled.std((0, 1, 2))
    assert datagen.mean.shape == datagen.std.shape == (1, 1, 3)
    np.testing.assert_allclose(datagen.mean.ravel(), mean, 1e-6)
    np.testing.assert_allclose(datagen.std.ravel(), std, 1e-6)
    want = (x + 1.0) * 0.1
    want = (want - want.mean((1, 2, 3), keepdims=True) - mean) / (std + 1e-6)
    np.testing.assert_allclose(datagen.flow(x, batch_size=2000, shuffle=False)[0], want, atol=1e-5)
    np.testing.assert_allclose(datagen.standardize(x), want, atol=1e-5)


def test_standardize_changes_floats_in_place_and_integers_not():
    x = normal(3, 4, 4, 1).astype("float32")
    before = x.copy()
    datagen = ImageDataGenerator(rescale=2, samplewise_center=True)
    assert datagen.standardize(x) is not before
    assert not np.array_equal(x, before)
    levels = grey(3, 4, 4, 1)
    datagen.standardize(levels)
    assert np.array_equal(levels, grey(3, 4, 4, 1))
    datagen.fit(before)
    next(datagen.flow(before))
    assert np.array_equal(before, normal(3, 4, 4, 1).astype("float32"))


def test_whitened_data_are_uncorrelated_and_close_to_what_they_were():
    x = normal(3000, 2, 4, 3)
    x = x + 2 * x[:, ::-1] + 0.5 * x[..., :1] + 3
    datagen = ImageDataGenerator(zca_whitening=True, dtype="float64")
    datagen.fit(x)
    white = datagen.standardize(x.copy()).reshape(3000, -1)
    centered = (x - x.mean((0, 1, 2))).reshape(3000, -1)
    second = white.T @ white / 3000
    np.testing.assert_allclose(second, np.eye(24), atol=1e-6)
    u, s, _ = np.linalg.svd(centered.T, full_matrices=False)
    want = (u * (np.sqrt(3000) / (s + 1e-6))) @ u.T
    np.testing.assert_allclose(datagen.zca_whitening_matrix, want, atol=1e-9)


def test_fewer_images_than_pixels_are_whitened_as_by_a_whole_decomposition():
    x = normal(7, 4, 4, 1)
    datagen = ImageDataGenerator(zca_whitening=True, zca_epsilon=0.1, dtype="float64")
    datagen.fit(x)
    u, s, _ = np.linalg.svd((x - x.mean()).reshape(7, -1).T, full_matrices=False)
    np.testing.assert_allclose(
        datagen.zca_whitening_matrix, (u * (np.sqrt(7) / (s + 0.1))) @ u.T, atol=1e-9
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"featurewise_center": True},
        {"featurewise_std_normalization": True, "rescale": 1 / 255},
        {"zca_whitening": True, "zca_epsilon": 0.5, "featurewise_std_normalization": True},
        {"samplewise_std_normalization": True, "featurewise_center": True},
    ],
)
@pytest.mark.filterwarnings("ignore:This ImageDataGenerator specifies")
def test_normalization_is_that_of_keras(settings):
    keras_image = pytest.importorskip("keras.src.legacy.preprocessing.image", exc_type=ImportError)
    x = grey(60, 5, 6, 3).astype("float32")
    ours, theirs = ImageDataGenerator(**settings), keras_image.ImageDataGenerator(**settings)
    ours.fit(x)
    theirs.fit(x)
    want = np.stack([theirs.standardize(image) for image in x.copy()])
    np.testing.assert_allclose(ours.standardize(x.copy()), want, atol=2e-6 * np.abs(x).max())


def test_fit_on_changed_images_is_by_its_seed_and_goes_through_them_again():
    x = grey(40, 6, 6, 1)
    settings = {"featurewise_std_normalization": True, "height_shift_range": 0.4}

    def learned(rounds, seed):
        datagen = ImageDataGenerator(**settings, fill_mode="constant")
        datagen.fit(x, augment=True, rounds=rounds, seed=seed)
        return datagen.mean.item(), datagen.std.item()

    assert learned(1, 0) == learned(1, 0) != learned(1, 1)
    assert learned(3, 0) != learned(1, 0)
    datagen = ImageDataGenerator(height_shift_range=0.4, fill_mode="constant")
    batches = datagen.flow(x, batch_size=40, shuffle=False, seed=0)
    seen = np.stack([next(batches) for _ in range(3)]).astype(np.float64)
    np.testing.assert_allclose(learned(3, 0), (seen.mean(), seen.std()), rtol=1e-5)


def test_statistics_may_be_set_by_hand_and_survive_a_pickle():
    datagen = ImageDataGenerator(featurewise_center=True)
    datagen.mean = np.array([1.0, 2.0, 3.0])
    x = normal(2, 4, 4, 3).astype("float32")
    want = x - np.array([1, 2, 3], "float32")
    np.testing.assert_allclose(pickle.loads(pickle.dumps(datagen)).standardize(x.copy()), want)
    assert repr(datagen) == "ImageDataGenerator(featurewise_center=True)"


# --- what is refused


@pytest.mark.parametrize(
    "setting, expected",
    [
        ({"rotation_range": -5}, "rotation_range: expected a number of at least 0, got -5"),
        ({"rotation_range": "ten"}, "rotation_range: .*got 'ten'"),
        ({"shear_range": np.nan}, "shear_range: .*got nan"),
        ({"width_shift_range": -0.1}, "width_shift_range: .*got -0.1"),
        ({"height_shift_range": []}, r"height_shift_range: .*got \[\]"),
        ({"height_shift_range": [[1]]}, "height_shift_range: .*a list of numbers"),
        ({"zoom_range": 1.5}, r"zoom_range: expected a number in \[0, 1\] or .*got 1.5"),
        ({"zoom_range": [1.2, 0.8]}, "zoom_range: .*lower <= upper"),
        ({"zoom_range": (1, 2, 3)}, "zoom_range"),
        ({"brightness_range": 0.5}, "brightness_range: .*got 0.5"),
        ({"channel_shift_range": -1}, "channel_shift_range"),
        ({"fill_mode": "mirror"}, "fill_mode: expected one of 'constant', .*got 'mirror'"),
        ({"cval": None}, "cval: expected a number, got None"),
        ({"rescale": "1/255"}, "rescale"),
        ({"preprocessing_function": 3}, "preprocessing_function: expected a function"),
        ({"data_format": "channels_first"}, "data_format: .*got 'channels_first'"),
        ({"validation_split": 1}, r"validation_split: .*\[0, 1\), got 1"),
        ({"interpolation_order": 3}, "interpolation_order: .*got 3"),
        ({"dtype": "uint8"}, "dtype: .*float32, float64 or None, got 'uint8'"),
        ({"zca_epsilon": -1}, "zca_epsilon"),
    ],
)
def test_bad_setting_is_named_when_it_is_first_used(setting, expected):
    datagen, x = ImageDataGenerator(**setting), grey(2, 4, 4, 1)
    for use in (
        lambda: datagen.flow(x),
        lambda: datagen.fit(x),
        lambda: datagen.standardize(x),
        lambda: datagen.get_random_transform((4, 4, 1)),
        lambda: datagen.apply_transform(x[0], {}),
    ):
        with pytest.raises(ValueError, match=expected):
            use()


def test_bad_data_are_refused_before_any_work():
    datagen, x = ImageDataGenerator(featurewise_center=True), grey(4, 5, 5, 1)
    holed = x.astype(float)
    holed[1, 2, 3] = np.nan
    for match, given in {
        r"x: expected images of shape \(N, .*got shape \(4, 5, 5\)": {"x": x[..., 0]},
        "x: expected at least one image": {"x": x[:0]},
        "x: expected finite values": {"x": holed},
        "x: expected one array of images": {"x": (x, np.arange(4))},
        r"y: expected 4 rows.*got shape \(3,\)": {"x": x, "y": [1, 2, 3]},
        "y: expected finite": {"x": x, "y": [1, 2, 3, np.nan]},
        r"sample_weight: expected 4 rows": {"x": x, "y": [1] * 4, "sample_weight": [1] * 5},
        "sample_weight: expected y": {"x": x, "sample_weight": [1] * 4},
        "batch_size": {"x": x, "batch_size": 0},
        "seed: expected an integer of at least 0, got -1": {"x": x, "seed": -1},
        "subset: expected 'training' or 'validation', got 'test'": {"x": x, "subset": "test"},
    }.items():
        with pytest.raises(ValueError, match=match):
            datagen.flow(**given)
        if set(given) == {"x"}:
            with pytest.raises(ValueError, match=match):
                datagen.fit(**given)
    with pytest.raises(TypeError, match="x: expected numbers"):
        datagen.flow(np.full((2, 4, 4, 1), "a"))
    with pytest.warns(UserWarning, match=r"expected 1, 3 or 4 channels .*\(4, 1, 5, 5\)") as found:
        datagen.flow(x.reshape(4, 1, 5, 5))
    assert found[0].filename == __file__


def test_normalization_that_was_not_learned_is_an_error_that_says_what_to_do():
    x = grey(4, 5, 5, 3)
    for name in ("featurewise_center", "featurewise_std_normalization", "zca_whitening"):
        datagen = ImageDataGenerator(**{name: True})
        with pytest.raises(RuntimeError, match=r"need the data's mean; call fit\(x\) first"):
            next(datagen.flow(x))
        datagen.fit(x)
        with pytest.raises(ValueError, match="expected images like those given to fit"):
            datagen.standardize(x[..., :2])


def test_bad_parameters_and_functions_are_refused():
    datagen, x = ImageDataGenerator(), grey(5, 5, 1)
    with pytest.raises(ValueError, match=r"expected some of theta, .*got 'rotation'"):
        datagen.apply_transform(x, {"rotation": 3})
    with pytest.raises(ValueError, match="finite"):
        datagen.apply_transform(x, {"theta": np.nan})
    with pytest.raises(ValueError, match=r"expected an image .*got shape \(5, 5\)"):
        datagen.apply_transform(x[..., 0], {})
    with pytest.raises(ValueError, match=r"expected the shape .*got \(5, 5\)"):
        datagen.get_random_transform((5, 5))
    smaller = ImageDataGenerator(preprocessing_function=lambda image: image[1:])
    with pytest.raises(ValueError, match=r"preprocessing_function: .*\(5, 5, 1\).*\(4, 5, 1\)"):
        smaller.standardize(x)
