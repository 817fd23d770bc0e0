"""The benchmark of tables counts, resumes and divides as it says."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas")
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("no folder of benchmarks", allow_module_level=True)


@pytest.fixture(scope="module")
def modules():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import quality
        import quality_summary
        import tables
    finally:
        sys.path.remove(str(BENCHMARKS))
    return quality, quality_summary, tables


WHO = ["nnlite", "nnlite-before", "linear", "CatBoost"]
SCORES = {  # in the order of WHO
    "iris": (0.90, 0.92, 0.80, 0.905),
    "pima": (0.85, 0.80, 0.70, 0.80),
    "diabetes": (0.50, 0.40, 0.45, 0.45),
}


@pytest.fixture
def means(modules):
    _, quality_summary, _ = modules
    figures, sizes = {}, dict.fromkeys([*SCORES, "wine"], 400)
    for table, scores in SCORES.items():
        for fold, change in ((0, -0.01), (1, 0.01)):
            for who, score in zip(WHO, scores):
                entry = {"score": score + change, "seconds": 4.0 if who == "CatBoost" else 1.0}
                if table != "diabetes":
                    entry["log_loss"] = 0.5 if who == "linear" else 0.6
                figures[table, 400, fold, who] = entry
    missing = figures.pop(("iris", 400, 1, "nnlite"))
    assert set(quality_summary.table_of(figures, sizes, [0, 1], WHO)) == {"pima", "diabetes"}
    figures["iris", 400, 1, "nnlite"] = missing
    return quality_summary.table_of(figures, sizes, [0, 1], WHO)


def test_ranks_wins_times_and_promises_are_those_of_the_mean_scores(modules, means):
    lines = modules[1].summary(means, WHO)
    of_all = lines[lines.index("all tables: 3") + 1 :]

    def row(title):
        return next(line for line in of_all if line.startswith(title))[29:].split()

    assert row("mean rank") == ["1.67", "2.50", "3.50", "2.33"]
    assert row("of log loss") == ["3.00", "3.00", "1.00", "3.00"]
    assert row("wins - losses") == ["2-1", "1-1", "0-2", "0-0"]
    assert row("x CatBoost's") == ["0.25", "0.25", "0.25", "1.00"]
    assert row("worst margin")[0] == "-0.0050"
    text = "\n".join(lines)
    assert "more than 0.01 below nnlite-before: iris -0.0200\n" in text
    assert "more than 0.01 below CatBoost: none\n" in text
    assert "better AUC than linear, worse log loss: iris, pima\n" in text
    assert "mean margin to linear on 3 small: +0.1000" in text


def test_a_run_goes_on_where_it_stopped_and_the_last_measurement_counts(modules, tmp_path):
    quality, _, _ = modules
    file = tmp_path / "results.json"
    first = quality.Results(file)
    first.add("iris", 150, 0, "linear", score=0.5, seconds=1.0)
    first.add("iris", 150, 0, "linear", score=0.7, seconds=1.0)
    again = quality.Results(file)
    assert again.figures["iris", 150, 0, "linear"]["score"] == 0.7
    sizes = quality.measure(again, ["iris"], [0, 1], None, ["linear"], [])
    assert sizes == {"iris": 150}
    assert again.figures["iris", 150, 0, "linear"]["score"] == 0.7
    assert again.figures["iris", 150, 1, "linear"]["score"] > 0.9
    quality.measure(again, ["iris"], [0], None, ["linear"], ["linear"])
    assert again.figures["iris", 150, 0, "linear"]["score"] > 0.9
    assert len(file.read_text().splitlines()) == 4


def test_folds_are_fixed_and_each_tests_every_row_once(modules):
    quality, _, tables = modules
    X, y = tables.load("breast-cancer", rows=300)
    again, _ = tables.load("breast-cancer", rows=300)
    np.testing.assert_array_equal(X, again)
    assert len(X) == 300
    tested = [quality.split(X, y, False, fold)[1] for fold in range(6)]
    for three in (tested[:3], tested[3:]):
        np.testing.assert_array_equal(np.sort(np.concatenate(three)), np.arange(300))
    assert not np.array_equal(tested[0], tested[3])


def test_both_parts_have_tables_of_classes_and_of_numbers(modules):
    tables = modules[2]
    kinds = [(tables.part_of(name), t.regression) for name, t in tables.TABLES.items()]
    for part in ("choose", "report"):
        for regression in (False, True):
            assert kinds.count((part, regression)) >= 12
