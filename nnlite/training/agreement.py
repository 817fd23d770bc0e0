"""Agreement: whether an output, its loss, its targets and its metrics fit together.

What does not fit trains all the same, but to something else than was meant. `fit` warns of it once,
and `nnlite.doctor` lists it. What an output is follows from the op that made it: an output of any
other making is never complained about.
"""

from typing import NamedTuple

import numpy as np

from nnlite import warn
from nnlite.engine.recording import producer
from nnlite.losses.loss import Loss, LossFunctionWrapper
from nnlite.metrics.accuracy import (
    Accuracy,
    AccuracyByShape,
    BinaryAccuracy,
    CategoricalAccuracy,
)
from nnlite.ops.activation import GATES, KINDS

LOOKED_AT = 20_000  # numbers among the targets, at most

# Functions of `nnlite.losses`, by name.
CATEGORICAL = {
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "sparse_categorical_crossentropy",
}
BINARY = {"binary_crossentropy", "binary_focal_crossentropy"}
REGRESSION = {
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "quantile",
}
# The losses that repeat targets, or outputs, until their shapes agree.
BROADCASTING = REGRESSION | {
    "categorical_hinge",
    "cosine_similarity",
    "hinge",
    "kl_divergence",
    "poisson",
    "squared_hinge",
}
# What targets may be, for the losses that mean nothing beyond it.
TARGET_RANGES = {
    "binary_crossentropy": (0, 1),
    "binary_focal_crossentropy": (0, 1),
    "categorical_crossentropy": (0, 1),
    "categorical_focal_crossentropy": (0, 1),
    "categorical_hinge": (0, 1),
    "hinge": (-1, 1),
    "kl_divergence": (0, 1),
    "poisson": (0, np.inf),
    "squared_hinge": (-1, 1),
}
# The names of disagreements that make a loss NaN.
MAKES_NAN = {"logits taken as probabilities", "logarithm of outputs below 0"}
ACCURACIES = (Accuracy, AccuracyByShape, BinaryAccuracy, CategoricalAccuracy)

PROBABILITIES = {"softmax", "sigmoid", "hard_sigmoid", "capped_relu"}  # activations from 0 to 1

_KINDS, _GATES = list(KINDS), list(GATES)
MAKING = {  # by op, from its attributes: the activation that its output is the result of
    "activation": lambda attrs: _KINDS[attrs["kind"]],
    "conv2d": lambda attrs: _KINDS[attrs["kind"]],
    "depthwise_conv2d": lambda attrs: _KINDS[attrs["kind"]],
    "gated_activation": lambda attrs: _GATES[attrs["gate"]],
    "linear": lambda attrs: _KINDS[attrs["kind"]],
    "log_softmax": lambda attrs: "log_softmax",
    "matmul": lambda attrs: "linear",
    "softmax": lambda attrs: "softmax",
}


class Disagreement(NamedTuple):
    """Something about an output that does not fit.

    Attributes
    ----------
    name : str
        What kind of fault it is; the same for all faults of the kind.
    figure : str
        What was seen.
    cure : str
    """

    name: str
    figure: str
    cure: str


def activation_of(y, recorded=None):
    """The name of the activation that an output is the result of.

    Parameters
    ----------
    y : Tensor
    recorded : list of Call, optional
        The op calls to look for its making in; by default those that this thread is recording.

    Returns
    -------
    str or None
        'softmax', 'sigmoid', 'relu', ..., 'linear' for a product with weights; None if it was made
        in another way, or if it is not known how.
    """
    while y.logits is None:
        call = producer(y, recorded)
        if call is None or not call.op.view:
            making = None if call is None else MAKING.get(call.op.name)
            return None if making is None else making(call.attrs)
        y = call.inputs[0]
    return y.logits[0]


def function_of(loss):
    """The name of the function of `nnlite.losses` that a loss computes; None for any other loss."""
    if loss is None or type(loss).call not in (Loss.call, LossFunctionWrapper.call):
        return None
    function = getattr(loss, "fn", None) or type(loss).function
    ours = str(getattr(function, "__module__", None)).startswith("nnlite.losses.")
    return function.__name__ if ours else None


def of_output(loss, target_shape, output_shape, activation):
    """The disagreements that shapes and the last activation show.

    Parameters
    ----------
    loss : Loss
    target_shape, output_shape : tuple
        Of a batch.
    activation : str or None
        As `activation_of` tells it.

    Returns
    -------
    list of Disagreement
    """
    function = function_of(loss)
    axis = getattr(loss, "axis", -1) if function in CATEGORICAL else -1
    units = output_shape[axis] if len(output_shape) > 1 else 1
    found = []
    if units == 1 and (activation == "softmax" or function in CATEGORICAL):
        found.append(_of_one_unit(loss, activation))
    elif function in CATEGORICAL and activation == "sigmoid":
        found.append(
            Disagreement(
                "loss and output layer",
                f"the {units} outputs are sigmoids, each on its own, but {loss.name} expects "
                "probabilities that sum to 1",
                "end with activation='softmax' if each row has one class, or take "
                "binary_crossentropy if it may have several labels",
            )
        )
    if function in CATEGORICAL | BINARY and activation is not None:
        if getattr(loss, "from_logits", False):
            if activation in ("softmax", "sigmoid"):
                found.append(
                    Disagreement(
                        "probabilities taken as logits",
                        f"the outputs are those of a {activation}, but {loss.name} has "
                        "from_logits=True",
                        f"remove from_logits=True, or the {activation}",
                    )
                )
        elif activation not in PROBABILITIES and not (units == 1 and function in CATEGORICAL):
            found.append(_of_logits(loss, function, activation))
    if function == "poisson" and activation == "linear":
        found.append(_of_negative_outputs(loss))
    if function in BROADCASTING and _is_broadcast(target_shape[1:], output_shape[1:]):
        found.append(_of_shapes(loss, target_shape[1:], output_shape[1:]))
    return found


def _of_one_unit(loss, activation):
    cure = (
        "end with Dense(1, activation='sigmoid') under binary_crossentropy, or with one unit for "
        "each class"
    )
    if activation == "softmax":
        figure = "the softmax of a single unit is 1 for every row, whatever the weights are"
        return Disagreement("one-unit softmax", figure, cure)
    figure = f"{loss.name} of a single output is 0 for every row, as there is but one class"
    return Disagreement("loss and output layer", figure, cure)


def _of_logits(loss, function, activation):
    made = "a layer without an activation" if activation == "linear" else f"a {activation}"
    own = "softmax" if function in CATEGORICAL else "sigmoid"
    name = "".join(word.capitalize() for word in function.split("_"))
    return Disagreement(
        "logits taken as probabilities",
        f"the outputs are those of {made}, but {loss.name} takes them as probabilities",
        f"end with activation='{own}', or without one and with the loss {name}(from_logits=True)",
    )


def _of_negative_outputs(loss):
    return Disagreement(
        "logarithm of outputs below 0",
        "the outputs are those of a layer without an activation, which may be below 0, but "
        f"{loss.name} takes their logarithm",
        "end with activation='exponential' or 'softplus'",
    )


def _is_broadcast(targets, outputs):
    """Whether rows of these shapes are repeated before they are compared."""
    if len(targets) == len(outputs) - 1 and outputs[-1] == 1:
        outputs = outputs[:-1]
    elif len(outputs) == len(targets) - 1 and targets[-1] == 1:
        targets = targets[:-1]
    return targets != outputs


def _of_shapes(loss, targets, outputs):
    def shown(shape):
        return f"(N, {', '.join(map(str, shape))})" if shape else "(N,)"

    if len(outputs) == 1 and outputs[0] > 1 and targets in ((), (1,)):
        cure = (
            f"give y a column for each of the {outputs[0]} outputs, or end with one unit; labels "
            "of classes go with sparse_categorical_crossentropy"
        )
    elif outputs in ((), (1,)) and len(targets) == 1:
        cure = f"end with {targets[0]} units, one for each column of y"
    else:
        cure = "give y the shape of the outputs, or the outputs that of y"
    return Disagreement(
        "targets and outputs",
        f"targets of shape {shown(targets)} are compared with outputs of shape {shown(outputs)}: "
        f"{loss.name} repeats them until the shapes agree",
        cure,
    )


def of_targets(objective, y, output_shape):
    """The disagreements that targets show, of which at most `LOOKED_AT` numbers are looked at.

    Parameters
    ----------
    objective : Objective
    y : array
        The targets of many rows.
    output_shape : tuple

    Returns
    -------
    list of Disagreement
    """
    function, found = function_of(objective.loss), []
    if _is_broadcast(y.shape[1:], tuple(output_shape[1:])):
        return found  # that is the fault: see `of_output`
    y = some_rows(y)
    if function in TARGET_RANGES:
        low, high = TARGET_RANGES[function]
        least, most = y.min(), y.max()
        if least < low - 1e-6 or most > high + 1e-6:
            found.append(_of_range(objective.loss, y, (least, most), (low, high)))
    measured = (*objective.metrics, *objective.weighted_metrics)
    if (
        function in REGRESSION
        and any(isinstance(m, ACCURACIES) for m in measured)
        and not _are_labels(y)
    ):
        name = next(m.name for m in measured if isinstance(m, ACCURACIES))
        odd = y[(y != 0) & (y != 1)].flat[0]
        found.append(
            Disagreement(
                "accuracy of a regression",
                f"{name!r} counts outputs of the right class, but y holds numbers such as "
                f"{odd:.4g}",
                "take metrics=['mae'] or metrics.R2Score(), or a loss of classes if y are classes",
            )
        )
    return found


def some_rows(y):
    """Rows of an array from its beginning to its end, of at most `LOOKED_AT` numbers."""
    return y[:: -(-y.size // LOOKED_AT)] if y.size > LOOKED_AT else y


def _are_labels(y):
    """Whether targets are 0 and 1, or rows of probabilities."""
    if ((y == 0) | (y == 1)).all():
        return True
    return y.ndim > 1 and y.shape[-1] > 1 and np.allclose(y.sum(axis=-1), 1, atol=1e-3)


def _of_range(loss, y, seen, expected):
    low, high = expected
    if seen == (-1, 1) and low == 0:
        cure = "take (y + 1) / 2 as targets, or the loss 'hinge' and no activation"
    elif y.size == len(y) and seen[0] >= 0 and (y == np.trunc(y)).all() and high == 1:
        cure = (
            f"for {int(seen[1]) + 1} classes, end with one unit for each and a softmax, under "
            "sparse_categorical_crossentropy"
        )
    else:
        cure = "scale the targets, or take a loss for numbers such as 'mse'"
    return Disagreement(
        "range of the targets",
        f"y goes from {seen[0]:.4g} to {seen[1]:.4g}, but {loss.name} is for targets "
        + (f"from {low} to {high}" if high < np.inf else f"of at least {low}"),
        cure,
    )


def warn_of_output(said, objective, y, y_pred):
    """Warn of what the shapes and the making of an output show, once.

    Parameters
    ----------
    said : set or None
        What this fit has warned of; None outside of a fit, where nobody is warned.
    objective : Objective
    y, y_pred : Tensor
    """
    if said is not None and (objective.name, "output") not in said:
        said.add((objective.name, "output"))
        found = of_output(objective.loss, y.shape, y_pred.shape, activation_of(y_pred))
        _warn(said, objective, found)


def warn_of_targets(said, objective, y, output_shape):
    """Warn of what the first targets show, once.

    Parameters
    ----------
    said, objective
        As for `warn_of_output`.
    y : array
    output_shape : tuple
    """
    if said is not None and (objective.name, "targets") not in said:
        said.add((objective.name, "targets"))
        _warn(said, objective, of_targets(objective, y, output_shape))


def faults_in(said):
    """What this fit has warned of.

    Parameters
    ----------
    said : set or None
        As for `warn_of_output`.

    Returns
    -------
    list of Disagreement
    """
    return [f for f in said or () if isinstance(f, Disagreement)]


def causes_of_nan(said):
    """Those of `faults_in` that make a loss NaN, whatever the learning rate is."""
    return [f for f in faults_in(said) if f.name in MAKES_NAN]


def _warn(said, objective, found):
    where = "" if objective.name is None else f"output {objective.name!r}: "
    for fault in found:
        said.add((objective.name, fault.name))
        said.add(fault)
        warn.warn(f"{where}{fault.figure}; {fault.cure}", UserWarning)
