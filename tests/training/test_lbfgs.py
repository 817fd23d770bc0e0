"""L-BFGS: what it finds, what an epoch of it is, and what it refuses."""

import json
import pickle
import zipfile

import numpy as np
import pytest
from scipy.optimize import minimize

import nnlite as keras
from nnlite import layers
from nnlite.optimizers import LBFGS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = np.tanh(X @ RNG.normal(size=(3, 2))) @ RNG.normal(size=(2, 1)) + 0.3
WEIGHT = RNG.uniform(0.5, 2, 40)


def network(optimizer="lbfgs", real="float64", **settings):
    keras.utils.set_random_seed(0)
    with keras.config.precision(real):
        model = keras.Sequential([layers.Dense(4, "tanh", input_shape=(3,)), layers.Dense(1)])
    model.compile(optimizer, "mse", **settings)
    return model


def loss_and_gradient(vector, weight):
    """The weighted squared error of the network above and its gradient, in NumPy."""
    w1, b1 = vector[:12].reshape(3, 4), vector[12:16]
    w2, b2 = vector[16:20].reshape(4, 1), vector[20:]
    h = np.tanh(X @ w1 + b1)
    off = h @ w2 + b2 - Y
    dy = 2 * off * weight[:, None] / len(X)
    dh = dy @ w2.T * (1 - h * h)
    gradient = X.T @ dh, dh.sum(0), h.T @ dy, dy.sum(0)
    return np.mean(off[:, 0] ** 2 * weight), np.concatenate([g.ravel() for g in gradient])


@pytest.mark.parametrize("weighted", [False, True])
def test_it_takes_the_steps_of_scipy_on_the_loss_of_all_rows(weighted):
    weight = WEIGHT if weighted else np.ones(40)
    model, losses = network(), []
    start = np.concatenate([w.ravel() for w in model.get_weights()])
    expected = minimize(
        loss_and_gradient,
        start,
        args=(weight,),
        jac=True,
        method="L-BFGS-B",
        options={"gtol": 1e-4, "maxiter": 12},
        callback=lambda intermediate_result: losses.append(intermediate_result.fun),
    )
    history = model.fit(X, Y, sample_weight=weight, epochs=12, batch_size=7, verbose=0)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-7)
    got = np.concatenate([w.ravel() for w in model.get_weights()])
    np.testing.assert_allclose(got, expected.x, rtol=1e-5, atol=1e-7)


def test_it_ends_where_it_has_converged_or_a_callback_says_so():
    model = network(LBFGS(tol=0.01))
    history = model.fit(X, Y, epochs=500, verbose=0).history["loss"]
    assert 5 < len(history) < 400 and sorted(history, reverse=True) == history

    class Third(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    again = network(LBFGS(tol=0.01))
    assert again.fit(X, Y, epochs=500, verbose=0, callbacks=Third()).history["loss"] == history[:3]
    few = network(LBFGS(tol=0, max_fun=10)).fit(X, Y, epochs=500, verbose=0).history["loss"]
    assert 3 <= len(few) <= 10


def test_an_epoch_is_an_iteration_with_validation_metrics_and_callbacks():
    seen = []

    class Seen(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append(("begin", epoch))

        def on_epoch_end(self, epoch, logs=None):
            loss = self.model.evaluate(X, Y, verbose=0)[0]
            seen.append(("end", epoch, loss == pytest.approx(logs["loss"], rel=1e-6)))

    model = network(metrics=["mae"])
    history = model.fit(
        X, Y, epochs=4, validation_data=(X[:9], Y[:9]), verbose=0, callbacks=Seen()
    ).history
    assert {name: len(v) for name, v in history.items()} == dict.fromkeys(
        ("loss", "mae", "val_loss", "val_mae"), 4
    )
    assert seen == [e for k in range(4) for e in (("begin", k), ("end", k, True))]
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(X[:9], Y[:9], verbose=0)[0])


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_penalties_and_a_train_step_of_ones_own_are_minimised_too(real):
    class Own(keras.Sequential):
        def train_step(self, data):
            x, y = data[:2]
            with keras.GradientTape() as tape:
                loss = keras.ops.mean(keras.ops.square(self(x) - y)) + 0.1 * keras.ops.sum(
                    keras.ops.square(self.layers[0].kernel)
                )
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            return {"loss": loss}

    found = []
    for cls, penalty in (Own, None), (keras.Sequential, keras.regularizers.L2(0.1)):
        with keras.config.precision(real):
            model = cls([layers.Dense(1, kernel_regularizer=penalty, input_shape=(3,))])
        model.compile(LBFGS(tol=1e-6), "mse")
        model.fit(X, Y, epochs=100, verbose=0)
        found.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    centered, covered = X - X.mean(0), Y - Y.mean()
    ridge = np.linalg.solve(centered.T @ centered + 4 * np.eye(3), centered.T @ covered)[:, 0]
    for weights in found:
        np.testing.assert_allclose(weights[:3], ridge, atol=2e-3 if real == "float32" else 1e-5)


def test_copies_pickles_and_configs_keep_it():
    model = network(LBFGS(tol=0.5, max_fun=7, memory=3))
    model.fit(X, Y, epochs=2, verbose=0)
    copied = pickle.loads(pickle.dumps(model))
    for m in (model, copied):
        m.fit(X, Y, epochs=3, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), copied.get_weights()))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(model.optimizer))
    assert type(again) is LBFGS and (again.tol, again.max_fun, again.memory) == (0.5, 7, 3)
    assert type(keras.optimizers.get("LBFGS")) is type(keras.optimizers.get("lbfgs")) is LBFGS


def test_a_file_keeps_it_and_tells_keras_of_a_model_that_is_not_compiled(tmp_path):
    model = network(LBFGS(tol=0.5))
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is LBFGS and again.optimizer.tol == 0.5
    assert np.array_equal(again.predict(X), model.predict(X))
    for m in (model, again):
        m.fit(X, Y, epochs=2, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), again.get_weights()))
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert config["class_name"] == "Sequential" and config["compile_config"] is None


def test_keras_reads_the_file_of_such_a_model(tmp_path):
    peer = pytest.importorskip("keras")
    model = network(real="float32")
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    theirs = peer.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(theirs.predict(X, verbose=0), model.predict(X), atol=1e-5)


def batches():
    yield X, Y


@pytest.mark.parametrize(
    "work, error, message",
    [
        (lambda m: m.fit(batches(), verbose=0), ValueError, "expected arrays, as LBFGS takes all"),
        (lambda m: m.train_on_batch(X, Y), TypeError, "LBFGS: expected `fit` to call it"),
        (
            lambda m: m.optimizer.apply_gradients([(1.0, keras.Variable(1.0))]),
            TypeError,
            "LBFGS: expected `fit` to call it",
        ),
        (lambda m: LBFGS(tol=-1), ValueError, "tol"),
        (lambda m: LBFGS(max_fun=0), ValueError, "max_fun"),
        (lambda m: LBFGS(memory=2.5), ValueError, "memory"),
        (lambda m: LBFGS(learning_rate=1), TypeError, "learning_rate"),
    ],
)
def test_what_it_cannot_do_is_refused(work, error, message):
    model = network()
    before = model.get_weights()
    with pytest.raises(error, match=message):
        work(model)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_constraints_and_steps_without_a_loss_are_refused():
    model = keras.Sequential([layers.Dense(1, kernel_constraint="non_neg", input_shape=(3,))])
    model.compile("lbfgs", "mse")
    with pytest.raises(ValueError, match="LBFGS: expected weights without constraints, got"):
        model.fit(X, Y, verbose=0)
    model.layers[0].kernel.constraint = None
    model.layers[0].bias.overwrite_with_gradient = True
    with pytest.raises(ValueError, match="LBFGS: expected weights that it may change, got"):
        model.fit(X, Y, verbose=0)

    class Own(keras.Sequential):
        def train_step(self, data):
            super().train_step(data)
            return {"other": 1.0}

    model = Own([layers.Dense(1)])
    model.compile("lbfgs", "mse")
    with pytest.raises(ValueError, match="train_step: expected a 'loss' among what it returns"):
        model.fit(X, Y, verbose=0)
