"""Several networks at once: each is a fit of its own, and together they predict their mean."""

import pickle
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

import nnlite
from nnlite import NNClassifier, NNRegressor, layers
from nnlite.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    ModelCheckpoint,
    TerminateOnNaN,
)
from nnlite.estimators import scaling, validation_split
from nnlite.layers import Dense
from nnlite.models import Sequential
from nnlite.training.step_cache import CompiledStep

X, KIND = load_iris(return_X_y=True)
TWO = np.where(KIND == 2, "yes", "no")
LABELS = np.c_[KIND == 0, KIND > 0].astype(int)
NUMBER = X[:, 0] - X[:, 3]
NETWORKS = 3
QUICK = {"ensemble": NETWORKS, "epochs": 3, "random_state": 0, "batch_size": 50}


def classifier(hidden=(4,), **settings):
    return NNClassifier(hidden, **{**QUICK, **settings})


def regressor(hidden=(4,), **settings):
    return NNRegressor(hidden, **{**QUICK, **settings})


def compiled(meta):
    """A compiled model whose outputs are logits."""
    model = Sequential([Dense(4, "relu"), Dense(3)])
    loss = nnlite.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    return model


def subclassed(meta):
    """Layers that hold each other."""
    return Sequential([Sequential([Dense(4, "relu")])])


TASKS = {
    "two": (classifier, TWO),
    "three": (classifier, KIND),
    "labels": (classifier, LABELS),
    "number": (regressor, NUMBER),
    "numbers": (regressor, X[:, :2]),
    "logits": (lambda **s: classifier(compiled, **s), KIND),
    "inside": (lambda **s: classifier(subclassed, **s), KIND),
}


def outputs(estimator, rows=X):
    """Probabilities, or numbers."""
    return getattr(estimator, "predict_proba", estimator.predict)(rows)


def networks_of(estimator):
    """The networks, each as an estimator of its own."""
    shared, found = estimator.model_.layers, []
    front = [x for x in shared if not x.name.startswith(("network_", "mean"))]
    for network in (x for x in shared if x.name.startswith("network_")):
        single = pickle.loads(pickle.dumps(estimator))
        with nnlite.config.precision(estimator.model_._precision):
            model = Sequential([*front, network])
        model.compile("sgd", estimator.model_.loss)
        single._set_model(model)
        found.append(single)
    return found


def folds_of(estimator, y):
    by = None if isinstance(estimator, NNRegressor) or np.ndim(y) > 1 else y
    by = by if by is None else np.unique(by, return_inverse=True)[1]
    return validation_split.folds(len(y), NETWORKS, by, estimator._seed())


@pytest.mark.parametrize("task", TASKS)
def test_predictions_are_the_mean_and_each_row_has_one_out_of_fold(task):
    make, y = TASKS[task]
    fitted = make().fit(X, y)
    singles = networks_of(fitted)
    assert len(singles) == len(fitted.best_epochs_) == NETWORKS
    each = np.array([outputs(single) for single in singles])
    assert_allclose(outputs(fitted), each.mean(axis=0), rtol=1e-5, atol=1e-6)
    folds = folds_of(fitted, y)
    if task != "logits":  # whose networks end with a softmax now
        for number in range(NETWORKS):
            held_out = folds == number
            assert_array_equal(fitted.oof_prediction_[held_out], each[number][held_out])
    found = fitted.oof_prediction_
    if isinstance(fitted, NNRegressor):
        assert fitted.oof_score_ == pytest.approx(r2_score(y, found))
        return
    assert_allclose(np.exp(fitted.predict_log_proba(X)), outputs(fitted), rtol=1e-5)
    labels = (found > 0.5) if task == "labels" else fitted.classes_[found.argmax(axis=1)]
    assert fitted.oof_score_ == pytest.approx(accuracy_score(y, labels))
    logits = fitted.decision_function(X)
    if task == "two":
        assert_allclose(1 / (1 + np.exp(-logits)), outputs(fitted)[:, 1], rtol=1e-5)


@pytest.mark.parametrize("kind", [NNClassifier, NNRegressor])
def test_each_network_is_what_a_single_fit_gives(kind):
    y = TWO if kind is NNClassifier else NUMBER
    options = {"normalize": False, "epochs": 4, "batch_size": 16, "random_state": 0}
    options["dtype"] = "float32"
    fitted = kind((4,), ensemble=NETWORKS, **options).fit(X, y)
    folds, seeds = folds_of(fitted, y), np.random.RandomState(fitted._seed())
    stopping = EarlyStopping(patience=2, restore_best_weights=True)
    for number, network in enumerate(fitted.model_.layers[1:-1]):
        held_out, seed = folds == number, int(seeds.randint(2**31))
        alone = kind((4,), ensemble=1, early_stopping=stopping, **options)
        alone._seed = lambda seed=seed: seed
        alone.fit(X[~held_out], y[~held_out], X_val=X[held_out], y_val=y[held_out])
        for one, other in zip(network.get_weights(), alone.model_.get_weights(), strict=True):
            assert_array_equal(one, other)
        assert fitted.best_epochs_[number] == alone.best_epoch_


def test_the_number_of_threads_changes_no_bit():
    one, two, many = (classifier(n_threads=n).fit(X, KIND) for n in (1, 2, 5))
    for other in (two, many):
        assert_array_equal(one.oof_prediction_, other.oof_prediction_)
        assert_array_equal(outputs(one), outputs(other))
        assert one.history_ == other.history_
    again = classifier(n_threads=2).fit(X, KIND)
    assert_array_equal(outputs(one), outputs(again))
    assert not np.array_equal(outputs(one), outputs(classifier(random_state=1).fit(X, KIND)))


def test_what_the_networks_share_is_in_the_model_once():
    model = classifier(numeric_encoding="piecewise").fit(X, KIND).model_
    shared = [type(x) for x in model.layers[1 : -1 - NETWORKS]]
    assert shared == [layers.InputScaling, layers.PiecewiseLinearEncoding]
    networks = model.layers[-1 - NETWORKS : -1]
    own = [layers.LearnedScaling, Dense, Dense]
    assert [type(x) for network in networks for x in network.layers] == NETWORKS * own


def steps_traced(monkeypatch, **settings):
    """How many steps a fit of three networks traces, and what it predicts."""
    traced, trace = [], CompiledStep.__init__

    def counted(self, *args):
        traced.append(args)
        trace(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(CompiledStep, "__init__", counted)
        hidden = [Dense(4, "relu"), layers.BatchNormalization(), layers.Dropout(0.5)]
        model = classifier(hidden, metrics=["accuracy"], **settings).fit(X, KIND)
    return len(traced), model.predict_proba(X), model.oof_prediction_


class ChangesOne(Callback):
    """Changes the first network that begins, and that one alone."""

    begun = []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun.append(self.model)
        if epoch == 1 and self.model is self.begun[0]:
            self.model.layers[-2].rate = 0.0


def test_one_network_traces_the_steps_of_all(monkeypatch):
    shared, *found = steps_traced(monkeypatch)
    alone, *expected = steps_traced(monkeypatch, callbacks=[Callback()])  # which might change one
    assert 2 * shared < alone
    for a, b in zip(found, expected):
        assert_array_equal(a, b)


def test_what_a_callback_changes_in_one_network_stays_in_it(monkeypatch):
    ChangesOne.begun.clear()
    _, changed, _ = steps_traced(monkeypatch, callbacks=[ChangesOne()], n_threads=1)
    _, plain, _ = steps_traced(monkeypatch, n_threads=1)
    assert np.abs(changed - plain).max() > 1e-3


def test_scale_and_bins_are_learned_once_for_all(monkeypatch):
    seen = []

    def count(home, name):
        given = getattr(home, name)

        def counted(*args, **kwargs):
            seen.append(name)
            return given(*args, **kwargs)

        monkeypatch.setattr(home, name, counted)

    count(scaling, "observed"), count(layers.PiecewiseLinearEncoding, "adapt")
    model = classifier(numeric_encoding="piecewise").fit(X, KIND).model_
    assert sorted(seen) == ["adapt", "observed"]
    first, second = model.layers[1:3]
    assert_allclose(first.input_mean, X.mean(0))
    assert len(second.boundaries) == 4 and len(second.boundaries[0]) > 3


@pytest.mark.parametrize(
    "rows, shape, hidden",
    [
        (np.random.RandomState(0).rand(60, 6, 6, 1), "images", [layers.Conv2D(2, 3)]),
        (csr_matrix(X), "sparse", (4,)),
        ([X[i : i + 2 + i % 3] for i in range(60)], "sequences", [layers.GRU(3)]),
        (X.astype(int)[:60], "tokens", [layers.Embedding(9, 3)]),
    ],
    ids=["images", "sparse", "sequences", "tokens"],
)
def test_samples_of_every_kind(rows, shape, hidden):
    hidden = [*hidden, layers.Flatten()] if shape in ("images", "tokens") else hidden
    y = KIND if shape == "sparse" else np.arange(60) % 2
    fitted = classifier(hidden, epochs=1).fit(rows, y)
    assert fitted.oof_prediction_.shape == (len(y), fitted.classes_.size)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(outputs(again, rows), outputs(fitted, rows))


@pytest.mark.parametrize("task", ["two", "numbers"])
@pytest.mark.parametrize("ending", ["safetensors", "keras"])
def test_files_hold_all_of_them(task, ending, tmp_path):
    make, y = TASKS[task]
    fitted = make(epochs=1).fit(X, y)
    fitted.save(tmp_path / f"e.{ending}")
    again = nnlite.load(tmp_path / f"e.{ending}")
    assert_array_equal(outputs(again), outputs(fitted))
    assert_array_equal(again.oof_prediction_, fitted.oof_prediction_)
    slim = fitted.slim()
    assert_array_equal(outputs(slim), outputs(fitted))
    assert len(pickle.dumps(slim)) < len(pickle.dumps(fitted))


def test_the_score_is_that_of_scoring():
    fitted = classifier(scoring="roc_auc").fit(X, TWO)
    assert fitted.oof_score_ == roc_auc_score(TWO == "yes", fitted.oof_prediction_[:, 1])
    assert len(fitted.history_["val_score"]) == 3


def test_rows_without_weight_are_no_part_of_it():
    weight = np.where(np.arange(150) % 3, 2.0, 0.0)
    fitted = classifier().fit(X, KIND, weight)
    kept = weight > 0
    assert np.isnan(fitted.oof_prediction_[~kept]).all()
    only = classifier().fit(X[kept], KIND[kept], weight[kept])
    assert_array_equal(fitted.oof_prediction_[kept], only.oof_prediction_)
    assert fitted.oof_score_ == only.oof_score_
    assert classifier(class_weight={0: 0.0}).fit(X, KIND).oof_prediction_.shape == (150, 3)


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_few_rows(rows):
    estimator = regressor(ensemble=5, early_stopping=True)
    if rows == 1:
        with pytest.raises(ValueError, match="early_stopping: expected 'auto' or False for a sing"):
            estimator.fit(X[:1], NUMBER[:1])
        estimator.set_params(early_stopping="auto")
    fitted = estimator.fit(X[:rows], NUMBER[:rows])
    assert np.isfinite(fitted.predict(X)).all()
    assert hasattr(fitted, "oof_prediction_") == (rows > 1)


@pytest.mark.parametrize("rows, count", [(10, 3), (3, 8), (150, 8)])
def test_folds_are_equally_large_and_so_are_the_parts_of_classes(rows, count):
    y = np.sort(np.arange(rows) % 3)
    for by in (None, y):
        folds = validation_split.folds(rows, count, by, 0)
        sizes = np.bincount(folds)
        assert len(sizes) == min(rows, count) and np.ptp(sizes) <= 1
    for label in range(3):
        assert np.ptp(np.bincount(folds[y == label], minlength=min(rows, count))) <= 1
    if rows > count:
        assert not np.array_equal(folds, validation_split.folds(rows, count, y, 1))


def test_given_rows_judge_all_of_them():
    fitted = classifier().fit(X[::2], KIND[::2], X_val=X[1::2], y_val=KIND[1::2])
    assert len(fitted.validation_loss_curve_) == 3 and not hasattr(fitted, "oof_prediction_")
    assert not hasattr(classifier(early_stopping=False).fit(X, KIND), "oof_prediction_")
    again = classifier().fit(X, KIND)
    assert hasattr(again, "oof_score_")
    assert not hasattr(again.set_params(ensemble=1).fit(X, KIND), "oof_score_")


def test_the_history_is_the_mean():
    seen = []

    class Keep(Callback):
        def on_train_end(self, logs=None):
            seen.append(self.model.history)

    fitted = regressor(callbacks=Keep()).fit(X, NUMBER)
    assert len(seen) == NETWORKS
    for name in ("loss", "val_loss"):
        curves = [history.history[name] for history in seen]
        assert_allclose(fitted.history_[name], np.mean(curves, axis=0))
    best = [1 + int(np.argmin(history.history["val_loss"])) for history in seen]
    assert sorted(fitted.best_epochs_) == sorted(best)
    assert fitted.best_epoch_ == round(np.mean(best)) and fitted.n_iter_ == 3


def test_training_goes_on_with_all_of_them():
    fitted = classifier().fit(X, KIND)
    before = [n.get_weights() for n in fitted.model_.layers[-1 - NETWORKS : -1]]
    fitted.partial_fit(X, KIND)
    assert fitted.n_iter_ == 4
    for network, old in zip(fitted.model_.layers[-1 - NETWORKS : -1], before, strict=True):
        assert not np.array_equal(network.get_weights()[0], old[0])
    fitted.set_params(warm_start=True).fit(X, KIND)
    assert fitted.n_iter_ == 7 and fitted.model_.layers[-2].name == f"network_{NETWORKS}"


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"refit_full": True}, "refit_full: expected False with ensemble=3, got True"),
        ({"callbacks": CSVLogger("log.csv")}, "callbacks: expected none that write files .*CSVL"),
        ({"callbacks": ModelCheckpoint("a.keras")}, "callbacks: expected none that write files"),
    ],
    ids=["refit_full", "CSVLogger", "ModelCheckpoint"],
)
def test_what_only_one_network_can_do_is_an_error(settings, words):
    with pytest.raises(ValueError, match=words):
        classifier(**settings).fit(X, KIND)


def test_a_network_stops_after_a_quarter_of_the_epochs_without_a_better_one():
    noise = np.random.RandomState(0).permutation(NUMBER)
    seen = []

    class Keep(Callback):
        def on_train_end(self, logs=None):
            seen.append(self.model.history.history["val_loss"])

    regressor((64,), epochs=30, learning_rate=0.05, callbacks=Keep()).fit(X, noise)
    assert min(map(len, seen)) < 30
    for curve in seen:
        assert len(curve) == min(30, int(np.argmin(curve)) + 1 + 8)


# How many there are


RECIPES = {
    "table": ({}, (1600, 4), (8, 25)),
    "large table": ({}, (20_000, 4), (8, 25)),
    "small table": ({}, (500, 4), (8, 75)),
    "smallest table": ({}, (60, 4), (8, 200)),
    "large batches": ({"batch_size": 128}, (1600, 4), (8, 46)),
    "fast": ({"preset": "fast"}, (1600, 4), (1, 25)),
    "best": ({"preset": "best"}, (1600, 4), (24, 50)),
    "sizes": ({"layers": "8-4"}, (1600, 4), (8, 25)),
    "few rows": ({}, (49, 4), (1, 200)),
    "given": ({"ensemble": 2, "epochs": 7}, (49, 4), (2, 7)),
    "layers": ({"layers": [Dense(4)]}, (60, 4), (1, 200)),
    "layers, given": ({"layers": [Dense(4)], "ensemble": 2}, (60, 4), (2, 200)),
    "function": ({"layers": lambda: [Dense(4)]}, (60, 4), (1, 200)),
    "images": ({}, (60, 4, 4), (1, 200)),
    "goes on": ({"warm_start": True}, (1600, 4), (1, 25)),
    "refits": ({"refit_full": True}, (1600, 4), (1, 25)),
    "writes": ({"callbacks": [CSVLogger("log.csv")]}, (1600, 4), (1, 25)),
    "watches": ({"callbacks": [TerminateOnNaN()]}, (1600, 4), (8, 25)),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("kind", [NNClassifier, NNRegressor])
def test_what_auto_means(kind, name):
    settings, shape, expected = RECIPES[name]
    rows = np.zeros(shape)
    assert kind(**settings)._recipe(rows) == expected
    if len(shape) == 2 and not settings:
        assert kind()._recipe(csr_matrix(rows)) == (1, 200)


# Threads


class Slow(Callback):
    """Waits for the others, and fails in one network if it is to."""

    def __init__(self, fails=False):
        self.fails = fails

    def on_epoch_end(self, epoch, logs=None):
        if self.fails and epoch == 2:
            raise RuntimeError("of a callback")
        time.sleep(0.001)


def names_of_threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("nnlite network")]


def test_an_error_in_one_ends_the_others():
    with pytest.raises(RuntimeError, match="of a callback"):
        classifier(epochs=10**9, callbacks=Slow(fails=True)).fit(X, KIND)
    assert names_of_threads() == []


ONE_AT_A_TIME = threading.Lock()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_all_and_leaves_a_fitted_estimator(n_threads, heeding_ctrl_c):
    pressed = []

    class Press(Callback):
        def on_epoch_end(self, epoch, logs=None):
            with ONE_AT_A_TIME:
                first = epoch == 3 and not pressed
                pressed.extend([time.perf_counter()] * first)
            if first:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    estimator = classifier(epochs=10**9, callbacks=Press(), n_threads=n_threads)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, KIND)
    assert time.perf_counter() - pressed[0] < 5  # half a second on a machine that does nothing else
    assert names_of_threads() == []
    assert estimator.predict(X).shape == KIND.shape
    assert 1 <= len(estimator.best_epochs_) <= n_threads
    assert not hasattr(estimator, "oof_prediction_")


def test_warnings_come_once_and_point_at_the_call():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        regressor(optimizer="sgd", learning_rate=1e30).fit(X, NUMBER)
    ours = [w for w in caught if "the loss became" in str(w.message)]
    assert len({str(w.message) for w in ours}) == len(ours) >= 1
    assert {w.filename for w in ours} == {__file__}


def test_a_callback_of_scikit_learn_sees_the_first_and_ends_all():
    epochs = []

    class Observer:
        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            epochs.append(context.task_name)
            return len(epochs) == 3

    pytest.importorskip("sklearn.callback")
    fitted = classifier(epochs=10**9).set_callbacks(Observer()).fit(X, KIND)
    assert epochs == ["epoch", "epoch", "epoch", "fit"]
    assert fitted.best_epochs_ and np.isfinite(outputs(fitted)).all()
    assert not hasattr(fitted, "oof_prediction_") and names_of_threads() == []


@pytest.mark.parametrize("verbose, lines", [(0, 0), (1, 1), (2, NETWORKS)])
def test_progress(verbose, lines, capsys):
    classifier(verbose=verbose).fit(X, KIND)
    written = capsys.readouterr().out.splitlines()
    assert len(written) == lines
    if verbose == 1:
        assert "3 networks" in written[0] and "9/9" in written[0]
    if verbose == 2:
        assert sorted(line[:11] for line in written) == [f"Network {n}/3" for n in (1, 2, 3)]
