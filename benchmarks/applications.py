"""How fast whole nets of images predict, a head on a frozen net trains, and a small residual net
trains: nnlite, Keras on TensorFlow, and PyTorch with torchvision's nets, fused, channels last.

    python benchmarks/applications.py --rounds 3

The peak is what the first turn takes at most above weights and images; that of others has their
code and threads in it, too. Weights are random. Keras's are those of nnlite, and its outputs must
agree. torchvision's nets have weights of their own: some paddings differ, and its ResNet50 has
strides in the 3 x 3 convolutions, which is 6 % more work.
"""

import argparse
import itertools
import time
from dataclasses import dataclass

import numpy as np
import timing
from memory import resident, settle


@dataclass(frozen=True)
class Workload:
    """A net, the rows of a call, and the side of its images.

    A turn is `calls` predictions, or with `trains` an epoch of as many batches: of two dense layers
    on the frozen net ('head'), or of the whole net ('net')."""

    net: str
    batch: int
    side: int = 224
    trains: str = ""
    calls: int = 1

    @property
    def name(self):
        return "-".join([self.net, str(self.batch), *([self.trains] if self.trains else [])])


WORKLOADS = {
    w.name: w
    for w in (
        Workload("VGG16", 8),
        Workload("MobileNetV2", 16, calls=3),
        Workload("ResNet50", 8),
        Workload("ResNet50", 1, calls=5),
        Workload("MobileNetV2", 32, side=96, trains="head", calls=8),
        Workload("residual", 64, side=32, trains="net", calls=16),
    )
}


def images_of(workload):
    """Images, and their classes."""
    rng = np.random.default_rng(0)
    rows = workload.batch * (workload.calls if workload.trains else 1)
    x = rng.normal(size=(rows, workload.side, workload.side, 3)).astype("float32")
    return x, rng.integers(0, 10, rows)


def residual(library, side):
    """Three blocks of two convolutions of 3 x 3, 32 channels."""
    layers = library.layers
    images = layers.Input((side, side, 3))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(images)
    for _ in range(3):
        y = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
        y = layers.Conv2D(32, 3, padding="same")(y)
        x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return library.Model(images, layers.Dense(10, activation="softmax")(x))


def torch_residual(nn):
    """The same."""

    def convolution(channels):
        return nn.Conv2d(channels, 32, 3, padding=1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = convolution(32), convolution(32)

        def forward(self, x):
            return (x + self.second(self.first(x).relu_())).relu_()

    stem = [convolution(3), nn.ReLU(inplace=True)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)]
    return nn.Sequential(*stem, *(Block() for _ in range(3)), *end)


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
        if w.trains == "net":
            self.model = residual(library, w.side)
        elif w.trains == "head":
            self.model = self.head_on_frozen(library)
        else:
            make = getattr(library.applications, w.net)
            self.model = make(weights=None, classifier_activation=None)  # as torchvision's
        if w.trains:
            self.model.compile("adam", "sparse_categorical_crossentropy")

    def head_on_frozen(self, library):
        layers, shape = library.layers, (self.workload.side, self.workload.side, 3)
        make = getattr(library.applications, self.workload.net)
        base = make(weights=None, include_top=False, pooling="avg", input_shape=shape)
        base.trainable = False
        head = [layers.Dense(128, activation="relu"), layers.Dense(10, activation="softmax")]
        model = library.Sequential([base, *head])
        model.build((None, *shape))
        return model

    def peak(self):
        """MiB that the first turn takes at most, above the weights and the images."""
        before = settle()
        self.turn()
        return resident()["VmHWM"] - before["VmRSS"]

    def neighbours(self):
        """MiB of the largest results of two neighbouring layers, for a batch."""
        shapes = [getattr(layer.output, "shape", ()) for layer in self.model.layers]
        sizes = [self.workload.batch * np.prod(shape[1:], dtype=float) / 2**18 for shape in shapes]
        return max(a + b for a, b in itertools.pairwise(sizes))

    def weights(self):
        return self.model.get_weights()

    def load(self, weights):
        self.model.set_weights(weights)

    def outputs(self):
        return np.asarray(self.model.predict(self.x[: self.workload.batch], verbose=0))

    def turn(self):
        w = self.workload
        if w.trains:
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
        x = torch.from_numpy(self.x.transpose(0, 3, 1, 2).copy())
        self.x = x.to(memory_format=torch.channels_last)
        self.y = torch.from_numpy(self.y)
        if w.trains == "net":
            self.trained = torch_residual(torch.nn).to(memory_format=torch.channels_last)
        else:
            self.net = self.fused(getattr(torchvision.models, self.NETS[w.net])(weights=None))
        if w.trains == "head":
            nn = torch.nn
            self.trained = nn.Sequential(nn.Linear(1280, 128), nn.ReLU(), nn.Linear(128, 10))
        if w.trains:
            self.optimizer = torch.optim.Adam(self.trained.parameters(), fused=True)

    def fused(self, net):
        """The net with its normalizations folded, for prediction."""
        torch, some = self.torch, self.x[: self.workload.batch]
        if self.workload.trains:
            net.classifier = torch.nn.Identity()
        net = net.eval().to(memory_format=torch.channels_last)
        with torch.inference_mode():
            fused = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, some)))
            for _ in range(2):
                fused(some)
        return fused

    def outputs(self):
        return None

    def turn(self):
        w, predicting = self.workload, self.torch.inference_mode
        for k in range(w.calls):
            if not w.trains:
                with predicting():
                    self.net(self.x)
                continue
            rows = slice(k * w.batch, (k + 1) * w.batch)
            x = self.x[rows]
            if w.trains == "head":
                with predicting():
                    x = self.net(x)
                x = x.clone()
            loss = self.torch.nn.functional.cross_entropy(self.trained(x), self.y[rows])
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
    peaks = {name: worker.ask("peak").value for name, worker in by_name.items()}
    outputs = {name: worker.ask("outputs").value for name, worker in by_name.items()}
    told = "nnlite" in by_name and not workload.trains
    neighbours = by_name["nnlite"].ask("neighbours").value if told else None
    timing.interleave(workers, 1, "turn")
    began = timing.load()
    answers = timing.interleave(workers, rounds, "turn")
    for worker in workers:
        worker.close()
    seconds = {name: [a.seconds for a in given] for name, given in answers.items()}
    images = workload.batch * workload.calls
    rows = []
    for name in sorted(seconds, key=lambda n: sorted(seconds[n])[rounds // 2]):
        speed = timing.Spread.of(images / s for s in seconds[name])
        cpu = timing.Spread.of(a.cpu_seconds / images * 1e3 for a in answers[name])
        ratio = "" if name == "nnlite" else timing.ratios(seconds, "nnlite", name).text()
        rows.append((name, speed.text("{:.4g}"), ratio, cpu.text("{:.3g}"), f"{peaks[name]:.0f}"))
    kind = f"a {workload.trains} trained" if workload.trains else "predicted"
    print(
        f"\n{workload.net}, {workload.side} x {workload.side} x 3, batch {workload.batch}, {kind}; "
        f"{threads} threads, {rounds} rounds, load average {began:.1f} before\n"
    )
    header = ("library", "images/s", "nnlite is faster by", "CPU ms an image", "peak, MiB")
    print(timing.table(header, rows))
    if neighbours:
        share = peaks["nnlite"] / neighbours
        print(
            f"nnlite's peak is {share:.2f} of what two neighbouring layers give, "
            f"{neighbours:.0f} MiB"
        )
    for name, reason in missing.items():
        print(f"not measured: {name}: {reason}")
    if {"nnlite", "keras"} <= set(outputs):
        a, b = outputs["nnlite"], outputs["keras"]
        # A net that is not trained gives nearly the same for each class: the differences count.
        spread = np.abs(b - b.mean(axis=-1, keepdims=True)).max()
        apart = float(np.abs(a - b).max() / spread)
        print(f"nnlite's outputs are {apart:.1e} of their spread over the classes from Keras's")


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
