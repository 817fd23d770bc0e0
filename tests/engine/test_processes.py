"""Processes and threads: forks, searches on two workers, limits, imports, memory; and Ctrl-C."""

import hashlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from joblib import parallel_config
from numpy.testing import assert_array_equal
from paths import ROOT
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nnlite
from nnlite import NNClassifier
from nnlite.callbacks import Callback
from nnlite.engine import _engine, dispatch
from nnlite.layers import Dense, Dropout

IRIS, KIND = load_iris(return_X_y=True)
DIGITS, DIGIT = load_digits(return_X_y=True)
DIGITS = DIGITS[:600] / 16
DIGIT = DIGIT[:600]


def wide(**settings):
    """One whose steps are worth a second thread."""
    layers = [Dense(256, "relu"), Dropout(0.2), Dense(128, "tanh")]
    return NNClassifier(layers, **{"ensemble": 1, "epochs": 2, "random_state": 0, **settings})


def bits(estimator, X=DIGITS):
    """The outputs, exactly."""
    return hashlib.sha256(estimator.predict_proba(X).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def expected():
    return bits(wide().fit(DIGITS, DIGIT))


def python(code, folder, **environment):
    """What a fresh interpreter prints; a variable of None is unset there."""
    variables = {**os.environ, **environment}
    variables = {name: value for name, value in variables.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=variables,
        text=True,
        capture_output=True,
        timeout=60,
    )


# Copied to a fresh interpreter: fits as `wide` does and prints what it got.
FIT = """
from sklearn.datasets import load_digits
from nnlite import NNClassifier
from nnlite.engine import _engine, dispatch
from nnlite.layers import Dense, Dropout
import hashlib
X, y = load_digits(return_X_y=True)
X, y = X[:600] / 16, y[:600]
layers = [Dense(256, "relu"), Dropout(0.2), Dense(128, "tanh")]
fitted = NNClassifier(layers, epochs=2, random_state=0).fit(X, y)
bits = hashlib.sha256(fitted.predict_proba(X).tobytes()).hexdigest()
print(_engine.max_threads(), dispatch.engine("float32").isa, bits)
"""


# Forks


def _fit_in_child(pipe, fitted):
    pipe.send((_engine.max_threads(), bits(fitted), bits(wide().fit(DIGITS, DIGIT))))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_after_a_fit_fits_and_predicts_the_same_bits(expected):
    fitted = wide(n_threads=2).fit(DIGITS, DIGIT)  # OpenMP's threads exist now, here and not there
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_fit_in_child, args=(theirs, fitted))
    child.start()
    try:
        assert ours.poll(60), "the forked child hangs"
        assert ours.recv() == (1, expected, expected)
    finally:
        child.kill()
        child.join()
    assert bits(wide().fit(DIGITS, DIGIT)) == expected  # the parent is as it was


# Threads


def in_threads(tasks):
    """The results of functions that run at the same time, in order."""
    results, start = [None] * len(tasks), threading.Barrier(len(tasks))

    def run(k):
        start.wait()
        results[k] = tasks[k]()

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(tasks))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def test_two_threads_fit_two_models_at_once():
    def fit(seed):
        return bits(wide(random_state=seed, epochs=5).fit(DIGITS, DIGIT))

    serial = [fit(1), fit(2)]
    assert in_threads([lambda: fit(1), lambda: fit(2)]) == serial


@pytest.mark.parametrize("rows", [len(DIGITS), 1])
def test_eight_threads_predict_with_one_model(rows):
    fitted = wide().fit(DIGITS, DIGIT)
    parts = [DIGITS[k * 7 : k * 7 + rows] for k in range(8)]
    serial = [bits(fitted, part) for part in parts]
    fitted = pickle.loads(pickle.dumps(fitted))  # without plans, so that all want to make one
    again = in_threads([lambda part=part: [bits(fitted, part) for _ in range(5)] for part in parts])
    assert again == [[one] * 5 for one in serial]


def test_the_number_of_threads_does_not_change_a_bit(expected):
    assert bits(wide(n_threads=1).fit(DIGITS, DIGIT)) == expected
    assert bits(wide(n_threads=2).fit(DIGITS, DIGIT)) == expected


def test_a_limit_by_threadpoolctl_is_obeyed(expected):
    before = _engine.max_threads()
    with threadpoolctl.threadpool_limits(1):
        assert _engine.max_threads() == 1
        assert bits(wide().fit(DIGITS, DIGIT)) == expected
    assert _engine.max_threads() == before


def test_a_limit_by_the_environment_is_obeyed(tmp_path, expected):
    there = python(FIT, tmp_path, OMP_NUM_THREADS="1")
    isa = dispatch.engine("float32").isa
    assert there.stdout.split() == ["1", isa, expected], there.stderr


# Searches


def search():
    grid = {
        "nnclassifier__learning_rate": [0.05, 0.001],
        "nnclassifier__batch_size": [32, 64],
        "nnclassifier__layers": [[Dense(16, "relu")], [Dense(8, "relu"), Dropout(0.1), Dense(8)]],
    }
    pipeline = make_pipeline(StandardScaler(), NNClassifier(epochs=10, random_state=0))
    return GridSearchCV(pipeline, grid, cv=2).fit(IRIS, KIND)


def test_a_grid_search_over_learning_rate_batch_size_and_layers():
    found = search()
    assert len(found.cv_results_["params"]) == 8 and found.best_score_ > 0.9
    assert found.best_params_["nnclassifier__learning_rate"] == 0.05
    best = found.best_estimator_[-1]
    assert repr(best.layers) == repr(found.best_params_["nnclassifier__layers"])
    assert not any(layer.built for layer in best.layers)
    for backend in ("loky", "threading"):
        with parallel_config(backend, n_jobs=2):
            other = search()
        for scores in ("split0_test_score", "split1_test_score"):
            assert_array_equal(other.cv_results_[scores], found.cv_results_[scores])
        assert bits(other, IRIS) == bits(found, IRIS)


# Other processes


def test_a_pickle_predicts_the_same_bits_in_another_process(tmp_path):
    fitted = wide().fit(DIGITS, DIGIT)
    (tmp_path / "fitted").write_bytes(pickle.dumps((fitted, DIGITS)))
    there = python(
        "import hashlib, pickle; fitted, X = pickle.load(open('fitted', 'rb')); "
        "print(hashlib.sha256(fitted.predict_proba(X).tobytes()).hexdigest())",
        tmp_path,
    )
    assert there.stdout.strip() == bits(fitted), there.stderr


def test_the_environment_chooses_the_instruction_set(tmp_path):
    for isa in dict.fromkeys(e.isa for e in _engine.engines()):
        code = "from nnlite.engine import dispatch; print(dispatch.engine('float64').isa)"
        there = python(code, tmp_path, NNLITE_ISA=isa)
        assert there.stdout.strip() == isa, there.stderr


def test_an_instruction_set_that_cannot_be_is_an_error_at_import(tmp_path):
    there = python("import nnlite", tmp_path, NNLITE_ISA="nonsense")
    assert there.returncode == 1
    assert "NNLITE_ISA='nonsense': this build has no such engine; it can be one of" in there.stderr
    assert "generic" in there.stderr


def test_an_unbuilt_source_folder_explains_itself():
    source = ROOT / "nnlite"
    if not (source / "__init__.py").exists() or list(source.glob("engine/_engine*.so")):
        pytest.skip("the tests do not lie in an unbuilt source folder")
    if ROOT in Path(nnlite.__file__).parents:
        pytest.skip("the installation is an editable one")
    there = python("import nnlite", ROOT, PYTHONPATH=None, PYTHONSAFEPATH=None)
    assert there.returncode == 1
    assert "In a source folder that was not built: run `pip install .`" in there.stderr


def test_import_brings_numpy_alone(tmp_path):
    heavy = ("sklearn", "scipy", "matplotlib", "pandas", "joblib", "tqdm")
    there = python(f"import sys, nnlite; print([m for m in {heavy} if m in sys.modules])", tmp_path)
    assert there.stdout.strip() == "[]", there.stderr


# Memory


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_three_hundred_fits_leave_no_memory_threads_or_plans_behind(tmp_path):
    # After the warm-up memory levels out 0 to 3 MB higher, where the allocator has room for any
    # order of requests. What one of these fits makes is 50 kB: had it been kept, 15 MB would be.
    there = python(
        """
import gc, os, threading
import numpy as np
from nnlite import NNClassifier
from nnlite.engine.plan import Plan
X = np.random.RandomState(0).rand(60, 8)
y = np.arange(60) % 3

def fit(times):
    for k in range(times):
        estimator = NNClassifier(hidden_layer_sizes=32, epochs=1, batch_size=30, random_state=k,
                                 early_stopping=k % 4 == 0, ensemble=1 + (k % 20 == 0))
        estimator.fit(X, y).predict(X)
        batches = ((X[:8], y[:8]) for _ in range(3))
        estimator.model_.fit(batches, steps_per_epoch=2, verbose=0)
    del estimator
    gc.collect()
    assert threading.active_count() == 1 and len(os.listdir("/proc/self/task")) == tasks
    assert not any(isinstance(o, Plan) for o in gc.get_objects())
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

tasks = len(os.listdir("/proc/self/task"))
before = fit(100)
print(fit(300) - before)
""",
        tmp_path,
        OMP_NUM_THREADS="1",
    )
    assert there.returncode == 0, there.stderr
    assert int(there.stdout) < 5_000_000


# Ctrl-C


def test_an_interrupted_fit_leaves_a_usable_estimator():
    class Interrupt(Callback):
        def __init__(self, at):
            self.at = at

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == self.at:
                raise KeyboardInterrupt

    estimator = wide(epochs=5, early_stopping=True, callbacks=Interrupt(3))
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(DIGITS, DIGIT)
    assert estimator.n_iter_ == len(estimator.validation_loss_curve_) == 3
    assert bits(estimator) == bits(wide(epochs=3, early_stopping=True).fit(DIGITS, DIGIT))
    estimator.set_params(callbacks=Interrupt(0))
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(DIGITS, DIGIT)
    assert estimator.n_iter_ == estimator.best_epoch_ == 0 and np.isnan(estimator.loss_)
    estimator.set_params(callbacks=None, early_stopping=False).partial_fit(DIGITS, DIGIT)
    assert estimator.n_iter_ == 1


@pytest.mark.parametrize("times, epochs", [(400, 1), (1, 10**7)], ids=["in an epoch", "epochs"])
def test_ctrl_c_stops_within_a_second(times, epochs, heeding_ctrl_c):
    estimator = wide(epochs=epochs, batch_size=10, early_stopping=False)
    X, y = np.tile(DIGITS, (times, 1)), np.tile(DIGIT, times)
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.5, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert time.perf_counter() - pressed[0] < 1.0
    timer.join()
    assert estimator.score(DIGITS, DIGIT) > 0.5
