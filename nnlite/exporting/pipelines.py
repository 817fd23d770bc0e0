"""What can be exported, and what it computes: models and estimators say it themselves; of a
pipeline the steps before the estimator are written in ops."""

from nnlite.exporting.program import Computation


def computation_of(model):
    """The Computation of a model, an estimator or a pipeline.

    Raises
    ------
    TypeError
        If it is none of them.
    """
    says = getattr(model, "_computation", None)
    if says is None:
        raise TypeError(
            "export: expected a Model, an estimator of nnlite, or a Pipeline that ends with one, "
            f"got {type(model).__name__}"
        )
    return says()


__all__ = ["Computation", "computation_of"]
