"""What is trained, and the libraries behind one small interface: train a round, predict.

A class here lives in a worker's process (`timing.Worker`) and imports its library there, nowhere
else. A net is a list of (layer, arguments) under Keras's names, whose last layer gives logits.
nnlite and Keras take it as it is; PyTorch and JAX, in files of their own, translate it.
"""

import time
from dataclasses import dataclass

import data
import numpy as np

EPSILON = 1e-7  # of Adam, in all libraries
# Keras's defaults, for the libraries that have others.
L2 = 0.01  # of the regularizer "l2": what it multiplies the sum of squares by
NORM_EPSILON, NORM_MOMENTUM = 1e-3, 0.99  # of BatchNormalization


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
    slice : int, default 10,000
        Rows that a peer predicts at once, so that what lies between its layers stays in the cache.
    noise : bool, default False
        The rows are noise of any shape, instead of MNIST.
    vocabulary : int, default 0
        If not 0: the rows are token ids below this, instead of MNIST.
    """

    name: str
    row_shape: tuple
    layers: list
    optimizer: str
    learning_rate: float
    batch: int
    steps: int
    epochs: int
    slice: int = 10_000
    noise: bool = False
    vocabulary: int = 0

    @property
    def rows(self):
        """Of one epoch: full batches only."""
        return self.batch * self.steps

    @property
    def predicted(self):
        """How many rows are predicted at once: one, and all that are tested on."""
        return 1, (1000 if self.vocabulary else 10_000)

    @property
    def data_name(self):
        """What the rows are, for the tables."""
        return "made-up sentences" if self.vocabulary else data.name()

    def data(self):
        """(x, y) for training, and for tests."""
        if self.vocabulary:
            return data.tokens(self.vocabulary, *self.row_shape, self.rows)
        return data.noise(self.row_shape, self.rows) if self.noise else data.mnist(self.row_shape)

    @property
    def text(self):
        """For the head of a table."""
        widths = [str(n) for n in self.row_shape]
        layers = " ".join(
            f"{kind}({', '.join(str(v) for v in given.values())})" for kind, given in self.layers
        )
        return (
            f"{self.name}: input {'x'.join(widths)}, {layers}; {self.optimizer} "
            f"{self.learning_rate:g}, batch {self.batch}, {self.epochs} epochs of {self.rows} "
            "rows a round"
        )


class Library:
    """Base of all: the rows, and what every library says in the same way."""

    package = None  # what is imported
    own_weights = False  # the library cannot be given initial weights

    def __init__(self, workload, threads):
        self.workload, self.threads = workload, threads
        (x, y), self.test = workload.data()
        self.x, self.y = x[: workload.rows], y[: workload.rows]
        self.build()

    def _need(self, translations):
        """Raise if a layer of the net has no translation yet."""
        for kind, _ in self.workload.layers:
            if kind not in translations:
                raise NotImplementedError(f"no translation of the layer {kind} here yet")

    def accuracy(self):
        """On the test rows."""
        x, y = self.test
        return float((self.outputs(x).argmax(axis=1) == y).mean())

    def outputs(self, x):
        """Predictions for any number of rows."""
        size = self.workload.slice
        if len(x) <= size:
            return self._outputs(x)
        return np.concatenate([self._outputs(x[n : n + size]) for n in range(0, len(x), size)])

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

    package = "nnlite"

    def build(self):
        import nnlite

        nnlite.utils.set_random_seed(0)
        self._make(nnlite)

    def _make(self, library, **settings):
        """The compiled model, of a library with Keras's names."""
        workload = self.workload
        inside = [self._layer(library, kind)(**given) for kind, given in workload.layers]
        before = library.layers.Input(workload.row_shape, dtype=self.x.dtype.name)
        after = library.layers.Activation("softmax")
        self.model = library.Sequential([before, *inside, after])
        optimizer = getattr(library.optimizers, workload.optimizer)(workload.learning_rate)
        self.model.compile(optimizer, loss="sparse_categorical_crossentropy", **settings)

    def _layer(self, library, kind):
        try:
            return getattr(library.layers, kind)
        except AttributeError:
            raise NotImplementedError(f"{self.package} has no layer {kind} yet") from None

    def weights(self):
        return self.model.get_weights()

    def load(self, weights):
        self.model.set_weights(weights)

    def train(self, shuffle):
        history = self.model.fit(
            self.x,
            self.y,
            batch_size=self.workload.batch,
            epochs=self.workload.epochs,
            shuffle=shuffle,
            verbose=0,
        )
        return float(np.mean(history.history["loss"]))

    def outputs(self, x):
        return self.model.predict(x, verbose=0)


class Keras(Nnlite):
    """Keras on TensorFlow: many steps for each call of its compiled function."""

    package = "keras"
    STEPS_A_CALL = 32
    jit_compile = "auto"  # by XLA only where there is another device than a CPU

    def build(self):
        import keras
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(self.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(self.threads)
        self._make(keras, steps_per_execution=self.STEPS_A_CALL, jit_compile=self.jit_compile)

    def _layer(self, library, kind):
        if kind == "TransformerEncoder":
            return keras_encoder(library)
        return super()._layer(library, kind)

    def outputs(self, x):
        if len(x) == 1:
            return self.model.predict_on_batch(x)
        return self.model.predict(x, batch_size=self.workload.slice, verbose=0)


def keras_encoder(keras):
    """nnlite's TransformerEncoder of Keras's layers, with its weights in the same order."""
    layers = keras.layers

    class TransformerEncoder(layers.Layer):
        def __init__(self, intermediate_dim, num_heads):
            super().__init__()
            self.units, self.heads = intermediate_dim, num_heads

        def build(self, shape):
            width = shape[-1]
            self.attention = layers.MultiHeadAttention(self.heads, width // self.heads)
            self.attention.build(shape, shape)
            self.norms = [layers.LayerNormalization(epsilon=1e-5) for _ in range(2)]
            self.inner, self.outer = layers.Dense(self.units, "relu"), layers.Dense(width)
            for layer in (*self.norms, self.inner):
                layer.build(shape)
            self.outer.build((*shape[:-1], self.units))

        def call(self, x):
            x = self.norms[0](x + self.attention(x, x))
            return self.norms[1](x + self.outer(self.inner(x)))

    return TransformerEncoder


class KerasXla(Keras):
    """The same, compiled by XLA."""

    jit_compile = True


class Sklearn(Library):
    """scikit-learn's MLPClassifier, an epoch for each partial_fit; it initialises by itself."""

    package = "sklearn.neural_network"
    own_weights = True

    def build(self):
        from sklearn.neural_network import MLPClassifier

        *hidden, last = [given for _, given in self.workload.layers]
        dense = all(kind == "Dense" for kind, _ in self.workload.layers)
        if not dense or last.get("activation") or {h["activation"] for h in hidden} != {"relu"}:
            raise NotImplementedError(f"MLPClassifier has no such net as {self.workload.name}")
        self.model = MLPClassifier(
            [h["units"] for h in hidden],
            "relu",
            solver=self.workload.optimizer.lower(),
            alpha=0.0,
            batch_size=self.workload.batch,
            learning_rate_init=self.workload.learning_rate,
            momentum=0.0,
            epsilon=EPSILON,
            random_state=0,
        )

    def load(self, weights):
        pass

    def train(self, shuffle):
        self.model.shuffle = shuffle
        for _ in range(self.workload.epochs):
            self.model.partial_fit(self.x, self.y, classes=np.arange(10))
        return float(np.mean(self.model.loss_curve_[-self.workload.epochs :]))

    def outputs(self, x):
        return self.model.predict_proba(x)
