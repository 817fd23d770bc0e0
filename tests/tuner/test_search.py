"""Searches: what they run, find, keep, print and refuse."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from searched import DATA, X, Y, build, search, told

import nnlite as keras
from nnlite import tuner as kt
from nnlite.tuner.searches import first_trials
from nnlite.visualization.trials import plot_trials

OPTUNA = [kt.BayesianOptimization, kt.Hyperband]
SEARCHES = [kt.RandomSearch, kt.GridSearch, *OPTUNA]


def need(cls):
    """Skip what needs Optuna where it is not."""
    if issubclass(cls, tuple(OPTUNA)):
        pytest.importorskip("optuna")
    return {"max_epochs": 4, "factor": 2} if cls is kt.Hyperband else {}


@pytest.mark.parametrize("cls", SEARCHES, ids=lambda c: c.__name__)
def test_a_search_keeps_the_best_epoch_of_the_best_trial(cls, tmp_path):
    tuner = search(cls, tmp_path, **need(cls))
    tuner.search(**DATA, epochs=3)
    scores = [t.score for t in tuner.trials.values()]
    assert len(tuner.trials) == tuner.max_trials and tuner.remaining_trials == 0
    best = tuner.get_best_trials()[0]
    assert best.score == max(scores) == max(best.histories[0]["val_accuracy"])
    assert best.histories[0]["val_accuracy"][best.best_step] == best.score
    (model,) = tuner.get_best_models()
    _, accuracy = model.evaluate(X[45:], Y[45:], verbose=0)
    assert accuracy == pytest.approx(best.score, abs=1e-6)
    assert tuner.get_best_hyperparameters()[0].values == best.hyperparameters.values
    values = [json.dumps(t.hyperparameters.values) for t in tuner.trials.values()]
    assert len(set(values)) == len(values)


INTERRUPTED = """
import os, signal, sys
from searched import DATA, search
import nnlite as keras
from nnlite import tuner as kt

class Killer(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1 and len(tuner.trials) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

tuner = search(kt.RandomSearch, sys.argv[1])
tuner.search(**DATA, epochs=3, callbacks=[Killer()])
"""


def test_a_search_that_was_killed_goes_on_as_if_it_was_not(tmp_path):
    whole = search(folder=tmp_path / "whole")
    whole.search(**DATA, epochs=3)
    done = subprocess.run(
        [sys.executable, "-P", "-c", INTERRUPTED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == -signal.SIGKILL
    files = sorted(tmp_path.glob("p/trial_*/trial.json"))
    statuses = [json.loads(f.read_text())["status"] for f in files]
    assert statuses == ["COMPLETED", "COMPLETED", "RUNNING"]
    resumed = search(folder=tmp_path)
    assert resumed.remaining_trials == 0
    resumed.search(**DATA, epochs=3)
    assert told(resumed) == told(whole)
    models = [t.get_best_models()[0].get_weights() for t in (resumed, whole)]
    assert all(np.array_equal(a, b) for a, b in zip(*models))


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C in the third trial."""

    tuner = None

    def on_epoch_end(self, epoch, logs=None):
        if len(Interrupt.tuner.trials) == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("cls", SEARCHES, ids=lambda c: c.__name__)
def test_ctrl_c_keeps_what_is_finished_and_the_same_search_goes_on(cls, tmp_path, capsys):
    settings = need(cls)
    whole = search(cls, tmp_path / "whole", **settings)
    whole.search(**DATA, epochs=3)
    Interrupt.tuner = tuner = search(cls, tmp_path, **settings)
    with pytest.raises(KeyboardInterrupt):
        tuner.search(**{**DATA, "verbose": 1}, epochs=3, callbacks=Interrupt())
    out = capsys.readouterr().out
    assert out.endswith(f"Interrupted; {tmp_path / 'p'} keeps 2 trials. search() goes on.\n")
    assert len(tuner.get_best_models(5)) == 2
    for again in (tuner, search(cls, tmp_path, **settings)):
        again.search(**DATA, epochs=3)
        assert told(again) == told(whole)


def test_the_seed_of_the_process_is_a_searchs_where_it_has_none():
    tried = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        tried.append(RandomOnly()._propose(0))
    assert tried[0] == tried[1]


def test_another_seed_tries_other_values_and_none_any():
    tried = [
        [RandomOnly(seed=seed)._propose(n)["x"] for n in range(3)] for seed in (0, 0, 1, None, None)
    ]
    assert tried[0] == tried[1]
    assert len({tuple(t) for t in tried}) == 4


class RandomOnly(kt.RandomSearch):
    """Its space is known from the begin."""

    def run_trial(self, trial):
        return 0.0

    def __init__(self, **settings):
        hp = kt.HyperParameters()
        hp.Float("x", -5, 5)
        super().__init__(hyperparameters=hp, **settings)


def test_a_grid_is_every_choice_once_and_conditions_hold(tmp_path):
    def tree(hp):
        hp.Choice("kind", ["a", "b"])
        hp.Int("deep", 1, 3, parent_name="kind", parent_values=["b"])
        hp.Float("r", 0, 1, step=0.5)
        return build(kt.HyperParameters())

    tuner = search(kt.GridSearch, tmp_path, tree, max_trials=None)
    tuner.search(**DATA, epochs=1)
    values = [tuple(t.hyperparameters.values.values()) for t in tuner.trials.values()]
    expected = [("a", r) for r in (0.0, 0.5, 1.0)]
    expected += [("b", n, r) for n in (1, 2, 3) for r in (0.0, 0.5, 1.0)]
    assert values == expected


@pytest.mark.parametrize("cls", [kt.RandomSearch, kt.GridSearch, kt.BayesianOptimization])
def test_a_search_ends_when_everything_was_tried(cls, tmp_path, capsys):
    need(cls)

    class Few(cls):
        def run_trial(self, trial):
            return trial.hyperparameters.Choice("n", [3, 1, 2])

    tuner = Few(max_trials=50, directory=tmp_path, seed=1)
    tuner.search()
    assert capsys.readouterr().out.endswith("\nNothing is left to try.\n")
    assert sorted(t.score for t in tuner.trials.values()) == [1, 2, 3]


def test_executions_are_averaged_and_start_anew(tmp_path):
    tuner = search(folder=tmp_path, executions_per_trial=3, max_trials=2)
    tuner.search(**DATA, epochs=3)
    for trial in tuner.trials.values():
        best = [max(h["val_accuracy"]) for h in trial.histories]
        assert len(best) == 3 and trial.score == pytest.approx(np.mean(best))
        assert len({h["loss"][0] for h in trial.histories}) == 3
    best, scores = tuner.get_best_models()[0], [max(h["val_accuracy"]) for h in
        tuner.get_best_trials()[0].histories]  # fmt: skip
    assert best.evaluate(X[45:], Y[45:], verbose=0)[1] == pytest.approx(max(scores), abs=1e-6)


def test_callbacks_are_copied_for_each_training(tmp_path):
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=0, mode="max")
    tuner = search(folder=tmp_path, max_trials=3)
    tuner.search(**DATA, epochs=9, callbacks=[stopping])
    assert {len(t.histories[0]["loss"]) for t in tuner.trials.values()} <= set(range(2, 10))
    assert vars(stopping) == vars(keras.callbacks.EarlyStopping("val_loss", patience=0, mode="max"))


def test_each_training_has_a_folder_of_its_own_for_its_curves(tmp_path):
    pytest.importorskip("tensorboardX")
    board = keras.callbacks.TensorBoard(str(tmp_path / "logs"))
    tuner = search(folder=tmp_path, max_trials=2, executions_per_trial=2)
    tuner.search(**DATA, callbacks=[board])
    folders = sorted(str(f.relative_to(tmp_path)) for f in tmp_path.glob("logs/*/*"))
    assert folders == [f"logs/000{t}/execution{e}" for t in range(2) for e in range(2)]


class OwnMetric(keras.metrics.Mean):
    """An error that is called accuracy."""

    higher_is_better = False

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_pred)


def with_metric(metric):
    """A model with another metric."""

    def own(hp):
        model = build(hp)
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metric])
        return model

    return own


DIRECTIONS = [
    (build, "val_accuracy", "max"),
    (build, "accuracy", "max"),
    (build, "val_loss", "min"),
    (build, "loss", "min"),
    (with_metric(OwnMetric(name="accuracy")), "val_accuracy", "min"),
    (with_metric("sparse_categorical_crossentropy"), "val_sparse_categorical_crossentropy", "min"),
    (build, "val_auc", "max"),
    (build, "val_mae", "min"),
    (build, kt.Objective("val_mae", "max"), "max"),
    (build, None, "min"),
]


@pytest.mark.parametrize("hypermodel, name, direction", DIRECTIONS)
def test_the_metric_says_which_values_are_better(hypermodel, name, direction, tmp_path):
    assert search(folder=tmp_path, hypermodel=hypermodel, objective=name).objective.direction == (
        direction
    )


def test_a_hypermodel_says_how_a_model_is_trained(tmp_path):
    class Network(kt.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, x, y, **kwargs):
            size = hp.Choice("batch_size", [8, 16, 32])
            if hp.Boolean("flipped", default=True):
                x = -x
            model.fit(x, y, batch_size=size, **kwargs)
            return {"error": float(size), "size": size}

    tuner = search(folder=tmp_path, hypermodel=Network(), objective=kt.Objective("error", "min"))
    assert [h.name for h in tuner.hyperparameters.space] == ["units", "rate", "adam"]
    tuner.search(X, Y, epochs=2, verbose=0)
    assert [h.name for h in tuner.get_space().space][3:] == ["batch_size", "flipped"]
    sizes = [t.hyperparameters["batch_size"] for t in tuner.trials.values()]
    assert [t.score for t in tuner.trials.values()] == sizes and sizes[0] == 8
    assert tuner.get_best_models()[0].built


def test_a_model_that_data_build_is_loaded(tmp_path):
    def shapeless(hp):
        model = keras.Sequential([keras.layers.Dense(hp.Int("units", 2, 4)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    tuner = search(folder=tmp_path, hypermodel=shapeless, objective="val_loss", max_trials=2)
    tuner.search(X, Y, validation_data=(X, Y), verbose=0)
    again = search(folder=tmp_path, hypermodel=shapeless, objective="val_loss", max_trials=2)
    best = again.get_best_trials()[0].score
    assert again.get_best_models()[0].compiled
    assert np.isclose(again.get_best_models()[0].evaluate(X, Y, verbose=0), best, rtol=1e-5)


def test_what_is_known_before_goes_before_what_the_model_asks_for(tmp_path):
    hp = kt.HyperParameters()
    hp.Fixed("units", 4)
    tuner = search(folder=tmp_path, hyperparameters=hp)
    assert [type(h).__name__ for h in tuner.hyperparameters.space] == ["Fixed", "Float", "Boolean"]
    tuner.search(**DATA)
    assert {t.hyperparameters["units"] for t in tuner.trials.values()} == {4}
    hp = kt.HyperParameters()
    hp.Boolean("adam")
    tuner = search(folder=tmp_path, hyperparameters=hp, tune_new_entries=False, overwrite=True)
    tuner.search(**DATA)
    values = [t.hyperparameters.values for t in tuner.trials.values()]
    assert values == [{"adam": v["adam"], "units": 2, "rate": 1e-4} for v in values]
    assert len(values) == 2
    with pytest.raises(ValueError, match="all that the model asks for, not 'units', 'rate'"):
        search(folder=tmp_path, hyperparameters=hp, allow_new_entries=False)


def test_blocks_of_conditions_are_found_before_the_search(tmp_path):
    asked = []

    def deep(hp):
        asked.append(hp.Choice("kind", ["a", "b", "c"]))
        with hp.conditional_scope("kind", ["b", "c"]):
            if hp["kind"] != "a":
                hp.Boolean("more")
                with hp.conditional_scope("more", True):
                    if hp["more"]:
                        hp.Int("n", 1, 5)
        with hp.conditional_scope("kind", ["no such"]):
            pass
        return build(kt.HyperParameters())

    tuner = search(folder=tmp_path, hypermodel=deep)
    assert [h.name for h in tuner.hyperparameters.space] == ["kind", "more", "n"]
    assert len(asked) <= 5


@pytest.mark.parametrize("direction", ["min", "max"])
def test_bayesian_optimization_tries_what_is_likely_to_be_better(direction, tmp_path):
    pytest.importorskip("optuna")
    sign = 1 if direction == "min" else -1
    space = kt.HyperParameters()
    space.Float("x", -5, 5)
    space.Float("rate", 1e-4, 1, sampling="log")
    space.Int("n", 0, 40)
    space.Choice("kind", ["far", "near", "farther"])
    space.Int("deep", 0, 100, parent_name="kind", parent_values=["near"])

    def cost(hp):
        far = {"near": 0.0, "far": 1.0, "farther": 2.0}[hp["kind"]]
        x, n = hp["x"] / 10 - 0.3, hp["n"] / 40 - 0.1
        return far + x**2 + n**2 + (np.log10(hp["rate"]) / 4 + 0.5) ** 2

    class Known(kt.BayesianOptimization):
        def run_trial(self, trial):
            return sign * cost(trial.hyperparameters)

    tuner = Known(
        objective=kt.Objective("cost", direction), hyperparameters=space, max_trials=24, seed=0,
        num_initial_points=24, directory=tmp_path,
    )  # fmt: skip
    tuner.search(verbose=0)
    before = [cost(t.hyperparameters) for t in tuner.trials.values()]
    after, hp = [], space.copy()
    for number in range(24, 31):
        hp.values = tuner._propose(number)
        after.append(cost(hp))
    assert np.median(after) < 0.5 * np.median(before) and max(after) < np.median(before)


@pytest.mark.parametrize(
    "max_epochs, factor, trials", [(81, 3, 143), (100, 3, 172), (1, 3, 1), (9, 3, 17)]
)
def test_hyperband_begins_as_many_trials_as_its_brackets_have(max_epochs, factor, trials):
    assert first_trials(max_epochs, factor) == trials


def test_hyperband_stops_the_worse_trials_early(tmp_path):
    pytest.importorskip("optuna")
    tuner = search(kt.Hyperband, tmp_path, objective="val_loss", max_epochs=4, factor=2)
    tuner.search(**DATA)
    lengths = [len(t.histories[0]["loss"]) for t in tuner.trials.values()]
    assert len(lengths) == 10 and set(lengths) <= {1, 2, 4} and lengths.count(4) < 9
    for trial, length in zip(tuner.trials.values(), lengths):
        assert trial.stopped_early == (length < 4)
    assert len(tuner.get_best_trials()[0].histories[0]["loss"]) == 4


def test_the_pictures_axes_are_the_trials_and_what_varies(tmp_path):
    pytest.importorskip("matplotlib")
    tuner = search(folder=tmp_path)
    with pytest.raises(ValueError, match="plot: expected a search with a trial"):
        tuner.plot()
    tuner.search(**DATA)
    axes = tuner.plot(tmp_path / "trials.png")
    names = [n for n in ("units", "rate", "adam") if len({t.hyperparameters[n] for t in
        tuner.trials.values()}) > 1]  # fmt: skip
    assert [ax.get_xlabel() for ax in axes] == ["trial", *names]
    scores = [t.score for t in tuner.trials.values()]
    assert axes[0].get_lines()[0].get_ydata().tolist() == scores
    assert axes[0].get_lines()[-1].get_ydata().tolist() == np.maximum.accumulate(scores).tolist()
    assert axes[names.index("rate") + 1].get_xscale() == "log"
    assert (tmp_path / "trials.png").stat().st_size > 5000


def test_whole_numbers_have_whole_marks_and_words_their_names():
    pytest.importorskip("matplotlib")
    tried = [{"n": 1, "r": 1.0, "w": "b"}, {"n": 3, "r": 3.0, "w": "a"}, {"n": 2, "r": 2.5}]
    _, whole, real, words = plot_trials(tried, [0.3, 0.1, 0.2], False, "loss")
    assert all(mark % 1 == 0 for mark in whole.get_xticks())
    assert any(mark % 1 for mark in real.get_xticks())
    assert [label.get_text() for label in words.get_xticklabels()] == ["a", "b"]
    assert words.get_lines()[0].get_xdata().tolist() == [1, 0]
    assert whole.get_lines()[1].get_xdata().tolist() == [3]  # the best one
