"""What tests of kernels share: a kernel between guard bytes, and how far it is from the oracle."""

import math

import numpy as np
import oracle
import oracle_conv
import oracle_images
import oracle_tables
import oracle_warps
from all_ops import OPS
from cases import ULP

from nnlite.engine import dispatch

ORACLE = (
    oracle.ORACLE
    | oracle_images.ORACLE
    | oracle_conv.oracle(oracle.activate)
    | oracle_tables.ORACLE
    | oracle_warps.ORACLE
)

# What reads memory as an instruction set orders it: test_constants.py and test_chains.py of
# tests/engine.
PACKED = {"pack_kernel", "conv2d_packed", "linear_packed", "conv2d_chain"}
KERNELS = sorted(name for name, op in OPS.items() if not op.view and name not in PACKED)
ISAS = list(dict.fromkeys(e.isa for e in dispatch._all_engines))


def engine(isa, real):
    """One of the engines of this build."""
    return next(e for e in dispatch._all_engines if (e.isa, e.real) == (isa, real))


class Guarded:
    """Arrays between bytes that nobody may touch, off every alignment but their own."""

    def __init__(self):
        self.made = []

    def array(self, shape, dtype):
        """An array full of 0xA5 bytes, like everything around it."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        raw = np.full(size + 320, 0xA5, np.uint8)
        start = -raw.ctypes.data % 64 + 128 + 8
        self.made.append((raw, start, start + size))
        return raw[start : start + size].view(dtype).reshape(shape)

    def copy(self, values):
        """A guarded copy."""
        made = self.array(values.shape, values.dtype)
        made[...] = values
        return made

    def intact(self):
        """Whether everything around the arrays is as it was."""
        return all((raw[:a] == 0xA5).all() and (raw[b:] == 0xA5).all() for raw, a, b in self.made)


def result_types(op, real, attrs):
    """dtype of each output."""
    return [
        {"real": real, "int32": "int32", "given": attrs.get("dtype")}[kind] for kind in op.outputs
    ]


def run(name, case, isa, real, threads=1):
    """(outputs and then overwritten inputs, position of the first bad index or -1) of one call."""
    op, e, guarded = OPS[name], engine(isa, real), Guarded()
    attrs, given = case.attrs_for(real), case.arrays(real)
    inputs = [guarded.copy(a) for a in given]
    shapes = op.infer(*[a.shape for a in inputs], **attrs)
    outputs = [guarded.array(s, d) for s, d in zip(shapes, result_types(op, real, attrs))]
    bad = e.call(e.op_ids[name], inputs, outputs, op.c_attrs(attrs), threads)
    assert guarded.intact(), f"{name}: wrote outside of its arrays for {[a.shape for a in given]}"
    for i, (a, before) in enumerate(zip(inputs, given)):
        assert i in op.writes or same_bits(a, before), f"{name}: changed input {i}"
    return [*outputs, *(inputs[i] for i in op.writes)], -1 if bad is None else bad[0]


def wider(real):
    """A type of more digits, of float64 where the platform has one."""
    return np.longdouble if real == "float64" else np.float64


def expected(name, case, real):
    """The oracle's results, in a wider type."""
    wide = wider(real)
    inputs = []
    for a in case.arrays(real):
        if a.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                a = np.where(np.abs(a) < np.finfo(real).tiny, np.copysign(0, a), a).astype(wide)
        inputs.append(a)
    with np.errstate(all="ignore"):
        want = ORACLE[name](inputs, case.attrs_for(real))
        scale = None if case.scale is None else case.scale(inputs, want[0])
    return [np.asarray(w) for w in want], scale


def same_bits(a, b):
    """Bitwise equal; any NaN equals any other."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.tobytes() == b.tobytes():
        return True
    whole = np.dtype(f"i{a.dtype.itemsize}")
    same = np.ascontiguousarray(a).view(whole) == np.ascontiguousarray(b).view(whole)
    return a.dtype.kind == "f" and bool((same | (np.isnan(a) & np.isnan(b))).all())


def ulp_off(got, want, scale, real):
    """How far each number is from what it should be, in units of the last place of `scale`."""
    if got.dtype.kind != "f":
        return np.where(got == want, 0.0, np.inf)
    want = want.astype(wider(real))
    with np.errstate(all="ignore"):
        rounded = want.astype(real)
        size = np.abs(want if scale is None else np.maximum(scale, np.abs(want))).astype(real)
        tiny = np.finfo(real).tiny
        unit = np.spacing(np.clip(size, tiny, np.finfo(real).max))
        off = np.abs(got - want) / unit
        # Denormals, of the result or on the way to it, may be zero.
        near_zero = (np.abs(want) < 4 * tiny) & (np.abs(got) <= 4 * tiny)
        same = (
            (np.isnan(got) & np.isnan(want)) | (got == rounded) & ~np.isfinite(rounded) | near_zero
        )
        exact = (got == rounded) & np.isfinite(rounded)
        off = np.where(exact & (scale is None), np.minimum(off, 0.5), off)
    return np.where(same, 0, np.where(np.isnan(off), np.inf, off)).astype(np.float64)


def check(name, case, results, real, right, isa):
    """Raise AssertionError if a result of an instruction set is further off what `expected` says
    than ULP allows."""
    want, scale = right
    if "accumulate" in name:  # how a sum is split into two numbers is the kernel's own matter
        results = [results[0].astype(np.float64).reshape(-1, 2).sum(axis=1)]
        want, real = [want[0].reshape(-1, 2).sum(axis=1)], "float64"
    assert len(results) == len(want)
    for k, (got, w) in enumerate(zip(results, want)):
        assert got.shape == w.shape, (k, got.shape, w.shape)
        off = ulp_off(got, w, scale[k] if isinstance(scale, tuple) else scale, real)
        limit = ULP[name]
        if off.size and off.max() > limit:
            i = np.unravel_index(off.argmax(), off.shape)
            around = [a[i] if a.shape == off.shape else a.shape for a in case.arrays(real)]
            raise AssertionError(
                f"{name}, {isa}: {off.max():.3g} ulp off at {i} (limit {limit}): got {got[i]!r}, "
                f"expected {w[i]!r}, inputs {around}, attrs {case.attrs}"
            )
