"""ConvLSTM1D, ConvLSTM2D, ConvLSTM3D: masks, states, dropout, training, files; what they compute is
in `test_layers.py`."""

import numpy as np
import pytest
from teams import team_of

import nnlite
from nnlite import layers
from nnlite.diagnosis.gradients import gradcheck
from nnlite.layers import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5, 4, 2)).astype("float32")


def built(*more, **options):
    """A layer of two filters that has seen X."""
    layer = ConvLSTM2D(2, 3, *more, padding="same", bias_initializer="uniform", **options)
    layer(X)
    return layer


def test_a_masked_step_is_passed_over():
    layer = built(return_sequences=True, return_state=True)
    mask = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 1]])
    outputs, h, c = layer(X, mask=mask)
    for k, on in enumerate(mask.astype(bool)):
        y, after, cell = layer(X[k : k + 1, on])
        np.testing.assert_array_equal(outputs.numpy()[k][on], y.numpy()[0])
        np.testing.assert_array_equal(h.numpy()[k], after.numpy()[0])
        np.testing.assert_array_equal(c.numpy()[k], cell.numpy()[0])
    assert not outputs.numpy()[1, :2].any()  # before the first step that counts
    np.testing.assert_array_equal(outputs.numpy()[1, 3], outputs.numpy()[1, 2])
    layer.zero_output_for_mask = True
    assert not layer(X, mask=mask)[0].numpy()[1, 3].any()


@pytest.mark.parametrize("backwards", [False, True])
def test_states_that_are_given_on_give_what_the_whole_sequence_gives(backwards):
    layer = built(return_state=True, go_backwards=backwards)
    halves = (X[:, 2:], X[:, :2]) if backwards else (X[:, :2], X[:, 2:])
    _, *states = layer(halves[0])
    for found, expected in zip(layer(halves[1], initial_state=states), layer(X), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
    mask = np.array([[0, 1], [1, 1], [1, 0]])
    y = built(return_sequences=True)(halves[1], initial_state=states, mask=mask)
    assert not y.numpy()[0, 0].any() and y.numpy()[2, 1].any()


def test_a_stateful_layer_goes_on_from_batch_to_batch():
    layer = built()
    kept = ConvLSTM2D(2, 3, padding="same", stateful=True)
    kept.build(X.shape)
    kept.set_weights(layer.get_weights())
    kept(X[:, :2])
    np.testing.assert_allclose(kept(X[:, 2:]).numpy(), layer(X).numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"expected a batch of 3 samples, .* got 2"):
        kept(X[:2])
    kept.reset_states()
    np.testing.assert_array_equal(kept(X).numpy(), layer(X).numpy())


@pytest.mark.parametrize("first", [False, True])
def test_what_is_dropped_is_the_same_in_all_steps_and_another_for_each_gate(first):
    n, channels = 50, 2
    layer = ConvLSTM1D(
        *(channels, 1),
        data_format="channels_first" if first else "channels_last",
        activation="linear",
        recurrent_activation="linear",
        return_sequences=True,
        return_state=True,
        dropout=0.25,
        recurrent_dropout=0.5,
        unit_forget_bias=False,
    )
    shape = (n, 2, channels, 3) if first else (n, 2, 3, channels)
    layer.build(shape)
    eye = np.tile(np.eye(channels), 4)[None]
    layer.set_weights([eye, np.zeros_like(eye), np.zeros(4 * channels)])
    outputs, h, _ = layer(np.ones(shape), training=True)
    # Without a state, c after one step is i * g, after two f * c + i * g; h is o * c.
    one = outputs.numpy()[:, 0] > 0
    assert 0.33 < one.mean() < 0.52  # of i, g and o: 0.75 ** 3 = 0.42; of one drop it were 0.75
    twice = h.numpy()[one] / outputs.numpy()[:, 0][one]
    assert {round(float(v), 3) for v in twice} == {
        1,
        2.333,
    }  # f is dropped or 4 / 3; the rest stays
    assert 0.65 < (twice > 2).mean() < 0.85
    layer.set_weights([0 * eye, eye, np.ones(4 * channels)])
    outputs = layer(np.ones(shape), training=True)[0].numpy()
    found = {round(float(v)) for v in outputs[:, 1].ravel()}  # o * (f + i * g), of 1 and 3
    assert found == {2, 4, 6, 10, 12, 18, 30, 36} and np.ptp(outputs[:, 0]) == 0
    assert np.ptp(layer(np.ones(shape))[0].numpy()[:, 1]) == 0  # a prediction drops nothing


def test_gradients_are_those_of_differences():
    for layer, shape in [
        (ConvLSTM1D(2, 3, padding="same", strides=2, return_sequences=True), (2, 3, 5, 2)),
        (ConvLSTM2D(2, 2, activation="silu", go_backwards=True), (2, 3, 3, 4, 2)),
        (ConvLSTM3D(1, 2, data_format="channels_first"), (2, 2, 1, 3, 2, 2)),
    ]:
        gradcheck(layer, RNG.normal(size=shape))


def network():
    nnlite.utils.set_random_seed(0)
    return nnlite.Sequential(
        [
            layers.Input(X.shape[1:]),
            ConvLSTM2D(3, 3, return_sequences=True, dropout=0.2, recurrent_dropout=0.1),
            layers.Bidirectional(ConvLSTM2D(2, 2, padding="same")),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def test_networks_have_the_same_bits_on_any_number_of_threads_and_eagerly_and_from_files(tmp_path):
    def trained(**how):
        model = network()
        model.compile("adam", "mse", **how)
        model.fit(X, X[:, 0, 0, 0, 0], epochs=3, batch_size=2, shuffle=False, verbose=0)
        return model

    expected = trained(run_eagerly=True)
    for threads in (1, 2):
        with team_of(threads):
            found = trained(n_threads=threads)
        assert all(map(np.array_equal, found.get_weights(), expected.get_weights()))
    path = tmp_path / "m.safetensors"
    found.save(path)
    again = nnlite.models.load_model(path).predict(X, verbose=0)
    np.testing.assert_array_equal(again, found.predict(X, verbose=0))


def test_sizes_of_a_step_are_known_before_states_are():
    with pytest.raises(ValueError, match=r"known sizes of a step, .* got shape \(None, 4, 2\)"):
        ConvLSTM2D(2, 3)(layers.Input((None, None, 4, 2)))
    assert ConvLSTM2D(2, 3)(layers.Input((None, 5, 4, 2))).shape == (None, 3, 2, 2)
    with pytest.raises(RuntimeError, match="expected it to be built: its states have the size of"):
        ConvLSTM2D(2, 3).get_initial_state(4)
    states = built().get_initial_state(4)
    assert [s.shape for s in states] == [(4, 5, 4, 2)] * 2
    with pytest.raises(
        ValueError, match=r"initial_state: expected states of shapes \[\(3, 5, 4, 2"
    ):
        built()(X, initial_state=states)


SETTINGS = [
    {},
    {"padding": "same", "strides": 2, "return_sequences": True},
    {"data_format": "channels_first", "go_backwards": True, "return_state": True},
    {"dilation_rate": 2, "padding": "same", "recurrent_activation": "hard_sigmoid"},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_keras_gives_the_same(rank, settings):
    peer = pytest.importorskip("keras", exc_type=ImportError)
    kind, x = f"ConvLSTM{rank}D", RNG.normal(size=(2, 3, *(4, 5, 4)[:rank], 3)).astype("float32")
    mask = np.array([[False, True, True], [True, False, True]])
    ours, theirs = (
        getattr(layers, kind)(2, 2, **settings),
        getattr(peer.layers, kind)(2, 2, **settings),
    )
    ours.build(x.shape)
    theirs.build(x.shape)
    names = [w.name for w in theirs.weights]
    assert [w.name.split("/")[-1] for w in ours.weights] == names and ours.name in theirs.name
    theirs.set_weights(ours.get_weights())
    for more in ({}, {"mask": mask}):
        found, expected = ours(x, **more), theirs(x, **more)
        found = found if isinstance(found, list) else [found]
        expected = expected if isinstance(expected, (list, tuple)) else [expected]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-5, atol=1e-6)


def test_files_go_both_ways_between_keras_and_here(tmp_path):
    peer = pytest.importorskip("keras", exc_type=ImportError)
    model = network()
    model.save(tmp_path / "ours.keras")
    theirs = peer.models.load_model(tmp_path / "ours.keras")
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(np.asarray(theirs(X)), expected, rtol=1e-4, atol=1e-5)
    theirs.save(tmp_path / "theirs.keras")
    again = nnlite.models.load_model(tmp_path / "theirs.keras")
    np.testing.assert_array_equal(again.predict(X, verbose=0), expected)
