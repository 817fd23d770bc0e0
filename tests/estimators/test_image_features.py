"""ImageFeatures: images of any form as what a network sees in them, alone, in pipelines and in
searches."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import nnlite
from nnlite import ImageFeatures, layers
from nnlite.applications import mobilenet_v2

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (5, 32, 32, 3)).astype("uint8")


def network():
    images = layers.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, activation="relu", name="first")(images)
    x = layers.Conv2D(6, 3, activation="relu", name="second")(x)
    return nnlite.Model(images, x)


@pytest.fixture(scope="module")
def mobile():
    """Features of a small network with random weights, and the file of these."""
    return ImageFeatures(weights=None, image_size=32, random_state=0).fit(COLOURS)


def test_it_gives_what_the_network_gives(mobile):
    images = mobile.model_.layers[0]
    assert images.shape == (32, 32, 3) and mobile.layer_ == "out_relu"
    found = mobile.transform(COLOURS)
    body = nnlite.Model(mobile.model_.input, mobile.model_.get_layer("out_relu").output)
    expected = body.predict(mobilenet_v2.preprocess_input(COLOURS)).mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    names = mobile.get_feature_names_out()
    assert found.dtype == np.float32 and len(names) == found.shape[1] == 1280
    assert names[-1] == "out_relu_1279"


def test_batches_and_copies_change_nothing(mobile):
    found = mobile.transform(COLOURS)
    few = clone(mobile).set_params(batch_size=2)
    for other in (few.fit(COLOURS), pickle.loads(pickle.dumps(mobile))):
        np.testing.assert_array_equal(other.transform(COLOURS), found)


def test_weights_may_be_a_file_with_the_top(tmp_path):
    whole = nnlite.applications.MobileNetV2(weights=None, alpha=1.0)
    whole.save_weights(tmp_path / "a.weights.h5")
    made = ImageFeatures(weights=tmp_path / "a.weights.h5", image_size=32).fit(COLOURS)
    np.testing.assert_array_equal(
        made.model_.get_layer("Conv_1").get_weights()[0],
        whole.get_layer("Conv_1").get_weights()[0],
    )


@pytest.mark.parametrize("pooling", ["avg", "max", None])
def test_features_of_any_layer_of_a_model(pooling):
    model, images = network(), RNG.random((3, 8, 8, 1)) * 255
    made = ImageFeatures(model, layer="first", pooling=pooling).fit(images)
    expected = nnlite.Model(model.input, model.get_layer("first").output).predict(images)
    pools = {"avg": lambda x: x.mean((1, 2)), "max": lambda x: x.max((1, 2))}
    expected = pools.get(pooling, lambda x: x.reshape(len(x), -1))(expected)
    np.testing.assert_allclose(made.transform(images), expected, rtol=1e-5)


def forms(folder):
    """The same images in forms that they may come in."""
    images = [image[:, :, 0] for image in COLOURS]
    paths = []
    for i, image in enumerate(images):
        paths.append(folder / f"{i}.png")
        nnlite.utils.save_img(paths[-1], image[:, :, None], scale=False)
    alpha = [np.dstack([image, np.zeros_like(image)]) for image in images]
    forms = [np.stack(images), np.stack(images)[..., None], images, alpha, iter(images), paths]
    forms += [[str(path) for path in paths], np.array([str(path) for path in paths])]
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"path": [str(path) for path in paths]})
    return [*forms, frame["path"], frame]


def test_images_may_come_in_any_form(tmp_path):
    pytest.importorskip("PIL")
    made = ImageFeatures(network()).fit(COLOURS[..., :1])
    first, *others = forms(tmp_path)
    expected = made.transform(first)
    for form in others:
        np.testing.assert_array_equal(made.transform(form), expected)


def test_images_of_several_sizes_are_brought_to_one():
    made = ImageFeatures(network(), layer="first", pooling=None)
    flat = [np.full((20, 30), 7.0), np.full((8, 8), 7.0), np.full((5, 9, 1), 7.0)]
    found = made.fit(flat).transform(flat)
    np.testing.assert_allclose(found, np.broadcast_to(found[1], found.shape), rtol=1e-5, atol=1e-5)
    wide = np.zeros((8, 24))
    wide[:, 8:16] = 255
    cropped = made.set_params(crop_to_aspect_ratio=True).fit([wide]).transform([wide])
    np.testing.assert_allclose(cropped, made.transform([np.full((8, 8), 255.0)]), rtol=1e-5)


CHECKS = """
    parameters_default_constructible no_attributes_set_in_init get_params_invariance set_params
    estimator_cloneable estimator_repr mixin_order
""".split()


@pytest.mark.parametrize("name", CHECKS)
def test_check_of_scikit_learn_passes(name):
    getattr(estimator_checks, f"check_{name}")("ImageFeatures", ImageFeatures())


def test_the_layer_is_searched_in_a_pipeline():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300].reshape(-1, 8, 8) * 16, y[:300]
    pipeline = make_pipeline(
        ImageFeatures(network(), pooling=None), LogisticRegression(max_iter=50, tol=0.1)
    )
    grid = {"imagefeatures__layer": ["first", "second"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.8 and len(search.cv_results_["params"]) == 2
    assert search.best_estimator_[0].layer_ == search.best_params_["imagefeatures__layer"]


def test_columns_have_names_in_pandas():
    pytest.importorskip("pandas")
    made = ImageFeatures(network()).set_output(transform="pandas")
    found = made.fit_transform(COLOURS[..., :1])
    assert [*found] == [f"second_{i}" for i in range(6)]


def test_pixels_in_0_to_1_are_warned_of(mobile):
    with pytest.warns(UserWarning, match=r"X: expected pixels in \[0, 255\], got at most"):
        mobile.transform(COLOURS / 255)


def features(**settings):
    return ImageFeatures(**{"network": network(), **settings})


REFUSED = [
    (lambda: features(network="MobilNetV2").fit(COLOURS), "did you mean 'MobileNetV2'"),
    (lambda: features(network=3).fit(COLOURS), "network: expected a name .* or a Model, got 3"),
    (lambda: features(layer="frist").fit(COLOURS), "layer: .*'frist'; did you mean 'first'"),
    (lambda: features(pooling="mean").fit(COLOURS), "pooling: expected"),
    (lambda: features(batch_size=0).fit(COLOURS), "batch_size: expected"),
    (lambda: features(preprocess="no").fit(COLOURS), "preprocess: expected a function"),
    (lambda: features().fit(np.ones((3, 64))), r"X: expected images .* of shape \(3, 64\)"),
    (lambda: features().fit("a.png"), "X: expected many images, got one path"),
    (lambda: features().fit([]), "X: expected at least one image"),
    (lambda: features().fit([np.ones(3)]), r"X: expected images .* at position 0"),
    (lambda: features().fit(COLOURS).transform(COLOURS), "X: expected images with 1 channels"),
]


@pytest.mark.parametrize("call, message", REFUSED)
def test_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    pytest.importorskip("PIL")
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(OSError, match=r"a\.png"):
        features().fit([tmp_path / "a.png"]).transform([tmp_path / "a.png"])


def test_it_is_to_be_fitted_first():
    with pytest.raises(NotFittedError):
        ImageFeatures().transform(COLOURS)
