"""Plans: a trace lowered to a program of C calls that share one arena.

The planner keeps the recorded order. It drops calls that nobody needs, gives each tensor a place in
the arena for just as long as it lives, and puts a barrier only before a step that touches memory
which another thread may still be working on."""

import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from nnlite.engine._engine import ARENA, FEED, FUSED, MEMORY, OWN, Program, most_threads
from nnlite.engine.constants import Kept, pack_kernels, reading, separate
from nnlite.engine.dispatch import bad_index, engine
from nnlite.engine.passes import (
    Roots,
    absorb,
    cancel_transposes,
    compute_again,
    drop_unneeded,
    fuse,
    join,
    leave_out_unread,
    read_rows_in_place,
    take_in_padding,
    take_in_place,
    take_shortcuts,
)
from nnlite.engine.recording import Recording
from nnlite.engine.stretches import Stretch, find_stretches, rows
from nnlite.engine.tensor import Variable

ALIGN = 64  # bytes: a cache line
# Fewer multiply-adds than this are done by thread 0, while the others go on to the next step.
MIN_SHARED_WORK = 4096
# A run of fewer multiply-adds is done by one thread: barriers would cost what a second one saves.
# But a run that reads more bytes of weights than an L2 cache holds uses the caches of all cores.
MIN_PARALLEL_WORK, MIN_PARALLEL_BYTES = 1 << 21, 1 << 20


@dataclass
class Block:
    """One piece of memory: a tensor's (with all its views) or a step's scratch."""

    place: int
    where: object  # ARENA, OWN: byte offset; MEMORY: an array; FEED: its number; FUSED: 0
    size: int
    first: int
    last: int
    stretch: Stretch = None  # OWN: whose; `where` is relative to its memory, `size` that of a turn

    def range(self):
        """(kind of memory, begin, end)."""
        if self.place == ARENA:
            return (ARENA, self.where, self.where + self.size)
        key = id(self.where) if self.place == MEMORY else self.where
        return (self.place, key, key + 1)


class Plan:
    """A trace made ready to run.

    Parameters
    ----------
    recording : Recording
        A trace.
    feeds : list of Tensor
        Stand for memory that the caller gives at each run, as inputs.
    results : list of Tensor
        Written to memory of the caller's: their feeds follow after `feeds`.
    real : {'float32', 'float64'}
    folds : bool, default False
        Whether convolutions take the scale and shift of a normalization behind them, and padding,
        and what depends on weights alone is kept from run to run (constants.py).
    isa : str, optional
        The instruction set; by default the one in use.
    """

    def __init__(self, recording, feeds=(), results=(), real="float32", folds=False, isa=None):
        self.engine = engine(real, isa)
        self.max_threads = most_threads()  # scratch memory is laid out for no more
        self.feeds = list(feeds)
        self.results = list(results)
        calls = read_rows_in_place(recording.calls, self.feeds)
        calls = cancel_transposes(calls, self.results)
        calls = drop_unneeded(calls, self.results)
        calls = leave_out_unread(calls, self.results)
        calls = compute_again(calls, Roots(calls))
        self.roots = Roots(calls)
        calls = absorb(calls, self.results, self.roots, folds)
        self.constants = []
        if folds:
            calls = take_in_padding(calls, self.results, self.roots)
        calls = take_shortcuts(calls, self.engine.isa)
        if folds:
            calls = pack_kernels(calls, self.results, self.roots, self.engine.panel)
            calls = join(calls, self.results, self.roots, self.engine.panel)
            constant, made, calls = separate(calls, self.results, self.roots)
            self.constants = Kept.all_of(made, constant, partial(_plan_of, real, isa), self.engine)
            calls = reading(calls, made, self.constants)
            self.roots = Roots(calls)
        fusion = fuse(calls, self.results, self.roots)
        self.calls, self.stretches = find_stretches(
            fusion, self.results, self.roots, self.max_threads
        )
        self.stretch_of = {id(c): stretch for stretch in self.stretches for c in stretch.calls}
        self.fusion = replace(fusion, calls=self.calls)
        self.times = self._times()
        self.variables = [t for c in self.calls for i, t in enumerate(c.inputs) if i in c.op.writes]
        works = [
            c.op.work([t.shape for t in c.inputs], [t.shape for t in c.outputs]) for c in self.calls
        ]
        self.work = sum(works)
        self.attrs = [c.op.c_attrs(c.attrs) for c in self.calls]
        self.blocks = self._lay_out()
        blocks = list({id(b): b for b in self.blocks.values()}.values())
        self.memory = sum(b.size for b in blocks if b.place == MEMORY)
        arena_bytes = place([b for b in blocks if b.place == ARENA])
        self.steps = self._steps(works)
        self.program = self._program(arena_bytes)

    def __repr__(self):
        return f"<Plan of {len(self.calls)} steps, {self.program.arena_bytes:,} bytes>"

    def on(self, others):
        """The same plan of other Variables.

        Parameters
        ----------
        others : dict
            For the id of each Variable of this plan, the one of its form that takes its place.

        Raises
        ------
        KeyError
            If there is none.
        """
        roots = (self.roots.of(t) for c in self.calls for t in (*c.inputs, *_conditions(c)))
        own = {id(v): v for v in roots if isinstance(v, Variable)}
        memory = {id(v._data): others[key]._data for key, v in own.items()}
        constants = [kept.on(others) for kept in self.constants]
        for kept, other in zip(self.constants, constants):
            memory |= {id(t._data): o._data for t, o in zip(kept.tensors, other.tensors)}

        def moved(operands):
            return tuple(
                (place, memory.get(id(where), where) if place == MEMORY else where, shape)
                for place, where, shape in operands
            )

        plan = copy.copy(self)
        plan.constants = constants
        plan.variables = [others.get(id(v), v) for v in self.variables]
        plan.steps = [(op, *map(moved, step[:3]), *step[3:]) for op, *step in self.steps]
        plan.program = plan._program(self.arena_bytes)
        return plan

    def _program(self, arena_bytes):
        feeds = len(self.feeds) + len(self.results)
        return Program(self.engine, self.steps, arena_bytes, feeds)

    @property
    def arena_bytes(self):
        """Working memory of a run."""
        return self.program.arena_bytes

    def threads(self, wanted=None):
        """The size of the team: `wanted`, or one for small work and all there are for more."""
        enough = self.work >= MIN_PARALLEL_WORK or self.memory >= MIN_PARALLEL_BYTES
        return min(wanted or (self.max_threads if enough else 1), self.max_threads)

    def run(self, feeds, runs=1, threads=None):
        """Run up to `runs` times; returns how many were finished.

        Parameters
        ----------
        feeds : list of (array, offset, stride)
            For each feed and each result: memory, where in it to begin and by how much to move on
            at each run, in bytes.

        Raises
        ------
        ValueError
            If an index or a label in the data was out of range.
        """
        for kept in self.constants:
            kept.update(threads)
        try:
            done, bad = self.program.run(feeds, runs, self.threads(threads))
        finally:  # also where Ctrl-C came meanwhile
            for variable in self.variables:
                variable.version += 1
        if bad is not None:
            step, element, value = bad
            call = self.calls[step]
            raise bad_index(call.op, call.scope, element, value, call.attrs)
        return done

    def _lay_out(self):
        """A block for every root tensor, by id, and for every call's scratch, by ('scratch',
        step)."""
        in_place = take_in_place(self.fusion, self.roots)
        blocks, self.operands = {}, []
        for number, t in enumerate([*self.feeds, *self.results]):
            blocks[id(self.roots.of(t))] = Block(FEED, number, 0, 0, 0)
        for s, c in enumerate(self.calls):
            operands = []
            for t in (*c.inputs, *c.outputs, *_conditions(c)):
                root = self.roots.of(t)
                block = blocks.get(id(root))
                if block is None:
                    block = blocks[id(root)] = self._block_for(root, s, blocks, in_place)
                block.last = s if block.stretch else self.times[s]
                operands.append((t.shape, block))
            self.operands.append(operands)
            scratch = self._scratch(s)
            if scratch:
                blocks["scratch", s] = self._room(s, scratch, self.stretch_of.get(id(c)))
        for stretch in self.stretches:
            own = {id(b): b for b in blocks.values() if b.stretch is stretch}
            size = place(list(own.values())) * self.max_threads
            at = self.times[next(iter(own.values())).first]
            blocks["own", id(stretch)] = Block(ARENA, None, size, at, at)
        return blocks

    def _times(self):
        """Of each step the first of those that run at the same time: its producer, or all those of
        its stretch, between which threads do not wait."""
        times, before = [], None
        for s, c in enumerate(self.calls):
            stretch = self.stretch_of.get(id(c))
            same = stretch is before if stretch else self.fusion.is_consumer(c)
            times.append(times[-1] if same else s)
            before = stretch
        return times

    def _scratch(self, s):
        """Bytes of scratch of a step: of the team, or of a thread that does a turn of a stretch."""
        call = self.calls[s]
        stretch = self.stretch_of.get(id(call))
        stored = [t for t in call.outputs if id(t) not in self.fusion.tensors]
        shapes = [t.shape for t in (*call.inputs, *stored)]
        for k in rows(call) if stretch else ():
            shapes[k] = (stretch.at_a_time, *shapes[k][1:])
        n, threads = len(call.inputs), 1 if stretch else self.max_threads
        op = self.engine.op_ids[call.op.name]
        return self.engine.scratch(op, (*shapes[:n],), (*shapes[n:],), self.attrs[s], threads)

    def _room(self, s, size, stretch=None):
        """A piece of the arena, or of the memory that a thread has for a stretch."""
        if stretch:
            return Block(OWN, None, size, s, s, stretch)
        return Block(ARENA, None, size, self.times[s], self.times[s])

    def _block_for(self, root, s, blocks, in_place):
        """The memory of a tensor that is first met in step `s`."""
        if id(root) in self.fusion.tensors:
            return Block(FUSED, 0, 0, s, s)
        if root._data is not None:
            return Block(MEMORY, root._data, root._data.nbytes, s, s)
        size = root.size * np.dtype(root.dtype).itemsize
        stretch = self.stretch_of.get(id(self.calls[s]))
        if stretch and id(root) in stretch.own:
            block = self._room(s, size // stretch.samples * stretch.at_a_time, stretch)
        else:
            block = self._room(s, size)
        operand = blocks.get(id(in_place.get(id(root))))
        same = operand and (operand.place, operand.stretch) == (block.place, block.stretch)
        return operand if same else block

    def _steps(self, works):
        steps, pending = [], []
        for s, c in enumerate(self.calls):
            stretch, produces = self.stretch_of.get(id(c)), self.fusion.is_producer(c)
            fused = self.fusion.is_consumer(c)
            first = self.times[s] == s  # of those that run at the same time
            together = len(stretch.calls) if stretch else 1 + produces
            single_thread = works[s] < MIN_SHARED_WORK and not stretch
            wait = False
            if first:
                touched = [r for k in range(s, s + together) for r in self._touched(k)]
                wait = any(
                    _clash(touched, t) for other, t in pending if not (single_thread and other)
                )
                pending = [] if wait else pending
                pending.append((single_thread, touched))
            scratch = self.blocks.get(("scratch", s))
            refs = tuple((b.place, self._where(b), shape) for shape, b in self.operands[s])
            numbers = ()
            if stretch and first:
                own = self.blocks["own", id(stretch)].size // self.max_threads
                numbers = (together, stretch.samples, stretch.at_a_time, own)
            steps.append(
                (
                    self.engine.op_ids[c.op.name],
                    refs[: len(c.inputs)],
                    () if produces else refs[len(c.inputs) : len(c.inputs) + len(c.outputs)],
                    refs[len(c.inputs) + len(c.outputs) :],
                    self.attrs[s],
                    self._where(scratch) if scratch else -1,
                    wait,
                    single_thread,
                    fused,
                    numbers,
                    rows(c) if stretch else (),
                )
            )
        return steps

    def _where(self, block):
        """Where C finds a block. Of those that each thread has: that of thread 0, in the arena."""
        if block.stretch:
            return self.blocks["own", id(block.stretch)].where + block.where
        return block.where

    def _touched(self, s):
        """The ranges of memory that a call touches, and whether it writes each."""
        c = self.calls[s]
        outputs = range(len(c.inputs), len(c.inputs) + len(c.outputs))
        stretch = self.stretch_of.get(id(c))
        touched = [
            (*block.range(), i in outputs or i in c.op.writes)
            for i, (_, block) in enumerate(self.operands[s])
            if block.place not in (FUSED, OWN)
        ]
        of_step = ("own", id(stretch)) if stretch else ("scratch", s)
        if of_step in self.blocks:
            touched.append((*self.blocks[of_step].range(), True))
        return touched


def _plan_of(real, isa, calls, results):
    trace = Recording(executing=False)
    trace.calls = calls
    return Plan(trace, (), results, real, isa=isa)


def _conditions(call):
    return () if call.condition is None else (call.condition,)


def _clash(some, others):
    """Whether any two ranges of memory overlap and one of them is written."""
    for p, a, b, written in some:
        for q, c, d, writes in others:
            if p == q and a < d and c < b and (written or writes):
                return True
    return False


def place(blocks, align=ALIGN):
    """Give every block an offset, a multiple of `align`, the largest first, where no block that
    lives at the same time lies. Returns the bytes of all."""
    placed, end = [], 0
    for block in sorted(blocks, key=lambda b: -b.size):
        size = -(-max(block.size, 1) // align) * align
        offset = 0
        for other_offset, other_end, other in placed:  # in order of offset
            if other.first > block.last or block.first > other.last:
                continue
            if other_offset - offset >= size:
                break
            offset = max(offset, other_end)
        block.where = offset
        placed.append((offset, offset + size, block))
        placed.sort(key=lambda entry: entry[0])
        end = max(end, offset + size)
    return end
