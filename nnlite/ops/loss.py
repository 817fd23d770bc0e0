"""Cross-entropies that are computed from logits, each by one op."""

from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import Tensor
from nnlite.ops.operands import call, operands


def _infer_softmax(logits, target, dense):
    if len(logits) != 2 or logits[1] == 0:
        raise ValueError(
            f"softmax_cross_entropy: expected logits of shape (rows, classes), got {logits}"
        )
    expected = logits if dense else logits[:1]
    if target != expected:
        raise ValueError(
            f"expected targets of shape {expected} for outputs of shape {logits}, got {target}"
        )
    return [logits[:1]]


def _softmax_gradient(c, dloss, need):
    logits, target = c.inputs
    return [call("softmax_cross_entropy_gradient", [logits, target, dloss], **c.attrs), None]


Op("softmax_cross_entropy", infer=_infer_softmax, gradient=_softmax_gradient, attrs={"dense": int})
Op(
    "softmax_cross_entropy_gradient",
    infer=lambda logits, target, dloss, **_: [logits],
    attrs={"dense": int},
    in_place=(0,),
)


def softmax_cross_entropy(logits, target):
    """-sum(target * log(softmax(logits))) for each row.

    Parameters
    ----------
    logits : tensor, shape (N, L)
    target : int32 tensor of shape (N,), or real tensor of shape (N, L)
        Labels in [0, L), or a distribution over the L classes for each row.

    Returns
    -------
    Tensor, shape (N,)
    """
    dense = not (isinstance(target, Tensor) and target.dtype == "int32")
    inputs = operands(logits, target) if dense else [*operands(logits), target]
    return call("softmax_cross_entropy", inputs, dense=int(dense))


def _infer_sigmoid(logits, target, *_):
    if logits != target:
        raise ValueError(f"expected targets of shape {logits}, got {target}")
    return [logits]


def _sigmoid_gradient(c, dloss, need):
    return [call("sigmoid_cross_entropy_gradient", [*c.inputs, dloss]), None]


Op("sigmoid_cross_entropy", infer=_infer_sigmoid, gradient=_sigmoid_gradient, in_place=(0, 1))
Op("sigmoid_cross_entropy_gradient", infer=_infer_sigmoid, in_place=(0, 1, 2))


def sigmoid_cross_entropy(logits, target):
    """-target * log(sigmoid(logits)) - (1 - target) * log(1 - sigmoid(logits)) for each element.

    Parameters
    ----------
    logits, target : tensors of one shape
        Targets in [0, 1].
    """
    return call("sigmoid_cross_entropy", operands(logits, target))
