"""Gradients: one backward walk over a recording, with one rule for each op.

The rules are written in ops: on a tape they run immediately, in a trace they are recorded and
become part of the plan."""

import contextlib
import math

import numpy as np

from nnlite import ops
from nnlite.checks import check_choice
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable, convert_to_tensor
from nnlite.errors import prefixed
from nnlite.ops.slicing import sum_of_gradients
from nnlite.tree import flatten, map_structure


def gradients(recording, target, sources, seed=None):
    """The gradients of `target` with respect to each of `sources`.

    Parameters
    ----------
    recording : Recording
    target : Tensor
        If it has more than one element, the gradients are those of its sum.
    sources : list of Tensor
    seed : Tensor, optional
        The gradient with respect to the target, of its shape; by default ones.

    Returns
    -------
    list of Tensor or None
        None where the target does not depend on the source.
    """
    calls = list(recording.calls)
    on_path = _dependents(calls, sources)
    grads = {}  # by the id of the tensor, a list
    if id(target) in on_path:
        grads[id(target)] = [ops.ones_like(target) if seed is None else seed]

    def total(y):
        found = grads.get(id(y))
        if found is not None and len(found) > 1:
            found[:] = [sum_of_gradients(found)]
        return found and found[0]

    for call in reversed(calls):
        dys = [total(y) for y in call.outputs]
        need = [id(x) in on_path for x in call.inputs]
        if call.op.gradient == "none" or not any(need) or all(dy is None for dy in dys):
            continue
        rule = call.op.gradient or (call.op.formula and _rule_of_formula)
        if rule is None:
            raise NotImplementedError(f"{call.op.name}: there is no gradient through this op")
        for x, version in zip(call.inputs, call.versions):
            if isinstance(x, Variable) and x.version != version:
                raise RuntimeError(
                    f"Variable {x.name!r} was assigned after it was used in the forward pass and "
                    "before its gradient was asked for: compute the gradient first"
                )
        for x, dx in zip(call.inputs, rule(call, *dys, need=need)):
            if dx is None:
                continue
            grads.setdefault(id(x), []).append(ops.sum_to(dx, x.shape))
    return [total(source) for source in sources]


def _rule_of_formula(call, *dys, need):
    """The gradients through a fused op, by those of its formula."""
    with Recording() as tape:
        outputs = call.op.formula(*call.inputs, **call.attrs)
    sources, found = {id(x): x for x, needed in zip(call.inputs, need) if needed}, {}
    for y, dy in zip(outputs, dys):
        if dy is None:
            continue
        for x, dx in zip(sources, gradients(tape, y, [*sources.values()], dy)):
            if dx is not None:
                found[x] = ops.add(found[x], dx) if x in found else dx
    # Of an input that is given twice, the gradient is whole: it goes to the first place.
    return [found.pop(id(x), None) for x in call.inputs]


def _dependents(calls, sources):
    """The ids of the sources and of the tensors that depend on them."""
    found = {id(s) for s in sources}
    for call in calls:
        if call.op.gradient != "none" and any(id(x) in found for x in call.inputs):
            found.update(id(y) for y in call.outputs)
    return found


class GradientTape(Recording):
    """Records the ops inside its `with` block, for gradients afterwards.

    Parameters
    ----------
    persistent : bool, default False
        Whether `gradient` may be called more than once.
    watch_accessed_variables : bool, default True
        Ignored, for TensorFlow's signature: every tensor of the block can be a source.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(3.0)
    >>> with nnlite.GradientTape() as tape:
    ...     loss = w ** 2
    >>> tape.gradient(loss, w).item()
    6.0
    """

    def __init__(self, persistent=False, watch_accessed_variables=True):
        super().__init__()
        self.persistent = persistent
        self._used = False

    def watch(self, tensor):
        """Do nothing: every tensor of the block can be a source.

        Parameters
        ----------
        tensor : Tensor
        """

    @contextlib.contextmanager
    def stop_recording(self):
        """A `with` block inside the tape's, whose ops it does not record: gradients do not pass.

        Examples
        --------
        >>> import nnlite
        >>> w = nnlite.Variable(3.0)
        >>> with nnlite.GradientTape() as tape:
        ...     loss = w ** 2
        ...     with tape.stop_recording():
        ...         shown = loss * 100
        >>> len(tape.calls), shown.item()
        (1, 900.0)
        """
        before = len(self.calls)
        try:
            yield
        finally:
            del self.calls[before:]

    def reset(self):
        """Forget what was recorded."""
        self.calls.clear()

    def gradient(self, target, sources, output_gradients=None, unconnected_gradients="none"):
        """The gradients of `target` with respect to `sources`.

        Parameters
        ----------
        target : Tensor
            Computed inside the block. If it has more than one element, the gradients are those of
            its sum.
        sources : Tensor, or list, tuple or dict of them
            Lists, tuples and dicts may be nested.
        output_gradients : Tensor, optional
            The gradient with respect to `target`, of its shape; by default ones.
        unconnected_gradients : {'none', 'zero'}, default 'none'
            The gradient for a source on which `target` does not depend: None or zeros.

        Returns
        -------
        Tensor or None, or lists, tuples and dicts of them like `sources`

        Raises
        ------
        RuntimeError
            If a tape that is not persistent is asked a second time, or a variable was assigned
            after its use in the block.

        Examples
        --------
        >>> import nnlite
        >>> weights = {"w": nnlite.Variable(3.0), "b": nnlite.Variable(1.0)}
        >>> with nnlite.GradientTape() as tape:
        ...     y = 2 * weights["w"] + weights["b"]
        >>> found = tape.gradient(y, weights)
        >>> found["w"].item(), found["b"].item()
        (2.0, 1.0)
        """
        target, leaves = self._asked("gradient", target, sources, unconnected_gradients)
        if output_gradients is not None:
            with prefixed("GradientTape.gradient: output_gradients: "):
                output_gradients = convert_to_tensor(output_gradients, target.dtype)
            if output_gradients.shape != target.shape:
                raise ValueError(
                    f"GradientTape.gradient: expected output_gradients of shape {target.shape}, "
                    f"that of the target, got {output_gradients.shape}"
                )
        found = self._gradients(gradients, self, target, leaves, output_gradients)
        if unconnected_gradients == "zero":
            found = [ops.zeros_like(s) if g is None else g for s, g in zip(leaves, found)]
        return _like(sources, found)

    def jacobian(
        self,
        target,
        sources,
        unconnected_gradients="none",
        parallel_iterations=None,
        experimental_use_pfor=True,
    ):
        """The derivatives of each element of `target` with respect to `sources`.

        One gradient is computed for each element.

        Parameters
        ----------
        target : Tensor
            Computed inside the block.
        sources : Tensor, or list, tuple or dict of them
            Lists, tuples and dicts may be nested.
        unconnected_gradients : {'none', 'zero'}, default 'none'
            What is given for a source on which `target` does not depend: None or zeros.
        parallel_iterations, experimental_use_pfor : int, bool
            Ignored, for TensorFlow's signature.

        Returns
        -------
        Tensor or None, or lists, tuples and dicts of them like `sources`
            Of shape (*target.shape, *source.shape).

        Raises
        ------
        RuntimeError
            As `gradient`.

        Examples
        --------
        >>> import nnlite
        >>> x = nnlite.Variable([1.0, 2.0])
        >>> with nnlite.GradientTape() as tape:
        ...     y = x * x
        >>> tape.jacobian(y, x).numpy()
        array([[2., 0.],
               [0., 4.]], dtype=float32)
        """
        target, leaves = self._asked("jacobian", target, sources, unconnected_gradients)
        units = np.eye(target.size).reshape(target.size, *target.shape)
        found = self._gradients(_rows, self, target, leaves, units)
        shaped = [
            None if row is None else ops.reshape(row, target.shape + source.shape)
            for row, source in zip(found, leaves)
        ]
        if unconnected_gradients == "zero":
            shaped = [
                ops.zeros(target.shape + source.shape, source.dtype) if row is None else row
                for row, source in zip(shaped, leaves)
            ]
        return _like(sources, shaped)

    def batch_jacobian(
        self,
        target,
        source,
        unconnected_gradients="none",
        parallel_iterations=None,
        experimental_use_pfor=True,
    ):
        """The derivatives of each row of `target` with respect to the same row of `source`.

        A row must not depend on other rows: of those it is the sum of the derivatives.

        Parameters
        ----------
        target : Tensor, shape (N, ...)
            Computed inside the block.
        source : Tensor, shape (N, ...)
        unconnected_gradients : {'none', 'zero'}, default 'none'
            What is given if `target` does not depend on `source`: None or zeros.
        parallel_iterations, experimental_use_pfor : int, bool
            Ignored, for TensorFlow's signature.

        Returns
        -------
        Tensor or None
            Of shape (N, *target.shape[1:], *source.shape[1:]).

        Raises
        ------
        RuntimeError
            As `gradient`.
        TypeError
            If `source` is not one Tensor.
        ValueError
            If `target` and `source` have different numbers of rows.

        Examples
        --------
        >>> import nnlite
        >>> x = nnlite.Variable([[1.0, 2.0], [3.0, 4.0]])
        >>> with nnlite.GradientTape() as tape:
        ...     y = nnlite.ops.sum(x * x, axis=1, keepdims=True)
        >>> tape.batch_jacobian(y, x).numpy()
        array([[[2., 4.]],
        <BLANKLINE>
               [[6., 8.]]], dtype=float32)
        """
        if not isinstance(source, Tensor):
            raise TypeError(
                "GradientTape.batch_jacobian: expected a Tensor as source, got "
                f"{type(source).__name__}"
            )
        target, (leaf,) = self._asked("batch_jacobian", target, source, unconnected_gradients)
        if not target.shape or target.shape[:1] != leaf.shape[:1]:
            raise ValueError(
                "GradientTape.batch_jacobian: expected a target and a source with as many rows, "
                f"got shapes {target.shape} and {leaf.shape}"
            )
        n, size = target.shape[0], math.prod(target.shape[1:])
        units = np.repeat(np.eye(size)[:, None], n, axis=1).reshape(size, *target.shape)
        (found,) = self._gradients(_rows, self, target, [leaf], units)
        shape = target.shape + leaf.shape[1:]
        if found is None:
            zero = unconnected_gradients == "zero"
            return ops.zeros(shape, leaf.dtype) if zero else None
        return ops.reshape(ops.moveaxis(found, 0, 1), shape)

    def _asked(self, method, target, sources, unconnected_gradients):
        """The target and the sources in a list, if this tape can give their gradients."""
        if self._used and not self.persistent:
            raise RuntimeError(
                f"GradientTape.{method}: a tape that is not persistent gives its gradients once"
            )
        if not isinstance(target, Tensor):
            raise TypeError(
                f"GradientTape.{method}: expected a Tensor as target, got {type(target).__name__}"
            )
        owner = f"GradientTape.{method}"
        check_choice("unconnected_gradients", unconnected_gradients, ("none", "zero"), owner)
        leaves = flatten(sources)
        if not all(isinstance(s, Tensor) for s in leaves):
            raise TypeError(
                f"GradientTape.{method}: sources: expected a Tensor, or a list, tuple or dict of "
                f"them, got {sources!r}"
            )
        return target, leaves

    def _gradients(self, function, *arguments):
        """What a function finds by this tape."""
        self._used = True
        if self.persistent:
            return function(*arguments)
        found = self._paused(function, *arguments)
        self.calls.clear()
        return found


def _like(sources, found):
    in_order = iter(found)
    return map_structure(lambda source: next(in_order), sources, Tensor)


def _rows(recording, target, sources, seeds):
    """The gradients for each of several seeds, along a new first axis; None without dependence."""
    if not len(seeds):
        return [ops.zeros((0, *source.shape), source.dtype) for source in sources]
    rows = [
        gradients(recording, target, sources, convert_to_tensor(seed, target.dtype))
        for seed in seeds
    ]
    return [None if column[0] is None else ops.stack(list(column)) for column in zip(*rows)]
