"""Changed files: each is loaded, or refused by a ValueError that names the file, and quickly."""

import os
import random
import time
import warnings

import numpy as np
import pytest
from mutations import mutated

import nnlite
from nnlite import layers, optimizers
from nnlite.models import load_model
from nnlite.saving.model_files import MODEL_ENDINGS

pytest.importorskip("h5py")
FILES = int(os.environ.get("NNLITE_FUZZ", 500))  # by hand: 100,000
SECONDS = 1.0
# The one case that takes longer, and up to 4 GB: a string of which the file says that it is long.
# HDF5 makes room for it before it looks at the heap, where it is not.
HEAP = "global heap object"


def models():
    a = layers.Input((3,), name="a")
    b = layers.Dense(2, "relu", kernel_regularizer="l2")
    graph = nnlite.Model(a, layers.Add()([b(a), b(a * 2.0)[:, ::-1]]))
    graph.compile("sgd", "mse", metrics=["mae"])
    chain = nnlite.Sequential(
        [
            layers.Conv2D(2, 3, input_shape=(4, 4, 1)),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5, seed=1),
            nnlite.Sequential([layers.Dense(2, "softmax")]),
        ]
    )
    rate = optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    chain.compile(optimizers.Adam(rate), "categorical_crossentropy")
    chain.train_on_batch(np.ones((2, 4, 4, 1)), np.eye(2))
    return graph, chain


@pytest.mark.parametrize("ending", {f: e for e, f in MODEL_ENDINGS.items()}.values())
def test_changed_files_are_read_or_refused(ending, tmp_path):
    whole = []
    for i, model in enumerate(models()):
        model.save(tmp_path / f"{i}{ending}")
        whole.append((tmp_path / f"{i}{ending}").read_bytes())
    rng, path, refused = random.Random(0), tmp_path / f"changed{ending}", 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(FILES):
            path.write_bytes(mutated(rng.choice(whole), rng))
            began = time.process_time()
            try:
                load_model(path)
            except ValueError as error:
                assert str(path) in str(error), i
                refused += 1
                if HEAP in str(error):
                    continue
            assert time.process_time() - began < SECONDS, i
    assert FILES / 4 < refused < FILES
