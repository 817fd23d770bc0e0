"""Tables as they come: categories by the types of columns, in frames of any package."""

import datetime
import pickle
import warnings
from decimal import Decimal

import joblib
import numpy as np
import pandas
import pytest
from raw_table import CITY, FLAG, GRADE, RNG, SIZE, STREET, N, X, Y, as_pandas, classifier
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import nnlite
from nnlite import NNClassifier, NNRegressor
from nnlite.estimators import columns
from nnlite.layers import Dense, Dropout, InputScaling, TableEncoding

VOCABULARIES = [
    ["Bern", "Oslo", "Rome"],
    sorted(set(STREET.tolist())),
    [False, True],
    None,
    ["x", "y", None],
]


def as_polars():
    polars = pytest.importorskip("polars")
    street = polars.Series(STREET, dtype=polars.Categorical)
    grade = polars.Series(GRADE.tolist(), dtype=polars.Enum(["x", "y", "z"]))
    table = {"city": CITY, "street": street, "flag": FLAG, "size": SIZE, "grade": grade}
    return polars.DataFrame(table)


def as_arrow():
    arrow = pytest.importorskip("pyarrow")
    street = arrow.array(STREET).dictionary_encode()
    table = {"city": CITY, "street": street, "flag": FLAG, "size": SIZE, "grade": GRADE.tolist()}
    return arrow.table(table)


FORMS = {
    "pandas": as_pandas,
    "objects": lambda: as_pandas().astype(object),
    "strings": lambda: as_pandas(city="string", street="string", grade="string", flag="boolean"),
    "categories": lambda: as_pandas(city="category", flag="category", grade="category"),
    "small numbers": lambda: as_pandas(size="Float64"),
    "with an index": lambda: as_pandas().set_index(np.arange(N)[::-1]),
    "polars": as_polars,
    "arrow": as_arrow,
}


FITTED = classifier().fit(X, Y)
EXPECTED = FITTED.predict_proba(X)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_table_in_any_form_gives_the_same_bits(form):
    table = FORMS[form]()
    fitted = classifier().fit(table, Y)
    assert fitted._columns.vocabularies == VOCABULARIES
    assert fitted.feature_names_in_.tolist() == X.columns.tolist() and fitted.n_features_in_ == 5
    for rows in (table, X):
        np.testing.assert_array_equal(fitted.predict_proba(rows), EXPECTED)
    np.testing.assert_array_equal(FITTED.predict_proba(table), EXPECTED)
    np.testing.assert_array_equal(FITTED.predict_proba(table[:5]), EXPECTED[:5])


def test_an_array_of_the_same_columns_is_read_by_their_places():
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(FITTED.predict_proba(X.to_numpy(object)), EXPECTED)
    plain = classifier(categorical_features=[0, 1, 2, 4]).fit(X.to_numpy(object), Y)
    for rows in (X.to_numpy(object), X.to_numpy(object).tolist(), list(X.to_numpy(object))):
        np.testing.assert_array_equal(plain.predict_proba(rows), EXPECTED)


def test_strings_in_an_array_of_objects_are_categories():
    rows = X.to_numpy(object)
    fitted = classifier().fit(rows, Y)
    assert fitted._columns.vocabularies == VOCABULARIES
    np.testing.assert_array_equal(fitted.predict_proba(rows), EXPECTED)
    assert columns.learned(rows[:, 2:4], "from_dtype") is None  # booleans and numbers


def test_few_rows_are_read_one_by_one_with_the_same_bits():
    for rows in (1, 2, 8, 9):
        np.testing.assert_array_equal(FITTED.predict_proba(X[:rows]), EXPECTED[:rows])


def test_copies_and_files_predict_the_same_bits(tmp_path):
    copies = [pickle.loads(pickle.dumps(FITTED)), FITTED.slim(), clone(FITTED).fit(X, Y)]
    joblib.dump(FITTED, tmp_path / "e.joblib")
    copies.append(joblib.load(tmp_path / "e.joblib"))
    for ending in ("safetensors", "keras"):
        FITTED.save(tmp_path / f"e.{ending}")
        copies.append(nnlite.load(tmp_path / f"e.{ending}"))
    for copy in copies:
        np.testing.assert_array_equal(copy.predict_proba(X), EXPECTED)
        again = copy.set_params(warm_start=True).fit(X, Y)
        assert again.n_iter_ == 6 and again._columns.vocabularies == VOCABULARIES


def test_keras_reads_the_network_of_a_table(tmp_path):
    keras = pytest.importorskip("keras")
    fitted = classifier(dtype="float32").fit(X.assign(size=X["size"].where(X["size"] > 900)), Y)
    fitted.save(tmp_path / "e.keras")
    codes = fitted._columns.encoded(X).astype("f4")
    theirs = keras.models.load_model(tmp_path / "e.keras").predict(codes, verbose=0)
    np.testing.assert_allclose(theirs, fitted.model_.predict(codes, verbose=0), rtol=1e-4)


# What categories become


def front(fitted):
    return fitted.model_.layers[:2]


def test_two_values_are_signs_few_are_one_hot_and_many_are_embedded():
    plain = classifier(dtype="float32", numeric_encoding=None)
    scaling, encoding = front(plain.fit(X, Y))
    assert type(scaling) is InputScaling and type(encoding) is TableEncoding
    assert encoding.sizes == [3, 12, 2, 0, 3] and encoding.embedding.input_dim == 13
    codes = FITTED._columns.encoded(X)
    made = encoding(scaling(codes)).numpy()
    assert made.shape == (N, 1 + 1 + 3 + 3 + 8)
    np.testing.assert_array_equal(made[:, 1], np.where(FLAG, -1, 1))
    np.testing.assert_array_equal(made[:, 2:5].argmax(1), np.searchsorted(VOCABULARIES[0], CITY))
    size = (SIZE - SIZE.mean()) / SIZE.std()
    rounding = SIZE.max() / SIZE.std() * 2.0**-23  # of sizes as float32
    np.testing.assert_allclose(made[:, 0], size / np.sqrt(1 + (size / 8) ** 2), atol=rounding)
    assert encoding.sources.tolist() == [3, 2, 0, 0, 0, 4, 4, 4] + [1] * 8


def test_what_the_network_reads_is_named():
    table = X.assign(size=np.where(SIZE > 1100, np.nan, SIZE), id=[f"id-{i}" for i in range(N)])
    fitted = classifier(numeric_encoding=None).fit(table.drop(columns="street"), Y)
    sources, names = columns.read_by_network(fitted)
    assert sources.tolist() == [2, 2, 1, 0, 0, 0, 3, 3, 3, 4]
    cities = [f"city: {name}" for name in ("Bern", "Oslo", "Rome")]
    grades = [f"grade: {name}" for name in ("x", "y", None)]
    expected = ["size", "size is missing", "flag: False, not True", *cities, *grades, "id"]
    assert names == expected
    sources, names = columns.read_by_network(FITTED)
    of_size = FITTED.model_.layers[1].encoding.sources.size
    assert names[:of_size] == ["size", *(f"size ({i})" for i in range(1, of_size))]
    assert names[-8:] == [f"street ({i})" for i in range(1, 9)]
    assert sources[-8:].tolist() == [1] * 8 and len(sources) == len(names)
    plain = classifier().fit(SIZE[:, None], Y)
    sources, names = columns.read_by_network(plain)
    assert not sources.any() and names[:2] == ["x0", "x0 (1)"]
    sources, names = columns.read_by_network(
        plain.set_params(numeric_encoding=None).fit(X[["size"]], Y)
    )
    assert sources.tolist() == [0] and names == ["size"]


def test_numbers_of_a_category_column_are_a_category():
    table = pandas.DataFrame({"region": pandas.Categorical(np.arange(N) % 40), "size": SIZE})
    fitted = classifier().fit(table, Y)
    assert fitted._columns.vocabularies == [list(range(40)), None]
    as_numbers = table.astype({"region": float})
    np.testing.assert_array_equal(fitted.predict_proba(as_numbers), fitted.predict_proba(table))


@pytest.mark.parametrize(
    "values, known",
    [
        ([1, "1", 2.5, True] * 60, [1, 2.5, "1"]),
        ([Decimal("1.5"), Decimal(2)] * 120, None),
        ([1, None, 2.5] * 80, None),
        ([(1, 2), "a"] * 120, "other values"),
        ([[1], "a"] * 120, "other values"),
        ([b"a", b"b"] * 120, "other values"),
        ([datetime.date(2020, 1, 1), None] * 120, "dates"),
        ([None] * 240, [None]),
        (pandas.cut(SIZE, 2, labels=["low", "high"]).astype(object), ["high", "low"]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_column_of_objects_is_what_its_values_are(values, known):
    table = pandas.DataFrame({"a": pandas.Series(values, dtype=object), "flag": FLAG})
    if isinstance(known, str):
        with pytest.raises(ValueError, match=rf"got {known} in column 'a' \(of type object\)"):
            classifier().fit(table, Y)
    else:
        assert classifier(epochs=1).fit(table, Y)._columns.vocabularies[0] == known


def test_intervals_and_times_that_are_categories_are_known_by_their_texts():
    cut = pandas.cut(SIZE, 3)
    day = pandas.Categorical(pandas.to_datetime(["2020-01-01", "2020-01-02"] * (N // 2)))
    fitted = classifier(epochs=1).fit(pandas.DataFrame({"cut": cut, "day": day}), Y)
    assert fitted._columns.vocabularies == [
        sorted(map(str, cut.categories)),
        ["2020-01-01 00:00:00", "2020-01-02 00:00:00"],
    ]


def test_rare_and_unknown_categories_are_one():
    rows = np.array(["a"] * 100 + ["b"] * 96 + ["c"] * 4 + ["d"] * 40)
    table = pandas.DataFrame({"kind": rows, "size": SIZE})
    fitted = classifier().fit(table, Y)
    assert fitted._columns.vocabularies[0] == ["a", "b", "d"]
    table["kind"] = "c"
    rare = fitted.predict_proba(table)
    for unknown in ("never seen", "A", "", 5, None, np.nan):
        table["kind"] = pandas.Series([unknown] * N, dtype=object)
        np.testing.assert_array_equal(fitted.predict_proba(table), rare)


@pytest.mark.parametrize("n, least", [(6, 1), (50, 1), (100, 2), (150, 3), (250, 5), (10**6, 5)])
def test_how_rare_a_category_is_depends_on_the_rows(n, least):
    assert nnlite.estimators.defaults.rare_below(n) == least


def test_a_column_in_which_all_is_rare_says_nothing():
    table = pandas.DataFrame({"id": [f"id-{i}" for i in range(N)], "size": SIZE})
    fitted = classifier().fit(table, Y)
    assert fitted._columns.vocabularies == [[], None] and fitted._columns.sizes == [1, 0]
    other = table.assign(id="id-1")
    np.testing.assert_array_equal(fitted.predict_proba(other), fitted.predict_proba(table))


def test_the_vector_of_unknown_categories_begins_as_zeros():
    layer = front(classifier(epochs=1).fit(X, Y))[1]
    assert not layer.embedding.embeddings.numpy()[0].any()
    assert layer.embedding.embeddings.numpy()[1:].all()


def test_rows_of_weight_0_teach_no_category():
    weight = (CITY != "Oslo").astype(float)
    fitted = classifier().fit(X, Y, sample_weight=weight)
    kept = weight > 0
    assert fitted._columns.vocabularies[0] == ["Bern", "Rome"]
    alone = classifier().fit(X[kept], Y[kept])
    np.testing.assert_array_equal(fitted.predict_proba(X), alone.predict_proba(X))


def test_categories_teach_what_only_they_say():
    city = pandas.DataFrame({"city": CITY, "flag": FLAG})
    assert classifier(epochs=80, learning_rate=0.02).fit(city, Y).score(city, Y) == 1
    street = pandas.DataFrame({"street": STREET})
    heights = dict(zip(sorted(set(STREET)), RNG.normal(size=12)))
    y = np.array([heights[name] for name in STREET])
    fitted = NNRegressor(ensemble=1, epochs=80, random_state=0, learning_rate=0.02).fit(street, y)
    assert fitted.score(street, y) > 0.99


# The setting


@pytest.mark.parametrize(
    "wanted",
    [
        ["city", "street", "flag", "grade"],
        [True, True, True, False, True],
        np.array([0, 1, 2, 4]),
        (4, 2, 1, 0),
        np.array(["city", "street", "flag", "grade"]),
        pandas.Index(["city", "street", "flag", "grade"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_columns_can_be_named(wanted):
    fitted = classifier(categorical_features=wanted).fit(X, Y)
    np.testing.assert_array_equal(fitted.predict_proba(X), EXPECTED)


def test_numbers_can_be_named_as_categories():
    numbers = np.c_[np.arange(N) % 3, SIZE]
    fitted = classifier(categorical_features=[0]).fit(numbers, Y)
    assert fitted._columns.vocabularies == [[0, 1, 2], None]
    assert front(fitted)[1].sizes == [3, 0]
    rows = numbers.astype(np.float32)
    np.testing.assert_allclose(fitted.predict_proba(rows), fitted.predict_proba(numbers), 1e-3)


def test_what_is_not_named_is_numbers():
    fitted = classifier(categorical_features=["city", "street", "grade"]).fit(X, Y)
    assert [known is None for known in fitted._columns.vocabularies] == [False, False, 1, 1, False]
    numbers = X[["flag", "size"]]
    none = classifier(categorical_features=None).fit(numbers, Y)
    as_array = classifier().fit(numbers.to_numpy(float), Y)
    found, expected = none.predict_proba(numbers), as_array.predict_proba(numbers.to_numpy(float))
    np.testing.assert_array_equal(found, expected)
    assert none._columns is None


@pytest.mark.parametrize(
    "layers",
    [
        [Dense(8, "relu")],
        [Dense(8, "relu", input_shape=(5,))],
        [Dropout(0.1), Dense(8)],
        (8,),
        lambda meta: [Dense(meta.n_features, "relu")],
    ],
    ids=["list", "with its shape", "dropout", "sizes", "function"],
)
@pytest.mark.parametrize("normalize", ["auto", False])
def test_any_network_of_rows_reads_a_table(layers, normalize):
    fitted = classifier(layers, normalize=normalize).fit(X, Y)
    made = [type(layer) for layer in fitted.model_.layers]
    scales = normalize == "auto" and not callable(layers)
    assert made[: 1 + scales] == [InputScaling, TableEncoding][1 - scales :]
    assert np.isfinite(fitted.predict_proba(X)).all()


# Around an estimator


def test_validation_data_and_scorers_read_the_table():
    fitted = classifier(scoring="roc_auc").fit(X[:200], Y[:200], X_val=X[200:], y_val=Y[200:])
    assert len(fitted.history_["val_score"]) == 3
    with pytest.raises(ValueError, match=r"X_val, y_val: X: expected numbers as in fit"):
        classifier().fit(X, Y, X_val=X.assign(size="tall"), y_val=Y)


def test_first_part_teaches_the_categories_of_partial_fit():
    fitted = NNClassifier(random_state=0).partial_fit(X[CITY != "Oslo"], Y[CITY != "Oslo"], [0, 1])
    known = fitted._columns.vocabularies
    fitted.partial_fit(X, Y)
    assert fitted._columns.vocabularies is known and known[0] == ["Bern", "Rome"]
    oslo, other = X.assign(city="Oslo"), X.assign(city="Paris")
    np.testing.assert_array_equal(fitted.predict_proba(oslo), fitted.predict_proba(other))


def test_folds_without_a_rare_category_have_scores():
    table = X.assign(street=np.where(np.arange(N) < 3, "rare", STREET))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(cross_val_score(classifier(), table, Y, cv=4)).all()


def test_a_pipeline_and_a_search_pass_a_table_on():
    drop = FunctionTransformer(lambda table: table.drop(columns="street"))
    grid = {"nnclassifier__categorical_features": ["from_dtype", ["city", "flag", "grade"]]}
    search = GridSearchCV(make_pipeline(drop, classifier()), grid, cv=2).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] == scores[1] and search.predict(X).shape == (N,)


NAMES = "format dtype tocsr schema null_count type get_columns itercolumns column_names mask T size"


def test_columns_may_have_the_names_of_what_arrays_and_frames_have():
    table = pandas.DataFrame(dict.fromkeys(NAMES.split(), np.where(SIZE > 1100, np.nan, SIZE)))
    for rows in (table, table.assign(values=CITY)):
        expected = classifier().fit(rows.add_prefix("x_"), Y).predict_proba(rows.add_prefix("x_"))
        np.testing.assert_array_equal(classifier().fit(rows, Y).predict_proba(rows), expected)
        np.testing.assert_array_equal(
            classifier().fit(rows, Y).predict_proba(rows[:3]), expected[:3]
        )


def test_a_table_of_numbers_has_no_categories():
    assert columns.learned(X[["size"]], "from_dtype") is None
    assert columns.learned(X[["size"]].astype(object), "from_dtype") is None
    fitted = classifier(numeric_encoding=None).fit(X[["size"]], Y)
    assert [type(layer) for layer in fitted.model_.layers] == [InputScaling, Dense, Dense]
