"""Evaluation by the moving averages of the weights, while the training goes on with the weights."""

from nnlite.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Puts the averages of an optimizer with `use_ema` in place of the weights to evaluate.

    After the evaluation, or prediction, the weights are as before. If an error stops it, the next
    `fit`, `evaluate` or `predict` with this callback puts the weights back.

    Parameters
    ----------
    swap_on_epoch : bool, default False
        Whether the averages are in place at the end of each epoch, too, for the callbacks behind
        this one, such as `ModelCheckpoint`.

    Raises
    ------
    ValueError
        In `fit`, `evaluate` and `predict`, if the optimizer keeps no averages.

    Examples
    --------
    >>> import nnlite
    >>> model = nnlite.Sequential([nnlite.layers.Dense(1, input_shape=(2,))])
    >>> model.compile(nnlite.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    >>> averaged = nnlite.callbacks.SwapEMAWeights()
    >>> data = [[1.0, 2.0]], [3.0]
    >>> history = model.fit(*data, epochs=3, verbose=0, validation_data=data, callbacks=averaged)
    >>> history.history["val_loss"][-1] == model.evaluate(*data, verbose=0)
    True
    """

    _legal = {"swap_on_epoch": "bool"}
    _state = ("_weights",)
    _weights = None  # while the averages are in their place: the values, in order

    def __init__(self, swap_on_epoch=False):
        self.swap_on_epoch = swap_on_epoch
        self._check_given()

    def _averages(self):
        """Pairs of a weight and its average."""
        optimizer = self.model.optimizer
        parts = [] if optimizer is None else [p for p in optimizer._parts() if p.use_ema]
        if not parts:
            raise ValueError(
                f"SwapEMAWeights: expected an optimizer with use_ema=True, got {optimizer!r}"
            )
        return [pair for part in parts for pair in part._averages()]

    def _take_averages(self):
        pairs = self._averages()
        if self._weights is None:
            self._weights = [v.numpy() for v, _ in pairs]
            for v, average in pairs:
                v.assign(average)

    def _take_weights(self):
        if self._weights is not None:
            for (v, _), values in zip(self._averages(), self._weights):
                v.assign(values)
            self._weights = None

    def set_model(self, model):
        if model is not getattr(self, "model", None):
            self._weights = None
        super().set_model(model)

    def on_train_begin(self, logs=None):
        self._take_weights()  # an evaluation may have ended with an error

    def on_epoch_begin(self, epoch, logs=None):
        self._take_weights()

    def on_epoch_end(self, epoch, logs=None):
        if self.swap_on_epoch:
            self._take_averages()

    def on_train_end(self, logs=None):
        self._weights = None  # `fit` ends with the averages

    def on_test_begin(self, logs=None):
        self._take_averages()

    def on_test_end(self, logs=None):
        self._take_weights()

    def on_predict_begin(self, logs=None):
        self._take_averages()

    def on_predict_end(self, logs=None):
        self._take_weights()
