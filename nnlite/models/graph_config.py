"""The config of a functional model, in Keras's form: its parts by name, and what each was called
on."""

import collections

from nnlite.configurable import unique_name
from nnlite.engine.symbolic import Symbol, symbols_of
from nnlite.layers.core import InputLayer
from nnlite.layers.layer import Layer
from nnlite.models import op_config
from nnlite.serialization import made_from, serialize_keras_object
from nnlite.tree import like, map_structure

_OF_A_START = ("batch_shape", "input_dim", "input_shape")  # an InputLayer says it


def layer_entry(layer, precision=None):
    """The config of a layer of a model that is built.

    Parameters
    ----------
    layer : Layer
    precision : str, optional
        That of the model, if it is not the one that everybody expects.
    """
    made = serialize_keras_object(layer)
    config = made["config"]
    for key, value in (("name", layer.name), ("trainable", layer.trainable), ("dtype", precision)):
        if key in config and (key != "dtype" or value):
            config[key] = value
    if not isinstance(layer, InputLayer):
        for key in set(_OF_A_START) - type(layer)._legal.keys():  # an Embedding has an input_dim
            config.pop(key, None)
    return made


def input_entry(symbol, name):
    """The config of the input layer that a symbol begins with."""
    layer = symbol.node.function
    dtype = getattr(layer, "dtype", None) or symbol.dtype
    optional = getattr(layer, "optional", False)
    made = serialize_keras_object(InputLayer(None, None, dtype, name, symbol.shape, optional))
    return {**made, "config": {**made["config"], "batch_shape": list(symbol.shape)}}


def graph_config(graph, precision):
    """What leads from inputs to outputs, as a dict.

    Parameters
    ----------
    graph : Graph
    precision : str
        Of the model.

    Returns
    -------
    dict
        With the keys 'layers', 'input_layers' and 'output_layers'.
    """
    names, numbers, entries = {}, {}, []
    taken = {layer.name for layer in graph.layers(Layer)}
    counts = collections.Counter()
    other = precision if precision != "float32" else None

    def name_of(part):
        """A name of the part of a node: an op is another part at each call."""
        if isinstance(part, Layer):
            return part.name
        found = unique_name(op_config.name_of(part).rpartition(".")[2], taken)
        taken.add(found)
        return found

    def number(symbols, part, name):
        call = counts[name]
        counts[name] += 1
        for i, symbol in enumerate(symbols):
            numbers[id(symbol)] = [name, call, i], part

    def tensor(symbol):
        config = {"shape": list(symbol.shape), "dtype": symbol.dtype}
        config["keras_history"] = numbers[id(symbol)][0]
        return {"class_name": "__keras_tensor__", "config": config}

    def place(symbol):
        (name, call, i), part = numbers[id(symbol)]
        return [name, call + getattr(part, "_counts_itself", 0), i]

    for symbol in graph.input_symbols:
        name = unique_name(symbol.name, {entry["name"] for entry in entries})
        taken.add(name)
        entries.append({**input_entry(symbol, name), "name": name, "inbound_nodes": []})
        number([symbol], None, name)
    for node in graph.nodes:
        args, kwargs, part = node.args, node.kwargs, node.function
        if isinstance(part, Layer):
            name = name_of(part)
            if name not in names:
                names[name] = {**layer_entry(part, other), "name": name, "inbound_nodes": []}
                entries.append(names[name])
            entry = names[name]
        else:
            function, settled = getattr(part, "function", part), getattr(part, "settings", {})
            name = name_of(function)
            made, args, kwargs = op_config.described(function, args, {**kwargs, **settled}, name)
            made["config"] = serialize_keras_object(made["config"])
            entry = {**made, "name": name, "inbound_nodes": []}
            entries.append(entry)
        called = map_structure(tensor, (list(args), kwargs), Symbol)
        args, kwargs = serialize_keras_object(called)
        entry["inbound_nodes"].append({"args": args, "kwargs": kwargs})
        number(symbols_of(node.outputs), part, name)
    return {
        "layers": entries,
        "input_layers": map_structure(place, graph.inputs, Symbol),
        "output_layers": map_structure(place, graph.outputs, Symbol),
    }


def graph_parts(config):
    """Inputs and outputs of the graph that a config describes, as symbols.

    Parameters
    ----------
    config : dict
        As `graph_config` gives it, or Keras's.

    Raises
    ------
    ValueError
        If it describes none: a name stands for nothing, or a call waits for itself.
    """
    entries = config["layers"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"layers: expected a list of dicts, got {entries!r:.100}")
    parts, calls, made = {}, {}, {}
    for entry in entries:
        name = entry.get("name") or (entry.get("config") or {}).get("name")
        if not isinstance(name, str) or name in parts:
            raise ValueError(f"layers: expected entries with names that differ, got {name!r}")
        part = op_config.function_of(entry) if op_config.is_operation(entry) else made_from(entry)
        if not callable(part):
            raise ValueError(f"layers: {name!r}: expected a layer, got {part!r:.100}")
        parts[name], calls[name] = part, list(entry.get("inbound_nodes") or ())
        made[name] = []
        if isinstance(part, InputLayer):
            made[name], calls[name] = [[part.symbol()]], [None]
    queue, waiting = collections.deque(parts), collections.defaultdict(list)
    while queue:
        name = queue.popleft()
        while len(made[name]) < len(calls[name]):
            try:
                args, kwargs = _arguments(calls[name][len(made[name])], parts, made)
            except _NotYet as missing:
                waiting[missing.place].append(name)
                break
            queue.extend(waiting.pop((name, len(made[name])), ()))
            made[name].append(symbols_of(parts[name](*args, **kwargs)))
    late = [name for name in parts if len(made[name]) < len(calls[name])]
    if late:
        raise ValueError(
            f"layers: expected calls on what others give, got {len(late)} that wait for each other "
            f"or for what is not there: {', '.join(late[:5])}"
        )

    def symbol(place):
        name, call, i = place
        return _output(made, name, call - getattr(parts.get(name), "_counts_itself", 0), i)

    try:
        return [_placed(symbol, config[key]) for key in ("input_layers", "output_layers")]
    except _NotYet as missing:
        raise ValueError(
            f"input_layers, output_layers: expected results of layers, got {missing.place}"
        ) from None


class _NotYet(Exception):
    """What a call waits for, (name, number of the call)."""

    def __init__(self, *place):
        self.place = place


def _output(made, name, call, i):
    results = made.get(name, ()) if isinstance(name, str) else ()
    if not all(isinstance(n, int) and n >= 0 for n in (call, i)) or call >= len(results):
        raise _NotYet(name, call)
    if i >= len(results[call]):
        raise ValueError(f"layer {name!r}: expected {len(results[call])} results, got number {i}")
    return results[call][i]


def _is_place(value):
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )


def _placed(symbol, structure):
    """Symbols in the place of [name, call, number] in a structure."""
    if _is_place(structure):
        return symbol(structure)
    if isinstance(structure, dict):
        return {key: _placed(symbol, value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return like(structure, [_placed(symbol, value) for value in structure])
    raise ValueError(f"expected [name of a layer, number of a call, 0], got {structure!r:.100}")


def _arguments(call, parts, made):
    """The arguments of a call, with symbols in the place of tensors."""
    if isinstance(call, list):  # Keras 2: a list of [name, call, number, keywords]
        symbols, kwargs = [], {}
        for place in call:
            if not isinstance(place, list) or not 3 <= len(place) <= 4:
                raise ValueError(
                    f"inbound_nodes: expected [name, call, number], got {place!r:.100}"
                )
            name, number, i = place[:3]
            own = getattr(parts.get(name), "_counts_itself", 0) if isinstance(name, str) else 0
            symbols.append(_output(made, name, number - own, i))
            kwargs.update(place[3] if len(place) == 4 else {})
        return [symbols[0] if len(symbols) == 1 else symbols], _given(made_from(kwargs))
    if not isinstance(call, dict):
        raise ValueError(f"inbound_nodes: expected a dict of args and kwargs, got {call!r:.100}")

    def revived(value):
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                return _output(made, *value["config"]["keras_history"])
            if "class_name" in value:
                return made_from(value)
            return {key: revived(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [revived(inner) for inner in value]
        return value

    return revived(call.get("args") or []), _given(revived(call.get("kwargs") or {}))


def _given(kwargs):
    """Keywords that say something: a mask that is None is not there."""
    return {key: value for key, value in kwargs.items() if value is not None}
