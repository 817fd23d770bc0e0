"""What does not fit is refused before any work, with what was expected and what came."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from small_models import LABELS, D, L, N, Seen, X, Y, arrays_equal, classifier, line

import nnlite as keras
from nnlite import layers

NAN, INF = X.copy(), X.copy()
NAN[7, 2], INF[7, 2] = np.nan, -np.inf
BAD_FIT = {
    "empty": (
        lambda: (X[:0], LABELS[:0]),
        {},
        ValueError,
        r"x: expected at least one sample, got shape \(0, 6\)",
    ),
    "scalar": (lambda: (3.0, 1), {}, ValueError, "x: expected an array with a row for each sample"),
    "nothing": (lambda: (None, 1), {}, TypeError, "x: expected an array with .*, got None"),
    "width": (
        lambda: (X[:, :5], LABELS),
        {},
        ValueError,
        r"layer 'dense' \(Dense\): expected .* 6 features .*got shape \(\d+, 5\)",
    ),
    "rank 1": (
        lambda: (X[:, 0], LABELS),
        {},
        ValueError,
        r"expected input 'input_layer' of shape \(N, 6\), N samples, got shape \(\d+,\)",
    ),
    "rank 3": (
        lambda: (X[:, :, None].repeat(2, axis=2), LABELS),
        {},
        ValueError,
        r"expected input 'input_layer' of shape \(N, 6\), N samples, got shape \(\d+, 6, 2\)",
    ),
    "NaN": (lambda: (NAN, LABELS), {}, ValueError, r"x: expected finite values, got NaN"),
    "infinity": (lambda: (INF, LABELS), {}, ValueError, r"x: expected finite values, got NaN"),
    "NaN label": (lambda: (X, NAN[:, 2]), {}, ValueError, r"y: expected finite values"),
    "text": (
        lambda: (X.astype(str), LABELS),
        {},
        TypeError,
        r"x: expected numbers, got values of type <U",
    ),
    "text label": (
        lambda: (X, LABELS.astype(str)),
        {},
        TypeError,
        r"y: expected numbers, got .*type <U",
    ),
    "objects": (
        lambda: (np.full((N, D), None), LABELS),
        {},
        (TypeError, ValueError),
        r"x: expected",
    ),
    "complex": (lambda: (X + 1j, LABELS), {}, TypeError, r"x: expected numbers, got .*complex"),
    "dates": (
        lambda: (X.astype("int64").astype("M8[s]"), LABELS),
        {},
        TypeError,
        r"x: expected numbers",
    ),
    "y missing": (
        lambda: (X, None),
        {},
        ValueError,
        r"y: expected targets for the loss .*got None",
    ),
    "y too short": (
        lambda: (X, LABELS[:9]),
        {},
        ValueError,
        r"y: expected 50 samples, as many as x has, got 9",
    ),
    "y too wide": (
        lambda: (X, np.eye(L)[LABELS]),
        {},
        ValueError,
        r"expected labels of shape .*one-hot rows",
    ),
    "label too large": (
        lambda: (X, LABELS + 1),
        {},
        ValueError,
        r"^y: expected labels in \[0, 3\), .*got 3",
    ),
    "label negative": (
        lambda: (X, LABELS - 1),
        {},
        ValueError,
        r"^y: expected labels in \[0, 3\), .*got -1",
    ),
    "label huge": (
        lambda: (X, LABELS + 2**40),
        {},
        ValueError,
        r"^y: expected labels in \[0, 3\), .*got 10995",
    ),
    "label broken": (
        lambda: (X, LABELS + 0.5),
        {},
        ValueError,
        r"y: expected integer labels, got .*5",
    ),
    "weight too short": (
        lambda: (X, LABELS),
        {"sample_weight": np.ones(9)},
        ValueError,
        r"sample_weight: expected 50 samples, as many as x has, got 9",
    ),
    "weight too wide": (
        lambda: (X, LABELS),
        {"sample_weight": np.ones((N, 2))},
        ValueError,
        r"sample_weight: expected a shape that fits .*, 2\)",
    ),
    "weight NaN": (
        lambda: (X, LABELS),
        {"sample_weight": NAN[:, 2]},
        ValueError,
        r"sample_weight: .*finite",
    ),
    "weights that differ": (
        lambda: (X, LABELS),
        {"sample_weight": np.ones((50, 1)), "class_weight": {0: 2}},
        ValueError,
        r"sample_weight: expected shape \(50,\), got \(50, 1\)",
    ),
    "class_weight": (
        lambda: (X, LABELS),
        {"class_weight": [1, 2]},
        TypeError,
        r"class_weight: expected a dict",
    ),
    **{
        f"class_weight {name}": (
            lambda: (X, LABELS),
            {"class_weight": given},
            ValueError,
            rf"class_weight: expected .*{what}",
        )
        for name, given, what in (
            ("of half a class", {0.5: 5.0}, "numbers of classes as keys, .*the key 0.5"),
            ("of less than a class", {0: 1.0, -0.5: 5.0}, "the key -0.5"),
            ("of a string", {"0": 2.0}, "the key '0'"),
            ("of NaN", {np.nan: 2.0}, "the key nan"),
            ("of None", {None: 2.0}, "the key None"),
            ("below 0", {0: -1.0}, r"in \[0, inf\) for class 0, got -1.0"),
            ("NaN", {1: np.nan}, r"in \[0, inf\) for class 1, got nan"),
            ("None", {1: None}, r"in \[0, inf\) for class 1, got None"),
        )
    },
    "class_weight of sequences": (
        lambda: (X, np.zeros((N, 2, 2))),
        {"class_weight": {0: 2.0}},
        ValueError,
        r"class_weight: expected one class for each sample, .*got y of shape \(50, 2, 2\)",
    ),
    "batch_size 0": (
        lambda: (X, LABELS),
        {"batch_size": 0},
        ValueError,
        r"batch_size: .*positive integer, got 0",
    ),
    "batch_size -3": (lambda: (X, LABELS), {"batch_size": -3}, ValueError, r"batch_size: .*got -3"),
    "batch_size 2.5": (
        lambda: (X, LABELS),
        {"batch_size": 2.5},
        ValueError,
        r"batch_size: .*got 2.5",
    ),
    "epochs": (
        lambda: (X, LABELS),
        {"epochs": -1},
        ValueError,
        r"epochs: .*positive integer, got -1",
    ),
    "initial_epoch": (
        lambda: (X, LABELS),
        {"initial_epoch": -1},
        ValueError,
        r"initial_epoch: .*got -1",
    ),
    "verbose": (
        lambda: (X, LABELS),
        {"verbose": 5},
        ValueError,
        r"verbose: expected 'auto', 0, 1 or 2, got 5",
    ),
    "validation_batch_size": (
        lambda: (X, LABELS),
        {"validation_batch_size": 0},
        ValueError,
        r"validation_batch_size: .*got 0",
    ),
    "validation_split 1": (
        lambda: (X, LABELS),
        {"validation_split": 1.0},
        ValueError,
        r"validation_split.*got 1",
    ),
    "validation_split -1": (
        lambda: (X, LABELS),
        {"validation_split": -1},
        ValueError,
        r"validation_split.*got -1",
    ),
    "validation_split small": (
        lambda: (X, LABELS),
        {"validation_split": 1 - 1e-9},
        ValueError,
        r"validation_split: .* of 50 samples leaves one part empty",
    ),
    "validation of 4": (
        lambda: (X, LABELS),
        {"validation_data": (X, LABELS, X, X)},
        ValueError,
        r"validation_data: expected \(x, y\), \(x, y, sample_weight\) or .*, got 4 entries;",
    ),
    "validation width": (
        lambda: (X, LABELS),
        {"validation_data": (X[:, :5], LABELS)},
        ValueError,
        r"layer 'dense' .*6 features.*5\)",
    ),
    "validation labels": (
        lambda: (X, LABELS),
        {"validation_data": (X, LABELS + 1)},
        ValueError,
        r"y: expected labels in \[0, 3\), .*got 3",
    ),
    "validation NaN": (
        lambda: (X, LABELS),
        {"validation_data": (NAN, LABELS)},
        ValueError,
        r"x: .*finite",
    ),
    "validation rows": (
        lambda: (X, LABELS),
        {"validation_data": (X, LABELS[:9])},
        ValueError,
        r"y: .*50.*9",
    ),
    "callback": (
        lambda: (X, LABELS),
        {"callbacks": [3]},
        TypeError,
        r"callbacks: expected Callback objects, got 3",
    ),
    "callbacks": (
        lambda: (X, LABELS),
        {"callbacks": "es"},
        TypeError,
        r"callbacks: expected Callback objects, got 'es'",
    ),
}


@pytest.mark.parametrize("case", BAD_FIT)
def test_fit_refuses_before_any_work(case):
    data, arguments, error, message = BAD_FIT[case]
    model = classifier()
    before, seen = model.get_weights(), Seen()
    arguments = {"callbacks": seen, "verbose": 0, "batch_size": 8, **arguments}
    with pytest.raises(error, match=message):
        model.fit(*data(), **arguments)
    assert arrays_equal(model.get_weights(), before) and int(model.optimizer.iterations) == 0
    assert not any("epoch 0 end" in c for c in seen.calls)
    assert np.isfinite(model.fit(X, LABELS, verbose=0).history["loss"][0])  # and works as before


@pytest.mark.parametrize(
    "case",
    [
        "empty",
        "width",
        "rank 1",
        "text",
        "complex",
        "y too short",
        "y missing",
        "y too wide",
        "label too large",
        "label negative",
        "label broken",
    ],
)
@pytest.mark.parametrize("method", ["evaluate", "train_on_batch"])
def test_evaluate_and_train_on_batch_refuse_the_same(case, method):
    data, _, error, message = BAD_FIT[case]
    model = classifier()
    before = model.get_weights()
    with pytest.raises(error, match=message):
        getattr(model, method)(*data())
    assert arrays_equal(model.get_weights(), before) and int(model.optimizer.iterations) == 0


def test_train_on_batch_refuses_nan():
    model = classifier()
    with pytest.raises(ValueError, match=r"x: expected finite values"):
        model.train_on_batch(NAN, LABELS)
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize(
    "case", ["empty", "scalar", "width", "rank 1", "rank 3", "text", "complex"]
)
def test_predict_refuses_what_does_not_fit(case):
    data, _, error, message = BAD_FIT[case]
    with pytest.raises(error, match=message):
        classifier().predict(data()[0])


def test_predict_of_nan_is_nan_in_that_row_alone():
    finite = np.isfinite(classifier().predict(NAN)).all(axis=1)
    assert not finite[7] and finite.sum() == N - 1


@pytest.mark.parametrize(
    "y, loss, message",
    [
        (
            Y[:, [0, 0]],
            "mse",
            r"mean_squared_error: expected targets of shape \(\d+, 3\), got \(\d+, 2\)",
        ),
        (
            LABELS,
            "categorical_crossentropy",
            r"categorical.*\(\d+, 3\), got \(\d+,\); integer labels go with sparse",
        ),
        (
            LABELS,
            "binary_crossentropy",
            r"binary_crossentropy: expected targets of shape \(\d+, 3\), got \(\d+,\)",
        ),
    ],
)
def test_targets_that_do_not_fit_the_loss_are_refused_before_any_work(y, loss, message):
    model = classifier()
    model.compile("sgd", loss)
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, verbose=0)
    assert arrays_equal(model.get_weights(), before)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (
            {"optimizer": "nope"},
            ValueError,
            r"optimizer: unknown optimizer 'nope'; known: adadelta, ",
        ),
        ({"optimizer": 3}, TypeError, r"optimizer.*got 3"),
        ({"optimizer": "sgd", "loss": "nope"}, ValueError, r"loss: unknown loss 'nope'; known: "),
        (
            {"optimizer": "sgd", "metrics": ["nope"]},
            ValueError,
            r"metrics: unknown metric 'nope'; known: ",
        ),
        (
            {"optimizer": "sgd", "weighted_metrics": "nope"},
            ValueError,
            r"metrics: unknown metric 'nope'; known: ",
        ),
        ({"optimizer": "sgd", "losses": "mse"}, TypeError, r"compile: unknown argument 'losses'"),
        ({"optimizer": "sgd", "n_threads": 0}, ValueError, r"n_threads: .*positive integer, got 0"),
    ],
)
def test_compile_refuses_unknown_names(arguments, error, message):
    with pytest.raises(error, match=message):
        line(D).compile(**arguments)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_model_that_was_not_compiled_says_so(method):
    model = keras.Sequential([layers.Dense(1)], name="bare")
    with pytest.raises(
        RuntimeError, match=r"model 'bare': call compile\(optimizer=..., loss=...\) before"
    ):
        getattr(model, method)(X, Y)


@pytest.mark.parametrize("shape", [(0,), (-2,), ("a",), (2.5,), -1])
def test_bad_input_shape_is_refused_and_names_the_layer(shape):
    with pytest.raises(ValueError, match=r"layer 'first' \(Dense\): input_shape: expected a tuple"):
        keras.Sequential([layers.Dense(2, input_shape=shape, name="first")])


def test_error_in_the_first_use_of_a_deferred_model_leaves_it_usable():
    model = keras.Sequential([layers.Reshape((3, 2)), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"layer 'reshape' \(Reshape\)"):
        model.fit(X[:, :5], Y, verbose=0)
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"][0])
    assert model.count_params() == 7


HUGE = np.where(np.arange(D) == 2, 1e300, X.astype("float64"))
MASKED = np.ma.masked_greater(X, 1.0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.fit(HUGE, Y), "x: expected values that float32 holds, .* got 1e.300; scale"),
        (lambda m: m.fit(-HUGE, Y), "x: expected values that float32 holds"),
        (lambda m: m.fit(scipy.sparse.csr_matrix(HUGE), Y), "x: expected values that float32"),
        (lambda m: m.fit(X, Y.astype(float) * 1e300), "y: expected values that float32 holds"),
        (lambda m: m.fit(iter([(HUGE, Y)])), "batch 0 of x: x: expected values that float32"),
        (lambda m: m.fit(X, Y, validation_data=(HUGE, Y)), "x: expected values that float32"),
        (lambda m: m.fit(X, Y, sample_weight=np.full(N, 1e300)), "sample_weight: expected values"),
        (lambda m: m.train_on_batch(HUGE, Y), "x: expected values that float32 holds"),
        (lambda m: m.fit(MASKED, Y), r"x: expected no masked values, got \d+; fill them"),
        (lambda m: m.fit(X, np.ma.masked_less(Y, 0)), "y: expected no masked values"),
        (lambda m: m.predict(MASKED), "x: expected no masked values"),
        (
            lambda m: keras.NNRegressor(dtype="float32", normalize=False).fit(HUGE, Y[:, 0]),
            "X: expected values that float32 holds",
        ),
    ],
)
def test_values_that_would_be_lost_are_refused_and_change_no_weight(call, message):
    model = line(D)
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        call(model)
    assert arrays_equal(model.get_weights(), before)


def test_values_beyond_float32_train_a_model_of_float64_and_unmasked_arrays_any():
    keras.backend.set_floatx("float64")
    try:
        model = line(D, rate=0.0)
    finally:
        keras.backend.set_floatx("float32")
    assert np.isfinite(model.fit(HUGE * 1e-200, Y, verbose=0).history["loss"][0])
    model = line(D)
    assert np.isfinite(model.fit(np.ma.array(X), Y, verbose=0).history["loss"][0])


@pytest.mark.parametrize(
    "run",
    [
        lambda m, x: m.predict(x),
        lambda m, x: m.predict(iter([x])),
        lambda m, x: m.predict(x.tolist()),
        lambda m, x: m.predict(scipy.sparse.csr_matrix(x)),
        lambda m, x: np.concatenate([m.predict(x[k : k + 1]) for k in range(len(x))]),
        lambda m, x: m.predict_on_batch(x),
        lambda m, x: m(x).numpy(),
        lambda m, x: m.evaluate(x, Y, return_dict=True)["loss"],
        lambda m, x: m.test_on_batch(x, Y, return_dict=True)["loss"],
    ],
)
def test_values_beyond_float32_are_infinite_where_nothing_is_trained(run):
    model = line(D)
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    infinite = np.where(HUGE > 1e39, np.inf, HUGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(model, HUGE)
    assert np.isinf(found).all() and arrays_equal([found], [run(model, infinite)])


class OfADict(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs["a"])


@pytest.mark.parametrize("x", [{}, {"a": None}])
@pytest.mark.parametrize("functional", [True, False])
def test_data_without_an_array_are_refused(functional, x):
    symbols = {"a": keras.Input((D,), name="a")}
    model = keras.Model(symbols, layers.Dense(1)(symbols["a"])) if functional else OfADict()
    model.compile("sgd", "mse")
    for run in (model.fit, model.train_on_batch, lambda x, y: model.predict(x)):
        with pytest.raises(ValueError, match=f"x: expected at least one array, got {x}"):
            run(x, Y)


def test_an_empty_dict_is_named_where_one_array_is_expected():
    model = keras.Sequential([keras.Input((D,)), layers.Dense(1)])
    with pytest.raises(TypeError, match=r"x: expected one array, got an empty dict$"):
        model.predict({})
