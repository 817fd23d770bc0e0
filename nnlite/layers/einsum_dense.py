"""EinsumDense: a Dense layer whose axes are named by letters."""

import math
import re

from nnlite import activations, initializers, ops
from nnlite.initializers.random import with_fans
from nnlite.layers import settings
from nnlite.layers.layer import Layer

_EQUATION = re.compile(r"(\.\.\.)?([A-Za-z]+)(\.\.\.)?,([A-Za-z]+)->(\.\.\.)?([A-Za-z]+)(\.\.\.)?")


def _equation(name, value):
    """Raise an error unless a setting is an equation; returns its letters of input, kernel and
    result, and on which side of them there are further axes: -1, 1, or 0 for none."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a string such as 'abc,cd->abd', got {value!r}")
    found = _EQUATION.fullmatch(value.replace(" ", ""))
    left, x, right, kernel, left_of, y, right_of = found.groups() if found else [None] * 7
    if not found or (left, right) != (left_of, right_of) or (right and (left or len(x) < 2)):
        raise ValueError(
            f"{name}: expected 'X,K->Y', '...X,K->...Y' or 'X...,K->Y...', with letters for the "
            f"axes of input, kernel and result, got {value!r}"
        )
    return x, kernel, y, -1 if left else 1 if right else 0


class EinsumDense(Layer):
    """activation(einsum(equation, x, kernel) + bias).

    Parameters
    ----------
    equation : str
        As for `nnlite.ops.einsum`, of the input and the kernel: 'ab,bc->ac' is a Dense layer. '...'
        may stand for further axes of input and result, before the letters or after them.
    output_shape : int or tuple of int or None
        The sizes of the result without the batch and the axes of '...'; None: those of the input.
    activation : str or function, optional
    bias_axes : str, optional
        The letters of the result along which the bias differs; by default there is no bias.
    kernel_initializer : str or Initializer, default 'glorot_uniform'
        The fans are the sizes of the kernel that the result lacks, and those that it has.
    bias_initializer : str or Initializer, default 'zeros'
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    kernel_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, input_shape, activity_regularizer.

    Notes
    -----
    Weights: kernel, with an axis for each of its letters; bias, with those of `bias_axes`, and axes
    of size 1 for the letters of the result that follow the first of them.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> layers.EinsumDense("abc,cd->abd", (None, 7), bias_axes="d")(nnlite.ones((2, 3, 5))).shape
    (2, 3, 7)
    """

    _takes = settings.ANY_TENSOR
    _legal = {
        "equation": _equation,
        "output_shape": settings.input_shape,
        "activation": settings.activation,
        **settings.of_weights("kernel", "bias"),
    }

    def __init__(
        self,
        equation,
        output_shape,
        activation=None,
        bias_axes=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.equation, self.activation, self.bias_axes = equation, activation, bias_axes
        self.partial_output_shape = settings.input_shape("output_shape", output_shape)
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        _, _, y, _ = _equation("equation", equation)
        if bias_axes is not None and not (isinstance(bias_axes, str) and {*bias_axes} <= {*y}):
            raise ValueError(
                f"EinsumDense: bias_axes: expected letters of the result {y!r}, got {bias_axes!r}"
            )

    def build(self, input_shape):
        x, kernel, y, side = _equation("equation", self.equation)
        further = len(input_shape) - len(x)
        if further < 0 or (further and not side):
            raise ValueError(
                f"expected an input with the axes of equation {self.equation!r}, got shape "
                f"{input_shape}"
            )
        first = further if side < 0 else 0  # where the letters of the input begin
        sizes = self._sizes_of(x, input_shape[first : first + len(x)], y, first)
        shape = tuple(self._known_size(letter, sizes) for letter in kernel)
        self._function = activations.get(self.activation)
        fans = (
            math.prod(n for letter, n in zip(kernel, shape) if (letter in y) == is_output)
            for is_output in (False, True)
        )
        self.kernel = self.add_weight(
            shape,
            with_fans(initializers.get(self.kernel_initializer), *fans),
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.bias_axes:
            of_bias = y[min(map(y.index, self.bias_axes)) :]
            found = [
                self._known_size(letter, sizes) if letter in self.bias_axes else 1
                for letter in of_bias
            ]
            self.bias = self.add_weight(
                (*found, *[1] * (further if side > 0 else 0)),
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self._expected = [None] * len(input_shape)
        for axis, letter in enumerate(x):
            if letter in kernel:
                self._expected[first + axis] = sizes[letter]
        # How many axes are summed over, if the layer is a Dense layer of these, taken as one axis.
        n = len([letter for letter in kernel if letter not in y])
        is_dense = side <= 0 and n and kernel[:n] == x[-n:] and y == x[:-n] + kernel[n:]
        self._n_summed = n if is_dense and self.bias_axes in (None, kernel[n:]) else 0

    def _sizes_of(self, x, given, y, first):
        """The size of each letter of input and result, None where it is not known."""
        result = self.partial_output_shape
        result = result if first else (given[0], *result)
        if len(result) < len(y):
            raise ValueError(
                f"expected output_shape with a size for each letter of {y!r}, but for the batch, "
                f"got {self.partial_output_shape}"
            )
        sizes = dict(zip(x, given))
        for letter, n in zip(y, result):
            if n is not None and sizes.setdefault(letter, n) not in (n, None):
                raise ValueError(
                    f"expected one size of {letter!r} in input and output_shape, got "
                    f"{sizes[letter]} and {n}"
                )
            if sizes.get(letter) is None:
                sizes[letter] = n
        return sizes

    def _known_size(self, letter, sizes):
        if sizes.get(letter) is None:
            raise ValueError(
                f"expected a known size of {letter!r} in the input or output_shape, for equation "
                f"{self.equation!r}"
            )
        return sizes[letter]

    def call(self, inputs):
        given, expected = inputs.shape, self._expected
        if len(given) != len(expected) or any(n not in (None, m) for n, m in zip(expected, given)):
            raise ValueError(f"expected an input of shape {tuple(expected)}, got shape {given}")
        if self._n_summed:
            return self._as_dense(inputs)
        y = ops.einsum(self.equation, inputs, self.kernel)
        return self._function(y if self.bias is None else y + self.bias)

    def _as_dense(self, inputs):
        rows, columns = inputs.shape[: -self._n_summed], self.kernel.shape[self._n_summed :]
        fused = activations.FUSED.get(self._function)
        y = ops.linear(
            ops.reshape(inputs, (math.prod(rows), math.prod(self.kernel.shape[: self._n_summed]))),
            _of_axes(self.kernel, (-1, math.prod(columns))),
            None if self.bias is None else _of_axes(self.bias, (-1,)),
            *(fused or ()),
        )
        y = ops.reshape(y, (*rows, *columns))
        return y if fused else self._function(y)


def _of_axes(weight, shape):
    """A weight with as many axes as a shape; itself, not a copy, if it has them."""
    return weight if weight.ndim == len(shape) else ops.reshape(weight, shape)
