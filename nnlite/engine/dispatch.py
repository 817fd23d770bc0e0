"""The one door: every op call, eager or traced, passes `apply`.

An `Op` is one row: the C function's name, the shapes it gives, its gradient."""

import math
import os

import numpy as np

from nnlite import config
from nnlite.checks import LARGEST_SIZE, MOST_ELEMENTS
from nnlite.engine import _engine, cpu_quota
from nnlite.engine._engine import MAX_ATTRS, MAX_NDIM, built_isas, engines, set_quota
from nnlite.engine.recording import CONDITION, RECORDINGS, SCOPES, active_recordings, tracing
from nnlite.engine.tensor import REALS, Tensor, Variable
from nnlite.errors import memory_for

OPS = {}


class Op:
    """One row of the table of ops.

    Parameters
    ----------
    name : str
        The C function's name in `csrc/op_list.h`.
    infer : callable
        Input shapes and attributes -> list of output shapes; raises ValueError where they do not
        fit. It is the only validation that there is.
    gradient : callable, str or None
        `(call, *dys, need)` -> the gradients with respect to the inputs, None where not needed.
        'none': the op is flat or has integer results, gradients end here. None: there is no rule,
        asking for one is an error.
    attrs : dict of str to type
        C gets the int and float attributes in this order, at most `MAX_ATTRS` of them; attributes
        of type None stay in Python.
    outputs : tuple of {'real', 'int32', 'given'}
        The kind of each output; 'given' is the call's attribute `dtype`.
    writes : tuple of int
        Inputs that are overwritten; they must be Variables.
    view : bool
        The output is the input's memory under another shape; there is no C function.
    work : callable, optional
        Input shapes and output shapes -> multiply-adds; by default the number of elements.
    fuses : 'producer' or None
        'producer': the C function can hand each finished tile of its output to the op that reads
        it, while the tile is in cache (csrc/gemm/fusion.h).
    fused_input : int or None
        The input of which the C function can take such tiles; it is a consumer then.
    in_place : tuple of int, or of (int, int)
        Inputs whose memory the first output may take, or pairs of an input and the output that may,
        if they have its shape and are read for the last time.
    absorbs : tuple of str
        Ops that the C function can do with each row that it finishes: 'activation', whose
        attributes it has too, and 'scale_shift', whose operands it takes as its last inputs.
    packs : (Op, str, int), optional
        The op that packs the kernel, which is the second input; the op that does the same with the
        packed one; the rows of the output for which that is worth it, at most.
    shortcut : (str, callable), optional
        The op that computes the same with fewer multiplications, though it rounds more; and, of the
        shapes of inputs and outputs and the attributes of a call, whether that pays.
    joins : (callable, callable), optional
        Whether a call can be one with some before it, of which each alone reads what the one before
        makes, or, of no calls, whether others may follow it; and the calls that do them all: some
        that pack kernels, and one of this op.
    pads : bool
        The C function can pad its images itself, by `pad_top` and `pad_left`.
    by_sample : tuple of int
        Inputs whose first axis, where it is as long as the output's, counts samples: each sample of
        the output is computed from that sample of them only (stretches.py).
    elementwise : bool
        Each element of the output is computed from those at its place of the inputs, which
        broadcast to it.
    reads_rows_of : str, optional
        Another op, `gather`, in whose place the C function can read the first input, with that op's
        inputs and with those of its attributes that have the same names.
    formula : callable, optional
        Inputs and attributes -> the list of outputs of a fused op, written in ops that have rules.
        It is differentiated in the place of a rule.
    again : bool
        The output is large and quickly computed. So a plan calls the op once more for each later
        reader, and keeps the output for the first one only.
    optional_outputs : int, default 0
        How many of the last outputs the C function need not be given: those that only a gradient
        reads.
    """

    def __init__(
        self,
        name,
        infer,
        gradient=None,
        attrs=None,
        outputs=("real",),
        writes=(),
        view=False,
        work=None,
        fuses=None,
        fused_input=None,
        in_place=(),
        absorbs=(),
        optional_outputs=0,
        reads_rows_of=None,
        formula=None,
        by_sample=(),
        pads=False,
        packs=None,
        shortcut=None,
        elementwise=False,
        joins=None,
        again=False,
    ):
        self.formula, self.elementwise, self.again = formula, elementwise, again
        self.optional_outputs, self.reads_rows_of = optional_outputs, reads_rows_of
        self.by_sample, self.pads = by_sample, pads
        self.packs, self.shortcut, self.joins = packs, shortcut, joins
        self.name, self.infer, self.gradient = name, infer, gradient
        self.fuses, self.fused_input, self.absorbs = fuses, fused_input, absorbs
        self.in_place = [pair if isinstance(pair, tuple) else (pair, 0) for pair in in_place]
        self.attrs, self.outputs, self.writes, self.view = attrs or {}, outputs, writes, view
        self._work, self.has_work = work, work is not None
        if name in OPS:
            raise ValueError(f"op {name!r} has two rows")
        self.number = _all_engines[0].op_ids.get(name)
        if not view and self.number is None:
            raise ImportError(f"op {name!r} has no C function: is the build older than the source?")
        for_c = sum(kind is not None for kind in self.attrs.values())
        if for_c > MAX_ATTRS:
            raise ValueError(f"op {name!r}: expected at most {MAX_ATTRS} attributes, got {for_c}")
        OPS[name] = self

    def __repr__(self):
        return f"<Op {self.name}>"

    def c_attrs(self, attrs):
        """The attributes in C's order and types."""
        if not self.attrs:
            return ()
        values = tuple(kind(attrs[name]) for name, kind in self.attrs.items() if kind is not None)
        for value in values:
            if type(value) is int and not -(2**62) < value < 2**62:
                raise ValueError(f"{self.name}: expected numbers below 2**62, got {value}")
        return values

    def work(self, in_shapes, out_shapes):
        """A rough cost in multiply-adds."""
        if self._work is not None:
            return self._work(in_shapes, out_shapes)
        return sum(math.prod(shape) for shape in (*in_shapes, *out_shapes))


def quickest(op, inputs, outputs, attrs, isa):
    """The op that computes a call of `op`: its shortcut, where that pays and may be taken.

    The shapes decide, so calls made at once and those of plans give the same bits. `generic` takes
    none: it computes as C files of `export` do.
    """
    if op.shortcut is None or isa == "generic" or not config.is_winograd_enabled():
        return op
    name, pays = op.shortcut
    return OPS[name] if pays([t.shape for t in inputs], [t.shape for t in outputs], attrs) else op


class Call:
    """One op call of a recording."""

    __slots__ = ("attrs", "condition", "inputs", "op", "outputs", "scope", "versions")

    def __init__(self, op, inputs, outputs, attrs, scope, condition=None):
        self.op, self.inputs, self.outputs, self.attrs = op, inputs, outputs, attrs
        self.scope, self.condition = scope, condition
        self.versions = [t.version if isinstance(t, Variable) else 0 for t in inputs]

    def replaced(self, **parts):
        """The same call, but for what is given."""
        names = ("op", "inputs", "outputs", "attrs", "scope", "condition")
        return Call(*(parts.get(name, getattr(self, name)) for name in names))

    @property
    def reads(self):
        """All tensors whose values it needs."""
        return self.inputs if self.condition is None else [*self.inputs, self.condition]

    def __repr__(self):
        shapes = [[t.shape for t in tensors] for tensors in (self.inputs, self.outputs)]
        return f"<{self.op.name} {shapes[0]} -> {shapes[1]}>"


class when:
    """Ops of the block run only where a condition holds; a plan looks at it in each run.

    Where it does not hold, what they return has no values. So only ops of the block may read that.

    Parameters
    ----------
    condition : int32 Tensor of one element
    """

    def __init__(self, condition):
        if condition.dtype != "int32" or condition.size != 1:
            raise TypeError(f"when: expected an int32 tensor of one element, got {condition!r}")
        self.condition = condition

    def __enter__(self):
        self.outer = CONDITION.get()
        CONDITION.set(self.condition if self.outer is None else self._both())

    def __exit__(self, *exc):
        CONDITION.set(self.outer)

    def _both(self):
        """Whether this condition and the one around it hold, 0 where that one does not: then this
        one has no value, or any."""
        if not tracing() and not self.outer.item():
            return self.outer
        CONDITION.set(None)
        found = (t.dtype for r in active_recordings() for c in r.calls for t in c.outputs)
        real = next((dtype for dtype in found if dtype in REALS), config.floatx())
        to_real, to_int = {"to_int": 0, "dtype": real}, {"to_int": 1, "dtype": "int32"}
        both = [apply(OPS["cast"], [c], to_real)[0] for c in (self.outer, self.condition)]
        return apply(OPS["cast"], apply(OPS["multiply"], both, {}), to_int)[0]


def left_out():
    """Whether this thread is in a `when` block whose condition does not hold."""
    condition = CONDITION.get()
    return condition is not None and not condition.item()


_all_engines = engines()
_chosen = {}


def use_isa(name=None):
    """Choose the instruction set of everything that runs from now on.

    Parameters
    ----------
    name : str, optional
        'generic', 'avx2' or 'avx512', on 64-bit ARM 'neon'; by default the environment's
        NNLITE_ISA, or else the best one.

    Raises
    ------
    ValueError
        If this build does not have it or this CPU cannot run it.
    """
    runnable = list(dict.fromkeys(e.isa for e in _all_engines))
    name = name or os.environ.get("NNLITE_ISA") or runnable[0]
    if name not in runnable:
        why = "this CPU cannot run it" if name in built_isas() else "this build has no such engine"
        raise ValueError(f"NNLITE_ISA={name!r}: {why}; it can be one of {', '.join(runnable)}")
    _chosen.update((e.real, e) for e in _all_engines if e.isa == name)


use_isa()
set_quota(cpu_quota.quota())


def engine(real, isa=None):
    """The engine in use for a precision, or that of an instruction set; None if there is none."""
    if isa is None:
        return _chosen[real]
    return next((e for e in _all_engines if (e.real, e.isa) == (real, isa)), None)


def real_of(tensors, attrs):
    """The precision of a call: that of its real inputs, of its `dtype`, or `floatx()`."""
    real = None
    for t in tensors:
        if t.dtype in REALS:
            if real is not None and t.dtype != real:
                raise TypeError(
                    f"expected tensors of one precision, got {real} and {t.dtype}; "
                    "convert one with `cast`"
                )
            real = t.dtype
    if real is None and attrs.get("dtype") in REALS:
        real = attrs["dtype"]
    return real or config.floatx()


def apply(op, inputs, attrs):
    """Call an op: infer shapes, execute unless tracing, record.

    Parameters
    ----------
    op : Op
    inputs : list of Tensor
    attrs : dict
        Every attribute of the row.

    Returns
    -------
    list of Tensor
    """
    given = [t.shape for t in inputs]
    shapes = op.infer(*given, **attrs)
    for shape in given:
        if len(shape) > MAX_NDIM:
            _refuse_shape(op, shape)
    for shape in shapes:
        if shape not in given and not _is_bearable(shape):
            _refuse_shape(op, shape)
    real = real_of(inputs, attrs)
    outputs = [
        Tensor(shape, real if kind == "real" else attrs.get("dtype") if kind == "given" else kind)
        for shape, kind in zip(shapes, op.outputs)
    ]
    for i in op.writes:
        if not isinstance(inputs[i], Variable):
            raise TypeError(f"{op.name}: input {i} is overwritten and must be a Variable")
    recordings, condition = active_recordings(), CONDITION.get()
    executing = not recordings or all(r.executing for r in recordings)
    try:
        if executing and (condition is None or condition.item()):
            execute(op, inputs, outputs, attrs, real)
        for recording in recordings:
            scope = ".".join(SCOPES.get())
            recording.calls.append(Call(op, inputs, outputs, attrs, scope, condition))
    finally:  # also where Ctrl-C came meanwhile
        for i in op.writes:
            inputs[i].version += 1
    return outputs


def at_once(op, values, attrs=()):
    """The result of an op that works element by element, if nothing records it and the values,
    which may not be tensors yet, are few and need no conversion; else None. `attrs` are C's."""
    if (RECORDINGS.get() and active_recordings()) or CONDITION.get() is not None:
        return None
    most = MIN_PARALLEL_WORK_EAGER
    return _engine.elementwise(_chosen, op.number, values, attrs, Tensor, config.floatx, most)


def _is_bearable(shape):
    """Whether C can bear a result of a shape."""
    return not shape or (
        len(shape) <= MAX_NDIM
        and 0 <= min(shape) <= max(shape) <= LARGEST_SIZE
        and math.prod(shape) <= MOST_ELEMENTS
    )


def _refuse_shape(op, shape):
    """Raise the ValueError for an operand or a result of a shape that C cannot bear."""
    if len(shape) > MAX_NDIM:
        raise ValueError(f"{op.name}: expected at most {MAX_NDIM} dimensions, got shape {shape}")
    raise ValueError(
        f"{op.name}: expected a result with axes of less than 2**31 entries, and of no "
        f"more than 2**36 elements in all, got shape {shape}"
    )


def execute(op, inputs, outputs, attrs, real):
    """Fill the outputs by running the op's C function."""
    given = [t._data for t in inputs]
    for t, data in zip(inputs, given):
        if data is None:
            t.numpy()  # raises: it was kept from a trace that is over
    if op.view:
        outputs[0]._data = given[0].reshape(outputs[0].shape)
        return
    made = []
    for t in outputs:
        try:
            t._data = np.empty(t.shape, t.dtype)
        except MemoryError:
            raise memory_for(op.name, t.shape, t.dtype).error() from None
        made.append(t._data)
    if op.has_work:
        work = op.work([t.shape for t in inputs], [t.shape for t in outputs])
    else:
        work = sum([data.size for data in given]) + sum([data.size for data in made])
    e = engine(real)
    op = quickest(op, inputs, outputs, attrs, e.isa)
    bad = e.call(e.op_ids[op.name], given, made, op.c_attrs(attrs), threads_for(work))
    if bad is not None:
        raise bad_index(op, ".".join(SCOPES.get()), *bad, attrs)


# Fewer multiply-adds than this, about 20 us on one core, are done by one thread: starting a second
# one costs more than it saves.
MIN_PARALLEL_WORK_EAGER = 1 << 18


def threads_for(work):
    """1 for little work, else 0: as many as there are. The bits are the same."""
    return 1 if work < MIN_PARALLEL_WORK_EAGER else 0


# What stands for a place that is no integer, or is computed of several, one of them out of range,
# and for a length (NNL_NO_INDEX in C).
NO_PLACE = -(2**31)


def bad_index(op, where, element, value, attrs):
    """The error for an index that C found to be out of range."""
    place = f"layer {where!r}: " if where else ""
    count = attrs.get("rows", attrs.get("classes"))
    legal = "" if count is None else f" [0, {count})"
    given = "" if value == NO_PLACE else f" {value}"
    return ValueError(
        f"{place}{op.name}: the label or index{given} at position {element} is out of range{legal}"
    )
