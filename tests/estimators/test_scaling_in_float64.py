"""Columns and targets far from 0, or in tiny units, lose nothing before they are scaled."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.utils.estimator_checks import check_regressor_multioutput

import nnlite
from nnlite import NNClassifier, NNRegressor, Sequential, layers
from nnlite.estimators import scaling

RANDOM = np.random.RandomState(0)
A = RANDOM.normal(size=(600, 6))
LABEL, NUMBER = (A[:, 0] > 0).astype(int), A[:, 0] + 0.5 * A[:, 1]
SETTINGS = {
    "hidden_layer_sizes": (8,),
    "epochs": 12,
    "learning_rate": 0.02,
    "random_state": 0,
    "ensemble": 1,
    "numeric_encoding": None,  # bins would tell apart what the values themselves are rounded by
}
COLUMNS = {
    "seconds": 1.7e9 + 30 * A,
    "milliseconds": (1_700_000_000_000 + 30_000 * A).astype(np.int64),
    "unsigned": (1_700_000_000_000 + 30_000 * A).astype(np.uint64),
    "offset 1e12": 1e12 + A,
    "units of 1e-15": 1e-15 * A,
    "both": 1e-3 + 1e-12 * A,
    "units of 1e12": 1e12 * A,
}
FITTED = {
    dtype: NNClassifier(dtype=dtype, **SETTINGS).fit(A, LABEL) for dtype in ("float32", "float64")
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", COLUMNS)
def test_offsets_and_units_of_columns_change_no_probability(kind, dtype):
    X = COLUMNS[kind]
    fitted = NNClassifier(dtype=dtype, **SETTINGS).fit(X, LABEL)
    expected = FITTED[dtype].predict_proba(A)
    # 1e12 and 1e-3 leave 4 to 7 digits of A; the network multiplies what is lost.
    assert_allclose(fitted.predict_proba(X), expected, atol=3e-3)
    assert fitted.score(X, LABEL) == pytest.approx(FITTED[dtype].score(A, LABEL), abs=0.005)
    for rows in (X[:1], X[3:4], X[::7], np.asfortranarray(X), X.tolist()[:5]):
        proba = fitted.predict_proba(rows)
        places = [int(np.flatnonzero((X == row).all(1))[0]) for row in np.asarray(rows)]
        assert_array_equal(proba, fitted.predict_proba(X)[places])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset, unit", [(1.7e9, 1.0), (1e12, 1.0), (0.0, 1e-15), (-1e12, 1e3)])
def test_offsets_and_units_of_targets_change_no_score(offset, unit, dtype):
    one = NNRegressor(dtype=dtype, **SETTINGS).fit(A, NUMBER)
    y = offset + unit * NUMBER
    other = NNRegressor(dtype=dtype, **SETTINGS).fit(A, y)
    found = other.predict(A)
    assert found.dtype == np.float64
    assert other.score(A, y) == pytest.approx(one.score(A, NUMBER), abs=1e-3)
    # Of y itself 1e12 leaves no more than 1e-4.
    atol = 1e-3 * unit + 4 * np.spacing(abs(offset))
    assert_allclose(found, offset + unit * one.predict(A), rtol=0, atol=atol)


def test_predictions_of_float32_networks_are_float64_as_scikit_learn_expects():
    check_regressor_multioutput("NNRegressor", NNRegressor(dtype="float32", epochs=2))


def test_sparse_rows_in_tiny_units():
    rows = np.where(RANDOM.rand(*A.shape) < 0.5, A, 0)
    one = NNClassifier(**SETTINGS).fit(csr_array(rows), LABEL)
    other = NNClassifier(**SETTINGS).fit(csr_array(1e-15 * rows), LABEL)
    expected = one.predict_proba(csr_array(rows))
    assert_allclose(other.predict_proba(csr_array(1e-15 * rows)), expected, atol=1e-4)
    assert_allclose(other.predict_proba(1e-15 * rows), expected, atol=1e-4)


def test_batches_of_validation_and_partial_fit_are_read_alike():
    X, y = 1.7e9 + 30 * A, LABEL
    held = NNClassifier(**SETTINGS).fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])
    assert held.history_["val_accuracy"][-1] > 0.9
    part = NNClassifier(**SETTINGS)
    for _ in range(12):
        part.partial_fit(X, y, classes=[0, 1])
    assert part.score(X, y) > 0.9


def test_moments_do_not_depend_on_the_offset():
    X = 1e12 + np.arange(200_000.0)[:, None] % 7
    mean, deviation = scaling.moments(X)
    assert mean - 1e12 == pytest.approx(np.mean(np.arange(200_000) % 7), abs=2e-4)
    assert deviation == pytest.approx(np.std(np.arange(200_000) % 7), rel=1e-6)
    for value in (0.1, 1e12 / 3, -1e-300):
        assert scaling.moments(np.full((100_001, 1), value))[1] == 1


def test_gaps_do_not_count_and_pass_through():
    X = 1e9 + A
    X[::3, 1], X[:, 2] = np.nan, np.nan
    mean, deviation = scaling.moments(X, np.arange(600.0))
    kept = np.arange(600) % 3 != 0
    weights = np.arange(600.0)[kept]
    assert_allclose(mean[1], np.average(X[kept, 1], weights=weights), rtol=1e-15)
    variance = np.average((X[kept, 1] - mean[1]) ** 2, weights=weights)
    assert_allclose(deviation[1], np.sqrt(variance), rtol=1e-9)
    assert mean[2] == 0 and deviation[2] == 1
    layer = layers.InputScaling(mean=mean, variance=deviation**2, input_shape=(6,))
    assert_array_equal(np.isnan(Sequential([layer]).predict(X)), np.isnan(X))


# Models with a scale of their own


def in_a_row(layer):
    return Sequential([nnlite.Input((6,)), layer, layers.Dense(1)])


def functional(layer):
    inputs = nnlite.Input((6,))
    return nnlite.Model(inputs, layers.Dense(1)(layer(inputs)))


def behind_flatten(layer):
    return Sequential([layers.Flatten(input_shape=(6,)), layer, layers.Dense(1)])


@pytest.mark.parametrize("made", [in_a_row, functional, behind_flatten])
@pytest.mark.parametrize("adapted", [True, False])
@pytest.mark.parametrize("kind", ["seconds", "milliseconds", "offset 1e12"])
def test_a_model_that_begins_with_a_normalization_reads_every_digit(made, adapted, kind, tmp_path):
    X = COLUMNS[kind]
    Z = (X - X.mean(0)) / X.std(0)
    layer = layers.Normalization()
    if adapted:
        layer.adapt(X)
    else:
        layer = layers.Normalization(mean=X.mean(0), variance=X.var(0))
    model = made(layer)
    kernel, bias = model.layers[-1].get_weights()
    right = Z @ kernel + bias
    assert_allclose(model.predict(X, verbose=0), right, atol=2e-3)
    assert_allclose(model.predict(X[:1], verbose=0), right[:1], atol=2e-3)
    model.compile(nnlite.optimizers.SGD(0.1), "mse")
    mean_squared = np.mean((right[:, 0] - NUMBER) ** 2)
    assert model.evaluate(X, NUMBER, verbose=0) == pytest.approx(mean_squared, rel=5e-3)
    model.fit(X, NUMBER, epochs=4, verbose=0)
    assert model.evaluate(X, NUMBER, verbose=0) < 0.1
    model.save(tmp_path / "model.keras")
    again = nnlite.models.load_model(tmp_path / "model.keras")
    assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_gradient_with_respect_to_what_is_normalized_is_there():
    layer = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 16.0])
    x = nnlite.convert_to_tensor([[3.0, 4.0]])
    with nnlite.GradientTape() as tape:
        y = layer(x) * [1.0, 10.0]
    assert_allclose(tape.gradient(y, x).numpy(), [[0.5, 2.5]])
    model = _Follows()
    model.compile("sgd", "mse")
    history = model.fit(np.array([[3.0, 4.0], [1e9, 0.0]]), np.zeros(2), verbose=0).history
    assert history["slope"] == [(0.5 + 0.25) / 2]


class _Follows(nnlite.Model):
    """Logs the gradient of its outputs with respect to the batch that a step read."""

    def __init__(self):
        super().__init__()
        self.scale = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 16.0])

    def call(self, inputs):
        return self.scale(inputs)

    def train_step(self, data):
        x, _ = data
        with nnlite.GradientTape() as tape:
            y = self(x, training=True)
        return {"slope": nnlite.ops.mean(tape.gradient(y, x))}


def test_columns_beyond_the_precision_are_refused():
    with pytest.raises(ValueError, match=r"X: .* float32 holds, at least 1.2e-38, .*float64"):
        NNClassifier(dtype="float32", **SETTINGS).fit(1e-60 * A, LABEL)
    fitted = NNClassifier(dtype="float64", **SETTINGS).fit(1e-60 * A, LABEL)
    assert_allclose(fitted.predict_proba(1e-60 * A), FITTED["float64"].predict_proba(A), atol=1e-6)
