"""Who of nine speakers says a vowel: 12 measurements at each of 7 to 29 moments.

    NNLITE_DATA=... python examples/japanese_vowels.py

reads JapaneseVowels_TRAIN.ts.gz and JapaneseVowels_TEST.ts.gz (Kudo, Toyama and Shimbo, 1999) from
the folder tsc in there. Short recordings are filled up with zeros, which Masking leaves out.
"""

import gzip
import os
import sys
from pathlib import Path

import numpy as np

import nnlite as keras
from nnlite import layers
from nnlite.preprocessing.sequence import pad_sequences

folder = Path(os.environ.get("NNLITE_DATA", ""), "tsc")


def load(part):
    """Recordings of shape (moments, 12), and the number of the speaker of each."""
    file = folder / f"JapaneseVowels_{part}.ts.gz"
    try:
        text = gzip.decompress(file.read_bytes()).decode()
    except FileNotFoundError:
        sys.exit(f"There is no {file}: set NNLITE_DATA to a folder with it in its folder tsc.")
    rows = [row.split(":") for row in text.partition("@data\n")[2].splitlines()]
    values = [[channel.split(",") for channel in row[:-1]] for row in rows]
    return [np.array(v, "float32").T for v in values], np.array([int(r[-1]) - 1 for r in rows])


(x_train, y_train), (x_test, y_test) = load("TRAIN"), load("TEST")
longest = max(map(len, x_train + x_test))
x_train, x_test = (
    pad_sequences(x, longest, dtype="float32", padding="post") for x in (x_train, x_test))

keras.utils.set_random_seed(0)
model = keras.Sequential([
    layers.Masking(0.0),
    layers.Bidirectional(layers.LSTM(64)),
    layers.Dropout(0.5),
    layers.Dense(9, activation="softmax"),
])
model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy",
              metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=16, epochs=40, verbose=0)
print(f"training accuracy: {history.history['accuracy'][-1]:.3f}")
accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
nearest = [y_train[np.abs(x_train - x).sum(axis=(1, 2)).argmin()] for x in x_test]
print(f"test accuracy: {accuracy:.3f}; of the nearest recording, for comparison: "
      f"{np.mean(nearest == y_test):.3f}")
