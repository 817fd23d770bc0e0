"""What makes a plan out of date: a change of the model that it is of."""

import numpy as np
import pytest
import samples

from nnlite import config, layers, optimizers
from nnlite.models import Sequential


def fitted(change, **settings):
    """The weights after some steps, a change of the model, and more steps."""
    with config.seeded(5):
        model = Sequential(
            [
                layers.Dense(8, input_shape=(13,)),
                layers.Dropout(0.1),
                layers.Dense(5, activation="softmax"),
            ]
        )
        model.compile(optimizers.SGD(0.1), "sparse_categorical_crossentropy", **settings)
        x, y = samples.normal(40, 13), samples.labels(40, 5)
        model.train_on_batch(x, y)
        change(model)
        before = model.get_weights()
        for _ in range(2):
            model.train_on_batch(x, y)
        return before, model.get_weights()


CHANGES = {
    "trainable": lambda m: setattr(m.layers[0], "trainable", False),
    "rate": lambda m: setattr(m.layers[1], "rate", 0.9),
    "learning_rate": lambda m: setattr(m.optimizer, "learning_rate", 0.7),
    "weights": lambda m: m.set_weights([2 * w for w in m.get_weights()]),
    "layer": lambda m: m.add(layers.Activation("softmax")),
    "loss": lambda m: m.compile(
        optimizers.SGD(0.1), "sparse_categorical_crossentropy", run_eagerly=m.run_eagerly
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_change_of_a_model_reaches_its_plans(what):
    before, planned = fitted(CHANGES[what])
    eager = fitted(CHANGES[what], run_eagerly=True)[1]
    assert all(map(np.array_equal, planned, eager))
    unchanged = fitted(lambda m: None)[1]
    if what != "loss":
        assert not all(np.array_equal(a, b) for a, b in zip(planned, unchanged))
    assert np.array_equal(before[0], planned[0]) == (what == "trainable")
