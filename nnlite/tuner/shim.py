"""Keras Tuner itself over models of nnlite."""

import copy
from pathlib import Path

from nnlite.callbacks.foreign import as_callbacks
from nnlite.models.model import Model
from nnlite.tuner.objective import Objective
from nnlite.tuner.results import Recorder, executions_of

_WEIGHTS = "best.safetensors"


def for_keras_tuner(tuner_class):
    """A class of Keras Tuner's tuners that searches over models of nnlite.

    Its own classes take Keras's models alone. What is made here trains nnlite's, keeps the weights
    of the best epoch and loads them again; everything else is Keras Tuner's: how values are chosen,
    files, summaries. Keras Tuner needs Keras with one of its backends; `nnlite.tuner` does not.

    Parameters
    ----------
    tuner_class : class
        `keras_tuner.RandomSearch`, `GridSearch`, `BayesianOptimization`, `Hyperband`, or a subclass
        of `keras_tuner.Tuner`.

    Returns
    -------
    class
        With the same arguments and methods.

    Raises
    ------
    TypeError
        If it is no such class.

    Examples
    --------
    >>> import keras_tuner  # doctest: +SKIP
    >>> from nnlite.tuner import for_keras_tuner
    >>> RandomSearch = for_keras_tuner(keras_tuner.RandomSearch)  # doctest: +SKIP
    >>> tuner = RandomSearch(build, "val_accuracy", max_trials=5)  # doctest: +SKIP
    >>> tuner.search(x, y, epochs=5, validation_split=0.2)  # doctest: +SKIP
    """
    needed = "run_trial", "load_model", "get_trial_dir"
    if not isinstance(tuner_class, type) or not all(hasattr(tuner_class, n) for n in needed):
        raise TypeError(
            "for_keras_tuner: tuner_class: expected a class such as keras_tuner.RandomSearch, got "
            f"{tuner_class!r}"
        )

    class OverModels(tuner_class):
        def run_trial(self, trial, *args, **kwargs):
            hp, given = trial.hyperparameters, kwargs.pop("callbacks", None)
            objective = Objective(self.oracle.objective.name, self.oracle.objective.direction)
            recorder, results = Recorder(objective, self._weights_of(trial.trial_id)), []
            if "tuner/epochs" in hp.values:  # of Hyperband
                kwargs["epochs"] = hp.values["tuner/epochs"]
                kwargs["initial_epoch"] = hp.values["tuner/initial_epoch"]
            for _ in range(self.executions_per_trial):
                model = self._model_of(hp)
                past = hp.values.get("tuner/trial_id")
                if past is not None:
                    self._load(model, past)
                callbacks = [*copy.deepcopy(as_callbacks(given)), recorder]
                result = self.hypermodel.fit(hp, model, *args, callbacks=callbacks, **kwargs)
                results += [logs for logs, _, _ in executions_of(result, objective, "fit")]
            return results

        def load_model(self, trial):
            model = self._model_of(trial.hyperparameters)
            self._load(model, trial.trial_id)
            return model

        def _weights_of(self, trial_id):
            return Path(self.get_trial_dir(trial_id)) / _WEIGHTS

        def _load(self, model, trial_id):
            model.load_weights(self._weights_of(trial_id))

        def _model_of(self, hp):
            model = self.hypermodel.build(hp)
            if not isinstance(model, Model):
                raise TypeError(
                    f"hypermodel: expected it to return a Model of nnlite, got {model!r}"
                )
            return model

    OverModels.__name__ = OverModels.__qualname__ = tuner_class.__name__
    OverModels.__doc__ = tuner_class.__doc__
    return OverModels
