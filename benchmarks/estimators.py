"""What scikit-learn's users wait for: a grid search, a prediction of one row, the start of a fit.

    python benchmarks/estimators.py --rounds 5

nnlite's NNClassifier beside scikit-learn's MLPClassifier, skorch and SciKeras, those that are
installed, each in a process of its own. All train the same net on the same rows for the same number
of epochs, and reach the same score. See benchmarks/README.md.
"""

import argparse
import json
import statistics
import time
import warnings

import timing

RATES = [0.0003, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.01]
FOLDS, EPOCHS, BATCH, HIDDEN = 3, 20, 32, 64
SAME_SCORE = 0.01
NETWORKS = 8


class Nnlite:
    """NNClassifier."""

    rate = "learning_rate"

    def classifier(self, epochs=EPOCHS):
        from nnlite import NNClassifier

        return NNClassifier(
            hidden_layer_sizes=(HIDDEN,),
            epochs=epochs,
            batch_size=BATCH,
            early_stopping=False,
            ensemble=1,
            random_state=0,
        )


class Sklearn:
    """MLPClassifier, which must not stop before its time."""

    rate = "learning_rate_init"

    def classifier(self, epochs=EPOCHS):
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(
            (HIDDEN,),
            alpha=0,
            batch_size=BATCH,
            max_iter=epochs,
            tol=0,
            n_iter_no_change=epochs + 1,
            random_state=0,
        )


class Skorch:
    """NeuralNetClassifier on PyTorch; it wants float32 rows and int64 labels, and to be told to
    shuffle."""

    rate = "lr"

    def classifier(self, epochs=EPOCHS):
        import torch
        from skorch import NeuralNetClassifier

        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Linear(64, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 10)
        )
        return NeuralNetClassifier(
            module,
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            max_epochs=epochs,
            batch_size=BATCH,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )


class Scikeras:
    """KerasClassifier on Keras 3 with TensorFlow."""

    rate = "optimizer__learning_rate"

    def classifier(self, epochs=EPOCHS):
        import keras
        from scikeras.wrappers import KerasClassifier

        def net():
            return keras.Sequential(
                [
                    keras.layers.Input((64,)),
                    keras.layers.Dense(HIDDEN, "relu"),
                    keras.layers.Dense(10, "softmax"),
                ]
            )

        return KerasClassifier(
            net,
            loss="sparse_categorical_crossentropy",
            optimizer="adam",
            epochs=epochs,
            batch_size=BATCH,
            verbose=0,
            random_state=0,
        )


class Contestant:
    """One library, with the data as it wants them."""

    def __init__(self, library):
        import numpy as np
        from sklearn.datasets import load_digits

        warnings.simplefilter("ignore")  # MLPClassifier says that it did not converge
        self.library = library()
        self.X, self.y = load_digits(return_X_y=True)
        self.X = (self.X / 16).astype(np.float32)
        self.fitted = self.library.classifier(1).fit(self.X, self.y)
        self.row = self.X[:1].copy()
        self.search(RATES[:1])  # compilation, caches
        self.predict_one(3)

    def search(self, rates):
        """The best mean score of a GridSearchCV over learning rates."""
        from sklearn.model_selection import GridSearchCV

        classifier = self.library.classifier()
        search = GridSearchCV(classifier, {self.library.rate: rates}, cv=FOLDS, refit=False)
        search.fit(self.X, self.y)
        return search.best_score_

    def predict_one(self, times):
        """The least of so many times that `predict` takes for one row, in milliseconds."""
        return _least(lambda: self.fitted.predict(self.row), times)

    def several(self, networks):
        """Fit this number of networks at once, each for the epochs of the search."""
        several = self.library.classifier().set_params(ensemble=networks, early_stopping=True)
        several.fit(self.X, self.y)

    def start(self, times):
        """The least of so many times that a fit of 10 rows and one epoch takes, in milliseconds."""
        few, labels = self.X[:10], self.y[:10]
        return _least(lambda: self.library.classifier(1).fit(few, labels), times)


def _least(function, times):
    least = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        function()
        least = min(least, time.perf_counter() - began)
    return 1000 * least


LIBRARIES = {"nnlite": Nnlite, "sklearn": Sklearn, "skorch": Skorch, "scikeras": Scikeras}
SLOW = {"skorch", "scikeras"}  # whose grid search takes minutes: a tenth of it is timed


def measure(libraries, rounds, threads):
    """Seconds, milliseconds and scores of each contestant, round by round."""
    wanted = [(name, Contestant, (LIBRARIES[name],), threads) for name in libraries]
    workers, missing = timing.start(wanted)
    for who, why in missing.items():
        print(f"{who} is missing: {why}")
    found = {}
    try:
        for what, method, of in (
            ("search", "search", None),
            ("one row", "predict_one", 300),
            ("start", "start", 20),
        ):
            found[what] = {worker.name: [] for worker in workers}
            for number in range(rounds):
                first = number % len(workers)
                for worker in workers[first:] + workers[:first]:
                    found[what][worker.name].append(turn(worker, method, of))
                    time.sleep(timing.SETTLE_SECONDS)
    finally:
        for worker in workers:
            worker.close()
    return found


def networks_beside_one(rounds, threads):
    """How many times as long as one network several take, of the same epochs, round by round: by
    the clock, and in seconds of the processor, which other programs change less."""
    workers, _ = timing.start([("nnlite", Contestant, (Nnlite,), threads)])
    try:
        turns = [[workers[0].ask("several", n) for n in (1, NETWORKS)] for _ in range(rounds)]
    finally:
        workers[0].close()
    return [
        timing.Spread.of([getattr(b, kind) / getattr(a, kind) for a, b in turns])
        for kind in ("seconds", "cpu_seconds")
    ]


def turn(worker, method, of):
    """(figure, score) of one turn: seconds of a search, or the least milliseconds of calls."""
    if method != "search":
        return worker.ask(method, max(2, of // 20) if worker.name in SLOW else of).value, None
    rates = [0.003] if worker.name in SLOW else RATES
    answer = worker.ask(method, rates)
    return answer.seconds * len(RATES) / len(rates), answer.value


def check_scores(found):
    """Raise if somebody learned less than the others."""
    best = {who: statistics.median(s for _, s in turns) for who, turns in found["search"].items()}
    print("best scores: " + ", ".join(f"{who} {score:.4f}" for who, score in best.items()))
    if max(best.values()) - min(best.values()) > SAME_SCORE:
        raise SystemExit(f"the best scores differ by more than {SAME_SCORE}: {best}")


def main():
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--json", help="keep every figure in this file")
    given = parser.parse_args()
    fits = len(RATES) * FOLDS
    print(
        f"digits, {HIDDEN} hidden units, batches of {BATCH}; search: {fits} fits of {EPOCHS} "
        f"epochs; {given.rounds} rounds, {given.threads} threads; load {timing.load():.1f} before"
    )
    found = measure(given.only, given.rounds, given.threads)
    rows = []
    for what, unit, form in (
        ("search", "s", "{:.2f}"),
        ("one row", "ms", "{:.3f}"),
        ("start", "ms", "{:.2f}"),
    ):
        figures = {who: [figure for figure, _ in turns] for who, turns in found[what].items()}
        for who, values in figures.items():
            other = who != "nnlite" and "nnlite" in figures
            ratio = timing.ratios(figures, "nnlite", who).text("{:.1f}") if other else ""
            rows.append([what, who, timing.Spread.of(values).text(form) + f" {unit}", ratio])
    print(timing.table(["what", "library", "time", "nnlite is faster by"], rows))
    clock, cpu = (r.text("{:.2f}") for r in networks_beside_one(given.rounds, given.threads))
    print(f"{NETWORKS} networks of one estimator take {clock} times as long as one, CPU {cpu}")
    print(f"load {timing.load():.1f} after")
    if given.json:
        with open(given.json, "w") as file:
            json.dump(found, file, indent=1)
    check_scores(found)


if __name__ == "__main__":
    main()
