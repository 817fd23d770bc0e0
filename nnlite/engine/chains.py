"""Chains of convolutions that a plan computes as one op, `conv2d_chain`.

A depthwise convolution does little with each number of its images, so moving them takes most of its
time. Before and behind it often stand convolutions of single pixels, which widen and narrow the
images. In a chain of two or all three a thread computes some rows at a time, and what lies between
is never stored: see csrc/ops/conv/chain.c. The bits stay the same."""

from dataclasses import dataclass

from nnlite.engine.constants import packed
from nnlite.engine.dispatch import OPS
from nnlite.engine.passes import alike, forget_overwritten, readers_of

# The fewest elements between two convolutions of a chain. Fewer are still in the second cache when
# they are read.
LEAST_BETWEEN = 1 << 17
# The most elements of a kernel of single pixels. It is read again for each few rows, and so has to
# stay in the second cache beside them; the product with a larger one takes most of the time anyway.
LARGEST_KERNEL = 1 << 17
# Chains by the kinds of their convolutions: of single pixels, and depthwise.
CHAINS = ("pd", "dp", "pdp")


@dataclass
class _Run:
    """Calls of which each alone reads what the one before makes."""

    calls: list

    @property
    def reads(self):
        return [t for call in self.calls for t in call.reads]


def join_convolutions(calls, results, roots, panel):
    """The calls, where chains of convolutions are one.

    Parameters
    ----------
    panel : int
        The columns of a panel of a packed kernel.
    """
    readers = readers_of(calls, results)
    waiting, found = {}, {}  # runs by the id of what they make, and by their own
    for call in calls:
        before, run = waiting.pop(id(call.inputs[0]), None) if call.inputs else None, _Run([call])
        if before is not None and _continues(before.calls, call):
            del found[id(before)]
            run = _Run([*before.calls, call])
        found[id(run)] = run
        forget_overwritten(waiting, call, roots)
        if _kind(call) and readers[id(call.outputs[0])] == 1:
            waiting[id(call.outputs[0])] = run
    return [c for run in found.values() for c in _as_one(run.calls, panel)]


def _kind(call):
    """'d': a depthwise convolution; 'p': one of single pixels with a small kernel; '': another."""
    if call.op.name == "depthwise_conv2d":
        return "d"
    if call.op.name not in ("conv2d", "conv2d_packed"):
        return ""
    x, kernel = call.inputs[:2]
    pixels = kernel.shape[:2] == (1, 1) and x.shape[:3] == call.outputs[0].shape[:3]
    whole = call.attrs["groups"] == 1 and not call.attrs["pad_top"] and not call.attrs["pad_left"]
    return "p" if pixels and whole and kernel.size <= LARGEST_KERNEL else ""


def _continues(calls, call):
    """Whether a call had better be one with the calls before it."""
    kinds = "".join(_kind(c) for c in (*calls, call))
    return kinds in CHAINS and call.inputs[0].size >= LEAST_BETWEEN and alike(calls[-1], call)


def _as_one(calls, panel):
    """The calls of a run: those that pack kernels, and the chain."""
    if len(calls) == 1:
        return calls
    packing, parts = [], {"widen": None, "depthwise": None, "narrow": None}
    for call in calls:
        name = "depthwise" if _kind(call) == "d" else "narrow" if parts["depthwise"] else "widen"
        if call.op.packs:
            pack, call = packed(call, panel)
            packing.append(pack)
        parts[name] = call
    inputs, places, attrs = calls[0].inputs[:1], {}, {**parts["depthwise"].attrs}
    for name, part in parts.items():
        places[name] = len(inputs)
        inputs = [*inputs, *(part.inputs[1:] if part else [])]
        if name != "depthwise":
            attrs[f"{name}_kind"] = part.attrs["kind"] if part else 0
            attrs[f"{name}_alpha"] = part.attrs["alpha"] if part else 0.0
    attrs |= {
        "depthwise": places["depthwise"],
        "narrow": places["narrow"],
        "features": calls[-1].outputs[0].shape[3],
    }
    return [*packing, calls[-1].replaced(op=OPS["conv2d_chain"], inputs=inputs, attrs=attrs)]
