"""What Keras's models tell about their parts: names, and all variables as a nested dict."""

import numpy as np
import pytest

import nnlite as keras
from nnlite import layers, ops

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


def small(name="h"):
    inputs = keras.Input((3,), name="x")
    hidden = layers.BatchNormalization(name="bn")(layers.Dense(2, name=name)(inputs))
    model = keras.Model(inputs, layers.Dense(1, name="y")(hidden))
    model.compile("adam", "mse", metrics=["mae"])
    return model


def test_a_model_tells_the_names_of_its_inputs_outputs_and_metrics():
    model = small()
    assert model.input_names == ["x"] and model.output_names == ["y"]
    assert model.metrics_names == ["loss", "mae"]
    assert [v.name for v in model.metrics_variables] == ["total", "count"] * 2


def test_a_state_tree_holds_all_variables_and_gives_them_to_another_model():
    model, other = small(), small()
    for m, epochs in ((model, 3), (other, 1)):
        m.fit(X, Y, epochs=epochs, verbose=0)
    tree = model.get_state_tree("numpy_array")
    assert tree["trainable_variables"]["h"]["kernel"].shape == (3, 2)
    assert [*tree["non_trainable_variables"]["bn"]] == ["moving_mean", "moving_variance"]
    (of_optimizer,) = tree["optimizer_variables"].values()
    assert of_optimizer["iteration"] == 3 and of_optimizer["y_bias_velocity"].shape == (1,)
    assert [*tree["metrics_variables"]] == ["loss", "mae"]
    assert model.get_state_tree()["trainable_variables"]["y"]["bias"].dtype == "float32"
    other.set_state_tree(tree)
    for m in (model, other):
        m.fit(X, Y, verbose=0)
    for a, b in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_state_tree_sets_a_part_and_refuses_what_the_model_lacks():
    model = small()
    before = model.get_layer("y").bias.item()
    model.set_state_tree({"trainable_variables": {"h": {"bias": [1.0, 2.0]}}})
    assert model.get_layer("h").bias.numpy().tolist() == [1, 2]
    assert model.get_layer("y").bias.item() == before
    with pytest.raises(
        ValueError, match=r"expected trainable_variables/h/kernel, .* got 'train.*no'"
    ):
        model.set_state_tree({"trainable_variables": {"h": {"no": [1.0]}}})
    with pytest.raises(ValueError, match=r"expected shape \(2,\), got \(3,\)"):
        model.set_state_tree(
            {"trainable_variables": {"y": {"bias": [9.0]}, "h": {"bias": [1.0] * 3}}}
        )
    assert model.get_layer("y").bias.item() == before  # what stands before the error is not set
    with pytest.raises(ValueError, match="get_state_tree: value_format: expected"):
        model.get_state_tree("list")


class Twice(layers.Layer):
    def build(self, input_shape):
        self.a, self.b = self.add_weight(shape=(1,)), self.add_weight(shape=(2,))

    def call(self, x):
        return x * self.a * self.b[0]


def test_weights_of_one_name_are_numbered_in_a_state_tree():
    model = keras.Sequential([keras.Input((3,)), Twice(name="t")])
    tree = model.get_state_tree("numpy_array")["trainable_variables"]["t"]
    assert {name: v.shape for name, v in tree.items()} == {"weight": (1,), "weight_1": (2,)}


def test_layers_of_outputs_in_a_dict_stand_in_the_order_of_their_names():
    inputs = keras.Input((3,))
    outputs = {name: layers.Dense(1, name=name)(inputs) for name in ("b", "a")}
    model = keras.Model(inputs, outputs)
    assert [layer.name for layer in model.layers[1:]] == ["a", "b"]
    assert [*model.predict(X)] == ["b", "a"]


def myLoss(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def test_functions_are_named_in_logs_as_keras_names_them():
    model = small()
    model.compile("sgd", "mse", metrics=[myLoss, lambda y, p: ops.mean(p, axis=-1)])
    assert [*model.fit(X, Y, verbose=0).history] == ["loss", "my_loss", "lambda"]


def test_a_keras_tensor_is_a_shape_and_a_dtype():
    symbol = keras.KerasTensor((None, 4), "int64", name="tokens")
    assert (symbol.shape, symbol.dtype, symbol.name) == ((None, 4), "int32", "tokens")
    assert layers.Dense(3).compute_output_spec(keras.KerasTensor((2, 4))).shape == (2, 3)
    assert ops.mean(keras.KerasTensor((None, 4)), axis=1).shape == (None,)
