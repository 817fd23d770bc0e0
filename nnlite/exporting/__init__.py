"""Models as files that others run, without nnlite.

`export` in `writing.py` asks the writer of a format; `program.py` makes of a model the op calls
that all writers write.
"""

from nnlite import lazy, names

with lazy.imports(__name__):
    from nnlite.exporting.program import Computation
    from nnlite.exporting.report import Report
    from nnlite.exporting.writing import export

__all__ = ["Computation", "Report", "export"]

__getattr__ = names.of(__name__)
