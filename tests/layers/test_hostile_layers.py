"""Whatever tensors, layers, models and tapes are given, they work or say what is wrong."""

import hostile_ops as hostile
import numpy as np
import pytest

import nnlite
from nnlite import ops
from nnlite.layers import Dense, Dropout, Layer

ROWS = nnlite.ones((2, 3))
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


ANYTHING = {
    "variable": nnlite.Variable,
    "dtype of a variable": lambda x: nnlite.Variable(1.0, dtype=x),
    "assign": lambda x: nnlite.Variable([1.0, 2.0]).assign(x),
    "convert": nnlite.convert_to_tensor,
    "slice": lambda x: ROWS[x],
    "slice of a symbol": lambda x: SYMBOL[x],
    "name": lambda x: Dense(2, name=x),
    "trainable": lambda x: Dense(2, trainable=x),
    "input_shape": lambda x: nnlite.Sequential([Dense(2, input_shape=x)]),
    "batch_shape": lambda x: nnlite.Sequential([Dense(2, batch_shape=x)]),
    "input_dim": lambda x: nnlite.Sequential([Dense(2, input_dim=x)]),
    "activity_regularizer": lambda x: Dense(2, activity_regularizer=x),
    "call unbuilt": lambda x: Dense(2)(x),
    "call": lambda x: built()(x),
    "second argument": lambda x: built()(ROWS, x),
    "training": lambda x: Dropout(0.5)(ROWS, training=x),
    "build": lambda x: Dense(2).build(x),
    "shape of a weight": lambda x: Layer().add_weight(x),
    "dtype of a weight": lambda x: Layer().add_weight((2,), dtype=x),
    "set_weights": lambda x: built().set_weights(x),
    "entries of set_weights": lambda x: built().set_weights([x, x]),
    "compute_output_shape": lambda x: built().compute_output_shape(x),
    "compute_output_spec": lambda x: built().compute_output_spec(x),
    "get_layer": lambda x: chain().get_layer(x),
    "index of get_layer": lambda x: chain().get_layer(index=x),
    "layers": nnlite.Sequential,
    "add": lambda x: nnlite.Sequential([Dense(2)]).add(x),
    "build of a chain": lambda x: nnlite.Sequential([Dense(2)]).build(x),
    "build of a model": lambda x: Parts().build(x),
    "call of a chain": lambda x: chain()(x),
    "call of a model": lambda x: Parts()(x),
    "call of a graph": lambda x: graph()(x),
    "inputs": lambda x: nnlite.Model(x, SYMBOL),
    "outputs": lambda x: nnlite.Model(SYMBOL, x),
    "Input": nnlite.Input,
    "batch_size": lambda x: nnlite.Input((3,), batch_size=x),
    "dtype of Input": lambda x: nnlite.Input((3,), dtype=x),
    "line_length": lambda x: chain().summary(line_length=x, print_fn=str),
    "positions": lambda x: chain().summary(positions=x, print_fn=str),
    "target": lambda x: gradient(target=x),
    "sources": lambda x: gradient(sources=x),
    "output_gradients": lambda x: gradient(output_gradients=x),
    "unconnected_gradients": lambda x: gradient(unconnected_gradients=x),
} | {
    f"tensor {sign}": eval(f"lambda x: (t {sign} x, x {sign} t)", {"t": ROWS})
    for sign in ("+", "/", "**", "@", "//", "%", "==", "<", "&")
}  # fmt: skip
SIZES = {"input_shape", "batch_shape", "input_dim", "build", "shape of a weight", "Input"}
SIZES |= {"build of a chain", "build of a model", "compute_output_shape"}
ANSWERS = (ValueError, TypeError, RuntimeError, IndexError)


@pytest.mark.parametrize("name", ANYTHING)
def test_every_hostile_call_works_or_is_refused_in_plain_words(name):
    inner = []
    for key, make in hostile.POOL.items():
        if "2**31" in key and name in SIZES:
            continue  # it would be taken, and need gigabytes
        try:
            with np.errstate(all="ignore"):
                ANYTHING[name](make())
        except ANSWERS as error:
            if not hostile.is_own(error):
                inner.append((key, repr(error)))
    assert not inner, "\n".join(map(str, inner))
