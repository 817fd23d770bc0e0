"""How fast whole nets of images predict, and a head on a frozen net trains: nnlite, Keras on
TensorFlow, and PyTorch with torchvision's nets, fused, channels last.

    python benchmarks/applications.py --rounds 3

Weights are random. Keras's are those of nnlite, and its outputs must agree; torchvision's nets have
the same layers, but some other paddings and no biases in front of a normalization, so they have
weights of their own.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
import timing


@dataclass(frozen=True)
class Workload:
    """A net, the rows of a call, and the side of its images; `head`: two dense layers on the frozen
    net are trained, for one epoch of eight batches a turn."""

    net: str
    batch: int
    side: int = 224
    head: bool = False
    calls: int = 1

    @property
    def name(self):
        return f"{self.net}-{self.batch}" + ("-head" if self.head else "")


WORKLOADS = {
    w.name: w
    for w in (
        Workload("VGG16", 8),
        Workload("MobileNetV2", 16, calls=3),
        Workload("ResNet50", 8),
        Workload("ResNet50", 1, calls=5),
        Workload("MobileNetV2", 32, side=96, head=True),
    )
}
STEPS = 8  # of a turn, with a head


def images_of(workload):
    """Images, and for a head their classes."""
    rng = np.random.default_rng(0)
    rows = workload.batch * (STEPS if workload.head else 1)
    x = rng.normal(size=(rows, workload.side, workload.side, 3)).astype("float32")
    return x, rng.integers(0, 10, rows)


class Nnlite:
    """nnlite, and by its package's name Keras, whose habits it has."""

    package = "nnlite"

    def __init__(self, workload, threads):
        self.workload, self.threads = workload, threads
        self.x, self.y = images_of(workload)
        self.build()

    def library(self):
        import nnlite

        return nnlite

    def build(self):
        library, w = self.library(), self.workload
        library.utils.set_random_seed(0)
        make = getattr(library.applications, w.net)
        if not w.head:
            self.model = make(weights=None)
            return
        base = make(weights=None, include_top=False, pooling="avg", input_shape=(w.side, w.side, 3))
        base.trainable = False
        layers = library.layers
        head = [layers.Dense(128, activation="relu"), layers.Dense(10, activation="softmax")]
        self.model = library.Sequential([base, *head])
        self.model.compile("adam", "sparse_categorical_crossentropy")
        self.model.build((None, w.side, w.side, 3))

    def weights(self):
        return self.model.get_weights()

    def load(self, weights):
        self.model.set_weights(weights)

    def outputs(self):
        return np.asarray(self.model.predict(self.x[: self.workload.batch], verbose=0))

    def turn(self):
        w = self.workload
        if w.head:
            self.model.fit(self.x, self.y, batch_size=w.batch, verbose=0, shuffle=False)
            return
        for _ in range(w.calls):
            self.model.predict(self.x, verbose=0)


class Keras(Nnlite):
    """Keras on TensorFlow: a compiled function of the model."""

    package = "keras"

    def library(self):
        import keras
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(self.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(self.threads)
        return keras


class Torch(Nnlite):
    """torchvision's net, normalizations folded, by oneDNN, channels last."""

    package = "torch"
    NETS = {"VGG16": "vgg16", "MobileNetV2": "mobilenet_v2", "ResNet50": "resnet50"}

    def build(self):
        import torch
        import torchvision

        torch.set_num_threads(self.threads)
        torch.manual_seed(0)
        w, self.torch = self.workload, torch
        net = getattr(torchvision.models, self.NETS[w.net])(weights=None).eval()
        if w.head:
            net.classifier = torch.nn.Identity()
        x = torch.from_numpy(self.x.transpose(0, 3, 1, 2).copy())
        self.x = x.to(memory_format=torch.channels_last)
        net = net.to(memory_format=torch.channels_last)
        with torch.inference_mode():
            frozen = torch.jit.trace(net, self.x[: w.batch])
            self.net = torch.jit.optimize_for_inference(torch.jit.freeze(frozen))
            for _ in range(2):
                self.net(self.x[: w.batch])
        if w.head:
            nn = torch.nn
            self.head = nn.Sequential(nn.Linear(1280, 128), nn.ReLU(), nn.Linear(128, 10))
            self.optimizer = torch.optim.Adam(self.head.parameters(), fused=True)
            self.y = torch.from_numpy(self.y)

    def outputs(self):
        with self.torch.inference_mode():
            return self.net(self.x[: self.workload.batch]).numpy()

    def turn(self):
        torch, w = self.torch, self.workload
        for k in range(STEPS if w.head else w.calls):
            rows = slice(k * w.batch, (k + 1) * w.batch) if w.head else slice(w.batch)
            with torch.inference_mode():
                features = self.net(self.x[rows])
            if not w.head:
                continue
            loss = torch.nn.functional.cross_entropy(self.head(features.clone()), self.y[rows])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


LIBRARIES = {"nnlite": Nnlite, "keras": Keras, "torch": Torch}


def measure(workload, rounds, threads, wanted):
    """Print the table of one workload."""
    entries = [(name, LIBRARIES[name], (workload, threads), threads) for name in wanted]
    workers, missing = timing.start(entries)
    by_name = {worker.name: worker for worker in workers}
    if {"nnlite", "keras"} <= set(by_name):
        by_name["keras"].ask("load", by_name["nnlite"].ask("weights").value)
    outputs = {name: worker.ask("outputs").value for name, worker in by_name.items()}
    timing.interleave(workers, 1, "turn")
    began = timing.load()
    answers = timing.interleave(workers, rounds, "turn")
    for worker in workers:
        worker.close()
    seconds = {name: [a.seconds for a in given] for name, given in answers.items()}
    images = workload.batch * (STEPS if workload.head else workload.calls)
    rows = []
    for name in sorted(seconds, key=lambda n: sorted(seconds[n])[rounds // 2]):
        speed = timing.Spread.of(images / s for s in seconds[name])
        cpu = timing.Spread.of(a.cpu_seconds / images * 1e3 for a in answers[name])
        ratio = "" if name == "nnlite" else timing.ratios(seconds, "nnlite", name).text()
        rows.append((name, speed.text("{:.4g}"), ratio, cpu.text("{:.3g}")))
    kind = "a head trained" if workload.head else "predicted"
    print(
        f"\n{workload.net}, {workload.side} x {workload.side} x 3, batch {workload.batch}, {kind}; "
        f"{threads} threads, {rounds} rounds, load average {began:.1f} before\n"
    )
    print(timing.table(("library", "images/s", "nnlite is faster by", "CPU ms an image"), rows))
    for name, reason in missing.items():
        print(f"not measured: {name}: {reason}")
    if {"nnlite", "keras"} <= set(outputs):
        a, b = outputs["nnlite"], outputs["keras"]
        apart = float(np.abs(a - b).max() / np.abs(b).max())
        print(f"nnlite's outputs are {apart:.1e} of the largest from Keras's")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--library", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    began = time.time()
    for name in given.workload:
        measure(WORKLOADS[name], given.rounds, given.threads, given.library)
    print(f"\n{time.time() - began:.0f} s in all")


if __name__ == "__main__":
    main()
