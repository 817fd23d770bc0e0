"""InputSpec: which inputs a layer of one's own refuses."""

import numpy as np
import pytest

import nnlite
from nnlite import layers
from nnlite.layers import InputSpec


class Says(layers.Layer):
    """Returns its input, of which it says what it must be."""

    def __init__(self, spec, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = spec

    def call(self, inputs):
        return inputs[0] if isinstance(inputs, (list, tuple)) else inputs


CASES = {
    "ndim": (InputSpec(ndim=3), [(2, 3, 4), (0, 1, 1)], [(2, 3), (2, 3, 4, 5)]),
    "max_ndim": (InputSpec(max_ndim=2), [(2,), (2, 3)], [(2, 3, 4)]),
    "min_ndim": (InputSpec(min_ndim=2), [(2, 3), (2, 3, 4)], [(2,)]),
    "axes": (InputSpec(axes={-1: 4, 1: None}), [(2, 3, 4), (2, 4)], [(2, 4, 3)]),
    "an axis that is not there": (InputSpec(axes={2: 4}), [(2, 3, 4)], [(2, 4)]),
    "shape": (InputSpec(shape=(None, 3, 4)), [(1, 3, 4)], [(1, 3), (1, 4, 4)]),
    "batch": (InputSpec(shape=(2, 3)), [(2, 3)], [(1, 3)]),
    "squeeze": (
        InputSpec(shape=(None, 3, 1), allow_last_axis_squeeze=True),
        [(2, 3, 1), (2, 3)],
        [(2, 4), (2, 3, 2)],
    ),
}


@pytest.mark.parametrize("spec, legal, others", CASES.values(), ids=CASES)
def test_other_shapes_are_refused(spec, legal, others):
    assert InputSpec.from_config(spec.get_config()).get_config() == spec.get_config()
    for shape in legal:
        assert Says(spec)(np.ones(shape)).shape == shape
    for shape in others:
        with pytest.raises(ValueError, match=r"^layer 'says' \(Says\): input_spec: expected "):
            Says(spec)(np.ones(shape))


def test_dtype_is_refused_and_several_inputs_are_counted():
    with pytest.raises(ValueError, match="input_spec: expected dtype 'int32', got 'float32'"):
        Says(InputSpec(dtype="int32"))(np.ones((2, 3), "float32"))
    pair = Says([InputSpec(ndim=2), InputSpec(ndim=3)])
    one, other = np.ones((2, 3)), np.ones((2, 3, 4))
    assert pair([one, other]).shape == (2, 3)
    for wrong, words in ([other, one], "expected 2 dim"), ([one], "expected 2 inputs, got 1"):
        with pytest.raises(ValueError, match=words):
            pair(wrong)


def test_unknown_lengths_and_batches_of_a_functional_model_are_left_open():
    x = nnlite.Input((None, 4))
    y = Says(InputSpec(shape=(2, 3, 4)))(x)
    assert y.shape == (None, None, 4)
    model = nnlite.Model(x, y)
    assert model.predict(np.ones((2, 3, 4)), verbose=0).shape == (2, 3, 4)
    with pytest.raises(ValueError, match="expected size 5 of axis -1, got shape"):
        Says(InputSpec(axes={-1: 5}))(x)


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"ndim": -1}, ValueError, r"InputSpec: ndim: expected an integer in \[0, inf\), got -1"),
        ({"axes": [1]}, TypeError, r"InputSpec: axes: expected a dict of int to int, got \[1\]"),
        ({"axes": {"a": 1}}, TypeError, "InputSpec: axes: expected an int"),
        ({"axes": {3: 1}, "ndim": 3}, ValueError, "InputSpec: axes: expected axes below 3"),
        ({"optional": "no"}, ValueError, "InputSpec: optional: expected True or False"),
    ],
)
def test_settings_are_checked(settings, error, message):
    with pytest.raises(error, match=message):
        InputSpec(**settings)


class Residual(layers.Wrapper):
    """Adds what the layer inside makes."""

    def call(self, x):
        return x + self.layer(x)


def test_a_wrapper_has_the_weights_of_its_layer_and_makes_it_again_from_its_config():
    layer = Residual(layers.Dense(3, activity_regularizer="l2"))
    x = np.ones((2, 3))
    y = layer(x).numpy()
    assert [w.shape for w in layer.weights] == [(3, 3), (3,)] and len(layer.losses) == 1
    np.testing.assert_allclose(y, 1 + layer.layer(x).numpy())
    again = Residual.from_config(layer.get_config())
    assert again.layer is not layer.layer and again.layer.units == 3 and not again.built
    assert isinstance(layers.TimeDistributed(layers.Dense(2)), layers.Wrapper)
    with pytest.raises(ValueError, match=r"Residual: layer: expected a layer, .* got 'dense'"):
        Residual("dense")
