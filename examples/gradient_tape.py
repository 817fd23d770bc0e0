"""A training loop of one's own with GradientTape, and the same step inside `fit`, run in C.

    python examples/gradient_tape.py
"""

import time

import numpy as np

import nnlite as keras
from nnlite import layers, losses, metrics, optimizers

rng = np.random.default_rng(0)
x = rng.normal(size=(2048, 8)).astype("float32")
y = (np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3]).astype("float32")
mse = losses.MeanSquaredError()


class Regression(keras.Model):
    """Two layers, and the step that trains them."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(64, activation="tanh")
        self.out = layers.Dense(1)
        self.loss_tracker = metrics.Mean("loss")

    def call(self, inputs):
        return self.out(self.hidden(inputs))

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            y_pred = self(x)
            loss = mse(y, y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}  # a mean over the epoch


keras.utils.set_random_seed(0)
model, optimizer = Regression(), optimizers.Adam(0.01)
began = time.perf_counter()
for epoch in range(5):
    for start in range(0, len(x), 64):
        batch = slice(start, start + 64)
        with keras.GradientTape() as tape:
            loss = mse(y[batch], model(x[batch]))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    print(f"epoch {epoch + 1}: loss of the last batch {loss.item():.4f}")
print(f"step by step in Python: {time.perf_counter() - began:.2f} s")

model.compile(optimizer=optimizers.Adam(0.01), loss="mse")
began = time.perf_counter()
history = model.fit(x, y, epochs=5, batch_size=64, verbose=0)
seconds, loss = time.perf_counter() - began, history.history["loss"][-1]
print(f"the same through fit:   {seconds:.2f} s, loss {loss:.4f} (of the mean: {y.var():.4f})")
