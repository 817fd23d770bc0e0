"""KerasClassifier and KerasRegressor: a function that makes a model, as an estimator."""

import pickle

import numpy as np
import pandas
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nnlite as keras
from nnlite.callbacks import EarlyStopping
from nnlite.layers import Dense
from nnlite.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Huber,
    Loss,
    SparseCategoricalCrossentropy,
)
from nnlite.optimizers import SGD, Adam
from nnlite.wrappers.scikit_learn import KerasClassifier, KerasRegressor

X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names[Y]


def create_model(learning_rate, batch_size):
    """As a tutorial writes it."""
    model = keras.Sequential()
    model.add(Dense(10, activation="relu", input_dim=X.shape[1]))
    model.add(Dense(3, activation="softmax"))
    model.compile(
        optimizer=Adam(learning_rate=learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def uncompiled(units=8, outputs=3):
    return keras.Sequential([Dense(units, "relu"), Dense(outputs, "softmax")])


def one_sigmoid():
    model = keras.Sequential([Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


def sparse(units=8):
    model = uncompiled(units)
    model.compile(Adam(0.05), "sparse_categorical_crossentropy")
    return model


def line(rate=0.1):
    model = keras.Sequential([Dense(1)])
    model.compile(SGD(rate), "mse")
    return model


def test_search_of_the_tutorial_finds_the_functions_arguments():
    digits, labels = load_digits(return_X_y=True)

    def create_model(learning_rate, batch_size):
        model = keras.Sequential()
        model.add(Dense(10, activation="relu", input_dim=64))
        model.add(Dense(10, activation="softmax"))
        model.compile(
            optimizer=Adam(learning_rate=learning_rate),
            loss="categorical_crossentropy",
            metrics=["accuracy"],
        )
        return model

    grid = {"learning_rate": [0.0001, 0.01], "batch_size": [32, 128]}
    classifier = KerasClassifier(build_fn=create_model, epochs=10, random_state=0)
    search = GridSearchCV(classifier, grid, cv=3).fit(digits / 16, labels)
    assert search.best_params_["learning_rate"] == 0.01 and search.best_score_ > 0.85
    assert search.best_estimator_.model_.optimizer.learning_rate == pytest.approx(0.01)


def test_setting_that_fit_and_the_function_share_reaches_both():
    seen = []

    def noting(batch_size):
        seen.append(batch_size)
        return sparse()

    fitted = KerasClassifier(noting, batch_size=75).fit(X, Y)
    assert seen == [75] and fitted.model_.history.params["steps"] == 2


@pytest.mark.parametrize("labels", [Y, NAMES, Y * 10 - 5], ids=["int", "str", "gaps"])
@pytest.mark.parametrize("function", [sparse, uncompiled])
def test_labels_of_any_kind(function, labels):
    fitted = KerasClassifier(function, optimizer=Adam(0.05), epochs=30, random_state=0)
    fitted.fit(X, labels)
    assert fitted.classes_.tolist() == np.unique(labels).tolist()
    assert set(fitted.predict(X)) <= set(labels) and fitted.score(X, labels) > 0.9
    proba = fitted.predict_proba(X)
    assert proba.shape == (150, 3) and np.allclose(proba.sum(axis=1), 1, atol=1e-6)


def test_integer_and_one_hot_labels_train_the_same_weights():
    settings = {"learning_rate": 0.01, "epochs": 3, "random_state": 0}
    one_hot = np.eye(3)[Y]
    first = KerasClassifier(create_model, **settings).fit(X, Y)
    second = KerasClassifier(create_model, **settings).fit(X, one_hot)
    for a, b in zip(first.model_.get_weights(), second.model_.get_weights()):
        assert a.tobytes() == b.tobytes()
    assert second.predict(X).shape == (150, 3) and (second.predict(X).sum(axis=1) == 1).all()
    assert second.score(X, one_hot) == first.score(X, Y)


def test_two_classes_and_one_sigmoid_unit():
    few, names = X[:100], NAMES[:100]
    fitted = KerasClassifier(one_sigmoid, optimizer=Adam(0.1), epochs=20, random_state=0)
    fitted.fit(few, names)
    assert fitted.score(few, names) == 1 and fitted.predict_proba(few).shape == (100, 2)


def test_clone_keeps_every_setting_and_nothing_learned():
    given = KerasClassifier(create_model, epochs=2, learning_rate=0.01, optimizer__beta_1=0.8)
    given.fit(X, Y)
    copy = clone(given)
    assert copy.get_params(deep=False) == given.get_params(deep=False)
    assert copy.learning_rate == 0.01 and copy.get_params()["optimizer__beta_1"] == 0.8
    with pytest.raises(NotFittedError):
        copy.predict(X)


def test_defaults_of_the_function_are_settings():
    assert KerasClassifier(sparse).get_params()["units"] == 8
    assert "units" in str(KerasClassifier(sparse).set_params(units=3))


@pytest.mark.parametrize("name", ["units", "model__units"])
def test_argument_has_two_names(name):
    search = GridSearchCV(KerasClassifier(sparse, epochs=1), {name: [3, 5]}, cv=2, refit=False)
    search.fit(X, Y)
    fitted = clone(search.estimator).set_params(**{name: 5}).fit(X, Y)
    assert fitted.model_.layers[0].units == 5


def test_settings_of_the_optimizer():
    fitted = KerasClassifier(sparse, optimizer__learning_rate=0.25).fit(X, Y)
    assert isinstance(fitted.model_.optimizer, Adam)
    assert fitted.model_.optimizer.learning_rate.item() == 0.25
    fitted = KerasClassifier(model=uncompiled, optimizer="sgd", optimizer__momentum=0.5).fit(X, Y)
    assert fitted.model_.optimizer.get_config()["momentum"] == 0.5


def test_scikeras_arguments_are_given():
    seen = {}

    def create(meta, compile_kwargs, hidden=4):
        seen.update(meta)
        model = keras.Sequential([Dense(hidden, "relu"), Dense(meta["n_classes_"], "softmax")])
        model.compile(**{**compile_kwargs, "loss": "sparse_categorical_crossentropy"})
        return model

    fitted = KerasClassifier(create, optimizer="adam", optimizer__learning_rate=0.5).fit(X, NAMES)
    assert seen["n_features_in_"] == 4 and seen["X_shape_"] == X.shape
    assert fitted.model_.optimizer.learning_rate.item() == 0.5


def test_same_seed_same_bits_and_pickles_keep_them():
    a, b = (KerasClassifier(sparse, epochs=3, random_state=3).fit(X, Y) for _ in range(2))
    again = pickle.loads(pickle.dumps(a))
    assert a.predict_proba(X).tobytes() == b.predict_proba(X).tobytes()
    assert a.predict_proba(X).tobytes() == again.predict_proba(X).tobytes()


def test_seed_of_the_process_is_that_of_a_fit_without_one():
    def fitted(seed):
        keras.utils.set_random_seed(seed)
        return [KerasClassifier(sparse).fit(X, Y).predict_proba(X).tobytes() for _ in range(2)]

    first, second = fitted(3)
    assert [first, second] == fitted(3) != fitted(4) and first != second


def test_weights_of_classes_and_rows():
    rows, labels = X[:120], Y[:120]
    balanced = KerasClassifier(sparse, class_weight="balanced", random_state=0).fit(rows, labels)
    by_hand = KerasClassifier(sparse, random_state=0)
    by_hand.fit(rows, labels, sample_weight=(40 / np.bincount(labels))[labels])
    assert balanced.predict_proba(X).tobytes() == by_hand.predict_proba(X).tobytes()


def test_validation_data_are_encoded_as_the_targets_are():
    fitted = KerasClassifier(create_model, learning_rate=0.01)
    fitted.fit(X[::2], NAMES[::2], validation_data=(X[1::2], NAMES[1::2]), epochs=4)
    assert len(fitted.history_["val_loss"]) == fitted.n_iter_ == 4


def test_pipeline_and_processes():
    pipeline = make_pipeline(StandardScaler(), KerasClassifier(sparse, epochs=10, random_state=0))
    grid = {"kerasclassifier__units": [4, 16]}
    alone = GridSearchCV(pipeline, grid, cv=3).fit(X, NAMES)
    two = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, NAMES)
    assert (
        alone.cv_results_["mean_test_score"].tolist() == two.cv_results_["mean_test_score"].tolist()
    )


def test_last_rows_are_those_of_the_validation_split():
    fitted = KerasClassifier(sparse, units=3, validation_split=0.2, epochs=1, random_state=0)
    fitted.fit(X, Y // 2)
    alone = KerasClassifier(sparse, units=3, epochs=1, random_state=0)
    alone.fit(X[:120], Y[:120] // 2, validation_data=(X[120:], Y[120:] // 2))
    assert fitted.history_ == alone.history_ and "val_loss" in fitted.history_


def test_rows_keep_their_order_without_shuffle():
    def ones():
        return keras.Sequential([Dense(3, "softmax", kernel_initializer="ones")])

    model = ones()
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    model.fit(X, Y, shuffle=False, batch_size=32)
    fitted = KerasClassifier(ones, shuffle=False, dtype="float32").fit(X, Y)
    for a, b in zip(fitted.model_.get_weights(), model.get_weights()):
        assert a.tobytes() == b.tobytes()


def test_arguments_of_fit_hold_for_this_once():
    classifier = KerasClassifier(sparse, epochs=3)
    assert classifier.fit(X, Y, epochs=2, batch_size=50).n_iter_ == 2
    assert classifier.model_.history.params["steps"] == 3
    assert classifier.epochs == 3 and classifier.batch_size == 32
    with pytest.raises(ValueError, match="epochs"):
        classifier.fit(X, Y, epochs=0)
    assert classifier.epochs == 3
    with pytest.raises(TypeError, match="fit: unknown argument initial_epoch"):
        classifier.fit(X, Y, initial_epoch=2)
    with pytest.raises(TypeError, match=r"fit: unknown argument epoch; .*; did you mean 'epochs'"):
        classifier.fit(X, Y, epoch=2)


@pytest.mark.parametrize("given", [5, X, (X,), (X, Y, Y, Y)])
def test_validation_data_are_two_or_three_arrays(given):
    with pytest.raises(TypeError, match=r"validation_data: expected \(X_val, y_val\) or"):
        KerasClassifier(sparse).fit(X, Y, validation_data=given)


def test_settings_of_keras_are_checked_by_name():
    with pytest.raises(ValueError, match="shuffle: expected True or False, got 'batch'"):
        KerasClassifier(sparse, shuffle="batch").fit(X, Y)
    with pytest.raises(ValueError, match="optimizer: unknown optimizer 'adm'"):
        KerasClassifier(sparse, optimizer="adm").fit(X, Y)
    with pytest.raises(TypeError, match="SKLearnRegressor a compiled model"):
        KerasClassifier(sparse()).fit(X, Y)


def test_model_is_trained_by_the_loss_and_the_metrics_it_was_compiled_with():
    def squares():
        model = uncompiled()
        model.compile("adam", "mse", metrics=["accuracy", keras.metrics.AUC(name="auc")])
        return model

    fitted = KerasClassifier(squares, epochs=2, validation_split=0.2).fit(X, NAMES)
    assert fitted.model_.loss.name == "mean_squared_error"
    names = {"loss", "accuracy", "auc"}
    assert set(fitted.history_) == names | {f"val_{name}" for name in names}


class Cubic(Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


def cubes(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


@pytest.mark.parametrize(
    "loss", [cubes, Cubic, Cubic(), CategoricalCrossentropy(label_smoothing=0.1), "kl_divergence"]
)
def test_loss_of_any_kind(loss):
    fitted = KerasClassifier(uncompiled, loss=loss, optimizer=Adam(0.05), epochs=30, random_state=0)
    assert fitted.fit(X, NAMES).score(X, NAMES) > 0.9


@pytest.mark.parametrize(
    "loss, outputs",
    [
        (SparseCategoricalCrossentropy(from_logits=True), 3),
        (BinaryCrossentropy(True), 1),
        (CategoricalCrossentropy(from_logits=True), 3),
        (CategoricalCrossentropy(from_logits=True), 2),
    ],
)
def test_outputs_that_are_logits(loss, outputs):
    def create():
        return keras.Sequential([Dense(8, "relu"), Dense(outputs)])

    y = NAMES if outputs == 3 else NAMES == "setosa"
    fitted = KerasClassifier(create, loss=loss, optimizer=Adam(0.05), epochs=30, random_state=0)
    proba = fitted.fit(X, y).predict_proba(X)
    assert (proba >= 0).all() and np.allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert fitted.score(X, y) > 0.9
    assert np.array_equal(fitted.predict(X), fitted.classes_[proba.argmax(axis=1)])


@pytest.mark.parametrize("labels", [[1, 2, 3], [5, 7]])
def test_more_outputs_than_labels(labels):
    rows = Y < len(labels)
    y = np.array(labels)[Y[rows]]
    fitted = KerasClassifier(uncompiled, outputs=10, optimizer=Adam(0.05), epochs=30)
    fitted.fit(X[rows], y)
    proba = fitted.predict_proba(X)
    assert proba.shape == (150, len(labels)) and np.allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(fitted.predict_log_proba(X), np.log(proba), atol=1e-4)
    assert set(fitted.predict(X)) == set(labels) and fitted.score(X[rows], y) > 0.9


def test_all_that_the_other_estimators_do():
    settings = {"units": 16, "optimizer": Adam(0.05), "random_state": 0}
    steady = KerasClassifier(sparse, epochs=5, warm_start=True, **settings).fit(X, NAMES)
    assert steady.fit(X, NAMES).n_iter_ == 10
    streamed = KerasClassifier(sparse, **settings)
    for _ in range(30):
        streamed.partial_fit(csr_array(X), NAMES, classes=np.unique(NAMES))
    assert streamed.score(csr_array(X), NAMES) > 0.9
    assert streamed.decision_function(X).shape == (150, 3)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    assert KerasClassifier(sparse).fit(frame, NAMES).feature_names_in_.tolist() == list("abcd")
    stopped = KerasClassifier(sparse, epochs=200, early_stopping=True, **settings)
    stopped.set_params(early_stopping__patience=2, early_stopping__min_delta=0.05).fit(X, NAMES)
    assert stopped.n_iter_ < 100 and stopped.best_epoch_ == stopped.n_iter_ - 2


def test_one_hot_labels_in_parts_and_by_weight_of_classes():
    one_hot = np.eye(3)[Y]
    fitted = KerasClassifier(uncompiled, optimizer=Adam(0.05), class_weight={0: 2, 1: 1, 2: 1})
    for _ in range(30):
        fitted.partial_fit(X, one_hot)
    assert fitted.target_type_ == "multiclass-onehot" and fitted.score(X, one_hot) > 0.9
    with pytest.raises(ValueError, match="3 columns of 0 and a single 1 again"):
        fitted.partial_fit(X, 1 - one_hot)
    several = KerasClassifier(lambda meta: keras.Sequential([Dense(3, "sigmoid")]))
    several.fit(X, 1 - one_hot)
    assert several.target_type_ == "multilabel-indicator" and several.predict(X).shape == (150, 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda layers, activation, normalize, schedule, hidden_layer_sizes, learning_rate: sparse(),
        lambda **arguments: sparse(),
    ],
)
def test_arguments_may_be_called_as_settings_of_the_other_estimators_are(function):
    arguments = {
        "layers": None,
        "activation": 3,
        "normalize": "x",
        "schedule": 1,
        "learning_rate": -1,
        "hidden_layer_sizes": None,
    }
    fitted = clone(KerasClassifier(function, **arguments)).fit(X, Y)
    params = fitted.get_params()
    assert {name: params[name] for name in arguments} == arguments
    assert fitted.model_.optimizer.learning_rate.item() == pytest.approx(0.05)


def test_set_params_changes_nothing_where_a_name_is_unknown():
    classifier = KerasClassifier(sparse, callbacks=[EarlyStopping("loss")])
    before = classifier.get_params(deep=False)
    with pytest.raises(ValueError, match="Invalid parameter 'nope'"):
        classifier.set_params(epochs=7, units=3, model__units=4, nope=1)
    assert classifier.get_params(deep=False) == before
    assert classifier.set_params(rate=2, build_fn=line).rate == 2
    classifier.set_params(early_stopping_1__patience=4, loss=Huber()).set_params(loss__delta=3)
    assert classifier.callbacks[0].patience == 4 and classifier.loss.delta == 3


def test_regressor():
    rows, y = make_regression(200, 5, random_state=0)
    fitted = KerasRegressor(line, epochs=30, random_state=0).fit(rows, y)
    assert fitted.score(rows, y) > 0.99 and fitted.predict(rows).shape == (200,)
    fitted.fit(rows, y[:, None])
    assert fitted.predict(rows).shape == (200, 1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_diverged_candidates_score_finitely_badly():
    rows, y = make_regression(100, 5, random_state=0)
    scores = cross_val_score(KerasRegressor(line, rate=1e9, epochs=20), rows, y, cv=3)
    assert np.isfinite(scores).all() and (scores < 0.5).all()
    wild = KerasClassifier(sparse, optimizer=SGD(1e30), epochs=20)
    scores = cross_val_score(wild, X, Y, cv=3, scoring="neg_log_loss")
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    "make, error, said",
    [
        (lambda: KerasClassifier(create_model), ValueError, "learning_rate: expected a value"),
        (lambda: KerasClassifier(), TypeError, "build_fn: expected a function"),
        (lambda: KerasClassifier(uncompiled()), TypeError, "expected a function"),
        (lambda: KerasClassifier(lambda: 3), TypeError, "expected it to return a model"),
        (lambda: KerasClassifier(sparse, unit=3), ValueError, "unit: no setting, .*are units"),
        (lambda: KerasClassifier(uncompiled, outputs=2), ValueError, "build_fn: .*with 3 outputs"),
        (lambda: KerasClassifier(sparse, epochs=0), ValueError, "epochs"),
    ],
)
def test_wrong_settings_are_errors_of_fit(make, error, said):
    with pytest.raises(error, match=said):
        make().fit(X, Y)


def test_unknown_setting_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"Invalid parameter 'unit'.*batch_size.*units"):
        KerasClassifier(sparse).set_params(unit=3)


def test_wrappers_are_where_keras_2_had_them():
    assert keras.wrappers.scikit_learn.KerasClassifier is KerasClassifier


def test_a_regressor_has_no_weights_of_classes():
    with pytest.raises(ValueError, match="class_weight: expected None for a regressor"):
        KerasRegressor(line, class_weight="balanced").fit([[0.0], [1.0]], [0.0, 1.0])
