"""Metrics against scikit-learn: whole, over batches, weighted; resolved by shapes as in Keras."""

import copy
import pickle

import numpy as np
import pytest
from loss_formulas import LABELS, VALUES, L, N, P, Q
from metric_figures import CASES
from sklearn import metrics as sk

import nnlite as keras
from nnlite import layers, losses, metrics, ops
from nnlite.engine.tensor import Variable

CASE_LIST = [
    pytest.param(name, *case, id=f"{name}-{k}")
    for name, c in CASES.items()
    for k, case in enumerate(c)
]
WEIGHTS = np.random.default_rng(2).random(N)


def test_every_metric_has_a_case():
    classes = {c for c in metrics._BY_NAME.values() if issubclass(c, metrics.Metric)}
    assert {c.__name__ for c in classes} - {"Mean", "Sum"} | {"AccuracyByShape"} == set(CASES)


@pytest.mark.parametrize("name, arguments, y_true, y_pred, reference", CASE_LIST)
def test_metric_is_its_reference_whole_and_over_uneven_batches(
    name, arguments, y_true, y_pred, reference, real
):
    metric = getattr(metrics, name)(**arguments)
    close = {
        "rtol": 3e-6 if real == "float32" else 1e-11,
        "atol": 2e-7 if real == "float32" else 1e-9,
    }
    expected = reference(np.ones(N))
    assert np.all(metric.result() == 0)
    metric.update_state(y_true, y_pred)
    whole = metric.result()
    assert type(whole) is (np.ndarray if np.ndim(expected) else float)
    np.testing.assert_allclose(whole, expected, **close)
    metric.reset_state()
    assert np.all(metric.result() == 0)
    if "Hinge" not in name:  # which looks at all targets of a batch for what they stand for
        for rows in (slice(0, 1), slice(1, 40), slice(40, 47), slice(47, N)):
            metric.update_state(y_true[rows], y_pred[rows])
        np.testing.assert_allclose(metric.result(), whole, **close)


@pytest.mark.parametrize("name, arguments, y_true, y_pred, reference", CASE_LIST)
def test_weighted_metric_is_its_reference(name, arguments, y_true, y_pred, reference, real):
    metric = getattr(metrics, name)(**arguments)
    close = {"rtol": 3e-6 if real == "float32" else 1e-9, "atol": 2e-6}
    metric.update_state(y_true[:30], y_pred[:30], sample_weight=WEIGHTS[:30])
    last = WEIGHTS[30:, None] if np.ndim(y_pred) > 1 else WEIGHTS[30:]
    metric.update_state(y_true[30:], y_pred[30:], sample_weight=last)
    np.testing.assert_allclose(metric.result(), reference(WEIGHTS), **close)


COUNTED = ["TruePositives", "Precision", "Recall", "F1Score", "FBetaScore", "AUC", "MeanIoU"]


@pytest.mark.parametrize("name", COUNTED)
def test_counts_give_the_same_bits_over_any_batches_and_copies_of_the_data(name, real):
    arguments, y_true, y_pred, _ = CASES[name][0]
    metric, again = (getattr(metrics, name)(**arguments) for _ in range(2))
    metric.update_state(y_true, y_pred)
    for k in range(N):
        again.update_state(y_true[k : k + 1], y_pred[k : k + 1])
    assert np.array_equal(metric.result(), again.result())


def test_counts_go_on_beyond_the_whole_numbers_of_float32():
    metric = metrics.TruePositives()
    metric.update_state([[1.0]], [[0.9]], sample_weight=[2.0**24])
    for _ in range(101):
        metric.update_state([[1.0], [0.0]], [[0.9], [0.9]])
    assert metric.result() == 2**24 + 101
    accuracy = metrics.BinaryAccuracy()
    accuracy.update_state([[1.0]], [[0.9]], sample_weight=[2.0**26])
    for _ in range(64):
        accuracy.update_state([[1.0]], [[0.1]])
    assert accuracy.result() == 2**26 / (2**26 + 64)


def test_area_is_within_its_bound_of_the_exact_one_and_near_it_with_many_thresholds():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 4000)
    score = 1 / (1 + np.exp(-(2 * rng.normal(size=4000) + 2 * y)))
    exact = sk.roc_auc_score(y, score)
    errors = []
    for thresholds in (10, 200, 20000):
        metric = metrics.AUC(thresholds)
        binned = np.ceil(score.astype("float32") * (thresholds - 1))
        same = [(binned == b)[y == 1].mean() * (binned == b)[y == 0].mean() for b in set(binned)]
        errors.append(abs(metric(y, score) - exact))
        assert errors[-1] <= sum(same) / 2
    assert errors[0] > 10 * errors[2] and errors[2] < 1e-4


def test_explained_variance_survives_targets_far_from_zero(isa):
    y = np.float32(4096) + np.float32(VALUES)
    p = np.float32(4096) + np.float32(VALUES * 0.9)
    metric = metrics.R2Score()
    for rows in (slice(0, 20), slice(20, N)):
        metric.update_state(y[rows], p[rows])
    assert metric.result() == pytest.approx(sk.r2_score(np.float64(y), np.float64(p)), abs=1e-7)


def test_explained_variance_of_equal_targets_is_1_if_they_are_met_else_0():
    assert metrics.R2Score()([[7.1], [7.1]], [[7.1], [7.1]]) == 1
    assert metrics.R2Score()([[7.1], [7.1], [7.1]], [[7.1], [7.1], [7.5]]) == 0
    with pytest.warns(RuntimeWarning, match="2 targets are too few for 1 features"):
        assert metrics.R2Score(num_regressors=1)([[1.0], [2.0]], [[1.0], [2.0]]) == 1


def test_ignored_class_has_no_part_in_the_mean_cross_entropy():
    y = np.where(LABELS == 2, -1, LABELS)
    kept = y >= 0
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=-1)
    assert metric(y, P) == pytest.approx(-np.log(P[kept, y[kept]]).mean(), rel=1e-6)
    metric.reset_state()
    expected = np.average(-np.log(P[kept, y[kept]]), weights=WEIGHTS[kept])
    assert metric(y, P, WEIGHTS) == pytest.approx(expected, rel=1e-6)


def test_labels_that_tie_with_the_last_are_among_the_k_largest_and_nan_is_not():
    p = [[0.3, 0.3, 0.3, 0.1], [np.nan, 0.5, 0.4, 0.1], [0.4, 0.3, 0.2, 0.1]]
    found = [metrics.sparse_top_k_categorical_accuracy([y] * 3, p, k=2).numpy() for y in range(4)]
    assert np.array(found).T.tolist() == [[1, 1, 1, 0], [0, 1, 0, 0], [1, 1, 0, 0]]
    nothing = metrics.top_k_categorical_accuracy([[0, 1.0]], [[np.nan, np.nan]], k=1)
    assert nothing.item() == 0


COUNTS = ["TruePositives", "Precision", "Recall", "F1Score", "AUC"]


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("column", ["target", "score"])
def test_value_of_targets_or_scores_that_are_nan_is_nan(name, column):
    metric = getattr(metrics, name)()
    y, p = np.array([[1.0], [0.0], [1.0]]), np.array([[0.9], [0.2], [0.8]])
    assert np.isfinite(metric(y, p))
    (y if column == "target" else p)[1] = np.nan
    assert np.isnan(metric(y, p))
    metric.reset_state()
    y, p = np.hstack([[[1.0], [0.0], [1.0]], y]), np.hstack([[[0.9], [0.2], [0.8]], p])
    if name in ("Precision", "Recall"):  # another output does not count
        assert getattr(metrics, name)(class_id=0)(y, p) == 1


def test_best_rate_of_scores_that_are_nan_is_nan():
    assert np.isnan(metrics.SensitivityAtSpecificity(0.5)([[0], [1]], [[np.nan], [0.9]]))
    curve = metrics.AUC(multi_label=True, curve="PR")
    assert np.isnan(curve([[0, 1], [1, 0]], [[0.1, np.nan], [0.9, 0.1]]))


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
    assert metrics.AccuracyByShape()(y_true, y_pred) == pytest.approx(expected)
    model = keras.Sequential([layers.Rescaling(1.0, input_shape=np.shape(y_pred[0]))])
    model.compile("sgd", "mse", metrics=["accuracy", metrics.Accuracy(name="equal")])
    if np.shape(y_true) == np.shape(y_pred):
        logs = model.evaluate(np.array(y_pred), np.array(y_true), return_dict=True)
        assert logs["accuracy"] == pytest.approx(expected) and logs["equal"] == 0


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


class LargestError(metrics.Metric):
    """As a user of Keras writes one."""

    def __init__(self, name="largest_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.largest = self.add_weight(name="largest", initializer="zeros")
        self.total = self.add_variable(shape=(2,), initializer="zeros", name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        error = ops.abs(ops.operands(y_true)[0] - y_pred)
        self.largest.assign(ops.maximum(self.largest, ops.max(error)))
        self.total.assign_add([1.0, 0.0])
        self.total.assign_sub(ops.sum(error) * np.array([0.0, -1.0]))

    def result(self):
        return self.largest + 0.0 * ops.sum(self.total)


@pytest.mark.parametrize("eagerly", [False, True])
def test_metric_of_ones_own_runs_in_fit_and_evaluate(eagerly):
    model = keras.Sequential([layers.Dense(1, input_shape=(L,))])
    mine = LargestError()
    model.compile("sgd", "mse", metrics=[mine, "mae"], run_eagerly=eagerly)
    model.fit(VALUES, Q[:, :1], epochs=2, batch_size=10, verbose=0)
    logs = model.evaluate(VALUES, Q[:, :1], batch_size=10, return_dict=True)
    error = np.abs(model.predict(VALUES) - Q[:, :1])
    assert type(logs["largest_error"]) is float
    assert logs["largest_error"] == pytest.approx(error.max(), rel=1e-6)
    assert logs["mae"] == pytest.approx(error.mean(), rel=1e-6)
    np.testing.assert_allclose(mine.total.numpy(), [7, error.sum()], rtol=1e-5)
    assert mine.variables == [mine.largest, mine.total]
    mine.reset_state()
    assert mine.total.numpy().tolist() == [0, 0]


def test_metric_of_ones_own_must_define_two_methods():
    class Nothing(metrics.Metric):
        pass

    with pytest.raises(TypeError, match=r"Nothing: a metric must define update_state\("):
        Nothing().update_state([1], [1])
    with pytest.raises(TypeError, match=r"Nothing: a metric must define result\(\)"):
        Nothing().result()


EVERYWHERE = [
    *("accuracy", "recall", "precision", "auc", "f1_score", "fbeta_score", "true_positives"),
    *(
        "mae",
        "rmse",
        "mse",
        "r2_score",
        "huber",
        "pinball",
        "bce",
        "KLDivergence",
        "cosine_similarity",
    ),
]


@pytest.mark.parametrize("outputs", [1, 2, L])
def test_names_work_in_compile_for_sigmoid_and_softmax(outputs, real):
    y = LABELS % 2 if outputs < 3 else LABELS
    one = outputs == 1
    model = keras.Sequential(
        [layers.Dense(outputs, "sigmoid" if one else "softmax", input_shape=(L,))]
    )
    names = EVERYWHERE if one else [n for n in EVERYWHERE if n != "bce"][:7]
    loss = "binary_crossentropy" if one else "sparse_categorical_crossentropy"
    model.compile("sgd", loss, metrics=names, weighted_metrics=[metrics.AUC(name="weighted_auc")])
    model.fit(VALUES, y, epochs=1, batch_size=9, verbose=0, validation_data=(VALUES, y, WEIGHTS))
    logs = model.evaluate(VALUES, y, batch_size=7, sample_weight=WEIGHTS, return_dict=True)
    p = model.predict(VALUES)
    assert list(logs) == ["loss", *names, "weighted_auc"]
    truth, guess = (y[:, None], p > 0.5) if one else (np.eye(outputs)[y], p > 0.5)
    close = {"abs": 1e-6}
    assert logs["recall"] == pytest.approx(sk.recall_score(truth.ravel(), guess.ravel()), **close)
    expected = sk.precision_score(truth.ravel(), guess.ravel(), zero_division=0)
    assert logs["precision"] == pytest.approx(expected, **close)
    f1 = sk.f1_score(y, guess[:, 0] if one else p.argmax(1), average="binary" if one else None)
    np.testing.assert_allclose(logs["f1_score"], f1, atol=1e-6)
    assert logs["auc"] == pytest.approx(sk.roc_auc_score(truth.ravel(), p.ravel()), abs=0.01)
    if one:
        assert logs["rmse"] == pytest.approx(np.sqrt(logs["mse"]), rel=1e-6)
        assert logs["r2_score"] == pytest.approx(sk.r2_score(y, p), abs=1e-6)


def test_progress_shows_a_metric_of_several_figures(capsys):
    model = keras.Sequential([layers.Dense(L, "softmax", input_shape=(L,))])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["f1_score"])
    history = model.fit(VALUES, LABELS, verbose=2).history
    assert history["f1_score"][0].shape == (L,)
    assert "f1_score: [0" in capsys.readouterr().out


def test_planned_metrics_equal_eager_ones_bitwise():
    figures = []
    for eagerly in (False, True):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([layers.Dense(L, "softmax", input_shape=(L,))])
        model.compile(
            "sgd",
            "sparse_categorical_crossentropy",
            metrics=["auc", "f1_score", metrics.Recall(top_k=2), metrics.AUC(multi_label=True)],
            run_eagerly=eagerly,
        )
        logs = model.evaluate(VALUES, LABELS, batch_size=11, return_dict=True)
        figures.append([np.asarray(v).tolist() for v in logs.values()])
    assert figures[0] == figures[1]


@pytest.mark.parametrize("name, arguments, y_true, y_pred, reference", CASE_LIST[::3])
def test_metric_that_is_pickled_goes_on_where_it_was(name, arguments, y_true, y_pred, reference):
    metric = getattr(metrics, name)(**arguments)
    metric.update_state(y_true[:20], y_pred[:20])
    before = metric.result()
    for copied in (pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric)):
        assert copied == metric == type(metric).from_config(metric.get_config())
        copied.update_state(y_true[20:], y_pred[20:])
        metric_of_all = getattr(metrics, name)(**arguments)
        metric_of_all.update_state(y_true[:20], y_pred[:20])
        metric_of_all.update_state(y_true[20:], y_pred[20:])
        assert np.array_equal(copied.result(), metric_of_all.result())
    assert np.array_equal(metric.result(), before)


def test_metric_of_ones_own_that_is_pickled_goes_on_where_it_was():
    metric = LargestError()
    metric.update_state(VALUES, Q)
    for copied in (pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric)):
        assert copied.variables == [copied.largest, copied.total]
        copied.update_state(VALUES + 100, Q)
        assert copied.result().item() > 90 > metric.result().item()
        assert isinstance(copied.largest, Variable) and copied.total.numpy()[0] == 2


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: metrics.get("nope"), ValueError, r"unknown metric 'nope'; known: acc, accuracy"),
        (lambda: metrics.get(3), TypeError, r"expected a metric, its name or a function, got 3"),
        (
            lambda: metrics.Precision(thresholds=[0.5, 2])([1], [1]),
            ValueError,
            r"thresholds: expected numbers from 0 to 1, got \[0.5, 2\]",
        ),
        (lambda: metrics.Recall(class_id=5)(LABELS, P), ValueError, r"class_id: .* 5 outputs"),
        (lambda: metrics.Recall(top_k=6)(LABELS, P), ValueError, r"top_k: expected k from 1 to 5"),
        (
            lambda: metrics.AUC(1)([1], [1]),
            ValueError,
            r"num_thresholds: expected an integer in \[2, 16777216\], got 1",
        ),
        (
            lambda: metrics.AUC(curve="x")([1], [1]),
            ValueError,
            r"AUC: curve: expected 'ROC', 'PR' or",
        ),
        (
            lambda: metrics.AUC(summation_method="x")([1], [1]),
            ValueError,
            r"summation_method: expected 'interpolation'",
        ),
        (lambda: metrics.AUC(thresholds=[3])([1], [1]), ValueError, r"thresholds: .* from 0 to 1"),
        (
            lambda: metrics.F1Score("x")(LABELS, P),
            ValueError,
            r"F1Score: average: expected None, 'micro'",
        ),
        (
            lambda: metrics.F1Score(threshold=2)(LABELS, P),
            ValueError,
            r"threshold: expected a number in \(0, 1\], got 2",
        ),
        (
            lambda: metrics.FBetaScore(beta=0)(LABELS, P),
            ValueError,
            r"beta: expected a number in \(0, inf\), got 0",
        ),
        (
            lambda: metrics.R2Score("x")(LABELS, P),
            ValueError,
            r"class_aggregation: expected None, 'uniform",
        ),
        (lambda: metrics.IoU(2, [2])([0], [0]), ValueError, r"target_class_ids: .* \[0, 2\)"),
        (
            lambda: metrics.PrecisionAtRecall(2.0)([0], [0]),
            ValueError,
            r"PrecisionAtRecall: recall: expected a number in \[0, 1\], got 2.0",
        ),
        (
            lambda: metrics.Precision()(VALUES[:, :2], Q),
            ValueError,
            r"metric 'precision': expected targets of shape \(64, 5\), got \(64, 2\)",
        ),
        (
            lambda: [
                metric(LABELS[:3], p) for metric in [metrics.F1Score()] for p in (P[:3], Q[:3, :1])
            ],
            ValueError,
            r"metric 'f1_score': expected outputs of as many classes as before",
        ),
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


@pytest.mark.parametrize("make", [metrics.MeanSquaredError, metrics.AUC, metrics.IoU])
def test_symbols_have_no_values_to_count(make):
    metric = make(2, [0]) if make is metrics.IoU else make()
    symbol = keras.Input((2,))
    for call in (metric, metric.update_state):
        with pytest.raises(TypeError, match=r"expected arrays or tensors, got .*has no values"):
            call(np.zeros((1, 2)), symbol)


def test_a_mean_of_a_symbol_is_refused():
    with pytest.raises(TypeError, match="metric 'mean': expected arrays or tensors"):
        metrics.Mean()(keras.Input((2,)))


class Late(metrics.Metric):
    """Its weight is made in the first step, which is traced, by ops."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not self._variables:
            self.add_weight((2,), lambda shape, dtype: ops.ones(shape) * 3.0)
        self._variables[0].assign_add([1.0, 2.0])

    def result(self):
        return ops.sum(self._variables[0])


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_weight_that_a_step_makes_gets_its_first_values_once(eagerly):
    model = keras.Sequential([layers.Dense(1, input_shape=(L,))])
    model.compile("sgd", "mse", metrics=[Late()], run_eagerly=eagerly)
    steps = -(-N // 10)
    logs = model.fit(VALUES, Q[:, :1], batch_size=10, verbose=0).history
    assert logs["late"] == [6.0 + 3.0 * steps]
