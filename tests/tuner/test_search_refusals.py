"""Searches that fail, what cannot be searched, and what is printed."""

import sys

import pytest
from searched import DATA, X, Y, build, search, told

from nnlite import tuner as kt


def test_failed_trials_are_kept_and_passed_over(tmp_path, capsys):
    def moody(hp):
        if hp.Int("n", 0, 9) % 2:
            raise OSError("an odd number")
        return build(kt.HyperParameters())

    settings = {"hypermodel": moody, "max_consecutive_failed_trials": 9, "max_trials": 8}
    tuner = search(folder=tmp_path, **settings)
    tuner.search(**{**DATA, "verbose": 1})
    assert "failed: OSError: an odd number" in capsys.readouterr().out
    for trial in tuner.trials.values():
        odd = trial.hyperparameters["n"] % 2
        assert (trial.status, trial.score is None) == (
            ("FAILED", True) if odd else ("COMPLETED", 0)
        )
        assert ("an odd number" in (trial.message or "")) == odd
    assert {t.status for t in tuner.get_best_trials(9)} == {"COMPLETED"}
    assert told(search(folder=tmp_path, **settings)) == told(tuner)


@pytest.mark.parametrize("limit, runs", [(1, 1), (3, 3)])
def test_too_many_failures_in_a_row_end_a_search(limit, runs, tmp_path):
    class Broken(kt.HyperModel):
        def build(self, hp):
            hp.Int("n", 0, 99)
            return build(kt.HyperParameters())

        def fit(self, hp, model, *args, **kwargs):
            raise OSError("the disk is full")

    settings = {"max_consecutive_failed_trials": limit, "max_trials": 9, "max_retries_per_trial": 1}
    tuner = search(folder=tmp_path, hypermodel=Broken(), **settings)
    with pytest.raises(RuntimeError, match=f"(?s){runs} trials in a row.*the disk is full"):
        tuner.search(X, Y, verbose=0)
    assert len(tuner.trials) == runs
    with pytest.raises(RuntimeError, match="expected a search with a trial that is finished"):
        tuner.get_best_models()


def test_a_trial_that_fails_is_tried_again(tmp_path):
    seen = []

    class Flaky(kt.RandomSearch):
        def run_trial(self, trial):
            seen.append(trial.hyperparameters.Int("n", 1, 9))
            return 1.0 if len(seen) % 3 == 0 else float("nan")

    tuner = Flaky(max_trials=2, max_retries_per_trial=2, directory=tmp_path)
    tuner.search(verbose=0)
    assert [t.score for t in tuner.trials.values()] == [1.0, 1.0]
    assert seen[0] == seen[1] == seen[2] != seen[3]


class NoResult(kt.HyperModel):
    """Forgets to return what `fit` returned."""

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        model.fit(*args, **kwargs)


NOT_SEARCHED = [
    (
        {"objective": "val_happiness"},
        "objective: expected Objective('val_happiness', direction='min') or",
    ),
    ({"objective": ["val_loss"]}, "objective: expected a str or an Objective, got ['val_loss']"),
    ({"hypermodel": None}, "RandomSearch: hypermodel: expected a function of hp, got None"),
    ({"hypermodel": kt.HyperModel}, "hypermodel: expected a function of hp that returns"),
    ({"max_trials": 0}, "RandomSearch: max_trials: expected an integer in [1, inf), got 0"),
    ({"executions_per_trial": 1.5}, "executions_per_trial: expected an integer in [1, inf)"),
    ({"seed": -1}, "RandomSearch: seed: expected an integer in [0, inf), got -1"),
    (
        {"overwrit": True},
        "RandomSearch: unknown argument 'overwrit'; it takes hypermodel, objective",
    ),
    ({"project_name": ".."}, "RandomSearch: project_name: expected a name, got '..'"),
    ({"tune_new_entries": False}, "RandomSearch: hyperparameters: expected the space"),
]


@pytest.mark.parametrize("settings, message", NOT_SEARCHED, ids=[m for _, m in NOT_SEARCHED])
def test_a_search_that_cannot_be_is_refused_before_any_work(settings, message, tmp_path):
    given = {"hypermodel": build, "objective": "val_loss", "directory": tmp_path, **settings}
    with pytest.raises((TypeError, ValueError)) as caught:
        kt.RandomSearch(**given)
    assert message in str(caught.value) and not list(tmp_path.iterdir())


NOT_RUN = [
    ({}, {"validation_split": 0.0}, "got 'val_accuracy'; a 'val_' value needs validation_data"),
    ({"hypermodel": NoResult()}, {}, "run_trial: expected it to return a History, a dict, a float"),
    ({"hypermodel": lambda hp: hp.Int("n", 1, 9)}, {}, "expected it to return a Model, got"),
    ({}, {"callbacks": [3]}, "callbacks: expected Callback objects, got 3"),
    ({}, {"verbose": 3}, "RandomSearch: verbose: expected 'auto', 0, 1 or 2, got 3"),
    ({"objective": "val_acc"}, {}, "got 'val_acc'; did you mean 'val_accuracy'"),
    ({"objective": "val_auc"}, {}, "objective: expected one of loss, accuracy, val_loss"),
]


@pytest.mark.parametrize("settings, data, message", NOT_RUN, ids=[m for _, _, m in NOT_RUN])
def test_what_every_trial_would_repeat_ends_the_search_at_once(settings, data, message, tmp_path):
    tuner = search(folder=tmp_path, **settings)
    with pytest.raises((TypeError, ValueError)) as caught:
        tuner.search(**{**DATA, **data}, epochs=5)
    assert message in str(caught.value) and len(tuner.trials) <= 1


def test_files_of_another_search_are_refused_and_overwrite_removes_only_its_own(tmp_path):
    tuner = search(folder=tmp_path)
    tuner.search(**DATA)
    with pytest.raises(ValueError, match=r"objective: expected .*val_accuracy.* overwrite=True"):
        search(folder=tmp_path, objective="val_loss")
    (tmp_path / "p" / "notes.txt").write_text("mine")
    (tmp_path / "p" / "trial_plans").mkdir()
    assert not search(folder=tmp_path, objective="val_loss", overwrite=True).trials
    assert sorted(f.name for f in (tmp_path / "p").iterdir()) == ["notes.txt", "trial_plans"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"hyperparameters": 3, "trial_id": "0"}'])
def test_a_broken_file_is_named(text, tmp_path):
    search(folder=tmp_path).search(**DATA)
    path = tmp_path / "p" / "trial_0001" / "trial.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=str(path)):
        search(folder=tmp_path)


def test_what_is_printed(tmp_path, capsys):
    tuner = search(folder=tmp_path, max_trials=2)
    tuner.search_space_summary()
    out = capsys.readouterr().out
    assert out.startswith("Search space summary\nDefault search space size: 3\nunits (Int)\n{'min")
    tuner.search(**{**DATA, "verbose": 1}, epochs=2)
    out = capsys.readouterr().out
    assert out.count("Best Value So Far |Hyperparameter") == 2 and "Trial 2/2 ===" in out
    assert "2/2 00:0" in out and "Epoch" not in out
    first, second = tuner.trials.values()
    best = max(first, second, key=lambda t: (t.score, -t.number))
    assert out.endswith(f"Best val_accuracy so far: {best.score:.5g} (trial {best.number + 1})\n")
    tuner.results_summary(1)
    values = "".join(f"{n}: {v}\n" for n, v in best.hyperparameters.values.items())
    assert capsys.readouterr().out == (
        f"Results summary\nResults in {tmp_path / 'p'}\nShowing 1 best trials\n"
        'Objective(name="val_accuracy", direction="max")\n\n'
        f"Trial {best.trial_id} summary\nHyperparameters:\n"
        f"{values}Score: {best.score}\n"
    )
    search(folder=tmp_path)
    assert capsys.readouterr().out == f"Reloaded 2 trials of {tmp_path / 'p'}\n"
    search(folder=tmp_path, max_trials=3).search(**{**DATA, "verbose": 2}, epochs=2)
    assert "Epoch 2/2" in capsys.readouterr().out


def test_a_tuner_has_what_is_asked_of_its_oracle(tmp_path):
    tuner = search(folder=tmp_path, max_trials=2)
    tuner.search(**DATA)
    best = tuner.oracle.get_best_trials(num_trials=1)[0]
    assert tuner.oracle.get_trial(best.trial_id) is best
    with pytest.raises(KeyError, match="trial_id: expected one of 0000, 0001, got '7'"):
        tuner.get_trial("7")


def test_searches_without_optuna_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for cls in (kt.BayesianOptimization, kt.Hyperband):
        with pytest.raises(ImportError, match=r"pip install \"nnlite\[tune\]\""):
            cls(build, "val_loss")
    assert kt.RandomSearch(build, "val_loss").objective.direction == "min"
