"""The Variables that show the state of metrics: named, ordered and shaped as Keras's."""

import numpy as np
import pytest

import nnlite
from nnlite import metrics

LABELS = np.array([0, 1, 1, 0, 1, 0, 1])
SCORES = np.array([0.1, 0.3, 0.6, 0.7, 0.95, 0.2, 0.8], np.float32)
WEIGHTS = np.array([1, 2, 3, 4, 5, 6, 7])
TP, FP, TN, FN = "true_positives", "false_positives", "true_negatives", "false_negatives"


def counts(name, thresholds):
    """How much weight lies where the name says, at each threshold."""
    right, said = name.split("_")
    above = SCORES[None] > np.array(thresholds)[:, None]
    wanted = (LABELS == 1) == ((right == "true") == (said == "positives"))
    return ((above == (said == "positives")) * wanted * WEIGHTS).sum(axis=1)


@pytest.mark.parametrize(
    "make, names, thresholds",
    [
        (lambda: metrics.Precision([0.9, 0.25, 0.5]), [TP, FP], [0.9, 0.25, 0.5]),
        (lambda: metrics.Recall([0.5, 0.25]), [TP, FN], [0.5, 0.25]),
        (lambda: metrics.TrueNegatives(0.65), [TN], [0.65]),
        (lambda: metrics.SensitivityAtSpecificity(0.5, 3), [TP, FP, TN, FN], [0, 0.5, 1]),
        (lambda: metrics.AUC(3), [TP, FP, TN, FN], [-1, 0.5, 1]),
    ],
)
def test_counts_are_variables_that_can_be_read_and_carried_to_another_metric(
    make, names, thresholds
):
    metric, other = make(), make()
    before = metric.variables
    metric.update_state(LABELS, SCORES, WEIGHTS)
    other.update_state(LABELS[:3], SCORES[:3])
    assert [v.name for v in before] == names
    for name, v, target in zip(names, before, other.variables):
        assert np.array_equal(v, counts(name, thresholds)), name
        target.assign(v)
        assert np.array_equal(getattr(other, name), v)
    assert np.array_equal(other.result(), metric.result())
    for v in other.variables:
        v.assign(np.zeros(v.shape))
    assert not np.any(other.result())


def test_counts_of_several_outputs_have_a_column_each_and_carry_what_is_unknown():
    metric, other = metrics.AUC(5, multi_label=True), metrics.AUC(5, multi_label=True)
    with pytest.raises(ValueError, match="true_positives: expected an update first"):
        metric.true_positives.assign(np.zeros(5))
    scores = SCORES[:6].reshape(3, 2).copy()
    for m, bad in (metric, np.nan), (other, 0.5):
        scores[0, 1] = bad
        m.update_state(LABELS[:6].reshape(3, 2), scores)
    other.true_positives.assign_add(metric.true_positives)
    assert metric.false_negatives.shape == (5, 2)
    assert np.isnan(other.result())
    assert np.array_equal(np.isnan(other.true_negatives).all(axis=0), [False, True])


def test_counts_are_refused_inside_a_traced_step():
    class Counted(metrics.Recall):
        def update_state(self, y_true, y_pred, sample_weight=None):
            (counts or self.variables)[0].assign([1.0])

    model = nnlite.Sequential([nnlite.layers.Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse", metrics=[Counted()])
    counts = []
    for counts[:] in [], metrics.Recall().variables:
        with pytest.raises(RuntimeError, match="true_positives is not known inside a traced"):
            model.evaluate(np.ones((2, 1)), np.ones((2, 1)), verbose=0)


def test_area_of_precision_recall_is_0_where_weights_are_negative():
    assert metrics.AUC(3, curve="PR")([0, 0, 1, 1], [0, 0.5, 0.3, 0.9], [-1, -2, -3, -4]) == 0


def test_confusion_matrix_of_an_overlap_can_be_read_and_carried_to_another_metric():
    metric, other = metrics.MeanIoU(3), metrics.MeanIoU(3)
    metric.update_state([0, 1, 1, 2, 2, 2], [0, 1, 2, 2, 2, 0], [1, 2, 3, 4, 5, 0.5])
    (matrix,) = metric.variables
    assert matrix.name == "total_confusion_matrix"
    assert matrix.numpy().tolist() == [[1, 0, 0], [0, 2, 3], [0.5, 0, 9]]
    assert np.array_equal(matrix, metric.total_cm)
    other.variables[0].assign(matrix)
    assert other.result() == metric.result() > 0
    with pytest.raises(ValueError, match=r"expected shape \(3, 3\), got \(3,\)"):
        matrix.assign(np.zeros(3))
