"""clone_model: new layers with new weights in the place of a model's."""

import models_saved
import numpy as np
import pytest

import nnlite
from nnlite import layers, ops
from nnlite.models import clone_model
from nnlite.tree import flatten


def functional():
    """A layer that is called twice, a nested model, functions of ops."""
    start = layers.Input((3,), name="x")
    twice = layers.Dense(3, "tanh")
    inner = nnlite.Sequential([layers.Dense(4), layers.Dense(3)])
    middle = inner(twice(twice(start))) * 2.0
    return nnlite.Model({"x": start}, [layers.Dense(2)(middle), ops.sin(middle)])


def assert_same_with_the_same_weights(model, other, x):
    other.set_weights(model.get_weights())
    for one, two in zip(flatten(model(x)), flatten(other(x)), strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


X = np.random.default_rng(0).random((4, 3)).astype("float32")


@pytest.mark.parametrize("make", models_saved.MODELS)
def test_copy_has_new_weights_and_computes_the_same_with_the_same(make):
    model, x, y = make()
    model.predict(x, verbose=0)
    if make is not models_saved.subclassed:  # whose config says nothing of its layers
        model.layers[-1].trainable = False
    copy = clone_model(model)
    copy.predict(x, verbose=0)
    assert type(copy) is type(model) and copy.name == model.name and copy.compiled
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert not {id(v) for v in copy.weights} & {id(v) for v in model.weights}
    pairs = zip(copy.weights, model.weights, strict=True)
    assert any((a.numpy() != b.numpy()).any() for a, b in pairs)
    assert len(copy.trainable_weights) == len(model.trainable_weights)
    assert copy.optimizer is not model.optimizer and copy.optimizer == model.optimizer
    assert_same_with_the_same_weights(model, copy, x)
    copy.fit(x, y, epochs=1, verbose=0)


def test_shared_layers_stay_shared_and_inputs_stay_nested():
    model = functional()
    copy = clone_model(model)
    assert len(copy.layers) == len(model.layers) and [*copy.input] == ["x"]
    assert_same_with_the_same_weights(model, copy, {"x": X})


def test_input_tensors_are_what_the_copy_begins_with():
    model, start = functional(), layers.Input((3,))
    copy = clone_model(model, input_tensors={"x": start})
    assert copy.input["x"] is start
    assert_same_with_the_same_weights(model, copy, {"x": X})
    with pytest.raises(ValueError, match="input_tensors: expected symbols nested like the input"):
        clone_model(model, input_tensors=[start])
    chain = nnlite.Sequential([layers.Dense(2, input_shape=(3,))])
    for given in (start, [start]):
        assert clone_model(chain, input_tensors=given).inputs[0] is start
    assert clone_model(chain, input_tensors=layers.Dense(3)(start)).input_shape == (None, 3)
    with pytest.raises(ValueError, match="input_tensors: expected one symbol"):
        clone_model(chain, input_tensors=[start, start])


def test_clone_function_gets_each_layer_once_and_no_input():
    seen = []

    def renamed(layer):
        seen.append(layer)
        return type(layer).from_config({**layer.get_config(), "name": f"{layer.name}_new"})

    model = functional()
    copy = clone_model(model, clone_function=renamed)
    inner = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    assert sorted(map(id, seen)) == sorted(map(id, inner))
    names = [layer.name for layer in copy.layers]
    assert [n.removesuffix("_new") for n in names] == [layer.name for layer in model.layers]
    assert len([n for n in names if n.endswith("_new")]) == len(inner)


@pytest.mark.parametrize("recursive", [False, True])
def test_recursive_takes_models_inside_apart(recursive):
    def marked(layer):
        seen.append(type(layer))
        return type(layer).from_config(layer.get_config())

    seen, model = [], functional()
    copy = clone_model(model, clone_function=marked, recursive=recursive)
    assert (nnlite.Sequential in seen) is not recursive
    assert seen.count(layers.Dense) == (4 if recursive else 2)
    assert_same_with_the_same_weights(model, copy, {"x": X})


def test_call_function_may_call_more_layers():
    def with_dropout(layer, *args, **kwargs):
        result = layer(*args, **kwargs)
        return layers.Dropout(0.5)(result) if isinstance(layer, layers.Dense) else result

    model = functional()
    copy = clone_model(model, clone_function=lambda layer: layer, call_function=with_dropout)
    assert [type(x) for x in copy.layers].count(layers.Dropout) == 3
    assert {id(v) for v in copy.weights} == {id(v) for v in model.weights}
    np.testing.assert_array_equal(copy({"x": X})[0].numpy(), model({"x": X})[0].numpy())
    with pytest.raises(ValueError, match="call_function: expected a functional model"):
        clone_model(nnlite.Sequential([layers.Dense(1)]), call_function=with_dropout)


def test_what_is_not_known_of_a_subclass_is_refused():
    model = models_saved.Subclassed(2)
    assert clone_model(model).block.units == 2
    with pytest.raises(ValueError, match="expected a functional model or Sequential"):
        clone_model(model, clone_function=lambda layer: layer)
    with pytest.raises(ValueError, match="expected a functional model or Sequential"):
        clone_model(model, input_tensors=layers.Input((3,)))
    with pytest.raises(TypeError, match="model: expected a Model, got Dense"):
        clone_model(layers.Dense(2))
    with pytest.raises(TypeError, match="clone_function: expected a function, got 3"):
        clone_model(functional(), clone_function=3)


def test_config_of_a_layer_says_its_name_in_the_model_and_whether_it_is_trained_now():
    model = nnlite.Sequential([layers.Dense(2), layers.Dense(2)])
    model.layers[1].trainable = False
    config = model.layers[1].get_config()
    assert config["name"] == "dense_1" and config["trainable"] is False
    assert not layers.Dense.from_config(config).trainable
    assert layers.Dense(2).get_config()["name"] is None


@pytest.mark.parametrize("kind", [list, tuple])
def test_model_of_a_config_gives_a_tuple_where_the_other_did(kind):
    start = layers.Input((3,))
    model = nnlite.Model(start, kind([layers.Dense(2)(start), layers.Dense(1)(start)]))
    again = nnlite.Model.from_config(model.get_config())
    assert type(again(X)) is type(model(X)) is kind
