"""Arrays that are read by slices, samples one by one, arrays of other libraries, and workers."""

import threading

import numpy as np
import pytest

import nnlite
from nnlite import layers
from nnlite.data import slices
from nnlite.data.slices import Slices
from nnlite.data.sources import sources_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1000, 3)).astype("float32")
X[:, 0] = np.arange(1000) / 1000  # which row it is
Y = (X @ [[1.0], [2.0], [-1.0]] + 0.1).astype("float32")


class Counting:
    """An array in no memory of ours: it counts the rows that are read, and how many at once."""

    def __init__(self, array, chunks=None):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.read, self.most = 0, 0
        if chunks is not None:
            self.chunks = chunks

    def __getitem__(self, rows):
        found = self.array[rows]
        count = len(found) if isinstance(rows, slice) else 1
        self.read, self.most = self.read + count, max(self.most, count)
        return found

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("the whole was read")


def model():
    nnlite.utils.set_random_seed(0)
    made = nnlite.Sequential([layers.Dense(4, "tanh", input_shape=(3,)), layers.Dense(1)])
    made.compile(nnlite.optimizers.SGD(0.1), "mse")
    return made


def arrays_equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b))


def test_unshuffled_slices_give_what_arrays_give():
    one, other, x, y = model(), model(), Counting(X), Counting(Y)
    logs = one.fit(X, Y, shuffle=False, epochs=2, verbose=0, validation_split=0.25).history
    again = other.fit(x, y, shuffle=False, epochs=2, verbose=0, validation_split=0.25).history
    np.testing.assert_allclose(again["val_loss"], logs["val_loss"], rtol=1e-6)
    assert arrays_equal(one.get_weights(), other.get_weights())
    assert x.most == 32 and y.most == 32
    assert other.evaluate(x, y, verbose=0) == pytest.approx(one.evaluate(X, Y, verbose=0), rel=1e-6)
    np.testing.assert_array_equal(other.predict(x, verbose=0), one.predict(X, verbose=0))
    weights = np.linspace(0, 1, 1000)
    for m, data in ((one, (X, Y)), (other, (x, y))):  # beside arrays in memory, too
        m.fit(*data, sample_weight=weights, shuffle=False, verbose=0)
    assert arrays_equal(one.get_weights(), other.get_weights())


@pytest.mark.parametrize("chunks", [None, (100, 3), (7, 3), (5000, 3)])
@pytest.mark.parametrize("size", [1, 32, 300])
@pytest.mark.parametrize("limit", [slices.BLOCK_BYTES, 3000])
def test_each_pass_reads_each_row_once_in_another_order(chunks, size, limit, monkeypatch):
    monkeypatch.setattr(slices, "BLOCK_BYTES", limit)
    x = Counting(X, chunks)
    made = Slices(sources_of(x, Y), size)
    rng = np.random.default_rng(1)
    orders = []
    for _ in range(2):
        rows = []
        for k in made._numbers(rng):
            batch, targets = made[k]
            assert len(batch) == min(size, 1000 - k * size)
            numbers = np.rint(batch[:, 0] * 1000).astype(int)
            np.testing.assert_array_equal(targets, Y[numbers])
            rows.extend(numbers)
        assert sorted(rows) == list(range(1000))
        orders.append(rows)
    assert orders[0] != orders[1] and x.read == 2000
    assert x.most <= max(size, limit // 12, 32)
    if limit > 3000 and size == 32:  # neighbours are far apart
        assert np.abs(np.diff(orders[0])).mean() > 100


def test_a_network_learns_from_an_array_of_which_a_part_is_read_at_once(monkeypatch):
    monkeypatch.setattr(slices, "BLOCK_BYTES", 1000)
    x, made = Counting(X), model()
    losses = made.fit(x, Counting(Y), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0] and x.read == 5000 and x.most <= 83


def test_a_shuffled_fit_goes_on_after_it_was_stopped(tmp_path):
    class Stop(nnlite.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("stopped")

    whole, kept = model(), nnlite.callbacks.BackupAndRestore(tmp_path / "backup")
    whole.fit(Counting(X), Y, epochs=4, verbose=0)
    with pytest.raises(RuntimeError, match="stopped"):
        model().fit(Counting(X), Y, epochs=4, verbose=0, callbacks=[kept, Stop()])
    resumed = model()
    resumed.fit(Counting(X), Y, epochs=4, verbose=0, callbacks=kept)
    assert arrays_equal(whole.get_weights(), resumed.get_weights())


def test_several_inputs_and_whole_numbers():
    a, b = nnlite.Input((3,), name="a"), nnlite.Input((1,), dtype="int32", name="b")
    joined = layers.Concatenate()([a, layers.Flatten()(layers.Embedding(5, 2)(b))])
    made = nnlite.Model([a, b], layers.Dense(2, "softmax")(joined))
    made.compile("sgd", "sparse_categorical_crossentropy")
    tokens, labels = np.arange(1000)[:, None] % 5, np.arange(1000) % 2
    given = [Counting(X), Counting(tokens)]
    first = made.evaluate([X, tokens], labels, verbose=0)
    assert made.evaluate(given, Counting(labels), verbose=0) == pytest.approx(first, rel=1e-6)
    named = {"a": given[0], "b": given[1]}
    made.fit(named, Counting(labels), class_weight={0: 2.0, 1: 1.0}, verbose=0)


def test_what_is_wrong_in_a_slice_is_named():
    bad = X.copy()
    bad[40, 1] = np.nan
    with pytest.raises(ValueError, match=r"batch 1 of x: x: expected finite values"):
        model().fit(Counting(bad), Y, shuffle=False, verbose=0)
    with pytest.raises(ValueError, match="y: expected 1000 samples, as many as x has, got 9"):
        model().fit(Counting(X), Y[:9], verbose=0)


@pytest.mark.parametrize("chunks", [None, (64, 3)])
def test_datasets_of_hdf5(chunks, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        x = file.create_dataset("x", data=X, chunks=chunks)
        y = file.create_dataset("y", data=Y)
        one, other = model(), model()
        one.fit(X, Y, shuffle=False, verbose=0)
        other.fit(x, y, shuffle=False, verbose=0)
        assert arrays_equal(one.get_weights(), other.get_weights())
        losses = other.fit(x, y, epochs=4, verbose=0).history["loss"]
        assert losses[-1] < losses[0]


def samples_of_torch(base):
    """A class like PyTorch's, which is known by its name."""
    return type("Dataset", (base,), {"__module__": "torch.utils.data.dataset"})


class Numbered:
    def __len__(self):
        return 1000

    def __getitem__(self, k):
        if not 0 <= k < 1000:
            raise IndexError(k)
        return X[k], Y[k]


class Streamed:
    def __iter__(self):
        return zip(X, Y)


@pytest.mark.parametrize("base", [Numbered, Streamed])
def test_samples_one_by_one_become_batches(base):
    one, other = model(), model()
    one.fit(X, Y, batch_size=50, shuffle=False, verbose=0)
    data = type("Mine", (samples_of_torch(base),), {})()
    other.fit(data, batch_size=50, shuffle=False, verbose=0)
    assert arrays_equal(one.get_weights(), other.get_weights())
    other.fit(data, verbose=0)
    assert other.evaluate(data, verbose=0) == pytest.approx(other.evaluate(X, Y, verbose=0), 1e-5)


def test_samples_are_shuffled_one_by_one():
    made = slices.of_samples(samples_of_torch(Numbered)(), 32)
    rows = np.concatenate([made[k][0][:, 0] for k in made._numbers(np.random.default_rng(0))])
    assert not np.array_equal(rows, X[:, 0]) and np.array_equal(np.sort(rows), X[:, 0])


class Exported:
    """An array that gives its memory by DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **how):
        return self.array.__dlpack__(**how)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_arrays_come_by_dlpack():
    one, other = model(), model()
    one.fit(X, Y, shuffle=False, verbose=0)
    other.fit(Exported(X), Exported(Y), shuffle=False, verbose=0)
    assert arrays_equal(one.get_weights(), other.get_weights())


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_fetch_batches_which_are_used_in_order(workers):
    threads, barrier = set(), threading.Barrier(workers)

    class Batches(nnlite.utils.PyDataset):
        def __len__(self):
            return 30

        def __getitem__(self, k):
            threads.add(threading.current_thread().name)
            if k < workers:
                barrier.wait(timeout=20)  # all at once, or never
            return X[k * 32 : k * 32 + 32], Y[k * 32 : k * 32 + 32]

    one, other = model(), model()
    one.fit(X[:960], Y[:960], shuffle=False, verbose=0)
    other.fit(Batches(workers=workers), shuffle=False, verbose=0)
    assert arrays_equal(one.get_weights(), other.get_weights())
    assert len(threads) == workers


def test_an_error_of_a_worker_comes_out():
    class Batches(nnlite.utils.PyDataset):
        def __len__(self):
            return 30

        def __getitem__(self, k):
            if k == 7:
                raise OSError("gone")
            return X[:8], Y[:8]

    with pytest.raises(OSError, match="gone"):
        model().fit(Batches(workers=2), shuffle=False, verbose=0)
    with pytest.raises(ValueError, match=r"Batches: workers: expected an integer in \[1, inf\)"):
        Batches(workers=0)


def test_a_loader_of_lists_of_tensors_yields_batches():
    loader = [[nnlite.convert_to_tensor(X[k : k + 32]), Y[k : k + 32]] for k in range(0, 960, 32)]
    one, other = model(), model()
    one.fit(X[:960], Y[:960], shuffle=False, verbose=0)
    other.fit(iter(loader), verbose=0)
    assert arrays_equal(one.get_weights(), other.get_weights())
