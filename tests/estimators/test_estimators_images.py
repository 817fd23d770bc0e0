"""Images as X: of any shape and layout that says what is meant, read where they lie; layers of
images inside."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pandas
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import get_tags

import nnlite
from nnlite import NNClassifier, NNRegressor, layers
from nnlite.callbacks import EarlyStopping
from nnlite.data import sources
from nnlite.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Reshape,
)

DIGITS, DIGIT = load_digits(return_X_y=True)
ROWS = DIGITS[:300].astype(np.uint8)
IMAGES, LABELS = ROWS.reshape(-1, 8, 8, 1), DIGIT[:300]
COLORS = np.random.RandomState(0).randint(0, 256, (60, 10, 9, 3)).astype(np.uint8)
BRIGHT = COLORS.mean((1, 2, 3)) > 127


def cnn(filters=4, rate=0.0, **kwargs):
    """Hidden layers for the digits."""
    return [
        Conv2D(filters, 3, activation="relu", **kwargs),
        MaxPooling2D(),
        Dropout(rate),
        Flatten(),
    ]


def classifier(*args, **kwargs):
    return NNClassifier(*args, **{"ensemble": 1, "epochs": 2, "random_state": 0, **kwargs})


def regressor(*args, **kwargs):
    return NNRegressor(*args, **{"ensemble": 1, "epochs": 2, "random_state": 0, **kwargs})


def bits(estimator, X=IMAGES):
    """The outputs, exactly."""
    return getattr(estimator, "predict_proba", estimator.predict)(X).tobytes()


@pytest.fixture
def read(monkeypatch):
    """The Sources through which X reaches the engine."""
    seen, init = [], sources.ArraySource.__init__

    def spy(source, values, name, labels=False):
        init(source, values, name, labels)
        if name == "x":
            seen.append(source)

    monkeypatch.setattr(sources.ArraySource, "__init__", spy)
    return seen


# Shapes


def test_images_are_classified():
    estimator = classifier(cnn(16), epochs=30, learning_rate=0.01)
    fitted = estimator.fit(DIGITS[:1200].reshape(-1, 8, 8, 1), DIGIT[:1200])
    assert fitted.score(DIGITS[1200:].reshape(-1, 8, 8, 1), DIGIT[1200:]) > 0.9
    assert fitted.n_features_in_ == 8 and not hasattr(fitted, "feature_names_in_")
    assert fitted.model_.input_shape == (None, 8, 8, 1)


@pytest.mark.parametrize(
    "hidden",
    [
        cnn(input_shape=(8, 8, 1)),
        [Input((8, 8, 1)), *cnn()],
        [nnlite.Sequential([Input((8, 8, 1)), *cnn()])],
    ],
    ids=["input_shape", "Input", "Sequential"],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_rows_are_images_where_the_first_layer_declares_their_shape(hidden, dtype):
    settings = {"dtype": "float32"}
    plain = classifier(cnn(), **settings).fit(IMAGES, LABELS)
    for X in (ROWS, IMAGES, IMAGES[..., 0], ROWS[::-1].copy()[::-1], np.asfortranarray(ROWS)):
        X = X.astype(dtype, order="K")
        fitted = classifier(hidden, **settings).fit(X, LABELS)
        assert fitted.n_features_in_ == X.shape[1]
        assert bits(fitted, X) == bits(plain)
        assert bits(fitted.partial_fit(X, LABELS), X) == bits(
            clone(fitted).fit(X, LABELS).partial_fit(X, LABELS), X
        )


def test_reshape_makes_images_of_rows():
    plain = classifier(cnn()).fit(IMAGES, LABELS)
    for first in (Reshape((8, 8, 1)), Reshape((8, 8, 1), input_shape=(64,)), Reshape((8, 8, -1))):
        assert bits(classifier([first, *cnn()]).fit(ROWS, LABELS), ROWS) == bits(plain)


def test_a_functional_model_declares_the_shape_too():
    image = Input((8, 8, 1))
    pooled = [GlobalAveragePooling2D()(Conv2D(4, k, activation="relu")(image)) for k in (2, 3)]
    model = nnlite.Model(image, layers.concatenate(pooled))
    by_rows, by_images = classifier(model).fit(ROWS, LABELS), classifier(model).fit(IMAGES, LABELS)
    assert bits(by_rows, ROWS) == bits(by_images) == bits(clone(by_images).fit(IMAGES, LABELS))


@pytest.mark.parametrize("shape", [(-1, 8, 8, 1), (-1, 8, 8), (-1, 4, 16), (-1, 2, 2, 4, 4)])
def test_the_default_network_flattens_samples(shape):
    settings = {"hidden_layer_sizes": 256, "activation": "tanh"}
    plain = classifier(**settings).fit(ROWS, LABELS)
    fitted = classifier(**settings).fit(ROWS.reshape(shape), LABELS)
    assert bits(fitted, ROWS.reshape(shape)) == bits(plain, ROWS)
    logistic = classifier(hidden_layer_sizes=()).fit(ROWS.reshape(shape), LABELS)
    assert logistic.model_.count_params() == 650


def test_images_in_a_list_or_an_array_of_objects_are_stacked():
    of_objects = np.empty(len(IMAGES), object)
    of_objects[:] = list(IMAGES)
    expected = bits(classifier(cnn()).fit(IMAGES, LABELS))
    for X in (list(IMAGES), tuple(IMAGES), IMAGES.tolist(), of_objects, pandas.Series(of_objects)):
        assert bits(classifier(cnn()).fit(X, LABELS), X) == expected


def test_numbers_are_predicted_from_images():
    X = IMAGES / 16
    where = np.stack([X[:, :, :4].mean((1, 2, 3)), X[:, :, 4:].mean((1, 2, 3))], axis=1)
    both = (where - where.mean(axis=0)) / where.std(axis=0)
    for y in (both, both[:, 0]):
        fitted = regressor([Conv2D(4, 3), Flatten()], epochs=60, learning_rate=0.01).fit(X, y)
        assert fitted.predict(X).shape == y.shape and fitted.score(X, y) > 0.9
        assert bits(fitted, X) == bits(clone(fitted).fit(X, y), X)


def test_small_float64_images_are_trained_in_float64():
    for rows, dtype in ((64, "float64"), (65, "float32")):
        fitted = classifier(cnn(), early_stopping=False).fit(
            DIGITS[:rows].reshape(-1, 8, 8, 1), DIGIT[:rows]
        )
        assert fitted.dtype_ == dtype


# Read in place


@pytest.mark.parametrize(
    "X",
    [IMAGES, ROWS, IMAGES[..., 0], IMAGES[::2]],
    ids=["images", "rows", "without channels", "every other"],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "int16"])
def test_pixels_are_read_where_they_lie(read, X, dtype):
    X, y = X.astype(dtype)[:], LABELS[: len(X)]
    fitted = classifier(cnn(input_shape=(8, 8, 1)), epochs=1).fit(X, y).partial_fit(X, y)
    fitted.predict(X)
    assert len(read) == 3
    for source in read:
        assert source.array.dtype == dtype and np.shares_memory(source.array, X)
        assert source.row_shape == (8, 8, 1)


def test_what_is_held_out_stays_uint8(read):
    fitted = classifier(cnn(input_shape=(8, 8, 1)), early_stopping=True).fit(ROWS, LABELS)
    assert all(s.array.dtype == "uint8" and np.shares_memory(s.array, ROWS) for s in read)
    assert len(read) == 2 and len(fitted.validation_loss_curve_) == 2


def test_every_other_image_is_read_in_place(read):
    X = np.repeat(IMAGES, 2, axis=0)
    fitted = classifier(cnn()).fit(X[::2], LABELS)
    assert bits(fitted, X[::2]) == bits(fitted)
    assert np.shares_memory(read[0].array, X) and np.shares_memory(read[1].array, X)


def test_no_copy_of_the_data_set_is_made():
    X = np.zeros((20_000, 28, 28), np.uint8)
    y = np.arange(20_000) % 2
    hidden = [Conv2D(2, 3, strides=3, input_shape=(28, 28, 1)), Flatten()]
    estimator = classifier(hidden, epochs=1, early_stopping=False, n_threads=1)
    tracemalloc.start()
    try:
        estimator.fit(X, y).predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2


def test_pixels_are_the_numbers_they_are():
    fitted = classifier(cnn()).fit(IMAGES, LABELS)
    same = classifier(cnn()).fit(IMAGES.astype(np.float32), LABELS)
    assert bits(fitted) == bits(same) == bits(fitted, IMAGES.astype(np.float64))
    assert bits(fitted) != bits(fitted, IMAGES / 16)


def test_pixels_that_make_a_training_diverge_are_named_as_the_cause():
    y = BRIGHT * 1000.0
    with pytest.warns(RuntimeWarning, match=r"scale the input \(pixels / 255"):
        regressor([Conv2D(8, 3), Flatten()], optimizer="sgd", epochs=20).fit(COLORS, y)


# Scikit-learn's tools


def test_copies_of_a_cnn_predict_and_train_the_same_bits():
    estimator = classifier(
        [Conv2D(4, 3), BatchNormalization(), Activation("relu"), Dropout(0.3), Flatten()]
    )
    fitted = clone(estimator).fit(IMAGES, LABELS)
    same = pickle.loads(pickle.dumps(fitted))
    assert bits(same) == bits(fitted) == bits(clone(fitted).fit(IMAGES, LABELS))
    assert bits(same.partial_fit(IMAGES, LABELS)) == bits(fitted.partial_fit(IMAGES, LABELS))
    assert not any(layer.built for layer in estimator.layers)


def test_predictions_of_a_subset_are_the_subset_of_the_predictions():
    fitted = classifier(
        [Conv2D(5, 3, padding="same"), BatchNormalization(), MaxPooling2D(), Flatten()]
    ).fit(IMAGES, LABELS)
    everything = fitted.predict_proba(IMAGES)
    for count in (1, 2, 7, 255, 257, 300):
        rows = np.random.RandomState(count).permutation(300)[:count]
        assert_array_equal(fitted.predict_proba(IMAGES[rows]), everything[rows])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_filters_and_dropout_are_searched_in_a_pipeline(n_jobs):
    pipeline = make_pipeline(MaxAbsScaler(), classifier(epochs=5, learning_rate=0.01))
    grid = {
        "nnclassifier__layers": [
            cnn(f, r, input_shape=(8, 8, 1)) for f in (1, 8) for r in (0.0, 0.25)
        ]
    }
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs, error_score="raise")
    search.fit(ROWS, LABELS)
    assert search.best_params_["nnclassifier__layers"][0].filters == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_cross_validation_of_images():
    scores = cross_val_score(
        classifier(cnn(8), epochs=15, learning_rate=0.01), IMAGES, LABELS, cv=3
    )
    assert scores.min() > 0.6


def test_weights_and_early_stopping_of_images():
    w = np.ones(300)
    w[::3] = 0
    settings = {
        "early_stopping": EarlyStopping(patience=1, restore_best_weights=True),
        "epochs": 30,
        "learning_rate": 0.1,
    }
    weighted = classifier(cnn(), **settings).fit(IMAGES, LABELS, w)
    removed = classifier(cnn(), **settings).fit(IMAGES[w > 0], LABELS[w > 0], w[w > 0])
    assert bits(weighted) == bits(removed) and weighted.n_iter_ < 30
    assert weighted.best_epoch_ == np.argmin(weighted.validation_loss_curve_) + 1


# Layers inside


INSIDE = {
    "BatchNormalization": [BatchNormalization(), Activation("relu")],
    "Dropout": [Dropout(0.1)],
    "SpatialDropout2D": [layers.SpatialDropout2D(0.1)],
    "GaussianNoise": [layers.GaussianNoise(0.1)],
    "LayerNormalization": [layers.LayerNormalization()],
    "DepthwiseConv2D": [layers.DepthwiseConv2D(3, depth_multiplier=2)],
    "SeparableConv2D": [layers.SeparableConv2D(6, 3)],
    "pooling": [layers.AveragePooling2D(2, padding="same"), MaxPooling2D(2, strides=1)],
    "padding": [layers.ZeroPadding2D(1), layers.UpSampling2D(2)],
    "activations": [layers.ELU(), layers.LeakyReLU(), layers.PReLU()],
    "dilated": [Conv2D(6, 2, dilation_rate=2), Conv2D(6, 2, groups=2, strides=2)],
}


@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE)
def test_layers_of_images_learn_inside_of_an_estimator(inside):
    hidden = [Conv2D(8, 3, input_shape=(8, 8, 1)), *inside, Flatten()]
    fitted = classifier(hidden, epochs=40, learning_rate=0.01).fit(IMAGES / 16, LABELS)
    assert np.isfinite(fitted.loss_curve_).all()
    assert fitted.score(IMAGES / 16, LABELS) > 0.9


@pytest.mark.parametrize("rows, batch_size", [(33, 32), (1, 1), (5, 1), (201, "auto")])
@pytest.mark.parametrize(
    "hidden",
    [
        [Dense(8), BatchNormalization(), Activation("relu"), Dropout(0.1)],
        [Reshape((8, 8, 1)), Conv2D(3, 8), BatchNormalization(), Flatten()],
    ],
    ids=["rows", "images"],
)
def test_a_batch_of_one_row_is_normalized_without_nan(hidden, rows, batch_size):
    settings = {"batch_size": batch_size, "early_stopping": False}
    fitted = regressor(hidden, **settings).fit(ROWS[:rows], LABELS[:rows])
    assert np.isfinite(fitted.loss_curve_).all() and np.isfinite(fitted.predict(ROWS)).all()
    if rows > 1:
        fitted = classifier(hidden, **settings).fit(ROWS[:rows], LABELS[:rows])
        assert np.isfinite(fitted.loss_curve_).all()
        assert np.isfinite(fitted.predict_proba(ROWS)).all()


def test_normalization_at_prediction_is_by_what_training_met():
    fitted = classifier([BatchNormalization(momentum=0.0), Dense(4)], early_stopping=False)
    fitted.fit(ROWS, LABELS)
    last = fitted.model_.layers[0]
    assert not np.array_equal(last.moving_mean.numpy(), np.zeros(64))
    before = [w.copy() for w in last.get_weights()]
    fitted.predict(ROWS)
    for old, new in zip(before, last.get_weights()):
        assert_array_equal(old, new)


# Errors


CHANNELS_FIRST = np.moveaxis(COLORS, -1, 1)
SQUARE = np.zeros((10, 3, 16, 16), np.uint8)
MIXED = [IMAGES[0], IMAGES[1], np.zeros((9, 8, 1))]


@pytest.mark.parametrize(
    "hidden, X, words",
    [
        (
            cnn(),
            ROWS,
            r"got shape \(None, 64\); for rows of pixels give the first layer input_shape=",
        ),
        ([MaxPooling2D(), Flatten()], ROWS, "for rows of pixels give the first layer input_shape="),
        (cnn(), IMAGES[..., 0], r"got shape \(None, 8, 8\); X\[..., np.newaxis\] gives images"),
        (
            cnn(input_shape=(28, 28, 1)),
            ROWS,
            r"X: expected shape \(N, 28, 28, 1\) or \(N, 784\), "
            r"as the first layer's input_shape says, got \(300, 64\)$",
        ),
        ([Input((5,)), Dense(3)], ROWS, r"X: expected shape \(N, 5\), as the first .*\(300, 64\)$"),
        (
            [Dense(3, input_dim=64)],
            IMAGES,
            r"got \(300, 8, 8, 1\); X.reshape\(300, 64\) may be meant",
        ),
        (
            cnn(input_shape=(8, 8, 1)),
            IMAGES.reshape(-1, 4, 16),
            r"X.reshape\(300, 8, 8, 1\) may be",
        ),
        (
            cnn(input_shape=(10, 9, 3)),
            CHANNELS_FIRST,
            r"got \(60, 3, 10, 9\); channels come last: np.",
        ),
        (
            cnn(),
            MIXED,
            r"images of one size, got shapes \(8, 8, 1\) and \(9, 8, 1\); crop or resize",
        ),
        (
            cnn(),
            np.array([*MIXED, None], object)[:3],
            r"got shapes \(8, 8, 1\) and \(9, 8, 1\); crop",
        ),
        (
            [Conv2D(4, 3)],
            IMAGES,
            r"one row per sample, got shape \(None, 6, 6, 4\); end with Flatten",
        ),
        ([Dense(4)], IMAGES, r"one row per sample, got shape \(None, 8, 8, 4\); end with Flatten"),
        ([], IMAGES, r"one row per sample, got shape \(None, 8, 8, 1\); end with Flatten"),
        (cnn(), IMAGES[:, :2], "expected images of at least"),
        (cnn(), IMAGES[:0], "0 sample"),
        (cnn(), IMAGES[:, :0], "size|sizes|shape"),
        (cnn(), np.where(IMAGES > 15, np.nan, IMAGES), "NaN"),
        (cnn(), IMAGES + 1j, "Complex"),
        (cnn(), IMAGES.astype(str), "numeric"),
        (cnn(), LABELS, "Expected 2D array, got 1D"),
    ],
)
def test_wrong_images_are_errors_that_say_what_to_do(hidden, X, words):
    y = np.resize([0, 1], len(X))
    with pytest.raises(ValueError, match=words):
        classifier(hidden, early_stopping=False).fit(X, y)


def test_channels_first_are_noticed():
    with pytest.raises(ValueError, match=r"channels come last: np.moveaxis\(X, 1, -1\)"):
        classifier([Conv2D(4, 5), Flatten()]).fit(SQUARE, np.arange(10) % 2)
    with pytest.warns(UserWarning, match=r"X of shape \(10, 3, 16, 16\) is read as images") as seen:
        classifier([Conv2D(4, 3), Flatten()]).fit(SQUARE, np.arange(10) % 2)
    assert len(seen) == 1 and seen[0].filename == __file__
    with pytest.warns(UserWarning, match="is read as images") as seen:
        classifier([Conv2D(4, 3), Flatten()], early_stopping=True, refit_full=True).fit(
            SQUARE, np.arange(10) % 2
        )
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier([Conv2D(4, 3), Flatten()]).fit(np.moveaxis(SQUARE, 1, -1), np.arange(10) % 2)
        classifier().fit(SQUARE, np.arange(10) % 2)


@pytest.mark.parametrize(
    "X, y, words",
    [
        (IMAGES, LABELS[:-1], r"y: expected 300 targets.*\(300, 8, 8, 1\)\), got 299$"),
        (
            np.moveaxis(IMAGES, 0, -1),
            LABELS,
            r"got 300; samples come first: np.moveaxis\(X, 3, 0\)",
        ),
        (IMAGES[0], LABELS[:1], r"expected 8 targets.*\(8, 8, 1\)\), got 1; samples come first"),
        (IMAGES, None, "requires y"),
    ],
)
def test_there_is_one_target_for_each_image(X, y, words):
    with pytest.raises(ValueError, match=words):
        classifier(cnn()).fit(X, y)


@pytest.mark.parametrize(
    "X, words",
    [
        (COLORS[:, :9], r"expected shape \(N, 10, 9, 3\) as in fit, got \(60, 9, 9, 3\)$"),
        (COLORS[:, :, :8], r"expected shape \(N, 10, 9, 3\) as in fit, got \(60, 10, 8, 3\)$"),
        (COLORS[..., :1], r"expected shape \(N, 10, 9, 3\) as in fit, got \(60, 10, 9, 1\)$"),
        (COLORS[0], r"got \(10, 9, 3\); a single sample goes as X\[np.newaxis\]"),
        (CHANNELS_FIRST, r"got \(60, 3, 10, 9\); channels come last: np.moveaxis\(X, 1, -1\)"),
        (COLORS.reshape(60, -1), r"got \(60, 270\); X.reshape\(60, 10, 9, 3\) may be meant"),
        (COLORS.swapaxes(1, 2), r"expected shape \(N, 10, 9, 3\) as in fit, got \(60, 9, 10, 3\)$"),
        (
            COLORS.reshape(60, -1).tolist(),
            r"expected shape \(N, 10, 9, 3\) as in fit, got \(60, 270\)",
        ),
        (
            [COLORS[0], COLORS[1][:5]],
            r"images of one size, got shapes \(10, 9, 3\) and \(5, 9, 3\)",
        ),
        (COLORS[:0], "0 sample"),
    ],
)
def test_what_is_predicted_looks_as_what_was_fitted(X, words):
    fitted = classifier([Conv2D(2, 3), Flatten()]).fit(COLORS, BRIGHT)
    before = bits(fitted, COLORS)
    for method in (
        fitted.predict,
        fitted.predict_proba,
        lambda X: fitted.score(X, [0] * len(X)),
        lambda X: fitted.partial_fit(X, [0] * len(X)),
    ):
        with pytest.raises(ValueError, match=words):
            method(X)
    assert bits(fitted, COLORS) == before


def test_images_for_a_network_of_rows_are_an_error_of_predict():
    fitted = classifier().fit(ROWS, LABELS)
    with pytest.raises(ValueError, match=r"expected shape \(N, 64\) as in fit, got \(300, 8, 8, 1"):
        fitted.predict(IMAGES)
    fitted = classifier(cnn(input_shape=(8, 8, 1))).fit(ROWS, LABELS)
    with pytest.raises(ValueError, match=r"expected shape \(N, 64\) as in fit, got \(300, 8, 8, 1"):
        fitted.predict(IMAGES)
    with pytest.raises(ValueError, match="X has 63 features, but NNClassifier is expecting 64"):
        fitted.predict(ROWS[:, 1:])


@pytest.mark.parametrize("estimator", [NNClassifier(), NNRegressor()])
def test_tags_say_that_samples_may_have_axes(estimator):
    assert get_tags(estimator).input_tags.three_d_array
    assert get_tags(estimator).input_tags.two_d_array
