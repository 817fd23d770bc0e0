"""Models that a function of the user compiled: whether they fit a task, and their loss."""

from nnlite import losses
from nnlite.configurable import clone
from nnlite.estimators.nested_params import settings_of


def check_outputs(model, meta, name="layers"):
    """Raise a ValueError if a compiled model does not end with the outputs that a task needs; it
    begins with the name of the setting."""
    legal = (1, 2) if meta.task == "binary" else (meta.n_outputs,)
    if model.output_shape[-1] not in legal:
        raise ValueError(
            f"{name}: expected a compiled model with {' or '.join(map(str, legal))} outputs for "
            f"this {meta.task} target, got {model.output_shape[-1]}"
        )


def compiled_loss(model, loss):
    """The loss to train a compiled model with, on targets as the estimator's own `loss` takes them:
    class numbers, where a categorical cross-entropy takes rows of 0 and 1."""
    given, reduction = model.loss, "mean_with_sample_weight"
    sparse, binary = losses.SparseCategoricalCrossentropy, losses.BinaryCrossentropy
    if not isinstance(loss, (sparse, binary)):
        return clone(given, reduction=reduction)
    if not isinstance(given, (sparse, binary, losses.CategoricalCrossentropy)):
        raise ValueError(
            f"layers: expected a classifier's model compiled with a cross-entropy, got {given!r}"
        )
    if isinstance(given, binary):
        return clone(given, reduction=reduction)
    if settings_of(given).get("label_smoothing"):
        raise ValueError("layers: label_smoothing is not supported in a classifier's model")
    return sparse(from_logits=settings_of(given)["from_logits"], reduction=reduction)
