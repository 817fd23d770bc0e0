"""Nested structures: lists, tuples and dicts of what a model takes or gives, as in Keras."""


def mapped(structure, kind, function):
    """Lists, tuples and dicts like `structure`, with function(x) for each x of a class in them."""
    if isinstance(structure, kind):
        return function(structure)
    if isinstance(structure, dict):
        return {key: mapped(value, kind, function) for key, value in structure.items()}
    if type(structure) in (list, tuple):
        return type(structure)(mapped(value, kind, function) for value in structure)
    return structure


def _leaves(structure):
    """What is in lists, tuples and dicts."""
    if isinstance(structure, dict):
        structure = list(structure.values())
    if type(structure) in (list, tuple):
        return [leaf for value in structure for leaf in _leaves(value)]
    return [structure]
