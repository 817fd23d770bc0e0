"""What a fit does beside training: warm starts, rows held out, scorers, refits, callbacks."""

import warnings

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from nnlite import NNClassifier, NNRegressor
from nnlite.callbacks import (
    BackupAndRestore,
    Callback,
    EarlyStopping,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from nnlite.layers import Dense, Dropout
from nnlite.models import load_model

IRIS, KIND = load_iris(return_X_y=True)
DIGITS, DIGIT = load_digits(return_X_y=True)
DIGITS = DIGITS / 16
ROWS, VALUES = make_regression(120, 6, noise=1.0, random_state=0)
VALUES = VALUES / VALUES.std()
ODD = np.arange(150) % 2 == 1
TRAIN, HELD = (IRIS[~ODD], KIND[~ODD]), (IRIS[ODD], KIND[ODD])


# Rows and rates as they are: what is tested here is computed by hand from them.
PLAIN = {"normalize": False, "schedule": None, "batch_size": 200}


def classifier(*args, **settings):
    return NNClassifier(
        *args, **{"ensemble": 1, "epochs": 5, "random_state": 0, **PLAIN, **settings}
    )


def regressor(*args, **settings):
    return NNRegressor(
        *args, **{"ensemble": 1, "epochs": 5, "random_state": 0, **PLAIN, **settings}
    )


def weights(fitted):
    return [w.numpy().tobytes() for w in fitted.model_.weights]


# Warm starts


@pytest.mark.parametrize("make, X, y", [(classifier, IRIS, KIND), (regressor, ROWS, VALUES)])
def test_a_warm_start_goes_on(make, X, y):
    warm = make(warm_start=True, batch_size=16).fit(X, y)
    first, model = list(warm.loss_curve_), warm.model_
    warm.fit(X, y)
    assert warm.model_ is model and warm.n_iter_ == warm.best_epoch_ == 10
    assert warm.loss_curve_[:5] == first and warm.loss_curve_[-1] < first[-1]
    assert warm.set_params(epochs=3).fit(X, y).n_iter_ == 13
    # Without minibatches there is no random order: two fits are one of as many epochs.
    whole = {"batch_size": len(X), "layers": None}
    twice = make(warm_start=True, **whole).fit(X, y).fit(X, y)
    once = make(epochs=10, **whole).fit(X, y)
    assert_allclose(twice.loss_curve_, once.loss_curve_, rtol=1e-9)
    cold = warm.set_params(warm_start=False, epochs=5).fit(X, y)
    assert cold.n_iter_ == 5 and weights(cold) == weights(make(batch_size=16).fit(X, y))


@pytest.mark.parametrize("name", ["learning_rate", "optimizer__learning_rate"])
def test_a_warm_start_takes_a_changed_learning_rate(name):
    warm = classifier(warm_start=True, schedule=None).fit(IRIS, KIND)
    optimizer, before = warm.model_.optimizer, weights(warm)
    warm.set_params(**{name: 1e-12}).fit(IRIS, KIND)
    for a, b in zip(before, weights(warm)):
        assert_allclose(np.frombuffer(a), np.frombuffer(b), rtol=1e-6, atol=1e-9)
    assert warm.model_.optimizer is not optimizer
    optimizer = warm.model_.optimizer
    assert warm.fit(IRIS, KIND).model_.optimizer is optimizer


def test_what_a_warm_start_cannot_go_on_with():
    warm = classifier(warm_start=True).fit(IRIS, KIND)
    with pytest.raises(ValueError, match=r"y: expected labels of .*got .*3"):
        warm.fit(IRIS, KIND + 1)
    with pytest.raises(ValueError, match="3 features"):
        warm.fit(IRIS[:, :3], KIND)
    with pytest.raises(ValueError, match="refit_full: expected False with warm_start"):
        classifier(warm_start=True, refit_full=True).fit(IRIS, KIND)


def test_a_warm_start_with_early_stopping_keeps_its_curves_together():
    warm = classifier(warm_start=True, early_stopping=True).fit(IRIS, KIND).fit(IRIS, KIND)
    assert len(warm.validation_loss_curve_) == len(warm.loss_curve_) == warm.n_iter_ == 10
    assert 6 <= warm.best_epoch_ <= 10
    plain = warm.set_params(early_stopping=False).fit(IRIS, KIND)
    assert plain.validation_loss_curve_ is None and plain.n_iter_ == 15


# Rows to look at that the caller brings


@pytest.mark.parametrize("early_stopping", ["auto", True])
def test_given_rows_take_the_place_of_a_split(early_stopping):
    fitted = classifier(epochs=300, learning_rate=0.05, early_stopping=early_stopping)
    fitted.fit(*TRAIN, X_val=HELD[0], y_val=HELD[1])
    assert fitted.n_iter_ == fitted.best_epoch_ + 30 < 300
    loss = log_loss(HELD[1], fitted.predict_proba(HELD[0]))
    assert_allclose(loss, min(fitted.history_["val_loss"]), rtol=1e-9)
    # All of X is trained on.
    without = classifier(epochs=fitted.best_epoch_, learning_rate=0.05, early_stopping=False)
    assert_array_equal(without.fit(*TRAIN).loss_curve_, fitted.loss_curve_[: fitted.best_epoch_])
    assert weights(without) == weights(fitted)


def test_given_rows_without_early_stopping_are_looked_at_alone():
    fitted = classifier(early_stopping=False).fit(*TRAIN, X_val=HELD[0], y_val=HELD[1])
    assert len(fitted.validation_loss_curve_) == 5
    assert weights(fitted) == weights(classifier().fit(*TRAIN))
    regression = regressor().fit(ROWS, VALUES, X_val=ROWS[:9], y_val=VALUES[:9])
    assert len(regression.validation_loss_curve_) == 5


def test_weights_of_given_rows():
    w = np.random.RandomState(0).uniform(0.5, 2, len(HELD[0]))
    fitted = classifier(epochs=1, learning_rate=0)
    fitted.fit(*TRAIN, X_val=HELD[0], y_val=HELD[1], sample_weight_val=w)
    expected = log_loss(HELD[1], fitted.predict_proba(HELD[0]), sample_weight=w)
    assert_allclose(fitted.validation_loss_curve_, [expected], rtol=1e-9)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"X_val": HELD[0]}, "y_val: expected rows, as there is X_val, got None"),
        ({"y_val": HELD[1]}, "X_val: expected rows, as there is y_val, got None"),
        ({"sample_weight_val": HELD[1]}, "X_val: expected rows, as there is sample_weight_val"),
        ({"X_val": HELD[0][:, :3], "y_val": HELD[1]}, "X_val, y_val: .*3 features"),
        ({"X_val": HELD[0], "y_val": HELD[1][:9]}, "X_val, y_val: .*inconsistent"),
        ({"X_val": HELD[0], "y_val": HELD[1] + 1}, "X_val, y_val: y: expected labels of"),
        ({"X_val": HELD[0] * np.nan, "y_val": HELD[1]}, "X_val: .*NaN"),
        ({"X_val": HELD[0], "y_val": HELD[1], "sample_weight_val": np.ones(3)}, "y_val, .*3,"),
        ({"X_val": HELD[0], "y_val": HELD[1], "sample_weight_val": np.zeros(75)}, "non-zero"),
    ],
)
def test_wrong_rows_to_look_at(given, words):
    with pytest.raises(ValueError, match=words):
        classifier().fit(*TRAIN, **given)


def test_given_rows_are_routed_through_a_pipeline_and_a_search():
    with sklearn.config_context(enable_metadata_routing=True):
        network = classifier(epochs=200, learning_rate=0.05).set_fit_request(X_val=True, y_val=True)
        pipe = Pipeline([("same", FunctionTransformer(lambda X: X)), ("net", network)])
        pipe.fit(*TRAIN, X_val=HELD[0], y_val=HELD[1])
        assert pipe[-1].n_iter_ == len(pipe[-1].validation_loss_curve_) < 200
        alone = classifier(epochs=200, learning_rate=0.05)
        alone.fit(*TRAIN, X_val=HELD[0], y_val=HELD[1])
        assert weights(pipe[-1]) == weights(alone)
        search = GridSearchCV(network, {"learning_rate": [0.05, 1e-5]}, cv=2)
        search.fit(*TRAIN, X_val=HELD[0], y_val=HELD[1])
        assert len(search.best_estimator_.validation_loss_curve_) > 1
        assert search.best_params_ == {"learning_rate": 0.05}
        # Rows that are to be transformed on the way.
        pipe = Pipeline(
            [("scale", StandardScaler()), ("net", network)], transform_input=["X_val"]
        ).fit(*TRAIN, X_val=HELD[0], y_val=HELD[1])
        curve = pipe[-1].validation_loss_curve_
        assert_allclose(log_loss(HELD[1], pipe.predict_proba(HELD[0])), min(curve), rtol=1e-9)


# Scorers


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", None, "own"])
def test_early_stopping_goes_by_a_scorer(scoring):
    def share_right(estimator, X, y):
        return accuracy_score(y, estimator.predict(X))

    given = share_right if scoring == "own" else scoring
    fitted = classifier(epochs=120, learning_rate=0.01, early_stopping=True, scoring=given)
    fitted.fit(DIGITS, DIGIT)
    if scoring is None:
        assert "val_score" not in fitted.history_
        return
    scores = fitted.history_["val_score"]
    assert fitted.best_epoch_ == np.argmax(scores) + 1
    assert fitted.n_iter_ == len(scores) == fitted.best_epoch_ + 30
    figure = {"neg_log_loss": "val_loss"}.get(scoring, "val_accuracy")
    sign = -1 if scoring == "neg_log_loss" else 1
    assert_allclose(scores, sign * np.array(fitted.history_[figure]), rtol=1e-5)


def test_a_scorer_of_labels_that_are_words_and_of_names_of_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(IRIS, columns=list("abcd"))
    names = np.array(["no", "yes"])[(KIND == 1).astype(int)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = classifier(scoring="roc_auc", early_stopping=True).fit(frame, names)
        given = classifier(scoring="roc_auc").fit(frame, names, X_val=frame[60:], y_val=names[60:])
    assert len(fitted.history_["val_score"]) == 5
    best = given.history_["val_score"][given.best_epoch_ - 1]
    assert best == roc_auc_score(names[60:] == "yes", given.decision_function(frame[60:]))


def test_callbacks_see_the_score():
    slower = ReduceLROnPlateau("val_score", patience=1, min_delta=10.0)
    fitted = classifier(scoring="accuracy", early_stopping=True, callbacks=slower)
    assert fitted.fit(IRIS, KIND).history_["learning_rate"][-1] < 0.001
    stopping = EarlyStopping("val_score", mode="max", patience=1, min_delta=10.0)
    fitted = classifier(scoring="accuracy", early_stopping=stopping).fit(IRIS, KIND)
    assert fitted.n_iter_ == 2 and fitted.best_epoch_ == 1
    stopping = EarlyStopping("val_score", patience=9, restore_best_weights=True)
    fitted = classifier(scoring="accuracy", early_stopping=stopping, epochs=9).fit(IRIS, KIND)
    scores = fitted.history_["val_score"]
    assert min(scores) < max(scores) == scores[fitted.best_epoch_ - 1]
    assert stopping.mode == "auto"


@pytest.mark.parametrize("make, X, y", [(classifier, IRIS, KIND), (regressor, ROWS, VALUES)])
def test_checkpoints_hold_the_best_model_and_that_of_each_epoch(make, X, y, tmp_path):
    pytest.importorskip("h5py")
    every = ModelCheckpoint(tmp_path / "{epoch}-{val_loss:.3f}.keras")
    best = ModelCheckpoint(tmp_path / "best.keras", save_best_only=True)
    stopping = EarlyStopping("val_loss", patience=9, restore_best_weights=True)
    fitted = make(epochs=4, early_stopping=stopping, callbacks=[every, best]).fit(X, y)
    losses = [f"{k}-{v:.3f}.keras" for k, v in enumerate(fitted.history_["val_loss"], 1)]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*losses, "best.keras"])
    assert best.best is None  # a fit has copies of its own
    for path in (tmp_path / "best.keras", tmp_path / losses[fitted.best_epoch_ - 1]):
        saved = load_model(path)
        for a, b in zip(saved.get_weights(), fitted.model_.get_weights(), strict=True):
            assert_array_equal(a, b)


class Interrupted(Callback):
    """Fails in the sixth epoch, once."""

    failed = False

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 5 and not Interrupted.failed:
            Interrupted.failed = True
            raise SystemExit


@pytest.mark.parametrize("make, X, y", [(classifier, IRIS, KIND), (regressor, ROWS, VALUES)])
def test_a_fit_that_was_interrupted_goes_on_with_the_same_bits(make, X, y, tmp_path, monkeypatch):
    settings = {"epochs": 9, "early_stopping": True, "random_state": 3}
    whole = make(**settings).fit(X, y)
    monkeypatch.setattr(Interrupted, "failed", False)
    parts = make(callbacks=[BackupAndRestore(tmp_path / "backup"), Interrupted()], **settings)
    with pytest.raises(SystemExit):
        parts.fit(X, y)
    parts.fit(X, y)
    assert Interrupted.failed and not (tmp_path / "backup").exists()
    assert parts.history_ == whole.history_ and parts.n_iter_ == whole.n_iter_
    for a, b in zip(parts.model_.get_weights(), whole.model_.get_weights(), strict=True):
        assert_array_equal(a, b)


def test_a_scorer_of_a_regression():
    fitted = regressor(scoring="r2", early_stopping=True, epochs=3).fit(ROWS, VALUES)
    assert len(fitted.history_["val_score"]) == 3


@pytest.mark.parametrize(
    "scoring, words",
    [
        ("acuracy", "acuracy"),
        (3, "scoring: expected None, the name"),
        (["accuracy"], "scoring: exp"),
    ],
)
def test_wrong_scorers(scoring, words):
    with pytest.raises(ValueError, match=words):
        classifier(scoring=scoring).fit(IRIS, KIND)


# The refit


def test_a_refit_trains_on_all_rows_for_the_best_number_of_epochs():
    settings = {"epochs": 100, "learning_rate": 0.01, "early_stopping": True}
    stopped = classifier(**settings).fit(DIGITS, DIGIT)
    refitted = classifier(**settings, refit_full=True).fit(DIGITS, DIGIT)
    assert refitted.history_ == stopped.history_
    assert refitted.best_epoch_ == stopped.best_epoch_ < refitted.n_iter_ == stopped.n_iter_
    by_hand = classifier(epochs=stopped.best_epoch_, learning_rate=0.01, early_stopping=False)
    assert weights(refitted) == weights(by_hand.fit(DIGITS, DIGIT)) != weights(stopped)


def test_a_refit_without_a_split_has_nothing_to_do():
    plain = classifier(early_stopping=False)
    assert weights(plain.fit(IRIS, KIND)) == weights(
        classifier(early_stopping=False, refit_full=True).fit(IRIS, KIND)
    )
    calls = []

    class Count(Callback):
        def on_train_begin(self, logs=None):
            calls.append(1)

    given = {"X_val": HELD[0], "y_val": HELD[1]}
    classifier(refit_full=True, callbacks=Count()).fit(*TRAIN, **given)
    assert len(calls) == 1


def test_a_fit_that_fails_leaves_the_estimator_as_it_was():
    class Bad(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("stop")

    fitted = classifier().fit(IRIS, KIND)
    before = weights(fitted)
    with pytest.raises(RuntimeError, match="stop"):
        fitted.set_params(callbacks=Bad()).fit(IRIS, KIND)
    assert weights(fitted) == before and fitted.n_iter_ == 5


def test_best_epochs_in_a_pipeline():
    pipe = make_pipeline(StandardScaler(), classifier(early_stopping=True, scoring="accuracy"))
    assert pipe.fit(IRIS, KIND).score(IRIS, KIND) > 0.3


# --- in a notebook


def test_a_notebook_shows_the_layers_with_shapes_and_parameters():
    X, y = load_iris(return_X_y=True)
    estimator = NNClassifier([Dense(64, "relu"), Dropout(0.2)], epochs=1)
    before = estimator._repr_html_()
    assert "NNClassifier" in before and "parameters</div>" not in before
    estimator.fit(X, y)
    for shown in (estimator, make_pipeline(StandardScaler(), estimator)):
        page = shown._repr_html_()
        places = [
            page.index(text)
            for text in ("input_scaling", "dense: Dense", "dropout: Dropout", "dense_1: Dense")
        ]
        assert places == sorted(places)
        assert "(None, 64), 320 parameters" in page and "(None, 3), 195 parameters" in page


def test_a_notebook_shows_the_layers_of_the_best_estimator_of_a_search():
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(NNClassifier(epochs=1, ensemble=1), {"layers": [(5,), (7, 6)]}, cv=2).fit(
        X, y
    )
    units = search.best_params_["layers"][0]
    assert f"(None, {units}), {units * 5} parameters" in search._repr_html_()
