"""Single kernels: nnlite's against OpenBLAS (NumPy) and MKL and ATen (PyTorch), interleaved.

    python benchmarks/kernels.py --rounds 7

Matrix products in GFLOP/s and as a share of what the machine can multiply and add; kernels that
move memory in GB/s and as a share of what it can read and write over as many bytes. See
benchmarks/README.md.
"""

import argparse
import ctypes
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timing

PART_SECONDS = 0.004  # short, so that some parts of a turn are not interrupted by other processes
PARTS = 12  # of a turn
ATTEMPTS, STEADY = 4, 1.5  # see measure()


@dataclass(frozen=True)
class Kernel:
    """One operation on one shape.

    Parameters
    ----------
    op : str
        The name of a method of the workers' classes below, which makes it ready.
    shape : tuple of int
        matmul: (M, N, K); else (rows, columns), or (elements,).
    flops, bytes : int
        The work; each operand counts once for being read and once for being written.
    memory : int
        Bytes that the operands take, where it is not `bytes`.
    """

    op: str
    shape: tuple
    flops: int = 0
    bytes: int = 0
    memory: int = 0

    @property
    def text(self):
        return f"{self.op} {'x'.join(str(n) for n in self.shape)}"

    def smallest(self):
        """The same on single elements: what a call costs before it computes anything."""
        return Kernel(self.op, (1,) * len(self.shape))


def products():
    """What the nets multiply forward and backward (M x N x K), and their neighbours."""
    shapes = {
        "matmul": [(128, 512, 784), (128, 256, 512), (128, 10, 256), (32, 32, 784), (32, 512, 128),
                   (32, 128, 64), (7744, 64, 288), (43264, 32, 9), (64, 64, 576),
                   (1024, 1024, 1024)],
        "matmul_at": [(784, 512, 128), (512, 256, 128), (256, 10, 128), (784, 32, 32),
                      (288, 64, 7744)],
        "matmul_bt": [(128, 784, 512), (128, 512, 256), (7744, 288, 64)],
    }
    return [Kernel(op, shape, flops=2 * shape[0] * shape[1] * shape[2])
            for op, listed in shapes.items() for shape in listed]


def movers():
    """What surrounds the products in these nets; floats and int32 are 4 bytes each."""
    kernels = []
    for shape in ((32, 32), (128, 512), (128, 8192)):
        n = shape[0] * shape[1]
        kernels += [Kernel("relu", shape, bytes=8 * n),
                    Kernel("relu_gradient", shape, bytes=12 * n),
                    Kernel("dropout", shape, bytes=8 * n),
                    Kernel("column_sum", shape, bytes=4 * (n + shape[1]))]
    for rows, classes in ((32, 10), (128, 10), (128, 1000)):
        n = rows * classes
        kernels += [Kernel("cross_entropy", (rows, classes), bytes=4 * n + 8 * rows),
                    Kernel("cross_entropy_gradient", (rows, classes), bytes=8 * n + 8 * rows)]
    kernels += [Kernel("adam", (n,), bytes=28 * n, memory=16 * n)
                for n in (32 * 10, 784 * 32, 512 * 256, 784 * 512)]
    kernels += [Kernel("gather", shape, bytes=8 * shape[0] * shape[1])
                for shape in ((32, 784), (128, 784))]
    return kernels


def numbers(*shape):
    """Normal float32 numbers that begin on a cache line, the same in each process."""
    size = int(np.prod(shape))
    raw = np.empty(size * 4 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    values = raw[start:start + size * 4].view(np.float32).reshape(shape)
    np.random.default_rng(0).standard_normal(out=values, dtype=np.float32)
    return values


def labels(rows, classes):
    return np.random.default_rng(1).integers(0, classes, rows).astype(np.int32)


def row_source(rows, columns):
    """Many rows, and the random order in which some of them are gathered."""
    source = numbers(60_000 if rows > 1 else 1, columns)
    return source, np.random.default_rng(1).permutation(len(source)).astype(np.int32)


class Library:
    """Base of all: makes kernels ready and times them."""

    def __init__(self, threads):
        self.threads = threads
        self.ready = {}
        self.build()

    def has(self, kernel):
        return hasattr(self, kernel.op)

    def prepare(self, kernel):
        """Make the kernel ready, and find out how many calls take PART_SECONDS."""
        run = getattr(self, kernel.op)(*kernel.shape)
        seconds, count = 0.0, 1
        while seconds < PART_SECONDS / 2:
            count *= 2
            seconds = _seconds(run, count)
        self.ready = {kernel: (run, max(1, int(count * PART_SECONDS / seconds)))}

    def overhead(self, kernel):
        """Seconds of a call on single elements."""
        run = getattr(self, kernel.op)(*kernel.smallest().shape)
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
            call(*arguments, **more)
    return run


class Nnlite(Library):
    """Plans of a single step, run many times by one call into C, as training does."""

    def build(self):
        import nnlite
        from nnlite import ops
        from nnlite.plan import Plan

        self.nnlite, self.ops, self.Plan = nnlite, ops, Plan

    def _plan(self, make, *operands, feeds=()):
        """`make`, traced on Variables of the operands; feeds: (placeholder, array, stride)."""
        from nnlite.dispatch import Recording

        variables = [self.nnlite.Variable(x, dtype=str(x.dtype)) for x in operands]
        with Recording(executing=False) as trace:
            made = make(*variables)
        results = [] if made is None else [made]
        plan = self.Plan(trace, [f for f, _, _ in feeds], results, "float32")
        memory = [(array, 0, stride) for _, array, stride in feeds]
        memory += [(numbers(*t.shape), 0, 0) for t in results]
        return lambda count: plan.run(memory, count, self.threads)

    def matmul(self, M, N, K):
        return self._plan(self.ops.matmul, numbers(M, K), numbers(K, N))

    def matmul_at(self, M, N, K):
        return self._plan(lambda a, b: self.ops.matmul(a, b, transpose_a=True),
                          numbers(K, M), numbers(K, N))

    def matmul_bt(self, M, N, K):
        return self._plan(lambda a, b: self.ops.matmul(a, b, transpose_b=True),
                          numbers(M, K), numbers(N, K))

    def relu(self, *shape):
        return self._plan(self.ops.relu, numbers(*shape))

    def relu_gradient(self, *shape):
        from nnlite.ops.activation import KINDS, activation_gradient

        return self._plan(lambda dy, y: activation_gradient(dy, y, KINDS["relu"], 0.0),
                          numbers(*shape), numbers(*shape))

    def dropout(self, *shape):
        from nnlite.ops.random import dropout, seed_state

        key = seed_state(1)
        return self._plan(lambda x: dropout(x, key, 0.5), numbers(*shape))

    def column_sum(self, *shape):
        return self._plan(lambda x: self.ops.sum(x, axis=0), numbers(*shape))

    def cross_entropy(self, N, L):
        return self._plan(self.ops.softmax_cross_entropy, numbers(N, L), labels(N, L))

    def cross_entropy_gradient(self, N, L):
        from nnlite.ops.operands import call

        return self._plan(
            lambda z, t, dloss: call("softmax_cross_entropy_gradient", [z, t, dloss], dense=0),
            numbers(N, L), labels(N, L), numbers(N))

    def adam(self, n):
        def make(p, m, v, g, rate, step):
            self.ops.adam_update(p, m, v, g, rate, step, 0.9, 0.999, 1e-7)

        return self._plan(make, numbers(n), numbers(n), np.abs(numbers(n)), numbers(n),
                          np.float32([1e-3])[0], np.int32([10])[0])

    def gather(self, rows, columns):
        from nnlite.data import Source
        from nnlite.tensor import Tensor

        source, order = row_source(rows, columns)
        given = Source(source, "x")
        place, index = given.placeholder(), Tensor((rows,), "int32")
        run = self._plan(lambda: given.read(place, index, rows),
                         feeds=[(place, source, 0), (index, order, rows * 4)])
        return cycled(run, len(order) // rows)


def cycled(run, turns):
    """Runs of at most `turns`, each from the start: a feed ends there."""
    def cycle(count):
        while count > 0:
            run(min(count, turns))
            count -= turns
    return cycle


class Numpy(Library):
    """NumPy with OpenBLAS."""

    def build(self):
        pass

    def matmul(self, M, N, K):
        return repeated(np.matmul, numbers(M, K), numbers(K, N), out=numbers(M, N))

    def matmul_at(self, M, N, K):
        return repeated(np.matmul, numbers(K, M).T, numbers(K, N), out=numbers(M, N))

    def matmul_bt(self, M, N, K):
        return repeated(np.matmul, numbers(M, K), numbers(N, K).T, out=numbers(M, N))


class Torch(Library):
    """PyTorch's kernels by their shortest calls: no autograd, results written in place."""

    def build(self):
        import torch

        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(True)
        torch.set_grad_enabled(False)
        self.torch, self.aten = torch, torch.ops.aten

    def _numbers(self, *shape):
        return self.torch.from_numpy(numbers(*shape))

    def matmul(self, M, N, K):
        return repeated(self.torch.mm, self._numbers(M, K), self._numbers(K, N),
                        out=self._numbers(M, N))

    def matmul_at(self, M, N, K):
        return repeated(self.torch.mm, self._numbers(K, M).t(), self._numbers(K, N),
                        out=self._numbers(M, N))

    def matmul_bt(self, M, N, K):
        return repeated(self.torch.mm, self._numbers(M, K), self._numbers(N, K).t(),
                        out=self._numbers(M, N))

    def relu(self, *shape):
        return repeated(self.torch.clamp_min, self._numbers(*shape), 0.0,
                        out=self._numbers(*shape))

    def relu_gradient(self, *shape):
        return repeated(self.aten.threshold_backward.grad_input, self._numbers(*shape),
                        self._numbers(*shape), 0.0, grad_input=self._numbers(*shape))

    def dropout(self, *shape):
        return repeated(self.torch.native_dropout, self._numbers(*shape), 0.5, True)

    def column_sum(self, *shape):
        return repeated(self.torch.sum, self._numbers(*shape), 0, out=self._numbers(shape[1]))

    def cross_entropy(self, N, L):
        z, t = self._numbers(N, L), self.torch.from_numpy(labels(N, L)).long()
        return repeated(self.torch.nn.functional.cross_entropy, z, t, reduction="none")

    def cross_entropy_gradient(self, N, L):
        z, t = self._numbers(N, L), self.torch.from_numpy(labels(N, L)).long()
        dloss = self._numbers(N)

        def gradient():
            log = self.torch.log_softmax(z, 1)
            weight = self.aten.nll_loss_backward(dloss, log, t, None, 0, -100, z.new_zeros(()))
            self.aten._log_softmax_backward_data(weight, log, 1, z.dtype)

        return repeated(gradient)

    def adam(self, n):
        torch = self.torch
        p, m, v, g = (self._numbers(n) for _ in range(4))
        return repeated(torch._fused_adam_, [p], [g], [m], [v.abs()], [], [torch.tensor(10.0)],
                        lr=1e-3, beta1=0.9, beta2=0.999, weight_decay=0.0, eps=1e-7,
                        amsgrad=False, maximize=False)

    def gather(self, rows, columns):
        source, order = row_source(rows, columns)
        source, out = self.torch.from_numpy(source), self._numbers(rows, columns)
        parts = self.torch.from_numpy(order).split(rows)[:len(order) // rows]

        def run(count):
            for turn in range(count):
                self.torch.index_select(source, 0, parts[turn % len(parts)], out=out)

        return run


LIBRARIES = {"nnlite": Nnlite, "numpy": Numpy, "torch": Torch}


def limits():
    """limits.c as a library, or None without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "limits.so"
        flags = "-O3 -march=native -mprefer-vector-width=512 -ffp-contract=fast -fopenmp"
        command = [compiler, *flags.split(), "-shared", "-fPIC", "-o", str(made),
                   str(Path(__file__).with_name("limits.c"))]
        if subprocess.run(command, check=False).returncode:
            return None
        library = ctypes.CDLL(str(made))
    library.peak_flops.restype = library.peak_bytes.restype = ctypes.c_double
    library.peak_bytes.argtypes = [ctypes.c_int64, ctypes.c_int]
    return library


class Limits:
    """What the machine can do: flop/s, and bytes/s over a working set, the best of all tries."""

    def __init__(self, threads):
        self.library, self.threads, self.best = limits(), threads, {}

    def try_again(self, kernel):
        """Measure what limits this kernel."""
        if self.library is None:
            return
        size = self._size(kernel)
        rate = (self.library.peak_bytes(size, self.threads) if size
                else self.library.peak_flops(self.threads))
        self.best[size] = max(rate, self.best.get(size, 0.0))

    def of(self, kernel):
        return self.best.get(self._size(kernel), float("nan"))

    @staticmethod
    def _size(kernel):
        return 0 if kernel.flops else max(4096, kernel.memory or kernel.bytes)


def measure(kernel, workers, rounds):
    """Seconds of a call, round by round; of the peers' without what an empty call costs.

    Where some library's slowest round took STEADY times its fastest, another process was in the
    way: all rounds of all are taken again, and after ATTEMPTS the steadiest ones count.
    """
    having = [w for w in workers if w.ask("has", kernel).value]
    overhead = {w.name: 0.0 if w.name == "nnlite" else w.ask("overhead", kernel).value
                for w in having}
    for worker in having:
        worker.ask("prepare", kernel)
        worker.ask("time", kernel)
    steadiest, kept = float("inf"), None
    for _ in range(ATTEMPTS):
        answers = timing.interleave(having, rounds, "time", kernel, settle=0.005)
        taken = {name: [a.value for a in got] for name, got in answers.items()}
        spread = max(max(seconds) / min(seconds) for seconds in taken.values())
        if spread < steadiest:
            steadiest, kept = spread, taken
        if spread < STEADY:
            break
    return {name: [max(s - overhead[name], s / 10) for s in seconds]
            for name, seconds in kept.items()}, overhead


def figures(kernel, seconds):
    """Rates and ratio to the best peer of one kernel."""
    work = kernel.flops or kernel.bytes
    rates = {name: work / statistics.median(s) for name, s in seconds.items()}
    peers = [name for name in seconds if name != "nnlite"]
    best = timing.fastest(seconds, peers) if peers else None
    ratio = timing.ratios(seconds, "nnlite", best) if best else None
    return {"rates": rates, "best": best,
            "ratio": ratio and (ratio.median, ratio.low, ratio.high)}


def run(kernels, threads, options):
    """Measure kernels with so many threads and print a table; returns all figures."""
    wanted = [(name, LIBRARIES[name], (threads,), threads) for name in options.libraries]
    workers, missing = timing.start(wanted)
    machine, before, results = Limits(threads), timing.load(), {}
    try:
        for kernel in kernels:
            seconds, overhead = measure(kernel, workers, options.rounds)
            results[kernel.text] = {"seconds": seconds, "overhead": overhead,
                                    **figures(kernel, seconds)}
            for _ in range(3):
                machine.try_again(kernel)
            print(f"  {kernel.text}", file=sys.stderr)
    finally:
        for worker in workers:
            worker.close()
    for kernel in kernels:
        result = results[kernel.text]
        result["share"] = result["rates"]["nnlite"] / machine.of(kernel)
    unit = "GFLOP/s" if kernels[0].flops else "GB/s"
    print(f"\n{unit}, {threads} thread{'s' * (threads > 1)}, {options.rounds} rounds; load average "
          f"{before:.1f} before, {timing.load():.1f} after; "
          f"not measured: {', '.join(missing) or '-'}\n")
    print(rate_table(results))
    print("\n" + summary(results))
    return results


def rate_table(results):
    names = [n for n in LIBRARIES if any(n in r["rates"] for r in results.values())]
    rows = []
    for text, result in results.items():
        rates = [f"{result['rates'][n] / 1e9:.1f}" if n in result["rates"] else "" for n in names]
        ratio = timing.Spread(*result["ratio"]).text() if result["ratio"] else ""
        rows.append([text, *rates, f"{result['share']:.0%}", ratio])
    header = ["kernel", *names, "nnlite: share of the limit", "nnlite / best peer"]
    return timing.table(header, rows)


def summary(results):
    compared = {text: r["ratio"][0] for text, r in results.items() if r["ratio"]}
    if not compared:
        return "No peer was measured."
    worst = min(compared, key=compared.get)
    mean = statistics.geometric_mean(compared.values())
    return (f"Geometric mean of nnlite / best peer: {mean:.2f}; "
            f"lowest: {compared[worst]:.2f} ({worst}).")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--only", default="", help="kernels whose names contain this")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    options.libraries = ["nnlite", *(n for n in options.libraries if n != "nnlite")]
    results = {}
    for kernels in (products(), movers()):
        chosen = [k for k in kernels if options.only in k.text]
        for threads in options.threads if chosen else ():
            name = f"{'products' if chosen[0].flops else 'movers'}, {threads} threads"
            results[name] = run(chosen, threads, options)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
