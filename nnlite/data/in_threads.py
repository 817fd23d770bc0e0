"""What batches are made of, such as the images of files, is computed by a few threads."""

import collections
import concurrent.futures

from nnlite.engine._engine import most_threads

AHEAD = 4  # items that there may be for each thread


def in_order(function, items):
    """The results of a function of some items, in their order.

    As many threads as there are cores compute them, a few items ahead. What each result is does not
    depend on them. An exception comes out where its result would have.

    Parameters
    ----------
    function : function
        Of one item. It may run in several threads at once.
    items : iterable

    Yields
    ------
    What the function returns.
    """
    threads = most_threads()
    pool = concurrent.futures.ThreadPoolExecutor(threads, "nnlite-items")
    begun = collections.deque()
    try:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) > AHEAD * threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
