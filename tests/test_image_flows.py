"""ImageDataGenerator takes images from folders and from tables of names, as Keras does."""

import os

import numpy as np
import pytest

import nnlite
from nnlite.data import in_threads
from nnlite.download import DamagedFile
from nnlite.preprocessing.image import DirectoryIterator, ImageDataGenerator
from nnlite.utils import save_img

pytest.importorskip("PIL.Image")
NAMES = [f"{name}/{k}.png" for name in "abc" for k in range(5)]


@pytest.fixture
def folder(tmp_path):
    """Three classes of five images, each of which is plain, with its place in NAMES."""
    for k, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_img(tmp_path / name, np.full((5, 7 + k, 3), k), scale=False)
    return tmp_path


def flow(folder, settings=(), **more):
    more = {"target_size": (4, 4), "shuffle": False, **more}
    return ImageDataGenerator(**dict(settings)).flow_from_directory(folder, **more)


def passed(batches):
    """What one pass gives: the joined parts of its batches."""
    found = [
        batches[k] if isinstance(batches[k], tuple) else (batches[k],) for k in range(len(batches))
    ]
    return [np.concatenate(parts) for parts in zip(*found)]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("categorical", np.eye(3).repeat(5, axis=0)),
        ("sparse", np.arange(3.0).repeat(5)),
        (None, None),
    ],
)
def test_folders_are_classes(mode, expected, folder, capsys):
    batches = flow(folder, class_mode=mode, batch_size=4)
    assert capsys.readouterr().out == "Found 15 images belonging to 3 classes.\n"
    x, *y = passed(batches)
    assert len(batches) == 4 and x.dtype == np.float32 and batches.image_shape == (4, 4, 3)
    assert (x == np.arange(15)[:, None, None, None]).all()
    assert batches.filenames == NAMES and batches.filepaths[3] == os.path.join(folder, NAMES[3])
    assert batches.class_indices == {"a": 0, "b": 1, "c": 2} and batches.samples == 15
    assert batches.classes.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    if expected is None:
        assert y == []
    else:
        assert y[0].dtype == np.float32 and (y[0] == expected).all()


def test_classes_can_be_chosen_and_images_be_their_own_targets(folder):
    batches = flow(folder, class_mode="binary", classes=["c", "a"])
    x, y = passed(batches)
    assert x[:, 0, 0, 0].tolist() == [*range(10, 15), *range(5)] and y.tolist() == [0] * 5 + [1] * 5
    x, y = passed(flow(folder, {"rescale": 0.5}, class_mode="input"))
    assert (x == y).all() and x.max() == 7 and x is not y
    x, _ = passed(flow(folder, color_mode="grayscale", interpolation="bilinear"))
    assert x.shape == (15, 4, 4, 1)


def test_parts_are_those_of_each_class(folder):
    settings = {"validation_split": 0.4}
    training = passed(flow(folder, settings, subset="training"))[0][:, 0, 0, 0]
    validation = passed(flow(folder, settings, subset="validation"))[0][:, 0, 0, 0]
    assert validation.tolist() == [0, 1, 5, 6, 10, 11]
    assert sorted([*training, *validation]) == [*range(15)]
    (folder / "d").mkdir()
    save_img(folder / "d" / "1.png", np.zeros((3, 3, 3)))
    assert flow(folder, settings, subset="validation").samples == 6
    assert flow(folder, settings, subset="training").samples == 10


def test_images_are_changed_as_those_of_arrays(folder):
    settings = {"rotation_range": 40, "horizontal_flip": True, "samplewise_center": True}
    noise = np.random.default_rng(0).normal(size=(15, 4, 4, 3)) * 20 + 100
    for name, image in zip(NAMES, noise.clip(0, 255).astype("uint8")):
        save_img(folder / name, image, scale=False)
    images = noise.clip(0, 255).astype("uint8")
    datagen = ImageDataGenerator(**settings)
    from_files = datagen.flow_from_directory(folder, (4, 4), class_mode=None, batch_size=4, seed=5)
    from_arrays = datagen.flow(images, batch_size=4, seed=5)
    for _ in range(9):
        assert (next(from_files) == next(from_arrays)).all()


def test_results_do_not_depend_on_the_number_of_threads(folder, monkeypatch):
    def batches(threads):
        monkeypatch.setattr(in_threads, "most_threads", lambda: threads)
        return passed(flow(folder, {"rotation_range": 20}, shuffle=True, seed=3, batch_size=6))

    assert all((a == b).all() for a, b in zip(batches(1), batches(3)))


def test_images_are_saved_as_they_come(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("saved")
    flow(folder, batch_size=2, save_to_dir=target, save_prefix="s", save_format="jpg").next()
    assert sorted(os.listdir(target)) == ["s_0_0.jpg", "s_1_0.jpg"]


def test_a_network_is_trained_by_a_flow(folder):
    nnlite.utils.set_random_seed(0)
    batches = flow(folder, {"rescale": 1 / 15}, batch_size=5, shuffle=True, seed=0)
    layers = nnlite.layers
    model = nnlite.Sequential(
        [layers.Flatten(), layers.Dense(16, "relu"), layers.Dense(3, "softmax")]
    )
    model.compile(nnlite.optimizers.Adam(0.02), "categorical_crossentropy", metrics=["accuracy"])
    model.fit(batches, epochs=60, verbose=0)
    assert model.evaluate(batches, verbose=0)[1] > 0.8


def test_unreadable_files_raise_or_are_left_out(folder):
    (folder / "b" / "2.png").write_bytes(b"no")
    with pytest.raises(DamagedFile, match=r"b.2\.png: expected an image, got another file"):
        passed(flow(folder))
    with pytest.warns(UserWarning, match=r"1 of 15 files cannot be read .*\n.*b.2\.png"):
        batches = flow(folder, errors="skip")
    assert len(passed(batches)[0]) == 14


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_mode": "multi_output"}, "class_mode: expected 'categorical', .* got 'multi_out"),
        ({"class_mode": "binary"}, r"class_mode: expected two classes .* got \['a', 'b', 'c'\]"),
        ({"classes": ["a", "z"]}, r"class_names: expected some of \['a', 'b', 'c'\]"),
        ({"color_mode": "cmyk"}, "color_mode: expected 'grayscale'"),
        ({"interpolation": "area"}, "interpolation: expected 'nearest'"),
        ({"target_size": (0, 3)}, "target_size: expected a positive integer"),
        ({"subset": "test"}, "subset: expected 'training' or 'validation', got 'test'"),
        ({"subset": "validation"}, "directory: expected images .* got none for validation of 15"),
        ({"errors": "ignore"}, "errors: expected 'raise' or 'skip'"),
        ({"directory": "nowhere"}, "directory: expected a folder, got 'nowhere'"),
        ({"batch_size": 0}, "batch_size: expected a positive integer"),
        ({"seed": -1}, "seed: expected an integer of at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message, folder):
    with pytest.raises(ValueError, match=message):
        ImageDataGenerator().flow_from_directory(**{"directory": folder, **settings})


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match="directory: expected images in the folders of"):
        DirectoryIterator(tmp_path, ImageDataGenerator())


# Tables of names


def table(**more):
    return {"filename": NAMES, "class": [name[0] for name in NAMES], **more}


def frames():
    found = [pytest.param(dict, id="dict")]
    for package in ("pandas", "polars"):
        try:
            found.append(pytest.param(__import__(package).DataFrame, id=package))
        except ImportError:
            pass
    return found


def flow_of(frame, folder, settings=(), **more):
    more = {"target_size": (4, 4), "shuffle": False, **more}
    return ImageDataGenerator(**dict(settings)).flow_from_dataframe(frame, folder, **more)


@pytest.mark.parametrize("frame", frames())
def test_tables_name_images(frame, folder, capsys):
    batches = flow_of(frame(table(weight=[*range(15)])), folder, weight_col="weight", batch_size=4)
    assert capsys.readouterr().out == (
        "Found 15 validated image filenames belonging to 3 classes.\n"
    )
    x, y, weight = passed(batches)
    assert (x[:, 0, 0, 0] == np.arange(15)).all() and (weight == np.arange(15)).all()
    assert (y == np.eye(3).repeat(5, axis=0)).all() and batches.class_indices["c"] == 2
    x, y = passed(flow_of(frame(table()), folder, class_mode="binary", classes=["c", "a"]))
    assert x[:, 0, 0, 0].tolist() == [*range(5), *range(10, 15)] and y.tolist() == [1] * 5 + [0] * 5


def test_rows_have_several_classes_or_values(folder):
    several = [["a", "b"], ["b"], "c", ["c", "z"], ["z"]]
    frame = {"filename": NAMES[:5], "class": several, "size": [1.5, 2, 3, 4, 5], "n": [*range(5)]}
    batches = flow_of(frame, folder, classes=["a", "b", "c"])
    assert passed(batches)[1].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert batches.classes == [[0, 1], [1], [2], [2]]
    _, y = passed(flow_of(frame, folder, y_col="size", class_mode="raw"))
    assert y.tolist() == [1.5, 2, 3, 4, 5]
    _, y = passed(flow_of(frame, folder, y_col=["size", "n"], class_mode="raw"))
    assert y.tolist() == [[1.5, 0], [2, 1], [3, 2], [4, 3], [5, 4]]
    _, y = flow_of(frame, folder, y_col=["size", "n"], class_mode="multi_output")[0]
    assert [part.tolist() for part in y] == [[1.5, 2, 3, 4, 5], [0, 1, 2, 3, 4]]
    assert flow_of(frame, folder, class_mode=None)[0].shape == (5, 4, 4, 3)
    parts = [
        passed(flow_of(table(), folder, {"validation_split": 0.2}, subset=subset))[0]
        for subset in ("validation", "training")
    ]
    assert [part[:, 0, 0, 0].tolist() for part in parts] == [[0, 1, 2], [*range(3, 15)]]


def test_names_that_are_none_are_left_out_with_a_warning(folder):
    frame = {"filename": ["gone.png", *NAMES, "a/notes.txt"], "class": ["z", *["a"] * 15, "b"]}
    with pytest.warns(UserWarning, match=r"2 of 17 names .*\n  gone\.png\n  a/notes\.txt"):
        batches = flow_of(frame, folder)
    assert batches.filenames == NAMES and batches.class_indices == {"a": 0}
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        passed(flow_of(frame, folder, validate_filenames=False))
    (folder / NAMES[0]).write_bytes(b"no")
    with pytest.warns(UserWarning, match="1 of 15 files cannot be read"):
        assert flow_of(table(), folder, errors="skip").samples == 14
    whole = {"filename": [str(folder / name) for name in NAMES[1:]], "class": ["a"] * 14}
    assert flow_of(whole, None).samples == 14


@pytest.mark.parametrize(
    ("more", "settings", "error", "message"),
    [
        ({}, {"x_col": "path"}, ValueError, r"x_col: expected one of .*'filename'.* got 'path'"),
        ({}, {"y_col": "label"}, ValueError, "y_col: expected one of the columns"),
        ({}, {"weight_col": "w"}, ValueError, "weight_col: expected one of the columns"),
        ({"w": ["x"] * 15}, {"weight_col": "w"}, TypeError, "weight_col: expected numbers in 'w'"),
        ({"filename": [3] * 15}, {}, TypeError, "x_col: expected names of files .* got 3"),
        ({"class": [3] * 15}, {}, TypeError, "y_col: expected strings, or lists .* got 3"),
        (
            {"class": [["a"]] * 15},
            {"class_mode": "sparse"},
            TypeError,
            "y_col: expected strings in",
        ),
        ({}, {"class_mode": "binary"}, ValueError, "class_mode: expected two classes"),
        ({}, {"class_mode": "multi_output"}, TypeError, "y_col: expected a list of columns"),
        ({}, {"class_mode": "other"}, ValueError, "class_mode: expected 'categorical'"),
        (
            {},
            {"classes": ["z"]},
            ValueError,
            "dataframe: expected rows with images, got none of 15",
        ),
    ],
)
def test_tables_that_do_not_fit_are_refused(more, settings, error, message, folder):
    with pytest.raises(error, match=message):
        flow_of(table(**more), folder, **settings)


def test_classes_without_use_are_said(folder):
    with pytest.warns(UserWarning, match="classes: not used with class_mode='input'"):
        flow_of(table(), folder, classes=["a"], class_mode="input")


def test_batches_are_those_of_keras(folder):
    legacy = pytest.importorskip("keras.src.legacy.preprocessing.image", exc_type=ImportError)
    pandas = pytest.importorskip("pandas")
    ours, theirs = ImageDataGenerator(rescale=0.1), legacy.ImageDataGenerator(rescale=0.1)
    settings = {"target_size": (4, 6), "shuffle": False, "batch_size": 4}
    for call in (
        lambda datagen: datagen.flow_from_directory(folder, interpolation="bilinear", **settings),
        lambda datagen: datagen.flow_from_dataframe(
            pandas.DataFrame(table()), folder, class_mode="sparse", **settings
        ),
    ):
        for mine, other in zip(passed(call(ours)), passed(call(theirs))):
            assert mine.dtype == other.dtype
            np.testing.assert_allclose(mine, other, rtol=1e-6)
