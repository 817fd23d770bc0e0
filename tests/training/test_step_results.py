"""What a step of one's own returns is what callbacks, the history and `evaluate` report."""

import os

import numpy as np
import pytest
from small_models import TwoLayers, data

import nnlite as keras
from nnlite import layers, metrics, ops, regularizers

X, Y = data((50, 6)), data((50, 1), seed=1)


class Returning(TwoLayers):
    """Steps that return what a function makes of the loss."""

    def __init__(self, returned):
        super().__init__()
        self.returned = returned
        self.seen = metrics.Mean("seen")

    def step(self, data):
        x, y = data[:2]
        with keras.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x))
        self.seen.update_state(loss)
        return loss, tape

    def train_step(self, data):
        loss, tape = self.step(data)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return self.returned(self, loss)

    def test_step(self, data):
        return self.returned(self, self.step(data)[0])


class Batches(keras.callbacks.Callback):
    """Keeps the logs of every batch."""

    def __init__(self):
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append(logs)


def fitted(returned, watch=(), **how):
    keras.utils.set_random_seed(3)
    model = Returning(returned)
    model.compile("sgd", "mse", **how)
    return model, model.fit(X, Y, batch_size=20, epochs=3, verbose=0, callbacks=list(watch))


@pytest.mark.parametrize("eager", [False, True])
def test_a_tensor_that_a_step_returns_is_the_value_of_the_last_batch(eager):
    watch = Batches()
    model, history = fitted(lambda m, loss: {"loss": loss}, [watch], run_eagerly=eager)
    assert list(history.history) == ["loss"] and len(watch.logs) == 9
    assert [logs["loss"] for logs in watch.logs[2::3]] == history.history["loss"]
    assert 0 < history.history["loss"][-1] and len({log["loss"] for log in watch.logs}) == 9
    value = model.evaluate(X[:20], Y[:20], batch_size=20)
    assert value == pytest.approx(np.mean((model.predict(X[:20]) - Y[:20]) ** 2), rel=1e-5)


def test_eager_and_planned_steps_report_the_same():
    def returned(model, loss):
        return {"loss": loss, "twice": 2.0 * loss, "both": ops.stack([loss, loss]), "rate": 0.5}

    planned, eager = fitted(returned)[1].history, fitted(returned, run_eagerly=True)[1].history
    assert list(planned) == ["loss", "twice", "both", "rate"]
    for name in planned:
        assert np.array_equal(planned[name], eager[name])
    assert planned["twice"] == [2 * v for v in planned["loss"]] and planned["rate"] == [0.5] * 3
    assert planned["both"][0].shape == (2,)


def test_results_of_metrics_are_means_over_the_epoch():
    def returned(model, loss):
        return {m.name: m.result() for m in model.metrics if m.name == "seen"}

    watch = Batches()
    _, history = fitted(lambda m, loss: {**returned(m, loss), "last": loss}, [watch])
    last = [logs["last"] for logs in watch.logs]
    assert history.history["seen"][0] == pytest.approx(np.mean(last[:3]), rel=1e-6)
    assert history.history["seen"][2] == pytest.approx(np.mean(last[6:]), rel=1e-6)


def test_a_step_that_returns_nothing_reports_the_running_metrics():
    _, history = fitted(lambda m, loss: None)
    assert list(history.history) == ["loss", "seen"]


def test_a_variable_is_read_after_the_step():
    _, history = fitted(lambda m, loss: {"rate": m.optimizer.learning_rate})
    assert history.history["rate"] == pytest.approx([0.01] * 3)


@pytest.mark.parametrize("eager", [False, True])
def test_the_value_of_a_variable_is_read_after_the_step_too(eager):
    def returned(model, loss):
        return {"steps": model.optimizer.iterations.value}

    assert fitted(returned, run_eagerly=eager)[1].history["steps"] == [3, 6, 9]


def test_what_logs_cannot_hold_is_an_error_that_names_it():
    with pytest.raises(TypeError, match="train_step: 'losses': expected a tensor"):
        fitted(lambda m, loss: {"losses": [loss]})


def test_what_is_no_dict_is_an_error_that_says_what_is_expected():
    with pytest.raises(TypeError, match="train_step: expected it to return a dict"):
        fitted(lambda m, loss: loss)


def test_a_metric_has_no_value_inside_a_traced_step():
    with pytest.raises(RuntimeError, match="metric 'seen' has no value inside a traced step"):
        fitted(lambda m, loss: {"loss": m.seen.result() * 2})
    history = fitted(lambda m, loss: {"loss": m.seen.result() * 2}, run_eagerly=True)[1]
    assert history.history["loss"][0] > 0


def test_early_stopping_watches_what_a_step_returns():
    stop = keras.callbacks.EarlyStopping("mine", mode="min")
    _, history = fitted(lambda m, loss: {"mine": 0.0 * loss}, [stop])
    assert len(history.epoch) == 2


class Ordinary(keras.Model):
    """Attributes of ordinary names."""

    def __init__(self):
        super().__init__()
        self.real = layers.Dense(3)
        self.track, self.changed, self.losses_seen = layers.Dense(2), [1], 0
        self.sublayers, self.noted_as, self.metric_results = 5, "x", {}
        self.clone, self.figure, self.edits = None, None, None

    def call(self, x):
        return self.track(self.real(x))


def test_attributes_of_any_ordinary_name_are_the_users():
    model = Ordinary()
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    copy = keras.Sequential([Ordinary(), layers.Dense(1)])
    assert model.count_params() == 29 and copy(X).shape == (50, 1)
    assert (model.sublayers, model.changed, model.clone) == (5, [1], None)


@pytest.mark.parametrize(
    "name", ["metrics", "losses", "weights", "layers", "input", "fit", "summary"]
)
def test_a_name_that_the_library_needs_is_refused_with_the_reason(name):
    with pytest.raises(AttributeError, match=f"{name!r} .*choose another name"):
        setattr(TwoLayers(), name, layers.Dense(2))


def test_a_method_may_be_replaced_by_a_function():
    model = TwoLayers()
    model.call = lambda inputs: inputs
    model.name = "mine"
    assert model.name == "mine" and model(X).shape == X.shape


def traces(model, monkeypatch):
    """A list of the models whose steps are traced from now on."""
    from nnlite.training import step_cache

    made, init = [], step_cache.CompiledStep.__init__

    def spy(self, *args):
        made.append(args[0])
        init(self, *args)

    monkeypatch.setattr(step_cache.CompiledStep, "__init__", spy)
    return made


class Elsewhere(keras.callbacks.Callback):
    """Makes and changes a model that has nothing to do with the one in training."""

    def on_epoch_end(self, epoch, logs=None):
        other = keras.Sequential([layers.Dense(2, input_shape=(3,))])
        other.layers[0].trainable = False


def test_other_models_leave_a_models_steps_alone(monkeypatch):
    model = TwoLayers()
    made = traces(model, monkeypatch)
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=25, epochs=4, verbose=0, callbacks=Elsewhere())
    model.predict(X)
    Elsewhere().on_epoch_end(0)
    model.predict(X)
    assert made == [model, model]


def _of_two_weights(loss):
    model = keras.Sequential([layers.Dense(1, kernel_regularizer=regularizers.L2(0.1))])
    model.build((None, 6))
    model.compile("sgd", loss, metrics=["mae"])
    return model


def test_fits_share_their_steps(monkeypatch):
    model = _of_two_weights("mse")
    made = traces(model, monkeypatch)
    for _ in range(3):
        model.fit(X, Y, 50, verbose=0, validation_data=(X, Y), validation_batch_size=50)
    assert len(made) == 2  # one to train, one to evaluate
    model.predict(X)
    model.fit(X, Y, 50, verbose=0)
    model.predict(X)  # the fit took the place of what predictions keep
    assert len(made) == 4


CHANGES = {
    "weight": lambda model: setattr(model.layers[0].bias, "trainable", False),
    "penalty": lambda model: setattr(model.layers[0].kernel_regularizer, "l2", 0.0),
    "constraint": lambda model: setattr(model.layers[0].kernel, "constraint", abs),
    "loss": lambda model: setattr(model.loss, "delta", 0.5),
    "metric": lambda model: setattr(model.metrics[1], "name", "error"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_between_fits_counts_from_the_next_one_on(monkeypatch, change):
    model = _of_two_weights(keras.losses.Huber(2.0))
    made = traces(model, monkeypatch)
    model.fit(X, Y, 50, verbose=0)
    model.fit(X, Y, 50, verbose=0)
    assert len(made) == 1
    CHANGES[change](model)
    model.fit(X, Y, 50, verbose=0)
    assert len(made) == 2


def test_a_fit_takes_the_epsilon_of_its_time(monkeypatch):
    model = _of_two_weights("mape")
    model.fit(X, np.zeros_like(Y), verbose=0)
    want = model.evaluate(X, np.zeros_like(Y), verbose=0)[0]
    monkeypatch.setitem(keras.config._settings, "epsilon", 1e-5)
    model.optimizer.learning_rate = 0.0
    loss = model.fit(X, np.zeros_like(Y), verbose=0).history["loss"][0]
    assert loss < want / 10


def test_each_fit_traces_functions_of_ones_own_which_may_read_anything():
    rate = [1.0]
    model = _of_two_weights(lambda y_true, y_pred: rate[0] * ops.mean(y_pred, axis=-1))
    model.layers[0].kernel.regularizer = None
    for rate[0] in (1.0, 0.0):
        before = model.get_weights()
        model.fit(X, Y, 50, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), before))


def resident():
    """Bytes of memory that this process has."""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("only Linux tells")
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_fit_gives_back_its_working_memory():
    model = keras.Sequential(
        [layers.UpSampling1D(2**15, input_shape=(1, 64)), layers.GlobalAveragePooling1D()]
    )
    model.add(layers.Dense(1))
    model.compile("sgd", "mse")
    x, y, before = np.ones((8, 1, 64)), np.ones(8), resident()
    model.fit(x, y, verbose=0)
    (step,) = model._step_cache.steps.values()
    assert resident() - before < step.plan.arena_bytes / 2 > 2**25
    model.fit(x, y, verbose=0)
    assert step in model._step_cache.steps.values()


@pytest.mark.parametrize("change", ["setting", "list", "optimizer"])
def test_a_change_deep_in_a_model_makes_its_steps_again(monkeypatch, change):
    inner = keras.Sequential([layers.Dense(4, input_shape=(6,)), layers.Dropout(0.0)])
    model = keras.Sequential([inner, layers.Dense(1)])
    model.compile("sgd", "mse")
    made = traces(model, monkeypatch)
    model.train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    assert len(made) == 1
    if change == "setting":
        inner.layers[1].rate = 0.5
    elif change == "list":
        inner.add(layers.Activation("tanh"))
    else:
        model.optimizer.momentum = 0.5
    model.train_on_batch(X, Y)
    assert len(made) == 2


def test_logs_are_a_dict_for_every_method_of_a_callback():
    seen = {}

    class Watching(keras.callbacks.Callback):
        def __getattribute__(self, name):
            if name.startswith("on_"):
                return lambda *args: seen.setdefault(name, args[-1])
            return super().__getattribute__(name)

    model = TwoLayers()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0, callbacks=Watching())
    model.evaluate(X, Y, callbacks=Watching())
    model.predict(X, callbacks=Watching())
    assert {type(logs) for logs in seen.values()} == {dict} and len(seen) >= 8


def loss_of_pair(y, outputs):
    first, second = y.values() if isinstance(y, dict) else y
    return ops.mean(ops.abs(outputs - first)) + ops.mean(ops.square(second))


class StepOnPairs(keras.Model):
    def test_step(self, data):
        x, y = data
        return {"loss": loss_of_pair(y, self(x))}


class LossOfPairs(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return loss_of_pair(y, y_pred)


@pytest.mark.parametrize("like", [lambda a, b: (a, b), lambda a, b: {"a": a, "b": b}])
@pytest.mark.parametrize("of", [StepOnPairs, LossOfPairs])
def test_targets_that_a_step_or_loss_of_ones_own_compares_are_nested_in_any_way(of, like):
    inputs = keras.Input((6,))
    model = of(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", loss=None)
    logs = model.evaluate(X, like(Y, 3 * Y), batch_size=50, return_dict=True)
    expected = np.mean(abs(model.predict(X) - Y)) + np.mean((3 * Y) ** 2)
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_a_loss_of_ones_own_is_told_whether_it_is_training():
    class Penalty(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = super().compute_loss(x, y, y_pred, sample_weight)
            return loss + 10.0 if training else loss

    class Untold(keras.Model):
        def compute_loss(self, x, y, y_pred, sample_weight):
            return super().compute_loss(x, y, y_pred, sample_weight)

    inputs = keras.Input((6,))
    outputs = layers.Dense(1)(inputs)
    told, untold = Penalty(inputs, outputs), Untold(inputs, outputs)
    for model in (told, untold):
        model.compile(keras.optimizers.SGD(0.0), "mse")
    error = untold.evaluate(X, Y)
    assert told.evaluate(X, Y) == error
    assert untold.fit(X, Y, verbose=0).history["loss"] == pytest.approx([error], rel=1e-6)
    history = told.fit(X, Y, verbose=0, validation_data=(X, Y)).history
    assert history["val_loss"] == [error]
    assert history["loss"] == pytest.approx([error + 10.0], rel=1e-6)


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_step_gets_x_itself_where_there_are_no_targets(eagerly):
    class Seen(keras.Model):
        def train_step(self, data):
            seen.append(keras.utils.unpack_x_y_sample_weight(data))
            return {"sum": ops.sum(data)}

    for given in (X, iter([(X,)])):
        seen, model = [], Seen()
        model.compile(run_eagerly=eagerly)
        sums = model.fit(given, batch_size=50, verbose=0).history["sum"]
        assert sums == pytest.approx([X.sum()], rel=1e-4, abs=1e-4)
        assert type(seen[0][0]).__name__ == "Tensor" and seen[0][1:] == (None, None)


def test_lists_of_inputs_stand_in_a_tuple():
    pack = keras.utils.pack_x_y_sample_weight
    assert pack([1, 2]) == ([1, 2],) and pack({"a": 1}) == {"a": 1} and pack(1, 2, 3) == (1, 2, 3)
    assert pack(1, None, 3) == (1, None, 3)


class Extremes(keras.metrics.Metric):
    """The means of the outputs and of the targets, as one dict."""

    def __init__(self):
        super().__init__(name="means")
        self.of = {"out": keras.metrics.Mean(), "target": keras.metrics.Mean()}

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.of["out"].update_state(y_pred)
        self.of["target"].update_state(y_true)

    def result(self):
        return {name: mean.result() for name, mean in self.of.items()}

    def reset_state(self):
        for mean in self.of.values():
            mean.reset_state()


class ReturnsAll(keras.Sequential):
    def test_step(self, data):
        super().test_step(data)
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.parametrize("kind", [keras.Sequential, ReturnsAll])
@pytest.mark.parametrize("eagerly", [False, True])
def test_what_a_metric_gives_as_a_dict_stands_in_logs_by_its_own_names(kind, eagerly):
    model = kind([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Extremes()], run_eagerly=eagerly)
    x, y = np.ones((4, 3), "float32"), np.full((4, 1), 2.0, "float32")
    found = model.evaluate(x, y, return_dict=True, verbose=0)
    assert [*found] == ["loss", "out", "target"] and found["target"] == 2
    assert found["out"] == pytest.approx(model.predict(x, verbose=0).mean(), rel=1e-5)
    history = model.fit(x, y, validation_data=(x, y), verbose=0).history
    assert [*history] == ["loss", "out", "target", "val_loss", "val_out", "val_target"]


class OfTriplets(keras.Model):
    """Its steps give all of a batch, a tuple of three arrays, to the network inside."""

    def __init__(self):
        super().__init__()
        rows = [keras.Input((3,)) for _ in range(3)]
        shared = layers.Dense(2)
        anchor, near, far = (shared(r) for r in rows)
        self.distances = keras.Model(
            rows, [ops.sum((anchor - other) ** 2, axis=-1) for other in (near, far)]
        )

    def call(self, inputs):
        return self.distances(inputs)

    def train_step(self, data):
        with keras.GradientTape() as tape:
            near, far = self.distances(data)
            loss = ops.mean(ops.maximum(near - far + 1.0, 0.0))
        weights = self.distances.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        return {"loss": loss}


def test_steps_may_take_what_a_generator_yields_as_inputs():
    rng = np.random.default_rng(0)
    triplets = tuple(rng.normal(size=(12, 3)).astype("float32") for _ in range(3))
    model = OfTriplets()
    model.compile("adam")
    data = keras.data.Dataset.from_tensor_slices(triplets).batch(4)
    history = model.fit(data, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]
    near, far = model(list(triplets))
    assert near.shape == far.shape == (12,)


def test_a_model_whose_layers_are_not_built_says_what_its_call_refused():
    class Unfinished(OfTriplets):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(1)

    model = Unfinished()
    model.compile("adam")
    data = keras.data.Dataset.from_tensor_slices((X[:4, :3],) * 3).batch(2)
    with pytest.raises(ValueError, match="expected 3 inputs"):
        model.fit(data, verbose=0)
