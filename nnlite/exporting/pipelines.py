"""What can be exported, and what it computes: models and estimators say it themselves; of a
pipeline the steps before the estimator are written in ops, in `transformers`."""

from dataclasses import replace

import numpy as np

from nnlite.exporting.program import Computation
from nnlite.exporting.transformers import PIPELINE, check_known, path_of, transformed


def computation_of(model):
    """The Computation of a model, an estimator or a pipeline.

    Raises
    ------
    TypeError
        If it is none of them.
    ValueError
        If a step of a pipeline is a transformer that is not known: names it.
    """
    if hasattr(model, "_computation"):
        return model._computation()
    if path_of(model) == PIPELINE and hasattr(model.steps[-1][1], "_computation"):
        return _of_pipeline(model)
    raise TypeError(
        "export: expected a Model, an estimator of nnlite, or a Pipeline that ends with one, "
        f"got {type(model).__name__}"
    )


def _of_pipeline(pipeline):
    """The Computation of the last step behind the transformers before it."""
    last = pipeline.steps[-1][1]._computation()
    before = [
        (name, step) for name, step in pipeline.steps[:-1] if step not in (None, "passthrough")
    ]
    if not before:
        return last
    for name, step in before:
        check_known(name, step)

    def function(x):
        for name, step in before:
            x = transformed(name, step, x)
        return last.function(x)

    def predict(x):
        for _, step in before:
            x = step.transform(x)
        return last.predict(np.asarray(x))

    def samples(rows):
        """Rows that become those which the last step knows, where steps can be inverted."""
        generator = np.random.default_rng(0)
        shape = rows, *last.inputs[0][1]
        x = last.samples(rows)[0] if last.samples else generator.standard_normal(shape)
        try:
            for _, step in reversed(before):
                x = step.inverse_transform(x)
        except (AttributeError, ValueError):
            x = generator.standard_normal((rows, before[0][1].n_features_in_))
        return [x]

    ((name, _, _),) = last.inputs
    shape = (before[0][1].n_features_in_,)
    inputs = [(name, shape, last.precision)]
    return replace(
        last,
        function=function,
        inputs=inputs,
        predict=predict,
        samples=samples,
        arrays=lambda x: [np.asarray(x)],
    )


__all__ = ["Computation", "computation_of"]
