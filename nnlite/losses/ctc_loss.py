"""The loss of labels whose times are not known, as letters in speech."""

from nnlite import ops
from nnlite.losses.loss import Loss, as_outputs, check_labels


def ctc(y_true, y_pred):
    """-log of the probability of the labels, whatever the times at which they come: `ops.ctc_loss`.

    Parameters
    ----------
    y_true : integer tensor, shape (N, labels)
        Classes in [1, classes). 0 is the class of the blank: it fills rows up at the end.
    y_pred : tensor, shape (N, steps, classes)
        Logits, not probabilities.

    Returns
    -------
    Tensor, shape (N,)
        Infinite, with the gradient 0, where there are more labels than steps can give.

    Raises
    ------
    ValueError
        If a shape is of another kind, or a label is none of the classes.
    """
    y_pred = as_outputs(y_pred)
    if y_pred.ndim != 3:
        raise ValueError(
            f"ctc: y_pred: expected logits of shape (N, steps, classes), got {y_pred.shape}"
        )
    check_labels(y_true, y_pred.shape[-1])
    labels = ops.cast(y_true, "int32")
    if labels.ndim != 2:
        raise ValueError(f"ctc: y_true: expected labels of shape (N, labels), got {labels.shape}")
    given = 1.0 - ops.equal(ops.cast(labels, y_pred.dtype), 0.0)
    count = ops.sum(given, axis=-1)
    steps = ops.full_like(count, y_pred.shape[1])
    return ops.ctc_loss(labels, y_pred, *(ops.cast(n, "int32") for n in (count, steps)))


class CTC(Loss):
    """Connectionist temporal classification: labels in their order, at times that are not known.

    A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber: "Connectionist temporal classification:
    labelling unsegmented sequence data with recurrent neural networks", ICML 2006.
    `ops.ctc_decode` makes labels of what a model predicts.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite
    >>> loss = nnlite.losses.CTC()([[1, 2, 0]], np.zeros((1, 2, 3)))  # one way of 9
    >>> round(loss.item(), 4)  # log(9)
    2.1972
    """

    function = staticmethod(ctc)
