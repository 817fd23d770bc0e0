"""Objects by name: `get('adam')`, `get('Adam')` and `get(Adam())` are equivalent."""

from nnlite.configurable import snake_case


def find(kind, identifier, names, accepts):
    """The object that `identifier` refers to.

    Parameters
    ----------
    kind : str
        For error messages: 'optimizer', 'loss', ...
    identifier : str, class or object
        A class is called without arguments; an object is returned unchanged.
    names : dict of str to class or function
        The keys are in snake case.
    accepts : callable
        Takes an object; returns whether it is valid.

    Raises
    ------
    TypeError
        If `accepts` rejects an object.
    ValueError
        If no object has the name.
    """
    if isinstance(identifier, str):
        found = names.get(identifier) or names.get(snake_case(identifier))
        if found is None:
            raise ValueError(f"unknown {kind} {identifier!r}; known: {', '.join(sorted(names))}")
        return found() if isinstance(found, type) else found
    if isinstance(identifier, type):
        return identifier()
    if accepts(identifier):
        return identifier
    article = "an" if kind[0] in "aeiou" else "a"
    raise TypeError(
        f"expected {article} {kind}, its name or a function, got {identifier!r}; "
        f"known: {', '.join(sorted(names))}"
    )
