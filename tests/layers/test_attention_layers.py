"""Attention layers: their formulas, gradients, masks and dropout, and what they refuse."""

import warnings
from types import SimpleNamespace

import cases_attention_layers as cases
import gradients
import numpy as np
import pytest

import nnlite
from nnlite import layers, ops

N, T, S, C, D, H = 3, 4, 5, 6, 7, 2
RNG = np.random.default_rng(1)
QUERY, VALUE, KEY = (RNG.normal(size=(N, *shape)) for shape in ((T, C), (S, D), (S, C)))
OTHER = RNG.normal(size=(N, S, C))
ON = np.array([[1, 1, 0, 1], [0, 1, 1, 0], [1, 1, 1, 1]])
VALUE_ON = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 1]])
CAUSAL = np.tril(np.ones((T, S)))
SOME = RNG.random((N, H, T, S)) < 0.6
SOME[..., 0] = True


def of_heads(query, value, key, w, seen=1, options=None):
    """What a MultiHeadAttention gives, and its weights (N, H, T, S)."""
    options, w = {"use_bias": True, **(options or {})}, [*w]
    ndim = query.ndim

    def projected(x, n_summed=1):
        kernel = w.pop(0)
        y = np.tensordot(x, kernel, n_summed)
        return y + w.pop(0) if options["use_bias"] else y

    q, k = projected(query), projected(key)
    gate = 1 / (1 + np.exp(-projected(query))) if options.get("use_gate") else 1
    v = projected(value)
    axis = options.get("attention_axes", 1) % ndim
    q, k, v = (np.moveaxis(x, axis, -2) for x in (q, k, v))  # (..., H, T, K)
    weights = cases.weights_of(cases.dots(q, k) / np.sqrt(q.shape[-1]), np.asarray(seen) > 0)
    y = np.moveaxis(weights @ v, -2, axis) * gate
    return projected(y, 2), weights


MULTI = {  # settings, arguments of the call, what each query sees
    "plain": ({}, {}, 1),
    "with keys": ({"value_dim": 5}, {"key": KEY}, 1),
    "without bias": ({"use_bias": False, "output_shape": 3}, {}, 1),
    "two sizes at each step": ({"output_shape": (2, 3)}, {"key": KEY}, 1),
    "gate": ({"use_gate": True, "value_dim": 3}, {}, 1),
    "causal": ({}, {"use_causal_mask": True}, CAUSAL),
    "window": (
        {"sliding_window": 2},
        {"use_causal_mask": True},
        CAUSAL * (np.abs(np.arange(T)[:, None] - np.arange(S)) < 2),
    ),
    "mask of pairs": ({}, {"attention_mask": SOME[0, 0]}, SOME[0, 0]),
    "mask of samples": ({}, {"attention_mask": SOME[:, 0]}, SOME[:, :1]),
    "mask of heads": ({}, {"attention_mask": SOME, "use_causal_mask": True}, SOME * CAUSAL),
    "masks of steps": (
        {},
        {"key": KEY, "query_mask": np.ones_like(ON), "value_mask": VALUE_ON},
        VALUE_ON[:, None, None],
    ),
    "all masks": (
        {},
        {"key": KEY, "key_mask": VALUE_ON, "attention_mask": SOME, "value_mask": np.ones((N, S))},
        VALUE_ON[:, None, None] * SOME,
    ),
}


@pytest.mark.parametrize("settings, given, seen", MULTI.values(), ids=MULTI)
def test_multi_head_attention_is_its_formula(settings, given, seen, real):
    layer = layers.MultiHeadAttention(H, 3, bias_initializer="uniform", **settings)
    y, weights = layer(QUERY, VALUE, return_attention_scores=True, **given)
    again = layer(QUERY, VALUE, **given)
    w = [v.astype(float) for v in layer.get_weights()]
    expected, of_values = of_heads(QUERY, VALUE, given.get("key", VALUE), w, seen, settings)
    unit = np.finfo(real).eps
    shown = np.where(np.broadcast_to(seen, weights.shape) > 1e-6, of_values, 0)
    alone = (np.broadcast_to(seen, weights.shape) > 1e-6).any(-1)  # those that see something
    np.testing.assert_allclose(weights.numpy()[alone], shown[alone], rtol=99 * unit, atol=9 * unit)
    assert not weights.numpy()[~alone].any()
    if alone.all():
        np.testing.assert_allclose(y.numpy(), expected, rtol=99 * unit, atol=30 * unit)
        np.testing.assert_allclose(again.numpy(), expected, rtol=99 * unit, atol=30 * unit)


@pytest.mark.parametrize("axes", [1, 2, -2, (1, 2), None])
def test_attention_goes_over_the_axes_that_are_given(axes, double):
    query, value = RNG.normal(size=(2, 3, 4, 5)), RNG.normal(size=(2, 3, 4, 5))
    layer = layers.MultiHeadAttention(2, 3, attention_axes=axes)
    y, weights = layer(query, value, return_attention_scores=True)
    if axes in (None, (1, 2)):
        one = layers.MultiHeadAttention(2, 3)
        flat = [x.reshape(2, 12, 5) for x in (query, value)]
        one(*flat)
        one.set_weights(layer.get_weights())
        expected, of_values = one(*flat, return_attention_scores=True)
        assert weights.shape == (2, 2, 3, 4, 3, 4)
        expected, of_values = (
            x.numpy().reshape(z.shape) for x, z in ((expected, y), (of_values, weights))
        )
    else:
        expected, of_values = of_heads(
            query, value, value, layer.get_weights(), options={"attention_axes": axes}
        )
        assert weights.shape == of_values.shape
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(weights.numpy(), of_values, rtol=1e-12, atol=1e-12)


def test_projections_are_layers_with_the_names_and_the_order_of_keras():
    layer = layers.MultiHeadAttention(2, 3, value_dim=5, use_gate=True, output_shape=(4, 8))
    layer(QUERY, VALUE, KEY)
    parts = "query", "key", "gate", "value", "attention_output"
    assert [v.name for v in layer.weights] == [
        f"{p}/{v}" for p in parts for v in ("kernel", "bias")
    ]
    shapes = [(C, 2, 3), (2, 3), (C, 2, 3), (2, 3), (C, 2, 5), (2, 5), (D, 2, 5), (2, 5)]
    assert [v.shape for v in layer.weights] == [*shapes, (2, 5, 4, 8), (4, 8)]
    assert layer.compute_output_shape((None, 9, C), (None, 8, D)) == (None, 9, 4, 8)
    limit = np.sqrt(6 / (C + 6))  # the fans are those of a matrix (C, 2 * 3)
    kernel = layer.query_dense.kernel.numpy()
    assert 0.7 * limit < np.abs(kernel).max() <= limit


def test_settings_of_weights_are_those_of_each_projection():
    layer = layers.MultiHeadAttention(
        2, 3, kernel_initializer="ones", kernel_constraint="non_neg", kernel_regularizer="l2",
        activity_regularizer="l1",
    )  # fmt: skip
    layer(QUERY, VALUE)
    parts = layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense
    assert all((p.kernel.numpy() == 1).all() and p.kernel.constraint for p in parts)
    assert len(layer.losses) == 8
    seeded = layers.MultiHeadAttention(2, 3)
    seeded(QUERY, QUERY)
    assert not np.array_equal(seeded.query_dense.kernel.numpy(), seeded.key_dense.kernel.numpy())


@pytest.mark.parametrize("options", [{}, {"use_causal_mask": True, "attention_mask": SOME[0, 0]}])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_share_keys_and_values(groups, options, double):
    layer = layers.GroupQueryAttention(3, 4, groups, use_gate=True, sliding_window=3)
    heads = layers.MultiHeadAttention(4, 3, use_gate=True, sliding_window=3)
    for x in (layer, heads):
        x(QUERY, VALUE, KEY)
    names = [v.name for v in layer.weights]
    assert names == [v.name for v in heads.weights]
    repeated = [
        np.repeat(w, 4 // groups, axis=-2) if name.split("/")[0] in ("key", "value") else w
        for name, w in zip(names, layer.get_weights())
    ]
    heads.set_weights(repeated)
    expected, of_values = heads(QUERY, VALUE, KEY, return_attention_scores=True, **options)
    y, weights = layer(QUERY, VALUE, KEY, return_attention_scores=True, **options)
    np.testing.assert_allclose(weights.numpy(), of_values.numpy(), rtol=1e-12, atol=1e-15)
    for found in (y, layer(QUERY, VALUE, KEY, **options)):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12, atol=1e-14)
    assert layer.compute_output_shape((None, 9, C), (None, 8, C)) == (None, 9, C)
    with pytest.raises(ValueError, match=r"sequences of shape \(N, T, features\), got shape"):
        layers.GroupQueryAttention(3, 4, groups)(QUERY[:, None], QUERY[:, None])


# Attention of one head


ONE = {
    "dot": (lambda: layers.Attention(), lambda q, k, w: cases.dots(q, k)),
    "scaled": (lambda: layers.Attention(True), lambda q, k, w: w[0] * cases.dots(q, k)),
    "concat": (
        lambda: layers.Attention(score_mode="concat"),
        lambda q, k, w: w[0] * cases.additive(q, k, 1),
    ),
    "additive": (
        lambda: layers.BahdanauAttention(),
        lambda q, k, w: cases.additive(q, k, w[0]),
    ),
}


@pytest.mark.parametrize("masks", [None, [None, VALUE_ON], [ON, None], [ON, VALUE_ON]])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("make, scores_of", ONE.values(), ids=ONE)
def test_attention_is_its_formula(make, scores_of, masks, causal, real):
    layer = make()
    layer([QUERY, VALUE, KEY])
    layer.set_weights([RNG.normal(size=v.shape).astype(real) for v in layer.weights])
    query_on, value_on = masks or (None, None)
    options = {"mask": masks, "use_causal_mask": causal}
    y = layer([QUERY, VALUE, KEY], **options)
    again, weights = layer([QUERY, VALUE, KEY], return_attention_scores=True, **options)
    seen = (1 if value_on is None else value_on[:, None]) * (CAUSAL if causal else 1)
    q, v, k = (x.astype(real).astype(float) for x in (QUERY, VALUE, KEY))
    w = [x.astype(float) for x in layer.get_weights()]
    of_values = cases.weights_of(scores_of(q, k, w), np.asarray(seen) > 0)
    some = np.broadcast_to(seen, of_values.shape).any(-1)
    expected = of_values @ v * (1 if query_on is None else query_on[..., None])
    unit = np.finfo(real).eps
    for found, wanted in ((y, expected), (again, expected), (weights, of_values)):
        np.testing.assert_allclose(
            found.numpy()[some], wanted[some], rtol=200 * unit, atol=40 * unit
        )


LAYERS = {
    **{name: make for name, (make, _) in ONE.items()},
    "heads": lambda: layers.MultiHeadAttention(2, 3),
    "groups": lambda: layers.GroupQueryAttention(3, 4, 2),
}
OF_ONE_HEAD = layers.Attention, layers.AdditiveAttention


def called(layer, query, value, key, **options):
    one = isinstance(layer, OF_ONE_HEAD)
    return layer([query, value, key], **options) if one else layer(query, value, key, **options)


@pytest.mark.parametrize("options", [{}, {"use_causal_mask": True}])
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_gradients_are_those_of_differences(make, options, double):
    layer = make()
    called(layer, QUERY, VALUE, KEY)
    projection = RNG.normal(size=called(layer, QUERY, VALUE, KEY).shape)
    on = nnlite.constant(np.maximum(VALUE_ON, np.arange(S) == 0))  # each query sees something

    def total(inputs):
        query, value, key = (x * 1.0 for x in inputs)
        value.mask = ops.cast(on, "float64")
        return ops.sum(called(layer, query, value, key, **options) * projection)

    smooth = SimpleNamespace(inputs=[QUERY, VALUE, KEY], wrt=range(3), attrs=options)
    gradients.check_gradient(total, smooth)
    for v in layer.trainable_weights:
        with nnlite.GradientTape() as tape:
            y = total(gradients.tensors([QUERY, VALUE, KEY]))
        grad, before = tape.gradient(y, v).numpy(), v.numpy()
        direction, step, around = RNG.normal(size=v.shape), 1e-6, []
        for sign in (1, -1):
            v.assign(before + sign * step * direction)
            around.append(total(gradients.tensors([QUERY, VALUE, KEY])).item())
        v.assign(before)
        slope = (around[0] - around[1]) / (2 * step)
        assert slope == pytest.approx((grad * direction).sum(), rel=1e-6, abs=1e-7)


# Masks


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_masks_of_inputs_are_used_and_that_of_the_query_goes_on(make):
    layer, noise = make(), 100 * (1 - VALUE_ON[..., None])
    results = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for further in (0, noise):
            query, value, key = (
                nnlite.constant(x) for x in (QUERY, VALUE + further, KEY + further)
            )
            query.mask, value.mask, key.mask = (
                nnlite.constant(m, "float32") for m in (ON, VALUE_ON, VALUE_ON)
            )
            y = called(layer, query, value, key)
            assert np.array_equal(y.mask.numpy(), ON) and query.mask is not None
            results.append(y.numpy()[ON > 0])
            assert not isinstance(layer, OF_ONE_HEAD) or not y.numpy()[ON == 0].any()
            pair = called(layer, query, value, key, return_attention_scores=True)
            assert isinstance(pair, tuple) and pair[1].mask is None
    np.testing.assert_array_equal(*results)


def test_query_without_a_mask_gives_a_result_without_one():
    value = nnlite.constant(OTHER, "float32")
    value.mask = nnlite.constant(VALUE_ON, "float32")
    assert layers.Attention()([QUERY, value]).mask is None
    assert layers.MultiHeadAttention(2, 3)(QUERY, value).mask is None


def test_mask_of_one_tensor_is_that_of_query_and_value():
    layer, x = layers.Attention(), nnlite.constant(QUERY, "float32")
    x.mask = nnlite.constant(ON, "float32")
    y = layer(x)
    assert np.array_equal(y.mask.numpy(), ON)
    np.testing.assert_array_equal(y.numpy(), layer([QUERY, QUERY], mask=[ON, ON]).numpy())
    np.testing.assert_array_equal(y.numpy(), layer(QUERY, mask=ON).numpy())


def test_queries_that_see_nothing_get_the_mean_or_with_dropout_0():
    none = np.zeros((N, S))
    for rate, expected in ((0.0, 1), (0.2, 0)):
        layer = layers.MultiHeadAttention(2, 3, dropout=rate)
        layer(QUERY, VALUE)
        mean = layer.value_dense(VALUE).numpy().mean(1)
        mean = layer.output_dense(expected * np.broadcast_to(mean[:, None], (N, T, 2, 3))).numpy()
        np.testing.assert_allclose(layer(QUERY, VALUE, value_mask=none).numpy(), mean, atol=1e-6)


@pytest.mark.parametrize("kind", ["Attention", "AdditiveAttention"])
def test_one_after_a_recurrent_layer_learns_in_a_sequential(kind):
    nnlite.utils.set_random_seed(0)
    tokens = np.random.default_rng(0).integers(1, 9, (64, 6))
    y = (tokens == 3).any(1).astype(int)
    model = nnlite.Sequential(
        [
            layers.Embedding(9, 8, mask_zero=True),
            layers.LSTM(8, return_sequences=True),
            getattr(layers, kind)(),
            layers.Flatten(),
            layers.Dense(2, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Flatten drops the mask
        losses = model.fit(tokens, y, epochs=40, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    np.testing.assert_allclose(model.predict(tokens, verbose=0), model(tokens).numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", ["Attention", "AdditiveAttention"])
def test_file_of_self_attention_says_to_keras_what_keras_knows(kind, tmp_path):
    pytest.importorskip("h5py")
    model = nnlite.Sequential([layers.Input((T, C)), layers.Dense(3), getattr(layers, kind)()])
    model.save(tmp_path / "model.keras")
    again = nnlite.models.load_model(tmp_path / "model.keras")
    assert isinstance(again, nnlite.Sequential)
    expected = model.predict(QUERY, verbose=0)
    np.testing.assert_array_equal(again.predict(QUERY, verbose=0), expected)
    with pytest.warns(UserWarning, match="one step"):  # of which Keras knows nothing
        rows = nnlite.Sequential([layers.Input((C,)), getattr(layers, kind)()])
    rows.save(tmp_path / "rows.keras")
    with pytest.warns(UserWarning, match="one step"):
        nnlite.models.load_model(tmp_path / "rows.keras")
    keras = pytest.importorskip("keras")
    theirs = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(theirs(QUERY.astype("float32")), expected, rtol=1e-5, atol=1e-6)


def test_functional_model_keeps_the_options_of_the_call():
    query, value = layers.Input((T, C)), layers.Input((S, C))
    y, weights = layers.MultiHeadAttention(2, 3)(
        query, value, use_causal_mask=True, return_attention_scores=True
    )
    z = layers.Attention()([y, value], use_causal_mask=True)
    assert weights.shape == (None, 2, T, S) and z.shape == (None, T, C)
    model = nnlite.Model([query, value], [z, weights])
    changed = OTHER.copy()
    changed[:, 2:] += 1
    (one, weights), (other, _) = (model.predict([QUERY, x], verbose=0) for x in (OTHER, changed))
    np.testing.assert_array_equal(one[:, :2], other[:, :2])
    assert not np.array_equal(one[:, 2:], other[:, 2:])
    assert not weights[:, :, 0, 1:].any()
    again = nnlite.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict([QUERY, OTHER], verbose=0)[0], one)


# Dropout


@pytest.mark.parametrize("kind", ["Attention", "AdditiveAttention", "heads"])
def test_dropout_drops_weights_of_values_while_training(kind):
    def make(seed):
        if kind == "heads":
            return layers.MultiHeadAttention(1, 3, dropout=0.4, seed=seed)
        return getattr(layers, kind)(dropout=0.4, seed=seed)

    layer, same, other = make(1), make(1), make(2)
    key = np.zeros((N, S, C))  # all values have the same weight
    for x in (layer, same, other):
        called(x, QUERY, VALUE, key)
    for x in (same, other):
        x.set_weights(layer.get_weights())
    calls = [called(x, QUERY, VALUE, key, training=True).numpy() for x in (layer, same, other)]
    assert np.array_equal(calls[0], calls[1]) and not np.array_equal(calls[0], calls[2])
    assert not np.array_equal(called(layer, QUERY, VALUE, key, training=True).numpy(), calls[0])
    quiet = called(layer, QUERY, VALUE, key).numpy()
    assert np.array_equal(quiet, called(other, QUERY, VALUE, key).numpy())
    mean = np.mean([called(layer, QUERY, VALUE, key, training=True).numpy() for _ in range(100)], 0)
    np.testing.assert_allclose(mean, quiet, atol=0.4)
    y, weights = called(layer, QUERY, VALUE, key, training=True, return_attention_scores=True)
    if kind != "heads":  # those of the heads are given before the dropout
        np.testing.assert_allclose(np.unique(weights.numpy().round(6)), [0, round(1 / S / 0.6, 6)])
        np.testing.assert_allclose(y.numpy(), weights.numpy() @ VALUE, rtol=1e-5, atol=1e-6)


# What they refuse

X = np.ones((2, 3, 4))
LISTS = [
    ([X], "expected one tensor, .*, got 1 of them"),
    ([X] * 4, "expected one tensor, .*, got 4 of them"),
    ([X, None], "expected one tensor, "),
    ({"query": X, "value": X}, "expected one tensor, "),
    ([X, X[0]], r"expected query, value and key of shapes .*\(None, 4\)"),
    ([X, X[:, :, :2]], r"agree in batch, steps and features.*\(None, 3, 2\)"),
    ([X, X, X[:, :2]], "agree in batch, steps and features"),
    ([X, X[:1]], "agree in batch, steps and features"),
]


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("inputs, message", LISTS)
def test_inputs_that_do_not_fit_are_refused(inputs, message, built):
    layer = layers.Attention()
    if built:
        layer([X, X])
    message = message.replace("None, ", "(None|2|3), ")
    with pytest.raises(ValueError, match=rf"layer 'attention' \(Attention\): .*{message}"):
        layer(inputs)


@pytest.mark.parametrize(
    "mask, message",
    [
        ([X[:, :, 0]], r"mask: expected \[query_mask, value_mask\]"),
        (X[:, :, 0], r"mask: expected \[query_mask, value_mask\]"),
        ([None, X], r"mask: expected value_mask of shape \(2, 3\), got \(2, 3, 4\)"),
        ([X[:, :2, 0], None], r"mask: expected query_mask of shape \(2, 3\), got \(2, 2\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        layers.Attention()([X, X], mask=mask)


HEADS = [
    ((QUERY, VALUE, KEY[:, :2]), {}, "axes of value and key but the last must be equal"),
    ((QUERY[0], VALUE), {}, r"shapes \(N, T, C\), .*, got shapes \(None, 6\)"),
    ((QUERY, VALUE[:2]), {}, r"agree in the batch, .*\(3, 4, 6\) and \(2, 5, 7\)"),
    ((QUERY, VALUE), {"attention_mask": np.ones((5, 4))}, r"fits \(3, 2, 4, 5\), got \(5, 4\)"),
    (
        (QUERY, VALUE),
        {"value_mask": np.ones((N, T))},
        r"value_mask: expected shape \(3, 5\), got \(3, 4\)",
    ),
    ((QUERY[:, None], VALUE[:, None]), {"use_causal_mask": True}, "one axis of attention"),
]


@pytest.mark.parametrize("given, options, message", HEADS)
def test_heads_refuse_what_does_not_fit(given, options, message):
    with pytest.raises(ValueError, match=rf"\(MultiHeadAttention\): .*{message}"):
        layers.MultiHeadAttention(2, 3)(*given, **options)


def test_error_of_a_part_names_the_layer_too():
    layer = layers.MultiHeadAttention(2, 3)
    layer(QUERY, VALUE)
    with pytest.raises(
        ValueError, match=r"^layer 'multi_head_attention' \(MultiHeadAttention\): "
    ) as e:
        layer(QUERY[..., :5], VALUE)
    said = "(EinsumDense): expected an input of shape (None, None, 6), got shape (3, 4, 5)"
    assert str(e.value).endswith(f"layer 'query' {said}")
    with pytest.raises(
        ValueError, match=r"^layer 'mine' \(.*\): layer 'query' \(.*Constant: expec"
    ):
        layers.MultiHeadAttention(2, 3, kernel_initializer=np.array([1, 2]), name="mine").build(
            QUERY.shape, VALUE.shape
        )


def test_axes_of_attention_are_neither_the_batch_nor_the_last():
    for axes in (0, 2, (1, -1)):
        with pytest.raises(ValueError, match="attention_axes without the batch and the last axis"):
            layers.MultiHeadAttention(2, 3, attention_axes=axes)(QUERY, QUERY)


@pytest.mark.parametrize("kind", [layers.Attention, layers.AdditiveAttention])
def test_rows_are_sequences_of_one_step_and_stay_as_they_are(kind):
    x = np.random.default_rng(0).random((4, 5)).astype("float32")
    with pytest.warns(UserWarning, match=r"one step, which attention leaves .* return_sequences"):
        model = nnlite.Sequential([layers.Input((5,)), kind(), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x, x[:, :2], verbose=0)
    np.testing.assert_allclose(model.layers[0](x).numpy(), x, rtol=1e-6)
    assert model.layers[0](x, return_attention_scores=True)[1].shape == (4, 1, 1)
