"""Layers of several inputs: sums, products, extremes, concatenations and dot products. Each is a
function, too: `layers.add([a, b])`."""

import functools
import math

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.tree import is_shape


class Merge(Layer):
    """Base of the layers that take a list of tensors and combine them pair by pair.

    Shapes broadcast, except for the batch.
    """

    supports_masking = True

    @staticmethod
    def _combine(a, b):
        raise TypeError("a merging layer must define _combine(a, b)")

    _takes = (1, math.inf, "a list of one or more inputs")  # here numbers of tensors

    def _check_shapes(self, shapes):
        least, most, words = self._takes
        several = isinstance(shapes, (list, tuple)) and all(map(is_shape, shapes))
        if not several or not least <= len(shapes) <= most:
            raise ValueError(f"expected {words}, got shape {shapes}")

    def _masks_of(self, inputs, masks):
        """A mask or None for each input; a ValueError if there are not as many."""
        if masks is None:
            return [None]
        lists = isinstance(inputs, (list, tuple)) and isinstance(masks, (list, tuple))
        if not lists or len(inputs) != len(masks):
            raise ValueError(
                f"layer {self.name!r}: expected a list of inputs and a list of as many masks, got "
                f"{inputs!r:.100} and {masks!r:.100}"
            )
        return masks

    def compute_mask(self, inputs, previous_mask):
        masks = self._masks_of(inputs, previous_mask)
        if any(mask is None for mask in masks):
            return None
        return functools.reduce(ops.logical_or, masks)

    def call(self, inputs):
        return functools.reduce(self._combine, inputs)


def _over(x):
    """The mask of a tensor with as many axes as it has; None if it has none."""
    mask = x.mask
    return None if mask is None else ops.reshape(mask, mask.shape + (1,) * (x.ndim - mask.ndim))


class _Extreme(Merge):
    """Base of `Maximum` and `Minimum`: what is masked in one input is not compared."""

    def call(self, inputs):
        found, counts = inputs[0], _over(inputs[0])
        for x in inputs[1:]:
            on = _over(x)
            x = x if on is None else ops.where(on, x, found)
            found = found if counts is None else ops.where(counts, found, x)
            both = on is not None and counts is not None
            counts = ops.logical_or(counts, on) if both else None
            found = self._combine(found, x)
        return found


class Add(Merge):
    """The sum of the inputs.

    Parameters
    ----------
    **kwargs
        Of `Layer`: name, input_shape.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Add()([nnlite.ones((1, 2)), nnlite.ones((1, 2))]).numpy()
    array([[2., 2.]], dtype=float32)
    """

    _combine = staticmethod(ops.add)


class Multiply(Merge):
    """The product of the inputs.

    What is masked in one input counts as 1, and what is masked in all gives 0.

    Parameters
    ----------
    **kwargs
        Of `Layer`: name, input_shape.
    """

    _combine = staticmethod(ops.multiply)

    def call(self, inputs):
        masks = [_over(x) for x in inputs]
        product = super().call(
            [x if on is None else ops.where(on, x, 1.0) for x, on in zip(inputs, masks)]
        )
        if None in masks:
            return product
        return ops.where(functools.reduce(ops.logical_or, masks), product, 0.0)


class Maximum(_Extreme):
    """The largest of the inputs, element by element.

    What is masked in an input is left out.

    Parameters
    ----------
    **kwargs
        Of `Layer`: name, input_shape.
    """

    _combine = staticmethod(ops.maximum)


class Minimum(_Extreme):
    """The smallest of the inputs, element by element.

    What is masked in an input is left out.

    Parameters
    ----------
    **kwargs
        Of `Layer`: name, input_shape.
    """

    _combine = staticmethod(ops.minimum)


class Average(Add):
    """The mean of the inputs.

    Parameters
    ----------
    **kwargs
        Of `Layer`: name, input_shape.
    """

    def call(self, inputs):
        return super().call(inputs) / len(inputs)


class Subtract(Merge):
    """The first of two inputs minus the second.

    Parameters
    ----------
    **kwargs
        Of `Layer`: name, input_shape.
    """

    _takes = (2, 2, "a list of 2 inputs")
    _combine = staticmethod(ops.subtract)


class Concatenate(Merge):
    """The inputs one after another along an axis.

    Parameters
    ----------
    axis : int, default -1
        The inputs must have the same size along all other axes.
    **kwargs
        Of `Layer`: name, input_shape.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Concatenate()([nnlite.ones((2, 3)), nnlite.ones((2, 5))]).shape
    (2, 8)
    """

    _legal = {"axis": "int"}

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def compute_mask(self, inputs, previous_mask):
        masks = self._masks_of(inputs, previous_mask)
        if all(mask is None for mask in masks):
            return None
        over = []
        for x, mask in zip(inputs, masks):
            on = ops.ones(x.shape, x.dtype) if mask is None else mask
            if on.ndim < x.ndim:
                on = ops.broadcast_to(ops.expand_dims(on, -1), x.shape)
            over.append(on)
        return ops.any(ops.concatenate(over, self.axis), axis=-1)

    def call(self, inputs):
        return ops.concatenate(inputs, self.axis)


class Dot(Merge):
    """The dot products of two inputs along an axis of each.

    Parameters
    ----------
    axes : int or (int, int)
        The axis of each input that is summed over. The batch is axis 0.
    normalize : bool, default False
        Divide each vector by its length first, which gives the cosine of the angle.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    With axes=-1, inputs (N, a, d) and (N, b, d) give (N, a, b); (N, d) and (N, d) give (N, 1). Of
    other inputs, too, the other axes follow each other.

    Examples
    --------
    >>> import nnlite
    >>> a, b = nnlite.constant([[1.0, 2.0]]), nnlite.constant([[3.0, 4.0]])
    >>> nnlite.layers.Dot(axes=1)([a, b]).numpy()
    array([[11.]], dtype=float32)
    """

    _takes = (2, 2, "a list of 2 inputs")
    _legal = {"axes": settings.axes, "normalize": "bool"}

    def __init__(self, axes, normalize=False, **kwargs):
        super().__init__(**kwargs)
        self.axes, self.normalize = axes, normalize

    def compute_mask(self, inputs, previous_mask):
        return None

    def _axes_of(self, a, b):
        """The axis of inputs of two shapes that is summed over, counted from 0."""
        axes = settings.axes("axes", self.axes)
        axes = axes * 2 if len(axes) == 1 else axes
        if len(axes) != 2 or not all(-len(s) <= d < len(s) for d, s in zip(axes, (a, b))):
            raise ValueError(f"expected axes of inputs of shapes {a} and {b}, got axes={self.axes}")
        found = [d % len(s) for d, s in zip(axes, (a, b))]
        if 0 in found or a[found[0]] != b[found[1]]:
            raise ValueError(
                f"expected axes of the same size, not that of the batch; got shapes {a} and {b} "
                f"along axes {tuple(found)}"
            )
        return found

    def call(self, inputs):
        rows, shape = [], []
        for x, axis in zip(inputs, self._axes_of(*(x.shape for x in inputs))):
            if axis != x.ndim - 1:
                x = ops.transpose(x, [d for d in range(x.ndim) if d != axis] + [axis])
            shape += x.shape[1:-1]
            x = ops.reshape(x, (x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1]))
            if self.normalize:
                length = ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))
                x = x / ops.maximum(length, 1e-6)
            rows.append(x)
        products = ops.matmul(*rows, transpose_b=True)
        return ops.reshape(products, (products.shape[0], *(shape or (1,))))


def _function(cls, name):
    """A function that calls a new layer of a class on its inputs."""

    def merge(inputs, *settings, **named):
        return cls(*settings, **named)(inputs)

    merge.__name__ = merge.__qualname__ = name
    merge.__doc__ = f"""`{cls.__name__}` as a function.

    Parameters
    ----------
    inputs : list of tensor, array or symbol
    *settings, **named
        The arguments of `{cls.__name__}`.

    Returns
    -------
    Tensor or Symbol
    """
    return merge


add, subtract, multiply = (
    _function(Add, "add"),
    _function(Subtract, "subtract"),
    _function(Multiply, "multiply"),
)
average, maximum, minimum = (
    _function(Average, "average"),
    _function(Maximum, "maximum"),
    _function(Minimum, "minimum"),
)
concatenate, dot = _function(Concatenate, "concatenate"), _function(Dot, "dot")
