"""Objective: which figure of a training is searched for, and whether it is to be high or low."""

from nnlite import metrics
from nnlite.callbacks.monitor import higher_is_better
from nnlite.checks import check_choice
from nnlite.configurable import Configurable
from nnlite.metrics.metric import direction_of

# The figure of a `fit` or `run_trial` of one's own that returns one number.
NAMELESS = "default_objective"


class Objective(Configurable):
    """A figure of a training, and which values of it are better.

    Parameters
    ----------
    name : str
        As in the logs of `fit`: 'val_accuracy', 'val_loss', 'loss', ...
    direction : {'min', 'max'}
        Whether lower or higher values are better.

    Raises
    ------
    ValueError
        If the direction is neither.

    Examples
    --------
    >>> from nnlite import tuner as kt
    >>> print(kt.Objective("val_f1", direction="max"))
    Objective(name="val_f1", direction="max")
    """

    def __init__(self, name, direction):
        check_choice("direction", direction, ("min", "max"), "Objective")
        self.name, self.direction = name, direction

    def __str__(self):
        return f'Objective(name="{self.name}", direction="{self.direction}")'

    def has_value(self, logs):
        """Whether the figure is among the logs of an epoch.

        Parameters
        ----------
        logs : dict
        """
        return self.name in logs

    def get_value(self, logs):
        """The figure, of the logs of an epoch.

        Parameters
        ----------
        logs : dict
        """
        return logs[self.name]

    def better_than(self, a, b):
        """Whether the first of two values is better. NaN never is.

        Parameters
        ----------
        a, b : float
        """
        return a > b if self.direction == "max" else a < b


def as_objective(given, model):
    """An objective; of a name alone, the metric that a model has under it says the direction.

    Parameters
    ----------
    given : Objective, str or None
        None: lower values of what the search's own `fit` returns are better.
    model : object
        What the function that is searched returned; perhaps no Model.

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If nothing says which values are better.
    """
    if isinstance(given, Objective):
        return given
    if given is None:
        return Objective(NAMELESS, "min")
    if not isinstance(given, str):
        raise TypeError(f"objective: expected a str or an Objective, got {given!r}")
    rises = higher_is_better(model, given)
    if rises is None:
        rises = _by_name(given.removeprefix("val_"))
    if rises is None:
        raise ValueError(
            f"objective: expected Objective({given!r}, direction='min') or 'max', as nothing says "
            f"which values of {given!r} are better"
        )
    return Objective(given, "max" if rises else "min")


def _by_name(name):
    """What the metric of a name says, if a model has none under it: one of one's own training."""
    try:
        return direction_of(metrics.get(name))
    except (TypeError, ValueError):
        return None
