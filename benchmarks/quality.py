"""What the estimators learn as they come: nnlite on raw tables, its peers at their defaults.

scikit-learn's MLP stands behind a StandardScaler, HistGradientBoosting takes the raw table as
nnlite does. Scores are accuracy and R2, means over shuffled folds; a peer is reached where the mean
is at least its own. Times are CPU seconds of fit and predict, on one thread, in one process.
"""

import argparse
import csv
import gzip
import io
import json
import os
import sys
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from nnlite import NNClassifier, NNRegressor

FOLDER = Path(os.environ.get("NNLITE_DATA", ".")) / "tabular"
OURS, MLP, TREES = "nnlite", "MLP", "HistGB"

# Name -> files of a table whose last column is the target; `regression` where it is a number.
FILES = {
    "banknote": ["banknote_authentication.csv.gz"],
    "ionosphere": ["ionosphere.csv.gz"],
    "sonar": ["sonar.csv.gz"],
    "pima": ["pima-indians-diabetes.csv.gz"],
    "phoneme": ["phoneme.csv.gz"],
    "mammography": ["mammography.csv.gz"],
    "german": ["german.csv.gz"],
    "adult": ["adult-train.csv.gz", "adult-test.csv.gz"],
    "wine-red": ["winequality-red.csv.gz"],
    "wine-white": ["winequality-white.csv.gz"],
    "abalone": ["abalone.csv.gz"],
}
BUNDLED = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast-cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
REGRESSION = {"diabetes", "wine-red", "wine-white", "abalone"}
NAMES = [*BUNDLED, *FILES]
FAST = ["iris", "wine", "breast-cancer", "diabetes", "banknote", "sonar", "pima", "wine-red"]


def table(files):
    """X and y of csv files: numbers as they are, a 0/1 column for each value of a text column."""
    rows = []
    for file in files:
        text = gzip.decompress((FOLDER / file).read_bytes()).decode()
        rows += [[cell.strip(" .") for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    *columns, target = (np.array(column) for column in zip(*rows, strict=True))
    parts = []
    for column in columns:
        try:
            parts.append(column.astype(float)[:, None])
        except ValueError:
            parts.append((column[:, None] == np.unique(column)).astype(float))
    return np.hstack(parts), target


def data(name):
    """X, y and whether y is a number to be predicted."""
    if name in BUNDLED:
        X, y = BUNDLED[name](return_X_y=True)
    else:
        X, y = table(FILES[name])
    return X, y.astype(float) if name in REGRESSION else y, name in REGRESSION


def contestants(regression):
    """Name -> estimator, all at their defaults."""
    if regression:
        return {
            OURS: NNRegressor(n_threads=1),
            MLP: make_pipeline(StandardScaler(), MLPRegressor()),
            TREES: HistGradientBoostingRegressor(),
        }
    return {
        OURS: NNClassifier(n_threads=1),
        MLP: make_pipeline(StandardScaler(), MLPClassifier()),
        TREES: HistGradientBoostingClassifier(),
    }


def seeded(estimator, seed):
    """A copy whose every random_state is the seed."""
    names = [n for n in estimator.get_params() if n.split("__")[-1] == "random_state"]
    return clone(estimator).set_params(**dict.fromkeys(names, seed))


@dataclass
class Result:
    """What one contestant reached on one table: a score and CPU seconds for each fold."""

    scores: list = field(default_factory=list)
    seconds: list = field(default_factory=list)

    @property
    def score(self):
        return float(np.mean(self.scores))


def measured(name, seeds, folds=5, rows=None, only=None):
    """Contestant -> Result for one table; `rows` is how many of its rows to use at most."""
    X, y, regression = data(name)
    if rows is not None and rows < len(X):
        part = np.random.RandomState(0).permutation(len(X))[:rows]
        X, y = X[part], y[part]
    results = defaultdict(Result)
    split = KFold if regression else StratifiedKFold
    for seed in range(seeds):
        for train, test in split(folds, shuffle=True, random_state=seed).split(X, y):
            for who, estimator in contestants(regression).items():
                if only is not None and who not in only:
                    continue
                estimator, began = seeded(estimator, seed), time.process_time()
                score = estimator.fit(X[train], y[train]).score(X[test], y[test])
                results[who].seconds.append(time.process_time() - began)
                results[who].scores.append(score)
    return results


HEAD = f"{'':14}{'rows':>7}{OURS:>9}{MLP:>9}{TREES:>9}  reached{'s':>9}{'s':>9}{'s':>9}"


def line(name, results):
    """One table's row: scores, whom nnlite reached, CPU seconds."""
    rows = len(data(name)[0])
    reached = [who for who in (MLP, TREES) if results[OURS].score >= results[who].score]
    scores = "".join(f"{results[who].score:9.4f}" for who in (OURS, MLP, TREES))
    seconds = "".join(f"{sum(results[who].seconds):9.1f}" for who in (OURS, MLP, TREES))
    marks = "".join(who[0] if who in reached else "-" for who in (MLP, TREES))
    return f"{name:14}{rows:7}{scores}  {marks:7}{seconds}"


def summary(everything):
    """How often nnlite reached each peer, and the total times."""
    lines = []
    for who in (MLP, TREES):
        won = sum(r[OURS].score >= r[who].score for r in everything.values())
        lines.append(f"reaches {who} on {won} of {len(everything)}")
    total = {w: sum(sum(r[w].seconds) for r in everything.values()) for w in (OURS, MLP, TREES)}
    lines.append("CPU seconds: " + ", ".join(f"{who} {s:.1f}" for who, s in total.items()))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="small tables, one seed")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=" ".join(NAMES))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, help="at most so many rows of each table")
    parser.add_argument("--json", type=Path, help="where to keep every fold's figures")
    options = parser.parse_args()
    names = options.only or (FAST if options.fast else NAMES)
    if not FOLDER.is_dir():
        names = [name for name in names if name in BUNDLED]
        print(f"no folder {FOLDER} (NNLITE_DATA): only {', '.join(names)}", file=sys.stderr)
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(HEAD)
    everything = {}
    for name in names:
        with threadpool_limits(1):
            seeds = 1 if options.fast else options.seeds
            everything[name] = measured(name, seeds, rows=options.rows)
        print(line(name, everything[name]), flush=True)
    print(summary(everything))
    if options.json:
        figures = {n: {who: vars(r) for who, r in all_.items()} for n, all_ in everything.items()}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
