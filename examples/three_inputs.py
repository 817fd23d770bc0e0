"""One label from three inputs: an image, its measures and a category, in a functional model.

    python examples/three_inputs.py
"""

import numpy as np
from sklearn.datasets import load_digits

from nnlite import keras
from nnlite.keras import layers

images, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(images))
images, y = (images[order] / 16).astype("float32").reshape(-1, 8, 8, 1), y[order]
known = np.random.default_rng(1).random(len(y)) < 0.7
data = {
    "image": images,
    "ink": np.concatenate([images.sum(1), images.sum(2)], axis=1)[..., 0],  # columns, rows
    "parity": np.where(known, y % 2, 2),  # even, odd, or not known
}


def parts(rows):
    return {name: values[rows] for name, values in data.items()}, y[rows]


image = keras.Input((8, 8, 1), name="image")
a = layers.Conv2D(16, 3, activation="relu")(image)
a = layers.Conv2D(16, 3, strides=2, activation="relu")(a)
a = layers.Flatten()(a)
ink = keras.Input((16,), name="ink")
b = layers.Dense(16, activation="relu")(layers.Normalization(name="scaled")(ink))
parity = keras.Input((), dtype="int32", name="parity")
c = layers.Embedding(3, 4)(parity)
merged = layers.Dropout(0.2)(layers.concatenate([a, b, c]))
label = layers.Dense(10, activation="softmax", name="label")(merged)
model = keras.Model([image, ink, parity], label)

train, test = slice(0, 1200), slice(1200, None)
keras.utils.set_random_seed(0)
model.get_layer("scaled").adapt(data["ink"][train])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(*parts(train), epochs=30, validation_split=0.1, verbose=0)
x_test, y_test = parts(test)
print(f"accuracy with all three inputs: {model.evaluate(x_test, y_test)[1]:.3f}")

for name in data:  # what each of them is worth: mix its rows
    mixed = {**x_test, name: np.random.default_rng(2).permutation(x_test[name])}
    print(f"with those of {name} mixed: {model.evaluate(mixed, y_test)[1]:.3f}")
