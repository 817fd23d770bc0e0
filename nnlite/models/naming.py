"""Names of the layers of a model."""

from nnlite.configurable import snake_case, unique_name


def name_apart(layers):
    """Number the layers without a name of their own, so that names differ: dense, dense_1, ... in
    the order in which they were made, as Keras does."""
    used = {layer._given["name"] for layer in layers if layer._given.get("name")}
    for layer in sorted(layers, key=lambda layer: layer._made):
        if layer._given.get("name"):
            continue
        name = unique_name(snake_case(type(layer).__name__), used)
        used.add(name)
        layer._name = name
