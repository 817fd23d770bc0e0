"""BackupAndRestore: a training that is interrupted, and begun again, ends as one that was not."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import resumed
from resumed import KINDS, same, trained

from nnlite import callbacks
from nnlite.saving import nested_file

METHODS = [name for name in vars(callbacks.Callback) if name.startswith("on_")]


class Failure(BaseException):
    pass


class Power(callbacks.Callback):
    """Fails at a call, counted from 1 over those of all methods."""

    def __init__(self, at=None):
        self.at, self.calls = at, 0

    def _count(self, *args):
        self.calls += 1
        if self.calls == self.at:
            raise Failure


for _name in METHODS:
    if not _name.startswith(("on_batch", "on_predict", "on_progress")):
        setattr(Power, _name, Power._count)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_fails_at_any_call_ends_in_the_same_bits(kind, tmp_path):
    whole, rng = Power(), np.random.default_rng(len(kind))
    unbroken = trained(kind, tmp_path, others=[whole], backup=False)
    assert whole.calls > 60
    for attempt, first in enumerate(rng.integers(1, whole.calls, 4, endpoint=True)):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        for at in (first, *rng.integers(1, whole.calls, 2), None):
            try:
                found = trained(kind, folder, others=[Power(at)])
            except Failure:
                continue
            break
        assert at != first
        assert same(found, unbroken)
        assert os.listdir(folder) == ["log.csv"]  # the backup is deleted


# Killed


def finished(kind, folder, rng=None):
    """What is left of a process, which is killed at random moments and begun again until it ends;
    and how often it was killed."""
    result = Path(folder) / "result"
    command = [sys.executable, "-P", resumed.__file__, kind, folder, result]
    for kills in itertools.count():
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"begun\n"
            if rng is not None:
                time.sleep(rng.random() * 0.5)
                process.kill()
        if result.exists():
            return nested_file.read(result), kills


@pytest.mark.parametrize("seed", range(int(os.environ.get("NNLITE_KILLED", 2))))
def test_a_training_that_is_killed_ends_in_the_same_bits(seed, tmp_path):
    """NNLITE_KILLED=20 has more of them."""
    kind = list(KINDS)[seed % len(KINDS)]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    found, kills = finished(kind, parts, np.random.default_rng(seed))
    assert same(found, finished(kind, whole)[0])
    print(f"{kind}: killed {kills} times")
