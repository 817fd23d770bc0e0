"""Datasets of files and of windows of series, and parts of them: what fit takes and loops see."""

import os

import numpy as np
import pytest

import nnlite
from nnlite.data.dataset import Dataset
from nnlite.preprocessing import timeseries_dataset_from_array
from nnlite.utils import normalize, split_dataset, text_dataset_from_directory


@pytest.fixture
def folder(tmp_path):
    """Two classes, 'good' with a folder in its folder, and files that are none of theirs."""
    texts = {"bad/1.txt": "dull", "good/1.txt": "über", "good/b/2.TXT": "fine film\n", "x.txt": "x"}
    texts |= {f"bad/{k}.txt": f"bad {k}" for k in range(2, 8)}
    texts |= {"bad/notes.md": "no"}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def texts_of(data):
    """All texts and labels."""
    batches = [batch if isinstance(batch, tuple) else (batch, None) for batch in data]
    texts = [t for b, _ in batches for t in (b.tolist() if b.ndim else [b.item()])]
    return texts, [label.numpy().tolist() for _, label in batches if label is not None]


def test_texts_have_the_numbers_of_their_folders(folder, capsys):
    (folder / ".hidden").mkdir()
    data = text_dataset_from_directory(folder, batch_size=4, shuffle=False)
    texts, labels = texts_of(data)
    assert texts == ["dull", *(f"bad {k}" for k in range(2, 8)), "über", "fine film\n"]
    assert labels == [[0] * 4, [0, 0, 0, 1], [1]] and len(data) == 3
    assert data.class_names == ["bad", "good"] and data.file_paths[0] == f"{folder}/bad/1.txt"
    assert capsys.readouterr().out == "Found 9 files belonging to 2 classes.\n"


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ({"label_mode": "binary"}, [[1.0], [1.0], [0.0]]),
        ({"label_mode": "categorical"}, [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]),
        ({"label_mode": None}, []),
        ({"labels": None, "class_names": None}, []),
    ],
)
def test_labels_of_each_mode(settings, labels, folder):
    settings = {"class_names": ["good", "bad"], **settings}
    settings["class_names"] = None if not labels else ["bad", "good"]
    data = text_dataset_from_directory(folder, shuffle=False, verbose=False, **settings)
    texts, found = texts_of(data)
    if labels:
        assert found[0][-2:] + found[0][:1] == labels and len(texts) == 9
    else:
        assert found == [] and len(texts) == 10 and data.class_names is None


def test_labels_and_order_of_classes_can_be_given(folder):
    data = text_dataset_from_directory(
        folder, class_names=["good", "bad"], shuffle=False, verbose=False
    )
    assert texts_of(data)[1] == [[0, 0] + [1] * 7]
    data = text_dataset_from_directory(folder, [3] * 9 + [5], shuffle=False, verbose=False)
    assert texts_of(data)[1] == [[3] * 9 + [5]] and data.class_names == ["3", "5"]


def test_texts_are_cut_and_come_alone(folder):
    data = text_dataset_from_directory(
        folder, batch_size=None, max_length=3, label_mode=None, shuffle=False, verbose=False
    )
    assert sorted(texts_of(data)[0]) == sorted(["dul", *["bad"] * 6, "übe", "fin", "x"])
    assert len(data) == 10 and len(list(data.batch(4))) == 3


def test_each_pass_has_another_order_that_follows_from_the_seed(folder):
    def passes(seed):
        data = text_dataset_from_directory(folder, seed=seed, verbose=False)
        return [texts_of(data)[0] for _ in range(2)]

    first, second = passes(1)
    assert first != second and sorted(first) == sorted(second)
    assert [first, second] == passes(1) != passes(2)


def test_parts_do_not_overlap(folder):
    settings = {"validation_split": 0.3, "verbose": False, "seed": 4}
    both = text_dataset_from_directory(folder, subset="both", **settings)
    texts = [sorted(texts_of(data)[0]) for data in both]
    assert [len(t) for t in texts] == [7, 2] and len({*texts[0], *texts[1]}) == 9
    for subset, expected in zip(("training", "validation"), texts):
        data = text_dataset_from_directory(folder, subset=subset, **settings)
        assert sorted(texts_of(data)[0]) == expected


def test_texts_go_through_map_to_fit(folder):
    data = text_dataset_from_directory(folder, batch_size=3, verbose=False)
    rows = data.map(lambda texts, labels: (np.array([[t.count("bad")] for t in texts]), labels))
    model = nnlite.Sequential([nnlite.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    assert len(model.fit(rows, epochs=2, verbose=0).history["loss"]) == 2
    (row,) = data.unbatch().take(1)
    assert isinstance(row[0], str) and row[1].shape == ()


def test_objects_that_are_no_texts_are_refused_as_before():
    texts = Dataset.from_tensor_slices((["a", "bc"], [b"d", b"e"])).batch(2)
    assert [tuple(map(list, batch)) for batch in texts] == [(["a", "bc"], [b"d", b"e"])]
    with pytest.raises(TypeError, match="expected numbers"):
        list(Dataset.from_generator(lambda: [np.array([None, "a"], object)]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": "other"}, "labels: expected 'inferred', None or a list .* got 'other'"),
        ({"labels": [0, 1]}, "labels: expected one for each of the 10 files in .* got 2"),
        ({"labels": [0.5] * 10}, r"labels: expected an integer in \[0, inf\), got 0.5"),
        ({"labels": [0, 7] * 5, "label_mode": "categorical"}, r"labels: .* in \[0, 2\), got 7"),
        ({"labels": [0] * 10, "class_names": ["a"]}, "class_names: expected None unless"),
        ({"label_mode": "other"}, "label_mode: expected 'int', 'categorical', .* got 'other'"),
        ({"class_names": ["good", "ugly"]}, r"class_names: expected some of \['bad', 'good'\]"),
        ({"class_names": ["good"], "label_mode": "binary"}, "label_mode: expected 2 classes"),
        ({"validation_split": 2, "subset": "both"}, r"validation_split: .* in \(0, 1\), got 2"),
        ({"subset": "both"}, "validation_split: expected it beside subset"),
        ({"validation_split": 0.5}, "validation_split: expected it beside subset"),
        ({"validation_split": 0.5, "subset": "test"}, "subset: expected 'training', 'validation'"),
        ({"validation_split": 0.5, "subset": "training"}, "seed: expected a number, so that"),
        ({"validation_split": 0.01, "subset": "both"}, "validation_split: expected files for val"),
        ({"batch_size": 0}, "batch_size: expected a positive integer"),
        ({"directory": "nowhere"}, "directory: expected a folder, got 'nowhere'"),
    ],
)
def test_folders_that_do_not_fit_are_refused(settings, message, folder):
    with pytest.raises(ValueError, match=message):
        text_dataset_from_directory(**{"directory": folder, **settings})


def test_no_files_and_no_text_are_named(folder):
    (folder / "bad" / "1.txt").write_bytes(b"\xff\xfe")
    data = text_dataset_from_directory(folder, verbose=False)
    with pytest.raises(ValueError, match=r"bad.1\.txt: expected UTF-8"):
        list(data)
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match=r"directory: expected files \*\.txt, got none"):
        text_dataset_from_directory(folder / "empty")


def test_links_are_gone_into_if_asked(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "3.txt").write_text("linked")
    os.symlink(other, folder / "good" / "link")
    for follow, count in ((False, 9), (True, 10)):
        data = text_dataset_from_directory(folder, follow_links=follow, verbose=False)
        assert len(texts_of(data)[0]) == count


SERIES = np.arange(20)


@pytest.mark.parametrize(
    ("settings", "starts"),
    [
        ({}, range(18)),
        ({"sequence_stride": 4}, range(0, 18, 4)),
        ({"sampling_rate": 3}, range(14)),
        ({"start_index": 5, "end_index": 12}, range(5, 10)),
        ({"start_index": 2, "sequence_stride": 3, "sampling_rate": 2}, range(2, 16, 3)),
    ],
)
def test_windows_begin_where_they_should(settings, starts):
    data = timeseries_dataset_from_array(SERIES, 10 * SERIES, 3, batch_size=4, **settings)
    batches = [(x.numpy(), y.numpy()) for x, y in data]
    assert len(batches) == len(data) == -(-len(starts) // 4)
    x, y = (np.concatenate(part) for part in zip(*batches))
    rate = settings.get("sampling_rate", 1)
    assert x.tolist() == [[s, s + rate, s + 2 * rate] for s in starts]
    assert y.tolist() == [10 * s for s in starts]


def test_windows_alone_of_many_values_and_as_many_as_there_are_targets():
    series = np.arange(12.0).reshape(6, 2)
    (x,) = timeseries_dataset_from_array(series, None, 2)
    assert x.shape == (5, 2, 2)
    ((x, y),) = timeseries_dataset_from_array(series, series[3:, 0], 2)
    assert x.shape == (3, 2, 2) and y.numpy().tolist() == [6, 8, 10]
    single = timeseries_dataset_from_array(series, None, 2, batch_size=None)
    assert [x.shape for x in single] == [(2, 2)] * 5 and len(single) == 5


def test_windows_are_shuffled_anew_in_each_pass():
    def passes(seed):
        data = timeseries_dataset_from_array(SERIES, SERIES, 3, 1, 1, 5, True, seed)
        return [[int(t) for _, y in data for t in y] for _ in range(2)]

    first, second = passes(3)
    assert first != second != sorted(second) and sorted(first) == sorted(second) == [*range(18)]
    assert [first, second] == passes(3) != passes(4)


def test_fit_and_predict_take_windows():
    series = np.sin(np.arange(200) / 4).astype("float32")
    data = timeseries_dataset_from_array(series, series[8:], 8, batch_size=16, shuffle=True, seed=0)
    model = nnlite.Sequential([nnlite.layers.Dense(1)])
    model.compile(nnlite.optimizers.Adam(0.05), "mse")
    losses = model.fit(data, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]
    windows = timeseries_dataset_from_array(series, None, 8, batch_size=16)
    assert model.predict(windows, verbose=0).shape == (193, 1)


@pytest.mark.parametrize(
    ("args", "settings", "message"),
    [
        ((SERIES, None, 21), {}, "sequence_length: expected at least one window in 20 steps, got"),
        ((SERIES, [], 3), {}, "at least one window in 20 steps and 0 targets, got 3 steps"),
        ((SERIES, None, 0), {}, "sequence_length: expected a positive integer, got 0"),
        ((SERIES, None, 3), {"sampling_rate": 0}, "sampling_rate: expected a positive integer"),
        ((SERIES, None, 3), {"sequence_stride": 0}, "sequence_stride: expected a positive int"),
        ((SERIES, None, 3), {"start_index": 20}, r"start_index: .* in \[0, 20\), got 20"),
        ((SERIES, None, 3), {"end_index": 21}, r"end_index: .* in \[1, 20\], got 21"),
        ((SERIES, None, 3), {"start_index": 5, "end_index": 5}, r"end_index: .* in \[6, 20\]"),
        ((SERIES, None, 3), {"format": "csv"}, "format: expected 'tf' or 'grain', got 'csv'"),
        ((5, None, 3), {}, "data: expected an array with steps, got 5"),
    ],
)
def test_windows_that_cannot_be_are_refused(args, settings, message):
    with pytest.raises(ValueError, match=message):
        timeseries_dataset_from_array(*args, **settings)


def numbers(data):
    return [int(x) for x in data]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((0.8,), (8, 2)),
        ((3,), (3, 7)),
        ((None, 0.1), (9, 1)),
        ((None, 4), (6, 4)),
        ((0.3, 5), (3, 5)),
        ((2, 3), (2, 3)),
    ],
)
def test_parts_of_a_dataset(sizes, expected):
    left, right = split_dataset(np.arange(10), *sizes)
    assert (len(left), len(right)) == expected
    assert numbers(left) + numbers(right) == list(range(sum(expected)))


def test_parts_of_pairs_and_of_a_dataset_at_random():
    x, y = np.arange(10), 2 * np.arange(10)
    for given in ((x, y), [x, y], Dataset.from_tensor_slices((x, y))):
        left, right = split_dataset(given, 0.5, shuffle=True, seed=1)
        pairs = [(int(a), int(b)) for part in (left, right) for a, b in part]
        assert sorted(pairs) == [(k, 2 * k) for k in range(10)] != pairs
    assert numbers(split_dataset(x, 5, seed=1, shuffle=True)[0]) == [a for a, _ in pairs[:5]]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((), "left_size: expected it or right_size, got None for both"),
        ((10,), r"left_size: expected a share in \(0, 1\) or an integer in \[1, 10\), got 10"),
        ((1.0,), "left_size: expected a share"),
        ((None, -1), "right_size: expected a share"),
        ((True,), "left_size: expected a share"),
        ((0.01,), "left_size: expected two parts with elements of the 10, got 0 and 10"),
        ((6, 6), "left_size: expected two parts with elements of the 10, got 6 and 6"),
    ],
)
def test_parts_that_cannot_be_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        split_dataset(np.arange(10), *sizes)


@pytest.mark.parametrize("axis", [-1, 0, 1, None])
@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
def test_vectors_have_norm_one(axis, order):
    x = np.random.default_rng(0).normal(size=(3, 4))
    x[1] = 0
    for given, kind in (
        (x, np.ndarray),
        (x.tolist(), np.ndarray),
        (nnlite.constant(x.astype("float32")), nnlite.Tensor),
    ):
        found = normalize(given, axis, order)
        assert isinstance(found, kind)
        rows = np.asarray(found).reshape(-1) if axis is None else np.asarray(found)
        norms = np.linalg.norm(rows, order, axis)
        np.testing.assert_allclose(norms[norms != 0], 1, rtol=1e-6)
        assert np.sum(norms == 0) == (axis in (1, -1))
    with pytest.raises(ValueError, match=r"order: expected a number in \(0, inf\], got 0"):
        normalize(x, order=0)


def test_the_same_parts_and_windows_as_keras(folder):
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("its datasets are TensorFlow's")
    settings = {"validation_split": 0.3, "seed": 9, "subset": "validation", "verbose": False}
    ours = text_dataset_from_directory(folder, **settings)
    theirs = keras.utils.text_dataset_from_directory(folder, **settings)
    texts = [t.decode() for batch, _ in theirs for t in batch.numpy()]
    assert sorted(texts_of(ours)[0]) == sorted(texts)
    settings = {"sequence_stride": 3, "sampling_rate": 2, "start_index": 1, "end_index": 18}
    ours = timeseries_dataset_from_array(SERIES, SERIES, 4, batch_size=2, **settings)
    theirs = keras.utils.timeseries_dataset_from_array(SERIES, SERIES, 4, batch_size=2, **settings)
    for mine, other in zip(ours, theirs, strict=True):
        for a, b in zip(mine, other):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
