"""Weights in PyTorch's names and layouts become those of a model.

A module of PyTorch is what its tensors are called before the last point. A layer with weights is
one module, in the same order; where all layers are named as modules are, with '_' for the points,
names decide. What a tensor is in a layer: `_RULES`."""

import itertools
import re
import warnings

import numpy as np

from nnlite import warn
from nnlite.layers import BatchNormalization, Dense, Embedding, PReLU
from nnlite.layers.conv_base import Conv, ConvTranspose, DepthwiseConv, SeparableConv
from nnlite.layers.normalization import GroupNormalization, LayerNormalization
from nnlite.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from nnlite.saving.flattened import flattened_images
from nnlite.saving.torch_nets import counted, known_order, refuse_others, skeleton

_COUNTER = "num_batches_tracked"  # which no layer has
_RECURRENT = re.compile(r"((?:weight|bias)_(?:ih|hh))_(l\d+(?:_reverse)?)")
_AT_A_TIME = 64  # filters that are copied at once
_MOST_SHOWN = 6  # modules in a message


class _Part:
    """A weight of a layer, and the tensors that it is made of.

    Parameters
    ----------
    variable : Variable
    shapes : dict of str to tuple
        The tensors by their names in the module.
    made : function of arrays
        The weight, of these tensors.
    """

    def __init__(self, variable, shapes, made):
        self.variable, self.shapes, self.made = variable, shapes, made


def _same(variable, name):
    return _Part(variable, {name: variable.shape}, lambda a: a)


def _kernel(variable, name="weight"):
    """PyTorch has the channels of the result first, then those of the input."""
    *window, channels, filters = variable.shape
    axes = (*range(2, len(variable.shape)), 1, 0)
    return _Part(variable, {name: (filters, channels, *window)}, lambda a: a.transpose(axes))


def _depthwise(variable):
    *window, channels, multiplier = variable.shape
    axes = (*range(2, len(variable.shape)), 0, 1)

    def made(a):
        return a.reshape(channels, multiplier, *window).transpose(axes)

    return _Part(variable, {"weight": (channels * multiplier, 1, *window)}, made)


def _channels_last(a, image):
    """The last axis of an array, which goes through an image of shape (..., channels), in the order
    of nnlite: PyTorch's has the channels first."""
    *window, channels = image
    apart = a.reshape(*a.shape[:-1], channels, *window)
    return np.moveaxis(apart, a.ndim - 1, -1).reshape(a.shape)


def _of_image(part, image):
    """A part whose tensor's last axis goes through a flattened image."""
    return _Part(part.variable, part.shapes, lambda a: part.made(_channels_last(a, image)))


def _named(layer):
    return {v.name.rpartition("/")[2]: v for v in layer._own_weights()}


def _parts(layer, **rules):
    found = _named(layer)
    return [rule(found[name]) for name, rule in rules.items() if name in found]


def _bias(variable):
    return _same(variable, "bias")


def _weight(variable):
    return _same(variable, "weight")


def _of_dense(layer, image):
    parts = _parts(layer, kernel=_kernel, bias=_bias)
    return [[_of_image(parts[0], image), *parts[1:]] if image else parts]


def _of_conv(layer, _):
    return [_parts(layer, kernel=_kernel, bias=_bias)]


def _of_depthwise(layer, _):
    return [_parts(layer, kernel=_depthwise, bias=_bias)]


def _of_separable(layer, _):
    """Two modules."""
    return [
        _parts(layer, depthwise_kernel=_depthwise),
        _parts(layer, pointwise_kernel=_kernel, bias=_bias),
    ]


def _of_normalization(layer, image):
    parts = _parts(
        layer,
        gamma=_weight,
        beta=_bias,
        moving_mean=lambda v: _same(v, "running_mean"),
        moving_variance=lambda v: _same(v, "running_var"),
    )
    return [[_of_image(part, image) for part in parts] if image else parts]


def _of_embedding(layer, _):
    return [_parts(layer, embeddings=_weight)]


def _of_prelu(layer, _):
    def rule(variable):
        shape = variable.shape
        return _Part(variable, {"weight": (variable.size,)}, lambda a: a.reshape(shape))

    return [_parts(layer, alpha=rule)]


def _of_cell(layer, _):
    """The gates of a layer of PyTorch: an LSTM's stand in Keras's order."""
    found, gates = _named(layer), layer._gates
    order = [1, 0, 2] if isinstance(layer, GRUCell) else range(gates)  # PyTorch: reset, update, new

    def ordered(a):
        pieces = np.split(a, gates, axis=-1)
        return np.concatenate([pieces[i] for i in order], axis=-1)

    def kernel(variable, name):
        part = _kernel(variable, name)
        return _Part(variable, part.shapes, lambda a: ordered(part.made(a)))

    parts = [kernel(found["kernel"], "weight_ih"), kernel(found["recurrent_kernel"], "weight_hh")]
    if "bias" in found:
        shape, wide = found["bias"].shape, found["kernel"].shape[-1:]

        def bias(of_input, of_state):
            both = np.stack([ordered(of_input), ordered(of_state)])
            return both if len(shape) == 2 else both.sum(axis=0)

        parts.append(_Part(found["bias"], {"bias_ih": wide, "bias_hh": wide}, bias))
    return [parts]


_RULES = [
    (Dense, _of_dense),
    ((Conv, ConvTranspose), _of_conv),
    (DepthwiseConv, _of_depthwise),
    (SeparableConv, _of_separable),
    ((BatchNormalization, GroupNormalization, LayerNormalization), _of_normalization),
    (Embedding, _of_embedding),
    (PReLU, _of_prelu),
    ((GRUCell, LSTMCell, SimpleRNNCell), _of_cell),
]


class _Slot:
    """What one module of PyTorch fills: a layer, or half of a SeparableConv2D."""

    def __init__(self, layer, parts):
        self.layer, self.parts = layer, parts

    @property
    def shapes(self):
        return {name: shape for part in self.parts for name, shape in part.shapes.items()}

    def __str__(self):
        return f"layer {self.layer.name!r} ({type(self.layer).__name__})"

    def fill(self, tensors):
        for part in self.parts:
            _copy(part.made(*(tensors[name] for name in part.shapes)), part.variable)


def _copy(values, variable):
    """Copy what is mostly a transposed view, a few filters at a time: their numbers stay in the
    cache."""
    memory = variable._data
    with np.errstate(over="ignore"):
        if memory.ndim < 2:
            memory[...] = values
        else:
            for first in range(0, memory.shape[-1], _AT_A_TIME):
                few = slice(first, first + _AT_A_TIME)
                memory[..., few] = values[..., few]
    variable.version += 1


def fill(model, arrays, skip_mismatch=False, by_name=False, in_order=True):
    """Copy tensors into the weights of a model: all of them or, if one does not fit, none.

    Parameters
    ----------
    model : Model
        Built.
    arrays : dict of str to array
        The tensors of a state_dict.
    skip_mismatch : bool, default False
        Whether layers that do not fit are left as they are, with a warning.
    by_name : bool, default False
        Whether each layer gets the module of its name ('.' or '_' between the parts of that), and
        layers without one stay as they are.
    in_order : bool, default True
        Whether the tensors stand in the order of the net. Else shapes and the numbers in names
        decide.

    Raises
    ------
    ValueError
        If a layer does not fit: says which, what it expects and what stands there.
    """
    refuse_others(model, arrays)
    slots, modules = _slots(model), _modules(arrays)
    pairs = _pairs(slots, modules, by_name, in_order)
    wrong = {str(slot): said for slot, name in pairs if (said := _misfit(slot, name, modules))}
    left = [name for name in modules if name not in {name for _, name in pairs}]
    if left and not by_name and not skip_mismatch:
        wrong["left"] = f"no layer is left for {_some(left)}"
    if wrong and not skip_mismatch:
        raise ValueError(
            f"the model has {len(slots)} modules with weights, the file {len(modules)}: "
            f"{_listed(wrong)}"
        )
    if wrong:
        warnings.warn(
            f"skip_mismatch=True: as they were are {len(wrong)} layers: {_listed(wrong)}",
            UserWarning,
            stacklevel=warn.levels_to_the_caller(),
        )
    for slot, name in pairs:
        if str(slot) not in wrong:
            slot.fill(modules[name])


def _pairs(slots, modules, by_name, in_order):
    """Each slot with the name of its module, or with None."""
    names = {_plain(name): name for name in modules}
    named = [(slot, names.get(_plain(slot.layer.name))) for slot in slots]
    found = [(slot, name) for slot, name in named if name is not None]
    if by_name and not found:
        raise ValueError(f"by_name: expected modules with names of layers, got {_some(modules)}")
    if by_name or (len(found) == len(slots) == len({name for _, name in found})):
        return found
    order = known_order(modules)
    if order is None and not in_order:
        pairs = _by_shapes(slots, modules)
    else:
        pairs = [*itertools.zip_longest(slots, order or modules)][: len(slots)]
    for (slot, name), (_, own) in zip(pairs, named):
        if own not in (None, name):
            raise ValueError(
                f"{slot}: expected module {own!r} at its place in the file, got {name!r}; "
                "by_name=True goes by names alone"
            )
    return pairs


def _plain(name):
    return name.removesuffix(".l0").replace(".", "_")


def _by_shapes(slots, modules):
    """Pairs of slots and modules in files that keep no order: of modules with the same shapes the
    numbers in their names tell the order."""
    alike = {}
    for name in sorted(modules, key=counted):
        alike.setdefault(_signature(_shapes_in(modules[name])), []).append(name)
    for names in alike.values():
        if len({skeleton(name) for name in names}) > 1:
            raise ValueError(
                f"expected names that tell the order of modules, got {_some(names)} with the same "
                "shapes in a file that is sorted by the alphabet: name the layers as the modules "
                "are, or load the file .pth"
            )
    waiting = {signature: iter(names) for signature, names in alike.items()}
    return [(slot, next(waiting.get(_signature(slot.shapes), iter(())), None)) for slot in slots]


def _signature(shapes):
    return tuple(sorted(shapes.items()))


def _shapes_in(module):
    return {name: a.shape for name, a in module.items()}


def _misfit(slot, name, modules):
    """What is said of a slot and a module that does not fit it; None if it does."""
    got = _shapes_in(modules[name]) if name is not None else {}
    if got == slot.shapes:
        return None
    where = f"{name!r}: {_shown(got)}" if name is not None else "no module"
    return f"{slot}: expected {_shown(slot.shapes)}, got {where}"


def _shown(shapes):
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def _some(names):
    names = [repr(name) for name in names]
    more = f" and {len(names) - _MOST_SHOWN} others" if len(names) > _MOST_SHOWN else ""
    return ", ".join(names[:_MOST_SHOWN]) + more


def _listed(wrong):
    said = [*wrong.values()]
    more = f"; and {len(said) - _MOST_SHOWN} others" if len(said) > _MOST_SHOWN else ""
    return "; ".join(said[:_MOST_SHOWN]) + more


def _modules(arrays):
    """The tensors of each module, by its name. Each layer and direction of a recurrent module is a
    module, 'lstm.l0_reverse'."""
    found = {}
    for name, array in arrays.items():
        module, _, tensor = name.rpartition(".")
        if tensor == _COUNTER:
            continue
        if recurrent := _RECURRENT.fullmatch(tensor):
            tensor, module = recurrent[1], f"{module}.{recurrent[2]}".lstrip(".")
        found.setdefault(module, {})[tensor] = array
    return found


def _slots(model):
    """The layers with weights of a model, in its order."""
    images, slots, seen = flattened_images(model), [], set()

    def add(layer, holder):
        if id(layer) in seen:
            return
        seen.add(id(layer))
        if layer._own_weights():
            rule = next((rule for kinds, rule in _RULES if isinstance(layer, kinds)), None)
            if rule is None:
                raise ValueError(
                    f"layer {layer.name!r} ({type(layer).__name__}): expected a layer that "
                    "PyTorch has under one name, got another one: set its weights by set_weights"
                )
            called = holder if rule is _of_cell else layer  # the LSTM, not its cell
            slots.extend(_Slot(called, parts) for parts in rule(layer, images.get(id(layer))))
        for inner in layer.layers if layer._is_model else layer._sublayers:
            add(inner, layer)

    add(model, model)
    return slots
