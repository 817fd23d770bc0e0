"""Callbacks of scikit-learn (1.9 and later): a fit is a task, and each epoch is a subtask of it.

This makes `NNClassifier().set_callbacks(ProgressBar())` work, on an estimator or on a search around
it. scikit-learn before 1.9 has no such callbacks; the stand-ins below do nothing.
"""

import copy

from nnlite.callbacks import Callback

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before 1.9

    class _Unobserved:
        """The task of a fit, without callbacks."""

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
    """Tells scikit-learn's callbacks about a fit and its epochs; they may stop the training.

    Parameters
    ----------
    estimator : NNClassifier or NNRegressor
        The estimator, whose `fit` is decorated with `with_callbacks`.

    Attributes
    ----------
    stopped : bool
        Whether a callback wanted the training to stop.
    history : History
        The history of the training. It must come before this callback in the list.
    """

    def __init__(self, estimator):
        self.estimator, self.stopped = estimator, False
        self.fit = estimator._init_callback_context(max_subtasks=None)

    def begin(self, epochs, X, y, sample_weight=None):
        """Begin the task with the arguments of `fit`, once they are known to be right.

        Parameters
        ----------
        epochs : int
            The largest number of epochs.
        X, y, sample_weight : array-like
            What a ScoringMonitor scores.
        """
        self.fit.max_subtasks = epochs
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"X": X, "y": y, "metadata": weights}
        self.fit.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = self.fit.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_end(self, epoch, logs=None):
        stop = self._ended(self.epoch, lambda: self.estimator._as_fitted(self.model, self.history))
        self.stopped = self.stopped or stop
        self.model.stop_training = self.model.stop_training or stop

    def finish(self):
        """End the task, after the last epoch, when the estimator is fitted."""
        self._ended(self.fit, lambda: copy.copy(self.estimator))

    def _ended(self, task, fitted):
        """End a task: whether a callback wants to stop. `fitted` makes the estimator on demand."""
        return task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=lambda: vars(fitted()),
            **self.data,
        )
