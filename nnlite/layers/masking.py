"""Masks: which steps of sequences count. They travel beside tensors, from the layer that makes one
to the loss, through layers that keep them."""

import inspect

import numpy as np

from nnlite import ops, warn
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.errors import prefixed
from nnlite.layers.arguments import as_tensors
from nnlite.tree import flatten, like, map_structure


def steps_mask(mask, shape, like, name="mask"):
    """A mask of the steps of sequences as ones and zeros, in the precision of a tensor; None if
    there is none. A ValueError if its shape is not that of the steps.

    Parameters
    ----------
    mask : array-like or None
    shape : tuple
        Of the steps: (N, T).
    like : Tensor
    name : str, default 'mask'
        Of the argument, for the message.
    """
    if mask is None:
        return None
    mask = ops.cast(mask, like.dtype) if hasattr(mask, "dtype") else convert_to_tensor(mask)
    if mask.shape != tuple(shape):
        raise ValueError(f"{name}: expected shape {tuple(shape)}, got {mask.shape}")
    return ops.cast(mask, "bool")


def masks_of(inputs):
    """The masks of tensors, nested as they are; None if none of them has one."""
    if inputs.__class__ is Tensor:
        return inputs.mask
    tensors = [x for x in flatten(inputs) if isinstance(x, Tensor)]
    if all(x.mask is None for x in tensors):
        return None
    return _nested(inputs)


def _nested(inputs):
    if isinstance(inputs, Tensor):
        return inputs.mask
    if isinstance(inputs, dict):
        return {key: _nested(x) for key, x in inputs.items()}
    return like(inputs, [_nested(x) for x in inputs]) if inputs is not None else None


def mask_arguments(cls):
    """The arguments of a layer's `call` that are masks: `mask`, or `x_mask` of an argument `x`."""
    known = cls.__dict__.get("_mask_arguments")
    if known is None:
        names = inspect.signature(cls.call).parameters
        of_others = {f"{name}_mask" for name in names}
        known = [name for name in names if name == "mask" or name in of_others]
        cls._mask_arguments = known
    return known


def masks_to_give(layer, inputs, args, kwargs):
    """The masks for a layer's `call`, by argument. Those that were not given are, as in Keras:
    `mask` if one argument alone is a tensor or a structure of tensors, else `x_mask` for each such
    argument `x`.

    Parameters
    ----------
    layer : Layer
    inputs : Tensor, or list or dict of them
    args, kwargs : tuple and dict
        The further arguments of `call`.
    """
    names = mask_arguments(type(layer))
    if not args and kwargs.keys() <= {"training"}:
        return {"mask": masks_of(inputs)} if "mask" in names else {}
    given = inspect.signature(layer.call).bind(inputs, *args, **kwargs).arguments
    tensors = {key: x for key, x in given.items() if any(map(_is_tensor, flatten(x)))}
    found = (
        {"mask": inputs} if len(tensors) == 1 else {f"{key}_mask": x for key, x in tensors.items()}
    )
    masks = {}
    for name in names:
        if any(mask is not None for mask in flatten(kwargs.get(name))):
            with prefixed(f"{name}: "):
                masks[name] = _truth(as_tensors(kwargs[name]))
    for name in names:
        if name in found and given.get(name) is None:
            masks[name] = masks_of(found[name])
    return masks


def _is_tensor(x):
    return isinstance(x, (Tensor, np.ndarray))


def with_masks(inputs, masks):
    """Tensors that have masks, nested as they are; the tensors that were given stay as they are."""
    if isinstance(inputs, dict):
        return {key: with_masks(x, masks.get(key)) for key, x in inputs.items()}
    if isinstance(inputs, (list, tuple)):
        return like(inputs, [with_masks(x, mask) for x, mask in zip(inputs, masks, strict=True)])
    if masks is None or inputs.mask is masks:
        return inputs
    view = _view(inputs)
    view.mask = masks
    return view


def _view(tensor):
    """A tensor of its own, without a mask, that has the elements of another."""
    return ops.reshape(ops.expand_dims(tensor, 0), tensor.shape)


def without_mask(tensor):
    """A tensor that has no mask, for a part of a layer that has no use for it."""
    return tensor if tensor.mask is None else _view(tensor)


def set_masks(layer, inputs, mask, outputs):
    """Give what a layer returned, and has no mask yet, the masks that its `compute_mask` makes."""
    results = flatten(outputs)
    if not layer.supports_masking and not layer._makes_mask():
        if "_has_warned" not in vars(layer):
            vars(layer)["_has_warned"] = True
            warn.warn(
                f"layer {layer.name!r} ({type(layer).__name__}) drops the mask of its input: what "
                "follows counts masked steps, too",
                UserWarning,
            )
    elif any(isinstance(y, Tensor) and y.mask is None for y in results):
        for y, m in zip(results, flatten(layer.compute_mask(inputs, mask))):
            if isinstance(y, Tensor) and y.mask is None:
                y.mask = _truth(m)


def _truth(mask):
    """A mask, or a structure of masks, as real numbers, 1 or 0."""
    return map_structure(lambda m: ops.cast(m, "bool") if m.dtype == "int32" else m, mask, Tensor)
