"""Keras's `dtype_policies`: precisions as objects. nnlite has 'float32' and 'float64'."""

from nnlite import names
from nnlite.config import DTypePolicy
from nnlite.config import as_policy as get

__all__ = ["DTypePolicy", "FloatDTypePolicy", "deserialize", "get", "serialize"]

FloatDTypePolicy = DTypePolicy


def serialize(dtype_policy):
    """A policy as a dict that JSON holds.

    Parameters
    ----------
    dtype_policy : DTypePolicy

    Returns
    -------
    dict
        With the keys 'module', 'class_name', 'config' and 'registered_name'.

    Examples
    --------
    >>> from nnlite import dtype_policies
    >>> dtype_policies.serialize(dtype_policies.get("float64"))["config"]
    {'name': 'float64'}
    """
    policy = {"module": "keras", "class_name": "DTypePolicy", "registered_name": None}
    return {**policy, "config": dtype_policy.get_config()}


def deserialize(config, custom_objects=None):
    """The policy that `serialize` described.

    Parameters
    ----------
    config : dict
    custom_objects : ignored
        Accepted for Keras's signature.

    Raises
    ------
    ValueError
        For a precision that nnlite does not have.
    """
    return get(config)


__getattr__ = names.of(__name__)
