"""Every activation at -inf, inf and NaN: the limits of its value and of its slope."""

import numpy as np
import pytest

from nnlite import activations, ops
from nnlite.autodiff import GradientTape
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable

INF, SELU = np.inf, (1.0507009873554805, 1.7580993408473769)
# The values at -inf and inf, and the slopes.
LIMITS = {
    "linear": (-INF, INF, 1, 1),
    "relu": (0, INF, 0, 1),
    "leaky_relu": (-INF, INF, 0.2, 1),
    "relu6": (0, 6, 0, 0),
    "elu": (-1, INF, 0, 1),
    "selu": (-SELU[1], INF, 0, SELU[0]),
    "celu": (-1, INF, 0, 1),
    "gelu": (0, INF, 0, 1),
    "silu": (0, INF, 0, 1),
    "swish": (0, INF, 0, 1),
    "mish": (0, INF, 0, 1),
    "sigmoid": (0, 1, 0, 0),
    "hard_sigmoid": (0, 1, 0, 0),
    "sparse_sigmoid": (0, 1, 0, 0),
    "log_sigmoid": (-INF, 0, 1, 0),
    "hard_silu": (0, INF, 0, 1),
    "hard_swish": (0, INF, 0, 1),
    "tanh": (-1, 1, 0, 0),
    "hard_tanh": (-1, 1, 0, 0),
    "tanh_shrink": (-INF, INF, 1, 1),
    "hard_shrink": (-INF, INF, 1, 1),
    "soft_shrink": (-INF, INF, 1, 1),
    "softplus": (0, INF, 0, 1),
    "squareplus": (0, INF, 0, 1),
    "sparse_plus": (0, INF, 0, 1),
    "softsign": (-1, 1, 0, 0),
    "exponential": (0, INF, 0, INF),
}
OF_SETTINGS = {
    "relu(slope, threshold)": (lambda x: ops.relu(x, 0.5, None, 1.0), (-INF, INF, 0.5, 1)),
    "relu(max_value, threshold)": (lambda x: ops.relu(x, 0.0, 2.0, 1.0), (0, 2, 0, 0)),
    "celu(2)": (lambda x: activations.celu(x, 2.0), (-2, INF, 0, 1)),
    "elu(0.5)": (lambda x: ops.elu(x, 0.5), (-0.5, INF, 0, 1)),
    "gelu(exact)": (lambda x: ops.gelu(x, False), (0, INF, 0, 1)),
    "gelu(approximate)": (lambda x: ops.gelu(x, True), (0, INF, 0, 1)),
    "isru(2)": (lambda x: ops.isru(x, 2.0), (-2, 2, 0, 0)),
    "threshold(1, -7)": (lambda x: activations.threshold(x, 1.0, -7.0), (-7, INF, 0, 1)),
    "squareplus(1)": (lambda x: activations.squareplus(x, 1), (0, INF, 0, 1)),
}
ALL = {name: (activations.get(name), limits) for name, limits in LIMITS.items()} | OF_SETTINGS
ROWS = {"softmax", "log_softmax", "sparsemax"}  # of a row, not of an element
NO_LIMIT = {"glu", "threshold"}  # a product of two entries; a function of three arguments


def test_every_activation_is_tested_here():
    assert set(activations._BY_NAME) == set(LIMITS) | ROWS | NO_LIMIT


def value_and_slope(function, x):
    """A function of an array of n numbers, and its derivative."""
    x = Variable(x)
    with GradientTape() as tape:
        y = function(x)
    return y.numpy(), tape.gradient(y, x).numpy()


# So many that vectors of every width are full, and the rest is not empty.
AT = np.tile([-INF, INF, 1.0], 15)


@pytest.mark.parametrize("name", ALL)
def test_activation_of_infinity_is_its_limit_and_so_is_its_slope(name, isa, real):
    function, (low, high, low_slope, high_slope) = ALL[name]
    values, slopes = value_and_slope(function, AT)
    middle, middle_slope = value_and_slope(function, np.ones(1))
    rtol = 1e-6 if real == "float32" else 1e-14
    np.testing.assert_allclose(values, np.tile([low, high, middle[0]], 15), rtol)
    np.testing.assert_allclose(slopes, np.tile([low_slope, high_slope, middle_slope[0]], 15), rtol)


@pytest.mark.parametrize("name", ALL)
def test_nan_stays_nan(name, isa, real):
    if name != "threshold(1, -7)":
        assert np.isnan(ALL[name][0](np.full(19, np.nan)).numpy()).all()


@pytest.mark.parametrize("name", ALL)
def test_planned_activation_of_infinity_has_the_bits_of_an_eager_one(name, real):
    x, out = Tensor((45,), real), np.zeros(45, real)

    def doubled(x):
        return ops.multiply(2.0, ALL[name][0](x))

    with Recording(executing=False) as trace:
        y = doubled(x)
    Plan(trace, [x], [y], real).run([(AT.astype(real), 0, 0), (out, 0, 0)])
    assert out.tobytes() == doubled(AT.astype(real)).numpy().tobytes()


@pytest.mark.parametrize("name", ["relu", "tanh", "elu", "selu", "softplus", "softsign"])
def test_activation_in_a_product_has_the_bits_of_a_separate_one(name, isa, real):
    x = np.array([[-INF], [INF], [np.nan], [-2.0], [3.0]])
    alpha = {"elu": 1.0}.get(name, 0.0)
    fused = ops.linear(x, [[1.0]], activation=name, alpha=alpha).numpy()
    assert fused.tobytes() == activations.get(name)(x).numpy().tobytes()


def test_squareplus_keeps_its_digits_far_from_zero(real):
    x = np.array([-1e4, -1e15, 1e30, -3.0])
    exact = np.array([1e-4 * (1 - 1e-8), 1e-15, 1e30, (13**0.5 - 3) / 2])
    np.testing.assert_allclose(activations.squareplus(x).numpy(), exact, 2e-6)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_entry_of_minus_infinity_has_no_share_and_rows_without_one_are_nan(name, isa, real):
    function = activations.get(name)
    for n in (2, 20):
        x = np.linspace(0, 0.1, n)
        hole = np.insert(x, 1, -INF)
        y, without = function(hole[None]).numpy()[0], function(x[None]).numpy()[0]
        assert y[1] == (-INF if name == "log_softmax" else 0)
        np.testing.assert_allclose(np.delete(y, 1), without, 1e-5)
        for bad in (np.full(n, -INF), np.insert(x, 0, INF), np.insert(x, 0, np.nan)):
            assert np.isnan(function(bad[None]).numpy()).any()
    slopes = value_and_slope(
        lambda x: ops.multiply(function(x), [[1.0, 0.0, 2.0]]), np.array([[0.1, -INF, 0.0]])
    )[1]
    if name != "log_softmax":
        assert np.isfinite(slopes).all() and slopes[0, 1] == 0
