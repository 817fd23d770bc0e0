"""How the time of training grows with rows, layers, batch and width; of sequences with length,
batch and vocabulary.

    python benchmarks/growth.py

Each library trains a net on noise, larger and larger in one respect, in turn with the others. Time
should grow no faster than the multiply-adds: where it grows by more than their power of 1.25 from
one point to the next, a table says "knee" and the picture has a ring. What is measured takes the
place of what results/ has of the same name. See benchmarks/README.md.
"""

import argparse
import itertools
import json
import math
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import timing
from libraries import Workload
from sequences import ENCODER, LSTM, WIDTH, flops, of_tokens
from training import LIBRARIES, contestants

TURN_SECONDS = 0.25  # about; as many epochs as that takes, at least one
KNEE = 1.25
CLASSES = 10
MEAN = ("GlobalAveragePooling1D", {})
UNITS = {"epoch": ("ms", 1e3), "step": ("us", 1e6)}


@dataclass
class Sweep:
    """Nets that differ in one respect.

    Parameters
    ----------
    label : str
        What grows, for tables and for the axis of its panel.
    per : {'epoch', 'step'}
        What the time is given for.
    nets : dict of int to Workload
    """

    label: str
    per: str
    nets: dict

    def parts(self, number):
        """How many of what the time is given for make an epoch of a net."""
        return 1 if self.per == "epoch" else self.nets[number].steps

    def work(self, number):
        """Multiply-adds, forward, of what the time is given for."""
        net = self.nets[number]
        if net.vocabulary:  # and each step updates the whole table of vectors
            return net.batch * flops(net) // 6 + net.vocabulary * WIDTH
        widths = [*net.row_shape, *(given["units"] for _, given in net.layers)]
        products = sum(before * after for before, after in itertools.pairwise(widths))
        return products * net.rows // self.parts(number)


def net(hidden, batch, steps, inputs=32):
    """A dense net, and the steps of its epoch."""
    layers = [("Dense", {"units": units, "activation": "relu"}) for units in hidden]
    layers.append(("Dense", {"units": CLASSES}))
    return Workload("net", (inputs,), layers, "Adam", 1e-3, batch, steps, epochs=1, noise=True)


SWEEPS = {
    "rows": Sweep(
        "rows of an epoch (32-64-10, batch 100)",
        "epoch",
        {10**n: net([64], 100, 10**n // 100) for n in range(3, 7)},
    ),
    "layers": Sweep(
        "layers of width 128 (batch 128)",
        "step",
        {n: net([128] * n, 128, 100, inputs=128) for n in (1, 2, 4, 8, 16)},
    ),
    "batch": Sweep(
        "rows of a batch (32-64-10)",
        "step",
        {4**n: net([64], 4**n, min(1000, 200_000 // 4**n)) for n in range(7)},
    ),
    "width": Sweep(
        "width of two layers (32-w-w-10, batch 64)",
        "step",
        {n: net([n, n], 64, min(400, 40_000 // n)) for n in (8, 32, 128, 512, 2048, 4096)},
    ),
    "length": Sweep(
        "steps of a sequence (LSTM of 128 units, batch 32)",
        "step",
        {n: of_tokens("lstm", [LSTM], n, 800 // n) for n in (25, 50, 100, 200, 400)},
    ),
    "attention": Sweep(
        "steps of a sequence (encoder of width 128, batch 32)",
        "step",
        {n: of_tokens("encoder", [ENCODER, MEAN], n, 512 // n) for n in (32, 64, 128, 256)},
    ),
    "sentences": Sweep(
        "sequences of a batch (50 steps, LSTM of 128 units)",
        "step",
        {n: of_tokens("lstm", [LSTM], 50, 512 // n, n) for n in (8, 16, 32, 64, 128)},
    ),
    "vocabulary": Sweep(
        "words of a vocabulary (50 steps, the mean of their vectors)",
        "step",
        {10**n: of_tokens("mean", [MEAN], 50, 20, vocabulary=10**n) for n in (3, 4, 5)},
    ),
}


class Trainer:
    """A library that trains the nets of one sweep after another, in a worker's process."""

    def __init__(self, library, threads):
        self.library, self.threads, self.nets = library, threads, {}

    def make(self, nets):
        """The nets of a sweep, in place of those of the last."""
        self.nets.clear()
        for number, workload in nets.items():
            self.nets[number] = self.library(workload, self.threads)

    def weights(self):
        """Of each net, to begin with."""
        return {number: net.weights() for number, net in self.nets.items()}

    def start(self, weights):
        """Warm up, and find out how many epochs a turn has."""
        for number, net in self.nets.items():
            net.load(weights[number])
            net.train(True)
            epochs = TURN_SECONDS / epoch_seconds(net)
            net.workload = replace(net.workload, epochs=max(1, round(epochs)))

    def turn(self):
        """Seconds of an epoch of each net."""
        return {number: epoch_seconds(net) for number, net in self.nets.items()}


def epoch_seconds(net):
    began = time.perf_counter()
    net.train(True)
    return (time.perf_counter() - began) / net.workload.epochs


def measure(sweep, workers, rounds):
    """{name: {number: seconds of one epoch or step, by rounds}}."""
    for worker in workers:
        worker.ask("make", sweep.nets)
    weights = workers[0].ask("weights").value
    for worker in workers:
        worker.ask("start", weights)

    def progress(number, name, answer):
        print(f"  {sweep.label}, round {number + 1}: {name}", file=sys.stderr)

    answers = timing.interleave(workers, rounds, "turn", each=progress)
    return {
        name: {n: [a.value[n] / sweep.parts(n) for a in got] for n in sweep.nets}
        for name, got in answers.items()
    }


def slopes(sweep, seconds):
    """For each point but the first: the power of the work by which the time grew up to it, the
    median of those of each round."""
    found = {}
    for a, b in itertools.pairwise(seconds):
        work = math.log(sweep.work(b) / sweep.work(a))
        each = [math.log(after / before) / work for before, after in zip(seconds[a], seconds[b])]
        found[b] = statistics.median(each)
    return found


def text(slope):
    return f"{slope:.2f} knee" if slope > KNEE else f"{slope:.2f}"


def report(sweep, libraries):
    """The table of one sweep."""
    grown = {name: slopes(sweep, seconds) for name, seconds in libraries.items()}
    (unit, factor), rows = UNITS[sweep.per], []
    for number in sweep.nets:
        row = [number]
        for name, seconds in libraries.items():
            row.append(timing.Spread.of(factor * s for s in seconds[number]).text("{:.1f}"))
            row.append(text(grown[name][number]) if number in grown[name] else "")
        rows.append(row)
    header = [sweep.label]
    for name in libraries:
        header += [f"{name}: {unit}/{sweep.per}", "slope"]
    print(f"\n{timing.table(header, rows)}")


# Colours that are told apart with any kind of sight (M. Okabe, K. Ito), and marks besides.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKS = "osD^vP*"


def draw(results, path):
    """A panel for each sweep, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(2, len(results))
    figure, panels = pyplot.subplots(
        -(-len(results) // columns),
        columns,
        figsize=(5.5 * columns, 4.6 * -(-len(results) // columns) + 0.6),
        dpi=100,
        squeeze=False,
        layout="constrained",
    )
    for panel in panels.flat[len(results) :]:
        panel.axis("off")
    for panel, (name, libraries) in zip(panels.flat, results.items()):
        measured = replace(
            SWEEPS[name], nets={n: SWEEPS[name].nets[n] for n in libraries["nnlite"]}
        )
        draw_panel(panel, measured, libraries)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    figure.savefig(path)


def draw_panel(panel, sweep, libraries):
    from matplotlib.ticker import EngFormatter, NullLocator

    numbers = list(sweep.nets)
    for colour, mark, (name, seconds) in zip(COLOURS, MARKS, libraries.items()):
        spreads = [timing.Spread.of(seconds[number]) for number in numbers]
        middle = [s.median for s in spreads]
        reach = [[s.median - s.low for s in spreads], [s.high - s.median for s in spreads]]
        panel.errorbar(
            numbers, middle, reach, color=colour, marker=mark, ms=5, lw=1.6, capsize=3, label=name
        )
        knees = [n for n, slope in slopes(sweep, seconds).items() if slope > KNEE]
        at = [statistics.median(seconds[n]) for n in knees]
        panel.scatter(knees, at, s=150, facecolors="none", edgecolors=colour, linewidths=1.4)
        if name == "nnlite":
            work = [sweep.work(n) / sweep.work(numbers[-1]) for n in numbers]
            linear = [middle[-1] * w for w in work]
    panel.plot(numbers, linear, "--", color="0.5", lw=1.2, zorder=0, label="as the multiply-adds")
    ring = f"knee: over their power of {KNEE}"
    panel.scatter([], [], s=150, facecolors="none", edgecolors="0.3", label=ring)
    panel.set(xscale="log", yscale="log", xlabel=sweep.label, title=f"Time per {sweep.per}")
    least = min(min(s) for seconds in libraries.values() for s in seconds.values())
    panel.set_ylim(bottom=least / 2)
    panel.set_xticks(numbers, [f"{n:,}" for n in numbers])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(EngFormatter("s"))
    panel.grid(color="0.9")
    panel.set_axisbelow(True)


def _with_numbers(found):
    """A dict of JSON, whose keys are numbers again if they were."""
    return {int(key) if key.isdigit() else key: value for key, value in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=list(SWEEPS), choices=SWEEPS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", nargs="+", type=int, default=[2], help="see training.py")
    dense = [name for name in LIBRARIES if name not in ("nnlite", "torch-nhwc")]
    parser.add_argument("--peers", nargs="*", choices=dense, default=["torch", "jax-scan"])
    parser.add_argument("--folder", default=Path(__file__).parent / "results", type=Path)
    options = parser.parse_args()
    before, results = timing.load(), {}
    workers, missing = timing.start(
        (name, Trainer, (library, n), n)
        for name, library, n in contestants(["nnlite", *options.peers], options.threads)
    )
    try:
        for name in options.only:
            results[name] = measure(SWEEPS[name], workers, options.rounds)
            report(SWEEPS[name], results[name])
    finally:
        for worker in workers:
            worker.close()
    print(
        f"\n{options.rounds} rounds on noise; load average {before:.1f} before, "
        f"{timing.load():.1f} after; slope: the power of the multiply-adds by which the time grows"
    )
    for name, reason in missing.items():
        print(f"not measured: {name}: {reason}")
    options.folder.mkdir(exist_ok=True)
    path = options.folder / "growth.json"
    if path.exists():
        results = json.loads(path.read_text(), object_hook=_with_numbers) | results
        results = {name: results[name] for name in SWEEPS if name in results}
    with open(path, "w") as file:
        json.dump(results, file, indent=1)
    draw(results, options.folder / "growth.png")


if __name__ == "__main__":
    main()
