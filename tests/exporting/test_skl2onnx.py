"""skl2onnx writes pipelines with estimators of nnlite."""

import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import nnlite
from nnlite import NNClassifier, NNRegressor, layers
from nnlite.neural_network import MLPClassifier, MLPRegressor

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

QUICK = {"epochs": 2, "random_state": 0, "ensemble": 1}
rng = np.random.default_rng(0)
X = (rng.normal(size=(60, 4)) * [1, 10, 0.1, 3] + [0, 5, 100, 1]).astype(np.float32)
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 5)


@pytest.fixture(autouse=True)
def registered():
    nnlite.register_with_skl2onnx()


def outputs_of(model, X, **options):
    written = skl2onnx.to_onnx(model, X[:1], **options)
    session = onnxruntime.InferenceSession(written.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: X})


@pytest.mark.parametrize("labels", [[0, 1, 2], ["a", "b", "c"], [False, True, True]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_classifier_in_a_pipeline(labels, dtype):
    model = make_pipeline(StandardScaler(), NNClassifier(**QUICK)).fit(X, np.array(labels)[Y])
    found, probabilities = outputs_of(model, X.astype(dtype), options={"zipmap": False})
    assert found.tolist() == model.predict(X).tolist()
    assert probabilities.dtype == dtype
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-4)


def test_probabilities_as_dicts():
    model = make_pipeline(StandardScaler(), NNClassifier(**QUICK)).fit(X, Y)
    _, found = outputs_of(model, X)
    assert set(found[0]) == {0, 1, 2}


def test_a_regressor_in_a_pipeline():
    model = make_pipeline(StandardScaler(), NNRegressor(**QUICK)).fit(X, X @ [1, 2, 3, 4])
    (found,) = outputs_of(model, X)
    np.testing.assert_allclose(found.ravel(), model.predict(X), rtol=1e-4)


def test_other_estimators_of_nnlite():
    nnlite.register_with_skl2onnx(MLPClassifier, MLPRegressor)
    for kind, y in ((MLPClassifier, Y), (MLPRegressor, X @ [1, 2, 3, 4])):
        network = kind(hidden_layer_sizes=(5,), max_iter=3, random_state=0)
        model = make_pipeline(StandardScaler(), network).fit(X, y)
        options = {"options": {"zipmap": False}} if kind is MLPClassifier else {}
        found = outputs_of(model, X, **options)[0]
        np.testing.assert_allclose(found.ravel(), model.predict(X), rtol=1e-4)


def test_steps_that_nnlite_does_not_know():
    places = rng.integers(0, 3, (60, 2)).astype(np.float32)
    encoder = OneHotEncoder(sparse_output=False)
    model = make_pipeline(encoder, NNClassifier(**QUICK)).fit(places, Y)
    found, _ = outputs_of(model, places, options={"zipmap": False})
    assert np.array_equal(found, model.predict(places))


@pytest.mark.parametrize("opset", [17, 18, None])
def test_networks_with_loops_beside_other_estimators(opset):
    network = [layers.Reshape((4, 1)), layers.Masking(), layers.LSTM(3), layers.UnitNormalization()]
    network = [layers.Input((4,)), *network]
    both = [("a", NNClassifier(network, **QUICK)), ("b", NNClassifier(network, **QUICK))]
    both.append(("c", LogisticRegression()))
    model = VotingClassifier(both, voting="soft", flatten_transform=False).fit(X, Y)
    options = {"zipmap": False}
    found, probabilities = outputs_of(model, X, options=options, target_opset=opset)
    assert np.array_equal(found, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)


def test_old_versions_of_the_operators_are_refused():
    model = NNClassifier(**QUICK).fit(X, Y)
    with pytest.raises(ValueError, match="at least 17, got 15"):
        outputs_of(model, X, target_opset=15)
