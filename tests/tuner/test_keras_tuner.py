"""Keras Tuner itself drives models of nnlite."""

import numpy as np
import pytest
from searched import DATA, X, Y, build

from nnlite.tuner import for_keras_tuner


@pytest.mark.parametrize(
    "name", ["RandomSearch", "GridSearch", "BayesianOptimization", "Hyperband"]
)
def test_keras_tuner_searches_over_models_of_nnlite(name, tmp_path):
    kt = pytest.importorskip("keras_tuner")
    limit = {"max_epochs": 3} if name == "Hyperband" else {"max_trials": 3}
    tuner = for_keras_tuner(getattr(kt, name))(
        build, "val_accuracy", seed=1, directory=str(tmp_path), executions_per_trial=2, **limit
    )
    tuner.search(**DATA, epochs=3)
    best = tuner.oracle.get_best_trials()[0]
    assert best.status == "COMPLETED" and len(tuner.oracle.trials) >= 3
    (model,) = tuner.get_best_models()
    _, accuracy = model.evaluate(X[45:], Y[45:], verbose=0)
    assert accuracy >= best.score - 1e-6  # the better one of two executions
    assert tuner.get_best_hyperparameters()[0].values == best.hyperparameters.values
    scores = [t.score for t in tuner.oracle.trials.values()]
    assert np.isfinite(scores).all() and best.score == max(scores)


@pytest.mark.parametrize("given", [3, "RandomSearch", dict])
def test_what_is_no_tuner_is_refused(given):
    with pytest.raises(TypeError, match="for_keras_tuner: tuner_class: expected a class such as"):
        for_keras_tuner(given)
