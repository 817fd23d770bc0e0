"""Values that nobody means in the place of arguments, and a judge that knows three answers: it
works; nnlite raises an error that names the argument; it is not fitted. Anything else, a crash and
a call that takes long are complaints.

A family of calls is a module of tests/support with a function `calls(rng)` that yields `Call`s."""

import contextlib
import faulthandler
import importlib
import io
import linecache
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
import types
import warnings

import numpy as np

import nnlite
from nnlite import errors
from nnlite.tree import flatten

SECONDS = 1.0  # of the CPU, that one call may take
HANGS = 60.0  # seconds after which a call is ended with its process
MEMORY = 6 << 30  # bytes that the process may have
REFUSALS = (ValueError, TypeError, RuntimeError, IndexError, MemoryError)
# Who may refuse: scikit-learn does for estimators, whose contract has its words.
OWN = {"nnlite", "sklearn"}

ROWS = 12
X = np.linspace(-1.0, 1.0, ROWS * 3).reshape(ROWS, 3)
Y = np.arange(ROWS) % 2


class Odd:
    """An object of no use, that can be made of anything."""

    def __init__(self, *args):
        pass

    def __repr__(self):
        return "Odd()"


def returns_none(*args):
    """Do nothing."""


def shown(value):
    """A value, short enough for a complaint."""
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else text[:57] + "..."


# What cannot change stands as it is, ...
PLAIN = [
    None, True, False, 0, 1, -1, 2, 3, 7, 0.0, 0.5, 1.5, 2.0, 2.5, -2.5, 1e-30, 1e308, -1e308,
    float("nan"), float("inf"), -float("inf"), 2**31, 2**62, 2**63, -(2**63), -(2**40), 10**30,
    1j, 1 + 2j, "", "nonsense", "abc", "x", "auto", "adam", " relu", "None", b"bytes", b"relu",
    (), (0,), (3,), (-1,), (None,), ("a",), (3, "x"), (1, 2), (-1, 2), (-3, 2), (0.5, 1.5),
    (2**31,), (2**40,), (2**62, 2), ..., NotImplemented, slice(None), slice(3), slice(1, 2),
    range(3), int, float, object, type, Odd, len, print, returns_none, np.int64(4),
    np.int64(5), np.float32(0.3), np.float32(2), np.bool_(True), np.datetime64("2020"),
    nnlite.layers.Dense,
]  # fmt: skip
# ... whatever can is made for each call.
POOL = {shown(value): lambda value=value: value for value in PLAIN} | {
    "[]": list,
    "{}": dict,
    "set()": set,
    "[3]": lambda: [3],
    "[[]]": lambda: [[]],
    "[None]": lambda: [None],
    "['relu']": lambda: ["relu"],
    "['x', 1]": lambda: ["x", 1],
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "nested": lambda: [[[[[[[1.0]]]]]]],
    "{'a': 1}": lambda: {"a": 1},
    "{0: 1, 1: 2}": lambda: {0: 1, 1: 2},
    "{0: -1}": lambda: {0: -1},
    "a dict of rows": lambda: dict.fromkeys(range(ROWS)),
    "an object": object,
    "an odd object": Odd,
    "an exception": lambda: Exception("x"),
    "an iterator": lambda: iter([3]),
    "a layer": lambda: nnlite.layers.Dense(3),
    "a layer and None": lambda: [nnlite.layers.Dense(3), None],
    "a symbol": lambda: nnlite.Input((3,)),
    "a tensor without values": lambda: nnlite.Tensor((2, 3), "float32"),
    "a tensor": lambda: nnlite.ones((ROWS, 3)),
    "a variable": lambda: nnlite.Variable(np.ones((ROWS, 3))),
    "0-d": lambda: np.array(3.0),
    "0-d of int": lambda: np.array(2),
    "0-d of text": lambda: np.array("adam"),
    "7-d": lambda: np.zeros((1,) * 7),
    "8-d": lambda: np.zeros((ROWS, *[2] * 7)),
    "images": lambda: np.ones((ROWS, 5, 5, 3), "float32"),
    "a vector": lambda: np.zeros(3),
    "counted": lambda: np.arange(4),
    "two integers": lambda: np.array([1, 2]),
    "integers": lambda: np.arange(ROWS * 3).reshape(ROWS, 3),
    "large integers": lambda: np.full((ROWS, 3), 2**40),
    "no elements": lambda: np.zeros(0, "float32"),
    "no rows": lambda: X[:0],
    "no columns": lambda: X[:, :0],
    "float32": lambda: np.float32(X),
    "float64": X.copy,
    "long double": lambda: np.longdouble(X),
    "one row": lambda: X[0].copy(),
    "a row less": lambda: X[:-1].copy(),
    "an axis more": lambda: X[None].copy(),
    "pairs of numbers": lambda: np.zeros((ROWS, 3, 2)),
    "transposed": lambda: X.copy().T,
    "reversed": lambda: X.copy()[::-1],
    "as lists": X.tolist,
    "as text": lambda: X.astype(str),
    "as objects": lambda: X.astype(object),
    "as memory": lambda: memoryview(X.copy()),
    "NaN": lambda: np.full((ROWS, 3), np.nan),
    "infinite": lambda: np.full((ROWS, 3), np.inf),
    "beyond float32": lambda: np.full((ROWS, 3), 1e300),
    "beyond sums": lambda: np.full((ROWS, 3), 1e308),
    "complex": lambda: X.astype(complex),
    "one complex": lambda: np.array([1j]),
    "masked": lambda: np.ma.masked_array(X.copy(), X > 0),
    "records": lambda: np.zeros((ROWS, 3), [("a", "f4")]),
    "dates": lambda: np.zeros(ROWS, "datetime64[s]"),
    "a table of dates": lambda: np.zeros((ROWS, 3), "M8[D]"),
    "texts": lambda: np.array(["a", "b"]),
    "a text a row": lambda: np.array(["a"] * ROWS),
    "a letter a row": lambda: "x" * ROWS,
    "an object a row": lambda: np.array([Odd()] * ROWS),
    "a list of objects": lambda: [object()] * ROWS,
    "one object": lambda: np.array([object()]),
    "None and 1": lambda: np.array([None, 1], object),
    "a None a row": lambda: [None] * ROWS,
    "an array of None": lambda: np.array([None] * ROWS),
    "labels": Y.copy,
    "a column of labels": lambda: Y[:, None].copy(),
    "two columns of labels": lambda: np.c_[Y, Y],
    "complex labels": lambda: np.zeros(ROWS, complex),
    "all -1": lambda: -np.ones(ROWS),
    "all 0": lambda: np.zeros(ROWS),
    "all 1e300": lambda: np.full(ROWS, 1e300),
    "a row a sample": lambda: np.eye(ROWS),
    "two arrays": lambda: [X.copy(), X.copy()],
    "an array by name": lambda: {"a": X.copy()},
    "(x, y)": lambda: (X.copy(), Y.copy()),
    "pairs": lambda: [(X.copy(), Y.copy())] * 2,
    "an array and None": lambda: [X.copy(), None],
    "batches: rows": lambda: iter(X.copy()),
    "batches: x": lambda: iter([X.copy()]),
    "batches: 4 parts": lambda: iter([(X.copy(), Y, Y, Y)]),
    "batches: none": lambda: iter([]),
    "batches: None": lambda: iter([None]),
    "batches: empty": lambda: iter([()]),
    "batches: x and 3": lambda: iter([X.copy(), 3]),
    "batches: (x, text)": lambda: iter([(X.copy(), "y")]),
    "batches: numbers": lambda: iter(range(3)),
}


class Call:
    """One call.

    Parameters
    ----------
    label : str
        What it is called in complaints.
    words : iterable of str
        A refusal has one of them: the names of the hostile arguments (regular expressions).
    run : function
        The call.
    given : iterable
        The hostile values.
    """

    def __init__(self, label, words, run, given=()):
        self.label, self.words, self.run, self.given = label, tuple(words), run, given


def some_of(rng, count, pool=POOL):
    """(label, value) of some values, each another one."""
    labels = list(pool)
    return [(labels[k], pool[labels[k]]()) for k in rng.permutation(len(labels))[:count]]


def judge(call):
    """What is wrong with the answer to a call, or None."""
    start = time.process_time()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            call.run()
    except REFUSALS as error:
        kind, said, words = type(error).__name__, str(error), "|".join(call.words)
        if not is_of_given(said, call.given) and kind != "NotFittedError":
            if not is_own(error) and not re.search(rf"(?<!\w)({words})[:,] .*expected", said):
                return f"an inner {kind}: {said:.300}"
            if not re.search(rf"(?<!\w)({words})(?!\w)", said):
                return f"{kind} without the argument's name: {said:.300}"
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.300}"
    seconds = time.process_time() - start
    return f"took {seconds:.1f} s" if seconds > SECONDS else None


def is_own(error):
    """Whether a `raise` of nnlite made the error, and not an inner call that failed."""
    frame, at = list(traceback.walk_tb(error.__traceback__))[-1]
    line = linecache.getline(frame.f_code.co_filename, at)
    return frame.f_globals["__name__"].partition(".")[0] in OWN and line.strip().startswith("raise")


def is_of_given(said, given):
    """Whether an error is that of a function or layer that was given, which may say what it
    likes."""
    given = flatten(list(given))
    names = [v.__name__ for v in given if isinstance(v, (type, types.BuiltinFunctionType))]
    names += [v.name for v in given if isinstance(v, nnlite.layers.Layer)]
    return any(re.search(rf"\b{name}(\(\)|\b.*expected)", said) for name in names)


def complaints(calls):
    """What `judge` says of calls, one string for each complaint."""
    judged = ((call.label, judge(call)) for call in calls)
    return [f"{label} -> {' '.join(wrong.split())}" for label, wrong in judged if wrong is not None]


def complaints_of(*modules, least, seed=0):
    """The same of the calls that `calls(rng)` of modules of tests/support yields, made by a process
    of their own, which may crash, hang or run out of memory.

    Parameters
    ----------
    *modules : str
    least : int
        The calls that there are at least.
    seed : int
    """
    command = [sys.executable, "-P", __file__, str(HANGS), str(seed), *modules]
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    lines = child.stdout.splitlines()
    found = [line[2:] for line in lines if line.startswith("! ")]
    made = [line[2:] for line in lines if line.startswith("> ")]
    if child.returncode:
        end = f"the process ended with {child.returncode}: {child.stderr[-2000:]}"
        found.append(f"{made[-1] if made else 'import'} -> {end}")
    elif len(made) < least:
        found.append(f"expected at least {least} calls, got {len(made)}")
    return found


def announced(calls, seconds):
    """The calls; each is printed before it is made, and ends the process if it hangs."""
    last = -np.inf
    for call in calls:
        if time.monotonic() > last + 1:
            faulthandler.dump_traceback_later(seconds, exit=True)
            last = time.monotonic()
        print(">", call.label, flush=True)
        yield call


def main(seconds, seed, *modules):
    """In the child: print each call before it is made, and each complaint."""
    faulthandler.enable()
    errors.memory_of_machine = lambda: MEMORY
    if sys.platform == "linux":  # elsewhere this cannot be limited
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.path.insert(0, os.path.dirname(__file__))
    np.seterr(all="ignore")
    for module in modules:
        calls = importlib.import_module(module).calls(np.random.default_rng(int(seed)))
        for complaint in complaints(announced(calls, float(seconds))):
            print("!", complaint)


if __name__ == "__main__":
    main(*sys.argv[1:])
