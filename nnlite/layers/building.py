"""Building: the first thread that calls a layer makes its weights; the others wait for them.

The one idea: a build is a transaction. One thread of the process builds at a time, the others wait
and find the layer built. If anything raises, every layer whose build began inside is as before."""

import functools

import numpy as np

from nnlite.config import active, isolated
from nnlite.configurable import structure_version
from nnlite.engine.recording import record_nothing, tracing_lock
from nnlite.tree import flatten


class _Here:
    """What is being called in this thread.

    Attributes
    ----------
    training : bool or None
        What the layer that is calling was told.
    calling : Layer or None
        The layer whose `call` runs.
    made : list or None
        (layer, layer in whose `call`, whether that one was called before) of each layer made since
        the outermost call began; None outside of a call and in a build.
    begun : list or None
        The states of layers before each build of the transaction; None outside of one.
    """

    training, calling, made, begun = active(), active(), active(), active()


here = _Here()


def transaction(layer, function, *args, **kwargs):
    """Call a function while no other thread builds; if it raises, undo the builds in it.

    Parameters
    ----------
    layer : Layer or None
        One that is to be as before then, too.
    function : function
    *args, **kwargs
        Its arguments.

    Returns
    -------
    What the function returns.
    """
    outer = here.begun
    try:
        with tracing_lock:
            begun = here.begun = [] if layer is None else [_state(layer)]
            try:
                result = function(*args, **kwargs)
            except BaseException:
                for state in reversed(begun):
                    _restore(*state)
                raise
            if outer is not None:
                outer.extend(begun)
            return result
    finally:
        here.begun = outer
        while outer is None and tracing_lock._is_owned():  # Ctrl-C came as it was to be released
            tracing_lock.release()


def _state(layer):
    """A layer, its attributes, and its containers, as they are now."""
    held = vars(layer)
    kept = [held.get("_tracked"), held.get("_weights")]
    return layer, dict(held), [(c, c.copy()) for c in _containers(kept)]


def _containers(value, within=()):
    """The lists and dicts in a list, tuple or dict that may grow, and it itself."""
    if not isinstance(value, tuple):
        yield value
    within = (*within, value)
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (list, tuple, dict)) and all(inner is not outer for outer in within):
            yield from _containers(inner, within)


def _restore(layer, attributes, containers):
    for container, before in containers:
        container.clear()
        (container.extend if isinstance(container, list) else container.update)(before)
    held = vars(layer)
    held.update(attributes)  # never empty, as another thread may look
    for name in held.keys() - attributes.keys():
        del held[name]
    structure_version.advance(layer)


def is_building(layer):
    """Whether a layer's `build` runs; asked inside of a transaction."""
    return "_building" in vars(layer)


def built_once(build):
    """A class's `build` that runs at most once for each layer, and makes it count as built."""
    if hasattr(build, "runs_once"):
        return build

    @isolated
    @functools.wraps(build)
    def once(self, *args, **kwargs):
        return transaction(self, _build_once, build, self, args, kwargs)

    once.runs_once = True
    return once


def _build_once(build, layer, args, kwargs):
    """Call a `build` unless the layer is built."""
    if is_building(layer):  # `super().build(...)`
        return build(layer, *args, **kwargs)
    if layer.built:
        return layer._built_again(*args, **kwargs) if layer._is_model else None
    here.calling = here.made = None
    record_nothing()
    layer.__dict__["_building"] = True
    try:
        _build(build, layer, args, kwargs)
    except (ValueError, TypeError, MemoryError) as error:
        say_where(error, layer)
        raise
    layer.built = True
    del layer.__dict__["_building"]


def _build(build, layer, args, kwargs):
    """Call a `build` with shapes that are shapes; None is enough for a layer that needs none."""
    if "input_shape" in kwargs:
        args = (kwargs.pop("input_shape"), *args)
    if args and args[0] is None:
        try:
            return build(layer, *args, **kwargs)
        except (TypeError, AttributeError):
            raise TypeError(no_shape(None)) from None
    shapes = [*map(as_shapes, args)]
    if shapes and layer._takes is not None:
        layer._check_shapes(shapes[0])
    layer.__dict__["_built_for"] = shapes[0] if shapes else None
    return build(layer, *shapes, **kwargs)


def as_shapes(given):
    """A shape as a tuple, or lists and dicts of them; a TypeError for anything else."""
    if isinstance(given, dict):
        return {key: None if shape is None else as_shapes(shape) for key, shape in given.items()}
    if isinstance(given, (list, tuple)):
        if all(n is None or isinstance(n, (int, np.integer)) for n in given):
            return tuple(n if n is None else int(n) for n in given)
        if all(shape is None or isinstance(shape, (list, tuple, dict)) for shape in given):
            return type(given)(None if shape is None else as_shapes(shape) for shape in given)
    raise TypeError(no_shape(given))


def check_returned(outputs):
    """Raise a TypeError if what a `call` returned holds no tensor, as without a `return`."""
    if not any(hasattr(y, "shape") for y in flatten(outputs)):
        raise TypeError(f"call: expected it to return a tensor, got {outputs!r}")


def no_shape(given):
    """The words for what is no shape."""
    return (
        "input_shape: expected a tuple of the batch, None, and the sizes of a sample, such as "
        f"(None, 4), got {given!r}"
    )


def say_where(error, layer):
    """Put the layer's name in front of an error's message, unless an inner layer has done so that
    is no part which the layer made for itself."""
    words = f"layer {layer.name!r} ({type(layer).__name__}): "
    made_parts = getattr(layer, "_makes_parts", False) and not str(error).startswith(words)
    if made_parts or not hasattr(error, "of_layer"):
        error.of_layer = layer.name
        error.args = (f"{words}{error}",)


def check_in_call(method, symbolic=False):
    """Raise a RuntimeError unless a layer is being called.

    Parameters
    ----------
    method : str
        What must be called in the `call` of a layer.
    symbolic : bool, default False
        Whether it was given a symbol, of a functional model.
    """
    if here.calling is None:
        hint = "; on the way to the symbol put a layer whose `call` does" if symbolic else ""
        raise RuntimeError(f"{method}: expected to be called in the `call` of a layer{hint}")


def refuse_made_in_call(layer, made):
    """Raise a ValueError if a layer that was made in the call of another has weights that training
    would not change, or that the next call would make again.

    Parameters
    ----------
    layer : Layer
        The outermost that was called.
    made : list of (Layer, Layer, bool)
        Layers, in whose `call` each was made, and whether that had run before.
    """
    kept = {id(v) for v in layer.weights}
    for inner, caller, again in made:
        weights = inner.trainable_weights
        if weights and (again or any(id(v) not in kept for v in weights)):
            raise ValueError(
                f"`call` of {caller.name!r} made the layer {inner!r}, so each call would begin "
                "with new weights and training would change none: make it once, in `__init__` "
                f"or `build`, and keep it as an attribute (self.{inner.name} = ...)"
            )
