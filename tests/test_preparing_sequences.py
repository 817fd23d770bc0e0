"""Sequences are padded, cut into windows and paired as in Keras; what would be lost is refused."""

import json
import random

import numpy as np
import pytest

import nnlite
from nnlite.preprocessing import sequence
from nnlite.preprocessing.sequence import TimeseriesGenerator, pad_sequences, skipgrams

RAGGED = [[1], [1, 2], [1, 2, 3]]


@pytest.mark.parametrize(
    ("sequences", "settings", "expected"),
    [
        (RAGGED, {}, [[0, 0, 1], [0, 1, 2], [1, 2, 3]]),
        (RAGGED, {"padding": "post"}, [[1, 0, 0], [1, 2, 0], [1, 2, 3]]),
        (RAGGED, {"maxlen": 2}, [[0, 1], [1, 2], [2, 3]]),
        (RAGGED, {"maxlen": 2, "truncating": "post"}, [[0, 1], [1, 2], [1, 2]]),
        (RAGGED, {"maxlen": 4, "value": 9}, [[9, 9, 9, 1], [9, 9, 1, 2], [9, 1, 2, 3]]),
        ([[], [2.5]], {"dtype": "float32", "value": -1.5}, [[-1.5], [2.5]]),
        ([[], []], {"maxlen": 2}, [[0, 0], [0, 0]]),
        ([[[1, 2]], [[3, 4], [5, 6]]], {}, [[[0, 0], [1, 2]], [[3, 4], [5, 6]]]),
        ([["a"], ["b", "cd"]], {"dtype": object, "value": ""}, [["", "a"], ["b", "cd"]]),
        ([["a"], ["b", "c"]], {"dtype": "<U3", "value": "pad"}, [["pad", "a"], ["b", "c"]]),
        (np.array([[1, 2]]), {"maxlen": 1}, [[2]]),
    ],
)
def test_sequences_get_one_length(sequences, settings, expected):
    padded = pad_sequences(sequences, **settings)
    assert padded.tolist() == expected
    assert padded.dtype == np.dtype(settings.get("dtype", "int32"))


def test_no_sequences_and_only_empty_ones():
    assert pad_sequences([]).shape == (0, 0)
    assert pad_sequences([[], []]).shape == (2, 0)


@pytest.mark.parametrize(
    ("sequences", "settings", "message"),
    [
        ([[1.5]], {}, "sequences: expected what dtype='int32' holds, got 1.5; dtype='float32'"),
        ([[np.nan]], {}, "sequences: expected what dtype='int32' holds, got nan"),
        ([[2**40]], {}, "sequences: expected what dtype='int32' holds, got 1099511627776"),
        ([[2**70]], {}, "sequences: expected what dtype='int32' holds"),
        ([[None]], {}, "sequences: expected what dtype='int32' holds"),
        ([[1]], {"value": 0.5}, "value: expected what dtype='int32' holds, got 0.5"),
        ([["a"]], {"value": "pad"}, "value: .*'int32' holds, got 'pad'; dtype=object holds str"),
        ([["abcd"]], {"dtype": "<U3", "value": ""}, "got 'abcd'; dtype=object does"),
        ([[1], 2], {}, "sequences: expected sequences, got 2 as number 1"),
        (["ab"], {}, "sequences: expected sequences, got 'ab' as number 0"),
        (5, {}, "sequences: expected a list of sequences, got 5"),
        ([[1], [[1, 2]]], {}, r"of one shape, got \(\) and, in sequence 1, \(2,\)"),
        ([[[1], [1, 2]]], {}, "of one shape, got several in sequence 0"),
        ([[1]], {"maxlen": 0}, "maxlen: expected a positive integer, got 0"),
        ([[1]], {"padding": "left"}, "padding: expected 'pre' or 'post', got 'left'"),
        ([[1]], {"truncating": "left"}, "truncating: expected 'pre' or 'post', got 'left'"),
    ],
)
def test_what_cannot_be_padded_is_refused(sequences, settings, message):
    with pytest.raises(ValueError, match=message):
        pad_sequences(sequences, **settings)


SERIES = np.arange(20)


@pytest.mark.parametrize(
    ("settings", "windows", "targets"),
    [
        ({"length": 3}, [[0, 1, 2], [1, 2, 3]], [3, 4]),
        ({"length": 5, "sampling_rate": 2}, [[0, 2, 4], [1, 3, 5]], [5, 6]),
        ({"length": 2, "stride": 3}, [[0, 1], [3, 4]], [2, 5]),
        ({"length": 2, "start_index": 4}, [[4, 5], [5, 6]], [6, 7]),
        ({"length": 3, "reverse": True}, [[2, 1, 0], [3, 2, 1]], [3, 4]),
    ],
)
def test_windows_of_a_series(settings, windows, targets):
    x, y = TimeseriesGenerator(SERIES, 10 * SERIES, batch_size=2, **settings)[0]
    assert x.tolist() == windows and y.tolist() == [10 * t for t in targets]


@pytest.mark.parametrize(
    "settings", [{}, {"stride": 3}, {"end_index": 11}, {"start_index": 9, "batch_size": 5}]
)
def test_batches_have_each_target_once(settings):
    data = TimeseriesGenerator(SERIES, SERIES, length=2, **{"batch_size": 4, **settings})
    last = settings.get("end_index", 19)
    expected = range(2 + settings.get("start_index", 0), last + 1, settings.get("stride", 1))
    assert np.concatenate([data[k][1] for k in range(len(data))]).tolist() == list(expected)
    assert data[-1][1].tolist() == data[len(data) - 1][1].tolist()
    with pytest.raises(IndexError):
        data[len(data)]


def test_windows_are_drawn_at_random_from_the_seed():
    def draw():
        nnlite.utils.set_random_seed(4)
        data = TimeseriesGenerator(SERIES, SERIES, 3, shuffle=True, batch_size=8)
        return [data[k] for k in range(len(data))]

    (x, y), again = draw()[0], draw()[0]
    np.testing.assert_array_equal(x, again[0])
    np.testing.assert_array_equal(x + np.array([3, 2, 1]), np.repeat(y[:, None], 3, 1))
    assert (np.diff(y) < 0).any()


def test_fit_takes_windows():
    series = np.sin(np.arange(300) / 5).astype("float32")
    windows = TimeseriesGenerator(series[:, None], series, length=10, batch_size=32)
    model = nnlite.Sequential([nnlite.layers.Flatten(), nnlite.layers.Dense(1)])
    model.compile(nnlite.optimizers.Adam(0.05), "mse")
    losses = model.fit(windows, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]
    assert model.predict(windows, verbose=0).shape == (290, 1)


def test_settings_of_windows_as_json():
    config = json.loads(TimeseriesGenerator(SERIES, list(range(20)), 3).to_json())
    assert config["class_name"] == "TimeseriesGenerator"
    assert json.loads(config["config"]["data"]) == json.loads(config["config"]["targets"])
    with pytest.raises(TypeError, match="data: expected an array or a list"):
        TimeseriesGenerator(range(20), SERIES, 3).to_json()


@pytest.mark.parametrize(
    ("args", "settings", "message"),
    [
        ((SERIES, SERIES[1:], 2), {}, "targets: expected one for each of the 20 steps .* got 19"),
        ((SERIES, SERIES, 20), {}, "length: expected at most 19, .* got 20"),
        ((SERIES, SERIES, 0), {}, "length: expected a positive integer, got 0"),
        ((SERIES, SERIES, 2), {"stride": 0}, "stride: expected a positive integer"),
        ((SERIES, SERIES, 2), {"end_index": 20}, r"end_index: expected an integer in \[0, 19\]"),
        ((SERIES, SERIES, 2), {"start_index": -1}, "start_index: expected an integer"),
    ],
)
def test_windows_that_cannot_be_are_refused(args, settings, message):
    with pytest.raises(ValueError, match=message):
        TimeseriesGenerator(*args, **settings)


def test_pairs_of_neighbours_and_of_random_words():
    couples, labels = skipgrams([1, 0, 2, 3], 9, window_size=2, negative_samples=2, seed=1)
    near = sorted(c for c, label in zip(couples, labels) if label)
    assert near == [[1, 2], [2, 1], [2, 3], [3, 2]]
    assert len(labels) == 12 and sum(labels) == 4 and labels != sorted(labels)
    assert all(1 <= word < 9 for couple in couples for word in couple)
    assert (couples, labels) == skipgrams([1, 0, 2, 3], 9, 2, 2, seed=1)
    assert couples != skipgrams([1, 0, 2, 3], 9, 2, 2, seed=2)[0]
    assert skipgrams([1, 2], 3, 1, 1, False, True)[1] == [[0, 1], [0, 1], [1, 0], [1, 0]]
    assert skipgrams([1, 2], 3, sampling_table=[0, 0, 0]) == ([], [])


@pytest.mark.parametrize(
    ("args", "settings", "message"),
    [
        (([5], 5), {}, r"sequence: expected integers in \[0, 5\), got 5"),
        (([-1], 5), {}, r"sequence: expected integers in \[0, 5\), got -1"),
        (([1], 5), {"sampling_table": [1]}, "sampling_table: expected a chance for .* up to 1"),
        (([0], 1), {}, "vocabulary_size: expected at least 2, got 1"),
        (([1], 5), {"negative_samples": -1}, r"negative_samples: expected a number in \[0, inf\)"),
    ],
)
def test_pairs_that_cannot_be_are_refused(args, settings, message):
    with pytest.raises(ValueError, match=message):
        skipgrams(*args, **settings)


def test_the_same_as_keras():
    keras = pytest.importorskip("keras.src.legacy.preprocessing.sequence")
    pad = pytest.importorskip("keras").utils.pad_sequences
    for padding in sequence.SIDES:
        for truncating in sequence.SIDES:
            settings = {"maxlen": 2, "padding": padding, "truncating": truncating}
            np.testing.assert_array_equal(
                pad_sequences(RAGGED, **settings), pad(RAGGED, **settings)
            )
    np.testing.assert_allclose(
        sequence.make_sampling_table(50, 1e-3), keras.make_sampling_table(50, 1e-3), rtol=1e-14
    )
    words = np.random.default_rng(0).integers(0, 40, 60).tolist()
    settings = {"sampling_table": [0.7] * 40, "shuffle": False, "negative_samples": 1.5}
    drawn = []
    for function in (skipgrams, keras.skipgrams):
        random.seed(3)
        drawn.append(function(words, 40, **settings))
    assert drawn[0] == drawn[1]
    for settings in ({}, {"sampling_rate": 2, "stride": 3}, {"start_index": 3, "end_index": 15}):
        ours = TimeseriesGenerator(SERIES, SERIES, 4, batch_size=3, **settings)
        theirs = keras.TimeseriesGenerator(SERIES, SERIES, 4, batch_size=3, **settings)
        assert len(ours) == len(theirs)
        for k in range(len(ours)):
            for mine, other in zip(ours[k], theirs[k]):
                np.testing.assert_array_equal(mine, other)
