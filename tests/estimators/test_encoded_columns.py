"""`numeric_encoding`: which columns are encoded, how it is searched and saved, what is refused."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV

from nnlite import NNClassifier, NNRegressor, Sequential, layers
from nnlite.estimators import files
from nnlite.layers import Dense, PeriodicEmbedding, PiecewiseLinearEncoding
from nnlite.models import load_model

WINE, KIND = (np.tile(part.T, 3).T for part in load_wine(return_X_y=True))
LABELS = [0, 1, 2]
SHORT = {"epochs": 1, "random_state": 0, "ensemble": 1}


def encoding_of(estimator):
    """The layer that encodes columns, or None."""
    found = estimator.model_._sublayers
    kinds = (PiecewiseLinearEncoding, PeriodicEmbedding)
    return next((layer for layer in found if isinstance(layer, kinds)), None)


def compiled(meta):
    model = Sequential([Dense(3, "softmax", input_shape=(13,))])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


ENCODED = {
    "as it comes": ({}, WINE),
    "integers": ({}, WINE.astype(int)),
    "sizes": ({"layers": "8-4"}, WINE),
    "a list": ({"layers": [layers.Dropout(0.1), Dense(4)]}, WINE),
    "a declared shape": ({"layers": [Dense(4, input_shape=(13,))]}, WINE),
    "an Input": ({"layers": [layers.Input((13,)), Dense(4)]}, WINE),
    "periodic": ({"numeric_encoding": "periodic"}, WINE),
    "an Input without a scale": (
        {
            "layers": [layers.Input((13,)), Dense(4)],
            "normalize": False,
            "numeric_encoding": "piecewise",
        },
        WINE,
    ),
    "without a scale": ({"numeric_encoding": "piecewise", "normalize": False}, WINE),
    "a layer": ({"numeric_encoding": PiecewiseLinearEncoding(3, keep=False)}, WINE),
}


@pytest.mark.parametrize("settings, X", ENCODED.values(), ids=ENCODED)
def test_columns_of_tables_are_encoded(settings, X):
    fitted = NNClassifier(**SHORT, **settings).fit(X, KIND)
    layer = encoding_of(fitted)
    wanted = settings.get("numeric_encoding")
    assert isinstance(layer, PeriodicEmbedding if wanted == "periodic" else PiecewiseLinearEncoding)
    assert layer is not wanted and getattr(wanted, "boundaries", None) is None
    if wanted != "periodic":
        scaled = X if "normalize" in settings else fitted.model_.layers[0](X).numpy()
        expected = PiecewiseLinearEncoding(layer.bins, keep=layer.keep)
        expected.adapt(scaled)
        for ours, theirs in zip(layer.boundaries, expected.boundaries):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


IMAGES = np.random.RandomState(0).rand(534, 4, 4)
LEFT = {
    "None": ({"numeric_encoding": None}, WINE),
    "sparse": ({}, csr_array(WINE)),
    "images": ({}, IMAGES),
    "sequences": ({"layers": [layers.GRU(2)]}, IMAGES),
    "rows of images": ({"layers": [Dense(2, input_shape=(4, 4)), layers.Flatten()]}, IMAGES),
    "unscaled": ({"normalize": False}, WINE),
    "a scale of its own": ({"layers": [layers.BatchNormalization(), Dense(4)]}, WINE),
    "other readers": ({"layers": [layers.Reshape((13, 1)), layers.GRU(2)]}, WINE),
    "a function": ({"layers": lambda: [Dense(4)]}, WINE),
    "a compiled model": ({"layers": compiled}, WINE),
    "few rows": ({}, WINE[:499]),
    "few rows of several": ({"ensemble": 2}, WINE[::6]),
    "many columns": ({"layers": "2"}, np.tile(WINE, 20)),
}


@pytest.mark.parametrize("settings, X", LEFT.values(), ids=LEFT)
def test_auto_leaves_all_else(settings, X):
    y = KIND[::6] if X.shape[0] == len(KIND[::6]) else KIND[: X.shape[0]]
    assert encoding_of(NNClassifier(**{**SHORT, **settings}).fit(X, y)) is None


def test_several_networks_encode_columns_of_fewer_rows():
    fitted = NNClassifier(**{**SHORT, "ensemble": 2}).fit(WINE[::5], KIND[::5])
    assert encoding_of(fitted) is not None


@pytest.mark.parametrize("rows, bins", [(500, 11), (10_000, 50), (40_000, 100), (70_000, 128)])
def test_there_are_more_bins_of_more_rows(rows, bins):
    X = np.random.RandomState(0).rand(rows, 1)
    fitted = NNRegressor("2", numeric_encoding="auto", **SHORT).fit(X, X[:, 0])
    assert encoding_of(fitted).bins == bins == len(encoding_of(fitted).boundaries[0]) - 1


@pytest.mark.parametrize(
    "rows, encoding, rate",
    [
        (30, "auto", None),
        (500, "auto", 10),
        (200, "periodic", 4),
        (3500, "auto", 60),
        (40, "piecewise", 1),
    ],
)
def test_what_is_encoded_is_weighed_and_of_more_rows_faster(rows, encoding, rate):
    X = np.random.RandomState(0).rand(rows, 1)
    fitted = NNRegressor("2", numeric_encoding=encoding, **SHORT).fit(X, X[:, 0])
    weighing = [x for x in fitted.model_.layers if isinstance(x, layers.LearnedScaling)]
    assert [x.rate for x in weighing] == ([] if rate is None else [rate])


def test_a_layer_of_the_user_is_not_weighed():
    fitted = NNClassifier(numeric_encoding=PiecewiseLinearEncoding(3), **SHORT).fit(WINE, KIND)
    assert not any(isinstance(x, layers.LearnedScaling) for x in fitted.model_.layers)


def test_columns_of_noise_are_left_out():
    X = np.random.RandomState(0).uniform(-1, 1, (1600, 41))
    y = np.sin(4 * X[:, 0])
    fitted = NNRegressor(numeric_encoding="auto", random_state=0, ensemble=1).fit(X[:800], y[:800])
    scales = next(x for x in fitted.model_.layers if isinstance(x, layers.LearnedScaling))
    found = np.abs(scales.get_weights()[0]) * scales.rate
    sources = encoding_of(fitted).sources
    assert found[sources == 0].mean() > 1.4 * found[sources > 0].mean()


def test_bins_are_not_learned_from_a_first_chunk():
    fitted = NNClassifier(**SHORT).partial_fit(WINE, KIND, LABELS)
    assert encoding_of(fitted) is None
    given = PiecewiseLinearEncoding(boundaries=[[-1.0, 0.0, 1.0]] * 13)
    for encoding in (given, "periodic"):
        fitted = NNClassifier(numeric_encoding=encoding, **SHORT).partial_fit(WINE, KIND, LABELS)
        assert encoding_of(fitted) is not None
    fitted = NNClassifier(**SHORT).fit(WINE, KIND)
    learned = encoding_of(fitted).boundaries
    assert encoding_of(fitted.partial_fit(WINE[:9], KIND[:9])).boundaries == learned


def test_bins_by_the_target_lie_where_it_jumps():
    rng = np.random.RandomState(0)
    X = rng.uniform(-1, 1, (900, 2))
    jump = X[:, 0] > 0.7
    words = np.array(["low", "middle", "high"])[jump + 1 * (X[:, 0] > 0.8)]
    for kind, y, places in (
        (NNRegressor, 5.0 * jump, [0.7]),
        (NNClassifier, jump, [0.7]),
        (NNClassifier, words, [0.7, 0.8]),
    ):
        settings = {**SHORT, "normalize": False, "early_stopping": False}
        fitted = kind("4", numeric_encoding="target", **settings)
        fitted.set_params(numeric_encoding__bins=len(places) + 1).fit(X, y)
        inner = encoding_of(fitted).boundaries[0][1:-1]
        np.testing.assert_allclose(inner, places, atol=0.01)


@pytest.mark.parametrize("networks", [1, 3])
def test_targets_of_rows_held_out_have_no_part_in_bins(networks):
    rng = np.random.RandomState(0)
    X, y = rng.uniform(-1, 1, (600, 2)), rng.randn(600)
    settings = {**SHORT, "ensemble": networks, "numeric_encoding": "target", "normalize": False}
    settings |= {"early_stopping": True} if networks == 1 else {}

    def bins_of(y):
        model = NNRegressor("4", **settings).fit(X, y).model_
        parts = [model] if networks == 1 else model.layers[1:-1]
        return [part.layers[0].boundaries for part in parts]

    first, changed = bins_of(y), []
    for row in range(0, 60, 3):
        other = y.copy()
        other[row] += 40  # the scale of y changes no bin
        changed.append([a != b for a, b in zip(bins_of(other), first)])
    if networks == 1:
        assert 0 < np.sum(changed) < len(changed)
    else:
        assert (np.sum(changed, axis=1) == networks - 1).mean() > 0.8
        assert np.sum(changed, axis=1).max() == networks - 1


@pytest.mark.parametrize(
    "settings, method, X, message",
    [
        ({}, "fit", csr_array(WINE), r"X of shape \(534, 13\), which is not dense rows"),
        ({}, "fit", IMAGES, r"X of shape \(534, 4, 4\), which is not dense rows"),
        ({}, "partial_fit", WINE, "partial_fit, or boundaries"),
        ({"layers": compiled}, "fit", WINE, "a compiled model"),
    ],
)
def test_an_encoding_that_cannot_be_is_refused(settings, method, X, message):
    estimator = NNClassifier(numeric_encoding="piecewise", **SHORT, **settings)
    message = f"numeric_encoding: expected 'auto' or None for {message}, got 'piecewise'"
    with pytest.raises(ValueError, match=message):
        getattr(estimator, method)(X, KIND, **({} if method == "fit" else {"classes": LABELS}))


@pytest.mark.parametrize("value", ["linear", 8, PiecewiseLinearEncoding])
def test_another_value_is_refused(value):
    with pytest.raises(ValueError, match="numeric_encoding: expected 'auto', 'piecewise', 'tar"):
        NNClassifier(numeric_encoding=value, **SHORT).fit(WINE, KIND)


def test_settings_of_the_encoding_are_searched():
    search = GridSearchCV(NNClassifier(**SHORT), {"numeric_encoding__bins": [2, 3]}, cv=2)
    best = search.fit(WINE, KIND).best_estimator_
    assert encoding_of(best).bins == search.best_params_["numeric_encoding__bins"]
    plain = NNClassifier()
    assert plain.set_params(**plain.get_params()).numeric_encoding == "auto"
    periodic = NNClassifier(numeric_encoding="periodic", **SHORT)
    periodic.set_params(numeric_encoding__frequencies=5).fit(WINE, KIND)
    assert encoding_of(periodic).frequencies == 5
    none = NNClassifier(numeric_encoding=None).set_params(numeric_encoding__bins=3)
    assert none.numeric_encoding is None


def test_bins_are_weighted_and_rows_without_weight_do_not_count():
    times = np.random.RandomState(0).randint(0, 3, len(WINE))
    settings = {"numeric_encoding": "piecewise", **SHORT}
    weighted = NNClassifier(**settings).fit(WINE, KIND, times)
    repeated = NNClassifier(**settings).fit(np.repeat(WINE, times, axis=0), np.repeat(KIND, times))
    for ours, theirs in zip(encoding_of(weighted).boundaries, encoding_of(repeated).boundaries):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("encoding", ["piecewise", "target", "periodic"])
def test_files_and_pickles_predict_the_same_bits(encoding, tmp_path):
    fitted = NNClassifier("4", numeric_encoding=encoding, **SHORT).fit(WINE, KIND)
    expected = fitted.predict_proba(WINE)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(WINE), expected)
    fitted.save(tmp_path / "m.keras")
    assert_array_equal(files.load(tmp_path / "m.keras").predict_proba(WINE), expected)
    assert_array_equal(load_model(tmp_path / "m.keras").predict(WINE, verbose=0), expected)


def test_bits_do_not_depend_on_threads():
    X = np.random.RandomState(0).randn(3000, 20).astype(np.float32)
    one, two, three = (
        NNRegressor("32", n_threads=n, numeric_encoding="auto", **SHORT).fit(X, X[:, 0])
        for n in (1, 2, 3)
    )
    for other in (two, three):
        assert_array_equal(other.predict(X), one.predict(X))


def test_encoded_columns_make_jumps_easy_to_learn():
    X = np.random.RandomState(0).uniform(-1, 1, (1000, 2))
    y = np.sign(np.sin(9 * X[:, 0])) + np.abs(X[:, 1])
    scores = [
        NNRegressor(
            "32",
            ensemble=1,
            epochs=30,
            numeric_encoding=encoding,
            random_state=0,
            early_stopping=False,
        )
        .fit(X[:600], y[:600])
        .score(X[600:], y[600:])
        for encoding in ("auto", "periodic", None)
    ]
    assert scores[0] > scores[2] + 0.2 and scores[1] > scores[2]
