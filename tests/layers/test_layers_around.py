"""Bidirectional and TimeDistributed: what they compute, keep and refuse, as in Keras."""

import numpy as np
import oracle_sequences
import pytest

import nnlite
from nnlite import layers
from nnlite.tree import flatten

RNG = np.random.default_rng(4)
X = RNG.normal(size=(3, 5, 4)).astype("float32")
ON = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
KINDS = {"SimpleRNN": 1, "GRU": 1, "LSTM": 2}  # how many states they have


def states_of(kind, n=3, units=2):
    return [RNG.normal(size=(n, units)).astype("float32") for _ in range(2 * KINDS[kind])]


# Bidirectional


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", [None, ON], ids=["all", "masked"])
@pytest.mark.parametrize("every", [False, True])
def test_both_directions_are_merged_and_their_states_returned(kind, mask, every):
    options = {"return_sequences": every, "return_state": True}
    layer = layers.Bidirectional(getattr(layers, kind)(2, **options), merge_mode=None)
    first = states_of(kind)
    found = layer(X, initial_state=first, mask=mask)
    parts = [
        oracle_sequences.of(
            kind,
            X,
            part.get_weights(),
            states=states,
            mask=mask,
            zero_output_for_mask=every,
            **options,
            go_backwards=backwards,
        )
        for part, states, backwards in (
            (layer.forward_layer, first[: len(first) // 2], False),
            (layer.backward_layer, first[len(first) // 2 :], True),
        )
    ]
    if every:
        parts[1][0] = parts[1][0][:, ::-1]
    expected = [parts[0][0], parts[1][0], *parts[0][1:], *parts[1][1:]]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-4, atol=1e-6)
    for mode, merge in {
        "concat": lambda a, b: np.concatenate([a, b], -1),
        "sum": np.add,
        "mul": np.multiply,
        "ave": lambda a, b: (a + b) / 2,
    }.items():
        other = layers.Bidirectional(getattr(layers, kind)(2, **options), merge_mode=mode)
        other.build(X.shape)
        other.set_weights(layer.get_weights())
        y, *after = other(X, initial_state=first, mask=mask)
        np.testing.assert_allclose(y.numpy(), merge(*expected[:2]), rtol=1e-4, atol=1e-6)
        assert len(after) == 2 * KINDS[kind]


def test_layers_are_new_and_named_for_their_directions():
    given = layers.LSTM(2, name="words")
    given(X)
    layer = layers.Bidirectional(given, name="both")
    layer(X)
    one, other = layer.forward_layer, layer.backward_layer
    assert (one.name, other.name) == ("forward_words", "backward_words")
    assert (one.go_backwards, other.go_backwards) == (False, True)
    assert not {id(v) for v in layer.weights} & {id(v) for v in given.weights}
    assert len(layer.weights) == 6 and layer.count_params() == 2 * given.count_params()
    assert layer.trainable_weights[0] is one.cell.kernel
    layer.trainable = False
    assert not layer.trainable_weights


def test_backward_layer_of_ones_own_is_used_itself():
    own = layers.GRU(3, go_backwards=True, return_sequences=True)
    layer = layers.Bidirectional(layers.LSTM(2, return_sequences=True), backward_layer=own)
    assert layer.backward_layer is own and layer(X).shape == (3, 5, 5)
    np.testing.assert_array_equal(layer(X).numpy()[..., 2:], own(X).numpy()[:, ::-1])


def test_first_weights_are_halves():
    first = layers.Bidirectional(layers.GRU(2))
    first(X)
    layer = layers.Bidirectional(layers.GRU(2), weights=first.get_weights())
    np.testing.assert_array_equal(layer(X).numpy(), first(X).numpy())


def test_stateful_layers_go_on_and_begin_again():
    layer = layers.Bidirectional(layers.GRU(2, stateful=True))
    assert layer.states is None
    first = layer(X).numpy()
    assert [s.shape for s in layer.states] == [(3, 2)] * 2
    second = layer(X).numpy()
    assert (np.abs(second - first) > 1e-4).any()
    layer.reset_states()
    np.testing.assert_array_equal(layer(X).numpy(), first)


def test_stateful_layers_go_from_batch_to_batch_of_a_model():
    layer = layers.Bidirectional(layers.GRU(2, stateful=True))
    model = nnlite.Sequential([layers.Input(batch_shape=(3, 5, 4)), layer])
    found = model.predict(np.concatenate([X, X]), batch_size=3, verbose=0)
    layer.reset_states()
    expected = [layer(X).numpy(), layer(X).numpy()]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_outputs_of_all_steps_have_a_mask_each():
    inner = layers.LSTM(2, return_sequences=True, return_state=True)
    found = layers.Bidirectional(inner, merge_mode=None)(X, mask=ON)
    masks = [y.mask for y in found]
    assert (masks[0].numpy() == ON).all() and (masks[1].numpy() == ON).all()
    assert masks[2:] == [None] * 4


def test_gradient_reaches_both_directions():
    layer = layers.Bidirectional(layers.LSTM(2, return_sequences=True))
    with nnlite.GradientTape() as tape:
        loss = nnlite.ops.sum(layer(X) ** 2)
    assert all((g.numpy() != 0).any() for g in tape.gradient(loss, layer.trainable_weights))


def test_config_is_read_and_written_as_keras_has_it():
    layer = layers.Bidirectional(layers.LSTM(2, return_sequences=True), "sum", name="b")
    config = layers.serialize(layer)["config"]
    assert config["merge_mode"] == "sum" and "weights" not in config
    for key, name, backwards in (
        ("layer", "forward_lstm", False),
        ("backward_layer", "backward_lstm", True),
    ):
        inner = config[key]
        assert (inner["module"], inner["class_name"]) == ("keras.layers", "LSTM")
        assert inner["config"]["name"] == name and inner["config"]["units"] == 2
        assert inner["config"]["go_backwards"] is backwards
        assert inner["config"]["zero_output_for_mask"] is True
    again = layers.deserialize(layers.serialize(layer))
    assert layers.serialize(again) == layers.serialize(layer)


# TimeDistributed


def test_any_layer_is_applied_to_each_step():
    images = RNG.random((2, 3, 6, 6, 2)).astype("float32")
    layer = layers.TimeDistributed(layers.Conv2D(4, 3))
    y = layer(images).numpy()
    for t in range(3):
        np.testing.assert_allclose(y[:, t], layer.layer(images[:, t]).numpy(), rtol=1e-5)
    assert layer.weights[0] is layer.layer.kernel
    assert layer.compute_output_shape((None, None, 6, 6, 2)) == (None, None, 4, 4, 4)


@pytest.mark.parametrize("functional", [False, True])
def test_model_is_applied_to_each_step(functional):
    inner = nnlite.Sequential([layers.Input((4,)), layers.Dense(3, "tanh"), layers.Dropout(0.5)])
    if functional:
        start = layers.Input((4,))
        inner = nnlite.Model(start, layers.Dense(3, "tanh")(start))
    layer = layers.TimeDistributed(inner)
    np.testing.assert_allclose(layer(X).numpy()[:, 1], inner(X[:, 1]).numpy(), rtol=1e-6)
    copy = type(layer).from_config(layer.get_config())
    copy.build(X.shape)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(X).numpy(), layer(X).numpy())
    assert not {id(v) for v in copy.weights} & {id(v) for v in layer.weights}


def test_inner_layer_has_the_mask_of_its_steps():
    x = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
    on = np.array([[[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]]] * 2)
    layer = layers.TimeDistributed(layers.GRU(2))
    y = layer(x, mask=on)
    for t in range(3):
        expected = layer.layer(x[:, t], mask=on[:, t]).numpy()
        np.testing.assert_allclose(y.numpy()[:, t], expected, rtol=1e-6)
    with pytest.raises(ValueError, match=r"mask: expected a shape that begins with \(2, 3\)"):
        layer(x, mask=on[:, :2])


def test_tokens_of_steps_stay_integers():
    model = nnlite.Sequential([layers.TimeDistributed(layers.Embedding(2**25, 1))])
    model.build((None, 2, 3))
    assert model(np.full((1, 2, 3), 2**25 - 1)).shape == (1, 2, 3, 1)
    assert model.inputs[0].dtype == "int32"


def test_config_of_keras_is_taken_by_from_config():
    config = layers.serialize(layers.TimeDistributed(layers.Dense(2, name="d")))["config"]
    made = layers.TimeDistributed.from_config(config)
    assert made.layer.name == "d" and made(X).shape == (3, 5, 2)


def test_gradients_of_a_token_add_up_before_adam_squares_them():
    # Of n places with gradient g, the step is lr * n g / sqrt((n g)^2), whatever n is.
    model = nnlite.Sequential([layers.Input((3,)), layers.Embedding(4, 1), layers.Flatten()])
    model.compile(nnlite.optimizers.Adam(0.1), lambda y, p: nnlite.ops.sum(p, axis=-1))
    before = model.get_weights()[0]
    model.train_on_batch(np.array([[1, 1, 1], [1, 2, 3]]), np.zeros((2, 3)))
    step = (before - model.get_weights()[0])[:, 0]
    np.testing.assert_allclose(step, [0, 0.1, 0.1, 0.1], rtol=1e-4)


# What is refused


@pytest.mark.parametrize("states", [1, 3, None])
def test_states_of_both_layers_come_as_many_of_each(states):
    layer, one = layers.Bidirectional(layers.LSTM(2)), np.ones((3, 2))
    words = r"'bidirectional' .*initial_state: expected a list of the states of both layers, .* got"
    with pytest.raises(ValueError, match=words):
        layer(X, initial_state=one if states is None else [one] * states)
    assert layer(X, initial_state=[one] * 4).shape == (3, 4)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.TimeDistributed(3), r"layer: expected a layer, such as LSTM\(4\), got 3"),
        (lambda: layers.Bidirectional("LSTM"), r"layer: expected a layer, .* got 'LSTM'"),
        (
            lambda: layers.Bidirectional(layers.Dense(2)),
            r"layer: expected a recurrent layer, .* got D",
        ),
        (lambda: layers.Bidirectional(layers.GRU(2), "add"), r"merge_mode: expected .* got 'add'"),
        (
            lambda: layers.Bidirectional(layers.GRU(2), backward_layer=2),
            r"backward_layer: expected a",
        ),
        (
            lambda: layers.Bidirectional(layers.GRU(2), backward_layer=layers.GRU(2)),
            r"backward_layer: expected a layer that reads in the other direction, got go_b.*=Fa",
        ),
        (
            lambda: layers.Bidirectional(
                layers.GRU(2), backward_layer=layers.GRU(2, go_backwards=True, return_state=True)
            ),
            r"backward_layer: expected return_state=False, as of layer, got True",
        ),
        (
            lambda: layers.Bidirectional(layers.GRU(2, go_backwards=True)),
            r"backward_layer: expected a layer that reads in the other direction, got go_b.*=Tr",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(
        (ValueError, TypeError), match=f"^(Bidirectional|TimeDistributed): {message}"
    ):
        make()


# Keras


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("mask", [None, ON], ids=["all", "masked"])
@pytest.mark.parametrize("states", [False, True])
def test_keras_computes_the_same(kind, merge, every, mask, states):
    keras = pytest.importorskip("keras")
    found, weights, first = [], None, states_of(kind)
    for k in (layers, keras.layers):
        inner = getattr(k, kind)(2, return_sequences=every, return_state=states)
        layer = k.Bidirectional(inner, merge_mode=merge)
        layer.build(X.shape)
        weights = weights or layer.get_weights()
        layer.set_weights(weights)
        on = mask if mask is None or k is layers else mask.astype(bool)
        given = {"initial_state": first} if states else {}
        found.append([np.asarray(y) for y in flatten(layer(X, mask=on, **given))])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_keras_applies_the_same_to_each_step():
    keras = pytest.importorskip("keras")
    found, weights = [], None
    for k in (layers, keras.layers):
        layer = k.TimeDistributed(k.LSTM(2))
        layer.build((None, 3, 4, 5))
        weights = weights or layer.get_weights()
        layer.set_weights(weights)
        x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
        found.append(np.asarray(layer(x)))
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)
