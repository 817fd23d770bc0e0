"""What an estimator computes, for files of other formats: the network, the probabilities or the
numbers in their units, and the labels."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from nnlite import ops
from nnlite.estimators.input_validation import validate_X
from nnlite.exporting.program import Computation
from nnlite.layers import InputScaling, TableEncoding


def computation_of(estimator):
    """The Computation of a fitted estimator: of rows as its network takes them, where categories
    are their places in `Columns`."""
    check_is_fitted(estimator)
    model, target = estimator.model_, estimator._target
    network = model._computation()
    classifies, logits = hasattr(target, "probabilities"), getattr(estimator, "_from_logits", False)
    activation = ops.sigmoid if target.activation == "sigmoid" else ops.softmax

    def function(*xs):
        (outputs,) = network.function(*xs)
        return target.in_ops(activation(outputs) if logits else outputs)

    def predict(x):
        predictions = estimator._as_predictions(estimator._outputs_of(x))
        return [predictions.reshape(len(x), -1)]

    return Computation(
        function=function,
        inputs=[("X", *rest) for _, *rest in network.inputs],
        outputs=["probabilities" if classifies else "predictions"],
        precision=network.precision,
        predict=predict,
        samples=_samples_for(model),
        arrays=lambda x: [_dense(validate_X(estimator, x))],
        classes=target.classes if hasattr(target, "codes") else None,
        name=type(estimator).__name__,
    )


def _dense(rows):
    return rows.toarray() if issparse(rows) else rows


def _samples_for(model):
    """A function that draws rows as the network's scaling has seen them; None if it has none."""
    parts = list(_layers_in(model))
    scaling = next((part for part in parts if isinstance(part, InputScaling)), None)
    if scaling is None:
        return None
    table = next((part for part in parts if isinstance(part, TableEncoding)), None)
    mean, deviation = np.asarray(scaling.mean), np.sqrt(scaling.variance)

    def samples(rows):
        generator = np.random.default_rng(0)
        drawn = generator.standard_normal((rows, *model.input_shape[1:]))
        drawn = drawn * deviation + mean
        for column, size in enumerate(table.sizes if table is not None else ()):
            if size:
                drawn[..., column] = generator.integers(0, size + 1, rows)
        return [drawn]

    return samples


def _layers_in(model):
    for layer in model.layers:
        yield layer
        yield from _layers_in(layer) if hasattr(layer, "layers") else ()
