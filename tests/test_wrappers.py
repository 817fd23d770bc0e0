"""KerasClassifier and KerasRegressor: a function that makes a model, as an estimator."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nnlite as keras
from nnlite.layers import Dense
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
    assert alone.cv_results_["mean_test_score"].tolist() == two.cv_results_[
        "mean_test_score"].tolist()


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


@pytest.mark.parametrize("make, error, said", [
    (lambda: KerasClassifier(create_model), ValueError, "learning_rate: expected a value"),
    (lambda: KerasClassifier(), TypeError, "build_fn: expected a function"),
    (lambda: KerasClassifier(uncompiled()), TypeError, "expected a function"),
    (lambda: KerasClassifier(lambda: 3), TypeError, "expected it to return a model"),
    (lambda: KerasClassifier(sparse, unit=3), ValueError, "no setting 'unit'; it has .*units"),
    (lambda: KerasClassifier(uncompiled, outputs=2), ValueError, "expected a model of 3 outputs"),
    (lambda: KerasClassifier(sparse, epochs=0), ValueError, "epochs"),
])
def test_wrong_settings_are_errors_of_fit(make, error, said):
    with pytest.raises(error, match=said):
        make().fit(X, Y)


def test_unknown_setting_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no setting 'unit'; it has .*batch_size.*units"):
        KerasClassifier(sparse).set_params(unit=3)


def test_wrappers_are_where_keras_2_had_them():
    assert keras.wrappers.scikit_learn.KerasClassifier is KerasClassifier
