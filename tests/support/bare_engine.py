"""An engine without the binding: a library of one instruction set and precision, built with a
sanitizer and called through ctypes. As a program it runs every op at every shape of `cases.py`."""

import ctypes
import itertools
import json
import sys
from pathlib import Path

import cases_chains
import numpy as np
from all_ops import OPS
from cases import CASES
from nnlite.engine._engine import MAX_NDIM
from samples import Case

REALS = {"float": "float32", "double": "float64"}


class NnlTensor(ctypes.Structure):
    """As in csrc/nnlite.h, as are the others: see the test of their layout."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("shape", ctypes.c_int64 * MAX_NDIM),
        ("ndim", ctypes.c_int32),
        ("in_stretch", ctypes.c_int32),
    ]


class NnlAttr(ctypes.Union):
    """One attribute."""

    _fields_ = [("i", ctypes.c_int64), ("f", ctypes.c_double)]


class NnlCall(ctypes.Structure):
    """One call."""

    _fields_ = [
        ("in", ctypes.POINTER(NnlTensor)),
        ("out", ctypes.POINTER(NnlTensor)),
        ("attr", ctypes.POINTER(NnlAttr)),
        ("n_in", ctypes.c_int),
        ("n_out", ctypes.c_int),
    ]


class NnlStretch(ctypes.Structure):
    """Steps for some samples at a time."""

    _fields_ = [(name, ctypes.c_int64) for name in ("steps", "samples", "at_a_time", "own_bytes")]


class NnlStep(ctypes.Structure):
    """One step."""

    _fields_ = [
        ("op", ctypes.c_void_p),
        ("call", NnlCall),
        ("scratch", ctypes.c_void_p),
        ("condition", ctypes.c_void_p),
        ("wait", ctypes.c_int8),
        ("single_thread", ctypes.c_int8),
        ("fused", ctypes.c_int8),
        ("stretch", NnlStretch),
    ]


class NnlProgram(ctypes.Structure):
    """A program."""

    _fields_ = [
        ("steps", ctypes.POINTER(NnlStep)),
        ("bindings", ctypes.c_void_p),
        ("feeds", ctypes.c_void_p),
        ("n_steps", ctypes.c_int32),
        ("n_bindings", ctypes.c_int32),
    ]


class NnlThreadBudget(ctypes.Structure):
    """The threads of a run that is alone: `active_runs` counts (runs, threads)."""

    _fields_ = [
        ("threads", ctypes.c_int),
        ("limit", ctypes.c_int),
        ("active_runs", ctypes.POINTER(ctypes.c_int * 2)),
        ("preempted", ctypes.c_int),
    ]


class NnlStatus(ctypes.Structure):
    """The first index out of range: where it is, and what it was."""

    _fields_ = [
        ("first_invalid_index", ctypes.c_int64),
        ("invalid_value", ctypes.c_int64),
        ("writing", ctypes.c_bool),
    ]


SCRATCH = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.POINTER(NnlCall), ctypes.c_int)
RUN = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    ctypes.POINTER(NnlProgram),
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.POINTER(NnlThreadBudget),
    ctypes.POINTER(NnlStatus),
)


class NnlEngine(ctypes.Structure):
    """An engine."""

    _fields_ = [
        ("isa", ctypes.c_char_p),
        ("real_size", ctypes.c_int32),
        ("n_ops", ctypes.c_int32),
        ("panel", ctypes.c_int32),
        ("names", ctypes.POINTER(ctypes.c_char_p)),
        ("ops", ctypes.POINTER(ctypes.c_void_p)),
        ("scratch", ctypes.POINTER(SCRATCH)),
        ("arities", ctypes.c_void_p),
        ("run", RUN),
    ]


class Memory:
    """Pieces of memory of exactly the size asked for, which the sanitizer watches on both sides."""

    def __init__(self):
        self.libc = ctypes.CDLL(None)
        self.libc.malloc.restype = ctypes.c_void_p
        self.libc.malloc.argtypes = [ctypes.c_size_t]
        self.libc.posix_memalign.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
        self.libc.free.argtypes = [ctypes.c_void_p]
        self.made = []

    def take(self, size, aligned=False):
        """An address, as little aligned as malloc allows unless it is scratch memory."""
        if aligned:
            at = ctypes.c_void_p()
            assert self.libc.posix_memalign(ctypes.byref(at), 64, size) == 0
            self.made.append(at.value)
        else:
            self.made.append(self.libc.malloc(size))
        return self.made[-1]

    def release(self):
        """Free everything."""
        for at in self.made:
            self.libc.free(at)
        self.made = []


def shaped(shapes):
    """An array of NnlTensor of these shapes, without data."""
    made = (NnlTensor * max(1, len(shapes)))()
    for tensor, shape in zip(made, shapes):
        tensor.shape[: len(shape)], tensor.ndim = shape, len(shape)
    return made


def tensors(memory, shapes_and_sizes, arrays=()):
    """An array of NnlTensor over fresh memory, which holds `arrays` where they are given."""
    made = shaped([shape for shape, _ in shapes_and_sizes])
    for k, (shape, itemsize) in enumerate(shapes_and_sizes):
        size = int(np.prod(shape)) * itemsize
        made[k].data = memory.take(size)
        if k < len(arrays):
            ctypes.memmove(made[k].data, np.ascontiguousarray(arrays[k]).ctypes.data, size)
    return made


def call(engine, number, op, case, real, threads, memory):
    """Run one case; returns the first bad index, or -1."""
    attrs, arrays = case.attrs_for(real), case.arrays(real)
    shapes = op.infer(*[a.shape for a in arrays], **attrs)
    kinds = [{"real": real, "int32": "int32", "given": attrs.get("dtype")}[k] for k in op.outputs]
    values = op.c_attrs(attrs)
    c_attrs = (NnlAttr * max(1, len(values)))()
    for k, v in enumerate(values):
        setattr(c_attrs[k], "f" if isinstance(v, float) else "i", v)
    step = NnlStep(op=engine.ops[number])
    inputs = tensors(memory, [(a.shape, a.itemsize) for a in arrays], arrays)
    outputs = tensors(memory, [(s, np.dtype(k).itemsize) for s, k in zip(shapes, kinds)])
    step.call = NnlCall(inputs, outputs, c_attrs, len(arrays), len(shapes))
    alone = NnlCall(
        shaped([a.shape for a in arrays]), shaped(shapes), c_attrs, len(arrays), len(shapes)
    )
    size = engine.scratch[number](alone, threads)  # as a plan asks, before there are data
    step.scratch = memory.take(size, aligned=True) if size else None
    status = NnlStatus()
    program = NnlProgram(ctypes.pointer(step), None, None, 1, 0)
    budget = NnlThreadBudget(threads, threads, ctypes.pointer((ctypes.c_int * 2)(1, threads)))
    done = engine.run(program, 0, 1, budget, status)
    assert done == 1
    memory.release()
    bad = status.first_invalid_index
    return -1 if bad == 2**63 - 1 else bad


def packed_cases(name, isa, real, panel):
    """The cases of 'pack_kernel' or of an op that reads packed kernels: those of a chain as plans
    have them, others made of those of the ops that read kernels as they are."""
    if name == "conv2d_chain":
        return cases_chains.cases(isa, real)
    found = []
    for other in [n for n, op in OPS.items() if op.packs and name in ("pack_kernel", op.packs[1])]:
        for case in CASES[other]:
            x, w, *columns = case.arrays(real)
            attrs = case.attrs_for(real)
            given = columns if len(columns) > 1 else []
            packing = {"groups": attrs.get("groups", 1), "panel": panel}
            if name == "pack_kernel":
                found.append(Case([w, *given], packing))
                continue
            shapes = OPS["pack_kernel"].infer(w.shape, *[c.shape for c in given], **packing)
            packed, *bias = map(np.ones, shapes)
            (y,) = OPS[other].infer(x.shape, w.shape, *[c.shape for c in columns], **attrs)
            read = [x, packed, *(bias or columns[-1:])]
            found.append(Case(read, {**attrs, "features": y[-1]}))
    return found


def main(teams, libraries):
    """Run every case of every op with the engines of these libraries.

    `teams` lists the sizes of teams that run a case. Of several such lists the cases take one each,
    in turn.
    """
    # Rows, columns, depth of a gradient: one micro-panel and many, few rows, many blocks of each.
    pairs = [(1, 9, 3), (3, 40, 5), (30, 70, 16), (300, 40, 2), (20, 340, 400), (400, 90, 7)]

    memory, calls = Memory(), 0
    for library in libraries:
        isa, real = Path(library).stem.split("_")
        engine = NnlEngine.in_dll(ctypes.CDLL(library), f"nnl_engine_{isa}_{real}")
        assert engine.real_size == np.dtype(REALS[real]).itemsize
        for number in range(engine.n_ops):
            name = engine.names[number].decode()
            print(isa, real, name, file=sys.stderr, flush=True)
            cases = CASES.get(name) or packed_cases(name, isa, REALS[real], engine.panel)
            assert cases, f"nothing to run {name} with"
            for k, case in enumerate(cases):
                for threads in teams[k % len(teams)]:
                    bad = call(engine, number, OPS[name], case, REALS[real], threads, memory)
                    assert bad == (-1 if case.bad is None else case.bad), (name, bad)
                    calls += 1
        for shape in pairs:
            for threads in itertools.chain(*teams):
                update_by_pieces(engine, shape, REALS[real], threads, memory)
    print(calls)


def update_by_pieces(engine, shape, real, threads, memory):
    """A product whose output an update takes piece by piece, as plans have them."""
    M, N, K = shape
    names = [engine.names[k].decode() for k in range(engine.n_ops)]
    size, rng = np.dtype(real).itemsize, np.random.default_rng(0)
    arrays = [rng.random(s).astype(real) for s in ((K, M), (K, N))]
    factors = tensors(memory, [(a.shape, size) for a in arrays], arrays)
    slots = [np.ones((M, N), real)] * 3 + [np.zeros((M, N), real), np.ones((), real)]
    given = [*slots, np.ones((), np.int32)]
    update = tensors(memory, [(a.shape, a.itemsize) for a in given], given)
    update[3].data = None  # never stored
    steps, attrs = (NnlStep * 2)(), [(NnlAttr * 2)(), (NnlAttr * 3)()]
    for number, (name, inputs, values, counts) in enumerate((
        ("matmul", factors, (1, 0), (2, 0)),
        ("adam_update", update, (0.9, 0.999, 1e-7), (6, 0)),
    )):  # fmt: skip
        for k, v in enumerate(values):
            setattr(attrs[number][k], "f" if isinstance(v, float) else "i", v)
        steps[number].op = engine.ops[names.index(name)]
        steps[number].call = NnlCall(inputs, None, attrs[number], *counts)
    scratch = engine.scratch[names.index("matmul")](steps[0].call, threads)
    steps[0].scratch = memory.take(scratch, aligned=True)
    steps[1].fused = 1
    status, program = NnlStatus(), NnlProgram(steps, None, None, 2, 0)
    budget = NnlThreadBudget(threads, threads, ctypes.pointer((ctypes.c_int * 2)(1, threads)))
    assert engine.run(program, 0, 1, budget, status) == 1
    moment = np.empty((M, N), real)
    ctypes.memmove(moment.ctypes.data, update[1].data, moment.nbytes)
    expected = 1 + 0.1 * (arrays[0].astype(float).T @ arrays[1] - 1)
    np.testing.assert_allclose(moment, expected, rtol=1e-5)
    memory.release()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
