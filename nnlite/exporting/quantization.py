"""A program in 8-bit integers: which calls run in them, and the scale of each tensor.

The one idea: a value is `scale * (integer - zero)`. Scales of tensors between calls come from the
ranges that rows of data give; those of kernels from the weights, one for each channel. The rules
are TensorFlow Lite's, which microcontrollers' libraries share:
B. Jacob et al.: "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", CVPR 2018; R. Krishnamoorthi: "Quantizing deep convolutional networks for efficient
inference: a whitepaper", arXiv 1806.08342, 2018."""

import math
from typing import NamedTuple

import numpy as np

from nnlite.engine.dispatch import execute
from nnlite.exporting.program import activations_apart, is_constant
from nnlite.ops.activation import GATES, KINDS

LEAST, MOST = -128, 127
# A bias of 30 bits leaves its accumulator room for the products.
_MOST_BIAS = 2**30


class Affine(NamedTuple):
    """How real numbers are integers: value = scale * (integer - zero).

    Attributes
    ----------
    scale : float
        Above 0, a number that float32 holds.
    zero : int in [-128, 127]
        The integer that stands for 0.
    """

    scale: float
    zero: int = 0

    def integers(self, values):
        """The nearest int8 of each value."""
        q = np.round(np.asarray(values, np.float64) / self.scale) + self.zero
        return np.clip(q, LEAST, MOST).astype(np.int8)

    def values(self, integers):
        """The float32 number that each integer stands for."""
        return ((np.asarray(integers, np.int64) - self.zero) * self.scale).astype(np.float32)


class Kernel(NamedTuple):
    """A kernel and a bias in integers.

    Attributes
    ----------
    values : int8 array
        Laid out as the float kernel; between -127 and 127.
    scales : float32 array, shape (channels,)
        Of each channel of the result; the zero is 0.
    bias : int32 array of shape (channels,), or None
        In units of the input's scale times the channel's.
    """

    values: np.ndarray
    scales: np.ndarray
    bias: np.ndarray | None


def affine_of(low, high):
    """The Affine of a range, which is widened to hold 0, so that 0 is exact."""
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = float(np.float32((high - low) / (MOST - LEAST)))
    if not scale > 0:
        return Affine(1.0, 0)
    return Affine(scale, int(np.clip(_rounded(LEAST - low / scale), LEAST, MOST)))


def multiplier_of(real):
    """A positive factor as integers: factor = multiplier * 2^(shift - 31).

    Parameters
    ----------
    real : float

    Returns
    -------
    multiplier : int in [2^30, 2^31), or 0 for factors below 2^-32
    shift : int
    """
    fraction, shift = math.frexp(real)
    multiplier = _rounded(fraction * 2**31)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def _rounded(x):
    """The nearest integer; halves are rounded away from 0."""
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def ranges_of(program, arrays):
    """The least and the largest value of each real tensor that is no constant, over rows; both NaN
    if one value is.

    Parameters
    ----------
    program : Program
        Of one row.
    arrays : list of arrays
        Rows of each input.

    Returns
    -------
    dict of int to (float, float)
        By the id of the tensor.
    """
    of_calls = [t for call in program.calls for t in call.outputs]
    watched = [t for t in (*program.inputs, *of_calls) if t.dtype != "int32"]
    ranges = {}
    try:
        for n in range(len(arrays[0])):
            for t, rows in zip(program.inputs, arrays):
                t._data = np.ascontiguousarray(rows[n : n + 1], t.dtype)
            for c in program.calls:
                execute(c.op, c.inputs, c.outputs, c.attrs, program.of.precision)
            for t in watched:
                if t.size:
                    low, high = ranges.get(id(t), (math.inf, -math.inf))
                    ranges[id(t)] = np.minimum(low, t._data.min()), np.maximum(high, t._data.max())
    finally:
        for t in (*program.inputs, *of_calls):
            t._data = None
    return ranges


def typical_rows(computation):
    """The rows of a Computation that say the ranges of values."""
    if computation.rows is not None:
        return computation.rows
    if computation.samples is not None:
        return computation.samples(100)
    raise ValueError(
        "export: samples: expected rows such as the model will see, as 8-bit integers need the "
        "ranges of values, got None"
    )


class Quantization:
    """What runs in 8-bit integers, and how.

    Products and convolutions with constant kernels do, and embeddings; so does what follows them,
    or leads to them, and has a form. All else stays float. Recurrent layers do, too, but their
    kernels are integers: see `is_hybrid`.

    Parameters
    ----------
    program : Program
        Of one row. Activations other than `FUSED` become calls of their own.
    arrays : list of arrays
        Rows of each input, such as the model will see: their values say the ranges.

    Attributes
    ----------
    program : Program
        The calls to write.
    ranges : dict
        Of `ranges_of`.
    """

    def __init__(self, program, arrays):
        self.program = activations_apart(program, FUSED)
        self.ranges, self._rows = ranges_of(self.program, arrays), len(arrays[0])
        self._readers = {}
        for call in self.program.calls:
            for t in call.inputs:
                self._readers.setdefault(id(t), []).append(call)
        self._hybrid = self._hybrid_calls()
        self._forms = self._integer_calls()
        self._groups = {}
        for call in self.program.calls:
            if form := self._forms.get(id(call)):
                self._relate(call, form)

    def form(self, call):
        """How a call runs in integers.

        Returns
        -------
        str or None
            - 'kernel': a product, convolution or normalization with a `kernel`.
            - 'moved': results and inputs have one Affine, as `read` says; values move unchanged.
            - 'scaled': the integers of the first input are those of the result.
            - 'computed': anything else.
            - None: it stays float.
        """
        form = self._forms.get(id(call))
        return "computed" if isinstance(form, Affine) else form

    def is_hybrid(self, call):
        """Whether a call computes in float with a `kernel` of integers: recurrent layers do, and
        the products of their inputs. Each row that is multiplied is rounded to 127 steps of its
        largest value, to either side, so that the sums are those of integers."""
        return id(call) in self._hybrid

    def of(self, tensor):
        """The Affine of a tensor that an integer call reads or writes; None for others."""
        group = self._groups.get(id(tensor))
        return group and group.affine()

    def of_edge(self, tensor):
        """The Affine of an input or output of the model that shall be integers: `of`, or that of
        its range; None for whole numbers and for values without a range."""
        low, high = self.ranges.get(id(tensor), (math.nan, math.nan))
        known = affine_of(low, high) if math.isfinite(high - low) else None
        return self.of(tensor) or known

    def read(self, call, i):
        """The Affine in which an integer call reads an input: that of the tensor, unless the
        call needs that of its output; then the tensor is requantized before. None of integers and
        of kernels."""
        x = call.inputs[i]
        if x.dtype == "int32" or (i and self.form(call) == "kernel"):
            return None
        if self.form(call) == "moved":
            return self.of(call.outputs[0])
        if is_constant(x):
            values = x.numpy()
            return affine_of(values.min(), values.max())
        return self.of(x)

    def kernel(self, call):
        """The Kernel of a call of that form; of a hybrid one that without its bias."""
        given = call.inputs[1:2] if self.is_hybrid(call) else call.inputs[1:]
        kernel, *bias = (t.numpy().astype(np.float64) for t in given)
        columns = kernel.reshape(
            -1, kernel.shape[-1] if self.is_hybrid(call) else call.outputs[0].shape[-1]
        )
        scales = np.abs(columns).max(0) / MOST
        if bias:  # else the bias of a channel of tiny weights would not fit
            source = self.read(call, 0).scale
            scales = np.maximum(scales, np.abs(bias[0]) / (source * _MOST_BIAS))
        scales = np.where(scales > 0, scales, 1).astype(np.float32)
        values = np.round(columns / scales).clip(-MOST, MOST).astype(np.int8)
        if bias:
            bias = [np.round(bias[0] / (source * scales.astype(np.float64))).astype(np.int32)]
        return Kernel(values.reshape(kernel.shape), scales, bias[0] if bias else None)

    def multipliers(self, call, kernel):
        """Of a call and its Kernel: the (multiplier, shift) of each channel, by which its sums
        become integers of the result."""
        source, target = self.read(call, 0).scale, self.of(call.outputs[0]).scale
        return [multiplier_of(source * float(s) / target) for s in kernel.scales]

    @property
    def share(self):
        """How many steps run in integers, and what says the ranges, in words."""
        calls = self.program.calls
        hybrid, count = len(self._hybrid), sum(self.form(call) is not None for call in calls)
        products = f", of {hybrid} the products alone" if hybrid else ""
        rows = f"{self._rows} row{'s' if self._rows > 1 else ''}"
        return f"{count + hybrid} of {len(calls)} steps{products}, by the ranges of {rows}"

    def _hybrid_calls(self):
        """The ids of recurrent calls whose kernels become integers, and of the products before."""
        calls = self.program.calls
        recurrent = [call for call in calls if call.op.name in _RECURRENT and _of_recurrence(call)]
        inputs, found = {id(call.inputs[0]) for call in recurrent}, {id(call) for call in recurrent}
        for call in calls:
            alone = len(self._readers.get(id(call.outputs[0]), ())) == 1
            if alone and call.op.name == "linear" and id(call.outputs[0]) in inputs:
                finite = np.isfinite(self.ranges.get(id(call.inputs[0]), 0)).all()
                if finite and _finite(call.inputs[1:]) and not call.attrs["kind"]:
                    found.add(id(call))
        return found

    def _integer_calls(self):
        """The form of each call that runs in integers, by its id."""
        calls = self.program.calls
        known = {id(call): form for call in calls if (form := self._possible(call))}
        made = {id(t): call for call in calls for t in call.outputs}
        found = {id(call) for call in calls if id(call) in known and _is_seed(call)}
        for call in calls:
            if id(call) not in known and _is_seed(call) and not self.is_hybrid(call):
                raise ValueError(
                    f"export: layer {call.scope!r}: expected finite values of all samples, and "
                    "finite weights, as their ranges say what integers stand for, got infinity or "
                    "NaN"
                )
        for call in calls:
            before = (made.get(id(t)) for t in call.inputs)
            if id(call) in known and any(id(c) in found for c in before):
                found.add(id(call))
        for call in reversed(calls):
            after = [c for t in call.outputs for c in self._readers.get(id(t), ())]
            ends = any(t is y for t in call.outputs for y in self.program.outputs)
            # A step of a recurrent layer is cut out before it is rounded.
            ends |= call.op.name == "slice" and self.is_hybrid(made.get(id(call.inputs[0])))
            if id(call) in known and after and not ends and all(id(c) in found for c in after):
                found.add(id(call))
        return {i: form for i, form in known.items() if i in found}

    def _possible(self, call):
        """The form of a call, or None if it has none, or a value without a range."""
        form = None if self.is_hybrid(call) else _FORMS.get(call.op.name)
        form = form(call) if callable(form) else form
        reals = [t for t in (*call.inputs, *call.outputs) if t.dtype != "int32"]
        values = (t.numpy() if is_constant(t) else self.ranges.get(id(t), math.nan) for t in reals)
        return form if all(np.isfinite(v).all() for v in values) else None

    def _relate(self, call, form):
        """Say what a call demands of the Affines of its tensors."""
        y = self._group(call.outputs[0])
        inputs = [t for t in call.inputs if t.dtype != "int32"]
        groups = [self._group(x) for x in inputs if not is_constant(x)]
        if isinstance(form, Affine):
            y.settled = lambda: form
        elif form == "scaled":
            x, factor = call.inputs[0], _factor(call)
            # Its group may be taken in by another later.
            y.settled = lambda: self.of(x)._replace(
                scale=float(np.float32(self.of(x).scale * factor))
            )
        elif form == "moved":
            for x in inputs:
                if is_constant(x):
                    y.hold(x.numpy())
            for x in groups:
                if not x.settled or len(inputs) == 1:  # else it is requantized
                    y.join(x, self._groups)

    def _group(self, tensor):
        if id(tensor) not in self._groups:
            group = self._groups[id(tensor)] = _Group(tensor)
            group.hold(self.ranges[id(tensor)])
        return self._groups[id(tensor)]


class _Group:
    """Tensors of one Affine: that of the range which holds all their values, or a settled one.

    Attributes
    ----------
    members : list of int
        The ids of the tensors.
    settled : function or None
        Gives the Affine.
    """

    def __init__(self, tensor):
        self.members, self.settled = [id(tensor)], None
        self.low = self.high = 0.0

    def hold(self, values):
        self.low, self.high = min(self.low, np.min(values)), max(self.high, np.max(values))

    def join(self, other, groups):
        """Take in another group."""
        if other is not self:
            self.hold((other.low, other.high))
            self.settled = self.settled or other.settled
            self.members += other.members
            groups.update((i, self) for i in other.members)

    def affine(self):
        return self.settled() if self.settled else affine_of(self.low, self.high)


# --- the forms of calls, by the names of their ops: a form, an Affine that results always have, or
# a function of the call which gives one of them, or None

_PROBABILITY, _SYMMETRIC = Affine(1 / 256, LEAST), Affine(1 / 128, 0)


def _of_kernel(call):
    return "kernel" if all(is_constant(t) and t.size for t in call.inputs[1:]) else None


def _finite(tensors):
    """Whether tensors are constants that integers can stand for."""
    return all(is_constant(t) and t.size and np.isfinite(t.numpy()).all() for t in tensors)


def _of_recurrence(call):
    return not call.attrs["drop"] and _finite(call.inputs[1:2])


def _is_seed(call):
    """Whether a call is worth a step into integers and back."""
    if call.op.name == "gather":  # an embedding
        return len(call.inputs) == 2 and is_constant(call.inputs[0]) and _of_moved(call)
    return call.op.name in ("linear", "conv2d", "depthwise_conv2d") and _of_kernel(call)


def _of_moved(call):
    return "moved" if call.outputs[0].dtype != "int32" else None


def _of_product(call):
    if 2.0**-60 < _factor(call) < 2.0**60:
        return "scaled"
    return "computed" if call.op.name == "multiply" else None


def _factor(call):
    """The number by which a product or a quotient multiplies its first input; 0 if it is none."""
    x, factor = call.inputs
    if x.shape != call.outputs[0].shape or not is_constant(factor) or factor.size != 1:
        return 0.0
    factor = float(factor.numpy().reshape(()))
    return factor if call.op.name == "multiply" else 1 / factor if factor else 0.0


def _of_activation(call):
    plain = call.attrs["kind"] != KINDS["elu"] or call.attrs["alpha"] == 1
    return _ACTIVATIONS.get(call.attrs["kind"]) if plain else None


def _of_gate(call):
    return "computed" if call.attrs["gate"] in _GATES else None


_ACTIVATIONS = {
    KINDS["relu"]: "computed",
    KINDS["leaky_relu"]: "computed",
    KINDS["capped_relu"]: "computed",
    KINDS["elu"]: "computed",
    KINDS["sigmoid"]: _PROBABILITY,
    KINDS["tanh"]: _SYMMETRIC,
}
_GATES = GATES["hard_silu"], GATES["gelu"]
_RECURRENT = "gru", "lstm", "simple_rnn"
# The activations that products and convolutions apply as they round their sums.
FUSED = ("relu", "capped_relu")
_FORMS = {
    "activation": _of_activation,
    "add": "computed",
    "average_pool2d": _of_moved,
    "broadcast_to": _of_moved,
    "concatenate": _of_moved,
    "conv2d": _of_kernel,
    "depthwise_conv2d": _of_kernel,
    "divide": _of_product,
    "gated_activation": _of_gate,
    "gather": _of_moved,
    "linear": _of_kernel,
    "max_pool2d": _of_moved,
    "maximum": _of_moved,
    "minimum": _of_moved,
    "multiply": _of_product,
    "pad2d": _of_moved,
    "reduce_max": _of_moved,
    "reduce_sum": "computed",
    "reshape": _of_moved,
    "scale_shift": _of_kernel,
    "slice": _of_moved,
    "softmax": _PROBABILITY,
    "subtract": "computed",
    "transpose": _of_moved,
}
