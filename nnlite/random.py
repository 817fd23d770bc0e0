"""TensorFlow's `tf.random` and Keras's `keras.random`: random numbers as tensors.

`seed=` of each function is an int, for the same numbers again; a SeedGenerator, for others at each
call; or None, for those that follow from `utils.set_random_seed`. In a step of a model, which is
traced once, each run draws others.
"""

import numpy as np

from nnlite import config, names, ops
from nnlite.backend import random_normal as normal
from nnlite.backend import random_uniform as uniform
from nnlite.checks import check_number, check_shape, check_size
from nnlite.config import seed_draws as set_seed
from nnlite.engine.recording import tracing
from nnlite.engine.tensor import REALS, Tensor, dtype_of
from nnlite.ops.operands import axis_of
from nnlite.seeds import SeedGenerator, state_of

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "set_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]

__getattr__ = names.of(__name__)

SeedGenerator.__module__ = __name__  # where files find it

# How often a value that is refused is drawn again. Of 10^10 values that are drawn so often, some
# are refused each time.
_ATTEMPTS = 8
_EXACT = 2**24  # float32 has all integers up to this


def randint(shape, minval, maxval, dtype="int32", seed=None):
    """Whole numbers in [minval, maxval), all equally likely.

    Parameters
    ----------
    shape : tuple of int
    minval, maxval : int
        Inside of a model at most 2**24 apart.
    dtype : str, default 'int32'
        A name of integers; all of them are int32.
    seed : int or SeedGenerator, optional

    Returns
    -------
    int32 Tensor

    Examples
    --------
    >>> import nnlite
    >>> numbers = nnlite.random.randint((100,), 3, 6, seed=0).numpy()
    >>> sorted(set(numbers.tolist()))
    [3, 4, 5]
    """
    if dtype_of(dtype) != "int32":
        raise ValueError(f"randint: dtype: expected one of integers, got {dtype!r}")
    for name, value in (("minval", minval), ("maxval", maxval)):
        check_number(name, value, "[-2147483648, 2147483648]", "randint")
    low, span = int(minval), int(maxval) - int(minval)
    if span < 1:
        raise ValueError(f"randint: expected minval < maxval, got {minval} and {maxval}")
    small = max(span, abs(low), abs(low + span)) <= _EXACT
    real = config.floatx() if small else "float64"
    if tracing() and real != config.floatx():
        raise ValueError(
            f"randint: expected numbers below 2**24 inside of a model, got [{minval}, {maxval})"
        )
    u = ops.random_uniform(_key(seed), check_shape("shape", shape), real)
    return ops.cast(ops.floor(u * float(span)) + float(low), "int32")


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal numbers within two standard deviations of the mean.

    Parameters
    ----------
    shape : tuple of int
    mean : float, default 0.0
    stddev : float, default 1.0
        Before those beyond are drawn again.
    dtype : {'float32', 'float64'}, default `floatx()`
    seed : int or SeedGenerator, optional

    Returns
    -------
    Tensor
    """
    shape, real, state = check_shape("shape", shape), dtype_of(dtype, REALS), state_of(seed)
    found = ops.random_normal(ops.random_key(state), shape, real)
    for _ in range(_ATTEMPTS):
        again = ops.random_normal(ops.random_key(state), shape, real)
        found = ops.where(ops.greater(ops.abs(found), 2.0), again, found)
    return ops.clip(found, -2.0, 2.0) * stddev + mean


def categorical(logits, num_samples, dtype="int32", seed=None):
    """Classes, drawn by their logits.

    The class with the largest sum of logit and Gumbel noise has the probability of the softmax.

    Parameters
    ----------
    logits : tensor, shape (N, classes)
    num_samples : int
        How many are drawn for each row.
    dtype : str, default 'int32'
        A name of integers; all of them are int32.
    seed : int or SeedGenerator, optional

    Returns
    -------
    int32 Tensor, shape (N, num_samples)

    Examples
    --------
    >>> import nnlite
    >>> nnlite.random.categorical([[0.0, 99.0], [99.0, 0.0]], 3, seed=0).numpy().tolist()
    [[1, 1, 1], [0, 0, 0]]
    """
    (logits,) = ops.operands(logits)
    if logits.ndim != 2:
        raise ValueError(
            f"categorical: logits: expected shape (N, classes), got shape {logits.shape}"
        )
    if dtype_of(dtype) != "int32":
        raise ValueError(f"categorical: dtype: expected one of integers, got {dtype!r}")
    rows, classes = logits.shape
    count = check_size("num_samples", num_samples)
    u = ops.random_uniform(_key(seed), (rows, count, classes), logits.dtype)
    noise = -ops.log(-ops.log(ops.maximum(u, 2.0**-30)))
    return ops.argmax(ops.expand_dims(logits, 1) + noise, axis=-1)


def gamma(shape, alpha, dtype=None, seed=None):
    """Numbers of the gamma distribution of shape `alpha` and scale 1.

    G. Marsaglia, W. W. Tsang: "A simple method for generating gamma variables", 2000.

    Parameters
    ----------
    shape : tuple of int
    alpha : float above 0, or tensor that broadcasts to `shape`
    dtype : {'float32', 'float64'}, default `floatx()`
    seed : int or SeedGenerator, optional

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import nnlite
    >>> numbers = nnlite.random.gamma((10000,), 3.0, seed=0).numpy()
    >>> round(float(numbers.mean()), 1)
    3.0
    """
    shape, real = check_shape("shape", shape), dtype_of(dtype, REALS)
    alpha = _positive("gamma", "alpha", alpha, shape, real)
    factor, logarithm = _gamma(shape, alpha, state_of(seed), real)
    return factor * ops.exp(logarithm)


def _gamma(shape, alpha, state, real):
    """Numbers of the gamma distribution as a factor and the logarithm of another, which may be too
    small for a real number."""
    small = ops.less(alpha, 1.0)  # gamma(a) = gamma(a + 1) u^(1 / a)
    d = alpha + small - 1.0 / 3.0
    c = 1.0 / ops.sqrt(9.0 * d)
    found = None
    for _ in range(_ATTEMPTS):
        x = ops.random_normal(ops.random_key(state), shape, real)
        u = ops.maximum(ops.random_uniform(ops.random_key(state), shape, real), 2.0**-30)
        v = ops.maximum(1.0 + c * x, 0.0) ** 3
        bound = 0.5 * ops.square(x) + d - d * v + d * ops.log(ops.maximum(v, 2.0**-99))
        fits = ops.less(ops.log(u), bound) * ops.greater(v, 0.0)
        # The first value that fits stays; without one the result is d.
        found = ops.where(fits, v, 0.0) if found is None else ops.where(found, found, fits * v)
    u = ops.random_uniform(ops.random_key(state), shape, real)
    power = ops.where(small, 1.0 / alpha, 0.0)
    return d * ops.where(found, found, 1.0), power * ops.log(ops.maximum(u, 2.0**-30))


def beta(shape, alpha, beta, dtype=None, seed=None):
    """Numbers of the beta distribution, in [0, 1].

    Parameters
    ----------
    shape : tuple of int
    alpha, beta : float above 0, or tensors that broadcast to `shape`
    dtype : {'float32', 'float64'}, default `floatx()`
    seed : int or SeedGenerator, optional

    Returns
    -------
    Tensor
    """
    shape, real, state = check_shape("shape", shape), dtype_of(dtype, REALS), state_of(seed)
    parts = {"alpha": alpha, "beta": beta}
    x, y = (
        _gamma(shape, _positive("beta", *part, shape, real), state, real) for part in parts.items()
    )
    # x / (x + y), where both may be too small for real numbers.
    return ops.sigmoid(ops.log(x[0]) - ops.log(y[0]) + (x[1] - y[1]))


def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """How many of `counts` trials succeed. Not inside of a model.

    Parameters
    ----------
    shape : tuple of int
    counts : int of at least 0, or array that broadcasts to `shape`
    probabilities : float in [0, 1], or array that broadcasts to `shape`
    dtype : {'float32', 'float64'}, default `floatx()`
    seed : int or SeedGenerator, optional

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import nnlite
    >>> nnlite.random.binomial((3,), [0, 5, 9], [0.5, 0.0, 1.0]).numpy().tolist()
    [0.0, 0.0, 9.0]
    """
    shape, real = check_shape("shape", shape), dtype_of(dtype, REALS)
    n, p = (ops.convert_to_numpy(x).astype(float) for x in (counts, probabilities))
    if (n < 0).any() or (n % 1).any() or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(
            "binomial: expected counts of at least 0 and probabilities in [0, 1], got "
            f"{counts!r} and {probabilities!r}"
        )
    found = _drawn("binomial", seed).binomial(n.astype(np.int64), p, shape)
    return ops.convert_to_tensor(np.asarray(found, float), real)


def shuffle(x, axis=0, seed=None):
    """The entries along an axis in random order. Not inside of a model.

    Parameters
    ----------
    x : tensor or array
    axis : int, default 0
    seed : int or SeedGenerator, optional

    Returns
    -------
    Tensor
    """
    values = ops.convert_to_numpy(x)
    axis = axis_of(axis, values.shape)
    order = _drawn("shuffle", seed).permutation(values.shape[axis])
    return ops.convert_to_tensor(np.take(values, order, axis))


def dropout(inputs, rate, noise_shape=None, seed=None):
    """0 with probability `rate`, else inputs / (1 - rate), for each element.

    Parameters
    ----------
    inputs : tensor
    rate : float in [0, 1]
    noise_shape : tuple of int or None, optional
        The shape of the mask. Elements along an axis of size 1 share one draw; None in it stands
        for the size of the inputs.
    seed : int or SeedGenerator, optional

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import nnlite
    >>> nnlite.random.dropout([1.0, 1.0], 0.0).numpy().tolist()
    [1.0, 1.0]
    """
    check_number("rate", rate, "[0, 1]", "dropout")
    (x,) = ops.operands(inputs)
    if rate == 1:
        return ops.zeros_like(x)
    given = x.shape if noise_shape is None else noise_shape
    if len(given) != x.ndim or any(m not in (1, n, None) for m, n in zip(given, x.shape)):
        raise ValueError(
            f"dropout: noise_shape: expected one that fits inputs of shape {x.shape}, got {given}"
        )
    shape = tuple(n if m is None else m for m, n in zip(given, x.shape))
    if shape == x.shape:
        return ops.dropout(x, _key(seed), rate)
    return x * ops.dropout(ops.ones(shape, x.dtype), _key(seed), rate)


def _key(seed):
    return ops.random_key(state_of(seed))


def _drawn(owner, seed):
    """NumPy's generator for a seed."""
    if tracing():
        raise RuntimeError(f"{owner}: expected a call outside of a model: inside it draws once")
    key = ops.random_key(state_of(seed)).numpy().tobytes()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def _positive(owner, name, value, shape, real):
    """A parameter of a distribution as a tensor of positive numbers."""
    given = ops.convert_to_tensor(value, None if isinstance(value, Tensor) else real)
    if given._data is not None and given.size and not given.numpy().min() > 0:
        raise ValueError(f"{owner}: {name}: expected numbers above 0, got {value!r}")
    pairs = zip(given.shape[::-1], shape[::-1])
    if given.ndim > len(shape) or any(n not in (1, m) for n, m in pairs):
        raise ValueError(f"{owner}: {name}: expected a shape that fits {shape}, got {given.shape}")
    return given
