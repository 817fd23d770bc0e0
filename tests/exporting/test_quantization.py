"""Programs in 8-bit integers."""

import numpy as np
import oracle_int8
import pytest

import nnlite
from nnlite import layers
from nnlite.exporting.pipelines import computation_of
from nnlite.exporting.program import program_of
from nnlite.exporting.quantization import (
    Affine,
    Quantization,
    affine_of,
    multiplier_of,
    ranges_of,
)


def rows(shape, n=40, seed=0):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)


def quantized(model, *arrays):
    return Quantization(program_of(computation_of(model)), list(arrays))


def image_net():
    return nnlite.Sequential(
        [
            layers.Input((10, 10, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.DepthwiseConv2D(3, activation="relu6", padding="same"),
            layers.Conv2D(6, 1, activation="tanh"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, "softmax"),
        ]
    )


@pytest.mark.parametrize("low, high", [(-1, 3), (0, 5), (2, 5), (-4, -1), (0, 0), (-1e-30, 1e30)])
def test_an_affine_holds_0_exactly_and_its_range_to_half_a_step(low, high):
    affine = affine_of(low, high)
    assert affine.values(affine.zero) == 0 and -128 <= affine.zero <= 127
    for value in (low, high, (low + high) / 2):
        assert abs(affine.values(affine.integers(value)) - value) <= affine.scale * 0.501


def test_multipliers_have_31_bits():
    for real in (1.0, 0.75, 1e-6, 3.7, 0.9999999999, 2.0**-31):
        multiplier, shift = multiplier_of(real)
        assert 2**30 <= multiplier < 2**31
        assert multiplier * 2.0 ** (shift - 31) == pytest.approx(real, rel=2**-31)
    assert multiplier_of(1e-12) == (0, 0)


def test_ranges_are_those_of_all_rows():
    model, x = image_net(), rows((10, 10, 3))
    program = program_of(computation_of(model))
    ranges = ranges_of(program, [x])
    assert ranges[id(program.inputs[0])] == (x.min(), x.max())
    y = model.predict(x)
    assert ranges[id(program.outputs[0])] == pytest.approx((y.min(), y.max()), rel=1e-5)
    assert all(t._data is None for call in program.calls for t in call.outputs)


def test_a_net_of_images_runs_in_integers_alone_and_close_to_its_float_results():
    model, x = image_net(), rows((10, 10, 3))
    found = quantized(model, x)
    assert all(found.form(call) for call in found.program.calls)
    got = np.concatenate([oracle_int8.outputs(found, [row[None]])[0] for row in x])
    assert np.abs(got - model.predict(x)).max() < 0.02


def test_results_of_known_ranges_have_known_scales():
    found = quantized(image_net(), rows((10, 10, 3)))
    assert found.of(found.program.outputs[0]) == Affine(1 / 256, -128)


def test_what_moves_values_shares_their_scale():
    found = quantized(image_net(), rows((10, 10, 3)))
    (pool,) = (c for c in found.program.calls if c.op.name == "max_pool2d")
    assert found.of(pool.inputs[0]) == found.of(pool.outputs[0]) == found.read(pool, 0)


def test_one_scale_holds_all_that_is_concatenated_but_known_ranges():
    x = nnlite.Input((6,))
    large = layers.Dense(3, kernel_initializer="ones")(x)
    small, known = layers.Dense(3)(x), layers.Dense(3, "tanh")(x)
    model = nnlite.Model(x, layers.Dense(2)(layers.Concatenate()([large, small, known])))
    found = quantized(model, rows((6,)))
    (call,) = (c for c in found.program.calls if c.op.name == "concatenate")
    of = [found.of(t) for t in call.inputs]
    assert of[0] == of[1] == found.of(call.outputs[0]) == found.read(call, 2)
    assert of[2] == Affine(1 / 128, 0)


def test_a_channel_of_tiny_weights_keeps_its_bias():
    model = nnlite.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.set_weights([np.array([[1e-12, 1], [0, 1], [0, 1]]), np.array([3, 0])])
    found = quantized(model, rows((3,)))
    (call,) = found.program.calls
    (got,) = oracle_int8.outputs(found, [rows((3,), 1)])
    assert abs(got[0, 0] - 3) <= found.of(call.outputs[0]).scale


def test_what_has_no_product_near_it_stays_float():
    x = nnlite.Input((6,))
    alone = nnlite.Model(x, layers.Softmax()(layers.ReLU()(x)))
    found = quantized(alone, rows((6,)))
    assert not any(found.form(call) for call in found.program.calls)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("first", [layers.Dense, layers.LSTM])
def test_values_without_a_range_are_refused_by_the_layer_that_reads_them(value, first):
    shape = (6,) if first is layers.Dense else (4, 6)
    without = rows(shape)
    without[3].ravel()[1] = value  # one of all
    model = nnlite.Sequential([layers.Input(shape), first(3, name="first")])
    with pytest.raises(ValueError, match=r"layer '.*first': expected finite values of all samples"):
        quantized(model, without)


def test_a_product_keeps_the_scale_of_its_input_where_that_is_moved_later():
    """Its group is taken in by that of the concatenation, which has another range."""
    inputs = nnlite.Input((4,))
    x = layers.Dense(3)(inputs)
    y = layers.Dense(3, bias_initializer=lambda shape, dtype: np.full(shape, 9.0))(inputs)
    model = nnlite.Model(inputs, [nnlite.ops.multiply(x, 3.0), layers.Concatenate()([x, y])])
    q = quantized(model, rows((4,)))
    product = next(c for c in q.program.calls if c.op.name == "multiply")
    before, after = q.of(product.inputs[0]), q.of(product.outputs[0])
    assert after.zero == before.zero and after.scale == pytest.approx(3 * before.scale)
