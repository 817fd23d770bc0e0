"""How weights meet the values of losses and metrics, and what targets become."""

import math

import numpy as np
import pytest

import nnlite as keras
from nnlite import layers, losses, metrics, ops

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, (8, 3)).astype(float)
P = RNG.uniform(0.05, 0.95, (8, 3))
W = RNG.uniform(0, 2, (8, 3))
# Losses whose values are means over the last axis -> one value for each element.
OF_ELEMENTS = {
    "MeanSquaredError": lambda y, p: (y - p) ** 2,
    "MeanAbsoluteError": lambda y, p: np.abs(y - p),
    "MeanAbsolutePercentageError": lambda y, p: 100 * np.abs(y - p) / np.maximum(np.abs(y), 1e-7),
    "MeanSquaredLogarithmicError": lambda y, p: (np.log1p(np.maximum(y, 1e-7)) - np.log1p(p)) ** 2,
    "Huber": lambda y, p: (y - p) ** 2 / 2,
    "LogCosh": lambda y, p: np.log(np.cosh(y - p)),
    "Quantile": lambda y, p: np.abs(y - p) / 2,
    "Hinge": lambda y, p: np.maximum(1 - (2 * y - 1) * p, 0),
    "SquaredHinge": lambda y, p: np.maximum(1 - (2 * y - 1) * p, 0) ** 2,
    "BinaryCrossentropy": lambda y, p: -np.log(np.where(y == 1, p, 1 - p)),
    "BinaryFocalCrossentropy": lambda y, p: (
        -(np.where(y == 1, 1 - p, p) ** 2) * np.log(np.where(y == 1, p, 1 - p))
    ),
    "Poisson": lambda y, p: p - y * np.log(p + 1e-7),
}
AS_METRIC = {"LogCosh": "LogCoshError"}


@pytest.mark.parametrize("name", OF_ELEMENTS)
def test_weights_of_elements_and_of_samples_without_an_axis_count(name):
    e, loss = OF_ELEMENTS[name](Y, P), getattr(losses, name)
    close = {"rtol": 2e-5}
    np.testing.assert_allclose(loss()(Y, P, W).item(), (e * W).mean(), **close)
    np.testing.assert_allclose(loss()(Y, P, W[:1]).item(), (e * W[:1]).mean(), **close)
    column = loss()(Y[:, 0], P[:, 0], W[:, 0]).item()
    np.testing.assert_allclose(column, (e * W)[:, 0].mean(), **close)
    mean = loss(reduction="mean_with_sample_weight")
    np.testing.assert_allclose(mean(Y, P, W).item(), (e * W).sum() / W.sum(), **close)
    np.testing.assert_allclose(loss(reduction="none")(Y, P, W).numpy(), e * W, rtol=2e-4)
    running = [getattr(metrics, AS_METRIC.get(name, name), None), metrics.MeanMetricWrapper]
    for metric in (running[0]() if running[0] else None, running[1](loss())):
        if metric is not None:
            np.testing.assert_allclose(metric(Y, P, W), (e * W).sum() / W.sum(), **close)
            metric.reset_state()
            for rows in (slice(0, 3), slice(3, 8)):
                metric.update_state(Y[rows, 0], P[rows, 0])
            np.testing.assert_allclose(metric.result(), e[:, 0].mean(), **close)


def test_accuracies_and_root_mean_square_take_weights_of_elements():
    root = metrics.RootMeanSquaredError()
    assert root([2, 4, 6, 8], [1, 3, 2, 3], sample_weight=[0, 1, 0, 1]) == pytest.approx(13**0.5)
    binary = metrics.BinaryAccuracy()
    assert binary([1, 1, 0, 0], [0.98, 1, 0, 0.6], sample_weight=[1, 0, 0, 1]) == 0.5
    equal = metrics.Accuracy()
    assert equal([[2, 1], [3, 4]], [[2, 0], [3, 4]], sample_weight=[[0.5, 0], [0.25, 0.25]]) == 1.0
    several = metrics.AccuracyByShape()([1, 0, 1, 1], [0.9, 0.2, 0.1, 0.4], [3, 1, 0, 0])
    assert several == 1.0


def test_weights_of_elements_train_only_the_outputs_that_they_let_through():
    model = keras.Sequential([layers.Dense(2, input_shape=(3,), kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.1), "mse", weighted_metrics=["mae"])
    x, y = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2))
    weight = np.array([[1.0, 0.0]] * 4)
    history = model.fit(x, y, sample_weight=weight, verbose=0).history
    kernel = model.get_weights()[0]
    assert (kernel[:, 0] != 0).all() and (kernel[:, 1] == 0).all()
    assert history["loss"][0] == pytest.approx((y[:, 0] ** 2).sum() / 8, rel=1e-5)
    assert history["mae"][0] == pytest.approx(np.abs(y[:, 0]).mean(), rel=1e-5)


def test_weights_of_a_loss_of_ones_own_are_those_of_its_values():
    class Half(losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return ops.mean(ops.squared_difference(y_true, y_pred), axis=-1) / 2.0

    with pytest.raises(ValueError, match=r"sample_weight: expected a shape that fits \(8,\)"):
        Half()(Y, P, W)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda y: losses.SparseCategoricalCrossentropy()(y, P[:2]), "got values such as"),
        (lambda y: losses.sparse_categorical_crossentropy(y, P[:2]), "got values such as"),
        (lambda y: losses.circle(y, P[:2]), "got values such as"),
        (lambda y: metrics.SparseCategoricalAccuracy()(y, P[:2]), "got values such as"),
        (lambda y: metrics.SparseTopKCategoricalAccuracy(2)(y, P[:2]), "got values such as"),
        (lambda y: metrics.Precision()(y, P[:2]), "got values such as"),
        (lambda y: metrics.AUC()(y, P[:2]), "got values such as"),
        (lambda y: metrics.MeanIoU(3)(y, [0, 1]), "got values such as"),
        (lambda y: metrics.MeanIoU(3)([0, 1], y), "y_pred: expected integer .* got values such as"),
    ],
)
@pytest.mark.parametrize("labels", [[0, 0.5], [0, math.nan], ops.operands([0, 0.5])[0]])
def test_labels_that_are_no_whole_numbers_are_refused(call, message, labels):
    with pytest.raises(ValueError, match=message):
        call(labels)


@pytest.mark.parametrize(
    "call",
    [
        lambda y: metrics.SparseCategoricalAccuracy()(y, P[:2]),
        lambda y: metrics.SparseTopKCategoricalAccuracy(2)(y, P[:2]),
        lambda y: metrics.Precision()(y, P[:2]),
        lambda y: metrics.F1Score()(y, P[:2]),
    ],
)
@pytest.mark.parametrize("label", [-1, 3])
def test_labels_beyond_the_outputs_are_refused_by_metrics(call, label):
    with pytest.raises(ValueError, match=rf"y_true: expected labels in \[0, 3\).* got {label}"):
        call([0, label])


@pytest.mark.parametrize("y_true, y_pred", [([5, 5], [0, 1]), ([0, 1], [0, 5]), ([-1, 0], [0, 0])])
def test_overlap_of_classes_that_do_not_exist_warns(y_true, y_pred):
    with pytest.warns(UserWarning, match=r"'mean_io_u': expected labels and predictions in \[0, 2"):
        metrics.MeanIoU(2)(y_true, y_pred)
    metric = metrics.MeanIoU(2)
    model = keras.Sequential([layers.Rescaling(1.0, input_shape=(1,))])
    model.compile("sgd", "mse", metrics=[metric])
    with pytest.warns(UserWarning, match=r"expected labels and predictions in \[0, 2\)") as seen:
        for _ in range(2):
            model.evaluate(np.array(y_pred)[:, None], np.array(y_true)[:, None])
    assert len(seen) == 1


def test_ignored_label_may_lie_outside_in_overlaps():
    assert metrics.MeanIoU(2, ignore_class=-1)([-1, 0, 1], [0, 0, 1]) == 1.0


def test_to_categorical_gives_tensors_for_tensors():
    rows = keras.utils.to_categorical(keras.convert_to_tensor([0, 2]), 3)
    assert isinstance(rows, keras.Tensor)
    assert rows.numpy().tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    "labels, classes, said",
    [
        (["a", "b"], None, "expected integer labels, got .*'a'"),
        ([1, 0.5], None, "expected integer labels, got .*0.5"),
        ([0, None], None, "expected integer labels, got"),
        ([0, np.nan], None, "expected integer labels, got .*nan"),
        ([0, -1], None, "expected labels of at least 0, got -1"),
        ([0, 5], 3, r"expected labels in \[0, 3\), got 5"),
    ],
)
def test_to_categorical_says_which_label_it_cannot_take(labels, classes, said):
    with pytest.raises(ValueError, match=f"to_categorical: x: {said}"):
        keras.utils.to_categorical(labels, classes)
