"""Calls with values that nobody means, and a judge that knows three answers: it works; it raises
ValueError, TypeError or RuntimeError with a message that names the argument; it is not fitted.
Anything else, a crash and a call of more than two seconds are complaints."""

import faulthandler
import importlib
import re
import subprocess
import sys
import time
import warnings

import numpy as np

SECONDS = 2.0


def pool():
    """What stands in place of an argument."""
    masked = np.ma.masked_array(np.ones((4, 3), "float32"), mask=np.eye(4, 3, dtype=bool))
    return [
        None, True, "", "nonsense", b"bytes", 0, -1, 1, 3, 7, 0.5, -2.5, 1e-30, 1e308,
        float("nan"), float("inf"), -float("inf"), 2**31, 2**62, -(2**63), 10**30, 1 + 2j,
        (), [], {}, set(), (0,), (-1, 2), (2**40,), ("a",), (None,), [[1, 2], [3]], {"a": 1},
        int, float, len, object(), lambda *args: None, np.nan, np.int64(4), np.float32(0.3),
        np.bool_(True), np.zeros(0, "float32"), np.zeros((0, 3)), np.zeros((3, 0), "float32"),
        np.array(3.0), np.arange(4), np.ones((4, 3), "float32"), np.ones((2, 5, 5, 3), "float32"),
        np.full((4, 3), np.nan), np.full((4, 3), 1e300), np.full((4, 3), 2**40),
        np.array(["a", "b"]), np.array([object()]), np.array([1j]), masked, slice(None), ...,
        range(3),
    ]  # fmt: skip


class Call:
    """One call: what it is called in complaints, the hostile arguments' names, and the call."""

    def __init__(self, label, names, run):
        self.label, self.names, self.run = label, tuple(names), run


def judge(call):
    """What is wrong with the answer to a call, or None."""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call.run()
        wrong = None
    except (ValueError, TypeError, RuntimeError) as error:
        said = str(error)
        named = any(re.search(rf"\b{re.escape(name)}\b", said) for name in call.names)
        fitted = type(error).__name__ == "NotFittedError"
        wrong = None if named or fitted else f"{type(error).__name__}: {said[:200]}"
    except Exception as error:
        wrong = f"{type(error).__name__}: {str(error)[:200]}"
    seconds = time.perf_counter() - start
    if wrong is None and seconds > SECONDS:
        wrong = f"took {seconds:.1f} s"
    return wrong


def shown(value):
    """A value, short enough for a complaint."""
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else text[:57] + "..."


def complaints(module, count, seed=0, timeout=120):
    """Judge `count` calls that `calls(rng)` of a module of tests/support yields, in a process of
    their own, and return the complaints, one string each.

    Parameters
    ----------
    module : str
    count : int
    seed : int
    timeout : float
        Seconds after which the process is ended; that is a complaint, as a crash is.
    """
    command = [sys.executable, "-P", __file__, module, str(count), str(seed)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        end = f"the process ended with {child.returncode}: {child.stderr[-600:]}"
        lines, failed = child.stdout.splitlines(), child.returncode
    except subprocess.TimeoutExpired as late:
        lines = (late.stdout or b"").decode().splitlines()
        end, failed = f"not done after {timeout} s", True
    found = [line[2:] for line in lines if line.startswith("! ")]
    if failed:
        calls = [line for line in lines if line.startswith("> ")]
        found.append(f"{calls[-1][2:] if calls else 'import'} -> {end}")
    elif not any(line == f"judged {count}" for line in lines):
        found.append(f"expected {count} calls, got {lines[-1:]}")
    return found


def main(module, count, seed):
    """In the child: print each call before it is made, and each complaint."""
    faulthandler.enable()
    sys.path.insert(0, __file__.rpartition("/")[0])
    calls = importlib.import_module(module).calls(np.random.default_rng(int(seed)))
    judged = 0
    for call in calls:
        print(">", call.label, flush=True)
        wrong = judge(call)
        if wrong is not None:
            print("!", call.label, "->", " ".join(wrong.split()), flush=True)
        judged += 1
        if judged == int(count):
            break
    print("judged", judged)


if __name__ == "__main__":
    main(*sys.argv[1:])
