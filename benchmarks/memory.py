"""How much memory a fit takes above its data: nnlite and every peer that can be imported.

    python benchmarks/memory.py

Each figure is from a process of its own, which reads the rows, imports the library and then trains
one epoch in it. See benchmarks/README.md.
"""

import argparse
import ctypes
import gc
import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import data
import timing
from training import LIBRARIES, WORKLOADS, contestants

HEADER = [
    "library",
    "import, MiB",
    "peak of the first fit",
    "of it code",
    "peak of a later fit",
    "nnlite's share, first",
    "later",
]
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident():
    """MiB of this process in memory: VmRSS now, VmHWM at most, RssAnon and RssFile."""
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return {
        name: int(fields[name].split()[0]) / 1024
        for name in ("VmRSS", "VmHWM", "RssAnon", "RssFile")
    }


def settle():
    """Give back to the system what is free, and begin to look for the peak."""
    ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text("5")
    return resident()


class Measured:
    """A library in a process that has read the rows already."""

    def __init__(self, library, workload, threads):
        self.library, self.workload, self.threads = library, workload, threads
        workload.data()  # kept for all who ask

    def weights(self):
        """Initial weights, for all."""
        return self.library(self.workload, self.threads).weights()

    def measure(self, weights):
        """MiB that the import adds, that the first fit adds at most, how much of that is in files
        (code), and what a second fit adds, when all that is done once is done."""
        before = settle()
        importlib.import_module(self.library.package)
        imported = settle()
        self._fit(weights)
        first = resident()
        gc.collect()
        ready = settle()
        self._fit(weights)
        return {
            "import": imported["VmRSS"] - before["VmRSS"],
            "first": first["VmHWM"] - imported["VmRSS"],
            "code": first["RssFile"] - imported["RssFile"],
            "later": resident()["VmHWM"] - ready["VmRSS"],
        }

    def _fit(self, weights):
        library = self.library(self.workload, self.threads)
        library.load(weights)
        library.train(True)


def alone(name, library, workload, threads, method, *arguments):
    """What a method of a Measured returns, in a process for it alone."""
    worker = timing.Worker(name, Measured, (library, workload, threads), threads)
    try:
        return worker.ask(method, *arguments).value
    finally:
        worker.close()


def measure(workload, options):
    """{name: list of figures, one for each round}, and why others are missing."""
    weights = alone("nnlite", LIBRARIES["nnlite"], workload, 1, "weights")
    figures, missing = {}, {}
    for name, library, threads in contestants(options.peers, options.threads):
        for number in range(options.rounds):
            print(f"  {workload.name}, round {number + 1}: {name}", file=sys.stderr)
            try:
                got = alone(name, library, workload, threads, "measure", weights)
            except timing.Missing as reason:
                missing[name] = str(reason)
                break
            figures.setdefault(name, []).append(got)
    return figures, missing


def spread(figures, name, part):
    return timing.Spread.of(f[part] for f in figures[name])


def share(figures, name, part):
    """nnlite's part of another library's memory."""
    return spread(figures, "nnlite", part).median / spread(figures, name, part).median


def report(workload, figures, missing):
    rows = []
    for name in sorted(figures, key=lambda name: spread(figures, name, "later").median):
        row = [name]
        for part in ("import", "first", "code", "later"):
            row.append(spread(figures, name, part).text("{:.1f}"))
        if name != "nnlite":
            row += [f"{share(figures, name, part):.2f}" for part in ("first", "later")]
        rows.append([*row, "", ""][: len(HEADER)])
    print(f"\n{workload.text}; data: {data.name()}; {len(figures['nnlite'])} rounds\n")
    print(timing.table(HEADER, rows))
    print()
    for package in ("torch", "jax"):
        peers = [name for name in figures if name.startswith(package)]
        for part, fit in (("first", "first fit"), ("later", "later fit")):
            if peers:
                least = min(peers, key=lambda name: spread(figures, name, part).median)
                print(f"A {fit} takes {share(figures, least, part):.2f} of what {least}'s takes.")
    for name, reason in missing.items():
        print(f"not measured: {name}: {reason}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", nargs="+", default=list(WORKLOADS), choices=WORKLOADS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="fewer for the epoch, to try a command out")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="see training.py")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=LIBRARIES,
        default=["torch", "torch-nhwc", "jax-step", "jax-scan"],
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    if not CLEAR.exists():
        sys.exit(f"the peak of a part of a process is found by {CLEAR}, which is not here")
    options.peers = ["nnlite", *(name for name in options.peers if name != "nnlite")]
    results = {}
    for name in options.workload:
        workload = replace(WORKLOADS[name], epochs=1)
        if options.steps:
            workload = replace(workload, steps=min(options.steps, workload.steps))
        figures, missing = measure(workload, options)
        report(workload, figures, missing)
        results[name] = {"figures": figures, "missing": missing}
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
