"""Reviews of films, good or bad, by a network that reads their words in order.

    NNLITE_DATA=... python examples/sentiment.py

reads rt-polarity.pos.gz and rt-polarity.neg.gz (Pang and Lee, 2005) from the folder rt-polarity in
there.
"""

import gzip
import os
import sys
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

import nnlite as keras
from nnlite import layers
from nnlite.preprocessing.sequence import pad_sequences
from nnlite.preprocessing.text import Tokenizer

WORDS, LENGTH = 10_000, 40
folder = Path(os.environ.get("NNLITE_DATA", ""), "rt-polarity")
try:
    bad, good = (
        gzip.decompress((folder / f"rt-polarity.{kind}.gz").read_bytes())
        .decode("latin-1").strip().splitlines()
        for kind in ("neg", "pos")
    )
except FileNotFoundError as error:
    sys.exit(f"There is no {error.filename}: set NNLITE_DATA to a folder with rt-polarity in it.")
texts, labels = bad + good, np.repeat([0, 1], [len(bad), len(good)])
train_texts, test_texts, y_train, y_test = train_test_split(
    texts, labels, random_state=0, stratify=labels)

tokenizer = Tokenizer(WORDS, oov_token="<OOV>")
tokenizer.fit_on_texts(train_texts)


def tokens(texts):
    """The words of each text as numbers, in rows of one length."""
    return pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=LENGTH)


keras.utils.set_random_seed(0)
model = keras.Sequential([
    layers.Embedding(WORDS, 64, mask_zero=True),
    layers.Dropout(0.5),
    layers.Bidirectional(layers.GRU(32)),
    layers.Dropout(0.5),
    layers.Dense(1, activation="sigmoid"),
])
model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy", metrics=["accuracy"])
model.fit(tokens(train_texts), y_train, batch_size=64, epochs=2)

loss, accuracy = model.evaluate(tokens(test_texts), y_test, verbose=0)
print(f"{len(texts):,} sentences; accuracy on held-out ones: {accuracy:.3f}, by chance 0.5")
for text in ("a warm and funny film", "tedious and dull"):
    print(f"{model.predict(tokens([text]), verbose=0)[0, 0]:.0%} good: {text}")
