"""Tokens, masks from the layer that makes one to the loss, and states that go on from batch to
batch."""

import pickle
import warnings

import numpy as np
import pytest

import nnlite
from nnlite import layers, ops
from nnlite.layers import GRU, LSTM, RNN, Dense, Embedding, GRUCell, Input, LSTMCell, Masking

RNG = np.random.default_rng(0)
V, T = 9, 6
LENGTHS = RNG.integers(1, T + 1, 40)
IDS = np.where(np.arange(T) < LENGTHS[:, None], RNG.integers(1, V, (40, T)), 0)
X = RNG.standard_normal((12, 5, 3)).astype("float32")


def token_model(*start, **how):
    nnlite.utils.set_random_seed(1)
    parts = [*start, Embedding(V, 4, mask_zero=True), LSTM(5), Dense(1, "sigmoid")]
    model = nnlite.Sequential(parts)
    model.compile("adam", "binary_crossentropy", **how)
    return model


# Tokens

STARTS = {
    "nothing": lambda: [],
    "int32": lambda: [Input((T,), dtype="int32")],
    "real": lambda: [Input((T,))],
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "float64", "list"])
def test_tokens_of_every_type_are_the_same_tokens(start, kind):
    y = (IDS.sum(1) > 15).astype(int)
    ids = IDS.tolist() if kind == "list" else IDS.astype(kind)
    one, two = token_model(*STARTS[start]()), token_model(Input((T,), dtype="int32"))
    one.predict(ids)
    one.set_weights(two.get_weights())
    one.fit(ids, y, verbose=0, epochs=2, shuffle=False)
    two.fit(IDS.astype("int32"), y, verbose=0, epochs=2, shuffle=False)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert one.predict(ids).tobytes() == two.predict(IDS).tobytes()


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("value", [V, -1, 2**31 - 1])
def test_a_token_out_of_range_names_the_layer_its_place_and_the_range(start, value):
    model, wrong = token_model(*STARTS[start]()), IDS.copy()
    model.predict(IDS)
    wrong[33, 2] = value
    place = (
        rf"layer 'sequential.embedding': gather: .* {value} at position \d+ is out of range "
        r"\[0, 9\)"
    )
    for run in (model.predict, lambda ids: model.fit(ids, np.ones(40), verbose=0)):
        with pytest.raises(ValueError, match=place):
            run(wrong)
    where = (
        rf"'embedding' \(Embedding\): inputs: expected tokens, integers in \[0, 9\), got {value}"
    )
    with pytest.raises(ValueError, match=where + r" at position \(33, 2\)"):
        model(wrong)
    assert np.isfinite(model.predict(IDS)).all()


@pytest.mark.parametrize("start", STARTS)
def test_fractions_are_no_tokens(start):
    model, wrong = token_model(*STARTS[start]()), IDS.astype(float)
    wrong[33, 2] = 0.5
    for run in (model.predict, lambda ids: model.fit(ids, np.ones(40), verbose=0)):
        with pytest.raises(ValueError, match=r"expected integers|out of range"):
            run(wrong)
    with pytest.raises(ValueError, match=r"expected tokens, .* got 0.5 at position \(33, 2\)"):
        model(wrong)
    with pytest.raises(ValueError, match=r"expected tokens, .* got nan at position \(0,\)"):
        Embedding(V, 2)(np.array([np.nan, 1.0]))


def test_embedding_begins_with_the_vectors_that_it_is_given():
    vectors = RNG.standard_normal((V, 3)).astype("float32")
    for given in (vectors, [vectors]):
        layer = Embedding(V, 3, weights=given)
        assert np.array_equal(layer.embeddings.numpy(), vectors)
        assert np.array_equal(layer(IDS).numpy(), vectors[IDS])
    assert "weights" not in layer.get_config()
    for wrong in (vectors.T, [], [vectors, vectors], "a"):
        with pytest.raises((ValueError, TypeError), match=r"^Embedding: weights: .*expected"):
            Embedding(V, 3, weights=wrong)


def test_only_the_rows_of_tokens_that_were_seen_move():
    model = nnlite.Sequential([Embedding(V, 4), layers.Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    model.build((None, 2))
    before = model.get_weights()[0]
    model.fit(np.array([[1, 3], [3, 3]]), np.ones(2), verbose=0)
    moved = (model.get_weights()[0] != before).any(axis=1)
    assert list(np.flatnonzero(moved)) == [1, 3]


# Masks


def test_embedding_and_masking_say_which_steps_count():
    assert np.array_equal(Embedding(V, 2, mask_zero=True)(IDS).mask.numpy(), IDS != 0)
    assert Embedding(V, 2)(IDS).mask is None
    x = np.array([[[0.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]])
    assert np.array_equal(Masking()(x).mask.numpy(), [[0, 1], [1, 0]])


@pytest.mark.parametrize("make", [lambda: LSTM(5), lambda: GRU(7), lambda: RNN([LSTMCell(3)])])
def test_padding_never_changes_a_prediction(make):
    embedding, layer = Embedding(V, 4, mask_zero=True), make()
    bare = [layer(embedding(ids[None, :n])).numpy() for ids, n in zip(IDS, LENGTHS)]
    for before, after in ((0, 0), (0, 7), (3, 0), (2, 5)):
        padded = layer(embedding(np.pad(IDS, ((0, 0), (before, after)))))
        assert padded.numpy().tobytes() == np.concatenate(bare).tobytes()


def test_masked_steps_pass_through_layers_that_work_step_by_step():
    x = Embedding(V, 4, mask_zero=True)(IDS)
    for layer in (Dense(3), layers.Dropout(0.5), layers.Activation("relu")):
        assert np.array_equal(layer(x).mask.numpy(), IDS != 0), layer
    steps = LSTM(3, return_sequences=True, return_state=True)(x)
    assert np.array_equal(steps[0].mask.numpy(), IDS != 0) and steps[1].mask is None
    assert LSTM(3)(x).mask is None


def test_a_layer_that_drops_a_mask_says_so():
    with pytest.warns(UserWarning, match=r"'flatten' \(Flatten\) drops the mask of its input"):
        token_model_of(layers.Flatten()).predict(IDS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        token_model_of(GRU(3)).predict(IDS)


def token_model_of(*after):
    return nnlite.Sequential([Embedding(V, 4, mask_zero=True), *after])


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}], ids=["planned", "eager"])
def test_loss_and_metrics_leave_masked_steps_out(how):
    model = token_model_of(LSTM(5, return_sequences=True), layers.Dropout(0.5), Dense(3, "softmax"))
    loss = "sparse_categorical_crossentropy"
    model.compile("sgd", loss, metrics=["accuracy"], weighted_metrics=[loss], **how)
    y, weight = RNG.integers(0, 3, (40, T)), RNG.random(40)
    p, on = model.predict(IDS), IDS != 0
    losses = -np.log(np.take_along_axis(p, y[..., None], 2)[..., 0])
    right = p.argmax(2) == y
    got = model.evaluate(IDS, y, batch_size=40, verbose=0)
    want = [losses[on].mean(), right[on].mean(), losses[on].mean()]
    np.testing.assert_allclose(got, want, rtol=1e-5)
    got = model.evaluate(IDS, y, sample_weight=weight, batch_size=40, verbose=0)
    each = on * weight[:, None]
    assert abs(got[2] - (losses * each).sum() / each.sum()) < 1e-5
    assert abs(got[1] - right[on].mean()) < 1e-6  # its metric is not a weighted one
    wrong = np.where(on, y, (y + 1) % 3)  # targets of masked steps change nothing
    assert model.evaluate(IDS, wrong, batch_size=40, verbose=0) == model.evaluate(
        IDS, y, batch_size=40, verbose=0
    )


def test_masked_steps_have_no_part_in_the_gradient():
    def trained(y):
        nnlite.utils.set_random_seed(1)
        model = token_model_of(GRU(5, return_sequences=True), Dense(1))
        model.compile("sgd", "mse")
        model.fit(IDS, y, batch_size=16, verbose=0, epochs=2)
        return [w.tobytes() for w in model.get_weights()]

    y = RNG.standard_normal((40, T, 1))
    other = np.where(IDS[..., None] != 0, y, 7.0)
    assert trained(y) == trained(other) != trained(y + 1)


def test_a_mask_goes_through_models_inside_a_model():
    inner = nnlite.Sequential([GRU(4, return_sequences=True), Dense(3)])
    flat = token_model_of(*inner.layers)
    flat.predict(IDS)
    nested = token_model_of(inner, LSTM(2))
    y = nested.predict(IDS)
    assert nested.layers[1].output_shape == (None, T, 3)
    again = token_model_of(GRU(4, return_sequences=True), Dense(3), LSTM(2))
    again.predict(IDS)
    again.set_weights(nested.get_weights())
    assert again.predict(IDS).tobytes() == y.tobytes()


class Count(layers.Layer):
    """How many steps count."""

    def call(self, inputs, mask=None):
        n = ops.zeros((inputs.shape[0],)) if mask is None else ops.sum(mask, axis=1)
        return ops.reshape(n, (-1, 1))

    def compute_mask(self, inputs, previous_mask):
        return None


def test_a_layer_of_ones_own_takes_the_mask():
    assert np.array_equal(token_model_of(Count()).predict(IDS)[:, 0], LENGTHS)
    assert not nnlite.Sequential([Embedding(V, 4), Count()]).predict(IDS).any()


@pytest.mark.parametrize(
    "mask, message",
    [
        (np.ones((12, 4)), r"mask: expected shape \(12, 5\), got \(12, 4\)"),
        (np.ones((12, 5, 1)), r"mask: expected shape \(12, 5\), got \(12, 5, 1\)"),
        (np.ones(5), r"mask: expected shape \(12, 5\), got \(5,\)"),
    ],
)
def test_a_mask_of_another_shape_is_refused(mask, message):
    for layer in (LSTM(4), RNN(GRUCell(2)), layers.GlobalAveragePooling1D()):
        with pytest.raises(ValueError, match=rf"^layer '{layer.name}' .*{message}"):
            layer(X, mask=mask)
    assert LSTM(4)(X, mask=[[True] * 5] * 12).shape == (12, 4)
    for name in ("mask", "initial_state"):
        with pytest.raises(TypeError, match=rf"'lstm' \(LSTM\): {name}: .* expected numbers, got"):
            LSTM(4)(X, **{name: "a"})


# States


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}], ids=["planned", "eager"])
def test_a_stateful_layer_goes_on_where_the_batch_before_ended(kind, how):
    cls = getattr(layers, kind)
    stateful, plain = cls(4, stateful=True), cls(4)
    model = nnlite.Sequential([Input((5, 3)), stateful])
    model.compile("sgd", "mse", **how)
    plain.build((None, 5, 3))
    plain.set_weights(model.get_weights())
    long = np.concatenate([X[:4], X[4:8], X[8:]], axis=1)
    want = np.concatenate([plain(long[:, : 5 * k]).numpy() for k in (1, 2, 3)])
    for _ in range(2):
        np.testing.assert_allclose(model.predict(X, batch_size=4), want, rtol=1e-5, atol=1e-6)
        copied = pickle.loads(pickle.dumps(model))  # its states go with it
        assert copied.predict(X[:4]).tobytes() == model.predict(X[:4]).tobytes()
        stateful.reset_states()
    assert [v.shape[0] for v in model.weights] == [v.shape[0] for v in plain.weights]


def test_stateful_training_is_the_same_planned_and_eager():
    def trained(**how):
        nnlite.utils.set_random_seed(1)
        model = nnlite.Sequential([Input((5, 3)), LSTM(4, stateful=True), Dense(1)])
        model.compile("adam", "mse", **how)
        model.fit(X, np.ones(12), batch_size=4, epochs=3, shuffle=False, verbose=0)
        return [w.tobytes() for w in model.get_weights()]

    assert trained() == trained(run_eagerly=True) == trained(n_threads=2)


def test_a_stateful_layer_refuses_a_batch_of_another_size():
    layer = GRU(4, stateful=True)
    layer(X[:4])
    with pytest.raises(ValueError, match=r"'gru' \(GRU\): expected a batch of 4 .*, got 5"):
        layer(X[:5])
    layer.reset_states()
    assert layer.states is None and layer(X[:5]).shape == (5, 4)
    assert layer.states[0].shape == (5, 4)
    with pytest.raises(RuntimeError, match="expected stateful=True"):
        GRU(4).reset_states()


@pytest.mark.parametrize(
    "given, got",
    [
        ([np.ones((12, 4))], r"\[\(12, 4\)\]"),
        ([np.ones((12, 4)), np.ones((12, 5))], r"\[\(12, 4\), \(12, 5\)\]"),
        (np.ones((1, 4)), r"\[\(1, 4\)\]"),
    ],
)
def test_first_states_of_another_shape_are_refused(given, got):
    message = rf"initial_state: expected states of shapes \[\(12, 4\), \(12, 4\)\], got {got}"
    with pytest.raises(ValueError, match=rf"^layer 'lstm' \(LSTM\): {message}"):
        LSTM(4)(X, initial_state=given)
    cell = LSTMCell(4)
    with pytest.raises(ValueError, match=rf"^layer 'lstm_cell' .*states of shapes .*, got {got}"):
        cell(X[:, 0], given)
    with pytest.raises(ValueError, match=r"input of shape \(N, 3\), got shape \(12, 2\)"):
        cell(X[:, 0, :2], cell.get_initial_state(12))


def test_states_of_an_encoder_begin_a_decoder():
    x, y = Input((5, 3)), Input((4, 2))
    _, h, c = LSTM(6, return_state=True)(x)
    z = LSTM(6, return_sequences=True)(y, initial_state=[h, c])
    model = nnlite.Model([x, y], Dense(1)(z))
    model.compile("adam", "mse")
    both = [X, X[:, :4, :2]]
    model.fit(both, np.ones((12, 4, 1)), verbose=0, epochs=2)
    first, second = (layer for layer in model.layers if isinstance(layer, LSTM))
    _, h, c = first(X)
    want = second(both[1], initial_state=[h, c])
    last = model.layers[-1](want).numpy()
    np.testing.assert_allclose(model.predict(both), last, rtol=1e-5, atol=1e-6)
    copied = pickle.loads(pickle.dumps(model))
    assert copied.predict(both).tobytes() == model.predict(both).tobytes()


# Keras


@pytest.mark.parametrize("several", [False, True])
def test_keras_trains_a_token_model_to_the_same_weights(several):
    peer = pytest.importorskip("keras", exc_type=ImportError)

    def made(keras, optimizer):
        of = keras.layers
        parts = [of.Input((T,), dtype="int32"), of.Embedding(V, 4, mask_zero=True)]
        parts += [of.LSTM(5, return_sequences=True), of.GRU(4, return_sequences=several)]
        model = keras.Sequential([*parts, of.Dense(3, activation="softmax")])
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    one = made(nnlite, nnlite.optimizers.SGD(0.5, momentum=0.9))
    two = made(peer, peer.optimizers.SGD(0.5, momentum=0.9))
    one.set_weights([RNG.standard_normal(w.shape) * 0.4 for w in one.get_weights()])
    two.set_weights(one.get_weights())
    y = RNG.integers(0, 3, (40, T) if several else 40)
    np.testing.assert_allclose(one.predict(IDS), two.predict(IDS, verbose=0), rtol=1e-4, atol=1e-6)
    how = dict(batch_size=16, epochs=3, shuffle=False, verbose=0)
    ours, theirs = (model.fit(IDS, y, **how).history for model in (one, two))
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5)


def test_embedding_is_built_without_a_shape():
    layer = layers.Embedding(5, 3)
    layer.build()
    assert layer.embeddings.shape == (5, 3) and layer([[1, 2]]).shape == (1, 2, 3)
