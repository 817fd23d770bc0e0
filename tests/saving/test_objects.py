"""Objects as dicts and by name: registered classes and functions, scopes, configs."""

import doctest
import importlib
import json
import threading

import numpy as np
import pytest

import nnlite
from nnlite import (
    activations,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    ops,
    optimizers,
    registry,
    regularizers,
    saving,
)


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(registry, "_objects", {})
    monkeypatch.setattr(registry, "_names", {})


class Largest(regularizers.Regularizer):
    def __init__(self, factor=1.0):
        self.factor = factor

    def __call__(self, weight):
        return self.factor * ops.max(ops.abs(weight))


def cube(x):
    return x * x * x


OBJECTS = [
    losses.Huber(0.5, name="near"),
    losses.CosineSimilarity(axis=1),
    metrics.Precision(thresholds=[0.25, 0.5]),
    metrics.MeanMetricWrapper(losses.mean_squared_error),
    optimizers.Adam(optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), weight_decay=0.1),
    initializers.Constant(np.array([[1.0, 2.0]])),
    initializers.HeNormal(seed=3),
    regularizers.L1L2(0.5, 0.25),
    constraints.MaxNorm(3.0, axis=(0, 1)),
]


@pytest.mark.parametrize("thing", OBJECTS, ids=lambda o: type(o).__name__)
def test_object_comes_back_equal_from_json(thing):
    config = json.loads(json.dumps(saving.serialize_keras_object(thing)))
    assert config["class_name"] == type(thing).__name__
    again = saving.deserialize_keras_object(config)
    assert again is not thing and again == thing


NAMED = [thing for thing in OBJECTS if type(thing) is not metrics.MeanMetricWrapper]


@pytest.mark.parametrize("thing", NAMED, ids=lambda o: type(o).__name__)
def test_every_get_takes_the_dict_of_an_object_with_whatever_is_in_it(thing):
    family = importlib.import_module(".".join(type(thing).__module__.split(".")[:2]))
    config = json.loads(json.dumps(saving.serialize_keras_object(thing)))
    assert family.get(config) == thing


def test_structures_arrays_and_functions_come_back():
    given = {
        "a": [1, [2.5, None]],
        "s": slice(1, None),
        "b": b"x",
        "e": ...,
        "f": activations.gelu,
        "n": np.float32(0.5),
        "m": {"x": True},
    }
    config = json.loads(json.dumps(saving.serialize_keras_object(given)))
    assert saving.deserialize_keras_object(config) == {**given, "n": 0.5}
    array = saving.deserialize_keras_object(saving.serialize_keras_object(np.arange(3)))
    assert array.dtype == np.arange(3).dtype and array.tolist() == [0, 1, 2]


def test_object_of_keras_comes_back_as_that_of_its_name():
    for module in ("keras.losses", "keras.src.losses.losses"):
        config = {"module": module, "class_name": "Huber", "config": {"delta": 2.0}}
        assert saving.deserialize_keras_object(config) == losses.Huber(2.0)


def test_own_class_comes_back_if_it_is_registered_given_or_in_a_scope():
    config = saving.serialize_keras_object(Largest(2.0))
    with pytest.raises(ValueError, match="'Largest': expected a class or function of nnlite, or"):
        saving.deserialize_keras_object(config)
    assert saving.deserialize_keras_object(config, {"Largest": Largest}) == Largest(2.0)
    with saving.custom_object_scope({"Largest": Largest}):
        assert saving.deserialize_keras_object(config) == Largest(2.0)
        assert regularizers.get("Largest") == Largest()
    assert saving.register_keras_serializable("mine", "Top")(Largest) is Largest
    config = saving.serialize_keras_object(Largest(2.0))
    assert config["registered_name"] == "mine>Top" == saving.get_registered_name(Largest)
    assert saving.deserialize_keras_object(config) == Largest(2.0)
    assert saving.get_registered_object("mine>Top") is Largest
    assert regularizers.get("mine>Top") == Largest()
    assert regularizers.get({"class_name": "mine>Top", "config": {"factor": 3.0}}) == Largest(3.0)


def test_own_function_comes_back_if_it_is_registered():
    saving.register_keras_serializable()(cube)
    assert saving.get_registered_name(cube) == "Custom>cube"
    assert saving.deserialize_keras_object(saving.serialize_keras_object(cube)) is cube
    assert activations.get("Custom>cube") is cube


def test_scope_ends_and_holds_in_its_thread_only():
    found = []

    def look():
        try:
            found.append(activations.get("cube"))
        except ValueError:
            found.append(None)

    with saving.custom_object_scope({"cube": cube}):
        with saving.custom_object_scope({"other": cube}):
            look()  # an outer scope goes on
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    look()
    assert found == [cube, None, None]
    saving.get_custom_objects()["cube"] = cube
    look()
    assert found[-1] is cube


def test_class_without_a_config_cannot_be_registered():
    with pytest.raises(ValueError, match=r"Plain: expected a class with get_config\(\)"):
        saving.register_keras_serializable()(type("Plain", (), {}))
    with pytest.raises(TypeError, match=r"expected an object with get_config\(\), got <object"):
        saving.serialize_keras_object(object())


@pytest.mark.parametrize(
    "get, name, config, expected",
    [
        (losses.get, "Huber", {"delta": 2.0}, losses.Huber(2.0)),
        (metrics.get, "AUC", {"curve": "PR"}, metrics.AUC(curve="PR")),
        (optimizers.get, "sgd", {"momentum": 0.5}, optimizers.SGD(momentum=0.5)),
        (optimizers.get, "AdamW", {"weight_decay": 0.5}, optimizers.AdamW(weight_decay=0.5)),
        (initializers.get, "Constant", {"value": 2.0}, initializers.Constant(2.0)),
        (regularizers.get, "L2", {"l2": 0.5}, regularizers.L2(0.5)),
        (constraints.get, "UnitNorm", {"axis": 1}, constraints.UnitNorm(1)),
    ],
)
def test_config_of_a_class_is_found_wherever_names_are(get, name, config, expected):
    assert get({"class_name": name, "config": config}) == expected
    assert get(None) is None
    with pytest.raises(ValueError, match=r"unknown .*did you mean"):
        get({"class_name": f"{name}s", "config": config})
    for wrong in ({}, {"class_name": 3, "config": {}}, {"class_name": name, "config": 3}):
        with pytest.raises(ValueError, match="expected a dict with a 'class_name' and the 'con"):
            get(wrong)


FAMILIES = {
    "activations": activations.relu,
    "constraints": constraints.MaxNorm(3.0),
    "initializers": initializers.HeNormal(seed=3),
    "layers": layers.Dense(3, "relu", name="d"),
    "losses": losses.Huber(0.5),
    "metrics": metrics.AUC(curve="PR"),
    "optimizers": optimizers.Adam(optimizers.schedules.CosineDecay(0.1, 100)),
    "optimizers.schedules": optimizers.schedules.CosineDecay(0.1, 100),
    "regularizers": regularizers.L2(0.5),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_serializes_and_deserializes_what_it_holds(name):
    family, thing = importlib.import_module(f"nnlite.{name}"), FAMILIES[name]
    config = json.loads(json.dumps(family.serialize(thing)))
    again = family.deserialize(config)
    assert type(again) is type(thing) and family.serialize(again) == config
    for function in (family.serialize, family.deserialize):
        assert function.__module__ == f"nnlite.{name}"
        example = doctest.DocTestParser().get_doctest(function.__doc__, {}, name, None, 0)
        assert example.examples and not doctest.DocTestRunner().run(example).failed
    with pytest.raises(ValueError, match="'Dance'"):
        family.deserialize({"class_name": "Dance", "config": {}})


def test_families_answer_as_those_of_keras():
    assert activations.serialize(activations.silu) == "silu"
    assert activations.deserialize("silu") is activations.silu
    assert losses.serialize(loss=losses.MeanSquaredError())["class_name"] == "MeanSquaredError"
    assert losses.serialize(losses.mean_squared_error)["config"] == "mean_squared_error"
    described = losses.serialize(losses.mean_squared_error)
    assert losses.deserialize(described) is losses.mean_squared_error
    assert layers.deserialize({"class_name": "Dense", "config": {"units": 3}}).units == 3
    given = {"Largest": Largest}
    config = regularizers.serialize(Largest(2.0))
    assert regularizers.deserialize(config, custom_objects=given) == Largest(2.0)
    for function in (losses.mean_squared_error, metrics.cosine_similarity, cube):
        described = saving.serialize_keras_object(function)
        assert saving.deserialize_keras_object(described, {"cube": cube}) is function
        if function is not metrics.cosine_similarity:  # of two with this name the losses' is found
            assert (described["module"], described["registered_name"]) == ("builtins", "function")
    assert activations.serialize(cube)["config"] == "cube"
    assert activations.deserialize(activations.serialize(cube), {"cube": cube}) is cube
    layer = activations.deserialize(activations.serialize(layers.ReLU(2.0)))
    assert layer.max_value == 2.0
    for wrong in (None, "Dense", regularizers.serialize(regularizers.L2(0.5))):
        with pytest.raises(ValueError, match="config: expected that of a Layer, got"):
            layers.deserialize(wrong)
    for wrong in (None, "relu"):
        with pytest.raises(ValueError, match="activation: expected a function, got"):
            activations.serialize(wrong)


def test_function_is_found_by_the_bare_name_that_older_files_of_keras_have():
    saving.register_keras_serializable("mine")(cube)
    older = {"module": "builtins", "class_name": "function", "config": "cube"}
    assert saving.deserialize_keras_object({**older, "registered_name": "function"}) is cube
    saving.register_keras_serializable("other", "cube")(lambda x: x)
    with pytest.raises(ValueError, match="'cube': expected a class or function"):
        saving.deserialize_keras_object(older)  # which of the two, nobody knows


def test_class_of_ones_own_is_not_replaced_by_that_of_nnlite_with_its_name():
    config = saving.serialize_keras_object(losses.Huber(2.0))
    with pytest.raises(ValueError, match="'Huber': expected a class or function of nnlite, or one"):
        saving.deserialize_keras_object({**config, "registered_name": "mine>Huber"})
    again = saving.deserialize_keras_object({**config, "registered_name": "Huber"})
    assert again == losses.Huber(2.0)


def test_configs_without_what_they_need_are_refused():
    with pytest.raises(ValueError, match="Sequential: expected a config with 'layers'"):
        nnlite.Sequential.from_config({"name": "s"})

    class Bare:
        def get_config(self):
            return {}

    config = saving.serialize_keras_object(Bare())
    with pytest.raises(ValueError, match="Bare: expected a class with from_config"):
        saving.deserialize_keras_object(config, {"Bare": Bare})


def test_losses_are_functions_among_the_metrics_too():
    for name in ("mean_squared_error", "kl_divergence", "hinge", "binary_focal_crossentropy"):
        assert getattr(metrics, name) is getattr(losses, name)


def test_class_made_of_one_of_nnlite_takes_what_keras_says_of_that_too():
    class Mine(layers.Dense):
        pass

    config = {"units": 2, "quantization_config": None, "dtype": {"class_name": "DTypePolicy"}}
    config["dtype"] |= {"module": "keras", "config": {"name": "float32"}}
    described = {"class_name": "Mine", "config": config, "registered_name": "tests>Mine"}
    assert saving.deserialize_keras_object(described, {"Mine": Mine}).units == 2
    config["quantization_config"] = {"mode": "int8"}
    with pytest.raises(ValueError, match="Mine: unknown argument 'quantization_config'"):
        saving.deserialize_keras_object(described, {"Mine": Mine})


def test_messages_name_the_argument():
    with pytest.raises(TypeError, match=r"^optimizer: .*expected an object with get_config"):
        optimizers.serialize(3j)
    with pytest.raises(ValueError, match=r"^config: 'Dance': expected a class"):
        layers.deserialize({"class_name": "Dance", "config": {}})
    for wrong in (np.ones(2), ["a"], "a"):
        with pytest.raises(TypeError, match=r"^custom_objects: expected a dict of classes"):
            losses.deserialize("mse", custom_objects=wrong)
