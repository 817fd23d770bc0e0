"""The number of cores that this process may use, by the CPU limit of Linux control groups.

csrc/runtime/thread_budget.c adds the affinity mask and OpenMP's limit, and shares the cores among
runs."""

import contextlib
import math
import os

# Iterations for which an idle thread spins before it sleeps: 10 to 25 us. Waking it takes about
# 50 us.
SPINS = "1500"


@contextlib.contextmanager
def calm_openmp():
    """Make threads of GNU OpenMP sleep soon after their work, if it is loaded inside of the block.

    By default they spin for milliseconds, on cores that other threads need. Settings of the
    user's environment take precedence.
    """
    ours = not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    if ours:
        os.environ["GOMP_SPINCOUNT"] = SPINS
    try:
        yield
    finally:
        if ours:
            del os.environ["GOMP_SPINCOUNT"]


def quota(root="/"):
    """The CPU limit of the control groups in cores, rounded up; 0 without a limit.

    Parameters
    ----------
    root : str or Path, default '/'
        The folder that contains /proc and /sys.
    """
    try:
        groups = _read(root, "proc/self/cgroup").splitlines()
    except OSError:  # not Linux, or not readable
        return 0
    limits = []
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        folder = os.path.join(root, "sys/fs/cgroup", "cpu" if controllers else "")
        # Limits of all parent groups apply too. A container sees its own group as the root.
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts) + 1):
            limits += _limit(os.path.join(folder, *parts[:depth]), bool(controllers))
    return math.ceil(min(limits, default=0))


def _limit(folder, version_1):
    """[cores] of one group, of version 1 or 2 of control groups; [] without a limit."""
    names = ["cpu.cfs_quota_us", "cpu.cfs_period_us"] if version_1 else ["cpu.max"]
    try:
        time, period = map(int, " ".join(_read(folder, name) for name in names).split())
    except (OSError, ValueError):  # there is no such group; or its limit is 'max'
        return []
    return [time / period] if time > 0 and period > 0 else []


def _read(folder, path):
    """The text of a file. (`pathlib` takes several milliseconds to import.)"""
    with open(os.path.join(folder, path)) as file:
        return file.read()
