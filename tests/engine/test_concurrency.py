"""Models in several threads and processes give what one thread gives, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import samples
from paths import pythonpath
from test_plan import ISAS, assert_same_bits, trained, wide

from nnlite import config, layers
from nnlite.models import Sequential


def in_threads(*jobs):
    """The results of functions that run at the same time."""
    results, start = [None] * len(jobs), threading.Barrier(len(jobs))

    def work(k):
        start.wait()
        results[k] = jobs[k]()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(jobs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    return results


def test_eight_threads_predict_as_one():
    with config.seeded(2):
        model = wide()[0]
    parts = [samples.normal(50 + 211 * k, 13, seed=k) for k in range(8)]
    alone = [model.predict(x) for x in parts]
    for _ in range(3):
        assert_same_bits(in_threads(*(lambda x=x: model.predict(x) for x in parts)), alone)


def test_two_threads_fit_two_models_at_once():
    alone = [trained("mlp", "float32"), trained("wide", "float64")]
    for _ in range(3):
        both = in_threads(lambda: trained("mlp", "float32"), lambda: trained("wide", "float64"))
        assert_same_bits(both[0], alone[0])
        assert_same_bits(both[1], alone[1])


def python(code, **environment):
    """What a fresh interpreter prints, given a minute."""
    env = {**os.environ, "PYTHONPATH": pythonpath(__file__), **environment}
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        env=env,
        cwd=os.path.dirname(__file__),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_child_forked_after_a_fit_fits_too_and_gives_the_same_bits():
    printed = python(
        """
        import hashlib, os, sys
        import numpy as np
        from test_plan import trained

        def digest():
            weights = trained("wide", n_threads=2)
            return hashlib.sha256(b"".join(a.tobytes() for a in weights)).hexdigest()

        print(digest(), flush=True)
        if os.fork() == 0:
            print(digest(), flush=True)
            os._exit(0)
        _, status = os.wait()
        print(digest(), flush=True)
        sys.exit(status)
    """,
        OMP_NUM_THREADS="2",
    )
    digests = printed.split()
    assert len(digests) == 3 and len(set(digests)) == 1


class Slow(layers.Layer):
    """Takes its time to be traced."""

    def __init__(self):
        super().__init__()
        self._begun, self._times = threading.Event(), 0

    def call(self, inputs):
        self._times += 1
        self._begun.set()
        time.sleep(0.02)
        return inputs


def child_exits(job, seconds=20):
    """The exit status of a forked child that does a job; None if it hangs."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if job() else 1)
        finally:
            os._exit(2)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("attempt", range(6))
def test_child_forked_while_another_thread_traces_the_model_predicts_the_same_bits(attempt):
    slow, x, results = Slow(), samples.normal(4, 3), []
    model = Sequential([*(layers.Dense(3) for _ in range(20)), slow, layers.Dense(2)])
    thread = threading.Thread(target=lambda: results.append(model.predict(x)))
    thread.start()
    slow._begun.wait(20)
    time.sleep(attempt * 0.005)
    first = child_exits(lambda: model.predict(x).shape == (4, 2) and len(model.weights) == 42)
    thread.join()
    assert first == 0, "the child hangs" if first is None else "the child fails"
    assert child_exits(lambda: np.array_equal(model.predict(x), results[0])) == 0


def test_eight_threads_that_ask_first_trace_a_model_once():
    slow, x = Slow(), samples.normal(16, 3)
    model = Sequential([layers.Dense(5, input_shape=(3,)), slow, layers.Dense(2)])
    slow._times = 0
    answers = in_threads(*[lambda: model.predict(x)] * 8)
    assert slow._times == 1 and all(np.array_equal(a, answers[0]) for a in answers)


def test_bits_do_not_depend_on_the_process_or_its_thread_limit():
    code = """
        import hashlib
        from test_plan import trained
        print(hashlib.sha256(b"".join(a.tobytes() for a in trained("wide"))).hexdigest())
    """
    assert (
        len(
            {
                python(code, OMP_NUM_THREADS=n, NNLITE_ISA=isa)
                for n, isa in [("1", ISAS[0]), ("4", ISAS[0])]
            }
        )
        == 1
    )


def test_memory_does_not_grow_with_plans_that_the_garbage_collector_finds():
    grown = python("""
        import gc, resource
        import numpy as np
        from nnlite import ops
        from nnlite.engine.recording import Recording
        from nnlite.engine.plan import Plan
        from nnlite.engine.tensor import Tensor

        def plan_in_a_cycle():
            feed = Tensor((1 << 20,), "float32")
            with Recording(executing=False) as trace:
                result = ops.exp(ops.exp(feed))
            plan = Plan(trace, [feed], [result])
            x = np.zeros(1 << 20, np.float32)
            plan.run([(x, 0, 0), (x.copy(), 0, 0)])
            cycle = [plan.program]
            cycle.append(cycle)

        for k in range(60):
            if k == 20:
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            plan_in_a_cycle()
            gc.collect()
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """)
    assert int(grown) < 40  # megabytes; each plan has an arena of 4
