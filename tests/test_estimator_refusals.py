"""What users get wrong with the estimators: each is an error of `fit` that says what is expected,
never one of the constructor or of `set_params`, never a silent result."""

import datetime
import warnings

import numpy as np
import pandas
import pytest
from scipy.sparse import coo_array, csr_array
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer

import nnlite
from nnlite import MLP, NNClassifier, NNRegressor, Stack
from nnlite.callbacks import EarlyStopping
from nnlite.layers import Activation, Dense, Dropout, Softmax
from nnlite.optimizers import SGD, Adam

IRIS, KIND = load_iris(return_X_y=True)
NAMES = np.array(["u", "v", "w"])[KIND]
LENGTH = IRIS[:, 0]
MISSING = pandas.Categorical.from_codes(np.where(KIND == 2, -1, KIND), [0, 1])
FORMS = "expected a list of layers such as Dense"


def classifier(*args, **settings):
    return NNClassifier(*args, **{"epochs": 2, "random_state": 0, **settings})


def regressor(*args, **settings):
    return NNRegressor(*args, **{"epochs": 2, "random_state": 0, **settings})


def with_nan(a):
    a = np.array(a, np.float64)
    a.flat[3] = np.nan
    return a


def frame(**more):
    return pandas.DataFrame({"length": LENGTH, **more})


def compiled(width=3, last="softmax"):
    model = nnlite.Sequential([Dense(width, last)])
    model.compile("adam", "mse" if width == 1 else "categorical_crossentropy")
    return model


# Settings

KINDS = {
    "-1": -1, "2.5": 2.5, "text": "nonsense", "bytes": b"8", "object": object(), "dict": {"a": 1},
    "list of text": ["a"], "class": int, "nan": np.nan, "inf": np.inf, "complex": 1j,
    "array": np.array([1.5, -2.0]), "pair": (1, -1), "set": {3}, "date": datetime.date(2020, 1, 1),
}
LEGAL = {
    ("learning_rate", "2.5"),
    ("scoring", "class"),  # a function, as far as can be seen before rows are held out
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(NNClassifier().get_params(deep=False)))
def test_a_setting_of_the_wrong_kind_is_an_error_of_fit_that_names_it(name, kind):
    if (name, kind) in LEGAL:
        return
    estimator = classifier(**{name: KINDS[kind]})
    assert classifier().set_params(**{name: KINDS[kind]}).get_params()[name] is KINDS[kind]
    with pytest.raises((ValueError, TypeError), match=r"expected|unknown|must be a") as raised:
        estimator.fit(IRIS, KIND)
    assert name in str(raised.value).replace("an optimizer", "optimizer")
    with pytest.raises(NotFittedError):
        estimator.predict(IRIS)


@pytest.mark.parametrize("layers, words", [
    ([("a", Dense(3)), ("a", Dense(3))], "layers: expected every step's name once, got 'a' twice"),
    ([("a__b", Dense(3))], "layers: expected names of steps without '__'"),
    ([("", Dense(3))], "layers: expected names of steps"),
    ([("epochs", Dense(3))], "none of the estimator's settings, got 'epochs'; those are activatio"),
    ([("a", 3)], FORMS), ([(3, Dense(3))], FORMS), ([("a", Dense(3), 4)], FORMS),
    ([("a", Dense)], FORMS), ([[Dense(3)]], FORMS), ([MLP()], FORMS), (Stack(MLP()), FORMS),
    (Stack(Stack(Dense(3))), FORMS), ({"a": Dense(3)}, FORMS), ("", FORMS), ((64, None), FORMS),
    ((Dense(3) for _ in range(2)), FORMS), (["64"], FORMS), ((True,), FORMS), (dict, FORMS),
    (compiled(), "got a compiled model; give the function that makes it"),
    (lambda: 3.5, "layers to be a positive integer, got 3.5"), (lambda: "x", FORMS),
    (lambda: Dense, FORMS), (lambda: lambda: 3, "expected the function to return layers"),
    (lambda: [Dense(-1)], "units to be a positive integer, got -1"),
    (lambda: compiled(5), "layers: expected a compiled model with 3 outputs .*got 5"),
    ("64-", "sizes are such as 64, .*'64-32'"), ("64,32", "sizes are such as"),
    ("-64", "sizes are such as"), ((0,), "sizes are such as"), ((64.5,), "sizes are such as"),
    (np.array([[3, 4]]), "sizes are such as"),
    (MLP("x"), "units to be a positive integer, got 'x'"), (MLP(None), "units to be a positive"),
    (MLP(dropout=1), r"MLP: expected dropout to be in \[0, 1\), got 1"),
    (MLP(dropout="x"), "MLP: expected dropout to be a number"),
    (MLP(depth=-1), "depth to be a positive"), (MLP(depth=2.5), "depth to be a positive"),
    (MLP(width=0), "width to be a positive"), (MLP(batch_norm="x"), "batch_norm to be True or F"),
    (MLP(activation="rleu"), "unknown activation 'rleu'; known: "),
    (MLP((), depth=2), r"MLP: expected width= where depth="),
])
def test_layers_that_are_none(layers, words):
    with pytest.raises((ValueError, TypeError), match=words):
        classifier(layers).fit(IRIS, KIND)


def test_sizes_are_no_bytes_sets_or_dicts():
    for sizes in (b"x", {3}, {}, {3: 4}, np.array(2.5), "", [[3]]):
        with pytest.raises(ValueError, match="hidden_layer_sizes to be a positive integer, got"):
            classifier(hidden_layer_sizes=sizes).fit(IRIS, KIND)
    for sizes in (np.array(3), np.array([3]), range(3, 4), [3.0], np.int8(3), "3"):
        fitted = classifier(hidden_layer_sizes=sizes).fit(IRIS, KIND)
        assert fitted.model_.layers[-2].units == 3


@pytest.mark.parametrize("settings, words", [
    ({"optimizer__learning_rate": -1}, r"learning_rate in \[0, inf\), got -1"),
    ({"optimizer__beta_1": 2.0}, r"beta_1 in \[0, 1\), got 2.0"),
    ({"optimizer__clipnorm": "x"}, r"clipnorm in \[0, inf\), got 'x'"),
    ({"early_stopping__patience": -1}, "patience of at least 0, got -1"),
    ({"early_stopping__monitor": "val_auc"}, "'val_auc' is not among the figures loss, accuracy"),
    ({"hidden__units": None}, "layer 'hidden'.*units to be a positive integer, got None"),
    ({"hidden__activation": 3}, "layer 'hidden'.*an activation, its name or a function, got 3"),
    ({"hidden__kernel_initializer": "x"}, "layer 'hidden'.*unknown initializer 'x'; known: "),
    ({"hidden__kernel_regularizer": "x"}, "layer 'hidden'.*unknown regularizer 'x'; known: "),
    ({"hidden__kernel_regularizer__l2": -1}, "l2 to be a finite number of at least 0, got -1"),
    ({"hidden": 3}, FORMS), ({"hidden": Dense}, FORMS),
    ({"drop__rate": -0.1}, r"layer 'drop'.*rate in \[0, 1\), got -0.1"),
    ({"optimizer": SGD(momentum=2)}, r"momentum in \[0, 1\), got 2"),
    ({"optimizer": Adam(epsilon=-1)}, r"epsilon in \[0, inf\), got -1"),
    ({"optimizer": "lbfgs"}, "unknown optimizer 'lbfgs'; known: adadelta, .*sgd"),
    ({"callbacks": [EarlyStopping]}, "callbacks: expected Callback objects"),
    ({"callbacks": [("epochs", EarlyStopping("loss"))]}, "callbacks: expected names of steps"),
    ({"callbacks": [("hidden", EarlyStopping("loss"))]}, "name once, got 'hidden' twice"),
    ({"warm_start": True, "refit_full": True}, "refit_full: expected False with warm_start"),
    ({"schedule": "cosine", "learning_rate": nnlite.optimizers.schedules.CosineDecay(1, 2)},
     "schedule: expected 'auto' or None, as the optimizer has a schedule"),
])
def test_values_of_nested_names_are_checked_by_fit(settings, words):
    estimator = classifier([("hidden", Dense(4)), ("drop", Dropout(0.1))], early_stopping=True)
    estimator.set_params(**settings)
    with pytest.raises((ValueError, TypeError), match=words):
        estimator.fit(IRIS, KIND)


@pytest.mark.parametrize("name, words", [
    ("nope", "'nope' for estimator NNClassifier. Valid parameters are: activation, batch_size"),
    ("nope__units", "'nope' for estimator NNClassifier. Valid parameters are: activation"),
    ("hidden__nope", "no setting 'nope'; it has units, activation"),
    ("optimizer__nope", "Adam: no setting 'nope'; it has learning_rate"),
    ("early_stopping__nope", "no setting 'nope'; it has monitor"),
    ("hidden__kernel_regularizer__nope", "L1L2: no setting 'nope'; it has l1, l2"),
    ("optimizer__learning_rate__nope", "learning_rate: no setting 'nope'; it has none, as 0.001"),
    ("class_weight__nope", "class_weight is None, which has no settings"),
    ("optimizer__", "no setting ''"), ("hidden__", "no setting ''"), ("__units", "parameter ''"),
])
def test_set_params_of_an_unknown_name_lists_the_known_and_changes_nothing(name, words):
    estimator = classifier([("hidden", Dense(4))])
    with pytest.raises(ValueError, match=words):
        estimator.set_params(**{"epochs": 7, name: 1})
    assert estimator.epochs == 2
    with pytest.raises(TypeError, match="nope"):
        NNClassifier(nope=1)


# An output layer of one's own


@pytest.mark.parametrize("last", [Dense(3, "softmax"), Softmax(), Activation("softmax"),
                                  Dense(5, nnlite.activations.softmax)], ids=repr)
def test_a_softmax_as_the_last_hidden_layer_is_an_error(last):
    for layers in ([Dense(4, "relu"), last], Stack(last), lambda: [last],
                   lambda: nnlite.Sequential([last])):
        for estimator, y in ((classifier, KIND), (regressor, LENGTH)):
            with pytest.raises(ValueError, match=r"adds the output layer, got .*; leave it"):
                estimator(layers).fit(IRIS, y)
    classifier([last, Dense(4)]).fit(IRIS, KIND)
    classifier(lambda: compiled()).fit(IRIS, KIND)


def test_a_sigmoid_that_looks_like_the_output_is_a_warning():
    several = np.eye(3, dtype=int)[KIND]
    for layers, y in (([Dense(1, "sigmoid")], KIND > 0), ([Dense(3, "sigmoid")], several)):
        with pytest.warns(UserWarning, match="leave it out unless it is meant to be hidden"):
            classifier(layers).fit(IRIS, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier([Dense(2, "sigmoid")]).fit(IRIS, KIND > 0)
        classifier([Dense(3, "sigmoid")]).fit(IRIS, KIND)
        classifier("1", activation="sigmoid").fit(IRIS, KIND > 0)
        regressor([Dense(1, "sigmoid")]).fit(IRIS, LENGTH)


def test_normalize_is_not_for_a_compiled_model():
    def linear():
        return compiled(1, None)

    for estimator, build, y in ((classifier, compiled, KIND), (regressor, linear, LENGTH)):
        with pytest.raises(ValueError, match="normalize: expected 'auto' or False for a compiled"):
            estimator(build, normalize=True).fit(IRIS, y)
        for value in ("auto", False):
            estimator(build, normalize=value).fit(IRIS, y)


# Rows

BAD_ROWS = {
    "none": (None, "Expected 2D array"),
    "one number": (3, "Expected 2D array"),
    "a Series": (pandas.Series(LENGTH), "Expected a 2-dimensional container|Expected 2D array"),
    "rows of several lengths": ([[1.0, 2.0], [3.0]] * 75, "inhomogeneous"),
    "NaN": (with_nan(IRIS), "X contains NaN"),
    "NaN in a float32": (with_nan(IRIS).astype(np.float32), "X contains NaN"),
    "NaN of objects": (with_nan(IRIS).astype(object), "X contains NaN"),
    "None of objects": (np.where(IRIS > 7, None, IRIS.astype(object)), "X contains NaN"),
    "NaN of sparse": (csr_array(with_nan(IRIS)), "X contains NaN"),
    "NaN of images": (np.full((150, 3, 3), np.nan), "X contains NaN"),
    "NA": (pandas.DataFrame(with_nan(IRIS)).astype("Float64"), "X contains NaN"),
    "masked": (np.ma.array(IRIS, mask=IRIS > 7), "X: expected no masked values"),
    "complex": (IRIS + 1j, "Complex data"),
    "complex of sparse": (csr_array(IRIS + 1j), "Complex data"),
    "text": (IRIS.astype(str), "X: expected numbers, got values of type <U"),
    "bytes": (IRIS.astype("S8"), r"X: expected numbers, got values of type \|S8"),
    "text of objects": (NAMES[:, None].astype(object), "X: expected numbers, got values of type"),
    "dates": (np.full((150, 2), np.datetime64("2020")), "X: expected numbers, got .*datetime64"),
    "time spans": (np.full((150, 2), np.timedelta64(1, "h")), "X: expected numbers, got .*timede"),
    "records": (np.zeros((150, 1), [("a", float)]), "X: expected numbers, got values of type"),
    "column of text": (frame(kind=NAMES), "X: expected numbers, got column 'kind'.*OneHotEncoder"),
    "column of dates": (frame(day=pandas.date_range("2020", periods=150)),
                        "X: expected numbers, got column 'day' of type datetime64"),
    "column of time spans": (frame(day=pandas.to_timedelta(KIND, unit="h")),
                             "X: expected numbers, got column 'day' of type timedelta64"),
    "categories": (frame(kind=pandas.Categorical(NAMES)), "X: expected numbers, got column 'kind'"),
    "missing category": (frame(kind=MISSING), "X contains NaN"),
    "names of two kinds": (pandas.DataFrame(IRIS, columns=["a", "b", "c", 3]), "Feature names are"),
    "empty images": (np.zeros((150, 0, 3, 1)), r"X: expected at least one value in a sample"),
    "np.matrix": (IRIS.view(np.matrix), "np.matrix is not supported"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
@pytest.mark.parametrize("estimator", [classifier, regressor])
def test_rows_that_cannot_be_learned(estimator, case):
    X, words = BAD_ROWS[case]
    y = KIND if estimator is classifier else LENGTH
    with pytest.raises((ValueError, TypeError), match=words), warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        estimator().fit(X, y)


@pytest.mark.parametrize("case", [
    "NaN", "NaN of objects", "None of objects", "NaN of sparse", "NA", "masked", "text", "dates",
    "complex", "np.matrix",
])
def test_rows_that_cannot_be_predicted(case):
    X, words = BAD_ROWS[case]
    X = X[:, :2] if isinstance(X, np.ndarray) else X
    words = f"{words}|feature|as in fit"
    with pytest.raises((ValueError, TypeError), match=words), warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        classifier().fit(IRIS, KIND).predict(X)


# Targets


def nullable(values, kind):
    return pandas.array([None, *np.asarray(values)[1:].tolist()], dtype=kind)


@pytest.mark.parametrize("y, words", [
    (3, "at least 1 dim"), ("abc", "at least 1 dim"), ({"a": 1}, "at least 1 dim"),
    ([], "0 sample"), (KIND[:-1], "inconsistent numbers of samples"),
    (KIND[None], "inconsistent numbers of samples"), (np.ones((150, 2, 2)), "dim 3"),
    (np.ones((150, 0)), "0 feature"), ([None] * 150, "y: .*NaN or None for 150 of 150 rows"),
    ([*NAMES[:-1], None], "y: .*NaN or None for 1 of 150 rows, the first of them 149"),
    (np.where(KIND == 1, None, NAMES.astype(object)), "y: .*for 50 of 150 rows, .* 50"),
    (nullable(KIND, "Int64"), "y: expected a target for each row"),
    (nullable(NAMES, "string"), "y: expected a target for each row"),
    (pandas.Series(nullable(NAMES, "string")), "y: expected a target for each row"),
    (pandas.Series(MISSING), "y: expected a target for each row"),
    (pandas.DataFrame(np.where(np.eye(3)[KIND] == 1, np.nan, 0)), "y: expected a target for each"),
    (np.ma.array(KIND, mask=KIND == 1), "y: expected no masked values"),
    (LENGTH, "continuous"), (IRIS[:, :3], "continuous"), (KIND + 1j, "Complex"),
    (np.full(150, 2), r"y: expected at least 2 classes, got 1 class: \[2\]"),
    (["u"] * 150, r"y: expected at least 2 classes, got 1 class: \['u'\]"),
    ([(1, 2)] * 150, r"2 columns of 0 and 1, .* with values \[1, 2\]"),
    (np.c_[KIND, KIND], "y: expected one label per sample, or a matrix of 0 and 1"),
    (csr_array(np.eye(3)[KIND]), "y: expected a dense array"),
    (coo_array(np.eye(3)[KIND]), "y: expected a dense array"),
    ([{1}, {2}] * 75, "Unknown label type"),
])
def test_labels_that_are_none(y, words):
    with pytest.raises((ValueError, TypeError), match=words):
        classifier().fit(IRIS, y)


@pytest.mark.parametrize("y, words", [
    (NAMES, "y: expected numbers, got values of type <U1"),
    (LENGTH.astype(str), "y: expected numbers, got values of type <U"),
    (np.full(150, np.datetime64("2020")), "y: expected numbers, got .*datetime64"),
    (np.full(150, np.timedelta64(1, "h")), "y: expected numbers, got .*timedelta64"),
    (with_nan(LENGTH), "y contains NaN"), (LENGTH * np.inf, "y contains infinity"),
    (np.where(LENGTH > 7, None, LENGTH.astype(object)), "y: .*NaN or None for 12 of 150 rows"),
    ([*LENGTH[:-1], None], "y: .*NaN or None for 1 of 150 rows, the first of them 149"),
    (nullable(LENGTH, "Float64"), "y: expected a target for each row"),
    (pandas.Series(with_nan(LENGTH)), "y: expected a target for each row"),
    (np.ma.array(LENGTH, mask=LENGTH > 7), "y: expected no masked values"),
    (np.ones((150, 2, 2)), "dim 3"), (np.ones((150, 0)), "0 feature"),
    (csr_array(LENGTH[:, None]), "y: expected a dense array"), (LENGTH[:9], "inconsistent"),
])
def test_numbers_that_are_none(y, words):
    with pytest.raises((ValueError, TypeError), match=words):
        regressor().fit(IRIS, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_numbers_are_learned_as_well_as_others(dtype):
    huge = regressor(dtype=dtype, normalize=True, epochs=50).fit(IRIS, LENGTH * 1e39)
    usual = regressor(dtype=dtype, normalize=True, epochs=50).fit(IRIS, LENGTH)
    expected = usual.predict(IRIS).astype(np.float64) * 1e39
    np.testing.assert_allclose(huge.predict(IRIS), expected, rtol=1e-4)
    with pytest.raises(ValueError, match="y: expected values whose squares are finite, got"):
        regressor(dtype=dtype).fit(IRIS, LENGTH * 1e300)


# Weights


@pytest.mark.parametrize("weight, words", [
    ("a", "sample_weight: could not convert"), (["a"] * 150, "sample_weight: could not convert"),
    ({0: 1}, "sample_weight: "), (np.ones(3), r"sample_weight.*\(3,\)"),
    (-1.0, "sample_weight: Negative"),
    (np.ones((150, 1)), "sample_weight: .*1D"), (with_nan(np.ones(150)), "sample_weight.*NaN"),
    ([None] * 150, "sample_weight.*NaN"), (np.r_[np.inf, np.ones(149)], "sample_weight.*infinity"),
    (-np.ones(150), "sample_weight: Negative"), (np.zeros(150), "sample_weight: .*non-zero"),
    (csr_array(np.ones((1, 150))), "sample_weight: Sparse"),
])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_are_none(method, weight, words):
    with pytest.raises((ValueError, TypeError), match=words):
        getattr(regressor(), method)(IRIS, LENGTH, sample_weight=weight)


@pytest.mark.parametrize("weight, words", [
    ({9: 1.0}, r"class_weight: expected labels of array\(\[0, 1, 2\]\), got 9"),
    ({"u": 1.0}, "class_weight: expected labels of .*, got 'u'"), ({(1,): 2.0}, r"got \(1,\)"),
    ({np.nan: 1.0}, "class_weight: expected labels of .*, got nan"),
    ({0: 0, 1: 0, 2: 0}, "class_weight: expected at least one non-zero weight"),
    *(({0: bad}, "class_weight: expected None, 'balanced' or a dict of labels to weights of at")
      for bad in (-1, np.nan, np.inf, "x", None, np.array([1.0]), 1j)),
    ("Balanced", "class_weight: expected None, 'balanced' or a dict"),
])
def test_weights_of_classes_that_are_none(weight, words):
    with pytest.raises(ValueError, match=words):
        classifier(class_weight=weight).fit(IRIS, KIND)


def test_several_labels_have_no_weights_of_classes_and_a_regressor_neither():
    for weight in ("balanced", {0: 1}):
        with pytest.raises(ValueError, match="class_weight: expected None, as each sample may"):
            classifier(class_weight=weight).fit(IRIS, np.eye(3, dtype=int)[KIND])
    with pytest.raises(TypeError, match="class_weight"):
        NNRegressor(class_weight="balanced")


# Held-out rows, scores


@pytest.mark.parametrize("given, words", [
    ({"X_val": IRIS}, "y_val: expected rows, as there is X_val, got None"),
    ({"X_val": (IRIS, KIND)}, "y_val: expected rows"),
    ({"y_val": KIND}, "X_val: expected rows, as there is y_val, got None"),
    ({"sample_weight_val": np.ones(150)}, "X_val: expected rows, as there is sample_weight_val"),
    ({"X_val": IRIS[:, :2], "y_val": KIND}, "X_val.*2 features.*4 features"),
    ({"X_val": IRIS[:0], "y_val": KIND[:0]}, "X_val.*0 sample"),
    ({"X_val": IRIS, "y_val": KIND[:3]}, "y_val: .*inconsistent"),
    ({"X_val": IRIS, "y_val": KIND + 1}, r"y_val: .*labels of array\(\[0, 1, 2\]\), got .*3"),
    ({"X_val": IRIS, "y_val": NAMES}, "y_val: .*labels of .*, got .*'u'"),
    ({"X_val": IRIS, "y_val": [None] * 150}, "y_val: .*NaN or None"),
    ({"X_val": IRIS, "y_val": with_nan(KIND)}, "y_val: .*NaN"),
    ({"X_val": with_nan(IRIS), "y_val": KIND}, "X_val.*NaN"),
    ({"X_val": IRIS.astype(str), "y_val": KIND}, "X_val.*expected numbers"),
    *(({"X_val": IRIS, "y_val": KIND, "sample_weight_val": w}, "sample_weight_val: .*weight")
      for w in (np.ones(3), np.zeros(150), -np.ones(150), "x")),
])
def test_rows_that_cannot_be_held_out(given, words):
    with pytest.raises((ValueError, TypeError), match=words):
        classifier().fit(IRIS, KIND, **given)


@pytest.mark.parametrize("estimator, y, scoring", [
    (classifier, KIND, "roc_auc"), (regressor, LENGTH, "roc_auc"), (regressor, LENGTH, "accuracy"),
    (classifier, KIND, lambda e, X, y: None), (classifier, KIND, lambda e, X, y: "much"),
    (classifier, KIND, lambda e, X, y: np.ones(2)), (classifier, KIND, lambda e: 1.0),
])
def test_a_scorer_that_does_not_suit(estimator, y, scoring):
    with pytest.raises((AttributeError, ValueError, TypeError), match=r"scoring: .* no number"):
        estimator(scoring=scoring, early_stopping=True).fit(IRIS, y)


def test_a_score_that_is_not_finite_is_no_error():
    for value in (np.nan, np.inf, -np.inf):
        scorer = make_scorer(lambda a, b, value=value: value)
        fitted = classifier(scoring=scorer, early_stopping=True).fit(IRIS, KIND)
        assert np.isfinite(fitted.predict_proba(IRIS)).all()


def test_a_fraction_that_leaves_no_rows():
    with pytest.raises(ValueError, match=r"validation_fraction: 0.999 of 150 rows leaves none"):
        classifier(early_stopping=True, validation_fraction=0.999).fit(IRIS, KIND)


# Streams


@pytest.mark.parametrize("classes, words", [
    (None, "classes: expected all labels at the first partial_fit, got None"),
    ([], "expected at least 2 classes, got 0 classes"), ([1], r"got 1 class: \[1\]"),
    ("abc", "classes: expected a list of labels of one kind, got 'abc'"),
    (3, "classes: expected a list of labels"), ([[0, 1], [2, 3]], "classes: expected a list of l"),
    ([0, "a", None], "classes: expected a list of labels of one kind"),
    ([0, 1], "y: expected labels of .*, got .*2"), (["u", "v"], "y: expected labels of .*, got"),
])
def test_classes_of_a_stream(classes, words):
    estimator = classifier()
    with pytest.raises(ValueError, match=words):
        estimator.partial_fit(IRIS, KIND, classes=classes)
    with pytest.raises(NotFittedError):
        estimator.predict(IRIS)
