"""Look-up by name: `get('adam')`, `get('Adam')` and `get(Adam())` all mean the same, and errors
list what there is."""

from nnlite.configurable import snake_case


def find(kind, identifier, names, accepts):
    """The object that `identifier` means.

    Parameters
    ----------
    kind : str
        For messages: 'optimizer', 'loss', ...
    identifier : str, class or object
    names : dict of str to class or function
        Keyed in snake case.
    accepts : callable
        Whether an object can be used as it is.
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
