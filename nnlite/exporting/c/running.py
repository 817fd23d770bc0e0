"""A C file, compiled by this machine's compiler and run."""

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def run(report, arrays):
    """The compiler's name and the outputs of a file for arrays."""
    compiler = next(filter(shutil.which, (os.environ.get("CC", ""), "cc", "gcc", "clang")), None)
    if compiler is None:
        raise ImportError("no C compiler was found")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    name = re.search(r"int32_t (\w+)_predict\(", report.path.with_suffix(".h").read_text())[1]
    outputs = [np.empty((len(arrays[0]), *t.shape[1:]), t.dtype) for t in report.program.outputs]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "model.so"
        flags = ["-std=c99", "-O2", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, str(report.path), "-o", str(library)], check=True)
        predict = getattr(ctypes.CDLL(str(library)), f"{name}_predict")
        for row in range(len(arrays[0])):
            predict(*(ctypes.c_void_p(a[row : row + 1].ctypes.data) for a in (*arrays, *outputs)))
    return version.stdout.splitlines()[0], outputs
