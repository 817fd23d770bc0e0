"""What predictions depend on: integrated gradients, and scikit-learn's ways of asking."""

import numpy as np
import pandas
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.inspection import PartialDependenceDisplay, partial_dependence, permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import nnlite
from nnlite import NNClassifier, NNRegressor, layers, ops
from nnlite.inspection import integrated_gradients, plot_dependence, plot_importance
from nnlite.losses import BinaryCrossentropy, SparseCategoricalCrossentropy
from nnlite.wrappers.scikit_learn import KerasClassifier

TWO = load_breast_cancer(return_X_y=True)
THREE = load_iris(return_X_y=True)
NUMBERS = load_diabetes(return_X_y=True, as_frame=True)
FRAME, VALUES = NUMBERS
SOME = slice(None, None, 29)


def small(make, **settings):
    return make(
        **{
            "hidden_layer_sizes": (5,),
            "activation": "tanh",
            "epochs": 5,
            "random_state": 0,
            "dtype": "float64",
            **settings,
        }
    )


def logits(units=1, loss=BinaryCrossentropy):
    model = nnlite.Sequential([layers.Dense(4, "tanh"), layers.Dense(units)])
    model.compile("adam", loss(from_logits=True))
    return model


def of_five():
    model = nnlite.Sequential([layers.Dense(4, "tanh"), layers.Dense(5, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def wrapper(function, **settings):
    return KerasClassifier(function, random_state=0, dtype="float64", epochs=3, **settings)


IMAGES = np.random.RandomState(0).rand(30, 6, 6, 1), np.arange(30) % 3
CONV = [layers.Conv2D(2, 3, activation="tanh"), layers.Flatten()]
# An estimator, its data, the target that is asked for, and the number of the output that it is.
CASES = {
    "two classes": (small(NNClassifier), *TWO, None, 1),
    "the first of two": (small(NNClassifier), *TWO, 0, 0),
    "three classes": (small(NNClassifier), *THREE, None, None),
    "the last of three": (small(NNClassifier), *THREE, 2, 2),
    "float32": (small(NNClassifier, dtype="float32"), *THREE, None, None),
    "several labels": (
        small(NNClassifier),
        THREE[0],
        np.c_[THREE[0][:, 0] > 6, THREE[0][:, 1] > 3] * 1,
        1,
        1,
    ),
    "numbers": (small(NNRegressor), FRAME.to_numpy(), VALUES + 1e6, None, None),
    "a column y": (small(NNRegressor), FRAME.to_numpy(), VALUES.to_numpy()[:, None], None, 0),
    "two outputs": (small(NNRegressor), *(FRAME.to_numpy(), np.c_[VALUES, -VALUES]), 1, 1),
    "not scaled": (small(NNRegressor, normalize=False), FRAME.to_numpy(), VALUES, None, None),
    "images": (small(NNClassifier, layers=CONV), *IMAGES, None, None),
    "one logit": (wrapper(logits), StandardScaler().fit_transform(TWO[0]), TWO[1], 1, 1),
    "three logits": (
        wrapper(logits, units=3, loss=SparseCategoricalCrossentropy),
        *THREE,
        None,
        None,
    ),
    "outputs that no label has": (wrapper(of_five), *THREE, 1, 1),
}


def asked(fitted, X, number, target=None):
    """What is predicted for rows: of the output of a number, or of a default one for each row."""
    if not hasattr(fitted, "classes_"):
        found = fitted.predict(X).reshape(len(X), -1)
        return found[:, number or 0]
    found = fitted.predict_proba(X)
    return found if number is None else found[:, number]


@pytest.mark.parametrize("name", CASES)
def test_attributions_add_up_to_what_is_predicted(name):
    estimator, X, y, target, number = CASES[name]
    fitted = estimator.fit(X, y)
    X = X[SOME]
    baseline = X.mean(axis=0)
    found = integrated_gradients(fitted, X, baseline, target)
    assert found.shape == X.shape and found.dtype == np.float64
    ends, begin = asked(fitted, X, number), asked(fitted, baseline[None], number)
    if ends.ndim == 2:  # the label that is the most probable
        largest = ends.argmax(axis=1)
        ends, begin = ends[np.arange(len(X)), largest], begin[0, largest]
    rtol = 1e-4 if fitted.dtype_ == np.float32 else 1e-8
    unit = np.abs(ends - begin).max()
    sums = found.reshape(len(X), -1).sum(axis=1)
    np.testing.assert_allclose(sums, ends - begin, rtol=rtol, atol=rtol * unit)
    assert unit > 0


def test_attributions_are_the_integrals_that_define_them():
    X, y = THREE
    fitted = small(NNClassifier, activation="relu", normalize=False).fit(X, y)
    x, begin, step = X[[0, 60, 140]], X[[7]], 1e-6
    shares = ((np.arange(500) + 0.5) / 500)[:, None, None]
    at = (begin + shares * (x - begin)).reshape(-1, 4)
    expected = np.zeros(x.shape)
    for j in range(4):
        ahead, behind = (at + sign * step * np.eye(4)[j] for sign in (1, -1))
        slope = fitted.predict_proba(ahead)[:, 2] - fitted.predict_proba(behind)[:, 2]
        mean = slope.reshape(500, len(x)).mean(axis=0) / (2 * step)
        expected[:, j] = mean * (x - begin)[:, j]
    found = integrated_gradients(fitted, x, begin[0], 2)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_a_linear_network_is_told_exactly():
    linear = LinearRegression().fit(FRAME, VALUES)
    model = nnlite.Sequential([layers.Dense(1, input_shape=(10,))])
    model.set_weights([linear.coef_[:, None], linear.intercept_.reshape(1)])
    X, baseline = FRAME.to_numpy()[:5], np.arange(10.0)
    expected = (X - baseline) * linear.coef_
    np.testing.assert_allclose(integrated_gradients(model, X, baseline), expected, rtol=1e-5)
    np.testing.assert_allclose(integrated_gradients(model, X), X * linear.coef_, rtol=1e-4)
    rows = np.stack([baseline] * 4 + [X[4]])
    found = integrated_gradients(model, X, rows, steps=1)
    assert np.abs(found[4]).max() == 0 and np.abs(found[3]).min() > 0


def test_relus_are_integrated_as_finely_as_they_need():
    fitted = small(NNRegressor, activation="relu", hidden_layer_sizes=(64, 64), epochs=20)
    fitted.fit(FRAME, VALUES)
    found = integrated_gradients(fitted, FRAME, 0.0, steps=8).to_numpy()
    difference = fitted.predict(FRAME) - fitted.predict(FRAME * 0)
    assert (np.abs(found.sum(axis=1) - difference) < 2e-3 * np.abs(found).sum(axis=1)).all()


def test_the_default_baseline_is_the_mean_of_fit():
    fitted = small(NNRegressor).fit(FRAME, VALUES)
    found = integrated_gradients(fitted, FRAME[SOME])
    given = integrated_gradients(fitted, FRAME[SOME], FRAME.mean().to_numpy())
    np.testing.assert_allclose(found, given, rtol=1e-6, atol=1e-6)
    for same in (FRAME.mean(), FRAME.mean()[::-1], FRAME.mean().to_frame().T):
        np.testing.assert_allclose(integrated_gradients(fitted, FRAME[SOME], same), given)


# Columns


def test_a_dataframe_gives_a_dataframe():
    fitted = small(NNRegressor).fit(FRAME, VALUES)
    rows = FRAME[SOME]
    found = integrated_gradients(fitted, rows)
    assert list(found.columns) == list(FRAME.columns) and found.index.equals(rows.index)
    plain = integrated_gradients(small(NNRegressor).fit(FRAME.to_numpy(), VALUES), rows.to_numpy())
    assert np.array_equal(found.to_numpy(), plain)


def test_a_pipeline_is_asked_about_what_its_last_step_gets():
    table = pandas.DataFrame(
        {"size": FRAME["bmi"], "kind": np.array(["a", "b", "c"])[:1].repeat(442)}
    )
    table.loc[::3, "kind"] = "b"
    before = make_column_transformer((OneHotEncoder(), ["kind"]), remainder=StandardScaler())
    pipeline = make_pipeline(before, small(NNRegressor)).fit(table, VALUES)
    found = integrated_gradients(pipeline, table[SOME], table[:1])
    assert [name.split("__")[1] for name in found.columns] == ["kind_a", "kind_b", "size"]
    expected = pipeline.predict(table[SOME]) - pipeline.predict(table[:1])
    np.testing.assert_allclose(found.sum(axis=1), expected, atol=1e-6)
    search = GridSearchCV(pipeline, {"nnregressor__epochs": [5]}, cv=2).fit(table, VALUES)
    again = integrated_gradients(search, table[SOME], table[:1])
    np.testing.assert_allclose(again, found)


class Coded(layers.Layer):
    """The second of two columns as a vector; half a code would be another category."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.vectors = layers.Embedding(4, 3)

    def build(self, input_shape):
        self.vectors.build((None,))

    def call(self, inputs):
        vectors = self.vectors(inputs[:, 1])
        return ops.concatenate([inputs[:, :1], vectors, ops.square(inputs[:, :1])], axis=-1)

    @property
    def sources(self):
        return [0, 1, 1, 1, 0]


def test_a_category_has_one_number_whatever_vector_is_read():
    rng = np.random.RandomState(0)
    X = np.c_[rng.normal(size=60), rng.randint(0, 4, 60)].astype(float)
    y = X[:, 0] + np.array([0, 3, -3, 1])[X[:, 1].astype(int)]
    settings = {"normalize": False, "epochs": 60, "learning_rate": 0.02}
    fitted = small(NNRegressor, layers=[Coded(), layers.Dense(8, "tanh")], **settings).fit(X, y)
    baseline = np.array([0.0, 3.0])
    found = integrated_gradients(fitted, X, baseline)
    expected = fitted.predict(X) - fitted.predict(baseline[None])
    np.testing.assert_allclose(found.sum(axis=1), expected, rtol=1e-6, atol=1e-9)
    assert np.abs(found[X[:, 1] == 3, 1]).max() == 0 < np.abs(found[X[:, 1] != 3, 1]).min()
    by_kind = [found[X[:, 1] == k, 1].mean() for k in range(4)]
    assert np.argmax(by_kind) == 1 and np.argmin(by_kind) == 2


def test_a_mean_of_networks_has_the_mean_of_their_attributions():
    X = np.c_[np.linspace(-1, 1, 8), np.arange(8) % 4]
    nnlite.utils.set_random_seed(0)
    parts = [nnlite.Sequential([Coded(), layers.Dense(3, "tanh")]) for _ in range(2)]
    inputs = nnlite.Input((2,))
    both = nnlite.Model(inputs, layers.Average()([part(inputs) for part in parts]))
    found = integrated_gradients(both, X, X[0], 1)
    expected = np.mean([integrated_gradients(part, X, X[0], 1) for part in parts], axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found[1:]).max(axis=0).min() > 0.01


# Refusals


FITTED = small(NNClassifier).fit(*THREE)
SEVERAL = small(NNRegressor).fit(FRAME.to_numpy(), np.c_[VALUES, VALUES])
TOKENS = small(NNClassifier, layers=[layers.Embedding(9, 2), layers.Flatten()], normalize=False)


@pytest.mark.parametrize(
    "estimator, X, options, error, words",
    [
        (FITTED, THREE[0], {"target": 3}, ValueError, r"target: expected one of \[0, 1, 2\]"),
        (FITTED, THREE[0], {"target": [0, 1]}, ValueError, "broadcast"),
        (FITTED, THREE[0], {"baseline": [1, 2]}, ValueError, "X has 2 features"),
        (FITTED, THREE[0], {"baseline": THREE[0][:3]}, ValueError, "baseline: expected"),
        (FITTED, THREE[0], {"baseline": "dog"}, TypeError, "baseline: .*dog.*; target= says"),
        (FITTED, THREE[0], {"steps": 0}, ValueError, "steps: expected"),
        (FITTED, THREE[0][:, :3], {}, ValueError, "3 features"),
        (SEVERAL, FRAME.to_numpy(), {}, ValueError, "target: expected the number of an output"),
        (SEVERAL, FRAME.to_numpy(), {"target": 2}, ValueError, "target: expected .*0 to 1"),
        (
            TOKENS.fit(THREE[0].astype(int), THREE[1]),
            THREE[0].astype(int),
            {},
            ValueError,
            "X: expected numbers in arrays, got a network of tokens",
        ),
        (LinearRegression().fit(*THREE), THREE[0], {}, TypeError, "estimator: expected a fitted"),
        (small(NNClassifier), THREE[0], {}, NotFittedError, "not fitted"),
        (
            nnlite.Sequential(),
            THREE[0],
            {},
            ValueError,
            "estimator: expected a Model that is built",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(estimator, X, options, error, words):
    with pytest.raises(error, match=words):
        integrated_gradients(estimator, X, **options)


# scikit-learn's ways of asking, and pictures


@pytest.mark.parametrize("X", [FRAME, FRAME.to_numpy()], ids=["frame", "array"])
def test_scikit_learn_asks_our_estimators(X):
    fitted = small(NNRegressor, epochs=20, learning_rate=0.02).fit(X, VALUES)
    importance = permutation_importance(fitted, X, VALUES, n_repeats=2, random_state=0)
    assert importance.importances_mean.argmax() in (2, 8)  # bmi and s5
    found = partial_dependence(fitted, X, [2], grid_resolution=5)
    assert np.all(np.diff(found["average"][0]) > 0)
    shown = PartialDependenceDisplay.from_estimator(fitted, X, [2, (2, 8)], grid_resolution=5)
    assert shown.axes_.size == 2


def test_scikit_learn_asks_our_classifiers():
    importance = permutation_importance(FITTED, *THREE, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (4,)
    assert partial_dependence(FITTED, THREE[0], [2], grid_resolution=5)["average"].shape == (3, 5)


def test_importances_are_drawn_largest_first(tmp_path):
    fitted = small(NNRegressor, epochs=20).fit(FRAME, VALUES)
    parts = integrated_gradients(fitted, FRAME)
    ax = plot_importance(parts, top=4, path=tmp_path / "parts.png")
    means = np.abs(parts).mean().sort_values(ascending=False)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(means.index[:4])
    assert np.allclose([bar.get_width() for bar in ax.patches], means[:4])
    assert "4 of 10" in ax.get_title(loc="left")
    assert (tmp_path / "parts.png").stat().st_size > 1000
    ax = plot_importance(parts.iloc[0])
    widths = np.array([bar.get_width() for bar in ax.patches])
    assert np.allclose(np.sort(widths), np.sort(parts.iloc[0])) and (widths < 0).any()
    importance = permutation_importance(fitted, FRAME, VALUES, n_repeats=2, random_state=0)
    ax = plot_importance(importance, names=FRAME.columns)
    assert np.isclose(ax.patches[0].get_width(), importance.importances_mean.max())
    for wrong, more, words in (
        ([np.nan], {}, "importance: expected finite"),
        ([], {}, "importance: expected finite"),
        ([1.0], {"names": "ab"}, "names: expected 1"),
        ([1.0], {"top": 0}, "top: expected"),
    ):
        with pytest.raises(ValueError, match=words):
            plot_importance(wrong, **more)


def test_dependence_is_drawn(tmp_path):
    fitted = small(NNRegressor).fit(FRAME, VALUES)
    shown = plot_dependence(
        fitted, FRAME[SOME], ["bmi", "age"], tmp_path / "bmi.svg", grid_resolution=4, kind="both"
    )
    assert [ax.get_xlabel() for ax in shown.axes_[0]] == ["bmi", "age"]
    assert (tmp_path / "bmi.svg").stat().st_size > 1000


def test_dependence_on_categories_is_drawn_as_bars_and_rows_with_gaps_are_left_out():
    kind = np.where(VALUES > np.median(VALUES), "high", "low").astype(object)
    kind[::7] = None
    frame = FRAME[["bmi"]].assign(kind=kind, sure=VALUES > 100)
    frame.loc[frame.index[::5], "bmi"] = np.nan
    fitted = small(NNRegressor).fit(frame, VALUES)
    for feature, bars in ("kind", 2), (2, 2), ("bmi", 0):
        (ax,) = plot_dependence(fitted, frame[:60], feature, grid_resolution=4).axes_[0]
        assert len([bar for bar in ax.patches if bar.get_height()]) == bars
        assert np.isfinite(np.ravel([line.get_ydata() for line in ax.lines])).all()
