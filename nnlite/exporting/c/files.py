"""The two files of a model: the header that a program includes, and the C file."""

import math

import numpy as np

from nnlite.exporting.c import library
from nnlite.exporting.c.literals import TYPES, identifier, string, wrapped
from nnlite.exporting.c.source import MEMBERS, shape_of
from nnlite.exporting.program import is_constant

_PRODUCTS = {
    "attention",
    "batch_matmul",
    "conv2d",
    "conv2d_gradient_input",
    "depthwise_conv2d",
    "gru",
    "linear",
    "lstm",
    "matmul",
    "simple_rnn",
}
_EXACT = """\
/* The bits of the results depend on products and sums that are rounded each by itself. */
#if defined(__FAST_MATH__)
#error "this file needs a compiler without -ffast-math"
#endif
#if defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2)
#error "this file needs floats that are computed in float: try -msse2 -mfpmath=sse"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif"""


class Names:
    """What things are called in C.

    Attributes
    ----------
    name : str
        What all public names begin with.
    inputs, outputs : list of str
        The caller's arrays.
    """

    def __init__(self, name, computation):
        self.name, self.macro = name, name.upper()
        taken = {word.lower() for word in library.reserved()}
        inputs = [n for n, *_ in computation.inputs] if len(computation.inputs) > 1 else ["input"]
        outputs = computation.outputs if len(computation.outputs) > 1 else ["output"]
        self.inputs = [self._free(identifier(n), taken) for n in inputs]
        self.outputs = [self._free(identifier(n), taken) for n in outputs]

    @staticmethod
    def _free(name, taken):
        base, count = name, 1
        while name.lower() in taken:  # macros are in capitals
            count += 1
            name = f"{base}_{count}"
        taken.add(name.lower())
        return name


def figures(program, source):
    """The figures of a model by the ends of their macros."""
    flash = sum(values.nbytes for _, values in source.constants.values())
    ram = sum(n * np.dtype(dtype).itemsize for dtype, n in source.memory.numbers.items())
    calls = program.calls if source.integers is None else source.integers.quantization.program.calls
    macs = sum(
        call.op.work([t.shape for t in call.inputs], [t.shape for t in call.outputs])
        for call in calls
        if call.op.name in _PRODUCTS
    )
    return {"FLASH": flash, "RAM": -(-ram // 4) * 4, "MACS": macs}


def header(names, program, figures, source):
    """The text of the header."""
    name, macro = names.name, names.macro
    sizes = [
        f"#define {macro}_{argument.upper()}_SIZE {math.prod(tensor.shape[1:])}"
        f" /* {shape_of(tensor)} */"
        for argument, tensor in zip(
            names.inputs + names.outputs, [*program.inputs, *program.outputs]
        )
    ]
    members = [
        f"    {TYPES[dtype]} {MEMBERS[dtype]}[{n}];" for dtype, n in source.memory.numbers.items()
    ]
    memory = "\n".join(members) or "    int32_t none;"
    _, of_labels = _labels(names, program)
    parameters = _parameters(names, program)
    return f"""\
/* {name}.h: the prediction of {_plain(program.of.name)}, written by nnlite.
 *
 * {name}_predict computes one sample in static memory; {name}_run in the caller's, and may run in
 * several threads. Arrays are row-major, channels last; results must not lie in the inputs. Both
 * return 0, or 1 if a token or label in the inputs is out of range, which then counts as zeros.
 *
 * Define {macro}_SELFTEST to compile {name}.c as a program that compares results with those of
 * nnlite and returns 0 if all are right. */
#ifndef {macro}_H
#define {macro}_H

#include <stdint.h>

#define {macro}_FLASH {figures["FLASH"]} /* bytes of weights */
#define {macro}_RAM {figures["RAM"]} /* bytes of working memory */
#define {macro}_MACS {figures["MACS"]} /* multiply-adds of a prediction */
{chr(10).join(sizes)}

#ifdef __cplusplus
extern "C" {{
#endif

typedef struct {{
{memory}
}} {name}_memory;

{wrapped(f"int32_t {name}_predict({parameters});")}
{wrapped(f"int32_t {name}_run({parameters}, {name}_memory *memory);")}
{of_labels}
#ifdef __cplusplus
}}
#endif

#endif
"""


def _plain(text):
    """A text that can stand in a comment."""
    return text.encode("ascii", "replace").decode().replace("*/", "* /").replace("/*", "/ *")


def _parameters(names, program):
    given = [f"const {TYPES[t.dtype]} *{n}" for n, t in zip(names.inputs, program.inputs)]
    given += [f"{TYPES[t.dtype]} *{n}" for n, t in zip(names.outputs, program.outputs)]
    return ", ".join(given)


def _labels(names, program):
    """The definition of labels, and what the header says of them."""
    name, first, classes = names.name, program.outputs[0], program.of.classes
    size = math.prod(first.shape[1:])
    if size < 2 or first.dtype != "float32":
        return "", ""
    said = f"\n/* Which of the {size} numbers of a result is the largest. */\n"
    said += f"int32_t {name}_argmax(const float *{names.outputs[0]});\n"
    if classes is None:
        return "", said
    if classes.dtype.kind in "iub" and abs(classes.astype(np.int64)).max() < 2**31:
        kind, texts = "int32_t", [str(int(c)) for c in classes]
    else:
        kind, texts = "char *const", [string(str(c)) for c in classes]
    listed = f"const {kind} {name}_labels[{len(texts)}]"
    said += f"/* The labels of these numbers. */\nextern {listed};\n"
    return f"{listed} = {{{', '.join(texts)}}};", said


def _argmax(names, program):
    size = math.prod(program.outputs[0].shape[1:])
    y = names.outputs[0]
    return f"""\
int32_t {names.name}_argmax(const float *{y}) {{
    int32_t best = 0;
    for (int32_t i = 1; i < {size}; i++)
        if ({y}[i] > {y}[best]) best = i;
    return best;
}}"""


def body(names, program, figures, source, header_name):
    """The text of the C file."""
    name = names.name
    arrays, structures, functions, steps = source.texts()
    lines = []
    for call, text in steps:
        lines += [f"    /* {_comment(call)} */"] if call else []
        lines.append(wrapped(f"    {text}"))
    unused = [n for n in (*names.inputs, "memory") if not _reads(steps, n)]
    lines = [f"    (void){n};" for n in unused] + lines
    if source.checks:
        lines = ["    int32_t wrong = 0;", *lines]
    lines.append(f"    return {'wrong' if source.checks else '0'};")
    parameters = _parameters(names, program)
    arguments = ", ".join([*names.inputs, *names.outputs])
    labels, of_labels = _labels(names, program)
    made = "\n\n".join([*structures, *functions, *lines])
    parts = [
        f"/* {name}.c: see {header_name}. It has the functions that this model needs, its weights,"
        "\n * and the list of its steps. */",
        _EXACT,
        f'#include "{header_name}"\n\n#include <string.h>',
        _size_check(names, figures),
        library.needed(made, source.kinds),
        "\n".join([*arrays, *structures]),
        *functions,
        "\n".join(
            [wrapped(f"int32_t {name}_run({parameters}, {name}_memory *memory) {{"), *lines, "}"]
        ),
        wrapped(f"int32_t {name}_predict({parameters}) {{")
        + f"\n    static {name}_memory memory;\n"
        + wrapped(f"    return {name}_run({arguments}, &memory);")
        + "\n}",
        _argmax(names, program) if of_labels else "",
        labels,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _size_check(names, figures):
    size = figures["RAM"] or "sizeof(int32_t)"
    check = (
        f"typedef char {names.name}_has_this_size[sizeof({names.name}_memory) == {size} ? 1 : -1];"
    )
    return wrapped(check)


def _reads(steps, name):
    return any(name in library.words_of(text) for _, text in steps)


def _comment(call):
    y = call.outputs[0]
    x = next((t for t in call.inputs if not is_constant(t)), y)
    layer = call.scope.split(".")[-1] or "model"
    return _plain(f"{layer}: {shape_of(x)} -> {shape_of(y)}")
