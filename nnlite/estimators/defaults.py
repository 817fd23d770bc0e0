"""What 'auto' means in the estimators: batches, early stopping, how the learning rate falls.

Chosen on average over tables of 150 to 50,000 rows, none of them by its name, from what is known to
make plain networks good on tables: one common recipe with a rate that falls to 0, early stopping
with the best weights kept, and inputs brought to scale (`scaling.py`).

A. Kadra, M. Lindauer, F. Hutter, J. Grabocka: "Well-tuned simple nets excel on tabular datasets",
NeurIPS 2021 (cosine annealing, best weights kept). Y. Gorishniy, I. Rubachev, V. Khrulkov,
A. Babenko: "Revisiting deep learning models for tabular data", NeurIPS 2021 (a tuned MLP of ReLUs
is a strong baseline; targets standardised). D. Holzmueller, L. Grinsztajn, I. Steinwart: "Better by
default: strong pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024 (layers of 256
units, a falling rate, the best epoch of a validation set). I. Loshchilov, F. Hutter: "SGDR:
stochastic gradient descent with warm restarts", ICLR 2017 (the cosine).
"""

import math

from nnlite.callbacks import Callback, LearningRateScheduler, ReduceLROnPlateau
from nnlite.estimators.parameters import is_auto

# Small enough for many steps where rows are few, large enough for speed where they are many.
BATCH, LARGE_BATCH, MANY_ROWS = 64, 256, 10_000


def batch_rows(batch_size, rows):
    """Rows of a batch, of so many rows to train on."""
    auto = LARGE_BATCH if rows >= MANY_ROWS else BATCH
    return min(auto if is_auto(batch_size) else int(batch_size), rows)


class CosineRate(Callback):
    """Lets the learning rate fall along half a cosine, from what it is to nearly 0 in the last of
    `epochs`.

    Whoever else sets it meanwhile takes over. In the end it is what it was: training can go on.
    """

    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_begin(self, logs=None):
        self.first = self.last = float(self.model.optimizer.learning_rate)
        self.done = 0

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = self.model.optimizer
        if float(optimizer.learning_rate) == self.last:
            fall = 0.5 * (1.0 + math.cos(math.pi * self.done / self.epochs))
            optimizer.learning_rate = self.first * fall
            self.last = float(optimizer.learning_rate)
        self.done += 1

    def on_train_end(self, logs=None):
        if float(self.model.optimizer.learning_rate) == self.last:
            self.model.optimizer.learning_rate = self.first


def annealing(schedule, optimizer, callbacks, epochs):
    """The callback that makes the learning rate fall during so many epochs, in a list, or none."""
    rates = (optimizer.get_params().get(name) for name in ("learning_rate", "lr"))
    own = any(callable(rate) for rate in rates)
    if schedule == "cosine" and own:
        raise ValueError(
            "schedule: expected 'auto' or None, as the optimizer has a schedule, got 'cosine'"
        )
    own = own or any(isinstance(c, (LearningRateScheduler, ReduceLROnPlateau)) for c in callbacks)
    wanted = schedule == "cosine" or (is_auto(schedule) and not own)
    return [CosineRate(epochs)] if wanted and epochs > 1 else []
