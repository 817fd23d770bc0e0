"""A convolutional network on MNIST, as Keras tutorials write it.

    python examples/cnn.py

Without MNIST (no network, no NNLITE_DATA) it trains on scikit-learn's small digits.
"""

import numpy as np

import nnlite as keras
from nnlite import layers


def load():
    """Images (N, height, width, 1) with pixels in [0, 1] and labels, for training and testing."""
    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
        x_train, x_test = x_train.astype("float32") / 255, x_test.astype("float32") / 255
    except OSError:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        digits = load_digits()
        x_train, x_test, y_train, y_test = train_test_split(
            digits.images / 16, digits.target, random_state=0
        )
    return x_train[..., None], y_train, x_test[..., None], y_test


x_train, y_train, x_test, y_test = load()
keras.utils.set_random_seed(0)

model = keras.Sequential([
    layers.Conv2D(32, (3, 3), activation="relu", padding="same", input_shape=x_train.shape[1:]),
    layers.MaxPooling2D((2, 2)),
    layers.Conv2D(64, (3, 3), activation="relu"),
    layers.MaxPooling2D((2, 2)),
    layers.Flatten(),
    layers.Dropout(0.25),
    layers.Dense(64, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=2, batch_size=128, validation_split=0.1)

for name, values in history.history.items():
    print(f"{name:<13}", *(f"{value:.4f}" for value in values))
loss, accuracy = model.evaluate(x_test, y_test)
rows, test_rows = (x.reshape(len(x), -1) for x in (x_train, x_test))
means = np.stack([rows[y_train == k].mean(axis=0) for k in range(10)])
simple = np.mean(((means**2).sum(axis=1) - 2 * test_rows @ means.T).argmin(axis=1) == y_test)
print(f"test accuracy: {accuracy:.4f}; of the nearest mean image, for comparison: {simple:.4f}")
