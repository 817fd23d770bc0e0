"""Models made anew from what others are made of."""

from nnlite.models.model import Model
from nnlite.registry import custom_object_scope
from nnlite.saving.description import parsed
from nnlite.serialization import made_from


def model_from_json(json_string, custom_objects=None):
    """The model that `to_json` described, with new weights.

    Parameters
    ----------
    json_string : str
        That of Keras is one, too.
    custom_objects : dict of str to class or function, optional
        Classes and functions of one's own by name.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If it describes no model.

    Examples
    --------
    >>> import nnlite
    >>> model = nnlite.Sequential([nnlite.layers.Dense(2, input_shape=(3,))])
    >>> nnlite.models.model_from_json(model.to_json()).count_params()
    8
    """
    if not isinstance(json_string, (str, bytes)):
        raise TypeError(f"json_string: expected a str of JSON, got {json_string!r:.100}")
    with custom_object_scope(custom_objects):
        model = made_from(parsed(json_string, "json_string"))
    if not isinstance(model, Model):
        raise ValueError(f"json_string: expected that of a model, got {model!r:.100}")
    return model
