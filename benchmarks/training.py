"""Training speed of nnlite and of every peer that can be imported, measured in one interleaved run.

    python benchmarks/training.py --workload mlp tiny --rounds 7

Every library trains the same net from the same weights on the same rows. The warm-up round takes
the rows in their order, so that the losses of the libraries can be compared; the timed rounds
shuffle. See benchmarks/README.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import replace

import sequences
import timing
from kernels import limits
from libraries import Keras, KerasXla, Nnlite, Sklearn, Workload
from library_jax import Jax, JaxScan
from library_torch import Torch, TorchChannelsLast

LIBRARIES = {
    "nnlite": Nnlite,
    "torch": Torch,
    "torch-nhwc": TorchChannelsLast,
    "jax-step": Jax,
    "jax-scan": JaxScan,
    "keras": Keras,
    "keras-xla": KerasXla,
    "sklearn": Sklearn,
}

WORKLOADS = {
    w.name: w
    for w in [
        Workload(
            "mlp",
            (784,),
            [
                ("Dense", {"units": 512, "activation": "relu"}),
                ("Dense", {"units": 256, "activation": "relu"}),
                ("Dense", {"units": 10}),
            ],
            "Adam",
            1e-3,
            batch=128,
            steps=468,
            epochs=2,
        ),
        Workload(
            "tiny",
            (784,),
            [
                ("Dense", {"units": 32, "activation": "relu"}),
                ("Dense", {"units": 10}),
            ],
            "Adam",
            1e-3,
            batch=32,
            steps=1875,
            epochs=5,
        ),
        Workload(
            "mlpbn",
            (784,),
            [
                ("Dense", {"units": 512, "activation": "relu"}),
                ("BatchNormalization", {}),
                ("Dropout", {"rate": 0.2}),
                ("Dense", {"units": 512, "kernel_regularizer": "l2"}),
                ("BatchNormalization", {}),
                ("Activation", {"activation": "relu"}),
                ("Dropout", {"rate": 0.2}),
                ("Dense", {"units": 10}),
            ],
            "Adam",
            1e-3,
            batch=128,
            steps=468,
            epochs=1,
        ),
        Workload(
            "cnn",
            (28, 28, 1),
            [
                ("Conv2D", {"filters": 32, "kernel_size": 3, "activation": "relu"}),
                ("MaxPooling2D", {"pool_size": 2}),
                ("Conv2D", {"filters": 64, "kernel_size": 3, "activation": "relu"}),
                ("MaxPooling2D", {"pool_size": 2}),
                ("Conv2D", {"filters": 64, "kernel_size": 3, "activation": "relu"}),
                ("Flatten", {}),
                ("Dense", {"units": 64, "activation": "relu"}),
                ("Dense", {"units": 10}),
            ],
            "Adam",
            1e-3,
            batch=64,
            steps=300,
            epochs=1,
            slice=100,
        ),
        Workload(
            "lenet",
            (28, 28, 1),
            [
                ("Conv2D", {"filters": 6, "kernel_size": 5, "activation": "relu"}),
                ("MaxPooling2D", {"pool_size": 2}),
                ("Conv2D", {"filters": 16, "kernel_size": 5, "activation": "relu"}),
                ("MaxPooling2D", {"pool_size": 2}),
                ("Flatten", {}),
                ("Dense", {"units": 120, "activation": "relu"}),
                ("Dense", {"units": 84, "activation": "relu"}),
                ("Dense", {"units": 10}),
            ],
            "SGD",
            0.1,
            batch=128,
            steps=468,
            epochs=1,
            slice=100,
        ),
    ]
} | sequences.WORKLOADS

# The mean loss of the first round: the deviation from nnlite's that float32 rounding explains.
# Libraries with initial weights of their own are only asked to learn about as much.
SAME_START, OWN_START = 0.02, 0.20
ACCURACY = 0.02  # of the test set, after all rounds (each library shuffles for itself)


def contestants(libraries, threads):
    """(name, class, threads): nnlite chooses its threads, the others run with each number."""
    for name in libraries:
        if name in ("nnlite", "sklearn"):  # sklearn's threads are NumPy's
            yield name, LIBRARIES[name], max(threads)
        else:
            yield from ((f"{name} {n}t", LIBRARIES[name], n) for n in threads)


def start(workload, libraries, threads):
    """Workers that train this, and why others are missing."""
    return timing.start(
        (name, library, (workload, n), n) for name, library, n in contestants(libraries, threads)
    )


def warm_up(workers):
    """Give all the same weights and train a round in the order of the rows; returns the losses."""
    weights = workers[0].ask("weights").value
    losses = {}
    for worker in workers:
        worker.ask("load", weights)
        losses[worker.name] = worker.ask("train", False).value
    return losses


def disagreements(losses, accuracies):
    """What speaks against the comparison: losses or accuracies that are too far from nnlite's."""
    found = []
    for name, loss in losses.items():
        own = LIBRARIES[name.split()[0]].own_weights
        if abs(loss / losses["nnlite"] - 1) > (OWN_START if own else SAME_START):
            found.append(
                f"{name}: mean loss {loss:.4f} in the first round, nnlite {losses['nnlite']:.4f}"
            )
        if abs(accuracies[name] - accuracies["nnlite"]) > ACCURACY:
            found.append(
                f"{name}: test accuracy {accuracies[name]:.4f} at the end, "
                f"nnlite {accuracies['nnlite']:.4f}"
            )
    return found


def measure_training(workload, workers, rounds, progress):
    """What each worker's timed rounds took, and what speaks against comparing them."""
    losses = warm_up(workers)
    answers = timing.interleave(workers, rounds, "train", True, each=progress)
    accuracies = {w.name: w.ask("accuracy").value for w in workers}
    return {
        "seconds": {name: [a.seconds for a in got] for name, got in answers.items()},
        "cpu_seconds": {name: [a.cpu_seconds for a in got] for name, got in answers.items()},
        "first_loss": losses,
        "last_loss": {name: got[-1].value for name, got in answers.items()},
        "accuracy": accuracies,
        "disagreements": disagreements(losses, accuracies),
    }


def measure_prediction(workers, rows, rounds):
    """Seconds of one prediction of so many rows, by rounds, for each worker."""
    times = {w.name: w.ask("times_for", rows, 0.3).value for w in workers}
    seconds = {w.name: [] for w in workers}
    for _ in range(rounds):
        for worker in workers:
            answer = worker.ask("predict", rows, times[worker.name])
            seconds[worker.name].append(answer.seconds / times[worker.name])
    return seconds


def against_nnlite(seconds, name):
    """The cell that says how many times faster nnlite was."""
    return "" if name == "nnlite" else timing.ratios(seconds, "nnlite", name).text("{:.2f}")


def training_table(workload, result):
    """Fastest first."""
    seconds, steps = result["seconds"], workload.steps * workload.epochs
    rows, share = [], result["share of the peak"]
    for name in sorted(seconds, key=lambda name: statistics.median(seconds[name])):
        rate = timing.Spread.of(workload.batch * steps / s / 1000 for s in seconds[name])
        cpu = statistics.median(result["cpu_seconds"][name])
        rows.append(
            [
                name,
                rate.text("{:.3g}"),
                against_nnlite(seconds, name),
                f"{cpu / steps * 1e6:.0f}",
                *([f"{share[name]:.0%}"] if share else []),
                f"{result['first_loss'][name]:.4f}",
                f"{result['accuracy'][name]:.4f}",
            ]
        )
    return timing.table(
        [
            "library",
            "1000 samples/s",
            "nnlite is faster by",
            "CPU us/step",
            *(["share of the peak"] if share else []),
            "loss of round 0",
            "test accuracy",
        ],
        rows,
    )


def prediction_table(predictions):
    rows = []
    for count, seconds in predictions.items():
        for name in sorted(seconds, key=lambda name: statistics.median(seconds[name])):
            spread = timing.Spread.of(s * 1e6 for s in seconds[name])
            rate = f"{1000 * count / spread.median:.1f}"
            rows.append([count, name, spread.text("{:.1f}"), rate, against_nnlite(seconds, name)])
    header = ["rows", "library", "us a call", "1000 rows/s", "nnlite is faster by"]
    return timing.table(header, rows)


def verdict(seconds):
    """One sentence: the fastest peer and the ratio to it."""
    peers = [name for name in seconds if name != "nnlite"]
    if not peers:
        return "No peer was measured."
    best = timing.fastest(seconds, peers)
    ratio = timing.ratios(seconds, "nnlite", best)
    return f"Fastest peer: {best}; nnlite is faster by {ratio.text()}."


def shares_of_peak(workload, seconds, threads):
    """What part of the machine's multiply-adds the products are, for each library; or None."""
    flops, machine = sequences.flops(workload), limits()
    if flops is None or machine is None:
        return None
    # Of one thread, times their number: moments in which all are undisturbed may be rare.
    peak = threads * max(machine.peak_flops(1) for _ in range(3))
    done = flops * workload.rows * workload.epochs
    return {name: done / statistics.median(s) / peak for name, s in seconds.items()}


def run(workload, options):
    """Measure one workload and print its tables; returns all figures."""
    before = timing.load()
    workers, missing = start(workload, options.peers[:1], options.threads)
    if not workers:
        print(f"\n{workload.name}: not measured: {missing['nnlite']}")
        return {"disagreements": []}
    peers, missing = start(workload, options.peers[1:], options.threads)
    workers += peers

    def progress(number, name, answer):
        rate = workload.rows * workload.epochs / answer.seconds / 1000
        print(f"  round {number + 1}: {name} {rate:.3g}k samples/s", file=sys.stderr)

    try:
        result = measure_training(workload, workers, options.rounds, progress)
        result["predictions"] = {
            n: measure_prediction(workers, n, options.rounds)
            for n in (workload.predicted if options.predict else ())
        }
        seconds = result["seconds"]
        result["share of the peak"] = shares_of_peak(workload, seconds, max(options.threads))
    finally:
        for worker in workers:
            worker.close()
    result["load"], result["missing"] = (before, timing.load()), missing
    report(workload, result)
    return result


def report(workload, result):
    rounds = len(result["seconds"]["nnlite"])
    print(
        f"\n{workload.text}; data: {workload.data_name}; {rounds} rounds; "
        f"load average {result['load'][0]:.1f} before, {result['load'][1]:.1f} after\n"
    )
    print(training_table(workload, result))
    print("\n" + verdict(result["seconds"]))
    if result["predictions"]:
        print("\n" + prediction_table(result["predictions"]))
    for name, reason in result["missing"].items():
        print(f"not measured: {name}: {reason}")
    for line in result["disagreements"]:
        print(f"DISAGREEMENT: {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", nargs="+", default=list(WORKLOADS), choices=WORKLOADS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="fewer for each epoch, to try a command out")
    parser.add_argument(
        "--threads",
        nargs="+",
        type=int,
        default=[1, 2],
        help="peers are measured with each; nnlite chooses, up to the largest",
    )
    parser.add_argument("--peers", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--predict", action="store_true", help="time prediction too")
    parser.add_argument(
        "--busy", type=int, default=0, help="beside so many processes that never rest"
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    options.peers = ["nnlite", *(name for name in options.peers if name != "nnlite")]
    workloads = [WORKLOADS[name] for name in options.workload]
    if options.steps:
        workloads = [replace(w, steps=min(options.steps, w.steps)) for w in workloads]
    endless = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
    restless = [subprocess.Popen([sys.executable, "-c", endless]) for _ in range(options.busy)]
    try:
        results = {workload.name: run(workload, options) for workload in workloads}
    finally:
        for process in restless:
            process.kill()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)
    sys.exit(any(result["disagreements"] for result in results.values()))


if __name__ == "__main__":
    main()
