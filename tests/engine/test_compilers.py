"""Another compiler than the one that built the package accepts the C code without a warning."""

import concurrent.futures
import os
import shutil
import subprocess

import pytest
from c_flags import EXACT, FLAGS
from nnlite.engine._engine import built_isas
from paths import ROOT

CSRC = ROOT / "csrc"
NAMES = ["clang", *(f"clang-{version}" for version in range(30, 10, -1))]
WARNINGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror"]


def test_clang_accepts_every_file_without_a_warning():
    clang = next(filter(None, map(shutil.which, NAMES)), None)
    if clang is None or not CSRC.exists():
        pytest.skip("needs clang and the source in csrc/")
    common = [clang, *WARNINGS, *EXACT]
    engines = [
        [*common, *FLAGS[isa], f"-DNNL_ISA={isa}", f"-DNNL_REAL={real}", str(CSRC / "engine.c")]
        for isa in built_isas()
        for real in ("float", "double")
    ]
    asked = [clang, "-fopenmp", "-fsyntax-only", "-x", "c", "-"]
    has_openmp = not subprocess.run(
        asked, input=b"#include <omp.h>", capture_output=True
    ).returncode
    openmp = ["-fopenmp"] if has_openmp else []
    # engine.c includes all files but these
    files = [[*common, *openmp, str(CSRC / "runtime" / f)] for f in ("isa.c", "thread_budget.c")]

    def check(command):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:4000]

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(check, engines + files))
