"""Loops over the elements of tensors, for whatever is one expression of them: arithmetic with
broadcasting, copies of parts, permutations of axes."""

from nnlite.exporting.c.literals import TYPES

_INDICES = "ijklmn"


def strides_of(shape, given=None):
    """How far apart in memory neighbours along each axis of `shape` are, of a tensor whose shape
    `given` broadcasts to it."""
    given = shape if given is None else given
    strides, step = [], 1
    for n in reversed(given):
        strides.append(0 if n == 1 else step)
        step *= n
    return [0] * (len(shape) - len(given)) + strides[::-1]


def _merged(shape, strides):
    """Fewer axes: without those of one entry, neighbours joined where all operands allow it."""
    axes = []
    for n, *steps in zip(shape, *strides):
        if n == 1:
            continue
        if axes and all(before == step * n for before, step in zip(axes[-1][1:], steps)):
            axes[-1] = [axes[-1][0] * n, *steps]
        else:
            axes.append([n, *steps])
    return axes or [[1, *[0] * len(strides)]]


def _at(offset, axes, operand):
    terms = [str(offset)] if offset else []
    for index, (_, *steps) in zip(_INDICES, axes):
        step = steps[operand]
        if step:
            terms.append(index if step == 1 else f"{index} * {step}")
    return " + ".join(terms).replace("+ -", "- ") or "0"


def loop(shape, operands, result, expression):
    """The parameters and the body of a C function.

    Parameters
    ----------
    shape : tuple of int
        Of what the loops go through.
    operands : dict of str to (str, list of int, int)
        By the name of a parameter: dtype, strides and offset.
    result : the same of `y`
    expression : str
        Of the operands in braces, such as '{a} + {b}'. If it ends with ';' it is a statement.
    """
    every = {**operands, "y": result}
    axes = _merged(shape, [strides for _, strides, _ in every.values()])
    places = {
        name: f"{name}[{_at(offset, axes, i)}]"
        for i, (name, (_, _, offset)) in enumerate(every.items())
    }
    parameters = [f"const {TYPES[dtype]} *{name}" for name, (dtype, _, _) in operands.items()]
    parameters.append(f"{TYPES[result[0]]} *y")
    lines = []
    for depth, (index, (n, *_)) in enumerate(zip(_INDICES, axes), 1):
        lines.append(f"{'    ' * depth}for (int32_t {index} = 0; {index} < {n}; {index}++)")
    text = expression.format(**places)
    statement = text if text.endswith(";") else f"{places['y']} = {text};"
    lines.append("    " * (len(axes) + 1) + statement)
    return ", ".join(parameters), "\n".join(lines)
