"""`fit` warns once of what trains to something else than was meant, and names the cure."""

import re
import warnings

import numpy as np
import pytest
from small_models import LABELS, D, L, N, X

import nnlite
from nnlite import Sequential, layers, losses, ops
from nnlite.layers import Dense

TWO = LABELS % 2
ONE_HOT = np.eye(L)[LABELS]
NUMBERS = X[:, 0] * 3
SPARSE, BINARY = losses.SparseCategoricalCrossentropy, losses.BinaryCrossentropy


def compiled(last, loss, metrics=None, **settings):
    """A compiled model that ends with a layer or a list of them."""
    last = last if isinstance(last, list) else [last]
    model = Sequential([Dense(4, "relu", input_shape=(D,)), *last])
    model.compile("sgd", loss, metrics=metrics, **settings)
    return model


def warned_by(function, *args, **kwargs):
    """The texts of the UserWarnings of a call, each at a line of this file."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        function(*args, **kwargs)
    assert {w.filename for w in found} <= {__file__}
    return [str(w.message) for w in found if w.category is UserWarning]


def warned(model, y, x=X, **settings):
    """The warnings of a fit that traces three kinds of step."""
    return warned_by(model.fit, x, y, 32, epochs=2, verbose=0, validation_split=0.2, **settings)


# The last layers, the loss, the targets; what the warning says, and its cure.
WRONG = {
    "labels for 3 outputs": (
        Dense(3), "mse", LABELS, r"\(N,\) .* \(N, 3\)", "sparse_categorical_crossentropy"
    ),
    "a column for 3 outputs": (
        Dense(3), "mae", NUMBERS[:, None], r"\(N, 1\) .* \(N, 3\)", "end with one unit"
    ),
    "3 columns for one output": (
        Dense(1), "huber", ONE_HOT, r"\(N, 3\) .* \(N, 1\)", "end with 3 units"
    ),
    "three classes, one sigmoid": (
        Dense(1, "sigmoid"), "binary_crossentropy", LABELS, "from 0 to 2", "one unit for each"
    ),
    "-1 and 1": (
        Dense(1, "sigmoid"), "binary_crossentropy", 2 * TWO - 1, "from -1 to 1", r"\(y \+ 1\) / 2"
    ),
    "numbers under Poisson": (
        Dense(1, "exponential"), "poisson", NUMBERS, "of at least 0", "'mse'"
    ),
    "softmax as logits": (
        Dense(3, "softmax"), SPARSE(from_logits=True), LABELS, "from_logits=True", "remove"
    ),
    "sigmoid as logits": (
        Dense(1, "sigmoid"), BINARY(from_logits=True), TWO, "from_logits=True", "the sigmoid"
    ),
    "one-unit softmax": (
        Dense(1, "softmax"), "binary_crossentropy", TWO, "is 1 for every row", "'sigmoid'"
    ),
    "one class": (
        Dense(1, "sigmoid"),
        "sparse_categorical_crossentropy",
        0 * TWO,
        "is 0 for every row",
        "binary_crossentropy",
    ),
    "logits of classes": (
        Dense(3),
        "sparse_categorical_crossentropy",
        LABELS,
        "without an activation",
        r"'softmax'.* SparseCategoricalCrossentropy\(from_logits=True\)",
    ),
    "logits of one class": (
        Dense(1), losses.binary_crossentropy, TWO, "without an activation", "'sigmoid'"
    ),
    "logits in another shape": (
        [Dense(3), layers.Activation("linear"), layers.Reshape((3,))],
        "categorical_crossentropy",
        ONE_HOT,
        "without an activation",
        r"CategoricalCrossentropy\(from_logits=True\)",
    ),
    "a relu for probabilities": (
        Dense(3, "relu"), "categorical_crossentropy", ONE_HOT, "a relu", "'softmax'"
    ),
    "sigmoids under a softmax's loss": (
        Dense(3, "sigmoid"), "categorical_crossentropy", ONE_HOT, "sum to 1", "'softmax'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eagerly"])
@pytest.mark.parametrize("name", WRONG)
def test_fit_warns_once_of_what_does_not_fit_and_names_the_cure(name, eagerly):
    last, loss, y, seen, cure = WRONG[name]
    (text,) = warned(compiled(last, loss, run_eagerly=eagerly), y)
    assert re.search(f"{seen}.*; .*{cure}", text)


RIGHT = {
    "softmax": (Dense(3, "softmax"), "sparse_categorical_crossentropy", LABELS, ["accuracy"]),
    "a layer of its own": ([Dense(3), layers.Softmax()], "categorical_crossentropy", ONE_HOT),
    "logits": (Dense(3), SPARSE(from_logits=True), LABELS, ["accuracy"]),
    "sigmoid": (Dense(1, "sigmoid"), "binary_crossentropy", TWO, ["accuracy"]),
    "logit": (Dense(1), BINARY(from_logits=True), TWO[:, None]),
    "parts of a class": (Dense(1, "sigmoid"), "binary_crossentropy", TWO * 0.8 + 0.1),
    "several labels": (Dense(3, "sigmoid"), "binary_crossentropy", ONE_HOT, ["accuracy"]),
    "numbers": (Dense(1), "mse", NUMBERS, ["mae"]),
    "several numbers": (Dense(3), "mse", ONE_HOT * 7, ["mae"]),
    "squares of 0 and 1": (Dense(1), "mse", TWO, ["accuracy"]),
    "squares of one-hot rows": (Dense(3, "softmax"), "mse", ONE_HOT, ["accuracy"]),
    "-1 and 1": (Dense(1, "tanh"), "hinge", 2 * TWO - 1),
    "counts": (Dense(1, "exponential"), "poisson", LABELS),
    "its own activation": (
        Dense(3, lambda x: ops.exp(x) / 9.0), "sparse_categorical_crossentropy", LABELS
    ),
    "its own loss": (Dense(3), lambda y, p: ops.mean(ops.square(p), axis=-1), LABELS),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_fit_is_silent_about_what_fits(name):
    last, loss, y, *metrics = RIGHT[name]
    assert warned(compiled(last, loss, *metrics), y) == []


@pytest.mark.parametrize("metric", ["accuracy", "acc", nnlite.metrics.BinaryAccuracy()])
def test_accuracy_of_numbers_is_warned_of(metric):
    (text,) = warned(compiled(Dense(1), "mse", [metric]), NUMBERS)
    assert "of the right class" in text and "'mae'" in text


def test_accuracy_of_several_numbers_is_warned_of():
    (text,) = warned(compiled(Dense(3), "mse", ["accuracy"]), X[:, :3])
    assert "of the right class" in text


def test_every_fit_warns_and_nothing_else_does():
    model = compiled(Dense(3), "sparse_categorical_crossentropy")
    assert len(warned(model, LABELS)) == 1 and len(warned(model, LABELS)) == 1
    assert warned_by(model.evaluate, X, LABELS) == [] == warned_by(model.predict, X)
    assert (
        warned_by(
            losses.mean_squared_error, LABELS.astype(np.float32), np.zeros((N, 3), np.float32)
        )
        == []
    )


def test_targets_of_batches_are_looked_at():
    batches = [(X[:25], LABELS[:25]), (X[25:], LABELS[25:])]
    model = compiled(Dense(1, "sigmoid"), "binary_crossentropy")
    (text,) = warned_by(model.fit, iter(batches * 2), steps_per_epoch=2, epochs=2, verbose=0)
    assert "from 0 to 2" in text


def test_targets_are_looked_at_from_the_first_row_to_the_last():
    rows = np.zeros(60_000)
    rows[-1000:] = 2
    model = compiled(Dense(1, "sigmoid"), "binary_crossentropy")
    (text,) = warned_by(model.fit, np.zeros((60_000, D)), rows, 10_000, verbose=0)
    assert "from 0 to 2" in text


def test_outputs_are_named_where_there_are_several():
    inputs = layers.Input((D,))
    outputs = [Dense(3, "softmax", name="kind")(inputs), Dense(2, name="size")(inputs)]
    model = nnlite.Model(inputs, outputs)
    model.compile("sgd", ["sparse_categorical_crossentropy", "mse"])
    (text,) = warned_by(model.fit, X, [LABELS, NUMBERS], verbose=0)
    assert text.startswith("output 'size': ")


def test_models_that_define_call_are_looked_at():
    class Own(nnlite.Model):
        def __init__(self):
            super().__init__()
            self.out = Dense(3)

        def call(self, x):
            return self.out(x)

    model = Own()
    model.compile("sgd", SPARSE())
    assert len(warned(model, LABELS)) == 1
