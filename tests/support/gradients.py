"""What tests of gradients share: a gradient rule held against central differences."""

import numpy as np
import samples
from all_ops import OPS
from cases_gradients_images import OUTPUTS

from nnlite import ops
from nnlite.autodiff import GradientTape
from nnlite.engine import dispatch
from nnlite.engine.tensor import Tensor


def tensors(arrays):
    """Arrays as Tensors, real ones in float64."""
    arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in map(np.asarray, arrays)]
    return [Tensor(a.shape, str(a.dtype), a) for a in arrays]


def value(name, smooth, inputs):
    """The op's outputs projected to a scalar, whose gradient depends on all of their elements."""
    total = ops.zeros(())
    for y in dispatch.apply(OPS[name], inputs, smooth.attrs)[: OUTPUTS.get(name, 1)]:
        total = total + ops.sum(y * samples.rng("projection", y.shape).standard_normal(y.shape))
    return total


def first_gradient(name, smooth, inputs):
    """The gradients with respect to `wrt`, projected to a scalar tensor."""
    with GradientTape() as tape:
        target = value(name, smooth, inputs)
    sources = [inputs[i] for i in smooth.wrt]
    grads = tape.gradient(target, sources)
    total = ops.zeros(())
    for k, (g, x) in enumerate(zip(grads, sources)):
        if g is not None:
            total = total + ops.sum(g * samples.rng("second", k).standard_normal(x.shape))
    return total


def check_gradient(function, smooth):
    """Gradients against central differences, along one random direction of each input."""
    inputs = tensors(smooth.inputs)
    with GradientTape() as tape:
        target = function(inputs)
    sources = [inputs[i] for i in smooth.wrt]
    for i, x, g in zip(smooth.wrt, sources, tape.gradient(target, sources)):
        direction = samples.rng("direction", i, x.shape).standard_normal(x.shape)
        grad = np.zeros(x.shape) if g is None else g.numpy()
        assert grad.shape == x.shape
        step = 1e-5
        around = []
        for sign in (1, -1):
            moved = list(inputs)
            moved[i] = tensors([x.numpy() + sign * step * direction])[0]
            around.append(function(moved).item())
        numerical = (around[0] - around[1]) / (2 * step)
        size = max(np.abs(grad * direction).sum(), np.abs(around).max(), 1e-3)
        assert abs((grad * direction).sum() - numerical) <= 1e-7 * size, (i, x.shape, smooth.attrs)
