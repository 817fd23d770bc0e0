"""bayesian-optimization, which draws real numbers, over models."""

import numpy as np
import pytest
from searched import X, Y

import nnlite as keras


def accuracy(learning_rate, units, batch_size):
    model = keras.Sequential(
        [
            keras.layers.Dense(units, "relu", input_shape=(3,)),
            keras.layers.Dense(2, "softmax"),
        ]
    )
    adam = keras.optimizers.Adam(learning_rate)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, batch_size=batch_size, epochs=np.float64(2), verbose=0)
    return model.evaluate(X, Y, verbose=0)[1]


def test_floats_that_mean_integers_are_taken():
    keras.utils.set_random_seed(0)
    drawn = accuracy(np.float64(0.01), np.float64(8.0), np.float64(16.0))
    keras.utils.set_random_seed(0)
    assert drawn == accuracy(0.01, 8, 16)


@pytest.mark.parametrize(
    "units, batch_size, message",
    [
        (8.5, 16, r"units: expected a positive integer, got np.float64\(8.5\)"),
        (8, 32.5, r"batch_size: expected a positive integer, got np.float64\(32.5\)"),
    ],
)
def test_floats_that_do_not_are_refused(units, batch_size, message):
    with pytest.raises(ValueError, match=message):
        accuracy(np.float64(0.01), np.float64(units), np.float64(batch_size))


@pytest.mark.filterwarnings("ignore::UserWarning")  # of bounds that say their type
def test_bayes_opt_maximizes():
    bayes_opt = pytest.importorskip("bayes_opt")
    bounds = {"learning_rate": (0.001, 0.1), "units": (2, 8, int), "batch_size": (8, 32, int)}
    search = bayes_opt.BayesianOptimization(accuracy, bounds, random_state=0, verbose=0)
    search.maximize(init_points=2, n_iter=2)
    assert len(search.res) == 4 and 0.5 < search.max["target"] <= 1
