"""Searches over architectures and every other setting, with scikit-learn's tools and others."""

import warnings

import numpy as np
import pytest
from joblib import parallel_backend
from scipy.stats import loguniform, randint
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import nnlite
from nnlite import MLP, NNClassifier, NNRegressor, Stack
from nnlite.callbacks import EarlyStopping, ReduceLROnPlateau
from nnlite.layers import Dense, Dropout
from nnlite.optimizers import SGD, Adam
from nnlite.regularizers import L2

IRIS, KIND = load_iris(return_X_y=True)
SHUFFLED = np.random.RandomState(0).permutation(150)
IRIS, KIND = IRIS[SHUFFLED], KIND[SHUFFLED]


def classifier(*args, **kwargs):
    return NNClassifier(
        *args, **{"ensemble": 1, "epochs": 3, "random_state": 0, "learning_rate": 0.02, **kwargs}
    )


def build(meta, depth=1, width=8):
    return [Dense(width, "relu") for _ in range(depth)]


def create_model(width=8, rate=0.0):
    model = nnlite.Sequential([Dense(width, "relu"), Dropout(rate), Dense(3, "softmax")])
    model.compile("adam", "categorical_crossentropy")
    return model


def found(search, n=None):
    """Whether a search tried so many settings, each with a score that is a number."""
    scores = search.fit(IRIS, KIND).cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and (n is None or len(scores) == n)
    assert search.predict(IRIS[:5]).shape == (5,)
    return search


GRIDS = {
    "lists": (classifier(), {"layers": [[Dense(4)], [Dense(4), Dropout(0.1), Dense(3)], None, []]}),
    "stacks": (classifier(), {"layers": [Stack(Dense(4)), Stack(Dense(4), None, Dense(3)), MLP()]}),
    "sizes": (classifier(activation="tanh"), {"layers": ["8", "8-4", 8, (8, 4), np.int64(4)]}),
    "MLP": (classifier(MLP()), {"layers__depth": [0, 1, 3], "layers__width": [4, 8.0]}),
    "function": (classifier(build), {"layers__depth": [1, 2], "layers__width": [4, 8]}),
    "compiled": (classifier(create_model), {"layers__width": [4, 8], "layers__rate": [0.0, 0.2]}),
    "nested": (
        classifier([("hidden", Dense(8)), ("drop", Dropout(0.1))]),
        {
            "hidden__units": [4, 8],
            "hidden__kernel_regularizer": [None, "l1", L2(0.1)],
            "drop__rate": [0.0, 0.5],
        },
    ),
    "conditional": (
        classifier([Dense(8), Dropout(0.1)]),
        {
            "dropout_1": [None, Dropout(0.2), "passthrough"],
            "dropout_1__rate": [0.1, 0.3],
            "hidden_layer_sizes": [3],
        },
    ),
    "optimizer": (
        classifier([Dense(8)], learning_rate=None),
        {
            "optimizer": ["adam", SGD(), Adam(beta_1=0.8)],
            "optimizer__learning_rate": [0.1, 0.01],
            "layers": [[Dense(4)], Stack(Dense(3))],
        },
    ),
    "callbacks": (
        classifier(callbacks=[ReduceLROnPlateau("loss")]),
        {
            "reduce_lr_on_plateau_1__factor": [0.5, 0.1],
            "early_stopping": [False, True],
            "early_stopping__patience": [2, 3],
            "batch_size": [16, 32.0],
        },
    ),
}


@pytest.mark.parametrize("name", GRIDS)
def test_grids(name):
    estimator, grid = GRIDS[name]
    search = found(GridSearchCV(estimator, grid, cv=2), np.prod([len(v) for v in grid.values()]))
    read = search.best_estimator_.get_params()
    for key, value in search.best_params_.items():  # what is absent has no settings to read
        if key in read and "__" in key:
            assert repr(read[key]) == repr(value)


def test_a_search_finds_what_is_better():
    grid = {"layers": [Stack(Dense(1)), Stack(Dense(32, "relu"), Dense(32, "relu"))]}
    search = found(GridSearchCV(classifier(epochs=30), grid, cv=3))
    assert search.best_params_["layers"] == grid["layers"][1] and search.best_score_ > 0.9


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_two_jobs_find_the_same(backend):
    grid = {"layers": [[Dense(4)], Stack(Dense(6), Dropout(0.1)), "8-4", MLP(width=5)]}
    one = found(GridSearchCV(classifier(), grid, cv=2, n_jobs=1))
    with parallel_backend(backend):
        two = found(GridSearchCV(classifier(), grid, cv=2, n_jobs=2))
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )


def test_random_and_halving_searches():
    space = {
        "layers": ["4", Stack(Dense(5)), MLP()],
        "optimizer": ["adam", "sgd"],
        "optimizer__learning_rate": loguniform(1e-3, 1),
        "batch_size": randint(8, 64),
    }
    found(RandomizedSearchCV(classifier(), space, n_iter=4, cv=2, random_state=0), 4)
    halving = HalvingGridSearchCV(
        classifier(MLP()),
        {"layers__depth": [1, 2, 3], "layers__width": [4, 8]},
        cv=2,
        resource="epochs",
        min_resources=1,
        max_resources=4,
        factor=2,
        random_state=0,
    )
    assert found(halving).n_iterations_ >= 2


def test_pipelines_and_nested_estimators():
    pipeline = Pipeline([("scale", StandardScaler()), ("net", classifier([("hidden", Dense(8))]))])
    found(
        GridSearchCV(
            pipeline,
            {
                "scale": [None, StandardScaler()],
                "net__hidden__units": [3, 4],
                "net__hidden": [Dense(2, "tanh"), Dense(2, kernel_regularizer="l2")],
            },
            cv=2,
        ),
        8,
    )
    for nested in (OneVsRestClassifier(pipeline), CalibratedClassifierCV(pipeline, cv=2)):
        found(
            GridSearchCV(
                nested,
                {
                    "estimator__net__hidden__units": [3, 4],
                    "estimator__net__optimizer__learning_rate": [0.1],
                },
                cv=2,
            ),
            2,
        )
    targets = TransformedTargetRegressor(NNRegressor(MLP(), epochs=2), transformer=StandardScaler())
    search = GridSearchCV(targets, {"regressor__layers__depth": [1, 2]}, cv=2)
    search.fit(IRIS[:, :3], IRIS[:, 3])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# Other tools


@pytest.fixture
def one_thread():
    """The linear algebra of Bayesian searches waits for itself on a busy machine."""
    with threadpool_limits(1):
        yield


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("jobs", [1, 2])
def test_bayesian_searches(jobs):
    skopt = pytest.importorskip("skopt")
    space = skopt.space
    estimator = classifier([("hidden", Dense(8)), ("drop", Dropout(0.1))], learning_rate=None)
    searches = [
        (
            classifier(),
            {
                "layers": space.Categorical(
                    [Stack(Dense(4)), Stack(Dense(4), Dropout(0.2)), MLP()]
                ),
                "learning_rate": space.Real(1e-3, 0.1, "log-uniform"),
            },
        ),
        (
            classifier(),
            {"layers": space.Categorical(["8-4", "8", 4]), "batch_size": space.Integer(8, 32)},
        ),
        (
            estimator,
            {
                "hidden__units": space.Integer(2, 8),
                "drop__rate": space.Real(0.0, 0.5),
                "drop": space.Categorical([None, Dropout(0.1)]),
                "optimizer": space.Categorical(["adam", SGD(momentum=0.5)]),
                "optimizer__learning_rate": space.Real(1e-3, 1.0, "log-uniform"),
            },
        ),
        (
            classifier(MLP()),
            {"layers__depth": space.Integer(1, 3), "layers__width": space.Integer(2, 9)},
        ),
        (classifier(build), {"layers__depth": (1, 3), "layers__width": (2, 9)}),
    ]
    for estimator, dimensions in searches[:: 1 if jobs == 1 else 2]:
        found(
            skopt.BayesSearchCV(
                estimator,
                dimensions,
                n_iter=4,
                cv=2,
                n_jobs=jobs,
                n_points=jobs,
                random_state=0,
                optimizer_kwargs={"n_initial_points": 3},
            ),
            4,
        )


@pytest.mark.usefixtures("one_thread")
def test_a_diverged_candidate_does_not_end_a_bayesian_search():
    skopt = pytest.importorskip("skopt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.filterwarnings("ignore", "The objective has been evaluated", UserWarning)
        search = skopt.BayesSearchCV(
            NNRegressor(epochs=2, random_state=0, batch_size=8),
            {"learning_rate": skopt.space.Categorical([1e-3, 1e10, 1e30])},
            n_iter=5,
            cv=2,
            random_state=0,
            optimizer_kwargs={"n_initial_points": 2},
        )
        search.fit(IRIS[:, :3], IRIS[:, 3])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_optuna():
    optuna = pytest.importorskip("optuna")
    integration = pytest.importorskip("optuna_integration")
    kinds = optuna.distributions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = integration.OptunaSearchCV(
            classifier(MLP(), learning_rate=None),
            {
                "layers": kinds.CategoricalDistribution(["4", 5, Stack(Dense(3))]),
                "optimizer__learning_rate": kinds.FloatDistribution(1e-3, 0.1, log=True),
            },
            n_trials=3,
            cv=2,
            random_state=0,
        )
        search.fit(IRIS, KIND)
    assert np.isfinite(search.best_score_)


def test_dask():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        parallel_backend("dask"),
    ):
        found(GridSearchCV(classifier(), {"layers": [Stack(Dense(4)), "8-4"]}, cv=2), 2)


# Divergence


@pytest.mark.parametrize("rate", [1e10, 1e30, 1e300])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_diverged_network_predicts_and_scores_numbers(rate, optimizer, early_stopping):
    settings = {
        "learning_rate": rate,
        "optimizer": optimizer,
        "batch_size": 16,
        "epochs": 5,
        "random_state": 0,
        "layers": "8-8",
        "early_stopping": early_stopping,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for y in (KIND, KIND == 1):
            fitted = NNClassifier(**settings).fit(IRIS, y)
            p = fitted.predict_proba(IRIS)
            assert np.isfinite(p).all() and set(fitted.predict(IRIS)) <= set(y)
            np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
        for dtype in ("float32", "float64"):
            y = IRIS[:, :2].astype(dtype)
            fitted = NNRegressor(**settings, dtype=dtype).fit(IRIS, y)
            assert np.isfinite(fitted.predict(IRIS)).all()
            assert np.isfinite(fitted.score(IRIS, y))


def test_predictions_of_a_diverged_network_come_with_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        fitted = NNRegressor(optimizer="sgd", learning_rate=1e30, epochs=5).fit(IRIS, IRIS[:, 0])
    words = "150 of 150 predictions are .* NaN.* replaced by 0;"
    with pytest.warns(RuntimeWarning, match=words) as caught:
        fitted.predict(IRIS)
    assert caught[0].filename == __file__


def test_early_stopping_of_a_search_is_its_own():
    stopping = EarlyStopping(patience=1)
    grid = {"early_stopping__patience": [2, 3]}
    search = found(GridSearchCV(classifier(early_stopping=stopping), grid, cv=2), 2)
    assert stopping.patience == 1 and search.best_estimator_.early_stopping.patience in (2, 3)
