"""Single kernels: nnlite's against OpenBLAS (NumPy) and MKL, oneDNN, ATen (PyTorch), in turns.

    python benchmarks/kernels.py --rounds 5 --only conv

Products and convolutions in GFLOP/s and as a share of what the machine can multiply and add;
kernels that move memory in GB/s and as a share of what it reaches when it reads and writes as many
bytes and does nothing else. Below: the forward pass and the gradients of each convolution together;
kernels that move memory and reach neither of AIMS.
The results of all libraries are compared before they are timed. See benchmarks/README.md.
"""

import argparse
import ctypes
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import kernels_attention as attention
import kernels_dense as dense
import kernels_images as images
import numpy as np
import timing

ATTEMPTS, STEADY = 4, 1.5  # see measure()
AIMS = {"ratio": 1.5, "share": 0.8}  # a kernel that moves memory should reach one of these
LIMITS = {"memory": "memory's limit", "flops": "the multiply-adds'"}
LEAST = 16384  # operands of fewer bytes are in the first cache just as these are
AGREE = 1e-5  # how far results may be from nnlite's, as a part of the largest: rounding

# Name -> the kernels, and the libraries that have them.
FAMILIES = {
    "gemm": (dense.products, dense.LIBRARIES),
    "memory": (dense.movers, dense.LIBRARIES),
    "conv": (images.convolutions, images.LIBRARIES),
    "depthwise": (images.depthwise, images.LIBRARIES),
    "pool": (images.pools, images.LIBRARIES),
    "norm": (images.norms, images.LIBRARIES),
    "attention": (attention.kernels, attention.LIBRARIES),
}


def limits():
    """limits.c as a library, or None without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "limits.so"
        flags = "-O3 -march=native -mprefer-vector-width=512 -ffp-contract=fast -fopenmp"
        command = [
            compiler,
            *flags.split(),
            "-shared",
            "-fPIC",
            "-o",
            str(made),
            str(Path(__file__).with_name("limits.c")),
        ]
        if subprocess.run(command, check=False).returncode:
            return None
        library = ctypes.CDLL(str(made))
    library.peak_flops.restype = library.peak_bytes.restype = ctypes.c_double
    library.peak_bytes.argtypes = 2 * [ctypes.c_int64] + 3 * [ctypes.c_int]
    return library


class Limits:
    """What the machine can do: flop/s, or bytes/s of a kernel's reads and writes, the best of all
    tries."""

    def __init__(self, threads):
        self.library, self.threads, self.best = limits(), threads, {}

    def measure(self, kernel):
        """Measure what limits this kernel."""
        if self.library is None:
            return
        if kernel.flops:
            self._note("flops", self.library.peak_flops(self.threads))
        if kernel.bytes:
            traffic = self._traffic(kernel)
            self._note(traffic, self.library.peak_bytes(*traffic, self.threads))

    def _note(self, what, rate):
        self.best[what] = max(rate, self.best.get(what, 0.0))

    def shares(self, kernel, seconds):
        """What share of each limit, memory and multiply-adds, a kernel reaches in `seconds`."""
        nan, shares = float("nan"), {}
        if kernel.bytes:
            shares["memory"] = kernel.bytes / seconds / self.best.get(self._traffic(kernel), nan)
        if kernel.flops:
            shares["flops"] = kernel.flops / seconds / self.best.get("flops", nan)
        return shares

    @staticmethod
    def _traffic(kernel):
        """What limits.c takes."""
        scale = max(1, LEAST // (kernel.read + kernel.written))
        sizes = scale * kernel.read, scale * kernel.written
        return *sizes, kernel.readings, int(kernel.in_place)


def measure(kernel, having, rounds):
    """Seconds of a call, round by round; of the peers' without what an empty call costs.

    Where some library's slowest round took STEADY times its fastest, another process was in the
    way: all rounds of all are taken again, and after ATTEMPTS the steadiest ones count.
    """
    overhead = {
        w.name: 0.0 if w.name == "nnlite" else w.ask("overhead", kernel).value for w in having
    }
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
    return {
        name: [max(s - overhead[name], s / 10) for s in seconds] for name, seconds in kept.items()
    }, overhead


def disagreements(kernel, having):
    """The libraries whose results are not those of the first, which is nnlite."""
    if kernel.random:
        return []
    expected, *others = [w.ask("results", kernel).value for w in having]
    return [
        f"{kernel.text}: {worker.name}'s results are not nnlite's"
        for worker, got in zip(having[1:], others)
        if len(got) != len(expected) or not all(map(agree, got, expected))
    ]


def agree(a, b):
    return a.shape == b.shape and np.abs(a - b).max() <= AGREE * np.abs(b).max()


def figures(kernel, seconds):
    """Rates and ratio to the best peer of one kernel."""
    work = kernel.bytes or kernel.flops
    rates = {name: work / statistics.median(s) for name, s in seconds.items()}
    peers = [name for name in seconds if name != "nnlite"]
    best = timing.fastest(seconds, peers) if peers else None
    ratio = timing.ratios(seconds, "nnlite", best) if best else None
    return {"rates": rates, "best": best, "ratio": ratio and (ratio.median, ratio.low, ratio.high)}


def run(family, kernels, threads, options):
    """Measure kernels with so many threads and print a table; returns all figures."""
    libraries = FAMILIES[family][1]
    wanted = [
        (name, libraries[name], (threads,), threads)
        for name in options.libraries
        if name in libraries
    ]
    workers, missing = timing.start(wanted)
    machine, before, results = Limits(threads), timing.load(), {}
    try:
        for kernel in kernels:
            having = [w for w in workers if w.ask("has", kernel).value]
            differing = disagreements(kernel, having)
            seconds, overhead = measure(kernel, having, options.rounds)
            results[kernel.text] = {
                "seconds": seconds,
                "overhead": overhead,
                "disagreements": differing,
                **figures(kernel, seconds),
            }
            machine.measure(kernel)
            print(f"  {kernel.text}", file=sys.stderr)
    finally:
        for worker in workers:
            worker.close()
    for kernel in kernels:
        result = results[kernel.text]
        result["shares"] = machine.shares(kernel, statistics.median(result["seconds"]["nnlite"]))
        result["share"] = max(result["shares"].values())
    unit = "GB/s" if kernels[0].bytes else "GFLOP/s"
    print(
        f"\n{family}: {unit}, {threads} thread{'s' * (threads > 1)}, "
        f"{options.rounds} rounds; load average {before:.1f} before, {timing.load():.1f} after; "
        f"not measured: {', '.join(missing) or '-'}\n"
    )
    print(rate_table(results))
    print("\n" + summary(results))
    print(both_ways(kernels, results) if family == "conv" else short_of_aims(kernels, results))
    for line in itertools.chain(*(r["disagreements"] for r in results.values())):
        print(f"DISAGREEMENT: {line}")
    return results


def rate_table(results):
    names = list(dict.fromkeys(name for r in results.values() for name in r["rates"]))
    rows = []
    for text, result in results.items():
        rates = [f"{result['rates'][n] / 1e9:.1f}" if n in result["rates"] else "" for n in names]
        ratio = timing.Spread(*result["ratio"]).text() if result["ratio"] else ""
        shares = [f"{share:.0%}" for share in result["shares"].values()]
        rows.append([text, *rates, *shares, ratio])
    limits = list(next(iter(results.values()))["shares"])
    heads = [f"nnlite: share of {LIMITS[name]}" for name in limits]
    header = ["kernel", *names, *heads, "nnlite / best peer"]
    return timing.table(header, rows)


def summary(results):
    compared = {text: r["ratio"][0] for text, r in results.items() if r["ratio"]}
    if not compared:
        return "No peer was measured."
    worst = min(compared, key=compared.get)
    mean = statistics.geometric_mean(compared.values())
    return (
        f"Geometric mean of nnlite / best peer: {mean:.2f}; "
        f"lowest: {compared[worst]:.2f} ({worst})."
    )


def short_of_aims(kernels, results):
    """Which kernels that move memory reach none of AIMS."""
    movers = [k.text for k in kernels if k.bytes]
    if not movers:
        return ""
    short = [
        f"{text} ({results[text]['ratio'][0]:.2f}, {results[text]['share']:.0%})"
        for text in movers
        if results[text]["ratio"]
        and results[text]["ratio"][0] < AIMS["ratio"]
        and not results[text]["share"] >= AIMS["share"]
    ]
    return (
        f"Under {AIMS['ratio']} times the best peer and under {AIMS['share']:.0%} of the limit: "
        f"{', '.join(short) or '-'}."
    )


def both_ways(kernels, results, peer="torch-nhwc"):
    """Of each convolution the forward pass and the gradients together, against a peer's."""
    together = {}
    for kernel in kernels:
        seconds = results[kernel.text]["seconds"]
        if peer in seconds:
            together.setdefault(replace(kernel, op="conv").text, []).append((kernel.op, seconds))
    if not together:
        return ""
    lines, medians = [], []
    for text, parts in together.items():
        sums = {
            name: [sum(r) for r in zip(*(s[name] for _, s in parts))] for name in ("nnlite", peer)
        }
        ratio = timing.ratios(sums, "nnlite", peer)
        medians.append(ratio.median)
        lines.append(
            f"{text.removeprefix('conv ')}, {' + '.join(op for op, _ in parts)}: {ratio.text()}"
        )
    mean = statistics.geometric_mean(medians)
    return "\n".join(
        [
            f"\nForward and backward together, nnlite / {peer}:",
            *lines,
            f"Geometric mean: {mean:.2f}.",
        ]
    )


def chosen(family, only):
    """The kernels of a family that were asked for, all by default."""
    kernels = FAMILIES[family][0]()
    return [k for k in kernels if not only or any(o == family or o in k.text for o in only)]


def main():
    names = list(dict.fromkeys(name for _, having in FAMILIES.values() for name in having))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--libraries", nargs="+", choices=names, default=names)
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help=f"families ({', '.join(FAMILIES)}) or parts of kernels' names",
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    options.libraries = ["nnlite", *(n for n in options.libraries if n != "nnlite")]
    results = {
        f"{family}, {threads} threads": run(family, kernels, threads, options)
        for family in FAMILIES
        if (kernels := chosen(family, options.only))
        for threads in options.threads
    }
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)
    sys.exit(any(r["disagreements"] for table in results.values() for r in table.values()))


if __name__ == "__main__":
    main()
