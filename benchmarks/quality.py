"""What the estimators learn as they come from raw tables, beside boosting and other networks.

`tables.py` says which tables, `contestants.py` who. Scores are the area under the ROC curve (of
each class against the rest, where there are more than two) and R2, means over shuffled folds, which
are the same for all. Times are CPU seconds of fit and predict on one thread. Every fit is one line
of the file of results, so that a run goes on where it was stopped, and a change of one contestant
measures it alone. Times compare only what was measured side by side.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from contestants import CONTESTANTS, is_here
from quality_summary import summary, table_of
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold
from tables import FAST, TABLES, load, numbers_and_categories
from threadpoolctl import threadpool_limits

SPLITS = 3


def split(X, y, regression, fold):
    """Rows to train on and to test on: fold 0 to 2 are those of the first seed, and so on."""
    folds = (KFold if regression else StratifiedKFold)(
        SPLITS, shuffle=True, random_state=fold // SPLITS
    )
    return list(folds.split(X, y))[fold % SPLITS]


def figures(who, X, y, regression, fold):
    """What one contestant reaches on one fold."""
    train, test = split(X, y, regression, fold)
    estimator = CONTESTANTS[who][1](regression, *numbers_and_categories(X), seed=fold)
    past, rows, y_test = X.iloc[train], X.iloc[test], y[test]
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        estimator.fit(past, y[train])
        predicted = estimator.predict(rows) if regression else estimator.predict_proba(rows)
        seconds = time.process_time() - began
    if regression:
        return {"score": r2_score(y_test, np.ravel(predicted)), "seconds": seconds}
    predicted = predicted / predicted.sum(axis=1, keepdims=True)
    chances = predicted[:, 1] if predicted.shape[1] == 2 else predicted
    return {
        "score": roc_auc_score(y_test, chances, multi_class="ovr"),
        "log_loss": log_loss(y_test, predicted),
        "accuracy": accuracy_score(y_test, predicted.argmax(axis=1)),
        "seconds": seconds,
    }


class Results:
    """The figures of all fits, and the file of one line for each; the last line of a fit counts."""

    def __init__(self, file):
        self.file, self.figures = file, {}
        if file is not None and file.exists():
            for line in file.read_text().splitlines():
                self._take(json.loads(line))

    def _take(self, entry):
        self.figures[tuple(entry[name] for name in ("table", "rows", "fold", "who"))] = entry

    def add(self, table, rows, fold, who, **measured):
        entry = {"table": table, "rows": rows, "fold": fold, "who": who, **measured}
        self._take(entry)
        if self.file is not None:
            with self.file.open("a") as lines:
                lines.write(json.dumps(entry) + "\n")


def measure(results, names, folds, rows, who, again):
    """Fill in what is missing, a fold of all tables before the next; table -> its rows."""
    sizes = {}
    for fold in folds:
        for name in names:
            try:
                X, y = load(name, rows)
            except FileNotFoundError as absent:
                if fold == folds[0]:
                    print(f"{name}: skipped, {absent}", file=sys.stderr)
                continue
            sizes[name] = len(X)
            for contestant in who:
                key = (name, len(X), fold, contestant)
                if key in results.figures and contestant not in again:
                    continue
                try:
                    measured = figures(contestant, X, y, TABLES[name].regression, fold)
                except (ValueError, TypeError) as error:
                    print(f"{name}, {contestant}: {error}"[:300], file=sys.stderr)
                else:
                    results.add(*key, **measured)
    return sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help=f"only {', '.join(FAST)}")
    parser.add_argument("--only", nargs="+", choices=TABLES, metavar="TABLE")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, metavar="NAME")
    parser.add_argument("--again", nargs="+", choices=CONTESTANTS, metavar="NAME", default=[])
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(3 * SPLITS)))
    parser.add_argument("--rows", type=int, help="at most so many rows of each table")
    parser.add_argument("--json", type=Path, help="the file of results, which is read and added to")
    options = parser.parse_args()
    names = options.only or (FAST if options.fast else list(TABLES))
    who = [one for one in options.contestants or CONTESTANTS if is_here(one)]
    results = Results(options.json)
    sizes = measure(results, names, options.folds, options.rows, who, options.again)
    rows_of_table = table_of(results.figures, sizes, options.folds, who)
    print("\n".join(summary(rows_of_table, who)))


if __name__ == "__main__":
    main()
