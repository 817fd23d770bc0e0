"""Numbers, arrays and names as C writes them."""

import re
import textwrap

import numpy as np

TYPES = {
    "float32": "float",
    "float64": "double",
    "int32": "int32_t",
    "int8": "int8_t",
    "uint32": "uint32_t",
}
_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while main memory".split()
)


def identifier(name):
    """A name that C takes, as much like another as can be."""
    name = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "model"
    return f"_{name}" if name[0].isdigit() or name in _KEYWORDS else name


def number(value, dtype="float32"):
    """A number, so that a compiler reads exactly it."""
    if "int" in dtype:
        return (
            "(-2147483647 - 1)" if value == -(2**31) else f"{int(value)}{'u' * (dtype == 'uint32')}"
        )
    value, ending = float(value), "f" if dtype == "float32" else ""
    if not np.isfinite(value):
        text = "0." if np.isnan(value) else "-1." if value < 0 else "1."
        return f"{text}{ending} / 0.{ending}"
    text = f"{value:.9g}" if dtype == "float32" else repr(value)
    return text + ("" if "." in text or "e" in text else ".") + ending


def array(name, values):
    """The definition of a constant array."""
    values, dtype = values.ravel(), str(values.dtype)
    numbers = [number(value, dtype) for value in values.tolist()]
    line = f"static const {TYPES[dtype]} {name}[{len(numbers)}] = {{"
    rows = [", ".join(numbers[at : at + 6]) for at in range(0, len(numbers), 6)]
    return line + "\n    " + ",\n    ".join(rows) + "};"


def wrapped(line):
    """A line of C, in lines of at most 100 columns."""
    indent = line[: len(line) - len(line.lstrip())]
    following = " " * (len(indent) + 4)
    kept = textwrap.wrap(
        line.strip(),
        100,
        initial_indent=indent,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(kept)


def string(text):
    """A string, of ASCII alone."""
    safe = {'"': '\\"', "\\": "\\\\", "?": "\\?"}
    return (
        '"'
        + "".join(
            safe.get(chr(b), chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in text.encode()
        )
        + '"'
    )
