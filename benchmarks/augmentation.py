"""Images changed at random: nnlite's ImageDataGenerator against Keras's, interleaved.

    python benchmarks/augmentation.py --rounds 7

Milliseconds for a batch of 64 MNIST images, each library in a process of its own. Keras's needs
SciPy, and Pillow for brightness. See benchmarks/README.md.
"""

import argparse
import json

import data
import timing

BATCH = 64
SETTINGS = {
    "tutorial": {
        "rotation_range": 10,
        "zoom_range": 0.1,
        "width_shift_range": 0.1,
        "height_shift_range": 0.1,
    },
    "flips": {"horizontal_flip": True, "vertical_flip": True},
    "all of the matrix, reflect": {
        "rotation_range": 30,
        "zoom_range": 0.3,
        "width_shift_range": 0.2,
        "height_shift_range": 0.2,
        "shear_range": 20,
        "horizontal_flip": True,
        "fill_mode": "reflect",
    },
    "normalization": {"featurewise_std_normalization": True, "samplewise_center": True},
}


class Flow:
    """Batches of one library without end."""

    def __init__(self, library, settings, batches):
        if library == "nnlite":
            from nnlite.preprocessing.image import ImageDataGenerator
        else:
            import scipy.ndimage  # noqa: F401  (Keras would ask for it later)
            from keras.src.legacy.preprocessing.image import ImageDataGenerator
        (x, y), _ = data.mnist((28, 28, 1))
        generator = ImageDataGenerator(**settings)
        generator.fit(x)
        self.flow = generator.flow(x, y, batch_size=BATCH, seed=1)
        self.batches = batches
        self.turn()

    def turn(self):
        """Make some batches; returns how many."""
        for _ in range(self.batches):
            next(self.flow)
        return self.batches


def measure(name, rounds, threads):
    """Milliseconds a batch of each contestant, round by round."""
    wanted = [("Keras", Flow, ("keras", SETTINGS[name], 3), 1)]
    wanted += [(f"nnlite {n}", Flow, ("nnlite", SETTINGS[name], 100), n) for n in threads]
    workers, missing = timing.start(wanted)
    for who, why in missing.items():
        print(f"{who} is missing: {why}")
    try:
        answers = timing.interleave(workers, rounds, "turn")
    finally:
        for worker in workers:
            worker.close()
    return {who: [1000 * a.seconds / a.value for a in some] for who, some in answers.items()}


def main():
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--json", help="keep every figure in this file")
    given = parser.parse_args()
    print(f"{data.name()}, batches of {BATCH}; load {timing.load():.2f}\n")
    figures, rows = {}, []
    for name in given.only:
        figures[name] = found = measure(name, given.rounds, given.threads)
        for who, milliseconds in found.items():
            ratio = timing.ratios(found, who, "Keras").text("{:.1f}") if "Keras" in found else "-"
            rows.append([name, who, timing.Spread.of(milliseconds).text("{:.3f}"), ratio])
    print(timing.table(["settings", "library, threads", "ms a batch", "times Keras's speed"], rows))
    if given.json:
        with open(given.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
