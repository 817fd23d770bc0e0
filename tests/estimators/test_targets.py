"""What estimators learn to predict: kinds of targets, probabilities and logits, class weights."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import log_loss
from sklearn.multioutput import MultiOutputClassifier
from sklearn.utils.class_weight import compute_sample_weight

from nnlite import NNClassifier, NNRegressor
from nnlite.callbacks import EarlyStopping
from nnlite.layers import Dense

IRIS, KIND = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[KIND]
WORDS, TOPICS = make_multilabel_classification(200, n_classes=4, random_state=0)


# Rows and rates as they are: what is tested here is computed by hand from them.
PLAIN = {"normalize": False, "schedule": None, "batch_size": 200}


def classifier(*args, **settings):
    return NNClassifier(
        *args, **{"ensemble": 1, "epochs": 30, "random_state": 0, **PLAIN, **settings}
    )


def outputs(estimator, X):
    return estimator.predict_proba(X).tobytes()


# Probabilities and logits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("y", [KIND, NAMES, KIND == 1], ids=["int", "str", "binary"])
def test_logits_are_what_the_probabilities_come_from(y, dtype):
    fitted = classifier((256,), dtype=dtype).fit(IRIS, y)
    logits, p = fitted.decision_function(IRIS), fitted.predict_proba(IRIS)
    assert logits.dtype == p.dtype == dtype
    hidden, last = fitted.model_.layers
    z = np.maximum(IRIS @ hidden.kernel.numpy() + hidden.bias.numpy(), 0).astype(float)
    z = z @ last.kernel.numpy() + last.bias.numpy()
    tight = 1e-12 if dtype == "float64" else 1e-5
    if len(fitted.classes_) == 2:
        assert logits.shape == (150,)
        assert_allclose(logits, z[:, 0], rtol=tight, atol=tight)
        assert_allclose(p[:, 1], 1 / (1 + np.exp(-z[:, 0])), rtol=tight)
        assert_array_equal(fitted.predict(IRIS), fitted.classes_[(logits > 0).astype(int)])
    else:
        assert logits.shape == (150, 3)
        assert_allclose(logits, z, rtol=tight, atol=tight)
        assert_allclose(p, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), rtol=tight)
        assert_array_equal(fitted.predict(IRIS), fitted.classes_[logits.argmax(axis=1)])


def test_logits_follow_further_training_and_a_pickle():
    fitted = classifier().fit(IRIS, KIND)
    before = fitted.decision_function(IRIS)
    fitted.partial_fit(IRIS, KIND)
    after = fitted.decision_function(IRIS)
    assert (before != after).any()
    copy = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(copy.decision_function(IRIS), after)
    copy.partial_fit(IRIS, KIND)
    assert (copy.decision_function(IRIS) != after).any()


@pytest.mark.parametrize("y", [KIND, KIND == 0, np.c_[KIND == 0, KIND > 0]])
def test_log_probabilities_are_finite_where_a_probability_rounds_to_0(y):
    far = IRIS * 1e4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = classifier(epochs=9).fit(IRIS, y)
        log_p, p = fitted.predict_log_proba(far), fitted.predict_proba(far)
    assert (p == 0).any() and np.isfinite(log_p).all()
    assert_allclose(np.exp(log_p), p, rtol=1e-10, atol=1e-12)


# Several labels for each sample


def test_several_labels():
    fitted = classifier(epochs=100, learning_rate=0.01).fit(WORDS, TOPICS)
    p = fitted.predict_proba(WORDS)
    assert p.shape == fitted.decision_function(WORDS).shape == (200, 4)
    assert_array_equal(fitted.predict(WORDS), p > 0.5)
    # Near 1 the logarithm of a rounded p is known to 1e-16 only.
    assert_allclose(fitted.predict_log_proba(WORDS), np.log(p), rtol=1e-9, atol=1e-15)
    assert_allclose(p, 1 / (1 + np.exp(-fitted.decision_function(WORDS))), rtol=1e-9)
    assert_array_equal(fitted.classes_, range(4))
    assert fitted.score(WORDS, TOPICS) == (fitted.predict(WORDS) == TOPICS).all(axis=1).mean() > 0.8
    last = fitted.model_.layers[-1]
    assert last.units == 4 and last.activation == "sigmoid"


def test_figures_of_several_labels():
    w = np.random.RandomState(0).uniform(0.5, 2, 200)
    fitted = classifier(epochs=1, learning_rate=0).fit(WORDS, TOPICS, w)
    p = fitted.predict_proba(WORDS)
    losses = [log_loss(TOPICS[:, k], p[:, k], sample_weight=w) for k in range(4)]
    assert_allclose(fitted.loss_, np.mean(losses), rtol=1e-9)
    hits = np.average((fitted.predict(WORDS) == TOPICS).mean(axis=1), weights=w)
    assert_allclose(fitted.history_["accuracy"], [hits], rtol=1e-9)


def test_several_labels_are_held_out_and_streamed():
    stopping = EarlyStopping("val_accuracy", patience=2)
    assert "val_loss" in classifier(early_stopping=stopping).fit(WORDS, TOPICS).history_
    streamed = classifier().partial_fit(WORDS, TOPICS).partial_fit(WORDS[:9], TOPICS[:9] > 0)
    assert streamed.n_iter_ == 2
    for wrong in (TOPICS[:, :3], TOPICS[:, 0], 2 * TOPICS):
        with pytest.raises(ValueError, match="expected 4 columns of 0 and 1"):
            streamed.partial_fit(WORDS, wrong)
    with pytest.raises(ValueError, match="class_weight: expected None, as each sample may have"):
        classifier(class_weight={0: 2}).fit(WORDS, TOPICS)


def test_one_of_each_column_is_no_other_than_scikit_learns_way():
    """A network for each column predicts in the form of MultiOutputClassifier; one for all is a
    matrix, as MLPClassifier's."""
    each = MultiOutputClassifier(classifier([Dense(4)])).fit(WORDS, TOPICS)
    assert each.predict(WORDS).shape == classifier().fit(WORDS, TOPICS).predict(WORDS).shape


def test_classes_for_each_of_several_outputs_are_refused():
    with pytest.raises(ValueError, match=r"one label per sample|multioutput"):
        classifier().fit(IRIS, np.c_[KIND, KIND])


# Weights of classes


@pytest.mark.parametrize("y", [NAMES, NAMES == "setosa"], ids=["multiclass", "binary"])
@pytest.mark.parametrize("sample_weight", [None, "given"])
def test_class_weights_multiply_sample_weights(y, sample_weight):
    w = None if sample_weight is None else np.random.RandomState(0).uniform(0.5, 2, 150)
    factors = dict(zip(np.unique(y), (3.0, 0.5, 1.0)))
    fitted = classifier(class_weight=factors).fit(IRIS, y, w)
    product = np.array([factors[label] for label in y]) * (1 if w is None else w)
    by_hand = classifier().fit(IRIS, y, product)
    assert_allclose(fitted.predict_proba(IRIS), by_hand.predict_proba(IRIS), rtol=1e-9)
    # A label that is not named counts once.
    del factors[y[-1]]
    one = np.array([factors.get(label, 1.0) for label in y])
    fitted = classifier(class_weight=factors).fit(IRIS, y)
    assert outputs(fitted, IRIS) == outputs(classifier().fit(IRIS, y, one), IRIS)


def test_balanced_gives_each_class_the_same_sum():
    rows = np.r_[0:50, 50:60, 100:103]
    X, y = IRIS[rows], NAMES[rows]
    balanced = classifier(class_weight="balanced").fit(X, y)
    by_hand = classifier().fit(X, y, compute_sample_weight("balanced", y))
    assert_allclose(balanced.predict_proba(X), by_hand.predict_proba(X), rtol=1e-9)
    # Weights count as repetitions do.
    w = np.random.RandomState(0).randint(0, 4, len(y))
    w[[0, 50, 60]] = 2
    weighted = classifier(class_weight="balanced").fit(X, y, w)
    repeated = classifier(class_weight="balanced").fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-9)


def test_a_class_weight_of_0_leaves_the_class_out():
    without = classifier(class_weight={"setosa": 0}, epochs=100, learning_rate=0.01)
    assert (without.fit(IRIS, NAMES).predict(IRIS) != "setosa").all()
    assert_array_equal(without.classes_, np.unique(NAMES))


@pytest.mark.parametrize(
    "weight, words",
    [
        ("fair", "class_weight: expected None, 'balanced' or a dict .*got 'fair'"),
        (3, "class_weight: expected None, 'balanced' or a dict"),
        ({"setosa": -1}, "class_weight: .* at least 0"),
        ({"setosa": "much"}, "class_weight: .* at least 0"),
        ({"setosa": np.nan}, "class_weight: .* at least 0"),
        ({"rose": 2}, "class_weight: expected labels of .*virginica.*got 'rose'"),
        (dict.fromkeys(np.unique(NAMES), 0), "class_weight: expected at least one non-zero"),
    ],
)
def test_wrong_class_weights(weight, words):
    with pytest.raises(ValueError, match=words):
        classifier(class_weight=weight).fit(IRIS, NAMES)


def test_class_weights_of_partial_fit():
    weighted = classifier(class_weight={0: 3}).partial_fit(IRIS, KIND, classes=[0, 1, 2])
    by_hand = classifier().partial_fit(IRIS, KIND, [0, 1, 2], np.where(KIND == 0, 3, 1))
    assert outputs(weighted, IRIS) == outputs(by_hand, IRIS)
    with pytest.raises(ValueError, match="class_weight: expected None or a dict for partial_fit"):
        classifier(class_weight="balanced").partial_fit(IRIS, KIND, classes=[0, 1, 2])


def test_only_a_classifier_has_class_weights():
    assert "class_weight" in classifier().get_params()
    assert "class_weight" not in NNRegressor().get_params()
    with pytest.raises(TypeError, match="class_weights"):
        NNClassifier(class_weights=None)


@pytest.mark.parametrize("y", [KIND, NAMES], ids=["numbers", "names"])
def test_class_weights_of_absent_labels_are_unused(y):
    rows, labels = KIND < 2, np.unique(y)
    weights = dict(zip(labels, (3.0, 0.5, 7.0)))
    fitted = classifier(class_weight=weights).fit(IRIS[rows], y[rows])
    of_two = classifier(class_weight={k: weights[k] for k in labels[:2]}).fit(IRIS[rows], y[rows])
    assert outputs(fitted, IRIS) == outputs(of_two, IRIS)
    for label in (labels[2], "rose"):  # it may be misspelt if another has no weight
        with pytest.raises(ValueError, match=r"class_weight: .* and no weight for "):
            classifier(class_weight={labels[0]: 2, label: 2}).fit(IRIS[rows], y[rows])


def test_a_column_of_labels_is_said_once():
    y = KIND[:, None]
    settings = {
        "class_weight": "balanced",
        "early_stopping": True,
        "scoring": "accuracy",
        "epochs": 3,
    }
    for fit in (
        lambda: classifier(**settings).fit(IRIS, y),
        lambda: classifier(epochs=3).fit(IRIS, y, X_val=IRIS, y_val=y),
        lambda: classifier().partial_fit(IRIS, y, classes=[0, 1, 2]),
    ):
        with pytest.warns(DataConversionWarning) as told:
            fit()
        assert len(told) == 1
