"""Plans: a trace lowered to a program of C calls that share one arena.

The planner keeps the recorded order. It drops calls that nobody needs, gives each tensor a place in
the arena for just as long as it lives, and puts a barrier only before a step that touches memory
which another thread may still be working on."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from nnlite.engine._engine import ARENA, FEED, FUSED, MEMORY, Program, most_threads
from nnlite.engine.dispatch import bad_index, engine
from nnlite.engine.passes import _needed, _view_roots

ALIGN = 64  # bytes: a cache line
ALONE = 4096  # multiply-adds: a step of fewer is done by thread 0 while the others go on
# A run of fewer multiply-adds is done by one thread: barriers would eat what a second one gives.
# Unless it reads more bytes of weights than stay near one core: several cores hold more.
ENOUGH_FOR_TWO, MUCH_MEMORY = 1 << 21, 1 << 20


@dataclass
class Block:
    """One piece of memory: a tensor's (with all its views) or a step's scratch."""

    place: int
    where: object  # ARENA: byte offset; MEMORY: an array; FEED: its number; FUSED: 0
    size: int
    first: int
    last: int

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
    """

    def __init__(self, recording, feeds=(), results=(), real="float32"):
        self.engine = engine(real)
        self.max_threads = most_threads()  # scratch memory is laid out for no more
        self.feeds = list(feeds)
        self.results = list(results)
        calls = _needed(recording.calls, self.results)
        self.roots = _view_roots(calls)
        calls, self.handed = self._paired(calls)
        self.calls = [c for c in calls if not c.op.view]
        self.variables = [t for c in self.calls for i, t in enumerate(c.inputs) if i in c.op.writes]
        works = [
            c.op.work([t.shape for t in c.inputs], [t.shape for t in c.outputs]) for c in self.calls
        ]
        self.work = sum(works)
        self.attrs = [c.op.c_attrs(c.attrs) for c in self.calls]
        self.blocks = self._lay_out()
        self.memory = sum(b.size for b in self.blocks.values() if b.place == MEMORY)
        arena_bytes = _place([b for b in self.blocks.values() if b.place == ARENA])
        self.program = Program(
            self.engine, self._steps(works), arena_bytes, len(self.feeds) + len(self.results)
        )

    def __repr__(self):
        return f"<Plan of {len(self.calls)} steps, {self.program.arena_bytes:,} bytes>"

    @property
    def arena_bytes(self):
        """Working memory of a run."""
        return self.program.arena_bytes

    def threads(self, wanted=None):
        """The size of the team: `wanted`, or one for small work and all there are for more."""
        enough = self.work >= ENOUGH_FOR_TWO or self.memory >= MUCH_MEMORY
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
        done, bad = self.program.run(feeds, runs, self.threads(threads))
        for variable in self.variables:
            variable.version += 1
        if bad is not None:
            step, element = bad
            raise bad_index(self.calls[step].op, self.calls[step].scope, element)
        return done

    def _root(self, tensor):
        return self.roots.get(id(tensor), tensor)

    def _paired(self, calls):
        """The calls in the order in which they are done, and the tensors that are never stored, by
        id: of a product that only one call reads, and that call takes by pieces. It is done right
        before that call, if nothing that it reads is overwritten meanwhile."""
        readers = Counter(id(t) for call in calls for t in call.inputs)
        readers.update(id(t) for t in self.results)
        makers, order, handed = {}, [], set()
        for call in calls:
            taken = call.inputs[call.op.pieces] if isinstance(call.op.pieces, int) else None
            if id(taken) in makers:
                product = makers.pop(id(taken))
                order.remove(product)
                order.append(product)
                handed.add(id(taken))
            order.append(call)
            overwritten = {id(self._root(call.inputs[i])) for i in call.op.writes}
            for t, product in list(makers.items()):
                if any(id(self._root(x)) in overwritten for x in product.inputs):
                    del makers[t]
            if call.op.pieces == "gives" and readers[id(call.outputs[0])] == 1:
                makers[id(call.outputs[0])] = call
        return order, handed

    def _is_fused(self, call):
        """Whether the call before it does it, piece by piece."""
        return any(id(t) in self.handed for t in call.inputs)

    def _lay_out(self):
        """A block for every root tensor, by id, and for every call's scratch, by ('scratch',
        step)."""
        blocks, self.operands = {}, []
        for number, t in enumerate([*self.feeds, *self.results]):
            blocks[id(self._root(t))] = Block(FEED, number, 0, 0, 0)
        for s, c in enumerate(self.calls):
            at = s - self._is_fused(c)  # what takes pieces is done at the same time as what gives
            operands = []
            for t in (*c.inputs, *c.outputs):
                root = self._root(t)
                block = blocks.get(id(root))
                if block is None:
                    if id(root) in self.handed:
                        block = Block(FUSED, 0, 0, at, at)
                    elif root._data is not None:
                        block = Block(MEMORY, root._data, root._data.nbytes, at, at)
                    else:
                        size = root.size * np.dtype(root.dtype).itemsize
                        block = Block(ARENA, None, size, at, at)
                    blocks[id(root)] = block
                block.last = at
                operands.append((t.shape, block))
            self.operands.append(operands)
            scratch = self.engine.scratch(
                self.engine.op_ids[c.op.name],
                tuple(t.shape for t in c.inputs),
                tuple(t.shape for t in c.outputs if id(t) not in self.handed),
                self.attrs[s],
                self.max_threads,
            )
            if scratch:
                blocks["scratch", s] = Block(ARENA, None, scratch, at, at)
        return blocks

    def _steps(self, works):
        steps, pending = [], []
        for s, c in enumerate(self.calls):
            fused = self._is_fused(c)
            gives = any(id(t) in self.handed for t in c.outputs)
            single_thread = works[s] < ALONE
            touched = self._touched(s, c)
            if gives:
                touched += self._touched(s + 1, self.calls[s + 1])
            wait = not fused and any(
                _clash(touched, t) for other, t in pending if not (single_thread and other)
            )
            if wait:
                pending = []
            if not fused:
                pending.append((single_thread, touched))
            scratch = self.blocks.get(("scratch", s))
            refs = tuple((block.place, block.where, shape) for shape, block in self.operands[s])
            steps.append(
                (
                    self.engine.op_ids[c.op.name],
                    refs[: len(c.inputs)],
                    () if gives else refs[len(c.inputs) :],
                    self.attrs[s],
                    scratch.where if scratch else -1,
                    wait,
                    single_thread,
                    fused,
                )
            )
        return steps

    def _touched(self, s, c):
        """The ranges of memory that a call touches, and whether it writes each."""
        inputs = len(c.inputs)
        touched = [
            (*block.range(), i >= inputs or i in c.op.writes)
            for i, (_, block) in enumerate(self.operands[s])
            if block.place != FUSED
        ]
        if ("scratch", s) in self.blocks:
            touched.append((*self.blocks["scratch", s].range(), True))
        return touched


def _clash(some, others):
    """Whether any two ranges of memory overlap and one of them is written."""
    for p, a, b, written in some:
        for q, c, d, writes in others:
            if p == q and a < d and c < b and (written or writes):
                return True
    return False


def _place(blocks):
    """Give every block an offset, the largest first, where no block that lives at the same time
    lies."""
    placed, end = [], 0
    for block in sorted(blocks, key=lambda b: -b.size):
        size = -(-max(block.size, 1) // ALIGN) * ALIGN
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
