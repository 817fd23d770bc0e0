"""Models of many shapes, with data for them, that files and configs are tried on; files that others
wrote, with what their models did."""

import os
import pathlib

import numpy as np
import pytest

import nnlite
from nnlite import layers, ops, optimizers
from nnlite.saving import register_keras_serializable
from nnlite.tree import flatten

N = 24


def data(*shapes):
    rng = np.random.default_rng(5)
    found = [rng.random((N, *shape)).astype("float32") for shape in shapes]
    return found[0] if len(shapes) == 1 else found


def convnet():
    """Convolutions, BatchNormalization and Dropout; a schedule in Adam."""
    model = nnlite.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", padding="same", input_shape=(8, 8, 2)),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(5, (2, 3), depth_multiplier=2),
            layers.ReLU(0.9, negative_slope=0.1),
            layers.SpatialDropout2D(0.2),
            layers.Flatten(),
            layers.Dropout(0.3, seed=4),
            layers.Dense(3, "softmax", kernel_regularizer=nnlite.regularizers.L2(1e-3)),
        ]
    )
    rate = optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)
    model.compile(optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, data((8, 8, 2)), np.arange(N) % 3


def unstarted():
    """A Sequential whose first call said what the input looks like."""
    model = nnlite.Sequential([layers.Dense(4, "tanh"), layers.GaussianNoise(0.1), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = data((5,))
    model.predict(x, verbose=0)
    return model, x, x[:, :1]


def branches():
    """Two inputs and outputs by name, a shared layer, two Dense of one shape, functions of ops."""
    a, b = layers.Input((4,), name="a"), layers.Input((6,), name="b")
    shared = layers.Dense(4, "relu", name="shared")
    left, right = shared(a), shared(layers.Dense(4)(b))
    both = layers.Concatenate()([left * 2.0, ops.sin(right), layers.Multiply()([left, right])])
    both = both[:, ::2] - ops.mean(both, axis=1, keepdims=True)
    outputs = {
        "one": layers.Dense(2)(layers.Dense(6)(both)),
        "two": layers.Dense(1)(1 / (2 + both**2)),
    }
    model = nnlite.Model({"a": a, "b": b}, outputs)
    optimizer = optimizers.RMSprop(0.01, momentum=0.5, centered=True, use_ema=True)
    model.compile(optimizer, {"one": "mae", "two": "huber"}, loss_weights={"one": 1.0, "two": 0.5})
    x = dict(zip("ab", data((4,), (6,))))
    return model, x, {"one": x["a"][:, :2], "two": x["b"][:, :1]}


def frozen_base():
    """A frozen model in a functional one in a Sequential."""
    base = nnlite.Sequential([layers.Dense(6, "relu", input_shape=(5,)), layers.Dense(4)])
    base.trainable = False
    start = layers.Input((5,))
    middle = nnlite.Model(start, layers.Dense(4)(layers.Add()([base(start), base(start * 0.5)])))
    model = nnlite.Sequential([layers.Input((5,)), middle, layers.Dense(1, trainable=False)])
    model.compile(optimizers.AdamW(0.01, amsgrad=True, clipnorm=1.0), "mse", metrics=["mae"])
    x = data((5,))
    return model, x, x[:, :1]


@register_keras_serializable("tests")
class Block(layers.Layer):
    """A layer of layers in a list and in a dict, and a weight that training does not change."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.parts = [layers.Dense(units), layers.LayerNormalization(), layers.Dense(units)]
        self.named = {"last": layers.Dense(units)}

    def build(self, input_shape):
        self.calls = self.add_weight((), "zeros", trainable=False, name="calls")
        self.factor = self.add_weight((self.units,), "ones", name="factor")

    def call(self, x):
        for part in (*self.parts, self.named["last"]):
            x = part(x)
        return x * self.factor + self.calls


@register_keras_serializable("tests")
class Subclassed(nnlite.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.block, self.drop, self.head = Block(units), layers.Dropout(0.5), layers.Dense(1)

    def call(self, x):
        return self.head(self.drop(self.block(x)))


def subclassed():
    """A Model of one's own with a layer of one's own."""
    model = Subclassed(4)
    model.compile(optimizers.SGD(0.001, momentum=0.9), "mse")
    x = data((3,))
    model.fit(x, x[:, :1], epochs=1, verbose=0)
    return model, x, x[:, :1]


def tokens():
    """An Embedding with a mask, and recurrent layers and cells of every kind."""
    nnlite.utils.set_random_seed(4)
    cells = [layers.SimpleRNNCell(4), layers.GRUCell(3, dropout=0.1), layers.LSTMCell(3)]
    parts = [
        layers.Input((None,), dtype="int32"),
        layers.Embedding(11, 6, mask_zero=True),
        layers.LSTM(5, return_sequences=True, recurrent_dropout=0.2, unit_forget_bias=False),
        layers.SimpleRNN(4, "relu", return_sequences=True),
        layers.RNN(cells, return_sequences=True),
        layers.GRU(4, reset_after=False, go_backwards=True, kernel_regularizer="l2"),
        layers.Dense(1),
    ]
    model = nnlite.Sequential(parts)
    model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"])
    x = np.random.default_rng(5).integers(0, 11, (N, 7))
    return model, x, x[:, :1] / 11


def wrapped():
    """Masked sequences of tokens through recurrent layers in wrappers."""
    of_steps = nnlite.Sequential([layers.Input((6,)), layers.Dense(4, "elu", name="of_a_step")])
    model = nnlite.Sequential(
        [
            layers.Input((6,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True, recurrent_dropout=0.2)),
            layers.TimeDistributed(of_steps),
            layers.Bidirectional(layers.GRU(3, return_sequences=True), "sum"),
            layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(2)]),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model, np.random.default_rng(5).integers(0, 9, (N, 6)), np.arange(N) % 3


@register_keras_serializable("tests")
class NamesItsArrays(layers.Dense):
    """A layer that writes and reads its weights in its own way, under names of its own."""

    def save_own_variables(self, store):
        store["slope"], store["offset"] = self.get_weights()

    def load_own_variables(self, store):
        self.set_weights([store["slope"], store["offset"]])


def own_names():
    """A layer that saves itself, within a model that does not."""
    model = nnlite.Sequential([layers.Input((4,)), NamesItsArrays(5, "relu"), layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    return model, *data((4,), (2,))


@register_keras_serializable("tests")
class SavesItself(layers.Dense):
    """A layer that writes its weights in its own way, and words as a file."""

    def build(self, input_shape):
        super().build(input_shape)
        self.counts, self.words = np.zeros(3), None

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["counts"] = self.counts

    def load_own_variables(self, store):
        self.counts = store.pop("counts")
        super().load_own_variables(store)

    def save_assets(self, folder):
        os.mkdir(os.path.join(folder, "inner"))
        pathlib.Path(folder, "inner", "words.txt").write_text(self.words)

    def load_assets(self, folder):
        self.words = pathlib.Path(folder, "inner", "words.txt").read_text()


def saving_itself():
    model = nnlite.Sequential([layers.Input((3,)), layers.Dense(2), SavesItself(2)])
    model.layers[1].counts, model.layers[1].words = np.arange(3.0), "one two"
    return model


MODELS = [convnet, unstarted, branches, frozen_base, subclassed, tokens, wrapped, own_names]
OF_KERAS = [make for make in MODELS if make not in (subclassed, own_names)]  # its classes alone


# Files of others


def file_of_others(*path):
    """The path of a file in the folder of data; without it the test is skipped."""
    folder = pathlib.Path(os.environ.get("NNLITE_DATA", "nowhere")).joinpath(*path)
    if not folder.exists():
        pytest.skip(f"NNLITE_DATA names no folder with {'/'.join(path)}")
    return folder


def golden_file(name):
    return file_of_others("keras_files", name)


# Weights, by their number, that Keras on TensorFlow changes otherwise than on JAX: Adam squares the
# gradient of each token by itself there, not the sum over the places where the token stands.
OF_TENSORFLOW = {"tokens": [0]}


def assert_golden(model, name):
    """A model predicts what Keras's predicted, and does after a step of training, too."""
    arrays = np.load(golden_file(f"{name}.npz"))

    def value(key):
        if key in arrays:
            return arrays[key]
        inner = {k.removeprefix(f"{key}."): arrays[k] for k in arrays if k.startswith(f"{key}.")}
        return list(inner.values()) if all(k.isdigit() for k in inner) else inner

    x, y = value("x"), value("y")
    assert_near(model.predict(x, verbose=0), value("predicted"))
    loss = flatten(model.train_on_batch(x, y))[0]
    np.testing.assert_allclose(loss, value("loss_of_next_step"), rtol=1e-5)
    after, found = value("weights_after_next_step"), model.get_weights()
    for i in OF_TENSORFLOW.get(name, ()):
        found[i] = after[i]
    assert_near(found, after)
    model.set_weights(found)
    assert_near(model.predict(x, verbose=0), value("predicted_after_next_step"))


def assert_near(found, expected):
    for one, other in zip(flatten(found), flatten(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def assert_equal(found, expected):
    for one, other in zip(flatten(found), flatten(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def state(model):
    """Copies of the weights of a model and of the values of its optimizer."""
    return [v.numpy() for v in (*model.weights, *model.optimizer.variables)]


def assert_goes_on_alike(models, x, y):
    """Models predict and go on with a training with the same bits."""
    predicted, histories = [], []
    for model in models:
        predicted.append(model.predict(x, verbose=0))
        nnlite.utils.set_random_seed(2)
        histories.append(model.fit(x, y, batch_size=5, epochs=3, verbose=0).history)
    for model, some, history in zip(models, predicted, histories):
        assert_equal(some, predicted[0])
        assert history == histories[0]
        assert_equal(state(model), state(models[0]))
