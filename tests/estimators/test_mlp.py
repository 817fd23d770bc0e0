"""MLPClassifier and MLPRegressor: what they learn beside scikit-learn's, and what is theirs."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn import neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale
from sklearn.utils.estimator_checks import parametrize_with_checks

from nnlite import config
from nnlite import neural_network as ours
from nnlite.neural_network.precision import is_lost_in_float32
from nnlite.optimizers import LBFGS
from nnlite.training import loop

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
DIGITS, OF_TEN = (part[:230] for part in load_digits(return_X_y=True))
CANCER, OF_TWO = (part[:230] for part in load_breast_cancer(return_X_y=True))
CANCER = scale(CANCER)
COLUMNS, NUMBERS = make_regression(90, 6, n_targets=3, noise=5.0, random_state=0)
NUMBERS /= NUMBERS.std()
LABELS = (NUMBERS > 0).astype(int)
COUNTS = RNG.poisson(np.exp(COLUMNS[:, 0] / 2)).astype(float)

# The class, data and settings; float64 unless said otherwise.
CASES = {
    "adam": ("MLPClassifier", CANCER, OF_TWO, {}),
    "classes": ("MLPClassifier", DIGITS / 16, OF_TEN, {"hidden_layer_sizes": (30, 20)}),
    "logistic": ("MLPClassifier", CANCER, OF_TWO, {"activation": "logistic", "alpha": 1.0}),
    "several labels": ("MLPClassifier", COLUMNS, LABELS, {"activation": "tanh", "batch_size": 32}),
    "constant": ("MLPClassifier", CANCER, OF_TWO, {"solver": "sgd", "momentum": 1.0}),
    "invscaling": (
        "MLPClassifier",
        CANCER,
        OF_TWO,
        {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3, "momentum": 0.0},
    ),
    "adaptive": (
        "MLPClassifier",
        CANCER,
        OF_TWO,
        {
            "solver": "sgd",
            "learning_rate": "adaptive",
            "learning_rate_init": 0.1,
            "tol": 0.05,
            "n_iter_no_change": 1,
            "nesterovs_momentum": False,
        },
    ),
    "held out": ("MLPClassifier", CANCER, OF_TWO, {"early_stopping": True, "n_iter_no_change": 2}),
    "held-out labels": ("MLPClassifier", COLUMNS, LABELS, {"early_stopping": True}),
    "in order": ("MLPClassifier", CANCER, OF_TWO, {"shuffle": False, "batch_size": 50}),
    "regression": ("MLPRegressor", COLUMNS, NUMBERS[:, 0], {"activation": "identity"}),
    "three numbers": ("MLPRegressor", COLUMNS, NUMBERS, {"batch_size": 40, "beta_1": 0.5}),
    "held-out numbers": ("MLPRegressor", COLUMNS, NUMBERS, {"early_stopping": True}),
    "counts": ("MLPRegressor", COLUMNS, COUNTS, {"loss": "poisson", "learning_rate_init": 0.01}),
    "sparse": ("MLPRegressor", csr_matrix(COLUMNS * (COLUMNS > 0)), NUMBERS[:, 1], {}),
    "lbfgs": ("MLPClassifier", CANCER, OF_TWO, {"solver": "lbfgs", "alpha": 1.0}),
    "lbfgs of numbers": ("MLPRegressor", COLUMNS, NUMBERS, {"solver": "lbfgs", "alpha": 1.0}),
}
ATTRIBUTES = (
    "n_iter_ t_ loss_ best_loss_ n_layers_ n_outputs_ out_activation_ validation_scores_ "
    "best_validation_score_ loss_curve_"
).split()


def pair(name, dtype=np.float64, weighted=False, **more):
    """Theirs and ours of a case, fitted."""
    cls, X, y, settings = CASES[name]
    settings = {"max_iter": 12, "random_state": 3, **settings, **more}
    weight = np.random.default_rng(1).uniform(0, 2, X.shape[0]) if weighted else None
    found = []
    for module in theirs, ours:
        model = getattr(module, cls)(**settings)
        found.append(model.fit(X.astype(dtype), y, sample_weight=weight))
    return found


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_float64_learns_what_scikit_learn_learns_to_the_last_digits(name, weighted):
    expected, got = pair(name, weighted=weighted)
    for attribute in ATTRIBUTES:
        want = getattr(expected, attribute, "absent")
        value = getattr(got, attribute, "absent")
        if want is None or isinstance(want, str):
            assert value == want, attribute
        else:
            np.testing.assert_allclose(value, want, rtol=1e-9, err_msg=attribute)
    for w, v in zip(expected.coefs_ + expected.intercepts_, got.coefs_ + got.intercepts_):
        np.testing.assert_allclose(v, w, rtol=1e-7, atol=1e-9)
    X = CASES[name][1]
    np.testing.assert_allclose(got.predict(X), expected.predict(X), rtol=1e-7)


@pytest.mark.parametrize("name", ["adam", "classes", "held out", "three numbers", "counts"])
def test_float32_follows_to_its_precision(name):
    expected, got = pair(name, np.float32)
    assert got.coefs_[0].dtype == got.intercepts_[0].dtype == np.float32
    np.testing.assert_allclose(got.loss_curve_, expected.loss_curve_, rtol=1e-5)


def test_many_values_are_learned_in_float32_and_the_curve_agrees():
    X, y = load_digits(return_X_y=True)
    settings = {"max_iter": 6, "random_state": 0, "early_stopping": True}
    expected = theirs.MLPClassifier(**settings).fit(X, y)
    got = ours.MLPClassifier(**settings).fit(X, y)
    np.testing.assert_allclose(got.loss_curve_, expected.loss_curve_, atol=1e-3, rtol=0)
    assert got._trained._precision == "float32"
    assert got.coefs_[0].dtype == got.predict_proba(X[:2]).dtype == np.float64
    assert not np.array_equal(got.loss_curve_, expected.loss_curve_)
    with config.precision("float64"):
        again = ours.MLPClassifier(**settings).fit(X, y)
    np.testing.assert_allclose(again.loss_curve_, expected.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize(
    "settings, precisions, ends",
    [
        ({"max_iter": 5}, ["float32"], "LIMIT"),
        ({"max_fun": 4}, ["float32"], "LIMIT"),
        ({"tol": 0.01}, ["float32", "float64"], "CONVERGENCE"),
        ({"tol": 0.0, "alpha": 10.0, "max_iter": 900}, ["float32", "float64"], "CONVERGENCE"),
    ],
    ids=str,
)
def test_lbfgs_goes_on_in_float64_where_float32_ends_it(settings, precisions, ends, monkeypatch):
    minimize, searched, results = LBFGS.minimize, [], []

    def noted(self, evaluate, variables, *given):
        searched.append(variables[0].dtype)
        results.append(minimize(self, evaluate, variables, *given))
        return results[-1]

    monkeypatch.setattr(LBFGS, "minimize", noted)
    X, y = load_digits(return_X_y=True)
    settings = {"solver": "lbfgs", "hidden_layer_sizes": 20, "random_state": 0, **settings}
    expected = theirs.MLPClassifier(**settings).fit(X / 16, y)
    got = ours.MLPClassifier(**settings).fit(X / 16, y)
    assert searched == precisions and ends in results[-1].message
    assert got.n_iter_ == sum(r.nit for r in results) <= got.max_iter
    assert sum(r.nfev for r in results) <= got.max_fun + 1
    assert got.coefs_[0].dtype == np.float64
    assert got.loss_ == results[-1].fun == pytest.approx(expected.loss_, abs=1e-3)


def test_many_values_are_searched_in_float64_where_that_is_asked_for():
    X, y = load_digits(return_X_y=True)
    settings = {"solver": "lbfgs", "hidden_layer_sizes": 20, "max_iter": 10, "random_state": 0}
    expected = theirs.MLPClassifier(**settings).fit(X / 16, y)
    with config.precision("float64"):
        got = ours.MLPClassifier(**settings).fit(X / 16, y)
    assert got.loss_ == pytest.approx(expected.loss_, rel=1e-9)


COLUMN = np.linspace(0.0, 1.0, 50)[:, None]


@pytest.mark.parametrize(
    "X, lost",
    [
        (COLUMN, False),
        (COLUMN + 1e3, False),
        (COLUMN + 1e4, True),
        (COLUMN * 1e12, False),
        (COLUMN * 1e12 + 1e15, False),
        (COLUMN * 1e-30, False),
        (COLUMN * 1e-36, True),
        (COLUMN * 1e39, True),
        (np.hstack([COLUMN, np.full((50, 1), 1e9)]), False),
        (np.hstack([COLUMN, COLUMN + 1.7e9]), True),
        (csr_matrix(COLUMN), False),
        (csr_matrix(COLUMN + 1.7e9), True),
        (COLUMN > 0.5, False),
    ],
)
def test_columns_that_float32_would_spoil_are_found(X, lost):
    assert is_lost_in_float32(X) is lost


def test_a_column_of_large_numbers_is_learned_in_float64():
    X = np.random.default_rng(0).normal(size=(400, 50)) + 1e6
    y = X[:, 0] - 1e6
    settings = {"max_iter": 2, "random_state": 0}
    expected = theirs.MLPRegressor(**settings).fit(X, y)
    got = ours.MLPRegressor(**settings).fit(X, y)
    np.testing.assert_allclose(got.loss_curve_, expected.loss_curve_, rtol=1e-9)


def forward(model, X):
    """The outputs of a network of tanh layers, from its weights."""
    for w, b in list(zip(model.coefs_, model.intercepts_))[:-1]:
        X = np.tanh(X @ w + b)
    return X @ model.coefs_[-1] + model.intercepts_[-1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_follow_weights_that_are_changed(dtype):
    _, model = pair("regression", dtype, activation="tanh", max_iter=2)
    model.coefs_[0] *= 2
    np.testing.assert_allclose(model.predict(COLUMNS), forward(model, COLUMNS)[:, 0], rtol=1e-4)
    model.coefs_[1] = np.ones_like(model.coefs_[1])
    model.intercepts_ = [b + 1 for b in model.intercepts_]
    np.testing.assert_allclose(model.predict(COLUMNS), forward(model, COLUMNS)[:, 0], rtol=1e-4)
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.predict(COLUMNS), model.predict(COLUMNS))
    copied.coefs_[0] *= 0
    assert np.ptp(copied.predict(COLUMNS)) == 0 < np.ptp(model.predict(COLUMNS))


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("values", ["few", "many"])  # in float64, and in float32
def test_partial_fit_goes_on_where_it_was_also_from_a_pickle(solver, values):
    X, y = (DIGITS, OF_TEN) if values == "few" else load_digits(return_X_y=True)
    made = [module.MLPClassifier(solver=solver, random_state=0) for module in (theirs, ours)]
    for turn in range(4):
        for k, model in enumerate(made):
            made[k] = model.partial_fit(X, y, classes=np.arange(10))
            made[k] = pickle.loads(pickle.dumps(model)) if turn == 1 else made[k]
    expected, got = made
    close = {"rtol": 1e-9} if values == "few" else {"rtol": 1e-4}
    np.testing.assert_allclose(got.loss_curve_, expected.loss_curve_, **close)
    assert got.t_ == expected.t_ == 4 * len(X)


def test_ctrl_c_ends_the_training_and_keeps_the_weights(monkeypatch):
    run, done = loop.run_batches, []

    def interrupted(*args):
        done.append(1)
        if len(done) == 4:
            raise KeyboardInterrupt
        return run(*args)

    monkeypatch.setattr(loop, "run_batches", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = ours.MLPClassifier(max_iter=9, random_state=0).fit(CANCER, OF_TWO)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    expected = theirs.MLPClassifier(max_iter=3, random_state=0).fit(CANCER, OF_TWO)
    np.testing.assert_allclose(model.predict_proba(CANCER), expected.predict_proba(CANCER))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
        {"early_stopping": True, "n_iter_no_change": 1},
    ],
)
def test_what_is_printed_is_what_scikit_learn_prints(settings, capsys):
    printed = []
    for module in theirs, ours:
        settings = {"verbose": True, "max_iter": 8, "random_state": 0, **settings}
        module.MLPClassifier(**settings).fit(CANCER, OF_TWO)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


WRONG = [
    ({"alpha": -1}, CANCER, OF_TWO),
    ({"solver": "rmsprop"}, CANCER, OF_TWO),
    ({"hidden_layer_sizes": (5, 0)}, CANCER, OF_TWO),
    ({"momentum": 1.5}, CANCER, OF_TWO),
    ({"max_iter": 0}, CANCER, OF_TWO),
    ({"early_stopping": True}, CANCER[:9], OF_TWO[:9]),
    ({}, CANCER, OF_TWO[:-1]),
    ({}, CANCER * np.nan, OF_TWO),
    ({}, CANCER, CANCER[:, 0]),
]


@pytest.mark.parametrize("settings, X, y", WRONG, ids=lambda v: str(v) if v is dict else None)
def test_errors_are_those_of_scikit_learn(settings, X, y):
    messages = []
    for module in theirs, ours:
        with pytest.raises(ValueError) as raised:
            module.MLPClassifier(**settings).fit(X, y)
        messages.append(str(raised.value))
    assert sorted(messages[0]) == sorted(messages[1])  # names of a set come in any order


def test_warnings_are_those_of_scikit_learn():
    for settings in {}, {"batch_size": 1000}, {"solver": "lbfgs"}:
        texts = []
        for module in theirs, ours:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                module.MLPClassifier(max_iter=3, random_state=0, **settings).fit(CANCER, OF_TWO)
            texts.append([(w.category, str(w.message).split("\n    https")[0]) for w in caught])
        assert texts[1][0][0] is (UserWarning if "batch_size" in settings else ConvergenceWarning)
        for theirs_, ours_ in zip(*texts, strict=True):
            assert ours_[0] is theirs_[0] and ours_[1][:60] == theirs_[1][:60]


def test_signatures_settings_and_clones_are_those_of_scikit_learn():
    for name in "MLPClassifier", "MLPRegressor":
        expected, got = getattr(theirs, name)(), getattr(ours, name)()
        assert list(got.get_params()) == list(expected.get_params())
        assert got.get_params() == expected.get_params()
        changed = clone(got.set_params(alpha=0.5, hidden_layer_sizes=(3, 2)))
        assert changed.alpha == 0.5 and changed.hidden_layer_sizes == (3, 2)
        assert getattr(theirs, name)((5,)).get_params() == getattr(ours, name)((5,)).get_params()
    assert not hasattr(ours.MLPClassifier(solver="lbfgs"), "partial_fit")


@parametrize_with_checks(
    [ours.MLPClassifier(max_iter=100), ours.MLPRegressor(max_iter=100)],
)
def test_estimators_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_iris_of_raw_numbers_is_learned():
    X, y = load_iris(return_X_y=True)
    assert (
        ours.MLPClassifier(solver="lbfgs", alpha=1.0, random_state=0).fit(X, y).score(X, y) > 0.97
    )


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_weights_may_be_written_to_in_place(rows):
    X = np.random.default_rng(0).normal(size=(40, 5))
    estimator = ours.MLPRegressor(hidden_layer_sizes=(8,), max_iter=2, random_state=0).fit(
        X, X[:, 0]
    )
    assert np.ptp(estimator.predict(X)) > 0
    estimator.predict(X[:rows])
    estimator.coefs_[1][...] = 0
    estimator.intercepts_[1][...] = 7
    np.testing.assert_array_equal(estimator.predict(X[:rows]), np.full(rows, 7.0))
