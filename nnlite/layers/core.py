"""The layers of a multilayer perceptron: Dense, Activation, Dropout, and those that only change
shapes."""

import math
import numbers

from nnlite import activations, config, ops
from nnlite.checks import check_number, positive_int
from nnlite.config import next_seed
from nnlite.layers.layer import Layer
from nnlite.ops.random import seed_state


class InputLayer(Layer):
    """Says what one sample looks like; passes its input on."""

    def __init__(self, shape=None, batch_size=None, dtype=None, name=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        shape = self._given_input_shape if shape is None else shape
        if shape is None:
            raise ValueError("Input: expected shape=, what one sample looks like without the batch")
        self._given_input_shape = (shape,) if isinstance(shape, numbers.Integral) else tuple(shape)
        self.shape = self._given_input_shape

    def call(self, inputs):
        return inputs


class Dense(Layer):
    """activation(x @ kernel + bias).

    Parameters
    ----------
    units : int
        Size of the last axis of the result, at least 1.
    activation : str or function, optional
    use_bias : bool, default True
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    **kwargs
        Of `Layer`: name, trainable, input_shape, input_dim.

    Notes
    -----
    Input (..., features), output (..., units); weights: kernel (features, units), bias (units,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Dense(3, activation="relu")(nnlite.ones((2, 5))).shape
    (2, 3)
    """

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units, self.activation, self.use_bias = units, activation, use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer

    def build(self, input_shape):
        units = positive_int("units", self.units)
        if len(input_shape) < 2:
            raise ValueError(f"expected an input of at least 2 dimensions, got shape {input_shape}")
        self._function = activations.get(self.activation)
        self.kernel = self.add_weight(
            (input_shape[-1], units),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (units,), self.bias_initializer, name="bias", regularizer=self.bias_regularizer
            )

    def call(self, inputs):
        if self._function in activations.FUSED:
            return ops.linear(inputs, self.kernel, self.bias, *activations.FUSED[self._function])
        return self._function(ops.linear(inputs, self.kernel, self.bias))


class Activation(Layer):
    """A function of every element (or row, for softmax).

    Parameters
    ----------
    activation : str or function
        A name such as 'relu', or any Python function written in `nnlite.ops`.
    """

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activation

    def build(self, input_shape):
        self._function = activations.get(self.activation)

    def call(self, inputs):
        return self._function(inputs)


class Dropout(Layer):
    """While training, each value is 0 with probability `rate` and x / (1 - rate) otherwise.

    Parameters
    ----------
    rate : float in [0, 1)
    noise_shape : None
        Not supported.
    seed : int, optional

    Examples
    --------
    >>> import nnlite
    >>> dropout = nnlite.layers.Dropout(0.2, seed=0)
    >>> sorted(set(dropout(nnlite.ones((5, 8)), training=True).numpy().ravel().tolist()))
    [0.0, 1.25]
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        if noise_shape is not None:
            raise ValueError("Dropout: noise_shape is not supported")
        self.rate, self.seed = rate, seed

    def build(self, input_shape):
        check_number("rate", self.rate, "[0, 1)")
        self.seed_state = seed_state(next_seed() if self.seed is None else int(self.seed))

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        return ops.dropout(inputs, ops.random_key(self.seed_state), self.rate)


class Flatten(Layer):
    """(N, a, b, ...) -> (N, a * b * ...); (N,) -> (N, 1)."""

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        if data_format not in (None, config.image_data_format()):
            raise ValueError(f"Flatten: expected data_format 'channels_last', got {data_format!r}")

    def call(self, inputs):
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))


class Reshape(Layer):
    """Each sample under another shape; one entry may be -1.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch.
    """

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)

    def call(self, inputs):
        target, size = self.target_shape, math.prod(inputs.shape[1:])
        if -1 in target:
            known = -math.prod(target)
            if target.count(-1) > 1 or known < 1 or size % known:
                raise ValueError(
                    f"expected samples that fit target_shape {target}, got shape {inputs.shape[1:]}"
                )
            target = tuple(size // known if n == -1 else n for n in target)
        if math.prod(target) != size:
            raise ValueError(
                f"expected samples that fit target_shape {target}, got shape {inputs.shape[1:]}"
            )
        return ops.reshape(inputs, (inputs.shape[0], *target))
