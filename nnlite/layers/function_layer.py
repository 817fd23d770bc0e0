"""Lambda: a function of one's own as a layer."""

import inspect

from nnlite import ops
from nnlite.engine.tensor import Tensor
from nnlite.layers import settings
from nnlite.layers.building import as_shapes
from nnlite.layers.layer import Layer
from nnlite.serialization import deserialize_keras_object
from nnlite.tree import flatten, is_shape, map_shapes


class Lambda(Layer):
    """A function as a layer, which has no weights.

    Parameters
    ----------
    function : function
        Of the input, written in `nnlite.ops`. Where it has arguments `mask` and `training`, it gets
        the mask of the input, or None, and whether the call is part of training.
    output_shape : tuple of int, list or dict of them, or function, optional
        What `compute_output_shape` says: the shape of the result without the batch, or a function
        that gives the whole shape from that of the input. By default a trace of the function tells.
    mask : tensor or function, optional
        The mask of the result, or a function of (inputs, mask) that gives it. By default the result
        has none.
    arguments : dict of str to anything, optional
        Further arguments of the function, by name.
    **kwargs
        Of `Layer`: name, input_shape.

    Raises
    ------
    TypeError
        If something of another kind is given.

    Notes
    -----
    Input and output as the function has them.

    A file holds the name of the function, by which `register_keras_serializable` or
    `custom_objects` gives it back. It cannot hold a lambda: code from a file is never run.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Lambda(lambda x: x**2)([[1.0, -3.0]]).numpy()
    array([[1., 9.]], dtype=float32)
    """

    _legal = {
        "function": settings.function,
        "mask": settings.tensor_or_function,
        "arguments": settings.by_name,
        "output_shape": settings.shapes_or_function,
    }

    def __init__(self, function, output_shape=None, mask=None, arguments=None, **kwargs):
        super().__init__(**kwargs)
        self.function, self.mask = function, mask
        self.arguments = {} if arguments is None else arguments
        self._shape_said = output_shape
        self.supports_masking = mask is not None

    @classmethod
    def from_config(cls, config, custom_objects=None, safe_mode=True):
        """Make the layer that a config describes.

        Parameters
        ----------
        config : dict
            As `get_config` returns it, or as a file holds it.
        custom_objects : dict of str to function, optional
            Functions of one's own by name.
        safe_mode : bool, default True
            Accepted for Keras's signature. Code that a config holds is refused whatever it says.

        Returns
        -------
        Lambda
        """
        return cls(**deserialize_keras_object(config, custom_objects))

    def get_config(self):
        """The constructor's arguments as a dict; a mask as an array.

        Returns
        -------
        dict
        """
        config = super().get_config()
        if isinstance(self.mask, Tensor):
            config["mask"] = self.mask.numpy()
        return config

    def build(self, input_shape):
        names = _arguments_of(self.function)
        self._gets = [name for name in ("mask", "training") if name in names]

    def call(self, inputs, mask=None, training=False):
        given = {"mask": mask, "training": training}
        given = {name: given[name] for name in self._gets}
        return self.function(inputs, **{**self.arguments, **given})

    def _makes_mask(self):
        return self.mask is not None

    def compute_mask(self, inputs, previous_mask=None):
        found = self.mask(inputs, previous_mask) if callable(self.mask) else self.mask
        return None if found is None else ops.convert_to_tensor(found)

    def compute_output_shape(self, input_shape):
        if self._shape_said is None:
            return super().compute_output_shape(input_shape)
        if callable(self._shape_said):
            return self._shape_said(input_shape)
        batch = next(shape[0] for shape in flatten(as_shapes(input_shape), is_shape))
        return map_shapes(lambda shape: (batch, *shape), as_shapes(self._shape_said))


def _arguments_of(function):
    """The names of a function's arguments; none of one that does not tell."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()
