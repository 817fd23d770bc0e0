"""Callbacks for Optuna and MLflow: by objects in their place, and by the packages themselves."""

import copy
import sys
import types

import numpy as np
import pytest
from small_models import LABELS, D, X, Y, classifier, line

from nnlite import NNClassifier, callbacks


class Trial:
    """An Optuna trial that is pruned after some reports."""

    def __init__(self, direction="MINIMIZE", after=99):
        self.study = types.SimpleNamespace(direction=types.SimpleNamespace(name=direction))
        self.after, self.reports = after, []

    def report(self, value, step):
        self.reports.append((step, value))

    def should_prune(self):
        return len(self.reports) >= self.after


def fit(callback, epochs=4, **given):
    return classifier(metrics=["accuracy"]).fit(
        X, LABELS, epochs=epochs, verbose=0, callbacks=callback, validation_split=0.25, **given
    )


@pytest.fixture
def pruned(monkeypatch):
    """Optuna's exception, of a module in Optuna's place where it is not."""
    if "optuna" not in sys.modules and not _is_there("optuna"):
        module = types.ModuleType("optuna")
        module.TrialPruned = type("TrialPruned", (Exception,), {})
        monkeypatch.setitem(sys.modules, "optuna", module)
    import optuna

    return optuna.TrialPruned


def _is_there(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def test_the_trial_is_told_each_epochs_value():
    trial = Trial()
    history = fit(callbacks.OptunaPruning(trial, "val_loss"))
    assert trial.reports == list(enumerate(history.history["val_loss"]))


def test_a_copy_tells_the_same_trial():
    trial = Trial()
    fit(copy.deepcopy(callbacks.OptunaPruning(trial, "loss")), epochs=1)
    assert len(trial.reports) == 1


def test_epochs_without_validation_are_passed_over():
    trial = Trial("MAXIMIZE")
    fit(callbacks.OptunaPruning(trial, "val_accuracy"), validation_freq=2)
    assert [step for step, _ in trial.reports] == [1, 3]


def test_a_trial_that_is_pruned_leaves_fit(pruned):
    trial = Trial(after=2)
    with pytest.raises(pruned, match=r"^pruned after epoch 2, loss = "):
        fit(callbacks.OptunaPruning(trial, "loss"))
    assert len(trial.reports) == 2


@pytest.mark.parametrize(
    "direction, monitor, message",
    [
        ("MAXIMIZE", "val_loss", "monitor: expected an entry that a study which maximizes"),
        ("MINIMIZE", "val_accuracy", "monitor: expected an entry that a study which minimizes"),
        ("MINIMIZE", "val_acc", "monitor 'val_acc' is not among the logs .*'val_accuracy'"),
    ],
)
def test_a_study_of_the_other_direction_and_a_wrong_name_are_refused(direction, monitor, message):
    trial = Trial(direction)
    with pytest.raises(ValueError, match=f"OptunaPruning: {message}"):
        fit(callbacks.OptunaPruning(trial, monitor))
    assert not trial.reports


@pytest.mark.parametrize("callback", [callbacks.OptunaPruning(Trial()), callbacks.MLflow()])
def test_one_network_at_a_time_is_told_of(callback):
    table = np.zeros((100, 2))
    assert NNClassifier()._recipe(table).networks > 1
    assert NNClassifier(callbacks=[callback])._recipe(table).networks == 1
    with pytest.raises(ValueError, match="expected none that write files or tell another library"):
        NNClassifier(ensemble=2, callbacks=[callback]).fit(X, LABELS)


def test_optuna_prunes_the_worse_trials():
    optuna = pytest.importorskip("optuna")

    def objective(trial):
        model = line(D, rate=[0.1, 0.05, 1e-7, 1e-8][trial.number])
        pruning = callbacks.OptunaPruning(trial, "loss")
        history = model.fit(X, Y, epochs=5, verbose=0, callbacks=pruning)
        return history.history["loss"][-1]

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=2))
    study.optimize(objective, n_trials=4)
    optuna.logging.set_verbosity(before)
    assert [t.state.name for t in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "PRUNED"]
    fixed = optuna.trial.FixedTrial({})
    assert len(line(D).fit(X, Y, verbose=0, epochs=2, callbacks=callbacks.OptunaPruning(
        fixed, "loss")).history["loss"]) == 2  # fmt: skip


class Runs(types.ModuleType):
    """What MLflow does, in lists."""

    def __init__(self):
        super().__init__("mlflow")
        self.runs, self.active = [], None

    def active_run(self):
        return self.active

    def start_run(self, run_name=None):
        data = types.SimpleNamespace(params={}, metrics=[])
        info = types.SimpleNamespace(run_id=len(self.runs), status="RUNNING", run_name=run_name)
        self.active = types.SimpleNamespace(info=info, data=data)
        self.runs.append(self.active)
        return self.active

    def get_run(self, run_id):
        return self.runs[run_id]

    def end_run(self, status="FINISHED"):
        self.active.info.status = status
        self.active = None

    def log_params(self, params):
        assert params.keys().isdisjoint(self.active.data.params)
        self.active.data.params.update(params)

    def log_metrics(self, metrics, step):
        self.active.data.metrics.append((step, metrics))


@pytest.fixture
def mlflow(monkeypatch):
    runs = Runs()
    monkeypatch.setitem(sys.modules, "mlflow", runs)
    return runs


def test_settings_and_logs_go_to_a_run_of_their_own(mlflow):
    history = fit(callbacks.MLflow("first"), epochs=3).history
    (run,) = mlflow.runs
    assert (run.info.run_name, run.info.status, mlflow.active) == ("first", "FINISHED", None)
    expected = {
        "epochs": 3,
        "weights": classifier().count_params(),
        "loss": "SparseCategoricalCrossentropy",
        "optimizer": "SGD",
        "optimizer_learning_rate": 0.01,
    }
    assert {name: run.data.params[name] for name in expected} == expected
    assert run.data.metrics == [
        (e, {name: values[e] for name, values in history.items()}) for e in range(3)
    ]


def test_a_run_that_is_active_gets_them_and_stays_open(mlflow):
    run = mlflow.start_run()
    run.data.params["epochs"] = "as it was"
    tracking = callbacks.MLflow()
    for _ in range(2):
        fit(tracking, epochs=1)
    assert mlflow.runs == [run] and mlflow.active is run
    assert run.data.params["epochs"] == "as it was" and len(run.data.metrics) == 2


def test_a_run_of_a_training_that_failed_is_closed_by_the_next(mlflow):
    tracking = callbacks.MLflow()

    def fail(epoch, logs):
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        fit([tracking, callbacks.LambdaCallback(on_epoch_end=fail)])
    fit(tracking, epochs=1)
    assert [run.info.status for run in mlflow.runs] == ["FAILED", "FINISHED"]


def test_without_mlflow_the_cure_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match="pip install mlflow-skinny"):
        fit(callbacks.MLflow())


def test_mlflow_itself_keeps_the_curve(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    try:
        history = fit(callbacks.MLflow("first"), epochs=3).history
        (run,) = mlflow.search_runs(output_format="list")
        client = mlflow.MlflowClient()
        curve = client.get_metric_history(run.info.run_id, "val_accuracy")
    finally:
        mlflow.set_tracking_uri(before)
    assert [(m.step, m.value) for m in curve] == list(enumerate(history["val_accuracy"]))
    assert run.data.params["optimizer"] == "SGD" and run.info.status == "FINISHED"
