"""Metrics against scikit-learn: whole, over batches, weighted; resolved by shapes as in Keras."""

import pickle

import numpy as np
import pytest
from sklearn import metrics as sk

import nnlite as keras
from nnlite import layers, losses, metrics, ops

RNG = np.random.default_rng(0)
N, L = 64, 5


def probabilities(shape=(N, L)):
    p = RNG.random(shape) + 0.05
    return p / p.sum(-1, keepdims=True)


def one_hot(labels, classes=L):
    return np.eye(classes)[labels]


LABELS = RNG.integers(0, L, N)
P = probabilities()
TARGETS = probabilities()
YES = RNG.integers(0, 2, (N, L))
Q = RNG.random((N, L)) * 0.98 + 0.01
VALUES = RNG.normal(size=(N, L))


METRIC_CASES = {
    "SparseCategoricalAccuracy": [(LABELS, P, sk.accuracy_score, (LABELS, P.argmax(1)))],
    "CategoricalAccuracy": [(TARGETS, P, sk.accuracy_score, (TARGETS.argmax(1), P.argmax(1)))],
    "BinaryAccuracy": [
        (YES[:, :1], Q[:, :1], sk.accuracy_score, (YES[:, 0], Q[:, 0] > 0.5)),
        (YES[:, 0], Q[:, :1], sk.accuracy_score, (YES[:, 0], Q[:, 0] > 0.5)),
    ],
    "Accuracy": [
        (LABELS, P, sk.accuracy_score, (LABELS, P.argmax(1))),
        (LABELS[:, None], P, sk.accuracy_score, (LABELS, P.argmax(1))),
        (TARGETS, P, sk.accuracy_score, (TARGETS.argmax(1), P.argmax(1))),
        (YES[:, :1], Q[:, :1], sk.accuracy_score, (YES[:, 0], Q[:, 0] > 0.5)),
        (YES[:, 0], Q[:, :1], sk.accuracy_score, (YES[:, 0], Q[:, 0] > 0.5)),
    ],
    "MeanSquaredError": [(VALUES, Q, sk.mean_squared_error, (VALUES, Q))],
    "SparseCategoricalCrossentropy": [(LABELS, P, sk.log_loss, (LABELS, P))],
    "CategoricalCrossentropy": [(one_hot(LABELS), P, sk.log_loss, (LABELS, P))],
    "BinaryCrossentropy": [(YES[:, :1], Q[:, :1], sk.log_loss, (YES[:, 0], Q[:, 0]))],
}
METRIC_LIST = [
    pytest.param(name, *case, id=f"{name}-{k}")
    for name, c in METRIC_CASES.items()
    for k, case in enumerate(c)
]


def metric_of(name):
    return metrics.get(getattr(metrics, name, None) or getattr(losses, name))


def test_every_metric_has_a_case():
    assert {c.__name__ for c in metrics._BY_NAME.values()} == set(METRIC_CASES)


@pytest.mark.parametrize("name, y_true, y_pred, reference, arguments", METRIC_LIST)
def test_metric_agrees_with_scikit_learn(name, y_true, y_pred, reference, arguments, real):
    metric = metric_of(name)
    metric.update_state(y_true, y_pred)
    assert type(metric.result()) is float
    assert metric.result() == pytest.approx(reference(*arguments), rel=1e-6)


@pytest.mark.parametrize("name, y_true, y_pred, reference, arguments", METRIC_LIST)
def test_metric_over_uneven_batches_is_the_metric_of_all(
    name, y_true, y_pred, reference, arguments, real
):
    metric = metric_of(name)
    for rows in (slice(0, 1), slice(1, 40), slice(40, 47), slice(47, N)):
        metric.update_state(y_true[rows], y_pred[rows])
    assert metric.result() == pytest.approx(reference(*arguments), rel=1e-6)
    metric.reset_state()
    assert metric.result() == 0.0
    assert metric(y_true, y_pred) == pytest.approx(reference(*arguments), rel=1e-6)


@pytest.mark.parametrize("name, y_true, y_pred, reference, arguments", METRIC_LIST)
def test_weighted_metric_agrees_with_scikit_learn(name, y_true, y_pred, reference, arguments, real):
    weight = np.random.default_rng(2).random(N)
    metric = metric_of(name)
    metric.update_state(y_true[:30], y_pred[:30], sample_weight=weight[:30])
    metric.update_state(y_true[30:], y_pred[30:], sample_weight=weight[30:, None])
    assert metric.result() == pytest.approx(reference(*arguments, sample_weight=weight), rel=1e-6)


def test_mean_of_many_batches_loses_nothing_to_rounding():
    mean = metrics.Mean()
    values = np.full(4096, 0.1, "float32")
    for _ in range(500):
        mean.update_state(values)
    assert mean.result() == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_mean_takes_a_weight_for_each_value():
    mean = metrics.Mean("speed")
    mean.update_state([1.0, 3.0], [3.0, 1.0])
    assert mean([10.0], [4.0]) == 5.75
    assert mean.name == "speed"


def test_binary_accuracy_takes_a_threshold_and_the_threshold_itself_is_no_yes():
    metric = metrics.BinaryAccuracy(threshold=0.25)
    assert metric([[1], [0], [0], [0]], [[0.26], [0.25], [0.24], [0.26]]) == 0.75
    assert metrics.BinaryAccuracy()([[0], [0]], [[0.5], [0.5]]) == 1.0


@pytest.mark.parametrize(
    "y_true, y_pred, expected",
    [
        ([1, 0, 1], [[0.9], [0.1], [0.2]], 2 / 3),
        ([[1], [0], [1]], [[0.9], [0.1], [0.2]], 2 / 3),
        ([1, 0, 1], [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], 2 / 3),
        ([[1], [0], [1]], [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], 2 / 3),
        ([[0, 1], [1, 0], [0, 1]], [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], 2 / 3),
    ],
)
def test_accuracy_is_resolved_by_shapes(y_true, y_pred, expected):
    assert metrics.Accuracy()(y_true, y_pred) == pytest.approx(expected)


@pytest.mark.parametrize(
    "identifier, key",
    [
        ("accuracy", "accuracy"),
        ("acc", "acc"),
        ("mse", "mse"),
        ("mean_squared_error", "mean_squared_error"),
        ("SparseCategoricalAccuracy", "SparseCategoricalAccuracy"),
        ("sparse_categorical_crossentropy",) * 2,
        (metrics.SparseCategoricalAccuracy(), "sparse_categorical_accuracy"),
        (metrics.SparseCategoricalAccuracy(name="mine"), "mine"),
        (metrics.Accuracy, "accuracy"),
        (losses.SparseCategoricalCrossentropy(), "sparse_categorical_crossentropy"),
    ],
)
def test_name_in_logs_is_what_was_asked_for(identifier, key):
    model = keras.Sequential([layers.Dense(L, "softmax", input_shape=(3,))])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[identifier])
    logs = model.evaluate(VALUES[:8, :3], LABELS[:8], return_dict=True)
    assert list(logs) == ["loss", key]


def test_function_is_a_metric_under_its_name():
    def bias(y_true, y_pred):
        return ops.mean(y_pred - y_true, axis=-1)

    metric = metrics.get(bias)
    assert metric.name == "bias"
    assert metric(VALUES, Q) == pytest.approx((Q - VALUES).mean(), rel=1e-5)


def test_metric_that_is_pickled_goes_on_where_it_was():
    metric = metrics.Accuracy()
    metric.update_state(LABELS[:20], P[:20])
    copied = pickle.loads(pickle.dumps(metric))
    copied.update_state(LABELS[20:], P[20:])
    assert copied.result() == pytest.approx((LABELS == P.argmax(1)).mean())
    assert metric.result() == pytest.approx((LABELS == P.argmax(1))[:20].mean())


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: metrics.get("nope"), ValueError, r"unknown metric 'nope'; known: acc, accuracy"),
        (lambda: metrics.get(3), TypeError, r"expected a metric, its name or a function, got 3"),
        (lambda: metrics.Metric()([1], [1]), TypeError, r"Metric: a metric must define values"),
        (
            lambda: metrics.Accuracy()(LABELS, P, sample_weight=np.ones(3)),
            ValueError,
            r"sample_weight.*\(64,\), got \(3,\)",
        ),
    ],
)
def test_metric_refuses_what_does_not_fit(call, error, message):
    with pytest.raises(error, match=message):
        call()
