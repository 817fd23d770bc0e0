"""TensorFlow's names for functions: what they give, and what they say of what cannot be."""

import numpy as np
import pytest

import nnlite as tf

X = np.arange(6.0, dtype=np.float32).reshape(3, 2)


def test_numbers_stay_integers_where_all_are():
    assert tf.range(tf.constant(3)).numpy().tolist() == [0, 1, 2]
    assert tf.range(1, 6, 2).dtype == tf.fill([2], 3).dtype == "int32"
    assert tf.range(0, 1, 0.25).numpy().tolist() == [0, 0.25, 0.5, 0.75]
    assert tf.fill((2, 1), 0.5).numpy().tolist() == [[0.5], [0.5]]
    assert tf.fill([2], tf.constant(1.5)).numpy().tolist() == [1.5, 1.5]
    assert np.array_equal(tf.eye(2, 3), np.eye(2, 3))


REFUSED = {
    "dtype": (lambda: tf.cast(X, "flot32"), "cast: dtype: expected .*, got 'flot32'"),
    "axis": (lambda: tf.unstack(X, axis=2), r"unstack: axis: expected a number in \[-2, 2\)"),
    "axis of a kind": (lambda: tf.unstack(X, axis="rows"), "unstack: axis: expected an integer"),
    "no step": (lambda: tf.range(0, 3, 0), "range: delta: expected a number other than 0"),
    "text": (lambda: tf.range("three"), "range: .*expected numbers"),
    "shape": (lambda: tf.fill("two", 1), "fill: dims: expected an integer or several, got 'two'"),
    "negative size": (lambda: tf.fill([-1], 1), "fill: dims: expected sizes from 0"),
    "several values": (lambda: tf.fill([2], [1, 2, 3]), r"fill: value: .*, got shape \(3,\)"),
    "size": (lambda: tf.eye(-1), "eye: num_rows.*: expected sizes from 0"),
    "seed": (lambda: tf.nn.dropout(X, 0.5, seed="one"), "^dropout: seed: expected an integer"),
    "rate": (lambda: tf.nn.dropout(X, 1.5), r"^dropout: rate: expected a number in \[0, 1\)"),
    "no classes": (
        lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(1, 3.0),
        r"logits: expected one number for each class, got shape \(\)",
    ),
    "half a class": (
        lambda: tf.nn.sparse_softmax_cross_entropy_with_logits([0.5, 1, 0], X),
        "labels: expected integers .* such as 0.5",
    ),
    "loss": (lambda: tf.keras.losses.MeanSquaredError()(None, X), "^y_true: Tensor: .*, got None"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_by_name(name):
    make, said = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=said):
        make()
