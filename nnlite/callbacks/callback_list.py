"""CallbackList: several callbacks as one, for training loops of one's own."""

import functools

from nnlite.callbacks.callback import Callback
from nnlite.callbacks.foreign import METHODS, as_callbacks
from nnlite.callbacks.loggers import History, ProgbarLogger


class CallbackList(Callback):
    """Several callbacks, which are called together.

    Parameters
    ----------
    callbacks : Callback or list of them, optional
    add_history : bool, default False
        Whether a History is added if there is none; the model's `history` is it.
    add_progbar : bool, default False
        Whether a ProgbarLogger is added if there is none.
    model : Model, optional
        What the callbacks know as `model`.
    **params
        What they know as `params`: epochs, steps, verbose.

    Examples
    --------
    >>> import nnlite
    >>> called = nnlite.callbacks.CallbackList(
    ...     nnlite.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs)),
    ...     add_history=True,
    ... )
    >>> called.on_epoch_end(0, {"loss": 0.5})
    0 {'loss': 0.5}
    >>> called.callbacks[-1].history
    {'loss': [0.5]}
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, **params):
        self.callbacks = as_callbacks(callbacks)
        for wanted, kind in ((add_history, History), (add_progbar, ProgbarLogger)):
            if wanted and not any(isinstance(c, kind) for c in self.callbacks):
                self.callbacks.append(kind())
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def append(self, callback):
        """Add a callback.

        Parameters
        ----------
        callback : Callback
        """
        self.callbacks += as_callbacks(callback)

    def set_model(self, model):
        self.model = model
        for c in self.callbacks:
            c.set_model(model)
            if isinstance(c, History):
                model.history = c

    def set_params(self, *args, **params):
        self.params = args[0] if args else params
        for c in self.callbacks if self.params else ():
            c.set_params(self.params)
        return self

    def overrides(self, *methods):
        return any(c.overrides(*methods) for c in self.callbacks)


def _to_all(name):
    @functools.wraps(getattr(Callback, name))
    def method(self, *args, **kwargs):
        for c in self.callbacks:
            getattr(c, name)(*args, **kwargs)

    return method


for _name in METHODS:
    setattr(CallbackList, _name, _to_all(_name))
