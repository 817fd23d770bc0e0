"""What a call of a layer is given: its inputs as tensors, and which argument is which."""

import inspect

import numpy as np

from nnlite.engine.lengths import open_shape
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.layers.tracking import Tracked
from nnlite.tree import map_structure

NOT_GIVEN = inspect.Parameter.empty
_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def as_tensors(inputs):
    """The inputs of a call as a tensor; as lists or dicts of tensors if several were given."""
    if isinstance(inputs, Tensor):
        return inputs
    if isinstance(inputs, dict):
        return {key: x if x is None else as_tensors(x) for key, x in inputs.items()}
    if isinstance(inputs, (list, tuple)) and _has_arrays(inputs):
        return [x if x is None else as_tensors(x) for x in inputs]
    if isinstance(inputs, Tracked):
        raise TypeError(
            f"expected a tensor, got the layer {inputs!r}: a layer is called on the result of "
            "another, as in Dense(2)(Dense(3)(x)); or put both into a Sequential"
        )
    with np.errstate(over="ignore"):  # beyond float32 is infinity
        return convert_to_tensor(inputs)


def _has_arrays(values):
    """Whether there is an array or tensor in lists, tuples and dicts."""
    values = values.values() if isinstance(values, dict) else values
    return any(
        _has_arrays(x)
        if isinstance(x, (list, tuple, dict))
        else isinstance(x, (Tensor, np.ndarray, Tracked))
        for x in values
    )


def shapes_of_batches(inputs):
    """The shapes of tensors, with None for the batch."""
    return map_structure(
        lambda x: (None, *open_shape(x.shape[1:])) if x.shape else (), inputs, Tensor
    )


def first_by_name(layer, kwargs):
    """Take the first argument of a layer's `call`, which was given by its name, out of `kwargs`."""
    first = next(iter(inspect.signature(layer.call).parameters), "inputs")
    if first not in kwargs:
        raise TypeError(
            f"layer {layer.name!r} ({type(layer).__name__}): expected a tensor to be called on, "
            f"as its first argument or as {first}=, got {', '.join(kwargs) or 'no argument'}"
        )
    return kwargs.pop(first)


def check_arguments(layer, args, kwargs):
    """Raise a TypeError if a layer's `call` does not take these beside its inputs."""
    signature = inspect.signature(layer.call)
    given = {"training": None, **kwargs} if layer._takes_training() else kwargs
    try:
        signature.bind(None, *args, **given)
    except TypeError as error:
        raise TypeError(
            f"layer {layer.name!r} ({type(layer).__name__}): expected the arguments of "
            f"call{signature}: {error}"
        ) from None


def shapes_by_name(layer, args, kwargs):
    """The shapes for a layer's `build` that takes several, by the names of its arguments: x_shape
    is that of what `call` takes as x. Empty for a `build` that asks for one.

    Parameters
    ----------
    layer : Layer
    args, kwargs : tuple and dict
        The arguments of `call`.
    """
    asked = [p for p in inspect.signature(layer.build).parameters.values() if p.kind not in _REST]
    if len(asked) < 2:
        return {}
    taken = inspect.signature(layer.call)
    names = {p.name: p.name.removesuffix("_shape") for p in asked}
    wrong = [name for name, x in names.items() if x == name or x not in taken.parameters]
    if wrong and sum(p.default is p.empty for p in asked) < 2:
        return {}
    if wrong:
        raise ValueError(
            f"build: expected arguments such as {next(iter(taken.parameters))}_shape, for the "
            f"shape of an argument of call{taken}, got {wrong[0]!r}"
        )
    given = taken.bind_partial(*args, **kwargs).arguments
    return {
        name: shapes_of_batches(as_tensors(given[x]))
        for name, x in names.items()
        if given.get(x) is not None
    }
