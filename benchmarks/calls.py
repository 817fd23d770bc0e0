"""A kernel, and the libraries that run it: each makes calls ready, times them, shows results.

A class here lives in a worker's process (`timing.Worker`) and imports its library there. What it
can run are its methods, which the families of kernels add: `kernels_dense`, `kernels_images`.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

PART_SECONDS = 0.004  # short, so that some parts of a turn are not interrupted by other processes
PARTS = 12  # of a turn


@dataclass(frozen=True)
class Kernel:
    """One operation on one shape.

    Parameters
    ----------
    op : str
        The name of a method of the libraries' classes, which makes it ready.
    shape : tuple of int
        What the method takes.
    settings : tuple of str
        What it takes besides.
    stride : int
        By how many pixels a window moves, where it is not 1. The method takes it last.
    flops : int
        Of what multiply-adds limit, such as a product.
    read, written : int
        Bytes of the arrays, of what memory limits. A kernel may have both limits.
    readings : int
        How many times it has to go over what it reads.
    in_place : bool
        It writes where it has read.
    random : bool
        Results are drawn, so that those of two libraries differ.
    """

    op: str
    shape: tuple
    settings: tuple = ()
    stride: int = 1
    flops: int = 0
    read: int = 0
    written: int = 0
    readings: int = 1
    in_place: bool = False
    random: bool = False

    @property
    def text(self):
        stride = f"/{self.stride}" if self.stride > 1 else ""
        return " ".join([self.op, "x".join(str(n) for n in self.shape) + stride, *self.settings])

    @property
    def arguments(self):
        return (*self.shape, *self.settings, *([self.stride] if self.stride > 1 else []))

    @property
    def bytes(self):
        return self.readings * self.read + self.written

    def smallest(self):
        """The same on single elements: what a call costs before it computes anything."""
        return replace(self, shape=(1,) * len(self.shape))


def numbers(*shape, seed=0):
    """Normal float32 numbers that begin on a cache line, the same in each process."""
    size = int(np.prod(shape))
    raw = np.empty(size * 4 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    values = raw[start : start + size * 4].view(np.float32).reshape(shape)
    np.random.default_rng(seed).standard_normal(out=values, dtype=np.float32)
    return values


class Library:
    """Base of all.

    A method that is named like a kernel's `op` takes the kernel's arguments and returns a
    function, which makes the call a number of times and returns the last result.
    """

    def __init__(self, threads):
        self.threads = threads
        self.ready = {}
        self.build()

    def build(self):
        """Import the library."""

    def has(self, kernel):
        return hasattr(self, kernel.op)

    def _made(self, kernel):
        return getattr(self, kernel.op)(*kernel.arguments)

    def results(self, kernel):
        """What the first call gives, as arrays in nnlite's layout."""
        got = self._made(kernel)(1)
        return self._arrays(kernel, got if isinstance(got, (list, tuple)) else [got])

    def _arrays(self, kernel, results):
        return [np.asarray(r) for r in results]

    def prepare(self, kernel):
        """Make the kernel ready, and find out how many calls take PART_SECONDS."""
        run = self._made(kernel)
        run(1)  # the first call may start threads
        seconds, count = 0.0, 1
        while seconds < PART_SECONDS / 2:
            count *= 2
            seconds = _seconds(run, count)
        self.ready = {kernel: (run, max(1, int(count * PART_SECONDS / seconds)))}

    def overhead(self, kernel):
        """Seconds of a call on single elements."""
        run = self._made(kernel.smallest())
        return min(_seconds(run, 100) for _ in range(100)) / 100

    def time(self, kernel):
        """Seconds of one call, in the fastest part of a turn."""
        run, count = self.ready[kernel]
        return min(_seconds(run, count) for _ in range(PARTS)) / count


def _seconds(run, count):
    began = time.perf_counter()
    run(count)
    return time.perf_counter() - began


def repeated(call, *arguments, **more):
    """A function that makes a call many times."""

    def run(count):
        for _ in range(count):
            result = call(*arguments, **more)
        return result

    return run


def overwriting(result, run):
    """The same calls, which write to `result`."""

    def runs(count):
        run(count)
        return result

    return runs


class Nnlite(Library):
    """Plans of a single step, run many times by one call into C, as training does."""

    def build(self):
        import nnlite
        from nnlite.autodiff import gradients
        from nnlite.engine.plan import Plan
        from nnlite.engine.recording import Recording

        self.nnlite, self.ops = nnlite, nnlite.ops
        self.gradients, self.Recording, self.Plan = gradients, Recording, Plan

    def _variables(self, operands):
        return [self.nnlite.Variable(x, dtype=str(x.dtype)) for x in operands]

    def _plan(self, make, *operands, feeds=()):
        """`make`, traced on Variables of the operands; feeds: (placeholder, array, stride)."""
        variables = self._variables(operands)
        with self.Recording(executing=False) as trace:
            made = make(*variables)
        results = made if isinstance(made, list) else [] if made is None else [made]
        plan = self.Plan(trace, [f for f, _, _ in feeds], results, "float32")
        written = [numbers(*t.shape).view(t.dtype) for t in results]
        memory = [(array, 0, stride) for _, array, stride in feeds]
        memory += [(array, 0, 0) for array in written]
        return overwriting(written, lambda count: plan.run(memory, count, self.threads))

    def _gradient_plan(self, make, operands, wanted):
        """The gradients alone of the operands of these numbers, after one call forward."""
        variables = self._variables(operands)
        with self.Recording() as tape:
            y = make(*variables)
        sources = [variables[n] for n in wanted]
        arrives = numbers(*y.shape, seed=1)
        return self._plan(lambda dy: self.gradients(tape, y, sources, dy), arrives)


class Torch(Library):
    """PyTorch's kernels by their shortest calls: no autograd, and results written in place where
    PyTorch can."""

    def build(self):
        import torch

        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(True)
        torch.set_grad_enabled(False)
        self.torch, self.aten = torch, torch.ops.aten

    def _numbers(self, *shape, seed=0):
        return self.torch.from_numpy(numbers(*shape, seed=seed))
