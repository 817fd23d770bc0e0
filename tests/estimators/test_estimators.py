"""What users of scikit-learn rely on: settings, copies, bits, weights, early stopping, results."""

import copy
import pickle
import sys
import warnings

import numpy as np
import pandas
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnlite import NNClassifier, NNRegressor, ops
from nnlite.callbacks import Callback, EarlyStopping
from nnlite.estimators import defaults
from nnlite.layers import Activation, Dense, Dropout, Flatten, Input, Reshape
from nnlite.optimizers import SGD, Adam, Optimizer
from nnlite.training import loop

IRIS, KIND = load_iris(return_X_y=True)
DIGITS, DIGIT = load_digits(return_X_y=True)
ROWS, VALUES = make_regression(120, 6, noise=1.0, random_state=0)
VALUES = VALUES / VALUES.std()


def classifier(*args, **kwargs):
    """A quick one."""
    return NNClassifier(*args, **{"epochs": 5, "random_state": 0, **kwargs})


def regressor(*args, **kwargs):
    return NNRegressor(*args, **{"epochs": 5, "random_state": 0, **kwargs})


def bits(estimator, X=IRIS):
    """The outputs, exactly."""
    outputs = getattr(estimator, "predict_proba", estimator.predict)(X)
    return outputs.dtype.str, outputs.tobytes()


def weights(estimator):
    return b"".join(w.tobytes() for w in estimator.model_.get_weights())


# Settings


@pytest.mark.parametrize(
    "sizes, units",
    [
        ((), [3]),
        (7, [7, 3]),
        (np.int64(7), [7, 3]),
        ((5, 6), [5, 6, 3]),
        ([5, 6.0], [5, 6, 3]),
        (np.array([4, 2]), [4, 2, 3]),
    ],
)
def test_hidden_layer_sizes(sizes, units):
    fitted = classifier(hidden_layer_sizes=sizes, activation="tanh", epochs=1, normalize=False)
    fitted.fit(IRIS, KIND)
    assert [layer.kernel.shape[1] for layer in fitted.model_.layers] == units
    assert all(layer.activation == "tanh" for layer in fitted.model_.layers[:-1])


@pytest.mark.parametrize(
    "layers, units",
    [
        (Dense(7), [7, 3]),
        ([], [3]),
        ((Dense(4), None, Dense(5)), [4, 5, 3]),
        ([None], [3]),
        ([Input((4,)), Dense(6, "relu")], [6, 3]),
        ([Reshape((2, 2)), Flatten(), Dense(6)], [6, 3]),
        ([Dense(4), Activation(lambda x: ops.maximum(x, 0.0))], [4, 3]),
        ([Dense(5, name="output"), Dense(2, name="dense")], [5, 2, 3]),
    ],
)
def test_layers(layers, units):
    fitted = classifier(layers, epochs=1).fit(IRIS, KIND)
    assert [x.kernel.shape[1] for x in fitted.model_.layers if isinstance(x, Dense)] == units


def test_fit_builds_copies_and_leaves_every_spec_alone():
    specs = {
        "layers": [Dense(8, "relu", kernel_regularizer="l2"), Dropout(0.2)],
        "optimizer": Adam(0.01),
        "early_stopping": EarlyStopping(patience=2, restore_best_weights=True),
        "callbacks": [EarlyStopping("loss", patience=3)],
    }
    estimator = classifier(**specs)
    before = repr(estimator)
    estimator.fit(IRIS, KIND)
    assert repr(estimator) == before
    assert all(getattr(estimator, name) is spec for name, spec in specs.items())
    assert not any(layer.built or layer.weights for layer in specs["layers"])
    assert not specs["optimizer"].built
    for callback in (specs["early_stopping"], *specs["callbacks"]):
        assert callback.model is None and not hasattr(callback, "best")


def test_a_layer_given_twice_is_two_layers():
    hidden = Dense(4)
    fitted = classifier([hidden, hidden], normalize=False).fit(IRIS, KIND)
    first, second, _ = fitted.model_.layers
    assert first.kernel is not second.kernel and not hidden.built


def test_clone_has_the_settings_and_nothing_learned():
    estimator = classifier(
        [Dense(8), Dropout(0.2)],
        optimizer=SGD(0.1, momentum=0.9),
        early_stopping=EarlyStopping(patience=3),
    ).fit(IRIS, KIND)
    copied = clone(estimator)
    assert repr(copied) == repr(estimator) and not hasattr(copied, "model_")
    assert copied.layers[0] is not estimator.layers[0]
    assert bits(copied.fit(IRIS, KIND)) == bits(estimator)


def test_nested_settings_change_a_copy_of_the_spec():
    shared = Adam(0.01)
    one, other = classifier(optimizer=shared), classifier(optimizer=shared)
    assert one.get_params()["optimizer__learning_rate"] == 0.01
    one.set_params(optimizer__learning_rate=0.5, optimizer__beta_1=0.8)
    assert one.get_params()["optimizer__learning_rate"] == 0.5
    assert one.optimizer.get_params()["beta_1"] == 0.8
    assert shared.get_params()["learning_rate"] == 0.01 and other.optimizer is shared
    one.set_params(optimizer__learning_rate=0.2, optimizer=SGD(momentum=0.5))  # in any order
    assert one.optimizer == SGD(0.2, momentum=0.5)
    one.set_params(early_stopping__patience=7, early_stopping=EarlyStopping(), layers=Dense(3))
    assert one.get_params()["early_stopping__patience"] == 7
    assert one.set_params(layers__units=5).get_params()["layers__units"] == 5


def test_names_that_are_no_settings_are_refused():
    with pytest.raises(ValueError, match="no setting 'lerning_rate'; it has learning_rate"):
        classifier(optimizer=Adam()).set_params(optimizer__lerning_rate=0.1)
    for name in ("lerning_rate", "optimiser__learning_rate"):
        with pytest.raises(ValueError, match=r"Valid parameters are: .*learning_rate"):
            classifier().set_params(**{name: 0.1})


def test_learning_rate_is_the_optimizers():
    def fitted(**kwargs):
        return bits(classifier(**kwargs).fit(IRIS, KIND))

    assert fitted(learning_rate=0.01) == fitted(optimizer=Adam(0.01))
    assert fitted(learning_rate=0.01, optimizer=Adam(0.5)) == fitted(optimizer=Adam(lr=0.01))
    assert fitted(learning_rate=0.01) != fitted()


def test_an_optimizer_of_the_users_own():
    class Plain(Optimizer):
        def __init__(self, learning_rate=0.1):
            super().__init__(learning_rate)

        def update_step(self, gradient, variable, learning_rate):
            ops.sgd_update(variable, gradient, learning_rate)

    own = classifier(optimizer=Plain(), learning_rate=0.05).fit(IRIS, KIND)
    assert bits(own) == bits(classifier(optimizer=SGD(0.05)).fit(IRIS, KIND))


def test_numbers_of_every_kind_are_settings():
    plain = classifier(batch_size=32, epochs=3, learning_rate=0.01, n_threads=1).fit(IRIS, KIND)
    other = classifier(
        batch_size=32.0,
        epochs=np.float64(3),
        learning_rate=np.float64(0.01),
        n_threads=np.int8(1),
        random_state=np.int64(0),
        verbose=False,
    )
    assert bits(other.fit(IRIS, KIND)) == bits(plain)


def test_repr_names_what_was_changed():
    estimator = NNClassifier([Dense(32, activation="relu"), Dropout(0.2)], optimizer=Adam(0.01))
    shown = " ".join(repr(estimator).split())
    assert shown == (
        "NNClassifier(layers=[Dense(units=32, activation='relu'), Dropout(rate=0.2)], "
        "optimizer=Adam(learning_rate=0.01))"
    )
    assert "NNClassifier" in estimator._repr_html_()
    assert "not fitted" in estimator._repr_html_().lower()


@pytest.mark.parametrize("estimator", [NNClassifier, NNRegressor])
def test_docstrings_name_every_setting_and_result(estimator):
    words = estimator.__doc__.split()
    assert "{parameters}" not in words and "{attributes}" not in words
    fitted = estimator(epochs=1, callbacks=None).fit(pandas.DataFrame({"a": [0.0, 1.0]}), [0, 1])
    learned = [name for name in vars(fitted) if name.endswith("_")]
    for name in [*estimator().get_params(deep=False), *learned]:
        assert name in words or f"{name}," in words, name


# Copies


@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))],
    ids=["deepcopy", "pickle"],
)
@pytest.mark.parametrize("kind", [NNClassifier, NNRegressor])
def test_copies_fit_and_predict_the_same_bits(kind, duplicate):
    estimator = kind([Dense(8), Dropout(0.3)], epochs=5, random_state=0)
    unfitted = duplicate(estimator)
    fitted = estimator.fit(IRIS, KIND)
    assert bits(unfitted.fit(IRIS, KIND)) == bits(fitted)
    same = duplicate(fitted)
    assert bits(same) == bits(fitted)
    assert same.history_ == fitted.history_ and same.model_ is not fitted.model_
    # Training goes on from the same state, the optimizer's included.
    assert bits(same.partial_fit(IRIS, KIND)) == bits(fitted.partial_fit(IRIS, KIND))


# Pipelines


def test_a_pipeline_and_cross_validation():
    pipeline = make_pipeline(StandardScaler(), classifier(epochs=60, learning_rate=0.02))
    assert cross_val_score(pipeline, IRIS, KIND, cv=3).min() > 0.9
    pipeline = make_pipeline(StandardScaler(), regressor(epochs=100, learning_rate=0.02))
    assert cross_val_score(pipeline, ROWS, VALUES, cv=3).min() > 0.9


# The same bits


def test_a_seed_decides_every_bit():
    def fitted(seed):
        return bits(classifier([Dense(16), Dropout(0.5)], random_state=seed).fit(IRIS, KIND))

    assert fitted(3) == fitted(3)
    assert fitted(3) != fitted(4)
    assert fitted(None) != fitted(None)
    assert fitted(np.random.RandomState(3)) == fitted(np.random.RandomState(3))


def test_a_random_state_moves_on_from_fit_to_fit():
    estimator = classifier(random_state=np.random.RandomState(3))
    first = bits(estimator.fit(IRIS, KIND))
    assert bits(estimator.fit(IRIS, KIND)) != first
    assert bits(clone(classifier(random_state=3)).fit(IRIS, KIND)) == first


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_of_a_subset_are_the_subset_of_the_predictions(dtype):
    layers = [Dense(50, "relu"), Dense(33, "tanh")]
    fitted = classifier(layers, epochs=1, dtype=dtype).fit(DIGITS, DIGIT)
    everything = fitted.predict_proba(DIGITS)
    assert everything.dtype == dtype
    chosen = np.random.RandomState(0).permutation(len(DIGITS))
    for count in (1, 2, 7, 255, 257, 1000, len(DIGITS)):
        rows = chosen[:count]
        assert_array_equal(fitted.predict_proba(DIGITS[rows]), everything[rows])
        assert_array_equal(fitted.predict(DIGITS[rows]), fitted.predict(DIGITS)[rows])


# Precision


def test_small_float64_data_are_trained_in_float64_and_all_else_in_float32():
    def dtype_of(rows, columns, kind=float, **kwargs):
        X = np.random.RandomState(0).rand(rows, columns).astype(kind)
        y = np.arange(rows) % 2
        fitted = classifier(**{"epochs": 1, "early_stopping": False, **kwargs}).fit(X, y)
        assert fitted.dtype_ == fitted.predict_proba(X).dtype == fitted.model_.weights[0].dtype
        return str(fitted.dtype_)

    assert dtype_of(128, 128, hidden_layer_sizes=100) == "float64"  # 16,384 values
    assert dtype_of(129, 128) == "float32"
    # 4 features: 6 * units + 1 weights
    assert dtype_of(20, 4, hidden_layer_sizes=3333) == "float64"  # 19,999
    assert dtype_of(20, 4, hidden_layer_sizes=3334) == "float32"  # 20,005
    for kind in (np.float32, np.float16, int, np.uint8, bool):
        assert dtype_of(20, 4, kind) == "float32"
        assert dtype_of(20, 4, kind, dtype="float64") == "float64"
    assert dtype_of(20, 4, dtype="float32") == "float32"
    assert dtype_of(129, 128, dtype="float64") == "float64"


def test_a_precision_once_chosen_is_kept():
    streamed = classifier().partial_fit(IRIS, KIND, classes=[0, 1, 2])
    assert streamed.dtype_ == np.float32
    streamed = classifier(dtype="float64").partial_fit(IRIS, KIND, classes=[0, 1, 2])
    assert streamed.dtype_ == np.float64
    fitted = classifier().fit(IRIS, KIND).partial_fit(IRIS.astype(np.float32), KIND)
    assert fitted.dtype_ == fitted.predict_proba(IRIS.astype(np.float32)).dtype == np.float64


# Weights


@pytest.mark.parametrize("batch_size", [16, "auto"])
def test_the_loss_is_divided_by_the_sum_of_the_weights(batch_size):
    w = np.random.RandomState(0).uniform(0, 5, len(IRIS))
    still = {"epochs": 1, "learning_rate": 0, "batch_size": batch_size, "normalize": False}
    for y in (KIND, KIND == 2):
        fitted = classifier(**still).fit(IRIS, y, w)
        expected = log_loss(y, fitted.predict_proba(IRIS), sample_weight=w)
        assert_allclose(fitted.loss_, expected, rtol=1e-9)
        hits = np.average(fitted.predict(IRIS) == y, weights=w)
        assert_allclose(fitted.history_["accuracy"], [hits], rtol=1e-12)
    fitted = regressor(**still).fit(ROWS, VALUES, w[:120])
    error = (fitted.predict(ROWS) - VALUES) ** 2
    assert_allclose(fitted.loss_, np.average(error, weights=w[:120]), rtol=1e-9)


def test_only_the_ratio_of_weights_matters():
    w = np.random.RandomState(0).uniform(0.1, 1, len(IRIS))
    one = classifier(batch_size=16).fit(IRIS, KIND, w)
    for factor in (1e-300, 1e300):
        other = classifier(batch_size=16).fit(IRIS, KIND, w * factor)
        assert_allclose(other.predict_proba(IRIS), one.predict_proba(IRIS), rtol=1e-9)


@pytest.mark.parametrize("estimator, y", [(classifier, KIND), (regressor, IRIS[:, 1])])
def test_rows_of_weight_zero_count_as_removed(estimator, y):
    w = np.ones(len(IRIS))
    w[::3] = 0
    settings = {"batch_size": 8, "early_stopping": True, "layers": [Dense(8), Dropout(0.2)]}
    with_zeros = estimator(**settings).fit(IRIS, y, w)
    removed = estimator(**settings).fit(IRIS[w > 0], y[w > 0], w[w > 0])
    assert weights(with_zeros) == weights(removed) and with_zeros.history_ == removed.history_
    # A batch of nothing but zeros is no loss of 0 / 0.
    mostly_zero = np.zeros(len(IRIS))
    mostly_zero[[3, 60, 120]] = 1
    assert np.isfinite(estimator(batch_size=1).fit(IRIS, y, mostly_zero).loss_curve_).all()


def test_a_class_of_weight_zero_is_still_a_class():
    fitted = classifier(epochs=50).fit(IRIS, KIND, KIND != 1)
    assert_array_equal(fitted.classes_, [0, 1, 2])
    assert fitted.predict_proba(IRIS).shape == (150, 3)


# Early stopping


@pytest.fixture
def held_out(monkeypatch):
    """What `fit` hands to the training loop."""
    seen, fit = {}, loop.fit

    def spy(model, batches, epochs, validation=None, **rest):
        seen.update(train=batches, held=validation and validation.batches)
        return fit(model, batches, epochs, validation=validation, **rest)

    monkeypatch.setattr(loop, "fit", spy)
    return seen


def test_early_stopping_is_on_from_500_rows(held_out):
    fitted = classifier().fit(DIGITS[:499], DIGIT[:499])
    assert held_out["held"] is None and fitted.validation_loss_curve_ is None
    assert fitted.best_epoch_ == fitted.n_iter_ == 5
    fitted = classifier().fit(DIGITS[:500], DIGIT[:500])
    assert held_out["held"].rows == 50 and held_out["train"].rows == 450
    assert len(fitted.validation_loss_curve_) == fitted.n_iter_ == 5
    classifier(early_stopping=False).fit(DIGITS[:500], DIGIT[:500])
    assert held_out["held"] is None


@pytest.mark.parametrize("kind", ["multiclass", "binary", "regression"])
def test_the_best_weights_are_restored(held_out, kind):
    y = {"multiclass": DIGIT, "binary": DIGIT > 4, "regression": DIGIT / 9}[kind]
    make = regressor if kind == "regression" else classifier
    w = np.random.RandomState(0).uniform(0.5, 2, len(DIGIT))
    fitted = make(epochs=300, learning_rate=0.02).fit(DIGITS / 16, y, w)
    curve = fitted.validation_loss_curve_
    assert fitted.n_iter_ == len(curve) == fitted.best_epoch_ + defaults.PATIENCE < 300
    assert fitted.best_epoch_ == np.argmin(curve) + 1
    again = loop.evaluate(fitted.model_, held_out["held"])
    assert again["loss"] == min(curve)


def test_the_rows_held_out_are_stratified(held_out):
    y = np.r_[np.zeros(540), np.ones(60)].astype(int)
    classifier(epochs=1, validation_fraction=0.2).fit(DIGITS[:600], y)
    for part, counts in (("held", [108, 12]), ("train", [432, 48])):
        batches = held_out[part]
        labels = batches.sources[1].array[batches.numbers]
        assert_array_equal(np.bincount(labels.ravel().astype(int)), counts)
    # A class of one row cannot be: the split is then a plain one.
    y[0] = 2
    classifier(epochs=1).fit(DIGITS[:600], y)
    assert held_out["held"].rows == 60


def test_an_early_stopping_of_the_users_own(held_out):
    stopping = EarlyStopping(monitor="val_accuracy", patience=3, restore_best_weights=True)
    fitted = classifier(epochs=200, early_stopping=stopping).fit(IRIS, KIND)
    assert held_out["held"].rows == 15
    assert fitted.best_epoch_ == np.argmax(fitted.history_["val_accuracy"]) + 1
    assert fitted.n_iter_ == fitted.best_epoch_ + 3
    # What does not look at held-out rows needs none.
    fitted = classifier(epochs=200, early_stopping=EarlyStopping("loss", min_delta=1.0, patience=2))
    fitted.fit(IRIS, KIND)
    assert held_out["held"] is None and fitted.n_iter_ == 3 and fitted.best_epoch_ == 1


# What is learned


def test_the_figures_of_a_fit():
    fitted = classifier(epochs=4).fit(IRIS, KIND)
    assert list(fitted.history_) == ["loss", "accuracy"]
    assert fitted.loss_curve_ == fitted.history_["loss"]
    assert len(fitted.loss_curve_) == fitted.n_iter_ == 4
    assert fitted.loss_ == fitted.loss_curve_[-1] and fitted.validation_loss_curve_ is None
    fitted = regressor(epochs=4, early_stopping=True).fit(ROWS, VALUES)
    assert list(fitted.history_) == ["loss", "val_loss"]
    assert fitted.validation_loss_curve_ == fitted.history_["val_loss"]


def test_verbose(capsys):
    classifier().fit(IRIS, KIND)
    assert capsys.readouterr().out == ""
    classifier(verbose=2).fit(IRIS, KIND)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[0].startswith("Epoch 1/5 - loss: ")
    assert all("accuracy: " in line for line in lines)
    classifier(verbose=True).fit(IRIS, KIND)
    assert capsys.readouterr().out.count("Epoch ") == 5


def test_callbacks_are_called(capsys):
    class Loud(Callback):
        def on_epoch_end(self, epoch, logs=None):
            print(epoch, sorted(logs))

    said = "0 ['accuracy', 'loss']\n1 ['accuracy', 'loss']\n"
    for given in (Loud(), [Loud()], (Loud(),)):
        classifier(epochs=2, callbacks=given).fit(IRIS, KIND)
        assert capsys.readouterr().out == said
    streamed = classifier(callbacks=Loud())
    streamed.partial_fit(IRIS, KIND, [0, 1, 2]).partial_fit(IRIS, KIND)
    assert capsys.readouterr().out == said and streamed.n_iter_ == 2


def test_partial_fit_goes_on():
    streamed = classifier(batch_size=32, learning_rate=0.01)
    for _ in range(40):
        streamed.partial_fit(IRIS, KIND, classes=[2, 1, 0])
    assert streamed.n_iter_ == streamed.best_epoch_ == len(streamed.loss_curve_) == 40
    assert streamed.loss_curve_[-1] < streamed.loss_curve_[0] and streamed.score(IRIS, KIND) > 0.9
    only_some = classifier().partial_fit(IRIS[:50], KIND[:50], classes=[0, 1, 2])
    assert only_some.predict_proba(IRIS).shape == (150, 3)
    fitted = regressor(early_stopping="auto").fit(ROWS, VALUES).partial_fit(ROWS, VALUES)
    assert fitted.n_iter_ == 6


def test_a_second_fit_starts_afresh():
    estimator = classifier().fit(DIGITS[:100], DIGIT[:100])
    assert bits(estimator.fit(IRIS, KIND)) == bits(classifier().fit(IRIS, KIND))
    assert estimator.n_features_in_ == 4 and estimator.n_iter_ == 5


def test_a_diverging_fit_warns_once_and_says_what_to_do():
    with pytest.warns(RuntimeWarning, match="learning rate") as caught:
        fitted = regressor(optimizer="sgd", learning_rate=1e3, epochs=30).fit(ROWS, VALUES)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert not np.isfinite(fitted.loss_)


def test_no_warnings_in_ordinary_use():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier().fit(DIGITS, DIGIT).predict_log_proba(DIGITS)
        pickle.loads(pickle.dumps(regressor().fit(ROWS, VALUES))).predict(ROWS)


def test_no_python_runs_for_each_row():
    def calls(rows):
        count = [0]

        def see(frame, event, arg):
            count[0] += event == "call"

        X = np.zeros((rows, 4))
        fitted.predict(X)
        sys.setprofile(see)
        try:
            fitted.predict(X)
        finally:
            sys.setprofile(None)
        return count[0]

    fitted = classifier().fit(IRIS, np.array(["a", "b", "c"])[KIND])
    assert calls(200_000) < calls(1_000) + 500
