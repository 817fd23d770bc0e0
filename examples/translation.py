"""Dates in words become ISO dates: an encoder, a decoder, and Bahdanau's attention between them.

    python examples/translation.py

It draws where the decoder looks when it writes a character, if there is matplotlib.
"""

from datetime import date, timedelta

import numpy as np

import nnlite as keras
from nnlite import layers, optimizers

ROWS, TEST, UNITS, EPOCHS = 4000, 200, 64, 5
rng = np.random.default_rng(0)
days = [date(1950, 1, 1) + timedelta(int(day)) for day in rng.integers(0, 36525, ROWS)]
forms = ["{0.day} {0:%B} {0.year}", "{0:%A}, {0:%b} {0.day}, {0.year}", "{0.year}, {0:%B} {0.day}"]
words = [form.format(day).lower() for form, day in zip(rng.choice(forms, ROWS), days)]
iso = [f"[{day}" for day in days]  # the decoder begins with "["

tokens = layers.TextVectorization(standardize=None, split="character")
tokens.adapt(words + iso)
characters = np.array(tokens.get_vocabulary())
x, y = tokens(words).numpy(), tokens(iso).numpy()

keras.utils.set_random_seed(0)
source, written = layers.Input((None,), dtype="int32"), layers.Input((None,), dtype="int32")
encoded = layers.Embedding(len(characters), 16, mask_zero=True)(source)
encoded = layers.Bidirectional(layers.GRU(UNITS // 2, return_sequences=True))(encoded)
decoded = layers.Embedding(len(characters), 16)(written)
decoded = layers.GRU(UNITS, return_sequences=True)(decoded)
query, key = layers.Dense(UNITS)(decoded), layers.Dense(UNITS)(encoded)
seen, weights = layers.BahdanauAttention()([query, encoded, key], return_attention_scores=True)
chances = layers.Dense(len(characters), "softmax")(layers.Concatenate()([decoded, seen]))

model = keras.Model([source, written], chances)
model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
# While it learns, the decoder is given the true characters before the one that it guesses.
model.fit([x[TEST:], y[TEST:, :-1]], y[TEST:, 1:], batch_size=64, epochs=EPOCHS, verbose=2)


def translate(x):
    """The likeliest character after those before it, again and again."""
    found = np.repeat(y[:1, :1], len(x), axis=0)
    while found.shape[1] < y.shape[1]:
        chances = model.predict([x, found], verbose=0)
        found = np.column_stack([found, chances[:, -1].argmax(axis=-1)])
    return found


found = translate(x[:TEST])
for k in range(5):
    print(f"{words[k]:>27} -> {''.join(characters[found[k, 1:]])}")
print(f"{(found == y[:TEST]).all(axis=1).mean():.1%} of {TEST} dates that it never saw are right")

try:
    from matplotlib import pyplot
except ImportError:
    print("no picture: matplotlib is not installed (pip install matplotlib)")
else:
    looks = keras.Model([source, written], weights).predict([x[:1], found[:1, :-1]], verbose=0)[0]
    figure, axes = pyplot.subplots(figsize=(7, 3.5), layout="constrained")
    axes.imshow(looks[:, : len(words[0])], cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(words[0])), words[0])
    axes.set_yticks(range(len(looks)), characters[found[0, 1:]])
    axes.set(xlabel="read", ylabel="written")
    figure.savefig("attention.png", dpi=150)
    print("attention.png shows where the decoder looked to write the first of them")
