"""What a model computes of one batch, as a list of op calls: what every writer starts from.

The one idea: a prediction is traced, as `predict` traces it. So whatever a layer, an estimator or a
`call` of one's own computes is already a chain of ops, and a writer is a table with a function for
each op."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from nnlite import config
from nnlite.engine.dispatch import OPS, Call, execute, real_of
from nnlite.engine.passes import (
    Roots,
    absorb,
    cancel_transposes,
    drop_unneeded,
    leave_out_unread,
    readers_of,
)
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable
from nnlite.ops.activation import GATES, KINDS
from nnlite.tree import flatten

# What asks for a Program of any number of rows.
ANY_BATCH = "any"
# Numbers of rows that stand for any, primes. A Program has one that divides no size of the model:
# so a size that it divides depends on the batch. A tensor may have 16 million numbers a row then.
_STAND_INS = (4_093, 4_091, 4_079, 4_073, 4_057, 4_051, 4_049, 4_027)
# Lengths that stand for any, of several axes, in pairs: what differs between two traces depends on
# them. Halves of the first, rounded up, stay odd, and those of the second, rounded down: so windows
# with steps of 2 tell which padding they have.
_LENGTHS = (
    ((257, 513, 1025), (383, 767, 1535)),
    ((129, 65, 33), (191, 95, 47)),
    ((211, 213, 215), (308, 310, 312)),
    ((389, 391, 393), (486, 488, 490)),
    ((1009, 1011, 1013), (1106, 1108, 1110)),
    ((23, 25, 27), (36, 38, 40)),
)

# Ops that no format has: their formulas are written.
_BY_FORMULA = {"windows", "windows_gradient"}
_CONVOLUTIONS = {"conv2d", "depthwise_conv2d"}
_KERNELS = _CONVOLUTIONS | {"linear"}


@dataclass
class Computation:
    """What something computes that can be exported: a model, an estimator, a pipeline.

    Attributes
    ----------
    function : callable
        Tensors, one for each input -> a tensor or a list of them, in ops.
    inputs : list of (str, tuple, str)
        Name, shape of a sample (None: any length) and dtype of each input.
    outputs : list of str
        The names of the outputs.
    precision : {'float32', 'float64'}
    predict : callable
        Arrays, one for each input -> a list of arrays: what `function` must give.
    samples : callable, optional
        A number of rows -> a list of arrays, one for each input: rows to try the export with.
    arrays : callable, optional
        X, as users give it -> a list of arrays, one for each input; by default the arrays in nested
        lists and dicts.
    rows : list of arrays, optional
        Rows of each input that the user gave, such as the model will see.
    classes : array or None
        The labels of which the first output is the probabilities, a column for each.
    name : str
    """

    function: Callable
    inputs: list
    outputs: list
    precision: str
    predict: Callable
    samples: Callable | None = None
    arrays: Callable | None = None
    rows: list | None = None
    classes: np.ndarray | None = None
    name: str = "model"


@dataclass
class Program:
    """The calls of a prediction in their order, ready to be written.

    Whatever depends on weights alone has been computed. A tensor whose `_data` is not None is a
    constant. Convolutions and products have taken in the normalizations with fixed statistics and
    the activations that follow them.

    Attributes
    ----------
    calls : list of Call
    inputs, outputs : list of Tensor
    of : Computation
    batch : int
        The number of rows, or one of `_STAND_INS` for any.
    open : dict of int to int
        The sizes that depend on a length which is not known, and what they are in `twin`.
    twin : Program or None
        The same calls in the same order, traced with other lengths in place of those not known.
    """

    calls: list
    inputs: list
    outputs: list
    of: Computation
    batch: int
    open: dict = field(default_factory=dict)
    twin: "Program | None" = None

    def is_open(self, n):
        """Whether a size depends on the number of rows, or on a length that is not known."""
        return n in self.open or _depends_on_batch((n,), self.batch)

    def other_of(self, tensor):
        """A constant as it is in the twin; itself where there is none."""
        if self.twin is None:
            return tensor
        if not self._others:
            self._others.update((id(a), b) for a, b in _tensors_of_both(self, self.twin))
        return self._others[id(tensor)]

    def twin_of(self, call):
        """A call as it is in the twin; itself where there is none."""
        if self.twin is None:
            return call
        return self.twin.calls[next(i for i, c in enumerate(self.calls) if c is call)]

    def __post_init__(self):
        self._others = {}

    @property
    def constants(self):
        """The constants that calls read, or that are outputs, each once."""
        read = [t for call in self.calls for t in call.inputs] + self.outputs
        return list({id(t): t for t in read if is_constant(t)}.values())

    def run(self, *arrays, isa=None):
        """What the calls compute of a batch.

        Parameters
        ----------
        *arrays : array
            One for each input, of its shape and dtype.
        isa : str, optional
            The instruction set of the engine; by default the one in use.

        Returns
        -------
        list of array
        """
        recording = Recording(executing=False)
        recording.calls = self.calls
        roots = Roots(self.calls)
        made = {id(y) for call in self.calls if not call.op.view for y in call.outputs}
        known = dict(zip(map(id, self.inputs), arrays))
        computed = [y for y in self.outputs if id(roots.of(y)) in made]
        plan = Plan(recording, self.inputs, computed, self.of.precision, isa=isa)
        results = [np.empty(y.shape, y.dtype) for y in computed]
        plan.run([(a, 0, 0) for a in (*arrays, *results)])
        known |= zip(map(id, computed), results)
        return [
            known[id(y)] if id(y) in known else _values(roots.of(y), known).reshape(y.shape).copy()
            for y in self.outputs
        ]


def _values(tensor, known):
    return tensor.numpy() if is_constant(tensor) else known[id(tensor)]


def is_constant(tensor):
    """Whether the values of a tensor are known before the model runs."""
    return tensor._data is not None


def program_of(computation, batch=1, exact=False):
    """The Program of a Computation.

    Parameters
    ----------
    computation : Computation
    batch : int, default 1
        `ANY_BATCH` for writers whose format knows axes of any length. Inputs may have axes whose
        length is not known then.
    exact : bool, default False
        Whether normalizations are left where `predict` leaves them, behind products: then the
        program computes the bits that `predict` gives.

    Raises
    ------
    ValueError
        If the prediction draws random numbers or keeps states from batch to batch: names the layer.
        If a length is not known, and the batch is a number.
    """
    unknown = any(None in shape for _, shape, _ in computation.inputs)
    if not unknown:
        if batch == ANY_BATCH:
            batch = _stand_in_for(computation)
        return _program_of(computation, batch, exact)
    if batch != ANY_BATCH:
        raise ValueError(
            "export: expected inputs whose sizes are known (where the format has the option "
            "`length`, it stands for those that are not), got "
            + ", ".join(f"{name!r} of shape {(None, *s)}" for name, s, _ in computation.inputs)
        )
    return _program_of_any_length(computation, exact)


def _stand_in_for(*computations):
    """One of `_STAND_INS` that divides no size of what is computed of one row."""
    sizes = set()
    for computation in computations:
        calls, inputs, outputs = _trace(computation, 1)
        of_calls = [t for call in calls for t in (*call.inputs, *call.outputs)]
        sizes.update(n for t in (*inputs, *outputs, *of_calls) for n in t.shape)
    for batch in _STAND_INS:
        if not any(n and n % batch == 0 for n in sizes):
            return batch
    raise ValueError(
        "export: expected a model that has no multiple of one of these numbers as a size, got one "
        f"that has multiples of all: {', '.join(map(str, _STAND_INS))}"
    )


def _program_of_any_length(computation, exact):
    """That of two lengths in place of each that is not known: first others for each axis, then the
    same for all, for models that need axes of one length."""
    refused = None
    for axes in (3, 1):
        for pair in _LENGTHS:
            try:
                both = [with_lengths(computation, lengths[:axes]) for lengths in pair]
                batch = _stand_in_for(*both)
                first, second = (_program_of(each, batch, exact) for each in both)
            except ValueError as error:
                refused = refused or error
                continue
            first.of, found = computation, _open_sizes(first, second)
            if found is not None and not any(map(_may_be_both, first.calls, second.calls)):
                first.twin, first.open = second, found
                return first
    raise refused or ValueError(
        "export: what the model computes depends on a length that is not known: expected an input "
        "whose sizes are known"
    )


def with_lengths(computation, lengths):
    """The Computation with lengths, in turn, in place of those not known."""
    lengths = itertools.cycle(lengths)
    inputs = [
        (name, tuple(next(lengths) if n is None else n for n in shape), dtype)
        for name, shape, dtype in computation.inputs
    ]
    return replace(computation, inputs=inputs)


def _may_be_both(call, other):
    """Whether windows need no margins for both lengths, with 'same' padding and without: then two
    lengths do not tell which it is."""
    if "stride_h" not in call.attrs or "shape" in call.attrs:
        return False
    for d, (axis, size) in enumerate(zip("hw", window_sizes(call)), 1):
        stride = call.attrs[f"stride_{axis}"]
        covered = (size - 1) * call.attrs.get(f"dilation_{axis}", 1) + 1
        sizes = [(c.inputs[0].shape[d], c.outputs[0].shape[d]) for c in (call, other)]
        needless = [m == -(-n // stride) and (m - 1) * stride + covered <= n for n, m in sizes]
        if sizes[0] != sizes[1] and covered > 1 and all(needless):
            return True
    return False


def window_sizes(call):
    """The height and the width of the windows of a convolution or a pooling."""
    if "pool_h" in call.attrs:
        return call.attrs["pool_h"], call.attrs["pool_w"]
    return call.inputs[1].shape[:2]


def _tensors_of_both(program, twin):
    """The tensors of two programs that stand for the same."""
    for call, other in zip(program.calls, twin.calls):
        yield from zip((*call.inputs, *call.outputs), (*other.inputs, *other.outputs))
    yield from zip((*program.inputs, *program.outputs), (*twin.inputs, *twin.outputs))


def _open_sizes(program, twin):
    """What sizes become with other lengths; None if one size is both known and not, or the calls
    are others."""
    if [c.op for c in program.calls] != [c.op for c in twin.calls]:
        return None
    found, known = {}, set()
    for tensor, other in _tensors_of_both(program, twin):
        if len(tensor.shape) != len(other.shape):
            return None
        for n, m in zip(tensor.shape, other.shape):
            if n == m:
                known.add(n)
            elif not _depends_on_batch((n,), program.batch) and found.setdefault(n, m) != m:
                return None
    return None if known & {*found} else found


def _trace(computation, batch):
    """The calls of a prediction of some rows, as they are made, its inputs and its outputs."""
    inputs = [Tensor((batch, *shape), dtype) for _, shape, dtype in computation.inputs]
    with config.precision(computation.precision):
        with Recording(executing=False) as trace:
            outputs = flatten(computation.function(*inputs))
        calls = _formulas_written(trace.calls)
    return calls, inputs, outputs


def _formulas_written(calls):
    """The calls, with the calls of its formula in the place of each of `_BY_FORMULA`."""
    found = []
    for call in calls:
        if call.op.name in _BY_FORMULA:
            with Recording(executing=False) as trace:
                call.op.formula(*call.inputs, **call.attrs)
            *first, last = trace.calls
            found += [*first, last.replaced(outputs=call.outputs)]
        else:
            found.append(call)
    return found


def _program_of(computation, batch, exact):
    calls, inputs, outputs = _trace(computation, batch)
    calls = cancel_transposes(calls, outputs)
    calls = leave_out_unread(drop_unneeded(calls, outputs), outputs)
    _refuse_states(calls)
    _refuse_nan(calls)
    with config.precision(computation.precision):
        calls = _constants_computed(calls, batch)
    calls = _normalizations_folded(calls, outputs, _CONVOLUTIONS if exact else _KERNELS)
    calls = absorb(calls, outputs, Roots(calls))
    return Program(calls, inputs, outputs, computation, batch)


def _refuse_nan(calls):
    for call in calls:
        for x in call.inputs:
            if isinstance(x, Variable) and np.isnan(x.numpy()).any():
                raise ValueError(
                    f"export: layer {call.scope!r}: expected weights that are numbers, got NaN in "
                    f"one of shape {x.shape}, as a training that diverged leaves it"
                )


def _refuse_states(calls):
    for call in calls:
        if call.op.writes:
            raise ValueError(
                f"export: layer {call.scope!r}: expected a layer whose prediction depends on its "
                f"input alone, got one that changes its state ({call.op.name}), as random and "
                "stateful layers do"
            )


def _constants_computed(calls, batch):
    """The calls without those of constants, whose results become constants."""
    left = []
    for call in calls:
        of_batch = any(_depends_on_batch(y.shape, batch) for y in call.outputs)
        if of_batch or not all(is_constant(x) for x in call.inputs):
            left.append(call)
        else:
            execute(
                call.op, call.inputs, call.outputs, call.attrs, real_of(call.inputs, call.attrs)
            )
    return left


def _depends_on_batch(shape, batch):
    """Whether a size in a shape grows with the batch, of which a number stands for any."""
    return batch in _STAND_INS and any(n and n % batch == 0 for n in shape)


def _normalizations_folded(calls, outputs, kernels):
    """The calls, where a convolution or product with constant weights has the scale and shift of a
    normalization in them that alone reads its result. They are rounded as `predict` rounds them
    (csrc/ops/conv/folded.h)."""
    readers = readers_of(calls, outputs)
    made, found = {}, {}  # calls by the id of their output, and by their own
    for call in calls:
        before = made.get(id(call.inputs[0])) if call.op.name == "scale_shift" else None
        if before is not None and all(is_constant(t) for t in call.inputs[1:]):
            del found[id(before)]
            inputs = [before.inputs[0], *_scaled(before, *call.inputs[1:])]
            call = Call(before.op, inputs, call.outputs, before.attrs, before.scope)
        elif (
            call.op.name in kernels
            and call.attrs["kind"] == 0
            and readers[id(call.outputs[0])] == 1
            and all(is_constant(t) for t in call.inputs[1:])
        ):
            made[id(call.outputs[0])] = call
        found[id(call)] = call
    return list(found.values())


def _scaled(call, scale, shift):
    """The kernel and the bias of a call, constants, with a scale and a shift of their channels."""
    kernel, *bias = (t.numpy() for t in call.inputs[1:])
    scale, shift = scale.numpy(), shift.numpy()
    channels = kernel.shape[2:] if call.op.name == "depthwise_conv2d" else kernel.shape[-1:]
    kernel = kernel * scale.reshape(channels)
    bias = bias[0] * scale + shift if bias else shift
    return [Tensor(a.shape, str(a.dtype), a) for a in (kernel, bias)]


def activations_apart(program, fused):
    """The Program, where the activations of products and convolutions are calls of their own, but
    for those that a format can write as a part of them; and where silu is x * sigmoid(x).

    Parameters
    ----------
    program : Program
    fused : collection of str
        Names of `nnlite.ops.activation.KINDS`.
    """
    kept, calls = {0, *(KINDS[name] for name in fused)}, []
    for call in program.calls:
        if "activation" in call.op.absorbs and call.attrs["kind"] not in kept:
            (y,) = call.outputs
            z = Tensor(y.shape, y.dtype)
            activation = {name: call.attrs[name] for name in ("kind", "alpha")}
            bare = {**call.attrs, "kind": 0, "alpha": 0.0}
            calls.append(Call(call.op, call.inputs, [z], bare, call.scope))
            call = Call(OPS["activation"], [z], [y], activation, call.scope)
        elif call.op.name == "gated_activation" and call.attrs["gate"] == GATES["silu"]:
            (x,), (y,) = call.inputs, call.outputs
            z, sigmoid = Tensor(y.shape, y.dtype), {"kind": KINDS["sigmoid"], "alpha": 0.0}
            calls.append(Call(OPS["activation"], [x], [z], sigmoid, call.scope))
            call = Call(OPS["multiply"], [x, z], [y], {}, call.scope)
        calls.append(call)
    return replace(program, calls=calls)


def refuse_unknown(program, known, writer):
    """Raise a ValueError that names each layer with an op that a writer does not know.

    Parameters
    ----------
    program : Program
    known : collection of str
        Names of ops.
    writer : str
        The format, for the message.
    """
    missing = {}
    for call in program.calls:
        if call.op.name not in known:
            missing.setdefault(call.scope or program.of.name, {})[call.op.name] = call
    if missing:
        listed = "; ".join(f"{scope!r} ({', '.join(ops)})" for scope, ops in missing.items())
        raise ValueError(
            f"export: {writer} cannot hold what these layers compute: {listed}. Nothing was written"
        )
