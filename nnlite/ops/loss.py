"""Cross-entropies that are computed from logits, each by one op."""

from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import Tensor
from nnlite.ops.activation import sigmoid, softmax
from nnlite.ops.elementwise import multiply, subtract
from nnlite.ops.operands import call, operands
from nnlite.ops.reduce import sum as sum_along
from nnlite.ops.shape import one_hot
from nnlite.ops.slicing import expand_dims


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


def _through_softmax(logits, target, dloss, dense):
    target = target if dense else one_hot(target, logits.shape[1], dtype=logits.dtype)
    share = multiply(softmax(logits), sum_along(target, 1, keepdims=True))
    return [multiply(expand_dims(dloss, 1), subtract(share, target))]


Op("softmax_cross_entropy", infer=_infer_softmax, gradient=_softmax_gradient, attrs={"dense": int})
Op(
    "softmax_cross_entropy_gradient",
    infer=lambda logits, target, dloss, **_: [logits],
    attrs={"dense": int},
    in_place=(0,),
    formula=_through_softmax,
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
Op(
    "sigmoid_cross_entropy_gradient",
    infer=_infer_sigmoid,
    in_place=(0, 1, 2),
    formula=lambda z, target, dloss: [multiply(dloss, subtract(sigmoid(z), target))],
)


def sigmoid_cross_entropy(logits, target):
    """-target * log(sigmoid(logits)) - (1 - target) * log(1 - sigmoid(logits)) for each element.

    Parameters
    ----------
    logits, target : tensors of one shape
        Targets in [0, 1].
    """
    return call("sigmoid_cross_entropy", operands(logits, target))
