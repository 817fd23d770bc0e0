"""What batches are made of, such as the images of files, is computed by a few threads."""

import collections

from nnlite import lazy
from nnlite.engine._engine import most_threads

with lazy.imports(__name__):
    import concurrent.futures

AHEAD = 4  # items that there may be for each thread


def in_order(function, items, threads=None, ahead=None):
    """The results of a function of some items, in their order.

    Threads compute them, a few items ahead. What each result is does not depend on them. An
    exception comes out where its result would have.

    Parameters
    ----------
    function : function
        Of one item. It may run in several threads at once.
    items : iterable
    threads : int, optional
        By default as many as there are cores.
    ahead : int, optional
        The most items that are begun before one is asked for; by default a few for each thread.

    Yields
    ------
    What the function returns.
    """
    threads = threads or most_threads()
    ahead = ahead or AHEAD * threads
    pool = concurrent.futures.ThreadPoolExecutor(threads, "nnlite-items")
    begun = collections.deque()
    try:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) > ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
