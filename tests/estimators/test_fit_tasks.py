"""scikit-learn's callbacks around an estimator's fit (from scikit-learn 1.9 on)."""

import contextlib
import io

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnlite import NNClassifier, NNRegressor

sklearn_callback = pytest.importorskip("sklearn.callback")

X, Y = load_iris(return_X_y=True)


class Recorder:
    """What it was told: (task, what begins or ends, epochs of the fitted estimator or None)."""

    def __init__(self, stop_after=None):
        self.told, self.stop_after = [], stop_after

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        assert len(X) == len(y)
        self.told.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.told.append(f"end {context.task_name} {context.task_id}")
        self.fitted = fitted_estimator
        return context.task_name == "epoch" and context.task_id == self.stop_after


def test_a_fit_is_a_task_and_so_is_each_epoch():
    recorder = Recorder()
    NNClassifier(ensemble=1, epochs=2).set_callbacks(recorder).fit(X, Y)
    epochs = [f"{what} epoch {k}" for k in range(2) for what in ("begin", "end")]
    assert recorder.told == ["setup", "begin fit 0", *epochs, "end fit 0", "teardown"]


def test_a_callback_may_stop_the_training():
    estimator = NNClassifier(ensemble=1, epochs=9).set_callbacks(Recorder(stop_after=2)).fit(X, Y)
    assert estimator.n_iter_ == 3


def test_no_task_begins_with_data_that_are_refused():
    recorder = Recorder()
    with pytest.raises(ValueError, match="infinity"):
        NNClassifier(ensemble=1, epochs=2).set_callbacks(recorder).fit(np.full_like(X, np.inf), Y)
    assert recorder.told == ["setup", "teardown"]


def test_teardown_comes_after_an_error_too():
    recorder = Recorder()
    with pytest.raises(ValueError, match="at least 2 classes"):
        NNClassifier(ensemble=1, epochs=2).set_callbacks(recorder).fit(X, np.zeros(len(X)))
    assert recorder.told == ["setup", "begin fit 0", "teardown"]


def test_the_fitted_estimator_of_an_epoch_stays_as_it_was():
    kept = []

    class Keep(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name == "epoch":
                kept.append(fitted_estimator)

    estimator = NNClassifier(ensemble=1, epochs=3, random_state=0).set_callbacks(Keep()).fit(X, Y)
    for epochs, early in enumerate(kept, 1):
        same = NNClassifier(ensemble=1, epochs=epochs, schedule=None, random_state=0).fit(X, Y)
        assert early.n_iter_ == len(early.history_["loss"]) == epochs
        if epochs == 1:  # in which the rate has not begun to fall
            np.testing.assert_array_equal(early.predict_proba(X), same.predict_proba(X))
    np.testing.assert_array_equal(kept[-1].predict_proba(X), estimator.predict_proba(X))
    assert not np.array_equal(kept[0].predict_proba(X), estimator.predict_proba(X))


@pytest.mark.parametrize("as_frame", [False, True])
def test_scoring_monitor_scores_every_epoch(as_frame):
    data, target = load_iris(return_X_y=True, as_frame=as_frame)
    monitor = sklearn_callback.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    estimator = (
        NNClassifier(ensemble=1, epochs=3, random_state=0).set_callbacks(monitor).fit(data, target)
    )
    log = monitor.get_logs().data
    assert [row["task_name"] for row in log] == ["fit", "epoch", "epoch", "epoch"]
    assert log[0]["accuracy"] == log[-1]["accuracy"] == estimator.score(data, target)


def test_weights_reach_the_scores():
    data, target = load_diabetes(return_X_y=True)
    weights = np.arange(1.0, len(data) + 1)
    monitor = sklearn_callback.ScoringMonitor(scoring="r2")
    estimator = NNRegressor(ensemble=1, epochs=2, random_state=0).set_callbacks(monitor)
    estimator.fit(data, target, sample_weight=weights)
    score = estimator.score(data, target, weights)
    assert monitor.get_logs().data[-1]["r2"] == score != estimator.score(data, target)


@pytest.mark.parametrize("settings", [{"refit_full": True}, {"warm_start": True}])
def test_epochs_of_further_phases_are_tasks_too(settings):
    recorder = Recorder()
    estimator = NNClassifier(ensemble=1, epochs=2, early_stopping=True, random_state=0, **settings)
    estimator.set_callbacks(recorder).fit(X, Y)
    first = len([t for t in recorder.told if t.startswith("end epoch")])
    if "refit_full" in settings:
        assert first == 2 + estimator.best_epoch_
    else:
        estimator.fit(X, Y)
        assert len([t for t in recorder.told if t.startswith("end epoch")]) == 4


def test_clones_and_searches_share_callbacks():
    monitor = sklearn_callback.ScoringMonitor(scoring="accuracy")
    estimator = NNClassifier(ensemble=1, epochs=2).set_callbacks(monitor)
    clone(estimator).fit(X, Y)
    assert len(monitor.get_logs().data) == 3
    search = GridSearchCV(estimator, {"epochs": [1, 2]}, cv=2, n_jobs=2).fit(X, Y)
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(epochs) == 2 * (1 + 2) + search.best_estimator_.n_iter_


def test_progress_bars_reach_from_a_search_to_the_epochs():
    pytest.importorskip("rich")
    bars = sklearn_callback.ProgressBar(max_propagation_depth=None)
    pipeline = make_pipeline(StandardScaler(), NNClassifier(ensemble=1, epochs=2))
    search = GridSearchCV(pipeline, {"nnclassifier__epochs": [1, 2]}, cv=2)
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        search.set_callbacks(bars).fit(X, Y)
    assert "NNClassifier - fit" in shown.getvalue()
    assert "100%" in shown.getvalue()
