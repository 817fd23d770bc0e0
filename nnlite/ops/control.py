"""Branches and loops over tensors.

Outside of a trace they are Python's. In a trace, where tensors have no values, a branch computes
both sides and selects, and a loop is written out: its length must be known.
"""

from nnlite.checks import is_number
from nnlite.engine.symbolic import Symbol
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.errors import prefixed
from nnlite.ops.cumulative import running
from nnlite.ops.elementwise import equal, where
from nnlite.ops.operands import axis_of, flag, integer, operands
from nnlite.ops.slicing import flip, stack
from nnlite.tree import flatten, like, map_structure

_DATA = (Tensor, Symbol)


def _is_known(x):
    return not isinstance(x, _DATA) or getattr(x, "_data", None) is not None


def _check_functions(**given):
    """Raise a TypeError for a setting that is no function."""
    for name, function in given.items():
        if not callable(function):
            raise TypeError(f"{name}: expected a function, got {function!r:.100}")


def cond(pred, true_fn, false_fn):
    """What one of two functions returns.

    Parameters
    ----------
    pred : bool, or tensor or symbol of one element
    true_fn, false_fn : functions without arguments
        They return tensors of one structure. Where the value of `pred` is not known, in a trace or
        a functional model, both are called and the result is selected.

    Examples
    --------
    >>> from nnlite import ops
    >>> x = ops.convert_to_tensor(3.0)
    >>> ops.cond(x > 2, lambda: x * 10, lambda: x).item()
    30.0
    """
    _check_functions(true_fn=true_fn, false_fn=false_fn)
    if _is_known(pred):
        return true_fn() if convert_to_tensor(pred) else false_fn()
    return _selected(pred, true_fn(), false_fn())


def _selected(chosen, one, other):
    """Structures of tensors: one where `chosen` is not 0, else the other."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {key: _selected(chosen, value, other[key]) for key, value in one.items()}
    lists = isinstance(one, (list, tuple)) and isinstance(other, (list, tuple))
    if lists and len(one) == len(other):
        return like(one, [_selected(chosen, *both) for both in zip(one, other)])
    if one is None and other is None:
        return None
    if any(x is None or isinstance(x, (dict, list, tuple)) for x in (one, other)):
        raise ValueError(
            f"expected functions that return one structure, got {one!r:.100} and {other!r:.100}"
        )
    return where(chosen, one, other)


def switch(index, branches, *operands):
    """What one of several functions returns.

    Parameters
    ----------
    index : int, or integer tensor of one element
        The number of the function; below 0 the first, beyond the last one the last.
    branches : list of functions
        They return tensors of one structure. Where `index` is not known, all are called.
    *operands : anything
        Their arguments.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.switch(1, [lambda x: x, lambda x: 2 * x], 5)
    10
    """
    if not isinstance(branches, (list, tuple)) or not branches:
        raise ValueError(f"branches: expected a list of functions, got {branches!r}")
    _check_functions(**{f"branches[{k}]": branch for k, branch in enumerate(branches)})
    last = len(branches) - 1
    if _is_known(index):
        return branches[min(max(integer("index", index), 0), last)](*operands)
    found = branches[last](*operands)
    for k in reversed(range(last)):
        chosen = equal(index, float(k)) if k else index < 1
        found = _selected(chosen, branches[k](*operands), found)
    return found


def while_loop(cond, body, loop_vars, maximum_iterations=None):
    """Call a function on what it returned, while a condition holds.

    Parameters
    ----------
    cond : function of the variables
        Whether to go on. In a trace its result must be known, a Python bool.
    body : function of the variables
        Returns the next ones.
    loop_vars : tensor, or list or tuple of them
    maximum_iterations : int, optional
        The loop ends after as many calls.

    Returns
    -------
    Like `loop_vars`

    Examples
    --------
    >>> from nnlite import ops
    >>> i, total = ops.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (0, 0))
    >>> int(total)
    6
    """
    _check_functions(cond=cond, body=body)
    if maximum_iterations is not None:
        maximum_iterations = integer("maximum_iterations", maximum_iterations)
    several = isinstance(loop_vars, (tuple, list))
    found, calls = loop_vars, 0
    while maximum_iterations is None or calls < maximum_iterations:
        arguments = found if several else (found,)
        with prefixed("while_loop: cond: ", RuntimeError):
            if not bool(cond(*arguments)):
                break
        found = body(*arguments)
        if not several and isinstance(found, (tuple, list)) and len(found) == 1:
            found = found[0]
        elif several and not isinstance(found, (tuple, list)):
            found = (found,)
        calls += 1
    return like(loop_vars, found) if several else found


def fori_loop(lower, upper, body_fun, init_val):
    """Call a function on each integer of a range and on what it returned before.

    Parameters
    ----------
    lower, upper : int
        From `lower` on, below `upper`.
    body_fun : function of (integer, value)
        Returns the next value.
    init_val : anything
        The first value.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.fori_loop(0, 4, lambda i, total: total + i, 0)
    6
    """
    _check_functions(body_fun=body_fun)
    found = init_val
    for i in range(integer("lower", lower), integer("upper", upper)):
        found = body_fun(i, found)
    return found


def _lengths(structure, name):
    if not flatten(structure) or any(x is None for x in flatten(structure)):
        raise ValueError(f"{name}: expected tensors, got {structure!r}")
    lengths = {x.shape[0] if x.shape else None for x in flatten(structure)}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(f"{name}: expected tensors with first axes of one length, got {lengths}")
    return lengths.pop()


def _as_tensors(structure):
    return map_structure(
        lambda x: x if isinstance(x, Tensor) else convert_to_tensor(x),
        structure,
        _leaf_kinds(structure),
    )


def _leaf_kinds(structure):
    """The classes of what is in lists, tuples and dicts, but for None."""
    return tuple({type(x) for x in flatten(structure) if x is not None}) or (Tensor,)


def _stacked(structures):
    """Structures of tensors as one, of tensors with a new first axis."""
    columns = iter([stack(list(leaves)) for leaves in zip(*[flatten(s) for s in structures])])
    kinds = _leaf_kinds(structures[0])
    return map_structure(lambda x: next(columns), structures[0], kinds)


def scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    """Call a function on each entry of tensors and on a state that it hands on.

    Parameters
    ----------
    f : function of (state, entry)
        Returns the next state, and a tensor or a structure of them.
    init : anything
        The first state.
    xs : tensor, or list, tuple or dict of them, optional
        The entries are those along the first axes; None without it.
    length : int, optional
        How many calls, if there is no `xs`.
    reverse : bool, default False
        Whether the last entry is the first.
    unroll : int, default 1
        Ignored.

    Returns
    -------
    state
        The last one.
    ys : like what `f` returns second
        The results, along a new first axis, in the order of the entries; None if `f` returns None.

    Examples
    --------
    >>> from nnlite import ops
    >>> total, sums = ops.scan(lambda s, x: (s + x, s + x), 0.0, ops.array([1.0, 2.0, 3.0]))
    >>> sums.numpy()
    array([1., 3., 6.], dtype=float32)
    """
    _check_functions(f=f)
    if xs is None and length is None:
        raise ValueError("expected xs or length, got neither")
    if not isinstance(unroll, bool) and not is_number(unroll, "[1, inf)"):
        raise ValueError(f"unroll: expected a positive integer or bool, got {unroll!r}")
    length = None if length is None else integer("length", length)
    reverse = flag("reverse", reverse)
    xs = None if xs is None else _as_tensors(xs)
    n = length if xs is None else _lengths(xs, "xs")
    if length is not None and n != length:
        raise ValueError(f"length: expected that of xs, {n}, got {length}")
    state, found = init, []
    for k in reversed(range(n)) if reverse else range(n):
        entry = None if xs is None else map_structure(lambda x, k=k: x[k], xs, Tensor)
        state, y = f(state, entry)
        found.append(y)
    if not found or all(y is None for y in flatten(found)):
        return state, None
    return state, _stacked(found[::-1] if reverse else found)


def map(f, xs):
    """What a function makes of each entry of tensors, along a new first axis.

    Parameters
    ----------
    f : function of an entry
        Returns a tensor or a structure of them.
    xs : tensor, or list, tuple or dict of them
        The entries are those along the first axes.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.map(ops.sum, ops.ones((2, 3))).numpy()
    array([3., 3.], dtype=float32)
    """
    _check_functions(f=f)
    xs = _as_tensors(xs)
    n = _lengths(xs, "xs")
    if not n:
        raise ValueError("xs: expected at least one entry, got none")
    return _stacked([f(map_structure(lambda x, k=k: x[k], xs, Tensor)) for k in range(n)])


def vectorized_map(function, elements):
    """What a function makes of each entry of tensors, along a new first axis: `map`.

    Parameters
    ----------
    function : function of an entry
        Returns a tensor or a structure of them.
    elements : tensor, or list, tuple or dict of them
        The entries are those along the first axes.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.vectorized_map(lambda x: x * 2, ops.ones((2,))).numpy()
    array([2., 2.], dtype=float32)
    """
    _check_functions(function=function)
    return map(function, elements)


def associative_scan(f, elems, reverse=False, axis=0):
    """The combinations of all entries up to each one along an axis, in about log2(n) steps.

    Parameters
    ----------
    f : function of (earlier, later)
        Combines entries of tensors, many at once; f(f(a, b), c) must be f(a, f(b, c)).
    elems : tensor, or list, tuple or dict of them
    reverse : bool, default False
        Whether to begin at the end.
    axis : int, default 0

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.associative_scan(ops.multiply, ops.array([1.0, 2.0, 3.0, 4.0])).numpy()
    array([ 1.,  2.,  6., 24.], dtype=float32)
    """
    _check_functions(f=f)
    reverse = flag("reverse", reverse)
    elems = _as_tensors(elems)
    leaves = operands(*flatten(elems))
    if not leaves:
        raise ValueError(f"elems: expected tensors, got {elems!r}")
    axis = axis_of(axis, leaves[0].shape)
    if len({x.shape[axis : axis + 1] for x in leaves}) != 1:
        raise ValueError(
            f"elems: expected axes {axis} of one length, got shapes "
            f"{', '.join(str(x.shape) for x in leaves)}"
        )

    def like_elems(tensors):
        tensors = iter(tensors)
        return map_structure(lambda x: next(tensors), elems, Tensor)

    def combine(earlier, later):
        return flatten(f(like_elems(earlier), like_elems(later)))

    leaves = [flip(x, axis) for x in leaves] if reverse else leaves
    found = running(combine, leaves, axis)
    return like_elems([flip(x, axis) for x in found] if reverse else found)
