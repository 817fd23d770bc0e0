"""The layers of a multilayer perceptron: Dense, Activation, Dropout, and those that only change
shapes."""

import math

import numpy as np

from nnlite import activations, config, ops
from nnlite.checks import positive_int
from nnlite.engine.lengths import agree
from nnlite.engine.symbolic import Symbol, input_symbol
from nnlite.layers import settings
from nnlite.layers.layer import Layer


class InputLayer(Layer):
    """The input of a model: has the shape of one sample and returns its input unchanged.

    Parameters
    ----------
    shape : tuple of int or None
        The shape of one sample, without the batch; or `input_shape` or `input_dim` instead.
    batch_size : int, optional
        The size of a batch, for the shapes of symbols; data may come in batches of any size.
    dtype : str or type of numbers, optional
        'int32' and 'int64' keep integers as they are, for layers that take them; 'string' is for
        texts, which a look-up layer takes; any other type is a real number of the model's
        precision.
    name : str, optional
    batch_shape : tuple, optional
        Instead of both: (batch_size, *shape).
    optional : bool, default False
        Whether data may be None in its place: layers that are called on it then get None.
    sparse : bool, optional
        Ignored: sparse matrices of SciPy are taken in any case.
    ragged : {False}, optional
    **kwargs
        Of `Layer`: input_shape, input_dim.

    Raises
    ------
    ValueError
        Without a shape, with a shape that is given twice, or with `ragged`.
    """

    supports_masking = True

    dtype = None  # as it is given: also 'string', and of integers
    # The type of data may be any of numbers, which `_name_of` checks.
    _legal = {"batch_size": positive_int, "dtype": lambda name, value: None, "optional": "bool"}

    def __init__(
        self,
        shape=None,
        batch_size=None,
        dtype=None,
        name=None,
        batch_shape=None,
        optional=False,
        sparse=None,
        ragged=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, batch_shape=batch_shape, **kwargs)
        if ragged:
            raise ValueError(
                f"Input: ragged: expected False, got {ragged!r}; utils.pad_sequences makes one "
                "array of sequences of different lengths, and Masking leaves the padding out"
            )
        for other, value in ("shape", shape), ("batch_size", batch_size):
            if batch_shape is not None and value is not None:
                raise ValueError(
                    f"Input: expected either {other} or batch_shape, got {other}={value!r} and "
                    f"batch_shape={batch_shape!r}"
                )
        if shape is not None:
            self._given_input_shape = self._shape_given("shape", shape)
        if self._given_input_shape is None:
            raise ValueError("Input: expected shape=, the shape of one sample without the batch")
        if batch_size is not None:
            self._given_batch = positive_int("batch_size", batch_size)
        self.shape = self._given_input_shape
        self.batch_shape = (self._given_batch, *self.shape)
        self.dtype, self.optional = _name_of(dtype), optional
        self.sparse, self.ragged = bool(sparse), False

    @property
    def _reads_integers(self):
        return self.dtype in ("int32", "int64")

    def symbol(self):
        """The symbol that a functional model begins with.

        Returns
        -------
        Symbol
        """
        return input_symbol(self, self.batch_shape, self._dtype_in(config.floatx()))

    @staticmethod
    def _checked(tensor, shape, batch_size, dtype, name, batch_shape, *_):
        """The symbol that `Input` was given, of the shape and type that it was given."""
        if not isinstance(tensor, Symbol):
            raise ValueError(f"Input: tensor: expected a symbol, as Input gives it, got {tensor!r}")
        expected = {
            "shape": (shape, tensor.shape[1:]),
            "batch_size": (batch_size, tensor.shape[0]),
            "batch_shape": (batch_shape, tensor.shape),
            "dtype": (dtype, tensor.dtype),
        }
        for setting, (given, found) in expected.items():
            given = tuple(given) if isinstance(given, list) else given
            if given is not None and given != found:
                raise ValueError(
                    f"Input: {setting}: expected that of tensor, {found!r}, or none, got {given!r}"
                )
        return tensor

    def _dtype_in(self, precision):
        """The dtype of the symbol, in a model of a precision."""
        if self.dtype == "string":
            return "string"
        return "int32" if self._reads_integers else precision

    def get_config(self):
        """The constructor's arguments as a dict, as Keras gives them.

        Returns
        -------
        dict
            With the keys 'batch_shape', 'dtype' and 'name'.
        """
        return self._identity()

    def _identity(self):
        name = self._given.get("name")
        found = {"batch_shape": self.batch_shape, "dtype": self.dtype, "name": name}
        return found | {"optional": True} if self.optional else found

    def call(self, inputs):
        return inputs


def _name_of(dtype):
    """The name of a type of numbers."""
    if dtype is None:
        return None
    if dtype is str or (isinstance(dtype, str) and dtype in ("string", "str")):
        return "string"
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError):
        found = np.dtype(object)
    if found.kind not in "biuf":
        raise TypeError(
            "Input: dtype: expected a type of numbers, such as 'float32' or 'int32', or 'string', "
            f"got {dtype!r}"
        )
    return found.name


class Dense(Layer):
    """activation(x @ kernel + bias).

    Parameters
    ----------
    units : int
        U, the size of the last axis of the result; at least 1.
    activation : str or function, optional
    use_bias : bool, default True
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    activity_regularizer : str, Regularizer or function, optional
        As for `Layer`.
    kernel_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, input_shape, input_dim.

    Notes
    -----
    Input (N, ..., C), output (N, ..., U). Weights: kernel (C, U), bias (U,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Dense(3, activation="relu")(nnlite.ones((2, 5))).shape
    (2, 3)
    """

    supports_masking = True

    _takes = settings.ROWS
    _legal = {
        "units": positive_int,
        "activation": settings.activation,
        "use_bias": "bool",
        **settings.of_weights("kernel", "bias"),
    }

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units, self.activation, self.use_bias = units, activation, use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint

    def build(self, input_shape):
        units = positive_int("units", self.units)
        self._function = activations.get(self.activation)
        self.kernel = self.add_weight(
            (input_shape[-1], units),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (units,),
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, inputs):
        if self._function in activations.FUSED:
            return ops.linear(inputs, self.kernel, self.bias, *activations.FUSED[self._function])
        return self._function(ops.linear(inputs, self.kernel, self.bias))


class Activation(Layer):
    """An activation function as a layer.

    Parameters
    ----------
    activation : str or function
        A name such as 'relu', or any Python function written in `nnlite.ops`.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Activation("relu")([[-1.0, 2.0]]).numpy()
    array([[0., 2.]], dtype=float32)
    """

    supports_masking = True

    _legal = {"activation": settings.activation}

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activation

    def build(self, input_shape):
        self._function = activations.get(self.activation)

    def call(self, inputs):
        return self._function(inputs)


class Identity(Layer):
    """The input, unchanged.

    Parameters
    ----------
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any kind, lists and dicts too.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Identity()([[1.0, 2.0]]).numpy()
    array([[1., 2.]], dtype=float32)
    """

    supports_masking = True

    def call(self, inputs):
        return inputs


class Flatten(Layer):
    """(N, a, b, ...) -> (N, a * b * ...); (N,) -> (N, 1).

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}, optional
        'channels_first': the first axis of a sample is flattened as its last, so that the result is
        that of the same sample with its channels last.
    **kwargs
        Of `Layer`: name, input_shape.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Flatten()(nnlite.ones((2, 4, 5))).shape
    (2, 20)
    """

    _takes = settings.BATCH
    _legal = {"data_format": settings.data_format}

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format

    def call(self, inputs):
        x, _ = ops.channels_last("Flatten", inputs, self.data_format)
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


class Reshape(Layer):
    """Each sample in another shape.

    Parameters
    ----------
    target_shape : tuple of int
        The new shape of one sample, without the batch. One entry may be -1: it follows from the
        others. Samples of an unknown length must have the length that fits.
    **kwargs
        Of `Layer`: name, input_shape.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Reshape((2, -1))(nnlite.ones((3, 8))).shape
    (3, 2, 4)
    """

    _takes = settings.BATCH
    _legal = {"target_shape": settings.sizes}

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        self.target_shape = settings.sizes("target_shape", target_shape)

    def call(self, inputs):
        target, size = self.target_shape, math.prod(inputs.shape[1:])
        if -1 in target and (known := -math.prod(target)):
            target = tuple(size // known if n == -1 else n for n in target)
        if not agree(math.prod(target), size):
            raise ValueError(
                f"expected samples that fit target_shape {target}, got shape {inputs.shape[1:]}"
            )
        return ops.reshape(inputs, (inputs.shape[0], *target))
