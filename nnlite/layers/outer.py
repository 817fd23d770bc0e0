"""LayerOfLayers: the base of layers that are given other layers."""

from nnlite.configurable import clone
from nnlite.layers.layer import Layer
from nnlite.serialization import made_from


class LayerOfLayers(Layer):
    """Base: a layer whose settings are layers. One that a config makes has new layers inside."""

    @classmethod
    def from_config(cls, config):
        """Make the layer that a config describes, with new layers inside.

        Parameters
        ----------
        config : dict
            As `get_config` returns it.

        Returns
        -------
        object of this class
        """
        return cls(**made_from(clone(config)))

    @classmethod
    def _of_new_parts(cls, config):
        """As `from_config`, for layers that nobody else has: a model among them is built."""
        return cls(**config)
