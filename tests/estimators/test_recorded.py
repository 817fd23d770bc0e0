"""What a fitted estimator keeps of its training: metrics in `history_`, curves, and callbacks."""

import pickle

import matplotlib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import (
    average_precision_score,
    log_loss,
    mean_absolute_error,
    mean_absolute_percentage_error,
    precision_score,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

import nnlite
from nnlite import NNClassifier, NNRegressor, callbacks, metrics, ops
from nnlite.wrappers.scikit_learn import KerasClassifier

matplotlib.use("Agg")
TWO = load_breast_cancer(return_X_y=True)
THREE = load_iris(return_X_y=True)
NUMBERS = load_diabetes(return_X_y=True)
SETTINGS = {
    "hidden_layer_sizes": (4,),
    "epochs": 2,
    "random_state": 0,
    "dtype": "float64",
    "ensemble": 1,
}


def fitted(make, data, **settings):
    X, y = data
    rows = np.arange(len(X)) % 2 == 0
    made = make(**SETTINGS, **settings).fit(X[rows], y[rows], X_val=X[~rows], y_val=y[~rows])
    return made, X[~rows], y[~rows]


def last(estimator, name):
    return estimator.history_[name][-1]


# Metrics


def test_metrics_of_two_classes_are_scikit_learns():
    given = [metrics.AUC(10_000), metrics.Precision(), metrics.AUC(10_000, "PR", name="pr")]
    classifier, X, y = fitted(NNClassifier, TWO, metrics=given)
    p = classifier.predict_proba(X)[:, 1]
    assert np.isclose(last(classifier, "val_auc"), roc_auc_score(y, p), atol=2e-3)
    assert np.isclose(last(classifier, "val_pr"), average_precision_score(y, p), atol=2e-2)
    precision = precision_score(y, classifier.predict(X))
    assert np.isclose(last(classifier, "val_precision"), precision)
    assert len(classifier.history_["auc"]) == 2 and given[0].variables[0].numpy().sum() == 0


def test_metrics_of_more_classes_get_labels_in_the_form_that_they_compare():
    def half_right(y_true, y_pred):
        return ops.cast(ops.equal(ops.reshape(y_true, (-1,)), 1), "float64")

    given = ["auc", "categorical_crossentropy", "sparse_categorical_crossentropy", half_right]
    given += ["acc", "accuracy", metrics.SparseTopKCategoricalAccuracy(2), metrics.F1Score()]
    classifier, X, y = fitted(NNClassifier, THREE, metrics=given)
    p = classifier.predict_proba(X)
    flat = roc_auc_score(np.eye(3)[y].ravel(), p.ravel())
    assert np.isclose(last(classifier, "val_auc"), flat, atol=1e-2)
    for name in ("loss", "categorical_crossentropy", "sparse_categorical_crossentropy"):
        assert np.isclose(last(classifier, f"val_{name}"), log_loss(y, p), rtol=1e-6)
    assert np.isclose(last(classifier, "val_half_right"), np.mean(y == 1))
    assert last(classifier, "val_acc") == last(classifier, "val_accuracy")
    assert np.isclose(last(classifier, "val_acc"), classifier.score(X, y))
    second = np.sort(p, axis=1)[:, -2]
    top = np.mean(p[np.arange(len(y)), y] >= second)
    assert np.isclose(last(classifier, "val_sparse_top_k_categorical_accuracy"), top)
    assert last(classifier, "val_f1_score").shape == (3,)


FIGURES = {
    "mae": mean_absolute_error,
    "mape": lambda y, p: 100 * mean_absolute_percentage_error(y, p),
    "root_mean_squared_error": root_mean_squared_error,
    "r2_score": r2_score,
}


@pytest.mark.parametrize("offset, normalize", [(0, True), (1e4, True), (0, False)])
def test_metrics_of_a_regressor_are_in_the_unit_of_y(offset, normalize):
    data = NUMBERS[0], NUMBERS[1] + offset
    regressor, X, y = fitted(NNRegressor, data, metrics=[*FIGURES], normalize=normalize)
    for name, figure in FIGURES.items():
        assert np.isclose(last(regressor, f"val_{name}"), figure(y, regressor.predict(X)))


def test_metrics_are_weighted_set_and_kept():
    X, y = NUMBERS
    weight = np.arange(len(y)) % 2 * 1.0
    settings = {**SETTINGS, "metrics": ["mae"], "early_stopping": False}
    weighted = NNRegressor(**settings).fit(X, y, weight)
    alone = NNRegressor(**settings).fit(X[weight > 0], y[weight > 0])
    assert weighted.history_["mae"] == alone.history_["mae"]
    assert clone(alone).metrics == ["mae"] and alone.partial_fit(X, y).n_iter_ == 3
    assert len(alone.history_["mae"]) == 3
    again = pickle.loads(pickle.dumps(alone.set_params(warm_start=True)))
    assert again.fit(X, y).history_["mae"] == alone.fit(X, y).history_["mae"]


@pytest.mark.parametrize("wrong", ["nope", ["mea"], [3]])
def test_what_is_no_metric_is_refused_before_any_work(wrong):
    with pytest.raises((TypeError, ValueError), match=r"^metrics: "):
        NNRegressor(metrics=wrong).fit(*NUMBERS)


# Curves


def test_plot_draws_each_curve(tmp_path):
    classifier, _, _ = fitted(NNClassifier, THREE, metrics=["auc"])
    axes = classifier.plot(path=tmp_path / "curves.png")
    assert [ax.get_ylabel() for ax in axes] == ["loss", "accuracy", "auc"]
    assert axes[2].get_lines()[1].get_ydata().tolist() == classifier.history_["val_auc"]
    assert (tmp_path / "curves.png").stat().st_size > 1000
    with pytest.raises(NotFittedError):
        NNClassifier().plot()


# Callbacks


class Rates(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(epoch)


class Bare:
    """A callback of another library."""

    def __init__(self):
        self.seen = []

    def set_model(self, model):
        pass

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(epoch)


def net():
    model = nnlite.Sequential([nnlite.layers.Dense(3, "softmax", input_shape=(4,))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def test_what_callbacks_recorded_can_be_had():
    given = [("rates", Rates()), None, Bare()]
    classifier = NNClassifier(callbacks=given, **SETTINGS).fit(*THREE)
    rates, bare = classifier.callbacks_
    assert (type(rates), type(bare)) == (Rates, Bare) and rates.model is classifier.model_
    assert rates.seen == bare.seen == [0, 1] and given[0][1].seen == given[2].seen == []
    assert classifier.partial_fit(*THREE).callbacks_[0].seen == [2]
    given = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    wrapper = KerasClassifier(net, random_state=0).fit(*THREE, callbacks=[given, Rates()])
    assert wrapper.callbacks_[1].seen == [0] and wrapper.callbacks is None


def test_what_callbacks_recorded_is_that_of_the_history():
    refitted = NNClassifier(
        **{**SETTINGS, "early_stopping": callbacks.EarlyStopping("val_loss", patience=99)},
        callbacks=Rates(),
        refit_full=True,
    ).fit(*THREE)
    assert len(refitted.callbacks_[0].seen) == refitted.n_iter_ == 2


def test_callbacks_stay_in_the_process(tmp_path):
    given = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    wrapper = KerasClassifier(net, random_state=0).fit(*THREE, callbacks=[given])
    copies = [pickle.loads(pickle.dumps(wrapper)), wrapper.slim()]
    for copied in copies:
        assert not hasattr(copied, "callbacks_") and hasattr(copied, "history_")
    NNClassifier(**SETTINGS).fit(*THREE).save(tmp_path / "c.safetensors")
    assert not hasattr(nnlite.load(tmp_path / "c.safetensors"), "callbacks_")
