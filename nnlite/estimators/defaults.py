"""What 'auto' means in the estimators: every default that depends on the data is decided here.

These are the scaling of inputs, the batch size, early stopping, the schedule of the learning rate
and the precision. (Defaults that are constants stand in the constructor.)

They were chosen for their average over tables of 150 to 50,000 rows; none looks at which table it
is. The literature knows them to make plain networks good on tables: a learning rate that falls to
0, early stopping that keeps the best weights, and standardised inputs (`scaling.py`).

A. Kadra, M. Lindauer, F. Hutter, J. Grabocka: "Well-tuned simple nets excel on tabular datasets",
NeurIPS 2021 (cosine annealing, best weights kept). Y. Gorishniy, I. Rubachev, V. Khrulkov,
A. Babenko: "Revisiting deep learning models for tabular data", NeurIPS 2021 (a tuned MLP of ReLUs
is a strong baseline; targets standardised). D. Holzmueller, L. Grinsztajn, I. Steinwart: "Better by
default: strong pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024 (layers of 256
units, a scale of inputs that is learned fast, a falling rate, the best epoch of a validation set).
I. Loshchilov, F. Hutter: "SGDR: stochastic gradient descent with warm restarts", ICLR 2017 (the
cosine).
"""

import math
from typing import NamedTuple

import numpy as np

from nnlite.callbacks import Callback, EarlyStopping, LearningRateScheduler, ReduceLROnPlateau
from nnlite.callbacks.control import rates_of
from nnlite.configurable import clone
from nnlite.layers import (
    GRU,
    BatchNormalization,
    Bidirectional,
    Dense,
    Embedding,
    Identity,
    InputLayer,
    InputScaling,
    LayerNormalization,
    LearnedScaling,
    Masking,
    Normalization,
    PaddingMask,
    PiecewiseLinearEncoding,
    Rescaling,
    Reshape,
    TimeDistributed,
    settings,
)
from nnlite.models.model import Model

# Few rows need small batches for enough steps per epoch; many rows need large batches for speed.
BATCH_ROWS, LARGE_BATCH_ROWS, MANY_ROWS = 64, 256, 10_000

# From this number of rows on, a part is held out. Training ends PATIENCE epochs after the best.
EARLY_STOPPING_ROWS, PATIENCE = 500, 30

# Columns are encoded from these numbers of rows on: fewer a network learns by heart, the sooner if
# it is the only one and holds no rows out. Beyond this number of columns, one says little, and all
# of them encoded cost much.
ENCODED_ROWS, ENCODED_ROWS_OF_SEVERAL, ENCODED_COLUMNS = EARLY_STOPPING_ROWS, 100, 256
ENCODED_SCALE = 0.5  # the squares of a column's 8 bins are then as large as those of the column
FEWEST_BINS, MOST_BINS = 8, 128

# The rate of the factors of columns (LearnedScaling), as a multiple of that of other weights: the
# number of rows / SCALING_ROWS, at most FASTEST_SCALING. From few rows it would choose by chance.
SCALING_ROWS, FASTEST_SCALING = 50, 60.0

# Rows of numbers, of which sizes alone make a network, are tables. Whatever else there is has the
# others. In benchmarks/quality.py eight networks of 128 units score as those of 256 and are faster.
TABLE_SIZES, OTHER_SIZES = (128, 128), (256,)
OTHER_EPOCHS = 200


class Recipe(NamedTuple):
    """How many networks, each trained for how many epochs."""

    networks: int
    epochs: int


# An epoch of a small table has few steps. Its number of epochs is multiplied, by 8 at most, until
# there are 600 steps.
TABLE_STEPS, LONGEST = 600, 8

PRESETS = {"fast": Recipe(1, 25), "default": Recipe(8, 25), "best": Recipe(24, 50)}  # of tables

# From this number of rows on there are several networks, and each holds a fold out.
FOLDS_ROWS = 50

SEQUENCE_UNITS = 64  # in each direction

# Small float64 data of a single network are trained in float64: scikit-learn's own MLP does so, and
# its checks of sample weights need it. Above these sizes float32 is twice as fast and no less good.
FLOAT64_VALUES = 4_096
FLOAT64_WEIGHTS = 100_000

# Categories of fewer rows are one, so that there is something to learn about the unknown: new ones
# come about as often as those that were seen once (I. J. Good: "The population frequencies of
# species and the estimation of population parameters", Biometrika 40, 1953).
RARE_ROWS, RARE_SHARE = 5, 1 / 50


def is_auto(value):
    """Whether a setting is the string 'auto'; arrays never are."""
    return isinstance(value, str) and value == "auto"


def recipe_of(estimator, rows, table):
    """The Recipe of a fit of some rows: `table` says whether they are those of a table."""
    preset = PRESETS[estimator.preset] if table else Recipe(1, OTHER_EPOCHS)
    networks, epochs = estimator._resolve_auto("ensemble"), estimator.epochs
    if is_auto(networks):
        single = estimator.warm_start or estimator.refit_full or rows < FOLDS_ROWS
        single = single or any(c._of_one_fit for c in estimator._callbacks())
        networks = 1 if single else preset.networks
    if is_auto(epochs):
        steps = math.ceil(rows / batch_rows(estimator.batch_size, rows))
        short = TABLE_STEPS / (PRESETS["default"].epochs * steps)
        epochs = preset.epochs * (min(max(short, 1), LONGEST) if table else 1)
    return Recipe(int(networks or 1), int(epochs))


def hidden_sizes(meta):
    """The sizes of the hidden layers of a multilayer perceptron, for samples that a Meta knows."""
    return TABLE_SIZES if meta is None or len(meta.sample_shape) == 1 else OTHER_SIZES


def batch_rows(batch_size, rows):
    """The number of rows in a batch, of `rows` to train on."""
    auto = LARGE_BATCH_ROWS if rows >= MANY_ROWS else BATCH_ROWS
    return min(auto if is_auto(batch_size) else int(batch_size), rows)


def rare_below(rows):
    """How many of `rows` rows a category needs to be learned by itself."""
    return min(RARE_ROWS, math.ceil(rows * RARE_SHARE))


def is_small_float64(X):
    """Whether these are float64 data that are small enough to be trained in float64."""
    return X.dtype.str[1:] == "f8" and math.prod(X.shape) <= FLOAT64_VALUES


def scales(layers, shape):
    """Whether samples of a shape are scaled before layers.

    Rows of numbers are scaled, and the channels of sequences, unless the first layer has a scale of
    its own (a `Masking` looks for one value). Pixels already have one scale in common (rows in
    front of a `Reshape` are pixels). Tokens have no scale.
    """
    return reads_tables(layers, shape) or (
        len(shape) == 2 and _reads_sequences(layers) and not _has_own_scale(layers)
    )


def reads_tables(layers, shape):
    """Whether samples of a shape are rows of a table to layers, whatever scale its columns have."""
    return len(shape) == 1 and not _has_own_scale(layers)


def reads_rows(layers):
    """Whether the first of layers takes rows of whatever width, on whatever scale."""
    first = _first_reader(layers)
    given = getattr(layers[0], "_given_input_shape", None) if layers else None
    takes_rows = first is None or first._takes is None or first._takes[0] <= 2
    return takes_rows and not np.shape(given)[1:] and not _has_own_scale(layers)


def _has_own_scale(layers):
    own_scale = (Normalization, Rescaling, BatchNormalization, LayerNormalization, Reshape, Masking)
    first = next((x for x in _chain_of(layers) if not isinstance(x, InputLayer)), None)
    return isinstance(first, own_scale) or reads_tokens(layers)


def encodes(layers, shape, networks):
    """Whether the columns of scaled rows (n_samples, n_features) are encoded before layers: a
    `Dense` reads them, and there are enough rows for that number of networks. Where there are very
    many columns, they are pixels or counts, which are not encoded."""
    rows, columns = shape
    least = ENCODED_ROWS if networks == 1 else ENCODED_ROWS_OF_SEVERAL
    fits = rows >= least and columns <= ENCODED_COLUMNS
    return fits and isinstance(_first_reader(layers), Dense)


def piecewise_encoding(rows=0, by="quantiles"):
    """A fresh encoding of the columns of a table, whose bins are learned from `rows` rows: each
    bin holds about two times the root of their number."""
    bins = int(min(max(math.sqrt(rows) / 2, FEWEST_BINS), MOST_BINS))
    return PiecewiseLinearEncoding(bins, scale=ENCODED_SCALE, by=by)


def learned_scaling(rows):
    """A fresh layer that learns which columns of an encoded table matter, of more rows faster."""
    return LearnedScaling(min(max(rows / SCALING_ROWS, 1.0), FASTEST_SCALING))


def _reads_sequences(layers):
    """Whether X of shape (N, T, C) is sequences to the first of these layers, and not images."""
    first = _first_reader(layers)
    takes = None if first is None else first._takes
    return takes is not None and takes[2].startswith("sequences")


def vocabulary_of(layers):
    """The name of the `Embedding` that reads X, and how many tokens it knows; None if it is another
    layer that reads X."""
    first = _first_reader(layers)
    first = first.layer if isinstance(first, TimeDistributed) else first
    return (first.name, int(first.input_dim)) if isinstance(first, Embedding) else None


_PASS_ON = (Identity, InputLayer, InputScaling, PaddingMask)


def _first_reader(layers):
    """The first of layers, or of those in a model, that does not take just any tensor, or None."""
    for layer in layers:
        found = _first_reader(layer._sublayers) if isinstance(layer, Model) else layer
        if found is None or isinstance(found, _PASS_ON):
            continue
        if found._takes != settings.ANY_TENSOR:
            return found
    return None


def reads_tokens(layers):
    """Whether an `Embedding` is among layers, or in one of them."""
    return any(isinstance(x, Embedding) for x in _chain_of(layers))


def _chain_of(layers):
    """Layers, those that have layers inside replaced by these."""
    for layer in layers:
        inside = layer._sublayers
        yield from _chain_of(inside) if inside else [layer]


def sequence_reader():
    """A fresh layer that makes a row of each sequence, for a multilayer perceptron behind it."""
    return Bidirectional(GRU(SEQUENCE_UNITS))


def early_stopping(value, rows, scoring=None, recipe=None):
    """A fresh EarlyStopping for a fit of `rows` rows, or None.

    If there is a `scoring`, the one for True and for 'auto' monitors the score. With a `recipe` of
    several networks 'auto' waits for a quarter of the epochs.
    """
    if is_auto(value) and rows < (EARLY_STOPPING_ROWS if recipe is None else FOLDS_ROWS):
        return None
    found = early_stopping_of(value)
    if found is None or found is value:
        return None if found is None else clone(found)
    changed = {} if scoring is None else {"monitor": "val_score"}
    if recipe is not None and is_auto(value):
        changed["patience"] = math.ceil(recipe.epochs / 4)
    return clone(found, **changed)


def early_stopping_of(value):
    """The EarlyStopping that `early_stopping=` stands for; None if there is none."""
    if isinstance(value, EarlyStopping):
        return value
    wanted = is_auto(value) or (isinstance(value, (bool, np.bool_)) and bool(value))
    return EarlyStopping(patience=PATIENCE, restore_best_weights=True) if wanted else None


class CosineRate(Callback):
    """Lowers the learning rate along half a cosine, nearly to 0 in the last epoch.

    It stops doing so when something else sets the learning rate. At the end of training it
    restores the first learning rate, so that training can continue.

    Parameters
    ----------
    epochs : int
        The length of the half cosine.
    """

    lowers_to_zero = True

    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_begin(self, logs=None):
        self.first = rates_of(self.model.optimizer)
        self.last, self.done = dict(self.first), 0

    def on_epoch_begin(self, epoch, logs=None):
        for name, optimizer in self._of_its_own():
            fall = 0.5 * (1.0 + math.cos(math.pi * self.done / self.epochs))
            optimizer.learning_rate = self.first[name] * fall
            self.last[name] = float(optimizer.learning_rate)
        self.done += 1

    def on_train_end(self, logs=None):
        for name, optimizer in self._of_its_own():
            optimizer.learning_rate = self.first[name]

    def _of_its_own(self):
        """The optimizers with the rate that this callback has set last, by the name in logs."""
        rates = self.model.optimizer._rates().items()
        return [(name, o) for name, o in rates if float(o.learning_rate) == self.last.get(name)]


def annealing(schedule, optimizer, callbacks, epochs):
    """The callback that lowers the learning rate over `epochs`, in a list; or an empty list."""
    if optimizer.whole_batches:
        if schedule == "cosine":
            raise ValueError(
                f"schedule: expected 'auto' or None, as {type(optimizer).__name__} has no learning "
                "rate, got 'cosine'"
            )
        return []
    scheduled = any(callable(inner._source) for inner in optimizer._rates().values())
    if schedule == "cosine" and scheduled:
        raise ValueError(
            "schedule: expected 'auto' or None, as the optimizer has a schedule, got 'cosine'"
        )
    setters = (LearningRateScheduler, ReduceLROnPlateau)
    scheduled = scheduled or any(isinstance(c, setters) for c in callbacks)
    wanted = schedule == "cosine" or (is_auto(schedule) and not scheduled)
    return [CosineRate(epochs)] if wanted and epochs > 1 else []


def check_takes_batches(optimizer):
    """Raise a ValueError for an optimizer that takes all rows at once, as `partial_fit` cannot.
    None is that of a model which a function compiles."""
    if optimizer is not None and optimizer.whole_batches:
        raise ValueError(
            "optimizer: expected one that takes batches for partial_fit, such as 'adam', got "
            f"{type(optimizer).__name__}, which takes all rows at once"
        )
