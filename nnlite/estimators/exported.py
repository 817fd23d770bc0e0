"""What an estimator computes, for files of other formats: the network, the probabilities or the
numbers in their units, and the labels."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from nnlite import ops
from nnlite.engine.lengths import filled
from nnlite.estimators.input_validation import validate_X
from nnlite.exporting.program import Computation
from nnlite.layers import InputScaling, TableEncoding

LENGTH = 32  # of sequences that an export is tried with


def computation_of(estimator):
    """The Computation of a fitted estimator.

    It takes samples in the shape that `fit` saw. Categories are their places in `Columns`,
    sequences of different lengths end with NaN."""
    check_is_fitted(estimator)
    model, target = estimator.model_, estimator._target
    network = model._computation()
    ((_, shape, dtype),) = network.inputs
    given = shape if None in shape else estimator._sample_shape
    classifies, logits = hasattr(target, "probabilities"), getattr(estimator, "_from_logits", False)
    activation = ops.sigmoid if target.activation == "sigmoid" else ops.softmax

    def as_read(x, reshape=np.reshape):
        return x if given == shape else reshape(x, (x.shape[0], *shape))

    def function(x):
        (outputs,) = network.function(as_read(x, ops.reshape))
        return target.in_ops(activation(outputs) if logits else outputs)

    def predict(x):
        predictions = estimator._as_predictions(estimator._outputs_of(as_read(x)))
        return [predictions.reshape(len(x), -1)]

    return Computation(
        function=function,
        inputs=[("X", given, dtype)],
        outputs=["probabilities" if classifies else "predictions"],
        precision=network.precision,
        predict=predict,
        samples=_samples_for(model, given),
        arrays=lambda x: [_as_given(_dense(validate_X(estimator, x)), given)],
        classes=target.classes if hasattr(target, "codes") else None,
        name=type(estimator).__name__,
    )


def _dense(rows):
    return rows.toarray() if issparse(rows) else rows


def _as_given(rows, shape):
    return rows if None in shape else rows.reshape(len(rows), *shape)


def _samples_for(model, shape):
    """A function that draws rows as the network's scaling has seen them; None if it has none."""
    parts = list(_layers_in(model))
    scaling = next((part for part in parts if isinstance(part, InputScaling)), None)
    if scaling is None:
        return None
    table = next((part for part in parts if isinstance(part, TableEncoding)), None)
    mean, deviation = np.asarray(scaling.mean), np.sqrt(scaling.variance)

    def samples(rows):
        generator = np.random.default_rng(0)
        drawn = generator.standard_normal(filled((rows, *model.input_shape[1:]), LENGTH))
        drawn = drawn * deviation + mean
        for column, size in enumerate(table.sizes if table is not None else ()):
            if size:
                drawn[..., column] = generator.integers(0, size + 1, rows)
        return [drawn.reshape(filled((rows, *shape), LENGTH))]

    return samples


def _layers_in(model):
    for layer in model.layers:
        yield layer
        yield from _layers_in(layer) if hasattr(layer, "layers") else ()
