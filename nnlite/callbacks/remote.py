"""RemoteMonitor: the logs of each epoch, sent to a server."""

import json

import numpy as np

from nnlite import warn
from nnlite.callbacks.callback import Callback


class RemoteMonitor(Callback):
    """Sends the logs of each epoch to a server, as JSON by HTTP. It needs the package requests.

    A server that cannot be reached is a warning; the training goes on.

    Parameters
    ----------
    root : str, default 'http://localhost:9000'
        The address of the server.
    path : str, default '/publish/epoch/end/'
        What follows it.
    field : str, default 'data'
        The field of the form that holds the JSON.
    headers : dict, optional
        Of the request.
    send_as_json : bool, default False
        Whether the request is the JSON itself, not a form.

    Raises
    ------
    ImportError
        At the end of the first epoch, if requests is not installed.
    """

    _of_one_fit = True

    _legal = {
        "root": "str",
        "path": "str",
        "field": "str",
        "send_as_json": "bool",
    }

    def __init__(
        self,
        root="http://localhost:9000",
        path="/publish/epoch/end/",
        field="data",
        headers=None,
        send_as_json=False,
    ):
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json = headers, send_as_json
        self._check_given()
        if not isinstance(headers, (dict, type(None))):
            raise TypeError(f"RemoteMonitor: headers: expected a dict, got {headers!r}")

    def on_epoch_end(self, epoch, logs=None):
        try:
            import requests
        except ImportError:
            raise ImportError("RemoteMonitor needs requests: pip install requests") from None
        sent = {"epoch": epoch} | {name: _plain(value) for name, value in (logs or {}).items()}
        address = self.root + self.path
        try:
            if self.send_as_json:
                requests.post(address, json=sent, headers=self.headers)
            else:
                requests.post(address, {self.field: json.dumps(sent)}, headers=self.headers)
        except requests.exceptions.RequestException:
            warn.warn(f"Could not reach RemoteMonitor root server at {self.root}", UserWarning)


def _plain(value):
    """A value of the logs as JSON takes it."""
    value = np.asarray(value)
    return value.item() if value.size == 1 else value.tolist()
