"""CallbackList: callbacks in loops of one's own."""

import numpy as np

import nnlite as keras
from nnlite import callbacks, layers

X, Y = np.ones((8, 2), "float32"), np.zeros((8, 1), "float32")


class Noted(callbacks.Callback):
    def __init__(self):
        self.calls = []

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("begin", epoch, self.params["epochs"]))

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append((batch, logs["loss"]))


def model():
    made = keras.Sequential([layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def test_a_loop_calls_all_of_them_with_model_and_params(capsys):
    net, noted = model(), Noted()
    called = callbacks.CallbackList(
        noted, add_history=True, add_progbar=True, model=net, epochs=2, steps=2, verbose=1
    )
    assert noted.model is net and isinstance(net.history, callbacks.History)
    called.on_train_begin()
    for epoch in range(2):
        called.on_epoch_begin(epoch)
        for batch in range(2):
            called.on_train_batch_end(batch, {"loss": 1.0})
        called.on_epoch_end(epoch, {"loss": 0.5})
    called.on_train_end()
    begun = [("begin", 0, 2), (0, 1.0), (1, 1.0), ("begin", 1, 2), (0, 1.0), (1, 1.0)]
    assert noted.calls == begun and net.history.history == {"loss": [0.5, 0.5]}
    assert "Epoch 2/2" in capsys.readouterr().out


def test_fit_takes_a_list_as_one_callback():
    noted = Noted()
    called = callbacks.CallbackList([noted])
    model().fit(X, Y, batch_size=4, verbose=0, callbacks=called)
    assert [call[0] for call in noted.calls] == ["begin", 0, 1]
    assert called.wants_batches() and not called.wants_batches("test")
    called.append(callbacks.History())
    assert len(called.callbacks) == 2


def test_what_is_there_already_is_not_added():
    history = callbacks.History()
    called = callbacks.CallbackList([history], add_history=True)
    assert called.callbacks == [history]
