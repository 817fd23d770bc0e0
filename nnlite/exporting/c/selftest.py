"""A program in the C file that compares its results with those of nnlite."""

import platform

import numpy as np

from nnlite.exporting.c.literals import TYPES, array, wrapped
from nnlite.exporting.c.running import computed
from nnlite.exporting.checking import samples_of

_MOST_NUMBERS = 20_000  # of inputs: of larger ones one row is enough
# Elsewhere the generic engine fuses multiply-adds: its bits are others.
_BITS = platform.machine().lower() in ("x86_64", "amd64")


def text(names, program, integers, files):
    """The functions, inputs and expected results, under a macro. Results in integers are those of
    this machine's compiler; without one there is no such text."""
    size = sum(t.size for t in program.inputs)
    count = 2 if 2 * size <= _MOST_NUMBERS else 1
    rows = [
        np.ascontiguousarray(a, t.dtype) for a, t in zip(samples_of(program, count), program.inputs)
    ]
    if integers is None:
        results = [program.run(*(a[i : i + 1] for a in rows), isa="generic") for i in range(count)]
        expected = [np.concatenate(outputs) for outputs in zip(*results)]
    else:
        try:
            _, expected = computed(names.name, files, program.outputs, rows)
        except ImportError:
            return ""
    name, macro = names.name, names.macro
    parts, checks, given, made = [], [], [], []
    for argument, values in zip(names.inputs, rows):
        parts.append(array(f"test_{argument}", values))
        given.append(f"test_{argument} + row * {values[0].size}")
    for argument, values in zip(names.outputs, expected):
        dtype, size = str(values.dtype), values[0].size
        is_real = dtype == "float32"
        held = values.view(np.uint32) if is_real and _BITS else values
        parts.append(array(f"expected_{argument}", held))
        parts.append(f"static {TYPES[dtype]} made_{argument}[{size}];")
        made.append(f"made_{argument}")
        checks.append(_check(is_real).format(name=argument, size=size))
    return f"""
#ifdef {macro}_SELFTEST
{chr(10).join(parts)}

/* How many numbers of the results are not as expected. */
static int32_t selftest(void) {{
    int32_t wrong = 0;
    for (int32_t row = 0; row < {count}; row++) {{
{wrapped(f"        wrong += {name}_predict({', '.join(given + made)});")}
{chr(10).join(checks)}
    }}
    return wrong;
}}

int main(void) {{ return selftest() != 0; }}
#endif
"""


def _check(is_real):
    if not is_real:
        is_right = "wrong += made_{name}[i] != expected_{name}[row * {size} + i];"
    elif _BITS:
        is_right = """uint32_t bits;
            memcpy(&bits, &made_{name}[i], sizeof bits);
            wrong += bits != expected_{name}[row * {size} + i];"""
    else:
        is_right = """const float y = expected_{name}[row * {size} + i], off = made_{name}[i] - y;
            wrong += off * off > 1e-8f * (1 + y * y);"""
    return f"""\
        for (int32_t i = 0; i < {{size}}; i++) {{{{
            {is_right}
        }}}}"""
