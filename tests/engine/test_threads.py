"""Cores: who gets how many threads, what limits them, and that nothing hangs or changes a bit."""

import functools
import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import samples
import threadpoolctl
from joblib import Parallel, delayed
from paths import pythonpath
from teams import digest_of_a_fit, team_of

from nnlite import ops
from nnlite.engine import _engine, cpu_quota
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable

HERE = os.path.dirname(__file__)


def eventually(true, seconds=30):
    """Wait until something is true; whether it came to that."""
    end = time.monotonic() + seconds
    while not (now := true()) and time.monotonic() < end:
        time.sleep(0.0005)
    return now


@pytest.mark.skipif(_engine.max_threads() < 2, reason="needs two cores")
def test_a_team_that_is_preempted_leaves_a_core_to_others_for_a_while():
    def granted():
        with Busy(_engine.max_threads(), _engine.max_threads()):
            assert eventually(lambda: _engine.active_runs()[0] == 1)
            return _engine.active_runs()[1]

    def granted_after():
        _engine.simulate_preemption()
        return granted()

    # The while is short at first, and twice as long each time.
    assert eventually(lambda: granted_after() == max(1, _engine.max_threads() - 1))
    assert eventually(lambda: granted() == _engine.max_threads())


class Busy:
    """A run that goes on in a thread of its own until the block ends: it wants `threads` where
    `limit` are allowed."""

    def __init__(self, threads, limit):
        self.label, self.limit = np.zeros(4, np.int32), limit
        self.thread = threading.Thread(target=self.run, args=(threads,))

    def run(self, threads):
        with threadpoolctl.threadpool_limits(self.limit), Recording(executing=False) as trace:
            feed = Tensor((4,), "int32")
            result = ops.one_hot(feed, 3)
        with threadpoolctl.threadpool_limits(self.limit):
            feeds = [(self.label, 0, 0), (np.empty((4, 3), np.float32), 0, 0)]
            with pytest.raises(ValueError, match="out of range"):
                Plan(trace, [feed], [result]).run(feeds, runs=2**60, threads=threads)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        """End the run, if it has not ended."""
        self.label[0] = -1  # a run ends where a label is bad
        self.thread.join(30)
        assert not self.thread.is_alive()


def python(code, **environment):
    """What a fresh interpreter prints; a variable of None is unset there."""
    variables = {**os.environ, "PYTHONPATH": pythonpath(__file__), **environment}
    if "PYTHONPATH" in os.environ:
        variables["PYTHONPATH"] += os.pathsep + os.environ["PYTHONPATH"]
    variables = {name: value for name, value in variables.items() if value is not None}
    command = [sys.executable, "-P", "-c", textwrap.dedent(code)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=variables, cwd=HERE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# One run


@pytest.mark.parametrize("wanted, granted", [(1, 1), (2, 2), (4, 4), (64, 4)])
def test_a_run_that_is_alone_gets_what_it_wants_of_the_cores(wanted, granted):
    with team_of(4), Busy(wanted, limit=4):
        assert eventually(lambda: _engine.active_runs() == (1, granted))
    assert _engine.active_runs() == (0, 0)


@pytest.mark.parametrize("user_api", [None, "openmp"])
def test_a_limit_by_threadpoolctl_holds_for_runs_and_for_no_longer(user_api):
    with team_of(4):
        with threadpoolctl.threadpool_limits(2, user_api=user_api):
            assert _engine.max_threads() == 2
        with Busy(4, limit=2):
            assert eventually(lambda: _engine.active_runs() == (1, 2))
        assert _engine.max_threads() == 4
    libraries = threadpoolctl.ThreadpoolController().select(user_api="openmp")
    assert libraries.lib_controllers, "threadpoolctl does not see the library of threads"


def test_a_plan_made_under_a_limit_outgrows_it():
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert _engine.max_threads() == 1
        with Recording(executing=False) as trace:
            result = ops.exp(Tensor((4,), "float32"))
        plan = Plan(trace, [], [result])
    assert plan.threads(wanted=64) == _engine.max_threads()


# Several runs


def test_runs_share_the_cores_and_the_first_makes_room():
    with team_of(4):
        with Busy(64, limit=4):
            assert eventually(lambda: _engine.active_runs() == (1, 4))
            with Busy(1, limit=4):
                assert eventually(lambda: _engine.active_runs() == (2, 4))  # 3 and 1
                with Busy(64, limit=4):
                    assert eventually(lambda: _engine.active_runs() == (3, 4))
            assert eventually(lambda: _engine.active_runs()[0] == 1)
        with Busy(64, limit=4), Busy(64, limit=4), Busy(64, limit=4), Busy(64, limit=4):
            assert eventually(lambda: _engine.active_runs() == (4, 4))


def test_a_newcomer_gets_its_equal_share_at_once():
    def threads_of_the_newcomer():
        with team_of(4), Busy(64, limit=4) as first:
            assert eventually(lambda: _engine.active_runs() == (1, 4))
            with Busy(64, limit=4):
                assert eventually(lambda: _engine.active_runs() == (2, 4))
                first.stop()
                return _engine.active_runs()

    # Of a busy machine the newcomer may be preempted, and begin again with what the other left.
    assert (1, 2) in [threads_of_the_newcomer() for _ in range(3)]


def test_more_runs_than_cores_get_a_thread_each():
    with team_of(2), Busy(64, 2), Busy(64, 2), Busy(64, 2), Busy(64, 2):
        assert eventually(lambda: _engine.active_runs() == (4, 4))


def sums(x):
    """Something that all threads work on, and that remembers the runs before."""
    v = Variable(np.zeros(64))
    large = ops.broadcast_to(x, (100, 64)) * ops.tanh(v + x)
    return ops.assign(v, v * 0.5 + ops.mean(large, axis=0))


def test_a_team_that_becomes_smaller_on_the_way_changes_no_bit():
    runs = 20_000
    x = samples.normal(runs, 64).astype(np.float32)

    def fill(out, threads):
        feed = Tensor((64,), "float32")
        with Recording(executing=False) as trace:
            result = sums(feed)
        plan = Plan(trace, [feed], [result])
        assert plan.run([(x, 0, 256), (out, 0, 256)], runs, threads) == runs

    alone, beside = np.zeros((runs, 64), np.float32), np.zeros((runs, 64), np.float32)
    fill(alone, threads=1)

    def visit():
        assert eventually(lambda: _engine.active_runs() == (1, 2))
        with Busy(1, limit=2):
            seen.append(eventually(lambda: _engine.active_runs() == (2, 2)))
            seen.append(not beside[-1].any())  # the long run is still under way

    seen = []
    visitor = threading.Thread(target=visit)
    visitor.start()
    with team_of(2):
        fill(beside, threads=2)
    visitor.join(30)
    assert seen == [True, True]
    assert alone.tobytes() == beside.tobytes()


# What limits a process


@functools.cache
def usual():
    """[threads, digest] of a fit in a fresh process that nobody limits."""
    return python(FIT, OMP_NUM_THREADS=None)


FIT = """
    from nnlite.engine import _engine
    from teams import digest_of_a_fit
    print(_engine.max_threads(), digest_of_a_fit())
"""


@pytest.mark.parametrize("value", ["1", "2,1", "1024", "0", "many"])
def test_the_environment_limits_and_nonsense_there_does_not(value):
    most, bits = usual()
    limit = int(value[0]) if value in ("1", "2,1") else int(most)
    assert python(FIT, OMP_NUM_THREADS=value) == [str(min(int(most), limit)), bits]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks here")
@pytest.mark.parametrize("when", ["before the import", "after it"])
def test_the_affinity_mask_limits(when):
    pin = f"\n    import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\n"
    code = pin + FIT if when == "before the import" else "\n    import nnlite" + pin + FIT
    assert python(code, OMP_NUM_THREADS=None) == ["1", usual()[1]]


def test_a_quota_limits():
    try:
        _engine.set_quota(1)
        assert _engine.max_threads() == 1
    finally:
        _engine.set_quota(cpu_quota.quota())


@pytest.mark.parametrize(
    "groups, files, granted",
    [
        ("0::/", {}, 0),
        ("0::/", {"cpu.max": "max 100000"}, 0),
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "nonsense"}, 0),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3),
        ("0::/a/b", {"a/b/cpu.max": "50000 100000", "a/cpu.max": "300000 100000"}, 1),
        ("0::/../x", {"cpu.max": "400000 100000"}, 4),
        ("3:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 0),
        ("3:cpu:/h", {"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ("4:memory:/", {"cpu.max": "200000 100000"}, 0),
    ],
)
def test_the_quota_of_control_groups_is_read(tmp_path, groups, files, granted):
    files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert cpu_quota.quota(tmp_path) == granted


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cpu_quota.quota(tmp_path) == 0


def test_the_quota_is_applied_at_import():
    code = """
        import builtins, io
        files = {"/proc/self/cgroup": "0::/", "/sys/fs/cgroup/cpu.max": "100000 100000"}
        real = builtins.open
        def opened(path, *args, **kwargs):
            return io.StringIO(files[path]) if path in files else real(path, *args, **kwargs)
        builtins.open = opened
        from nnlite.engine import _engine
        print(_engine.max_threads())
    """
    assert python(code, OMP_NUM_THREADS=None) == ["1"]


# Others' workers


def limit_of_a_worker(threads=0):
    """The limit, and the digests of fits in so many threads of this process."""
    fits = (
        Parallel(threads, backend="threading")(delayed(digest_of_a_fit)() for _ in range(threads))
        if threads
        else [digest_of_a_fit()]
    )
    return _engine.max_threads(), set(fits)


def test_workers_of_joblib_divide_the_cores_and_may_use_threads_inside():
    code = """
        from joblib import Parallel, cpu_count, delayed
        from test_threads import limit_of_a_worker
        for backend in ("loky", "multiprocessing", "threading"):
            for limit, digests in Parallel(2, backend)(delayed(limit_of_a_worker)(2) for _ in "12"):
                print(backend, limit, *digests)
        print(max(1, cpu_count() // 2))
    """
    most, bits = usual()
    *lines, share = python(code, OMP_NUM_THREADS=None)
    limits = {"loky": share, "multiprocessing": "1", "threading": most}
    assert lines == [x for b, limit in limits.items() for _ in "12" for x in (b, limit, bits)]


def test_a_fit_inside_of_a_parallel_region_is_one_thread_of_it():
    code = """
        import ctypes, os
        import threadpoolctl
        from teams import digest_of_a_fit
        from nnlite.engine import _engine
        library = ctypes.CDLL(os.environ["LIBRARY"])
        def work(_):
            print(f"{_engine.max_threads()}-{digest_of_a_fit()}\\n", end="")
        library.GOMP_parallel(ctypes.CFUNCTYPE(None, ctypes.c_void_p)(work), None, 2, 0)
        print(f"{_engine.max_threads()}-{digest_of_a_fit()}")
    """
    found = threadpoolctl.ThreadpoolController().select(prefix="libgomp").lib_controllers
    if not found:
        pytest.skip("OpenMP is not libgomp here")
    most, bits = usual()
    printed = [python(code, OMP_NUM_THREADS=None, LIBRARY=lib.filepath) for lib in found]
    # Another copy of the library does not know of our threads, nor we of its.
    assert [f"1-{bits}", f"1-{bits}", f"{most}-{bits}"] in printed
    assert {line.split("-")[1] for lines in printed for line in lines} == {bits}


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs /proc, as on Linux")
def test_threads_sleep_soon_after_their_work():
    code = """
        import os, time
        from teams import digest_of_a_fit
        from nnlite.engine import _engine
        _engine.simulate_cores(2)
        digest_of_a_fit(n_threads=2)
        threads = [f"/proc/self/task/{t}/schedstat" for t in os.listdir("/proc/self/task")]
        before = [int(open(t).read().split()[0]) for t in threads]
        digest_of_a_fit(n_threads=1)
        time.sleep(0.2)
        after = [int(open(t).read().split()[0]) for t in threads]
        print(len(threads), *sorted(b - a for a, b in zip(before, after)))
        print(os.environ.get("GOMP_SPINCOUNT"))
    """
    if not threadpoolctl.ThreadpoolController().select(prefix="libgomp").lib_controllers:
        pytest.skip("OpenMP is not libgomp here")
    unset = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": None, "GOMP_SPINCOUNT": None}
    threads, *spent, said = python(code, **unset)
    assert int(threads) >= 2 and said == "None"
    assert all(int(t) < 1e6 for t in spent[:-1]), spent  # nanoseconds; the last is Python's own
    *_, said = python(code, **{**unset, "GOMP_SPINCOUNT": "7"})
    assert said == "7"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_a_child_forked_while_another_thread_runs_starts_afresh():
    code = """
        import os, signal, sys, warnings
        from test_threads import Busy, eventually
        from teams import digest_of_a_fit
        from nnlite.engine import _engine
        warnings.simplefilter("ignore", DeprecationWarning)
        print(digest_of_a_fit(n_threads=2), flush=True)
        with Busy(2, limit=2):
            assert eventually(lambda: _engine.active_runs()[0] == 1)
            child = os.fork()
            if child == 0:
                signal.alarm(30)  # nothing else would end it if it hung
                print(*_engine.active_runs(), _engine.max_threads(), digest_of_a_fit(), flush=True)
                os._exit(0)
            _, status = os.waitpid(child, 0)
        print(_engine.max_threads(), digest_of_a_fit())
        sys.exit(status)
    """
    most, bits = usual()
    assert python(code, OMP_NUM_THREADS=None) == [bits, "0", "0", "1", bits, most, bits]
