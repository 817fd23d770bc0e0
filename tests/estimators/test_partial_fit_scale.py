"""`partial_fit` goes on learning the scale, and the network goes on computing the same function."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

import nnlite
from nnlite import NNClassifier, NNRegressor, layers

RANDOM = np.random.RandomState(1)
X = RANDOM.normal(size=(400, 5)) * 1000
LABEL, NUMBER = (X[:, 0] + X[:, 1] > 0).astype(int), 10 * X[:, 0] + 5 * X[:, 1]
SORTED = np.argsort(X[:, 0])


def network(kind, **settings):
    own = {"hidden_layer_sizes": (16,), "learning_rate": 0.01, "random_state": 0, "ensemble": 1}
    return kind(**{**own, "numeric_encoding": None, **settings})


def keep_still(model):
    """Let further training change no weight."""
    model.model_.optimizer.learning_rate = 1e-30


def learned(kind, X, y, first, rows, passes):
    model = network(kind)
    model.partial_fit(X[:first], y[:first], **({"classes": [0, 1]} if kind is NNClassifier else {}))
    for _ in range(passes):
        for start in range(first, len(X), rows):
            model.partial_fit(X[start : start + rows], y[start : start + rows])
    return model.score(X, y)


@pytest.mark.parametrize(
    "order, first, rows, passes, least",
    [
        (slice(None), 1, 20, 4, (0.96, 0.95)),
        (slice(200), 1, 1, 1, (None, 0.9)),
        (SORTED, 20, 20, 4, (0.9, 0.95)),
    ],
)
def test_what_came_first_does_not_decide_what_is_learned(order, first, rows, passes, least):
    if least[0]:
        assert learned(NNClassifier, X[order], LABEL[order], first, rows, passes) >= least[0]
    assert learned(NNRegressor, X[order], NUMBER[order], first, rows, passes) >= least[1]


def test_data_that_drift_are_learned():
    moved = X + np.linspace(-5000, 5000, len(X))[:, None]
    assert learned(NNRegressor, moved, 10 * moved[:, 0] + 5 * moved[:, 1], 20, 20, 4) >= 0.9


@pytest.mark.parametrize("sizes", [(16,), (), (8, 8)])
@pytest.mark.parametrize("kind, y", [(NNClassifier, LABEL), (NNRegressor, NUMBER)])
def test_the_function_stays_when_the_scale_moves(kind, y, sizes):
    classes = {"classes": [0, 1]} if kind is NNClassifier else {}
    model = network(kind, hidden_layer_sizes=sizes, dtype="float64")
    for _ in range(3):
        model.partial_fit(X[:100], y[:100], **classes)
    outputs = getattr(model, "decision_function", model.predict)
    before = outputs(X)
    keep_still(model)
    moved = 7 * X[100:300] + np.array([0, 5e3, -1e4, 0, 1e5])
    model.partial_fit(moved, y[100:300])
    assert_allclose(outputs(X), before, rtol=1e-9, atol=1e-9 * np.abs(before).max())
    seen = np.r_[X[:100], X[:100], X[:100], moved]
    layer = model.model_.layers[0]
    assert_allclose(layer.input_mean, seen.mean(0), rtol=1e-9)
    assert_allclose(layer.input_variance, seen.var(0), rtol=1e-9)


def test_targets_in_another_unit_leave_the_function_as_it_is():
    model = network(NNRegressor, dtype="float64")
    model.partial_fit(X[:100], np.c_[NUMBER, LABEL][:100])
    before = model.predict(X)
    keep_still(model)
    far = np.c_[1e12 + 50 * NUMBER, LABEL - 3.0][100:300]
    model.partial_fit(X[100:300], far)
    # The offset of 1e12 leaves four digits of what was predicted before.
    assert_allclose(model.predict(X), before, rtol=1e-4, atol=1.0)
    mean, deviation = model._target._scale
    both = np.r_[np.c_[NUMBER, LABEL][:100], far]
    assert_allclose(mean, both.mean(0), rtol=1e-9)
    assert_allclose(deviation, both.std(0), rtol=1e-6)


def test_a_constant_column_keeps_the_function_at_its_value():
    constant = X.copy()
    constant[:, 2] = 7.0
    model = network(NNClassifier, dtype="float64").partial_fit(constant, LABEL, classes=[0, 1])
    before = model.decision_function(constant)
    keep_still(model)
    model.partial_fit(X, LABEL)
    assert_allclose(model.decision_function(constant), before, rtol=1e-9, atol=1e-9)
    assert_allclose(model.model_.layers[0].input_variance[2], np.r_[constant, X][:, 2].var())


def test_sparse_rows_go_on_with_the_largest_magnitude():
    rows = np.where(RANDOM.rand(*X.shape) < 0.4, X, 0)
    model = network(NNClassifier).partial_fit(csr_array(rows[:100]), LABEL[:100], classes=[0, 1])
    before = model.decision_function(csr_array(rows))
    keep_still(model)
    for more in (csr_array(9 * rows), 9 * rows):
        model.partial_fit(more, LABEL)
        assert_allclose(model.decision_function(csr_array(rows)), before, rtol=1e-4, atol=1e-5)
    largest = np.sqrt(model.model_.layers[0].input_variance)
    assert_allclose(largest, 9 * np.abs(rows).max(0))


def test_after_fit_the_scale_moves_only_far_as_a_limit_is_not_linear():
    model = network(NNClassifier, epochs=3).fit(X, LABEL)
    layer, before = model.model_.layers[0], model.predict_proba(X)
    assert layer.limit == 8
    keep_still(model)
    model.partial_fit(X[:100] + 100, LABEL[:100])
    assert_array_equal(model.predict_proba(X), before)
    far = X + np.array([5000, 0, 0, 0, 0])
    model.partial_fit(far, LABEL)
    assert_allclose(layer.input_mean[0], np.r_[X, X[:100] + 100, far][:, 0].mean())
    assert_allclose(layer.input_mean[1:], X.mean(0)[1:])


def test_what_cannot_make_up_for_another_scale_keeps_the_first():
    own = network(NNClassifier, layers=[layers.InputScaling(mean=[0.0] * 5, variance=[1e6] * 5)])
    behind = network(NNClassifier, layers=[layers.Dropout(0.1), layers.Dense(4)])
    for model in (own, behind, network(NNClassifier, normalize=False)):
        model.partial_fit(X[:100], LABEL[:100], classes=[0, 1])
        first = model.model_.layers[0]
        before = getattr(first, "input_mean", None)
        model.partial_fit(9 * X + 1e5, LABEL)
        assert_array_equal(getattr(first, "input_mean", None), before)
    assert own.model_.layers[0].limit == 8
    plain = network(NNClassifier, layers=[layers.Dense(4, use_bias=False)], dtype="float64")
    plain.partial_fit(X[:100], LABEL[:100], classes=[0, 1])
    before = plain.decision_function(X)
    keep_still(plain)
    plain.partial_fit(9 * X + 1e5, LABEL)
    assert_allclose(plain.decision_function(X), before, rtol=1e-9, atol=1e-9)
    assert_allclose(plain.model_.layers[0].input_mean, X[:100].mean(0))


def test_rows_count_as_much_as_they_weigh():
    weight = np.where(np.arange(400) % 2, 0.0, 3.0)
    model = network(NNRegressor).partial_fit(X[:200], NUMBER[:200], weight[:200])
    model.partial_fit(X[200:], NUMBER[200:], weight[200:])
    assert_allclose(model.model_.layers[0].input_mean, X[::2].mean(0), rtol=1e-9)
    assert_allclose(model._target._scale[0], NUMBER[::2].mean(), rtol=1e-9)


def test_a_copy_and_a_file_go_on_as_the_original(tmp_path):
    model = network(NNRegressor).partial_fit(X[:50], NUMBER[:50])
    model.save(tmp_path / "model.safetensors")
    others = [copy.deepcopy(model), nnlite.load(tmp_path / "model.safetensors")]
    for each in (model, *others):
        each.partial_fit(X[50:], NUMBER[50:])
    for other in others:
        assert_array_equal(other.predict(X), model.predict(X))


def test_rows_that_are_refused_change_nothing():
    model = network(NNRegressor).partial_fit(X[:50], NUMBER[:50])
    before = model.predict(X)
    for rows, y in ((X * 1e200, NUMBER), (X, NUMBER * 1e200)):
        with pytest.raises(ValueError, match="squares"):
            model.partial_fit(rows, y)
        assert_array_equal(model.predict(X), before)


def table(X):
    """Rows of numbers, two of whose columns have gaps, between two categories."""
    frame = pytest.importorskip("pandas").DataFrame(X[:, :3], columns=["a", "b", "c"])
    frame.insert(1, "color", np.where(X[:, 3] > 0, "red", "blue"))
    frame["size"] = np.where(X[:, 4] > 500, "L", np.where(X[:, 4] < -500, "S", "M"))
    frame.loc[X[:, 3] > 1000, "b"] = np.nan
    frame.loc[X[:, 4] > 1000, "c"] = np.nan
    return frame


@pytest.mark.parametrize("kind, y", [(NNClassifier, LABEL), (NNRegressor, NUMBER)])
def test_the_function_of_a_table_stays_when_the_scale_moves(kind, y):
    classes = {"classes": [0, 1]} if kind is NNClassifier else {}
    model, rows = network(kind, dtype="float64"), table(X)
    for _ in range(3):
        model.partial_fit(rows[:100], y[:100], **classes)
    outputs = getattr(model, "decision_function", model.predict)
    before = outputs(rows)
    keep_still(model)
    moved = 7 * X[100:300, :3] + np.array([0, 5e3, -1e4])
    later = rows[100:300].copy()
    later[["a", "b", "c"]] = np.where(later[["a", "b", "c"]].isna(), np.nan, moved)
    model.partial_fit(later, y[100:300])
    assert_allclose(outputs(rows), before, rtol=1e-9, atol=1e-9 * np.abs(before).max())
    layer, at = model.model_.layers[0], [0, 2, 3]
    numbers = [frame[["a", "b", "c"]].to_numpy() for frame in (*[rows[:100]] * 3, later)]
    assert_allclose(layer.input_mean[at], np.nanmean(np.concatenate(numbers), 0), rtol=1e-9)
    assert_allclose(layer.input_variance[at], np.nanvar(np.concatenate(numbers), 0), rtol=1e-9)
    assert_array_equal(np.delete(layer.input_mean, at), 0)
    assert_array_equal(np.delete(layer.input_variance, at), 1)


def test_a_table_whose_first_row_says_nothing_is_learned():
    rows, full = table(X), ~table(X).isna().any(axis=1)
    model = network(NNRegressor).partial_fit(rows[:1], NUMBER[:1])
    for _ in range(4):
        for start in range(1, len(X), 20):
            model.partial_fit(rows[start : start + 20], NUMBER[start : start + 20])
    assert model.score(rows[full], NUMBER[full]) > 0.8
