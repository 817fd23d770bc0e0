"""Callback: methods that `fit`, `evaluate` and `predict` call while they run."""

import functools

from nnlite.callbacks.stateful import Stateful
from nnlite.configurable import Configurable
from nnlite.errors import did_you_mean


class Callback(Stateful, Configurable):
    """Base class of callbacks: a subclass overrides some of the methods `on_...`.

    Parameters
    ----------
    *args, **kwargs
        The arguments of a subclass's constructor.

    Attributes
    ----------
    model : Model
        The model that runs.
    params : dict
        In `fit`: 'epochs', 'steps' (None if the number of batches is unknown), 'verbose' and
        'do_validation'.

    Examples
    --------
    >>> import nnlite
    >>> class Loud(nnlite.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, sorted(logs))
    >>> model = nnlite.Sequential([nnlite.layers.Dense(1, input_shape=(2,))])
    >>> model.compile("sgd", "mse")
    >>> _ = model.fit([[1, 2]], [3], epochs=2, verbose=0, callbacks=Loud())
    0 ['loss']
    1 ['loss']
    """

    _keeps_the_fit = False  # whether it is called after all others, and asked before a fit begins
    # Whether several fits at once cannot each have a copy: it writes files, or tells others.
    _of_one_fit = False
    _ends_when_interrupted = False  # whether Ctrl-C calls its `on_train_end`

    model = None
    params = None

    def set_model(self, model):
        """Set the attribute `model`; called before all other methods.

        Parameters
        ----------
        model : Model
        """
        self.model = model

    def set_params(self, *args, **params):
        """Set the attribute `params` if `fit` calls it, else settings of the callback by name.

        Parameters
        ----------
        *args
            From `fit`: the dict `params`.
        **params
            New values of settings.

        Returns
        -------
        Callback
            Itself.
        """
        if args:
            self.params = args[0]
            return self
        return super().set_params(**params)

    def on_train_begin(self, logs=None):
        """Called before the first epoch.

        Parameters
        ----------
        logs : dict
            Empty.
        """

    def on_train_end(self, logs=None):
        """Called after the last epoch.

        Parameters
        ----------
        logs : dict
            The loss and the metric values of the last epoch.
        """

    def on_epoch_begin(self, epoch, logs=None):
        """Called before each epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.
        logs : dict
            Empty.
        """

    def on_epoch_end(self, epoch, logs=None):
        """Called after each epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.
        logs : dict
            The loss and the metric values of the epoch, those of validation data under 'val_...'.
            Later callbacks and `History` see entries that a callback adds.
        """

    def on_progress(self, done, logs=None):
        """Called several times a second during an epoch of training.

        Parameters
        ----------
        done : int
            Batches of the epoch that are finished.
        logs : dict
            The loss and the metric values of the epoch so far.
        """

    def on_train_batch_begin(self, batch, logs=None):
        """Called before each batch of training; `fit` then returns to Python between batches.

        Parameters
        ----------
        batch : int
            Number of the batch, from 0.
        logs : dict
            Empty.
        """
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """Called after each batch of training; `fit` then returns to Python between batches.

        Parameters
        ----------
        batch : int
            Number of the batch, from 0.
        logs : dict
            The loss and the metric values of the epoch so far.
        """
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch, logs=None):
        """Another name of `on_train_batch_begin`.

        Parameters
        ----------
        batch : int
            Number of the batch, from 0.
        logs : dict
            Empty.
        """

    def on_batch_end(self, batch, logs=None):
        """Another name of `on_train_batch_end`.

        Parameters
        ----------
        batch : int
            Number of the batch, from 0.
        logs : dict
            The loss and the metric values of the epoch so far.
        """

    def on_test_begin(self, logs=None):
        """Called before an evaluation, including one of validation data.

        Parameters
        ----------
        logs : dict
            Empty.
        """

    def on_test_end(self, logs=None):
        """Called after an evaluation.

        Parameters
        ----------
        logs : dict
            The loss and the metric values.
        """

    def on_test_batch_begin(self, batch, logs=None):
        """Called before each batch of an evaluation.

        Parameters
        ----------
        batch : int
            Number of the batch, from 0.
        logs : dict
            Empty.
        """

    def on_test_batch_end(self, batch, logs=None):
        """Called after each batch of an evaluation.

        Parameters
        ----------
        batch : int
            Number of the batch, from 0.
        logs : dict
            The loss and the metric values so far.
        """

    def on_predict_begin(self, logs=None):
        """Called before a prediction.

        Parameters
        ----------
        logs : dict
            Empty.
        """

    def on_predict_end(self, logs=None):
        """Called after a prediction.

        Parameters
        ----------
        logs : dict
            Empty.
        """

    def on_predict_batch_begin(self, batch, logs=None):
        """Called before each batch of a prediction.

        Parameters
        ----------
        batch : int
            Number of the batch, from 0.
        logs : dict
            Empty.
        """

    def on_predict_batch_end(self, batch, logs=None):
        """Called after each batch of a prediction.

        Parameters
        ----------
        batch : int
            Number of the batch, from 0.
        logs : dict
            The predictions of the batch, as 'outputs'.
        """

    def overrides(self, *methods):
        """Whether this callback overrides one of some methods.

        Parameters
        ----------
        *methods : str
            Their names.
        """
        of_class = _overridden(type(self))
        return not (of_class.isdisjoint(methods) and vars(self).keys().isdisjoint(methods))

    def wants_batches(self, kind="train"):
        """Whether this callback overrides a method that is called for each batch.

        Parameters
        ----------
        kind : {'train', 'test', 'predict'}, default 'train'
            The batches of a training, an evaluation or a prediction.
        """
        return self.overrides(*_OF_BATCHES[kind])


_OF_BATCHES = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


@functools.lru_cache(1024)
def _overridden(cls):
    """The names of the methods of Callback that a class overrides: loops ask in each epoch."""
    methods = vars(Callback).items()
    return frozenset(name for name, method in methods if getattr(cls, name, None) is not method)


class LambdaCallback(Callback):
    """A callback made of functions, each with the name of the method that it replaces.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : function of (epoch, logs), optional
    on_train_begin, on_train_end : function of (logs), optional
    on_train_batch_begin, on_train_batch_end : function of (batch, logs), optional
    on_batch_begin, on_batch_end : function of (batch, logs), optional
        Other names of `on_train_batch_begin` and `on_train_batch_end`.
    on_test_begin, on_test_end : function of (logs), optional
    on_test_batch_begin, on_test_batch_end : function of (batch, logs), optional
    on_predict_begin, on_predict_end : function of (logs), optional
    on_predict_batch_begin, on_predict_batch_end : function of (batch, logs), optional
    **kwargs
        Further functions by any name that does not begin with 'on_': attributes for the others.

    Raises
    ------
    TypeError
        If something is no function, or a name begins with 'on_' that no method has.

    Examples
    --------
    >>> from nnlite import callbacks
    >>> show = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
    """

    def __init__(
        self,
        on_epoch_begin=None,
        on_epoch_end=None,
        on_train_begin=None,
        on_train_end=None,
        on_train_batch_begin=None,
        on_train_batch_end=None,
        on_batch_begin=None,
        on_batch_end=None,
        on_test_begin=None,
        on_test_end=None,
        on_test_batch_begin=None,
        on_test_batch_end=None,
        on_predict_begin=None,
        on_predict_end=None,
        on_predict_batch_begin=None,
        on_predict_batch_end=None,
        **kwargs,
    ):
        for name in kwargs:
            if name.startswith("on_"):
                raise TypeError(
                    f"LambdaCallback: there is no method {name!r}"
                    f"{did_you_mean(name, self._signature())}"
                )
        for name, function in self._given.items():
            if function is not None and not callable(function):
                raise TypeError(f"LambdaCallback: {name}: expected a function, got {function!r}")
        self.__dict__.update((k, f) for k, f in self._given.items() if f is not None)
