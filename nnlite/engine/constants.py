"""What of a plan depends on weights alone. It is computed before a run, and then only again when a
weight has another `version`: the scale of a normalization, a kernel in the order in which products
read it.

What is kept costs memory: of packed kernels as much as the kernels take. So kernels are packed
only for few rows, if they are not very large, and if the plan does little with each of their
numbers: else it takes little of the time to pack them in each run."""

import hashlib
import math
import weakref

import numpy as np

from nnlite.configurable import frozen
from nnlite.engine.dispatch import OPS, Call
from nnlite.engine.passes import drop_unneeded
from nnlite.engine.recording import tracing_lock
from nnlite.engine.tensor import Tensor, Variable, aligned_empty
from nnlite.errors import memory_for

# A product of at most this many rows reads its kernel in place.
FEW_ROWS = 3
# The most bytes of a kernel that is kept twice. Those of convolutions take less; the largest dense
# layers of networks for images are most of their weights.
MOST_BYTES = 12 << 20
# The most multiply-adds of a plan for each number of the kernels that it keeps. For one image it is
# 170 in ResNet50, whose runs take half as long with them, and 1200 in VGG16: 6 % of a run there.
MOST_WORK = 1024


def _constant_tensors(calls, results, roots):
    """The ids of all tensors whose values no run of the calls changes: weights that nothing
    overwrites, and what is computed of them alone, but for results, which each run writes."""
    written = {_owner(roots.of(c.inputs[i])) for c in calls for i in c.op.writes}
    written_too = {id(roots.of(t)) for t in results}
    found = set()
    for call in calls:
        given = [t for t in call.reads if t._data is not None and _owner(t) not in written]
        found.update(map(id, given))
        known = call.condition is None and not call.op.writes
        if known and found.issuperset(map(id, call.inputs)):
            found.update(id(t) for t in call.outputs if id(roots.of(t)) not in written_too)
    return found


def _owner(tensor):
    """The id of the array whose memory a tensor has; two Variables may have parts of one."""
    return id(tensor._data if tensor._data.base is None else tensor._data.base)


def pack_kernels(calls, results, roots, panel):
    """The calls, where those of few rows whose kernels are constant read them packed (`packs` in
    their rows). `pack_kernel` takes in the scale of a normalization, too.

    Parameters
    ----------
    panel : int
        The columns of a panel.
    """
    constant = _constant_tensors(calls, results, roots)
    some = [c for c in calls if _may_be_packed(c) and constant.issuperset(map(id, c.inputs[1:]))]
    work = sum(c.op.work([t.shape for t in c.inputs], [t.shape for t in c.outputs]) for c in calls)
    if work > MOST_WORK * sum(c.inputs[1].size for c in some):
        return calls
    mine = set(map(id, some))
    return [new for c in calls for new in (packed(c, panel) if id(c) in mine else [c])]


def _may_be_packed(call):
    if not call.op.packs:
        return False
    rows, kernel = math.prod(call.outputs[0].shape[:-1]), call.inputs[1]
    size = kernel.size * np.dtype(kernel.dtype).itemsize
    return FEW_ROWS < rows <= call.op.packs[2] and size <= MOST_BYTES


def packed(call, panel):
    """A call as two: one that packs the kernel, one that reads it."""
    x, kernel, *columns = call.inputs
    given = columns if len(columns) > 1 else []  # a normalization is folded
    op, packed_op, _ = call.op.packs
    attrs = {"groups": call.attrs.get("groups", 1), "panel": panel}
    shapes = op.infer(kernel.shape, *[t.shape for t in given], **attrs)
    packed, *bias = [Tensor(shape, kernel.dtype) for shape in shapes]
    packing = Call(op, [kernel, *given], [packed, *bias], attrs, call.scope)
    attrs = {**call.attrs, "features": call.outputs[0].shape[-1]}
    inputs = [x, packed, *(bias or columns[-1:])]
    return packing, call.replaced(op=OPS[packed_op], inputs=inputs, attrs=attrs)


def separate(calls, results, roots):
    """Take the calls that depend on weights alone out of those of a plan.

    Returns
    -------
    constant : list of Call
    made : list of Call
        Those of them whose outputs the others read.
    others : list of Call
    """
    found = _constant_tensors(calls, results, roots)
    constant = [c for c in calls if c.outputs and found.issuperset(map(id, c.outputs))]
    mine = {id(c) for c in constant if not c.op.view}
    others = drop_unneeded([c for c in calls if id(c) not in mine], results)
    read = {id(t) for c in others for t in c.reads}
    made = [c for c in constant if not c.op.view and any(id(t) in read for t in c.outputs)]
    return constant, made, others


def reading(calls, made, kept):
    """The calls, which read what is kept of `made` in its place."""
    memory = {id(t): m for c, k in zip(made, kept) for t, m in zip(c.outputs, k.tensors)}

    def moved(t):
        return memory.get(id(t), t)

    return [c.replaced(inputs=[*map(moved, c.inputs)], condition=moved(c.condition)) for c in calls]


_all_kept = weakref.WeakValueDictionary()  # by what they are computed of


class Kept:
    """What a call gives that depends on weights alone. A model's plans of all batch sizes share it.

    Parameters
    ----------
    outputs : list of Tensor
        What is kept.
    plan : Plan
        It computes that.
    variables : list of Variable
        It depends on these.

    Attributes
    ----------
    tensors : list of Tensor
        The outputs, with memory.
    """

    def __init__(self, outputs, plan, variables):
        self.plan, self.variables, self.versions = plan, variables, None
        self.tensors = [Tensor(t.shape, t.dtype, _room(t)) for t in outputs]
        self.results = [(t._data, 0, 0) for t in self.tensors]

    @staticmethod
    def of(call, plan):
        """That of a call."""
        read = {id(v): v for c in plan.calls for v in map(plan.roots.of, c.inputs)}
        return Kept(call.outputs, plan, [v for v in read.values() if isinstance(v, Variable)])

    def on(self, others):
        """The same of other Variables, as `Plan.on` takes them."""
        return Kept(self.tensors, self.plan.on(others), [others[id(v)] for v in self.variables])

    @staticmethod
    def all_of(made, constant, plan_of, engine):
        """One for each call of `made`.

        Parameters
        ----------
        made, constant : list of Call
            As `separate` gives them.
        plan_of : function
            Takes calls and their results; gives a Plan.
        engine : Engine
        """
        formulas, found = {}, []
        for call in constant:
            inputs = [formulas.get(id(t)) or _value(t) for t in call.inputs]
            formula = _digest(call.op.name, frozen(call.attrs), inputs)
            formulas.update((id(t), (formula, n)) for n, t in enumerate(call.outputs))
        with tracing_lock:
            for call in made:
                key = engine, formulas[id(call.outputs[0])]
                kept = _all_kept.get(key)
                if kept is None:
                    kept = Kept.of(
                        call, plan_of(drop_unneeded(constant, call.outputs), call.outputs)
                    )
                    _all_kept[key] = kept
                found.append(kept)
        return found

    def update(self, threads):
        """Compute it, if a weight has changed."""
        if self.versions == self._now():
            return
        with tracing_lock:
            now = self._now()
            if self.versions != now:
                self.plan.run(self.results, 1, threads)
                self.versions = now

    def _now(self):
        return [v.version for v in self.variables]


def _value(tensor):
    """What stands for a weight in a formula, or for a number of a trace, which each trace has."""
    if isinstance(tensor, Variable) or tensor.size > 1:
        return id(tensor)
    return tensor.dtype, tensor.shape, tensor._data.tobytes()


def _digest(*parts):
    """A short name of what is computed, which may be built of many others."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _room(t):
    with memory_for("what is computed of weights", t.shape, t.dtype):
        return aligned_empty(t.shape, t.dtype)
