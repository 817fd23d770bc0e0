"""A service to ask: its application within this process, or `nnlite serve` in another."""

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from nnlite.serving.app import App
from nnlite.serving.settings import Settings


class Response:
    """What came back."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def bytes_of(body):
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@contextlib.contextmanager
def application(*models, **settings):
    """A function that asks the application: (path, body of a POST, headers) -> Response; its `log`
    is what was logged. Its loop runs in a thread, so that several threads may ask at once."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    log = []
    app = App(Settings(models, **{"reload": 0, **settings}), log.append)

    def run(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    events = [asyncio.Queue(), asyncio.Queue()]  # to and from the application

    async def started():
        inbox, outbox = events
        await inbox.put({"type": "lifespan.startup"})
        live = loop.create_task(app({"type": "lifespan"}, inbox.get, outbox.put))
        return live, await outbox.get()

    live, answer = run(started())
    try:
        if answer["type"] == "lifespan.startup.failed":
            raise RuntimeError(answer["message"])

        def ask(path, body=None, headers=(), method=None):
            return run(_asked(app, path, body, headers, method))

        async def ended():
            await events[0].put({"type": "lifespan.shutdown"})
            await live

        ask.app, ask.run, ask.log = app, run, log
        try:
            yield ask
        finally:
            run(ended())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _asked(app, path, body, headers, method):
    parts = [{"type": "http.request", "body": b"" if body is None else bytes_of(body)}]
    sent = []

    async def receive():
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": method or ("GET" if body is None else "POST"),
        "path": path,
        "headers": [(k.lower().encode(), v.encode()) for k, v in dict(headers).items()],
    }
    await app(scope, receive, send)
    head, content = sent
    found = {k.decode(): v.decode() for k, v in head["headers"]}
    return Response(head["status"], found, content["body"])


class Service:
    """`nnlite serve`, on a free port, until the block ends.

    Attributes
    ----------
    log : list of dict
        The lines that it wrote, as they come.
    """

    def __init__(self, *arguments, **environment):
        self._arguments = [sys.executable, "-P", "-m", "nnlite", "serve", *map(str, arguments)]
        self._environment = {**os.environ, **environment}
        self.log, self.port = [], None

    def __enter__(self):
        self.process = subprocess.Popen(
            [*self._arguments, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.until(lambda: self.port and self._is_ready(), 60)
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def _read(self):
        for line in self.process.stdout:
            self.log.append(json.loads(line))
            if self.log[-1]["event"] == "listening":
                self.port = urlsplit(self.log[-1]["url"]).port

    def _is_ready(self):
        try:
            return self.ask("/v2/health/ready").status == 200
        except OSError:
            return False

    def until(self, true, seconds=10):
        """Wait until a function says True; fail if that takes too long."""
        end = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < end, f"waited for {seconds} s in vain"
            time.sleep(0.02)

    def ask(self, path, body=None, headers=(), timeout=30):
        """The Response to a GET, or to a POST with a body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                "GET" if body is None else "POST",
                path,
                None if body is None else bytes_of(body),
                dict(headers),
            )
            response = connection.getresponse()
            return Response(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def terminate(self, seconds=20):
        """Send SIGTERM; gives the exit code."""
        self.process.terminate()
        return self.process.wait(seconds)

    @property
    def memory(self):
        """Bytes of memory that the process holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])
