"""Files of images become arrays, and folders of them datasets, whatever else is in them."""

import contextlib
import io
import os
import struct
import sys
import warnings
import zlib

import numpy as np
import pytest

import nnlite
from nnlite.data import directory as of_files
from nnlite.data import images, in_threads, resizing
from nnlite.download import DamagedFile
from nnlite.preprocessing.image import smart_resize
from nnlite.utils import (
    array_to_img,
    image_dataset_from_directory,
    img_to_array,
    load_img,
    save_img,
)

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (6, 8, 3), np.uint8)


def arrays_of(data):
    """All images and labels of a dataset as arrays."""
    batches = [batch if isinstance(batch, tuple) else (batch,) for batch in data]
    return [np.concatenate([part.numpy() for part in parts]) for parts in zip(*batches)]


@pytest.fixture
def folder(tmp_path):
    """Two classes of images of different sizes, in which the first pixel is the number of each."""
    for k in range(12):
        path = tmp_path / ("bright" if k % 2 else "dark") / f"{k:02}.png"
        path.parent.mkdir(exist_ok=True)
        save_img(path, np.full((4 + k, 9, 3), k + 200.0 * (k % 2)), scale=False)
    (tmp_path / "dark" / "notes.txt").write_text("no image")
    return tmp_path


# One image


def test_what_is_saved_is_loaded(tmp_path):
    for name in ("a.png", "a.bmp"):
        save_img(tmp_path / name, COLOURS, scale=False)
        assert (img_to_array(load_img(tmp_path / name)) == COLOURS).all()
    assert sorted(os.listdir(tmp_path)) == ["a.bmp", "a.png"]
    grey = img_to_array(load_img(tmp_path / "a.png", "grayscale"))
    exact = COLOURS @ [0.299, 0.587, 0.114]
    assert grey.shape == (6, 8, 1) and abs(grey[..., 0] - exact).max() <= 1
    assert load_img(tmp_path / "a.png", "rgba").getextrema()[3] == (255, 255)
    file = io.BytesIO()
    save_img(file, COLOURS, file_format="png", scale=False)
    assert (img_to_array(load_img(file)) == COLOURS).all()


def test_values_are_scaled_to_the_levels_of_an_image():
    x = RNG.normal(size=(3, 4, 3))
    exact = (x - x.min()) / (x.max() - x.min()) * 255
    assert abs(np.asarray(array_to_img(x)) - exact).max() < 1.01
    assert np.asarray(array_to_img(np.full((2, 2, 1), 7))).max() == 0
    assert array_to_img(np.full((2, 2, 1), 300), scale=False).mode == "I"
    first = x.transpose(2, 0, 1)
    assert array_to_img(first, "channels_first").size == (4, 3)
    assert img_to_array(array_to_img(x), "channels_first").shape == (3, 3, 4)
    assert img_to_array(np.ones((2, 3)), dtype="float64").dtype == "float64"
    with nnlite.config.precision("float64"):
        assert img_to_array(np.ones((2, 3))).dtype == "float64"


def test_jpeg_leaves_transparency_out_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="JPEG has no transparency"):
        save_img(tmp_path / "a.jpg", RNG.random((8, 8, 4)), quality=95)
    assert load_img(tmp_path / "a.jpg").size == (8, 8)


def test_a_size_is_taken_of_the_middle_if_asked(tmp_path):
    save_img(tmp_path / "a.png", COLOURS, scale=False)
    whole = load_img(tmp_path / "a.png", target_size=(3, 3))
    middle = load_img(tmp_path / "a.png", target_size=(6, 6), keep_aspect_ratio=True)
    assert whole.size == (3, 3) and (np.asarray(middle) == COLOURS[:, 1:7]).all()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA", "RGBX", "YCbCr"])
def test_images_of_every_mode_become_the_channels_asked_for(mode, tmp_path):
    ending = "jpg" if mode in ("CMYK", "YCbCr") else "tiff" if mode == "RGBX" else "png"
    Image.fromarray(COLOURS).convert(mode).save(tmp_path / f"a.{ending}")
    for color_mode, channels in images.CHANNELS.items():
        image = load_img(tmp_path / f"a.{ending}", color_mode)
        assert img_to_array(image).shape == (6, 8, channels)
    given = images.read_image(tmp_path / f"a.{ending}", "rgb", (6, 8), "bilinear", "stretch", None)
    close = np.asarray(Image.fromarray(COLOURS).convert(mode).convert("RGB"))
    assert given.dtype == np.float32 and abs(given - close).mean() < (80 if ending == "jpg" else 1)


def test_of_16_bits_the_upper_ones_are_kept(tmp_path):
    levels = np.array([[0, 255, 256, 1000, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    path = tmp_path / "deep.png"
    assert img_to_array(load_img(path)).tolist() == [[[v // 256] * 3 for v in levels[0].tolist()]]
    assert img_to_array(load_img(path, "grayscale"))[..., 0].tolist() == levels.tolist()
    read = images.read_image(path, "grayscale", (1, 5), "nearest", "stretch", None)
    assert read.ravel().tolist() == [0, 0, 1, 3, 255]


@pytest.mark.parametrize("turned", range(1, 9))
def test_photographs_are_turned_upright(turned, tmp_path):
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8] = 255
    back = {1: [], 2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}[turned]
    image = Image.fromarray(upright)
    for step in back:
        image = image.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = turned
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert abs(img_to_array(load_img(tmp_path / "a.jpg")) - upright).max() < 30


def test_notes_that_nobody_can_read_do_no_harm(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=b"Exif\0\0garbage")
    assert (img_to_array(load_img(tmp_path / "a.png")) == COLOURS).all()


def test_files_of_any_bytes_are_images_or_damaged():
    picture = Image.fromarray(RNG.integers(0, 256, (40, 40, 3), np.uint8))
    for kind in ("jpeg", "png", "gif", "bmp"):
        file = io.BytesIO()
        picture.save(file, kind)
        for _ in range(60):
            content = bytearray(file.getvalue())
            for at in RNG.integers(len(content), size=4):
                content[at] = RNG.integers(256)
            with contextlib.suppress(DamagedFile), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Pillow
                load_img(io.BytesIO(content))


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    frames = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert np.unique(img_to_array(load_img(tmp_path / "a.gif"))).tolist() == [10]


def huge_png():
    """A PNG of a few bytes that says that it has 10**10 pixels."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    head = struct.pack(">IIBBBBB", 10**5, 10**5, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def damaged_files():
    """Files that are no whole image: name -> content."""
    file, png = io.BytesIO(), io.BytesIO()
    picture = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8))
    picture.save(file, "jpeg")
    picture.save(png, "png")
    return {
        "truncated.jpg": file.getvalue()[:-900],
        "truncated.png": png.getvalue()[:-900],
        "text.png": b"<html>not found</html>",
        "empty.gif": b"",
        "huge.png": huge_png(),
        "header.bmp": b"BM" + bytes(20),
    }


@pytest.mark.parametrize("name", damaged_files())
def test_damaged_files_are_named(name, tmp_path):
    (tmp_path / name).write_bytes(damaged_files()[name])
    with pytest.raises(DamagedFile, match=f"{name}: expected an image, got "):
        load_img(tmp_path / name)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: load_img("nowhere.png"), FileNotFoundError, "nowhere.png"),
        (lambda: load_img(".", "rgb"), IsADirectoryError, "."),
        (lambda: load_img("a", "cmyk"), ValueError, "color_mode: expected 'grayscale', 'rgb'"),
        (lambda: load_img("a", interpolation="area"), ValueError, "interpolation: expected"),
        (lambda: load_img("a", target_size=(3,)), ValueError, r"target_size: expected \(height, w"),
        (lambda: load_img("a", target_size=(3, 0)), ValueError, "target_size: expected a positive"),
        (lambda: img_to_array(np.ones(3)), ValueError, r"img: expected one image, .* \(3,\)"),
        (lambda: array_to_img(np.ones((3, 3, 2))), ValueError, r"x: expected .* \(3, 3, 2\)"),
        (lambda: array_to_img(np.ones((0, 3, 3))), ValueError, r"x: expected .* \(0, 3, 3\)"),
        (lambda: array_to_img(np.full((3, 3, 1), np.nan)), ValueError, "x: expected finite"),
        (lambda: save_img("a.xyz", np.ones((3, 3, 1))), ValueError, "file_format: .* got 'xyz'"),
        (lambda: save_img("a", np.ones((3, 3, 1))), ValueError, "file_format: .* got ''"),
        (
            lambda: save_img(io.BytesIO(), np.ones((3, 3, 1))),
            ValueError,
            "file_format: expected it",
        ),
        (lambda: smart_resize(np.ones((3, 3)), (2, 2)), ValueError, r"x: expected .* \(3, 3\)"),
    ],
)
def test_what_makes_no_image_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_pillow_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install \"nnlite\[images\]\""):
        load_img("a.png")


# Sizes

FORMULAS = {
    "bilinear": lambda d: max(1 - d, 0),
    "gaussian": lambda d: np.exp(-2 * d * d) if d < 1.5 else 0,
    "lanczos3": lambda d: np.sinc(d) * np.sinc(d / 3) if d < 3 else 0,
    "mitchellcubic": lambda d: (
        (7 * d**3 - 12 * d**2 + 16 / 3) / 6
        if d < 1
        else (-7 * d**3 / 3 + 12 * d**2 - 20 * d + 32 / 3) / 6
        if d < 2
        else 0
    ),
}


@pytest.mark.parametrize("method", FORMULAS)
@pytest.mark.parametrize(("length", "size"), [(7, 3), (3, 8), (5, 1)])
def test_pixels_are_means_weighted_by_distance(method, length, size):
    x = RNG.normal(size=(length, 1, 1))
    expected = []
    for i in range(size):
        at = (i + 0.5) * length / size - 0.5
        weights = np.array([FORMULAS[method](abs(k - at)) for k in range(length)])
        expected.append((weights[:, None, None] * x).sum(0) / weights.sum())
    assert np.allclose(resizing.resized(x, (size, 1), method), expected, rtol=1e-12, atol=1e-12)
    across = resizing.resized(x.transpose(1, 0, 2), (1, size), method)
    assert np.allclose(across.transpose(1, 0, 2), expected, rtol=1e-12, atol=1e-12)


def test_areas_are_covered_once_and_the_nearest_pixel_is_copied():
    x = RNG.normal(size=(7, 1, 1))
    fine = x.repeat(3, axis=0)  # 21 parts, of which 7 make a third
    area = resizing.resized(x, (3, 1), "area").ravel()
    assert np.allclose(area, fine.reshape(3, 7).mean(1), rtol=1e-12)
    assert (resizing.resized(x, (3, 1), "nearest") == x[[1, 3, 5]]).all()


@pytest.mark.parametrize("method", resizing.METHODS)
def test_a_plain_image_stays_plain(method):
    for size in ((3, 11), (20, 5)):
        assert np.allclose(resizing.resized(np.full((9, 8, 3), 7, np.uint8), size, method), 7)


def test_other_ratios_are_cut_or_filled():
    x = COLOURS.astype(float)
    assert (smart_resize(x, (6, 6)) == x[:, 1:7]).all()
    assert (
        smart_resize(x[None].transpose(0, 3, 1, 2), (6, 6), data_format="channels_first")
        == x[:, 1:7].transpose(2, 0, 1)
    ).all()
    assert smart_resize(nnlite.ones((6, 8, 3)), (2, 2)).numpy().min() == 1
    padded = resizing.resized(COLOURS, (8, 8), "bilinear", "pad")
    assert (padded[1:7] == COLOURS).all() and padded[[0, 7]].max() == 0


# Folders


def test_images_have_the_numbers_of_their_folders(folder, capsys):
    data = image_dataset_from_directory(folder, batch_size=5, image_size=(4, 5), shuffle=False)
    x, y = arrays_of(data)
    assert capsys.readouterr().out == "Found 12 files belonging to 2 classes.\n"
    assert x.shape == (12, 4, 5, 3) and x.dtype == np.float32 and len(data) == 3
    assert np.allclose(x[:, 0, 0, 0], [*range(201, 212, 2), *range(0, 12, 2)], rtol=1e-6)
    assert y.tolist() == [0] * 6 + [1] * 6 and data.class_names == ["bright", "dark"]
    assert [os.path.basename(p) for p in data.file_paths[:2]] == ["01.png", "03.png"]


def test_parts_for_a_seed_are_those_of_keras(folder, capsys):
    paths = sorted(str(p) for p in folder.glob("*/*.png"))
    np.random.RandomState(3).shuffle(paths)
    settings = {"validation_split": 0.3, "subset": "both", "seed": 3, "image_size": 4}
    training, validation = image_dataset_from_directory(folder, **settings)
    assert training.file_paths == paths[:-3] and validation.file_paths == paths[-3:]
    assert "Using 9 files for training.\nUsing 3 files for validation.\n" in capsys.readouterr().out
    for data in (training, validation):
        x, y = arrays_of(data)
        numbers = sorted(int(os.path.basename(p)[:2]) for p in data.file_paths)
        assert sorted(x[:, 0, 0, 0] % 200) == numbers and (y == (x[:, 0, 0, 0] < 100)).all()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"color_mode": "grayscale"}, (12, 6, 6, 1)),
        ({"color_mode": "rgba", "pad_to_aspect_ratio": True}, (12, 6, 6, 4)),
        ({"data_format": "channels_first", "crop_to_aspect_ratio": True}, (12, 3, 6, 6)),
    ],
)
def test_images_have_the_shape_asked_for(settings, shape, folder):
    data = image_dataset_from_directory(
        folder, label_mode=None, image_size=(6, 6), verbose=False, **settings
    )
    assert arrays_of(data)[0].shape == shape


@pytest.mark.parametrize(
    "settings",
    [
        *({"interpolation": method} for method in resizing.METHODS),
        {"crop_to_aspect_ratio": True},
        {"pad_to_aspect_ratio": True, "image_size": (24, 37)},
        {"color_mode": "grayscale", "validation_split": 0.4, "subset": "training", "seed": 1},
    ],
)
def test_batches_and_parts_are_those_of_keras(settings, folder):
    keras = pytest.importorskip("keras", exc_type=ImportError)
    pytest.importorskip("tensorflow", exc_type=ImportError)
    settings = {"image_size": (7, 5), "shuffle": False, "verbose": False, **settings}
    ours, theirs = (
        library.utils.image_dataset_from_directory(folder, **settings)
        for library in (nnlite, keras)
    )
    assert ours.file_paths == theirs.file_paths and ours.class_names == theirs.class_names
    for mine, other in zip(arrays_of(ours), arrays_of(theirs)):
        assert np.allclose(mine, other, rtol=0, atol=0.05)  # bicubic is tabulated there


def test_results_do_not_depend_on_the_number_of_threads(folder, monkeypatch):
    def passes(threads):
        monkeypatch.setattr(in_threads, "most_threads", lambda: threads)
        data = image_dataset_from_directory(
            folder, batch_size=5, image_size=(5, 5), seed=1, verbose=False
        )
        return [arrays_of(data) for _ in range(2)]

    one, three = passes(1), passes(3)
    for a, b in zip(one, three):
        assert all((p == q).all() for p, q in zip(a, b))
    assert not (one[0][0] == one[1][0]).all()


def test_order_stays_with_grain(folder):
    data = image_dataset_from_directory(folder, image_size=4, format="grain", verbose=False)
    first, second = (arrays_of(data)[0][:, 0, 0, 0].tolist() for _ in range(2))
    assert first == second != sorted(first)


def test_only_a_few_files_are_read_ahead(folder, monkeypatch):
    read, true = [], images.read_image
    monkeypatch.setattr(in_threads, "most_threads", lambda: 1)
    monkeypatch.setattr(images, "read_image", lambda *args: (read.append(1), true(*args))[1])
    data = image_dataset_from_directory(folder, batch_size=2, image_size=4, verbose=False)
    assert not read
    items = iter(data)
    next(items)
    assert 2 <= len(read) <= 2 + in_threads.AHEAD + 1


def test_a_network_learns_from_a_folder(folder):
    nnlite.utils.set_random_seed(0)
    data = image_dataset_from_directory(
        folder, batch_size=4, image_size=(4, 4), seed=0, verbose=False
    )
    layers = nnlite.layers
    model = nnlite.Sequential(
        [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(1, "sigmoid")]
    )
    model.compile(nnlite.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    model.fit(data, epochs=15, verbose=0)
    assert model.evaluate(data, verbose=0)[1] == 1


def test_unreadable_files_raise_when_their_batch_comes(folder):
    (folder / "dark" / "04.png").write_bytes(b"no")
    data = image_dataset_from_directory(folder, image_size=4, verbose=False)
    with pytest.raises(DamagedFile, match=r"04\.png: expected an image, got another file"):
        list(data)


def test_unreadable_files_are_left_out_with_one_warning_if_asked(folder, capsys):
    for name, content in damaged_files().items():
        (folder / "bright" / name).write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = image_dataset_from_directory(folder, image_size=4, shuffle=False, errors="skip")
        x, y = arrays_of(data)
    (warning,) = caught
    assert warning.filename == __file__
    text = str(warning.message)
    assert text.startswith("6 of 18 files cannot be read and are left out:\n")
    assert all(f"bright/{name}: expected an image" in text for name in damaged_files())
    assert len(x) == 12 and y.tolist() == [0] * 6 + [1] * 6 and len(data.file_paths) == 12
    assert "Found 12 files" in capsys.readouterr().out


def test_a_warning_lists_a_few_files_and_counts_the_others(folder, monkeypatch):
    monkeypatch.setattr(of_files, "MOST_LISTED", 2)
    for path in folder.glob("dark/*.png"):
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="and 4 more"):
        data = image_dataset_from_directory(folder, image_size=4, errors="skip", verbose=False)
    assert len(arrays_of(data)[0]) == 6


def test_texts_that_are_none_are_left_out_too(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "good.txt").write_text("good")
    (tmp_path / "a" / "bad.txt").write_bytes(b"\xff\xfe")
    with pytest.warns(UserWarning, match=r"1 of 2 files .*\n .*bad\.txt: expected UTF-8"):
        data = nnlite.utils.text_dataset_from_directory(tmp_path, errors="skip", verbose=False)
    assert data.file_paths == [str(tmp_path / "a" / "good.txt")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"color_mode": "cmyk"}, "color_mode: expected 'grayscale', 'rgb' or 'rgba', got 'cmyk'"),
        ({"interpolation": "box"}, "interpolation: expected 'nearest', 'area', .* got 'box'"),
        ({"image_size": (3, 4, 5)}, r"image_size: expected \(height, width\), got \(3, 4, 5\)"),
        ({"image_size": 0}, "image_size: expected a positive integer, got 0"),
        ({"data_format": "first"}, "data_format: expected None, 'channels_last'"),
        ({"errors": "ignore"}, "errors: expected 'raise' or 'skip', got 'ignore'"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "pad_to_aspect_ratio: expec"),
        ({"labels": [0]}, "labels: expected one for each of the 12 files"),
        ({"directory": "nowhere"}, "directory: expected a folder, got 'nowhere'"),
    ],
)
def test_folders_and_settings_that_do_not_fit_are_refused(settings, message, folder):
    with pytest.raises(ValueError, match=message):
        image_dataset_from_directory(**{"directory": folder, "verbose": False, **settings})


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match=r"directory: expected files \*\.bmp or .* got none in"):
        image_dataset_from_directory(tmp_path, verbose=False)
    save_img(tmp_path / "a" / "1.png", COLOURS)
    with pytest.raises(ValueError, match="it has no folders of classes: pass labels=None"):
        image_dataset_from_directory(tmp_path / "a", verbose=False)
    assert len(image_dataset_from_directory(tmp_path, None, verbose=False).file_paths) == 1
