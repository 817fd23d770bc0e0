"""Prefetching: the next batch is fetched in a second thread while one is worked on."""

import queue
import threading
import weakref

END = object()
PATIENCE = 0.2  # seconds: an early `stop` waits that long for the batch that is being fetched


class Prefetch:
    """The items of an iterator, each fetched in a second thread while the one before is used.

    At most one is fetched before it is asked for, and none after the end was seen. An exception
    comes out where its item would have. The thread is a daemon: one that waits for an item for
    ever keeps neither a fit nor Python from ending.

    Parameters
    ----------
    items : iterator
    at_end : function
        Called in the second thread when it has fetched its last item.
    """

    def __init__(self, items, at_end):
        self.asked, self.fetched = queue.SimpleQueue(), queue.SimpleQueue()
        self.thread = threading.Thread(
            target=_fetch,
            args=(items, at_end, self.asked, self.fetched),
            name="nnlite-batches",
            daemon=True,
        )
        # Where Ctrl-C comes before `stop`: the thread does not refer to this object.
        weakref.finalize(self, self.asked.put, END).atexit = False

    def start(self):
        """Begin to fetch."""
        self.thread.start()
        self.asked.put(None)

    def __iter__(self):
        while True:
            item, error = self._next()
            if error is not None:
                try:
                    raise error
                finally:
                    del error  # it refers to this frame
            if item is END:
                return
            self.asked.put(None)
            yield item

    def _next(self):
        while True:
            try:
                return self.fetched.get(timeout=1.0)
            except queue.Empty:
                if not self.thread.is_alive():
                    raise RuntimeError(
                        "the thread that fetches batches is gone: a process that was forked in "
                        "the middle of a fit cannot go on with it"
                    ) from None

    def stop(self, patience=PATIENCE):
        """Fetch nothing more, and wait some seconds for a fetch under way; None: for ever."""
        self.asked.put(END)
        if self.thread.is_alive():
            self.thread.join(patience)


def _fetch(items, at_end, asked, fetched):
    """What the second thread does."""
    try:
        while asked.get() is not END:
            try:
                fetched.put((next(items, END), None))
            except BaseException as error:
                fetched.put((END, error))
    finally:
        at_end()
