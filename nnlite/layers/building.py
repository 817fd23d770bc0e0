"""Building: a layer makes its weights once, whoever asks first, or not at all.

The one idea: a build is a transaction. One thread of the process builds at a time, the others wait
and find the layer built. If anything raises, every layer whose build began inside is as before."""

import contextlib
import contextvars
import functools
import numbers
import os
import threading

from nnlite.configurable import structure_version


class Active:
    """A call of a layer that is running.

    Attributes
    ----------
    layer : Layer
    training : bool or None
        What the layer was told.
    made : list
        (layer, layer in whose `call`, whether that one was called before) of each layer that was
        made since the outermost call began.
    """

    __slots__ = ("layer", "made", "training")

    def __init__(self, layer, training, made):
        self.layer, self.training, self.made = layer, training, made


# The innermost call of this thread; None outside of calls and in a build.
active = contextvars.ContextVar("nnlite layer being called", default=None)

_lock = threading.RLock()
_begun = []  # (layer, its attributes, its containers) as they were before each build of now
if hasattr(os, "register_at_fork"):  # a child never has layers that are half built
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


@contextlib.contextmanager
def transaction(layer=None):
    """Let no other thread build meanwhile; if the block raises, undo the builds in it.

    Parameters
    ----------
    layer : Layer, optional
        One that is to be as before then, too.
    """
    with _lock:
        begun = len(_begun)
        _begun.append(None if layer is None else _state(layer))
        try:
            yield
        except BaseException:
            for state in reversed(_begun[begun:]):
                if state is not None:
                    _restore(*state)
            del _begun[begun:]
            raise
        if not begun:
            _begun.clear()


def _state(layer):
    held = vars(layer)
    kept = [held.get("_tracked"), held.get("_weights")]
    return layer, dict(held), [(c, c.copy()) for c in _containers(kept)]


def _containers(value):
    """The lists and dicts in a structure that may grow."""
    if isinstance(value, (list, dict)):
        yield value
    if isinstance(value, (list, tuple, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


def _restore(layer, attributes, containers):
    for container, before in containers:
        container.clear()
        (container.extend if isinstance(container, list) else container.update)(before)
    vars(layer).clear()
    vars(layer).update(attributes)
    structure_version.advance(layer)


def is_building(layer):
    """Whether a layer's `build` runs; asked inside of a transaction."""
    return "_building" in vars(layer)


def built_once(build):
    """A class's `build` that runs at most once for each layer, and makes it count as built."""
    if hasattr(build, "runs_once"):
        return build

    @functools.wraps(build)
    def once(self, *args, **kwargs):
        with transaction(self):
            if is_building(self):  # `super().build(...)`
                return build(self, *args, **kwargs)
            if self.built:
                return
            outside = active.set(None)
            self.__dict__["_building"] = True
            try:
                _build(build, self, args, kwargs)
            except (ValueError, TypeError) as error:
                say_where(error, self)
                raise
            finally:
                active.reset(outside)
            self.built = True
            del self.__dict__["_building"]

    once.runs_once = True
    return once


def _build(build, layer, args, kwargs):
    """Call a `build` with shapes that are shapes; None is enough for a layer that needs none."""
    if "input_shape" in kwargs:
        args = (kwargs.pop("input_shape"), *args)
    if args and args[0] is None:
        try:
            return build(layer, *args, **kwargs)
        except (TypeError, AttributeError):
            raise TypeError(no_shape(None)) from None
    return build(layer, *map(as_shapes, args), **kwargs)


def as_shapes(given):
    """A shape as a tuple, or lists and dicts of them; a TypeError for anything else."""
    if isinstance(given, dict):
        return {key: as_shapes(shape) for key, shape in given.items()}
    if isinstance(given, (list, tuple)):
        if all(n is None or isinstance(n, numbers.Integral) for n in given):
            return tuple(n if n is None else int(n) for n in given)
        if all(isinstance(shape, (list, tuple, dict)) for shape in given):
            return type(given)(as_shapes(shape) for shape in given)
    raise TypeError(no_shape(given))


def no_shape(given):
    """The words for what is no shape."""
    return (
        "input_shape: expected a tuple of the batch, None, and the sizes of a sample, such as "
        f"(None, 4), got {given!r}"
    )


def say_where(error, layer):
    """Put the layer's name in front of an error's message, unless an inner layer has done so."""
    if not hasattr(error, "of_layer"):
        error.of_layer = layer.name
        error.args = (f"layer {layer.name!r} ({type(layer).__name__}): {error}",)
