"""One description of a model between all formats: its config in Keras's form, and a few words that
only nnlite reads."""

from nnlite import config, lazy
from nnlite.config import REALS
from nnlite.initializers.initializer import left_unset
from nnlite.serialization import made_from, serialize_keras_object

with lazy.imports(__name__):
    import json

MOST_BYTES = 1 << 26
_MOST_PARTS = 500_000  # dicts and lists in the text of a config; a layer of Keras has about 20


def description_of(model, unbuilt=False):
    """What a model is, as a dict that JSON holds.

    Parameters
    ----------
    model : Model
    unbuilt : bool, default False
        Whether it may be without weights.

    Raises
    ------
    ValueError
        If it has no weights and must have them.
    TypeError
        If something of it cannot be described.
    """
    if not unbuilt:
        check_built(model, "save")
    return {**serialize_keras_object(model), "nnlite": {"precision": model._precision}}


def check_built(model, what):
    """Raise a ValueError if a model has no weights yet.

    Parameters
    ----------
    model : Model
    what : {'save', 'load into'}
        What they are needed for.
    """
    if not model.built:
        raise ValueError(
            f"no weights to {what}: build the model first, by input_shape, by build or by a call "
            "on data"
        )


def parsed(text, where):
    """The dict that a text of JSON holds.

    Parameters
    ----------
    text : bytes or str
    where : str
        For messages.

    Raises
    ------
    ValueError
        If it holds none, one with a key twice, or more than any model needs.
    """
    text = text.encode() if isinstance(text, str) else text
    if len(text) > MOST_BYTES or text.count(b"{") + text.count(b"[") > _MOST_PARTS:
        raise ValueError(
            f"{where}: expected a config of at most {MOST_BYTES >> 20} MB and {_MOST_PARTS} dicts "
            f"and lists, got {len(text)} bytes"
        )
    try:
        found = json.loads(text, object_pairs_hook=_of_pairs)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: expected JSON, got {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{where}: expected a dict, got {found!r:.100}")
    return found


def _of_pairs(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a dict that has a key twice")
    return found


def model_of(description, compile, room=None):
    """The model that a description is of, whose weights have no values yet.

    Parameters
    ----------
    description : dict
        As `description_of` gives it, or Keras's.
    compile : bool
        Whether to compile it, too.
    room : int, optional
        The bytes of weights that there can be.

    Raises
    ------
    ValueError
        If it describes no model.
    """
    if not compile:
        description = {**description, "compile_config": None}
    own = description.get("nnlite")
    precision = own.get("precision") if isinstance(own, dict) else _precision_in(description)
    try:
        with (
            config.precision("float64" if precision == "float64" else "float32"),
            left_unset(room),
            config.seeded(0),
        ):
            model = made_from(description)
    except _DOES_NOT_FIT as error:
        raise ValueError(
            f"expected the config of a model, got one that does not fit: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not getattr(model, "_is_model", False):
        raise ValueError(f"expected the config of a model, got that of {model!r:.100}")
    return model


_DOES_NOT_FIT = (
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
)


def _precision_in(description):
    """The precision of the first layer that says one."""
    layers = description.get("config")
    layers = layers.get("layers") if isinstance(layers, dict) else None
    for entry in layers if isinstance(layers, list) else ():
        settings = entry.get("config") if isinstance(entry, dict) else None
        policy = settings.get("dtype") if isinstance(settings, dict) else None
        if isinstance(policy, dict):
            policy = policy.get("config")
            policy = policy.get("name") if isinstance(policy, dict) else None
        if policy in REALS and entry.get("class_name") != "InputLayer":
            return policy
    return None
