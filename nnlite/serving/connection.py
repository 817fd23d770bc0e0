"""A connection of uvicorn that does not wait for ever, nor hold whatever is sent.

The one idea: the application bounds what it asks for, bodies and answers. This bounds what comes
without being asked: requests that never begin, heads without end, answers that nobody takes."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 1 << 16  # bytes of a request before its body


class Connection(HttpToolsProtocol):
    """One connection; its application's `state` has 'most_bytes' of a request, and 'timeout'."""

    _timer = None
    _in_head, _received = False, 0  # of the request that is being read

    def connection_made(self, transport):
        super().connection_made(transport)
        self._close_later()

    def connection_lost(self, exc):
        self._keep_open()
        super().connection_lost(exc)

    def data_received(self, data):
        self._received += len(data)  # of which `on_message_begin` forgets what was before it
        super().data_received(data)
        if self._received > (MOST_HEAD if self._in_head else self.app_state["most_bytes"]):
            self.transport.abort()
        elif self._in_head and self._timer is None:
            self._close_later()

    def on_message_begin(self):
        self._in_head, self._received = True, 0
        super().on_message_begin()

    def on_header(self, name, value):
        if self._in_head:  # behind a body in chunks, headers may stand that nobody reads
            super().on_header(name, value)

    def on_headers_complete(self):
        self._in_head = False
        self._keep_open()
        super().on_headers_complete()

    def pause_writing(self):
        self._close_later()
        super().pause_writing()

    def resume_writing(self):
        self._keep_open()
        super().resume_writing()

    def _close_later(self):
        self._keep_open()
        self._timer = self.loop.call_later(self.app_state["timeout"], self.transport.abort)

    def _keep_open(self):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
