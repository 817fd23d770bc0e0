"""Initializers: where weights begin. Each is called on a shape and returns a tensor.

Random ones draw from NumPy's Philox generator: the same seed gives the same values everywhere. An
instance gives the same values at each call (Keras's rule); a layer gives each of its weights a seed
of its own."""

import math
import numbers

import numpy as np

from nnlite import config, configurable, registry
from nnlite.checks import check_number, is_number
from nnlite.config import next_seed
from nnlite.configurable import Configurable
from nnlite.engine.tensor import Tensor

__all__ = [
    "Constant",
    "FanInUniform",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "fan_in_uniform",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "identity_initializer",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "one",
    "ones",
    "orthogonal",
    "orthogonal_initializer",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zero",
    "zeros",
]


def compute_fans(shape):
    """(fan_in, fan_out) of a weight: its last two axes, times the window of a convolution.

    A matrix (in, out) has (in, out), a convolution's kernel (KH, KW, C, F) has
    (KH * KW * C, KH * KW * F), a vector its size twice.
    """
    if len(shape) < 1:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


class Initializer(Configurable):
    """Base of all: subclasses write `values(shape, rng)`; users of the library call the object on a
    shape."""

    def __call__(self, shape, dtype=None, seed=None):
        """Values for a weight.

        Parameters
        ----------
        shape : tuple of int
        dtype : {'float32', 'float64'}, default `floatx()`
        seed : int, optional
            Used where the initializer was given none of its own.

        Returns
        -------
        Tensor
        """
        dtype = dtype or config.floatx()
        if getattr(self, "seed", None) is not None:
            seed = self.seed
        elif seed is None:
            seed = self.__dict__.setdefault("_own_seed", next_seed())
        if not isinstance(seed, numbers.Integral) or seed < 0:
            raise ValueError(
                f"{type(self).__name__}: expected seed to be an integer of at least 0, got {seed!r}"
            )
        rng = np.random.Generator(np.random.Philox(int(seed)))
        values = np.ascontiguousarray(self.values(tuple(shape), rng), dtype).reshape(shape)
        return Tensor(values.shape, dtype, values)

    def values(self, shape, rng):
        """A float64 array of `shape`."""
        raise TypeError(f"{type(self).__name__}: an initializer must define values(shape, rng)")

    def _number(self, name, least=-math.inf):
        """The setting `name` as a float, checked to be finite and at least `least`."""
        value = getattr(self, name)
        expected = "to be a number" if least == -math.inf else f"to be a number of at least {least}"
        owner = type(self).__name__
        check_number(name, value, f"[{least}, inf)", owner=owner, expected=expected)
        return float(value)


class Constant(Initializer):
    """Every value the same.

    Parameters
    ----------
    value : float or array, default 0.0

    Examples
    --------
    >>> from nnlite import initializers
    >>> initializers.Constant(0.5)((2,)).numpy()
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value=0.0):
        self.value = value

    def values(self, shape, rng):
        try:
            return np.broadcast_to(np.asarray(self.value, np.float64), shape)
        except (TypeError, ValueError):
            raise ValueError(
                f"Constant: expected a value that broadcasts to shape {shape}, got {self.value!r}"
            ) from None


class Zeros(Initializer):
    """Every value 0."""

    def values(self, shape, rng):
        return np.zeros(shape)


class Ones(Initializer):
    """Every value 1."""

    def values(self, shape, rng):
        return np.ones(shape)


class RandomNormal(Initializer):
    """Normal values.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float of at least 0, default 0.05
    seed : int, optional
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def values(self, shape, rng):
        return rng.normal(self._number("mean"), self._number("stddev", 0), shape)


class RandomUniform(Initializer):
    """Uniform values in [minval, maxval).

    Parameters
    ----------
    minval : float, default -0.05
    maxval : float of at least `minval`, default 0.05
    seed : int, optional
    """

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def values(self, shape, rng):
        low = self._number("minval")
        return rng.uniform(low, self._number("maxval", low), shape)


def _truncated(rng, shape, stddev):
    """Normal values, those beyond two standard deviations drawn again."""
    values = rng.standard_normal(shape)
    while (far := np.abs(values) > 2).any():
        values[far] = rng.standard_normal(int(far.sum()))
    return values * stddev


class TruncatedNormal(Initializer):
    """Normal values within two standard deviations of the mean.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float of at least 0, default 0.05
        Before the values beyond two of them are drawn again.
    seed : int, optional
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def values(self, shape, rng):
        return self._number("mean") + _truncated(rng, shape, self._number("stddev", 0))


# The standard deviation of a unit normal cut at two standard deviations.
_CUT_STDDEV = 0.87962566103423978


class VarianceScaling(Initializer):
    """Values whose variance is `scale / n`, n being the weight's fan.

    Parameters
    ----------
    scale : float, default 1.0
        Positive.
    mode : {'fan_in', 'fan_out', 'fan_avg'}, default 'fan_in'
    distribution : {'truncated_normal', 'untruncated_normal', 'uniform'}, default 'truncated_normal'
    seed : int, optional
    """

    def __init__(self, scale=1.0, mode="fan_in", distribution="truncated_normal", seed=None):
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed

    def values(self, shape, rng):
        fan_in, fan_out = compute_fans(shape)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        if self.mode not in fans:
            raise ValueError(
                f"VarianceScaling: expected a mode of {', '.join(fans)}, got {self.mode!r}"
            )
        if not is_number(self.scale, "(0, inf]"):
            raise ValueError(f"VarianceScaling: expected a positive scale, got {self.scale!r}")
        variance = self.scale / max(1.0, fans[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return rng.uniform(-limit, limit, shape)
        if self.distribution in ("truncated_normal", "normal"):
            return _truncated(rng, shape, math.sqrt(variance) / _CUT_STDDEV)
        if self.distribution == "untruncated_normal":
            return rng.normal(0.0, math.sqrt(variance), shape)
        raise ValueError(
            "VarianceScaling: expected a distribution of truncated_normal, untruncated_normal, "
            f"uniform, got {self.distribution!r}"
        )


def _scaled(name, scale, mode, distribution, text):
    """A VarianceScaling with its three settings fixed, as a class of its own."""

    def __init__(self, seed=None):
        VarianceScaling.__init__(self, scale, mode, distribution, seed)

    doc = f"{text}\n\n    Parameters\n    ----------\n    seed : int, optional\n    "
    return type(
        name, (VarianceScaling,), {"__init__": __init__, "__doc__": doc, "__module__": __name__}
    )


GlorotUniform = _scaled(
    "GlorotUniform",
    1.0,
    "fan_avg",
    "uniform",
    "U(-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio, 2010): Xavier's.",
)
GlorotNormal = _scaled(
    "GlorotNormal",
    1.0,
    "fan_avg",
    "truncated_normal",
    "Truncated normal of variance 2 / (fan_in + fan_out) (Glorot & Bengio, 2010).",
)
HeUniform = _scaled(
    "HeUniform",
    2.0,
    "fan_in",
    "uniform",
    "U(-a, a), a = sqrt(6 / fan_in) (He et al., 2015), for relu.",
)
HeNormal = _scaled(
    "HeNormal",
    2.0,
    "fan_in",
    "truncated_normal",
    "Truncated normal of variance 2 / fan_in (He et al., 2015), for relu.",
)
LecunUniform = _scaled(
    "LecunUniform", 1.0, "fan_in", "uniform", "U(-a, a), a = sqrt(3 / fan_in) (LeCun et al., 1998)."
)
LecunNormal = _scaled(
    "LecunNormal",
    1.0,
    "fan_in",
    "truncated_normal",
    "Truncated normal of variance 1 / fan_in (LeCun et al., 1998), for selu.",
)
FanInUniform = _scaled(
    "FanInUniform",
    1 / 3,
    "fan_in",
    "uniform",
    "U(-a, a), a = 1 / sqrt(fan_in): what a linear layer of PyTorch begins with. A bias counts as\n"
    "    its own input: give that of `n` inputs `RandomUniform(-n**-0.5, n**-0.5)`.",
)


class Orthogonal(Initializer):
    """Orthonormal rows or columns, whichever are fewer, times a gain.

    Those of a normal matrix's QR decomposition, with the signs that make R's diagonal positive, so
    that all orthogonal matrices are equally likely. All axes but the last are joined.

    A. M. Saxe, J. L. McClelland, S. Ganguli: "Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks", ICLR 2014.

    Parameters
    ----------
    gain : float, default 1.0
    seed : int, optional

    Examples
    --------
    >>> from nnlite import initializers
    >>> w = initializers.Orthogonal(seed=0)((5, 3)).numpy()
    >>> (w.T @ w).round(6) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """

    def __init__(self, gain=1.0, seed=None):
        self.gain, self.seed = gain, seed

    def values(self, shape, rng):
        if len(shape) < 2:
            raise ValueError(
                f"Orthogonal: expected a weight of at least 2 dimensions, got shape {shape}"
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return self._number("gain") * (q if rows >= columns else q.T).reshape(shape)


class Identity(Initializer):
    """Ones on the diagonal, times a gain, and zeros elsewhere.

    Parameters
    ----------
    gain : float, default 1.0

    Examples
    --------
    >>> from nnlite import initializers
    >>> initializers.Identity(2.0)((2, 3)).numpy()
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain=1.0):
        self.gain = gain

    def values(self, shape, rng):
        if len(shape) != 2:
            raise ValueError(f"Identity: expected a weight of 2 dimensions, got shape {shape}")
        return self._number("gain") * np.eye(*shape)


_CLASSES = (
    Constant,
    Zeros,
    Ones,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    LecunUniform,
    LecunNormal,
    FanInUniform,
    Orthogonal,
    Identity,
)
_BY_NAME = {configurable.snake_case(cls.__name__): cls for cls in _CLASSES} | {
    "zero": Zeros,
    "one": Ones,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "orthogonal_initializer": Orthogonal,
    "identity_initializer": Identity,
}
# Lower case as tutorials write it: `initializers.he_normal()`.
zeros = zero = Zeros
ones = one = Ones
random_normal = normal = RandomNormal
random_uniform = uniform = RandomUniform
constant, truncated_normal, variance_scaling = Constant, TruncatedNormal, VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
fan_in_uniform = FanInUniform
orthogonal = orthogonal_initializer = OrthogonalInitializer = Orthogonal
identity = identity_initializer = IdentityInitializer = Identity


def get(identifier):
    """An initializer from its name (either case), itself, or any function of a shape."""
    return registry.find("initializer", identifier, _BY_NAME, callable)


def draw(initializer, shape, dtype):
    """Values for one weight: an initializer without a seed of its own gets the next of the
    process."""
    seed = next_seed()
    if isinstance(initializer, Initializer):
        return initializer(shape, dtype=dtype, seed=seed)
    return initializer(shape, dtype=dtype)
