"""C99 files, which any compiler makes a program or a microcontroller's firmware of.

Results are those of `predict` with the generic engine, bit for bit: the functions in `library/`
compute in the order of csrc/README.md ("Determinism"). Only numbers between 0 and 1.2e-38 may
differ, denormal ones, which the engine counts as 0."""

from nnlite.engine.dispatch import OPS
from nnlite.exporting.c import elementwise, files, products, rows
from nnlite.exporting.c.literals import identifier
from nnlite.exporting.c.memory import planned
from nnlite.exporting.c.running import run
from nnlite.exporting.c.source import Source
from nnlite.exporting.program import program_of, refuse_unknown
from nnlite.exporting.report import Report

_VIEWS = {name for name, op in OPS.items() if op.view}  # they cost nothing
RULES = {**products.RULES, **elementwise.RULES, **rows.RULES}


def write(computation, path, *, name=None):
    """The Report of a model as `path` and a header beside it.

    Parameters
    ----------
    computation : Computation
    path : Path
    name : str, optional
        What its functions and macros begin with; by default the file's name.
    """
    if computation.precision != "float32":
        raise ValueError(
            f"export: model {computation.name!r}: expected one of float32, got one of "
            f"{computation.precision}"
        )
    program = program_of(computation, batch=1, exact=True)
    refuse_unknown(program, RULES.keys() | _VIEWS, "C")
    calls = products.with_pools(program.calls, program.outputs)
    memory = planned(program, calls, _scratch)
    names = files.Names(identifier(name or path.stem), computation)
    source = Source(memory, names.inputs + names.outputs)
    for call in calls:
        if not call.op.view:
            RULES[call.op.name](source, call)
    for tensor, number in memory.copies:
        source.copy(tensor, number)
    figures = files.figures(program, source)
    report = Report(path, program)
    report.figures = {
        "flash": f"{figures['FLASH']:,} bytes of weights, and the code",
        "RAM": f"{figures['RAM']:,} bytes of working memory",
        "multiply-adds": f"{figures['MACS']:,}",
    }
    report.contents = {
        path.with_suffix(".h"): files.header(names, program, figures, source).encode(),
        path: files.body(names, program, figures, source, path.with_suffix(".h").name).encode(),
    }
    return report


def _scratch(call):
    return products.SCRATCH.get(call.op.name, lambda call: 0)(call)


__all__ = ["run", "write"]
