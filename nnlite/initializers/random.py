"""Random initializers: normal or uniform values scaled by the shape, and orthogonal matrices."""

import copy
import math

import numpy as np

from nnlite.checks import axes
from nnlite.initializers.initializer import BLOCK, Initializer, fans_of, uniform


class RandomNormal(Initializer):
    """Normal values.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float of at least 0, default 0.05
        The standard deviation.
    seed : int or SeedGenerator, optional
        By default each weight gets the next seed of the process. A generator gives other values at
        each call.
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        self.mean, self.stddev, self.seed = mean, stddev, seed
        self._check_given()

    def values(self, shape, rng):
        return rng.normal(self._number("mean"), self._number("stddev", 0), shape)


class RandomUniform(Initializer):
    """Uniform values in [minval, maxval).

    Parameters
    ----------
    minval : float, default -0.05
    maxval : float of at least `minval`, default 0.05
    seed : int or SeedGenerator, optional
        By default each weight gets the next seed of the process. A generator gives other values at
        each call.
    """

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        self.minval, self.maxval, self.seed = minval, maxval, seed
        self._check_given()
        self._number("maxval", minval, "minval = ")

    def _limits(self, shape):
        low = self._number("minval")
        return low, self._number("maxval", low)

    def values(self, shape, rng):
        return uniform(rng, *self._limits(shape), shape)

    values.limits = _limits


def _truncated(rng, shape, stddev):
    """Normal values; those beyond two standard deviations are drawn again."""
    values = np.empty(shape)
    flat, far = values.reshape(-1), []
    for start in range(0, flat.size, BLOCK):
        part = flat[start : start + BLOCK]
        rng.standard_normal(out=part)
        far.append(start + np.flatnonzero(np.abs(part) > 2))
    far = np.concatenate([*far, np.zeros(0, int)])
    while far.size:
        flat[far] = again = rng.standard_normal(far.size)
        far = far[np.abs(again) > 2]
    values *= stddev
    return values


class TruncatedNormal(Initializer):
    """Normal values within two standard deviations of the mean.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float of at least 0, default 0.05
        The standard deviation before truncation. That of the values is 0.88 times as large.
    seed : int or SeedGenerator, optional
        By default each weight gets the next seed of the process. A generator gives other values at
        each call.
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        self.mean, self.stddev, self.seed = mean, stddev, seed
        self._check_given()

    def values(self, shape, rng):
        return self._number("mean") + _truncated(rng, shape, self._number("stddev", 0))


# The standard deviation of a standard normal truncated at -2 and 2.
_CUT_STDDEV = 0.87962566103423978


class VarianceScaling(Initializer):
    """Random values of mean 0 and variance scale / n, where n depends on the shape of the weight.

    Parameters
    ----------
    scale : float above 0, default 1.0
    mode : {'fan_in', 'fan_out', 'fan_avg'}, default 'fan_in'
        n: the inputs of an output, the outputs of an input, or the mean of both.
    distribution : {'truncated_normal', 'untruncated_normal', 'uniform'}, default 'truncated_normal'
    seed : int or SeedGenerator, optional
        By default each weight gets the next seed of the process. A generator gives other values at
        each call.
    input_axes, output_axes : list of int, optional
        Axes whose sizes together are fan_in and fan_out; by default as `compute_fans` says.

    Examples
    --------
    >>> from nnlite import initializers
    >>> w = initializers.VarianceScaling(2.0, seed=0)((100, 500)).numpy()
    >>> bool(abs(w.var() - 2.0 / 100) < 1e-3)
    True
    """

    _legal = {
        "scale": "(0, inf)",
        "mode": ("fan_in", "fan_out", "fan_avg"),
        "distribution": ("truncated_normal", "normal", "untruncated_normal", "uniform"),
        "input_axes": axes,
        "output_axes": axes,
    }

    def __init__(
        self,
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        seed=None,
        input_axes=None,
        output_axes=None,
    ):
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed
        self.input_axes, self.output_axes = input_axes, output_axes
        self._check_given()

    def get_config(self):
        return {k: v for k, v in super().get_config().items() if v is not None or k == "seed"}

    _fans = None

    def _variance(self, shape):
        fan_in, fan_out = self._fans or fans_of(shape, self.input_axes, self.output_axes)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        settings = ("scale", "mode", "distribution")
        self._check_given({name: getattr(self, name) for name in settings})
        return self.scale / max(1.0, fans[self.mode])

    def _limits(self, shape):
        if self.distribution != "uniform":
            return None
        limit = math.sqrt(3.0 * self._variance(shape))
        return -limit, limit

    def values(self, shape, rng):
        if (limits := self._limits(shape)) is not None:
            return uniform(rng, *limits, shape)
        stddev = math.sqrt(self._variance(shape))
        if self.distribution in ("truncated_normal", "normal"):
            return _truncated(rng, shape, stddev / _CUT_STDDEV)
        return rng.normal(0.0, stddev, shape)

    values.limits = _limits


def with_fans(initializer, fan_in, fan_out):
    """An initializer for a weight whose fans do not follow from its shape.

    Parameters
    ----------
    initializer : Initializer, or function of a shape
        Only a VarianceScaling depends on the fans.
    fan_in, fan_out : int
        The number of inputs per output, and of outputs per input.

    Returns
    -------
    Initializer or function
    """
    if isinstance(initializer, VarianceScaling):
        initializer = copy.copy(initializer)
        initializer._fans = (fan_in, fan_out)
    return initializer


def _scaled(name, scale, mode, distribution, text):
    """A subclass of VarianceScaling with fixed scale, mode and distribution."""

    def __init__(self, seed=None, input_axes=None, output_axes=None):
        VarianceScaling.__init__(self, scale, mode, distribution, seed, input_axes, output_axes)

    doc = f"""{text}

    Parameters
    ----------
    seed : int or SeedGenerator, optional
        By default each weight gets the next seed of the process. A generator gives other values at
        each call.
    input_axes, output_axes : list of int, optional
        Axes whose sizes together are fan_in and fan_out.
    """
    return type(
        name, (VarianceScaling,), {"__init__": __init__, "__doc__": doc, "__module__": __name__}
    )


_GLOROT = """

    X. Glorot, Y. Bengio: "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010."""
_HE = """

    K. He, X. Zhang, S. Ren, J. Sun: "Delving deep into rectifiers", ICCV 2015."""
_LECUN = """

    Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller: "Efficient backprop", 1998."""

GlorotUniform = _scaled(
    "GlorotUniform",
    1.0,
    "fan_avg",
    "uniform",
    f"Uniform in (-a, a), a = sqrt(6 / (fan_in + fan_out)); also called Xavier's.{_GLOROT}",
)
GlorotNormal = _scaled(
    "GlorotNormal",
    1.0,
    "fan_avg",
    "truncated_normal",
    f"Truncated normal of variance 2 / (fan_in + fan_out).{_GLOROT}",
)
HeUniform = _scaled(
    "HeUniform",
    2.0,
    "fan_in",
    "uniform",
    f"Uniform in (-a, a), a = sqrt(6 / fan_in); for relu.{_HE}",
)
HeNormal = _scaled(
    "HeNormal",
    2.0,
    "fan_in",
    "truncated_normal",
    f"Truncated normal of variance 2 / fan_in; for relu.{_HE}",
)
LecunUniform = _scaled(
    "LecunUniform",
    1.0,
    "fan_in",
    "uniform",
    f"Uniform in (-a, a), a = sqrt(3 / fan_in).{_LECUN}",
)
LecunNormal = _scaled(
    "LecunNormal",
    1.0,
    "fan_in",
    "truncated_normal",
    f"Truncated normal of variance 1 / fan_in; for selu.{_LECUN}",
)
FanInUniform = _scaled(
    "FanInUniform",
    1 / 3,
    "fan_in",
    "uniform",
    """Uniform in (-a, a), a = 1 / sqrt(fan_in): the default of PyTorch's linear layers.

    The fan_in of a bias is its size. For the bias of a layer with n inputs, which is random in
    PyTorch, use `RandomUniform(-n**-0.5, n**-0.5)`.""",
)


class Orthogonal(Initializer):
    """Orthonormal rows or columns, whichever are fewer, times a gain.

    The values are Q of the QR decomposition of a random normal matrix. Signs are chosen so that the
    diagonal of R is positive, which makes all orthogonal matrices equally likely. All axes but the
    last count as one.

    A. M. Saxe, J. L. McClelland, S. Ganguli: "Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks", ICLR 2014.

    Parameters
    ----------
    gain : float, default 1.0
        The factor of all values.
    seed : int or SeedGenerator, optional
        By default each weight gets the next seed of the process. A generator gives other values at
        each call.

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
        self._check_given()

    def values(self, shape, rng):
        if len(shape) < 2:
            raise ValueError(
                f"Orthogonal: expected a weight of at least 2 dimensions, got shape {shape}"
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return self._number("gain") * (q if rows >= columns else q.T).reshape(shape)
