"""Random layers of images: what they draw and when, and that images, masks and labels agree."""

import pickle

import numpy as np
import pytest
from cases_gradients import Smooth
from gradients import check_gradient
from scipy import ndimage
from small_models import arrays_equal
from threadpoolctl import threadpool_limits

import nnlite
from nnlite import config, layers, ops

IMAGES = np.random.default_rng(0).uniform(20, 230, (6, 10, 12, 3))
# By name, with factors that change every image.
RANDOM = {
    "RandomFlip": lambda **k: layers.RandomFlip(**k),
    "RandomRotation": lambda **k: layers.RandomRotation(0.2, **k),
    "RandomZoom": lambda **k: layers.RandomZoom(0.3, 0.2, **k),
    "RandomTranslation": lambda **k: layers.RandomTranslation(0.3, 0.2, "wrap", **k),
    "RandomShear": lambda **k: layers.RandomShear(0.3, 0.4, **k),
    "RandomPerspective": lambda **k: layers.RandomPerspective((1.0, 1.0), 0.5, **k),
    "RandomElasticTransform": lambda **k: layers.RandomElasticTransform((1.0, 1.0), (0.5, 1), **k),
    "RandomCrop": lambda **k: layers.RandomCrop(4, 5, **k),
    "RandomBrightness": lambda **k: layers.RandomBrightness(0.1, **k),
    "RandomContrast": lambda **k: layers.RandomContrast(0.1, **k),
    "RandomInvert": lambda **k: layers.RandomInvert((0.5, 0.5), **k),
    "RandomPosterization": lambda **k: layers.RandomPosterization((1, 6), **k),
    "Solarization": lambda **k: layers.Solarization(0.1, 1.0, **k),
    "RandomGrayscale": lambda **k: layers.RandomGrayscale(0.5, **k),
    "RandomColorDegeneration": lambda **k: layers.RandomColorDegeneration(1.0, **k),
    "RandomHue": lambda **k: layers.RandomHue(0.5, **k),
    "RandomSaturation": lambda **k: layers.RandomSaturation(0.9, **k),
    "RandomColorJitter": lambda **k: layers.RandomColorJitter((0, 255), 0.1, 0.1, 0.9, 0.5, **k),
    "RandomSharpness": lambda **k: layers.RandomSharpness(1.0, **k),
    "RandomGaussianBlur": lambda **k: layers.RandomGaussianBlur((0.5, 0.5), 5, (0.5, 1), **k),
    "RandomErasing": lambda **k: layers.RandomErasing((0.9, 0.9), **k),
    "MixUp": lambda **k: layers.MixUp(1.0, **k),
    "CutMix": lambda **k: layers.CutMix(1.0, **k),
    "RandAugment": lambda **k: layers.RandAugment(**k),
    "AugMix": lambda **k: layers.AugMix(num_chains=2, chain_depth=2, **k),
}
SMOOTH = [
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear", "RandomCrop",
    "RandomPerspective", "RandomElasticTransform", "RandomBrightness", "RandomContrast",
    "RandomInvert", "RandomGrayscale", "RandomColorDegeneration", "RandomSharpness",
    "RandomGaussianBlur", "RandomErasing", "MixUp", "CutMix",
]  # fmt: skip


FILLS = {"constant": "grid-constant", "mirror": "mirror"}  # in SciPy


@pytest.fixture(params=RANDOM)
def make(request):
    """A constructor of a random layer."""
    return RANDOM[request.param]


# --- when it acts, and what determines it


def test_every_random_layer_is_here():
    named = {n for n in layers.__all__ if n.startswith("Random") or n in ("MixUp", "CutMix")}
    assert named | {"Solarization", "RandAugment", "AugMix"} == set(RANDOM)


def test_layer_called_alone_changes_images_and_a_model_that_predicts_does_not(make):
    y = make(seed=1)(IMAGES)
    assert y.shape[0] == 6 and not np.array_equal(y.numpy(), IMAGES.astype("f4"))
    assert not np.array_equal(make(seed=1)(IMAGES, training=False).numpy(), y.numpy())
    model = nnlite.Sequential([layers.Input(IMAGES.shape[1:]), make(seed=1)])
    kept = model.predict(IMAGES, verbose=0)
    assert np.array_equal(kept, make(seed=2)(IMAGES, training=False).numpy())
    if kept.shape == IMAGES.shape:
        assert np.array_equal(kept, IMAGES.astype("f4"))


def test_one_seed_repeats_bitwise_another_differs_and_each_call_draws_anew(make):
    def drawn(seed):
        layer = make(seed=seed)
        return [layer(IMAGES).numpy() for _ in range(2)]

    assert arrays_equal(drawn(3), drawn(3))
    assert not np.array_equal(drawn(3)[0], drawn(4)[0])
    assert not np.array_equal(*drawn(3))


def test_images_of_a_batch_are_changed_each_by_itself(make):
    same = np.repeat(IMAGES[:1], 32, axis=0)
    same[16:] += 1  # for the layers that mix
    y = make(seed=1)(same).numpy()[:16]
    alike = np.array_equal(y, np.repeat(y[:1], 16, axis=0))
    assert alike == (make is RANDOM["RandomCrop"])


def test_compiled_steps_draw_anew_and_have_the_bits_of_eager_calls_on_any_threads(make):
    class Kept(nnlite.Model):
        def __init__(self):
            super().__init__()
            self.changed, self.kept = make(seed=5), []

        def call(self, x, training=False):
            return self.changed(x, training=training)

        def train_step(self, data):
            y = self(data[0] if isinstance(data, tuple) else data, training=True)
            return {"total": ops.sum(ops.square(y)), "first": ops.sum(y[0])}

    def steps(threads):
        model, seen = Kept(), []
        model.compile(optimizer="sgd")
        record = nnlite.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: seen.append(dict(logs))
        )
        with threadpool_limits(threads, user_api="openmp"):
            x = np.concatenate([IMAGES] * 3)
            model.fit(x, batch_size=6, shuffle=False, verbose=0, callbacks=[record])
        return seen

    one = steps(1)
    assert len(one) == 3 and one == steps(2) == steps(3)
    assert len({step["total"] for step in one}) > 1
    layer = make(seed=5)
    eager = [float(ops.sum(ops.square(layer(IMAGES, training=True)))) for _ in range(3)]
    assert eager == [step["total"] for step in one]


def test_layer_copied_in_the_middle_goes_on_with_the_same_draws(make):
    layer = make(seed=1)
    layer(IMAGES)
    copied = pickle.loads(pickle.dumps(layer))
    assert np.array_equal(layer(IMAGES).numpy(), copied(IMAGES).numpy())


def test_saved_model_goes_on_with_the_same_draws(tmp_path, make):
    model = nnlite.Sequential([layers.Input(IMAGES.shape[1:]), make(seed=1)])
    model(IMAGES, training=True)
    model.save(tmp_path / "model.keras")
    again = nnlite.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(
        model(IMAGES, training=True).numpy(), again(IMAGES, training=True).numpy()
    )


# --- what it acts on


def test_channels_first_and_single_images_are_changed_as_others_are(make):
    y = make(seed=1)(IMAGES).numpy()
    if make is not RANDOM["RandomErasing"]:  # which writes noise
        first = make(seed=1, data_format="channels_first")(IMAGES.transpose(0, 3, 1, 2)).numpy()
        assert np.array_equal(first.transpose(0, 2, 3, 1), y)
    assert np.array_equal(make(seed=1)(IMAGES[0]).numpy(), make(seed=1)(IMAGES[:1]).numpy()[0])


def test_masks_are_moved_by_the_same_draw_and_take_no_other_values(make):
    layer = make(seed=1)
    mask = (IMAGES[..., :1] > 125) * 3.0
    y = layer({"images": np.repeat(mask, 3, axis=3), "segmentation_masks": mask})
    masks = y["segmentation_masks"].numpy()
    assert masks.shape[:3] == y["images"].shape[:3]
    if make is not RANDOM["MixUp"]:
        assert set(np.unique(masks)) <= {0.0, 3.0}
    if make in (RANDOM["RandomFlip"], RANDOM["RandomCrop"], RANDOM["CutMix"]):
        assert np.array_equal(y["images"].numpy()[..., :1], masks)


def test_labels_stay_or_are_mixed_as_images_are(make):
    labels = np.eye(6)
    bright = np.ones((6, 4, 5, 3)) * np.arange(6).reshape(6, 1, 1, 1)
    y = make(seed=2)({"images": bright, "labels": labels})
    if make in (RANDOM["MixUp"], RANDOM["CutMix"]):
        means = y["images"].numpy().mean((1, 2, 3))
        assert np.abs(means - y["labels"].numpy() @ np.arange(6)).max() < 1e-5
        assert not np.array_equal(y["labels"].numpy(), labels)
    else:
        assert np.array_equal(y["labels"].numpy(), labels)


def test_images_and_labels_are_parts_of_a_functional_model():
    given = {"images": nnlite.Input((8, 9, 3)), "labels": nnlite.Input((3,))}
    changed = layers.CutMix(seed=1)(given)
    model = nnlite.Model(given, [changed["images"], changed["labels"]])
    x = {"images": IMAGES[:3, :8, :9], "labels": np.eye(3)}
    images, labels = model(x, training=True)
    assert images.shape == (3, 8, 9, 3) and np.abs(labels.numpy().sum(1) - 1).max() < 1e-6
    assert not np.array_equal(labels.numpy(), np.eye(3))
    assert np.array_equal(model.predict(x, verbose=0)[1], np.eye(3))


def test_an_estimator_trains_on_changed_images_and_predicts_on_those_given():
    X = np.repeat(np.eye(2)[:, :, None, None], 20, axis=0) * np.ones((40, 2, 3, 1))
    y = np.repeat(["above", "below"], 20)
    made = [layers.RandomFlip("horizontal"), layers.Flatten(), layers.Dense(8, "relu")]
    settings = {"epochs": 40, "learning_rate": 0.05, "random_state": 0, "verbose": 0}
    net = nnlite.NNClassifier(layers=made, **settings).fit(X, y)
    assert net.score(X, y) == 1.0
    assert np.array_equal(net.predict_proba(X), net.predict_proba(X))


def test_what_was_drawn_can_be_used_again(make):
    layer = make(seed=1)
    drawn = layer.get_random_transformation(IMAGES)
    y = layer.transform_images(IMAGES, drawn).numpy()
    assert np.array_equal(y, layer.transform_images(IMAGES, drawn).numpy())
    assert np.array_equal(y, make(seed=1)(IMAGES).numpy())
    by_seed = [layer.get_random_transformation(IMAGES, seed=7) for _ in range(2)]
    assert arrays_equal(*([layer.transform_images(IMAGES, d).numpy()] for d in by_seed))
    assert layer.get_random_transformation(IMAGES, training=False) is None


@pytest.mark.parametrize("given", [{}, {"labels": 0}, {"images": IMAGES, "bounding_boxes": IMAGES}])
def test_a_dict_without_images_or_with_boxes_is_refused(given):
    with pytest.raises(ValueError, match=r"expected a dict of 'images' .*boxes are not supported"):
        layers.RandomFlip()(given)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_is_the_numerical_one(name, double):
    def total(inputs):
        layer = RANDOM[name](seed=3)
        y = layer(inputs[0], training=True)
        return ops.sum(y * np.random.default_rng(1).standard_normal(y.shape))

    check_gradient(total, Smooth([IMAGES[:2, :5, :6]]))


# --- how often it draws what


def draws(n, seed=1):
    """What n images are drawn with."""
    from nnlite.layers.random_images import Draws
    from nnlite.ops.random import seed_state

    return Draws(seed_state(seed), (n, 8, 9, 3), config.floatx())


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 3.0])
def test_beta_has_its_moments(alpha, real):
    x = draws(40000).beta(alpha).numpy()
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(x.mean() - 0.5) < 5 * np.sqrt(variance / 40000)
    assert abs(x.var() - variance) < 0.02 * variance + 0.001
    assert (x >= 0).all() and (x <= 1).all()


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_gamma_is_that_of_scipy(alpha):
    stats = pytest.importorskip("scipy.stats")
    x = np.exp(draws(5000).log_gamma(alpha).numpy().astype(float))
    assert stats.kstest(x, stats.gamma(alpha).cdf).pvalue > 1e-4


def test_integers_and_permutations_are_each_as_likely():
    found = draws(60000).integers(1, 6).numpy()
    assert set(found) == {1, 2, 3, 4, 5, 6}
    counts = np.bincount(found.astype(int))[1:]
    assert np.abs(counts - 10000).max() < 5 * np.sqrt(60000 * 5 / 36)
    order = draws(500).permutation().numpy()
    assert sorted(order) == list(range(500)) and not np.array_equal(order, np.arange(500))


def test_boxes_have_their_share_and_lie_inside():
    one = draws(4)
    width, height = np.full(4, 1 / 3), np.full(4, 0.5)
    boxes = one.boxes(*ops.operands(width, height)).numpy()[..., 0]
    assert set(np.unique(boxes)) == {0.0, 1.0}
    assert (boxes.any(2).sum(1) == 4).all() and (boxes.any(1).sum(1) == 3).all()


def test_flips_are_drawn_along_each_axis_by_themselves():
    x = np.arange(4.0).reshape(1, 2, 2, 1).repeat(4000, axis=0)
    y = layers.RandomFlip(seed=1)(x).numpy().reshape(-1, 4)
    kinds, counts = np.unique(y, axis=0, return_counts=True)
    assert len(kinds) == 4 and np.abs(counts - 1000).max() < 5 * np.sqrt(4000 * 3 / 16)


@pytest.mark.parametrize("fill_mode", ["constant", "mirror"])
def test_an_elastic_transform_is_that_of_scipy(fill_mode):
    x = np.random.default_rng(2).uniform(0, 255, (2, 40, 50, 3))
    layer = layers.RandomElasticTransform((1.0, 1.0), 1.0, fill_mode=fill_mode, seed=3)
    drawn = layer.get_random_transformation(x)
    drawn = {"apply_transform": [1, 0], "distortion_factor": 0.8, "seed": drawn["seed"]}
    y = layer.transform_images(x, drawn).numpy()
    noise = ops.random_normal(drawn["seed"], (2, 2, 40, 50)).numpy()
    sigma = 0.05 * 40 * 0.8  # neighbours up to 3 pixels away
    bell = np.exp(-0.5 * (np.arange(-3, 4) / sigma) ** 2)
    for axis in (2, 3):
        noise = ndimage.correlate1d(noise, bell / bell.sum(), axis, mode="constant")
    moved = np.indices((40, 50)) + 0.1 * 50 * 0.8 * sigma * noise[:, 0]
    for c in range(3):
        want = ndimage.map_coordinates(x[0, ..., c], moved, order=1, mode=FILLS[fill_mode])
        assert np.abs(y[0, ..., c] - want).max() < 0.05
    assert np.abs(y[1] - x[1]).max() < 1e-4


def test_crops_come_from_every_place():
    x = np.arange(12.0).reshape(1, 3, 4, 1)
    layer = layers.RandomCrop(2, 2, seed=1)
    seen = {tuple(layer(x).numpy().ravel()) for _ in range(100)}
    want = {(a, a + 1, a + 4, a + 5) for a in (0, 1, 2, 4, 5, 6)}
    assert seen == {tuple(map(float, w)) for w in want}


def test_policies_change_an_image_by_every_one_of_their_layers():
    layer = layers.RandAugment(num_ops=1, factor=(0.3, 0.3), seed=1)
    drawn = layer.get_random_transformation(IMAGES)
    for number, (name, part) in enumerate(layer._parts().items()):
        drawn["layer_idxes"] = [ops.full_like(drawn["layer_idxes"][0], float(number))]
        y = layer.transform_images(IMAGES, drawn).numpy()
        assert np.array_equal(y, part.transform_images(IMAGES, drawn["transforms"][name]).numpy())
        assert not np.array_equal(y, IMAGES.astype("f4")), name
