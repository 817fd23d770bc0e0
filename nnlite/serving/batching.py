"""Dynamic batching: the rows of requests that wait are predicted together.

The one idea: a row's bits do not depend on the rows beside it. So a batch is whatever has come when
the model is free, and no answer changes by it."""

import asyncio
import collections
import time
from functools import partial

import numpy as np

from nnlite.serving.refusal import Refused

# A shorter run does not pay for a thread, which has to wait for Python's lock, too; a longer one
# would keep all others from being heard.
INLINE_SECONDS = 2e-3


class Batcher:
    """The queue in front of a model.

    Parameters
    ----------
    run : function
        Takes a list of arrays with rows of several requests, gives a list of arrays.
    executor : concurrent.futures.Executor
        Where runs happen that take long.
    largest : int
        The most rows of a run of several requests.
    wait : float
        Seconds for which the first request waits for others.
    seconds_a_row : float
        What a row took so far.
    on_batch : function, optional
        Is told the rows of each run.
    """

    def __init__(self, run, executor, largest, wait, seconds_a_row, on_batch=lambda rows: None):
        self._run, self._executor = run, executor
        self._largest, self._wait = largest, wait
        self._seconds, self._on_batch = seconds_a_row, on_batch
        self._waiting = collections.deque()  # of (kind of arrays, arrays, future)
        self._timer = None  # of the next run, while none is under way
        self._running = False

    def submit(self, arrays):
        """A future of the outputs for a request's arrays, whose first axes are its rows."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        kind = tuple((a.dtype.str, a.shape[1:]) for a in arrays)
        self._waiting.append((kind, arrays, future))
        if not self._running:
            if self._timer is None:
                later = loop.call_soon if not self._wait else partial(loop.call_later, self._wait)
                self._timer = later(self._begin)
            if self._wait and self._is_full():
                self._timer.cancel()
                self._begin()
        return future

    def _is_full(self):
        return sum(len(arrays[0]) for _, arrays, _ in self._waiting) >= self._largest

    def _begin(self):
        """Run the requests that wait first, as many as are of one kind and make a batch."""
        self._timer, batch, rows, kept = None, [], 0, []
        while self._waiting and rows < self._largest:
            kind, arrays, future = entry = self._waiting.popleft()
            if future.done():  # its request gave up
                continue
            count = len(arrays[0])
            if batch and (kind != batch[0][0] or rows + count > self._largest):
                kept.append(entry)
                if kind == batch[0][0]:
                    break
                continue
            batch.append(entry)
            rows += count
        self._waiting.extendleft(reversed(kept))
        if not batch:
            return
        self._on_batch(rows)
        self._running = True
        if self._seconds * rows < INLINE_SECONDS:
            self._end(batch, self._results(batch, rows))
        else:
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._executor, self._results, batch, rows)
            work.add_done_callback(lambda done: self._end(batch, done.result()))

    def _end(self, batch, results):
        for (_, _, future), result in zip(batch, results):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._running = False
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_soon(self._begin)

    def _results(self, batch, rows):
        """For each request its outputs, or its error."""
        if len(batch) == 1:
            return [self._attempt(batch[0][1], rows)]
        try:
            arrays = [np.concatenate(parts) for parts in zip(*(arrays for _, arrays, _ in batch))]
        except MemoryError as error:
            return [error] * len(batch)
        outputs = self._attempt(arrays, rows)
        if isinstance(outputs, Exception):  # of one of them: the others must not suffer
            return [self._attempt(arrays, len(arrays[0])) for _, arrays, _ in batch]
        ends = np.cumsum([len(arrays[0]) for _, arrays, _ in batch]).tolist()
        return [[y[begin:end] for y in outputs] for begin, end in zip([0, *ends], ends)]

    def _attempt(self, arrays, rows):
        """The outputs for some rows, or the error that they raise."""
        began = time.perf_counter()
        try:
            if rows > self._largest or not rows & (rows - 1):
                outputs = self._run(arrays)
            else:  # a power of two of rows is what a model has run before
                parts = [
                    self._run([a[begin : begin + size] for a in arrays])
                    for begin, size in _powers_of_two(rows)
                ]
                outputs = [np.concatenate(pieces) for pieces in zip(*parts)]
        except (TypeError, ValueError) as error:
            return Refused(400, str(error))
        except Exception as error:
            return error
        # A run that was disturbed, or the first of its size, says little: the time falls at once,
        # and rises slowly.
        self._seconds = min((time.perf_counter() - began) / rows, 1.05 * self._seconds)
        return outputs


def _powers_of_two(rows):
    """(begin, size) of the parts of a number of rows, such as 8 + 4 + 1."""
    begin = 0
    while begin < rows:
        size = 1 << ((rows - begin).bit_length() - 1)
        yield begin, size
        begin += size
