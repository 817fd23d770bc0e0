"""Callback: the methods that `fit`, `evaluate` and `predict` call on the way."""

from nnlite.configurable import Configurable


class Callback(Configurable):
    """Base of all: override any of the `on_...` methods; `self.model` is the model at work.

    Attributes
    ----------
    model : Model
    params : dict
        In a training 'epochs', 'steps' (None while the number of batches is not known), 'verbose'
        and 'do_validation'.

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

    model = None
    params = None

    def set_model(self, model):
        """Called before anything else."""
        self.model = model

    def set_params(self, *args, **params):
        """What is about to be done (epochs, steps) when `fit` calls it, settings of the callback by
        name otherwise."""
        if args:
            self.params = args[0]
            return self
        return super().set_params(**params)

    def on_train_begin(self, logs=None):
        """Before the first epoch."""

    def on_train_end(self, logs=None):
        """After the last epoch; `logs` holds its figures."""

    def on_epoch_begin(self, epoch, logs=None):
        """Before each epoch, counted from 0."""

    def on_epoch_end(self, epoch, logs=None):
        """After each epoch; `logs` holds its figures. What is added to it, the callbacks that
        follow and `History` see."""

    def on_progress(self, done, logs=None):
        """In an epoch of training, several times a second: after `done` batches, with the figures
        so far."""

    def on_train_batch_begin(self, batch, logs=None):
        """Before each batch. Overriding it makes `fit` return to Python between batches."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """After each batch, with the figures of the epoch so far. Overriding it makes `fit` return
        to Python between batches."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch, logs=None):
        """Another name of `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """Another name of `on_train_batch_end`."""

    def on_test_begin(self, logs=None):
        """Before an evaluation, of validation data too."""

    def on_test_end(self, logs=None):
        """After an evaluation; `logs` holds its figures."""

    def on_test_batch_begin(self, batch, logs=None):
        """Before each batch of an evaluation."""

    def on_test_batch_end(self, batch, logs=None):
        """After each batch of an evaluation, with the figures so far."""

    def on_predict_begin(self, logs=None):
        """Before a prediction."""

    def on_predict_end(self, logs=None):
        """After a prediction."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Before each batch of a prediction."""

    def on_predict_batch_end(self, batch, logs=None):
        """After each batch of a prediction; `logs` holds its 'outputs'."""

    def overrides(self, *methods):
        """Whether this callback has a method of its own for any of these."""
        return any(
            getattr(getattr(self, name), "__func__", None) is not getattr(Callback, name)
            for name in methods
        )

    def wants_batches(self, kind="train"):
        """Whether it has a method for the batches of a training ('train'), an evaluation ('test')
        or a prediction ('predict')."""
        names = [f"on_{kind}_batch_begin", f"on_{kind}_batch_end"]
        return self.overrides(*names, *(["on_batch_begin", "on_batch_end"] * (kind == "train")))


class LambdaCallback(Callback):
    """Functions as a callback, each under the name of the method that it stands for.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : function of (epoch, logs), optional
    on_train_begin, on_train_end, ... : function of (logs), optional
        Also for test and predict.
    on_train_batch_begin, on_train_batch_end, ... : function of (batch, logs), optional
        Also for test and predict; `on_batch_begin` and `on_batch_end` are other names of these.

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
    ):
        self.__dict__.update((k, f) for k, f in self._given.items() if f is not None)
