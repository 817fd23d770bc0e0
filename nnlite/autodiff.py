"""Gradients: one backward walk over a recording, with one rule for each op.

The rules are written in ops: on a tape they run immediately, in a trace they are recorded and
become part of the plan."""

from nnlite import ops
from nnlite.checks import check_choice
from nnlite.engine.dispatch import Recording
from nnlite.engine.tensor import Tensor, Variable, convert_to_tensor
from nnlite.errors import prefixed
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
    grads = {}  # by the id of the tensor
    if id(target) in on_path:
        grads[id(target)] = ops.ones_like(target) if seed is None else seed
    for call in reversed(calls):
        dys = [grads.get(id(y)) for y in call.outputs]
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
            dx = ops.sum_to(dx, x.shape)
            known = grads.get(id(x))
            grads[id(x)] = dx if known is None else ops.add(known, dx)
    return [grads.get(id(source)) for source in sources]


def _rule_of_formula(call, *dys, need):
    """The gradients through a fused op, by those of its formula."""
    with Recording() as tape:
        outputs = call.op.formula(*call.inputs, **call.attrs)
    sources, found = [x for x, needed in zip(call.inputs, need) if needed], {}
    for y, dy in zip(outputs, dys):
        for x, dx in zip(sources, gradients(tape, y, sources, dy)) if dy is not None else ():
            if dx is not None:
                found[id(x)] = ops.add(found[id(x)], dx) if id(x) in found else dx
    return [found.get(id(x)) for x in call.inputs]


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
        if self._used and not self.persistent:
            raise RuntimeError(
                "GradientTape.gradient: a tape that is not persistent gives its gradients once"
            )
        if not isinstance(target, Tensor):
            raise TypeError(
                f"GradientTape.gradient: expected a Tensor as target, got {type(target).__name__}"
            )
        check_choice(
            "unconnected_gradients",
            unconnected_gradients,
            ("none", "zero"),
            "GradientTape.gradient",
        )
        leaves = flatten(sources)
        if not all(isinstance(s, Tensor) for s in leaves):
            raise TypeError(
                "GradientTape.gradient: sources: expected a Tensor, or a list, tuple or dict of "
                f"them, got {sources!r}"
            )
        if output_gradients is not None:
            with prefixed("GradientTape.gradient: output_gradients: "):
                output_gradients = convert_to_tensor(output_gradients, target.dtype)
            if output_gradients.shape != target.shape:
                raise ValueError(
                    f"GradientTape.gradient: expected output_gradients of shape {target.shape}, "
                    f"that of the target, got {output_gradients.shape}"
                )
        self._used = True
        arguments = (self, target, leaves, output_gradients)
        found = gradients(*arguments) if self.persistent else self._paused(gradients, *arguments)
        if unconnected_gradients == "zero":
            found = [ops.zeros_like(s) if g is None else g for s, g in zip(leaves, found)]
        if not self.persistent:
            self.calls.clear()
        in_order = iter(found)
        return map_structure(lambda source: next(in_order), sources, Tensor)
