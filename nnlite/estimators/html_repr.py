"""A fitted estimator in scikit-learn's diagrams, which notebooks show: a box for each layer.

Diagrams of pipelines and searches contain these boxes too."""

from types import SimpleNamespace

from nnlite.visualization.outline import Outline
from nnlite.visualization.summary import rows_of


def block_of(estimator):
    """The `_sk_visual_block_` of an estimator: a column with a box for each layer.

    It is a single box if the estimator is not fitted.
    """
    model = getattr(estimator, "model_", None)
    if model is None:
        return _block("single", estimator, type(estimator).__name__, str(estimator))
    boxes = [
        _block(
            "single",
            row.name,
            f"{row.name}: {row.kind}",
            repr(row.first.layer),
            f"{row.shape}, {row.params} parameters",
        )
        for row in rows_of(Outline(model))
    ]
    return _block("serial", boxes, [None] * len(boxes), [None] * len(boxes))


def _block(kind, estimators, names, name_details, name_caption=None):
    """A block with the attributes that scikit-learn reads."""
    block = SimpleNamespace(
        kind=kind,
        estimators=estimators,
        names=names,
        name_details=name_details,
        name_caption=name_caption,
        doc_link_label=None,
        dash_wrapped=True,
    )
    block._sk_visual_block_ = lambda: block
    return block
