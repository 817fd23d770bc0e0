"""LayerOfLayers: the base of layers that are given other layers; and layers as models of others."""

from nnlite.configurable import clone
from nnlite.engine.symbolic import Symbol, symbols_of
from nnlite.layers.core import InputLayer
from nnlite.layers.layer import Layer
from nnlite.serialization import made_from
from nnlite.tree import map_structure


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


def as_model(function, model):
    """A function of symbols as one layer, for a layer that Keras lacks (`Layer._for_keras`).

    Parameters
    ----------
    function : function
    model : function
        Makes a Model of what it begins with and ends with.

    Returns
    -------
    function
        Of the same arguments. It calls a model, which the first call makes.
    """
    made = []

    def call(*args, **kwargs):
        given = symbols_of((args, kwargs))
        if not made:
            starts = [InputLayer(batch_shape=s.shape, dtype=s.dtype).symbol() for s in given]
            for s, start in zip(given, starts):
                start._of_mask = s._of_mask
            of = {id(s): start for s, start in zip(given, starts)}
            args, kwargs = map_structure(lambda s: of[id(s)], (args, kwargs), Symbol)
            made.append(model(_one_or_all(starts), function(*args, **kwargs)))
        return made[0](_one_or_all(given))

    return call


def _one_or_all(symbols):
    return symbols if symbols[1:] else symbols[0]
