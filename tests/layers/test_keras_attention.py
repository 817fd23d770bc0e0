"""Keras as the reference for attention and einsum, where it is installed: random settings, masks
and calls, same weights, gradients, several steps of training."""

import os
import warnings

import numpy as np
import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", exc_type=ImportError)
tf = pytest.importorskip("tensorflow", exc_type=ImportError)

import nnlite  # noqa: E402
from nnlite import ops  # noqa: E402

SEEDS = range(int(os.environ.get("NNLITE_MODELS", 40)))
N = 4  # no number of heads: Keras would take samples for heads


def chooser(rng):
    """A function that gives one of its arguments, at random."""
    return lambda *values: values[int(rng.integers(len(values)))]


def close(found, expected, what):
    scale = float(np.abs(expected).max(initial=1.0))
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5 * scale, err_msg=what)


class Case:
    """A layer with random settings, its inputs, their masks, and the options of the call."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        one_of = chooser(rng)
        self.kind = one_of(
            "MultiHeadAttention", "MultiHeadAttention", "Attention", "AdditiveAttention"
        )
        t, s, width = one_of(2, 4, 5), one_of(2, 3, 6), one_of(4, 6)

        def draw(*shape):
            return rng.normal(size=shape).astype("float32")

        self.several = self.kind != "MultiHeadAttention"
        with_key = one_of(True, False)
        value = width if self.several and not with_key else one_of(3, 5)
        self.inputs = [draw(N, t, width), draw(N, s, value)]
        if with_key:
            self.inputs.append(draw(N, s, width if self.several else 7))
        self.masks = [None if one_of(0, 1) else rng.random(x.shape[:2]) < 0.8 for x in self.inputs]
        self.masks[2:] = [None] * len(self.masks[2:])
        self.options = {
            "use_causal_mask": one_of(True, False),
            "return_attention_scores": one_of(True, False),
        }
        if self.several:
            self.settings = {"use_scale": one_of(True, False)}
            if self.kind == "Attention":
                self.settings["score_mode"] = one_of("dot", "concat")
        else:
            self.settings = {
                "num_heads": one_of(1, 2, 3),
                "key_dim": one_of(2, 4),
                "value_dim": one_of(None, 3),
                "use_bias": one_of(True, False),
                "output_shape": one_of(None, 7, (2, 3)),
                "use_gate": one_of(False, False, True),
                "sliding_window": one_of(None, None, 2),
                "attention_axes": one_of(None, 1),
            }
            if one_of(True, False):
                self.options["attention_mask"] = rng.random(one_of((N, t, s), (t, s))) < 0.7

    def called(self, layer, inputs, set_mask):
        for x, mask in zip(inputs, self.masks):
            if mask is not None:
                set_mask(x, mask)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras: a softmax of one number
            y = layer(inputs, **self.options) if self.several else layer(*inputs, **self.options)
        return list(y) if isinstance(y, tuple) else [y]

    def theirs(self, layer, inputs):
        def set_mask(x, mask):
            x._keras_mask = tf.constant(mask)

        return self.called(layer, [tf.identity(x) for x in inputs], set_mask)

    def ours(self, layer, inputs):
        def set_mask(x, mask):
            x.mask = nnlite.constant(mask, "float32")

        return self.called(layer, [x * 1.0 for x in inputs], set_mask)


def mask_of(y, attribute):
    mask = getattr(y, attribute, None)
    return None if mask is None else np.asarray(mask if attribute[0] == "_" else mask.numpy()) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_results_scores_masks_and_gradients_agree(seed):
    case = Case(seed)
    theirs, ours = (
        getattr(p.layers, case.kind)(name="it", **case.settings) for p in (keras, nnlite)
    )
    tensors = [tf.Variable(x) for x in case.inputs], [nnlite.Variable(x) for x in case.inputs]
    case.theirs(theirs, tensors[0])
    case.ours(ours, tensors[1])
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, 0.5, w.shape) for w in theirs.get_weights()]
    for layer in (theirs, ours):
        layer.set_weights(weights)
    names = (
        [v.path.split("/")[-2:] for v in theirs.weights],
        [v.name.split("/") for v in ours.weights],
    )
    assert names[0] == names[1]
    with tf.GradientTape() as tape:
        expected = case.theirs(theirs, tensors[0])
        projections = [rng.normal(size=y.shape).astype("float32") for y in expected]
        total = sum(tf.reduce_sum(y * p) for y, p in zip(expected, projections))
    wanted = tape.gradient(total, [*tensors[0], *(v.value for v in theirs.trainable_variables)])
    with nnlite.GradientTape() as tape:
        found = case.ours(ours, tensors[1])
        total = sum((ops.sum(y * p) for y, p in zip(found, projections)), nnlite.zeros(()))
    gradients = tape.gradient(total, [*tensors[1], *ours.trainable_weights])
    for i, (y, z) in enumerate(zip(found, expected, strict=True)):
        close(y.numpy(), z.numpy(), f"result {i}")
    assert np.array_equal(mask_of(found[0], "mask"), mask_of(expected[0], "_keras_mask"))
    for i, (g, h) in enumerate(zip(gradients, wanted, strict=True)):
        assert (g is None) == (h is None) or not np.any(g.numpy() if h is None else h.numpy())
        if g is not None and h is not None:
            close(g.numpy(), h.numpy(), f"gradient {i}")


def a_model(package, seed):
    """A functional model with all three, steps that are masked, and einsum."""
    rng = np.random.default_rng(seed)
    one_of = chooser(rng)
    k, heads, causal = package.layers, one_of(1, 2), one_of(True, False)
    x = package.Input((5, 4))
    h = k.Dense(6)(k.Masking()(x))
    q = k.Dense(6)(h)  # Keras takes the masks of what it is called on away
    y = k.MultiHeadAttention(heads, 3, value_dim=one_of(None, 4))(q, q, use_causal_mask=causal)
    h = k.LayerNormalization()(k.Add()([h, y]))
    if seed % 2:
        h = k.Attention(one_of(True, False), one_of("dot", "concat"))(
            [h, h], use_causal_mask=causal
        )
    else:
        h = k.AdditiveAttention()([h, h])
    h = k.EinsumDense("abc,cd->abd", (5, 4), one_of("relu", "gelu", None), one_of("d", None))(h)
    return package.Model(x, k.Dense(3, "softmax")(k.Flatten()(h)))


@pytest.mark.parametrize("seed", range(8))
def test_models_agree_after_three_steps_of_adam(seed):
    keras.utils.set_random_seed(seed)
    theirs, ours = a_model(keras, seed), a_model(nnlite, seed)
    ours.set_weights(theirs.get_weights())
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(12, 5, 4)).astype("float32"), rng.integers(0, 3, 12)
    x[rng.random((12, 5)) < 0.3] = 0
    # A large epsilon: gradients that are zero but for rounding must not decide Adam's direction.
    for package, model in ((keras, theirs), (nnlite, ours)):
        rule = package.optimizers.Adam(0.02, epsilon=0.1)
        model.compile(rule, "sparse_categorical_crossentropy", run_eagerly=package is keras)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Flatten and EinsumDense drop the mask
        close(ours.predict(x, verbose=0), np.asarray(theirs(x)), "prediction")
        for _ in range(3):
            losses = [np.ravel(m.train_on_batch(x, y))[0] for m in (theirs, ours)]
            assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        close(a, b, "weights")


EQUATIONS = [
    ("ab,b->a", (), None, (3, 5)),
    ("abc,cde->abde", (None, 3, 4), "de", (2, 5, 6)),
    ("abc,cde->abde", (None, 3, 4), "d", (2, 5, 6)),
    ("abc,cde->abde", (5, 3, 4), "be", (2, 5, 6)),
    ("abde,def->abf", (None, 7), "f", (2, 5, 3, 4)),
    ("...b,bc->...c", (4,), "c", (2, 3, 5)),
    ("...bc,bc->...b", (3,), None, (2, 3, 5)),
    ("bc...,cde->bde...", (3, 4), "e", (2, 5, 3)),
    ("abc,bcd->abd", (3, 4), "bd", (2, 3, 5)),
    ("ibd,nd->ibn", (3, 4), None, (2, 3, 5)),
]


@pytest.mark.parametrize("equation, output_shape, bias_axes, shape", EQUATIONS)
def test_einsum_dense_agrees(equation, output_shape, bias_axes, shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    theirs, ours = (
        p.layers.EinsumDense(equation, output_shape, "tanh", bias_axes, bias_initializer="ones")
        for p in (keras, nnlite)
    )
    expected, _ = theirs(x), ours(x)
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    limits = [np.abs(layer.get_weights()[0]).max() for layer in (theirs, ours)]
    assert limits[1] == pytest.approx(limits[0], rel=0.5)
    ours.set_weights(theirs.get_weights())
    close(ours(x).numpy(), expected.numpy(), equation)
