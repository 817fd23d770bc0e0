"""`einsum`: sums of products over axes that letters name, made of matrix products.

The one idea: the operands are taken in pairs, and each pair is one product of stacks of matrices.
The axes that both have and that are kept number the stacks, those that end here are summed over,
and the others are rows and columns.
"""

import math
import re

from nnlite.ops.diagonals import diagonal
from nnlite.ops.elementwise import multiply
from nnlite.ops.linear import matmul
from nnlite.ops.operands import operands as as_operands
from nnlite.ops.reduce import sum
from nnlite.ops.shape import reshape, transpose

_TERM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")


def einsum(subscripts, *operands):
    """The sum of products that letters describe, after Einstein.

    Parameters
    ----------
    subscripts : str
        A letter for each axis of each operand, a comma between operands, and perhaps '->' and the
        letters of the result, as in 'bij,bjk->bik'. Axes that the result lacks are summed over. Of
        axes of one operand with one letter the diagonal counts, as in 'ii->i'. By
        default the result has the letters that come once, in alphabetical order. '...' stands for
        any further axes, which broadcast; without '->' they come first.
    *operands : tensor
        One or more.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the letters do not fit the shapes, or the result has a letter twice.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0]).numpy()
    array([21., 43.], dtype=float32)
    >>> ops.einsum("...ij->...ji", ops.ones((5, 2, 3))).shape
    (5, 3, 2)
    """
    tensors = as_operands(*operands)
    labels, result = _labels_of(subscripts, [x.shape for x in tensors])
    terms = _fitting([_diagonal(x, names) for x, names in zip(tensors, labels)])
    first, *others = terms
    for i, other in enumerate(others):
        later = {label for _, names in others[i + 1 :] for label in names}
        first = _product(first, other, later, result)
    x, names = _summed(first, set(result))
    return _ordered(x, names, result)


def _labels_of(subscripts, shapes):
    """The labels of the axes of each operand, and of the result: letters, and numbers from -1 down
    for the axes of '...', from the last one."""
    if not isinstance(subscripts, str):
        raise TypeError(f"subscripts: expected a string such as 'ij,jk->ik', got {subscripts!r}")
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = given.split(",")
    if not all(map(_TERM.fullmatch, [*terms, result])):
        raise ValueError(f"subscripts: expected letters such as 'ij,jk->ik', got {subscripts!r}")
    if len(terms) != len(shapes):
        raise ValueError(
            f"subscripts: expected a term for each of {len(shapes)} operands, got {subscripts!r}"
        )
    labels = [_labels_of_term(term, shape) for term, shape in zip(terms, shapes)]
    elided = sorted({x for names in labels for x in names if isinstance(x, int)})
    if not arrow:
        letters = [x for names in labels for x in names if isinstance(x, str)]
        return labels, [*elided, *sorted(x for x in letters if letters.count(x) == 1)]
    before, dots, after = result.partition("...")
    unknown = [x for x in before + after if not any(x in names for names in labels)]
    if unknown:
        raise ValueError(
            f"subscripts: expected letters of operands in the result, got {unknown[0]!r} "
            f"in {subscripts!r}"
        )
    if elided and not dots:
        raise ValueError(f"subscripts: expected '...' in the result, too, got {subscripts!r}")
    found = [*before, *(elided if dots else []), *after]
    _refuse_twice(found, result)
    return labels, found


def _labels_of_term(term, shape):
    before, dots, after = term.partition("...")
    n = len(shape) - len(before) - len(after)
    if n < 0 or (n and not dots):
        raise ValueError(
            f"subscripts: expected a letter for each axis of shape {shape}, got {term!r}"
        )
    return [*before, *range(-n, 0), *after]


def _refuse_twice(labels, term):
    twice = [x for x in labels if labels.count(x) > 1]
    if twice:
        raise ValueError(f"subscripts: expected each letter once in a term, got {term!r}")


def _diagonal(x, names):
    """A term (tensor, labels) with the diagonal in place of axes of one label."""
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            if x.shape[first] != x.shape[second]:
                raise ValueError(
                    f"expected one size of letter {name!r}, got {x.shape[first]} and "
                    f"{x.shape[second]}"
                )
            x = diagonal(x, 0, first, second)
            names = [other for d, other in enumerate(names) if d not in (first, second)] + [name]
    return x, names


def _fitting(terms):
    """Terms (tensor, labels) without the axes of '...' along which they broadcast; a ValueError if
    two sizes of a letter differ."""
    sizes = {}
    for x, names in terms:
        for name, n in zip(names, x.shape):
            known = sizes.setdefault(name, n)
            if n != known and (isinstance(name, str) or 1 not in (n, known)):
                what = f"letter {name!r}" if isinstance(name, str) else "axes of '...'"
                raise ValueError(f"expected one size of {what}, got {known} and {n}")
            sizes[name] = known if n == 1 else n
    found = []
    for x, names in terms:
        kept = [(name, n) for name, n in zip(names, x.shape) if n == sizes[name]]
        found.append((reshape(x, tuple(n for _, n in kept)), [name for name, _ in kept]))
    return found


def _summed(term, kept):
    """A term (tensor, labels) summed over the axes that are not kept."""
    x, names = term
    ended = [d for d, name in enumerate(names) if name not in kept]
    if ended:
        x = sum(x, axis=tuple(ended))
    return x, [name for name in names if name in kept]


def _ordered(x, names, wanted):
    """A tensor with its axes in another order."""
    return x if names == wanted else transpose(x, [names.index(name) for name in wanted])


def _product(one, other, later, result):
    """The product of two terms, with the labels of which it is a function."""
    wanted = later | set(result)
    one = _summed(one, wanted | set(other[1]))
    other = _summed(other, wanted | set(one[1]))
    rows, columns = (
        [x for x in a if x not in b] for a, b in ((one[1], other[1]), (other[1], one[1]))
    )
    if _place(columns, result) < _place(rows, result):
        one, other, rows, columns = other, one, columns, rows
    shared = [x for x in one[1] if x in other[1]]
    stacks = sorted((x for x in shared if x in wanted), key=lambda x: _place([x], result))
    ended = [x for x in shared if x not in wanted]
    (x, names), (y, further) = one, other
    sizes = dict(zip([*names, *further], [*x.shape, *y.shape]))
    found = [*stacks, *rows, *columns]
    shape = tuple(sizes[name] for name in found)
    if not ended:
        x = _ordered(x, names, [*stacks, *rows])
        x = reshape(x, (*x.shape, *[1] * len(columns)))
        y = _ordered(y, further, [*stacks, *columns])
        y = reshape(y, (*y.shape[: len(stacks)], *[1] * len(rows), *y.shape[len(stacks) :]))
        return multiply(x, y), found
    p, m, k, n = (math.prod(sizes[a] for a in group) for group in (stacks, rows, ended, columns))
    flip_x, flip_y = names == [*stacks, *ended, *rows], further == [*stacks, *columns, *ended]
    x = x if flip_x else _ordered(x, names, [*stacks, *rows, *ended])
    y = y if flip_y else _ordered(y, further, [*stacks, *ended, *columns])
    first = (p,) if stacks else ()
    x = reshape(x, (*first, *((k, m) if flip_x else (m, k))))
    y = reshape(y, (*first, *((n, k) if flip_y else (k, n))))
    return reshape(matmul(x, y, flip_x, flip_y), shape), found


def _place(names, result):
    """Where the first of some labels stands in a result; beyond its end if none does."""
    return min((result.index(x) for x in names if x in result), default=len(result))
