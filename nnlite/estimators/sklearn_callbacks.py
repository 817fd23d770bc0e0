"""scikit-learn's callbacks (from 1.9 on): a fit is a task of theirs, and each epoch one within it.

`NNClassifier().set_callbacks(ProgressBar())`, on an estimator or on the search around it, works by
this. scikit-learn before 1.9 has no `set_callbacks`; nobody looks on there.
"""

import copy

from nnlite.callbacks import Callback

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before 1.9

    class _Unobserved:
        """The task of a fit that nobody can look at."""

        def subcontext(self, **about):
            return self

        def call_on_fit_task_begin(self, **about):
            return self

        def call_on_fit_task_end(self, **about):
            return False

    class CallbackSupportMixin:
        def _init_callback_context(self, **about):
            return _Unobserved()

    def with_callbacks(method):
        return method


class FitTasks(Callback):
    """Tells scikit-learn's callbacks of a fit and of its epochs; one of them may end the training.

    Parameters
    ----------
    estimator : NNClassifier or NNRegressor
        Whose `fit` is `with_callbacks`.
    epochs : int
        The most that there will be.
    X, y, sample_weight : array-like
        What `fit` was given; it is what a ScoringMonitor scores.

    Attributes
    ----------
    history : History
        Of the training that is looked at; it comes before this callback.
    """

    def __init__(self, estimator, epochs, X, y, sample_weight=None):
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.estimator, self.data = estimator, {"X": X, "y": y, "metadata": weights}
        self.fit = estimator._init_callback_context(max_subtasks=epochs)
        self.fit.call_on_fit_task_begin(estimator=estimator, **self.data)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = self.fit.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_end(self, epoch, logs=None):
        stop = self._ended(self.epoch, lambda: self.estimator._as_fitted(self.model, self.history))
        self.model.stop_training = self.model.stop_training or stop

    def finish(self):
        """After the last epoch, when the estimator is fitted."""
        self._ended(self.fit, lambda: copy.copy(self.estimator))

    def _ended(self, task, fitted):
        """Whether a callback wants to stop; `fitted` makes the estimator for those who ask."""
        return task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=lambda: vars(fitted()),
            **self.data,
        )
