"""MLPClassifier of nnlite beside scikit-learn's: the same settings, losses and rows in float64.

    python benchmarks/mlp.py --rounds 5

Each in a process of its own. Of two fits in a turn the second counts. It ends with an error if
losses differ by more than 1e-3. Seconds of the processor say more than those of the clock where the
machine does other things, too. See benchmarks/README.md.
"""

import argparse
import warnings

import numpy as np
import timing

SAME_LOSS = 1e-3
EPOCHS = {"digits": 100, "adult": 20}
ROWS = 20_000  # at most
CASES = [
    ("digits", {}),
    ("digits", {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.05}),
    ("digits", {"solver": "lbfgs"}),
    ("adult", {}),
    ("adult", {"solver": "sgd", "learning_rate_init": 0.01}),
    ("adult", {"solver": "lbfgs"}),
    ("adult", {"early_stopping": True}),
]


class Contestant:
    """One library, with scaled data."""

    def __init__(self, library):
        from contestants import as_numbers
        from sklearn.preprocessing import StandardScaler
        from tables import load, numbers_and_categories

        if library == "nnlite":
            from nnlite.neural_network import MLPClassifier
        else:
            from sklearn.neural_network import MLPClassifier
        warnings.simplefilter("ignore")  # that it did not converge
        self.cls, self.data = MLPClassifier, {}
        for name in EPOCHS:
            X, y = load(name, ROWS)
            X = as_numbers(*numbers_and_categories(X)).fit_transform(X)
            self.data[name] = StandardScaler().fit_transform(X), y
            self.cls(max_iter=2).fit(*self.data[name])

    def fit(self, name, settings):
        """Fit once; gives the loss of each epoch, of 'lbfgs' the last one."""
        epochs = EPOCHS[name]
        given = {"max_iter": epochs, "tol": 0.0, "n_iter_no_change": epochs, "random_state": 0}
        model = self.cls(**{**given, **settings}).fit(*self.data[name])
        return getattr(model, "loss_curve_", [model.loss_])


def main():
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    wanted = [(name, Contestant, (name,), given.threads) for name in ("nnlite", "sklearn")]
    workers, missing = timing.start(wanted)
    for who, why in missing.items():
        raise SystemExit(f"{who} is missing: {why}")
    print(
        f"100 hidden units, {EPOCHS} epochs, {given.rounds} rounds, {given.threads} threads; "
        f"load {timing.load():.1f} before"
    )
    rows, worst = [], 0.0
    try:
        for name, settings in CASES:
            answers = timing.interleave(workers, given.rounds, "fit", name, settings, twice=True)
            curves = [np.array(answers[who][0].value) for who in answers]
            same = len(curves[0]) == len(curves[1])
            apart = np.abs(curves[0] - curves[1]).max() if same else np.inf
            worst = max(worst, apart)
            row = [f"{name} {', '.join(map(str, settings.values()))}"]
            for kind in "seconds", "cpu_seconds":
                took = {who: [getattr(a, kind) for a in turns] for who, turns in answers.items()}
                row += [timing.Spread.of(values).text("{:.3f}") for values in took.values()]
                row.append(timing.ratios(took, "nnlite", "sklearn").text("{:.1f}"))
            rows.append([*row, f"{apart:.1e}"])
    finally:
        for worker in workers:
            worker.close()
    header = ["fit", "nnlite s", "sklearn s", "faster by", "CPU s", "CPU s", "faster by"]
    print(timing.table([*header, "losses differ by"], rows))
    print(f"load {timing.load():.1f} after")
    if worst > SAME_LOSS:
        raise SystemExit(f"losses differ by {worst:.1e}, more than {SAME_LOSS}")


if __name__ == "__main__":
    main()
