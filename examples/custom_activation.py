"""An activation of one's own: any Python function written in `nnlite.ops` can be trained through.

    python examples/custom_activation.py

It is traced once and then runs in C; its gradient follows from those of the ops it is made of.
"""

import numpy as np
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression

import nnlite as keras
from nnlite import layers, ops


def relu6(x):
    """min(max(x, 0), 6)."""
    return ops.minimum(ops.relu(x), 6.0)


def swish(x):
    """x * sigmoid(x)."""
    return x * ops.sigmoid(x)


x, y = make_moons(1000, noise=0.15, random_state=0)
for activation in (relu6, swish, "tanh"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        layers.Dense(32, activation=activation, input_shape=(2,)),
        layers.Dense(32, activation=activation),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=60, batch_size=64, verbose=0)
    loss, accuracy = model.evaluate(x, y)
    name = getattr(activation, "__name__", activation)
    print(f"{name:>6}: loss {loss:.4f}, accuracy {accuracy:.3f}")
straight = LogisticRegression().fit(x, y).score(x, y)
print(f"a straight line, for comparison: accuracy {straight:.3f}")

with keras.GradientTape() as tape:  # the gradient of relu6: 1 between 0 and 6, 0 outside
    points = keras.Variable(np.array([-1.0, 3.0, 7.0]))
    values = ops.sum(relu6(points))
print("relu6'(-1, 3, 7) =", tape.gradient(values, points).numpy())
