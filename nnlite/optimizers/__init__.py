"""Optimizers: rules that change weights by their gradients. Each rule is one op, so that it is part
of a training plan."""

from nnlite import identifiers, lazy, names
from nnlite.optimizers.optimizer import Optimizer

with lazy.imports(__name__):
    from nnlite.optimizers import schedules
    from nnlite.optimizers.adafactor import Adafactor
    from nnlite.optimizers.adagrad import Adadelta, Adagrad, Ftrl, RMSprop
    from nnlite.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
    from nnlite.optimizers.around import LossScaleOptimizer, MultiOptimizer, OptimizerMap
    from nnlite.optimizers.lbfgs import LBFGS
    from nnlite.optimizers.momentum import SGD, Lion
    from nnlite.optimizers.muon import Muon

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

__getattr__ = names.of(__name__)

_BY_NAME = lazy.Objects(
    {
        name.lower(): f"{__name__}.{name}"
        for name in __all__
        if name[0].isupper() and name not in ("Optimizer", "OptimizerMap")
    }
)


def get(identifier):
    """The optimizer for an identifier.

    Parameters
    ----------
    identifier : str, dict, type, Optimizer or None
        - a name, in upper or lower case: 'adam', 'SGD', ...,
        - a dict of a 'class_name' and its 'config', or a subclass of Optimizer,
        - an Optimizer, which is returned itself,
        - None, which is returned itself.

    Returns
    -------
    Optimizer or None

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If the identifier is of another kind.
    """
    if isinstance(identifier, str) and identifier.lower() in _BY_NAME:
        identifier = identifier.lower()
    elif isinstance(identifier, dict) and str(identifier.get("class_name")).lower() in _BY_NAME:
        identifier = {**identifier, "class_name": identifier["class_name"].lower()}
    return identifiers.find("optimizer", identifier, _BY_NAME, lambda o: isinstance(o, Optimizer))


serialize, deserialize = identifiers.as_dicts(__name__, "optimizer", get, "SGD(0.5)")
