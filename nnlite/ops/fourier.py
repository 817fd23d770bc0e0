"""Discrete Fourier transforms, made of matrix products.

The one idea: a transform of p q numbers is q transforms of p numbers, a rotation of each result,
and p transforms of q numbers (J. W. Cooley, J. W. Tukey: "An algorithm for the machine calculation
of complex Fourier series", Math. Comp. 19, 1965). One of at most `SHORT` numbers, or of a prime
number of them, is a product with a matrix. A complex tensor is a pair of real ones.
"""

import numpy as np

from nnlite.checks import check_size
from nnlite.ops.elementwise import add, divide, multiply, negative, subtract
from nnlite.ops.linear import matmul
from nnlite.ops.operands import operands
from nnlite.ops.shape import moveaxis, reshape, zeros, zeros_like
from nnlite.ops.slicing import concatenate, flip

SHORT = 64


def _factor(n):
    """The largest factor of n that is at most SHORT; 1 if there is none."""
    return next((p for p in range(SHORT, 1, -1) if n % p == 0), 1)


def circle(fractions):
    """The cosine and the sine of 2 pi times fractions, in float64; exact at quarters.

    Parameters
    ----------
    fractions : array
    """
    angle, between = 2 * np.pi * fractions, fractions * 4 % 1 != 0
    return tuple(np.where(between, y, np.round(y)) for y in (np.cos(angle), np.sin(angle)))


def _products(real, imag, cosine, sine, product):
    """(real + i imag) times (cosine - i sine)."""
    return (
        add(product(real, cosine), product(imag, sine)),
        subtract(product(imag, cosine), product(real, sine)),
    )


def _transform(real, imag):
    """The transform along the last axis."""
    n = real.shape[-1]
    p = _factor(n)
    if n <= SHORT or p == 1:
        index = np.arange(n)
        return _products(real, imag, *circle(np.outer(index, index) % n / max(n, 1)), matmul)
    q, leading = n // p, real.shape[:-1]
    # Entry q a + b is row a, column b; the frequency c + p d is row c, column d of the result.
    real, imag = (reshape(x, (-1, p, q)) for x in (real, imag))
    real, imag = (moveaxis(x, 1, 2) for x in (real, imag))
    real, imag = (moveaxis(x, 1, 2) for x in _transform(real, imag))
    turn = np.outer(np.arange(p), np.arange(q)) / n
    real, imag = _transform(*_products(real, imag, *circle(turn), multiply))
    return tuple(reshape(moveaxis(x, 1, 2), (*leading, n)) for x in (real, imag))


def _pair(x, axes):
    """The two parts of a complex tensor."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"x: expected a tuple of two tensors, real and imaginary, got {x!r}")
    real, imag = operands(*x)
    if real.shape != imag.shape or real.ndim < axes:
        raise ValueError(
            f"x: expected two tensors of one shape, of at least {axes} axes, got {real.shape} and "
            f"{imag.shape}"
        )
    return real, imag


def fft(x):
    """The discrete Fourier transform along the last axis.

    Its time is in proportion to the length n times the sum of the factors of n.

    Parameters
    ----------
    x : (tensor, tensor) of one shape
        The real and the imaginary parts.

    Returns
    -------
    (Tensor, Tensor)
        The same of the transform.

    Examples
    --------
    >>> from nnlite import ops
    >>> real, imag = ops.fft(([1.0, 0.0], [0.0, 0.0]))
    >>> real.numpy()
    array([1., 1.], dtype=float32)
    """
    return _transform(*_pair(x, 1))


def _inverse(x):
    """The inverse of `fft`: the transform of the conjugate, conjugated."""
    real, imag = x
    n = float(real.shape[-1])
    real, imag = _transform(real, negative(imag))
    return divide(real, n), divide(imag, -n)


def fft2(x):
    """The discrete Fourier transform along the last two axes.

    Parameters
    ----------
    x : (tensor, tensor) of one shape
        The real and the imaginary parts.

    Returns
    -------
    (Tensor, Tensor)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.fft2((ops.ones((2, 2)), ops.zeros((2, 2))))[0].numpy()
    array([[4., 0.],
           [0., 0.]], dtype=float32)
    """
    return _along_two(fft, _pair(x, 2))


def ifft2(x):
    """The inverse of `fft2`.

    Parameters
    ----------
    x : (tensor, tensor) of one shape
        The real and the imaginary parts.

    Returns
    -------
    (Tensor, Tensor)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.ifft2((ops.ones((2, 2)), ops.zeros((2, 2))))[0].numpy()
    array([[1., 0.],
           [0., 0.]], dtype=float32)
    """
    return _along_two(_inverse, _pair(x, 2))


def _along_two(transform, x):
    x = tuple(moveaxis(part, -2, -1) for part in transform(x))
    return tuple(moveaxis(part, -2, -1) for part in transform(x))


def _of_length(x, n):
    """`x` cut, or with zeros behind it, along the last axis."""
    if x.shape[-1] >= n:
        return x[..., :n]
    return concatenate([x, zeros((*x.shape[:-1], n - x.shape[-1]), x.dtype)], -1)


def rfft(x, fft_length=None):
    """The discrete Fourier transform of real numbers: its first half, as the other mirrors it.

    Parameters
    ----------
    x : tensor, shape (..., n)
    fft_length : int, optional
        To which `x` is cut, or filled up with zeros; by default n.

    Returns
    -------
    (Tensor, Tensor), shape (..., fft_length // 2 + 1)
        The real and the imaginary parts.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.rfft([1.0, 2.0, 3.0])[0].numpy()
    array([ 6. , -1.5], dtype=float32)
    """
    (x,) = operands(x)
    if not x.shape:
        raise ValueError("x: expected at least one axis, got shape ()")
    if fft_length is not None:
        x = _of_length(x, check_size("fft_length", fft_length))
    half = x.shape[-1] // 2 + 1
    return tuple(part[..., :half] for part in _transform(x, zeros_like(x)))


def irfft(x, fft_length=None):
    """The inverse of `rfft`: real numbers.

    Parameters
    ----------
    x : (tensor, tensor), shape (..., m)
        The real and the imaginary parts of the first half of the transform.
    fft_length : int, optional
        The length of the result; by default 2 (m - 1).

    Returns
    -------
    Tensor, shape (..., fft_length)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.irfft(ops.rfft([1.0, 2.0, 3.0]), fft_length=3).numpy().round(3)
    array([1., 2., 3.], dtype=float32)
    """
    real, imag = _pair(x, 1)
    n = 2 * (real.shape[-1] - 1) if fft_length is None else fft_length
    n = check_size("fft_length", n)
    half = n // 2 + 1
    real, imag = (_of_length(part, half) for part in (real, imag))
    # The other half is the mirror's conjugate, without what stands in the middle.
    rest = slice(1, (n + 1) // 2)
    real = concatenate([real, flip(real[..., rest], -1)], -1)
    # The first number is real, and so is the middle one.
    alone = zeros((*imag.shape[:-1], 1), imag.dtype)
    middle = [alone] if n % 2 == 0 and n else []
    imag = concatenate([alone, imag[..., rest], *middle, negative(flip(imag[..., rest], -1))], -1)
    return _inverse((real[..., :n], imag[..., :n]))[0]
