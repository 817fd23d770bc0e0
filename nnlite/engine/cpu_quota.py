"""How many cores this process may use: Linux's control groups tell a container what it was given.

The affinity mask, OpenMP's limit and how runs share what is there are C's
(csrc/runtime/thread_budget.c)."""

import contextlib
import math
import os
from pathlib import Path, PurePosixPath

# Rounds of waiting for more work before a thread sleeps: 10 to 25 us. Waking it takes about 50.
SPINS = "1500"


@contextlib.contextmanager
def calm_openmp():
    """GNU's OpenMP, if it is loaded meanwhile, lets its threads sleep soon after their work. By
    default they spin for milliseconds, on cores that Python or others need. What the environment
    says about it already stands."""
    ours = not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    if ours:
        os.environ["GOMP_SPINCOUNT"] = SPINS
    try:
        yield
    finally:
        if ours:
            del os.environ["GOMP_SPINCOUNT"]


def quota(root="/"):
    """Cores' worth of time that the control groups grant, rounded up; 0 without a limit.

    Parameters
    ----------
    root : str or Path
        Where /proc and /sys lie.
    """
    root = Path(root)
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux, or not allowed to know
        return 0
    granted = []
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        folder = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        # A limit of any group above holds too. A container sees its own group as the uppermost.
        for above in [PurePosixPath(path), *PurePosixPath(path).parents]:
            granted += _granted(folder / str(above).lstrip("/"), bool(controllers))
    return math.ceil(min(granted, default=0))


def _granted(folder, old):
    """[cores] of one group, of the old or the new kind of files; [] where there is no limit."""
    names = ["cpu.cfs_quota_us", "cpu.cfs_period_us"] if old else ["cpu.max"]
    try:
        time, period = map(int, " ".join((folder / n).read_text() for n in names).split())
    except (OSError, ValueError):  # no such group here; 'max'
        return []
    return [time / period] if time > 0 and period > 0 else []
