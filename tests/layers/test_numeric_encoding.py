"""Encodings of numbers: bins that `adapt` finds, what it refuses, products that know of bins."""

import json
import pickle
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nnlite import GradientTape, Sequential, config, layers, ops
from nnlite.configurable import clone
from nnlite.data.batches import make_batches
from nnlite.layers import PiecewiseLinearEncoding
from nnlite.models import load_model, model_from_json
from nnlite.training.step_cache import CompiledStep

RNG = np.random.default_rng(0)


def boundaries(data, *given, bins=8, keep=True):
    """Those that a layer learns."""
    layer = PiecewiseLinearEncoding(bins, keep=keep)
    layer.adapt(np.array(data, float), *given)
    return layer.boundaries


@pytest.mark.parametrize("bins", [2, 3, 8, 20])
def test_bins_hold_equally_many_rows(bins):
    x = RNG.normal(size=(1003, 2))
    for ends, column in zip(boundaries(x, bins=bins), x.T):
        assert (ends[0], ends[-1], len(ends)) == (column.min(), column.max(), bins + 1)
        assert set(ends) <= set(column)
        assert np.ptp(np.histogram(column, ends)[0]) <= 2


@pytest.mark.parametrize(
    "column, keep, expected",
    [
        ([3.0, 1.0, 1.0, 2.0, 3.0], True, [1.0, 2.0, 3.0]),
        ([0.0, 1.0, 1.0], True, []),  # a bin would say what x says
        ([0.0, 1.0, 1.0], False, [0.0, 1.0]),
        ([7.0, 7.0], False, []),
        ([np.nan, 1.0, 2.0, 4.0], True, [1.0, 2.0, 4.0]),
        ([np.nan, np.nan], True, []),
    ],
)
def test_a_column_of_few_values_gets_them_all(column, keep, expected):
    for y in (None, np.arange(len(column)) ** 2.0):
        assert boundaries(np.c_[column], y, keep=keep) == [expected]


@pytest.mark.parametrize("heavy", [0.0, 0.5, 9.0])
def test_a_value_that_most_rows_have_counts_for_one_bin(heavy):
    others = RNG.uniform(0, 1, 80)
    (ends,) = boundaries(np.r_[np.full(2000, heavy), others][:, None])
    assert len(ends) == 9
    held = np.histogram(others, ends)[0]
    assert sorted(held)[1] >= 8 and max(held) <= 13  # beside the heavy value there are 80 / 7


@pytest.mark.parametrize("by", [None, "target"])
def test_a_weight_is_a_repetition(by):
    x, times = RNG.normal(size=(60, 2)).round(1), RNG.integers(0, 4, 60)
    y = None if by is None else np.sin(3 * x[:, 0])
    repeated = boundaries(np.repeat(x, times, axis=0), None if y is None else np.repeat(y, times))
    for unit in (1, 1 / 3):
        assert boundaries(x, y, times * unit) == repeated


def test_bins_by_a_target_end_where_it_changes():
    x = RNG.uniform(-1, 1, (400, 2))
    y = np.c_[x[:, 0] > 0.3, x[:, 0] > -0.6]
    first, other = boundaries(x, y, bins=3)
    for inner, place in zip(first[1:-1], (-0.6, 0.3)):
        assert inner == x[x[:, 0] > place, 0].min()
    assert len(other) <= 4
    (one,) = boundaries(x[:, :1], np.abs(x[:, 0]), bins=2)
    assert len(one) == 3
    quantiles = PiecewiseLinearEncoding(bins=3, by="quantiles")
    quantiles.adapt(x, y)
    assert quantiles.boundaries == boundaries(x, bins=3) != [first, other]


def test_a_target_that_tells_nothing_leaves_no_bins():
    assert boundaries(RNG.normal(size=(50, 1)), np.ones(50)) == [[]]


def test_nan_is_in_no_bin_and_stays_beside_them():
    layer = PiecewiseLinearEncoding(boundaries=[[0.0, 1.0, 2.0], [0.0, 1.0]])
    assert_array_equal(layer([[np.nan, 0.5]]), [[np.nan, 0.5, 0, 0, 0.5]])


def test_copies_have_the_boundaries_that_were_learned():
    x = RNG.normal(size=(40, 3))
    layer = PiecewiseLinearEncoding(4)
    layer.adapt([x[:10], x[10:]])
    assert layer.boundaries == boundaries(x, bins=4)
    for other in (type(layer).from_config(layer.get_config()), pickle.loads(pickle.dumps(layer))):
        assert_array_equal(other(x), layer(x))
    layer.adapt(x[:20])
    assert layer.boundaries == boundaries(x[:20], bins=4)


def test_first_waves_are_as_the_paper_has_them():
    layer = layers.PeriodicEmbedding(100, deviation=0.5)
    layer.build((None, 50))
    frequency, phase, kernel, bias = layer.get_weights()
    assert_allclose(frequency.std(), 0.5, rtol=0.05)
    assert_allclose([phase.min(), phase.max()], [-np.pi, np.pi], rtol=0.01)
    assert_allclose([np.abs(kernel).max(), np.abs(bias).max()], 0.1, rtol=0.05)


def test_keras_is_told_the_same_by_what_it_has(tmp_path):
    given = [[0.0, 0.5, 2.0], [], [-1.0, 1.0]]
    model = Sequential(
        [
            PiecewiseLinearEncoding(boundaries=given, scale=0.5, input_shape=(3,)),
            layers.PeriodicEmbedding(4, 2),
            layers.LearnedScaling(rate=7.0),
            PiecewiseLinearEncoding(boundaries=[[]] * 18),
            layers.Dense(2),
        ]
    )
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
    del config["nnlite"]
    plain = model_from_json(json.dumps(config))
    plain.set_weights(model.get_weights())
    x = RNG.normal(size=(30, 3))
    assert_allclose(plain.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-6)
    again = load_model(tmp_path / "m.keras")
    assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert isinstance(again.layers[1], layers.PeriodicEmbedding)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: PiecewiseLinearEncoding(0), "bins: expected a positive integer, got 0"),
        (lambda: PiecewiseLinearEncoding(scale=0), r"scale: expected a number in \(0, inf\)"),
        (lambda: PiecewiseLinearEncoding(by="tree"), "by: expected .* got 'tree'"),
        (lambda: PiecewiseLinearEncoding(by="target").adapt([[1.0]]), "y: expected targets for by"),
        (lambda: PiecewiseLinearEncoding(keep=2), "keep: expected True or False, got 2"),
        (lambda: PiecewiseLinearEncoding(boundaries=[[1.0]]), "boundaries: expected for each col"),
        (lambda: PiecewiseLinearEncoding(boundaries=[[1.0, 1.0]]), r"rising order, .* got \[\[1.0"),
        (lambda: PiecewiseLinearEncoding(boundaries=[[0.0, np.nan]]), "finite numbers in rising"),
        (lambda: PiecewiseLinearEncoding(boundaries=3), "boundaries: expected for each column"),
        (lambda: boundaries([[np.inf]]), "adapt: expected arrays of finite numbers or NaN"),
        (lambda: boundaries(np.zeros((0, 2))), "adapt: expected data, got none"),
        (
            lambda: boundaries([[1.0], [2.0]], [1.0]),
            r"y: expected one for each of 2 rows, .*\(1,\)",
        ),
        (lambda: boundaries([[1.0]], ["a"]), "y: expected numbers, got"),
        (
            lambda: boundaries([[1.0]], None, [[-1.0]]),
            "sample_weight: expected numbers of at least",
        ),
        (
            lambda: boundaries([[1.0]], None, [1.0, 2.0]),
            "sample_weight: expected one for each of 1",
        ),
        (
            lambda: layers.PeriodicEmbedding(deviation=0),
            r"deviation: expected a number in \(0, inf",
        ),
        (lambda: layers.PeriodicEmbedding(outputs=-1), "outputs: expected a positive integer"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def encoded_front(kind):
    """Layers that encode three columns, and rows for them."""
    x = RNG.normal(size=(40, 3))
    encoding = PiecewiseLinearEncoding(6, scale=0.5)
    if kind == "table":
        encoding.adapt(x[:, :2])
        x[:, 2] = np.arange(40) % 4
        return [layers.TableEncoding([0, 0, 3], encoding=encoding)], x
    encoding.adapt(x)
    return [encoding], x


@pytest.mark.parametrize("kind", ["numbers", "table"])
@pytest.mark.parametrize("weighing", [[], [layers.LearnedScaling(3.0)]], ids=["plain", "weighed"])
def test_a_step_by_bins_has_the_gradients_of_the_product_with_the_encoding(kind, weighing, double):
    front, x = encoded_front(kind)
    model = Sequential([*front, *map(clone, weighing), layers.Dense(5, "tanh"), layers.Dense(2)])
    y = RNG.normal(size=(40, 2))
    found = []
    for by_bins in (False, True):
        with config.products_by_bins(by_bins), GradientTape() as tape:
            loss = ops.mean(ops.square(ops.subtract(model(x), y)))
        used = {call.op.name for call in tape.calls}
        assert ("encoded_linear" in used) == by_bins
        found.append([loss, *tape.gradient(loss, model.trainable_variables)])
    for plain, by_bins in zip(*found):
        assert_allclose(by_bins.numpy(), plain.numpy(), rtol=1e-10, atol=1e-13)


def test_training_and_evaluation_multiply_by_bins_and_predictions_do_not():
    front, x = encoded_front("numbers")
    model = Sequential([*front, layers.LearnedScaling(), layers.Dense(1)])
    model.compile("sgd", "mse")
    ops_of = {}
    for kind in ("train", "test", "predict"):
        (batches,) = make_batches(model, (x, x[:, :1]), 8).epoch()
        plan = CompiledStep(model, kind, batches).plan
        ops_of[kind] = {call.op.name for call in plan.calls}
    by_bins = {kind: "encoded_linear" in names for kind, names in ops_of.items()}
    assert by_bins == {"train": True, "test": True, "predict": False}
    assert "piecewise_linear_encoding" not in ops_of["train"] | ops_of["test"]


def test_eager_and_compiled_training_by_bins_have_the_same_bits():
    front, x = encoded_front("table")
    fitted = []
    for eagerly in (False, True):
        model = Sequential(
            [*front, layers.LearnedScaling(), layers.Dense(3, "relu"), layers.Dense(1)]
        )
        model.build((None, 3))
        model.set_weights([np.full(w.shape, 0.1) for w in model.get_weights()])
        model.compile("adam", "mse", run_eagerly=eagerly)
        model.fit(x, x[:, :1], batch_size=16, epochs=2, shuffle=False, verbose=0)
        fitted.append(model.get_weights())
    for compiled, eager in zip(*fitted):
        assert_array_equal(compiled, eager)
