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
    files = {p.name: p.read_text() for p in (report.path, report.path.with_suffix(".h"))}
    name = re.search(r"int32_t (\w+)_predict\(", files[report.path.with_suffix(".h").name])[1]
    return computed(name, files, report.program.outputs, arrays)


def computed(name, files, outputs, arrays):
    """The same for texts by the names of their files.

    Parameters
    ----------
    name : str
        What the functions begin with.
    files : dict of str to str
    outputs : list of Tensor
    arrays : list of arrays

    Raises
    ------
    ImportError
        If there is no compiler.
    """
    compiler = next(filter(shutil.which, (os.environ.get("CC", ""), "cc", "gcc", "clang")), None)
    if compiler is None:
        raise ImportError("no C compiler was found")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    made = [np.empty((len(arrays[0]), *t.shape[1:]), t.dtype) for t in outputs]
    with tempfile.TemporaryDirectory() as folder:
        for file, text in files.items():
            (Path(folder) / file).write_text(text)
        source = next(str(Path(folder) / file) for file in files if file.endswith(".c"))
        library = str(Path(folder) / "model.so")
        flags = ["-std=c99", "-O1", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, source, "-o", library], check=True)
        predict = getattr(ctypes.CDLL(library), f"{name}_predict")
        for row in range(len(arrays[0])):
            predict(*(ctypes.c_void_p(a[row : row + 1].ctypes.data) for a in (*arrays, *made)))
    return version.stdout.splitlines()[0], made
