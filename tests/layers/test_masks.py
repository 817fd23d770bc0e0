"""Masks: which layers keep, join, use and drop them, and what losses and metrics make of them."""

import warnings

import numpy as np
import pytest

import nnlite
from nnlite import layers, losses, metrics, ops

TOKENS = np.array([[3, 0, 5, 0], [2, 2, 0, 0], [4, 1, 1, 7]])
ON = TOKENS != 0
RNG = np.random.default_rng(3)
X, OTHER = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
OTHER_ON = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 1]], bool)


def masked(x=X, on=ON):
    """A tensor with a mask."""
    x = nnlite.convert_to_tensor(x)
    x.mask = nnlite.convert_to_tensor(np.asarray(on, x.dtype))
    return x


def mask_of(y):
    return None if y.mask is None else y.mask.numpy() != 0


def theirs(keras, x=X, on=ON):
    """The same for Keras."""
    x = keras.ops.convert_to_tensor(x)
    x._keras_mask = keras.ops.convert_to_tensor(on)
    return x


# What layers do with a mask, as in Keras 3.15: the layer, and whether its result has the mask.

KEEP = {
    "Dense": lambda k: k.Dense(2),
    "Activation": lambda k: k.Activation("tanh"),
    "Identity": lambda k: k.Identity(),
    "Dropout": lambda k: k.Dropout(0.5),
    "GaussianNoise": lambda k: k.GaussianNoise(0.5),
    "GaussianDropout": lambda k: k.GaussianDropout(0.5),
    "AlphaDropout": lambda k: k.AlphaDropout(0.5),
    "ActivityRegularization": lambda k: k.ActivityRegularization(0.1),
    "ReLU": lambda k: k.ReLU(),
    "LeakyReLU": lambda k: k.LeakyReLU(),
    "ELU": lambda k: k.ELU(),
    "PReLU": lambda k: k.PReLU(),
    "BatchNormalization": lambda k: k.BatchNormalization(),
    "LayerNormalization": lambda k: k.LayerNormalization(),
    "GroupNormalization": lambda k: k.GroupNormalization(1),
    "UnitNormalization": lambda k: k.UnitNormalization(),
    "Rescaling": lambda k: k.Rescaling(2.0),
    "Normalization": lambda k: k.Normalization(mean=0.0, variance=1.0),
    "SimpleRNN": lambda k: k.SimpleRNN(2, return_sequences=True),
    "Bidirectional": lambda k: k.Bidirectional(k.GRU(2, return_sequences=True)),
    "TimeDistributed": lambda k: k.TimeDistributed(k.Dense(2)),
    "SpatialDropout1D": lambda k: k.SpatialDropout1D(0.5),
    "Lambda": lambda k: k.Lambda(abs, mask=lambda inputs, mask: mask),
}
DROP = {
    "Flatten": lambda k: k.Flatten(),
    "Reshape": lambda k: k.Reshape((2, 10)),
    "Permute": lambda k: k.Permute((2, 1)),
    "RMSNormalization": lambda k: k.RMSNormalization(),
    "EinsumDense": lambda k: k.EinsumDense("abc,cd->abd", (None, 2)),
    "Conv1D": lambda k: k.Conv1D(2, 3, padding="causal"),
    "DepthwiseConv1D": lambda k: k.DepthwiseConv1D(2),
    "SeparableConv1D": lambda k: k.SeparableConv1D(2, 2),
    "Conv1DTranspose": lambda k: k.Conv1DTranspose(2, 2),
    "MaxPooling1D": lambda k: k.MaxPooling1D(),
    "AveragePooling1D": lambda k: k.AveragePooling1D(2),
    "GlobalMaxPooling1D": lambda k: k.GlobalMaxPooling1D(),
    "UpSampling1D": lambda k: k.UpSampling1D(),
    "ZeroPadding1D": lambda k: k.ZeroPadding1D(),
    "Cropping1D": lambda k: k.Cropping1D(),
    "Lambda": lambda k: k.Lambda(abs),
}
END = {  # the last of a sequence has none, without a warning
    "LSTM": lambda k: k.LSTM(2),
    "Bidirectional": lambda k: k.Bidirectional(k.LSTM(2)),
    "GlobalAveragePooling1D": lambda k: k.GlobalAveragePooling1D(),
}


@pytest.mark.parametrize("make", KEEP.values(), ids=KEEP)
def test_layer_keeps_the_mask(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (mask_of(make(layers)(masked())) == ON).all()
        assert (mask_of(make(layers)(masked(), training=True)) == ON).all()


@pytest.mark.parametrize("make", DROP.values(), ids=DROP)
def test_layer_drops_the_mask_and_says_so_once(make):
    layer = make(layers)
    with pytest.warns(UserWarning, match=f"{layer.name}.* drops the mask of its input") as said:
        for _ in range(3):
            assert layer(masked()).mask is None
    assert len(said) == 1


@pytest.mark.parametrize("make", END.values(), ids=END)
def test_last_of_a_sequence_has_no_mask(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make(layers)(masked()).mask is None


# Whose masks other tests look at: merging layers below, attention and positions in theirs.
ELSEWHERE = """Add AdditiveAttention Attention Average Concatenate ConvLSTM1D ConvLSTM2D ConvLSTM3D
Dense Dot Embedding GRU GroupQueryAttention InputLayer InputScaling Masking Maximum Minimum
MultiHeadAttention Multiply PaddingMask PositionEmbedding RNN ReversibleEmbedding
SinePositionEncoding Softmax SpatialDropout2D SpatialDropout3D Subtract
TransformerDecoder TransformerEncoder"""


def test_layers_that_do_not_warn_are_known():
    """All others drop masks with a warning: `set_masks` looks for nothing else."""
    found = set()
    for name in layers.__all__:
        kind = getattr(layers, name)
        if isinstance(kind, type) and issubclass(kind, layers.Layer) and kind.__name__ == name:
            says = kind.supports_masking is not False
            if says or kind.compute_mask is not layers.Layer.compute_mask:
                found.add(name)
    assert found == {*KEEP, *END, *ELSEWHERE.split()}


@pytest.mark.parametrize("name", [*KEEP, *DROP, *END])
def test_keras_keeps_and_drops_the_same(name):
    keras = pytest.importorskip("keras")
    found = []
    for make in (KEEP, DROP, END):
        if name in make:
            result = make[name](keras.layers)(theirs(keras))
            found.append(getattr(result, "_keras_mask", None) is not None)
            assert found[-1] == (make is KEEP)
    assert found


# Layers of several inputs

MERGES = "Add Subtract Multiply Average Maximum Minimum Concatenate".split()
BETWEEN = {
    "both": (ON, OTHER_ON),
    "first": (ON, None),
    "second": (None, OTHER_ON),
}


def both(which):
    on, other = BETWEEN[which]
    return (
        masked(X, on) if on is not None else nnlite.convert_to_tensor(X),
        masked(OTHER, other) if other is not None else nnlite.convert_to_tensor(OTHER),
    )


@pytest.mark.parametrize("name", [n for n in MERGES if n != "Concatenate"])
@pytest.mark.parametrize("which", BETWEEN)
def test_a_step_counts_where_it_counts_in_one_input(name, which):
    y = getattr(layers, name)()([*both(which)])
    if which == "both":
        assert (mask_of(y) == (ON | OTHER_ON)).all()
    else:
        assert y.mask is None


def test_product_and_extremes_leave_out_what_is_masked():
    a, b, on, other = X, OTHER, ON[..., None], OTHER_ON[..., None]
    expected = np.where(on, a, 1) * np.where(other, b, 1) * (on | other)
    np.testing.assert_allclose(layers.Multiply()([*both("both")]).numpy(), expected, rtol=1e-6)
    expected = np.where(on & other, np.maximum(a, b), np.where(other & ~on, b, a))
    np.testing.assert_array_equal(layers.Maximum()([*both("both")]).numpy(), expected)
    expected = np.where(on, np.minimum(a, b), b)
    np.testing.assert_array_equal(layers.Minimum()([*both("first")]).numpy(), expected)


def test_concatenation_joins_masks():
    y = layers.Concatenate(axis=1)([*both("both")])
    assert (mask_of(y) == np.concatenate([ON, OTHER_ON], 1)).all()
    assert (mask_of(layers.Concatenate()([*both("both")])) == (ON | OTHER_ON)).all()
    y = layers.Concatenate(axis=1)([*both("first")])
    assert (mask_of(y) == np.concatenate([ON, np.ones_like(ON)], 1)).all()
    assert mask_of(layers.Concatenate()([*both("first")])).all()


def test_dot_has_no_mask():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert layers.Dot(axes=2)([*both("both")]).mask is None


@pytest.mark.parametrize("name", MERGES)
@pytest.mark.parametrize("which", BETWEEN)
def test_keras_merges_the_same(name, which):
    keras = pytest.importorskip("keras")
    on, other = BETWEEN[which]
    pair = [
        keras.ops.convert_to_tensor(x) if m is None else theirs(keras, x, m)
        for x, m in ((X, on), (OTHER, other))
    ]
    expected = getattr(keras.layers, name)()(pair)
    found = getattr(layers, name)()([*both(which)])
    np.testing.assert_allclose(found.numpy(), np.asarray(expected), rtol=1e-6)
    mask = getattr(expected, "_keras_mask", None)
    assert (mask is None) == (found.mask is None)
    assert mask is None or (np.asarray(mask) == mask_of(found)).all()


# Layers that use it


def test_batch_normalization_has_the_statistics_of_what_counts():
    layer = layers.BatchNormalization(momentum=0.9)
    y = layer(masked(), training=True).numpy()
    mean, variance = X[ON].mean(0), X[ON].var(0)
    np.testing.assert_allclose(y, (X - mean) / np.sqrt(variance + 0.001), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.9 + 0.1 * variance, rtol=1e-5)
    with pytest.raises(ValueError, match=r"mask: expected one axis less .* got shape \(3,\)"):
        layer(X, mask=np.ones(3))


@pytest.mark.parametrize("axis", [-1, 1])
def test_keras_normalizes_the_same(axis):
    keras = pytest.importorskip("keras")
    one, other = keras.layers.BatchNormalization(axis), layers.BatchNormalization(axis)
    expected = np.asarray(one(theirs(keras), training=True))
    np.testing.assert_allclose(
        other(masked(), training=True).numpy(), expected, rtol=1e-4, atol=1e-5
    )
    for a, b in zip(other.weights, one.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-5, atol=1e-6)


def test_softmax_gives_nothing_to_what_is_masked():
    x = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]], "float32")
    on = np.array([[1, 0, 1], [0, 0, 0]])
    y = layers.Softmax()(x, mask=on).numpy()
    e = np.exp(x[0, ::2])
    np.testing.assert_allclose(y, [[e[0] / e.sum(), 0, e[1] / e.sum()], [0, 0, 0]], rtol=1e-6)
    assert (layers.Softmax()(x, mask=on[:1]).numpy()[:, 1] == 0).all()
    with pytest.raises(ValueError, match=r"mask: expected a shape that broadcasts to \(2, 3\)"):
        layers.Softmax()(x, mask=np.ones((2, 2)))


# How a mask comes to a layer


class Keeps(layers.Layer):
    """A layer that notes the masks that it is given."""

    def call(self, x, other=None, mask=None, x_mask=None, other_mask=None):
        self.__dict__["seen"] = {"mask": mask, "x": x_mask, "other": other_mask}
        return x * 1.0


class Alternate(layers.Layer):
    """A mask of one's own: every other step."""

    def compute_mask(self, inputs, previous_mask=None):
        return ops.ones(inputs.shape[:2]) * np.arange(inputs.shape[1]) % 2

    def call(self, x):
        return x * 1.0


def test_call_is_given_the_mask_unless_somebody_gives_one():
    layer = Keeps()
    x = masked()
    layer(x)
    assert layer.seen["mask"] is x.mask
    layer(x, mask=None)
    assert layer.seen["mask"] is x.mask
    layer(x, mask=OTHER_ON)
    assert (layer.seen["mask"].numpy() == OTHER_ON).all()
    layer(X)
    assert layer.seen["mask"] is None


def test_of_several_tensors_each_has_its_own_argument():
    layer, x, other = Keeps(), masked(), masked(OTHER, OTHER_ON)
    layer(x, other)
    assert layer.seen == {"mask": None, "x": x.mask, "other": other.mask}
    layer(x, other=other, x_mask=OTHER_ON)
    assert (layer.seen["x"].numpy() == OTHER_ON).all() and layer.seen["other"] is other.mask


def test_mask_of_ones_own_is_that_of_the_result():
    assert (mask_of(Alternate()(X)) == [0, 1, 0, 1]).all()
    y = layers.Dense(2)(Alternate()(masked()))
    assert (mask_of(y) == [0, 1, 0, 1]).all()


def test_explicit_mask_goes_on():
    y = layers.LSTM(2, return_sequences=True)(X, mask=OTHER_ON)
    assert (mask_of(y) == OTHER_ON).all()


def test_states_that_are_given_leave_the_mask_to_the_caller():
    # As in Keras 3: of a call with several tensors nobody says whose mask `mask` is.
    layer, state = layers.GRU(2), [np.ones((3, 2), "float32")]
    plain = layer(X, initial_state=state).numpy()
    np.testing.assert_array_equal(layer(masked(), initial_state=state).numpy(), plain)
    with_mask = layer(masked(), initial_state=state, mask=ON).numpy()
    assert (np.abs(with_mask - plain).max(1) > 1e-3).tolist() == [True, True, False]


# Models


def tagger(k):
    return k.Sequential(
        [
            k.layers.Input((4,)),
            k.layers.Embedding(8, 3, mask_zero=True),
            k.layers.Dense(3, "tanh"),
            k.layers.Dense(2, "softmax"),
        ]
    )


def test_mask_reaches_the_output_of_nested_models():
    inner = nnlite.Sequential([layers.Input((4, 3)), layers.Dense(3), layers.Dropout(0.1)])
    start = layers.Input((4,))
    model = nnlite.Model(start, inner(layers.Embedding(8, 3, mask_zero=True)(start)))
    assert (mask_of(model(TOKENS)) == ON).all()
    assert (mask_of(tagger(nnlite)(TOKENS)) == ON).all()


@pytest.mark.parametrize("functional", [False, True])
def test_model_is_called_with_a_mask(functional):
    model = nnlite.Sequential([layers.Input((4, 5)), layers.LSTM(2)])
    if functional:
        start = layers.Input((4, 5))
        model = nnlite.Model(start, model.layers[0](start))
    x = nnlite.convert_to_tensor(X)
    found = model(x, mask=ON).numpy()
    assert x.mask is None
    np.testing.assert_array_equal(found, model(masked()).numpy())
    assert (found != model(X).numpy()).any(1).tolist() == [True, True, False]


# Losses and metrics

Y_TRUE, Y_PRED = RNG.random((2, 3, 4, 5)).astype("float32")
SQUARES = ((Y_TRUE - Y_PRED) ** 2).mean(-1)
WEIGHTS = {
    "none": None,
    "each sample": np.array([[1.0], [2.0], [0.5]]),
    "each step": np.arange(12.0).reshape(3, 4),
}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_loss_counts_steps_that_are_not_masked(weights):
    values = SQUARES * ON * (1 if weights is None else weights)
    total = (ON * (1 if weights is None else weights)).sum()
    expected = {
        "sum_over_batch_size": values.sum() / ON.sum(),
        "mean": values.sum() / ON.sum(),
        "sum": values.sum(),
        "none": values,
        "mean_with_sample_weight": values.sum() / total,
    }
    for reduction, value in expected.items():
        loss = losses.MeanSquaredError(reduction)(Y_TRUE, masked(Y_PRED), weights)
        np.testing.assert_allclose(loss.numpy(), value, rtol=1e-5)


def test_loss_of_nothing_but_masked_steps_is_0():
    assert losses.MeanSquaredError()(Y_TRUE, masked(Y_PRED, np.zeros((3, 4)))).item() == 0


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_metric_counts_steps_that_are_not_masked(weights):
    metric = metrics.MeanSquaredError()
    metric.update_state(Y_TRUE, masked(Y_PRED), weights)
    weight = ON * (1.0 if weights is None else weights)
    np.testing.assert_allclose(metric.result(), (SQUARES * weight).sum() / weight.sum(), rtol=1e-5)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_keras_counts_the_same(weights):
    keras = pytest.importorskip("keras")
    for reduction in ("sum_over_batch_size", "mean", "sum", "none", "mean_with_sample_weight"):
        expected = keras.losses.MeanSquaredError(reduction)(Y_TRUE, theirs(keras, Y_PRED), weights)
        found = losses.MeanSquaredError(reduction)(Y_TRUE, masked(Y_PRED), weights)
        np.testing.assert_allclose(found.numpy(), np.asarray(expected), rtol=1e-5)
    one, other = keras.metrics.MeanSquaredError(), metrics.MeanSquaredError()
    one.update_state(Y_TRUE, theirs(keras, Y_PRED), weights)
    other.update_state(Y_TRUE, masked(Y_PRED), weights)
    np.testing.assert_allclose(other.result(), np.asarray(one.result()), rtol=1e-5)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("weights", ["none", "each step"])
def test_keras_trains_and_evaluates_the_same(outputs, weights):
    keras = pytest.importorskip("keras")
    found = []
    first = None
    labels = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 1]])
    for k in (nnlite, keras):
        start = k.layers.Input((4,))
        h = k.layers.Embedding(8, 3, mask_zero=True, name="e")(start)
        h = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True))(h)
        ends = [k.layers.Dense(2, "softmax", name=f"d{i}")(h) for i in range(outputs)]
        model = k.Model(start, ends if outputs > 1 else ends[0])
        model.compile(
            k.optimizers.SGD(0.5),
            ["sparse_categorical_crossentropy"] * outputs
            if outputs > 1
            else "sparse_categorical_crossentropy",
            weighted_metrics=[["accuracy"]] * outputs if outputs > 1 else ["accuracy"],
        )
        first = model.get_weights() if first is None else first
        model.set_weights(first)
        y = [labels, 1 - labels][:outputs]
        w = [WEIGHTS[weights]] * outputs
        y, w = (y, w) if outputs > 1 else (y[0], w[0])
        w = None if weights == "none" else w
        logs = model.fit(
            TOKENS, y, sample_weight=w, batch_size=3, epochs=2, verbose=0, shuffle=False
        ).history
        logs["accuracy"] = logs.get("accuracy", logs.get("d0_accuracy"))
        found.append((logs, model.evaluate(TOKENS, y, sample_weight=w, verbose=0), model))
    (one, scores, model), (other, expected, their_model) = found
    np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-5)
    np.testing.assert_allclose(one["accuracy"], other["accuracy"], rtol=1e-5)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
    for a, b in zip(model.get_weights(), their_model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


class Weighs(layers.Layer):
    """Multiplies by the mask, without asking whether there is one."""

    supports_masking = True

    def call(self, x, mask):
        return x * ops.expand_dims(mask, -1)


@pytest.mark.parametrize("length", [4, None])
@pytest.mark.parametrize("kind", ["functional", "Sequential", "nested"])
def test_a_layer_of_ones_own_has_the_mask_while_a_model_is_built(kind, length):
    steps = [layers.Embedding(8, 3, mask_zero=True), layers.Dropout(0.1), Weighs()]
    start = nnlite.Input((length,))
    if kind == "functional":
        end = start
        for layer in steps:
            end = layer(end)
        model = nnlite.Model(start, end)
    elif kind == "Sequential":
        model = nnlite.Sequential([start, *steps])
    else:
        inner = nnlite.Sequential([nnlite.Input((length, 3)), layers.Masking(), Weighs()])
        model = nnlite.Model(start, inner(steps[0](start)))
    assert model.output_shape == (None, length, 3)
    assert np.array_equal(model.predict(TOKENS, verbose=0).any(-1), ON)


@pytest.mark.parametrize("length", [4, None])
def test_a_model_with_a_layer_that_drops_the_mask_says_so_when_built(length):
    x = layers.Embedding(8, 3, mask_zero=True)(nnlite.Input((length,)))
    with pytest.warns(UserWarning, match="drops the mask of its input"):
        layers.Flatten()(x) if length else layers.UpSampling1D()(x)


@pytest.mark.parametrize(
    "layer, supports",
    [
        (layers.Embedding(8, 3, mask_zero=True), True),
        (layers.Embedding(8, 3), False),
        (layers.Masking(), True),
        (layers.Flatten(), False),
    ],
    ids=repr,
)
def test_supports_masking_says_what_the_result_has(layer, supports):
    assert layer.supports_masking is supports
