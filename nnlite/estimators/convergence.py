"""Whether a training ended too early: its epochs were used up while the loss was still falling."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from nnlite import warn

LAST = 0.1  # the part of the epochs at the end that is looked at
FEWEST = 10  # epochs of which anything can be said
STILL_FALLS = 0.02  # of its whole fall, in the last part


def is_falling(losses):
    """Whether the last epochs lowered a loss by a good part of what all of them did.

    Parameters
    ----------
    losses : list of float
        The loss of each epoch.

    Returns
    -------
    bool
        False of few epochs, and of losses that are not finite.
    """
    count = max(2, int(len(losses) * LAST))
    if len(losses) < FEWEST or not np.isfinite(losses).all():
        return False
    before, last = np.mean(losses[-2 * count : -count]), np.mean(losses[-count:])
    return bool(before - last > STILL_FALLS * (losses[0] - last))


def warn_if_falling(history, first, epochs, callbacks):
    """Warn with a ConvergenceWarning if a fit has used up its epochs too early.

    Parameters
    ----------
    history : dict of str to list of float
    first, epochs : int
        The epochs done before, and the most there were to be in all.
    callbacks : list of Callback
        Of the fit. One that lowers the learning rate to 0 by plan leaves nothing to go on with.
    """
    watched = history.get("val_loss") or history.get("loss") or []
    if any(getattr(c, "lowers_to_zero", False) for c in callbacks):
        return
    if len(history.get("loss", ())) == epochs and is_falling(watched[first:]):
        warn.warn(
            f"the loss was still falling when the {epochs - first} epochs were used up: "
            f"{watched[-1]:.4g} after {watched[-2]:.4g}. Give more epochs, or a larger "
            "learning_rate",
            ConvergenceWarning,
        )
