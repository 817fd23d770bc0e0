"""Hostile calls of tensors, variables, layers, models and tapes."""

import re

from hostile import Call, some_of

import nnlite
from nnlite import ops
from nnlite.layers import LSTM, Dense, Dropout, Embedding, Layer, LSTMCell

EACH = 43  # values in the place of each argument
ROWS, STEPS = nnlite.ones((2, 3)), nnlite.ones((2, 4, 3))
SYMBOL = nnlite.Input((3,))
VARIABLE = nnlite.Variable([1.0, 2.0])


def built():
    layer = Dense(2)
    layer(ROWS)
    return layer


def chain():
    return nnlite.Sequential([Dense(2, input_shape=(3,)), Dropout(0.5), Dense(1)])


def graph():
    return nnlite.Model(SYMBOL, Dense(2)(SYMBOL))


class Parts(nnlite.Model):
    def __init__(self):
        super().__init__()
        self.dense = Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


def gradient(**given):
    with nnlite.GradientTape() as tape:
        target = ops.sum(VARIABLE * 2)
    return tape.gradient(**{"target": target, "sources": VARIABLE, **given})


TENSORS = ["Tensor", "tensor", "symbol", "Variable"]
INPUTS = ["inputs?", "dimensions", *TENSORS]
SHAPES = ["input_shape", "shapes?", *INPUTS]
# What a value may stand in the place of, by what a refusal may call it beside its name here.
PLACES = [
    (
        TENSORS,
        {
            "variable": nnlite.Variable,
            "assign": lambda x: nnlite.Variable([1.0, 2.0]).assign(x),
            "convert": nnlite.convert_to_tensor,
        },
    ),
    (["index"], {"slice": lambda x: ROWS[x], "slice of a symbol": lambda x: SYMBOL[x]}),
    (
        ["dtype"],
        {
            "dtype of a variable": lambda x: nnlite.Variable(1.0, dtype=x),
            "dtype of a weight": lambda x: Layer().add_weight((2,), dtype=x),
            "dtype of Input": lambda x: nnlite.Input((3,), dtype=x),
        },
    ),
    (
        INPUTS,
        {
            "call unbuilt": lambda x: Dense(2)(x),
            "call": lambda x: built()(x),
            "call of a chain": lambda x: chain()(x),
            "call of a model": lambda x: Parts()(x),
            "call of a graph": lambda x: graph()(x),
            "compute_output_spec": lambda x: built().compute_output_spec(x),
        },
    ),
    (
        SHAPES,
        {
            "input_shape": lambda x: nnlite.Sequential([Dense(2, input_shape=x)]),
            "batch_shape": lambda x: nnlite.Sequential([Dense(2, batch_shape=x)]),
            "input_dim": lambda x: nnlite.Sequential([Dense(2, input_dim=x)]),
            "build": lambda x: Dense(2).build(x),
            "build of a chain": lambda x: nnlite.Sequential([Dense(2)]).build(x),
            "build of a model": lambda x: Parts().build(x),
            "compute_output_shape": lambda x: built().compute_output_shape(x),
            "shape of a weight": lambda x: Layer().add_weight(x),
            "Input": nnlite.Input,
        },
    ),
    (
        ["mask", *TENSORS],
        {"mask": lambda x: LSTM(2)(STEPS, mask=x)},
    ),
    (
        ["initial_state", "states", *INPUTS],
        {
            "initial_state": lambda x: LSTM(2)(STEPS, initial_state=x),
            "entries of initial_state": lambda x: LSTM(2)(STEPS, initial_state=[x, x]),
            "states": lambda x: LSTMCell(2)(ROWS, x),
            "entries of states": lambda x: LSTMCell(2)(ROWS, [x, x]),
            "sequences": lambda x: LSTM(2)(x),
            "tokens": lambda x: Embedding(9, 2)(x),
        },
    ),
    (
        ["weights", *TENSORS],
        {
            "set_weights": lambda x: built().set_weights(x),
            "entries of set_weights": lambda x: built().set_weights([x, x]),
        },
    ),
    (
        ["layer", "index"],
        {
            "layers": nnlite.Sequential,
            "add": lambda x: nnlite.Sequential([Dense(2)]).add(x),
            "get_layer": lambda x: chain().get_layer(x),
            "index of get_layer": lambda x: chain().get_layer(index=x),
        },
    ),
    (
        [],
        {
            "name": lambda x: Dense(2, name=x),
            "trainable": lambda x: Dense(2, trainable=x),
            "activity_regularizer": lambda x: Dense(2, activity_regularizer=x),
            "arguments": lambda x: built()(ROWS, x),
            "training": lambda x: Dropout(0.5)(ROWS, training=x),
            "inputs": lambda x: nnlite.Model(x, SYMBOL),
            "outputs": lambda x: nnlite.Model(SYMBOL, x),
            "batch_size": lambda x: nnlite.Input((3,), batch_size=x),
            "line_length": lambda x: chain().summary(line_length=x, print_fn=str),
            "positions": lambda x: chain().summary(positions=x, print_fn=str),
            "target": lambda x: gradient(target=x),
            "sources": lambda x: gradient(sources=x),
            "output_gradients": lambda x: gradient(output_gradients=x),
            "unconnected_gradients": lambda x: gradient(unconnected_gradients=x),
        },
    ),
    (
        ["&", "matmul", *SHAPES],
        {
            f"tensor {sign}": eval(f"lambda x: (t {sign} x, x {sign} t)", {"t": ROWS})
            for sign in ("+", "/", "**", "@", "//", "%", "==", "<", "&")
        },
    ),
]


def calls(rng):
    for words, functions in PLACES:
        for name, run in functions.items():
            named = [re.escape(name), *words]
            for label, value in some_of(rng, EACH):
                yield Call(f"{name}: {label}", named, lambda r=run, v=value: r(v), [value])
