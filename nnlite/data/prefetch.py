"""Prefetching: the next batch is fetched in a second thread while one is worked on."""

import queue
import threading

END = object()
PATIENCE = 0.2  # seconds that whoever stops early waits for a fetch under way


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
        self.items, self.at_end = items, at_end
        self.asked, self.fetched = queue.SimpleQueue(), queue.SimpleQueue()
        self.thread = threading.Thread(target=self._fetch, name="nnlite-batches", daemon=True)
        self.thread.start()
        self.asked.put(None)

    def _fetch(self):
        try:
            while self.asked.get() is not END:
                try:
                    self.fetched.put((next(self.items, END), None))
                except BaseException as error:
                    self.fetched.put((END, error))
        finally:
            self.at_end()

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
        self.thread.join(patience)
