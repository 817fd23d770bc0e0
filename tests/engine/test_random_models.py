"""Random models: planned = eager = any number of threads = AVX2 and AVX-512 = pickled, bitwise."""

import pickle

import numpy as np
import pytest
from kernels import ISAS
from teams import team_of
from test_plan import assert_same_bits

import nnlite
from nnlite import config, layers, optimizers
from nnlite.engine import dispatch

MODELS, GROUPS = 100, 5
ROWS, BATCH = 22, 8  # the last batch has fewer
FAST = [isa for isa in ISAS if isa != "generic"] or ISAS  # those that promise the same bits

WAYS = [{"n_threads": 2}, {"n_threads": 5}, {"run_eagerly": True}, {"pickled": True}]
WAYS += [{"isa": isa} for isa in FAST[1:]]

ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "elu", "selu", "softplus", "swish", "linear"]
OPTIMIZERS = [
    lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    lambda: optimizers.Adam(0.01, amsgrad=True),
    lambda: optimizers.AdamW(0.01),
    lambda: optimizers.RMSprop(0.01, centered=True),
    lambda: optimizers.Adagrad(0.1),
    lambda: optimizers.Nadam(0.01),
    lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 3, 0.9), clipnorm=1.0),
]
# What ends a model, and the targets of its loss for some numbers in (-2, 2).
ENDS = {
    "mse": (3, None, lambda t: t),
    "huber": (3, None, lambda t: t),
    "log_cosh": (3, "tanh", lambda t: t),
    "binary_crossentropy": (3, "sigmoid", lambda t: (t > 0).astype(int)),
    "categorical_crossentropy": (3, "softmax", lambda t: np.eye(3)[t.argmax(1)]),
    "sparse_categorical_crossentropy": (3, "softmax", lambda t: t.argmax(1)),
    "poisson": (3, "softplus", lambda t: abs(t)),
    "hinge": (3, None, lambda t: np.sign(t)),
}


def choose(rng, options):
    return options[rng.integers(len(options))]


def on_rows(rng, x):
    """One more layer on a tensor of rows of features."""
    kind = rng.integers(9)
    units = int(rng.integers(1, 20))
    if kind < 4:
        regularizer = choose(rng, [None, None, "l2", "l1"])
        constraint = choose(rng, [None, None, "max_norm", "unit_norm", "non_neg"])
        made = layers.Dense(
            units,
            choose(rng, ACTIVATIONS),
            kernel_regularizer=regularizer,
            kernel_constraint=constraint,
        )
        return made(x)
    if kind == 4:
        return layers.Dropout(0.3)(x)
    if kind == 5:
        return choose(rng, [layers.BatchNormalization, layers.LayerNormalization])()(x)
    if kind == 6:
        return layers.Activation(choose(rng, ACTIVATIONS))(x)
    branches = [layers.Dense(x.shape[-1], choose(rng, ACTIVATIONS))(x), x]
    if kind == 7:
        return choose(rng, [layers.Add, layers.Multiply, layers.Maximum, layers.Average])()(
            branches
        )
    return layers.Concatenate()(branches)


def on_images(rng, x):
    """One more layer on a tensor of images."""
    kind, activation = rng.integers(6), choose(rng, ACTIVATIONS)
    if kind < 2:
        size, padding = int(rng.integers(1, 4)), choose(rng, ["same", "valid"])
        size = min(size, *x.shape[1:3])
        return layers.Conv2D(int(rng.integers(1, 6)), size, padding=padding, activation=activation)(
            x
        )
    if kind == 2:
        return layers.DepthwiseConv2D(3, padding="same", activation=activation)(x)
    if kind == 3 and min(x.shape[1:3]) > 1:
        return choose(rng, [layers.MaxPooling2D, layers.AveragePooling2D])(2)(x)
    if kind == 4:
        return layers.Add()([layers.Conv2D(x.shape[-1], 3, padding="same")(x), x])
    return layers.BatchNormalization()(x)


def made(number):
    """The model of a number, its loss, an optimizer, and data."""
    rng = np.random.default_rng(number)
    shape = choose(rng, [(7,), (7,), (6, 5, 2)])
    inputs = x = nnlite.Input(shape)
    if len(shape) > 1:
        for _ in range(rng.integers(1, 4)):
            x = on_images(rng, x)
        x = choose(rng, [layers.Flatten, layers.GlobalAveragePooling2D])()(x)
    for _ in range(rng.integers(1, 6)):
        x = on_rows(rng, x)
    loss = choose(rng, sorted(ENDS))
    units, activation, targets = ENDS[loss]
    model = nnlite.Model(inputs, layers.Dense(units, activation)(x))
    rows = rng.standard_normal((ROWS, *shape)).astype(choose(rng, ["float32", "float64"]))
    weight = choose(rng, [None, np.linspace(0.5, 2, ROWS)])
    return (
        model,
        loss,
        choose(rng, OPTIMIZERS)(),
        rows,
        targets(rng.uniform(-2, 2, (ROWS, units))),
        weight,
    )


def outcome(number, isa=FAST[0], pickled=False, **settings):
    """The weights, history and predictions of the training of a model."""
    dispatch.use_isa(isa)
    try:
        real = "float64" if number % 4 == 3 else "float32"
        with config.precision(real), config.seeded(number):
            model, loss, optimizer, x, y, weight = made(number)
            model.compile(optimizer, loss, **settings)
            if pickled:
                model = pickle.loads(pickle.dumps(model))
            given = {"batch_size": BATCH, "epochs": 2, "verbose": 0, "validation_split": 0.2}
            history = model.fit(x, y, sample_weight=weight, **given).history
            figures = [np.array(v) for v in history.values()]
            # Folded, they would be rounded otherwise than by steps that run eagerly.
            predicted = [model.predict(rows, fold=False) for rows in (x, x[3:4])]
            return [*model.get_weights(), *figures, *predicted]
    finally:
        dispatch.use_isa()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("group", range(GROUPS))
def test_a_random_model_gives_the_same_bits_however_it_is_run(group):
    numbers = range(group, MODELS, GROUPS)
    with team_of(5):
        for number in numbers:
            expected = outcome(number, n_threads=1)
            for way in WAYS:
                try:
                    assert_same_bits(outcome(number, **way), expected)
                except AssertionError:
                    raise AssertionError(f"model {number}, {way}") from None
            assert_same_bits(expected[-1:], [expected[-2][3:4]])
    print(f"{len(numbers)} models, each in {1 + len(WAYS)} ways")
