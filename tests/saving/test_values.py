"""Values of settings as data: what comes back exactly, and what is refused."""

import datetime
import functools
import json
import math
import pathlib
import sys

import numpy as np
import pytest

from nnlite import (
    MLP,
    Input,
    Model,
    Sequential,
    Stack,
    activations,
    callbacks,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    registry,
    regularizers,
    saving,
)
from nnlite.configurable import Configurable
from nnlite.saving.values import described, revived


def there_and_back(value):
    return revived(json.loads(json.dumps(described(value), allow_nan=False)))


def assert_same(a, b):
    """That two values have one type and are equal to the last bit."""
    assert type(a) is type(b), (a, b)
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if a.dtype.kind == "O":
            assert_same(a.tolist(), b.tolist())
        else:
            assert a.tobytes() == b.tobytes()
    elif isinstance(a, np.generic):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()
    elif isinstance(a, float):
        assert a.hex() == b.hex()
    elif isinstance(a, dict):
        assert_same([*a.items()], [*b.items()])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b):
            assert_same(one, other)
    elif isinstance(a, functools.partial):
        assert_same([a.func, a.args, a.keywords], [b.func, b.args, b.keywords])
    elif isinstance(a, np.random.RandomState):
        assert_same(a.get_state(), b.get_state())
    elif isinstance(a, complex):
        assert repr(a) == repr(b)
    elif isinstance(a, Configurable):
        assert_same(a._given, b._given)
    else:
        assert a == b


VALUES = [
    None,
    True,
    -3,
    10**40,
    "text \ud800 ü",
    [1, [2.5, None]],
    (1, (2, [3])),
    math.nan,
    -math.inf,
    -0.0,
    5e-324,
    0.1 + 0.2,
    1j - 0.0,
    complex(math.nan, 1),
    b"\x00\xff",
    ...,
    range(3, 12, 4),
    slice(None, 5),
    {"a": 1, 2: (3,), None: {}, (1, 2): "x", np.int64(4): np.str_("y")},
    {},
    {1, 2},
    frozenset({"a"}),
    np.float32(0.1),
    np.float64(np.nan),
    np.bool_(True),
    np.int8(-4),
    np.str_("ab"),
    np.datetime64("2026-11-29T07:46", "s"),
    np.arange(6, dtype="int16").reshape(2, 3),
    np.array([np.nan, -np.inf, -0.0]),
    np.array(2.5, "float16"),
    np.array([], "float32").reshape(0, 3),
    np.array(["a", "bcd"]),
    np.array([b"a", b"bcd"]),
    np.array(["a", None, 3, (4, 5)], object),
    np.array(["2026-01-01", "NaT"], "datetime64[D]"),
    np.asfortranarray(np.eye(3) > 0),
    np.dtype("float32"),
    np.dtype("<U7"),
    pathlib.Path("a") / "b",
    np.random.RandomState(3),
    activations.gelu,
    losses.mean_squared_error,
    optimizers.Adam,
    functools.partial(losses.huber, delta=2.0),
    layers.Dense(np.int64(3), "relu", kernel_regularizer=regularizers.L2(np.float32(0.1))),
    layers.Dense(2, kernel_initializer=initializers.Constant(np.array([[1.0, 2.0]]))),
    layers.Conv2D(4, (3, 3), kernel_initializer="he_normal", kernel_constraint="non_neg"),
    Sequential([layers.Dense(4, input_shape=(3,)), layers.Dropout(0.5, seed=1)]),
    Stack(layers.Dense(64), None, ("drop", layers.Dropout(0.2))),
    MLP("64-32", depth=3),
    optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), nesterov=True),
    callbacks.EarlyStopping(patience=np.int32(3), min_delta=1e-5),
    callbacks.ReduceLROnPlateau("val_accuracy", factor=0.3),
    metrics.AUC(curve="PR", name="area"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_value_comes_back_with_its_type_and_every_bit(value):
    assert_same(there_and_back(value), value)


def test_symbol_comes_back_as_its_input_layer_and_a_graph_as_its_layers():
    found = there_and_back([Input((4,), name="start"), layers.Dense(2)])
    assert type(found[0]) is layers.InputLayer and found[0].shape == (4,)
    start = Input((4,))
    graph = Model(start, layers.Add()([layers.Dense(3)(start), layers.Dense(3)(start)]))
    again = there_and_back(graph)
    assert again.to_json() == graph.to_json()


def test_settings_that_a_constructor_refuses_come_back():
    odd = layers.Dense._unchecked({"units": -3})
    again = there_and_back(odd)
    assert type(again) is layers.Dense and again._given == {"units": -3}


class Own(layers.Layer):
    def __init__(self, width=(1, 2), **kwargs):
        super().__init__(**kwargs)
        self.width = width


class Plain:
    """An object of one's own that is none of nnlite's."""

    def __init__(self, a):
        self.a = a

    def get_config(self):
        return {"a": self.a}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def double(x):
    return x * 2


def test_ones_own_come_back_where_they_are_known(monkeypatch):
    monkeypatch.setattr(registry, "_objects", {})
    given = [Own((3, 4)), double, Own, Plain((5,))]
    data = json.loads(json.dumps(described(given)))
    with pytest.raises(ValueError, match="'Own': expected a class or function of nnlite, or one"):
        revived(data)
    with saving.custom_object_scope({"Own": Own, "double": double, "Plain": Plain}):
        layer, function, kind, plain = revived(data)
    assert type(layer) is Own and layer.width == (3, 4)
    assert (function, kind, type(plain), plain.a) == (double, Own, Plain, (5,))


@pytest.mark.parametrize(
    "value, words",
    [
        (lambda x: x, "got <function <lambda>"),
        (object(), "got <object object"),
        (sys.stdout, "got <"),
        ([1, {"a": (len,)}], "got <built-in function len>"),
        (layers.Activation(lambda x: x), "Activation: activation: expected .* got <function <lam"),
        (np.zeros(2, [("a", "f4")]), "expected an array of numbers, times or strings"),
        (np.array([object()]), "got <object object"),
        (np.ma.array([1.0]), "got masked_array"),
        (datetime.date(2026, 1, 1), "got datetime.date"),
        (type("Int", (int,), {})(3), "got 3"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_is_no_data_is_refused(value, words):
    with pytest.raises(TypeError, match=rf"(?s){words}"):
        described(value)


PLACE = {"module": "nnlite.layers", "class_name": "Dense", "registered_name": None}


@pytest.mark.parametrize(
    "data, words",
    [
        ({}, "expected a dict with one of the keys"),
        ({"tuple": [1], "dict": []}, "expected a dict with one of the keys"),
        ({"os.system": "ls"}, "expected a dict with one of the keys"),
        ({"array": ["<f4", [3], "AAAA"]}, "array: "),
        ({"array": ["<f4", [-1, 7], "AAAAAA=="]}, "array: "),
        ({"array": ["<U400000000", [1], ["a"]]}, "expected at most"),
        ({"array": [[["a", "<f4"]], [1], "AAAAAA=="]}, "array: "),
        ({"array": ["<f4", [1]]}, "array: "),
        ({"number": ["nonsense", [], ""]}, "number: "),
        ({"dtype": "nonsense"}, "dtype: "),
        ({"range": [0, "a", 1]}, "range: "),
        ({"range": [0, 1, 0]}, "range: "),
        ({"dict": [[[1], 2]]}, "dict: "),
        ({"set": [[1]]}, "set: "),
        ({"bytes": 3}, "bytes: "),
        ({"random state": {"dict": []}}, "random state: "),
        ({"function": {**PLACE, "module": "os", "class_name": "system"}}, "'system'"),
        ({"function": {**PLACE, "module": "nnlite.models", "class_name": "load_model"}}, "'load"),
        ({"function": PLACE}, "'Dense': expected a class or function"),
        ({"function": {**PLACE, "module": "nnlite.losses", "class_name": "Huber"}}, "a function"),
        ({"function": "x"}, "function: "),
        ({"class": {**PLACE, "module": "nnlite.losses", "class_name": "huber"}}, "expected a clas"),
        ({"object": [PLACE, {"units": 3, "unit": 4}]}, "object: .*Dense: unknown argument 'unit'"),
        ({"object": [PLACE, 3]}, "object: "),
        ({"object": [{**PLACE, "class_name": None}, {}]}, "object: "),
        ({"partial": [3, [], {"dict": []}]}, "partial: "),
        ({"model": {"class_name": "Model", "config": {"layers": 3}}}, "model: "),
    ],
    ids=lambda v: next(iter(v), "") if isinstance(v, dict) else "",
)
def test_data_of_no_value_are_refused(data, words):
    with pytest.raises(ValueError, match=words):
        revived(data)
