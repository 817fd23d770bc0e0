"""The service as an ASGI application: limits, who may ask, errors, what is counted and logged.

The one idea: a path is a key. The table of all paths is made when models change, so that a request
costs one look-up; what it means stands in the modules of the two protocols."""

import asyncio
import contextlib
import functools
import hmac
import os
import time
from typing import NamedTuple

import orjson

from nnlite.errors import did_you_mean
from nnlite.serving import metrics, open_inference, openapi, tensorflow_serving
from nnlite.serving.refusal import Refused
from nnlite.serving.repository import Repository
from nnlite.serving.settings import Settings
from nnlite.versions import __version__

_JSON = b"application/json"
_CLOSE = (b"connection", b"close")
_MESSAGE = 2000  # characters, as a request may have long names
_LONG = 1 << 20  # bytes of a body
_DISCARDED = 8  # times the limit: how much more of a body is read, so that its sender can listen


class Answer(NamedTuple):
    """What is sent back."""

    body: bytes = b""
    status: int = 200
    content_type: bytes = _JSON
    headers: tuple = ()


class Gone(Exception):
    """Who asked hung up."""


class App:
    """An ASGI application that serves models.

    Parameters
    ----------
    settings : Settings
    log : function of dict, optional
        Is told each request and each change of the models.
    """

    def __init__(self, settings, log=None):
        self._settings, self._log = settings, log or (lambda entry: None)
        self._metrics = metrics.Metrics()
        self._repository = Repository(
            settings.models,
            settings.max_batch,
            settings.batch_wait / 1000,
            self._log,
            self._metrics.count_batch,
        )
        self._token = settings.token and b"Bearer " + settings.token.encode()
        self._most_bytes = int(settings.max_body * 2**20)
        self._in_flight = self._bytes = 0
        self._ready, self._looking = False, None
        self._paths = {}

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self._live(scope, receive, send)
        if scope["type"] != "http":
            return
        began, request = time.perf_counter(), Request(scope, receive)
        try:
            answer = await self._answer(request)
        except Refused as error:
            answer = _error(error.status, str(error), error.headers)
        except Gone:
            self._note(request, 499, 0, began)
            return
        except Exception as error:
            self._log({"event": "error", "error": f"{type(error).__name__}: {error}"})
            answer = _error(500, "internal error", (_CLOSE,))
        headers = [
            (b"content-type", answer.content_type),
            (b"content-length", b"%d" % len(answer.body)),
            *answer.headers,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        self._note(request, answer.status, len(answer.body), began)

    def _note(self, request, status, size, began):
        seconds = time.perf_counter() - began
        self._metrics.count(request.model, status, seconds if request.model else None)
        if self._settings.access_log:
            self._log(request.as_logged(status, size, seconds))

    async def _answer(self, request):
        path = request.scope["path"]
        methods = self._paths.get(path)
        if self._token and path not in _OPEN_PATHS:
            self._check_token(request)
        if methods is None:
            raise Refused(404, self._unknown(path))
        method = request.scope["method"]
        handler = methods.get("GET" if method == "HEAD" else method)
        if handler is None:
            allowed = ", ".join(methods).encode()
            raise Refused(405, f"expected {' or '.join(methods)}", ((b"allow", allowed),))
        found = handler(request)
        return found if isinstance(found, Answer) else await found

    def _check_token(self, request):
        given = request.header(b"authorization") or b""
        if not hmac.compare_digest(given, self._token):
            raise Refused(
                401,
                "expected a token: Authorization: Bearer ...",
                ((b"www-authenticate", b"Bearer"),),
            )

    def _unknown(self, path):
        """What is said of a path that is not there."""
        parts = path.split("/")
        if parts[2:3] == ["models"] and len(parts) > 3:
            name, names = parts[3].partition(":")[0], self._repository.names()
            if name not in names:
                return f"model {name[:80]!r} is not served{did_you_mean(name, names)}"
            if parts[4:5] == ["versions"] and len(parts) > 5:
                known = [entry.version for entry in self._repository.versions(name)]
                version = parts[5].partition(":")[0]
                if version not in known:
                    return f"model {name!r} has no version {version[:20]!r}, but {', '.join(known)}"
        return f"{path[:200]!r} is not served; /docs lists what is"

    # Predictions

    async def _predict(self, entry, protocol, request):
        """Answer a request for a prediction, or refuse it where there are too many."""
        request.model = entry.name
        settings = self._settings
        if self._in_flight >= settings.max_queue:
            raise _busy(f"{self._in_flight} requests wait")
        self._in_flight += 1
        self._metrics.in_flight.inc()
        try:
            async with asyncio.timeout(settings.timeout):
                body = await self._body_of(request)
                return await protocol(entry, request, body)
        except TimeoutError:
            if request.is_read:
                raise Refused(504, f"no prediction within {settings.timeout:g} s") from None
            raise Refused(
                408, f"expected the whole request within {settings.timeout:g} s", (_CLOSE,)
            ) from None
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.dec()
            self._bytes -= request.size

    async def _body_of(self, request):
        """The body, as long as it is not too long and there is room for it beside others."""
        limit = self._most_bytes
        if (encoding := request.header(b"content-encoding")) not in (None, b"identity"):
            raise Refused(
                415,
                f"expected no Content-Encoding, got {encoding.decode('latin-1')[:40]!r}",
                (_CLOSE,),
            )
        declared = request.header(b"content-length") or b""
        declared = int(declared) if declared.isdigit() and len(declared) < 18 else 0
        if declared > _DISCARDED * limit or (declared > limit and request.header(b"expect")):
            raise self._too_long()
        parts, length = [], 0
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part = message.get("body", b"")
            length += len(part)
            if length <= limit:
                parts.append(part)
                request.size += len(part)
                self._bytes += len(part)
                if self._bytes > _DISCARDED * limit:
                    raise _busy("too many bytes are held for requests", (_CLOSE,))
            elif length > _DISCARDED * limit:
                raise self._too_long()
            if not message.get("more_body"):
                break
        if length > limit:
            raise self._too_long()
        request.is_read = True
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_long(self):
        return Refused(413, f"expected a body of at most {self._settings.max_body:g} MB", (_CLOSE,))

    async def _open_inference(self, entry, request, body):
        length = request.header(open_inference.JSON_LENGTH)
        outputs, asked = await self._outputs(
            entry, request, body, lambda: open_inference.parsed(body, length)
        )
        body, headers = open_inference.answered(entry, asked, outputs)
        return Answer(body, 200, b"application/octet-stream" if headers else _JSON, headers)

    async def _tensorflow_serving(self, entry, request, body):
        outputs, by_rows = await self._outputs(
            entry, request, body, lambda: tensorflow_serving.parsed(entry.served, body)
        )
        return Answer(tensorflow_serving.answered(entry, by_rows, outputs))

    @staticmethod
    async def _outputs(entry, request, body, parsed):
        """What a model gives for a request, and what `parsed` says besides."""

        def read():
            given, asked = parsed()
            return entry.served.read(given), asked

        # A long one is read in a thread: others are answered meanwhile.
        arrays, asked = read() if len(body) < _LONG else await asyncio.to_thread(read)
        request.rows = len(arrays[0])
        return await entry.batcher.submit(arrays), asked

    # Everything else

    def _table(self):
        """Path -> method -> what answers it, for the models that there are."""
        repository, table = self._repository, {}
        fixed = {
            "/": self._page,
            "/docs": self._page,
            "/openapi.json": self._openapi,
            "/metrics": lambda request: Answer(
                self._metrics.page(), content_type=metrics.CONTENT_TYPE
            ),
            "/v2": lambda request: _json(
                {"name": "nnlite", "version": __version__, "extensions": ["binary_tensor_data"]}
            ),
            "/v2/health/live": lambda request: _json({"live": True}),
            "/v2/health/ready": lambda request: _json(
                {"ready": self._ready}, 200 if self._ready else 503
            ),
            "/v1/models": lambda request: _json({"models": repository.names()}),
        }
        for path, handler in fixed.items():
            table[path] = {"GET": handler}
        table["/v2/repository/index"] = {"POST": lambda request: _json(self._index())}
        for name in repository.names():
            entries = repository.versions(name)
            self._add_model(table, name, "", entries[0], entries)
            for entry in entries:
                self._add_model(table, name, f"/versions/{entry.version}", entry, entries)
        return table

    def _add_model(self, table, name, version, entry, entries):
        v2, v1 = f"/v2/models/{name}{version}", f"/v1/models/{name}{version}"
        statuses = [entry] if version else entries
        status = _json(tensorflow_serving.status(statuses))
        served = entry.served is not None
        ready = _json({"name": name, "ready": served}, 200 if served else 503)
        table[v1] = {"GET": lambda request: status}
        table[f"{v2}/ready"] = {"GET": lambda request: ready}
        if not served:
            refused = _error(503, f"model {name!r} cannot be loaded: {entry.error}")
            table[v2] = {"GET": lambda request: refused}
            table[f"{v2}/infer"] = table[f"{v1}:predict"] = {"POST": lambda request: refused}
            return
        versions = [e.version for e in entries if e.served is not None]
        metadata = _json(open_inference.metadata(entry, versions))
        table[v2] = {"GET": lambda request: metadata}
        for path, protocol in (
            (f"{v2}/infer", self._open_inference),
            (f"{v1}:predict", self._tensorflow_serving),
        ):
            table[path] = {"POST": functools.partial(self._predict, entry, protocol)}

    def _index(self):
        return [
            {
                "name": entry.name,
                "version": entry.version,
                "state": "READY" if entry.served is not None else "UNAVAILABLE",
                "reason": entry.error or "",
            }
            for entry in self._repository.entries.values()
        ]

    def _openapi(self, request):
        return _json(openapi.document(self._repository, bool(self._token)))

    def _page(self, request):
        host = (request.header(b"host") or b"127.0.0.1").decode("latin-1")
        page = openapi.page(self._repository, host, bool(self._token))
        return Answer(page.encode(), content_type=b"text/html; charset=utf-8")

    # Life

    async def _live(self, scope, receive, send):
        """What happens before the first request and after the last."""
        limits = {
            "most_bytes": 2 * _DISCARDED * self._most_bytes,
            "timeout": self._settings.timeout,
        }
        scope.get("state", {}).update(limits)  # of `Connection`
        await receive()
        try:
            await self._refresh(at_once=True)
            wrong = self._repository.broken_files()
        except Exception as error:
            wrong = [f"{type(error).__name__}: {error}"]
        if wrong:
            await send({"type": "lifespan.startup.failed", "message": "; ".join(wrong)})
            return
        self._ready = True
        if self._settings.reload:
            self._looking = asyncio.create_task(self._look())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._ready = False
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        metrics.leave(os.getpid())
        await send({"type": "lifespan.shutdown.complete"})

    async def _refresh(self, at_once=False):
        if await self._repository.refresh(at_once) or at_once:
            self._paths = self._table()
            states = [entry.state for entry in self._repository.entries.values()]
            for state in ("AVAILABLE", "END"):
                self._metrics.models.labels(state).set(states.count(state))

    async def _look(self):
        """Look for changes of the files, for ever."""
        while True:
            await asyncio.sleep(self._settings.reload)
            try:
                await self._refresh()
            except Exception as error:  # what is served goes on
                self._log({"event": "error", "error": f"{type(error).__name__}: {error}"})


class Request:
    """A request of HTTP, and what becomes known of it."""

    __slots__ = ("is_read", "model", "receive", "rows", "scope", "size")

    def __init__(self, scope, receive):
        self.scope, self.receive = scope, receive
        self.model, self.rows, self.size, self.is_read = "", None, 0, False

    def header(self, name):
        """The first header of a name, in small letters; None if there is none."""
        for found, value in self.scope["headers"]:
            if found == name:
                return value
        return None

    def as_logged(self, status, size, seconds):
        """A line of the access log: no headers, no queries, no bodies."""
        scope = self.scope
        client = scope.get("client")
        return {
            "event": "request",
            "client": client[0] if client else None,
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": status,
            "ms": round(1000 * seconds, 3),
            "received": self.size,
            "sent": size,
            **({"model": self.model, "rows": self.rows} if self.model else {}),
        }


_OPEN_PATHS = ("/v2/health/live", "/v2/health/ready")  # of which probes ask without a token


def _json(value, status=200):
    return Answer(orjson.dumps(value), status)


def _error(status, message, headers=()):
    return Answer(orjson.dumps({"error": message[:_MESSAGE]}), status, _JSON, tuple(headers))


def _busy(why, headers=()):
    return Refused(503, f"busy: {why}; try again", ((b"retry-after", b"1"), *headers))


def make_app(*models, **settings):
    """An ASGI application that serves models, for a server of one's own.

    Parameters
    ----------
    *models : str
        As of `serve`.
    **settings
        As of `serve`; host, port and workers are the server's own affair.

    Returns
    -------
    App
        Takes part in the server's lifespan events, in which it loads the models.

    Raises
    ------
    FileNotFoundError, ValueError
        As of `serve`.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite.serving import make_app
    >>> nnlite.Sequential([nnlite.layers.Dense(2, input_shape=(3,))]).save("model.keras")
    >>> app = make_app("model.keras", max_batch=32)  # uvicorn.run(app), for instance
    """
    return App(Settings(models, **settings))
