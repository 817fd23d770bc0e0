"""Positions and blocks of transformers: masks, later steps, other sequences, and that they learn.
Their formulas are in `cases_attention_layers.py`, with those of other layers."""

import warnings

import cases_attention_layers as cases
import numpy as np
import pytest

import nnlite
from nnlite import layers, ops

RNG = np.random.default_rng(2)
X, OTHER = RNG.normal(size=(2, 5, 4)), RNG.normal(size=(2, 3, 6))
ON = np.array([[1, 1, 0, 1, 0], [1, 0, 1, 1, 1]])


def masked(x, on):
    x = nnlite.constant(x, "float32")
    x.mask = nnlite.constant(on, "float32")
    return x


@pytest.mark.parametrize("normalize_first", [False, True])
def test_padding_is_not_seen_and_the_mask_goes_on(normalize_first):
    layer = layers.TransformerEncoder(7, 2, normalize_first=normalize_first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = layer(masked(X, ON))
        other = layer(masked(X + 9 * (1 - ON[..., None]), ON))
    assert np.array_equal(y.mask.numpy(), ON)
    np.testing.assert_array_equal(y.numpy()[ON > 0], other.numpy()[ON > 0])
    np.testing.assert_array_equal(layer(X, padding_mask=ON).numpy(), y.numpy())
    expected = cases.encoder(X, layer.get_weights(), normalize_first, ON[:, None, None] > 0)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=2e-6)


def test_attention_mask_and_scores():
    layer, pairs = layers.TransformerEncoder(7, 2), np.tril(np.ones((2, 5, 5)))
    y, weights = layer(X, attention_mask=pairs, return_attention_scores=True)
    expected = cases.encoder(X, layer.get_weights(), seen=pairs[:, None] > 0)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=2e-6)
    assert weights.shape == (2, 2, 5, 5) and not np.triu(weights.numpy(), 1).any()


@pytest.mark.parametrize("normalize_first", [False, True])
def test_decoder_is_its_formula(normalize_first, double):
    layer = layers.TransformerDecoder(
        7, 2, bias_initializer="uniform", normalize_first=normalize_first
    )
    y = layer(X, OTHER, encoder_padding_mask=[[1, 0, 1], [0, 1, 1]])
    w = layer.get_weights()
    seen, seen_of_other = np.tril(np.ones((5, 5))) > 0, np.array([[1, 0, 1], [0, 1, 1]]) > 0
    x = X
    for attention, norm, to, on in (
        (w[:8], w[8:10], None, seen),
        (w[10:18], w[18:20], OTHER, seen_of_other[:, None, None]),
        (w[22:], w[20:22], None, None),
    ):

        def part(z, attention=attention, to=to, on=on):
            if on is None:
                return cases.feedforward(z, attention)
            return cases.heads(z, z if to is None else to, attention, on)

        if normalize_first:
            x = x + part(cases.layer_norm(x, norm))
        else:
            x = cases.layer_norm(x + part(x), norm)
    np.testing.assert_allclose(y.numpy(), x, rtol=1e-12, atol=1e-12)
    names = [v.name.split("/")[0] for v in layer.weights]
    assert names[8:10] == ["self_attention_layer_norm"] * 2
    assert names[18:22] == ["cross_attention_layer_norm"] * 2 + ["feedforward_layer_norm"] * 2


def test_decoder_sees_no_later_steps_and_no_padding():
    layer = layers.TransformerDecoder(7, 2)
    later = X + (np.arange(5) >= 3)[:, None]
    other = masked(OTHER, [[1, 1, 0], [1, 0, 0]])
    changed = masked(OTHER + (1 - other.mask.numpy()[..., None]), other.mask.numpy())
    y, z = layer(X, other).numpy(), layer(later, changed).numpy()
    np.testing.assert_array_equal(y[:, :3], z[:, :3])
    assert not np.array_equal(y[:, 3:], z[:, 3:])
    both = layer(later, other, use_causal_mask=False).numpy()
    assert not np.array_equal(both[:, :3], layer(X, other, use_causal_mask=False).numpy()[:, :3])
    y = layer(masked(X, ON), other)
    assert np.array_equal(y.mask.numpy(), ON)
    assert layer.compute_output_shape((None, 5, 4), (None, 3, 6)) == (None, 5, 4)


def test_decoder_alone_is_a_language_model_and_the_first_call_decides():
    alone, with_other = layers.TransformerDecoder(7, 2), layers.TransformerDecoder(7, 2)
    assert alone(X).shape == X.shape and len(alone.weights) == 16
    with_other(X, OTHER)
    assert len(with_other.weights) == 26
    for layer, given, expected in ((alone, [X, OTHER], "none"), (with_other, [X], "one")):
        with pytest.raises(ValueError, match=f"encoder_sequence: expected {expected}, as in the"):
            layer(*given)
    with pytest.raises(ValueError, match=r"decoder_sequence: expected sequences .*\(None, 4\)"):
        layers.TransformerDecoder(7, 2)(X[0])
    with pytest.raises(ValueError, match=r"encoder_sequence: expected sequences .*\(None, 6\)"):
        layers.TransformerDecoder(7, 2)(X, OTHER[0])


def test_dropout_drops_while_training():
    layer = layers.TransformerEncoder(7, 2, dropout=0.5)
    quiet = layer(X).numpy()
    assert np.array_equal(quiet, layer(X).numpy())
    assert not np.array_equal(quiet, layer(X, training=True).numpy())
    assert len(layer.losses) == 0


def test_positions_begin_where_they_are_told_to():
    learned, fixed = layers.PositionEmbedding(8), layers.SinePositionEncoding()
    for layer in (learned, fixed):
        whole = layer(np.zeros((1, 8, 4))).numpy()
        y = layer(masked(X, ON), start_index=3)
        np.testing.assert_allclose(y.numpy(), np.broadcast_to(whole[:, 3:], X.shape), rtol=1e-6)
        assert np.array_equal(y.mask.numpy(), ON)
        with pytest.raises(ValueError, match="start_index: expected an int of at least 0, got -1"):
            layer(X, start_index=-1)
    with pytest.raises(ValueError, match="at most 8 steps, sequence_length, got 5 from 4 on"):
        learned(X, start_index=4)
    assert [v.name for v in learned.weights] == ["position_embedding/embeddings"]


def test_gradient_of_positions_is_the_sum_over_samples(double):
    layer = layers.PositionEmbedding(7)
    layer(X)
    with nnlite.GradientTape() as tape:
        y = ops.sum(layer(X) * X)
    expected = np.zeros((7, 4))
    expected[:5] = X.sum(0)
    np.testing.assert_allclose(tape.gradient(y, layer.weights[0]).numpy(), expected, atol=1e-14)


def test_transformer_learns_where_positions_matter():
    nnlite.utils.set_random_seed(0)
    tokens = np.random.default_rng(0).integers(1, 5, (128, 6))
    y = tokens[:, 0] == tokens[:, -1]
    x = nnlite.Input((6,), dtype="int32")
    h = layers.Embedding(5, 16)(x)
    h = layers.Add()([h, layers.PositionEmbedding(6)(h)])
    h = layers.TransformerEncoder(32, 2)(h)
    h = layers.TransformerDecoder(32, 2, normalize_first=True)(h, h)
    model = nnlite.Model(x, layers.Dense(1, "sigmoid")(layers.Flatten()(h)))
    model.compile(nnlite.optimizers.Adam(0.01), "binary_crossentropy")
    losses = model.fit(tokens, y, epochs=30, batch_size=32, verbose=0).history["loss"]
    assert losses[-1] < 0.3
    np.testing.assert_allclose(model.predict(tokens, verbose=0), model(tokens).numpy(), atol=1e-5)
