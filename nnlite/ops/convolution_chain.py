"""Chains of convolutions that a plan computes as one op, `conv2d_chain`.

A depthwise convolution does little with each number of its images, so moving them takes most of its
time. Before and behind it often stand convolutions of single pixels, which widen and narrow the
images. In a chain of two or all three a thread computes some rows at a time, and what lies between
is never stored: see csrc/ops/conv/chain.c. The bits stay the same."""

import math

from nnlite.engine.constants import packed
from nnlite.engine.dispatch import OPS

# The fewest elements between two convolutions of a chain. Fewer are still in the second cache when
# they are read.
LEAST_BETWEEN = 1 << 17
# The most elements of a kernel of single pixels. It is read again for each few rows, and so has to
# stay in the second cache beside them; the product with a larger one takes most of the time anyway.
LARGEST_KERNEL = 1 << 17
# Chains by the kinds of their convolutions: of single pixels, and depthwise.
CHAINS = ("pd", "dp", "pdp")


def chain_row(depthwise):
    """The row, by the attributes of a depthwise convolution's row."""
    activation = {"kind": int, "alpha": float}
    return {
        "infer": _infer,
        "work": _work,
        "attrs": {
            **{f"widen_{name}": kind for name, kind in activation.items()},
            **depthwise,
            **{f"narrow_{name}": kind for name, kind in activation.items()},
            "depthwise": int,
            "narrow": int,
            "features": None,
        },
        "by_sample": (0,),
        "joins": (_continues, _as_one),
    }


def _infer(x, *_, out_h, out_w, features, **__):
    return [(x[0], out_h, out_w, features)]


def _work(inputs, outputs):
    x, *others = inputs
    kernels = sum(math.prod(shape) for shape in others if len(shape) == 4)
    return math.prod(x[:3]) * kernels


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
    """Whether a call had better be one with the calls before it, if there are any."""
    kinds = [_kind(c) for c in (*calls, call)]
    if not calls or not all(kinds):
        return all(kinds)
    return "".join(kinds) in CHAINS and call.inputs[0].size >= LEAST_BETWEEN


def _as_one(calls, panel):
    """The calls that do what some of them do: those that pack kernels, and the chain."""
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
