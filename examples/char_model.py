"""A network that guesses the next character of Shakespeare, and then writes some itself.

    NNLITE_DATA=... python examples/char_model.py

reads tinyshakespeare.txt.gz from there. It learns from windows; to write, it keeps its state.
"""

import gzip
import os
import sys
from pathlib import Path

import numpy as np

import nnlite as keras
from nnlite import layers

STEPS, EPOCHS, WRITTEN = 64, 3, 200
file = Path(os.environ.get("NNLITE_DATA", ""), "tinyshakespeare.txt.gz")
try:
    text = gzip.decompress(file.read_bytes()).decode()
except FileNotFoundError:
    sys.exit(f"There is no {file}: set NNLITE_DATA to a folder with tinyshakespeare.txt.gz in it.")
characters = sorted(set(text))
tokens = np.searchsorted(characters, list(text))
cut = len(tokens) * 9 // 10


def windows(tokens):
    """Windows side by side, and the next character of each of theirs."""
    end = (len(tokens) - 1) // STEPS * STEPS
    return tokens[:end].reshape(-1, STEPS), tokens[1 : end + 1].reshape(-1, STEPS)


def network(**options):
    """Scores (logits) of the next character after each one."""
    return keras.Sequential([
        layers.Embedding(len(characters), 64),
        layers.GRU(256, return_sequences=True, **options),
        layers.Dense(len(characters)),
    ])


keras.utils.set_random_seed(0)
model = network()
model.compile(keras.optimizers.Adam(0.003),
              keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(*windows(tokens[:cut]), batch_size=64, epochs=EPOCHS)
nats = model.evaluate(*windows(tokens[cut:]), verbose=0)
print(f"{nats:.3f} nats a character on the last tenth, {np.log(len(characters)):.3f} by chance")

writer = network(stateful=True)
writer(tokens[:1, None])
writer.set_weights(model.get_weights())
rng, line = np.random.default_rng(0), [0]
for _ in range(WRITTEN):
    scores = writer.predict(np.array([line[-1:]]), verbose=0)[0, -1]
    chances = keras.ops.softmax(scores.astype("float64") / 0.8).numpy()
    line.append(rng.choice(len(characters), p=chances))
print("".join(characters[k] for k in line))
