"""SKLearnClassifier, SKLearnRegressor, SKLearnTransformer: a Model with scikit-learn's methods."""

import warnings

import numpy as np
import pytest
from contract import contract_of, name_of_check
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import nnlite as keras
from nnlite.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

X, LABELS = load_iris(return_X_y=True)
NAMES = load_iris().target_names[LABELS]


def compiled(outputs=3, activation="softmax", loss="categorical_crossentropy", rate=0.05):
    model = keras.Sequential(
        [
            keras.layers.Dense(16, "relu", input_shape=(4,)),
            keras.layers.Dense(outputs, activation),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


def for_data(X, y, units=8, activation="linear", loss="mse"):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape=X.shape[1:])
    outputs = keras.layers.Dense(y.shape[1], activation)(keras.layers.Dense(units)(inputs))
    model = keras.Model(inputs, [outputs])
    model.compile("rmsprop", loss)
    return model


def test_a_classifier_learns_labels_of_any_type_from_a_copy_of_the_model():
    keras.utils.set_random_seed(0)
    model = compiled()
    before = [w.tobytes() for w in model.get_weights()]
    classifier = SKLearnClassifier(model, fit_kwargs={"epochs": 1, "verbose": 0})
    assert classifier.fit(X, NAMES, epochs=30).score(X, NAMES) > 0.8
    assert classifier.decision_function(X).shape == (150, 3)
    assert [w.tobytes() for w in model.get_weights()] == before
    assert len(classifier.history_.history["loss"]) == 30  # not the 1 of fit_kwargs
    again = clone(classifier)
    assert again.get_params() == classifier.get_params() and not hasattr(again, "model_")


def test_warm_start_goes_on_with_the_given_model():
    regressor = SKLearnRegressor(compiled(1, None, "mse"), warm_start=True)
    first = regressor.fit(X, LABELS, epochs=5, verbose=0).history_.history["loss"]
    second = regressor.fit(X, LABELS, epochs=5, verbose=0).history_.history["loss"]
    assert second[0] < first[0] and regressor.model_ is regressor.model


def test_a_regressor_predicts_in_the_shape_of_y():
    for y in (X[:, 0], X[:, :2]):
        regressor = SKLearnRegressor(for_data, model_kwargs={"units": 4})
        assert regressor.fit(X, y, verbose=0).predict(X).shape == y.shape


def test_a_transformer_gives_new_columns_in_a_pipeline():
    transformer = SKLearnTransformer(for_data, fit_kwargs={"epochs": 3, "verbose": 0})
    columns = np.eye(3)[LABELS]
    assert transformer.fit(X, columns).transform(X).shape == (150, 3)
    pipeline = make_pipeline(SKLearnTransformer(for_data), LogisticRegression())
    assert pipeline.fit(X, LABELS).predict(X).shape == (150,)


@pytest.mark.parametrize(
    "model, y, said",
    [
        (keras.Sequential([keras.layers.Dense(1)]), LABELS, "model: expected a model compiled"),
        (lambda X, y: 3, LABELS, "model: expected a model compiled .* got 3"),
        (compiled(), np.zeros(150), "y: expected at least 2 classes"),
        (compiled(1, "sigmoid", "bce"), LABELS > 0, "model: expected 2 outputs, .*, got 1"),
        (compiled(2), LABELS, "model: expected 3 outputs, one for each class, got 2"),
        (compiled(), np.eye(3)[LABELS][:, :2], "y: expected one label per sample"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(model, y, said):
    with pytest.raises(ValueError, match=said):
        SKLearnClassifier(model).fit(X, y)
    with pytest.raises(NotFittedError):
        SKLearnClassifier(model).predict(X)


@pytest.mark.parametrize("name", ["model_kwargs", "fit_kwargs"])
def test_further_arguments_are_a_dict(name):
    with pytest.raises(TypeError, match=f"{name}: expected a dict of arguments or None, got 5"):
        SKLearnClassifier(compiled(), **{name: 5}).fit(X, LABELS)


# One epoch is too few for these, and Keras's `decision_function` has a column for each class.
FAILING = {
    "check_classifiers_classes": "one epoch",
    "check_classifiers_one_label_sample_weights": "one epoch",
    "check_classifiers_train": "decision_function of two classes has two columns",
}


CHECKED = [
    SKLearnClassifier(
        for_data,
        model_kwargs={"activation": "softmax", "loss": "categorical_crossentropy"},
        fit_kwargs={"verbose": 0},
    ),
    SKLearnRegressor(for_data, fit_kwargs={"verbose": 0}),
    SKLearnTransformer(for_data, fit_kwargs={"verbose": 0}),
]


@pytest.mark.parametrize("estimator, check", contract_of(CHECKED, FAILING), ids=name_of_check)
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)
