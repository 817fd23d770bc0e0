"""What the tests of models share: small data, small models, callbacks that watch."""

import numpy as np

import nnlite as keras
from nnlite import callbacks, layers, optimizers

N, D, L = 50, 6, 3  # rows, features, classes
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, D)).astype("float32")
LABELS = RNG.integers(0, L, N)
Y = (X[:, :1] * X[:, 1:2]).astype("float32")


def classifier(seed=0, optimizer="sgd", dropout=0.0, **compiled):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            layers.Dense(8, activation="relu", input_shape=(D,)),
            layers.Dropout(dropout),
            layers.Dense(L, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", **compiled)
    return model


def line(width=1, rate=0.1, **compiled):
    """One Dense(1) of zeros under mean squared error."""
    model = keras.Sequential([layers.Dense(1, kernel_initializer="zeros", input_shape=(width,))])
    model.compile(optimizers.SGD(rate), "mse", **compiled)
    return model


def arrays_equal(some, others):
    return len(some) == len(others) and all(np.array_equal(a, b) for a, b in zip(some, others))


def trained(model, *args, seed=1, **kwargs):
    keras.utils.set_random_seed(seed)
    return model.fit(*args, **{"verbose": 0, **kwargs})


class Seen(callbacks.Callback):
    """Notes every call that `fit` makes."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("train begin")

    def on_train_end(self, logs=None):
        self.calls.append("train end")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch} begin")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch} end")
        self.logs = dict(logs)


class Batches(Seen):
    """The same for batches."""

    def on_train_batch_begin(self, batch, logs=None):
        self.calls.append(f"batch {batch} begin")

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(f"batch {batch} end")
        self.logs = dict(logs)


class Scale(layers.Layer):
    """A custom layer as a user writes it, with a `get_config` in Keras's manner."""

    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        self.factor = self.add_weight(
            (input_shape[-1],), keras.initializers.Constant(self.start), name="factor"
        )

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        settings = super().get_config()
        settings.update({"start": self.start})
        return settings


class TwoLayers(keras.Model):
    """A subclassed model."""

    def __init__(self, units=4):
        super().__init__()
        self.hidden = layers.Dense(units, activation="tanh")
        self.out = layers.Dense(1)

    def call(self, inputs):
        return self.out(self.hidden(inputs))


class OwnStep(TwoLayers):
    """A training step of one's own, with a tape."""

    def train_step(self, data):
        x, y = data[:2]
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        self._track_loss(loss, y_pred, None)
        return self.compute_metrics(x, y, y_pred)


def data(shape, seed=0):
    """Normal values in float64."""
    return np.random.default_rng(seed).normal(size=shape)
