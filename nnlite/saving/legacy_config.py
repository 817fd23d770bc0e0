"""Configs as Keras 2 wrote them, and Keras 3 in files `.h5`, in the form that the one decoder
reads: each class with the module that it is from.

Only layers, models and settings at known places are changed. What says its module is as it should
be."""

from nnlite import losses, metrics
from nnlite.registry import get_registered_object

_FAMILIES = {
    "_initializer": "keras.initializers",
    "_regularizer": "keras.regularizers",
    "_constraint": "keras.constraints",
}
_PARTS = ("layer", "backward_layer", "cell")  # settings that are layers
_LISTS = ("layers", "cells")  # or lists of layers
_MODELS = {"Functional", "Model", "Sequential"}
_FUNCTIONS = ("fn", "loss_fn")  # settings of what only gives a function a name
_CLASSES = {"GroupedQueryAttention": "GroupQueryAttention"}  # whose name is not the public one
_RENAMED = {("LeakyReLU", "alpha"): "negative_slope"}  # settings of Keras 2
_OF_NO_USE = ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
_WITHOUT = dict.fromkeys(
    [f"{kind}Conv{rank}D" for kind in ("Depthwise", "Separable") for rank in (1, 2)], _OF_NO_USE
)
_OF_FUNCTIONS = ("LossFunctionWrapper", "MeanMetricWrapper")


def modern(entry):
    """The config of a layer or model in Keras 3's form.

    Parameters
    ----------
    entry : dict

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If it is no config of a layer.
    """
    name = entry.get("class_name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or "config" not in entry:
        raise ValueError(f"expected a layer, a dict with class_name and config, got {entry!r:.100}")
    config, entry = entry["config"], {**entry, "class_name": _CLASSES.get(name, name)}
    if "module" in entry:
        return {**entry, "config": _modern_parts(config) if isinstance(config, dict) else config}
    if isinstance(config, list):  # a Sequential before Keras 2.2.3
        config = {"layers": config, "name": entry.get("name")}
    if not isinstance(config, dict):
        raise ValueError(f"{name}: config: expected a dict, got {config!r:.100}")
    if isinstance(config.get("layers"), list):
        return {**entry, "module": "keras", "config": _model_config(config)}
    if name in _MODELS:
        return {**entry, "module": "keras"}
    # Of the layers, Keras writes no 'trainable' for these alone.
    without = "trainable" not in config and not name.startswith("SpatialDropout")
    if without and isinstance(entry.get("inbound_nodes"), list):
        if any(isinstance(call, dict) for call in entry["inbound_nodes"]):
            return {**entry, "module": "keras.src.ops.numpy"}  # no layer
    return {**entry, "module": "keras.layers", "config": _layer_config(name, config)}


def _modern_parts(config):
    """Settings, with the layers among them in Keras 3's form."""
    made = dict(config)
    for key, value in config.items():
        if key in _LISTS and isinstance(value, list):
            made[key] = [modern(part) for part in value]
        elif key in _PARTS and isinstance(value, dict) and "class_name" in value:
            made[key] = modern(value)
    return made


def _model_config(config):
    """The config of a model: that of each of its layers."""
    layers = [modern(layer) for layer in config["layers"]]
    made = {**config, "layers": layers}
    for key in ("input_layers", "output_layers"):
        if isinstance(places := config.get(key), list) and len(places) == 1:
            made[key] = places[0]  # a list of one: in Keras 2 that was the one itself
    late = _sequentials_counted_from_1(layers, config.get("output_layers"))
    if late:
        for layer in layers:
            layer["inbound_nodes"] = _counted_from_0(layer.get("inbound_nodes"), late)
        made["output_layers"] = _counted_from_0(config["output_layers"], late)
    return made


def _places(structure):
    """The [name, call, number] in a structure of lists, and whatever follows."""
    if isinstance(structure, list):
        if len(structure) >= 3 and isinstance(structure[0], str):
            yield structure
        else:
            for part in structure:
                yield from _places(part)


def _sequentials_counted_from_1(layers, outputs):
    """The names of the models within a model of Keras 2 that are no functional ones and whose
    first call there is 1: 0 was that by which they were built."""
    names = {layer["config"].get("name") for layer in layers if layer["class_name"] == "Sequential"}
    first = {}
    if not names:
        return first.keys()
    for structure in (*(layer.get("inbound_nodes") for layer in layers), outputs):
        for name, call, *_ in _places(structure):
            if name in names and isinstance(call, int):
                first[name] = min(call, first.get(name, call))
    return {name for name, call in first.items() if call == 1}


def _counted_from_0(structure, names):
    if not isinstance(structure, list):
        return structure
    if len(structure) >= 3 and isinstance(structure[0], str):
        name, call, *rest = structure
        return [name, call - 1 if name in names and isinstance(call, int) else call, *rest]
    return [_counted_from_0(part, names) for part in structure]


_OF_LAMBDAS = ("function", "output_shape", "mask")  # which may be functions


def _lambda_config(config):
    """The settings of a Lambda of Keras 2: its functions are names, or code in lists."""
    kinds = {key: config.get(f"{key}_type") for key in _OF_LAMBDAS}
    made = {k: v for k, v in config.items() if k not in {f"{key}_type" for key in _OF_LAMBDAS}}
    for key, kind in kinds.items():
        made.pop("module" if key == "function" else f"{key}_module", None)
        if kind == "function":
            made[key] = {"class_name": "function", "config": config[key], "module": "builtins"}
        elif kind == "lambda":
            made[key] = {"class_name": "__lambda__", "config": config[key]}
    return made


def _layer_config(name, config):
    made = {}
    config = _lambda_config(config) if name == "Lambda" else config
    for key, value in config.items():
        if key in _WITHOUT.get(name, ()):
            continue
        key = _RENAMED.get((name, key), key)
        family = next((f for end, f in _FAMILIES.items() if key.endswith(end)), None)
        if isinstance(value, dict) and "class_name" in value and "module" not in value:
            if family is not None:
                value = {**value, "module": family}
            elif key == "activation":
                value = modern(value)
        made[key] = value
    return _modern_parts(made)


def training_config(compiled):
    """How a model was compiled, as files `.h5` have it.

    Parameters
    ----------
    compiled : dict
        The 'compile_config' of a description.

    Returns
    -------
    dict
    """
    made = {key: value for key, value in compiled.items() if key != "optimizer"}
    made["loss"] = _written_out(compiled.get("loss"))
    made["optimizer_config"] = compiled.get("optimizer")
    return made


def _written_out(loss):
    """A structure of losses with the names of functions written out: Keras knows no others in files
    `.h5`."""
    if isinstance(loss, str):
        found = losses.get(loss)
        name = getattr(found, "__name__", type(found).__name__)
        return name if name in losses.__all__ else loss  # a name of one's own stays
    if isinstance(loss, dict) and "class_name" not in loss:
        return {key: _written_out(value) for key, value in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_written_out(value) for value in loss]
    return loss


def compile_config(training):
    """How a model was compiled, in Keras 3's form, of what files `.h5` say.

    Parameters
    ----------
    training : dict

    Returns
    -------
    dict or None
        None if there is no optimizer and no loss.
    """
    known = ("loss_weights", "run_eagerly", "steps_per_execution", "jit_compile")
    made = {key: training[key] for key in known if training.get(key) is not None}
    made["optimizer"] = _optimizer(training.get("optimizer_config"))
    made["loss"] = _named(training.get("loss"), losses)
    for key in ("metrics", "weighted_metrics"):
        made[key] = _named(training.get(key), metrics)
    return made


def _optimizer(config):
    if not isinstance(config, dict) or "module" in config:
        return config
    name, settings = str(config.get("class_name")), config.get("config")
    settings = dict(settings) if isinstance(settings, dict) else {}
    rate = settings.get("learning_rate")
    if isinstance(rate, dict) and "module" not in rate:
        settings["learning_rate"] = {**rate, "module": "keras.optimizers.schedules"}
    # Keras 2 registered its own as it registered those of others.
    own = name if get_registered_object(name) is not None else None
    family = {"module": "keras.optimizers", "registered_name": own}
    return {**family, "class_name": name.removeprefix("Custom>"), "config": settings}


def _named(structure, family):
    """A structure of losses or metrics, each with its module."""
    if isinstance(structure, (list, tuple)):
        return [_named(part, family) for part in structure]
    if not isinstance(structure, dict) or "module" in structure:
        return structure
    name, settings = structure.get("class_name"), structure.get("config")
    if name is None:
        return {key: _named(part, family) for key, part in structure.items()}
    settings = dict(settings) if isinstance(settings, dict) else {}
    function = next((settings[key] for key in _FUNCTIONS if key in settings), None)
    if name in _OF_FUNCTIONS:
        own = settings.get("name")
        return own if own in ("acc", "accuracy", "ce", "crossentropy") else function
    settings = {key: value for key, value in settings.items() if key not in _FUNCTIONS}
    if settings.get("reduction") == "auto":
        del settings["reduction"]
    family = family.__name__.rpartition(".")[2]
    return {"module": f"keras.{family}", "class_name": name, "config": settings}
