"""Which parts of images predictions depend on: Grad-CAM and occlusion, beside their formulas."""

import numpy as np
import pytest

import nnlite
from nnlite import NNClassifier, layers
from nnlite.explain import grad_cam, occlusion, plot_saliency

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(5, 8, 8, 2))


def net(last="softmax", units=3, size=8):
    nnlite.utils.set_random_seed(0)
    x = images = layers.Input((size, size, 2))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(x)
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="second")(x)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(units, name="scores")(x)
    outputs = layers.Activation(last)(outputs) if last else outputs
    return nnlite.Model(images, outputs)


def expected_cam(model, images, classes, sign=1):
    """Of a mean over the image and a Dense layer the gradients are the weights of that."""
    seen = nnlite.Model(model.input, model.get_layer("second").output).predict(images)
    weights = model.get_layer("scores").kernel.numpy()[:, classes].T / seen[0, :, :, 0].size
    return np.maximum((sign * weights[:, None, None] * seen.astype("f8")).sum(axis=-1), 0)


@pytest.mark.parametrize("last", ["softmax", None])
def test_grad_cam_weights_channels_by_gradients_of_the_score(last):
    model = net(last)
    classes = model.predict(IMAGES).argmax(axis=1)
    found = grad_cam(model, IMAGES)
    np.testing.assert_allclose(found, expected_cam(model, IMAGES, classes), rtol=1e-4, atol=1e-7)
    assert found.dtype == np.float32 and found.max() > 0
    asked = [2, 1, 0, 1, 2]
    expected = expected_cam(model, IMAGES, asked)
    np.testing.assert_allclose(
        grad_cam(model, IMAGES, class_index=asked), expected, rtol=1e-4, atol=1e-7
    )


def test_grad_cam_leaves_the_model_as_it_is():
    model = net()
    before = model.predict(IMAGES)
    grad_cam(model, IMAGES)
    np.testing.assert_array_equal(model.predict(IMAGES), before)


def test_grad_cam_of_a_layer_within_a_model_is_brought_to_the_size_of_the_images():
    base = nnlite.Sequential(
        [layers.Conv2D(4, 3, strides=2, padding="same", name="inner"), layers.ReLU(name="last")],
        name="base",
    )
    pool = layers.GlobalAveragePooling2D()
    model = nnlite.Sequential([base, pool, layers.Dense(2, "softmax", name="top")])
    model.build((None, 8, 8, 2))
    found, named = grad_cam(model, IMAGES), grad_cam(model, IMAGES, layer="last")
    np.testing.assert_array_equal(found, named)
    seen = base.predict(IMAGES).astype("f8")
    weights = model.get_layer("top").kernel.numpy()[:, model.predict(IMAGES).argmax(axis=1)].T / 16
    small = np.maximum((weights[:, None, None] * seen).sum(axis=-1), 0)
    assert found.shape == (5, 8, 8)
    # Bilinear, without the corners: a pixel of the small map is two of the large one.
    middle = (
        small[:, 1:3, 1:3] * 9 + small[:, :2, 1:3] * 3 + small[:, 1:3, :2] * 3 + small[:, :2, :2]
    ) / 16
    np.testing.assert_allclose(found[:, 2:6:2, 2:6:2], middle, rtol=1e-4, atol=1e-7)
    assert not np.array_equal(grad_cam(model, IMAGES, layer="inner"), found)


def test_grad_cam_of_an_ensemble_is_the_mean_of_those_of_its_networks():
    X, y = RNG.random((40, 8, 8, 1)), np.arange(40) % 3
    model = NNClassifier(
        [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()],
        epochs=3,
        ensemble=2,
        normalize=False,
        random_state=0,
    ).fit(X, y)
    found = grad_cam(model, X[:3], class_index=1)
    networks = [layer for layer in model.model_.layers if layer.name.startswith("network")]
    parts = [grad_cam(network, X[:3], class_index=1) for network in networks]
    np.testing.assert_allclose(found, np.mean(parts, axis=0), rtol=1e-4, atol=1e-7)
    assert len(parts) == 2 and found.max() > 0


def fitted(classes):
    X = RNG.random((60, 8, 8, 1))
    y = np.arange(60) % classes
    X[y == 0, :4] += 1
    model = NNClassifier(
        [layers.Conv2D(4, 3, activation="relu"), layers.Flatten()], epochs=8, random_state=0
    )
    return model.fit(X, np.array(["no", "yes", "perhaps"])[y]), X


@pytest.mark.parametrize("classes", [2, 3])
def test_estimators_are_asked_by_label(classes):
    model, X = fitted(classes)
    for explain in (grad_cam, occlusion):
        found = [explain(model, X[:4], class_index=label) for label in model.classes_]
        assert found[0].shape == (4, 8, 8) and not np.array_equal(*found[:2])
        by_default = explain(model, X[:4])
        likeliest = model.predict(X[:4]) if classes == 3 else [model.classes_[1]] * 4
        expected = [found[[*model.classes_].index(label)][i] for i, label in enumerate(likeliest)]
        np.testing.assert_array_equal(by_default, expected)
    with pytest.raises(ValueError, match="class_index: expected one of"):
        grad_cam(model, X[:4], class_index="never")


def test_occlusion_is_the_mean_fall_over_the_squares_that_hide_a_pixel():
    model = net(size=7)
    image = IMAGES[:1, :7, :7]
    found = occlusion(model, image, size=3, stride=2, class_index=1, fill=[0.5, -0.5])
    before, falls = model.predict(image)[0, 1], [[[] for _ in range(7)] for _ in range(7)]
    for top in (0, 2, 4):
        for left in (0, 2, 4):
            hidden = image.copy()
            hidden[:, top : top + 3, left : left + 3] = [0.5, -0.5]
            fall = before - model.predict(hidden)[0, 1]
            for y in range(top, top + 3):
                for x in range(left, left + 3):
                    falls[y][x].append(fall)
    expected = [[np.mean(values) for values in row] for row in falls]
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-7)


def test_what_a_prediction_does_not_depend_on_is_nothing():
    model = nnlite.Sequential([layers.Flatten(input_shape=(8, 8, 1)), layers.Dense(2, "softmax")])
    weights = np.zeros((8, 8, 2))
    weights[:4, :, 1] = 1  # of the upper half
    model.set_weights([weights.reshape(64, 2), np.zeros(2)])
    (found,) = occlusion(model, np.full((1, 8, 8, 1), 0.1), size=1, class_index=1, fill=0)
    assert found[:4].min() > 1e-4 and np.abs(found[4:]).max() < 1e-6


REFUSED = [
    (lambda: grad_cam(net(), IMAGES, layer="frist"), "did you mean 'first'"),
    (lambda: grad_cam(net(), IMAGES, layer="scores"), "layer: expected one that gives images"),
    (lambda: grad_cam(net(), IMAGES, class_index=3), "class_index: expected the number of an"),
    (lambda: grad_cam(net(), IMAGES[0]), "images: expected shape"),
    (lambda: grad_cam(3, IMAGES), "expected a fitted estimator of nnlite"),
    (lambda: occlusion(net(), IMAGES, size=9), "size: expected at most 8"),
    (lambda: occlusion(net(), IMAGES, size=2, stride=3), "stride: expected at most size=2"),
    (lambda: occlusion(net(), IMAGES, fill=[1, 2, 3]), "fill: expected a number or 2"),
    (lambda: plot_saliency(IMAGES[..., 0], IMAGES[:, :3, :, 0]), "and maps"),
    (lambda: plot_saliency(IMAGES[..., 0], IMAGES[..., 0], ["a"]), "titles: expected 5"),
]


@pytest.mark.parametrize("call, message", REFUSED)
def test_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_a_model_without_images_inside_is_refused():
    model = nnlite.Sequential([layers.Flatten(input_shape=(8, 8, 2)), layers.Dense(2)])
    with pytest.raises(ValueError, match="expected a model with one that gives images"):
        grad_cam(model, IMAGES)


def test_pictures_show_each_image_with_its_map(tmp_path):
    pytest.importorskip("matplotlib")
    maps = grad_cam(net(), IMAGES)
    figure = plot_saliency(IMAGES[..., :1], maps, [*"abcde"], columns=3, path=tmp_path / "a.png")
    assert [ax.get_title(loc="left") for ax in figure.axes] == [*"abcde"]
    assert (tmp_path / "a.png").stat().st_size > 1000
