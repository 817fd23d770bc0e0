"""A GAN whose two networks train in one step: noise becomes points on a circle.

    python examples/gan.py
"""

import numpy as np

from nnlite import GradientTape, keras, ops, random
from nnlite.keras import layers

rng = np.random.default_rng(0)
angles = rng.uniform(0, 2 * np.pi, 4096)
points = np.stack([np.cos(angles), np.sin(angles)], 1) + rng.normal(0, 0.02, (4096, 2))
NOISE = 8


def network(ends):
    hidden = (layers.Dense(64, activation="leaky_relu") for _ in range(2))
    return keras.Sequential([*hidden, layers.Dense(ends)])


class GAN(keras.Model):
    """A generator that makes points, and a discriminator that tells them from real ones."""

    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = network(2), network(1)
        self.g_loss, self.d_loss = keras.metrics.Mean("g_loss"), keras.metrics.Mean("d_loss")

    def compile(self, g_optimizer, d_optimizer):
        super().compile()
        self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, real):
        count = real.shape[0]
        both = ops.concatenate([self.generator(random.normal((count, NOISE))), real], axis=0)
        labels = ops.concatenate([ops.zeros((count, 1)), ops.ones((count, 1))], axis=0)
        with GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(both))
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)

        with GradientTape() as tape:
            made = self.generator(random.normal((count, NOISE)))
            g_loss = self.loss_fn(ops.ones((count, 1)), self.discriminator(made))
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)

        self.g_loss.update_state(g_loss)
        self.d_loss.update_state(d_loss)
        return {"g_loss": self.g_loss.result(), "d_loss": self.d_loss.result()}


keras.utils.set_random_seed(0)
gan = GAN()
gan.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5))
gan.fit(points, batch_size=128, epochs=120, verbose=0)
made = gan.generator.predict(rng.normal(size=(1000, NOISE)))
radius = np.hypot(*made.T)
sectors = np.histogram(np.arctan2(*made.T), 8, (-np.pi, np.pi))[0]
print(f"radius of what it makes: {radius.mean():.3f} +- {radius.std():.3f} (real 1.000 +- 0.020)")
print(f"the emptiest eighth of the circle has {sectors.min() / 1000:.3f} of it (of the real 0.125)")
