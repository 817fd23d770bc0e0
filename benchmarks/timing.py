"""Fair timing of libraries against each other: a process for each, asked in turn, round by round.

Libraries in one process would disturb each other with their thread pools (an OpenMP team goes on
spinning after its work is done). So each has a process of its own, which sleeps on a pipe until it
is its turn. All take one turn in each round, in an order that rotates; a ratio is formed within a
round, where both sides met the same machine.
"""

import itertools
import multiprocessing
import os
import statistics
import time
import traceback
from dataclasses import dataclass

SETTLE_SECONDS = 0.05  # after a turn: thread pools fall asleep


@dataclass
class Answer:
    """What a worker's method returned, and what it took inside the worker's process."""

    value: object
    seconds: float
    cpu_seconds: float  # of all threads of the process


def serve(pipe, factory, arguments):
    """The life of a worker's process: make the object, then call its methods as asked."""
    try:
        served = factory(*arguments)
        pipe.send(("ready", None))
        while (request := pipe.recv()) is not None:
            method, given = request
            function = getattr(served, method)
            cpu, began = time.process_time(), time.perf_counter()
            value = function(*given)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            pipe.send(("done", Answer(value, seconds, cpu)))
    except EOFError:
        pass
    except BaseException as error:
        kind = "missing" if isinstance(error, (ImportError, NotImplementedError)) else "failed"
        name = "" if isinstance(error, NotImplementedError) else f"{type(error).__name__}: "
        pipe.send((kind, f"{name}{error}\n{traceback.format_exc()}"))


class Missing(Exception):
    """The library is not installed, or does not have what is measured."""


class Worker:
    """An object in a process of its own.

    Parameters
    ----------
    name : str
        For the tables.
    factory : callable
        Makes the object, in the new process; importable by name.
    arguments : tuple
    threads : int
        Every thread pool in the process gets this size, by the environment.
    """

    def __init__(self, name, factory, arguments, threads):
        self.name = name
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, factory, arguments), daemon=True)
        saved = dict(os.environ)
        os.environ.update(environment(threads))
        try:
            self.process.start()
        finally:
            os.environ.clear()
            os.environ.update(saved)
        theirs.close()
        self._receive()

    def ask(self, method, *arguments):
        """Call a method of the object; returns an Answer."""
        self.pipe.send((method, arguments))
        return self._receive()

    def _receive(self):
        try:
            kind, content = self.pipe.recv()
        except EOFError:
            raise RuntimeError(f"{self.name}: its process died") from None
        if kind == "missing":
            raise Missing(content.splitlines()[0])
        if kind == "failed":
            raise RuntimeError(f"{self.name}: {content}")
        return content

    def close(self):
        """End the process."""
        try:
            self.pipe.send(None)
        except OSError:
            pass
        self.process.join(5)
        if self.process.is_alive():
            self.process.terminate()


def environment(threads):
    """The variables that limit the thread pools of all libraries measured here, and hush them."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
    return {
        **{name: str(threads) for name in names},
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=" + ("false" if threads == 1 else "true"),
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def start(wanted):
    """Workers for (name, factory, arguments, threads) entries, and why others are missing."""
    workers, missing = [], {}
    for name, factory, arguments, threads in wanted:
        try:
            workers.append(Worker(name, factory, arguments, threads))
        except Missing as reason:
            missing[name] = str(reason)
    return workers, missing


def interleave(workers, rounds, method, *arguments, each=None, settle=SETTLE_SECONDS, twice=False):
    """`rounds` turns of each worker, in turn; returns the list of Answers for each worker's name.

    Parameters
    ----------
    each : callable, optional
        Called with (round, worker's name, Answer) after each turn.
    settle : float
        Seconds between turns.
    twice : bool
        Whether the second of two calls counts. A core that has rested is slow for a while, which
        the quicker one would pay for.
    """
    answers = {worker.name: [] for worker in workers}
    for number in range(rounds):
        first = number % len(workers)
        for worker in workers[first:] + workers[:first]:
            if twice:
                worker.ask(method, *arguments)
            answer = worker.ask(method, *arguments)
            answers[worker.name].append(answer)
            if each is not None:
                each(number, worker.name, answer)
            time.sleep(settle)
    return answers


@dataclass
class Spread:
    """The median of some figures, the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values):
        values = list(values)
        return cls(statistics.median(values), min(values), max(values))

    def text(self, form="{:.2f}"):
        """For a table: median (low-high)."""
        return f"{form.format(self.median)} ({form.format(self.low)}-{form.format(self.high)})"


def ratios(seconds, of, to):
    """How many times faster `of` was than `to`, round by round.

    Parameters
    ----------
    seconds : dict of str to list of float
        For each name the seconds of each round, for the same work.
    """
    return Spread.of(b / a for a, b in zip(seconds[of], seconds[to]))


def fastest(seconds, names):
    """The name with the least median."""
    return min(names, key=lambda name: statistics.median(seconds[name]))


def table(header, rows):
    """Lines of a Markdown table, columns aligned."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[c]) for row in [header, *rows]) for c in range(len(header))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
        for row in itertools.chain([header, rule], rows)
    )


def load():
    """The machine's load average over a minute, which says how far to trust the figures."""
    return os.getloadavg()[0]
