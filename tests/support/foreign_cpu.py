"""Cases of ops on a CPU that is not this one: a cross compiler builds the engine, an emulator runs
it."""

import concurrent.futures
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from all_ops import OPS
from c_flags import EXACT, FLAGS
from paths import ROOT

CSRC = ROOT / "csrc"


def tools():
    """The cross compiler and the emulator for 64-bit ARM; skips where one is missing."""
    compiler = shutil.which("aarch64-linux-gnu-gcc")
    emulator = shutil.which("qemu-aarch64")
    if compiler is None or emulator is None or not (CSRC / "engine.c").exists():
        pytest.skip("needs aarch64-linux-gnu-gcc, qemu-aarch64 and the source in csrc/")
    return compiler, emulator


def built(folder, engines):
    """The program of each of some (isa, real)."""
    compiler, _ = tools()

    def build(engine):
        isa, real = engine
        program = folder / f"{isa}_{real}"
        names = [f"-DNNL_ISA={isa}", f"-DNNL_REAL={real}", *FLAGS[isa]]
        sources = [str(CSRC / "engine.c"), str(Path(__file__).with_suffix(".c"))]
        command = [compiler, "-O1", "-static", *EXACT, *names, *sources, "-o", str(program), "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return program

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(engines, pool.map(build, engines)))


def results(program, real, named_cases):
    """(outputs and then overwritten inputs, position of the first bad index or -1) of each of some
    (name, case), as `kernels.run` gives them."""
    _, emulator = tools()
    sent = [struct.pack("q", len(named_cases))]
    shapes = []
    for name, case in named_cases:
        op = OPS[name]
        attrs, arrays = case.attrs_for(real), case.arrays(real)
        kinds = {"real": real, "int32": "int32", "given": attrs.get("dtype")}
        out = [
            (s, np.dtype(kinds[k]))
            for s, k in zip(op.infer(*[a.shape for a in arrays], **attrs), op.outputs)
        ]
        values = op.c_attrs(attrs)
        sent += [struct.pack("64s3q", name.encode(), len(arrays), len(out), len(values))]
        for a in arrays:
            sent += [_header(a.shape, a.nbytes, 1), np.ascontiguousarray(a).tobytes()]
        sent += [_header(s, int(np.prod(s)) * d.itemsize, 0) for s, d in out]
        sent += [struct.pack("d" if isinstance(v, float) else "q", v) for v in values]
        shapes.append((op, out, [(a.shape, a.dtype) for a in arrays]))
    done = subprocess.run([emulator, program], input=b"".join(sent), capture_output=True)
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
    found, at = [], 0

    def read(shape, dtype):
        nonlocal at
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        at += size
        return np.frombuffer(done.stdout[at - size : at], dtype).reshape(shape)

    for op, out, inputs in shapes:
        bad = int(read((), np.int64))
        outputs = [read(*o) for o in out]
        after = [read(*i) for i in inputs]
        found.append(([*outputs, *(after[i] for i in op.writes)], -1 if bad == 2**63 - 1 else bad))
    assert at == len(done.stdout)
    return found


def _header(shape, size, follows):
    return struct.pack(f"{len(shape) + 3}q", len(shape), *shape, size, follows)
