"""Speakers told apart by how they say a vowel: sequences of different lengths, searched.

    NNLITE_DATA=... python examples/sequences.py

reads JapaneseVowels_TRAIN.ts.gz and JapaneseVowels_TEST.ts.gz from the folder tsc in there, or else
makes up a few sequences. Each has 12 numbers at each of its 7 to 29 steps.
"""

import gzip
import os
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV

from nnlite import NNClassifier, Stack
from nnlite.layers import GRU, LSTM, Bidirectional, Dropout


def utterances(part):
    """A list of arrays of shape (steps, 12), and who spoke."""
    path = Path(os.environ.get("NNLITE_DATA", "")) / "tsc" / f"JapaneseVowels_{part}.ts.gz"
    try:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    except OSError:
        random, speakers = np.random.default_rng(0), np.arange(90) % 3
        return [random.normal(k, 1, (random.integers(7, 30), 12)) for k in speakers], speakers
    rows = [line.split(":") for line in lines if line and line[0] not in "#@"]
    X = [np.array([channel.split(",") for channel in row[:-1]], float).T for row in rows]
    return X, np.array([row[-1] for row in rows])


X_train, y_train = utterances("TRAIN")
X_test, y_test = utterances("TEST")

# A network needs no padding, no mask and no scaler of its own: the estimator sees to all three.
lstm = [("rnn", LSTM(32)), ("dropout", Dropout(0.2))]
classifier = NNClassifier(lstm, epochs=10, learning_rate=0.01, random_state=0)
grid = [
    {"rnn__units": [16, 64], "dropout__rate": [0.0, 0.4]},
    {"layers": [Stack(Bidirectional(GRU(32)), Dropout(0.4))]},
]
search = GridSearchCV(classifier, grid, cv=2).fit(X_train, y_train)

lengths = [len(x) for x in X_train]
print(f"{len(X_train)} sequences of {min(lengths)} to {max(lengths)} steps")
for params, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"]):
    print(f"{score:.3f} {params}")
print(f"accuracy on the test set: {search.score(X_test, y_test):.3f}")
