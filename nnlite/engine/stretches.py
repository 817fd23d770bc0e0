"""Stretches of calls that a thread does for a few samples at a time.

Between two layers of large images lie more numbers than the caches hold. Where each call treats
every sample by itself (`by_sample` in its row), a thread does a whole stretch of calls for one
sample or a few, then for the next ones. What lies between the calls then has room in the thread's
L2 cache, and memory for these few samples only. Bits stay the same, because no sample's result
depends on the samples beside it. `walk_stretch` in csrc/runtime/plan.c runs them.

A stretch begins and ends where little lies between two calls."""

import math
from collections import Counter
from dataclasses import dataclass, field

# The most that the calls of a stretch read and write for the samples of one turn: 1.5 MB, which is
# most of an L2 cache of 2 MB, and more than one of 1 MB.
TURN_BYTES = 3 << 19
# A turn packs the kernels of its calls again. So what it keeps in the cache must be this many times
# as large as they are.
TIMES_WEIGHTS = 8
# The fewest samples of a thread. With fewer, one thread would often have half as many again as
# another.
LEAST_SAMPLES = 4


@dataclass
class Stretch:
    """Consecutive calls.

    Attributes
    ----------
    calls : list of Call
    samples, at_a_time : int
        Of the batch, and of a turn.
    own : set of int
        The ids of the tensors (roots of views) that nothing else reads: threads have memory of
        their own for them.
    """

    calls: list
    samples: int
    at_a_time: int
    own: set = field(default_factory=set)


def rows(call):
    """The numbers of the operands of which a sample's result reads its own row only, and of the
    outputs; () if the call does not treat samples one by one."""
    by_sample = call.op.by_sample and call.condition is None
    if not by_sample or call.outputs[0].ndim < 2 or not call.outputs[0].size:
        return ()
    y, operands = call.outputs[0], [*call.inputs, *call.outputs]
    outputs = range(len(call.inputs), len(operands))
    found = [k for k in (*call.op.by_sample, *outputs) if _are_rows(operands[k], y)]
    return tuple(found) if len(found) > len(outputs) else ()


def _are_rows(x, y):
    return x.ndim == y.ndim and x.shape[0] == y.shape[0] and x.dtype == y.dtype


def find_stretches(fusion, results, roots, threads):
    """Put calls that belong together one after the other.

    Returns
    -------
    calls : list of Call
        Those of `fusion`. Where a stretch is, the calls among them that do not need it come before.
    stretches : list of Stretch
    """
    tensors = {id(t): t for call in fusion.calls for t in (*call.inputs, *call.outputs)}
    if sum(map(_bytes, tensors.values())) <= TURN_BYTES * threads:
        return fusion.calls, []  # all of it is in the caches anyway: see `_worth_it`
    calls, stretches = [], []
    readers = Counter(id(roots.of(t)) for call in fusion.calls for t in call.reads)
    readers.update(id(roots.of(t)) for t in results)
    run = _Run(roots, readers, threads)
    for call in fusion.calls:
        fused = fusion.is_producer(call) or fusion.is_consumer(call)
        if not run.takes(call, fused):
            calls += run.end(stretches)
            run = _Run(roots, readers, threads)
            if not run.takes(call, fused):
                calls.append(call)
    calls += run.end(stretches)
    return calls, stretches


class _Run:
    """Calls by sample, one after the other, and those among them that need none of these."""

    def __init__(self, roots, readers, threads):
        self.roots, self.readers, self.threads = roots, readers, threads
        self.all, self.calls = [], []
        self.made, self.known = set(), set()  # ids of tensors: results, and all that have rows

    def takes(self, call, fused):
        """Add the call, if it can be one of the run or come before it."""
        operands = [id(self.roots.of(t)) for t in (*call.inputs, *call.outputs)]
        which = () if fused else rows(call)
        needed = [k for k, t in enumerate(operands) if t in self.made]
        same = self.calls and which and _samples(call) == _samples(self.calls[0])
        if (which and not self.calls) or same:
            if (self.calls and self.known.isdisjoint(operands)) or not set(needed) <= set(which):
                return False
            self.calls.append(call)
            self.made.update(operands[len(call.inputs) :])
            self.known.update(operands[k] for k in which)
        elif not self.calls or needed or fused or call.op.writes or call.condition is not None:
            return False
        self.all.append(call)
        return True

    def end(self, stretches):
        """The calls in the order in which they run; adds the stretches that there are."""
        found = self._joined()
        stretches += found
        if not found:
            return self.all
        later = {id(c) for c in self.calls}
        return [c for c in self.all if id(c) not in later] + self.calls

    def _joined(self):
        """The parts of the run that are worth it, neighbours joined."""
        found, before = [], None
        for part in self._parts():
            stretch = self._worth_it(part)
            pair = [s.at_a_time for s in (before, stretch) if s]
            if len(pair) == 2 and max(pair) <= 2 * min(pair):
                before.calls += part
                before.at_a_time = min(pair)
                continue
            found += [stretch] if stretch else []
            before = stretch
        for stretch in found:
            stretch.own = self._own(stretch.calls)
        return found

    def _parts(self):
        """The run, cut where less lies between two calls than before and behind."""
        last = self._last(self.calls)
        sizes = [0] * len(self.calls)  # after each call: bytes of a sample that others will read
        for p, call in enumerate(self.calls):
            for t in call.outputs:
                for k in range(p, last.get(id(t), p) + 1):
                    sizes[k] += _bytes(t) // _samples(call)
        part = []
        for p, call in enumerate(self.calls):
            part.append(call)
            if 0 < p < len(sizes) - 1 and sizes[p - 1] >= sizes[p] < sizes[p + 1]:
                yield part
                part = []
        if part:
            yield part

    def _last(self, calls):
        """Where among the calls each tensor is read for the last time, by the ids of roots."""
        return {id(self.roots.of(t)): p for p, c in enumerate(calls) for t in c.inputs}

    def _own(self, calls):
        """The ids of what only these calls read."""
        reads = Counter(id(self.roots.of(t)) for c in calls for t in c.inputs)
        made = [t for c in calls for t in c.outputs if t._data is None]
        return {id(t) for t in made if 0 < reads[id(t)] == self.readers[id(t)]}

    def _worth_it(self, calls):
        """A stretch of these calls, or None if they had better treat all samples at once."""
        samples, last, own = _samples(calls[0]), self._last(calls), self._own(calls)
        live, most, weights = {}, 0, 0  # live: bytes of a sample, by the ids of roots
        for p, call in enumerate(calls):
            which = rows(call)
            for k, t in enumerate([*call.inputs, *call.outputs]):
                if k in which:
                    live[id(self.roots.of(t))] = _bytes(t) // samples
                else:
                    weights += _bytes(t)
            most = max(most, sum(live.values()))
            live = {t: size for t, size in live.items() if last.get(t, p) > p}
        at_a_time = TURN_BYTES // max(most, 1)
        kept = at_a_time * sum(_bytes(t) for c in calls for t in c.outputs if id(t) in own)
        if (
            samples < LEAST_SAMPLES * self.threads
            or samples * most <= TURN_BYTES * self.threads  # it is in the caches anyway
            or not at_a_time
            or kept <= TIMES_WEIGHTS * weights * samples
        ):
            return None
        return Stretch(calls, samples, at_a_time)


def _samples(call):
    return call.outputs[0].shape[0]


def _bytes(t):
    return math.prod(t.shape) * (8 if t.dtype == "float64" else 4)
