"""Every op at every shape of `cases.py` under sanitizers: of addresses and undefined behaviour, and
of threads.

Each test builds the engine with a sanitizer, as one shared library for each instruction set and
precision; `bare_engine.py` calls it. The thread sanitizer does not see how OpenMP's threads wait
for each other, so its engine makes a team of plain threads.
"""

import concurrent.futures
import ctypes
import os
import platform
import shutil
import subprocess
import sys

import bare_engine
import pytest
from bare_engine import REALS
from c_flags import EXACT, FLAGS
from paths import ROOT, pythonpath

from nnlite.engine import dispatch

CSRC = ROOT / "csrc"
ISAS = list(dict.fromkeys(e.isa for e in dispatch._all_engines))
ADDRESSES = ["-O0", "-fopenmp", "-fsanitize=address", "-fno-omit-frame-pointer"]
UNDEFINED = [
    "-fsanitize=undefined,float-cast-overflow",
    "-fno-sanitize=null,object-size",  # the sanitizer of addresses sees such reads and writes
    "-fno-sanitize-recover=all",
]
THREADS = ["-O0", "-DNNL_TEAM_PTHREADS", "-fsanitize=thread"]


def gcc_with(library):
    """gcc and the path of a sanitizer's library, which is loaded before everything else."""
    compiler = shutil.which("gcc")
    if compiler is None or not (CSRC / "engine.c").exists():
        pytest.skip("needs gcc and the source in csrc/")
    asked = [compiler, f"-print-file-name={library}"]
    path = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    if not (os.path.isabs(path) and os.path.exists(path)):
        pytest.skip(f"this gcc has no {library}")
    return compiler, path


def built(folder, compiler, engines):
    """The libraries of some engines: of (isa, real), the flags."""

    def build(engine, flags):
        isa, real = engine
        library = folder / f"{isa}_{real}.so"
        names = [f"-DNNL_ISA={isa}", f"-DNNL_REAL={real}"]
        source = [str(CSRC / "engine.c"), "-o", str(library), "-lm"]
        command = [
            compiler,
            "-g1",
            "-fPIC",
            "-shared",
            *EXACT,
            *flags,
            *FLAGS[isa],
            *names,
            *source,
        ]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return str(library)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(build, engines, engines.values()))


def run_all_cases(folder, sanitizer, teams, libraries, options, launcher=()):
    """Run every case of every op in a fresh interpreter; returns the finished process."""
    return subprocess.run(
        [*launcher, sys.executable, "-P", bare_engine.__file__, teams, *libraries],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=folder,
        env={
            **os.environ,
            **options,
            "LD_PRELOAD": sanitizer,
            "PYTHONPATH": pythonpath(bare_engine.__file__),
        },
    )


def test_structures_lie_in_memory_as_in_c(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None or not (CSRC / "nnlite.h").exists():
        pytest.skip("needs a C compiler and the source in csrc/")
    structures = {
        "nnl_tensor": bare_engine.NnlTensor,
        "nnl_attr": bare_engine.NnlAttr,
        "nnl_call": bare_engine.NnlCall,
        "nnl_stretch": bare_engine.NnlStretch,
        "nnl_status": bare_engine.NnlStatus,
        "nnl_step": bare_engine.NnlStep,
        "nnl_program": bare_engine.NnlProgram,
        "nnl_thread_budget": bare_engine.NnlThreadBudget,
        "nnl_engine": bare_engine.NnlEngine,
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


def test_ops_are_clean_under_the_sanitizers_of_addresses_and_undefined_behaviour(tmp_path):
    compiler, sanitizer = gcc_with("libasan.so")
    # What is undefined in C is looked for in one engine of each precision: most of what it takes is
    # to compile that. Pointers are computed alike in both, and to look at them takes a third of it.
    engines = {(ISAS[0], real): ADDRESSES + UNDEFINED for real in REALS}
    engines[ISAS[0], "double"] = [*ADDRESSES, *UNDEFINED, "-fno-sanitize=pointer-overflow"]
    engines |= {(isa, "float"): ADDRESSES for isa in ISAS[1:]}
    libraries = built(tmp_path, compiler, engines)
    options = {
        "ASAN_OPTIONS": "detect_leaks=0",
        "OMP_NUM_THREADS": "2",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    done = run_all_cases(tmp_path, sanitizer, "[[1, 2]]", libraries, options)
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) > 5000


def unrandomized():
    """A command before a program that fixes its addresses, or none where that is not allowed.

    The thread sanitizer does not know all addresses that newer kernels choose.
    """
    setarch = shutil.which("setarch")
    command = [setarch, platform.machine(), "-R"]
    works = setarch and subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if works else []


def test_teams_of_two_to_four_threads_race_in_no_op(tmp_path):
    compiler, sanitizer = gcc_with("libtsan.so")
    libraries = built(tmp_path, compiler, {(ISAS[0], "float"): THREADS})
    # NumPy's own threads are not looked at: its BLAS has one.
    options = {"TSAN_OPTIONS": "halt_on_error=1", "OPENBLAS_NUM_THREADS": "1"}
    done = run_all_cases(tmp_path, sanitizer, "[[2], [3], [4]]", libraries, options, unrandomized())
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("this kernel's addresses are not known to gcc's thread sanitizer")
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) > 2000
