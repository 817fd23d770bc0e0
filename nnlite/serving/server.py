"""The process, or processes, that listen: uvicorn around the application."""

import contextlib
import math
import os
import signal
import socket
import sys
import tempfile
import threading
from datetime import UTC, datetime

import orjson
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from nnlite.engine import _engine
from nnlite.serving.app import App
from nnlite.serving.connection import Connection
from nnlite.serving.metrics import FOLDER, leave
from nnlite.serving.processes import keep_running
from nnlite.serving.settings import Settings
from nnlite.terminal import write

_SWITCH = 5e-4  # seconds for which the loop may keep Python's lock from a run in a thread
_KEEP_ALIVE = 75  # seconds for which a connection may stay open between two requests


def serve(*models, **settings):
    """Serve models over HTTP until SIGTERM or Ctrl-C, then finish what was accepted.

    Parameters
    ----------
    *models : str or path
        Files of models and estimators ('.keras', '.h5', '.hdf5', '.safetensors'), each served under
        its name without the ending, or under NAME if it is written 'NAME=PATH'. Folders: each file
        in one is a model, each folder in one is a model whose files '1.keras', '2.keras' are
        versions, as is a file in a folder '3'. Of several versions the highest answers where no
        other is named.
    host : str, default '127.0.0.1'
        The address to listen at; '0.0.0.0' is every one of the machine.
    port : int, default 8000
        0 takes a free one.
    workers : int, default 1
        Processes, each with its own copy of the models and its part of the cores. A script of one's
        own calls `serve` under `if __name__ == "__main__":` then, as each process imports it.
    max_batch : int, default 64
        The most rows of several requests that are predicted together.
    batch_wait : float, default 0
        Milliseconds for which a request waits for others while the model is free. Those that come
        while it is not are predicted together anyway.
    max_queue : int, default 256
        The most requests for predictions, of a process, that are not answered yet; others are told
        to come again (503).
    max_body : float, default 16
        The most MB of a request.
    timeout : float, default 30
        The most seconds from the beginning of a request to its answer, and for what is in flight
        when the service ends.
    reload : float, default 2
        Seconds between two looks for files that are new, changed or gone; 0 never looks.
    token : str, optional
        If given, every request but one for health needs 'Authorization: Bearer ...' with it.
    access_log : bool, default True
        Whether each request is a line of JSON on standard output, as changes of models are.

    Raises
    ------
    FileNotFoundError
        If a model is not there.
    OSError
        If the port is in use.
    RuntimeError
        If no model can be loaded.
    ValueError
        If a setting, or the ending of a file, is not one of the above, or two files have one name.

    Examples
    --------
    >>> from nnlite.serving import serve
    >>> serve("missing.keras")
    Traceback (most recent call last):
    FileNotFoundError: models: expected a file or folder, got missing.keras, which is not there
    """
    settings = Settings(models, **settings)
    App(settings)  # raises what is wrong with the sources
    with _listening(settings) as listener, _shared_figures(settings.workers):
        host, port = listener.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        _log({"event": "listening", "url": f"http://{host}:{port}", "docs": "/docs"})
        try:
            if settings.workers == 1:
                _run(settings, listener)
            elif not keep_running(
                settings.workers, _run, (settings, listener), STARTUP_FAILURE, _died
            ):
                raise SystemExit(STARTUP_FAILURE)
        except SystemExit:
            raise RuntimeError("no service: the error stands above") from None
    _log({"event": "stopped"})


def _run(settings, listener):
    """Serve in this process until a signal; SystemExit if it cannot start."""
    sys.setswitchinterval(_SWITCH)
    config = uvicorn.Config(
        App(settings, _log),
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(settings.timeout),
    )
    server = uvicorn.Server(config)
    with _quiet_end(server):
        server.run(sockets=[listener])


def _died(pid, code):
    leave(pid)
    _log({"event": "error", "error": f"process {pid} ended with {code}; another one starts"})


def _log(entry):
    """Write a line of JSON."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    with contextlib.suppress(OSError):  # nobody reads any more
        write(orjson.dumps({"time": time, **entry}).decode())


def _listening(settings):
    """The socket, bound; an OSError says which port is in use."""
    host, port = settings.host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(f"port: cannot listen at {host}:{port}: {error.strerror}") from None


@contextlib.contextmanager
def _quiet_end(server):
    """SIGTERM ends a service as it should, also before uvicorn looks for it. At the end uvicorn
    would raise it again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: setattr(server, "should_exit", True))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _shared_figures(workers):
    """What processes that will be started find in the environment: a folder for the figures of all,
    and how many cores are theirs."""
    if workers == 1:
        yield
        return
    cores = max(1, _engine.max_threads() // workers)
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="nnlite-serving-") as folder:
        os.environ[FOLDER] = folder
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
