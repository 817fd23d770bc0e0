"""nnlite and its peers, each at its best, behind one small interface: train a round, predict.

A class here lives in a worker's process (`timing.Worker`) and imports its library there, nowhere
else. A net is a list of (layer, arguments) under Keras's names; nnlite and Keras take it as it is,
PyTorch and JAX translate it by the tables `TORCH_LAYERS` and `JAX_LAYERS`, to which a new kind of
layer is added once. The last layer gives logits.
"""

import time
from dataclasses import dataclass

import data
import numpy as np

EPSILON = 1e-7  # of Adam, in all libraries


@dataclass
class Workload:
    """What is trained, and how.

    Parameters
    ----------
    name : str
    row_shape : tuple of int
    layers : list of (str, dict)
    optimizer : {'Adam', 'SGD'}
    learning_rate : float
    batch : int
    steps : int
        Of one epoch.
    epochs : int
        Of one round.
    """

    name: str
    row_shape: tuple
    layers: list
    optimizer: str
    learning_rate: float
    batch: int
    steps: int
    epochs: int

    @property
    def rows(self):
        """Of one epoch: full batches only."""
        return self.batch * self.steps

    @property
    def text(self):
        """For the head of a table."""
        widths = [str(n) for n in self.row_shape]
        layers = " ".join(
            f"{kind}({', '.join(str(v) for v in given.values())})" for kind, given in self.layers)
        return (f"{self.name}: input {'x'.join(widths)}, {layers}; {self.optimizer} "
                f"{self.learning_rate:g}, batch {self.batch}, {self.epochs} epochs of {self.rows} "
                "rows a round")


class Library:
    """Base of all: the rows, and what every library says in the same way."""

    own_weights = False  # the library cannot be given initial weights

    def __init__(self, workload, threads):
        self.workload, self.threads = workload, threads
        (x, y), self.test = data.mnist(workload.row_shape)
        self.x, self.y = x[:workload.rows], y[:workload.rows]
        self.build()

    def accuracy(self):
        """On the test rows."""
        x, y = self.test
        return float((self.outputs(x).argmax(axis=1) == y).mean())

    def predict(self, rows, times):
        """Predict the first rows of the test set `times` times, from array to array."""
        x = self.test[0][:rows]
        for _ in range(times):
            self.outputs(x)

    def times_for(self, rows, seconds):
        """How many such predictions take about so long."""
        self.predict(rows, 2)
        began = time.perf_counter()
        self.predict(rows, 3)
        return max(1, int(3 * seconds / (time.perf_counter() - began)))


class Nnlite(Library):
    """nnlite as its users run it: `Model.fit` and `Model.predict`, threads chosen by itself."""

    def build(self):
        import nnlite

        nnlite.utils.set_random_seed(0)
        layers = [getattr(nnlite.layers, kind)(**given) for kind, given in self.workload.layers]
        model = nnlite.Sequential([nnlite.layers.Input(self.workload.row_shape), *layers,
                                   nnlite.layers.Activation("softmax")])
        optimizer = getattr(nnlite.optimizers, self.workload.optimizer)(self.workload.learning_rate)
        model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
        self.model = model

    def weights(self):
        return self.model.get_weights()

    def load(self, weights):
        self.model.set_weights(weights)

    def train(self, shuffle):
        history = self.model.fit(self.x, self.y, batch_size=self.workload.batch,
                                 epochs=self.workload.epochs, shuffle=shuffle, verbose=0)
        return float(np.mean(history.history["loss"]))

    def outputs(self, x):
        return self.model.predict(x, verbose=0)


class Keras(Library):
    """Keras on TensorFlow: many steps for each call of its compiled function."""

    STEPS_A_CALL = 32

    def build(self):
        import keras
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(self.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(self.threads)
        layers = [getattr(keras.layers, kind)(**given) for kind, given in self.workload.layers]
        model = keras.Sequential([keras.layers.Input(self.workload.row_shape), *layers,
                                  keras.layers.Activation("softmax")])
        optimizer = getattr(keras.optimizers, self.workload.optimizer)(self.workload.learning_rate)
        model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy",
                      steps_per_execution=self.STEPS_A_CALL)
        self.model = model

    def load(self, weights):
        self.model.set_weights(weights)

    def train(self, shuffle):
        history = self.model.fit(self.x, self.y, batch_size=self.workload.batch,
                                 epochs=self.workload.epochs, shuffle=shuffle, verbose=0)
        return float(np.mean(history.history["loss"]))

    def outputs(self, x):
        if len(x) == 1:
            return self.model.predict_on_batch(x)
        return self.model.predict(x, batch_size=1024, verbose=0)


def _torch_dense(nn, weights, units, activation=None):
    kernel, bias = weights[0], weights[1]
    del weights[:2]
    layer = nn.Linear(*kernel.shape)
    layer.weight.data.copy_(layer.weight.new_tensor(kernel.T))
    layer.bias.data.copy_(layer.bias.new_tensor(bias))
    return [layer, *_torch_activation(nn, activation)]


def _torch_activation(nn, activation):
    return {None: [], "relu": [nn.ReLU()], "tanh": [nn.Tanh()]}[activation]


# Layer -> function of (torch.nn, weights in Keras's order, of which it takes its own from the
# front, arguments): a list of modules.
TORCH_LAYERS = {"Dense": _torch_dense}


class Torch(Library):
    """PyTorch: fused optimizer, index_select for the rows, no value read before the round's end."""

    def build(self):
        import torch

        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(True)
        self.torch = torch
        self.rows, self.labels = torch.from_numpy(self.x), torch.from_numpy(self.y).long()
        _known(TORCH_LAYERS, self.workload)

    def load(self, weights):
        torch, nn, weights = self.torch, self.torch.nn, list(weights)
        modules = [module for kind, given in self.workload.layers
                   for module in TORCH_LAYERS[kind](nn, weights, **given)]
        self.model = nn.Sequential(*modules)
        more = {"eps": EPSILON} if self.workload.optimizer == "Adam" else {}
        self.optimizer = getattr(torch.optim, self.workload.optimizer)(
            self.model.parameters(), lr=self.workload.learning_rate, fused=True, **more)

    def train(self, shuffle):
        losses = [loss for _ in range(self.workload.epochs) for loss in self._epoch(shuffle)]
        return self.torch.stack(losses).mean().item()

    def _epoch(self, shuffle):
        torch, batch = self.torch, self.workload.batch
        order = torch.randperm(len(self.rows)) if shuffle else None
        for start in range(0, len(self.rows), batch):
            if shuffle:
                index = order[start:start + batch]
                x, y = self.rows.index_select(0, index), self.labels.index_select(0, index)
            else:
                x, y = self.rows[start:start + batch], self.labels[start:start + batch]
            self.optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            yield loss.detach()

    def outputs(self, x):
        with self.torch.inference_mode():
            return self.model(self.torch.from_numpy(x)).softmax(1).numpy()


def _jax_dense(jax, weights, units, activation=None):
    own = weights[:2]
    del weights[:2]
    f = _jax_activation(jax, activation)
    return own, lambda own, x: f(x @ own[0] + own[1])


def _jax_activation(jax, activation):
    return {None: lambda x: x, "relu": jax.nn.relu, "tanh": jax.numpy.tanh}[activation]


# Layer -> function of (jax, weights in Keras's order, of which it takes its own from the front,
# arguments): the layer's weights and a function of (weights, x).
JAX_LAYERS = {"Dense": _jax_dense}


def _jax_adam(jax, rate):
    np = jax.numpy

    def update(t, weights, m, v, grads):
        a = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = jax.tree.map(lambda m, g: m + (g - m) * 0.1, m, grads)
        v = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, v, grads)
        return jax.tree.map(lambda w, m, v: w - a * m / (np.sqrt(v) + EPSILON), weights, m, v), m, v

    return 2, update


def _jax_sgd(jax, rate):
    return 0, lambda t, weights, grads: (jax.tree.map(lambda w, g: w - rate * g, weights, grads),)


# Optimizer -> the number of its slots, and (t, weights, *slots, grads) -> (weights, *slots).
JAX_OPTIMIZERS = {"Adam": _jax_adam, "SGD": _jax_sgd}


class Jax(Library):
    """JAX: one step as a jitted function whose state is donated; rows are gathered inside it."""

    most_steps_a_call = 1

    def build(self):
        import jax

        self.jax = jax
        self.random = np.random.default_rng(0)
        self.rows, self.labels = jax.numpy.asarray(self.x), jax.numpy.asarray(self.y)
        _known(JAX_LAYERS, self.workload)
        steps = range(1, min(self.most_steps_a_call, self.workload.steps) + 1)
        self.steps_a_call = max(n for n in steps if self.workload.steps % n == 0)

    def load(self, weights):
        jax = self.jax
        weights = [jax.numpy.array(w) for w in weights]
        layers = [JAX_LAYERS[kind](jax, weights, **given) for kind, given in self.workload.layers]
        own, self.functions = [list(w) for w, _ in layers], [f for _, f in layers]
        optimizer = JAX_OPTIMIZERS[self.workload.optimizer]
        slots, self.update = optimizer(jax, self.workload.learning_rate)
        state = [jax.tree.map(jax.numpy.zeros_like, own) for _ in range(slots)]
        self.carry = (jax.numpy.int32(0), jax.numpy.float32(0), own, *state)
        self.call = jax.jit(self._steps, donate_argnums=0)
        self.forward = jax.jit(lambda own, x: jax.nn.softmax(self._logits(own, x)))

    def _logits(self, own, x):
        for f, weights in zip(self.functions, own):
            x = f(weights, x)
        return x

    def _loss(self, own, x, y):
        log = self.jax.nn.log_softmax(self._logits(own, x))
        return -self.jax.numpy.take_along_axis(log, y[:, None], 1).mean()

    def _step(self, carry, x, y, order):
        """(steps done, sum of losses, weights, slots of the optimizer) -> the same a step later."""
        t, total, own, *slots = carry
        batch = self.workload.batch
        index = self.jax.lax.dynamic_slice(order, (t % self.workload.steps * batch,), (batch,))
        loss, grads = self.jax.value_and_grad(self._loss)(own, x[index], y[index])
        return (t + 1, total + loss, *self.update(t + 1, own, *slots, grads))

    def _steps(self, carry, x, y, order):
        if self.steps_a_call == 1:
            return self._step(carry, x, y, order)
        return self.jax.lax.scan(lambda c, _: (self._step(c, x, y, order), None), carry, None,
                                 length=self.steps_a_call)[0]

    def train(self, shuffle):
        in_order = np.arange(len(self.rows), dtype=np.int32)
        before, carry = float(self.carry[1]), self.carry
        for _ in range(self.workload.epochs):
            order = self.random.permutation(in_order) if shuffle else in_order
            order = self.jax.numpy.asarray(order)
            for _ in range(self.workload.steps // self.steps_a_call):
                carry = self.call(carry, self.rows, self.labels, order)
        self.carry = self.jax.block_until_ready(carry)
        return (float(carry[1]) - before) / (self.workload.steps * self.workload.epochs)

    def outputs(self, x):
        return np.asarray(self.forward(self.carry[2], x))


class JaxScan(Jax):
    """JAX: about a hundred steps in one `lax.scan`."""

    most_steps_a_call = 100


class Sklearn(Library):
    """scikit-learn's MLPClassifier, an epoch for each partial_fit; it initialises by itself."""

    own_weights = True

    def build(self):
        from sklearn.neural_network import MLPClassifier

        *hidden, last = [given for _, given in self.workload.layers]
        dense = all(kind == "Dense" for kind, _ in self.workload.layers)
        if not dense or last.get("activation") or {h["activation"] for h in hidden} != {"relu"}:
            raise NotImplementedError(f"MLPClassifier has no such net as {self.workload.name}")
        self.model = MLPClassifier(
            [h["units"] for h in hidden], "relu", solver=self.workload.optimizer.lower(), alpha=0.0,
            batch_size=self.workload.batch, learning_rate_init=self.workload.learning_rate,
            momentum=0.0, epsilon=EPSILON, random_state=0)

    def load(self, weights):
        pass

    def train(self, shuffle):
        self.model.shuffle = shuffle
        for _ in range(self.workload.epochs):
            self.model.partial_fit(self.x, self.y, classes=np.arange(10))
        return float(np.mean(self.model.loss_curve_[-self.workload.epochs:]))

    def outputs(self, x):
        return self.model.predict_proba(x)


LIBRARIES = {"nnlite": Nnlite, "torch": Torch, "jax-step": Jax, "jax-scan": JaxScan, "keras": Keras,
             "sklearn": Sklearn}


def _known(table, workload):
    """Raise if a layer of the net has no translation yet."""
    for kind, _ in workload.layers:
        if kind not in table:
            raise NotImplementedError(f"no translation of the layer {kind} here yet")
