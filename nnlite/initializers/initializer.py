"""Initializer: the base of all initializers. It turns a shape and a seed into a tensor."""

import contextlib
import contextvars
import math

import numpy as np

from nnlite.checks import axes, check_number, check_setting, is_number
from nnlite.config import next_seed
from nnlite.configurable import Configurable
from nnlite.engine.recording import unrecorded
from nnlite.engine.tensor import Tensor, Unset, dtype_of
from nnlite.errors import memory_for
from nnlite.seeds import SeedGenerator

_left_unset = contextvars.ContextVar("nnlite room for weights left unset", default=None)


@contextlib.contextmanager
def left_unset(room=None):
    """A `with` block in which new weights get no values: a file has those of all of them.

    Parameters
    ----------
    room : int, optional
        The bytes of weights that the file can hold. More is a ValueError.
    """
    token = _left_unset.set([float("inf") if room is None else room])
    try:
        yield
    finally:
        _left_unset.reset(token)


def _unset(shape, dtype):
    """A weight without values, for which there is room."""
    room = _left_unset.get()
    room[0] -= math.prod(shape) * 4
    if room[0] < 0:
        raise ValueError(f"expected no more weights than the file holds, got shape {shape}")
    return Unset(shape, dtype)


def compute_fans(shape, input_axes=None, output_axes=None):
    """(fan_in, fan_out) of a weight: the number of inputs per output, and of outputs per input.

    - A matrix (C, F) has (C, F).
    - A convolution's kernel (KH, KW, C, F) has (KH * KW * C, KH * KW * F).
    - A vector has its size twice, a scalar (1, 1).

    Parameters
    ----------
    shape : tuple of int
        The shape of the weight.
    input_axes, output_axes : list of int, optional
        Axes whose sizes together are fan_in and fan_out, in the place of these rules; both or
        neither.
    """
    return fans_of(_shape(shape, "compute_fans"), input_axes, output_axes)


def fans_of(shape, input_axes=None, output_axes=None):
    """`compute_fans` of what is known to be a shape."""
    if (input_axes is None) != (output_axes is None):
        raise ValueError(
            "input_axes, output_axes: expected both or neither, got "
            f"{input_axes!r} and {output_axes!r}"
        )
    if input_axes is not None:
        input_axes, output_axes = axes("input_axes", input_axes), axes("output_axes", output_axes)
        outside = [d for d in (*input_axes, *output_axes) if not -len(shape) <= d < len(shape)]
        if outside:
            raise ValueError(f"input_axes, output_axes: expected axes of {shape}, got {outside[0]}")
        return tuple(math.prod(shape[d] for d in some) for some in (input_axes, output_axes))
    if len(shape) < 1:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _check_seed(name, seed):
    if not isinstance(seed, SeedGenerator):
        check_setting(name, seed, "int [0, inf)")


class Initializer(Configurable):
    """Base of all initializers: a function of a shape.

    To write an initializer, define `values(self, shape, rng)`.

    Examples
    --------
    >>> from nnlite import initializers
    >>> class Exponential(initializers.Initializer):
    ...     def values(self, shape, rng):
    ...         return rng.exponential(0.1, shape)
    >>> Exponential()((3, 2)).shape
    (3, 2)
    """

    _legal = {
        "seed": _check_seed,
        "mean": "(-inf, inf)",
        "stddev": "[0, inf)",
        "minval": "(-inf, inf)",
        "maxval": "(-inf, inf)",
        "gain": "(-inf, inf)",
    }

    def __call__(self, shape, dtype=None, seed=None):
        """The values of a weight.

        Parameters
        ----------
        shape : tuple of int
        dtype : {'float32', 'float64'}, default `floatx()`
        seed : int or SeedGenerator, optional
            Used if the initializer has no seed.

        Returns
        -------
        Tensor
        """
        dtype = dtype_of(dtype)
        if seed is not None:
            check_setting("seed", seed, _check_seed, type(self).__name__)
        return self._draw(_shape(shape, type(self).__name__), dtype, seed)

    def _draw(self, shape, dtype, seed):
        """What a call returns, for arguments that were checked."""
        if getattr(self, "seed", None) is not None:
            seed = self.seed
        elif seed is None:
            seed = self.__dict__.setdefault("_own_seed", next_seed())
        if isinstance(seed, SeedGenerator):
            words = seed.next().numpy().view(np.uint32)
            rng = np.random.Generator(np.random.Philox([int(word) for word in words]))
        else:
            rng = np.random.Generator(np.random.Philox(int(seed)))
        limits_of = getattr(type(self).values, "limits", None)
        try:
            if limits_of is not None and (limits := limits_of(self, shape)) is not None:
                values = uniform(rng, *limits, shape, dtype)
            else:
                values = np.ascontiguousarray(self.values(shape, rng), dtype).reshape(shape)
        except MemoryError:
            raise memory_for(type(self).__name__, shape, dtype).error() from None
        return Tensor(values.shape, dtype, values)

    def values(self, shape, rng):
        """The values of a weight, as an array; the function that a subclass defines.

        Parameters
        ----------
        shape : tuple of int
        rng : numpy.random.Generator

        Returns
        -------
        array of float64
        """
        raise TypeError(f"{type(self).__name__}: an initializer must define values(shape, rng)")

    def _number(self, name, least=-math.inf, of_least=""):
        """The setting `name` as a float, checked to be finite and at least `least`, which is
        called `of_least`."""
        value = getattr(self, name)
        expected = "a number" if least == -math.inf else f"a number of at least {of_least}{least}"
        owner = type(self).__name__
        check_number(name, value, f"[{least}, inf)", owner=owner, expected=expected)
        return float(value)


BLOCK = 1 << 15  # numbers that stay in the cache from their drawing to their rounding


def uniform(rng, low, high, shape, dtype="float64"):
    """The values of `rng.uniform(low, high, shape)`, made a block at a time, which is quicker and
    takes no memory for float64 where they are rounded.

    A function `values` that draws such ones has the function of their limits as its `limits`, which
    gives None where it draws others.

    Parameters
    ----------
    rng : numpy.random.Generator
    low, high : float
    shape : tuple of int
    dtype : {'float32', 'float64'}, default 'float64'
    """
    values = np.empty(shape, dtype)
    flat, block = values.reshape(-1), np.empty(min(BLOCK, values.size))
    for start in range(0, flat.size, BLOCK):
        part = block[: flat.size - start]
        rng.random(out=part)
        part *= high - low
        part += low
        flat[start : start + BLOCK] = part
    return values


def _shape(shape, owner):
    """A shape as a tuple of int."""
    sizes = tuple(shape) if np.iterable(shape) and not isinstance(shape, (str, dict)) else (None,)
    if not all(is_number(n, "[0, inf)") and n % 1 == 0 for n in sizes):
        raise ValueError(f"{owner}: shape: expected a tuple of integers, got {shape!r}")
    return tuple(map(int, sizes))


@unrecorded
def draw(initializer, shape, dtype):
    """The values of one weight.

    Parameters
    ----------
    initializer : Initializer or function of a shape
        Without a seed, an Initializer gets the next seed of the process.
    shape : tuple of int
    dtype : {'float32', 'float64'}
    """
    if _left_unset.get() is not None:
        return _unset(shape, dtype)
    seed = next_seed()
    if not callable(initializer):
        raise TypeError(f"expected an initializer or a function of a shape, got {initializer!r}")
    if isinstance(initializer, Initializer):
        known = type(initializer).__call__ is Initializer.__call__
        return (initializer._draw if known else initializer)(shape, dtype=dtype, seed=seed)
    return initializer(shape, dtype=dtype)
