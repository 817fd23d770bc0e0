"""Optimizers: rules that change weights by their gradients. Each rule is one op, so that it is part
of a training plan."""

from nnlite import identifiers, names
from nnlite.optimizers import schedules
from nnlite.optimizers.adagrad import Adadelta, Adagrad, Ftrl, RMSprop
from nnlite.optimizers.adam import Adam, Adamax, AdamW, Nadam
from nnlite.optimizers.lbfgs import LBFGS
from nnlite.optimizers.momentum import SGD, Lion
from nnlite.optimizers.optimizer import Optimizer

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

__getattr__ = names.of(__name__)

_BY_NAME = {
    cls.__name__.lower(): cls
    for cls in (SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Lion, Ftrl, LBFGS)
}


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
