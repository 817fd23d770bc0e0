"""Networks that `nnlite.doctor` examines: broken ones by the fault that was planted, sound ones."""

import numpy as np

import nnlite
from nnlite import NNClassifier, NNRegressor, Sequential, layers, losses, optimizers
from nnlite.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input

RNG = np.random.default_rng(0)
ROWS = 400
X = RNG.normal(size=(ROWS, 6)).astype(np.float32)
THREE = (X @ RNG.normal(size=(6, 3))).argmax(axis=1)
TWO = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(np.int64)
NUMBERS = (X[:, 0] - 2 * X[:, 1] + np.sin(3 * X[:, 2])).astype(np.float32)
IMAGES = RNG.uniform(size=(120, 8, 8, 1)).astype(np.float32)
BRIGHT = (IMAGES.mean(axis=(1, 2, 3)) > 0.5).astype(np.int64)


def net(hidden, output, loss, optimizer="adam", metrics=("accuracy",), seed=0):
    """A compiled model of hidden layers, or of the widths of relu layers, and an output Dense, of
    which units and activation are given."""
    with nnlite.config.seeded(seed):
        made = [Dense(h, "relu") if isinstance(h, int) else h for h in hidden]
        model = Sequential([*made, Dense(*output)])
        model.compile(optimizer, loss, metrics=list(metrics))
        model.build((None, 6))
    return model


def classifier(*hidden, **settings):
    """A sound network for three classes."""
    return net(hidden, (3, "softmax"), "sparse_categorical_crossentropy", **settings)


def of_two(*hidden, **settings):
    """A sound network for two classes."""
    return net(hidden, (1, "sigmoid"), "binary_crossentropy", **settings)


def regressor(*hidden, **settings):
    """A sound network for numbers."""
    return net(hidden, (1,), "mse", metrics=("mae",), **settings)


class Unused(nnlite.Model):
    """A model that forgot one of its layers."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = Dense(8, "relu"), Dense(3, "softmax")
        self.extra = Dense(8)

    def call(self, x):
        self.extra(x)
        return self.out(self.hidden(x))


class Sound(nnlite.Model):
    """A model of its own class."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = [Dense(16, "relu"), Dense(16, "relu")], Dense(3)

    def call(self, x, training=False):
        for layer in self.hidden:
            x = layer(x)
        return self.out(x)


def compiled(model, loss="sparse_categorical_crossentropy"):
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def dead():
    model = classifier(32, 16)
    kernel, bias = model.layers[0].get_weights()
    bias[:24] = -100
    model.layers[0].set_weights([kernel, bias])
    return model


def overfitted():
    model = of_two(64, 64, optimizer=optimizers.Adam(0.01))
    noise = np.random.default_rng(1).integers(0, 2, 120)
    model.fit(X[:120], noise, epochs=30, validation_split=0.5, verbose=0)
    return model, X[:120], noise


def functional():
    inputs, other = Input((6,)), Input((6,))
    x = layers.concatenate([Dense(16, "relu")(inputs), Dense(16, "relu")(other)])
    return compiled(nnlite.Model([inputs, other], Dense(3, "softmax")(x)))


def exploding_backwards():
    large = nnlite.initializers.RandomNormal(0, 1e5)
    return classifier(16, layers.Rescaling(1e-5), Dense(16, "relu", kernel_initializer=large))


def not_finite():
    model = classifier(16, 16)
    kernel, bias = model.layers[1].get_weights()
    kernel[0, 0] = np.nan
    model.layers[1].set_weights([kernel, bias])
    return model


def convolution():
    return Sequential([Conv2D(8, 3, activation="relu"), Flatten(), Dense(1, "sigmoid")])


SCALES = np.array([1, 1, 1, 5000, 1, 1], np.float32)
REPEATED = np.repeat(np.arange(ROWS // 4), 4)
RARE = (np.arange(ROWS) % 20 == 0).astype(int)
BROKEN = {
    "unscaled inputs": lambda: (classifier(16), X * SCALES, THREE),
    "unscaled targets": lambda: (regressor(16), X, NUMBERS * 1e4),
    "targets and outputs": lambda: (net([16], (3,), "mse", metrics=()), X, THREE),
    "logits taken as probabilities": lambda: (
        net([16], (3,), "sparse_categorical_crossentropy"),
        X,
        THREE,
    ),
    "probabilities taken as logits": lambda: (
        net([16], (3, "softmax"), losses.SparseCategoricalCrossentropy(from_logits=True)),
        X,
        THREE,
    ),
    "loss and output layer": lambda: (
        net([16], (3, "sigmoid"), "sparse_categorical_crossentropy"),
        X,
        THREE,
    ),
    "one-unit softmax": lambda: (net([16], (1, "softmax"), "binary_crossentropy"), X, TWO),
    "range of the targets": lambda: (of_two(16), X, 2 * TWO - 1),
    "accuracy of a regression": lambda: (net([16], (1,), "mse"), X, NUMBERS),
    "constant targets": lambda: (classifier(16), X, np.zeros(ROWS, int)),
    "duplicated rows across the split": lambda: (classifier(16), X[REPEATED], THREE[REPEATED]),
    "dead units": lambda: (dead(), X, THREE),
    "saturated units": lambda: (
        classifier(Dense(16, "tanh", kernel_initializer=nnlite.initializers.RandomNormal(0, 9))),
        X,
        THREE,
    ),
    "vanishing gradients": lambda: (
        classifier(*[Dense(16, "sigmoid") for _ in range(12)]),
        X,
        THREE,
    ),
    "exploding gradients": lambda: (
        classifier(
            *[
                Dense(64, "relu", kernel_initializer=nnlite.initializers.RandomNormal(0, 1))
                for _ in range(8)
            ]
        ),
        X,
        THREE,
    ),
    "untrained layer": lambda: (compiled(Unused()), X, THREE),
    "learning rate too high": lambda: (classifier(32, optimizer=optimizers.Adam(3.0)), X, THREE),
    "learning rate too low": lambda: (classifier(32, optimizer=optimizers.Adam(1e-6)), X, THREE),
    "class imbalance": lambda: (of_two(16), X, RARE),
    "overfitting": overfitted,
}
SOUND = {
    "three classes": lambda: (classifier(32), X, THREE),
    "linear": lambda: (classifier(), X, THREE),
    "two classes": lambda: (of_two(32, 16), X, TWO),
    "regression": lambda: (regressor(32), X, NUMBERS),
    "logits": lambda: (
        net([16], (3,), losses.SparseCategoricalCrossentropy(from_logits=True)),
        X,
        THREE,
    ),
    "one-hot": lambda: (
        net([16], (3, "softmax"), "categorical_crossentropy"),
        X,
        np.eye(3)[THREE],
    ),
    "several labels": lambda: (
        net([16], (2, "sigmoid"), "binary_crossentropy"),
        X,
        np.stack([TWO, 1 - TWO], 1),
    ),
    "dropout": lambda: (classifier(64, Dropout(0.5), optimizer="rmsprop"), X, THREE),
    "batch normalization": lambda: (classifier(32, BatchNormalization(), 32), X, THREE),
    "momentum": lambda: (classifier(32, optimizer=optimizers.SGD(0.01, 0.9)), X, THREE),
    "plain descent": lambda: (regressor(16, optimizer="sgd"), X, NUMBERS),
    "tanh": lambda: (of_two(Dense(32, "tanh"), Dense(32, "tanh")), X, TWO),
    "deep": lambda: (
        classifier(*[Dense(32, "relu", kernel_initializer="he_normal") for _ in range(6)]),
        X,
        THREE,
    ),
    "scaled inside": lambda: (classifier(layers.Rescaling(1 / 255), 32), X * 255, THREE),
    "images": lambda: (compiled(convolution(), "binary_crossentropy"), IMAGES, BRIGHT),
    "two inputs": lambda: (functional(), [X, X[::-1]], THREE),
    "subclass": lambda: (
        compiled(Sound(), losses.SparseCategoricalCrossentropy(from_logits=True)),
        X,
        THREE,
    ),
    "mean squared error of 0 and 1": lambda: (net([16], (1, "sigmoid"), "mse"), X, TWO),
    "classifier": lambda: (NNClassifier((32,)), X * SCALES, THREE.astype(str)),
    "regressor": lambda: (NNRegressor((32,)), X, NUMBERS * 1e4),
    "fitted classifier": lambda: (NNClassifier((32,), epochs=20).fit(X, TWO), X, TWO),
    "fitted regressor": lambda: (NNRegressor((32,), epochs=20).fit(X, NUMBERS), X, NUMBERS),
}
