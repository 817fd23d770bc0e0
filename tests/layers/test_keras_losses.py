"""Keras as the reference for losses and metrics, where it is installed: values, gradients, shapes,
names, defaults."""

import inspect
import os

import numpy as np
import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", exc_type=ImportError)

import nnlite  # noqa: E402
from nnlite import losses, metrics  # noqa: E402

N, L = 24, 5
LOSS_NAMES = sorted({c.__name__ for c in losses._BY_NAME.values()} - {"Quantile", "CTC"})
METRICS = {c for c in metrics._BY_NAME.values() if issubclass(c, metrics.Metric)}
METRIC_NAMES = sorted(c.__name__ for c in METRICS)


def data(name, shape, seed=0):
    """Targets and outputs that a loss or metric of this name is made for."""
    rng = np.random.default_rng(seed)
    y, p = rng.random(shape), rng.random(shape)
    of_labels = name.startswith(("Sparse", "CategoricalGeneralized")) or name == "Circle"
    if name.startswith("Categorical"):
        y /= y.sum(axis=-1, keepdims=True)  # TensorFlow's gradient takes it for granted
    if of_labels:
        y = rng.integers(0, shape[-1], shape[:-1])
    elif name.startswith("Binary") or name in ("Hinge", "Dice", "Tversky"):
        y = rng.integers(0, 2, shape)
    elif name == "CategoricalHinge":
        y = np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    elif name in ("SquaredHinge", "MeanAbsoluteError", "Huber", "LogCosh", "CosineSimilarity"):
        y, p = 3 * y - 1, 3 * p - 1
    if name == "Circle":
        p /= np.linalg.norm(p, axis=-1, keepdims=True)
    return y.astype("int32" if y.dtype.kind == "i" else "float32"), p.astype("float32")


SETTINGS = [
    *((name, {}) for name in LOSS_NAMES),
    *((n, {"from_logits": True}) for n in LOSS_NAMES if "rossentropy" in n),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}),
    ("CategoricalFocalCrossentropy", {"label_smoothing": 0.2, "alpha": 0.5, "gamma": 1.5}),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3, "gamma": 3.0}),
    ("BinaryFocalCrossentropy", {"label_smoothing": 0.1, "gamma": 1.0}),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2, "from_logits": True}),
    ("Huber", {"delta": 0.3}),
    ("Dice", {"axis": (1,)}),
    ("Tversky", {"alpha": 0.2, "beta": 0.7, "axis": (-1,)}),
    ("Circle", {"gamma": 5.0, "margin": 0.2}),
    ("Circle", {"remove_diagonal": False, "gamma": 10.0}),
]
REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "none", None, "mean_with_sample_weight"]


@pytest.mark.parametrize("shape", [(N, L), (3, 4, L), (N, 1)])
@pytest.mark.parametrize("name, settings", SETTINGS)
def test_losses_agree_in_values_reductions_and_weights(name, settings, shape):
    if (name == "Circle" and len(shape) > 2) or (shape[-1] == 1 and "ategorical" in name):
        pytest.skip("no outputs for this loss")
    y, p = data(name, shape)
    if "from_logits" in settings:
        p = 10 * p - 5
    weight = np.random.default_rng(3).random(shape[:-1]).astype("float32")
    for reduction in REDUCTIONS:
        theirs = getattr(keras.losses, name)(reduction=reduction, **settings)
        ours = getattr(losses, name)(reduction=reduction, **settings)
        # Keras broadcasts weights over sums of the batch in ways of its own.
        for w in (None,) if name in ("Dice", "Tversky") else (None, weight):
            expected = np.asarray(theirs(y, p, sample_weight=w))
            got = ours(y, p, sample_weight=w).numpy()
            assert got.shape == expected.shape
            np.testing.assert_allclose(got, expected, rtol=3e-5, atol=3e-6, err_msg=str(reduction))


def test_labels_without_times_agree():
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(N, 12, L)).astype("float32")
    labels = rng.integers(1, L, (N, 5)) * (np.arange(5) < rng.integers(1, 6, (N, 1)))
    got, expected = (np.asarray(k.losses.ctc(labels, logits)) for k in (nnlite, keras))
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    got, expected = (k.losses.CTC()(labels, logits) for k in (nnlite, keras))
    np.testing.assert_allclose(float(got), float(expected), rtol=1e-5)


@pytest.mark.parametrize("axis", [1, -2])
@pytest.mark.parametrize(
    "name",
    [
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "BinaryCrossentropy",
        "BinaryFocalCrossentropy",
        "CosineSimilarity",
    ],
)
def test_losses_along_another_axis_agree(name, axis):
    y, p = data(name, (4, 3, L))
    theirs = getattr(keras.losses, name)(axis=axis, reduction="none")
    ours = getattr(losses, name)(axis=axis, reduction="none")
    np.testing.assert_allclose(ours(y, p).numpy(), np.asarray(theirs(y, p)), rtol=3e-5, atol=3e-6)


def gradient_of_keras(loss, y, p):
    """The gradient of a Keras loss, on whichever backend runs."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        p = tf.constant(p)
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = loss(y, p)
        return tape.gradient(value, p).numpy()
    if backend == "torch":
        import torch

        p = torch.tensor(p, requires_grad=True)
        loss(y, p).backward()
        return p.grad.numpy()
    pytest.skip(f"backend {backend}")


@pytest.mark.parametrize("name, settings", SETTINGS)
def test_gradients_of_losses_agree(name, settings):
    y, p = data(name, (N, L), seed=1)
    if "from_logits" in settings:
        p = 10 * p - 5
    expected = gradient_of_keras(getattr(keras.losses, name)(**settings), y, p)
    x = nnlite.Variable(p)
    with nnlite.GradientTape() as tape:
        value = getattr(losses, name)(**settings)(y, x)
    got = tape.gradient(value, x).numpy()
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=1e-6 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize(
    "y_shape, p_shape",
    [((N,), (N, 1)), ((N, 1), (N,)), ((N,), (N,)), ((3, 4), (3, 4, 1)), ((3, 4, 1), (3, 4))],
)
@pytest.mark.parametrize("name", ["MeanSquaredError", "MeanAbsoluteError", "Huber", "Poisson"])
def test_shapes_of_targets_are_brought_together_as_in_keras(name, y_shape, p_shape):
    rng = np.random.default_rng(0)
    y, p = (rng.random(s).astype("float32") for s in (y_shape, p_shape))
    for reduction in ("none", "sum_over_batch_size"):
        expected = np.asarray(getattr(keras.losses, name)(reduction=reduction)(y, p))
        got = getattr(losses, name)(reduction=reduction)(y, p).numpy()
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_every_loss_and_metric_of_keras_is_here():
    def public(module, base):
        return {
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, base) and value is not base
        }

    assert public(keras.losses, keras.losses.Loss) - set(dir(losses)) == set()
    assert public(keras.metrics, keras.metrics.Metric) - set(dir(metrics)) == set()


def test_every_name_of_a_loss_or_metric_means_the_same():
    from keras.src.losses import ALL_OBJECTS_DICT as of_losses
    from keras.src.metrics import ALL_OBJECTS_DICT as of_metrics

    def plain(name):
        return name.lower().replace("_", "")

    absent = {"Loss", "LossFunctionWrapper"}
    for name in of_losses.keys() - absent:
        found = losses.get(name)
        named = getattr(found, "__name__", type(found).__name__)
        assert plain(named) == plain(of_losses[name].__name__)
    absent = {n for n in of_metrics if plain(n) in ("metric", "meanmetricwrapper")}
    needy = {n for n, c in of_metrics.items() if c.__name__ in REQUIRED}  # of arguments
    for name in of_metrics.keys() - absent - needy:
        assert type(metrics.get(name)).__name__ == of_metrics[name].__name__
    for name in needy:
        assert metrics._BY_NAME[nnlite.configurable.snake_case(name)].__name__ in REQUIRED


# Arguments without a default.
REQUIRED = {
    "IoU": (L, [0, 2]),
    "MeanIoU": (L,),
    "OneHotIoU": (L, [0, 2]),
    "OneHotMeanIoU": (L,),
    "SensitivityAtSpecificity": (0.5,),
    "SpecificityAtSensitivity": (0.5,),
    "PrecisionAtRecall": (0.5,),
    "RecallAtPrecision": (0.5,),
}


@pytest.mark.parametrize(
    "path", [f"losses.{n}" for n in LOSS_NAMES] + [f"metrics.{n}" for n in METRIC_NAMES]
)
def test_names_arguments_and_defaults_are_those_of_keras(path):
    module, name = path.split(".")
    theirs, ours = (getattr(getattr(p, module), name) for p in (keras, nnlite))
    keras.utils.clear_session()  # unnamed metrics are numbered
    given = REQUIRED.get(name, ())
    assert ours(*given).name == theirs(*given).name
    defaults = {
        k: p.default
        for k, p in inspect.signature(theirs).parameters.items()
        if p.kind is not p.VAR_KEYWORD and k != "name"
    }
    assert {k: ours._signature()[k] for k in defaults} == defaults


YES = np.random.default_rng(0).integers(0, 2, (N, L))
P = np.random.default_rng(1).random((N, L)).astype("float32")
LABELS = np.random.default_rng(2).integers(0, L, N)
ONES = np.eye(L, dtype="float32")[LABELS]
RICH = [
    *((n, {}, YES, P) for n in ("TruePositives", "FalsePositives", "TrueNegatives", "Precision")),
    *(
        ("Recall", settings, YES, P)
        for settings in ({}, {"thresholds": [0.2, 0.6]}, {"class_id": 2}, {"top_k": 2})
    ),
    ("FalseNegatives", {"thresholds": [0.1, 0.8]}, YES[:, 0], P[:, :1]),
    ("Precision", {"top_k": 3, "class_id": 1, "thresholds": 0.3}, YES, P),
    *(("F1Score", {"average": a}, ONES, P) for a in (None, "micro", "macro", "weighted")),
    ("FBetaScore", {"beta": 2.0, "threshold": 0.4, "average": "macro"}, YES, P),
    *(
        ("AUC", {"curve": c, "summation_method": m}, YES, P)
        for c in ("ROC", "PR", "PRGAIN")
        for m in ("interpolation", "majoring", "minoring")
    ),
    ("AUC", {"thresholds": [0.2, 0.5, 0.7]}, YES, P),
    ("AUC", {"num_thresholds": 7, "from_logits": True}, YES, 10 * P - 5),
    ("AUC", {"multi_label": True, "label_weights": [1.0, 2.0, 0.0, 1.0, 0.5]}, YES, P),
    ("AUC", {"label_weights": [1.0, 2.0, 0.0, 1.0, 0.5]}, YES, P),
    ("AUC", {"multi_label": True, "curve": "PR"}, YES, P),
    ("SensitivityAtSpecificity", {"specificity": 0.7}, YES, P),
    ("SpecificityAtSensitivity", {"sensitivity": 0.7, "class_id": 3}, YES, P),
    ("PrecisionAtRecall", {"recall": 0.6, "num_thresholds": 20}, YES, P),
    ("RecallAtPrecision", {"precision": 0.5}, YES, P),
    ("R2Score", {}, P, P[::-1]),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, P, P[::-1]),
    ("R2Score", {"class_aggregation": None}, P, P[::-1]),
    ("R2Score", {"num_regressors": 3}, P[:, :1], P[::-1, :1]),
    ("TopKCategoricalAccuracy", {"k": 2}, ONES, P.round(1)),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, LABELS, P.round(1)),
    ("BinaryAccuracy", {"threshold": 0.3}, YES, P),
    ("CategoricalAccuracy", {}, ONES, P),
    ("SparseCategoricalAccuracy", {}, LABELS, P),
    ("IoU", {"num_classes": L, "target_class_ids": [1, 2]}, LABELS, P.argmax(1)),
    ("MeanIoU", {"num_classes": L, "ignore_class": 1}, LABELS, P.argmax(1)),
    ("MeanIoU", {"num_classes": 3}, LABELS, P.argmax(1)),
    ("OneHotIoU", {"num_classes": L, "target_class_ids": [0]}, ONES, P),
    ("OneHotMeanIoU", {"num_classes": L}, ONES, P),
    ("BinaryIoU", {"threshold": 0.6}, YES[:, 0], P[:, 0]),
    ("RootMeanSquaredError", {}, P, P[::-1]),
    ("PearsonCorrelation", {}, P, P[::-1]),
    ("ConcordanceCorrelation", {}, P, P[::-1]),
    ("CosineSimilarity", {}, P, P[::-1]),
    ("LogCoshError", {}, P, P[::-1]),
]


@pytest.mark.parametrize("name, settings, y, p", RICH)
def test_metrics_agree_over_weighted_batches(name, settings, y, p):
    theirs, ours = (getattr(package.metrics, name)(**settings) for package in (keras, nnlite))
    weight = np.random.default_rng(4).integers(1, 4, N)
    for rows, w in [(slice(0, 10), None), (slice(10, 17), weight), (slice(17, N), weight)]:
        for metric in (theirs, ours):
            metric.update_state(y[rows], p[rows], sample_weight=None if w is None else w[rows])
        np.testing.assert_allclose(ours.result(), np.asarray(theirs.result()), rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted({c.__name__ for c in METRICS} & set(LOSS_NAMES)))
def test_metrics_that_are_means_of_losses_agree(name):
    y, p = data(name, (N, L))
    weight = np.random.default_rng(4).random(N).astype("float32")
    theirs, ours = (getattr(package.metrics, name)() for package in (keras, nnlite))
    for w in (None, weight):
        for metric in (theirs, ours):
            metric.update_state(y, p, sample_weight=w)
        assert ours.result() == pytest.approx(float(theirs.result()), rel=3e-5)
