"""Cross-entropies of logits, each as one op, and the exact running sums that metrics are made
of."""

from nnlite.dispatch import OPS, Op, apply
from nnlite.ops.operands import call, operands
from nnlite.tensor import Tensor


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
)


def softmax_cross_entropy(logits, target):
    """-sum(target * log(softmax(logits))) for each row.

    Parameters
    ----------
    logits : tensor, shape (N, L)
    target : int32 tensor of shape (N,), or real tensor of shape (N, L)
        Labels in [0, L), or a distribution over classes for each row.

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


Op("sigmoid_cross_entropy", infer=_infer_sigmoid, gradient=_sigmoid_gradient)
Op("sigmoid_cross_entropy_gradient", infer=_infer_sigmoid)


def sigmoid_cross_entropy(logits, target):
    """-target * log(sigmoid(logits)) - (1 - target) * log(1 - sigmoid(logits)), element by
    element."""
    return call("sigmoid_cross_entropy", operands(logits, target))


def _infer_accumulate(state, values, weights=None):
    if state != (4,):
        raise ValueError(f"accumulate: expected a state of shape (4,), got {state}")
    if weights is not None and weights != values:
        raise ValueError(f"accumulate: expected weights of shape {values}, got {weights}")
    return []


Op("accumulate", infer=_infer_accumulate, outputs=(), writes=(0,))


def accumulate(state, values, weights=None):
    """Add to a running weighted sum and to its count, losing nothing to rounding over millions of
    batches.

    Parameters
    ----------
    state : Variable, shape (4,)
        sum, what rounding took from it, count, what rounding took from that.
    values : tensor of n elements
    weights : tensor of n elements, optional
    """
    inputs = [state, *operands(values)] if weights is None else [state, *operands(values, weights)]
    apply(OPS["accumulate"], inputs, {})
