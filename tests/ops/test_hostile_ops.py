"""Whatever functions of `nnlite.ops` are given, they work or say what is wrong, and soon."""

import json
import os
import subprocess
import sys

import hostile_ops as hostile
from paths import pythonpath


def answers(seed, calls):
    """What a child process printed that made so many calls; it may have crashed."""
    return subprocess.run(
        [sys.executable, "-P", hostile.__file__, str(seed), str(calls)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": pythonpath(__file__)},
    )


def test_every_hostile_call_works_or_is_refused_in_words_that_name_what_is_wrong():
    done = answers(seed=20, calls=2000)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{lines[-1]} ended the process: {done.stderr[-2000:]}"
    assert sum(kind == "call" for kind, *_ in lines) == 2000
    faults = [line for kind, *line in lines if kind == "fault"]
    assert not faults, "\n".join(map(str, faults[:20]))


def test_answers_are_judged_by_what_was_raised_and_where(monkeypatch):
    """The judge of the test above knows the three good answers from others."""

    def refuses(x):
        raise TypeError(x)

    judge = hostile.fault_of
    assert judge("len", lambda x: len(x), {"x": 3}).startswith("an inner TypeError")
    assert judge("f", lambda x: {}[x], {"x": 3}).startswith("KeyError")
    monkeypatch.setattr(hostile, "is_own", lambda error: True)
    assert judge("f", refuses, {"x": "x: expected 1"}) is None
    assert judge("f", refuses, {"x": "a shape is wrong"}).startswith("names neither")
    monkeypatch.setattr(hostile, "SECONDS", -1.0)
    assert judge("f", lambda x: x, {"x": 3}).startswith("it took")
