"""Requests that wait are predicted together; nobody's answer changes by it."""

import asyncio
import concurrent.futures
import threading
import time

import numpy as np
import pytest

pytest.importorskip("uvicorn")
from service import application

import nnlite
from nnlite.layers import BatchNormalization, Conv2D, Dense, Flatten
from nnlite.serving.batching import Batcher, _powers_of_two
from nnlite.serving.refusal import Refused

RNG = np.random.default_rng(0)


class Recorder:
    """A model that doubles numbers, and notes the rows of its runs."""

    def __init__(self, seconds=0.0):
        self.runs, self.seconds = [], seconds

    def __call__(self, arrays):
        (x,) = arrays
        self.runs.append(len(x))
        time.sleep(self.seconds)
        if (x < 0).any():
            raise ValueError("a negative number")
        return [2 * x]


def batched(requests, model, largest=8, wait=0.0, seconds_a_row=0.0, before=None):
    """What each request gets, its error included, and the rows of each batch."""
    sizes = []

    async def all_at_once():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            batcher = Batcher(model, executor, largest, wait, seconds_a_row, sizes.append)
            futures = [batcher.submit([np.asarray(x)]) for x in requests]
            if before is not None:
                before(futures)
            return await asyncio.gather(*futures, return_exceptions=True)

    return asyncio.run(all_at_once()), sizes


def rows(*counts):
    return [RNG.random((n, 3)) for n in counts]


@pytest.mark.parametrize("seconds_a_row", [0.0, 1.0], ids=["in the loop", "in a thread"])
def test_requests_of_one_moment_are_one_batch(seconds_a_row):
    given = rows(1, 2, 1, 3)
    found, sizes = batched(given, Recorder(), seconds_a_row=seconds_a_row)
    assert sizes == [7]
    assert all(np.array_equal(y, 2 * x) for x, (y,) in zip(given, found))


def test_a_batch_has_no_more_rows_than_allowed_but_of_one_request():
    _, sizes = batched(rows(5, 2, 2, 20, 1), Recorder())
    assert sizes == [7, 2, 20, 1]


def test_requests_of_other_shapes_and_types_are_other_batches():
    given = [np.ones((1, 3)), np.ones((2, 4)), np.ones((1, 3), "f4"), np.ones((3, 3))]
    found, sizes = batched(given, Recorder())
    assert sizes == [4, 2, 1]
    assert [y.dtype.itemsize for (y,) in found] == [8, 8, 4, 8]


def test_a_run_has_a_power_of_two_of_rows():
    model = Recorder()
    batched(rows(4, 3), model)
    assert model.runs == [4, 2, 1]
    assert [list(_powers_of_two(n)) for n in (1, 6)] == [[(0, 1)], [(0, 4), (4, 2)]]


def test_the_error_of_one_is_not_the_others():
    given = [np.ones((1, 3)), -np.ones((1, 3)), np.ones((1, 3))]
    first, second, third = batched(given, Recorder())[0]
    assert isinstance(second, Refused) and second.status == 400 and "negative" in str(second)
    assert first[0][0, 0] == third[0][0, 0] == 2


def test_a_fault_of_the_model_is_no_fault_of_the_request():
    def broken(arrays):
        raise ZeroDivisionError

    (error,), _ = batched(rows(1), broken)
    assert isinstance(error, ZeroDivisionError)


def test_who_gave_up_is_not_predicted():
    found, sizes = batched(rows(1, 2, 4), Recorder(), before=lambda futures: futures[1].cancel())
    assert sizes == [5] and isinstance(found[1], asyncio.CancelledError)


def test_waiting_is_bounded_and_ends_when_a_batch_is_full():
    began = time.perf_counter()
    _, sizes = batched(rows(1, 2), Recorder(), wait=0.05)
    assert sizes == [3] and 0.05 <= time.perf_counter() - began < 5
    began = time.perf_counter()
    _, sizes = batched(rows(4, 4, 9), Recorder(), wait=60)
    assert sizes == [8, 9] and time.perf_counter() - began < 30


def test_who_comes_during_a_run_is_in_the_next_batch():
    sizes = []

    async def coming():
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            batcher = Batcher(Recorder(0.05), executor, 8, 0, 1.0, sizes.append)
            futures = [batcher.submit(rows(1))]
            for _ in range(3):
                await asyncio.sleep(0.01)
                futures.append(batcher.submit(rows(1)))
            await asyncio.gather(*futures)

    asyncio.run(coming())
    assert sizes == [1, 3]


def test_many_at_once_get_the_bits_of_predict_alone(tmp_path):
    nnlite.utils.set_random_seed(0)
    model = nnlite.Sequential(
        [
            Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
            BatchNormalization(),
            Flatten(),
            Dense(10, "softmax"),
        ]
    )
    model.save(tmp_path / "net.safetensors")
    given = [RNG.random((n, 8, 8, 1)) for n in RNG.integers(1, 6, 60)]
    expected = [model.predict(x) for x in given]
    with application(tmp_path, max_batch=16, batch_wait=2) as ask:
        found = [None] * len(given)

        def client(first):
            for k in range(first, len(given), 6):
                body = {"instances": given[k].tolist()}
                found[k] = ask("/v1/models/net:predict", body).json["predictions"]

        threads = [threading.Thread(target=client, args=(k,)) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        page = ask("/metrics").body.decode()
    assert all(np.array_equal(np.array(y, "f4"), e) for y, e in zip(found, expected))
    (batches,) = [line for line in page.splitlines() if line.startswith("nnlite_batch_rows_count")]
    assert float(batches.split()[-1]) < len(given)  # some went together
