"""Labels whose times are not known: what decoding finds, and that a network learns them."""

import itertools

import numpy as np
import pytest
from oracle_ctc import of_row

import nnlite
from nnlite import layers, ops


def said(path, blank):
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


def test_greedy_decoding_takes_the_best_class_of_each_step():
    best = np.array([[1, 1, 0, 1, 2, 2], [0, 0, 2, 2, 2, 1]])
    logits = np.eye(3)[best] * 5.0
    labels, scores = ops.ctc_decode(logits, [6, 4])
    assert labels.numpy().tolist() == [[[1, 1, 2, -1, -1, -1], [2, -1, -1, -1, -1, -1]]]
    np.testing.assert_allclose(scores.numpy(), [[-30.0], [-20.0]])
    labels, _ = ops.ctc_decode(logits, [6, 4], merge_repeated=False, mask_index=2)
    assert labels.numpy().tolist() == [[[1, 1, 0, 1, -1, -1], [0, 0, -1, -1, -1, -1]]]


@pytest.mark.parametrize("blank", [0, 2])
def test_beam_search_with_enough_beams_finds_the_most_probable_labels(blank):
    logits = np.random.default_rng(blank).normal(size=(4, 3))
    every = {said(p, blank) for p in itertools.product(range(3), repeat=4)}
    scored = sorted(((-of_row(logits, labels, blank)[0], labels) for labels in every), reverse=True)
    labels, scores = ops.ctc_decode(
        logits[None], [4], strategy="beam_search", top_paths=3, mask_index=blank
    )
    for k, (score, want) in enumerate(scored[:3]):
        assert labels.numpy()[k, 0].tolist() == [*want, *[-1] * (4 - len(want))]
        assert scores.numpy()[0, k] == pytest.approx(score, rel=1e-5)


def test_a_network_learns_when_labels_come():
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 4, (200, 3))
    x = np.zeros((200, 12, 3), np.float32)
    for row, given in zip(x, labels):
        starts = np.sort(rng.choice(np.arange(0, 12, 2), 3, replace=False))
        row[starts, given - 1] = 1.0
    nnlite.utils.set_random_seed(0)
    model = nnlite.Sequential(
        [layers.Conv1D(16, 3, padding="same", activation="relu"), layers.Dense(4)]
    )
    model.compile(nnlite.optimizers.Adam(0.01), "ctc")
    losses = model.fit(x, labels, epochs=20, verbose=0).history["loss"]
    found, _ = ops.ctc_decode(model.predict(x, verbose=0), [12] * 200)
    right = (found.numpy()[0, :, :3] == labels).all(axis=1).mean()
    assert losses[-1] < 0.1 * losses[0] and right > 0.9


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([[1]], np.zeros((1, 2)), [1], [2]), "output: expected logits of shape"),
        (([1], np.zeros((1, 2, 3)), [1], [2]), r"target: expected shape \(1, labels\), got \(1,\)"),
        (([[1]], np.zeros((1, 2, 3)), [[1]], [2]), r"target_length: expected shape \(1,\)"),
        (([[1]], np.zeros((1, 2, 3)), [1], [2], 3), "mask_index: expected one of 3 classes, got 3"),
        (([[0]], np.zeros((1, 2, 3)), [1], [2]), "ctc_loss: the label or index 0 at position 0"),
        (([[1]], np.zeros((1, 2, 3)), [1], [3]), "ctc_loss: the label or index at position 0"),
        (([[1.5]], np.zeros((1, 2, 3)), [1], [2]), "ctc_loss: target: expected integers"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ops.ctc_loss(*arguments)


def test_the_loss_names_what_does_not_fit():
    with pytest.raises(ValueError, match="ctc: y_pred: expected logits of shape"):
        nnlite.losses.CTC()([[1]], [[0.0, 1.0]])


@pytest.mark.parametrize(
    "length, options, message",
    [
        (2, {"strategy": "best"}, "strategy: expected 'greedy' or"),
        (3, {}, r"sequence_lengths: expected numbers in \[0, 2\], got 3"),
        (-1, {}, r"sequence_lengths: expected numbers in \[0, 2\], got -1"),
        (2, {"mask_index": 3}, "mask_index: expected one of 3 classes, got 3"),
        (2, {"strategy": "beam_search", "beam_width": 0}, "beam_width: expected a positive"),
        (2, {"strategy": "beam_search", "top_paths": -1}, "top_paths: expected a positive"),
    ],
)
def test_decoding_names_what_does_not_fit(length, options, message):
    with pytest.raises(ValueError, match=f"^ctc_decode: {message}"):
        ops.ctc_decode(np.zeros((1, 2, 3)), [length], **options)
