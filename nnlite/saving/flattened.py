"""Where a model flattens images: PyTorch has their channels first, so the entries of the vector
stand in another order there.

Images have their channels first in PyTorch from the input on, sequences only behind a convolution
or pooling: what a recurrent layer or an Embedding gives has its features last there, too."""

from nnlite.layers import (
    BatchNormalization,
    Dense,
    Flatten,
    LayerNormalization,
    PReLU,
    Reshape,
    SpatialDropout1D,
)
from nnlite.layers.spatial import SpatialLayer

_KEEP = BatchNormalization, LayerNormalization, PReLU, SpatialDropout1D  # the order of the axes


def flattened_images(model):
    """The layers that read flattened images.

    Parameters
    ----------
    model : Model

    Returns
    -------
    dict of int to tuple
        By the id of the layer, the shape of these images: (..., channels).
    """
    found = {}
    _look(model, found)
    return found


def _look(model, found):
    """Add the layers in a model; returns whether its result has its channels first in PyTorch."""
    first = {id(layer): _look(layer, found) for layer in model.layers if layer._is_model}
    graph, flattened, last = model._called_graph(), {}, False
    for node in graph.nodes if graph is not None else ():
        layer, given, output = node.function, node.inputs[:1], node.outputs
        if not given or not hasattr(output, "shape"):
            continue
        (given,) = given
        if isinstance(layer, Flatten | Reshape) and len(output.shape) == 2:
            *window, channels = given.shape[1:]
            if _has_channels_first(given, first) and None not in window and max(window) > 1:
                flattened[id(output)] = (*window, channels)
        elif id(given) in flattened:
            image = found[id(layer)] = flattened[id(given)]
            if not isinstance(layer, Dense) and output.shape == given.shape:
                flattened[id(output)] = image
        last = first[id(output)] = _gives_channels_first(node, first)
    return last


def _has_channels_first(symbol, first):
    return len(symbol.shape) > 3 or (len(symbol.shape) == 3 and first.get(id(symbol), False))


def _gives_channels_first(node, first):
    layer = node.function
    if isinstance(layer, SpatialLayer) and not isinstance(layer, _KEEP):
        return True
    if getattr(layer, "_is_model", False):
        return first.get(id(layer), False)
    if getattr(layer, "weights", None) and not isinstance(layer, _KEEP):
        return False
    return any(_has_channels_first(symbol, first) for symbol in node.inputs)
