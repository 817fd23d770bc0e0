"""Gaps, NaN among the numbers of a table: an indicator and the column's mean take their place."""

import pickle

import numpy as np
import pandas
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags

import nnlite
from nnlite import NNClassifier, NNRegressor
from nnlite.estimators.scaling import moments
from nnlite.layers import (
    LSTM,
    BatchNormalization,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    InputScaling,
    Normalization,
    TableEncoding,
)
from nnlite.wrappers.scikit_learn import KerasClassifier

IRIS, KIND = load_iris(return_X_y=True)
RNG = np.random.default_rng(0)
GAPPY = np.where((RNG.random(IRIS.shape) < 0.2) & [True, False, True, False], np.nan, IRIS)


def classifier(*args, **settings):
    return NNClassifier(*args, **{"epochs": 5, "random_state": 0, "ensemble": 1, **settings})


FITTED = classifier().fit(GAPPY, KIND)
EXPECTED = FITTED.predict_proba(GAPPY)


def kinds(fitted):
    return [type(layer) for layer in fitted.model_.layers]


def test_statistics_are_of_the_values_that_are_there():
    mean, deviation = moments(GAPPY)
    np.testing.assert_allclose(mean, np.nanmean(GAPPY, axis=0), rtol=1e-12)
    np.testing.assert_allclose(deviation, np.nanstd(GAPPY, axis=0), rtol=1e-12)
    weight = RNG.integers(0, 4, len(IRIS))
    many = np.repeat(GAPPY, weight, axis=0)
    mean, deviation = moments(GAPPY, weight.astype(float))
    np.testing.assert_allclose(mean, np.nanmean(many, axis=0), rtol=1e-12)
    np.testing.assert_allclose(deviation, np.nanstd(many, axis=0), rtol=1e-12)


def test_columns_with_gaps_get_an_indicator_and_their_mean():
    scaling, encoding = classifier(numeric_encoding=None).fit(GAPPY, KIND).model_.layers[:2]
    assert type(scaling) is InputScaling and type(encoding) is TableEncoding
    assert encoding.gaps == [0, 2] and encoding.sources.tolist() == [0, 1, 2, 3, 0, 2]
    with nnlite.config.precision("float64"):
        made = encoding(scaling(GAPPY)).numpy()
    y = (GAPPY - np.nanmean(GAPPY, axis=0)) / np.nanstd(GAPPY, axis=0)
    expected = np.c_[np.nan_to_num(y / np.sqrt(1 + (y / 8) ** 2)), np.isnan(GAPPY[:, [0, 2]])]
    np.testing.assert_allclose(made, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["piecewise", "periodic"])
def test_the_encoding_of_numbers_reads_columns_without_their_gaps(kind):
    fitted = classifier(numeric_encoding=kind).fit(GAPPY, KIND)
    scaling, encoding = fitted.model_.layers[:2]
    plain = classifier(numeric_encoding=None).fit(GAPPY, KIND).model_.layers[1]
    with nnlite.config.precision("float64"):
        made, rows = encoding(scaling(GAPPY)).numpy(), plain(scaling(GAPPY)).numpy()
        expected = encoding.encoding(rows[:, :4]).numpy()
    np.testing.assert_array_equal(made, np.c_[expected, rows[:, 4:]])
    assert encoding.sources.tolist() == [*encoding.encoding.sources, 0, 2]
    sources = encoding.encoding.sources
    for column in range(4):  # what an entry is said to be made of is what changes it
        other = np.where(np.arange(4) == column, rows[:, :4] + 0.5, rows[:, :4])
        with nnlite.config.precision("float64"):
            changed = (encoding.encoding(other).numpy() != expected).any(axis=0)
        assert not changed[sources != column].any() and changed[sources == column].sum() > 2


def test_without_gaps_nothing_is_added():
    assert kinds(classifier(numeric_encoding=None).fit(IRIS, KIND)) == [InputScaling, *[Dense] * 3]


FORMS = {
    "objects": lambda x: np.where(np.isnan(x), None, x),
    "list": lambda x: x.tolist(),
    "F": np.asfortranarray,
    "frame": pandas.DataFrame,
    "frame of objects": lambda x: pandas.DataFrame(np.where(np.isnan(x), None, x)),
    "frame of Float64": lambda x: pandas.DataFrame(x).astype("Float64"),
    "frame of NA": lambda x: pandas.DataFrame(x).astype("Float64").astype(object),
    "polars": lambda x: pytest.importorskip("polars").from_numpy(x).fill_nan(None),
    "arrow": lambda x: pytest.importorskip("pyarrow").table(
        {str(i): [None if v != v else v for v in column] for i, column in enumerate(x.T)}
    ),
}


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("form", FORMS)
def test_the_same_gaps_in_any_form_give_the_same_bits(form):
    rows = FORMS[form](GAPPY)
    fitted = classifier().fit(rows, KIND)
    for x in (rows, GAPPY):
        np.testing.assert_array_equal(fitted.predict_proba(x), EXPECTED)
    np.testing.assert_array_equal(FITTED.predict_proba(rows), EXPECTED)


def test_float32_with_gaps_gives_the_bits_of_float64():
    single = GAPPY.astype("f4")
    fitted = classifier(dtype="float64").fit(single, KIND)
    double = classifier(dtype="float64").fit(single.astype("f8"), KIND)
    np.testing.assert_array_equal(fitted.predict_proba(single), double.predict_proba(single))


def test_rows_one_by_one_copies_and_files(tmp_path):
    rows = np.concatenate([FITTED.predict_proba(GAPPY[i : i + 1]) for i in range(20)])
    np.testing.assert_array_equal(rows, EXPECTED[:20])
    FITTED.save(tmp_path / "e.keras")
    copies = [pickle.loads(pickle.dumps(FITTED)), nnlite.load(tmp_path / "e.keras"), FITTED.slim()]
    for copy in [*copies, clone(FITTED).fit(GAPPY, KIND)]:
        np.testing.assert_array_equal(copy.predict_proba(GAPPY), EXPECTED)


def test_that_a_value_is_missing_can_be_learned():
    y = np.isnan(GAPPY[:, 0]).astype(int)
    assert classifier(epochs=100).fit(GAPPY, y).score(GAPPY, y) == 1


def test_a_gap_where_fit_saw_none_is_the_mean():
    some = np.where(np.arange(4) == 1, np.nan, GAPPY)
    mean = np.where(np.arange(4) == 1, IRIS[:, 1].mean(), GAPPY)
    np.testing.assert_allclose(FITTED.predict_proba(some), FITTED.predict_proba(mean), rtol=1e-6)
    plain = classifier().fit(IRIS, KIND)
    found = plain.predict_proba(np.where(np.arange(4) == 1, np.nan, IRIS))
    expected = plain.predict_proba(np.where(np.arange(4) == 1, IRIS[:, 1].mean(), IRIS))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert plain.fit(IRIS, KIND, X_val=GAPPY, y_val=KIND).validation_loss_curve_[-1] > 0


def test_folds_in_which_no_value_is_missing_have_scores():
    few = np.where(np.arange(150)[:, None] == 7, np.nan, IRIS)
    assert np.isfinite(cross_val_score(classifier(), few, KIND, cv=3)).all()


@pytest.mark.parametrize("epochs", [1, 5])
def test_a_column_in_which_all_is_missing_says_nothing(epochs):
    empty = np.c_[IRIS, np.full(150, np.nan)]
    fitted = classifier(epochs=epochs).fit(empty, KIND)
    assert np.isfinite(fitted.predict_proba(empty)).all()


def test_partial_fit_reads_gaps_that_come_later():
    fitted = NNClassifier(random_state=0).partial_fit(IRIS, KIND, [0, 1, 2])
    assert np.isfinite(fitted.partial_fit(GAPPY, KIND).loss_)
    first = NNRegressor(random_state=0).partial_fit(GAPPY, KIND).partial_fit(IRIS, KIND)
    assert kinds(first)[1] is TableEncoding and np.isfinite(first.predict(GAPPY)).all()


def test_without_scaling_a_gap_is_the_mean_of_its_column():
    fitted = classifier(normalize=False).fit(GAPPY, KIND)
    assert kinds(fitted)[0] is TableEncoding
    mean = np.nanmean(GAPPY, axis=0)
    np.testing.assert_allclose(fitted.model_.layers[0].centers, mean, rtol=1e-12)
    with pytest.raises(ValueError, match="X contains NaN"):
        classifier(normalize=False).fit(IRIS, KIND).predict(GAPPY)


@pytest.mark.parametrize(
    "layers",
    [[Dense(8)], [Dense(8, input_shape=(4,))], (8,), lambda: [Dense(8)], [Flatten(), Dense(8)]],
    ids=["list", "with its shape", "sizes", "function", "flattened"],
)
def test_any_network_of_rows_reads_gaps(layers):
    fitted = classifier(layers).fit(GAPPY, KIND)
    assert TableEncoding in kinds(fitted) and np.isfinite(fitted.predict_proba(GAPPY)).all()


def compiled():
    model = nnlite.Sequential([Dense(3, "softmax")])
    model.compile("adam", "categorical_crossentropy")
    return model


PIXELS = np.where(np.arange(16) == 5, np.nan, RNG.random((150, 16)))


@pytest.mark.parametrize(
    "layers, X",
    [
        ([Normalization(), Dense(3)], GAPPY),
        ([BatchNormalization(), Dense(3)], GAPPY),
        (compiled, GAPPY),
        (None, csr_array(GAPPY)),
        (None, PIXELS.reshape(-1, 4, 4)),
        ([LSTM(3)], PIXELS.reshape(-1, 8, 2)),
        ([Conv2D(2, 3, input_shape=(4, 4, 1)), Flatten()], PIXELS),
        ([Embedding(9, 2), Flatten()], np.floor(GAPPY)),
    ],
    ids=["scaled", "batches", "compiled", "sparse", "images", "sequences", "pixels", "tokens"],
)
def test_networks_that_read_no_gaps_refuse_them_before_training(layers, X):
    with pytest.raises(ValueError, match="X contains NaN"):
        classifier(layers).fit(X, KIND)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinities_are_errors_beside_gaps_too(bad):
    rows = np.where(np.arange(150)[:, None] == 7, bad, GAPPY)
    for call in (lambda: classifier().fit(rows, KIND), lambda: FITTED.predict(rows)):
        with pytest.raises(ValueError, match="X contains infinity"):
            call()


@pytest.mark.parametrize(
    "estimator, allowed",
    [
        (NNClassifier(), True),
        (NNRegressor((8,)), True),
        (NNClassifier([Dense(8)]), True),
        (NNClassifier([Normalization(), Dense(8)]), False),
        (NNClassifier([Conv2D(2, 3, input_shape=(4, 4, 1)), Flatten()]), False),
        (NNClassifier([LSTM(3)]), False),
        (NNClassifier([Embedding(9, 2), Flatten()]), False),
        (KerasClassifier(compiled), False),
    ],
    ids="default sizes dense scaled images sequences tokens keras".split(),
)
def test_the_tag_says_who_reads_gaps(estimator, allowed):
    assert get_tags(estimator).input_tags.allow_nan is allowed
