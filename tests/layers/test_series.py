"""Layers of sequences, transposed convolutions, functions as layers, and penalties of what any
layer gives; beside what every layer does in `test_layers.py`."""

import pickle

import cases_layers
import numpy as np
import pytest
from cases_gradients import Smooth
from gradients import check_gradient

import nnlite
from nnlite import layers, ops, regularizers
from nnlite.models import load_model
from nnlite.saving import legacy_config

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 8, 4)).astype("float32")


# Ops by the number of axes

KERNEL, EACH, POINTS = (RNG.normal(size=s) for s in [(3, 4, 2), (3, 4, 2), (1, 8, 5)])
BIAS = RNG.normal(size=2)
OPS = {
    "conv": lambda v: ops.conv(v[0], v[1], 2, "causal", bias=v[2], activation="tanh"),
    "conv dilated": lambda v: ops.conv(v[0], v[1], padding="causal", dilation_rate=2, bias=v[2]),
    "depthwise_conv": lambda v: ops.depthwise_conv(v[0], v[1], 2, "same"),
    "separable_conv": lambda v: ops.separable_conv(v[0], v[1], POINTS, padding="same"),
    "conv_transpose": lambda v: ops.conv_transpose(v[0], np.ones((1, 1, 1)) * v[3], 3, "same", 1),
    "average_pool": lambda v: ops.average_pool(v[0], 3, 2, "same"),
    "max_pool": lambda v: ops.max_pool(v[0], 3, 2),
}


@pytest.mark.parametrize("name", OPS)
def test_gradients_are_the_numerical_ones(name):
    inputs = [X.astype("float64"), KERNEL, BIAS, RNG.normal(size=(2, 3, 4))]
    smooth = Smooth(inputs, wrt=(0, 1, 2, 3))
    check_gradient(lambda v: ops.sum(ops.square(OPS[name](v))), smooth)


@pytest.mark.parametrize("strides, apart", [(1, 1), (2, 1), (3, 1), (1, 2)])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 3, 2, 4)])
def test_transposed_convolution_is_the_transposed_matrix(strides, apart, padding, shape):
    rng, rank = np.random.default_rng(0), len(shape) - 2
    kernel = rng.normal(size=shape)
    small = rng.normal(size=(2, *(5, 4)[:rank], 4))
    window = {"strides": strides, "padding": padding, "dilation_rate": apart}
    with nnlite.config.precision("float64"):
        large = ops.conv_transpose(small, kernel, **window)
        other = rng.normal(size=large.shape)
        back = ops.conv(other, kernel, **window)
        assert back.shape == small.shape
        found, expected = ops.sum(large * other).item(), ops.sum(back * small).item()
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_long_sequences_are_convolved_as_short_ones(padding):
    rng, window = np.random.default_rng(0), {"strides": 2, "dilation_rate": 3}
    x, w, back = (rng.normal(size=s) for s in [(2, 600, 16), (4, 16, 5), (4, 5, 16)])
    with nnlite.config.precision("float64"):
        found = ops.conv(x, w, padding=padding, **window).numpy()
        parts = [
            ops.conv(
                x[..., 8 * i : 8 * i + 8], w[:, 8 * i : 8 * i + 8], padding=padding, **window
            ).numpy()
            for i in (0, 1)
        ]
        np.testing.assert_allclose(found, sum(parts), atol=1e-12)
        if padding != "causal":
            found = ops.conv_transpose(x, back, padding=padding, output_padding=1, **window).numpy()
            parts = [
                ops.conv_transpose(
                    x[..., 8 * i : 8 * i + 8],
                    back[..., 8 * i : 8 * i + 8],
                    padding=padding,
                    output_padding=1,
                    **window,
                ).numpy()
                for i in (0, 1)
            ]
            np.testing.assert_allclose(found, sum(parts), atol=1e-12)


def test_groups_follow_from_the_channels():
    kernel = RNG.normal(size=(3, 2, 6))
    found = ops.conv(X, kernel).numpy()
    halves = [ops.conv(X[..., 2 * g : 2 * g + 2], kernel[..., 3 * g : 3 * g + 3]) for g in (0, 1)]
    np.testing.assert_allclose(found, np.concatenate(halves, -1), rtol=1e-5, atol=1e-6)


REFUSED = {
    "expected sequences .* or volumes": lambda: ops.conv(np.ones((2, 3)), np.ones((1, 3, 2))),
    "a kernel of 3 axes": lambda: ops.conv(X, np.ones((1, 1, 4, 2))),
    "conv_transpose: expected a kernel of 3 axes": lambda: ops.conv_transpose(X, np.ones((4, 2))),
    "'channels_first', got 'NCW'": lambda: ops.max_pool(X, 2, None, "same", "NCW"),
    "'valid' or 'same', got 'causal'": lambda: ops.conv(
        X[None], np.ones((1, 1, 4, 2)), 1, "causal"
    ),
    "max_pool.* at least 9 steps": lambda: ops.max_pool(X, 9),
    "sequences of 5 channels": lambda: ops.depthwise_conv(X, np.ones((2, 5, 1))),
}


@pytest.mark.parametrize("message, call", REFUSED.items())
def test_ops_say_what_they_expected(message, call):
    with pytest.raises(ValueError, match=message):
        call()


# Layers


def test_causal_convolution_looks_at_no_later_step():
    layer = layers.Conv1D(3, 3, padding="causal", dilation_rate=2)
    before = layer(X).numpy()
    changed = X.copy()
    changed[:, 5:] = np.nan
    assert np.array_equal(layer(changed).numpy()[:, :5], before[:, :5])
    assert np.isnan(layer(changed).numpy()[:, 5:]).all()


@pytest.mark.parametrize("strides", [2, 3])
def test_causal_windows_with_strides_end_where_they_stand(strides):
    every, some = (layers.Conv1D(3, 4, strides=s, padding="causal") for s in (1, strides))
    for layer in (every, some):
        layer.build((None, *X.shape[1:]))
    some.set_weights(every.get_weights())
    for length in range(1, X.shape[1] + 1):
        x = X[:, :length]
        found, expected = some(x).numpy(), every(x).numpy()[:, ::strides]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


ON = np.array([[1, 1, 0, 1, 0, 0, 0, 0], [1] * 8, [0] * 7 + [1]], bool)


def masked(x):
    x = nnlite.convert_to_tensor(x)
    x.mask = nnlite.convert_to_tensor(ON.astype(x.dtype))
    return x


@pytest.mark.parametrize("keepdims", [False, True])
def test_mean_of_a_sequence_is_that_of_the_steps_that_count(keepdims):
    layer = layers.GlobalAveragePooling1D(keepdims=keepdims)
    x = np.where(ON[..., None], X, np.nan).astype("float32")
    expected = np.nanmean(x, axis=1, keepdims=keepdims)
    np.testing.assert_allclose(layer(masked(x)).numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(layer(X, mask=ON).numpy(), expected, rtol=1e-6)


def test_padding_that_is_masked_changes_nothing():
    tokens = RNG.integers(1, 9, (4, 5))
    model = nnlite.Sequential(
        [layers.Embedding(9, 3, mask_zero=True), layers.GlobalAveragePooling1D(), layers.Dense(2)]
    )
    short = model(tokens).numpy()
    np.testing.assert_allclose(model(np.pad(tokens, ((0, 0), (0, 4)))).numpy(), short, rtol=1e-5)


def series_model(**compiled):
    """One of everything that a model of sequences may have."""
    nnlite.utils.set_random_seed(3)
    model = nnlite.Sequential(
        [
            layers.Input((12, 3)),
            layers.Conv1D(4, 3, padding="causal", activation="relu", activity_regularizer="l2"),
            layers.MaxPooling1D(2),
            layers.ZeroPadding1D((2, 1)),
            layers.SeparableConv1D(5, 3, padding="same", activation="tanh"),
            layers.SpatialDropout1D(0.2),
            layers.Conv1DTranspose(4, 3, 2, "same", activation="elu"),
            layers.Cropping1D((1, 2)),
            layers.DepthwiseConv1D(3, 2, depth_multiplier=2),
            layers.AveragePooling1D(3, 2, "same"),
            layers.UpSampling1D(2),
            layers.Lambda(lambda x, training: ops.tanh(x) if training else ops.tanh(2.0 * x)),
            layers.Reshape((2, -1, 4)),
            layers.Conv2DTranspose(3, 3, padding="same", activation="relu"),
            layers.Reshape((-1, 3)),
            layers.Conv1D(4, 2),
            layers.GlobalMaxPooling1D(keepdims=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4, "softmax"),
        ]
    )
    model.compile(nnlite.optimizers.Adam(0.01), "sparse_categorical_crossentropy", **compiled)
    return model


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_planned_training_is_eager_training_bitwise(real):
    x, y = RNG.normal(size=(70, 12, 3)), np.arange(70) % 4
    with nnlite.config.precision(real):
        found = []
        for compiled in ({"n_threads": 1}, {"n_threads": 3}, {"run_eagerly": True}):
            model = series_model(**compiled)
            model.fit(x, y, batch_size=32, epochs=2, verbose=0)
            found.append([*model.get_weights(), model.predict(x, verbose=0)])
        for other in found[1:]:
            for a, b in zip(found[0], other, strict=True):
                assert np.array_equal(a, b)
        alone = np.concatenate([model.predict(row[None], verbose=0) for row in x[:3]])
        assert np.array_equal(alone, found[0][-1][:3])


def test_estimator_learns_from_sequences():
    up = np.arange(60) % 2
    X = np.cumsum(RNG.normal(size=(60, 10, 1)) * 0.2 + np.where(up, 1, -1)[:, None, None], axis=1)
    net = nnlite.NNClassifier(
        layers=[layers.Conv1D(4, 3, activation="relu"), layers.GlobalMaxPooling1D()],
        epochs=10,
        learning_rate=0.02,
        random_state=0,
    ).fit(X.reshape(60, 10, 1), up)
    assert net.score(X, up) > 0.95


# Functions as layers


def mean_of(x, mask=None, training=None, by=1.0):
    """Of the steps that count; in training, the double."""
    on = ops.expand_dims(mask, 2)
    return ops.sum(x * on, 1) / ops.sum(on, 1) * by * (2.0 if training else 1.0)


def scaled_by(x, by):
    return x * by


def test_function_gets_the_arguments_the_mask_and_whether_it_trains():
    layer = layers.Lambda(mean_of, mask=lambda inputs, mask: mask, arguments={"by": 3.0})
    expected = 3 * (X * ON[..., None]).sum(1) / ON.sum(1)[:, None]
    y = layer(masked(X))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5)
    assert np.array_equal(y.mask.numpy(), ON)
    np.testing.assert_allclose(layer(masked(X), training=True).numpy(), 2 * expected, rtol=1e-5)


def test_mask_of_a_lambda_may_be_a_tensor():
    for mask in (ON, nnlite.convert_to_tensor(ON)):
        layer = layers.Lambda(ops.tanh, mask=mask)
        assert np.array_equal(layer(X).mask.numpy(), ON)
        config = nnlite.saving.serialize_keras_object(layer)
        again = layers.Lambda.from_config(config["config"], {"tanh": ops.tanh})
        assert np.array_equal(again(X).mask.numpy(), ON)


def test_shape_of_a_lambda_is_what_a_trace_or_the_user_says():
    x, other = (None, 4), (None, 6, 2)
    assert layers.Lambda(lambda x: x[:, :3]).compute_output_shape(x) == (None, 3)
    assert layers.Lambda(abs, output_shape=[7]).compute_output_shape(x) == (None, 7)
    assert layers.Lambda(abs, output_shape=lambda s: s[:1]).compute_output_shape(x) == (None,)
    both = layers.Lambda(lambda x: x, output_shape=[(7,), (8, 9)])
    assert both.compute_output_shape([x, other]) == [(None, 7), (None, 8, 9)]


def test_lambda_of_several_inputs_in_a_functional_model():
    a, b = layers.Input((4,)), layers.Input((4,))
    model = nnlite.Model([a, b], layers.Lambda(lambda pair: pair[0] * pair[1])([a, b]))
    assert np.array_equal(model([X[:, 0], X[:, 1]]).numpy(), X[:, 0] * X[:, 1])


@pytest.mark.parametrize("ending", [".keras", ".safetensors"])
def test_file_holds_the_name_of_a_function_and_no_code(ending, tmp_path):
    pytest.importorskip("h5py")
    path = tmp_path / f"model{ending}"
    scaled = layers.Lambda(scaled_by, output_shape=(6, 3), arguments={"by": 3.0})
    model = nnlite.Sequential([layers.Input((6, 3)), scaled, layers.Dense(2)])
    x = X[:, :6, :3]
    model.save(path)
    with pytest.raises(ValueError, match="'scaled_by': expected a class or function of nnlite, or"):
        load_model(path)
    again = load_model(path, custom_objects={"scaled_by": scaled_by})
    assert np.array_equal(again(x).numpy(), model(x).numpy())
    assert again.layers[0].compute_output_shape((None, 6, 3)) == (None, 6, 3)
    assert np.array_equal(pickle.loads(pickle.dumps(model))(x).numpy(), model(x).numpy())
    unnamed = nnlite.Sequential([layers.Input((3,)), layers.Lambda(lambda x: x)])
    with pytest.raises(TypeError, match=r"Lambda: .*expected a function with a name"):
        unnamed.save(path)


def test_code_of_a_lambda_in_a_file_is_refused():
    code = {"class_name": "__lambda__", "config": {"code": "4wEA", "defaults": None}}
    config = {"class_name": "Lambda", "module": "keras.layers", "config": {"function": code}}
    for safe_mode in (True, False):
        with pytest.raises(
            ValueError, match="code of a lambda: nnlite never runs code from a file"
        ):
            nnlite.saving.deserialize_keras_object(config, safe_mode=safe_mode)


def test_lambda_of_keras_2_is_read_by_the_name_of_its_function():
    config = {
        "name": "scaled",
        "trainable": True,
        "function": "scaled_by",
        "function_type": "function",
        "module": "__main__",
        "output_shape": [6, 3],
        "output_shape_type": "raw",
        "output_shape_module": None,
        "arguments": {"by": 3.0},
    }
    entry = legacy_config.modern({"class_name": "Lambda", "config": config})
    layer = nnlite.saving.deserialize_keras_object(entry, {"scaled_by": scaled_by})
    assert layer.function is scaled_by and layer.arguments == {"by": 3.0}
    assert layer.compute_output_shape((None, 6, 3)) == (None, 6, 3)


@pytest.mark.parametrize("rank", [1, 2])
def test_spatial_dropout_in_a_file_of_keras_is_no_op(rank):
    config = {"name": "drop", "rate": 0.5, "seed": None, "dtype": "float32"}
    entry = {"class_name": f"SpatialDropout{rank}D", "config": config, "inbound_nodes": [{}]}
    layer = nnlite.saving.deserialize_keras_object(legacy_config.modern(entry))
    assert isinstance(layer, getattr(layers, f"SpatialDropout{rank}D")) and layer.rate == 0.5


# Penalties of results

NO_REAL_RESULT = {"CategoryEncoding", "Discretization", "Hashing", "IntegerLookup"}
MAKERS = {
    name: case
    for name, case in cases_layers.CASES.items()
    if not name.startswith("TimeDist") and name not in NO_REAL_RESULT
}


@pytest.mark.parametrize("name", [n for n in MAKERS if " " not in n])
def test_result_of_every_layer_may_have_a_penalty(name):
    make, shape, _ = MAKERS[name]
    x = RNG.normal(size=shape).astype("float32") if isinstance(shape, tuple) else shape
    plain = make()
    config = {**plain.get_config(), "activity_regularizer": regularizers.L2(0.5)}
    if name == "ActivityRegularization":  # which is one
        return
    layer = type(plain).from_config(config)
    y = layer(x).numpy()
    found = layer.losses[-1].item()
    assert found == pytest.approx(0.5 * float((y.astype("float64") ** 2).sum()) / len(y), rel=1e-4)
    assert layer.get_config()["activity_regularizer"] is not None
