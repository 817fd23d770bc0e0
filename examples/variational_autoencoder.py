"""A variational autoencoder of small digits: two numbers for each image, and images of any two.

    python examples/variational_autoencoder.py
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from nnlite import GradientTape, keras, ops, random
from nnlite.keras import layers

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
x_test, y_test, x, y = x[:300], y[:300], x[300:], y[300:]


class Sampling(layers.Layer):
    """A point of the normal distribution that the encoder describes."""

    def call(self, inputs):
        mean, log_variance = inputs
        return mean + ops.exp(0.5 * log_variance) * random.normal(mean.shape)


inputs = keras.Input((64,))
hidden = layers.Dense(128, activation="relu")(layers.Dense(256, activation="relu")(inputs))
mean, log_variance = layers.Dense(2, name="mean")(hidden), layers.Dense(2, name="spread")(hidden)
encoder = keras.Model(inputs, [mean, log_variance, Sampling()([mean, log_variance])])
hidden = [layers.Dense(units, activation="relu") for units in (128, 256)]
decoder = keras.Sequential([*hidden, layers.Dense(64, activation="sigmoid")])


class VAE(keras.Model):
    """Encoder and decoder, trained for images that come back and codes that are normal."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.image_loss = keras.metrics.Mean("image_loss")
        self.code_loss = keras.metrics.Mean("code_loss")

    def train_step(self, images):
        with GradientTape() as tape:
            mean, log_variance, code = self.encoder(images)
            wrong = keras.losses.binary_crossentropy(images, self.decoder(code))
            image_loss = 64 * ops.mean(wrong)
            divergence = ops.square(mean) + ops.exp(log_variance) - log_variance - 1
            code_loss = 0.5 * ops.mean(ops.sum(divergence, axis=1))
            loss = image_loss + code_loss
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        self.image_loss.update_state(image_loss)
        self.code_loss.update_state(code_loss)
        return {m.name: m.result() for m in self.metrics}


keras.utils.set_random_seed(0)
vae = VAE()
vae.compile(keras.optimizers.Adam(2e-3))
history = vae.fit(x, epochs=60, batch_size=64, verbose=0).history
print(f"image loss {history['image_loss'][0]:.1f} -> {history['image_loss'][-1]:.1f} nats")
codes = [encoder.predict(images)[0] for images in (x, x_test)]
near = KNeighborsClassifier(10).fit(codes[0], y).score(codes[1], y_test)
print(f"digits that are told from their two numbers: {near:.2f}")
image = decoder.predict(np.median(codes[0][y == 0], axis=0, keepdims=True)).reshape(8, 8)
print("\n".join("".join(" .:*#"[int(4.9 * v)] for v in row) for row in image))
