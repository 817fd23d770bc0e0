"""Models that a user's function compiled: whether they suit a task, and their loss."""

from nnlite import losses
from nnlite.configurable import clone
from nnlite.estimators.nested_params import settings_of


def check_outputs(model, meta, name="layers"):
    """Raise a ValueError if a compiled model does not have the outputs that a task needs.

    Parameters
    ----------
    model : Model
        The compiled model.
    meta : Meta
        The task.
    name : str, default 'layers'
        The setting that made the model, for the message.
    """
    legal = (1, 2) if meta.task == "binary" else (meta.n_outputs,)
    if model.output_shape[-1] not in legal:
        raise ValueError(
            f"{name}: expected a compiled model with {' or '.join(map(str, legal))} outputs for "
            f"this {meta.task} target, got {model.output_shape[-1]}"
        )


def compiled_loss(model, loss):
    """The loss of a compiled model, for targets as the estimator encodes them for its own `loss`.

    The estimator encodes classes as numbers: a categorical cross-entropy becomes a sparse one.
    """
    compiled, reduction = model.loss, "mean_with_sample_weight"
    sparse, binary = losses.SparseCategoricalCrossentropy, losses.BinaryCrossentropy
    if not isinstance(loss, (sparse, binary)):
        return clone(compiled, reduction=reduction)
    if not isinstance(compiled, (sparse, binary, losses.CategoricalCrossentropy)):
        raise ValueError(
            f"layers: expected a classifier's model compiled with a cross-entropy, got {compiled!r}"
        )
    if isinstance(compiled, binary):
        return clone(compiled, reduction=reduction)
    if settings_of(compiled).get("label_smoothing"):
        raise ValueError("layers: label_smoothing is not supported in a classifier's model")
    return sparse(from_logits=settings_of(compiled)["from_logits"], reduction=reduction)
