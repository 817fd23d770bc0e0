"""Loss terms: which outputs each loss of a nested setting compares with targets."""

from typing import NamedTuple

from nnlite import losses
from nnlite.tree import flatten


class Term(NamedTuple):
    """A loss and the outputs that it is of.

    Attributes
    ----------
    name : str
        That of the output; of several the keys that lead to them, else their names.
    part : str, or list, tuple or dict of them
        The name of the output, or those of several, nested as the loss takes them.
    loss : object
        As it was given; None for an output without a loss.
    weight : object
        As it was given.
    """

    name: str
    part: object
    loss: object
    weight: object = None


def terms_of(names, loss, weights=None):
    """The terms of a setting of `compile`.

    A loss that is not in a list, tuple or dict is one for each output. Otherwise losses are nested
    as outputs are, and one that stands where several outputs are takes them together. Where
    outputs are not a list, a list has several losses of the same outputs, and so has a list in the
    place of an output.

    Parameters
    ----------
    names : str, or list, tuple or dict of them
        The structure of the outputs, as `names_of` gives it.
    loss : loss, or list, tuple or dict of them
    weights : number, or list, tuple or dict of them, optional
        Nested as the losses are.

    Returns
    -------
    list of Term

    Raises
    ------
    ValueError
        If losses do not fit the outputs, or weights the losses.
    """
    if not _is_nested(loss):
        return [Term(name, name, loss) for name in flatten(names)]
    if isinstance(loss, dict) and not _has_keys(names, loss):
        flat = flatten(names)
        if loss.keys() != set(flat):
            raise _misfit(names, loss)
        names = dict(zip(flat, flat))
    return list(_terms(names, loss, weights, ()))


def _terms(part, given, weights, path):
    """The terms of losses for a part of the outputs, to which the keys of dicts in `path` lead."""
    if not _is_nested(given):
        name = part if isinstance(part, str) else "/".join(path) or "_".join(flatten(part))
        if given is not None and part is not name and _is_of_one_output(given):
            raise _misfit(part, [given])
        yield Term(name, part, given, weights)
    elif isinstance(given, dict):
        if isinstance(part, str):
            raise ValueError(
                f"loss: expected a loss, or a list of losses, of the output {part!r}, got {given!r}"
            )
        if not _has_keys(part, given):
            raise _misfit(part, given)
        for (key, entry), weight in zip(given.items(), _each_weight(given, weights)):
            yield from _terms(part[key], entry, weight, (*path, str(key)))
    else:
        inner = _parts_for(part, given)
        path = path if inner[0] is part else ()
        for place, entry, weight in zip(inner, given, _each_weight(given, weights)):
            yield from _terms(place, entry, weight, path)


def _parts_for(part, given):
    """The part of the outputs for each entry of a list of losses."""
    names = flatten(part)
    if len(given) == len(names) and all(map(_is_one, given)):
        return names
    if isinstance(part, (list, tuple)):
        by_place = isinstance(part, type(given)) or _fits(part, given)
        if by_place and len(part) == len(given):
            return part
        if by_place:
            raise _misfit(part, given)
    if not given:
        raise _misfit(part, given)
    return [part] * len(given)


def _is_nested(given):
    """Whether this is a list, tuple or dict of losses, not one that a dict describes."""
    return isinstance(given, (list, tuple)) or (
        isinstance(given, dict) and "class_name" not in given
    )


def _is_one(given):
    """Whether this is one loss, or a list of one."""
    if isinstance(given, (list, tuple)):
        return len(given) == 1 and _is_one(given[0])
    return not _is_nested(given)


def _is_of_one_output(given):
    """Whether a loss is a formula of nnlite's, which compares one output with its targets."""
    return type(losses.as_loss(given)).function is not None


def _has_keys(part, given):
    """Whether a dict of losses has keys of a dict of outputs alone."""
    return isinstance(part, dict) and bool(given) and given.keys() <= part.keys()


def _fits(part, given):
    """Whether there is one loss for each output, nested as they are in lists or tuples."""
    if isinstance(part, str):
        return _is_one(given)
    if isinstance(part, dict):
        return isinstance(given, dict) and all(_fits(part.get(k, ""), v) for k, v in given.items())
    return (
        isinstance(given, (list, tuple))
        and len(part) == len(given)
        and all(map(_fits, part, given))
    )


def _each_weight(given, weights):
    """The weight, or nested weights, of each entry of a list or dict of losses."""
    if weights is None:
        return [None] * len(given)
    if isinstance(given, dict) and isinstance(weights, dict) and weights.keys() == given.keys():
        return [weights[key] for key in given]
    if isinstance(given, (list, tuple)) and isinstance(weights, (list, tuple)):
        if len(given) == len(weights):
            return weights
    raise ValueError(
        "loss_weights: expected numbers nested as the losses are, where some are of several "
        f"outputs or several of one, got {weights!r} for {given!r}"
    )


def _misfit(part, given):
    names = flatten(part)
    if not isinstance(given, dict):
        return ValueError(
            f"loss: expected a list of one entry for each of the outputs {', '.join(names)}, or a "
            f"dict, got {given!r}; a loss of several outputs together is a function or a Loss "
            "of one's own"
        )
    if len(names) == 1:
        return ValueError(
            f"loss: expected the output {names[0]!r} as the only key, "
            f"got {', '.join(map(repr, given)) or 'none'}"
        )
    keys = part if isinstance(part, dict) else names
    return ValueError(
        f"loss: expected the outputs {', '.join(keys)} as keys, got {', '.join(map(str, given))}"
    )
