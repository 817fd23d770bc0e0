"""Nested structures: the lists, tuples and dicts of what a model takes or gives, as in Keras."""


def map_structure(function, structure, kind):
    """Lists, tuples and dicts like `structure`, with function(x) for each x of a class in them."""
    if isinstance(structure, kind):
        return function(structure)
    if isinstance(structure, dict):
        return {key: map_structure(function, value, kind) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return like(structure, [map_structure(function, value, kind) for value in structure])
    return structure


def like(structure, values):
    """A list or tuple, also a named one, of the class of another, with these values."""
    return type(structure)(*values) if hasattr(structure, "_fields") else type(structure)(values)


def map_shapes(function, structure):
    """Lists, tuples and dicts like `structure`, with function(shape) for each shape in them."""
    if is_shape(structure):
        return function(structure)
    if isinstance(structure, dict):
        return {key: map_shapes(function, value) for key, value in structure.items()}
    return like(structure, [map_shapes(function, value) for value in structure])


def flatten(structure, is_leaf=None, within=()):
    """What is in nested lists, tuples and dicts, in order.

    Parameters
    ----------
    structure : object
        Anything but a list, tuple or dict is a leaf itself.
    is_leaf : function, optional
        Which lists, tuples and dicts are leaves, too.
    within : tuple
        The lists, tuples and dicts that it is in: one that contains itself is gone through once.

    Examples
    --------
    >>> flatten([1, {"a": 2, "b": (3, None)}])
    [1, 2, 3, None]
    >>> flatten([(None, 3), (None, 4)], is_shape)
    [(None, 3), (None, 4)]
    """
    if not isinstance(structure, (list, tuple, dict)) or (is_leaf and is_leaf(structure)):
        return [structure]
    leaves, within = [], (*within, structure)
    for value in structure.values() if isinstance(structure, dict) else structure:
        if not isinstance(value, (list, tuple, dict)):
            leaves.append(value)
        elif not any(value is outer for outer in within):
            leaves += flatten(value, is_leaf, within)
    return leaves


_PLAIN = frozenset([type(None), bool, int, float, str])


def objects_in(structure, kind, within=()):
    """The objects of a class, not a number or string, in nested lists, tuples and dicts, in order.
    They are found fast among thousands of numbers.

    Parameters
    ----------
    structure : object
    kind : type
    within : tuple
        As of `flatten`.
    """
    if isinstance(structure, kind):
        return [structure]
    if not isinstance(structure, (list, tuple, dict)):
        return []
    values = structure.values() if isinstance(structure, dict) else structure
    if _PLAIN.issuperset(map(type, values)):
        return []
    found, within = [], (*within, structure)
    for value in values:
        if not any(value is outer for outer in within):
            found += objects_in(value, kind, within)
    return found


def sorted_dicts(structure):
    """The structure with its dicts in the order of their keys, as Keras goes through them."""
    if isinstance(structure, dict):
        return {key: sorted_dicts(structure[key]) for key in sorted(structure)}
    if isinstance(structure, (list, tuple)):
        return like(structure, [sorted_dicts(value) for value in structure])
    return structure


def is_shape(value):
    """Whether this is one shape, not a list or dict of them."""
    return isinstance(value, tuple) and all(n is None or isinstance(n, int) for n in value)
