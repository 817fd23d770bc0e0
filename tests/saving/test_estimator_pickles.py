"""Pickles and copies of estimators, and skops, which takes data alone."""

import copy
import io
import pickle
import subprocess
import sys

import pytest
from estimators_saved import TWO, X, assert_same_estimator, assert_same_predictions
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnlite import NNClassifier, NNRegressor, layers
from nnlite.saving import safetensors


@pytest.fixture
def small():
    return NNClassifier((4,), epochs=2, random_state=0).fit(X, TWO)


WITHOUT_SKLEARN = """
import pickle, sys
for name in ("sklearn", "scipy", "joblib"):
    sys.modules[name] = None
import nnlite
model = pickle.load(open(sys.argv[1], "rb"))
for path in sys.argv[2:]:
    other = nnlite.models.load_model(path)
    x = nnlite.ones((3, 4))
    assert (other.predict(x, verbose=0) == model.predict(x, verbose=0)).all()
"""


def test_model_of_an_estimator_needs_no_scikit_learn(small, tmp_path):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(small.model_))
    pytest.importorskip("h5py")
    paths = [tmp_path / f"e.{ending}" for ending in ("keras", "safetensors")]
    for path in paths:
        small.save(path)
    command = [sys.executable, "-P", "-c", WITHOUT_SKLEARN, tmp_path / "m.pkl", *paths]
    subprocess.run(command, check=True)


def test_slim_copy_has_no_slots_predicts_the_same_and_can_be_trained_on(tmp_path):
    fitted = NNClassifier((300, 300), ensemble=1, random_state=0, epochs=2).fit(X, TWO)
    before = copy.deepcopy(fitted)
    slim = fitted.slim()
    weights = 4 * fitted.model_.count_params() * (2 if fitted.dtype_ == "float64" else 1)
    assert len(pickle.dumps(fitted)) > 2.9 * weights // 1
    assert len(pickle.dumps(slim)) < 1.1 * weights
    assert_same_predictions(fitted, slim, X, TWO)
    slim.partial_fit(X, TWO)
    assert_same_estimator(fitted, before)
    with pytest.raises(Exception, match="not fitted"):
        NNClassifier().slim()


def test_pickles_and_copies_hold_whatever_a_setting_is(small):
    given = NNClassifier(lambda: 4, epochs=1, random_state=0).fit(X, TWO)
    assert copy.copy(given).layers is given.layers
    assert copy.copy(given).model_ is given.model_
    assert_same_estimator(small, pickle.loads(pickle.dumps(small)))
    assert_same_estimator(small, copy.deepcopy(small))


def test_skops_takes_estimators_pipelines_and_searches(small):
    skops = pytest.importorskip("skops.io")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), NNClassifier([layers.Dense(4, "relu")], epochs=2)),
        {"nnclassifier__epochs": [1, 2], "nnclassifier__random_state": [0]},
        cv=2,
    ).fit(X, TWO)
    for fitted in (small, search, NNClassifier([layers.Dense(4)])):
        content = skops.dumps(fitted)
        unknown = skops.get_untrusted_types(data=content)
        ours = [name for name in unknown if name.startswith("nnlite")]
        assert ours == ["nnlite.estimators.classifier.NNClassifier"]
        again = skops.loads(content, trusted=unknown)
        if hasattr(fitted, "classes_"):
            assert_same_predictions(fitted, again, X, TWO)
        else:
            assert_same_estimator(fitted, again)
    with pytest.raises(TypeError, match="layers: expected what a file can describe"):
        skops.dumps(NNClassifier(lambda: 3))


def test_state_without_a_pickle_is_that_of_the_file(small):
    again = NNClassifier.__new__(NNClassifier)
    again.__setstate__(small.__getstate__())
    assert_same_estimator(small, again)
    file = io.BytesIO(next(iter(small.__getstate__().values())))
    assert safetensors.read(file, False).count_params() == small.model_.count_params()
    with pytest.raises(ValueError, match="expected a NNRegressor"):
        NNRegressor.__new__(NNRegressor).__setstate__(small.__getstate__())
