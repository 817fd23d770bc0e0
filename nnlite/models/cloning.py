"""New models from the settings of others."""

from nnlite.configurable import clone
from nnlite.engine.symbolic import Symbol, symbols_of
from nnlite.layers.core import InputLayer
from nnlite.layers.layer import Layer
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential
from nnlite.registry import custom_object_scope
from nnlite.saving.description import parsed
from nnlite.serialization import made_from, serialize_keras_object


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


def clone_model(
    model, input_tensors=None, clone_function=None, call_function=None, recursive=False
):
    """A model like another, of new layers with new weights, compiled alike.

    Parameters
    ----------
    model : Model
        A layer that is in it twice is so in the new one.
    input_tensors : symbol, or list or dict of them, optional
        What the new model begins with, as the other's `input` nested; by default new ones. Not for
        a subclass with a `call` of its own, like the next two.
    clone_function : function of a layer, optional
        Gives the layer that takes its place. By default the one of its config.
    call_function : function(layer, *args, **kwargs), optional
        Calls a new layer and gives its result, perhaps that of further layers. Functions of
        `nnlite.ops` are called by it, too. Only for functional models.
    recursive : bool, default False
        Whether models inside are taken apart, too, instead of being given to `clone_function`.

    Returns
    -------
    Model
        A subclass with a `call` of its own is made by its config.

    Raises
    ------
    TypeError
        If `model` is no model, or an argument is of another kind.
    ValueError
        If an argument is not for such a model, or `input_tensors` is nested in another way.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers, models
    >>> model = nnlite.Sequential([layers.Input((3,)), layers.Dense(2)])
    >>> def wider(layer):
    ...     return layers.Dense(8, name=layer.name)
    >>> models.clone_model(model, clone_function=wider).output_shape
    (None, 8)
    """
    if not isinstance(model, Model):
        raise TypeError(f"model: expected a Model, got {model!r:.100}")
    for name, value in ("clone_function", clone_function), ("call_function", call_function):
        if value is not None and not callable(value):
            raise TypeError(f"{name}: expected a function, got {value!r:.100}")
    return _cloned(model, input_tensors, clone_function or _by_config, call_function, recursive, {})


def _by_config(layer):
    return type(layer).from_config(layer.get_config())


def _cloned(model, input_tensors, copy, call, recursive, copies):
    """The new model; `copies` are the new layers by the ids of the others."""

    def once(layer):
        if id(layer) not in copies:
            apart = recursive and _parts_of(layer) is not None
            further = None if isinstance(layer, Sequential) else call
            copies[id(layer)] = (
                _cloned(layer, None, copy, further, True, copies) if apart else copy(layer)
            )
        return copies[id(layer)]

    kind = _parts_of(model)
    if call is not None and kind is not Model:
        raise ValueError(
            f"call_function: expected a functional model, whose calls are known, got {model!r:.100}"
        )
    if kind is None:
        if input_tensors is not None or copy is not _by_config:
            raise ValueError(
                "input_tensors, clone_function: expected a functional model or Sequential, whose "
                f"layers are known, got {model!r:.100}"
            )
        with custom_object_scope({type(model).__name__: type(model)}):
            return made_from(serialize_keras_object(model))
    make = _cloned_sequential if kind is Sequential else _cloned_functional
    made = make(model, input_tensors, once, call)
    if (settings := model.get_compile_config()) is not None:
        made.compile_from_config(clone(settings))
    return made


def _parts_of(layer):
    """Sequential or Model if the layer is a model whose parts are known; else None."""
    if isinstance(layer, Sequential):
        return Sequential
    return Model if isinstance(layer, Model) and layer._called_graph() is not None else None


def _cloned_sequential(model, input_tensors, copy, _):
    layers = [copy(layer) for layer in model.layers]
    start = model._layers[0] if model._layers else None
    start = start if isinstance(start, InputLayer) else None
    if input_tensors is not None:
        symbols = symbols_of(input_tensors)
        if len(symbols) != 1:
            raise ValueError(f"input_tensors: expected one symbol, got {input_tensors!r:.100}")
        if isinstance(symbols[0].node.function, InputLayer):
            layers.insert(0, symbols[0])
        else:
            layers.insert(0, InputLayer(batch_shape=symbols[0].shape))
    elif start is not None:
        layers.insert(0, _by_config(start))
    return Sequential(layers, name=model.name, trainable=model.trainable)


def _cloned_functional(model, inputs, copy, call):
    graph = model._graph
    if inputs is not None and _nesting(inputs) != _nesting(graph.inputs):
        raise ValueError(
            "input_tensors: expected symbols nested like the input of the model, "
            f"{graph.inputs!r}, got {inputs!r}"
        )

    def other(part):
        make = clone if isinstance(part, InputLayer) else copy
        return make(part) if isinstance(part, Layer) else part

    made = graph.copied(other, inputs, call)
    cls = type(model) if model._is_functional else Model
    return cls(inputs=made.inputs, outputs=made.outputs, name=model.name)


def _nesting(structure):
    """Lists for lists and tuples, dicts for dicts, and 0 for each symbol."""
    if isinstance(structure, (list, tuple)):
        return [_nesting(value) for value in structure]
    if isinstance(structure, dict):
        return {key: _nesting(value) for key, value in structure.items()}
    return 0 if isinstance(structure, Symbol) else None
