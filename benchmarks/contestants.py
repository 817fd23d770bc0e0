"""Who is compared on tables: each at its defaults, with the preparation that its users give it.

A contestant is a function of (regression, numbers, categories, seed) that gives an estimator for
raw tables whose columns of numbers and of categories have these names. All use one thread.
"""

import importlib
import importlib.util

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from nnlite import NNClassifier, NNRegressor

OURS, BEFORE, LINEAR, RIVAL = "nnlite", "nnlite-before", "linear", "CatBoost"


def as_numbers(numbers, categories, scaler="passthrough"):
    """Gaps become the median and a column that marks them, categories a column for each value."""
    filled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), scaler)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numbers", filled, numbers), ("categories", one_hot, categories)])


def _as_category(numbers, categories):
    """Other columns than numbers become pandas's category, which boosting takes as it is."""
    return FunctionTransformer(lambda X: X.astype(dict.fromkeys(categories, "category")))


def _as_text(numbers, categories):
    """Other columns than numbers become strings, gaps too: CatBoost takes no NaN there."""

    def text(X):
        return X.assign(**{name: _text(X[name]) for name in categories})

    return FunctionTransformer(text)


def _text(column):
    return column.astype(object).fillna("").map(str)


def _nnlite(regression, numbers, categories, seed):
    kind = NNRegressor if regression else NNClassifier
    return kind(n_threads=1, random_state=seed)


def _nnlite_before(regression, numbers, categories, seed):
    """One network of the size and the epochs that were defaults before there were ensembles."""
    kind = NNRegressor if regression else NNClassifier
    network = kind(
        hidden_layer_sizes=(256,),
        epochs=200,
        ensemble=1,
        numeric_encoding=None,
        n_threads=1,
        random_state=seed,
    )
    return make_pipeline(as_numbers(numbers, categories), network)


def _linear(regression, numbers, categories, seed):
    scaled = as_numbers(numbers, categories, StandardScaler())
    return make_pipeline(scaled, RidgeCV() if regression else LogisticRegression(max_iter=1000))


def _mlp(regression, numbers, categories, seed):
    scaled = as_numbers(numbers, categories, StandardScaler())
    return make_pipeline(scaled, (MLPRegressor if regression else MLPClassifier)(random_state=seed))


def _hist_gb(regression, numbers, categories, seed):
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return make_pipeline(_as_category(numbers, categories), kind(random_state=seed))


def _light_gbm(regression, numbers, categories, seed):
    import lightgbm

    kind = lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier
    trees = kind(n_jobs=1, random_state=seed, verbose=-1)
    return make_pipeline(_as_category(numbers, categories), trees)


def _catboost(regression, numbers, categories, seed):
    import catboost

    kind = catboost.CatBoostRegressor if regression else catboost.CatBoostClassifier
    trees = kind(
        cat_features=categories,
        thread_count=1,
        random_seed=seed,
        verbose=False,
        allow_writing_files=False,
    )
    return make_pipeline(_as_text(numbers, categories), trees)


def _pytabkit(name):
    def made(regression, numbers, categories, seed):
        import pytabkit

        kind = getattr(pytabkit, f"{name}_{'Regressor' if regression else 'Classifier'}")
        network = kind(device="cpu", n_threads=1, random_state=seed)
        filled = SimpleImputer(strategy="median")
        text = FunctionTransformer(lambda X: X.apply(_text))
        columns = ColumnTransformer(
            [("numbers", filled, numbers), ("categories", text, categories)],
            verbose_feature_names_out=False,
        )
        return make_pipeline(columns.set_output(transform="pandas"), network)

    return made


# Name -> the package that it needs, and its function.
CONTESTANTS = {
    OURS: ("nnlite", _nnlite),
    BEFORE: ("nnlite", _nnlite_before),
    LINEAR: ("sklearn", _linear),
    "MLP": ("sklearn", _mlp),
    "HistGB": ("sklearn", _hist_gb),
    "LightGBM": ("lightgbm", _light_gbm),
    RIVAL: ("catboost", _catboost),
    "RealMLP": ("pytabkit", _pytabkit("RealMLP_TD")),
    "TabM": ("pytabkit", _pytabkit("TabM_D")),
}


def is_here(who):
    """Whether the package of a contestant is installed. It is imported then, before any clock."""
    package = CONTESTANTS[who][0]
    if importlib.util.find_spec(package) is None:
        return False
    importlib.import_module(package)
    return True
