"""BatchNormalization(renorm=True): its formula, what its gradient sees, files and refusals."""

import numpy as np
import pytest

import nnlite
from nnlite import ops
from nnlite.layers import BatchNormalization, Dense

RNG = np.random.default_rng(4)
X = RNG.normal(2, 3, size=(6, 5, 4))
EPSILON = 1e-3


class Expected:
    """The layer again in NumPy: S. Ioffe, 2017, with the settings of Keras."""

    def __init__(self, momentum=0.99, renorm_momentum=0.99, rmin=-np.inf, rmax=np.inf, dmax=np.inf):
        self.momentum, self.renorm_momentum = momentum, renorm_momentum
        self.bounds = rmin, rmax, dmax
        self.moving_mean, self.renorm_mean = np.zeros(4), np.zeros(4)
        self.moving_stddev, self.renorm_stddev = np.ones(4), np.ones(4)

    def train(self, x, on):
        rows, (low, high, most) = x[on], self.bounds
        mean, deviation = rows.mean(0), np.sqrt(rows.var(0) + EPSILON)
        self.r = np.clip(deviation / self.renorm_stddev, low, high)
        self.d = np.clip((mean - self.renorm_mean) / self.renorm_stddev, -most, most)
        for name, value in (("mean", mean), ("stddev", deviation)):
            for kind, m in (("moving", self.momentum), ("renorm", self.renorm_momentum)):
                before = getattr(self, f"{kind}_{name}")
                setattr(self, f"{kind}_{name}", before * m + value * (1 - m))
        return (x - mean) / deviation * self.r + self.d


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "settings, bounds",
    [
        ({}, {}),
        ({"momentum": 0.7, "renorm_momentum": 0.5}, {"rmin": 0.5, "rmax": 1.5, "dmax": 0.2}),
        ({"renorm_momentum": 0.9}, {"rmax": 2, "dmax": None}),
    ],
)
def test_training_and_statistics_follow_the_formula(settings, bounds, masked):
    with nnlite.config.precision("float64"):
        layer = BatchNormalization(renorm=True, renorm_clipping=bounds, **settings)
        given = {k: v for k, v in bounds.items() if v is not None}
        expected = Expected(**settings, **given)
        gamma, beta = RNG.normal(size=(2, 4))
        layer.build((None, 5, 4))
        layer.gamma.assign(gamma), layer.beta.assign(beta)
        for step in range(3):
            x, on = X * (1 + step), RNG.random((6, 5)) < (0.6 if masked else 1)
            y = layer(x, training=True, mask=on if masked else None).numpy()
            wanted = expected.train(x, on) * gamma + beta
            np.testing.assert_allclose(y, wanted, rtol=1e-5)
        for name in ("moving_mean", "moving_stddev", "renorm_mean", "renorm_stddev"):
            found = getattr(layer, name).numpy()
            np.testing.assert_allclose(found, getattr(expected, name), rtol=1e-6)
        variance = expected.moving_stddev**2 - EPSILON
        np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-6)
        scaled = (X - expected.moving_mean) / expected.moving_stddev * gamma + beta
        np.testing.assert_allclose(layer(X).numpy(), scaled, rtol=1e-6)


def test_corrections_are_constants_to_the_gradient():
    with nnlite.config.precision("float64"):
        layer, plain = BatchNormalization(renorm=True), BatchNormalization()
        for each in (layer, plain):
            each.build((None, 5, 4))
        layer.gamma.assign(RNG.normal(size=4))
        expected, p = Expected(), RNG.normal(size=X.shape)
        expected.train(X, np.ones((6, 5), bool))
        plain.gamma.assign(layer.gamma.numpy() * expected.r)
        gradients = []
        for each in (layer, plain):
            x = nnlite.Variable(X, dtype="float64")
            with nnlite.GradientTape() as tape:
                total = ops.sum(each(x, training=True) * p)
            gradients.append(tape.gradient(total, [x, each.gamma, each.beta]))
        (dx, dgamma, dbeta), (ex, egamma, ebeta) = gradients
        np.testing.assert_allclose(dx.numpy(), ex.numpy(), rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(dbeta.numpy(), ebeta.numpy(), rtol=1e-9)
        wanted = egamma.numpy() * expected.r + expected.d * ebeta.numpy()
        np.testing.assert_allclose(dgamma.numpy(), wanted, rtol=1e-9)


def fitted(path=None, **how):
    nnlite.utils.set_random_seed(1)
    model = nnlite.Sequential(
        [nnlite.Input((4,)), BatchNormalization(renorm=True, momentum=0.9), Dense(2)]
    )
    model.compile(nnlite.optimizers.Adam(0.01), "mse", **how)
    x = X.reshape(30, 4)
    model.fit(x, x[:, :2], batch_size=8, epochs=3, verbose=0)
    return model, x


def test_planned_eager_and_files_have_the_same_bits(tmp_path):
    pytest.importorskip("h5py")
    (one, x), (other, _) = fitted(), fitted(run_eagerly=True)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    one.save(tmp_path / "model.keras")
    again = nnlite.models.load_model(tmp_path / "model.keras")
    assert again.predict(x).tobytes() == one.predict(x).tobytes()
    assert again.layers[0].renorm and again.layers[0].get_weights()[5].any()
    assert "renorm" not in BatchNormalization().get_config()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"renorm": 2}, "renorm: expected True or False, got 2"),
        ({"renorm_momentum": 1.5}, r"renorm_momentum: expected a number in \[0, 1\], got 1.5"),
        ({"renorm_clipping": {"max": 1}}, "renorm_clipping: expected a dict of some of 'rmin'"),
        ({"renorm_clipping": {"dmax": -1}}, r"dmax: expected a number in \[0, inf\), got -1"),
        ({"renorm_clipping": {"rmin": 2, "rmax": 1}}, "expected rmax of at least rmin=2, got 1"),
    ],
)
def test_what_is_wrong_is_named(settings, words):
    with pytest.raises(ValueError, match=words):
        BatchNormalization(**{"renorm": True, **settings})
