"""C99 files, which any compiler makes a program or a microcontroller's firmware of.

Results are those of `predict` with the generic engine, bit for bit: the functions in `library/`
compute in the order of csrc/README.md ("Determinism"). Only numbers between 0 and 1.2e-38 may
differ, denormal ones, which the engine counts as 0. A model of float64 is rounded to float32."""

from nnlite.checks import check_choice
from nnlite.exporting.c import elementwise, files, products, recurrent, rows, selftest
from nnlite.exporting.c.integers import RULES as INTEGER_RULES
from nnlite.exporting.c.integers import IntegerOp, in_integers
from nnlite.exporting.c.literals import identifier
from nnlite.exporting.c.memory import planned
from nnlite.exporting.c.running import run
from nnlite.exporting.c.source import Source
from nnlite.exporting.checking import with_length
from nnlite.exporting.precision import narrowed
from nnlite.exporting.program import program_of, refuse_unknown
from nnlite.exporting.quantization import typical_rows
from nnlite.exporting.report import Report

RULES = products.RULES | recurrent.RULES | elementwise.RULES | rows.RULES
_SCRATCH = products.SCRATCH | recurrent.SCRATCH


def write(computation, path, *, quantize=None, name=None, length=None):
    """The Report of a model as `path` and a header beside it.

    Parameters
    ----------
    computation : Computation
    path : Path
    quantize : {None, 'int8'}
        Whether products and what is between them are computed in 8-bit integers.
    name : str, optional
        What its functions and macros begin with; by default the file's name.
    length : int, optional
        Of axes whose length the model leaves open.
    """
    check_choice("quantize", quantize, [None, "int8"], "export")
    computation = with_length(computation, length)
    for argument, shape, _ in computation.inputs:
        if None in shape:
            raise ValueError(
                f"export: input {argument!r}: expected a shape whose lengths are known, as memory "
                f"is laid out for them, got {shape}: the option `length` stands for None"
            )
    program = narrowed(program_of(computation, batch=1, exact=quantize is None))
    views = {call.op.name for call in program.calls if call.op.view}  # they cost nothing
    refuse_unknown(program, RULES.keys() | views, "C")
    integers = None
    if quantize:
        integers = in_integers(program, typical_rows(computation))
        program = integers.program
    calls = products.with_pools(program.calls, program.outputs)
    calls = recurrent.step_by_step(calls, program.outputs)
    memory = planned(program, calls, _scratch)
    names = files.Names(identifier(name or path.stem), computation)
    source = Source(memory, names.inputs + names.outputs, integers)
    for call in calls:
        if not call.op.view:
            rules = INTEGER_RULES if isinstance(call.op, IntegerOp) else RULES
            rules[call.op.name](source, call)
    for tensor, number in memory.copies:
        source.copy(tensor, number)
    figures = files.figures(program, source)
    report = Report(path, program)
    report.figures = {
        "flash": f"{figures['FLASH']:,} bytes of weights, and the code",
        "RAM": f"{figures['RAM']:,} bytes of working memory",
        "multiply-adds": f"{figures['MACS']:,}",
    }
    if integers:
        report.figures["in integers"] = integers.quantization.share
    beside = path.with_suffix(".h")
    header = files.header(names, program, figures, source)
    body = files.body(names, program, figures, source, beside.name)
    test = selftest.text(names, program, integers, {path.name: body, beside.name: header})
    report.contents = {beside: header.encode(), path: f"{body}{test}".encode()}
    return report


def _scratch(call):
    return _SCRATCH.get(call.op.name, lambda call: 0)(call)


__all__ = ["run", "write"]
