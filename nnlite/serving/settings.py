"""The settings of a service, and what they may be."""

import os
from dataclasses import dataclass, field

from nnlite.checks import check_setting

_LEGAL = {
    "port": "int [0, 65535]",
    "workers": "int [1, 256]",
    "max_batch": "int [1, 65536]",
    "batch_wait": "[0, 10000]",
    "max_queue": "int [1, 1000000]",
    "max_body": "(0, 65536]",
    "timeout": "(0, 86400]",
    "reload": "[0, 86400]",
    "access_log": "bool",
}


@dataclass(frozen=True)
class Settings:
    """What `serve` is given; it explains each."""

    models: tuple
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    max_batch: int = 64
    batch_wait: float = 0.0
    max_queue: int = 256
    max_body: float = 16.0
    timeout: float = 30.0
    reload: float = 2.0
    token: str | None = field(default=None, repr=False)
    access_log: bool = True

    def __post_init__(self):
        if not self.models or not all(isinstance(m, (str, os.PathLike)) for m in self.models):
            raise ValueError(f"models: expected at least one path, got {self.models!r}")
        object.__setattr__(self, "models", tuple(os.fspath(model) for model in self.models))
        for name, legal in _LEGAL.items():
            check_setting(name, getattr(self, name), legal, "serve")
        if self.token is not None and not (
            isinstance(self.token, str)
            and self.token
            and self.token.isprintable()
            and self.token.isascii()
        ):
            raise ValueError("serve: token: expected printable ASCII characters, got others")
