"""A multilayer perceptron on MNIST, as Keras tutorials write it.

    python examples/mlp.py

Without MNIST (no network, no NNLITE_DATA) it trains on scikit-learn's small digits.
"""

import numpy as np

import nnlite as keras
from nnlite import layers


def load():
    """Rows of pixels in [0, 1] and labels, for training and for testing."""
    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
        x_train, x_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)
        return x_train.astype("float32") / 255, y_train, x_test.astype("float32") / 255, y_test
    except OSError:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        x, y = load_digits(return_X_y=True)
        x_train, x_test, y_train, y_test = train_test_split(x / 16, y, random_state=0)
        return x_train, y_train, x_test, y_test


x_train, y_train, x_test, y_test = load()
keras.utils.set_random_seed(0)

model = keras.Sequential([
    layers.Dense(512, activation="relu", input_shape=x_train.shape[1:]),
    layers.Dropout(0.2),
    layers.Dense(256, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    x_train, y_train, epochs=2, batch_size=128, validation_split=0.2,
    callbacks=keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True),
)

loss, accuracy = model.evaluate(x_test, y_test)
means = np.stack([x_train[y_train == k].mean(axis=0) for k in range(10)])
simple = np.mean(((means**2).sum(axis=1) - 2 * x_test @ means.T).argmin(axis=1) == y_test)
print(f"test accuracy: {accuracy:.4f}; of the nearest mean image, for comparison: {simple:.4f}")
print("first predictions:", model.predict(x_test[:10]).argmax(axis=1), "labels:", y_test[:10])
