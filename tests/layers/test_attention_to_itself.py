"""Attention of several heads on one tensor, which is query, value and key."""

import numpy as np
import pytest

import nnlite
from nnlite import layers

X = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
ON = np.array([[1, 1, 0, 1, 1], [0, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
KINDS = {
    "MultiHeadAttention": lambda: layers.MultiHeadAttention(2, 3, value_dim=5),
    "GroupQueryAttention": lambda: layers.GroupQueryAttention(3, 4, 2, use_gate=True),
}
OPTIONS = {
    "plain": {},
    "causal": {"use_causal_mask": True},
    "mask of pairs": {"attention_mask": np.tri(5)},
    "mask of values": {"value_mask": ON},
    "mask of queries": {"query_mask": ON},
    "with keys": {"key": X[:, ::-1] + 1},
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_one_tensor_is_query_and_value(make, options, masked):
    layer, x = make(), nnlite.constant(X)
    x.mask = nnlite.constant(ON, "float32") if masked else None
    alone = layer(x, return_attention_scores=True, **options)
    twice = layer(x, x, return_attention_scores=True, **options)
    for one, two in zip(alone, twice):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    assert (alone[0].mask is None) == (twice[0].mask is None) == (not masked)
    assert layer.compute_output_shape((None, 5, 4)) == (None, 5, 4)


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_padding_is_not_seen_in_a_sequential(make):
    tokens = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
    model = nnlite.Sequential([layers.Embedding(6, 4, mask_zero=True), make()])
    long = model(tokens)
    np.testing.assert_allclose(model(tokens[:, :3])[0].numpy(), long[0, :3].numpy(), atol=1e-6)
    np.testing.assert_allclose(model(tokens[1:, :2])[0].numpy(), long[1, :2].numpy(), atol=1e-6)
    np.testing.assert_array_equal(long.mask.numpy(), tokens > 0)


@pytest.mark.parametrize("built", [False, True])
def test_lists_and_rows_are_refused(built):
    layer = layers.MultiHeadAttention(2, 3)
    if built:
        layer(X)
    for given, got in (([X, X], "several tensors"), (X[:, 0], r"shape \(.*, 4\)")):
        with pytest.raises(ValueError, match=rf"expected sequences of shape .*, got {got}"):
            layer(given)


def functional(make):
    """A layer that a model calls on two tensors first, then on one."""
    x = layers.Input((5, 4))
    layer = make()
    return nnlite.Model(x, layer(layer(x, layers.Dense(4)(x)), use_causal_mask=True))


MODELS = {
    "Sequential": lambda make: nnlite.Sequential([layers.Input((5, 4)), make(), layers.Dense(2)]),
    "built by a call": lambda make: nnlite.Sequential([make(), layers.Dense(2)]),
    "functional": functional,
    "model inside": lambda make: nnlite.Sequential(
        [layers.Input((5, 4)), nnlite.Sequential([layers.Input((5, 4)), make()]), layers.Dense(2)]
    ),
}


@pytest.mark.parametrize("made", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_files_say_to_keras_what_keras_knows(make, made, tmp_path):
    pytest.importorskip("h5py")
    model = made(make)
    expected = model(X).numpy()
    for ending in (".keras", ".h5", ".weights.h5"):
        path = tmp_path / f"model{ending}"
        if ending == ".weights.h5":
            again = made(make)
            again(X)
            model.save_weights(path)
            again.load_weights(path)
        else:
            model.save(path)
            again = nnlite.models.load_model(path)
        assert type(again) is type(model)
        np.testing.assert_array_equal(again(X).numpy(), expected)
    keras = pytest.importorskip("keras")
    theirs = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(theirs(X), expected, rtol=1e-5, atol=1e-6)


class Own(layers.MultiHeadAttention):
    """One whose call takes one tensor anyway, in Keras too."""

    def call(self, x):
        return super().call(x, x)


def test_file_of_a_subclass_with_a_call_of_its_own_holds_its_calls(tmp_path):
    pytest.importorskip("h5py")
    model = nnlite.Sequential([layers.Input((5, 4)), Own(2, 3)])
    model.save(tmp_path / "model.keras")
    again = nnlite.models.load_model(tmp_path / "model.keras", {"Own": Own})
    np.testing.assert_array_equal(again(X).numpy(), model(X).numpy())


def test_it_learns_in_a_sequential():
    nnlite.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 6, 3))
    y = x[np.arange(96), x[:, :, 0].argmax(1), 1]  # a channel where another one is largest
    model = nnlite.Sequential(
        [
            layers.MultiHeadAttention(2, 8),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ]
    )
    model.compile(nnlite.optimizers.Adam(0.02), "mse")
    losses = model.fit(x, y, epochs=60, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
