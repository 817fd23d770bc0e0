"""A Wasserstein GAN with gradient penalty: the slope of the critic is part of its loss, so that its
gradient is a second derivative. Noise becomes two half moons.

    python examples/wgan_gp.py
"""

import numpy as np
from scipy.stats import wasserstein_distance
from sklearn.datasets import make_moons

from nnlite import GradientTape, keras, ops, random
from nnlite.keras import layers

moons = make_moons(4096, noise=0.05, random_state=0)[0].astype("float32")
NOISE = 8


def network(ends):
    hidden = (layers.Dense(64, activation="silu") for _ in range(3))
    return keras.Sequential([*hidden, layers.Dense(ends)])


class WGAN(keras.Model):
    """A generator, and a critic that gives real points more than made ones, with a slope of 1."""

    def __init__(self, critic_steps=5, penalty=0.3):
        super().__init__()
        self.generator, self.critic = network(2), network(1)
        self.critic_steps, self.penalty = critic_steps, penalty
        self.optimizers = [keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.9) for _ in range(2)]
        self.slope = keras.metrics.Mean("slope")

    def gradient_penalty(self, real, made):
        share = random.uniform((real.shape[0], 1))
        between = share * real + (1 - share) * made
        with GradientTape() as tape:
            tape.watch(between)
            value = self.critic(between)
        slope = ops.sqrt(ops.sum(ops.square(tape.gradient(value, between)), axis=1) + 1e-12)
        self.slope.update_state(slope)
        return ops.mean(ops.square(slope - 1))

    def train_step(self, real):
        noise = (real.shape[0], NOISE)
        for _ in range(self.critic_steps):
            made = self.generator(random.normal(noise))
            with GradientTape() as tape:
                distance = ops.mean(self.critic(real)) - ops.mean(self.critic(made))
                loss = self.penalty * self.gradient_penalty(real, made) - distance
            weights = self.critic.trainable_weights
            self.optimizers[0].apply(tape.gradient(loss, weights), weights)
        with GradientTape() as tape:
            loss = -ops.mean(self.critic(self.generator(random.normal(noise))))
        weights = self.generator.trainable_weights
        self.optimizers[1].apply(tape.gradient(loss, weights), weights)
        return {"distance": distance, "slope": self.slope.result()}


keras.utils.set_random_seed(0)
model = WGAN()
model.compile()
logs = model.fit(moons, batch_size=128, epochs=60, verbose=0).history
print(f"slope of the critic in the last epoch: {logs['slope'][-1]:.2f}")
made = model.generator.predict(np.random.default_rng(1).normal(size=(4096, NOISE)))
for axis in range(2):
    far = wasserstein_distance(made[:, axis], moons[:, axis])
    print(f"distance of made from real along axis {axis}: {far:.3f}")
