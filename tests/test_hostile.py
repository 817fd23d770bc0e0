"""Whatever stands in the place of an argument: the call works, or an error names the argument."""

import time

import hostile
import hostile_training
import numpy as np
from hostile import Call, complaints, complaints_of

from nnlite import ops
from nnlite.training import arguments


def test_a_hostile_call_works_or_is_refused_by_the_name_of_the_argument():
    families = ["hostile_ops", "hostile_objects", "hostile_layers", "hostile_training"]
    found = complaints_of(*families, least=5500)
    assert not found, f"{len(found)} complaints\n" + "\n".join(found)


def test_answers_are_judged_by_what_was_raised_and_where(monkeypatch):
    def judged(run, *words, given=()):
        return hostile.judge(Call("f", words, run, given))

    def vague():
        raise ValueError("axis: expected 1")

    assert judged(lambda: 3) is None
    assert judged(lambda: [][3], "x").startswith("an inner IndexError")
    assert judged(lambda: {}[3], "x").startswith("KeyError")
    assert judged(vague, "x").startswith("an inner ValueError: axis")
    assert judged(vague, "axis") is None
    assert judged(lambda: ops.sum([1.0], axis=3), "x").startswith("ValueError without the argum")
    assert judged(lambda: ops.sum([1.0], axis=3), "axis") is None
    assert judged(lambda: len(3), "x").startswith("an inner TypeError")
    assert judged(lambda: len(1, 2), "x", given=[len]) is None
    monkeypatch.setattr(hostile, "SECONDS", -1.0)
    assert judged(lambda: 3).startswith("took")


def test_a_check_that_is_missing_is_complained_of(monkeypatch):
    def of_batch_size():
        calls = hostile_training.calls(np.random.default_rng(0))
        return complaints(call for call in calls if call.label.startswith("fit(batch_size"))

    assert of_batch_size() == []
    monkeypatch.setattr(arguments, "count", lambda name, value, default=None: value or default)
    assert of_batch_size()


def test_a_crash_and_a_hang_are_complained_of_with_the_call(monkeypatch, tmp_path):
    (tmp_path / "bad_calls.py").write_text(
        "import os, time\n"
        "from hostile import Call\n"
        "def calls(rng):\n"
        "    yield Call('sound', [], lambda: None)\n"
        "    yield Call('bad', [], lambda: os.abort() if rng.random() < 0.5 else time.sleep(60))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(hostile, "HANGS", 0.2)
    began = time.monotonic()
    for seed in (0, 2):
        (found,) = complaints_of("bad_calls", least=1, seed=seed)
        assert found.startswith("bad -> the process ended with")
    assert time.monotonic() - began < 30
