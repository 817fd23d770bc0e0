"""Layers of images and `ops.image` beside Keras, where it can be imported."""

import itertools

import numpy as np
import pytest

import nnlite
from nnlite import ops

keras = pytest.importorskip("keras")

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 13, 17, 3)).astype("float32")
SIZES = [(5, 7), (26, 34), (40, 9), (13, 5)]
# TensorFlow reads the cubic kernel from a table of 1024 places.
OFF = {("bicubic", False): 0.4}


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(
    "interpolation", ["nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5"]
)
def test_resizing_is_that_of_keras(interpolation, antialias):
    ways = ({}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 3.0})
    for (height, width), how in itertools.product(SIZES, ways):
        settings = {"interpolation": interpolation, "antialias": antialias, **how}
        theirs, ours = (
            np.asarray(package.layers.Resizing(height, width, **settings)(IMAGES))
            for package in (keras, nnlite)
        )
        assert np.abs(ours - theirs).max() < OFF.get((interpolation, antialias), 0.005)


@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_affine_transform_is_that_of_keras(fill_mode, interpolation):
    random = np.random.default_rng(1)
    for _ in range(5):
        m = np.tile([1.0, 0, 0, 0, 1, 0, 0, 0], (3, 1))
        m[:, :6] += random.normal(0, 0.2, (3, 6)) * [1, 1, 10, 1, 1, 10]
        m[:, 6:] = random.uniform(0, 0.01, (3, 2))
        how = {"interpolation": interpolation, "fill_mode": fill_mode, "fill_value": 9.0}
        theirs = np.asarray(keras.ops.image.affine_transform(IMAGES, m.astype("f4"), **how))
        ours = ops.image.affine_transform(IMAGES, m, **how).numpy()
        # TensorFlow rounds places to float32, so a few are on the other side of a pixel's edge.
        assert (np.abs(ours - theirs).max(-1) > 0.01).mean() < 0.003


# Factors that leave nothing to chance.
SETTLED = {
    "AutoContrast": {},
    "CenterCrop": {"height": 20, "width": 9},
    "ContrastLimitedAdaptiveHistogramEqualization": {"tile_grid_size": (4, 2)},
    "RandomBrightness": {"factor": (0.2, 0.2)},
    "RandomColorDegeneration": {"factor": (0.3, 0.3)},
    "RandomGaussianBlur": {"factor": (1.0, 1.0), "sigma": (0.7, 0.7)},
    "RandomGrayscale": {"factor": 1.0},
    "RandomHue": {"factor": (1.0, 1.0)},
    "RandomInvert": {"factor": (1.0, 1.0)},
    "RandomPosterization": {"factor": (3, 3)},
    "RandomRotation": {"factor": (0.1, 0.1), "fill_mode": "constant"},
    "RandomSaturation": {"factor": (0.3, 0.3)},
    "RandomSharpness": {"factor": (0.9, 0.9)},
    "RandomTranslation": {"height_factor": (0.2, 0.2), "width_factor": (-0.3, -0.3)},
    "RandomZoom": {"height_factor": (0.3, 0.3), "width_factor": (-0.2, -0.2)},
    "Solarization": {"threshold_factor": 0.0},
}


@pytest.mark.parametrize("name", SETTLED)
def test_layer_does_what_that_of_keras_does(name):
    theirs, ours = (
        np.asarray(getattr(package.layers, name)(**SETTLED[name])(IMAGES, training=True))
        for package in (keras, nnlite)
    )
    assert (np.abs(ours - theirs).max(-1) > 0.02).mean() < 0.005


def test_equalization_of_one_image_is_that_of_keras():
    x = np.round(IMAGES[:1] ** 2 / 255)
    theirs, ours = (np.asarray(p.layers.Equalization()(x)) for p in (keras, nnlite))
    # (v / 255) * 255 is less than some whole numbers v in float32: Keras takes the bin below.
    assert (np.abs(ours - theirs) > 0.5).mean() < 0.3 and np.abs(ours - theirs).max() < 16


RANDOM = {
    **SETTLED,
    "Resizing": {"height": 8, "width": 7, "interpolation": "bicubic", "antialias": True},
    "RandomFlip": {},
    "RandomShear": {"x_factor": 0.2},
    "RandomPerspective": {},
    "RandomContrast": {"factor": 0.2},
    "RandomColorJitter": {"brightness_factor": 0.2},
    "RandomElasticTransform": {},
    "RandomErasing": {},
    "MixUp": {},
    "CutMix": {},
    "RandAugment": {},
    "AugMix": {},
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("back", [False, True])
def test_files_go_both_ways(tmp_path, name, back):
    writer, reader = (keras, nnlite) if back else (nnlite, keras)
    model = writer.Sequential(
        [
            writer.layers.Input((13, 17, 3)),
            getattr(writer.layers, name)(**RANDOM[name]),
            writer.layers.GlobalAveragePooling2D(),
            writer.layers.Dense(2),
        ]
    )
    model.save(tmp_path / "model.keras")
    again = reader.models.load_model(tmp_path / "model.keras")
    want, found = (np.asarray(m.predict(IMAGES, verbose=0)) for m in (model, again))
    assert np.abs(found - want).max() < 1e-4 * np.abs(want).max()
    assert type(again.layers[0]).__name__ == name
