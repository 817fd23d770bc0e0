"""What networks learn of real sequences: texts, spoken vowels, series of measurements.

Each task has a goal and is done with several seeds. A fit of the character model ends after a given
time of training; on a machine that does other work, too, `--cpu` counts the seconds of its
processors in place of those of the clock.
"""

import argparse
import csv
import gzip
import os
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold

import nnlite
from nnlite import layers
from nnlite.preprocessing.sequence import pad_sequences
from nnlite.preprocessing.text import Tokenizer

FOLDER = Path(os.environ.get("NNLITE_DATA", "."))


def read(name, encoding="utf-8"):
    """The text of a packed file."""
    return gzip.decompress((FOLDER / name).read_bytes()).decode(encoding)


# Texts


def reviews():
    """Sentences about films, and whether they are good."""
    texts, labels = [], []
    for label, kind in enumerate(("neg", "pos")):
        found = read(f"rt-polarity/rt-polarity.{kind}.gz", "latin-1").strip().splitlines()
        texts += found
        labels += [label] * len(found)
    return np.array(texts, object), np.array(labels)


def in_order(words, length):
    """A network that reads the words one after the other, and how many epochs it takes."""
    return nnlite.Sequential(
        [
            layers.Embedding(words, 64, mask_zero=True),
            layers.Dropout(0.5),
            layers.Bidirectional(layers.GRU(32)),
            layers.Dropout(0.5),
            layers.Dense(1, "sigmoid"),
        ]
    ), 2


def in_any_order(words, length):
    """A network of the mean of the words, and how many epochs it takes."""
    tokens = layers.Input((length,))
    vectors = layers.Embedding(words, 64)(tokens)
    vectors = layers.Dropout(0.4, noise_shape=(None, length, 1))(vectors)  # of whole words
    mean = nnlite.ops.mean(layers.Dropout(0.3)(vectors), axis=1)
    return nnlite.Model(tokens, layers.Dense(1, "sigmoid")(layers.Dropout(0.5)(mean))), 12


def rt_polarity(seed, words=20_000, length=40, folds=5):
    """Mean accuracy over the folds of rt-polarity, of two networks that vote together. The words
    of a fold are those of its training."""
    texts, labels = reviews()
    scores = {"accuracy": [], "in order": [], "in any order": []}
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for train, test in split.split(texts, labels):
        tokenizer = Tokenizer(words, oov_token="?")
        tokenizer.fit_on_texts(texts[train])
        x_train, x_test = (
            pad_sequences(tokenizer.texts_to_sequences(texts[part]), length)
            for part in (train, test)
        )
        votes = []
        for network in (in_order, in_any_order):
            nnlite.utils.set_random_seed(seed)
            model, epochs = network(words, length)
            model.compile(nnlite.optimizers.Adam(0.003), "binary_crossentropy")
            model.fit(x_train, labels[train], batch_size=64, epochs=epochs, verbose=0)
            votes.append(model.predict(x_test, verbose=0)[:, 0])
        for name, vote in zip(scores, (sum(votes) / 2, *votes)):
            scores[name].append(np.mean((vote > 0.5) == labels[test]))
    return {name: float(np.mean(values)) for name, values in scores.items()}


def shakespeare(seed, minutes=5.0, cpu=False, units=256, steps=64):
    """Nats a character on the last tenth of tinyshakespeare after some minutes of training.

    The training reads whole windows, which begin elsewhere in each epoch; the test reads the rest
    of the text from its first character to its last, with the state that is left of what came
    before.
    """
    text = read("tinyshakespeare.txt.gz")
    known = sorted(set(text))
    tokens = np.searchsorted(known, list(text)).astype(np.int32)
    cut = len(tokens) * 9 // 10
    nnlite.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)

    def network(**options):
        return nnlite.Sequential(
            [
                layers.Embedding(len(known), 64),
                layers.GRU(units, return_sequences=True, **options),
                layers.Dense(len(known)),
            ]
        )

    clock, limit = time.perf_counter, 60 * minutes
    if cpu:
        clock, limit = time.process_time, 2 * limit
    began = clock()

    def used():
        return (clock() - began) / limit

    def batches(size=32):
        while True:
            x, y = windows(tokens[int(rng.integers(steps)) : cut], steps)
            order = rng.permutation(len(x))
            for at in range(0, len(order) - size, size):
                if used() >= 1:
                    return
                rows = order[at : at + size]
                yield x[rows], y[rows]

    def slow_down(batch, logs):
        model.optimizer.learning_rate = 0.004 * max(1 - used(), 0.02)

    loss = nnlite.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = network()
    model.compile(nnlite.optimizers.Adam(0.004, clipnorm=1.0), loss)
    pace = nnlite.callbacks.LambdaCallback(on_train_batch_begin=slow_down)
    model.fit(batches(), verbose=0, callbacks=[pace])
    steps_done = int(model.optimizer.iterations)
    reader = network(stateful=True)
    x, y = windows(tokens[cut:], 512)
    reader(x[:1])
    reader.set_weights(model.get_weights())
    reader.compile(loss=loss)
    return {
        "nats": float(reader.evaluate(x, y, batch_size=1, verbose=0)),
        "epochs": 32 * steps * steps_done / cut,
    }


def windows(tokens, steps):
    """Windows side by side, and for each of their characters the next one."""
    count = (len(tokens) - 1) // steps
    rows = tokens[: count * steps], tokens[1 : count * steps + 1]
    return [row.reshape(count, steps) for row in rows]


# Spoken vowels


def utterances(part):
    """Arrays (steps, 12) of JapaneseVowels, and who spoke."""
    lines = read(f"tsc/JapaneseVowels_{part}.ts.gz").partition("@data\n")[2].splitlines()
    rows = [line.split(":") for line in lines]
    x = [np.array([channel.split(",") for channel in row[:-1]], "float32").T for row in rows]
    return x, np.array([int(row[-1]) - 1 for row in rows])


def japanese_vowels(seed, networks=5):
    """Accuracy on the test set of JapaneseVowels, of some networks that vote together."""
    (x, y), (x_test, y_test) = utterances("TRAIN"), utterances("TEST")
    x, x_test = (pad_sequences(rows, 29, "float32", padding="post") for rows in (x, x_test))
    votes = []
    for k in range(networks):
        nnlite.utils.set_random_seed(networks * seed + k)
        model = nnlite.Sequential(
            [
                layers.Masking(),
                layers.Bidirectional(layers.LSTM(64)),
                layers.Dropout(0.5),
                layers.Dense(9, "softmax"),
            ]
        )
        model.compile(nnlite.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=16, epochs=40, verbose=0)
        votes.append(model.predict(x_test, verbose=0))
    alone = [np.mean(vote.argmax(axis=1) == y_test) for vote in votes]
    return {
        "accuracy": float(np.mean(sum(votes).argmax(axis=1) == y_test)),
        "worst alone": float(min(alone)),
        "best alone": float(max(alone)),
    }


# Series


def series(name):
    """The numbers in the second column of a table."""
    rows = list(csv.reader(read(f"tabular/{name}.csv.gz").splitlines()))[1:]
    return np.array([row[1].strip("?") for row in rows if len(row) == 2], "float32")


def forecast(seed, name, length, horizon, season, epochs):
    """Mean absolute error of the next values of a series, over its last fifth, as a share of that
    of the values one season before."""
    values = series(name)
    starts = np.arange(len(values) - length - horizon + 1)
    cut = len(values) * 4 // 5
    mean, spread = values[:cut].mean(), values[:cut].std()
    scaled = ((values - mean) / spread)[:, None]
    x = scaled[np.add.outer(starts, np.arange(length))]
    ahead = np.add.outer(starts + length, np.arange(horizon))
    y, before = values[ahead], values[ahead - season]
    train, test = ahead[:, -1] < cut, ahead[:, 0] >= cut
    nnlite.utils.set_random_seed(seed)
    model = nnlite.Sequential([layers.GRU(32), layers.Dense(horizon)])
    model.compile(nnlite.optimizers.Adam(0.002), "mae")
    model.fit(x[train], (y[train] - mean) / spread, batch_size=32, epochs=epochs, verbose=0)
    found = model.predict(x[test], verbose=0) * spread + mean
    error, naive = np.abs(found - y[test]).mean(), np.abs(before[test] - y[test]).mean()
    return {"share": float(error / naive), "error": float(error), "naive": float(naive)}


def sunspots(seed):
    """The next year of monthly sunspots."""
    return forecast(seed, "monthly-sunspots", 132, 12, 12, epochs=15)


def temperatures(seed):
    """The next week of daily minimum temperatures."""
    return forecast(seed, "daily-min-temperatures", 365, 7, 365, epochs=8)


# Name -> the function of a seed, what it must reach, and whether more is better.
TASKS = {
    "rt-polarity": (rt_polarity, 0.77, True),
    "JapaneseVowels": (japanese_vowels, 0.97, True),
    "sunspots": (sunspots, 0.90, False),
    "temperatures": (temperatures, 0.90, False),
    "shakespeare": (shakespeare, 1.75, False),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=5.0, help="of training, shakespeare")
    parser.add_argument("--cpu", action="store_true", help="count processors' seconds, of two")
    options = parser.parse_args()
    print(f"{'':16}seed   reached       goal         s     CPU s   load")
    for name in options.only:
        task, goal, more = TASKS[name]
        for seed in range(options.seeds):
            further = {}
            if task is shakespeare:
                further = {"minutes": options.minutes, "cpu": options.cpu}
            began, cpu = time.perf_counter(), time.process_time()
            result = task(seed, **further)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            (what, figure), *others = result.items()
            mark = " " if (figure >= goal) == more else "!"
            rest = ", ".join(f"{key} {value:.4g}" for key, value in others)
            print(
                f"{name:16}{seed:4}{figure:10.4f}{mark} {'>=' if more else '<='} {goal:5.2f}"
                f"{seconds:11.1f}{cpu:10.1f}{os.getloadavg()[0]:7.1f}  {what}"
                f"{f' ({rest})' if rest else ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()
