"""The examination: `doctor` makes every check on a copy of a model, with data."""

import warnings

from nnlite import config
from nnlite.diagnosis import of_data, of_layers, of_training
from nnlite.diagnosis.case import SEED, case_of
from nnlite.diagnosis.finding import Diagnosis
from nnlite.models.model import Model

CHECKS = (
    of_data.loss_and_output,
    of_data.refused_targets,
    of_data.constant_targets,
    of_data.unscaled_inputs,
    of_data.unscaled_targets,
    of_data.duplicated_rows,
    of_data.imbalanced_classes,
    of_layers.untrained_layers,
    of_layers.dead_units,
    of_layers.saturated_units,
    of_layers.vanishing_gradients,
    of_layers.exploding_gradients,
    of_training.learning_rate,
    of_training.drifting_curves,
)


def doctor(model, X, y, validation_data=None):
    """Look for what keeps a network from learning.

    A copy is examined, in about a second: the model, or estimator, is not changed. It may be
    trained or not.

    - Of the data: inputs and targets that are not scaled, a loss that does not fit the output
      layer or the targets, targets that do not vary, rows that occur more than once, rare classes
      judged by accuracy.
    - Of the layers, from one batch: units that are dead or saturated, gradients that vanish or
      explode, layers that are not trained.
    - Of the training: a learning rate that is too high or too low, from a few steps with others;
      curves of the last `fit` that drift apart.

    Parameters
    ----------
    model : Model, NNClassifier, NNRegressor, KerasClassifier or KerasRegressor
        A model must be compiled.
    X : array, shape (n_samples, ...), or list or dict of them
        As `fit` takes it, best the training data.
    y : array, or list or dict of them
    validation_data : (X, y), optional
        Rows that the network is judged by, which should not be among those of X.

    Returns
    -------
    Diagnosis
        Its `findings`, the gravest first. It prints as a table; `plot()` draws the layers.

    Raises
    ------
    TypeError, ValueError
        If the data do not fit the model.
    RuntimeError
        If the model is not compiled.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(200, 4)), rng.integers(0, 3, 200)
    >>> model = nnlite.Sequential([nnlite.layers.Dense(3)])
    >>> model.compile("adam", "sparse_categorical_crossentropy")
    >>> [finding.name for finding in nnlite.doctor(model, X, y).findings]
    ['logits taken as probabilities']
    """
    with config.seeded(SEED), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of copies that train: the findings say it
        case = _case(model, X, y, validation_data)
        findings = [finding for check in CHECKS for finding in check(case)]
    examined = [check.__name__.replace("_", " ") for check in CHECKS]
    title = f"{case.model.name!r} on {case.rows:,} row{'' if case.rows == 1 else 's'}"
    return Diagnosis(title, findings, examined, case.missed, case.layers)


def _case(model, X, y, validation_data):
    if isinstance(model, Model):
        history = getattr(model.history, "history", None)
        return case_of(model, X, y, validation_data, history=history)
    if hasattr(model, "_for_examination") and not isinstance(model, type):
        seen = model._for_examination(X, y, validation_data)
        compiled, x, target, validation_data, history = seen
        return case_of(compiled, x, target, validation_data, estimator=model, history=history)
    got = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
    raise TypeError(
        f"model: expected a Model, NNClassifier or NNRegressor, got {got}; of a Pipeline give its "
        "last step, and X as that step gets it"
    )
