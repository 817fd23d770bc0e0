"""Pipelines and estimators as files: the transformers of scikit-learn, scaling, labels."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

import nnlite
from nnlite import NNClassifier, NNRegressor, layers
from nnlite.engine.tensor import Tensor
from nnlite.exporting.transformers import transformed
from nnlite.neural_network import MLPClassifier, MLPRegressor
from nnlite.wrappers.scikit_learn import KerasClassifier

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

QUICK = {"epochs": 2, "random_state": 0, "ensemble": 1}
N = 60


def table(gaps=False):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 4)) * [1, 10, 0.1, 3] + [0, 5, 1e3, 1]
    return np.where(rng.random(X.shape) < 0.2, np.nan, X) if gaps else X


def classes(X):
    return (np.nan_to_num(X[:, 0]) > 0).astype(int) + (np.nan_to_num(X[:, 1]) > 5)


def outputs_of(path, X):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return session.run(None, {given.name: X.astype({"tensor(double)": "f8"}.get(given.type, "f4"))})


TRANSFORMERS = {
    "StandardScaler": lambda: StandardScaler(),
    "StandardScaler without a mean": lambda: StandardScaler(with_mean=False),
    "StandardScaler without a deviation": lambda: StandardScaler(with_std=False),
    "MinMaxScaler": lambda: MinMaxScaler((-1, 2)),
    "MinMaxScaler that clips": lambda: MinMaxScaler(clip=True),
    "MaxAbsScaler": lambda: MaxAbsScaler(),
    "RobustScaler": lambda: RobustScaler(),
    "RobustScaler without a center": lambda: RobustScaler(with_centering=False),
    "Normalizer": lambda: Normalizer(),
    "Normalizer by sums": lambda: Normalizer("l1"),
    "Normalizer by maxima": lambda: Normalizer("max"),
    "PCA": lambda: PCA(2),
    "PCA that whitens": lambda: PCA(3, whiten=True),
    "TruncatedSVD": lambda: TruncatedSVD(2),
    "SimpleImputer": lambda: SimpleImputer(),
    "SimpleImputer of medians": lambda: SimpleImputer(strategy="median"),
    "SimpleImputer of a constant": lambda: SimpleImputer(strategy="constant", fill_value=-3),
    "VarianceThreshold": lambda: VarianceThreshold(0.5),
    "SelectKBest": lambda: SelectKBest(k=2),
    "PolynomialFeatures": lambda: PolynomialFeatures(3),
    "PolynomialFeatures of others": lambda: PolynomialFeatures(2, interaction_only=True),
    "FeatureUnion": lambda: FeatureUnion([("a", PCA(2)), ("b", MinMaxScaler())]),
    "Pipeline": lambda: make_pipeline(StandardScaler(), PolynomialFeatures(2)),
    "ColumnTransformer": lambda: ColumnTransformer(
        [("a", StandardScaler(), [2, 0]), ("b", "drop", [1]), ("c", "passthrough", slice(3, 4))]
    ),
    "ColumnTransformer of a mask": lambda: ColumnTransformer(
        [("a", PCA(1), [True, False, True, False])], remainder="passthrough"
    ),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_transformer_in_ops_is_scikit_learns(double, name):
    X = table(gaps="Imputer" in name)
    transformer = TRANSFORMERS[name]().fit(X, classes(X))
    found = transformed(name, transformer, Tensor(X.shape, "float64", X)).numpy()
    np.testing.assert_allclose(found, transformer.transform(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_pipeline_is_one_file(name, tmp_path):
    X = table(gaps="Imputer" in name)
    model = make_pipeline(TRANSFORMERS[name](), NNClassifier(**QUICK)).fit(X, classes(X))
    report = nnlite.export(model, tmp_path / "x.onnx", samples=X, verbose=False, dtype="float64")
    assert report.largest_difference < 1e-5
    labels, probabilities = outputs_of(tmp_path / "x.onnx", X)
    assert np.array_equal(labels, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    assert nnlite.export(model, tmp_path / "y.onnx", verbose=False).rows == 100


def test_a_transformer_that_is_not_known_is_refused_by_its_name(tmp_path):
    X = table()
    steps = (
        FunctionTransformer(np.tanh),
        SimpleImputer(add_indicator=True),
        type("Mine", (PCA,), {})(),
    )
    for step in steps:
        model = make_pipeline(step, NNClassifier(**QUICK)).fit(X, classes(X))
        with pytest.raises(ValueError, match=f"step '{type(step).__name__.lower()}'"):
            nnlite.export(model, tmp_path / "x.onnx")
    with pytest.raises(TypeError, match="Pipeline that ends with one"):
        nnlite.export(make_pipeline(StandardScaler()), tmp_path / "x.onnx")
    with pytest.raises(Exception, match="not fitted"):
        nnlite.export(make_pipeline(StandardScaler(), NNClassifier()), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "labels", [["no", "yes", "maybe"], [10, 20, 30], [np.str_("a"), "b", "c"], [False, True, True]]
)
def test_labels(labels, tmp_path):
    X = table()
    y = np.array(labels)[classes(X)]
    model = NNClassifier(epochs=2, random_state=0).fit(X, y)
    nnlite.export(model, tmp_path / "x.onnx", verbose=False)
    found, probabilities = outputs_of(tmp_path / "x.onnx", X)
    assert found.tolist() == model.predict(X.astype(np.float32)).tolist()
    np.testing.assert_allclose(probabilities, model.predict_proba(X.astype(np.float32)), atol=1e-5)


def test_numbers_far_from_zero_keep_what_is_small_beside_them(tmp_path):
    X = table() + 1e12
    model = NNClassifier(epochs=2, random_state=0).fit(X, classes(table()))
    nnlite.export(model, tmp_path / "x.onnx", verbose=False, dtype="float64")
    assert np.allclose(outputs_of(tmp_path / "x.onnx", X)[1], model.predict_proba(X), atol=1e-5)
    report = nnlite.export(model, tmp_path / "x.onnx", verbose=False)
    assert "columns 0, 1, 2, 3" in report.figures["rounding"]


def test_numbers_of_regressors_are_in_the_units_of_y(tmp_path):
    X = table()
    for y in (X @ [1, 2, 3, 4], X[:, :2] * 1000):
        model = NNRegressor(epochs=2, random_state=0).fit(X, y)
        nnlite.export(model, tmp_path / "x.onnx", verbose=False)
        (found,) = outputs_of(tmp_path / "x.onnx", X)
        expected = model.predict(X.astype(np.float32)).reshape(N, -1)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_rows_of_pixels_are_images(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.random((N, 64)), rng.integers(0, 3, N)
    network = [layers.Conv2D(4, 3, input_shape=(8, 8, 1)), layers.Flatten()]
    model = make_pipeline(StandardScaler(), NNClassifier(network, **QUICK)).fit(X, y)
    report = nnlite.export(model, tmp_path / "x.onnx", verbose=False)
    assert report.largest_difference < 1e-5 and "float32" in report.figures["precision"]
    assert np.array_equal(outputs_of(tmp_path / "x.onnx", X)[0], model.predict(X))


def test_sequences_of_different_lengths_end_with_nan(tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.random((n, 3)) for n in rng.integers(2, 6, N)]
    model = NNClassifier([layers.LSTM(4)], **QUICK).fit(X, rng.integers(0, 3, N))
    assert nnlite.export(model, tmp_path / "x.onnx", verbose=False).largest_difference < 1e-5
    filled = np.full((N, 6, 3), np.nan)
    for row, x in zip(filled, X):
        row[: len(x)] = x
    assert np.array_equal(outputs_of(tmp_path / "x.onnx", filled)[0], model.predict(X))


@pytest.mark.parametrize("labels", ["binary", "three", "several", "numbers"])
def test_scikit_learns_networks(labels, tmp_path):
    X = StandardScaler().fit_transform(table())
    y = {
        "binary": np.array(["no", "yes"])[(X[:, 0] > 0) * 1],
        "three": classes(table()),
        "several": (X[:, :3] > 0).astype(int),
        "numbers": X @ [1, 2, 3, 4],
    }[labels]
    kind = MLPRegressor if labels == "numbers" else MLPClassifier
    model = make_pipeline(
        MinMaxScaler(), kind(hidden_layer_sizes=(8,), max_iter=5, random_state=0)
    ).fit(X, y)
    report = nnlite.export(model, tmp_path / "x.onnx", samples=X, verbose=False)
    assert report.largest_difference < 1e-5
    if labels in ("binary", "three"):
        assert outputs_of(tmp_path / "x.onnx", X)[0].tolist() == model.predict(X).tolist()


def network_of_a_function():
    network = [layers.Dense(4, "relu", input_shape=(4,)), layers.Dense(3, "softmax")]
    model = nnlite.Sequential(network)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_estimators_of_models_that_a_function_makes(tmp_path):
    X = table()
    model = KerasClassifier(network_of_a_function, epochs=1, verbose=0)
    model = make_pipeline(StandardScaler(), model).fit(X, classes(X))
    assert nnlite.export(model, tmp_path / "x.onnx", verbose=False).largest_difference < 1e-5
    assert np.array_equal(outputs_of(tmp_path / "x.onnx", X)[0], model.predict(X))
