"""Every op at every shape of `cases.py` under the address and undefined-behaviour sanitizers.

The engine is built anew with them, one shared library for each instruction set and precision, and
called through ctypes by a fresh interpreter whose memory functions are the sanitizer's.
"""

import concurrent.futures
import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from nnlite.engine._engine import MAX_NDIM
from paths import ROOT, pythonpath

CSRC = ROOT / "csrc"
FLAGS = {
    "generic": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
}
REALS = {"float": "float32", "double": "float64"}


class NnlTensor(ctypes.Structure):
    """As in csrc/nnlite.h, as are the others: see the test of their layout."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("shape", ctypes.c_int64 * MAX_NDIM),
        ("ndim", ctypes.c_int32),
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


class NnlStep(ctypes.Structure):
    """One step."""

    _fields_ = [
        ("op", ctypes.c_void_p),
        ("call", NnlCall),
        ("scratch", ctypes.c_void_p),
        ("wait", ctypes.c_int8),
        ("single_thread", ctypes.c_int8),
        ("fused", ctypes.c_int8),
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


SCRATCH = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.POINTER(NnlCall), ctypes.c_int)
RUN = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    ctypes.POINTER(NnlProgram),
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.POINTER(NnlThreadBudget),
    ctypes.POINTER(ctypes.c_int64),
)


class NnlEngine(ctypes.Structure):
    """An engine."""

    _fields_ = [
        ("isa", ctypes.c_char_p),
        ("real_size", ctypes.c_int32),
        ("n_ops", ctypes.c_int32),
        ("names", ctypes.POINTER(ctypes.c_char_p)),
        ("ops", ctypes.POINTER(ctypes.c_void_p)),
        ("scratch", ctypes.POINTER(SCRATCH)),
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


def tensors(memory, shapes_and_sizes, arrays=()):
    """An array of NnlTensor over fresh memory, which holds `arrays` where they are given."""
    made = (NnlTensor * max(1, len(shapes_and_sizes)))()
    for k, (shape, itemsize) in enumerate(shapes_and_sizes):
        size = int(np.prod(shape)) * itemsize
        made[k].data, made[k].ndim = memory.take(size), len(shape)
        made[k].shape[: len(shape)] = shape
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
    size = engine.scratch[number](step.call, threads)
    step.scratch = memory.take(size, aligned=True) if size else None
    status = ctypes.c_int64()
    program = NnlProgram(ctypes.pointer(step), None, None, 1, 0)
    budget = NnlThreadBudget(threads, threads, ctypes.pointer((ctypes.c_int * 2)(1, threads)))
    done = engine.run(program, 0, 1, budget, status)
    assert done == 1
    memory.release()
    return -1 if status.value == 2**63 - 1 else status.value


def main(libraries):
    """Run every case of every op with the engines of these libraries."""
    from cases import CASES

    from nnlite.engine.dispatch import OPS

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
            for case in CASES[name]:
                for threads in (1, 2):
                    bad = call(engine, number, OPS[name], case, REALS[real], threads, memory)
                    assert bad == (-1 if case.bad is None else case.bad), (name, bad)
                    calls += 1
        for shape in pairs:
            for threads in (1, 2):
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
    status, program = ctypes.c_int64(), NnlProgram(steps, None, None, 2, 0)
    budget = NnlThreadBudget(threads, threads, ctypes.pointer((ctypes.c_int * 2)(1, threads)))
    assert engine.run(program, 0, 1, budget, status) == 1
    moment = np.empty((M, N), real)
    ctypes.memmove(moment.ctypes.data, update[1].data, moment.nbytes)
    expected = 1 + 0.1 * (arrays[0].astype(float).T @ arrays[1] - 1)
    np.testing.assert_allclose(moment, expected, rtol=1e-5)
    memory.release()


def built(folder, compiler, isa, real):
    """The library of one engine."""
    library = folder / f"{isa}_{real}.so"
    subprocess.run(
        [
            compiler,
            "-O0",
            "-g1",
            "-std=gnu11",
            "-fPIC",
            "-shared",
            "-fopenmp",
            "-fno-math-errno",
            "-fno-trapping-math",
            "-ffp-contract=off",
            "-fsanitize=address,undefined,float-cast-overflow",
            "-fno-sanitize-recover=all",
            "-fno-omit-frame-pointer",
            *FLAGS[isa],
            f"-DNNL_ISA={isa}",
            f"-DNNL_REAL={real}",
            str(CSRC / "engine.c"),
            "-o",
            str(library),
            "-lm",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return str(library)


def sanitizer_of(compiler):
    """The address sanitizer's library, which must be loaded before everything else, or None."""
    found = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True
    )
    path = found.stdout.strip()
    return path if os.path.isabs(path) and os.path.exists(path) else None


def test_structures_lie_in_memory_as_in_c(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None or not (CSRC / "nnlite.h").exists():
        pytest.skip("needs a C compiler and the source in csrc/")
    structures = {
        "nnl_tensor": NnlTensor,
        "nnl_attr": NnlAttr,
        "nnl_call": NnlCall,
        "nnl_step": NnlStep,
        "nnl_program": NnlProgram,
        "nnl_thread_budget": NnlThreadBudget,
        "nnl_engine": NnlEngine,
    }
    expected, asked = [], []
    for name, structure in structures.items():
        expected.append(ctypes.sizeof(structure))
        asked.append(f"sizeof({name})")
        for field, _ in structure._fields_:
            expected.append(getattr(structure, field).offset)
            asked.append(f"offsetof({name}, {field})")
    source = tmp_path / "layout.c"
    source.write_text(
        f'#include <stddef.h>\n#include <stdio.h>\n#include "{CSRC / "nnlite.h"}"\n'
        "int main(void) { size_t all[] = {" + ", ".join(asked) + "};\n"
        'for (size_t i = 0; i < sizeof all / sizeof *all; i++) printf("%zu ", all[i]); }\n'
    )
    subprocess.run([compiler, "-std=gnu11", str(source), "-o", str(tmp_path / "a")], check=True)
    printed = subprocess.run([str(tmp_path / "a")], capture_output=True, text=True, check=True)
    found = [int(n) for n in printed.stdout.split()]
    assert dict(zip(asked, found, strict=True)) == dict(zip(asked, expected))


def test_ops_are_clean_under_the_sanitizers(tmp_path):
    from nnlite.engine import dispatch

    compiler = shutil.which("gcc")
    if compiler is None or not (CSRC / "engine.c").exists():
        pytest.skip("needs gcc and the source in csrc/")
    asan = sanitizer_of(compiler)
    if asan is None:
        pytest.skip("this gcc has no address sanitizer")
    engines = [
        (isa, real) for isa in dict.fromkeys(e.isa for e in dispatch._all_engines) for real in REALS
    ]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        libraries = list(pool.map(lambda e: built(tmp_path, compiler, *e), engines))
    done = subprocess.run(
        [sys.executable, "-P", __file__, *libraries],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env={
            **os.environ,
            "LD_PRELOAD": asan,
            "ASAN_OPTIONS": "detect_leaks=0",
            "OMP_NUM_THREADS": "2",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONPATH": pythonpath(__file__),
        },
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) > 5000


if __name__ == "__main__":
    main(sys.argv[1:])
