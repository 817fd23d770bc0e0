"""Rows are held out by their numbers: nothing is copied, and no bit changes."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix

import nnlite
from nnlite import NNClassifier, NNRegressor
from nnlite.estimators import validation_split

RNG = np.random.default_rng(5)
X = RNG.standard_normal((150, 6))
LABEL = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def weights_and_history(fitted):
    return [*fitted.model_.get_weights(), *fitted.history_.values()]


@pytest.mark.parametrize("form", [np.asarray, lambda a: a.astype("float32"), csr_matrix])
@pytest.mark.parametrize("kind", [NNClassifier, NNRegressor])
def test_held_out_rows_give_the_bits_of_copies_passed_as_validation_data(kind, form):
    rows, y = form(X), LABEL if kind is NNClassifier else X[:, 2] + X[:, 3]
    options = {"epochs": 3, "random_state": 3, "normalize": False, "batch_size": 16}
    fitted = kind((8,), early_stopping=True, **options)
    fitted.fit(rows, y)
    seed = fitted._seed()
    train, held_out = validation_split.split(
        150, 0.1, LABEL if kind is NNClassifier else None, seed
    )
    copies = kind((8,), early_stopping=True, **options).fit(
        rows[train], y[train], X_val=rows[held_out], y_val=y[held_out]
    )
    for one, other in zip(weights_and_history(fitted), weights_and_history(copies), strict=True):
        assert_array_equal(one, other)


def peak(function):
    """The most bytes that a function holds at a time, beside what was there before."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_rows_are_held_out_without_a_copy(tmp_path):
    rows = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (30_000, 128))
    y = np.arange(len(rows)) % 2
    settings = {"epochs": 1, "batch_size": 4096, "early_stopping": True}
    settings["numeric_encoding"] = None  # an encoded batch is as large as nine
    NNClassifier((4,), **settings).fit(rows[:100], y[:100])
    assert peak(lambda: NNClassifier((4,), **settings).fit(rows, y)) < 0.3 * rows.nbytes
    sparse = csr_matrix(RNG.random((2000, 400)).astype("float32"))
    model = nnlite.Sequential([nnlite.layers.Dense(2, input_shape=(400,))])
    model.compile("sgd", "mse")
    model.fit(sparse[:100], np.zeros((100, 2)), verbose=0, validation_split=0.2)
    used = peak(lambda: model.fit(sparse, np.zeros((2000, 2)), verbose=0, validation_split=0.2))
    assert used < 0.3 * sparse.data.nbytes
    assert np.isfinite(NNClassifier((4,), **settings).fit(sparse, y[:2000]).loss_)


@pytest.mark.parametrize("eager", [False, True])
def test_last_part_of_sparse_rows_is_what_the_last_part_of_dense_ones_is(eager):
    figures = []
    for form in (csr_matrix, np.asarray):
        nnlite.utils.set_random_seed(1)
        model = nnlite.Sequential([nnlite.layers.Dense(1, input_shape=(6,))])
        model.compile("sgd", "mse", run_eagerly=eager)
        given = {"epochs": 2, "validation_split": 0.3, "verbose": 0}
        figures.append(model.fit(form(X), X[:, 0] + X[:, 1], **given).history)
    assert figures[0] == figures[1]
