"""ReversibleEmbedding: the way back, masks, training, files; the way there is that of Embedding."""

import numpy as np
import pytest

import nnlite
from nnlite import layers, ops
from nnlite.layers import ReversibleEmbedding

TOKENS = np.array([[1, 4, 2, 0], [3, 3, 0, 0]])
H = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")


def built(**options):
    nnlite.utils.set_random_seed(0)
    layer = ReversibleEmbedding(6, 3, embeddings_initializer="normal", **options)
    layer(TOKENS)
    return layer


def test_the_way_back_is_a_product_with_the_same_weights_or_with_others():
    tied, untied = built(), built(tie_weights=False)
    (w,), (_, back) = tied.get_weights(), untied.get_weights()
    np.testing.assert_allclose(tied(H, reverse=True).numpy(), H @ w.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(untied(H, reverse=True).numpy(), H @ back, rtol=1e-5, atol=1e-6)
    assert [v.name for v in untied.weights] == [
        f"{untied.name}/{name}" for name in ("embeddings", "reverse_embeddings")
    ]
    capped = built(logit_soft_cap=0.5)(H, reverse=True).numpy()
    np.testing.assert_allclose(capped, np.tanh(H @ w.T / 0.5) * 0.5, rtol=1e-5, atol=1e-6)
    assert tied.compute_output_shape((2, 4)) == (2, 4, 3)
    assert tied.compute_output_shape((2, 4, 3), reverse=True) == (2, 4, 6)


def test_masks_of_tokens_go_both_ways():
    layer = built(mask_zero=True)
    y = layer(TOKENS)
    np.testing.assert_array_equal(y.mask.numpy(), TOKENS > 0)
    np.testing.assert_array_equal(layer(y, reverse=True).mask.numpy(), TOKENS > 0)
    assert layer(H, reverse=True).mask is None and built()(TOKENS).mask is None


def network():
    nnlite.utils.set_random_seed(0)
    words = layers.Input((None,), dtype="int32")
    embedding = ReversibleEmbedding(6, 8, mask_zero=True)
    h = layers.GRU(8, return_sequences=True)(embedding(words))
    return nnlite.Model(words, embedding(h, reverse=True))


def test_a_network_learns_the_next_word_whatever_the_padding_is(tmp_path):
    loss = nnlite.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = network()
    assert len(model.trainable_weights) == 4 and model.output_shape == (None, None, 6)
    model.compile(nnlite.optimizers.Adam(0.05), loss)
    targets = np.roll(TOKENS, -1, axis=1)
    padding = np.where(TOKENS > 0, targets, 5)
    assert model.evaluate(TOKENS, padding, verbose=0) == model.evaluate(TOKENS, targets, verbose=0)
    losses = model.fit(TOKENS, targets, epochs=60, verbose=0).history["loss"]
    assert losses[-1] < 0.2 < losses[0]
    model.save(tmp_path / "m.safetensors")
    again = nnlite.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(
        again.predict(TOKENS, verbose=0), model.predict(TOKENS, verbose=0)
    )


def test_the_gradient_of_tied_weights_is_that_of_both_ways():
    layer = built()
    with nnlite.GradientTape() as tape:
        loss = ops.sum(ops.square(layer(layer(TOKENS), reverse=True)))
    (gradient,) = tape.gradient(loss, layer.trainable_weights)
    w = layer.get_weights()[0].astype(float)
    direction = np.random.default_rng(1).normal(size=w.shape)

    def value(w):
        return ((w[TOKENS] @ w.T) ** 2).sum()

    around = (value(w + 1e-5 * direction) - value(w - 1e-5 * direction)) / 2e-5
    assert (gradient.numpy() * direction).sum() == pytest.approx(around, rel=1e-4)


def test_what_is_no_vector_is_refused():
    with pytest.raises(ValueError, match=r"expected vectors of 3 entries, got shape \(2, 4\)"):
        built()(TOKENS, reverse=True)
    with pytest.raises(
        ValueError, match=r"tokens, integers in \[0, 6\), got 6 at position \(0, 1\)"
    ):
        built()([[1, 6]])
    for wrong in ({"logit_soft_cap": 0}, {"reverse_dtype": "float16"}, {"tie_weights": "a"}):
        with pytest.raises(ValueError, match=f"ReversibleEmbedding: {next(iter(wrong))}: expected"):
            ReversibleEmbedding(6, 3, **wrong)


@pytest.mark.parametrize("tied", [True, False])
def test_keras_gives_the_same_and_reads_the_same_files(tied, tmp_path):
    keras = pytest.importorskip("keras", exc_type=ImportError)
    ours = built(tie_weights=tied, logit_soft_cap=2.0)
    theirs = keras.layers.ReversibleEmbedding(6, 3, tie_weights=tied, logit_soft_cap=2.0)
    theirs.build((None, 4))
    theirs.set_weights(ours.get_weights())
    for x, reverse in ((TOKENS, False), (H, True)):
        expected = np.asarray(theirs(x, reverse=reverse))
        np.testing.assert_allclose(ours(x, reverse=reverse).numpy(), expected, rtol=1e-5, atol=1e-6)
    model = network()
    model.save(tmp_path / "m.keras")
    other = keras.models.load_model(tmp_path / "m.keras")
    expected = np.asarray(other(TOKENS))
    np.testing.assert_allclose(model.predict(TOKENS, verbose=0), expected, rtol=1e-4, atol=1e-5)
