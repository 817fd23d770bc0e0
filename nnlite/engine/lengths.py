"""Axes of unknown length: what a layer makes of them is found by trying two lengths.

The one idea: a call on a symbol of shape (None, None, 8) is traced with one length in place of the
second None, and again with another. What differs between the two results depends on it. During a
trace the length is a `Length`, and so is what shape rules compute of it: a layer that makes a
weight of such a size is told so at once."""

from nnlite.engine.tensor import Tensor
from nnlite.tree import flatten, map_structure

# Pairs of lengths, the first of which suits most windows and strides; the others are for layers
# that need longer inputs, such as those of sound, or take only short ones.
_TRIED = ((64, 96), (256, 384), (12, 18), (2, 3), (4096, 6144), (65536, 98304))


class Length(int):
    """A length that stands for any."""


def _kept(operation):
    """An operation of int whose results are lengths, too."""

    def operate(self, *others):
        result = operation(self, *others)
        return Length(result) if result.__class__ is int else result

    return operate


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    for _method in (f"__{_name}__", f"__r{_name}__"):
        setattr(Length, _method, _kept(getattr(int, _method)))
Length.__neg__ = _kept(int.__neg__)


def open_shape(shape):
    """A shape with None in place of lengths that stand for any."""
    return tuple(None if n.__class__ is Length else n for n in shape)


def has_unknown(shapes):
    """Whether a size of a sample is not known.

    Parameters
    ----------
    shapes : list of tuple
        With the batch first.
    """
    return any(None in shape[1:] for shape in shapes)


def filled(shape, length):
    """A shape with `length` in place of a sample's None."""
    return (*shape[:1], *(length if n is None else n for n in shape[1:]))


def agree(size, other):
    """Whether two numbers of elements may be the same: one that depends on a length may be any."""
    return size == other or Length in (size.__class__, other.__class__)


def merged(shape, other):
    """The shape that two results have in common; None where they differ."""
    return tuple(a if a == b else None for a, b in zip(shape, other))


def fits(shape, expected):
    """Whether a shape is an expected one, where None stands for any size."""
    return len(shape) == len(expected) and all(e in (None, n) for n, e in zip(shape, expected))


def like_targets(shape, targets):
    """The shape of outputs with the sizes of their targets in place of a sample's None."""
    sizes = (*targets, *(1 for _ in shape))
    return (*shape[:1], *(t if n is None else n for n, t in zip(shape[1:], sizes[1:])))


def result_of_any(call, shapes, broadcasts=False):
    """What a call gives for samples of unknown lengths: a result of which only the shapes hold.

    Parameters
    ----------
    call : function of a length
        What it returns, or holds in lists, tuples and dicts, are the tensors of a trace.
    shapes : list of tuple
        Those of its inputs, for messages.
    broadcasts : bool, default False
        Whether the length may also be 1, or that of another axis with which it broadcasts.

    Returns
    -------
    Tensor, or list, tuple or dict of them
        Their shapes have None where they depend on the length.

    Raises
    ------
    ValueError
        If a weight would depend on it.
    """
    refused = None
    for length, other in _TRIED:
        try:
            result = call(Length(length))
        except (TypeError, ValueError) as error:
            refused = refused or error
            continue
        try:
            second = call(Length(other))
        except ValueError as error:
            if broadcasts:
                refused = refused or error
                continue
            error.args = (
                f"expected weights that do not depend on a size which is not known, as in an input "
                f"of shape {', '.join(map(str, shapes))}: {error}",
            )
            raise
        return _in_common(result, second)
    for other in sorted({n for shape in shapes for n in shape if n}) if broadcasts else ():
        try:
            return _in_common(call(Length(1)), call(Length(other)))
        except (TypeError, ValueError):
            continue
    raise refused


def _in_common(result, other):
    """Tensors of the shapes that two results have in common."""
    others = iter(flatten(other))

    def tensor(y):
        also = next(others)
        made = Tensor(merged(y.shape, also.shape), y.dtype)
        if y.mask is not None and also.mask is not None:
            made.mask = Tensor(merged(y.mask.shape, also.mask.shape), y.mask.dtype)
        return made

    return map_structure(tensor, result, Tensor)
