"""Weights that others trained classify photographs as the library does that they are from."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from nnlite import ImageFeatures, applications
from nnlite.saving import load_arrays

FILE = Path(os.environ.get("NNLITE_DATA", ""), "models", "efficientnet_lite0.pth")
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"there is no {FILE}")

# The five likeliest classes and their probabilities by PyTorch 2.13 and efficientnet-lite-pytorch
# 0.1.0, of the middle of each photograph brought to 224 x 224 pixels by Pillow, bicubic.
LIKELIEST = {
    "china.jpg": {698: 0.3010681, 442: 0.2217922, 663: 0.1034114, 483: 0.0507855, 975: 0.0452509},
    "flower.jpg": {985: 0.2275301, 947: 0.1139667, 309: 0.0491033, 996: 0.0423241, 738: 0.0401100},
}


def photograph(name):
    image = pytest.importorskip("PIL.Image").fromarray(load_sample_image(name))
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    return np.asarray(image.resize((224, 224), 3), "float32")


@pytest.fixture(scope="module")
def lite():
    return applications.EfficientNetLite0(weights=FILE)


@pytest.mark.parametrize("name", LIKELIEST)
def test_efficientnet_lite0_classifies_as_pytorch_does(name, lite):
    x = (photograph(name)[None] - 127) / 128
    (chances,) = lite.predict(x, verbose=0)
    assert np.argsort(-chances)[:5].tolist() == [*LIKELIEST[name]]
    for number, chance in LIKELIEST[name].items():
        assert abs(chances[number] - chance) < 1e-4


def test_features_of_a_file_with_its_top_are_those_below_the_top(lite):
    made = ImageFeatures("EfficientNetLite0", weights=FILE).fit([photograph("china.jpg")])
    features = made.transform([photograph(name) for name in LIKELIEST])
    kernel, bias = (load_arrays(FILE)[f"_fc.{name}"] for name in ("weight", "bias"))
    scores = features @ kernel.T + bias
    assert scores.argmax(axis=1).tolist() == [698, 985]
