"""Arrays of every type and layout train and predict as a plain float32 copy does."""

import os

import numpy as np
import pytest
from small_models import LABELS, D, L, N, X, arrays_equal, classifier, line, trained

import nnlite as keras
from nnlite import optimizers

PIXELS = np.random.default_rng(2).integers(0, 100, (40, D))
PIXEL_LABELS = PIXELS.sum(1) % L


def read_only(x):
    x = x.copy()
    x.setflags(write=False)
    return x


def in_a_file(x):
    path = os.path.join(in_a_file.folder, "x.npy")
    np.save(path, x)
    return np.load(path, mmap_mode="r")


KINDS = {
    **{
        name: (lambda x, name=name: x.astype(name))
        for name in (
            "uint8",
            "int8",
            "uint16",
            "int16",
            "uint32",
            "int32",
            "uint64",
            "int64",
            "float16",
            "float64",
            "longdouble",
            ">f4",
            ">f8",
            ">i4",
            "object",
        )
    },
    "Fortran order": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every second column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "rows backwards": lambda x: x[::-1].copy()[::-1],
    "columns backwards": lambda x: x[:, ::-1].copy()[:, ::-1],
    "a window": lambda x: np.pad(x, 3)[3:-3, 3:-3],
    "read-only": read_only,
    "memmap": in_a_file,
    "lists": lambda x: x.tolist(),
    "tensor": lambda x: keras.convert_to_tensor(x),
    "unaligned": lambda x: np.frombuffer(b"." + x.tobytes(), dtype=x.dtype, offset=1).reshape(
        x.shape
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_x_of_any_kind_gives_the_bits_of_a_float32_copy(kind, tmp_path):
    in_a_file.folder = str(tmp_path)
    plain = PIXELS.astype("float32")
    results = []
    for x in (plain, KINDS[kind](plain)):
        model = classifier(optimizer=optimizers.SGD(1e-4), metrics=["accuracy"])
        history = trained(model, x, PIXEL_LABELS, epochs=2, batch_size=16)
        results.append(
            [
                *model.get_weights(),
                model.predict(x),
                np.array(history.history["loss"]),
                np.array(model.evaluate(x, PIXEL_LABELS)),
                model.predict(np.asarray(x)[3:4]),
            ]
        )
    assert arrays_equal(*results)


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("kind", [list, tuple, dict, iter])
def test_the_only_input_may_come_in_a_list_and_so_may_targets_and_weights(kind, functional):
    """As in Keras, which takes a list of inputs from every model."""

    def made():
        model = classifier()
        if functional:
            symbol = keras.Input((D,), name="rows")
            model = keras.Model(symbol, model(symbol))
            model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    weight = np.linspace(0, 1, N)
    plain, model = made(), made()
    names = "rows" if functional else "input_layer"
    x, y, w = ({names: X} if kind is dict else kind([X])), [LABELS], [weight]
    if kind is iter:
        x, y, w = [X], (LABELS,), (weight,)
        model.fit(iter([(x, y, w)]), verbose=0)
    else:
        model.fit(x, y, sample_weight=w, batch_size=N, shuffle=False, verbose=0)
    plain.fit(X, LABELS, sample_weight=weight, batch_size=N, shuffle=False, verbose=0)
    assert arrays_equal(model.get_weights(), plain.get_weights())
    assert model.evaluate(x, y, verbose=0) == plain.evaluate(X, LABELS, verbose=0)
    for given in (model.predict(x, verbose=0), model.predict_on_batch(x), model(x).numpy()):
        np.testing.assert_array_equal(given, plain.predict(X, verbose=0))
    row = X[0, :, None]  # the last axis is there in vain
    assert model.predict([X[0]], verbose=0).shape == (1, L)  # a list of one row
    np.testing.assert_array_equal(model.predict([row], verbose=0), plain.predict(X[:1], verbose=0))


def sequences(loss):
    model = keras.Sequential([keras.Input((None, 4)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("steps", [1, 3])
def test_beside_one_row_a_list_of_targets_is_told_from_a_row_by_the_outputs_shape(steps, kind):
    rng, model = np.random.default_rng(0), sequences("mse")
    x, y = (rng.normal(size=(1, steps, n)) for n in (4, 2))
    loss = model.evaluate(x, y, verbose=0)
    assert model.evaluate(x, kind([y[0]]), verbose=0) == loss  # a row
    assert model.evaluate(x, kind([y]), verbose=0) == loss
    weight = np.arange(1.0, steps + 1)[None]
    loss = model.evaluate(x, y, sample_weight=weight, verbose=0)
    for given in (kind([weight[0]]), kind([weight])):
        assert model.evaluate(x, y, sample_weight=given, verbose=0) == loss


@pytest.mark.parametrize("kind", [list, tuple])
def test_beside_one_row_labels_of_classes_in_a_list_are_an_array(kind):
    model, x = sequences("sparse_categorical_crossentropy"), X[None, :3, :4]
    labels = np.array([[0, 1, 1]])
    loss = model.evaluate(x, labels, verbose=0)
    for given in (labels, labels[0]):
        assert model.evaluate(x, kind([given]), verbose=0) == loss


@pytest.mark.parametrize("rows", [1, 6])
def test_a_message_says_how_many_targets_came_in_a_list(rows):
    model = keras.Sequential([keras.Input((D,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for y in ([X[:5, :1]], (X[:5, :1],)):
        with pytest.raises(ValueError, match=f"y: expected {rows} samples, .* got 5"):
            model.evaluate([X[:rows]], y, verbose=0)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int64", "uint64", "float64", "float16", "object"]
)
def test_labels_of_any_kind_give_the_same_bits(dtype):
    results = []
    for y in (LABELS.astype("int32"), LABELS.astype(dtype), LABELS.astype(dtype)[:, None]):
        model = classifier()
        trained(model, X, y % 2 if dtype == "bool" else y)
        results.append(model.get_weights())
        if dtype == "bool":
            results[0] = results[-1]
    assert arrays_equal(results[0], results[1]) and arrays_equal(results[0], results[2])


def test_repeated_row_of_a_broadcast_array_is_read():
    x = np.broadcast_to(X[0], (N, D))
    model = classifier()
    assert np.array_equal(model.predict(x), model.predict(x.copy()))


def test_pandas_data_is_accepted():
    pandas = pytest.importorskip("pandas")
    a, b = classifier(), classifier()
    trained(a, X, LABELS)
    trained(b, pandas.DataFrame(X), pandas.Series(LABELS))
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_x_is_not_changed_by_training():
    x = X.astype("float64")
    before = x.copy()
    classifier(dropout=0.5).fit(x, LABELS, verbose=0)
    assert np.array_equal(x, before)


def test_vector_fits_a_model_of_one_feature_as_in_keras():
    x = np.linspace(0, 1, 20)
    a, b = line(), line()
    a.fit(x, 2 * x, shuffle=False, verbose=0)
    b.fit(x[:, None], 2 * x[:, None], shuffle=False, verbose=0)
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert np.array_equal(a.predict(x), b.predict(x[:, None]))
    assert a.evaluate(x, 2 * x) == b.evaluate(x[:, None], 2 * x)


def test_integer_targets_beyond_int32_are_regressed_on():
    y = np.arange(N) * 10**10
    a, b = line(D, rate=1e-12), line(D, rate=1e-12)
    a.fit(X, y, shuffle=False, verbose=0)
    b.fit(X, y.astype("float64"), shuffle=False, verbose=0)
    assert a.get_weights()[1] > 0 and arrays_equal(a.get_weights(), b.get_weights())
