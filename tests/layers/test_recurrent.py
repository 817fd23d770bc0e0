"""SimpleRNN, LSTM, GRU, RNN and cells: against the steps in NumPy, and what they promise."""

import copy
import pickle

import numpy as np
import oracle_sequences
import pytest

import nnlite
from nnlite import layers, ops
from nnlite.layers import GRU, LSTM, RNN, Dense, GRUCell, LSTMCell, SimpleRNN, SimpleRNNCell
from nnlite.tree import flatten

KINDS = ["SimpleRNN", "LSTM", "GRU"]
CELL_OF = {"SimpleRNN": SimpleRNNCell, "LSTM": LSTMCell, "GRU": GRUCell}
RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 4, 3))


def drawn(k):
    """Case number k: a kind, settings, sizes (N, T, C, U), a mask or None, states or None."""
    rng = np.random.default_rng(k)
    kind = KINDS[k % 3]
    flags = ["return_sequences", "return_state", "go_backwards", "zero_output_for_mask"]
    s = {name: bool(rng.random() < 0.5) for name in flags}
    s["use_bias"] = bool(rng.random() < 0.8)
    known = ["tanh", "relu", "linear", "softsign", "silu", "softmax"]
    s["activation"] = str(rng.choice(known[: 4 + 2 * (k % 2)]))
    if kind != "SimpleRNN":
        s["recurrent_activation"] = str(rng.choice(["sigmoid", "hard_sigmoid", "tanh"]))
    if kind == "GRU":
        s["reset_after"] = bool(rng.random() < 0.5)
    n, t, c, u = (int(rng.choice(sizes)) for sizes in ([1, 3, 17], [1, 2, 7], [1, 4], [1, 3, 19]))
    mask = rng.random((n, t)) < 0.6 if rng.random() < 0.6 else None
    count = 1 + (kind == "LSTM")
    first = [rng.standard_normal((n, u)) for _ in range(count)] if rng.random() < 0.5 else None
    return kind, s, (n, t, c, u), mask, first


def weighted(layer, shape, seed=0):
    """The layer, built, with random weights of moderate size; and these weights."""
    layer.build(shape)
    rng = np.random.default_rng(seed)
    real = layer.weights[0].dtype
    w = [
        (rng.standard_normal(v.shape) / (1 + v.shape[0]) ** 0.5).astype(real) for v in layer.weights
    ]
    layer.set_weights(w)
    return layer, [v.astype(float) for v in w]


def arrays(result):
    return [y.numpy() for y in flatten(result)]


@pytest.mark.parametrize("k", range(48))
def test_every_option_gives_what_the_steps_give(k, real):
    kind, s, (n, t, c, u), mask, first = drawn(k)
    layer, w = weighted(getattr(layers, kind)(u, **s), (None, t, c))
    x = np.random.default_rng(k).standard_normal((n, t, c)).astype(real)
    states = [f.astype(real).astype(float) for f in first] if first else None
    got = arrays(layer(x, initial_state=first, mask=mask))
    want = oracle_sequences.of(kind, x.astype(float), w, states, mask, **s)
    assert len(got) == len(want) and {y.dtype.name for y in got} == {real}
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=1e-4 if real == "float32" else 1e-11, atol=3e-6)


@pytest.mark.parametrize("k", range(48))
def test_keras_gives_the_same(k):
    peer = pytest.importorskip("keras", exc_type=ImportError)
    kind, s, (n, t, c, u), mask, first = drawn(k)
    layer, w = weighted(getattr(layers, kind)(u, **s), (None, t, c))
    other = getattr(peer.layers, kind)(u, **s)
    other.build((None, t, c))
    other.set_weights(w)
    x = np.random.default_rng(k).standard_normal((n, t, c)).astype("float32")
    states = first and [f.astype("float32") for f in first]
    got = arrays(layer(x, initial_state=states, mask=mask))
    want = other(x, initial_state=states, mask=mask)
    for a, b in zip(got, want if isinstance(want, (list, tuple)) else [want], strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("how", [{}, {"recurrent_activation": "softmax"}], ids=["op", "ops"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_differences(kind, how):
    how = {"activation": "silu"} if how and kind == "SimpleRNN" else how
    options = dict(return_sequences=True, return_state=True, go_backwards=True, **how)
    with nnlite.config.precision("float64"):
        layer, _ = weighted(getattr(layers, kind)(3, **options), (None, 4, 3))
        count = 1 + (kind == "LSTM")
        parts = [nnlite.Variable(RNG.standard_normal((5, 4, 3)), dtype="float64")]
        parts += [
            nnlite.Variable(RNG.standard_normal((5, 3)), dtype="float64") for _ in range(count)
        ]
        mask = RNG.random((5, 4)) < 0.7
        projections = [RNG.standard_normal(shape) for shape in [(5, 4, 3)] + [(5, 3)] * count]

        def value():
            made = layer(parts[0], initial_state=list(parts[1:]), mask=mask)
            total = 0.0
            for y, p in zip(made, projections, strict=True):
                total = total + ops.sum(y * p)
            return total

        moved = [*layer.weights, *parts]
        with nnlite.GradientTape() as tape:
            target = value()
        for v, g in zip(moved, tape.gradient(target, moved), strict=True):
            at, direction, around = v.numpy().copy(), RNG.standard_normal(v.shape), []
            for sign in (1, -1):
                v.assign(at + sign * 1e-5 * direction)
                around.append(value().item())
            v.assign(at)
            expected = (around[0] - around[1]) / 2e-5
            size = np.abs(g.numpy() * direction).sum()
            assert size > 1e-3 and abs((g.numpy() * direction).sum() - expected) < 1e-7 * size


def stacked(**how):
    nnlite.utils.set_random_seed(3)
    parts = [
        layers.Input((6, 3)),
        LSTM(17, return_sequences=True, dropout=0.2, recurrent_dropout=0.3),
        GRU(9, return_sequences=True, reset_after=False),
        RNN([SimpleRNNCell(5), GRUCell(4)], return_sequences=True),
        GRU(3, dropout=0.1),
        Dense(1),
    ]
    model = nnlite.Sequential(parts)
    model.compile(nnlite.optimizers.Adam(0.01), "mse", **how)
    return model


ROWS = RNG.standard_normal((37, 6, 3)).astype("float32")
Y = ROWS.sum(axis=(1, 2))[:, None]


def test_planned_eager_and_any_number_of_threads_train_the_same_bits():
    def trained(**how):
        model = stacked(**how)
        model.fit(ROWS, Y, batch_size=8, epochs=2, verbose=0)
        return [w.tobytes() for w in model.get_weights()], model.predict(ROWS, verbose=0).tobytes()

    assert trained() == trained(run_eagerly=True) == trained(n_threads=1) == trained(n_threads=2)


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "clone"])
def test_copies_predict_and_train_the_same_bits(how):
    model = stacked()
    model.fit(ROWS, Y, batch_size=8, verbose=0)
    if how == "clone":
        other = nnlite.models.clone_model(model)
        other.set_weights(model.get_weights())
        assert not {id(v) for v in other.weights} & {id(v) for v in model.weights}
    else:
        other = pickle.loads(pickle.dumps(model)) if how == "pickle" else copy.deepcopy(model)
    assert other.predict(ROWS, verbose=0).tobytes() == model.predict(ROWS, verbose=0).tobytes()
    if how != "clone":
        for m in (model, other):
            m.fit(ROWS, Y, batch_size=8, verbose=0, shuffle=False)
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("units", [1, 3, 16, 33])
@pytest.mark.parametrize("kind", KINDS)
def test_a_rows_result_does_not_depend_on_the_rows_beside_it(kind, units):
    layer = getattr(layers, kind)(units)
    whole = layer(ROWS).numpy()
    for part in (slice(4, 5), slice(3, 9), slice(20, 37)):
        assert layer(ROWS[part]).numpy().tobytes() == whole[part].tobytes()


# Dropout


def kept(rates, seed, n, c, u):
    """What a training step with a seed multiplies the input and the state by."""
    probe = SimpleRNN(
        max(c, u), "linear", use_bias=False, return_sequences=True, dropout=rates[0], seed=seed
    )
    probe.build((None, 2, c))
    probe.set_weights([np.eye(c, max(c, u)), np.zeros((max(c, u),) * 2)])
    of_x = probe(np.ones((n, 2, c)), training=True).numpy()[..., :c]
    assert np.array_equal(of_x[:, 0], of_x[:, 1])
    return of_x[:, 0]


def test_dropout_is_the_same_in_all_steps_and_none_at_prediction():
    layer = SimpleRNN(64, "linear", return_sequences=True, dropout=0.25, recurrent_dropout=0.5)
    layer.build((None, 3, 64))
    layer.set_weights([np.eye(64), np.eye(64), np.zeros(64)])
    x = np.ones((9, 3, 64))
    y = layer(x, training=True).numpy()
    first, second, third = y[:, 0], y[:, 1], y[:, 2]
    np.testing.assert_allclose(np.unique(first), [0, 4 / 3], rtol=1e-6)
    drop = np.where(first > 0, (second - first) / np.where(first > 0, first, 1), 0)
    np.testing.assert_allclose(np.unique(drop), [0, 2], atol=1e-5)
    np.testing.assert_allclose(third, first + drop * second, rtol=1e-5)
    assert 0.65 < (first > 0).mean() < 0.85 and 0.4 < (drop[first > 0] > 0).mean() < 0.6
    np.testing.assert_allclose(layer(x).numpy()[0, :, 0], [1, 2, 3], rtol=1e-6)
    assert not np.array_equal(layer(x, training=True).numpy(), y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_says_what_is_dropped(kind):
    def run(seed):
        layer = getattr(layers, kind)(6, dropout=0.3, recurrent_dropout=0.3, seed=seed)
        layer, _ = weighted(layer, (None, 4, 3), seed=1)
        return [layer(X, training=True).numpy().tobytes() for _ in range(3)]

    assert run(5) == run(5) != run(6) and len(set(run(5))) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_dropped_inputs_give_what_the_steps_give_without_them(kind, real):
    layer = getattr(layers, kind)(6, dropout=0.4, seed=11)
    layer, w = weighted(layer, (None, 4, 3))
    drop = kept((0.4, 0), 11, 5, 3, 6).astype(float)
    assert 0 < (drop == 0).mean() < 1
    want = oracle_sequences.of(kind, X.astype(real).astype(float), w, drop_x=drop)[0]
    np.testing.assert_allclose(layer(X, training=True).numpy(), want, rtol=1e-4, atol=1e-6)


def test_dropout_of_stacked_cells_is_the_same_in_all_steps():
    cells = [SimpleRNNCell(8, "linear", dropout=0.5, seed=k) for k in (1, 2)]
    layer = RNN(cells, return_sequences=True)
    layer.build((None, 3, 8))
    layer.set_weights([np.eye(8), np.zeros((8, 8)), np.zeros(8)] * 2)
    y = layer(np.ones((4, 3, 8)), training=True).numpy()
    assert set(np.unique(y)) == {0, 4} and (y == y[:, :1]).all()


# Settings of weights


def test_the_forget_gate_begins_open_if_it_is_asked_to():
    for given, middle in ((True, 1), (False, 0)):
        layer = LSTM(3, unit_forget_bias=given)
        layer.build((None, 2, 2))
        bias = layer.get_weights()[2]
        assert (bias[3:6] == middle).all() and (bias[:3] == 0).all() and (bias[6:] == 0).all()


def test_weights_have_the_shapes_and_names_that_they_have_in_keras():
    for cls, wide, bias in ((SimpleRNN, 4, (4,)), (LSTM, 16, (16,)), (GRU, 12, (2, 12))):
        layer = cls(4)
        layer.build((None, 5, 3))
        assert [v.shape for v in layer.weights] == [(3, wide), (4, wide), bias]
        names = [v.name.split("/")[-1] for v in layer.weights]
        assert names == ["kernel", "recurrent_kernel", "bias"]
        recurrent = layer.get_weights()[1]
        np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(4), atol=1e-6)
    plain = GRU(4, reset_after=False)
    plain.build((None, 5, 3))
    assert plain.weights[2].shape == (12,)
    assert len(weighted(GRU(2, use_bias=False), (None, 5, 3))[1]) == 2


def test_regularizers_add_to_the_loss():
    layer = GRU(4, kernel_regularizer="l2", recurrent_regularizer="l1", bias_regularizer="l2")
    layer, w = weighted(layer, (None, 5, 3))
    layer(X[:, :, :3])
    want = 0.01 * ((w[0] ** 2).sum() + np.abs(w[1]).sum() + (w[2] ** 2).sum())
    assert abs(sum(p.item() for p in layer.losses) - want) < 1e-5 and len(layer.losses) == 3


# Cells


class Decay(layers.Layer):
    """A cell of one's own: h = decay * h + x @ w, and a count of the steps."""

    def __init__(self, units, decay=0.5, **kwargs):
        super().__init__(**kwargs)
        self.units, self.decay = units, decay
        self.state_size = [units, 1]
        self.output_size = units

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], self.units), name="w")

    def call(self, inputs, states):
        h, count = states
        h = self.decay * h + ops.matmul(inputs, self.w)
        return h, [h, count + 1.0]


class Doubled(LSTMCell):
    """A cell that changes what LSTMCell computes."""

    def call(self, inputs, states, training=False):
        y, after = super().call(inputs, states, training)
        return y * 2.0, after


def test_a_cell_of_ones_own_goes_through_the_steps_and_passes_over_masked_ones():
    mask = np.array([[1, 1, 1, 1], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
    layer = RNN(Decay(2), return_sequences=True, return_state=True)
    y, h, count = arrays(layer(X, mask=mask))
    w, state, seen = layer.get_weights()[0].astype(float), np.zeros((5, 2)), []
    for t in range(4):
        state = np.where(mask[:, t, None], 0.5 * state + X[:, t] @ w, state)
        seen.append(state)
    np.testing.assert_allclose(y, np.stack(seen, 1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(h, state, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(count[:, 0], mask.sum(1))


def test_a_subclass_of_a_cell_runs_its_own_call():
    one, two = RNN(LSTMCell(3), return_sequences=True), RNN(Doubled(3), return_sequences=True)
    one.build((None, 4, 3)), two.build((None, 4, 3))
    two.set_weights(one.get_weights())
    np.testing.assert_allclose(two(X).numpy(), 2 * one(X).numpy(), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_in_rnn_is_the_layer_and_its_steps_are_the_layers(kind):
    layer, w = weighted(getattr(layers, kind)(4, return_sequences=True), (None, 4, 3))
    cell, around = CELL_OF[kind](4), RNN(CELL_OF[kind](4), return_sequences=True)
    cell.build((None, 3)), around.build((None, 4, 3))
    cell.set_weights(w), around.set_weights(w)
    whole = layer(X).numpy()
    assert around(X).numpy().tobytes() == whole.tobytes()
    states = cell.get_initial_state(batch_size=5)
    assert len(states) == 1 + (kind == "LSTM") and not states[0].numpy().any()
    for t in range(4):
        y, states = cell(X[:, t], states)
        np.testing.assert_allclose(y.numpy(), whole[:, t], rtol=1e-5, atol=1e-6)
    if kind != "LSTM":
        y, state = cell(X[:, 0], ops.zeros((5, 4)))
        assert state.shape == (5, 4) and np.array_equal(y.numpy(), state.numpy())


def test_stacked_cells_are_layers_one_after_another():
    cells = [LSTMCell(3), Decay(2), GRUCell(4)]
    together = RNN(cells, return_sequences=True, return_state=True)
    alone = [RNN(copy.deepcopy(cell), return_sequences=True, return_state=True) for cell in cells]
    together.build((None, 4, 3))
    mask = RNG.random((5, 4)) < 0.6
    y, *states = arrays(together(X, mask=mask))
    assert together.cell.state_size == [[3, 3], [2, 1], 4] and together.cell.output_size == 4
    x, found, left = X, [], together.get_weights()
    for layer, count in zip(alone, (3, 1, 3)):
        layer.build((None, 4, x.shape[-1]))
        layer.set_weights(left[:count])
        left = left[count:]
        x, *after = arrays(layer(x, mask=mask))
        found += after
    for a, b in zip([y, *states], [x, *found], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    step, after = together.cell(X[:, 0], together.cell.get_initial_state(5))
    assert step.shape == (5, 4) and shapes(after) == [[(5, 3)] * 2, [(5, 2), (5, 1)], (5, 4)]


def shapes(states):
    return [tuple(s.shape) if hasattr(s, "shape") else shapes(s) for s in states]


@pytest.mark.parametrize("stateful", [False, True])
def test_states_of_stacked_cells_stand_in_lists_like_state_size(stateful):
    cells = [LSTMCell(3), RNN([GRUCell(2), Decay(2)]).cell, GRUCell(4)]
    layer = RNN(cells, return_state=True, stateful=stateful)
    assert layer.cell.state_size == [[3, 3], [2, [2, 1]], 4]
    _, *states = layer(X)
    expected = [[(5, 3)] * 2, [(5, 2), [(5, 2), (5, 1)]], (5, 4)]
    assert shapes(states) == shapes(layer.get_initial_state(5)) == expected
    assert layer.compute_output_shape((5, 4, 3)) == [(5, 4), *expected]
    assert not stateful or shapes(layer.states) == expected
    symbols = layer(nnlite.Input((4, 3), batch_size=5))[1:]
    assert shapes(symbols) == expected
    again = RNN(cells)
    for given in (states, flatten(states)):
        np.testing.assert_array_equal(
            again(X, initial_state=given).numpy(), layer(X, initial_state=given)[0].numpy()
        )
    with pytest.raises(ValueError, match="initial_state: expected states of shapes"):
        again(X, initial_state=states[:2])


# Settings of Keras 2


@pytest.mark.parametrize("kind", [*KINDS, *CELL_OF.values()])
def test_settings_that_only_keras_2_had_change_nothing(kind):
    made = getattr(layers, kind) if isinstance(kind, str) else kind
    config = {**made(3, name="a").get_config(), "implementation": 2, "time_major": False}
    assert made.from_config(config).get_config() == made(3, name="a").get_config()
    with pytest.raises(ValueError, match=r"time_major: expected False, .*, got True"):
        made(3, time_major=True)
    again = RNN(SimpleRNNCell(3), time_major=False)
    assert layers.deserialize(
        {"class_name": "RNN", "config": {**layers.serialize(again)["config"], "time_major": False}}
    ).get_config()


# Learning


@pytest.mark.parametrize("kind", KINDS)
def test_fit_learns_whether_a_sum_is_positive(kind):
    nnlite.utils.set_random_seed(0)
    x = RNG.standard_normal((600, 8, 1)).astype("float32")
    y = (x.sum(axis=(1, 2)) > 0).astype(int)
    model = nnlite.Sequential([getattr(layers, kind)(8), Dense(1, "sigmoid")])
    model.compile(nnlite.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x[:400], y[:400], epochs=20, verbose=0)
    assert model.evaluate(x[400:], y[400:], verbose=0)[1] > 0.9
