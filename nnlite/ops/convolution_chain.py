"""The row of convolutions that are one op; engine/chains.py makes calls of it, in plans."""

import math


def chain_row(depthwise):
    """What the row says, by the attributes of a depthwise convolution's row: see
    csrc/ops/conv/chain.c."""
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
    }


def _infer(x, *_, out_h, out_w, features, **__):
    return [(x[0], out_h, out_w, features)]


def _work(inputs, outputs):
    x, *others = inputs
    kernels = sum(math.prod(shape) for shape in others if len(shape) == 4)
    return math.prod(x[:3]) * kernels
