"""`gradcheck` passes right gradients, and names the weight whose gradient is wrong."""

import re

import numpy as np
import pytest
import samples

import nnlite
from nnlite import config, gradcheck, layers, ops
from nnlite.engine.dispatch import OPS

IMAGES = samples.normal(4, 6, 6, 2)
ROWS = samples.normal(5, 3)
STEPS = samples.normal(2, 5, 3)


def scaled(by, place=0):
    """A change of a rule: one of its gradients becomes too large or too small."""
    return lambda c, found: [
        g if k != place or g is None else ops.multiply(g, by) for k, g in enumerate(found)
    ]


def forgotten(place):
    """A gradient that the rule does not give."""
    return lambda c, found: [None if k == place else g for k, g in enumerate(found)]


def first_entry_lost(c, found):
    """A gradient that is wrong in its first entry only."""
    mask = np.ones(found[0].shape)
    mask.flat[0] = 0
    return [ops.multiply(found[0], mask), *found[1:]]


def reversed_entries(c, found):
    return [ops.flip(found[0]), *found[1:]]


def network():
    with config.seeded(0):
        return nnlite.Sequential(
            [
                layers.Conv2D(3, 3, activation="tanh", input_shape=(6, 6, 2)),
                layers.BatchNormalization(),
                layers.AveragePooling2D(),
                layers.Flatten(),
                layers.Dense(4, activation="sigmoid"),
                layers.Dropout(0.3),
                layers.Dense(3, activation="softmax"),
            ]
        )


A, B = samples.normal(3, 4), samples.normal(3, 4, seed=1)
# The op, what is wrong with its rule, what is checked, its inputs, and who must be named.
PLANTED = [
    ("exp", scaled(1.001), ops.exp, A, "inputs/0"),
    ("multiply", scaled(-1.0, 1), ops.multiply, (A, B), "inputs/1"),
    ("divide", forgotten(1), ops.divide, (A, B), "inputs/1"),
    ("subtract", scaled(0.999, 1), ops.subtract, (A, B), "inputs/1"),
    ("power", scaled(2.0, 0), ops.power, (np.abs(A), B), "inputs/0"),
    ("maximum", first_entry_lost, ops.maximum, (A - 9.0, B - 20.0), "inputs/0"),
    ("where", scaled(1.01, 2), lambda a, b: ops.where(a > 9, a, b), (A, B), "inputs/1"),
    ("cumsum", reversed_entries, lambda x: ops.cumsum(x, 1), A, "inputs/0"),
    ("erf", scaled(1.00001), ops.erf, A, "inputs/0"),
    ("transpose", reversed_entries, lambda x: ops.transpose(x) ** 2, A, "inputs/0"),
    ("reduce_max", scaled(0.5), lambda x: ops.max(x, 1), A, "inputs/0"),
    ("reduce_sum", first_entry_lost, lambda x: ops.sum(x, 0), A, "inputs/0"),
    ("concatenate", forgotten(1), lambda a, b: ops.concatenate([a, b]), (A, B), "inputs/1"),
    ("gather", scaled(1.5), layers.Embedding(4, 3), np.array([[1, 3]]), "embedding/embeddings"),
    ("slice", reversed_entries, lambda x: x[:, 1:3] ** 2, A, "inputs/0"),
    ("matmul", scaled(1.001, 1), ops.matmul, (A, B.T), "inputs/1"),
    ("softmax", scaled(1.001), ops.softmax, A, "inputs/0"),
    ("linear", scaled(1.0001, 1), network(), IMAGES, "dense/kernel"),
    ("linear", forgotten(2), network(), IMAGES, "dense_1/bias"),
    ("conv2d", scaled(1.0001, 1), network(), IMAGES, "conv2d/kernel"),
    ("average_pool2d", first_entry_lost, network(), IMAGES, "conv2d/kernel"),
    ("scale_shift", scaled(1.001, 1), network(), IMAGES, "batch_normalization/gamma"),
    ("lstm", scaled(1.001, 1), layers.LSTM(3), STEPS, "lstm_cell/recurrent_kernel"),
]


def test_there_are_twenty_wrong_gradients():
    assert len(PLANTED) >= 20 and len({op for op, *_ in PLANTED}) >= 20


@pytest.mark.parametrize(
    ("op", "change", "target", "inputs", "name"),
    PLANTED,
    ids=[f"{op} {name}" for op, *_, name in PLANTED],
)
def test_a_wrong_gradient_is_found_and_the_weight_named(
    op, change, target, inputs, name, monkeypatch
):
    with config.seeded(0):
        assert max(gradcheck(target, inputs).values()) <= 1e-6
    rule = OPS[op].gradient

    def wrong(c, *dys, need):
        return change(c, rule(c, *dys, need=need))

    monkeypatch.setattr(OPS[op], "gradient", wrong)
    with pytest.raises(ValueError, match=rf"^gradcheck: wrong gradients of .*{re.escape(name)}: "):
        gradcheck(target, inputs)


def test_only_the_wrong_ones_are_named(monkeypatch):
    rule = OPS["linear"].gradient
    monkeypatch.setattr(
        OPS["linear"], "gradient", lambda c, dy, need: scaled(2.0, 1)(c, rule(c, dy, need))
    )
    with pytest.raises(ValueError) as caught:
        gradcheck(network(), IMAGES)
    assert re.findall(r"of (\S+?): ", str(caught.value)) == ["dense/kernel", "dense_1/kernel"]


@pytest.mark.parametrize("training", [None, False, True])
def test_a_network_is_checked_as_it_is_and_stays_as_it_was(training):
    model = network()
    before = [w.copy() for w in model.get_weights()]
    found = gradcheck(model, IMAGES.astype("float32"), training=training)
    assert max(found.values()) <= 1e-6
    assert len(found) == 1 + len(model.trainable_weights)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert model.weights[0].dtype == "float32"


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_a_layer_that_has_no_weights_yet_stays_without(dtype):
    layer = layers.Dense(2, dtype=dtype)
    model = nnlite.Sequential([layers.Dense(3, dtype=dtype), layer])
    assert max(gradcheck(layer, ROWS).values()) <= 1e-6
    assert max(gradcheck(model, ROWS).values()) <= 1e-6
    assert not layer.built and layer.get_config().get("dtype") == dtype


def test_variables_of_a_function_are_checked_and_given_back():
    w = nnlite.Variable([1.0, 2.0, 3.0], name="w")
    data = w._data
    found = gradcheck(lambda x: ops.sum(x * w, axis=-1), ROWS)
    assert list(found) == ["inputs/0", "w"] and max(found.values()) <= 1e-6
    assert w._data is data and w.dtype == "float32" and w.numpy().tolist() == [1, 2, 3]


def test_inputs_come_in_lists_dicts_and_as_integers():
    a, b = nnlite.Input((3,)), nnlite.Input((3,))
    model = nnlite.Model([a, b], layers.Dense(2)(a * b))
    assert len(gradcheck(model, [ROWS, ROWS + 1])) == 4
    assert list(gradcheck(lambda d: d["x"] * d["y"], {"x": ROWS, "y": ROWS})) == [
        "inputs/0",
        "inputs/1",
    ]
    assert list(gradcheck(layers.Embedding(5, 2), np.array([[1, 4]]))) == ["embedding/embeddings"]


def test_what_cannot_be_checked_is_said():
    with pytest.raises(TypeError, match="target: expected a function, a Layer or a Model, got 3"):
        gradcheck(3, ROWS)
    with pytest.raises(ValueError, match="gradcheck: expected outputs that are finite"):
        gradcheck(ops.log, -np.abs(ROWS))
    with pytest.raises(ValueError, match="tolerance: expected a number in"):
        gradcheck(ops.exp, ROWS, tolerance=0)
