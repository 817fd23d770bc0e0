"""TensorFlow and Keras, a first network.

    python examples/tutorials/a_simple_network.py
"""

import numpy as np

from nnlite.layers import Dense
from nnlite.models import Sequential

X_train = np.random.default_rng(0).normal(size=(1000, 100))  # not in the tutorial
y_train = np.eye(10)[X_train[:, :10].argmax(axis=1)]  # not in the tutorial

model = Sequential()
model.add(Dense(64, input_dim=100, activation="relu"))
model.add(Dense(32, activation="relu"))
model.add(Dense(10, activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(X_train, y_train, epochs=10, batch_size=32)

# --- `lr`, as Keras used to call it

from nnlite.optimizers import Adam

model.compile(
    loss="categorical_crossentropy", optimizer=Adam(lr=0.0001), metrics=["accuracy"]
)
model.fit(X_train, y_train, epochs=10, batch_size=32)
