"""Programs of float64 in float32, for formats and machines that have no other."""

from dataclasses import replace

import numpy as np

from nnlite.engine.dispatch import Call
from nnlite.engine.tensor import Tensor
from nnlite.exporting.program import is_constant
from nnlite.ops.rows import SOURCE_CODES, split


def narrowed(program):
    """The Program in float32: constants are rounded, and so is what is computed. One of float32
    stays as it is. Columns keep the scale that they had (`standardize` computes in float64)."""
    if program.of.precision == "float32":
        return program
    known = {}

    def narrow(t):
        if t.dtype != "float64":
            return t
        if id(t) not in known:
            values = t.numpy().astype(np.float32) if is_constant(t) else None
            known[id(t)] = t, Tensor(t.shape, "float32", values)
        return known[id(t)][1]

    calls = []
    for call in program.calls:
        inputs, attrs = [narrow(t) for t in call.inputs], dict(call.attrs)
        if call.op.name == "standardize" and all(is_constant(t) for t in call.inputs[1:3]):
            mean, rest = (t.numpy() for t in call.inputs[1:3])
            parts = split(mean + rest, "float32")
            inputs[1:3] = [Tensor(part.shape, "float32", part) for part in parts]
        if "code" in attrs and call.inputs[0].dtype == "float64":
            attrs |= {"code": SOURCE_CODES["float32"], "row_bytes": attrs["row_bytes"] // 2}
        if attrs.get("dtype") == "float64":
            attrs["dtype"] = "float32"
        calls.append(Call(call.op, inputs, [narrow(t) for t in call.outputs], attrs, call.scope))
    described = [(n, s, "float32" if d == "float64" else d) for n, s, d in program.of.inputs]
    return replace(
        program,
        calls=calls,
        inputs=[narrow(t) for t in program.inputs],
        outputs=[narrow(t) for t in program.outputs],
        of=replace(program.of, precision="float32", inputs=described),
    )
