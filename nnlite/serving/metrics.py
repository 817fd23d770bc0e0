"""Figures for Prometheus. With several processes each writes its own, and whichever is asked adds
them up."""

import os

import prometheus_client
from prometheus_client import multiprocess

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus_client lets processes meet
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST.encode()


class Metrics:
    """What is counted of one service."""

    def __init__(self):
        registry = self._registry = prometheus_client.CollectorRegistry()
        self._requests = prometheus_client.Counter(
            "nnlite_requests", "Requests answered", ["model", "code"], registry=registry
        )
        self._seconds = prometheus_client.Histogram(
            "nnlite_request_seconds",
            "From the beginning of a request for a prediction to its answer",
            ["model"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._rows = prometheus_client.Histogram(
            "nnlite_batch_rows",
            "Rows that were predicted together",
            ["model"],
            buckets=_ROWS,
            registry=registry,
        )
        self.in_flight = prometheus_client.Gauge(
            "nnlite_requests_in_flight",
            "Requests for predictions that are not answered yet",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.models = prometheus_client.Gauge(
            "nnlite_models",
            "Versions of models, by state",
            ["state"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._known = {}  # what `labels` gave, which takes longer than to count

    def count(self, model, code, seconds):
        """Count an answer; `seconds` is None of what was no prediction."""
        key = model, code, seconds is None
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (
                self._requests.labels(model, code),
                None if seconds is None else self._seconds.labels(model),
            )
        known[0].inc()
        if seconds is not None:
            known[1].observe(seconds)

    def count_batch(self, model, rows):
        """Count a run."""
        known = self._known.get(model)
        if known is None:
            known = self._known[model] = self._rows.labels(model)
        known.observe(rows)

    def page(self):
        """All figures in the format that Prometheus reads."""
        registry = self._registry
        if FOLDER in os.environ:
            registry = prometheus_client.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return prometheus_client.generate_latest(registry)


def leave(pid):
    """Take a process that ended out of the figures of the moment.

    Parameters
    ----------
    pid : int
    """
    if FOLDER in os.environ:
        multiprocess.mark_process_dead(pid)
