"""Passes over the calls of a trace, before they become a plan.

Each takes calls and gives calls or facts about them: which are needed, which tensors are views,
which pairs of calls are fused, which results take the place of an operand."""

from collections import Counter
from dataclasses import dataclass

from nnlite.engine.dispatch import OPS, quickest
from nnlite.engine.tensor import Tensor, Variable


def read_rows_in_place(calls, feeds):
    """The calls, where those that can (`reads_rows_of`) read rows of the caller's memory
    themselves, which are not rounded to the plan's precision before."""
    feeds, rows, found = {id(t) for t in feeds}, {}, []
    for call in calls:
        x = call.inputs[0] if call.inputs else None
        if id(x) in feeds and call.outputs and call.outputs[0].dtype != "int32":
            rows[id(call.outputs[0])] = call
        reader = rows.get(id(x))
        if reader is not None and call.op.view and x.shape[:1] == call.outputs[0].shape[:1]:
            rows[id(call.outputs[0])] = reader
        elif reader is not None and call.op.reads_rows_of == reader.op.name:
            attrs = {name: reader.attrs.get(name, value) for name, value in call.attrs.items()}
            inputs = [reader.inputs[0], *call.inputs[1:], *reader.inputs[1:]]
            call = call.replaced(inputs=inputs, attrs=attrs)
        found.append(call)
    return found


def drop_unneeded(calls, results):
    """The calls that write a Variable, or lead to one that does, or to a result."""
    wanted, kept = {id(t) for t in results}, []
    for call in reversed(calls):
        if call.op.writes or any(id(t) in wanted for t in call.outputs):
            kept.append(call)
            wanted.update(id(t) for t in call.reads)
    return kept[::-1]


def leave_out_unread(calls, results):
    """The calls, without the outputs that nobody reads where the op's row says that they may be
    left out (`optional_outputs`)."""
    read = {id(t) for call in calls for t in call.reads} | {id(t) for t in results}
    found = []
    for call in calls:
        kept = len(call.outputs) - call.op.optional_outputs
        if call.op.optional_outputs and not any(id(t) in read for t in call.outputs[kept:]):
            call = call.replaced(outputs=call.outputs[:kept])
        found.append(call)
    return found


def compute_again(calls, roots):
    """The calls, with one more call of an op whose row says `again` before each later reader of its
    output. The first reader takes the output of the recorded call. Calls that read a Variable are
    not repeated: its values may have changed meanwhile."""
    made, read, found = {}, set(), []  # made: calls by the id of their output

    def repeated(tensor):
        call = made[id(tensor)]
        inputs = [repeated(t) if id(t) in made else t for t in call.inputs]
        y = Tensor(tensor.shape, tensor.dtype)
        found.append(call.replaced(inputs=inputs, outputs=[y]))
        return y

    for call in calls:
        repeatable = call.op.view and id(call.inputs[0]) in made
        if call.op.again and not any(isinstance(roots.of(t), Variable) for t in call.inputs):
            repeatable = True
        elif not call.op.view:
            late = [id(t) in made and id(roots.of(t)) in read for t in call.inputs]
            read.update(id(roots.of(t)) for t in call.inputs if id(t) in made)
            if any(late):
                inputs = [repeated(t) if late[i] else t for i, t in enumerate(call.inputs)]
                call = call.replaced(inputs=inputs)
        if repeatable:
            made[id(call.outputs[0])] = call
        found.append(call)
    return found


class Roots:
    """The tensor whose memory each tensor is: its own, or of a view that of its source."""

    def __init__(self, calls):
        self._of_view = {}
        for call in calls:
            if call.op.view:
                self._of_view[id(call.outputs[0])] = self.of(call.inputs[0])

    def of(self, tensor):
        return self._of_view.get(id(tensor), tensor)


def cancel_transposes(calls, results):
    """The calls, where one that reads a tensor which was transposed twice, and is as it was, reads
    the tensor itself. What works element by element on transposed tensors is computed before it
    is transposed. So channels that come first are moved once for a chain of layers."""
    roots, transposed, same, found = Roots(calls), {}, {}, []
    kept = {id(t) for t in results}
    # Tensors that are needed as they are, and those of the others that will be transposed.
    held = {id(t) for c in calls if not _lets_through(c) for t in c.reads} | kept
    turned = {id(t) for c in calls if c.op.name == "transpose" for t in c.inputs} - held
    for call in calls:
        if any(id(t) in same for t in call.inputs):
            inputs = [same.get(id(t), t) for t in call.inputs]
            call = call.replaced(inputs=inputs)
        moved = None
        if call.op.elementwise:
            avoided = set() if id(call.outputs[0]) in turned else held
            moved = _transposed_alike(call, transposed, avoided)
        if moved is not None:
            inputs = [transposed[id(t)].inputs[0] if t.size > 1 else t for t in call.inputs]
            if not any(isinstance(roots.of(t), Variable) for t in inputs if t.size > 1):
                (y,), sizes = call.outputs, dict(zip(moved.attrs["axes"], call.outputs[0].shape))
                z = Tensor(tuple(sizes[d] for d in range(y.ndim)), y.dtype)
                found.append(call.replaced(inputs=inputs, outputs=[z]))
                call = moved.replaced(inputs=[z], outputs=[y], condition=call.condition)
        if call.op.name == "transpose":
            before, (y,) = transposed.get(id(call.inputs[0])), call.outputs
            if before is not None and id(y) not in kept:
                x, axes = before.inputs[0], [before.attrs["axes"][d] for d in call.attrs["axes"]]
                # A Variable may be overwritten before it is read.
                if axes == sorted(axes) and not isinstance(roots.of(x), Variable):
                    same[id(y)] = x
            transposed[id(y)] = call
        found.append(call)
    return found


def _lets_through(call):
    return call.op.elementwise or call.op.name == "transpose"


def _transposed_alike(call, transposed, avoided):
    """The transposition of an operand of a call, if all were transposed in the same way, but for
    single numbers, and none is to be avoided; else None."""
    (y,), found = call.outputs, None
    for t in call.inputs:
        if t.size == 1 and t.ndim <= y.ndim:
            continue
        before = transposed.get(id(t))
        if before is None or id(t) in avoided or t.ndim != y.ndim:
            return None
        if found is not None and found.attrs["axes"] != before.attrs["axes"]:
            return None
        found = before
    return found


def readers_of(calls, results):
    """How many calls and results read each tensor, by its id."""
    readers = Counter(id(t) for call in calls for t in call.reads)
    readers.update(id(t) for t in results)
    return readers


def alike(call, other):
    """Whether two calls run under the same condition."""
    return call.condition is other.condition


def _forget_overwritten(waiting, call, roots):
    """Take out of `waiting`, a dict of calls or runs that are computed later than recorded, those
    that read what `call` overwrites."""
    written = {id(roots.of(call.inputs[i])) for i in call.op.writes}
    for key, other in list(waiting.items()) if written else ():
        if any(id(roots.of(t)) in written for t in other.reads):
            del waiting[key]


def absorb(calls, results, roots, folds=False):
    """The calls, where a convolution or product does what alone reads its result, if its row says
    that it can (`absorbs`): a normalization with fixed statistics, where `folds` (csrc/ops/conv/
    folded.h; the results are rounded otherwise), and an activation (the bits are the same)."""
    readers = readers_of(calls, results)
    waiting, found = {}, {}  # calls by the id of their first output, and by their own
    for call in calls:
        before = waiting.pop(id(call.inputs[0]), None) if call.inputs else None
        if before is not None and call.op.name in before.op.absorbs and alike(before, call):
            if call.op.name == "activation":
                inputs, attrs = before.inputs, {**before.attrs, **call.attrs}
            elif folds and len(before.inputs) <= 3:
                inputs, attrs = [*before.inputs, *call.inputs[1:]], before.attrs
            else:
                inputs = None
            if inputs is not None:
                del found[id(before)]
                call = before.replaced(inputs=inputs, outputs=call.outputs, attrs=attrs)
        found[id(call)] = call
        _forget_overwritten(waiting, call, roots)
        if call.op.absorbs and call.attrs["kind"] == 0 and readers[id(call.outputs[0])] == 1:
            waiting[id(call.outputs[0])] = call
    return list(found.values())


def take_in_padding(calls, results, roots):
    """The calls, where a convolution that alone reads padded images pads them itself (`pads` in its
    row), unless the images are overwritten before. A depthwise one leaves out taps in the padding,
    so the sign of a zero may differ."""
    readers = readers_of(calls, results)
    padded, found = {}, {}
    for call in calls:
        pad = padded.get(id(call.inputs[0])) if call.inputs and call.op.pads else None
        if pad is not None and alike(pad, call):
            del found[id(pad)]
            attrs = {**call.attrs}
            attrs["pad_top"] += pad.attrs["top"]
            attrs["pad_left"] += pad.attrs["left"]
            call = call.replaced(inputs=[pad.inputs[0], *call.inputs[1:]], attrs=attrs)
        found[id(call)] = call
        _forget_overwritten(padded, call, roots)
        if call.op.name == "pad2d" and readers[id(call.outputs[0])] == 1 and not _crops(call):
            padded[id(call.outputs[0])] = call
    return list(found.values())


def take_shortcuts(calls, isa):
    """The calls, each with the op that computes it fastest: the one that runs where it is made at
    once."""
    ops = [quickest(c.op, c.inputs, c.outputs, c.attrs, isa) for c in calls]
    return [c if c.op is op else c.replaced(op=op) for c, op in zip(calls, ops)]


def _crops(pad):
    """Whether a call of pad2d takes something off an image."""
    margins = []
    for before, axis in (("top", 1), ("left", 2)):
        first = pad.attrs[before]
        margins += [first, pad.outputs[0].shape[axis] - pad.inputs[0].shape[axis] - first]
    return min(margins) < 0


@dataclass
class _Run:
    """Calls of which each alone reads what the one before makes."""

    calls: list

    @property
    def reads(self):
        return [t for call in self.calls for t in call.reads]


def join(calls, results, roots, panel):
    """The calls, where several that an op can do as one (`joins` in its row) are a call of it.

    Parameters
    ----------
    panel : int
        The columns of a panel of a packed kernel.
    """
    for op in [op for op in OPS.values() if op.joins]:
        calls = _joined(calls, results, roots, *op.joins, panel)
    return calls


def _joined(calls, results, roots, continues, as_one, panel):
    readers = readers_of(calls, results)
    waiting, found = {}, {}  # runs by the id of what they make, and by their own
    for call in calls:
        before, run = waiting.pop(id(call.inputs[0]), None) if call.inputs else None, _Run([call])
        if before and alike(before.calls[-1], call) and continues(before.calls, call):
            del found[id(before)]
            run = _Run([*before.calls, call])
        found[id(run)] = run
        _forget_overwritten(waiting, call, roots)
        if continues([], call) and readers[id(call.outputs[0])] == 1:
            waiting[id(call.outputs[0])] = run
    runs = [run.calls for run in found.values()]
    return [c for run in runs for c in (as_one(run, panel) if len(run) > 1 else run)]


@dataclass
class Fusion:
    """Calls in the order in which they run, of which some pairs run as one.

    The producer, a matrix product or a sum of rows, hands each finished tile of its output to its
    consumer, the next call, which the C function of the producer calls for that tile
    (csrc/gemm/fusion.h). The tensor between the two is never stored. Each element is computed as by
    two separate steps, so the bits are the same.

    Attributes
    ----------
    calls : list of Call
    tensors : set of int
        The ids of the tensors between producers and consumers.
    """

    calls: list
    tensors: set

    def is_producer(self, call):
        """Whether the next call consumes this one's output."""
        return any(id(t) in self.tensors for t in call.outputs)

    def is_consumer(self, call):
        """Whether the call before runs this one, tile by tile."""
        return any(id(t) in self.tensors for t in call.inputs)


def fuse(calls, results, roots):
    """Fuse each producer with the call that reads it, where the rows of both ops allow it.

    A producer waits for its consumer: it runs right before it. It is fused if nothing else reads
    its output, and if none of its operands is overwritten while it waits.
    """
    readers = readers_of(calls, results)
    waiting, order, tensors = {}, [], set()  # waiting: producers by the id of their output
    for call in calls:
        i = call.op.fused_input
        producer = None if i is None else waiting.pop(id(call.inputs[i]), None)
        if producer is not None and alike(producer, call):
            order.remove(producer)
            order.append(producer)
            tensors.add(id(call.inputs[i]))
        order.append(call)
        _forget_overwritten(waiting, call, roots)
        if call.op.fuses == "producer" and readers[id(call.outputs[0])] == 1:
            waiting[id(call.outputs[0])] = call
    return Fusion([c for c in order if not c.op.view], tensors)


def take_in_place(fusion, roots):
    """The operand whose memory the output of a call takes, by the id of the output's root.

    The op's row names such operands (`in_place`). One will do if it has the output's shape and
    type, is read there for the last time, and is not read in another shape by the same call.
    """
    last = {id(roots.of(t)): call for call in fusion.calls for t in call.reads}
    taken = {}
    for call in fusion.calls:
        if fusion.is_producer(call) or fusion.is_consumer(call):
            continue
        for i, o in call.op.in_place:
            if o >= len(call.outputs):
                continue
            x, y = call.inputs[i], call.outputs[o]
            root = roots.of(x)
            same = [t.shape == y.shape for t in call.inputs if roots.of(t) is root]
            fits = root.size == y.size and x.dtype == y.dtype and all(same)
            if fits and last[id(root)] is call and root._data is None:
                taken[id(y)] = root
                break
    return taken
