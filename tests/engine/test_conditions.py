"""Ops that run only where a condition holds: in Python, in plans, by any number of threads."""

import numpy as np
import pytest
from teams import team_of

import nnlite
from nnlite import ops
from nnlite.engine import stretches
from nnlite.engine.dispatch import when
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor


def counters():
    return [nnlite.Variable(0, dtype="int32") for _ in range(2)]


def every_third(x, total, mean, counts):
    """Sums of x, of which every third is moved into `mean`."""
    due = ops.count_steps(*counts, 3)
    ops.sgd_update(total, ops.matmul(x, x), -1.0)
    with when(due):
        ops.assign(mean, ops.sqrt(total * total) + ops.matmul(total, total))
        ops.assign(total, ops.zeros_like(total))


def expected(x, runs):
    total, mean = np.zeros_like(x), np.zeros_like(x)
    for run in range(1, runs + 1):
        total = total + x @ x
        if run % 3 == 0:
            mean, total = np.abs(total) + total @ total, np.zeros_like(x)
    return mean, total


@pytest.mark.parametrize("runs", [1, 2, 3, 7])
@pytest.mark.parametrize("real", ["float32", "float64"])
def test_a_plan_runs_the_block_where_its_condition_holds(runs, real):
    x = nnlite.convert_to_tensor(np.random.default_rng(0).normal(size=(40, 40)), real)
    bits = []
    for threads in (1, 2, 3):
        counts, found = counters(), [nnlite.Variable(np.zeros((40, 40)), dtype=real) for _ in "tm"]
        with Recording(executing=False) as trace:
            every_third(x, *found, counts)
        with team_of(3):
            assert Plan(trace, real=real).run([], runs, threads) == runs
        assert [c.item() for c in counts] == [runs, runs // 3]
        bits.append([v.numpy() for v in found])
    mean, total = expected(x.numpy().astype(float), runs)
    np.testing.assert_allclose(bits[0][0], total, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(bits[0][1], mean, rtol=1e-4, atol=1e-3)
    assert all(np.array_equal(a, b) for other in bits for a, b in zip(other, bits[0]))


def test_python_runs_the_block_where_its_condition_holds():
    x = nnlite.convert_to_tensor(np.eye(3, dtype="float32") * 2)
    total, mean = (nnlite.Variable(np.zeros((3, 3))) for _ in "tm")
    counts = counters()
    for runs in range(1, 8):
        every_third(x, total, mean, counts)
        for v, want in zip((mean, total), expected(x.numpy(), runs)):
            np.testing.assert_allclose(v.numpy(), want, rtol=1e-6)


def nested(counts, sums):
    """Sums of all calls, of every second one, of every sixth one."""
    ops.assign(sums[0], sums[0] + 1.0)
    with when(ops.count_steps(*counts[:2], 2)):
        ops.assign(sums[1], sums[1] + 1.0)
        with when(ops.count_steps(*counts[2:], 3)):
            ops.assign(sums[2], sums[2] + 1.0)
        sums[1].assign_add(10.0)
    sums[0].assign_add(10.0)


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("runs", [1, 2, 5, 6, 13])
def test_a_block_inside_another_runs_where_both_conditions_hold(runs, real):
    found = []
    for planned in (False, True):
        counts, sums = counters() + counters(), [nnlite.Variable(0.0, dtype=real) for _ in "abc"]
        if planned:
            with Recording(executing=False) as trace:
                nested(counts, sums)
            Plan(trace, real=real).run([], runs, 1)
        else:
            for _ in range(runs):
                nested(counts, sums)
        found.append([v.item() for v in sums])
    assert found[0] == found[1] == [11 * runs, runs // 2 * 11, runs // 6]


def test_a_condition_is_one_integer():
    with pytest.raises(TypeError, match="when: expected an int32 tensor of one element, got"):
        when(nnlite.ones((2,)))
    v = nnlite.Variable(1.0)
    with when(ops.cast(0.0, "int32")):
        ops.assign(v, 2.0)
    assert v.item() == 1.0
    ops.assign(v, 3.0)
    assert v.item() == 3.0


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("holds", [0, 1])
def test_methods_of_variables_assign_where_the_condition_holds(holds, dtype):
    v = nnlite.Variable(1, dtype=dtype)
    with when(nnlite.convert_to_tensor(holds, "int32")):
        v.assign(5)
        v.assign_add(ops.ones_like(v))
        assert v.assign_sub(2) is v
    assert v.item() == (4 if holds else 1)


def fused_and_not(x, sums, counts):
    """Products that go straight into an update: both in the block, and the update alone."""
    due = ops.count_steps(*counts, 3)
    outside = ops.matmul(x, x)
    with when(due):
        ops.sgd_update(sums[0], ops.matmul(x, x), -1.0)
        ops.sgd_update(sums[1], outside, -1.0)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_pairs_are_fused_under_one_condition_only(threads):
    x = nnlite.convert_to_tensor(np.random.default_rng(0).normal(size=(40, 40)).astype("float32"))
    sums, counts = [nnlite.Variable(np.zeros((40, 40))) for _ in "ab"], counters()
    with Recording(executing=False) as trace:
        fused_and_not(x, sums, counts)
    with team_of(3):
        plan = Plan(trace)
        assert len(plan.fusion.tensors) == 1
        plan.run([], 2, threads)
        assert not any(s.numpy().any() for s in sums)
        plan.run([], 5, threads)
    for s in sums:
        np.testing.assert_array_equal(s.numpy(), 2 * ops.matmul(x, x).numpy())


def test_stretches_end_where_a_condition_begins(monkeypatch):
    for name, value in ("LEAST_SAMPLES", 1), ("TIMES_WEIGHTS", 0), ("TURN_BYTES", 4 * 40):
        monkeypatch.setattr(stretches, name, value)
    feed, kept, counts = Tensor((16, 8), "float32"), nnlite.Variable(np.zeros((16, 8))), counters()

    def around(x):
        """What comes before the block, and after it."""
        return ops.tanh(ops.exp(x * 0.5) - 1.0), lambda y: ops.tanh(ops.exp(-y) * 0.5) + x

    with Recording(executing=False) as trace:
        due = ops.count_steps(*counts, 3)
        before, after = around(feed)
        with when(due):
            ops.assign(kept, ops.sqrt(before * before))
        result = after(before)
    x = np.random.default_rng(0).normal(size=(16, 8)).astype("float32")
    before, after = around(nnlite.convert_to_tensor(x))
    for threads in (1, 2, 3):
        out = np.empty((16, 8), "float32")
        with team_of(3):
            plan = Plan(trace, [feed], [result])
            assert len(plan.stretches) == 2
            assert all(c.condition is None for s in plan.stretches for c in s.calls)
            for run in range(1, 4):
                plan.run([(x, 0, 0), (out, 0, 0)], 1, threads)
                assert np.array_equal(out, after(before).numpy())
                assert kept.numpy().any() == (run == 3)
        np.testing.assert_array_equal(kept.numpy(), ops.sqrt(before * before).numpy())
        kept.assign(np.zeros((16, 8)))
