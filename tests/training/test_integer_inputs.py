"""Inputs that are declared to be integers reach the layers as int32, not as real numbers."""

import pickle

import numpy as np
import pytest
from small_models import arrays_equal

import nnlite as keras
from nnlite import layers, ops
from nnlite.training.prediction import predict_cached

IDS = np.random.default_rng(0).integers(0, 7, (40, 3))
Y = (IDS.sum(axis=1) % 2).astype("float32")


class OneHot(layers.Layer):
    """One-hot rows of ids; keeps the dtype that it saw."""

    seen = None

    def call(self, ids):
        OneHot.seen = ids.dtype
        return ops.one_hot(ids, 7)


def functional(dtype="int32"):
    ids = keras.Input((3,), dtype=dtype, name="ids")
    return keras.Model(ids, layers.Dense(1)(layers.Flatten()(OneHot()(ids))))


def sequential(dtype="int32"):
    parts = [layers.Input((3,), dtype=dtype), OneHot(), layers.Flatten(), layers.Dense(1)]
    return keras.Sequential(parts)


def two_inputs():
    ids, x = keras.Input((3,), dtype="int32", name="ids"), keras.Input((2,), name="x")
    parts = layers.concatenate([layers.Flatten()(OneHot()(ids)), x])
    return keras.Model({"ids": ids, "x": x}, layers.Dense(1)(parts))


def trained(make, ids, **how):
    keras.utils.set_random_seed(1)
    OneHot.seen = None
    model = make()
    model.compile("adam", "mse", **how)
    model.fit(ids, Y, epochs=2, batch_size=16, verbose=0)
    assert OneHot.seen == "int32"
    return model


@pytest.mark.parametrize("make", [functional, sequential])
@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "bool", "float64"])
def test_ids_of_every_type_train_as_int32_ids_do(make, kind):
    ids = (IDS > 3 if kind == "bool" else IDS).astype(kind)
    expected = trained(make, ids.astype("int32"))
    for how in ({}, {"run_eagerly": True}):
        model = trained(make, ids, **how)
        assert arrays_equal(model.get_weights(), expected.get_weights())
        assert np.array_equal(model.predict(ids), expected.predict(ids.astype("int32")))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(ids), model.predict(ids))


def test_ids_beside_real_inputs_keep_their_kinds():
    model, x = two_inputs(), np.random.default_rng(1).random((40, 2))
    model.compile("adam", "mse")
    model.fit({"ids": IDS, "x": x}, Y, verbose=0)
    outputs = model.predict({"ids": IDS, "x": x})
    assert OneHot.seen == "int32"
    assert np.array_equal(outputs[:9], model.predict({"ids": IDS[:9], "x": x[:9]}))


@pytest.mark.parametrize("make", [functional, sequential])
def test_what_is_no_id_is_refused(make):
    model = trained(make, IDS)
    with pytest.raises(ValueError, match="x: expected integers, as the input's dtype says"):
        model.predict(IDS + 0.5)
    model.predict(IDS)
    with pytest.raises(ValueError, match="x: expected integers of the range of int32"):
        model.predict(IDS + 2**40)


def test_int64_is_another_word_for_ids():
    assert trained(lambda: functional("int64"), IDS).count_params() == 22


@pytest.mark.parametrize("dtype", ["itn32", "strings", bytes, object])
def test_an_input_of_no_type_of_numbers_is_refused(dtype):
    with pytest.raises(TypeError, match="Input: dtype: expected a type of numbers, such as"):
        keras.Input((3,), dtype=dtype)


def test_int32_ids_like_those_before_take_the_step_that_is_there():
    model = keras.Sequential([layers.Input((3,), dtype="int32"), layers.Embedding(7, 2)])
    ids = IDS[:4].astype("int32")
    assert predict_cached(model, ids) is None
    model.predict(IDS[:4])  # int64: each array has to be looked at
    assert predict_cached(model, IDS[:4]) is None
    model.predict(ids)
    others = IDS[4:8].astype("int32")
    assert np.array_equal(predict_cached(model, others), model.predict(IDS[4:8]))
    with pytest.raises(ValueError, match=r"embedding.: gather.* is out of range"):
        model.predict(np.full((4, 3), 9, "int32"))
