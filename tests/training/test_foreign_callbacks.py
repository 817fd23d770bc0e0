"""Callbacks of other libraries are taken by their methods."""

import copy

import numpy as np
import pytest
from small_models import LABELS, D, X, Y, classifier, line

import nnlite
from nnlite import callbacks


class Duck:
    """The least that a callback has."""

    def __init__(self):
        self.seen = []

    def set_model(self, model):
        self.model = model

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, sorted(logs), float(self.model.optimizer.learning_rate)))
        self.model.optimizer.learning_rate = 0.5 / (epoch + 2)
        self.model.stop_training = epoch == 1


class Base:
    """A base class as other libraries have one: every method is there and does nothing."""

    def __init__(self):
        self.seen = []

    def set_params(self, params):
        self.params = params

    def set_model(self, model):
        self.model = model

    def on_batch_begin(self, batch, logs=None):
        pass

    def on_batch_end(self, batch, logs=None):
        pass

    def on_train_batch_begin(self, batch, logs=None):
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self.on_batch_end(batch, logs)

    def on_epoch_begin(self, epoch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        pass


class AtEpochs(Base):
    def on_epoch_end(self, epoch, logs=None):
        logs["added"] = 7.0


class AtBatches(Base):
    def on_batch_end(self, batch, logs=None):
        self.seen.append((batch, "loss" in logs))


def test_the_least_callback_reads_and_changes_what_it_wants_of_the_model():
    duck, model = Duck(), line(D, rate=0.5)
    history = model.fit(X, Y, epochs=5, verbose=0, callbacks=[duck])
    assert duck.seen == [(0, ["loss"], 0.5), (1, ["loss"], 0.25)] and history.epoch == [0, 1]
    assert duck.model is model
    assert line(D).fit(X, Y, epochs=3, verbose=0, callbacks=Duck()).epoch == [0, 1]


def test_a_foreign_callback_gets_params_and_may_add_to_the_logs():
    watch = AtEpochs()
    history = line(D).fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=watch).history
    assert history["added"] == [7.0, 7.0]
    assert watch.params == {"epochs": 2, "steps": 5, "verbose": 0, "do_validation": False}


def test_only_methods_that_do_something_make_fit_return_between_batches():
    wanting = [callbacks.foreign.as_callbacks(c())[0] for c in (Duck, AtEpochs, AtBatches)]
    assert [c.wants_batches() for c in wanting] == [False, False, True]
    assert not any(c.wants_batches("test") for c in wanting)
    watch = AtBatches()
    line(D).fit(X, Y, batch_size=10, verbose=0, callbacks=[watch])
    assert watch.seen == [(k, True) for k in range(5)]
    watch = Base()
    watch.on_train_batch_end = lambda batch, logs: watch.seen.append(batch)
    line(D).fit(X, Y, batch_size=10, verbose=0, callbacks=[watch])
    assert watch.seen == list(range(5))


def test_old_names_of_methods_of_a_class_without_a_base_are_called():
    class Old:
        seen = ()

        def set_model(self, model):
            self.model = model

        def on_batch_end(self, batch, logs):
            self.seen = (*self.seen, batch)

    old = Old()
    line(D).fit(X, Y, batch_size=25, verbose=0, callbacks=[old])
    assert old.seen == (0, 1)


def test_estimators_take_them_too():
    made = []

    class Kept(Duck):
        def __deepcopy__(self, memo):
            made.append(copy.copy(self))
            return made[-1]

    nnlite.NNClassifier(epochs=4, callbacks=[Kept()], early_stopping=False).fit(X, LABELS)
    assert made[-1].seen and made[-1].seen[-1][0] == 1


def test_kerass_own_callbacks_work(monkeypatch, capsys):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    peer = pytest.importorskip("keras", exc_type=ImportError).callbacks
    ends = []
    model = classifier()
    stop = peer.EarlyStopping("val_loss", patience=0, min_delta=9.0, restore_best_weights=True)
    watch = [
        stop,
        peer.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=9.0),
        peer.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(epoch)),
        peer.TerminateOnNaN(),
    ]
    history = model.fit(
        X, LABELS, epochs=9, verbose=0, callbacks=watch, validation_data=(X, LABELS)
    )
    assert history.epoch == ends == [0, 1] and stop.stopped_epoch == 1
    rates = history.history["learning_rate"]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.5 * float(rates[0]))
    assert np.isfinite(model.predict(X)).all()
